"""Exact values of ops on constants: routing of any array, arithmetic of small ones."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np

from tamecheck.ir.op import Op, Params, Routing
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.shapes import axes_of, axis_of

__all__ = ["exact_array", "fold", "narrowed"]

MAX_GROWTH = 2**16
"""A routing that makes more elements than this, and more than it was given, stays in the graph."""

MAX_FOLDED = 2**12
"""Arithmetic of constants with more elements than this stays in the graph."""

MAX_BITS = 2_048
"""A folded number longer than this stays unevaluated in the graph."""

_EXPONENTS = range(-8, 9)

Compute = Callable[[Sequence[Array], Params], Any]


class _UnfoldedError(Exception):
    """The op stays in the graph."""


def fold(op: Op, arrays: Sequence[Array], params: Params, shape: Shape) -> Array | None:
    """The exact value of ``op`` on constants, or None where it is left in the graph."""
    meaning = op.meaning
    if isinstance(meaning, Routing):
        if size_of(shape) > max(MAX_GROWTH, *(array.size for array in arrays)):
            return None
        return np.asarray(meaning.route(_alike(arrays), params)).reshape(shape)
    if op.name == "gather" and arrays[1].dtype.kind in "iu":
        if size_of(shape) > max(MAX_GROWTH, arrays[0].size):
            return None
        taken = np.take(arrays[0], arrays[1], axis=axis_of(arrays[0].shape, params))
        return np.asarray(taken).reshape(shape)
    compute = _EXACT.get(op.name)
    if compute is None or max(size_of(shape), *(array.size for array in arrays)) > MAX_FOLDED:
        return None
    operands = [exact for array in arrays if (exact := exact_array(array)) is not None]
    if len(operands) < len(arrays):
        return None
    try:
        found = compute(operands, params)
    except (ZeroDivisionError, _UnfoldedError):
        return None
    result = np.empty(shape, dtype=object)
    result[...] = found
    return None if _too_long(result) else narrowed(result)


def exact_array(array: Array) -> Array | None:
    """The same elements as exact integers and fractions, or None if one is not finite."""
    if array.dtype == object:
        return array
    if array.dtype.kind in "biu":
        return array.astype(np.int64 if array.dtype.kind == "b" else array.dtype).astype(object)
    if not np.isfinite(array).all():
        return None
    exact = np.empty(array.shape, dtype=object)
    exact.reshape(-1)[:] = [_simplest(Fraction(v)) for v in array.reshape(-1).tolist()]
    return exact


def narrowed(exact: Array) -> Array:
    """The same numbers as int64, float32 or float64 where one of these holds them all."""
    numbers = [_simplest(Fraction(number)) for number in exact.reshape(-1).tolist()]
    if all(isinstance(number, int) for number in numbers):
        if all(-(2**63) <= number < 2**63 for number in numbers):
            return exact.astype(np.int64)
        return exact
    for kind in (np.float32, np.float64):
        with np.errstate(over="ignore", under="ignore"):
            floats = np.array([_float(number) for number in numbers], dtype=kind)
        finite = bool(np.isfinite(floats).all())
        if finite and [Fraction(v) for v in floats.tolist()] == numbers:
            return floats.reshape(exact.shape)
    return exact


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _simplest(number: Fraction) -> Fraction | int:
    return number.numerator if number.denominator == 1 else number


def _alike(arrays: Sequence[Array]) -> Sequence[Array]:
    """Arrays that can be joined without rounding: exact ones if some are exact."""
    if len({array.dtype for array in arrays}) < 2:
        return arrays
    exact = [exact_array(array) for array in arrays]
    whole = [array for array in exact if array is not None]
    return whole if len(whole) == len(arrays) else arrays


def _too_long(array: Array) -> bool:
    return any(
        number.numerator.bit_length() + number.denominator.bit_length() > MAX_BITS
        for number in array.reshape(-1).tolist()
    )


def _each(function: Callable[..., Any], arity: int) -> Compute:
    applied = np.frompyfunc(function, arity, 1)
    return lambda arrays, _params: applied(*arrays)


def _reduction(ufunc: np.ufunc) -> Compute:
    return lambda arrays, params: ufunc.reduce(
        arrays[0], axis=axes_of(arrays[0].shape, params), keepdims=bool(params["keepdims"])
    )


def _clip(arrays: Sequence[Array], params: Params) -> Any:
    low, high = params["lo"], params["hi"]

    def clipped(number: Any) -> Any:
        above = number if low is None else max(number, _bound(low))
        return above if high is None else min(above, _bound(high))

    return np.frompyfunc(clipped, 1, 1)(arrays[0])


def _bound(value: Any) -> Any:
    return _simplest(value)


def _round(arrays: Sequence[Array], params: Params) -> Any:
    match params["mode"]:
        case "half_even":
            return np.frompyfunc(round, 1, 1)(arrays[0])
        case "toward_zero":
            return np.frompyfunc(math.trunc, 1, 1)(arrays[0])
        case mode:
            # no integer of a shape is computed by another rounding
            raise _UnfoldedError(mode)


def _pow(arrays: Sequence[Array], params: Params) -> Any:
    exponent = params["exponent"]
    if not isinstance(exponent, Fraction) or exponent not in _EXPONENTS:
        # other powers are irrational, or too long
        raise _UnfoldedError(exponent)
    power = int(exponent)
    return np.frompyfunc(lambda a: _simplest(Fraction(a) ** power), 1, 1)(arrays[0])


def _divide(a: Any, b: Any) -> Any:
    return _simplest(Fraction(a) / Fraction(b))


def _equal(a: Any, b: Any) -> int:
    return int(a == b)


def _less(a: Any, b: Any) -> int:
    return int(a < b)


def _less_equal(a: Any, b: Any) -> int:
    return int(a <= b)


def _select(condition: Any, a: Any, b: Any) -> Any:
    return a if condition != 0 else b


def _relu(a: Any) -> Any:
    return max(a, 0)


_EXACT: Mapping[str, Compute] = MappingProxyType(
    {
        "add": _each(operator.add, 2),
        "sub": _each(operator.sub, 2),
        "mul": _each(operator.mul, 2),
        "div": _each(_divide, 2),
        "neg": _each(operator.neg, 1),
        "abs": _each(operator.abs, 1),
        "relu": _each(_relu, 1),
        "maximum": _each(max, 2),
        "minimum": _each(min, 2),
        "floor": _each(math.floor, 1),
        "ceil": _each(math.ceil, 1),
        "round": _round,
        "clip": _clip,
        "equal": _each(_equal, 2),
        "less": _each(_less, 2),
        "less_equal": _each(_less_equal, 2),
        "select": _each(_select, 3),
        "sum": _reduction(np.add),
        "pow": _pow,
        "prod": _reduction(np.multiply),
        "reduce_max": _reduction(np.maximum),
        "reduce_min": _reduction(np.minimum),
    }
)

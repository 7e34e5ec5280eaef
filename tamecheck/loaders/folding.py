"""Constants of a graph that is being built: exact arithmetic before there is a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.errors import DomainError
from tamecheck.evaluate.exact import op_exact
from tamecheck.evaluate.walk import Site
from tamecheck.exact.arrays import fractions, from_values
from tamecheck.ir.op import Op, Params, Routing
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.shapes import axis_of

MAX_GROWTH = 2**16
"""A routing that makes more elements than this, and more than it was given, stays in the graph."""

MAX_FOLDED = 2**12
"""Arithmetic of constants with more elements than this stays in the graph."""

MAX_COMPARED = 2**20
"""The same of comparisons, which NumPy does exactly."""

MAX_BITS = 2_048
"""A folded number longer than this stays unevaluated in the graph."""

_EXPONENTS = range(-8, 9)
_ROUNDINGS = ("half_even", "toward_zero")
_RATIONAL = (
    *(ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.NEG, ops.ABS, ops.RELU, ops.MAXIMUM, ops.MINIMUM),
    *(ops.FLOOR, ops.CEIL, ops.ROUND, ops.CLIP, ops.EQUAL, ops.LESS, ops.LESS_EQUAL, ops.SELECT),
    *(ops.SUM, ops.PROD, ops.REDUCE_MAX, ops.REDUCE_MIN, ops.POW),
)
"""Ops whose values at rational points are rational."""
_COMPARISONS: Mapping[Op, Any] = {
    ops.EQUAL: np.equal,
    ops.LESS: np.less,
    ops.LESS_EQUAL: np.less_equal,
}


def fold(op: Op, arrays: Sequence[Array], params: Params, shape: Shape) -> Array | None:
    """The exact value of ``op`` on constants, or None where it is left in the graph."""
    if isinstance(op.meaning, Routing):
        if size_of(shape) > max(MAX_GROWTH, *(array.size for array in arrays)):
            return None
        return np.asarray(op.meaning.route(_alike(arrays), params)).reshape(shape)
    if op is ops.GATHER and arrays[1].dtype.kind in "iu":
        if size_of(shape) > max(MAX_GROWTH, arrays[0].size):
            return None
        taken = np.take(arrays[0], arrays[1], axis=axis_of(arrays[0].shape, params))
        return np.asarray(taken).reshape(shape)
    compared = _compared(op, arrays, shape)
    if compared is not None:
        return compared
    # other powers are irrational or too long; no integer of a shape is computed by other roundings
    exponent, mode = params.get("exponent", 1), params.get("mode", "half_even")
    if op not in _RATIONAL or exponent not in _EXPONENTS or mode not in _ROUNDINGS:
        return None
    operands = [exact for array in arrays if (exact := exact_array(array)) is not None]
    large = max(size_of(shape), *(array.size for array in arrays)) > MAX_FOLDED
    if large or len(operands) < len(arrays):
        return None
    try:
        found = op_exact(Site(op, params, shape, ""), [from_values(array) for array in operands])
    except DomainError:
        return None
    numbers = fractions(found)
    listed: list[Fraction] = numbers.reshape(-1).tolist()
    bits = (n.numerator.bit_length() + n.denominator.bit_length() for n in listed)
    return None if max(bits, default=0) > MAX_BITS else narrow(numbers)


def _compared(op: Op, arrays: Sequence[Array], shape: Shape) -> Array | None:
    """The truth values of a comparison of numbers that float64 holds, infinities among them."""
    compare = _COMPARISONS.get(op)
    if compare is None or size_of(shape) > MAX_COMPARED:
        return None
    if any(array.dtype.kind not in "biuf" or not _in_float64(array) for array in arrays):
        return None
    left, right = (array.astype(np.float64) for array in arrays)
    return np.asarray(compare(left, right)).astype(np.int64).reshape(shape)


def _in_float64(array: Array) -> bool:
    if array.dtype.kind == "f":
        return not bool(np.isnan(array).any())
    return array.size == 0 or -(2**53) <= int(array.min()) <= int(array.max()) <= 2**53


def exact_array(array: Array) -> Array | None:
    """The same elements as exact integers and fractions, or None if one is not finite."""
    if array.dtype == object:
        return array
    if array.dtype.kind in "biu":
        return array.astype(np.int64 if array.dtype.kind == "b" else array.dtype).astype(object)
    if not bool(np.isfinite(array).all()):
        return None
    exact = [_simplest(Fraction(value)) for value in array.reshape(-1).tolist()]
    return np.array(exact, dtype=object).reshape(array.shape)


def narrow(exact: Array) -> Array:
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

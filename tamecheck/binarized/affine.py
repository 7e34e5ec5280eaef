"""Tensors whose elements are affine in the states of one layer, with exact coefficients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.errors import TamecheckError
from tamecheck.exact.arrays import from_list
from tamecheck.exact.quadratic import PRECISION, Number, QuadraticNumber, rational_near
from tamecheck.ir.exact import ZERO
from tamecheck.ir.op import Op
from tamecheck.ir.tensor import Array, size_of

LIMIT = 2**52
"""Sums of weights stay below this."""

_KEPT = 50
"""Bits of the sum of a neuron's weights where square roots are rounded."""


class UnfitError(TamecheckError, ValueError):
    """A number that has no place in a binarized network."""


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """Constants: an object array of numbers."""

    values: Array


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Elements ``scale * (weights[row] @ states) + offset``; ``row`` has the tensor's shape.

    ``weights`` are integers over the states of layer ``level`` (0 for the inputs).  An element is
    at most ``doubt`` away from the model's, whatever the states are: 0 but for sums of different
    square roots, which are rounded.
    """

    level: int
    weights: Array
    row: Array
    scale: Array
    offset: Array
    doubt: Array


Value = Fixed | Affine


def rational_only(value: Number) -> Fraction:
    """The number, which has to be rational."""
    if isinstance(value, QuadraticNumber):
        raise UnfitError("an irrational factor stands where a rational one is needed")
    return value


def zeros(shape: tuple[int, ...]) -> Array:
    """An object array of zeros: no doubt."""
    return from_list(shape, [ZERO] * size_of(shape))


def copy_elements(route: Callable[[list[Array]], Array], args: Sequence[Value]) -> Value | None:
    """Copies of elements of the arguments, or of constants, as a function of arrays takes them."""
    places: list[Array] = []
    start = 0
    for arg in args:
        shape = arg.values.shape if isinstance(arg, Fixed) else arg.row.shape
        stop = start + size_of(shape)
        places.append(from_list(shape, range(start, stop)))
        start = stop
    taken = route(places)
    flat, shape = taken.reshape(-1).tolist(), taken.shape
    joined = _join(args)
    if joined is None:
        return None
    if isinstance(joined, Fixed):
        return Fixed(
            from_list(shape, [joined.values[n] if isinstance(n, int) else n for n in flat])
        )
    # an element that the op inserts is a constant, 0 times any row
    inserted = np.array([not isinstance(n, int) for n in flat], dtype=np.bool_)
    picked = np.array([n if isinstance(n, int) else 0 for n in flat], dtype=np.int64)
    row, scale, offset, doubt = (
        part[picked] for part in (joined.row, joined.scale, joined.offset, joined.doubt)
    )
    row[inserted], scale[inserted], doubt[inserted] = 0, ZERO, ZERO
    offset[inserted] = [Fraction(n) for n, new in zip(flat, inserted, strict=True) if new]
    ends = (part.reshape(shape) for part in (row, scale, offset, doubt))
    return Affine(joined.level, joined.weights, *ends)


def _join(args: Sequence[Value]) -> Value | None:
    """All elements of the arguments in one flat tensor; None if they are of different layers."""
    states = [arg for arg in args if isinstance(arg, Affine)]
    if not states:
        return Fixed(np.concatenate([a.values.reshape(-1) for a in args if isinstance(a, Fixed)]))
    if any(arg.level != states[0].level for arg in states):
        return None
    weights: dict[int, Array] = {}
    starts: dict[int, int] = {}
    parts: list[tuple[Array, ...]] = []
    for arg in args:
        if isinstance(arg, Fixed):
            size = arg.values.size
            none = zeros((size,))
            parts.append((np.zeros(size, dtype=np.int64), none, arg.values.reshape(-1), none))
            continue
        own = id(arg.weights)
        if own not in weights:
            starts[own] = sum(map(len, weights.values()))
            weights[own] = arg.weights
        ends = (part.reshape(-1) for part in (arg.scale, arg.offset, arg.doubt))
        parts.append((arg.row.reshape(-1) + starts[own], *ends))
    stacked = [*weights.values()]
    whole = stacked[0] if len(stacked) == 1 else np.concatenate(stacked)
    return Affine(states[0].level, whole, *map(np.concatenate, zip(*parts, strict=True)))


def arithmetic(op: Op, args: Sequence[Value], shape: tuple[int, ...]) -> Value | None:
    """Negation, sums and differences, products with and quotients by constants."""
    if op is ops.NEG:
        return arithmetic(ops.MUL, [args[0], Fixed(from_list((1,), [Fraction(-1)]))], shape)
    if op not in _EXACT:
        return None
    left, right = args
    if isinstance(right, Fixed):
        if isinstance(left, Fixed):
            return Fixed(_shaped(_EXACT[op](left.values, right.values), shape))
        return _with_constant(op, left, right, shape)
    if isinstance(left, Affine):
        return _add(op, left, right, shape)
    if op is ops.DIV:
        return None
    if op is ops.SUB:
        minus = arithmetic(ops.NEG, [right], right.row.shape)
        return None if minus is None else arithmetic(ops.ADD, [minus, left], shape)
    return arithmetic(op, [right, left], shape)


_EXACT: dict[Op, Any] = {
    ops.ADD: np.add,
    ops.SUB: np.subtract,
    ops.MUL: np.multiply,
    ops.DIV: np.true_divide,
}


def _with_constant(op: Op, left: Affine, right: Fixed, shape: tuple[int, ...]) -> Affine:
    """Each element plus a number, or times one; sums of different square roots are rounded."""
    row, scale, offset, doubt, c = (
        np.broadcast_to(part, shape)
        for part in (left.row, left.scale, left.offset, left.doubt, right.values)
    )
    value = replace(left, row=row, scale=scale, offset=offset, doubt=doubt)
    if op in (ops.ADD, ops.SUB):
        moved, off = _SUMS(offset, c if op is ops.ADD else -c)
        return replace(value, offset=_shaped(moved, shape), doubt=_shaped(doubt + off, shape))
    by = _shaped(c if op is ops.MUL else Fraction(1) / c, shape)
    doubts = _STRETCHED_DOUBTS(doubt, by)
    ends = (_shaped(part, shape) for part in (scale * by, offset * by, doubts))
    return Affine(left.level, left.weights, row, *ends)


def _sum_of_two(one: Number, other: Number) -> tuple[Number, Fraction]:
    return _sum([one, other])


def _stretched_doubt(doubt: Fraction, factor: Number) -> Fraction:
    return _size(factor) * doubt if doubt else doubt


_SUMS: Any = np.frompyfunc(_sum_of_two, 2, 2)
_STRETCHED_DOUBTS: Any = np.frompyfunc(_stretched_doubt, 2, 1)


def _shaped(values: object, shape: tuple[int, ...]) -> Array:
    """An object array, also where NumPy made a number of an array without axes."""
    return np.asarray(values, dtype=object).reshape(shape)


def _add(op: Op, left: Affine, right: Affine, shape: tuple[int, ...]) -> Affine | None:
    joined = _join([left, right])
    if op not in (ops.ADD, ops.SUB) or not isinstance(joined, Affine):
        return None
    sign = Fraction(1 if op is ops.ADD else -1)
    size = left.row.size
    first = np.broadcast_to(np.arange(size).reshape(left.row.shape), shape).reshape(-1)
    second = np.arange(right.row.size).reshape(right.row.shape) + size
    pairs = zip(first.tolist(), np.broadcast_to(second, shape).reshape(-1).tolist(), strict=True)
    return _combine(joined, [[(i, Fraction(1)), (j, sign)] for i, j in pairs], shape)


def sum_over(value: Value, axes: Sequence[int], shape: tuple[int, ...]) -> Value:
    """The sum over some axes."""
    if isinstance(value, Fixed):
        return Fixed(_shaped(value.values.sum(axis=tuple(axes)), shape))
    numbers = np.arange(value.row.size).reshape(value.row.shape)
    moved = np.moveaxis(numbers, list(axes), range(-len(axes), 0))
    groups = moved.reshape(size_of(shape), -1).tolist()
    return _combine(value, [[(i, Fraction(1)) for i in group] for group in groups], shape)


def matmul(left: Value, right: Value, shape: tuple[int, ...]) -> Affine | None:
    """NumPy's matrix product, where one factor is constant."""
    if isinstance(left, Affine) == isinstance(right, Affine):
        return None
    value = left if isinstance(left, Affine) else right
    if not isinstance(value, Affine):
        return None
    numbers = np.arange(value.row.size).reshape(value.row.shape)
    a = numbers if isinstance(left, Affine) else left.values
    b = right.values if isinstance(right, Fixed) else numbers
    a = a[None, :] if a.ndim == 1 else a
    b = b[:, None] if b.ndim == 1 else b
    # element (…, m, n, k) of both is what is multiplied for (…, m, n)
    one, two = np.broadcast_arrays(a[..., :, None, :], np.swapaxes(b, -1, -2)[..., None, :, :])
    inner = np.size(a, -1)
    one, two = (part.reshape(-1, inner).tolist() for part in (one, two))
    places, factors = (one, two) if isinstance(left, Affine) else (two, one)
    rows = [list(zip(i, c, strict=True)) for i, c in zip(places, factors, strict=True)]
    return _combine(value, rows, shape)


def _combine(
    value: Affine, rows: Sequence[Sequence[tuple[int, Number]]], shape: tuple[int, ...]
) -> Affine:
    """Linear combinations of elements, each a list of (flat place, factor), scaled to integers."""
    scales, offsets = value.scale.reshape(-1).tolist(), value.offset.reshape(-1).tolist()
    doubts: list[Fraction] = value.doubt.reshape(-1).tolist()
    numbers: list[int] = value.row.reshape(-1).tolist()
    entries: list[list[tuple[int, int]]] = [_entries(row) for row in value.weights]
    width = value.weights.shape[1]
    weights = np.zeros((len(rows), width), dtype=np.int64)
    ends: list[tuple[Number, Number, Fraction]] = []
    for number, line in enumerate(rows):
        factors = [(a * scales[i], entries[numbers[i]]) for i, a in line if a]
        doubt = sum((_size(a) * doubts[i] for i, a in line if a and doubts[i]), ZERO)
        total, unit, off = _exact_line(factors, width) or _rounded_line(factors, width)
        offset, rounded = _sum([a * offsets[i] for i, a in line if a])
        common = gcd(*total) or 1
        weights[number] = [t // common for t in total]
        ends.append((unit * Fraction(common), offset, doubt + off + rounded))
    numbered = np.arange(len(rows)).reshape(shape)
    parts = zip(*ends, strict=True) if ends else ((), (), ())
    return Affine(value.level, weights, numbered, *(from_list(shape, part) for part in parts))


_Factors = Sequence[tuple[Number, list[tuple[int, int]]]]


def _sum(parts: Sequence[Number]) -> tuple[Number, Fraction]:
    """The sum, and how far it may be off: different square roots are rounded."""
    try:
        return sum(parts, Fraction(0)), Fraction(0)
    except ValueError:
        return sum(map(rational_near, parts), Fraction(0)), PRECISION * len(parts)


def _size(value: Number) -> Fraction:
    """A rational number that is at least the absolute value."""
    return abs(rational_near(value)) + (PRECISION if isinstance(value, QuadraticNumber) else 0)


def _exact_line(factors: _Factors, width: int) -> tuple[list[int], Number, Fraction] | None:
    """Integers, their unit and a doubt of 0; None if there are none of at most 52 bits."""
    root = next((f for f, _ in factors if isinstance(f, QuadraticNumber)), Fraction(1))
    try:
        ratios = [f / root for f, _ in factors]
    except ValueError:
        return None
    rational = [ratio for ratio in ratios if not isinstance(ratio, QuadraticNumber)]
    if len(rational) < len(ratios):
        return None
    unit = Fraction(1, lcm(*(ratio.denominator for ratio in rational)))
    total = [0] * width
    for ratio, (_, entries) in zip(rational, factors, strict=True):
        whole = int(ratio / unit)
        for place, weight in entries:
            total[place] += whole * weight
    return (total, root * unit, Fraction(0)) if sum(map(abs, total)) < LIMIT else None


def _rounded_line(factors: _Factors, width: int) -> tuple[list[int], Number, Fraction]:
    """The same with rounded factors, and how far the sum may be off."""
    exact = [Fraction(0)] * width
    off = Fraction(0)
    for factor, entries in factors:
        near = rational_near(factor)
        for place, weight in entries:
            exact[place] += near * weight
            off += PRECISION * abs(weight)
    whole = sum(map(abs, exact), Fraction(1))
    unit = Fraction(2) ** (int(whole).bit_length() - _KEPT)
    total = [round(value / unit) for value in exact]
    off += sum((abs(t * unit - v) for t, v in zip(total, exact, strict=True)), Fraction(0))
    return total, unit, off


def _entries(row: Array) -> list[tuple[int, int]]:
    places: list[int] = np.flatnonzero(row).tolist()
    return [(place, int(row[place])) for place in places]

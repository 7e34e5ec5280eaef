"""Tensors whose elements are affine in the states of one layer, with exact coefficients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm

import numpy as np

from tamecheck.exact.quadratic import PRECISION, Number, QuadraticNumber, rational_near
from tamecheck.ir.tensor import Array

__all__ = [
    "LIMIT",
    "Affine",
    "Fixed",
    "UnfitError",
    "Value",
    "arithmetic",
    "folded_sum",
    "matmul",
    "objects",
    "rational_only",
    "routed",
    "zeros",
]

LIMIT = 2**52
"""Sums of weights stay below this."""

_KEPT = 50
"""Bits of the sum of a neuron's weights where square roots are rounded."""


class UnfitError(ValueError):
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


def objects(values: Sequence[Number], shape: tuple[int, ...]) -> Array:
    """An object array of these numbers."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)


def rational_only(value: Number) -> Fraction:
    """The number, which has to be rational."""
    if isinstance(value, QuadraticNumber):
        raise UnfitError("an irrational factor stands where a rational one is needed")
    return value


def zeros(shape: tuple[int, ...]) -> Array:
    """An object array of zeros: no doubt."""
    return objects([Fraction(0)] * int(np.prod(shape, dtype=np.int64)), shape)


def routed(route: Callable[[list[Array]], Array], args: Sequence[Value]) -> Value | None:
    """Copies of elements of the arguments, or of constants, as a function of arrays takes them."""
    places: list[Array] = []
    start = 0
    for arg in args:
        shape = arg.values.shape if isinstance(arg, Fixed) else arg.row.shape
        numbers = np.empty(int(np.prod(shape, dtype=np.int64)), dtype=object)
        numbers[:] = range(start, start + len(numbers))
        start += len(numbers)
        places.append(numbers.reshape(shape))
    taken = route(places)
    flat = taken.reshape(-1).tolist()
    joined = _joined(args)
    if joined is None:
        return None
    if isinstance(joined, Fixed):
        values = joined.values
        found = [values[n] if isinstance(n, int) else n for n in flat]
        return Fixed(objects(found, taken.shape))
    # an element that the op inserts is a constant, 0 times any row
    picked = [n if isinstance(n, int) else -1 for n in flat]
    row = np.where(np.array(picked) < 0, 0, joined.row[picked])
    pairs = list(zip(flat, picked, strict=True))
    scale = [joined.scale[i] if i >= 0 else Fraction(0) for i in picked]
    offset = [joined.offset[i] if i >= 0 else Fraction(n) for n, i in pairs]
    doubt = [joined.doubt[i] if i >= 0 else Fraction(0) for i in picked]
    shape = taken.shape
    return Affine(
        joined.level,
        joined.weights,
        row.reshape(shape),
        objects(scale, shape),
        objects(offset, shape),
        objects(doubt, shape),
    )


def _joined(args: Sequence[Value]) -> Value | None:
    """All elements of the arguments in one flat tensor; None if they are of different layers."""
    states = [arg for arg in args if isinstance(arg, Affine)]
    if not states:
        return Fixed(np.concatenate([a.values.reshape(-1) for a in args if isinstance(a, Fixed)]))
    level = states[0].level
    if any(arg.level != level for arg in states):
        return None
    weights: list[Array] = []
    rows: list[Array] = []
    scales: list[Number] = []
    offsets: list[Number] = []
    doubts: list[Fraction] = []
    starts: dict[int, int] = {}
    height = 0
    for arg in args:
        if isinstance(arg, Fixed):
            size = arg.values.size
            rows.append(np.zeros(size, dtype=np.int64))
            scales += [Fraction(0)] * size
            offsets += arg.values.reshape(-1).tolist()
            doubts += [Fraction(0)] * size
            continue
        if id(arg.weights) not in starts:
            starts[id(arg.weights)] = height
            weights.append(arg.weights)
            height += len(arg.weights)
        rows.append(arg.row.reshape(-1) + starts[id(arg.weights)])
        scales += arg.scale.reshape(-1).tolist()
        offsets += arg.offset.reshape(-1).tolist()
        doubts += arg.doubt.reshape(-1).tolist()
    row = np.concatenate(rows)
    ends = (objects(part, row.shape) for part in (scales, offsets, doubts))
    return Affine(level, weights[0] if len(weights) == 1 else np.concatenate(weights), row, *ends)


def arithmetic(name: str, args: Sequence[Value], shape: tuple[int, ...]) -> Value | None:
    """Negation, sums and differences, products with and quotients by constants."""
    if name == "neg":
        return arithmetic("mul", [args[0], Fixed(objects([Fraction(-1)], (1,)))], shape)
    if name not in ("add", "sub", "mul", "div"):
        return None
    left, right = args
    if isinstance(left, Fixed) and isinstance(right, Fixed):
        a, b = left.values, right.values
        found = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide}
        return Fixed(np.asarray(found[name](a, b), dtype=object).reshape(shape))
    if isinstance(left, Affine) and isinstance(right, Affine):
        return _added(name, left, right, shape)
    if isinstance(right, Fixed):
        return _with_constant(name, left, right, shape)
    if name == "div":
        return None
    if name == "sub":
        minus = arithmetic("neg", [right], right.row.shape)
        return None if minus is None else arithmetic("add", [minus, left], shape)
    return arithmetic(name, [right, left], shape)


def _with_constant(name: str, left: Value, right: Fixed, shape: tuple[int, ...]) -> Affine | None:
    if isinstance(left, Fixed):
        return None
    row, scale, offset, doubt, c = (
        np.broadcast_to(part, shape)
        for part in (left.row, left.scale, left.offset, left.doubt, right.values)
    )
    value = replace(left, row=row, scale=scale, offset=offset, doubt=doubt)
    if name in ("add", "sub"):
        return _moved(value, _shaped(c if name == "add" else -c, shape))
    return _stretched(value, _shaped(c if name == "mul" else Fraction(1) / c, shape))


def _moved(value: Affine, by: Array) -> Affine:
    """Each element plus a number; a sum of different square roots is rounded."""
    offsets: list[Number] = []
    doubts: list[Fraction] = []
    for offset, doubt, c in zip(value.offset.flat, value.doubt.flat, by.flat, strict=True):
        moved, off = _sum([offset, c])
        offsets.append(moved)
        doubts.append(doubt + off)
    shape = value.row.shape
    return replace(value, offset=objects(offsets, shape), doubt=objects(doubts, shape))


def _stretched(value: Affine, by: Array) -> Affine:
    """Each element times a number."""
    pairs = zip(value.doubt.flat, by.flat, strict=True)
    doubts = [_size(c) * doubt if doubt else doubt for doubt, c in pairs]
    scale, offset = (_shaped(part * by, by.shape) for part in (value.scale, value.offset))
    return replace(value, scale=scale, offset=offset, doubt=objects(doubts, by.shape))


def _shaped(values: object, shape: tuple[int, ...]) -> Array:
    """An object array, also where NumPy made a number of an array without axes."""
    return np.asarray(values, dtype=object).reshape(shape)


def _added(name: str, left: Affine, right: Affine, shape: tuple[int, ...]) -> Affine | None:
    joined = _joined([left, right])
    if name not in ("add", "sub") or not isinstance(joined, Affine):
        return None
    sign = Fraction(1 if name == "add" else -1)
    size = left.row.size
    first = np.broadcast_to(np.arange(size).reshape(left.row.shape), shape).reshape(-1)
    second = np.arange(right.row.size).reshape(right.row.shape) + size
    pairs = zip(first.tolist(), np.broadcast_to(second, shape).reshape(-1).tolist(), strict=True)
    return _combined(joined, [[(i, Fraction(1)), (j, sign)] for i, j in pairs], shape)


def folded_sum(value: Value, axes: Sequence[int], shape: tuple[int, ...]) -> Value:
    """The sum over some axes."""
    if isinstance(value, Fixed):
        return Fixed(np.asarray(value.values.sum(axis=tuple(axes)), dtype=object).reshape(shape))
    numbers = np.arange(value.row.size).reshape(value.row.shape)
    moved = np.moveaxis(numbers, list(axes), range(-len(axes), 0))
    groups = moved.reshape(int(np.prod(shape, dtype=np.int64)), -1).tolist()
    return _combined(value, [[(i, Fraction(1)) for i in group] for group in groups], shape)


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
    return _combined(value, rows, shape)


def _combined(
    value: Affine, rows: Sequence[Sequence[tuple[int, Number]]], shape: tuple[int, ...]
) -> Affine:
    """Linear combinations of elements, each a list of (flat place, factor), scaled to integers."""
    scales, offsets = value.scale.reshape(-1).tolist(), value.offset.reshape(-1).tolist()
    doubts: list[Fraction] = value.doubt.reshape(-1).tolist()
    numbers: list[int] = value.row.reshape(-1).tolist()
    entries: list[list[tuple[int, int]]] = [_entries(row) for row in value.weights]
    width = value.weights.shape[1]
    weights = np.zeros((len(rows), width), dtype=np.int64)
    units: list[Number] = []
    moved: list[Number] = []
    doubtful: list[Fraction] = []
    for number, line in enumerate(rows):
        factors = [(a * scales[i], entries[numbers[i]]) for i, a in line if a]
        parts = [a * offsets[i] for i, a in line if a]
        doubt = sum((_size(a) * doubts[i] for i, a in line if a and doubts[i]), Fraction(0))
        total, unit, off = _exact_line(factors, width) or _rounded_line(factors, width)
        offset, rounded = _sum(parts)
        common = gcd(*total) or 1
        weights[number] = [t // common for t in total]
        units.append(unit * Fraction(common))
        moved.append(offset)
        doubtful.append(doubt + off + rounded)
    numbered = np.arange(len(rows)).reshape(shape)
    ends = (objects(part, shape) for part in (units, moved, doubtful))
    return Affine(value.level, weights, numbered, *ends)


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

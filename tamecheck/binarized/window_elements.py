"""Tensors of a binarized network over windows: affine elements of signs, of sums, and jumps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor, gcd, lcm

import numpy as np

from tamecheck import ops
from tamecheck.binarized.affine import LIMIT, Fixed, UnfitError, arithmetic, rational_only
from tamecheck.binarized.recognise import of_constants
from tamecheck.binarized.windows import Readout, WindowLayer
from tamecheck.exact.arrays import from_list
from tamecheck.exact.quadratic import PRECISION, Number, QuadraticNumber, rational_near, sign
from tamecheck.ir.graph import Apply
from tamecheck.ir.tensor import Array
from tamecheck.ops.facets import line_of

Form = tuple[Number, Number]
"""Scale and offset."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums over windows of the states of a level (0: the inputs), by groups after a pooling."""

    level: int
    windows: Array
    weights: Array
    groups: Array


Source = int | Sums
"""The states of a level, or sums of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """Elements ``scale * source[index] + offset``, with the form of each in a table.

    Where the index is -1 the element is the offset.
    """

    source: Source
    index: Array
    form: Array
    table: Sequence[Form]


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Elements that have one value where a sum is below 0, one where it is 0, one elsewhere."""

    sums: Elements
    values: tuple[Fraction, Fraction, Fraction]


Value = Fixed | Elements | Steps


def number(value: Fraction) -> Fixed:
    """One number."""
    return Fixed(from_list((), [value]))


def exact(value: Fixed) -> Fixed:
    """The constants as exact numbers."""
    if value.values.dtype == object:
        return value
    flat = [Fraction(v) for v in value.values.reshape(-1).tolist()]
    return Fixed(from_list(value.values.shape, flat))


def of_fixed(node: Apply, args: list[Fixed]) -> Value | None:
    """What an op makes of constants."""
    if len(args) == 1:
        return of_constants(node, args[0], line_of(node.op, node.params))
    found = arithmetic(node.op, args, node.shape)
    return found if isinstance(found, Fixed) else None


def move(route: Callable[[list[Array]], Array], args: list[Value]) -> Value | None:
    """Copies of the elements of one value; an op may insert constants."""
    first, *others = args
    if any(not isinstance(arg, Fixed) for arg in others):
        return None
    match first:
        case Fixed(values=values):
            return Fixed(route([values]))
        case Steps(sums=sums):
            moved = move(route, [sums])
            kept = isinstance(moved, Elements) and not (moved.index < 0).any()
            # a constant beside states is none of their sums
            return replace(first, sums=moved) if kept else None
        case Elements(index=index, form=form, table=table):
            places = route([from_list(index.shape, range(index.size))])
            flat = places.reshape(-1).tolist()
            table = list(table)
            inserted = sorted({Fraction(v) for v in flat if not isinstance(v, int)})
            numbers = {v: len(table) + i for i, v in enumerate(inserted)}
            table += [(Fraction(0), v) for v in inserted]
            old = np.array([v if isinstance(v, int) else -1 for v in flat], dtype=np.int64)
            new = np.array([-1 if isinstance(v, int) else numbers[Fraction(v)] for v in flat])
            picked = np.maximum(old, 0)
            index = np.where(old < 0, -1, index.reshape(-1)[picked]).reshape(places.shape)
            form = np.where(old < 0, new, form.reshape(-1)[picked]).reshape(places.shape)
            return Elements(first.source, index, form, table)


def with_forms(value: Elements, function: Callable[[Form], Form]) -> Elements:
    """The elements with other scales and offsets."""
    return replace(value, table=[function(one) for one in value.table])


def with_constant(node: Apply, args: list[Value]) -> Elements | None:
    """A sum, difference, product or quotient of elements and constants."""
    left, right = args
    op = node.op
    if isinstance(left, Elements) and isinstance(right, Fixed):
        numbers = exact(right).values.reshape(-1).tolist()
        if op in (ops.ADD, ops.SUB):
            return shifted(left, [v if op is ops.ADD else -v for v in numbers], right)
        if op in (ops.MUL, ops.DIV):
            factors = numbers if op is ops.MUL else [Fraction(1) / v for v in numbers]
            return _joined(left, factors, right, lambda one, c: (one[0] * c, one[1] * c))
    if isinstance(right, Elements) and isinstance(left, Fixed):
        if op is ops.SUB:
            right, op = with_forms(right, lambda one: (-one[0], -one[1])), ops.ADD
        numbers = exact(left).values.reshape(-1).tolist()
        if op is ops.ADD:
            return shifted(right, numbers, left)
        if op is ops.MUL:
            return _joined(right, numbers, left, lambda one, c: (one[0] * c, one[1] * c))
    return None


def shifted(value: Value, numbers: list[Number], like: Fixed) -> Elements:
    """The elements plus constants."""
    if not isinstance(value, Elements):
        raise UnfitError("a comparison of what is no sum")
    return _joined(value, numbers, like, lambda one, c: (one[0], one[1] + c))


def _joined(
    value: Elements,
    numbers: list[Number],
    like: Fixed,
    function: Callable[[Form, Number], Form],
) -> Elements:
    """Each element with the constant at its place; a form for each pair that occurs."""
    places = np.arange(len(numbers)).reshape(like.values.shape)
    form, index, place = np.broadcast_arrays(value.form, value.index, places)
    keys = form * max(len(numbers), 1) + place
    found, number = np.unique(keys, return_inverse=True)
    pairs = (divmod(int(k), len(numbers)) for k in found)
    table = [function(value.table[f], numbers[c]) for f, c in pairs]
    return Elements(value.source, index, number.reshape(form.shape), table)


def integer_sums(
    weights: Array, index: Array, form: Array, table: Sequence[Form]
) -> tuple[Array, list[Form]]:
    """Integer weights, and the form of each channel's sums, from weights over affine elements."""
    scales: list[Number] = []
    for column, inside in zip(form.T, (index >= 0).T, strict=True):
        found = {table[int(k)][0] for k in set(column[inside].tolist())} or {Fraction(1)}
        if len(found) > 1:
            raise UnfitError("weights of a window that depend on the place")
        scales.append(found.pop())
    common = scales[0]
    if any(s != common for s in scales):
        rational = [rational_only(s) for s in scales]
        flat = [
            Fraction(w) * s for row in weights.tolist() for w, s in zip(row, rational, strict=True)
        ]
        whole, units = _integers(from_list(weights.shape, flat))
        common = Fraction(1)
    else:
        whole, units = _integers(weights)
    rows = np.unique(form, axis=0)
    offsets = [_offset(weights, [table[k][1] for k in row]) for row in rows.tolist()]
    if any(row != offsets[0] for row in offsets):
        raise UnfitError("a padding that shifts thresholds")
    return whole, [(common * unit, off) for unit, off in zip(units, offsets[0], strict=True)]


def _offset(weights: Array, offsets: list[Number]) -> list[Number]:
    if not any(offsets):
        return [Fraction(0)] * len(weights)
    if len(set(offsets)) == 1:
        totals = [sum(map(Fraction, row), Fraction(0)) for row in weights.tolist()]
        return [total * offsets[0] for total in totals]
    pairs = [zip(row, offsets, strict=True) for row in weights.tolist()]
    return [sum((Fraction(w) * v for w, v in row), Fraction(0)) for row in pairs]


def _integers(weights: Array) -> tuple[Array, list[Fraction]]:
    """Integer rows and the unit of each."""
    if weights.dtype != object:
        size = np.abs(weights)
        top = size.max(axis=1, keepdims=True)
        if bool(((size == top) | (size == 0)).all()):
            ones = [Fraction(v) if v else Fraction(1) for v in top[:, 0].tolist()]
            return np.sign(weights).astype(np.int64), ones
    rows: list[list[int]] = []
    units: list[Fraction] = []
    for row in weights.tolist():
        exact = [Fraction(w) for w in row]
        bottom = lcm(*(v.denominator for v in exact))
        whole = [int(v * bottom) for v in exact]
        unit = gcd(*whole) or 1
        rows.append([v // unit for v in whole])
        units.append(Fraction(unit, bottom))
        if sum(map(abs, rows[-1])) >= LIMIT:
            raise UnfitError("weights that are no integers of 52 bits times a number")
    return np.array(rows, dtype=np.int64), units


def closed_at(level: Fraction, above: Fraction, below: Fraction) -> bool | None:
    """Whether a sum that is 0 counts as above; None if it is neither."""
    return True if level == above else False if level == below else None


def attained(source: Sums, channel: int) -> tuple[int, int] | None:
    """A step and a rest of the integer sums of a channel: they are the rest modulo the step."""
    if source.level == 0:
        return None
    row = source.weights[channel]
    if (source.windows < 0).any():
        return 1, 0
    # flips change a sum of states by twice a weight
    step = 2 * int(np.gcd.reduce(row)) or 1
    return step, int(row.sum()) % step


def thresholds(
    end: Number, *, closed: bool | None, attained: tuple[int, int] | None
) -> tuple[Fraction, Fraction]:
    """Thresholds: from where on a neuron is 1, and below which it is -1."""
    if attained is None:
        if closed is None:
            raise UnfitError("a sign that may be 0")
        near = rational_near(end)
        if closed and not isinstance(end, QuadraticNumber):
            return near, near
        return near - (PRECISION if isinstance(end, QuadraticNumber) else 0), near + PRECISION
    least = _floor(end)
    step, rest = attained
    if isinstance(end, Fraction) and end == least:
        if closed is None and least % step == rest:
            raise UnfitError("a sign that may be 0")
        return (end, end) if closed else (end + 1, end + 1)
    return Fraction(least + 1), Fraction(least + 1)


def _floor(value: Number) -> int:
    near = floor(rational_near(value))
    # at most one off
    return next(k for k in (near + 1, near, near - 1) if sign(value - Fraction(k)) >= 0)


def readout_of(head: Elements, last: WindowLayer) -> Readout:
    """The outputs as one map of the last states."""
    sums = head.source
    assert isinstance(sums, Sums)  # noqa: S101 (seen before)
    if len(sums.groups) != len(sums.windows) or (head.index < 0).any():
        raise UnfitError("outputs that are no sums of signs")
    forms = [head.table[int(k)] for k in head.form.reshape(-1).tolist()]
    scales = [rational_only(scale) for scale, _ in forms]
    unit = Fraction(gcd(*(s.numerator for s in scales)), lcm(*(s.denominator for s in scales)))
    if not unit:
        raise UnfitError("outputs that are constant")
    place, channel = np.divmod(head.index.reshape(-1), len(sums.weights))
    weights = np.zeros((len(forms), last.size), dtype=np.int64)
    for row, (p, c) in enumerate(zip(place.tolist(), channel.tolist(), strict=True)):
        window, factor = sums.windows[p], int(scales[row] / unit)
        inside = window >= 0
        np.add.at(weights[row], window[inside], factor * sums.weights[c][inside])
    if int(np.abs(weights).sum(axis=1).max()) >= LIMIT:
        raise UnfitError("outputs that are no sums of 52 bits")
    return Readout(weights, unit, tuple(rational_only(offset) for _, offset in forms))

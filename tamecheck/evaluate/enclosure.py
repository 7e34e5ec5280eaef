"""Enclosures: a closed interval for every element of a tensor.

A float64 sum of ``n`` products, in any order of summation, is within ``n u S`` of the exact one
(to first order in ``u = 2**-53``), where ``S`` is the sum of the absolute values; the bounds below
use more than twice that.  Sums of integers below 2**53 are exact and not widened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck.evaluate.float_terms import nearest_float, nearest_floats
from tamecheck.evaluate.intervals import Interval, multiply
from tamecheck.ir.tensor import Array, Shape, Tensor

_EXACT_INTEGERS = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class Enclosure:
    """``lower <= value <= upper`` for every element and every point of the box.

    The bounds are float64 arrays of the node's shape; an infinite bound is no bound.
    """

    lower: Array
    upper: Array

    @property
    def shape(self) -> Shape:
        """The node's shape."""
        return tuple(int(n) for n in self.lower.shape)

    @property
    def finite(self) -> bool:
        """Whether every element is bounded on both sides."""
        low, high = core(self.lower), core(self.upper)
        return bool(np.isfinite(low).all() and np.isfinite(high).all())

    @property
    def uniform(self) -> bool:
        """Whether all elements share one interval, by construction."""
        return core(self.lower).size <= 1 and core(self.upper).size <= 1

    def hull(self) -> tuple[float, float]:
        """One interval that contains every element; ``(0, 0)`` when there is none."""
        if self.lower.size == 0:
            return 0.0, 0.0
        return float(core(self.lower).min()), float(core(self.upper).max())


def core(array: Array) -> Array:
    """The array without the repetitions of a broadcast: such axes have extent 1."""
    index = tuple(
        slice(0, 1) if stride == 0 and extent > 1 else slice(None)
        for stride, extent in zip(array.strides, array.shape, strict=True)
    )
    return array[index]


def within(lower: Array | float, upper: Array | float, shape: Shape) -> Enclosure:
    """The enclosure of a shape to which the bounds broadcast; a NaN bound becomes none."""
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    low = np.where(np.isnan(low), -np.inf, low) + 0.0  # no negative zero
    high = np.where(np.isnan(high), np.inf, high) + 0.0
    return Enclosure(np.broadcast_to(low, shape), np.broadcast_to(high, shape))


def coarsen(enclosure: Enclosure, above: int) -> Enclosure:
    """The same enclosure, or its hull for all elements when there are more than ``above``."""
    if enclosure.lower.size <= above:
        return enclosure
    return within(*enclosure.hull(), enclosure.shape)


def float_down(value: Fraction) -> float:
    """The largest float64 that is at most the rational."""
    near = nearest_float(value)
    if math.isinf(near):
        return near if near < 0 else math.nextafter(near, 0.0)
    return near if Fraction(near) <= value else math.nextafter(near, -math.inf)


def float_up(value: Fraction) -> float:
    """The smallest float64 that is at least the rational."""
    return -float_down(-value)


def of_tensor(tensor: Tensor) -> Enclosure:
    """The constant's elements, rounded outward where a float64 does not hold them."""
    array = tensor.array
    if array.dtype.kind == "f":
        exact = array.astype(np.float64, copy=False)
        return Enclosure(exact, exact)
    if array.dtype.kind == "i":
        near = nearest_floats(array)
        if not array.size or bool((np.abs(near) <= _EXACT_INTEGERS).all()):
            return Enclosure(near, near)
        return Enclosure(np.nextafter(near, -np.inf), np.nextafter(near, np.inf))
    values = tensor.fractions()
    lower = np.array([float_down(v) for v in values], dtype=np.float64)
    upper = np.array([float_up(v) for v in values], dtype=np.float64)
    return Enclosure(lower.reshape(tensor.shape), upper.reshape(tensor.shape))


_UNIT = 2.0**-52
_TINY = 2.0**-1070
_EXACT = 2.0**53
_CHUNK = 1 << 18


def sum_over_first(x: Interval) -> Interval:
    """The sum over axis 0."""
    return Interval(_sum_bound(x.lower, -1.0), _sum_bound(x.upper, 1.0))


def _sum_bound(values: Array, outward: float) -> Array:
    total = np.add.reduce(values, axis=0)
    return _widened(total, np.add.reduce(abs(values), axis=0), values.shape[0], outward, [values])


def _widened(total: Array, size: Array, count: int, outward: float, parts: list[Array]) -> Array:
    """``total`` moved outward by a bound of its rounding error; ``size`` sums absolute values."""
    finite = np.where(np.isfinite(size), size, 0.0)
    if count <= 1 and len(parts) == 1:
        return total
    if bool((finite < _EXACT).all()) and all(_integral(part) for part in parts):
        return total
    error = (count + 8) * _UNIT * finite + count * _TINY
    moved = np.nextafter(total + outward * error, outward * np.inf)
    return np.where(np.isnan(moved), outward * np.inf, moved)


def _integral(values: Array) -> bool:
    return bool((np.floor(values) == values).all())


def product_over_first(x: Interval) -> Interval:
    """The product over axis 0, pairs first."""
    low, high = x
    while low.shape[0] > 1:
        half = low.shape[0] // 2
        pair = multiply(
            Interval(low[:half], high[:half]), Interval(low[half : 2 * half], high[half : 2 * half])
        )
        low = np.concatenate([pair.lower, low[2 * half :]])
        high = np.concatenate([pair.upper, high[2 * half :]])
    return Interval(low[0], high[0])


def matmul_enclosure(left: Enclosure, right: Enclosure, shape: Shape) -> Enclosure:
    """The matrix product, in the sense of ``numpy.matmul``."""
    a = Interval(*(_matrix(end, row=True) for end in (left.lower, left.upper)))
    b = Interval(*(_matrix(end, row=False) for end in (right.lower, right.upper)))
    inner = a.lower.shape[-1]
    if inner == 0:
        return within(0.0, 0.0, shape)
    batch = np.broadcast_shapes(a.lower.shape[:-2], b.lower.shape[:-2])
    full = (*batch, a.lower.shape[-2], b.lower.shape[-1])
    found = _product(_compact(a, right=False), _compact(b, right=True), inner)
    low, high = (np.broadcast_to(end, full).reshape(shape) for end in found)
    return within(low, high, shape)


def _matrix(array: Array, *, row: bool) -> Array:
    if array.ndim > 1:
        return array
    return array[np.newaxis, :] if row else array[:, np.newaxis]


def _compact(x: Interval, *, right: bool) -> Interval:
    """The interval matrix without repeated rows (left factor) or columns (right factor)."""
    low, high = core(x.lower), core(x.upper)
    keep = -2 if right else -1
    shape = list(np.broadcast_shapes(low.shape, high.shape))
    uniform = shape[keep] == 1
    if not uniform:
        return Interval(np.broadcast_to(low, shape), np.broadcast_to(high, shape))
    return Interval(low, high)


def _product(a: Interval, b: Interval, inner: int) -> Interval:
    if a.lower.shape[-1] == 1 and b.lower.shape[-2] == 1:
        # all terms of the sum are equal
        term = multiply(a, b)
        return Interval(
            _widened(
                term.lower * inner, abs(term.lower * inner), 2, -1.0, [term.lower, term.upper]
            ),
            _widened(term.upper * inner, abs(term.upper * inner), 2, 1.0, [term.lower, term.upper]),
        )
    a, b = _full(a, -1, inner), _full(b, -2, inner)
    if _is_point(b):
        return _affine(a, b.lower)
    if _is_point(a):
        turned = _affine(_turned(b), np.swapaxes(a.lower, -1, -2))
        return _turned(turned)
    return _corners(a, b, inner)


def _full(x: Interval, axis: int, extent: int) -> Interval:
    shape = list(np.broadcast_shapes(x.lower.shape, x.upper.shape))
    shape[axis] = extent
    return Interval(np.broadcast_to(x.lower, shape), np.broadcast_to(x.upper, shape))


def _is_point(x: Interval) -> bool:
    return x.lower is x.upper or bool((core(x.lower) == core(x.upper)).all())


def _turned(x: Interval) -> Interval:
    return Interval(np.swapaxes(x.lower, -1, -2), np.swapaxes(x.upper, -1, -2))


def _affine(x: Interval, weights: Array) -> Interval:
    """``x @ weights``: each bound takes, weight by weight, the end that the sign selects."""
    no_low, no_high = np.isinf(x.lower), np.isinf(x.upper)
    low, high = np.where(no_low, 0.0, x.lower), np.where(no_high, 0.0, x.upper)
    size = np.matmul(np.maximum(abs(low), abs(high)), abs(weights))
    count = 2 * weights.shape[-2]
    parts = [low, high, weights]
    if low.shape == high.shape and bool((low == high).all()):
        total = np.matmul(low, weights)
        lower, upper = total, total
    else:
        up, down = np.maximum(weights, 0.0), np.minimum(weights, 0.0)
        lower = np.matmul(low, up) + np.matmul(high, down)
        upper = np.matmul(high, up) + np.matmul(low, down)
    lower = _widened(lower, size, count, -1.0, parts)
    upper = _widened(upper, size, count, 1.0, parts)
    if not (no_low.any() or no_high.any()):
        return Interval(lower, upper)
    rising, falling = (weights > 0).astype(np.float64), (weights < 0).astype(np.float64)
    missing_low, missing_high = no_low.astype(np.float64), no_high.astype(np.float64)
    no_lower = np.matmul(missing_low, rising) + np.matmul(missing_high, falling) > 0
    no_upper = np.matmul(missing_high, rising) + np.matmul(missing_low, falling) > 0
    return Interval(np.where(no_lower, -np.inf, lower), np.where(no_upper, np.inf, upper))


def _corners(a: Interval, b: Interval, inner: int) -> Interval:
    """The product of two interval matrices: every scalar product by its four corners."""
    ends: list[Array] = [np.asarray(0.0)] * 4
    rows, columns = a.lower.shape[-2], b.lower.shape[-1]
    chunk = max(1, _CHUNK // max(1, rows * columns))
    for start in range(0, inner, chunk):
        part = slice(start, min(start + chunk, inner))
        left = Interval(*(end[..., :, part, np.newaxis] for end in a))
        right = Interval(*(end[..., np.newaxis, part, :] for end in b))
        low, high = multiply(left, right)
        sums = (low, abs(low), high, abs(high))
        ends = [end + np.add.reduce(s, axis=-2) for end, s in zip(ends, sums, strict=True)]
    parts = [a.lower, a.upper, b.lower, b.upper]
    return Interval(
        _widened(ends[0], ends[1], inner, -1.0, parts),
        _widened(ends[2], ends[3], inner, 1.0, parts),
    )

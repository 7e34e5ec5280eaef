"""Enclosures: a closed interval for every element of a tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck.evaluate.float_terms import nearest_float, nearest_floats
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

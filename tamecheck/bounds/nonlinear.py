"""Nonlinear layers over flat vectors, and the planes that bound them on a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tamecheck.bounds.scalar import Scalar
from tamecheck.evaluate.intervals import Interval, multiply
from tamecheck.ir.tensor import Array

__all__ = ["Largest", "Nonlinear", "Planes", "Pointwise", "Product"]


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Affine bounds: ``Σ low_k x_k + low_at ≤ y ≤ Σ high_k x_k + high_at``, per element of y.

    With ``group`` = r > 1, element i of y reads the r elements of its argument from ``i r`` on.
    """

    low: tuple[Array, ...]
    low_at: Array
    high: tuple[Array, ...]
    high_at: Array
    group: int = 1

    def back(self, a: Array) -> tuple[list[Array], Array]:
        """Functionals of the arguments, and a constant, that bound ``a y`` from below."""
        up, down = np.maximum(a, 0.0), np.minimum(a, 0.0)
        at = np.matmul(up, self.low_at[..., np.newaxis])[..., 0]
        at += np.matmul(down, self.high_at[..., np.newaxis])[..., 0]
        if self.group > 1:
            up, down = np.repeat(up, self.group, -1), np.repeat(down, self.group, -1)
        pairs = zip(self.low, self.high, strict=True)
        return [
            up * low[..., np.newaxis, :] + down * high[..., np.newaxis, :] for low, high in pairs
        ], at


@dataclass(frozen=True, slots=True, eq=False)
class Pointwise:
    """``y_i = f(x_i)``."""

    args: tuple[int]
    scalar: Scalar
    size: int

    def apply(self, xs: Sequence[Array]) -> Array:
        """The value."""
        return self.scalar.value(xs[0])

    def gradient(self, xs: Sequence[Array], a: Array) -> list[Array]:
        """One element of the conservative gradient of ``a y``."""
        return [a * self.scalar.slope(xs[0])]

    def range(self, xs: Sequence[Interval]) -> Interval:
        """Bounds of the value."""
        return self.scalar.range(xs[0])

    def planes(self, xs: Sequence[Interval], _ys: Interval) -> Planes:
        """Affine bounds of the value."""
        lines = self.scalar.lines(xs[0])
        return Planes((lines.low_slope,), lines.low, (lines.high_slope,), lines.high)


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """``y_i = u_i v_i``; bounded by McCormick's planes."""

    args: tuple[int, int]
    size: int

    def apply(self, xs: Sequence[Array]) -> Array:
        """The value."""
        return xs[0] * xs[1]

    def gradient(self, xs: Sequence[Array], a: Array) -> list[Array]:
        """The gradient of ``a y``."""
        return [a * xs[1], a * xs[0]]

    def range(self, xs: Sequence[Interval]) -> Interval:
        """Bounds of the value."""
        return multiply(xs[0], xs[1])

    def planes(self, xs: Sequence[Interval], ys: Interval) -> Planes:
        """Affine bounds of the value."""
        u, v = xs
        mid_u, mid_v = (u.lower + u.upper) / 2, (v.lower + v.upper) / 2
        finite = np.isfinite(mid_u) & np.isfinite(mid_v)
        zero = np.zeros_like(mid_u)

        def plane(p: Array, q: Array) -> tuple[Array, Array, Array]:
            # (u - p)(v - q) has a known sign; uv = q u + p v - p q + that
            return np.where(finite, q, 0.0), np.where(finite, p, 0.0), np.where(finite, -p * q, 0.0)

        low_u, low_v, low_at = plane(u.lower, v.lower)
        high_u, high_v, high_at = plane(u.upper, v.lower)
        slack = np.abs(low_at) * 2.0**-51 + 2.0**-1000
        high_slack = np.abs(high_at) * 2.0**-51 + 2.0**-1000
        return Planes(
            (low_u + zero, low_v + zero),
            np.where(finite, low_at - slack, ys.lower),
            (high_u + zero, high_v + zero),
            np.where(finite, high_at + high_slack, ys.upper),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Largest:
    """``y_i = max(x_{ir}, ..., x_{ir + r - 1})``."""

    args: tuple[int]
    size: int
    group: int

    def _groups(self, x: Array) -> Array:
        return x.reshape((*x.shape[:-1], self.size, self.group))

    def apply(self, xs: Sequence[Array]) -> Array:
        """The value."""
        return self._groups(xs[0]).max(-1)

    def gradient(self, xs: Sequence[Array], a: Array) -> list[Array]:
        """One element of the conservative gradient of ``a y``."""
        groups = self._groups(xs[0])
        chosen = _one_hot(groups.argmax(-1), self.group)
        spread = a[..., np.newaxis] * chosen
        return [spread.reshape((*spread.shape[:-2], self.size * self.group))]

    def range(self, xs: Sequence[Interval]) -> Interval:
        """Bounds of the value."""
        return Interval(self._groups(xs[0].lower).max(-1), self._groups(xs[0].upper).max(-1))

    def planes(self, xs: Sequence[Interval], ys: Interval) -> Planes:
        """Below, the element with the best lower bound; above it too if no other can exceed it.

        Otherwise the upper plane is the concave envelope's simplest bound: with the best lower
        bound ``m``, ``y ≤ m + Σ max(x_k - m, 0)``, each rectifier by its chord, or a constant.
        """
        low, high = self._groups(xs[0].lower), self._groups(xs[0].upper)
        best = low.argmax(-1)
        chosen = _one_hot(best, self.group)
        floor = np.take_along_axis(low, best[..., np.newaxis], -1)
        rivals = (high > floor) & (chosen == 0)
        alone = ~rivals.any(-1, keepdims=True)
        live = np.where(rivals | (chosen > 0), 1.0, 0.0) * (high > floor)
        width = np.where(live > 0, high - np.minimum(low, floor), 1.0)
        width = np.where(live > 0, high - low, width)
        slope = live * np.clip((high - floor) / np.where(width > 0, width, 1.0), 0.0, 1.0)
        slope = np.where((width > 0) | (live == 0), slope, 1.0)
        over = live * np.maximum(slope * (floor - low), (1 - slope) * (high - floor))
        at = floor[..., 0] + over.sum(-1)
        # y - m ≤ Σ relu(x_k - m) ≤ Σ (slope_k (x_k - m) + over_k)
        at = at - (slope * floor).sum(-1)
        scale = np.abs(floor[..., 0]) * (2 + self.group) + over.sum(-1)
        at = at + scale * (self.group + 8) * 2.0**-51 + 2.0**-1000
        reach = (slope * high).sum(-1) + at
        constant = ~np.isfinite(reach) | (slope.sum(-1) > 1.5)
        only = alone[..., 0]
        upper = np.where(alone, chosen, np.where(constant[..., np.newaxis], 0.0, slope))
        upper_at = np.where(only, 0.0, np.where(constant, ys.upper, at))
        lead = chosen.shape[:-2]
        flat = self.size * self.group
        return Planes(
            (chosen.reshape((*lead, flat)),),
            np.zeros_like(ys.lower),
            (upper.reshape((*lead, flat)),),
            upper_at,
            self.group,
        )


def _one_hot(index: Array, count: int) -> Array:
    return (index[..., np.newaxis] == np.arange(count)).astype(np.float64)


Nonlinear: TypeAlias = Pointwise | Product | Largest

"""Linear layers over flat vectors: each knows its value, its transpose and its magnitude.

A layer maps flat vectors of its arguments, with any leading axes, to a flat vector of its own; so
one call works on a batch of points, and on a batch of lists of linear functionals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tamecheck.ir.tensor import Array, Shape, size_of

__all__ = ["Combine", "Dense", "Linear", "Route", "Scale", "scatter_plan"]


def scatter_plan(index: Array) -> tuple[tuple[Array, Array], ...]:
    """Pairs ``(positions, targets)`` that cover ``index``, in none of which a target repeats.

    Positions with a negative index take no part.
    """
    positions = np.flatnonzero(index >= 0)
    targets = index[positions]
    order = np.argsort(targets, kind="stable")
    sorted_targets = targets[order]
    starts = np.flatnonzero(np.diff(sorted_targets, prepend=-1))
    counts = np.diff(np.append(starts, len(sorted_targets)))
    rank = np.arange(len(sorted_targets)) - np.repeat(starts, counts)
    pairs: list[tuple[Array, Array]] = []
    for level in range(int(counts.max()) if counts.size else 0):
        chosen = order[rank == level]
        pairs.append((positions[chosen], targets[chosen]))
    return tuple(pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """``y_i = x_index[i]``, or ``offset_i`` where the index is negative."""

    args: tuple[int]
    index: Array
    offset: Array
    source: int
    plan: tuple[tuple[Array, Array], ...] = field(repr=False)
    terms: int = 1

    @staticmethod
    def of(arg: int, index: Array, offset: Array, source: int) -> Route:
        """The routing of a vector of ``source`` elements."""
        return Route((arg,), index, offset, source, scatter_plan(index))

    @property
    def size(self) -> int:
        """The number of outputs."""
        return len(self.index)

    def apply(self, xs: Sequence[Array]) -> Array:
        """The linear part."""
        picked = xs[0][..., np.maximum(self.index, 0)]
        return np.where(self.index >= 0, picked, 0.0) if (self.index < 0).any() else picked

    def absolute(self, xs: Sequence[Array]) -> Array:
        """The linear part with absolute coefficients."""
        return self.apply(xs)

    def adjoint(self, a: Array) -> list[Array]:
        """Functionals of the argument that equal those of the output."""
        found = np.zeros((*a.shape[:-1], self.source))
        for positions, targets in self.plan:
            found[..., targets] += a[..., positions]
        return [found]


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """``y_i = factor_i x_i``."""

    args: tuple[int]
    factor: Array
    offset: None = None
    terms: int = 1

    @property
    def size(self) -> int:
        """The number of outputs."""
        return len(self.factor)

    def apply(self, xs: Sequence[Array]) -> Array:
        """The linear part."""
        return xs[0] * self.factor

    def absolute(self, xs: Sequence[Array]) -> Array:
        """The linear part with absolute coefficients."""
        return xs[0] * np.abs(self.factor)

    def adjoint(self, a: Array) -> list[Array]:
        """Functionals of the argument that equal those of the output."""
        return [a * self.factor]


@dataclass(frozen=True, slots=True, eq=False)
class Combine:
    """``y = Σ sign_k x_k + offset`` over vectors of one size; signs are 1 or -1."""

    args: tuple[int, ...]
    signs: tuple[float, ...]
    offset: Array | None
    size: int

    @property
    def terms(self) -> int:
        """The number of terms in each sum."""
        return len(self.args) + 1

    def apply(self, xs: Sequence[Array]) -> Array:
        """The linear part."""
        total = xs[0] if self.signs[0] > 0 else -xs[0]
        for sign, x in zip(self.signs[1:], xs[1:], strict=True):
            total = total + x if sign > 0 else total - x
        return total

    def absolute(self, xs: Sequence[Array]) -> Array:
        """The linear part with absolute coefficients."""
        total = xs[0]
        for x in xs[1:]:
            total = total + x
        return total

    def adjoint(self, a: Array) -> list[Array]:
        """Functionals of the arguments that together equal those of the output."""
        return [a if sign > 0 else -a for sign in self.signs]


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """``x W`` for ``x`` of shape ``rows``, or ``W x`` if ``left``; batched as in NumPy."""

    args: tuple[int]
    weight: Array
    shape: Shape
    result: Shape
    left: bool = False
    offset: Array | None = None
    magnitude: Array = field(repr=False, default_factory=lambda: np.zeros(0))

    @staticmethod
    def of(arg: int, weight: Array, shape: Shape, result: Shape, *, left: bool) -> Dense:
        """The product with a constant matrix."""
        return Dense((arg,), weight, shape, result, left, magnitude=np.abs(weight))

    @property
    def size(self) -> int:
        """The number of outputs."""
        return size_of(self.result)

    @property
    def terms(self) -> int:
        """The number of terms in each sum."""
        return self.weight.shape[-1] if self.left else self.weight.shape[-2]

    def apply(self, xs: Sequence[Array]) -> Array:
        """The linear part."""
        return self._times(xs[0], self.weight)

    def absolute(self, xs: Sequence[Array]) -> Array:
        """The linear part with absolute coefficients."""
        return self._times(xs[0], self.magnitude)

    def _times(self, x: Array, weight: Array) -> Array:
        lead = x.shape[:-1]
        if not self.left and weight.ndim == 2:
            return (x.reshape(-1, weight.shape[0]) @ weight).reshape((*lead, self.size))
        full = x.reshape((*lead, *self.shape))
        product = weight @ full if self.left else full @ weight
        return product.reshape((*lead, self.size))

    def adjoint(self, a: Array) -> list[Array]:
        """Functionals of the argument that equal those of the output."""
        lead, size = a.shape[:-1], size_of(self.shape)
        turned = np.swapaxes(self.weight, -1, -2)
        if not self.left and self.weight.ndim == 2:
            return [(a.reshape(-1, turned.shape[0]) @ turned).reshape((*lead, size))]
        full = a.reshape((*lead, *self.result))
        product = turned @ full if self.left else full @ turned
        return [product.reshape((*lead, size))]


Linear: TypeAlias = Route | Scale | Combine | Dense

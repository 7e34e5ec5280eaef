"""Layers over flat vectors: linear ones with their transpose, nonlinear ones with planes around.

A layer maps flat vectors of its arguments, with any leading axes, to a flat vector of its own; so
one call works on a batch of points, and on a batch of lists of linear functionals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tamecheck.bounds.scalar import Scalar
from tamecheck.bounds.sparse import Sparse, is_sparse
from tamecheck.evaluate.intervals import Interval, multiply
from tamecheck.ir.tensor import Array, Shape, size_of


@dataclass(frozen=True, slots=True, eq=False)
class Layer(ABC):
    """A vector of ``size`` elements, computed from the layers with the numbers ``args``."""

    args: tuple[int, ...]
    size: int

    @abstractmethod
    def value(self, xs: Sequence[Array]) -> Array:
        """The value at points."""

    @abstractmethod
    def gradient(self, xs: Sequence[Array], a: Array) -> list[Array]:
        """One element of the conservative gradient of ``a y`` in each argument."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear(Layer):
    """An affine map; ``terms`` numbers meet in each of its sums."""

    offset: Array | None
    terms: int

    @abstractmethod
    def apply(self, xs: Sequence[Array]) -> Array:
        """The linear part."""

    @abstractmethod
    def absolute(self, xs: Sequence[Array]) -> Array:
        """The linear part with absolute coefficients."""

    @abstractmethod
    def adjoint(self, a: Array) -> list[Array]:
        """Functionals of the arguments that together equal those of the output."""

    def value(self, xs: Sequence[Array]) -> Array:
        """The value at points."""
        return self.apply(xs) if self.offset is None else self.apply(xs) + self.offset

    def gradient(self, xs: Sequence[Array], a: Array) -> list[Array]:
        """The gradient of ``a y``."""
        del xs
        return self.adjoint(a)


@dataclass(frozen=True, slots=True, eq=False)
class Route(Linear):
    """``y_i = x_index[i]``, or ``offset_i`` where the index is negative."""

    offset: Array
    index: Array
    source: int
    plan: tuple[tuple[Array, Array], ...] = field(repr=False)

    @staticmethod
    def of(arg: int, index: Array, offset: Array, source: int) -> Route:
        """The routing of a vector of ``source`` elements."""
        return Route((arg,), len(index), offset, 1, index, source, _scatter_plan(index))

    def apply(self, xs: Sequence[Array]) -> Array:
        """See `Linear`."""
        picked = xs[0][..., np.maximum(self.index, 0)]
        return np.where(self.index >= 0, picked, 0.0) if (self.index < 0).any() else picked

    def absolute(self, xs: Sequence[Array]) -> Array:
        """See `Linear`."""
        return self.apply(xs)

    def adjoint(self, a: Array) -> list[Array]:
        """See `Linear`."""
        found = np.zeros((*a.shape[:-1], self.source))
        for positions, targets in self.plan:
            found[..., targets] += a[..., positions]
        return [found]


def _scatter_plan(index: Array) -> tuple[tuple[Array, Array], ...]:
    """Pairs ``(positions, targets)`` that cover ``index``, in none of which a target repeats.

    Positions with a negative index take no part.
    """
    positions = np.flatnonzero(index >= 0)
    targets = index[positions]
    order = np.argsort(targets, kind="stable")
    starts = np.flatnonzero(np.diff(targets[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    levels = (order[rank == level] for level in range(int(counts.max(initial=0))))
    return tuple((positions[chosen], targets[chosen]) for chosen in levels)


@dataclass(frozen=True, slots=True, eq=False)
class Combine(Linear):
    """``y = Σ factor_k x_k + offset``; a factor is one number for all elements, or one for each."""

    factors: tuple[float | Array, ...]

    @staticmethod
    def of(
        args: Sequence[int], factors: Sequence[float | Array], offset: Array | None, size: int
    ) -> Combine:
        """A sum of multiples."""
        terms = 1 if len(args) == 1 and offset is None else len(args) + 1
        return Combine(tuple(args), size, offset, terms, tuple(factors))

    def apply(self, xs: Sequence[Array]) -> Array:
        """See `Linear`."""
        return _sum([_multiple(f, x) for f, x in zip(self.factors, xs, strict=True)])

    def absolute(self, xs: Sequence[Array]) -> Array:
        """See `Linear`."""
        return _sum([_multiple(abs(f), x) for f, x in zip(self.factors, xs, strict=True)])

    def adjoint(self, a: Array) -> list[Array]:
        """See `Linear`."""
        return [_multiple(f, a) for f in self.factors]


def _multiple(factor: float | Array, x: Array) -> Array:
    if isinstance(factor, float) and abs(factor) == 1.0:
        return x if factor > 0 else -x
    return x * factor


def _sum(parts: Sequence[Array]) -> Array:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Dense(Linear):
    """``x W`` for ``x`` of shape ``shape``, or ``W x`` if ``left``; batched as in NumPy."""

    weight: Array
    shape: Shape
    result: Shape
    left: bool
    magnitude: Array | Sparse = field(repr=False)
    """That of the matrix, or its entries if they are few: large ones are not kept twice."""
    sparse: tuple[Sparse, Sparse] | None = field(default=None, repr=False)
    """The matrix and its transpose, if few entries are not 0."""

    @staticmethod
    def of(arg: int, weight: Array, shape: Shape, result: Shape, *, left: bool) -> Dense:
        """The product with a constant matrix."""
        terms, sparse = weight.shape[-1] if left else weight.shape[-2], None
        if not left and is_sparse(weight):
            sparse = Sparse.of(weight), Sparse.of(weight.T)
            terms = sparse[0].longest
        size, magnitude = size_of(result), np.abs(weight) if sparse is None else sparse[0]
        return Dense((arg,), size, None, terms, weight, shape, result, left, magnitude, sparse)

    def apply(self, xs: Sequence[Array]) -> Array:
        """See `Linear`."""
        if self.sparse is not None:
            return self._by_entries(xs[0], self.sparse[0])
        return self._times(xs[0], self.weight, self.shape)

    def absolute(self, xs: Sequence[Array]) -> Array:
        """See `Linear`."""
        if isinstance(self.magnitude, Sparse):
            return self._by_entries(xs[0], self.magnitude, absolute=True)
        return self._times(xs[0], self.magnitude, self.shape)

    def adjoint(self, a: Array) -> list[Array]:
        """See `Linear`."""
        if self.sparse is not None:
            return [self._by_entries(a, self.sparse[1])]
        return [self._times(a, np.swapaxes(self.weight, -1, -2), self.result)]

    def _by_entries(self, x: Array, matrix: Sparse, *, absolute: bool = False) -> Array:
        rows = x.reshape(-1, matrix.height)
        return matrix.times(rows, absolute=absolute).reshape((*x.shape[:-1], -1))

    def _times(self, x: Array, weight: Array, shape: Shape) -> Array:
        lead = x.shape[:-1]
        if not self.left and weight.ndim == 2:
            return (x.reshape(-1, weight.shape[0]) @ weight).reshape((*lead, -1))
        full = x.reshape((*lead, *shape))
        return (weight @ full if self.left else full @ weight).reshape((*lead, -1))


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

    def evaluate(self, low: Array, xs: Sequence[Array]) -> Array:
        """At each element the value of the lower plane, or of the upper one."""
        total = np.where(low, self.low_at, self.high_at)
        wide = np.repeat(low, self.group, -1) if self.group > 1 else low
        for under, over, x in zip(self.low, self.high, xs, strict=True):
            total = total + self.sum_groups(np.where(wide, under, over) * x)
        return total

    def sum_groups(self, x: Array) -> Array:
        """The sum over each group."""
        return x.reshape((*x.shape[:-1], -1, self.group)).sum(-1) if self.group > 1 else x


@dataclass(frozen=True, slots=True, eq=False)
class Nonlinear(Layer):
    """A layer with planes around it."""

    @abstractmethod
    def range(self, xs: Sequence[Interval]) -> Interval:
        """Bounds of the value."""

    @abstractmethod
    def planes(self, xs: Sequence[Interval], ys: Interval) -> Planes:
        """Affine bounds of the value, over bounds of the arguments and of the value."""


@dataclass(frozen=True, slots=True, eq=False)
class Pointwise(Nonlinear):
    """``y_i = f(x_i)``."""

    scalar: Scalar

    def value(self, xs: Sequence[Array]) -> Array:
        """See `Layer`."""
        return self.scalar.value(xs[0])

    def gradient(self, xs: Sequence[Array], a: Array) -> list[Array]:
        """See `Layer`."""
        return [a * self.scalar.slope(xs[0])]

    def range(self, xs: Sequence[Interval]) -> Interval:
        """See `Nonlinear`."""
        return self.scalar.range(xs[0])

    def planes(self, xs: Sequence[Interval], ys: Interval) -> Planes:
        """See `Nonlinear`."""
        del ys
        lines = self.scalar.lines(xs[0])
        return Planes((lines.low_slope,), lines.low, (lines.high_slope,), lines.high)


@dataclass(frozen=True, slots=True, eq=False)
class Product(Nonlinear):
    """``y_i = u_i v_i``; bounded by McCormick's planes."""

    def value(self, xs: Sequence[Array]) -> Array:
        """See `Layer`."""
        return xs[0] * xs[1]

    def gradient(self, xs: Sequence[Array], a: Array) -> list[Array]:
        """See `Layer`."""
        return [a * xs[1], a * xs[0]]

    def range(self, xs: Sequence[Interval]) -> Interval:
        """See `Nonlinear`."""
        return multiply(xs[0], xs[1])

    def planes(self, xs: Sequence[Interval], ys: Interval) -> Planes:
        """See `Nonlinear`."""
        u, v = xs
        finite = np.isfinite(u.lower + u.upper) & np.isfinite(v.lower + v.upper)

        def plane(p: Array, q: Array) -> tuple[tuple[Array, Array], Array, Array]:
            # (u - p)(v - q) has a known sign; uv = q u + p v - p q + that
            at = np.where(finite, -p * q, 0.0)
            slopes = np.where(finite, q, 0.0), np.where(finite, p, 0.0)
            return slopes, at, np.abs(at) * 2.0**-51 + 2.0**-1000

        low, low_at, slack = plane(u.lower, v.lower)
        high, high_at, high_slack = plane(u.upper, v.lower)
        under, over = low_at - slack, high_at + high_slack
        return Planes(
            low, np.where(finite, under, ys.lower), high, np.where(finite, over, ys.upper)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Largest(Nonlinear):
    """``y_i = max(x_{ir}, ..., x_{ir + r - 1})`` for groups of r."""

    group: int

    def groups(self, x: Array) -> Array:
        """The elements, a row a group."""
        return x.reshape((*x.shape[:-1], self.size, self.group))

    def value(self, xs: Sequence[Array]) -> Array:
        """See `Layer`."""
        return self.groups(xs[0]).max(-1)

    def gradient(self, xs: Sequence[Array], a: Array) -> list[Array]:
        """See `Layer`."""
        chosen = _one_hot(self.groups(xs[0]).argmax(-1), self.group)
        return [self._flat(a[..., np.newaxis] * chosen)]

    def _flat(self, groups: Array) -> Array:
        return groups.reshape((*groups.shape[:-2], self.size * self.group))

    def range(self, xs: Sequence[Interval]) -> Interval:
        """See `Nonlinear`."""
        return Interval(self.groups(xs[0].lower).max(-1), self.groups(xs[0].upper).max(-1))

    def planes(self, xs: Sequence[Interval], ys: Interval) -> Planes:
        """Below, the element with the best lower bound; above it too if no other can exceed it.

        Otherwise the upper plane is the concave envelope's simplest bound: with the best lower
        bound ``m``, ``y ≤ m + Σ max(x_k - m, 0)``, each rectifier by its chord, or a constant.
        """
        low, high = self.groups(xs[0].lower), self.groups(xs[0].upper)
        best = low.argmax(-1)
        chosen = _one_hot(best, self.group)
        floor = np.take_along_axis(low, best[..., np.newaxis], -1)
        above = high > floor
        alone = ~(above & (chosen == 0)).any(-1)
        width = np.where(above, high - low, 1.0)
        slope = np.clip((high - floor) / np.where(width > 0, width, 1.0), 0.0, 1.0)
        slope = above * np.where(width > 0, slope, 1.0)
        over = above * np.maximum(slope * (floor - low), (1 - slope) * (high - floor))
        # y - m ≤ Σ relu(x_k - m) ≤ Σ (slope_k (x_k - m) + over_k)
        at = floor[..., 0] + over.sum(-1) - (slope * floor).sum(-1)
        scale = np.abs(floor[..., 0]) * (2 + self.group) + over.sum(-1)
        at = at + scale * (self.group + 8) * 2.0**-51 + 2.0**-1000
        reach = (slope * high).sum(-1) + at
        constant = ~np.isfinite(reach) | (slope.sum(-1) > 1.5)
        slope = np.where(constant[..., np.newaxis], 0.0, slope)
        upper = np.where(alone[..., np.newaxis], chosen, slope)
        upper_at = np.where(alone, 0.0, np.where(constant, ys.upper, at))
        under = np.zeros_like(ys.lower)
        return Planes((self._flat(chosen),), under, (self._flat(upper),), upper_at, self.group)


def _one_hot(index: Array, count: int) -> Array:
    return (index[..., np.newaxis] == np.arange(count)).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """A network: layer 0 is the flat input of ``inputs`` elements, the last one the flat output.

    ``computed`` are the layers from number 1 on.  A constant is known to a relative 2**-44, which
    the bounds allow for; ``sharp`` says that all are exact.  ``noise`` is by how much each layer's
    elements may be off, relative to the magnitudes that meet there, and in absolute terms; nothing,
    if it is empty.  ``whole`` are layers of which all elements are integers.
    """

    inputs: int
    computed: tuple[Linear | Nonlinear, ...]
    sharp: bool = False
    noise: tuple[tuple[float, float], ...] = ()
    whole: frozenset[int] = frozenset()

    @property
    def output(self) -> int:
        """The number of the output layer."""
        return len(self.computed)

    def __getitem__(self, number: int) -> Linear | Nonlinear:
        return self.computed[number - 1]

    @property
    def sizes(self) -> list[int]:
        """The number of elements of every layer."""
        return [self.inputs, *(layer.size for layer in self.computed)]

    def values(self, x: Array) -> list[Array]:
        """The values of every layer at points ``(..., inputs)``, in float64."""
        found = [x]
        for layer in self.computed:
            found.append(layer.value([found[arg] for arg in layer.args]))
        return found

    def gradient(self, values: Sequence[Array], a: Array) -> Array:
        """The gradient in the input of ``a · output`` by the chain rule, for one a point."""
        grads: dict[int, Array] = {self.output: a}
        for index in range(self.output, 0, -1):
            if index not in grads:
                continue
            layer = self[index]
            parts = layer.gradient([values[arg] for arg in layer.args], grads.pop(index))
            for arg, part in zip(layer.args, parts, strict=True):
                grads[arg] = grads[arg] + part if arg in grads else part
        return grads.get(0, np.zeros_like(values[0]))

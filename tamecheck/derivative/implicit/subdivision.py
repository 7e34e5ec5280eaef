"""The sign of the determinant on a hull of matrices, on halves of it where need be.

* Where the edges are rank-one changes: if ``U(t) = A + Σ t_j D_j`` with every D_j of rank one, then
  ``det U(t)`` is affine in each t_j, so that on a box it has its extremes at the corners.  The hull
  is a polytope in the box; boxes are halved until all corners have one sign or a hyperplane
  separates the box from the hull.
* On the simplex of the vertices: ``det(Σ λ_i U_i)`` is homogeneous in the barycentric coordinates
  λ.  Its Bernstein coefficient at α is the coefficient of ``λ^α`` times ``α! / n!``, a positive
  factor, and the polynomial is a mean of the Bernstein coefficients; so coefficients of one sign,
  none of them zero, prove that sign.  Halving the simplex makes the coefficients converge to the
  values, so a determinant without zeros is proved after finitely many parts (Leroy 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import comb
from typing import TypeAlias

import numpy as np
from flint import Ordering, fmpq, fmpq_mat, fmpq_mpoly, fmpq_mpoly_ctx

from tamecheck.budget import Budget
from tamecheck.derivative.implicit.conditions import definite_hull
from tamecheck.derivative.implicit.singular import (
    Singular,
    convex_weights,
    crossing_element,
    floats,
    unit_weights,
)
from tamecheck.errors import package
from tamecheck.exact.feasibility import pivots
from tamecheck.exact.reals import as_fraction
from tamecheck.ir.tensor import Array

MOST_COORDINATES = 14
_MOST_COEFFICIENTS, _MOST_PARTS, _BASES = 3000, 4000, 24


@dataclass(frozen=True, slots=True)
class Halves:
    """What the halving found: all parts proved, or a singular element, or neither in time."""

    parts: int
    open: int
    singular: Singular | None = None


def _halve(vertices: Sequence[fmpq_mat], whole: _Box | _Simplex, budget: Budget) -> Halves:
    """Halve until every part has a proof or a singular element appears.

    The determinants of the vertices have one sign.
    """
    parts: list[_Box | _Simplex] = [whole]
    done = 0
    while parts:
        if budget.is_spent or done + len(parts) > _MOST_PARTS:
            return Halves(done, len(parts))
        found = parts.pop().split()
        if found is None:
            done += 1
            continue
        weights, halves = found
        singular = crossing_element(vertices, weights)
        if singular is not None:
            return Halves(done, len(parts), singular)
        parts.extend(halves)
    return Halves(done, 0)


_Split: TypeAlias = "tuple[Sequence[fmpq], Sequence[_Box | _Simplex]] | None"
"""None for a part with a proof; else the weights of an element to look at, and two halves."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """``vertex_k = base + Σ_j points[k][j] steps[j]``, the steps of rank one and independent."""

    base: fmpq_mat
    steps: tuple[fmpq_mat, ...]
    points: tuple[tuple[fmpq, ...], ...]


def coordinates(vertices: Sequence[fmpq_mat]) -> Coordinates | None:
    """Coordinates in rank-one steps, if differences of vertices of rank one span the hull."""
    flat = _table([vertex - vertices[0] for vertex in vertices[1:]])
    dimension = flat.rank()
    if not 0 < dimension <= MOST_COORDINATES:
        return None
    steps: list[fmpq_mat] = []
    for base in vertices[:_BASES]:
        for other in vertices:
            change = other - base
            if change.rank() == 1 and _table([*steps, change]).rank() > len(steps):
                steps.append(change)
                if len(steps) == dimension:
                    return Coordinates(vertices[0], tuple(steps), _points(flat, steps))
    return None


def _table(matrices: Sequence[fmpq_mat]) -> fmpq_mat:
    """The entries of each matrix in a row."""
    width = len(matrices[0].entries())
    return fmpq_mat(len(matrices), width, [a for matrix in matrices for a in matrix.entries()])


def _points(flat: fmpq_mat, steps: Sequence[fmpq_mat]) -> tuple[tuple[fmpq, ...], ...]:
    """The coordinates of the first vertex, which are 0, and of the differences in the rows."""
    dimension, table = len(steps), _table(steps)
    chosen = pivots([tuple(row) for row in table.tolist()])
    square = fmpq_mat([[row[j] for row in table.tolist()] for j in chosen])
    right = fmpq_mat([[row[j] for row in flat.tolist()] for j in chosen])
    solution = square.solve(right).transpose().tolist()
    return ((fmpq(0),) * dimension, *(tuple(row) for row in solution))


def _corners(
    base: fmpq_mat, steps: Sequence[fmpq_mat], low: Sequence[fmpq], high: Sequence[fmpq]
) -> Array:
    """The determinants at the corners of a box, times a common denominator: integers."""
    start = base
    for step, end in zip(steps, low, strict=True):
        start += step * end
    matrices = [start]
    for step, bottom, top in zip(steps, low, high, strict=True):
        change = step * (top - bottom)
        matrices = [m for matrix in matrices for m in (matrix, matrix + change)]
    values = [matrix.det() for matrix in matrices]
    denominator = fmpq(int(np.lcm.reduce([int(v.q) for v in values], dtype=object)))
    integers = np.empty(len(values), dtype=object)
    integers[:] = [int((value * denominator).p) for value in values]
    return integers.reshape((2,) * len(steps))


def corner_signs(base: fmpq_mat, steps: Sequence[fmpq_mat]) -> set[int]:
    """The signs of ``det(base + Σ t_j steps_j)`` at the corners of the unit box."""
    values = _corners(base, steps, [fmpq(0)] * len(steps), [fmpq(1)] * len(steps))
    return {(v > 0) - (v < 0) for v in values.reshape(-1).tolist()}


@dataclass(frozen=True, slots=True)
class _Box:
    """A box with the determinant's values at the corners, up to a positive factor.

    Beside it the points whose hull is looked at, as fractions and as floats.
    """

    values: Array
    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]
    points: Sequence[tuple[Fraction, ...]] = field(repr=False)
    rough: Array = field(repr=False)

    def split(self) -> _Split:
        """Cut across the axis along which the determinant changes most; means are exact."""
        if min(self.values.reshape(-1).tolist()) > 0:
            return None
        weights, normal = self._nearest()
        if normal is not None and self._is_separated(normal):
            return None
        rough = _scaled(self.values)
        axis = max(
            range(rough.ndim),
            key=lambda j: float(np.abs(np.take(rough, 1, j) - np.take(rough, 0, j)).sum()),
        )
        first, last = np.take(self.values, 0, axis), np.take(self.values, 1, axis)
        middle = (self.low[axis] + self.high[axis]) / 2
        below = (*self.high[:axis], middle, *self.high[axis + 1 :])
        above = (*self.low[:axis], middle, *self.low[axis + 1 :])
        halves = (
            replace(self, values=np.stack([2 * first, first + last], axis), high=below),
            replace(self, values=np.stack([first + last, 2 * last], axis), low=above),
        )
        return convex_weights(weights), halves

    def _nearest(self) -> tuple[Array, Array | None]:
        """Weights of the point of the hull nearest to the centre, and the direction from it."""
        optimize = package("scipy.optimize", "layers")
        centre = np.array([float(a + b) / 2 for a, b in zip(self.low, self.high, strict=True)])
        scale = np.maximum(self.rough.max(0) - self.rough.min(0), 1e-12)
        relative = (self.rough - centre) / scale
        heavy = 1e3
        table = np.vstack([relative.T, np.full(len(relative), heavy)])
        weights = np.asarray(optimize.nnls(table, np.r_[np.zeros(len(scale)), heavy])[0])
        gap = -(weights @ relative)
        return weights, (gap / scale if float(np.abs(gap).max()) > 1e-9 else None)

    def _is_separated(self, normal: Array) -> bool:
        """Whether a hyperplane has all points on one side and the box on the other, exactly."""
        largest = float(np.abs(normal).max())
        exact = [Fraction(round(float(a) / largest * 2**24), 2**24) for a in normal]
        nearest = [
            low if g > 0 else high for g, low, high in zip(exact, self.low, self.high, strict=True)
        ]

        def level(point: Sequence[Fraction]) -> Fraction:
            return sum((g * a for g, a in zip(exact, point, strict=True)), Fraction(0))

        return level(nearest) > max(map(level, self.points))


def _scaled(values: Array) -> Array:
    """Integers as floats relative to the largest."""
    largest = max(abs(v) for v in values.reshape(-1).tolist())
    shift = max(int(largest).bit_length() - 60, 0)
    return np.array([float(v >> shift) for v in values.reshape(-1).tolist()]).reshape(values.shape)


def halve_box(vertices: Sequence[fmpq_mat], found: Coordinates, budget: Budget) -> Halves:
    """The box about a hull in coordinates of rank-one steps."""
    columns = list(zip(*found.points, strict=True))
    low, high = [min(column) for column in columns], [max(column) for column in columns]
    values = _corners(found.base, found.steps, low, high)
    sign = 1 if vertices[0].det() > 0 else -1
    ends, points = (
        [tuple(as_fraction(a) for a in row) for row in rows] for rows in ((low, high), found.points)
    )
    rough = np.array([[float(a) for a in point] for point in points])
    return _halve(vertices, _Box(values * sign, ends[0], ends[1], points, rough), budget)


def coefficient_count(vertices: Sequence[fmpq_mat]) -> int:
    """The number of Bernstein coefficients of the determinant."""
    size = vertices[0].nrows()
    return comb(len(vertices) + size - 1, size)


def determinant_form(vertices: Sequence[fmpq_mat]) -> fmpq_mpoly:
    """``det(Σ λ_i U_i)`` as a polynomial in λ: Laplace's expansion, each minor once."""
    size = vertices[0].nrows()
    ring = fmpq_mpoly_ctx.get(("w", len(vertices)), Ordering.lex)
    variables, zero = ring.gens(), ring.constant(0)
    minors: dict[int, fmpq_mpoly] = {0: ring.constant(1)}
    for row in range(size):
        entries = [
            sum((x * v[row, column] for x, v in zip(variables, vertices, strict=True)), zero)
            for column in range(size)
        ]
        following: dict[int, fmpq_mpoly] = {}
        for columns, minor in minors.items():
            for column in range(size):
                if columns >> column & 1:
                    continue
                later = (columns >> column).bit_count()
                term = entries[column] * minor if later % 2 == 0 else -(entries[column] * minor)
                key = columns | 1 << column
                following[key] = following[key] + term if key in following else term
        minors = following
    return minors[(1 << size) - 1]


def one_sign(vertices: Sequence[fmpq_mat]) -> bool:
    """Whether all Bernstein coefficients of the determinant on the simplex have one strict sign."""
    coefficients = determinant_form(vertices).coeffs()
    if len(coefficients) < coefficient_count(vertices):
        return False
    return all(c > 0 for c in coefficients) or all(c < 0 for c in coefficients)


@dataclass(frozen=True, slots=True)
class _Simplex:
    """A simplex of matrices, with the weights of its corners on the vertices."""

    corners: tuple[fmpq_mat, ...]
    weights: tuple[tuple[fmpq, ...], ...]

    def split(self) -> _Split:
        """Cut in the middle of the longest edge."""
        corners = self.corners
        expand = coefficient_count(corners) <= _MOST_COEFFICIENTS
        if definite_hull(corners) or (expand and one_sign(corners)):
            return None
        i, j = self._longest()
        middle = (corners[i] + corners[j]) * fmpq(1, 2)
        pair = zip(self.weights[i], self.weights[j], strict=True)
        weight = tuple((a + b) / 2 for a, b in pair)
        halves = [
            _Simplex(
                (*corners[:k], middle, *corners[k + 1 :]),
                (*self.weights[:k], weight, *self.weights[k + 1 :]),
            )
            for k in (i, j)
        ]
        return weight, halves

    def _longest(self) -> tuple[int, int]:
        arrays = np.array([floats(corner).reshape(-1) for corner in self.corners])
        squares = (arrays**2).sum(1)
        distances = np.triu(squares[:, None] + squares[None] - 2 * arrays @ arrays.T + 1, 1)
        i, j = np.unravel_index(int(np.argmax(distances)), distances.shape)
        return int(i), int(j)


def halve_simplex(vertices: Sequence[fmpq_mat], budget: Budget) -> Halves:
    """The simplex of the vertices."""
    count = len(vertices)
    unit = tuple(tuple(unit_weights(count, k)) for k in range(count))
    return _halve(vertices, _Simplex(tuple(vertices), unit), budget)

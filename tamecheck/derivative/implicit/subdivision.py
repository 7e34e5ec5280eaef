"""Hulls whose edges are rank-one changes: the determinant is affine in every coordinate.

If ``U(t) = A + Σ t_j D_j`` with every D_j of rank one, then ``det U(t)`` is affine in each t_j, so
that on a box it has its extremes at the corners.  The hull is a polytope in the box; boxes are
halved until all corners have one sign or a hyperplane separates the box from the hull.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
from flint import Ordering, fmpq, fmpq_mat, fmpq_mpoly, fmpq_mpoly_ctx

from tamecheck.derivative.implicit.conditions import definite_hull
from tamecheck.derivative.implicit.singular import (
    Singular,
    convex_weights,
    crossing_element,
    floats,
    unit_weights,
)
from tamecheck.exact.reals import as_fraction
from tamecheck.ir.tensor import Array

__all__ = [
    "Coordinates",
    "Halved",
    "coefficient_count",
    "coordinates",
    "corner_signs",
    "determinant_form",
    "halved",
    "one_sign",
    "subdivided",
]

MOST_COORDINATES = 14
_BASES = 24


@dataclass(frozen=True, slots=True)
class Coordinates:
    """``vertex_k = base + Σ_j points[k][j] steps[j]``, the steps of rank one and independent."""

    base: fmpq_mat
    steps: tuple[fmpq_mat, ...]
    points: tuple[tuple[fmpq, ...], ...]

    @property
    def box(self) -> tuple[list[fmpq], list[fmpq]]:
        """The least box that contains the points."""
        columns = list(zip(*self.points, strict=True))
        return [min(column) for column in columns], [max(column) for column in columns]


@dataclass(frozen=True, slots=True)
class Halved:
    """What the halving found: all parts proved, or a singular element, or neither in time."""

    parts: int
    open: int
    singular: Singular | None = None


def coordinates(vertices: Sequence[fmpq_mat]) -> Coordinates | None:
    """Coordinates in rank-one steps, if differences of vertices of rank one span the hull."""
    size = vertices[0].nrows()
    flat = fmpq_mat(
        len(vertices) - 1,
        size * size,
        [a for vertex in vertices[1:] for a in (vertex - vertices[0]).entries()],
    )
    dimension = flat.rank()
    if not 0 < dimension <= MOST_COORDINATES:
        return None
    steps: list[fmpq_mat] = []
    for base in vertices[:_BASES]:
        for other in vertices:
            change = other - base
            if change.rank() == 1 and _independent([*steps, change]):
                steps.append(change)
                if len(steps) == dimension:
                    return Coordinates(vertices[0], tuple(steps), _points(flat, steps))
    return None


def _independent(steps: Sequence[fmpq_mat]) -> bool:
    width = len(steps[0].entries())
    table = fmpq_mat(len(steps), width, [a for step in steps for a in step.entries()])
    return table.rank() == len(steps)


def _points(flat: fmpq_mat, steps: Sequence[fmpq_mat]) -> tuple[tuple[fmpq, ...], ...]:
    """The coordinates of the first vertex, which are 0, and of the differences in the rows."""
    dimension, width = len(steps), flat.ncols()
    table = fmpq_mat(dimension, width, [a for step in steps for a in step.entries()])
    lines = table.rref()[0].tolist()
    pivots = [next(j for j, a in enumerate(line) if a != 0) for line in lines]
    square = fmpq_mat(dimension, dimension, [table[i, j] for j in pivots for i in range(dimension)])
    right = fmpq_mat(
        dimension, flat.nrows(), [flat[k, j] for j in pivots for k in range(flat.nrows())]
    )
    solved = square.solve(right)
    origin = tuple(fmpq(0) for _ in range(dimension))
    return (
        origin,
        *(tuple(solved[i, k] for i in range(dimension)) for k in range(flat.nrows())),
    )


def _corners(base: fmpq_mat, steps: Sequence[fmpq_mat], low: list[fmpq], high: list[fmpq]) -> Array:
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
    zeros, ones = [fmpq(0)] * len(steps), [fmpq(1)] * len(steps)
    values = _corners(base, steps, zeros, ones)
    return {(v > 0) - (v < 0) for v in values.reshape(-1).tolist()}


@dataclass(frozen=True, slots=True)
class _Part:
    """A box with the determinant's values at the corners, up to a positive factor."""

    values: Array
    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]

    def halves(self) -> tuple[_Part, _Part]:
        """Cut across the axis along which the determinant changes most; means are exact."""
        rough = _scaled(self.values)
        axis = max(
            range(rough.ndim),
            key=lambda j: float(np.abs(np.take(rough, 1, j) - np.take(rough, 0, j)).sum()),
        )
        first, last = np.take(self.values, 0, axis), np.take(self.values, 1, axis)
        middle = (self.low[axis] + self.high[axis]) / 2
        left = _Part(
            np.stack([2 * first, first + last], axis),
            self.low,
            (*self.high[:axis], middle, *self.high[axis + 1 :]),
        )
        right = _Part(
            np.stack([first + last, 2 * last], axis),
            (*self.low[:axis], middle, *self.low[axis + 1 :]),
            self.high,
        )
        return left, right


def _scaled(values: Array) -> Array:
    """Integers as floats relative to the largest."""
    largest = max(abs(v) for v in values.reshape(-1).tolist())
    shift = max(int(largest).bit_length() - 60, 0)
    return np.array([float(v >> shift) for v in values.reshape(-1).tolist()]).reshape(values.shape)


def halved(
    vertices: Sequence[fmpq_mat], found: Coordinates, deadline: float, *, most: int = 4000
) -> Halved:
    """Halve the box about the hull until every part has a proof or a singular element appears.

    Parameters
    ----------
    vertices
        Matrices whose determinants have one sign.
    found
        Their coordinates.
    deadline, most
        The time by `time.monotonic`, and the number of parts, after which the search stops.
    """
    low, high = found.box
    values = _corners(found.base, found.steps, low, high)
    sign = 1 if vertices[0].det() > 0 else -1
    exact = [tuple(as_fraction(a) for a in point) for point in found.points]
    rough = np.array([[float(a) for a in point] for point in exact])
    ends = (tuple(as_fraction(a) for a in low), tuple(as_fraction(a) for a in high))
    parts = [_Part(values * sign, *ends)]
    done = 0
    while parts:
        if time.monotonic() > deadline or done + len(parts) > most:
            return Halved(done, len(parts))
        part = parts.pop()
        if min(part.values.reshape(-1).tolist()) > 0:
            done += 1
            continue
        weights, normal = _nearest(rough, part)
        if normal is not None and _separated(exact, part, normal):
            done += 1
            continue
        singular = crossing_element(vertices, convex_weights(weights))
        if singular is not None:
            return Halved(done, len(parts), singular)
        parts.extend(part.halves())
    return Halved(done, 0)


def _nearest(points: Array, part: _Part) -> tuple[Array, Array | None]:
    """Weights of the point of the hull nearest to the box's centre, and the direction from it."""
    from importlib import import_module

    optimize: Any = import_module("scipy.optimize")
    low = np.array([float(a) for a in part.low])
    high = np.array([float(a) for a in part.high])
    scale = np.maximum(points.max(0) - points.min(0), 1e-12)
    relative = (points - (low + high) / 2) / scale
    heavy = 1e3
    table = np.vstack([relative.T, np.full(len(points), heavy)])
    weights = np.asarray(optimize.nnls(table, np.r_[np.zeros(len(scale)), heavy])[0])
    gap = -(weights @ relative)
    return weights, (gap / scale if float(np.abs(gap).max()) > 1e-9 else None)


def _separated(points: Sequence[tuple[Fraction, ...]], part: _Part, normal: Array) -> bool:
    """Whether all points are on one side of a hyperplane and the box is on the other, exactly."""
    largest = float(np.abs(normal).max())
    exact = [Fraction(round(float(a) / largest * 2**24), 2**24) for a in normal]
    level = max(sum((g * a for g, a in zip(exact, p, strict=True)), Fraction(0)) for p in points)
    least = sum(
        (
            g * (low if g > 0 else high)
            for g, low, high in zip(exact, part.low, part.high, strict=True)
        ),
        Fraction(0),
    )
    return least > level


MOST_COEFFICIENTS = 3000


def coefficient_count(vertices: Sequence[fmpq_mat]) -> int:
    """The number of Bernstein coefficients of the determinant."""
    size = vertices[0].nrows()
    return comb(len(vertices) + size - 1, size)


def determinant_form(vertices: Sequence[fmpq_mat]) -> fmpq_mpoly:
    """``det(Σ λ_i U_i)`` as a polynomial in λ: Laplace's expansion, each minor once."""
    size = vertices[0].nrows()
    ring = fmpq_mpoly_ctx.get(("w", len(vertices)), Ordering.lex)
    variables = ring.gens()
    minors: dict[int, fmpq_mpoly] = {0: ring.constant(1)}
    for row in range(size):
        entries = [
            sum(
                (x * vertex[row, column] for x, vertex in zip(variables, vertices, strict=True)),
                ring.constant(0),
            )
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


def subdivided(vertices: Sequence[fmpq_mat], deadline: float, *, most: int = 4000) -> Halved:
    """Halve the simplex until every part has a proof or a singular element appears.

    Parameters
    ----------
    vertices
        Matrices whose determinants have one sign.
    deadline, most
        The time by `time.monotonic`, and the number of parts, after which the search stops.
    """
    count = len(vertices)
    expand = coefficient_count(vertices) <= MOST_COEFFICIENTS
    unit = tuple(tuple(unit_weights(count, k)) for k in range(count))
    parts: list[tuple[tuple[fmpq_mat, ...], tuple[tuple[fmpq, ...], ...]]] = [
        (tuple(vertices), unit)
    ]
    done = 0
    while parts:
        if time.monotonic() > deadline or done + len(parts) > most:
            return Halved(done, len(parts))
        corners, weights = parts.pop()
        if definite_hull(corners) or (expand and one_sign(corners)):
            done += 1
            continue
        i, j = _longest(corners)
        middle = (corners[i] + corners[j]) * fmpq(1, 2)
        weight = tuple((a + b) / 2 for a, b in zip(weights[i], weights[j], strict=True))
        singular = crossing_element(vertices, weight)
        if singular is not None:
            return Halved(done, len(parts), singular)
        parts.extend(
            (
                tuple(middle if n == k else c for n, c in enumerate(corners)),
                tuple(weight if n == k else w for n, w in enumerate(weights)),
            )
            for k in (i, j)
        )
    return Halved(done, 0)


def _longest(corners: Sequence[fmpq_mat]) -> tuple[int, int]:
    arrays = np.array([floats(corner).reshape(-1) for corner in corners])
    squares = (arrays**2).sum(1)
    distances = np.triu(squares[:, None] + squares[None] - 2 * arrays @ arrays.T + 1, 1)
    i, j = np.unravel_index(int(np.argmax(distances)), distances.shape)
    return int(i), int(j)

"""Exact volumes and inner points of polytopes given by vertices and facets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import factorial

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck.cells.hyperplanes import ExactRow
from tamecheck.evaluate.reals import as_fraction
from tamecheck.ir.tensor import Array

__all__ = ["balanced_sum", "centre", "ordered", "volume"]


def centre(points: Sequence[ExactRow]) -> tuple[Fraction, ...]:
    """The mean of the vertices: a point of the relative interior."""
    count = len(points)
    size = len(points[0])
    return tuple(
        as_fraction(sum((point[axis] for point in points), fmpq(0)) / count) for axis in range(size)
    )


def ordered(tight: Array) -> list[int]:
    """The vertices of a polygon in cyclic order; two of them are neighbours on each facet."""
    neighbours: dict[int, list[int]] = {index: [] for index in range(len(tight))}
    for column in range(tight.shape[1]):
        a, b = np.flatnonzero(tight[:, column]).tolist()
        neighbours[a].append(b)
        neighbours[b].append(a)
    walk = [0, neighbours[0][0]]
    while len(walk) < len(tight):
        first, second = neighbours[walk[-1]]
        walk.append(second if first == walk[-2] else first)
    return walk


def volume(points: Sequence[ExactRow], tight: Array) -> fmpq:
    """The volume of a polytope of full dimension."""
    size = len(points[0])
    if size == 0:
        return fmpq(1)
    if size == 1:
        return abs(points[0][0] - points[1][0])
    if size == 2:
        return abs(_shoelace([points[index] for index in ordered(tight)]))
    total = fmpq(0)
    for simplex in _simplices(tuple(range(len(points))), tight, size):
        origin, *others = (points[index] for index in simplex)
        entries = [a - b for other in others for a, b in zip(other, origin, strict=True)]
        total += abs(fmpq_mat(size, size, entries).det())
    return total / factorial(size)


def _shoelace(points: Sequence[ExactRow]) -> fmpq:
    (ox, oy), *rest = points
    moved = [(x - ox, y - oy) for x, y in rest]
    total = fmpq(0)
    for (a, b), (c, d) in pairwise(moved):
        total += a * d - b * c
    return total / 2


def _simplices(face: tuple[int, ...], tight: Array, dim: int) -> Iterator[tuple[int, ...]]:
    """A triangulation without new vertices: cones from the first vertex over the other facets."""
    if dim == 0:
        yield face[:1]
        return
    apex = face[0]
    for facet in _facets(face, tight):
        if apex not in facet:
            for simplex in _simplices(facet, tight, dim - 1):
                yield (apex, *simplex)


def _facets(face: tuple[int, ...], tight: Array) -> list[tuple[int, ...]]:
    """The facets of a face: the largest proper parts that facets of the polytope cut out."""
    columns = tight[list(face)].T
    parts = {
        frozenset(vertex for vertex, on in zip(face, column.tolist(), strict=True) if on)
        for column in columns
        if not column.all() and column.any()
    }
    largest = [part for part in parts if not any(part < other for other in parts)]
    return [tuple(sorted(part)) for part in largest]


def balanced_sum(values: Sequence[fmpq]) -> fmpq:
    """The sum, neighbours first: their common boundary cancels before numbers grow long."""
    parts = list(values)
    while len(parts) > 1:
        pairs = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[2 * len(pairs) :]
    return parts[0] if parts else fmpq(0)

"""Exact volumes and inner points of polytopes given by vertices and facets."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import factorial, prod

import numpy as np
from flint import fmpq, fmpz, fmpz_mat

from tamecheck.cells.hyperplanes import ExactRow
from tamecheck.exact.reals import as_fraction
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
    triangulation = _Triangulation(tight)
    # (point, 1) times a denominator: the determinant of a simplex is then one of integers
    rows = [_integers((*point, fmpq(1))) for point in points]
    terms: list[fmpq] = []
    for simplex in triangulation.simplices((1 << len(points)) - 1, size):
        chosen = [rows[index] for index in simplex]
        matrix = fmpz_mat(size + 1, size + 1, [entry for row in chosen for entry in row])
        terms.append(fmpq(abs(matrix.det()), prod(row[-1] for row in chosen)))
    return balanced_sum(terms) / factorial(size)


def _integers(row: Sequence[fmpq]) -> list[fmpz]:
    """The least multiple of a row whose entries are integers."""
    common = fmpz(1)
    for entry in row:
        common = common.lcm(entry.q)
    return [entry.p * (common // entry.q) for entry in row]


def _shoelace(points: Sequence[ExactRow]) -> fmpq:
    (ox, oy), *rest = points
    moved = [(x - ox, y - oy) for x, y in rest]
    total = fmpq(0)
    for (a, b), (c, d) in pairwise(moved):
        total += a * d - b * c
    return total / 2


def _vertex_on_most(facets: Sequence[int], face: int) -> int:
    """The vertex whose facets have the most vertices, so that the others have few."""
    weight = [0] * face.bit_length()
    for facet in facets:
        size, rest = facet.bit_count(), facet
        while rest:
            lowest = rest & -rest
            weight[lowest.bit_length() - 1] += size
            rest ^= lowest
    return max(range(len(weight)), key=weight.__getitem__)


class _Triangulation:
    """Triangulations without new vertices: cones from one vertex over the facets without it.

    A face is the set of its vertices, as the bits of an integer.

    Parameters
    ----------
    tight
        Which vertex lies on which facet.
    """

    def __init__(self, tight: Array) -> None:
        columns = np.packbits(tight, axis=0, bitorder="little").T
        self._facets = [int.from_bytes(column.tobytes(), "little") for column in columns]
        self._found: dict[int, list[tuple[int, ...]]] = {}

    def simplices(self, face: int, dim: int) -> list[tuple[int, ...]]:
        """The simplices of a face, by their vertices."""
        found = self._found.get(face)
        if found is None:
            found = self._divided(face, dim)
            self._found[face] = found
        return found

    def _divided(self, face: int, dim: int) -> list[tuple[int, ...]]:
        if dim == 0:
            return [(face.bit_length() - 1,)]
        facets = self._facets_of(face)
        apex = _vertex_on_most(facets, face)
        return [
            (apex, *simplex)
            for facet in facets
            if not facet >> apex & 1
            for simplex in self.simplices(facet, dim - 1)
        ]

    def _facets_of(self, face: int) -> list[int]:
        """The facets of a face: the largest proper parts that facets of the polytope cut out."""
        parts = sorted({face & facet for facet in self._facets} - {face, 0}, key=int.bit_count)
        return [
            part
            for number, part in enumerate(parts)
            if not any(part & other == part for other in parts[number + 1 :])
        ]


def balanced_sum(values: Sequence[fmpq]) -> fmpq:
    """The sum, neighbours first: their common boundary cancels before numbers grow long."""
    parts = list(values)
    while len(parts) > 1:
        pairs = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[2 * len(pairs) :]
    return parts[0] if parts else fmpq(0)

"""Exact volumes and inner points of polytopes, and which cells share a facet and have one map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import factorial, prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from flint import fmpq, fmpq_mat, fmpz, fmpz_mat

from tamecheck.cells.polytope import ExactRow
from tamecheck.exact.reals import as_fraction
from tamecheck.ir.tensor import Array

if TYPE_CHECKING:
    from tamecheck.cells.complex import Cell


def centre(points: Sequence[ExactRow]) -> tuple[Fraction, ...]:
    """The mean of the vertices: a point of the relative interior."""
    return tuple(
        as_fraction(sum(axis, fmpq(0)) / len(points)) for axis in zip(*points, strict=True)
    )


def cyclic_order(tight: Array) -> list[int]:
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
        return abs(_shoelace([points[index] for index in cyclic_order(tight)]))
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
    return sum((a * d - b * c for (a, b), (c, d) in pairwise(moved)), fmpq(0)) / 2


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
    """

    def __init__(self, tight: Array) -> None:
        columns = np.packbits(tight, axis=0, bitorder="little").T
        self._facets = [int.from_bytes(column.tobytes(), "little") for column in columns]
        self._found: dict[int, list[tuple[int, ...]]] = {}

    def simplices(self, face: int, dim: int) -> list[tuple[int, ...]]:
        """The simplices of a face, by their vertices."""
        found = self._found.get(face)
        if found is None:
            found = self._divide(face, dim)
            self._found[face] = found
        return found

    def _divide(self, face: int, dim: int) -> list[tuple[int, ...]]:
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


_SLACK = 1e-9

_Facets: TypeAlias = list[tuple[int, int]]
"""Facets, as the numbers of a cell and of a facet of it."""


def neighbours(cells: Sequence[Cell], dimension: int) -> tuple[tuple[int, int], ...]:
    """The pairs of cells with a common facet.

    The cells on the two sides of a hyperplane name it by one number, so only facets with one
    number are compared.  In dimension 3 and more, facets are the same when ``d`` independent
    vertices are, as in the complex of a continuous function.
    """
    sides: dict[int, tuple[_Facets, _Facets]] = {}
    for number, cell in enumerate(cells):
        shape = cell.polytope
        for column, (plane, side) in enumerate(
            zip(shape.facets.tolist(), shape.sides.tolist(), strict=True)
        ):
            below, above = sides.setdefault(plane, ([], []))
            (above if side > 0 else below).append((number, column))
    corners = _Corners(cells)
    found: set[tuple[int, int]] = set()
    for below, above in sides.values():
        if dimension < 3:
            pairs = _touching(cells, below, above, dimension)
        else:
            pairs = corners.shared(below, above, dimension)
        found.update((min(pair), max(pair)) for pair in pairs)
    return tuple(sorted(found))


def _touching(
    cells: Sequence[Cell], below: _Facets, above: _Facets, dimension: int
) -> Iterator[tuple[int, int]]:
    """The pairs of cells whose facets, on the two sides of one line or point, overlap."""
    if not below or not above:
        return
    low, high = _ranges(cells, below)
    other_low, other_high = _ranges(cells, above)
    apart = (low[:, None] > other_high) | (other_low > high[:, None])
    for one, two in np.argwhere(~apart.any(axis=2)).tolist():
        if dimension == 1 or _overlap(cells, below[one], above[two]):
            yield below[one][0], above[two][0]


def _ranges(cells: Sequence[Cell], facets: _Facets) -> tuple[Array, Array]:
    """The least and the largest coordinates on facets, by floats that err on the safe side."""
    least, most = list[Array](), list[Array]()
    for number, column in facets:
        shape = cells[number].polytope
        points = shape.points[shape.tight[:, column]]
        slack = shape.doubt.max() + _SLACK * (1 + np.abs(points).max())
        least.append(points.min(axis=0) - slack)
        most.append(points.max(axis=0) + slack)
    return np.array(least), np.array(most)


def _overlap(cells: Sequence[Cell], first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two segments of one line have more than a point in common."""
    a, b = _ends(cells, first), _ends(cells, second)
    axis = 0 if a[0][0] != a[1][0] else 1
    low = max(min(p[axis] for p in a), min(p[axis] for p in b))
    high = min(max(p[axis] for p in a), max(p[axis] for p in b))
    return bool(low < high)


def _ends(cells: Sequence[Cell], facet: tuple[int, int]) -> list[ExactRow]:
    cell, column = cells[facet[0]], facet[1]
    chosen = cell.polytope.bases[cell.polytope.tight[:, column]].tolist()
    return [cell.planes.exact_point(tuple(basis)) for basis in chosen]


class _Corners:
    """The vertices of cells, each point with one number in all cells."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self._numbers: dict[ExactRow, int] = {}
        self._points: list[ExactRow] = []
        self._of: dict[int, list[int]] = {}

    def shared(self, below: _Facets, above: _Facets, dimension: int) -> Iterator[tuple[int, int]]:
        """The pairs of cells whose facets have ``dimension`` independent vertices in common."""
        if not below:
            return
        at: dict[int, list[int]] = {}
        for second, two in above:
            for corner in self._on(second, two):
                at.setdefault(corner, []).append(second)
        for first, one in below:
            common: dict[int, list[int]] = {}
            for corner in self._on(first, one):
                for second in at.get(corner, ()):
                    common.setdefault(second, []).append(corner)
            for second, corners in common.items():
                if len(corners) >= dimension and self._span(corners) == dimension - 1:
                    yield first, second

    def _on(self, cell: int, column: int) -> list[int]:
        """The vertices of a facet."""
        numbers = self._of.get(cell)
        if numbers is None:
            numbers = [self._number(point) for point in self._cells[cell].exact_vertices]
            self._of[cell] = numbers
        on = self._cells[cell].polytope.tight[:, column]
        return [numbers[row] for row in np.flatnonzero(on).tolist()]

    def _number(self, point: ExactRow) -> int:
        number = self._numbers.setdefault(point, len(self._points))
        if number == len(self._points):
            self._points.append(point)
        return number

    def _span(self, corners: Sequence[int]) -> int:
        """The dimension of the affine hull."""
        origin, *others = (self._points[corner] for corner in corners)
        return fmpq_mat([[x - y for x, y in zip(p, origin, strict=True)] for p in others]).rank()


def connected(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of so many things the number of its class, where pairs connect them."""
    parent = list(range(count))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for first, second in pairs:
        parent[root(second)] = root(first)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(number), len(numbers)) for number in range(count)]


def groups(cells: Sequence[Cell], pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """The classes of cells that neighbours with equal maps connect."""
    keys = {number: cells[number].coefficients() for pair in pairs for number in pair}
    equal = ((first, second) for first, second in pairs if keys[first] == keys[second])
    classes: dict[int, list[int]] = {}
    for number, group in enumerate(connected(len(cells), equal)):
        classes.setdefault(group, []).append(number)
    return tuple(tuple(members) for members in classes.values())

"""Polygons and edges of a complex in the plane, and what happens at each edge.

Across an edge between two cells the function has the same map, or a kink, or a jump.  Two maps
agree along a line exactly if their difference is a multiple of the line's equation, so for
complexes of moderate size this is decided in rationals.  For larger ones the maps come from floats
at the cells' centres, with wide margins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from flint import fmpq

from tamecheck.cells import Cell, Complex
from tamecheck.cells.geometry import connected, cyclic_order, neighbours
from tamecheck.cells.polytope import ExactRow, dot
from tamecheck.exact.reals import as_number
from tamecheck.ir.tensor import Array, size_of
from tamecheck.plots.plane import Plane
from tamecheck.plots.sample import cost, gradients, values

FLAT, KINKS, JUMPS = "flat", "kink", "jump"

_EXACT_WORK = 3e7
"""Cells times elementary operations up to which maps are compared as rationals."""

_SLACK = 1e-9
_MARGIN = 1e-7


class Edge(NamedTuple):
    """The common part of the boundaries of two cells: its end points, and what happens there."""

    first: int
    second: int
    segment: Array
    kind: str


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A complex in the plane as it is drawn: each cell's corners in cyclic order, the inner edges.

    ``maps`` are for each cell and output element the two slopes and the constant, in floats.
    """

    polygons: tuple[Array, ...]
    maps: Array
    edges: tuple[Edge, ...]

    @cached_property
    def groups(self) -> list[int]:
        """For each cell the number of its group: neighbours with equal maps are in one."""
        flat = ((edge.first, edge.second) for edge in self.edges if edge.kind == FLAT)
        return connected(len(self.polygons), flat)

    def segments(self, kind: str) -> list[Array]:
        """The segments of the edges of a kind."""
        return [edge.segment for edge in self.edges if edge.kind == kind]

    def heights(self, cell: int, points: Array) -> Array:
        """The limits of the first output element at points of the boundary of a cell."""
        form = self.maps[cell, 0]
        return points @ form[:2] + form[2]


def mosaic_of(found: Complex, plane: Plane) -> Mosaic:
    """The polygons and edges of a complex with two coordinates."""
    corners = [_corners(cell) for cell in found.cells]
    polygons = tuple(
        points[cyclic_order(cell.polytope.tight)]
        for points, cell in zip(corners, found.cells, strict=True)
    )
    if len(found.cells) * cost(plane.graph) <= _EXACT_WORK:
        rational = [_exact_map(cell, found) for cell in found.cells]
        maps = np.array([[[_float(a) for a in row] for row in rows] for rows in rational])
        kind: Callable[[_Pair], str] = _Exact(rational, found).kind
    else:
        maps = _float_maps(polygons, plane)
        kind = _Float(maps, jumps=bool(found.lower_dimensional)).kind
    pairs = _pairs(found.cells, corners)
    edges = (Edge(pair.first, pair.second, pair.segment, kind(pair)) for pair in pairs)
    return Mosaic(polygons, maps, tuple(edges))


def _corners(cell: Cell) -> Array:
    """The vertices as floats; from the rational ones where the floats are not accurate."""
    shape = cell.polytope
    size = float(np.abs(shape.points).max()) + 1.0
    if bool((shape.doubt <= _SLACK * size).all()):
        return shape.points
    return np.array([[_float(x) for x in point] for point in cell.exact_vertices])


def _float(number: fmpq) -> float:
    return int(number.p) / int(number.q)


def _exact_map(cell: Cell, found: Complex) -> tuple[ExactRow, ...]:
    """The affine form of every output element: the slopes, then the constant."""
    flat, rows, start = cell.coefficients(), list[ExactRow](), 0
    for shape in found.outputs.values():
        size = size_of(shape)
        stop = start + size * (found.dimension + 1)
        rows += [tuple(flat[start + k : stop : size]) for k in range(size)]
        start = stop
    return tuple(rows)


def _float_maps(polygons: Sequence[Array], plane: Plane) -> Array:
    centres = np.array([polygon.mean(axis=0) for polygon in polygons])
    found = values(plane.graph, centres)
    forms = np.zeros((len(centres), found.shape[1], 3))
    for output in range(found.shape[1]):
        slopes = gradients(plane.only(output).graph, centres)
        forms[:, output, :2] = slopes
        forms[:, output, 2] = found[:, output] - (slopes * centres).sum(axis=1)
    return forms


class _Pair(NamedTuple):
    """Two cells, their common edge, and the number of the line that it is on."""

    first: int
    second: int
    segment: Array
    line: int


def _pairs(cells: Sequence[Cell], corners: Sequence[Array]) -> list[_Pair]:
    """The pairs of cells with a common edge; floats decide where they can, else rationals."""
    sides: dict[int, tuple[list[tuple[int, Array]], list[tuple[int, Array]]]] = {}
    for number, (cell, points) in enumerate(zip(cells, corners, strict=True)):
        shape = cell.polytope
        lines = zip(shape.facets.tolist(), shape.sides.tolist(), strict=True)
        for column, (line, side) in enumerate(lines):
            below, above = sides.setdefault(line, ([], []))
            (above if side > 0 else below).append((number, points[shape.tight[:, column]]))
    found: list[_Pair] = []
    for line, (below, above) in sides.items():
        for first, one in below:
            for second, two in above:
                segment, length = _overlap(one, two)
                slack = _SLACK * (1 + float(np.abs(one).max()))
                if length > slack or (
                    length >= -slack and neighbours([cells[first], cells[second]], 2)
                ):
                    found.append(_Pair(first, second, segment, line))
    return found


def _overlap(one: Array, two: Array) -> tuple[Array, float]:
    """The middle part of two collinear segments, and its length; negative where they are apart."""
    direction = one[1] - one[0]
    length = float(np.hypot(*direction))
    direction = direction / length if length > 0 else np.array([1.0, 0.0])
    ends = np.concatenate([one, two])
    places = ends @ direction
    a, b, c, d = places.tolist()
    overlap = min(max(a, b), max(c, d)) - max(min(a, b), min(c, d))
    middle = np.argsort(places, kind="stable")[1:3]
    return ends[middle], overlap


class _Exact:
    """Tells kinks from jumps by rational maps."""

    def __init__(self, maps: Sequence[tuple[ExactRow, ...]], found: Complex) -> None:
        self._maps = maps
        self._planes = found.cells[0].planes if found.cells else None
        self._thin: dict[int, list[tuple[ExactRow, ExactRow]]] = {}
        for cell in found.lower_dimensional:
            if cell.dimension == 1:
                point = tuple(as_number(x) for x in cell.interior_point)
                value = tuple(dot(row, point) for row in _exact_map(cell, found))
                self._thin.setdefault(cell.polytope.equal[0], []).append((point, value))

    def kind(self, pair: _Pair) -> str:
        """What happens across an edge."""
        one, two = self._maps[pair.first], self._maps[pair.second]
        line = self._planes.row(pair.line) if self._planes is not None else ()
        differences = [
            [a - b for a, b in zip(left, right, strict=True)]
            for left, right in zip(one, two, strict=True)
        ]
        if self._isolated(pair) or not all(_proportional(row, line) for row in differences):
            return JUMPS
        return FLAT if one == two else KINKS

    def _isolated(self, pair: _Pair) -> bool:
        """Whether the points on the edge itself have another value than the cells beside it."""
        ends = np.sort(pair.segment, axis=0)
        for point, value in self._thin.get(pair.line, ()):
            place = np.array([_float(x) for x in point])
            near = bool((place >= ends[0] - _SLACK).all() and (place <= ends[1] + _SLACK).all())
            if near and value != tuple(dot(row, point) for row in self._maps[pair.first]):
                return True
        return False


def _proportional(first: Sequence[fmpq], second: Sequence[fmpq]) -> bool:
    """Whether the first row is a multiple of the second; 0 is one of any row."""
    pivot = next((index for index, a in enumerate(second) if a != 0), None)
    if pivot is None:
        return not any(first)
    return all(a * second[pivot] == b * first[pivot] for a, b in zip(first, second, strict=True))


class _Float:
    """Tells kinks from jumps by float maps, with wide margins."""

    def __init__(self, maps: Array, *, jumps: bool) -> None:
        self._maps = maps
        self._jumps = jumps
        self._slope = float(np.abs(maps[:, :, :2]).max(initial=0.0))
        self._value = float(np.abs(maps[:, :, 2]).max(initial=0.0)) + self._slope

    def kind(self, pair: _Pair) -> str:
        """What happens across an edge."""
        difference = self._maps[pair.first] - self._maps[pair.second]
        if self._jumps:
            middle = np.append(pair.segment.mean(axis=0), 1.0)
            if float(np.abs(difference @ middle).max()) > _MARGIN * self._value:
                return JUMPS
        steepest = float(np.abs(difference[:, :2]).max(initial=0.0))
        return KINKS if steepest > _MARGIN * self._slope else FLAT


_Key: TypeAlias = tuple[int, int]


def polylines(segments: Sequence[Array]) -> list[Array]:
    """The segments joined at the points where exactly two of them end."""
    if not segments:
        return []
    ends = np.array(segments)
    scale = float(np.ptp(ends.reshape(-1, 2), axis=0).max()) or 1.0
    keys = np.rint(ends / (scale * 1e-7)).astype(np.int64)
    points: dict[_Key, Array] = {}
    near: dict[_Key, list[tuple[int, _Key]]] = {}
    for number, (first, second) in enumerate(keys.tolist()):
        a, b = (first[0], first[1]), (second[0], second[1])
        if a != b:
            points.setdefault(a, ends[number, 0])
            points.setdefault(b, ends[number, 1])
            near.setdefault(a, []).append((number, b))
            near.setdefault(b, []).append((number, a))
    return [np.array([points[key] for key in path]) for path in _walks(near)]


def _walks(near: Mapping[_Key, Sequence[tuple[int, _Key]]]) -> list[list[_Key]]:
    """The paths of a graph between vertices of a degree other than 2, and the loops."""
    used: set[int] = set()
    paths: list[list[_Key]] = []

    def walk(start: _Key, number: int, after: _Key) -> None:
        path = [start, after]
        used.add(number)
        while len(near[path[-1]]) == 2:
            onward = [step for step in near[path[-1]] if step[0] not in used]
            if not onward:
                break
            used.add(onward[0][0])
            path.append(onward[0][1])
        paths.append(path)

    for loops in (False, True):
        for start, steps in near.items():
            if loops or len(steps) != 2:
                for number, after in steps:
                    if number not in used:
                        walk(start, number, after)
    return paths

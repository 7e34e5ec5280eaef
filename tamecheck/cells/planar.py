"""Polygons cut by the lines of a whole layer: the search of `decisions`, specialised to the plane.

A polygon is its vertices in cyclic order and the edge after each.  The signs that the floats
settle are two bit masks a vertex, so that asking which lines miss a polygon is one conjunction of
integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tamecheck.cells.hyperplanes import dot, float_values
from tamecheck.cells.polytope import Polytope, Question, Table
from tamecheck.cells.volume import ordered
from tamecheck.ir.tensor import Array

__all__ = ["is_planar", "polygons"]


class _Edge(NamedTuple):
    """The line of an edge, the side of it on which the polygon lies, whether it is left out."""

    line: int
    side: int
    open_: bool


class _Vertex(NamedTuple):
    """Coordinates, error bounds, two lines through it, and the forms with a sign by the floats."""

    place: tuple[float, float, float, float]
    basis: tuple[int, int]
    positive: int
    negative: int


@dataclass(frozen=True, slots=True)
class _Polygon:
    """A polygon, and the columns that are decided on it, as masks."""

    vertices: list[_Vertex]
    edges: list[_Edge]
    positive: int
    negative: int
    zero: int


def is_planar(polytope: Polytope) -> bool:
    """Whether a polytope is a polygon in the plane."""
    return polytope.dim == 2 and polytope.points.shape[1] == 2


def polygons(polytope: Polytope, table: Table) -> Iterator[tuple[Polytope, Array]]:
    """The parts of a polygon on which all forms of a table have constant signs, and the signs.

    Each cut takes time in the number of columns; parts are found depth first.
    """
    count = table.value.shape[1]
    whole = (1 << count) - 1
    stack = [_start(polytope, table)]
    while stack:
        part = stack.pop()
        positive = negative = whole
        for vertex in part.vertices:
            positive &= vertex.positive
            negative &= vertex.negative
        positive |= part.positive
        negative |= part.negative
        rest = whole & ~(positive | negative | part.zero)
        if not rest:
            yield _finished(part), _unpacked(positive, count) - _unpacked(negative, count)
            continue
        column = (rest & -rest).bit_length() - 1
        known = _Polygon(part.vertices, part.edges, positive, negative, part.zero)
        stack += _cut(known, table, column)


def _start(polytope: Polytope, table: Table) -> _Polygon:
    order = range(len(polytope.points)) if polytope.cyclic else ordered(polytope.tight)
    places = np.concatenate((polytope.points, polytope.doubt), axis=1).tolist()
    bases = polytope.bases.tolist()
    vertices = _valued([(tuple(places[k]), tuple(bases[k])) for k in order], table)
    facets, sides = polytope.facets.tolist(), polytope.sides.tolist()
    open_ = polytope.open_.tolist()
    parts = zip(facets, sides, open_, strict=True)
    edges: list[_Edge] = [_Edge(line, side, left_out) for line, side, left_out in parts]
    if not polytope.cyclic:
        tight = polytope.tight[list(order)]
        after = (tight & np.roll(tight, -1, axis=0)).argmax(axis=1)
        numbers: list[int] = after.tolist()
        edges = [edges[number] for number in numbers]
    return _Polygon(vertices, edges, 0, 0, 0)


def _valued(
    found: Sequence[tuple[tuple[float, ...], tuple[int, ...]]], table: Table
) -> list[_Vertex]:
    places = np.array([place for place, _ in found])
    values, errors = float_values(table.value, table.error, places[:, :2], places[:, 2:])
    above = np.packbits(values > errors, axis=1, bitorder="little")
    below = np.packbits(values < -errors, axis=1, bitorder="little")
    return [
        _Vertex(
            (place[0], place[1], place[2], place[3]),
            (basis[0], basis[1]),
            int.from_bytes(above[k].tobytes(), "little"),
            int.from_bytes(below[k].tobytes(), "little"),
        )
        for k, (place, basis) in enumerate(found)
    ]


def _unpacked(mask: int, count: int) -> Array:
    packed = np.frombuffer(mask.to_bytes((count + 7) // 8, "little"), dtype=np.uint8)
    return np.unpackbits(packed, count=count, bitorder="little").view(np.int8)


def _signs(part: _Polygon, table: Table, column: int) -> list[int]:
    """The exact sign of a form at every vertex."""
    bit = 1 << column
    signs = [
        1 if vertex.positive & bit else -1 if vertex.negative & bit else 0
        for vertex in part.vertices
    ]
    if 0 not in signs:
        return signs
    if not table.value[:, column].any() and not table.error[:, column].any():
        return signs
    row = table.exact_row(Question(column))
    for number, sign in enumerate(signs):
        if sign == 0:
            exact = dot(row, table.planes.exact_point(part.vertices[number].basis))
            signs[number] = (exact > 0) - (exact < 0)
    return signs


def _cut(part: _Polygon, table: Table, column: int) -> list[_Polygon]:
    """The one or two parts on which a form has a sign; its zero set has no interior of its own."""
    bit = 1 << column
    signs = _signs(part, table, column)
    above, below = max(signs) > 0, min(signs) < 0
    vertices, edges = part.vertices, part.edges
    positive, negative, zero = part.positive, part.negative, part.zero
    if not (above and below):
        return [
            _Polygon(
                vertices,
                edges,
                positive | (bit if above else 0),
                negative | (bit if below else 0),
                zero | (0 if above or below else bit),
            )
        ]
    planes = table.planes
    line = planes.add(
        table.value[:, column], table.error[:, column], lambda: table.exact_row(Question(column))
    )
    after = [*signs[1:], signs[0]]
    crossed = [k for k, (s, t) in enumerate(zip(signs, after, strict=True)) if s * t < 0]
    bases = [(edges[k].line, line) for k in crossed]
    fresh = (
        dict(zip(crossed, _valued([(planes.crossing(*b), b) for b in bases], table), strict=True))
        if bases
        else {}
    )
    first = _side(part, signs, after, fresh, _Edge(line, 1, open_=False))
    second = _side(part, signs, after, fresh, _Edge(line, -1, open_=False))
    return [
        _Polygon(*first, positive | bit, negative, zero),
        _Polygon(*second, positive, negative | bit, zero),
    ]


def _side(
    part: _Polygon,
    signs: Sequence[int],
    after: Sequence[int],
    fresh: dict[int, _Vertex],
    new: _Edge,
) -> tuple[list[_Vertex], list[_Edge]]:
    """The vertices and edges on one side of a line that cuts through the interior."""
    vertices: list[_Vertex] = []
    edges: list[_Edge] = []
    for k, vertex in enumerate(part.vertices):
        here, there = signs[k] * new.side, after[k] * new.side
        if here >= 0:
            vertices.append(vertex)
            # from a vertex on the line, the boundary follows the line or the old edge
            edges.append(new if here == 0 and there < 0 else part.edges[k])
        if here * there < 0:
            vertices.append(fresh[k])
            edges.append(new if here > 0 else part.edges[k])
    return vertices, edges


@lru_cache(maxsize=64)
def _incidence(count: int) -> Array:
    """Vertex k lies on the edge after it and on the edge before it."""
    tight = np.eye(count, dtype=bool)
    return tight | np.roll(tight, 1, axis=0)


def _finished(part: _Polygon) -> Polytope:
    places = np.array([vertex.place for vertex in part.vertices])
    edges = np.array(part.edges, dtype=np.int64)
    return Polytope(
        dim=2,
        points=places[:, :2],
        doubt=places[:, 2:],
        bases=np.array([vertex.basis for vertex in part.vertices], dtype=np.int64),
        tight=_incidence(len(places)),
        facets=edges[:, 0],
        sides=edges[:, 1],
        open_=edges[:, 2] != 0,
        cyclic=True,
    )

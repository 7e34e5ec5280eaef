"""Recomputation of a complex of cells, one cell after the other, in rationals.

At the inner point of a cell the network is followed in exact affine forms, and every decision on
the way is a linear inequality that is strict there.  A cell whose vertices satisfy all of them lies
in the region of one activation pattern, on which the function is the map that was followed.  Cells
with different patterns have disjoint interiors; so if their volumes add up to that of the box,
nothing is missing.  The search (floats, cuts, faces) has no part in this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import factorial, prod

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck.cells import steps as kinds
from tamecheck.cells.complex import Cell, Complex
from tamecheck.cells.forms import Forms
from tamecheck.cells.reading import steps_of
from tamecheck.exact.feasibility import minus, opposite
from tamecheck.exact.reals import as_number
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, size_of

_MOST = 1_000_000
"""The most work: for every cell its vertices, times the numbers that the network computes."""

_BORDER = 1 << 30

Row = tuple[fmpq, ...]


def is_complex(graph: Graph, found: Complex) -> bool | None:
    """Whether these are all cells of full dimension of a function, each with its map.

    None if the complex is not complete, if it has cells of lower dimension (which are not judged
    here), or if there is too much to compute.
    """
    steps = steps_of(graph)
    numbers = sum(size_of(graph.nodes[node].shape) for node in steps)
    vertices = sum(len(cell.polytope.points) for cell in found.cells)
    if not found.complete or found.lower_dimensional or vertices * numbers > _MOST:
        return None
    entries = found.slice_.forms()
    patterns: set[tuple[int, ...]] = set()
    total = fmpq(0)
    box = [(as_number(low), as_number(high)) for low, high in found.slice_.bounds]
    for cell in found.cells:
        corners = [(*point, fmpq(1)) for point in cell.exact_vertices]
        inside = (*map(as_number, cell.interior_point), fmpq(1))
        followed = _Follower(steps, entries, inside)
        if not followed.run():
            return False
        if any(_dot(row, corner) < 0 for row in followed.rows for corner in corners):
            return False
        if any(not a <= x <= b for c in corners for x, (a, b) in zip(c, box, strict=False)):
            return False
        if followed.outputs(cell) != _statement(cell) or tuple(followed.pattern) in patterns:
            return False
        patterns.add(tuple(followed.pattern))
        facets = [
            (*map(as_number, plane.normal), as_number(plane.offset)) for plane in cell.halfspaces
        ]
        values = [[_dot(facet, corner) for facet in facets] for corner in corners]
        if any(value < 0 for row in values for value in row):
            return False
        total += _volume(corners, [[value == 0 for value in row] for row in values])
    return bool(total == prod((high - low for low, high in box), start=fmpq(1)))


class _Follower:
    """The forms of all nodes on the pattern of one point, and what the pattern asks of others.

    The point has a 1 behind its coordinates.
    """

    def __init__(self, steps: Mapping[int, kinds.Step], entries: Forms, point: Row) -> None:
        self._steps, self._point = steps, point
        self._forms = {kinds.INPUTS: entries}
        self.rows: list[Row] = []
        self.pattern: list[int] = []

    def run(self) -> bool:
        """Follow all steps; false where the point is on the border of its pattern."""
        for node, step in self._steps.items():
            args = [self._forms[arg] for arg in step.args]
            decides, decided = kinds.deciding(step), kinds.NONE
            if decides is not None:
                found = self._decide(decides, decides.questions(args).value[0])
                if found is None:
                    return False
                self.pattern += found
                decided = np.array([found], dtype=np.int64)
            self._forms[node] = step.value(args, decided)
        return True

    def outputs(self, cell: Cell) -> list[Row]:
        """The map: for each output element its coefficients, the constant last."""
        found: list[Row] = []
        for node in cell.outputs:
            value = self._forms[node].value[0]
            found += [tuple(row) for row in value.reshape(value.shape[0], -1).T.tolist()]
        return found

    def _decide(self, step: kinds.Deciding, asked: Array) -> list[int] | None:
        columns = [tuple(column) for column in asked.T.tolist()]
        found: list[int] = []
        match step:
            case kinds.Pieces():
                found = [self._sign(column) for column in columns]
            case kinds.Extreme(groups=groups):
                count = groups.shape[1]
                for start in range(0, len(columns), count):
                    found.append(self._winner(step, columns[start : start + count]))
            case kinds.Round():
                found = [self._round(step, column) for column in columns]
            case kinds.Order(groups=groups, pairs=pairs):
                for start in range(0, len(columns), groups.shape[1]):
                    for i, j in pairs:
                        found.append(self._sign(minus(columns[start + i], columns[start + j])))
            case kinds.Pick():
                if any(any(column[:-1]) or column[-1].q != 1 for column in columns):
                    return None
                found = [int(column[-1]) for column in columns]
        return None if _BORDER in found else found

    def _sign(self, form: Row) -> int:
        """The sign at the point; 0 for the form 0 alone."""
        value = _dot(form, self._point)
        if not any(form[:-1]):
            return int(value > 0) - int(value < 0)
        if value == 0:
            return _BORDER
        sign = 1 if value > 0 else -1
        self.rows.append(tuple(sign * a for a in form))
        return sign

    def _winner(self, step: kinds.Extreme, forms: Sequence[Row]) -> int:
        """The place of the largest, or smallest, form; of equal forms the first or the last."""
        sign = 1 if step.largest else -1
        values = [sign * _dot(form, self._point) for form in forms]
        best = max(values)
        places = [place for place, value in enumerate(values) if value == best]
        winner = places[-1] if step.last else places[0]
        if any(forms[place] != forms[winner] for place in places):
            return _BORDER
        for place, form in enumerate(forms):
            if place not in places:
                ahead = minus(forms[winner], form)
                self.rows.append(tuple(sign * a for a in ahead))
        return winner

    def _round(self, step: kinds.Round, form: Row) -> int:
        """The integer at the point, between the jumps next to it."""
        value = _dot(form, self._point)
        integer = step.integer_at(value)
        if any(form[:-1]):
            offset = as_number(step.offset)
            below = (value - offset).floor() + offset
            if value == below:
                return _BORDER
            self.rows.append((*form[:-1], form[-1] - below))
            self.rows.append((*opposite(form[:-1]), below + 1 - form[-1]))
        return integer


def _statement(cell: Cell) -> list[Row]:
    """The map as the cell states it."""
    return [
        (*map(as_number, row), as_number(last))
        for row, last in zip(cell.map.matrix, cell.map.offset, strict=True)
    ]


def _dot(row: Row, point: Row) -> fmpq:
    return sum((a * x for a, x in zip(row, point, strict=True)), fmpq(0))


def _volume(corners: Sequence[Row], tight: Sequence[Sequence[bool]]) -> fmpq:
    """The volume of the hull of corners (a 1 stands last), given the facets that each lies on.

    Faces are cut into simplices from one corner over the faces without it (Cohen, Hickey 1979).
    """
    size = len(corners[0]) - 1
    sides = [frozenset(i for i, row in enumerate(tight) if row[k]) for k in range(len(tight[0]))]
    total = fmpq(0)
    for simplex in _simplices(frozenset(range(len(corners))), sides, size):
        rows = [x for place in simplex for x in corners[place]]
        total += abs(fmpq_mat(size + 1, size + 1, rows).det())
    return total / factorial(size)


def _simplices(
    face: frozenset[int], sides: Sequence[frozenset[int]], size: int
) -> Iterator[tuple[int, ...]]:
    if size == 0:
        yield (min(face),)
        return
    parts = {face & side for side in sides} - {face, frozenset[int]()}
    apex = min(face)
    for part in parts:
        if apex not in part and not any(part < other for other in parts):
            for simplex in _simplices(part, sides, size - 1):
                yield (apex, *simplex)

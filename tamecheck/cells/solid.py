"""Polytopes of full dimension cut by the hyperplanes of a whole layer: `decisions`, specialised.

A polytope is one array, with a row a vertex: on which hyperplanes it lies, its coordinates and the
values of all forms, and bounds on the errors of these.  A vertex that a cut makes divides an edge,
and so do the values of all forms there: no linear system is solved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tamecheck.cells.forms import EPSILON
from tamecheck.cells.hyperplanes import Hyperplanes, dot, float_values
from tamecheck.cells.polytope import Polytope, Question, Table
from tamecheck.ir.tensor import Array

__all__ = ["is_solid", "solids"]

_DOUBTFUL = 2.0**-20
"""A vertex with larger errors than this is computed anew from its hyperplanes."""


class _Layout(NamedTuple):
    """Where a row has what; ``columns`` are the forms of the table that a row has values of.

    The hyperplanes are the facets at the start, and one for each form that may cut; then come
    coordinates and values from ``values`` on, and their errors from ``errors`` on.
    """

    table: Table
    start: Polytope
    columns: Array
    values: int
    errors: int

    @property
    def dim(self) -> int:
        """The dimension."""
        return self.start.dim


class _Part(NamedTuple):
    """A part of the polytope: its rows, the signs decided on it, and its hyperplanes.

    ``numbers`` and ``sides`` have an entry for each hyperplane that a row has a place for; the
    side is 0 where there was no cut.
    """

    rows: Array
    signs: Array
    numbers: Array
    sides: Array


def is_solid(polytope: Polytope) -> bool:
    """Whether a polytope has full dimension, 3 at least."""
    return polytope.dim == polytope.points.shape[1] >= 3


def solids(polytope: Polytope, table: Table) -> Iterator[tuple[Polytope, Array]]:
    """The parts of a polytope on which all forms of a table have constant signs, and the signs.

    Each cut takes time in the number of columns times vertices, and in the number of pairs of
    vertices on its two sides; parts are found depth first.
    """
    layout, part = _begun(polytope, table)
    columns, dim = layout.columns, layout.dim
    stack = [(part, np.arange(len(columns)))]
    while stack:
        part, open_ = stack.pop()
        values = part.rows[:, layout.values + dim + open_]
        errors = part.rows[:, layout.errors + dim + open_]
        above, below = (values > errors).all(axis=0), (values < -errors).all(axis=0)
        part.signs[columns[open_]] = np.subtract(above, below, dtype=np.int8)
        open_ = open_[~(above | below)]
        if not open_.size:
            yield _finished(layout, part), part.signs
            continue
        place, rest = int(open_[0]), open_[1:]
        signs = _exact_signs(layout, part, place)
        up, down = bool((signs > 0).any()), bool((signs < 0).any())
        if up and down:
            stack += [(child, rest) for child in _crossed(layout, part, place, signs)]
        else:
            part.signs[columns[place]] = up - down
            stack.append((part, rest))


def _begun(polytope: Polytope, table: Table) -> tuple[_Layout, _Part]:
    """The layout of rows for the forms without a sign on all of the polytope, and the start."""
    values, errors = float_values(table.value, table.error, polytope.points, polytope.doubt)
    above, below = (values > errors).all(axis=0), (values < -errors).all(axis=0)
    columns = np.flatnonzero(~(above | below))
    count, width = len(columns), len(polytope.facets) + len(columns)
    rows = np.concatenate(
        (
            polytope.tight,
            np.zeros((len(values), count)),
            polytope.points,
            values[:, columns],
            polytope.doubt,
            errors[:, columns],
        ),
        axis=1,
    )
    layout = _Layout(table, polytope, columns, width, width + polytope.dim + count)
    nowhere = np.zeros(count, dtype=np.int64)
    numbers = np.concatenate((polytope.facets, nowhere))
    sides = np.concatenate((polytope.sides, nowhere))
    signs: Array = np.subtract(above, below, dtype=np.int8)
    return layout, _Part(rows, signs, numbers, sides)


def _exact_signs(layout: _Layout, part: _Part, place: int) -> Array:
    """The exact sign of a form at every vertex."""
    value = part.rows[:, layout.values + layout.dim + place]
    error = part.rows[:, layout.errors + layout.dim + place]
    signs = (value > error).astype(np.int64) - (value < -error)
    table, column = layout.table, int(layout.columns[place])
    if signs.all() or not (table.value[:, column].any() or table.error[:, column].any()):
        return signs
    row = table.exact_row(Question(column))
    for index in np.flatnonzero(signs == 0).tolist():
        through = part.numbers[part.rows[index, : layout.values] > 0].tolist()
        exact = dot(row, table.planes.exact_point(_basis(table.planes, through, layout.dim)))
        signs[index] = (exact > 0) - (exact < 0)
    return signs


def _basis(planes: Hyperplanes, through: list[int], dim: int) -> tuple[int, ...]:
    return tuple(through) if len(through) == dim else planes.independent(through, dim)


def _crossed(layout: _Layout, part: _Part, form: int, signs: Array) -> list[_Part]:
    """The two parts on the sides of a hyperplane that cuts through the interior."""
    table, column = layout.table, int(layout.columns[form])
    number = table.planes.add(
        table.value[:, column], table.error[:, column], lambda: table.exact_row(Question(column))
    )
    place = len(layout.start.facets) + form
    numbers = part.numbers.copy()
    numbers[place] = number
    upper, lower = part.rows[signs > 0], part.rows[signs < 0]
    fresh, vague = _divided_edges(layout, part.rows, upper, lower, form)
    fresh[:, place] = 1
    if vague.size:
        _solved(layout, part._replace(numbers=numbers), fresh, vague)
    flat = part.rows[signs == 0]
    flat[:, place] = 1
    found: list[_Part] = []
    for side, own in ((1, upper), (-1, lower)):
        decided, sides = part.signs.copy(), part.sides.copy()
        decided[column] = sides[place] = side
        rows = np.concatenate((own, flat, fresh))
        found.append(_Part(rows, decided, numbers, sides))
    return found


def _divided_edges(
    layout: _Layout, rows: Array, upper: Array, lower: Array, form: int
) -> tuple[Array, Array]:
    """The rows of the points where edges cross a hyperplane, and which of these are too vague.

    If ``f(p) > 0 > f(q)``, the point is at the share ``f(p) / (f(p) - f(q))`` of the way from p
    to q, and there every affine form has this share of its own way.  With errors e(p) and e(q) of
    the values, the computed share is off by at most
    ``(e(p) (1 - share) + e(q) share) / (f(p) - f(q) - e(p) - e(q))``.
    """
    width, dim = layout.values, layout.dim
    incident, other = upper[:, :width], lower[:, :width]
    first, second = np.nonzero(incident @ other.T >= dim - 1)
    start, end = upper[first], lower[second]
    tight = start[:, :width] * end[:, :width]
    every = rows[:, :width]
    # every vertex is on as many hyperplanes as the dimension, or on more
    if every.sum() > dim * len(every):
        # two vertices span an edge if no third one lies on all the facets that they share
        edge = (tight @ every.T == tight.sum(axis=1)[:, None]).sum(axis=1) == 2
        start, end, tight = start[edge], end[edge], tight[edge]
    own = form + dim
    at, to = start[:, width + own], end[:, width + own]
    at_error, to_error = start[:, layout.errors + own], end[:, layout.errors + own]
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = at - to
        share = at / whole
        # the errors of the two values move the point along the edge by so large a share
        room = whole * (1 - 8 * EPSILON) - at_error - to_error
        moved = at_error * (1 - share) + to_error * share + 8 * EPSILON * (at_error + to_error)
        moved = (moved / room + 8 * EPSILON)[:, None]
        values, far = start[:, width : layout.errors], end[:, width : layout.errors]
        errors, far_errors = start[:, layout.errors :], end[:, layout.errors :]
        step = far - values
        found = values + share[:, None] * step
        bound = np.maximum(errors, far_errors) + moved * (np.abs(step) + errors + far_errors)
        bound += 16 * EPSILON * (np.abs(values) + np.abs(far) + bound)
        good = (room > 0) & (bound.max(axis=1) < _DOUBTFUL)
    return np.concatenate((tight, found, bound), axis=1), np.flatnonzero(~good)


def _solved(layout: _Layout, part: _Part, fresh: Array, bad: Array) -> None:
    """Replace the values in some rows by those at the common point of their hyperplanes."""
    table, dim = layout.table, layout.dim
    through = [part.numbers[row].tolist() for row in fresh[bad, : layout.values] > 0]
    bases = np.array([_basis(table.planes, numbers, dim) for numbers in through])
    points, doubt = table.planes.points(bases)
    with np.errstate(invalid="ignore"):
        forms, errors_of = table.value[:, layout.columns], table.error[:, layout.columns]
        values, errors = float_values(forms, errors_of, points, doubt)
    fresh[bad, layout.values :] = np.concatenate((points, values, doubt, errors), axis=1)


def _finished(layout: _Layout, part: _Part) -> Polytope:
    start, dim, width = layout.start, layout.dim, layout.values
    tight = part.rows[:, :width] > 0
    real = np.flatnonzero((tight.sum(axis=0) >= dim) & (part.sides != 0))
    tight = tight[:, real]
    numbers = part.numbers[real]
    planes = layout.table.planes
    if tight.sum() == dim * len(tight):
        bases = numbers[np.nonzero(tight)[1].reshape(len(tight), dim)]
    else:
        facets = _maximal(tight)
        real, tight, numbers = real[facets], tight[:, facets], numbers[facets]
        bases = np.array([_basis(planes, numbers[row].tolist(), dim) for row in tight])
    open_ = np.zeros(width, dtype=bool)
    open_[: len(start.open_)] = start.open_
    first, last = width, layout.errors
    return Polytope(
        dim=dim,
        points=part.rows[:, first : first + dim].copy(),
        doubt=part.rows[:, last : last + dim].copy(),
        bases=bases,
        tight=tight,
        facets=numbers,
        sides=part.sides[real],
        open_=open_[real],
    )


def _maximal(tight: Array) -> Array:
    """Which columns are facets: a hyperplane that meets a smaller face has fewer vertices."""
    shared = tight.T.astype(np.float64) @ tight
    count = shared.diagonal()
    inside = (shared == count[:, None]) & (count[:, None] < count)
    return ~inside.any(axis=1)

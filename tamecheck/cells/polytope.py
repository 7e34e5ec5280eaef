"""Polytopes by their vertices and facets, and how a hyperplane cuts them.

Every vertex has float64 coordinates with a rigorous error bound, and the numbers of ``d``
hyperplanes whose common point it is; the sign of a form at a vertex is taken from the floats where
they settle it, and from the rational point where they do not.  So no decision is ever rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from flint import fmpq

from tamecheck.cells.forms import EPSILON
from tamecheck.cells.hyperplanes import ExactRow, Hyperplanes, dot, float_values
from tamecheck.evaluate.reals import as_number
from tamecheck.ir.tensor import Array

__all__ = [
    "Corners",
    "Cut",
    "Polytope",
    "Question",
    "Table",
    "Work",
    "box_polytope",
    "facet_columns",
]


class Corners(NamedTuple):
    """Points that are vertices of one polytope or of many.

    Parameters
    ----------
    points, doubt
        Coordinates, and bounds on the error of each.
    bases
        For each point, ``d`` independent hyperplanes through it.
    """

    points: Array
    doubt: Array
    bases: Array


@dataclass(frozen=True, slots=True, eq=False)
class Polytope:
    """A bounded polytope of dimension ``dim``.

    Parameters
    ----------
    corners, rows
        Points, and which of them are the vertices.
    tight
        Which vertex lies on which facet.
    facets, sides
        The facets' hyperplanes, and on which side (1 or -1) of each the polytope lies.
    open_
        Which facets do not belong to the set: those at a jump.
    equal
        The hyperplanes that contain the polytope, for one of lower dimension.
    """

    dim: int
    corners: Corners
    rows: Array
    tight: Array
    facets: Array
    sides: Array
    open_: Array
    equal: tuple[int, ...] = ()

    @property
    def space(self) -> int:
        """The dimension of the space around it."""
        return self.corners.points.shape[1]

    @property
    def points(self) -> Array:
        """The coordinates of the vertices."""
        return self.corners.points[self.rows]

    @property
    def doubt(self) -> Array:
        """Bounds on the errors of `points`."""
        return self.corners.doubt[self.rows]

    @property
    def bases(self) -> Array:
        """For each vertex, ``d`` independent hyperplanes through it."""
        return self.corners.bases[self.rows]

    def exact_points(self, planes: Hyperplanes) -> list[ExactRow]:
        """The vertices as rationals."""
        return [planes.exact_point(tuple(basis)) for basis in self.bases.tolist()]


def facet_columns(tight: Array) -> Array:
    """Which of the hyperplanes that touch a polytope hold a facet; of equal ones the first.

    Parameters
    ----------
    tight
        Which vertex lies on which of the hyperplanes; all facets are among these.
    """
    shared = tight.T.astype(np.float64) @ tight
    count = shared.diagonal()
    inside = shared == count[:, None]
    # a hyperplane that meets a smaller face holds fewer vertices
    smaller = inside & ((count[:, None] < count) | np.tri(len(count), k=-1, dtype=bool))
    return np.flatnonzero(~smaller.any(axis=1))


def box_polytope(planes: Hyperplanes, bounds: Sequence[tuple[Fraction, Fraction]]) -> Polytope:
    """The box with these sides; a side of width 0 makes it flat."""
    size = len(bounds)
    numbers: list[tuple[int, int]] = []
    for axis, (low, high) in enumerate(bounds):
        numbers.append((_side(planes, size, axis, low), _side(planes, size, axis, high)))
    wide = [axis for axis, (low, high) in enumerate(bounds) if low < high]
    flat = tuple(numbers[axis][0] for axis in range(size) if axis not in wide)
    corners = np.array(
        [[(k >> i) & 1 for i in range(len(wide))] for k in range(2 ** len(wide))], dtype=np.int64
    ).reshape(2 ** len(wide), len(wide))
    choice = np.array([numbers[axis] for axis in wide], dtype=np.int64).reshape(len(wide), 2)
    moving = choice[np.arange(len(wide)), corners]
    rest = np.broadcast_to(np.array(flat, dtype=np.int64), (len(corners), len(flat)))
    bases = np.concatenate([moving, rest], axis=1)
    points, doubt = planes.points(bases) if size else (np.zeros((1, 0)), np.zeros((1, 0)))
    tight = np.concatenate([corners == 0, corners == 1], axis=1)
    return Polytope(
        dim=len(wide),
        corners=Corners(points, doubt, bases),
        rows=np.arange(len(points)),
        tight=tight,
        facets=np.concatenate([choice[:, 0], choice[:, 1]]),
        sides=np.repeat(np.array([1, -1]), len(wide)),
        open_=np.zeros(2 * len(wide), dtype=bool),
        equal=flat,
    )


def _side(planes: Hyperplanes, size: int, axis: int, end: Fraction) -> int:
    row = [fmpq(0)] * (size + 1)
    row[axis], row[-1] = fmpq(1), -as_number(end)
    value = np.array([float(Fraction(int(a.p), int(a.q))) for a in row])
    error = np.zeros(size + 1)
    if Fraction(value[-1]) != -end:
        error[-1] = abs(value[-1]) * EPSILON + 1e-300
    exact = tuple(row)
    return planes.add(value, error, lambda: exact)


class Question(NamedTuple):
    """The form ``column - minus - threshold``; ``minus`` is a column too, or -1 for none."""

    column: int
    minus: int = -1
    threshold: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The forms that the decisions at one node and cell are about, as columns."""

    planes: Hyperplanes
    value: Array
    error: Array
    exact: Callable[[int], ExactRow]

    def exact_row(self, question: Question) -> ExactRow:
        """The exact coefficients of a question's form."""
        row = list(self.exact(question.column))
        if question.minus >= 0:
            row = [a - b for a, b in zip(row, self.exact(question.minus), strict=True)]
        row[-1] -= as_number(question.threshold)
        return tuple(row)

    def floats(self, question: Question) -> tuple[Array, Array]:
        """Float coefficients of a question's form, and their error bounds."""
        value, error = self.value[:, question.column], self.error[:, question.column]
        if question.minus < 0 and not question.threshold:
            return value, error
        size = np.abs(value)
        if question.minus >= 0:
            other = self.value[:, question.minus]
            size, error = size + np.abs(other), error + self.error[:, question.minus]
            value = value - other
        value, shift = value.copy(), float(question.threshold)
        value[-1] -= shift
        return value, error + 4 * EPSILON * (size + abs(shift)) * (size + abs(shift) > 0)


class Cut(NamedTuple):
    """The parts of a polytope where a form is negative, zero and positive; all may be missing.

    Where the form vanishes on the whole polytope, that is the zero part.
    """

    negative: Work | None
    zero: Work | None
    positive: Work | None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A polytope with the values of a table's forms at its vertices."""

    polytope: Polytope
    table: Table
    values: Array
    errors: Array

    @staticmethod
    def start(polytope: Polytope, table: Table) -> Work:
        """Evaluate all the forms at all the vertices."""
        found = float_values(table.value, table.error, polytope.points, polytope.doubt)
        return Work(polytope, table, *found)

    def range_of(self, question: Question) -> tuple[Array, Array]:
        """The values of a question's form at the vertices, and error bounds."""
        value, error = self.values[:, question.column], self.errors[:, question.column]
        if question.minus >= 0:
            other = self.values[:, question.minus]
            error = error + self.errors[:, question.minus]
            error = error + 2 * EPSILON * (np.abs(value) + np.abs(other))
            value = value - other
        if question.threshold:
            shift = float(question.threshold)
            error = error + 2 * EPSILON * (np.abs(value) + abs(shift))
            value = value - shift
        return value, error

    def signs(self, question: Question) -> Array:
        """The exact sign of a question's form at every vertex."""
        value, error = self.range_of(question)
        signs = np.zeros(len(value), dtype=np.int64)
        signs[value > error] = 1
        signs[value < -error] = -1
        open_ = np.flatnonzero(signs == 0)
        if not open_.size or self._vanishes(question):
            return signs
        row = self.table.exact_row(question)
        if not any(row):
            return signs
        bases = self.polytope.bases
        for index in open_.tolist():
            basis = tuple(bases[index].tolist())
            exact = dot(row, self.table.planes.exact_point(basis))
            signs[index] = (exact > 0) - (exact < 0)
        return signs

    def _vanishes(self, question: Question) -> bool:
        value, error = self.table.floats(question)
        return not value.any() and not error.any()

    def cut(self, question: Question, *, jump: bool = False) -> Cut:
        """Cut along the hyperplane where a question's form vanishes.

        With ``jump`` the zero part counts too, and is left out of the other two.
        """
        signs = self.signs(question)
        below, above = bool((signs < 0).any()), bool((signs > 0).any())
        if not below and not above:
            return Cut(None, self, None)
        if not (below and above):
            zero = self._face(signs == 0) if jump and not signs.all() else None
            rest = self._opened(signs == 0) if zero is not None else self
            return Cut(rest if below else None, zero, rest if above else None)
        return self._crossed(question, signs, jump=jump)

    def _crossed(self, question: Question, signs: Array, *, jump: bool) -> Cut:
        whole = self.polytope
        value, error = self.table.floats(question)
        table = self.table
        number = table.planes.add(value, error, lambda: table.exact_row(question))
        above, below = np.flatnonzero(signs > 0), np.flatnonzero(signs < 0)
        flat = np.flatnonzero(signs == 0)
        tight, bases = _new_vertices(whole, above, below, number, table.planes)
        points, doubt = table.planes.points(bases)
        values, errors = float_values(table.value, table.error, points, doubt)
        fresh = _Fresh(points, doubt, bases, tight, values, errors)

        def part(index: Array, side: int) -> Work:
            kept = np.concatenate((index, flat)) if flat.size else index
            return self._assembled(kept, fresh, _Facet(number, side, jump, len(index)))

        zero = self._assembled(flat, fresh, number) if jump else None
        return Cut(part(below, -1), zero, part(above, 1))

    def _assembled(self, kept: Array, fresh: _Fresh, facet: _Facet | int) -> Work:
        """The polytope of some old vertices and the new ones, with a new facet or equation."""
        whole = self.polytope
        old, new = len(kept), len(fresh.tight)
        width = whole.tight.shape[1]
        dim, equal = whole.dim, whole.equal
        extra = 1 if isinstance(facet, _Facet) else 0
        tight = np.empty((old + new, width + extra), dtype=bool)
        tight[:old, :width] = whole.tight[kept]
        tight[old:, :width] = fresh.tight
        facets, sides, open_ = whole.facets, whole.sides, whole.open_
        if isinstance(facet, _Facet):
            tight[: facet.start, width] = False
            tight[facet.start :, width] = True
            facets = np.concatenate((facets, (facet.number,)))
            sides = np.concatenate((sides, (facet.side,)))
            open_ = np.concatenate((open_, (facet.open_,)))
        else:
            dim, equal = dim - 1, (*equal, facet)
        real, left_out = _facets(tight, open_, dim)
        polytope = Polytope(
            dim=dim,
            corners=Corners(
                np.concatenate((whole.points[kept], fresh.points)),
                np.concatenate((whole.doubt[kept], fresh.doubt)),
                np.concatenate((whole.bases[kept], fresh.bases)),
            ),
            rows=np.arange(old + new),
            tight=tight[:, real],
            facets=facets[real],
            sides=sides[real],
            open_=left_out,
            equal=equal,
        )
        return Work(
            polytope,
            self.table,
            np.concatenate((self.values[kept], fresh.values)),
            np.concatenate((self.errors[kept], fresh.errors)),
        )

    def _face(self, flat: Array) -> Work | None:
        """The face spanned by some vertices, unless it lies on a facet that is left out."""
        whole = self.polytope
        common = whole.tight[flat].all(axis=0)
        if bool((common & whole.open_).any()):
            return None
        planes = self.table.planes
        held = [*whole.equal, *whole.facets[common].tolist()]
        chosen = planes.independent(held, whole.space)
        dim = whole.space - len(chosen)
        tight = whole.tight[flat][:, ~common]
        real, left_out = _facets(tight, whole.open_[~common], dim)
        polytope = Polytope(
            dim=dim,
            corners=whole.corners,
            rows=whole.rows[flat],
            tight=tight[:, real],
            facets=whole.facets[~common][real],
            sides=whole.sides[~common][real],
            open_=left_out,
            equal=chosen,
        )
        return Work(polytope, self.table, self.values[flat], self.errors[flat])

    def _opened(self, flat: Array) -> Work:
        whole = self.polytope
        common = whole.tight[flat].all(axis=0)
        # a smaller face than a facet stays in the closure, where the value is that of the face
        same = common & (whole.tight.sum(axis=0) == int(flat.sum()))
        if not same.any():
            return self
        return replace(self, polytope=replace(whole, open_=whole.open_ | same))


def _facets(tight: Array, open_: Array, dim: int) -> tuple[Array, Array]:
    """Which of some hyperplanes hold facets, each facet once, and which facets are left out."""
    count = tight.sum(axis=0)
    columns = np.flatnonzero((count >= max(dim, 1)) & (count < len(tight)))
    on = tight[:, columns]
    if dim and int(on.sum(axis=1).max(initial=0)) > dim:
        chosen = facet_columns(on)
        # a facet of a face may lie on two facets of the polytope, one of them left out
        same = (on[:, :, None] == on[:, None, chosen]).all(axis=0)
        return columns[chosen], (open_[columns, None] & same).any(axis=0)
    return columns, open_[columns]


class _Facet(NamedTuple):
    """A new facet; the vertices from ``start`` on lie on it."""

    number: int
    side: int
    open_: bool
    start: int


class _Fresh(NamedTuple):
    """The vertices that a cut makes."""

    points: Array
    doubt: Array
    bases: Array
    tight: Array
    values: Array
    errors: Array


def _new_vertices(
    whole: Polytope, above: Array, below: Array, number: int, planes: Hyperplanes
) -> tuple[Array, Array]:
    """Where edges cross a new hyperplane: the old facets through each point, and its basis."""
    upper, lower = whole.tight[above], whole.tight[below]
    need = whole.dim - 1
    shared = upper.astype(np.float32) @ lower.T.astype(np.float32)
    first, second = np.nonzero(shared >= need)
    tight = upper[first] & lower[second]
    simple = bool((whole.tight.sum(axis=1) == whole.dim).all())
    if not simple:
        # two vertices span an edge if no third one lies on all the facets that they share
        through = tight.astype(np.float32) @ whole.tight.T.astype(np.float32)
        edge = (through == tight.sum(axis=1)[:, None]).sum(axis=1) == 2
        tight = tight[edge]
    size = len(tight)
    fixed = np.array([*whole.equal, number], dtype=np.int64)
    if simple:
        old = whole.facets[np.nonzero(tight)[1].reshape(size, need)]
    else:
        old = np.array(
            [
                planes.independent(
                    [*whole.equal, *whole.facets[row].tolist()], len(fixed) - 1 + need
                )[len(fixed) - 1 :]
                for row in tight
            ],
            dtype=np.int64,
        ).reshape(size, need)
    return tight, np.concatenate([old, np.broadcast_to(fixed, (size, len(fixed)))], axis=1)

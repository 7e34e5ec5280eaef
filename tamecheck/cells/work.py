"""How one hyperplane cuts one polytope, of any dimension, with its parts of lower dimension.

The sign of a form at a vertex is taken from the floats where they settle it, and from the rational
point where they do not.  So no decision is ever rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tamecheck.cells import polytope as polytopes
from tamecheck.cells.forms import EPSILON
from tamecheck.ir.tensor import Array


class Cut(NamedTuple):
    """The parts of a polytope where a form is negative, zero and positive; all may be missing.

    Where the form vanishes on the whole polytope, that is the zero part.
    """

    negative: Work | None
    zero: Work | None
    positive: Work | None

    def by_sign(self) -> list[tuple[int, Work]]:
        """The parts that there are, with the sign of the form."""
        parts = ((1, self.positive), (0, self.zero), (-1, self.negative))
        return [(sign, part) for sign, part in parts if part is not None]


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A polytope with the values of a table's forms at its vertices."""

    polytope: polytopes.Polytope
    table: polytopes.Table
    values: Array
    errors: Array

    @staticmethod
    def start(polytope: polytopes.Polytope, table: polytopes.Table) -> Work:
        """Evaluate all the forms at all the vertices."""
        found = polytopes.float_values(table.value, table.error, polytope.points, polytope.doubt)
        return Work(polytope, table, *found)

    def range_of(self, question: polytopes.Question) -> tuple[Array, Array]:
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

    def signs(self, question: polytopes.Question) -> Array:
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
            exact = polytopes.dot(row, self.table.planes.exact_point(basis))
            signs[index] = (exact > 0) - (exact < 0)
        return signs

    def _vanishes(self, question: polytopes.Question) -> bool:
        value, error = self.table.floats(question)
        return not value.any() and not error.any()

    def cut(self, question: polytopes.Question, *, jump: bool = False) -> Cut:
        """Cut along the hyperplane where a question's form vanishes.

        With ``jump`` the zero part counts too, and is left out of the other two.
        """
        signs = self.signs(question)
        below, above = bool((signs < 0).any()), bool((signs > 0).any())
        if not below and not above:
            return Cut(None, self, None)
        if not (below and above):
            zero = self._face(signs == 0) if jump and not signs.all() else None
            rest = self._open(signs == 0) if zero is not None else self
            return Cut(rest if below else None, zero, rest if above else None)
        return self._cross(question, signs, jump=jump)

    def _cross(self, question: polytopes.Question, signs: Array, *, jump: bool) -> Cut:
        whole = self.polytope
        value, error = self.table.floats(question)
        table = self.table
        number = table.planes.add(value, error, lambda: table.exact_row(question))
        above, below = np.flatnonzero(signs > 0), np.flatnonzero(signs < 0)
        flat = np.flatnonzero(signs == 0)
        tight, bases = _new_vertices(whole, above, below, number, table.planes)
        points, doubt = table.planes.points(bases)
        values, errors = polytopes.float_values(table.value, table.error, points, doubt)
        fresh = _Fresh(points, doubt, bases, tight, values, errors)

        def part(index: Array, side: int) -> Work:
            kept = np.concatenate((index, flat)) if flat.size else index
            return self._assemble(kept, fresh, _Facet(number, side, jump, len(index)))

        zero = self._assemble(flat, fresh, number) if jump else None
        return Cut(part(below, -1), zero, part(above, 1))

    def _assemble(self, kept: Array, fresh: _Fresh, facet: _Facet | int) -> Work:
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
        polytope = polytopes.Polytope(
            dim=dim,
            corners=polytopes.Corners(
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
        polytope = polytopes.Polytope(
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

    def _open(self, flat: Array) -> Work:
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
        chosen = polytopes.facet_columns(on)
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
    whole: polytopes.Polytope,
    above: Array,
    below: Array,
    number: int,
    planes: polytopes.Hyperplanes,
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

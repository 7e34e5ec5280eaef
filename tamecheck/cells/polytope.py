"""Polytopes by their vertices and facets, and the forms that divide them.

Every vertex has float64 coordinates with a rigorous error bound, and the numbers of ``d``
hyperplanes whose common point it is, from which its rational coordinates are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from flint import fmpq

from tamecheck.cells.forms import EPSILON
from tamecheck.cells.hyperplanes import ExactRow, Hyperplanes
from tamecheck.exact.reals import as_number
from tamecheck.ir.tensor import Array

__all__ = ["Corners", "Polytope", "Question", "Table", "box_polytope", "facet_columns"]


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

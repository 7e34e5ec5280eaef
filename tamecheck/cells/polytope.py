"""Hyperplanes and polytopes: float64 with rigorous errors, rationals on demand.

A polytope is given by its vertices and facets.  Every vertex has float64 coordinates with an error
bound, and the numbers of ``d`` hyperplanes whose common point it is, from which its rational
coordinates are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck.cells.forms import EPSILON
from tamecheck.exact.reals import as_number
from tamecheck.ir.tensor import Array

_SAFE = 1 + 2.0**-40

ExactRow: TypeAlias = tuple[fmpq, ...]
"""The coefficients of an affine form: ``d`` of the coordinates, then the constant."""

_Pair: TypeAlias = tuple[float, float]


def dot(row: Sequence[fmpq], point: Sequence[fmpq]) -> fmpq:
    """The value of an affine form at a point."""
    total = row[-1]
    for a, x in zip(row, point, strict=False):
        if a != 0:
            total += a * x
    return total


def float_values(forms: Array, errors: Array, points: Array, doubt: Array) -> tuple[Array, Array]:
    """Values of forms (columns) at points (rows), and bounds on the error of each.

    In front there may be axes for many such matrices.
    """
    linear, constant = forms[..., :-1, :], forms[..., -1:, :]
    size, reach = np.abs(linear), np.abs(points)
    values = points @ linear + constant
    exact = np.abs(constant) + reach @ size
    bound = (reach + doubt) @ errors[..., :-1, :] + errors[..., -1:, :] + doubt @ size
    bound += (4 + points.shape[-1]) * 2 * EPSILON * (exact + bound)
    return values, bound


class Hyperplanes:
    """The hyperplanes that bound cells, by number; exact coefficients are computed on demand."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._count = 0
        self._value: Array = np.zeros((64, dimension + 1))
        self._error: Array = np.zeros((64, dimension + 1))
        self._rows: list[ExactRow | Callable[[], ExactRow]] = []
        self._floats: list[tuple[float, ...]] = []
        self._points: dict[tuple[int, ...], ExactRow] = {}

    def add(self, value: Array, error: Array, exact: Callable[[], ExactRow]) -> int:
        """The number of a new hyperplane, where the form with these coefficients vanishes."""
        if self._count == len(self._value):
            self._value = np.concatenate([self._value, np.zeros_like(self._value)])
            self._error = np.concatenate([self._error, np.zeros_like(self._error)])
        self._value[self._count] = value
        self._error[self._count] = error
        self._rows.append(exact)
        self._floats.append((*value.tolist(), *error.tolist()))
        self._count += 1
        return self._count - 1

    def row(self, number: int) -> ExactRow:
        """The exact coefficients of a hyperplane."""
        found = self._rows[number]
        if callable(found):
            found = self._rows[number] = found()
        return found

    def floats(self, numbers: Array) -> tuple[Array, Array]:
        """Float coefficients and their error bounds."""
        return self._value[numbers], self._error[numbers]

    def points(self, bases: Array) -> tuple[Array, Array]:
        """The common point of each row of hyperplanes, and a bound on the error of each coordinate.

        The bound is infinite where the floats do not tell the hyperplanes from dependent ones.
        """
        if self.dimension == 2:
            found = [self.crossing(i, j) for i, j in bases.tolist()]
            table = np.array(found, dtype=np.float64).reshape(-1, 4)
            return table[:, :2], table[:, 2:]
        value, error = self._value[bases], self._error[bases]
        if self.dimension == 1:
            return _ratio(-value[:, 0, 1], error[:, 0, 1], value[:, 0, 0], error[:, 0, 0])
        return _solution(value, error)

    def crossing(self, i: int, j: int) -> tuple[float, float, float, float]:
        """Cramer's rule for two lines, and bounds on the errors of the two coordinates."""
        a, b, c, ea, eb, ec = self._floats[i]
        p, q, r, ep, eq, er = self._floats[j]
        low, low_error = _minor((a, b), (p, q), (ea, eb), (ep, eq))
        room = abs(low) - low_error
        if not room > 0:
            return 0.0, 0.0, math.inf, math.inf
        x, x_error = _minor((b, c), (q, r), (eb, ec), (eq, er))
        y, y_error = _minor((c, a), (r, p), (ec, ea), (er, ep))
        x, y = x / low, y / low
        size_x, size_y = abs(x), abs(y)
        return (
            x,
            y,
            (x_error + size_x * low_error) / room * _SAFE + size_x * 8 * EPSILON,
            (y_error + size_y * low_error) / room * _SAFE + size_y * 8 * EPSILON,
        )

    def exact_point(self, basis: tuple[int, ...]) -> ExactRow:
        """The common point of ``d`` independent hyperplanes, exactly."""
        found = self._points.get(basis)
        if found is None:
            rows = [self.row(number) for number in basis]
            found = _exact_crossing(rows) if len(rows) == 2 else _exact_solution(rows)
            self._points[basis] = found
        return found

    def rank(self, numbers: Sequence[int]) -> int:
        """The exact rank of the hyperplanes' normals."""
        rows = [list(self.row(number)[:-1]) for number in numbers]
        return fmpq_mat(rows).rank() if rows else 0

    def independent(self, numbers: Sequence[int], count: int) -> tuple[int, ...]:
        """The first ``count`` of the hyperplanes whose normals are independent."""
        chosen: list[int] = []
        for number in numbers:
            if len(chosen) == count:
                break
            if self.rank([*chosen, number]) > len(chosen):
                chosen.append(number)
        return tuple(chosen)


def _minor(first: _Pair, second: _Pair, errors: _Pair, others: _Pair) -> tuple[float, float]:
    """``x w - y z`` of two pairs ``x, y`` and ``z, w``, with a bound on its error."""
    (x, y), (z, w) = first, second
    (ex, ey), (ez, ew) = errors, others
    ax, ay, az, aw = abs(x), abs(y), abs(z), abs(w)
    spread = ax * ew + aw * ex + ex * ew + ay * ez + az * ey + ey * ez
    return x * w - y * z, spread + 4 * EPSILON * (ax * aw + ay * az + spread)


def _exact_crossing(rows: Sequence[ExactRow]) -> ExactRow:
    (a, b, c), (p, q, r) = rows
    determinant = a * q - b * p
    return (b * r - c * q) / determinant, (c * p - a * r) / determinant


def _exact_solution(rows: Sequence[ExactRow]) -> ExactRow:
    size = len(rows)
    left = fmpq_mat(size, size, [a for row in rows for a in row[:-1]])
    right = fmpq_mat(size, 1, [-row[-1] for row in rows])
    return tuple(left.solve(right).entries())


def _ratio(top: Array, top_error: Array, low: Array, low_error: Array) -> tuple[Array, Array]:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = top / low
        size = np.abs(value)
        room = np.abs(low) - low_error
        error = (top_error + size * low_error) / room + size * 4 * EPSILON
    lost = ~(room > 0) | ~np.isfinite(error)
    value, error = np.where(lost, 0.0, value), np.where(lost, np.inf, error)
    return value[:, None], error[:, None]


def _solution(value: Array, error: Array) -> tuple[Array, Array]:
    """Square linear systems, with the residual bound of an approximate inverse."""
    left, right = value[:, :, :-1], -value[:, :, -1:]
    left_error, right_error = error[:, :, :-1], error[:, :, -1:]
    size = left.shape[1]
    try:
        inverse = np.linalg.inv(left)
    except np.linalg.LinAlgError:
        flat = np.zeros((len(value), size))
        return flat, np.full_like(flat, np.inf)
    gamma = (size + 4) * 2 * EPSILON
    point = inverse @ right
    reach, spread = np.abs(point), np.abs(inverse)
    absolute = np.abs(left)
    residual = np.abs(left @ point - right) + left_error @ reach + right_error
    residual += gamma * (absolute @ reach + np.abs(right) + residual)
    defect = np.abs(np.eye(size) - inverse @ left) + spread @ left_error
    defect += gamma * (spread @ absolute + 1 + defect)
    norm = defect.sum(axis=2).max(axis=1)[:, None, None]
    first = spread @ residual
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = first + norm / (1 - norm) * first.max(axis=1, keepdims=True)
        bound = bound * (1 + 16 * gamma) + reach * EPSILON
    lost = ~(norm < 0.5) | ~np.isfinite(bound) | ~np.isfinite(point)
    whole = lost.any(axis=1, keepdims=True)
    point = np.where(whole, 0.0, point)[:, :, 0]
    return point, np.where(whole, np.inf, bound)[:, :, 0]


class Corners(NamedTuple):
    """Vertices of one polytope or of many: coordinates, bounds on the error of each, and bases.

    A basis is ``d`` independent hyperplanes through the point.
    """

    points: Array
    doubt: Array
    bases: Array


@dataclass(frozen=True, slots=True, eq=False)
class Polytope:
    """A bounded polytope of dimension ``dim``; its vertices are some ``rows`` of the corners.

    ``tight`` says which vertex lies on which facet; ``sides`` on which side (1 or -1) of each
    facet's hyperplane the polytope lies; ``open_`` which facets do not belong to the set, those at
    a jump; ``equal`` are the hyperplanes that contain a polytope of lower dimension.
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

    ``tight`` says which vertex lies on which of the hyperplanes; all facets are among these.
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

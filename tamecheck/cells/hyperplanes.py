"""Hyperplanes and their common points: float64 with rigorous errors, rationals on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck.cells.forms import EPSILON
from tamecheck.ir.tensor import Array

__all__ = ["ExactRow", "Hyperplanes", "dot", "float_values"]

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
    """The hyperplanes that bound cells, by number; exact coefficients are computed when asked for.

    Parameters
    ----------
    dimension
        The number of coordinates.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._count = 0
        self._value: Array = np.zeros((64, dimension + 1))
        self._error: Array = np.zeros((64, dimension + 1))
        self._thunks: list[Callable[[], ExactRow] | None] = []
        self._rows: list[ExactRow | None] = []
        self._floats: list[tuple[float, ...]] = []
        self._points: dict[tuple[int, ...], ExactRow] = {}

    def add(self, value: Array, error: Array, exact: Callable[[], ExactRow]) -> int:
        """The number of a new hyperplane, where the form with these coefficients vanishes."""
        if self._count == len(self._value):
            self._value = np.concatenate([self._value, np.zeros_like(self._value)])
            self._error = np.concatenate([self._error, np.zeros_like(self._error)])
        self._value[self._count] = value
        self._error[self._count] = error
        self._thunks.append(exact)
        self._rows.append(None)
        self._floats.append((*value.tolist(), *error.tolist()))
        self._count += 1
        return self._count - 1

    def row(self, number: int) -> ExactRow:
        """The exact coefficients of a hyperplane."""
        found = self._rows[number]
        if found is None:
            thunk = self._thunks[number]
            found = thunk() if thunk is not None else ()
            self._rows[number] = found
            self._thunks[number] = None
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

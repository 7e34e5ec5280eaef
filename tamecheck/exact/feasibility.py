"""Exact linear feasibility with certificates: the lemma of Farkas, by the simplex method.

`solve_inequalities` decides one system; `Polyhedron` keeps a basis, so that a system with some more
inequalities takes a few pivots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from flint import fmpq, fmpq_mat

from tamecheck.budget import Budget
from tamecheck.exact.factor import Matrix
from tamecheck.exact.reals import ONE, ZERO
from tamecheck.exact.revised import Contradiction, Simplex, State

Vector: TypeAlias = tuple[fmpq, ...]

Inequality: TypeAlias = tuple[Vector, bool]
"""``a · x + b >= 0`` as the vector ``(a, b)``; ``> 0`` if the second element is true."""

_UNLIMITED = Budget()
_NOT_SHOWN = "multipliers of linear inequalities do not show what they should"


@dataclass(frozen=True, slots=True)
class Multipliers:
    """``λ >= 0`` with ``Σ λ_j column_j = target``."""

    values: Vector


@dataclass(frozen=True, slots=True)
class Alternative:
    """``y`` with ``y · column_j <= 0`` for all j and ``y · target > 0``: so there are no such λ."""

    values: Vector


def nonnegative_solution(columns: Sequence[Vector], target: Vector) -> Multipliers | Alternative:
    """Is a vector a nonnegative combination of others?  Farkas' lemma, decided exactly.

    Examples
    --------
    >>> one, two = fmpq(1), fmpq(2)
    >>> nonnegative_solution([(one,)], (two,))
    Multipliers(values=(2,))
    """
    width = len(columns)
    rows = [
        [(j, column[i]) for j, column in enumerate(columns) if column[i]]
        for i in range(len(target))
    ]
    ends = [*[ZERO] * width, *target], [*[None] * width, *target]
    own = Simplex(Matrix(rows, width), ends, [ZERO] * width)
    match own.optimise(_UNLIMITED):
        case Contradiction(weights):
            # the form of the rows is at most 0 in all columns, and positive at the target
            y = tuple(weights.get(width + i, ZERO) for i in range(len(target)))
            return Alternative(y)
        case _:
            return Multipliers(tuple(own.values[:width]))


def pivots(vectors: Sequence[Vector]) -> list[int]:
    """The pivots of the matrix whose rows these are."""
    size = len(vectors[0])
    if not size:
        return []
    reduced, rank = fmpq_mat(len(vectors), size, [a for own in vectors for a in own]).rref()
    return [next(j for j, a in enumerate(line) if a) for line in reduced.tolist()[:rank]]


def solve_inequalities(rows: Sequence[Inequality], size: int) -> Vector | None:
    """A point of ``size`` coordinates at which the inequalities hold; None if there is none.

    There is none iff nonnegative multiples of the rows, and of ``1 > 0``, add up to zero with some
    strict row among them (Motzkin).  Otherwise the simplex method ends with a vector that is
    negative on every row, strictly on the strict ones: a point, after division by its last entry.
    Either is multiplied out again.
    """
    columns = [(*[ZERO] * size, ONE, ONE)]
    columns += [(*row, ONE if strict else ZERO) for row, strict in rows]
    target = (*[ZERO] * (size + 1), ONE)
    found = nonnegative_solution(columns, target)
    if isinstance(found, Multipliers):
        total = target
        for factor, column in zip(found.values, columns, strict=True):
            if factor:
                total = tuple(t - factor * a for t, a in zip(total, column, strict=True))
        if any(factor < 0 for factor in found.values) or any(total):
            raise ArithmeticError("multipliers of linear inequalities show no contradiction")
        return None
    point = tuple(a / found.values[size] for a in found.values[:size])
    if not all(satisfies(point, row) for row in rows):
        raise ArithmeticError("a solution of linear inequalities does not satisfy them")
    return point


class Polyhedron:
    """Inequalities within a box, with a point that satisfies them all; never empty.

    The program has the inputs and a common slack t of the strict inequalities, in [0, 1], for
    columns: a row is ``a · x [- t] >= -b``, and t is maximised.  So the costs stay dual feasible
    when rows are added, and strict inequalities hold together iff t can be positive.
    """

    def __init__(self, rows: tuple[Inequality, ...], own: Simplex, point: Vector) -> None:
        self.rows, self._own, self.point = rows, own, point

    @classmethod
    def box(cls, lower: Sequence[fmpq | None], upper: Sequence[fmpq | None]) -> Self:
        """A closed box, no side of which is empty."""
        size = len(lower)
        ends = [*lower, ZERO], [*upper, ONE]
        at = [*["lower"] * size, "upper"]
        own = Simplex(Matrix([], size + 1), ends, [*[ZERO] * size, -ONE], at)
        return cls((), own, tuple(own.values[:size]))

    @property
    def lower(self) -> Sequence[fmpq | None]:
        """The lower sides of the box."""
        return self._own.lower[: len(self.point)]

    @property
    def upper(self) -> Sequence[fmpq | None]:
        """The upper sides of the box."""
        return self._own.upper[: len(self.point)]

    def range(self, row: Vector) -> tuple[fmpq | None, fmpq | None]:
        """Bounds of an affine form over the box; None where there is none."""
        low: fmpq | None = row[-1]
        high: fmpq | None = row[-1]
        for a, least, most in zip(row[:-1], self._own.lower, self._own.upper, strict=False):
            if a:
                first, last = (least, most) if a > 0 else (most, least)
                low = None if low is None or first is None else low + a * first
                high = None if high is None or last is None else high + a * last
        return low, high

    def cut(self, rows: Iterable[Inequality]) -> Self | None:
        """The part where more inequalities hold; None if it is empty."""
        fresh: list[Inequality] = []
        for row, strict in rows:
            low, high = self.range(row)
            if high is not None and (high < 0 or (strict and high == 0)):
                return None
            if low is None or low < 0 or (strict and low == 0):
                fresh.append((row, strict))
        if not fresh:
            return self
        size, joined = len(self.point), (*self.rows, *fresh)
        entries = [self._entries(row, strict=strict) for row, strict in fresh]
        own = self._own.extended(entries, ([-row[-1] for row, _ in fresh], [None] * len(fresh)))
        # the costs stay dual feasible, and the slack is bounded: the dual method ends
        match own.repair():
            case Contradiction(weights):
                _demand(self._reach(own, joined, weights, []) > 0)
                return None
            case _:
                pass
        if not own.values[size] and any(strict for _, strict in joined):
            # no point has a positive slack, for the value of the slack is at least that
            _demand(self._reach(own, joined, own.prices(), [(size, -ONE)]) >= 0)
            return None
        found = tuple(own.values[:size])
        asked = joined if own.pivots else fresh
        if not all(satisfies(found, one) for one in asked) or not self._in_box(found):
            raise ArithmeticError("a solution of linear inequalities does not satisfy them")
        return type(self)(joined, own, found)

    def most(self, row: Vector) -> fmpq | None:
        """The least upper bound of an affine form, strict inequalities closed; None if infinite."""
        own = self._own.twin()
        if own.minimise([*(-a for a in row[:-1]), ZERO]) is not State.OPTIMAL:
            return None
        form = [(j, -a) for j, a in enumerate(row[:-1]) if a]
        return row[-1] - self._reach(own, self.rows, own.prices(), form)

    def _reach(
        self,
        own: Simplex,
        rows: Sequence[Inequality],
        weights: Mapping[int, fmpq],
        form: Sequence[tuple[int, fmpq]],
    ) -> fmpq:
        """A lower bound of a form in the inputs and the slack, multiplied out.

        It is the combination of variables with these weights, for every x and t, and these
        variables are not beyond their ends.
        """
        size = len(self.point)
        total, reach = [ZERO] * (size + 1), ZERO
        for i, a in form:
            total[i] -= a
        for k, weight in weights.items():
            end = (own.lower if weight > 0 else own.upper)[k]
            if end is None:
                raise ArithmeticError(_NOT_SHOWN)
            reach += weight * end
            if k <= size:
                total[k] += weight
                continue
            row, strict = rows[k - size - 1]
            for i, a in self._entries(row, strict=strict):
                total[i] += weight * a
        _demand(not any(total))
        return reach

    @staticmethod
    def _entries(row: Vector, *, strict: bool) -> list[tuple[int, fmpq]]:
        """An inequality's form in the inputs and the slack."""
        own = [(j, a) for j, a in enumerate(row[:-1]) if a]
        return [*own, (len(row) - 1, -ONE)] if strict else own

    def _in_box(self, point: Vector) -> bool:
        return all(
            (low is None or low <= v) and (high is None or v <= high)
            for v, low, high in zip(point, self.lower, self.upper, strict=True)
        )


def _demand(shown: bool) -> None:  # noqa: FBT001 (what is asked)
    if not shown:
        raise ArithmeticError(_NOT_SHOWN)


def box_inequalities(
    ends: Sequence[tuple[fmpq | None, fmpq | None]], *, strict: bool
) -> list[Inequality]:
    """The sides of a box, or of its interior, where it has some."""
    rows: list[Inequality] = []
    for axis, pair in enumerate(ends):
        for sign, end in zip((1, -1), pair, strict=True):
            if end is not None:
                row = [ZERO] * (len(ends) + 1)
                row[axis], row[-1] = fmpq(sign), -sign * end
                rows.append((tuple(row), strict))
    return rows


def minus(row: Vector, other: Vector) -> Vector:
    """The difference of two rows."""
    return tuple(a - b for a, b in zip(row, other, strict=True))


def opposite(row: Vector) -> Vector:
    """The opposite row."""
    return tuple(-a for a in row)


def satisfies(point: Vector, inequality: Inequality) -> bool:
    """Whether an inequality holds at a point."""
    row, strict = inequality
    value = sum((a * x for a, x in zip(row[:-1], point, strict=True) if a), row[-1])
    return bool(value > 0 if strict else value >= 0)


def null_basis(rows: Sequence[Vector], size: int) -> list[Vector]:
    """A basis of the vectors that are orthogonal to all rows."""
    reduced, rank = fmpq_mat(len(rows), size, [a for row in rows for a in row]).rref()
    lines = reduced.tolist()[:rank]
    pivots = [next(j for j, a in enumerate(line) if a) for line in lines]
    basis: list[Vector] = []
    for free in (j for j in range(size) if j not in pivots):
        vector = [ONE if j == free else ZERO for j in range(size)]
        for line, pivot in zip(lines, pivots, strict=True):
            vector[pivot] = -line[free]
        basis.append(tuple(vector))
    return basis

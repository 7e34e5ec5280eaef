"""Exact linear programs over non-negative columns, with certificates for every outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from flint import fmpq

from tamecheck.dual.form import Constraint, FormColumn, Vector

__all__ = [
    "LinearInfeasible",
    "LinearOptimum",
    "LinearOutcome",
    "LinearUnbounded",
    "combination",
    "minimise",
]

_ZERO, _ONE = fmpq(0), fmpq(1)


@dataclass(frozen=True, slots=True)
class LinearOptimum:
    """A best point, and row multipliers with the same value that prove it."""

    value: Fraction
    point: Vector
    multipliers: Vector


@dataclass(frozen=True, slots=True)
class LinearInfeasible:
    """Multipliers ``y`` with ``y·a_j <= 0`` for every column and ``y·d > 0``."""

    ray: Vector


@dataclass(frozen=True, slots=True)
class LinearUnbounded:
    """A point, and a direction along which the objective decreases without end."""

    point: Vector
    ray: Vector


LinearOutcome: TypeAlias = LinearOptimum | LinearInfeasible | LinearUnbounded


def minimise(
    columns: Sequence[FormColumn], constraints: Sequence[Constraint], right: Sequence[Fraction]
) -> LinearOutcome:
    """The minimum of ``c·x`` over ``x >= 0`` with ``Ax (sense) right``: kinds are ignored.

    The two-phase simplex method in rationals with Bland's rule, on a dense tableau of
    ``rows * (columns + 2 * rows)`` numbers: for programs of up to a few hundred columns.
    """
    return _Simplex(columns, constraints, right).solve()


def combination(points: Sequence[Vector], target: Vector) -> Vector | None:
    """Weights of a convex combination of the points that is the target, None if there is none."""
    size = len(target)
    columns = [
        FormColumn(
            name=str(j),
            integral=False,
            cost=Fraction(0),
            entries=(*((i, a) for i, a in enumerate(point) if a), (size, Fraction(1))),
        )
        for j, point in enumerate(points)
    ]
    constraints = [Constraint(str(i), "=", None) for i in range(size + 1)]
    outcome = minimise(columns, constraints, (*target, Fraction(1)))
    return outcome.point if isinstance(outcome, LinearOptimum) else None


class _Simplex:
    """A tableau: structural columns, one slack a row that is no equation, one artificial a row."""

    def __init__(
        self,
        columns: Sequence[FormColumn],
        constraints: Sequence[Constraint],
        right: Sequence[Fraction],
    ) -> None:
        self.rows, self.structural = len(constraints), len(columns)
        slacks = [i for i, c in enumerate(constraints) if c.sense != "="]
        self.first_artificial = self.structural + len(slacks)
        width = self.first_artificial + self.rows + 1
        self.table = [[_ZERO] * width for _ in range(self.rows)]
        for j, column in enumerate(columns):
            for i, a in column.entries:
                self.table[i][j] = _exact(a)
        for k, i in enumerate(slacks):
            sign = -1 if constraints[i].sense == ">=" else 1
            self.table[i][self.structural + k] = fmpq(sign)
        self.signs = [1 if side >= 0 else -1 for side in right]
        for i, side in enumerate(right):
            self.table[i][-1] = _exact(side)
            if self.signs[i] < 0:
                self.table[i] = [-a for a in self.table[i]]
            self.table[i][self.first_artificial + i] = _ONE
        self.basis = [self.first_artificial + i for i in range(self.rows)]
        self.costs = [_exact(column.cost) for column in columns]

    def solve(self) -> LinearOutcome:
        width = self.first_artificial + self.rows + 1
        first = [_ZERO] * width
        for j in range(self.first_artificial, width - 1):
            first[j] = _ONE
        self._price(first)
        self._run(first)
        if first[-1] < 0:
            return LinearInfeasible(self._multipliers(first, _ONE))
        self._expel()
        second = [*self.costs, *([_ZERO] * (width - self.structural))]
        self._price(second)
        entering = self._run(second)
        if entering is not None:
            return LinearUnbounded(self._point(), self._ray(entering))
        return LinearOptimum(
            _fraction(-second[-1]), self._point(), self._multipliers(second, _ZERO)
        )

    def _price(self, cost: list[fmpq]) -> None:
        """Make the reduced costs of the basic columns 0; the last entry is minus the value."""
        for row, j in enumerate(self.basis):
            factor = cost[j]
            if factor:
                own = self.table[row]
                cost[:] = [c - factor * a for c, a in zip(cost, own, strict=True)]

    def _run(self, cost: list[fmpq]) -> int | None:
        """Pivot until no reduced cost is negative; the entering column of an unbounded ray."""
        while True:
            entering = next((j for j in range(self.first_artificial) if cost[j] < 0), None)
            if entering is None:
                return None
            ratios = [
                (self.table[i][-1] / self.table[i][entering], self.basis[i], i)
                for i in range(self.rows)
                if self.table[i][entering] > 0
            ]
            if not ratios:
                return entering
            self._pivot(min(ratios)[2], entering, cost)

    def _pivot(self, row: int, column: int, cost: list[fmpq] | None) -> None:
        pivot = self.table[row][column]
        own = self.table[row] = [a / pivot if a else a for a in self.table[row]]
        for i, other in enumerate(self.table):
            factor = other[column]
            if i != row and factor:
                self.table[i] = [
                    a - factor * b if b else a for a, b in zip(other, own, strict=True)
                ]
        if cost is not None and cost[column]:
            factor = cost[column]
            cost[:] = [a - factor * b if b else a for a, b in zip(cost, own, strict=True)]
        self.basis[row] = column

    def _expel(self) -> None:
        """Take artificial columns out of the basis; a row where none can enter is redundant."""
        for row, j in enumerate(self.basis):
            if j >= self.first_artificial:
                entries = self.table[row][: self.first_artificial]
                column = next((k for k, a in enumerate(entries) if a), None)
                if column is not None:
                    self._pivot(row, column, None)

    def _point(self) -> Vector:
        point = [Fraction(0)] * self.structural
        for row, j in enumerate(self.basis):
            if j < self.structural:
                point[j] = _fraction(self.table[row][-1])
        return tuple(point)

    def _ray(self, entering: int) -> Vector:
        ray = [Fraction(0)] * self.structural
        if entering < self.structural:
            ray[entering] = Fraction(1)
        for row, j in enumerate(self.basis):
            if j < self.structural:
                ray[j] = _fraction(-self.table[row][entering])
        return tuple(ray)

    def _multipliers(self, cost: Sequence[fmpq], own: fmpq) -> Vector:
        """Row multipliers, from the reduced costs of the artificial columns that cost ``own``."""
        return tuple(
            self.signs[i] * _fraction(own - cost[self.first_artificial + i])
            for i in range(self.rows)
        )


def _exact(value: Fraction) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))

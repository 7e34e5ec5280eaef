"""The lexicographic dual simplex method in rationals, with rows that may be added.

The dictionary holds every variable as an affine function of the nonbasic ones: the objective,
the structural variables, then the surpluses of the rows ``Ax >= b``, x >= 0.  Its columns are
lexicographically positive in (objective, x_1, ..., x_n), so that the optimum is the
lexicographically least one, as Gomory's proof of finite termination demands.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TypeAlias

from flint import fmpq, fmpq_mat

__all__ = [
    "Alternative",
    "Dictionary",
    "Inequality",
    "Multipliers",
    "State",
    "Vector",
    "nonnegative_solution",
    "null_basis",
    "satisfies",
    "solve_inequalities",
]

_ZERO, _ONE = fmpq(0), fmpq(1)


class State(Enum):
    """What a run of pivots ended with."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    STOPPED = "stopped"


class Dictionary:
    """A basis of ``min c·x, Ax >= b, x >= 0`` and everything in terms of it.

    Parameters
    ----------
    costs
        One a structural variable.
    rows
        ``(coefficients, right-hand side)`` each, dense.

    A pivot takes ``variables * (rows + variables)`` rational operations.
    """

    def __init__(
        self, costs: Sequence[Fraction], rows: Sequence[tuple[Sequence[Fraction], Fraction]]
    ) -> None:
        n = len(costs)
        self.structural = n
        # labels of the entries of a column: 0 objective, 1..n structural, then surpluses
        self.labels = list(range(n + 1 + len(rows)))
        self._next = n + 1 + len(rows)
        self.nonbasic = list(range(1, n + 1))
        self._costs = [_exact(c) for c in costs]
        negative = any(c < 0 for c in costs)
        self._delayed = negative
        self.constant = [*[_ZERO] * (n + 1), *(_exact(-b) for _, b in rows)]
        self.columns = [
            [
                _ZERO if negative else self._costs[j],
                *(_ONE if i == j else _ZERO for i in range(n)),
                *(_exact(a[j]) for a, _ in rows),
            ]
            for j in range(n)
        ]

    def optimise(self, deadline: float) -> State:
        """Pivot to the lexicographic optimum, or until the clock shows ``deadline``."""
        state = self._dual(deadline)
        if state is not State.OPTIMAL or not self._delayed:
            return state
        self._price()
        state = self._primal(deadline)
        if state is State.OPTIMAL:
            self._delayed = False
        return state

    @property
    def priced(self) -> bool:
        """Whether the objective's row shows reduced costs that are not negative."""
        return not self._delayed

    def value(self, entry: int) -> Fraction:
        """The value of the objective (0) or of a structural variable (1..n)."""
        return _fraction(self.constant[entry])

    def surplus_terms(self, entry: int) -> list[tuple[int, Fraction]]:
        """The coefficients of nonbasic surpluses in an entry: ``(row number, coefficient)``."""
        return [
            (label - self.structural - 1, _fraction(column[entry]))
            for label, column in zip(self.nonbasic, self.columns, strict=True)
            if label > self.structural and column[entry]
        ]

    def add_cut(self, entry: int) -> int:
        """Add the fractional cut of an entry with fractional value; the number of its row."""
        value = self.constant[entry]
        self.constant.append(value - value.ceil())
        for column in self.columns:
            a = column[entry]
            column.append(a - a.floor())
        self.labels.append(self._next)
        self._next += 1
        return self._next - self.structural - 2

    def drop_basic(self, first: int) -> None:
        """Forget the basic surpluses of the rows from number ``first`` on."""
        nonbasic = set(self.nonbasic)
        keep = [
            k
            for k, label in enumerate(self.labels)
            if label < first + self.structural + 1 or label in nonbasic
        ]
        if len(keep) < len(self.labels):
            self.labels = [self.labels[k] for k in keep]
            self.constant = [self.constant[k] for k in keep]
            self.columns = [[column[k] for k in keep] for column in self.columns]

    def _dual(self, deadline: float) -> State:
        while True:
            row = next((i for i in range(1, len(self.constant)) if self.constant[i] < 0), None)
            if row is None:
                return State.OPTIMAL
            eligible = [k for k, column in enumerate(self.columns) if column[row] > 0]
            if not eligible:
                return State.INFEASIBLE
            if time.monotonic() > deadline:
                return State.STOPPED
            entering = eligible[0]
            for k in eligible[1:]:
                if self._is_less(k, entering, row):
                    entering = k
            self._pivot(row, entering)

    def _is_less(self, k: int, other: int, row: int) -> bool:
        """Whether the column ``k``, scaled to 1 in the row, is the lexicographically less one."""
        mine, theirs = self.columns[k], self.columns[other]
        a, b = mine[row], theirs[row]
        for i in range(self.structural + 1):
            difference = mine[i] * b - theirs[i] * a
            if difference:
                return bool(difference < 0)
        return False

    def _price(self) -> None:
        """Write the objective in the nonbasic variables."""
        for own in (self.constant, *self.columns):
            own[0] = sum((c * own[j + 1] for j, c in enumerate(self._costs)), _ZERO)

    def _primal(self, deadline: float) -> State:
        """Bland's rule for the lexicographic objective, which is a number of an ordered field."""
        while True:
            negative = [k for k, column in enumerate(self.columns) if self._is_negative(column)]
            if not negative:
                return State.OPTIMAL
            if time.monotonic() > deadline:
                return State.STOPPED
            entering = min(negative, key=lambda k: self.nonbasic[k])
            column = self.columns[entering]
            ratios = [
                (self.constant[i] / -column[i], self.labels[i], i)
                for i in range(1, len(column))
                if column[i] < 0
            ]
            if not ratios:
                return State.UNBOUNDED
            self._pivot(min(ratios)[2], entering)

    def _is_negative(self, column: Sequence[fmpq]) -> bool:
        first = next((a for a in column[: self.structural + 1] if a), _ZERO)
        return bool(first < 0)

    def _pivot(self, row: int, entering: int) -> None:
        pivot = self.columns[entering][row]
        own = self.columns[entering] = [a / pivot if a else a for a in self.columns[entering]]
        for k, column in enumerate(self.columns):
            factor = column[row]
            if k != entering and factor:
                self.columns[k] = [
                    a - factor * b if b else a for a, b in zip(column, own, strict=True)
                ]
        factor = self.constant[row]
        if factor:
            pairs = zip(self.constant, own, strict=True)
            self.constant = [a - factor * b if b else a for a, b in pairs]
        self.nonbasic[entering] = self.labels[row]


def _exact(value: Fraction | int) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


Vector: TypeAlias = tuple[fmpq, ...]

Inequality: TypeAlias = tuple[Vector, bool]
"""``a · x + b >= 0`` as the vector ``(a, b)``; ``> 0`` if the second element is true."""


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
    rows = _independent_rows(columns, target)
    matrix = [[column[row] for column in columns] for row in rows]
    right = [target[row] for row in rows]
    for index, value in enumerate(right):
        if value < 0:
            matrix[index] = [-a for a in matrix[index]]
            right[index] = -value
    found, duals = _phase_one(matrix, right)
    if found is not None:
        return Multipliers(tuple(found))
    y = [_ZERO] * len(target)
    for row, dual in zip(rows, duals, strict=True):
        y[row] = dual if target[row] >= 0 else -dual
    return Alternative(tuple(y))


def solve_inequalities(rows: Sequence[Inequality], size: int) -> Vector | None:
    """A point of ``size`` coordinates at which the inequalities hold; None if there is none.

    There is none iff nonnegative multiples of the rows, and of ``1 > 0``, add up to zero with some
    strict row among them (Motzkin).  Otherwise the simplex method ends with a vector that is
    negative on every row, strictly on the strict ones: a point, after division by its last entry.
    Either is multiplied out again.
    """
    columns = [(*[_ZERO] * size, _ONE, _ONE)]
    columns += [(*row, _ONE if strict else _ZERO) for row, strict in rows]
    target = (*[_ZERO] * (size + 1), _ONE)
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


def satisfies(point: Vector, inequality: Inequality) -> bool:
    """Whether an inequality holds at a point."""
    row, strict = inequality
    value = sum((a * x for a, x in zip(row[:-1], point, strict=True) if a), row[-1])
    return bool(value > 0 if strict else value >= 0)


def _independent_rows(columns: Sequence[Vector], target: Vector) -> list[int]:
    """Rows of the system that imply all others: the pivots of the transposed matrix."""
    size = len(target)
    if size == 0:
        return []
    entries = [a for column in (*columns, target) for a in column]
    reduced, rank = fmpq_mat(len(columns) + 1, size, entries).rref()
    lines = reduced.tolist()[:rank]
    return [next(index for index, a in enumerate(line) if a != 0) for line in lines]


def _phase_one(matrix: list[list[fmpq]], right: list[fmpq]) -> tuple[list[fmpq] | None, list[fmpq]]:
    """Minimise the sum of artificial variables by Bland's rule, which cannot cycle."""
    count, width = len(matrix), len(matrix[0]) if matrix else 0
    table = [
        [*row, *(_ONE if i == j else _ZERO for j in range(count)), value]
        for i, (row, value) in enumerate(zip(matrix, right, strict=True))
    ]
    basis = [width + i for i in range(count)]
    cost = [-sum((line[j] for line in table), _ZERO) for j in range(width + count + 1)]
    for j in range(width, width + count):
        cost[j] = _ZERO
    while True:
        entering = next((j for j in range(width) if cost[j] < 0), None)
        if entering is None:
            break
        ratios = [
            (table[i][-1] / table[i][entering], basis[i], i)
            for i in range(count)
            if table[i][entering] > 0
        ]
        # the sum of artificial variables is bounded below, so some row limits the step
        row = min(ratios)[2]
        _pivot(table, cost, row, entering)
        basis[row] = entering
    if cost[-1] != 0:
        # reduced costs of the artificial variables are 1 - y, with y the multipliers of the rows
        return None, [_ONE - cost[width + i] for i in range(count)]
    solution = [_ZERO] * width
    for i, variable in enumerate(basis):
        if variable < width:
            solution[variable] = table[i][-1]
    return solution, []


def _pivot(table: list[list[fmpq]], cost: list[fmpq], row: int, column: int) -> None:
    scale = table[row][column]
    line = [a / scale if a != 0 else a for a in table[row]]
    table[row] = line
    for index, other in enumerate(table):
        if index != row and other[column] != 0:
            factor = other[column]
            table[index] = [
                a - factor * b if b != 0 else a for a, b in zip(other, line, strict=True)
            ]
    factor = cost[column]
    cost[:] = [a - factor * b if b != 0 else a for a, b in zip(cost, line, strict=True)]


def null_basis(rows: Sequence[Vector], size: int) -> list[Vector]:
    """A basis of the vectors that are orthogonal to all rows."""
    if not rows:
        return [tuple(_ONE if i == j else _ZERO for i in range(size)) for j in range(size)]
    reduced, rank = fmpq_mat([list(row) for row in rows]).rref()
    lines = reduced.tolist()[:rank]
    pivots = [next(j for j, a in enumerate(line) if a != 0) for line in lines]
    basis: list[Vector] = []
    for free in (j for j in range(size) if j not in pivots):
        vector = [_ZERO] * size
        vector[free] = _ONE
        for line, pivot in zip(lines, pivots, strict=True):
            vector[pivot] = -line[free]
        basis.append(tuple(vector))
    return basis

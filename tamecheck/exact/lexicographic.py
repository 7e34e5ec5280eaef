"""The lexicographic dual simplex method in rationals, with rows that may be added.

The dictionary holds every variable as an affine function of the nonbasic ones: the objective,
the structural variables, then the surpluses of the rows ``Ax >= b``, x >= 0.  Its columns are
lexicographically positive in (objective, x_1, ..., x_n), so that the optimum is the
lexicographically least one, as Gomory's proof of finite termination demands.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import Enum
from fractions import Fraction

from flint import fmpq

__all__ = ["Dictionary", "State"]

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

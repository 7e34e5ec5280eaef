"""The simplex method in rationals: one dictionary, and the rules by which it is pivoted.

The dictionary ``x_B = T x_N`` treats columns and rows alike: the value of a row is a variable, a
linear form in the columns, whose reduced cost is the row's multiplier.  Every variable has bounds.
Costs are first shifted so that the basis is dual feasible; the dual method makes it primal
feasible, or finds a row of the dictionary that no point within the bounds satisfies; the primal
method, with the true costs, ends at an optimum or a ray.  Both take the largest violation for a
while and then Bland's rule, so that neither cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from enum import Enum
from fractions import Fraction
from typing import Any, Self

from flint import fmpq, fmpq_mat

from tamecheck.budget import Budget
from tamecheck.exact.reals import as_fraction, as_number

_ZERO, _ONE = fmpq(0), fmpq(1)
_FEW, _MANY = 4, 1000
"""So few columns, of so many rows, are added one by one faster than by a product of matrices."""


class State(Enum):
    """What a run of pivots ended with."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    STOPPED = "stopped"


class Dictionary:
    """``x_B = T x_N``; the last two rows of T are the true costs and the shifted ones.

    Variables are numbered.  Each nonbasic one stands at its ``lower`` or ``upper`` end (None where
    there is none) or at ``zero``.  A pivot touches every entry of T.
    """

    def __init__(
        self,
        table: Any,
        basic: Sequence[int],
        nonbasic: Sequence[int],
        ends: tuple[list[fmpq | None], list[fmpq | None]],
        at: Sequence[str] | None = None,
    ) -> None:
        self.table: Any = table
        self.basic, self.nonbasic = list(basic), list(nonbasic)
        self.lower, self.upper = ends
        wanted = at or ["lower"] * len(nonbasic)
        self.at = [self._end(k, s) for k, s in zip(nonbasic, wanted, strict=True)]
        self.pivots, self.patience = 0, 2 * (len(basic) + len(nonbasic))
        self.stuck = 0, 1
        """Where there is no optimum: the row without points, or the column of a ray, and a sign."""
        self.evaluate()

    def twin(self) -> Self:
        """The same dictionary, to be pivoted apart from this one."""
        twin = copy(self)
        twin.table = fmpq_mat(self.table)
        twin.basic, twin.nonbasic, twin.at = self.basic[:], self.nonbasic[:], self.at[:]
        twin.lower, twin.upper, twin.values = self.lower[:], self.upper[:], self.values[:]
        return twin

    def add_row(self, form: Sequence[fmpq], least: fmpq) -> None:
        """Add a variable with a lower end: a form in the first variables.  It is basic."""
        own = self._by_nonbasic(form)
        width, entries = len(own), self.table.entries()
        size = len(self.basic) * width
        whole = [*entries[:size], *own, *entries[size:]]
        self.table = fmpq_mat(len(self.basic) + 3, width, whole)
        self.basic.append(len(self.lower))
        self.lower.append(least)
        self.upper.append(None)
        terms = ((a, self.value_at(c)) for c, a in enumerate(own) if a)
        self.values.append(sum((a * v for a, v in terms), _ZERO))

    def set_costs(self, form: Sequence[fmpq]) -> None:
        """Let a form in the first variables be the true costs."""
        for c, a in enumerate(self._by_nonbasic(form)):
            self.table[self.true_costs, c] = a

    def _by_nonbasic(self, form: Sequence[fmpq]) -> list[fmpq]:
        width, places = len(self.nonbasic), {k: r for r, k in enumerate(self.basic)}
        columns = {k: c for c, k in enumerate(self.nonbasic)}
        own = [_ZERO] * width
        for k, a in enumerate(form):
            if not a:
                continue
            if k in columns:
                own[columns[k]] += a
                continue
            for c in range(width):
                own[c] += a * self.table[places[k], c]
        return own

    def be_patient(self) -> None:
        """Count pivots from here on, before Bland's rule has to be followed."""
        self.pivots, self.patience = 0, 2 * (len(self.basic) + len(self.nonbasic))

    def _end(self, k: int, wanted: str) -> str:
        """The end at which a nonbasic variable can stand: the wanted one if it exists."""
        low, high = self.lower[k], self.upper[k]
        if high is not None and (wanted == "upper" or low is None):
            return "upper"
        return "zero" if low is None else "lower"

    @property
    def true_costs(self) -> int:
        """The row of the true costs."""
        return len(self.basic)

    @property
    def shifted_costs(self) -> int:
        """The row of the costs for which the basis is dual feasible."""
        return len(self.basic) + 1

    def optimise(self, budget: Budget) -> State:
        """Pivot to the end."""
        for c, k in enumerate(self.nonbasic):
            rate, low, high = self.table[self.true_costs, c], self.lower[k], self.upper[k]
            if low is not None and high is not None:
                if low != high and rate:
                    self.at[c] = "lower" if rate > 0 else "upper"
            elif (rate < 0 and self.at[c] != "upper") or (rate > 0 and self.at[c] != "lower"):
                self.table[self.shifted_costs, c] = _ZERO
        self.evaluate()
        state = self.run(self.dual_step, budget)
        return self.run(self.primal_step, budget) if state is State.OPTIMAL else state

    def run(self, step: Callable[[], State | None], budget: Budget) -> State:
        """Take steps until one says what the run ends with."""
        while (state := step()) is None:
            if budget.is_spent:
                return State.STOPPED
            self.pivots += 1
        return state

    def evaluate(self) -> None:
        """The values of the basic variables."""
        own = [self.value_at(c) for c in range(len(self.nonbasic))]
        moved = [(c, v) for c, v in enumerate(own) if v]
        self.values: list[fmpq]
        if len(moved) <= _FEW and len(self.basic) * len(own) > _MANY:
            table, rows = self.table, range(len(self.basic))
            self.values = [sum((table[r, c] * v for c, v in moved), _ZERO) for r in rows]
        else:
            product: Any = self.table * fmpq_mat(len(own), 1, own)
            self.values = product.entries()[: len(self.basic)]

    def value_at(self, c: int) -> fmpq:
        """The value of the nonbasic variable in a column."""
        k, at = self.nonbasic[c], self.at[c]
        end = self.lower[k] if at == "lower" else self.upper[k] if at == "upper" else _ZERO
        return _ZERO if end is None else end

    def point(self, count: int) -> list[fmpq]:
        """The values of the variables with the smallest numbers."""
        values = dict(zip(self.basic, self.values, strict=True))
        values |= {k: self.value_at(c) for c, k in enumerate(self.nonbasic)}
        return [values[k] for k in range(count)]

    def row(self, k: int) -> list[fmpq]:
        """A variable as a form in the nonbasic ones."""
        if k in self.basic:
            r = self.basic.index(k)
            return [self.table[r, c] for c in range(len(self.nonbasic))]
        return [_ONE if other == k else _ZERO for other in self.nonbasic]

    @property
    def _patient(self) -> bool:
        return self.pivots < self.patience

    def dual_step(self) -> State | None:
        """Let the variable leave that is furthest outside of its bounds (of the least number)."""
        outside = [
            (-excess if self._patient else 0, k, r)
            for r, k in enumerate(self.basic)
            if (excess := self._excess(r))
        ]
        if not outside:
            return State.OPTIMAL
        _, k, r = min(outside)
        low = self.lower[k]
        below = low is not None and self.values[r] < low
        moving = [
            c
            for c in range(len(self.nonbasic))
            if (slope := self.table[r, c]) and self._may_move(c, up=(slope > 0) == below)
        ]
        if not moving:
            self.stuck = r, 1 if below else -1
            return State.INFEASIBLE
        self.pivot(r, self.choose_entering(r, moving), "lower" if below else "upper")
        return None

    def choose_entering(self, r: int, moving: Sequence[int]) -> int:
        """The column that enters in the dual method: the rate that reaches 0 first."""
        rates, row = self.shifted_costs, r
        return min(
            moving, key=lambda c: (abs(self.table[rates, c] / self.table[row, c]), self.nonbasic[c])
        )

    def _excess(self, r: int) -> fmpq:
        """How far a basic variable is outside of its bounds."""
        k, value = self.basic[r], self.values[r]
        low, high = self.lower[k], self.upper[k]
        if low is not None and value < low:
            return low - value
        return value - high if high is not None and value > high else _ZERO

    def _may_move(self, c: int, *, up: bool) -> bool:
        k = self.nonbasic[c]
        if self.lower[k] is not None and self.lower[k] == self.upper[k]:
            return False
        return self.at[c] in {"zero", "lower" if up else "upper"}

    def find_improving(self) -> list[tuple[int, int]]:
        """The columns whose variables improve the true costs, and in which direction."""
        rates = ((c, self.table[self.true_costs, c]) for c in range(len(self.nonbasic)))
        return [
            (c, 1 if rate < 0 else -1)
            for c, rate in rates
            if rate and self._may_move(c, up=rate < 0)
        ]

    def primal_step(self) -> State | None:
        """Let the variable enter that improves the costs most (of the least number)."""
        found = self.find_improving()
        if not found:
            return State.OPTIMAL
        true, patient = self.true_costs, self._patient
        c, direction = min(
            found,
            key=lambda own: (
                -abs(self.table[true, own[0]]) if patient else 0,
                self.nonbasic[own[0]],
            ),
        )
        k = self.nonbasic[c]
        # the entering variable may itself come to its other end
        own = self.upper[k] if direction > 0 else self.lower[k]
        best: tuple[fmpq, int, int, str] | None = None
        if own is not None and self.at[c] != "zero":
            best = abs(own - self.value_at(c)), k, -1, ""
        for r, b in enumerate(self.basic):
            change = direction * self.table[r, c]
            end = self.upper[b] if change > 0 else self.lower[b]
            if not change or end is None:
                continue
            ratio = (end - self.values[r]) / change
            if best is None or (ratio, b) < best[:2]:
                best = ratio, b, r, "upper" if change > 0 else "lower"
        if best is None:
            self.stuck = c, direction
            return State.UNBOUNDED
        if best[2] < 0:
            self.at[c] = "upper" if direction > 0 else "lower"
            self.evaluate()
        else:
            self.pivot(best[2], c, best[3])
        return None

    def pivot(self, r: int, c: int, end: str) -> None:
        """Let the basic variable of row r leave at an end, and that of column c enter."""
        table, pivot = self.table, self.table[r, c]
        own = [-table[r, k] / pivot for k in range(len(self.nonbasic))]
        own[c] = 1 / pivot
        column = [table[i, c] for i in range(table.nrows())]
        for i in range(table.nrows()):
            table[i, c] = _ZERO
        column[r] = _ZERO
        moved: Any = fmpq_mat(len(column), 1, column) * fmpq_mat(1, len(own), own)
        self.table = table + moved
        for k, a in enumerate(own):
            self.table[r, k] = a
        self.basic[r], self.nonbasic[c] = self.nonbasic[c], self.basic[r]
        self.at[c] = end
        self.evaluate()


class LexicographicDictionary(Dictionary):
    """``min c·x, Ax >= b, x >= 0``, to which cuts are added.

    The columns are lexicographically positive in (objective, x_1, ..., x_n), so that the optimum is
    the lexicographically least one, as Gomory's proof of finite termination demands.  While some
    cost is negative the dual method has the objective 0, and then Bland's rule takes the
    lexicographic objective, which is a number of an ordered field.
    """

    def __init__(
        self, costs: Sequence[Fraction], rows: Sequence[tuple[Sequence[Fraction | int], Fraction]]
    ) -> None:
        n, self.costs = len(costs), [as_number(c) for c in costs]
        self.structural, self.priced = n, all(c >= 0 for c in costs)
        entries = [as_number(a) for row, _ in rows for a in row]
        table: Any = fmpq_mat(len(rows) + 2, n, [*entries, *self.costs, *self.costs])
        lower: list[fmpq | None] = [*[_ZERO] * n, *(as_number(b) for _, b in rows)]
        numbers = range(n, n + len(rows))
        super().__init__(table, numbers, range(n), (lower, [None] * len(lower)))
        self.patience = 0

    def optimise(self, budget: Budget) -> State:
        """Pivot to the lexicographic optimum."""
        state = self.run(self.dual_step, budget)
        if state is State.OPTIMAL and not self.priced:
            state = self.run(self.primal_step, budget)
            self.priced = state is State.OPTIMAL
        return state

    def _objective(self, c: int) -> list[fmpq]:
        """A column of the lexicographic objective."""
        places = {k: r for r, k in enumerate(self.basic)}
        own = self.nonbasic[c]
        return [
            self.table[places[k], c] if k in places else fmpq(int(k == own))
            for k in range(self.structural)
        ]

    def choose_entering(self, r: int, moving: Sequence[int]) -> int:
        """The lexicographically least column, scaled to 1 in the row."""

        def scale(c: int) -> list[fmpq]:
            rate = self.table[self.true_costs, c] if self.priced else _ZERO
            return [a / self.table[r, c] for a in (rate, *self._objective(c))]

        return min(moving, key=scale)

    def find_improving(self) -> list[tuple[int, int]]:
        """The columns that are lexicographically negative."""
        columns = (
            (c, (self.table[self.true_costs, c], *self._objective(c)))
            for c in range(self.structural)
        )
        return [(c, 1) for c, own in columns if next((a for a in own if a), _ZERO) < 0]

    def value(self, entry: int) -> Fraction:
        """The value of the objective (0) or of a structural variable (1..n)."""
        point = self.point(self.structural)
        if entry:
            return as_fraction(point[entry - 1])
        return as_fraction(sum((c * x for c, x in zip(self.costs, point, strict=True)), _ZERO))

    def surplus_terms(self, entry: int) -> list[tuple[int, Fraction]]:
        """The coefficients of nonbasic surpluses in an entry: ``(row number, coefficient)``."""
        width = len(self.nonbasic)
        own = (
            self.row(entry - 1) if entry else [self.table[self.true_costs, c] for c in range(width)]
        )
        return self._surpluses(own)

    def surplus_terms_of(self, k: int) -> list[tuple[int, Fraction]]:
        """The coefficients of nonbasic surpluses in the variable of a number."""
        return self._surpluses(self.row(k))

    def _surpluses(self, own: Sequence[fmpq]) -> list[tuple[int, Fraction]]:
        n, terms = self.structural, zip(self.nonbasic, own, strict=True)
        return [(k - n, as_fraction(a)) for k, a in terms if k >= n and a]

    def add_cut(self, entry: int) -> int:
        """Add the fractional cut of an entry with fractional value; the number of its row."""
        width = len(self.nonbasic)
        own = (
            self.row(entry - 1) if entry else [self.table[self.true_costs, c] for c in range(width)]
        )
        parts = [a - a.floor() for a in own]
        value = as_number(self.value(entry))
        side = sum((a * self.value_at(c) for c, a in enumerate(parts)), value.ceil() - value)
        self._set_rows([*range(len(self.basic)), parts])
        self.basic.append(len(self.lower))
        self.lower.append(side)
        self.upper.append(None)
        self.evaluate()
        return self.basic[-1] - self.structural

    def drop_basic(self, first: int) -> None:
        """Forget the basic surpluses of the rows from number ``first`` on."""
        kept = [r for r, k in enumerate(self.basic) if k < first + self.structural]
        self._set_rows(kept)
        self.basic = [self.basic[r] for r in kept]
        self.evaluate()

    def _set_rows(self, rows: Sequence[int | list[fmpq]]) -> None:
        """Keep these rows of the table, or put new ones in, above the costs."""
        table = self.table.tolist()
        lines = [table[own] if isinstance(own, int) else own for own in rows]
        lines += table[len(self.basic) :]
        self.table = fmpq_mat(len(lines), len(self.nonbasic), [a for line in lines for a in line])

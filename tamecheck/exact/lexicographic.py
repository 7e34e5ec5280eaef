"""The lexicographic simplex method, to whose rows Gomory's fractional cuts are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from flint import fmpq

from tamecheck.budget import Budget
from tamecheck.exact.factor import Matrix, Sparse
from tamecheck.exact.reals import ONE, ZERO, as_fraction, as_number
from tamecheck.exact.revised import Contradiction, End, Simplex, State


class LexicographicProgram:
    """``min c·x, Ax >= b, x >= 0``, to which cuts are added.

    The nonbasic variables are lexicographically positive in (objective, x_1, ..., x_n), so that the
    optimum is the lexicographically least one, as Gomory's proof of finite termination demands.
    While some cost is negative the dual method has the objective 0.  Rows keep their number when
    others are dropped.
    """

    def __init__(
        self, costs: Sequence[Fraction], rows: Sequence[tuple[Sequence[Fraction | int], Fraction]]
    ) -> None:
        n, self.costs = len(costs), [as_number(c) for c in costs]
        entries = [[(j, as_number(a)) for j, a in enumerate(row) if a] for row, _ in rows]
        lower: list[fmpq | None] = [*[ZERO] * n, *(as_number(b) for _, b in rows)]
        ends = lower, list[fmpq | None]([None] * len(lower))
        self._own = _Rules(Matrix(entries, n), ends, self.costs)
        self._own.priced = all(c >= 0 for c in costs)
        self._numbers, self._next = list(range(len(rows))), len(rows)

    @property
    def priced(self) -> bool:
        """Whether the objective was reached: no cost is negative, or the primal method is done."""
        return self._own.priced

    def optimise(self, budget: Budget) -> End:
        """Pivot to the lexicographic optimum."""
        return self._own.optimise(budget)

    def value(self, entry: int) -> Fraction:
        """The value of the objective (0) or of a column (1..n)."""
        return as_fraction(self._value(entry))

    def _value(self, entry: int) -> fmpq:
        values = self._own.values
        if entry:
            return values[entry - 1]
        return sum((c * x for c, x in zip(self.costs, values, strict=False) if c), ZERO)

    def _form(self, entry: int) -> Mapping[int, fmpq]:
        """The objective or a column as a form in the nonbasic variables."""
        return self._own.form(entry - 1) if entry else self._own.prices()

    def surplus_terms(self, entry: int) -> list[tuple[int, Fraction]]:
        """The coefficients of nonbasic surpluses in an entry: ``(row number, coefficient)``."""
        return self.surpluses(self._form(entry))

    def surpluses(self, weights: Mapping[int, fmpq]) -> list[tuple[int, Fraction]]:
        """The weights of the surpluses of rows, by their numbers."""
        n = len(self.costs)
        own = [(self._numbers[k - n], as_fraction(a)) for k, a in weights.items() if k >= n and a]
        return sorted(own)

    def add_cut(self, entry: int) -> int:
        """Add the fractional cut of an entry with fractional value; the number of its row."""
        own, n, value = self._own, len(self.costs), self._value(entry)
        parts = {k: a - a.floor() for k, a in self._form(entry).items()}
        side, form = value.ceil() - value, dict[int, fmpq]()
        for k, part in parts.items():
            if not part:
                continue
            side += part * own.values[k]
            for j, a in [(k, ONE)] if k < n else own.matrix.rows[k - n]:
                form[j] = form.get(j, ZERO) + part * a
        row = sorted((j, a) for j, a in form.items() if a)
        self._own = own.extended([row], ([side], [None]))
        self._numbers.append(self._next)
        self._next += 1
        return self._numbers[-1]

    def drop_basic(self, first: int) -> None:
        """Forget the rows from number ``first`` on whose surpluses are basic."""
        own, n = self._own, len(self.costs)
        kept = [
            i for i, number in enumerate(self._numbers) if number < first or n + i not in own.basic
        ]
        if len(kept) < len(self._numbers):
            self._own = own.restricted(kept)
            self._numbers = [self._numbers[i] for i in kept]


class _Rules(Simplex):
    """Bland's rule for what leaves, the lexicographic order for what enters."""

    priced: bool = False

    @property
    def _patient(self) -> bool:
        return False

    def optimise(self, budget: Budget) -> End:
        while (found := self._dual_step()) is None:
            if budget.is_spent:
                return State.STOPPED
        if isinstance(found, Contradiction) or self.priced:
            return found
        while (ended := self._primal_step()) is None:
            if budget.is_spent:
                return State.STOPPED
        self.priced = ended is State.OPTIMAL
        return ended

    def form(self, k: int) -> Sparse:
        """A variable as a form in the nonbasic ones."""
        return self._row(k) if k in self.basic else {k: ONE}

    def _entering(self, row: Mapping[int, fmpq], moving: Sequence[int]) -> int:
        """The lexicographically least variable, scaled to 1 in the row."""
        left, k = list(moving), 0
        objective: Mapping[int, fmpq] = self.rates if self.priced else {}
        while len(left) > 1 and k <= self.width:
            ratios = [objective.get(j, ZERO) / row[j] for j in left]
            least = min(ratios)
            left = [j for j, ratio in zip(left, ratios, strict=True) if ratio == least]
            if len(left) > 1 and k < self.width:
                objective = self.form(k)
            k += 1
        return min(left)

    def _improving(self) -> list[int]:
        """The lexicographically negative variables."""
        found = [k for k, rate in self.rates.items() if rate < 0]
        left = [k for k, s in enumerate(self.at) if s != "basic" and not self.rates.get(k)]
        for entry in range(self.width):
            if not left:
                break
            form = self.form(entry)
            found += [k for k in left if form.get(k, ZERO) < 0]
            left = [k for k in left if not form.get(k)]
        return found

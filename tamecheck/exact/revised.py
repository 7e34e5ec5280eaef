"""The revised simplex method in rationals, from any basis.

The value of a row is a variable like those of the columns, with bounds of its own, and a basis
names the columns that are determined by rows which hold with equality.  If the point is outside of
its bounds, costs are shifted so that the basis is dual feasible; the dual method makes it primal
feasible, or finds a row of the dictionary that no point within the bounds satisfies.  The primal
method, with the true costs, ends at an optimum or a ray.  Both take the largest violation for a
while and then Bland's rule, so that neither cycles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from enum import Enum
from typing import Self, TypeAlias

from flint import fmpq

from tamecheck.budget import Budget
from tamecheck.exact.factor import Approximation, Entries, Factor, Matrix, SingularError, Sparse
from tamecheck.exact.reals import ONE, ZERO

_SMALL = 500
"""Of so many rows a pivot takes less time than a solver and another basis."""


class State(Enum):
    """What a run of pivots ended with, where there is no more to say."""

    OPTIMAL = "optimal"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Weights of variables whose form is 0 in all of them, and positive within their bounds."""

    weights: Sparse


@dataclass(frozen=True, slots=True)
class Ray:
    """A direction without end, along which the costs fall."""

    steps: Sparse


End: TypeAlias = State | Contradiction | Ray


class Simplex:
    """A basis, its factor, the exact values of all variables and the rates of the nonbasic ones.

    Variables are numbered: the columns, then the rows.  Each nonbasic one stands at its ``lower``
    or ``upper`` end or at ``zero``, if it has none.
    """

    def __init__(
        self,
        matrix: Matrix,
        ends: tuple[Sequence[fmpq | None], Sequence[fmpq | None]],
        costs: Sequence[fmpq],
        at: Sequence[str] | None = None,
        approximation: Approximation | None = None,
    ) -> None:
        self.matrix = matrix
        self.width, self.height = len(matrix.columns), len(matrix.rows)
        self.size = self.width + self.height
        self.lower, self.upper = ends
        self.costs = [*costs, *[ZERO] * self.height]
        self.pivots = 0
        plain = ("lower",) * self.width + ("basic",) * self.height
        try:
            self._begin(at or plain, approximation)
        except SingularError:
            self._begin(plain)

    def _begin(self, wanted: Sequence[str], approximation: Approximation | None = None) -> None:
        self.at = [s if s == "basic" else self._stand(k, s) for k, s in enumerate(wanted)]
        self.basic = {k for k, s in enumerate(wanted) if s == "basic"}
        self._refactor(approximation)
        self._evaluate()
        self._price()

    def _stand(self, k: int, wanted: str) -> str:
        """The end at which a nonbasic variable can stand: the wanted one if it exists."""
        low, high = self.lower[k], self.upper[k]
        if high is not None and (wanted == "upper" or low is None):
            return "upper"
        return "zero" if low is None else "lower"

    def _refactor(self, approximation: Approximation | None = None) -> None:
        width, basic = self.width, self.basic
        rows = [i for i in range(self.height) if width + i not in basic]
        columns = (k for k in basic if k < width)
        self.factor = Factor(self.matrix, rows, columns, approximation)

    def _evaluate(self) -> None:
        """The values of all variables."""
        matrix, width = self.matrix, self.width
        values = [self._place(k) if k not in self.basic else ZERO for k in range(self.size)]
        sums: Sparse = {}
        for j in range(width):
            if values[j]:
                _add(sums, values[j], matrix.columns[j])
        right = {i: values[width + i] - sums.get(i, ZERO) for i in self.factor.rows}
        found, unit = self.factor.solve({i: b for i, b in right.items() if b})
        # the other rows hold with equality
        own = self.factor.rows
        sums = {i: unit * v for i, v in sums.items() if i not in own}
        for j, x in found.items():
            values[j] = x / unit
            _add(sums, x, matrix.columns[j], own)
        for i in range(self.height):
            if width + i in self.basic:
                values[width + i] = sums.get(i, ZERO) / unit
        self.values = values

    def _place(self, k: int) -> fmpq:
        """The value of a nonbasic variable."""
        end = self.lower[k] if self.at[k] == "lower" else self.upper[k]
        return ZERO if end is None or self.at[k] == "zero" else end

    def _price(self) -> None:
        """The rates of the nonbasic variables: what a unit of each adds to the costs.

        They are to be divided by ``over``, which takes long where numbers are long.
        """
        costs, matrix, width, basic = self.costs, self.matrix, self.width, self.basic
        own = {j: c for j in range(width) if (c := costs[j])}
        for i in range(self.height):
            if costs[width + i] and width + i in basic:
                _add(own, costs[width + i], matrix.rows[i])
        y, unit = self.factor.solve_transposed({j: c for j, c in own.items() if j in basic and c})
        own = {j: unit * c for j, c in own.items() if j not in basic}
        for i, value in y.items():
            _add(own, -value, matrix.rows[i], basic)
        found = {j: d for j, d in own.items() if d}
        for i in self.factor.rows:
            d = unit * costs[width + i] + y.get(i, ZERO)
            if d:
                found[width + i] = d
        self.rates, self.over = found, unit

    def prices(self, first: int = 0) -> Sparse:
        """What a unit of each nonbasic variable, from that number on, adds to the costs."""
        return {k: d / self.over for k, d in self.rates.items() if k >= first}

    def _row(self, k: int) -> Sparse:
        """A basic variable as a form in the nonbasic ones."""
        width, rows = self.width, self.matrix.rows
        if k < width:
            form: Sparse = {}
            rho, unit = self.factor.solve_transposed({k: ONE})
        else:
            form = dict(rows[k - width])
            right = {j: a for j, a in form.items() if j in self.basic}
            rho, unit = self.factor.solve_transposed(right)
            if unit != 1:
                form = {j: unit * a for j, a in form.items()}
        for i, value in rho.items():
            _add(form, -value, rows[i], self.basic)
        found = {j: a for j, a in form.items() if a and j not in self.basic}
        for i, value in rho.items():
            found[width + i] = value
        return found if unit == 1 else {k: a / unit for k, a in found.items()}

    def _column(self, k: int) -> Sparse:
        """What a unit of a nonbasic variable adds to the basic ones."""
        width, columns, own = self.width, self.matrix.columns, self.factor.rows
        sums: Sparse = {}
        if k < width:
            found, unit = self.factor.solve({i: -a for i, a in columns[k] if i in own})
            _add(sums, unit, columns[k], own)
        else:
            found, unit = self.factor.solve({k - width: ONE})
        for j, value in found.items():
            _add(sums, value, columns[j], own)
        for i, value in sums.items():
            if value:
                found[width + i] = value
        return found if unit == 1 else {k: a / unit for k, a in found.items()}

    def extended(
        self,
        rows: Sequence[Entries],
        ends: tuple[Sequence[fmpq | None], Sequence[fmpq | None]],
    ) -> Self:
        """The same basis with more rows, whose values are basic."""
        larger = self.twin()
        larger.matrix = self.matrix.extended(rows)
        larger.lower, larger.upper = [*self.lower, *ends[0]], [*self.upper, *ends[1]]
        for row in rows:
            larger.values.append(sum((a * self.values[j] for j, a in row), ZERO))
        larger.basic.update(range(self.size, self.size + len(rows)))
        larger.at += ["basic"] * len(rows)
        larger.costs += [ZERO] * len(rows)
        larger.height += len(rows)
        larger.size += len(rows)
        return larger

    def restricted(self, kept: Sequence[int]) -> Self:
        """The same basis with some of the rows; the values of the others are basic."""
        width = self.width
        own = [*range(width), *(width + i for i in kept)]
        place = {k: c for c, k in enumerate(own)}
        smaller = copy(self)
        smaller.matrix = Matrix([self.matrix.rows[i] for i in kept], width)
        smaller.lower, smaller.upper = [self.lower[k] for k in own], [self.upper[k] for k in own]
        smaller.at, smaller.costs = [self.at[k] for k in own], [self.costs[k] for k in own]
        smaller.values = [self.values[k] for k in own]
        smaller.basic = {place[k] for k in self.basic if k in place}
        smaller.rates = {place[k]: rate for k, rate in self.rates.items()}
        smaller.height, smaller.size = len(kept), len(own)
        smaller._refactor()  # noqa: SLF001 (of the same class)
        return smaller

    def twin(self) -> Self:
        """The same basis, to be pivoted apart from this one."""
        twin = copy(self)
        twin.pivots = 0
        twin.at, twin.basic, twin.costs = self.at[:], set(self.basic), self.costs[:]
        twin.values, twin.rates = self.values[:], dict(self.rates)
        return twin

    def minimise(self, costs: Sequence[fmpq]) -> Ray | State:
        """Minimise other costs from this basis, whose point is feasible."""
        self.costs = [*costs, *[ZERO] * self.height]
        self._price()
        while (ended := self._primal_step()) is None:
            pass
        return ended

    def repair(self) -> Contradiction | State:
        """Make the point feasible from this basis, which is dual feasible."""
        while (found := self._dual_step()) is None:
            pass
        return found

    def refute(self, k: int) -> Contradiction | None:
        """The contradiction of a basic variable's row, if no values within bounds satisfy it."""
        if k not in self.basic:
            return None
        weights = {**{j: -a for j, a in self._row(k).items()}, k: ONE}
        for sign in (1, -1):
            own = {j: sign * w for j, w in weights.items() if w}
            ends = [(w, (self.lower if w > 0 else self.upper)[j]) for j, w in own.items()]
            least = [w * end for w, end in ends if end is not None]
            if len(least) == len(ends) and sum(least, ZERO) > 0:
                return Contradiction(own)
        return None

    # -- the two methods --------------------------------------------------------------------------

    def optimise(self, budget: Budget) -> End:
        """Pivot to the end."""
        if self.violation:
            true = list(self.costs)
            self._shift()
            while (found := self._dual_step()) is None:
                if budget.is_spent:
                    return State.STOPPED
            if isinstance(found, Contradiction):
                return found
            if self.costs != true:
                self.costs = true
                self._price()
        while (ended := self._primal_step()) is None:
            if budget.is_spent:
                return State.STOPPED
        return ended

    def polish(self) -> None:
        """A pivot where one variable alone improves the costs of a feasible point.

        A solver that is run again, and its basis, would take more time.
        """
        if self.height <= _SMALL and len(self._improving()) == 1 and not self.violation:
            self._primal_step()

    def _shift(self) -> None:
        """Make the basis dual feasible: by other ends, and by costs where there are none."""
        moved = False
        for k, rate in list(self.rates.items()):
            if not self._may_move(k, up=rate < 0):
                continue
            if self.lower[k] is not None and self.upper[k] is not None:
                self.at[k] = "lower" if rate > 0 else "upper"
                moved = True
            else:
                self.costs[k] -= rate / self.over
                del self.rates[k]
        if moved:
            self._evaluate()

    @property
    def _patient(self) -> bool:
        return self.pivots < 2 * self.size

    def _excess(self, k: int) -> fmpq:
        """How far a variable is outside of its bounds."""
        value, low, high = self.values[k], self.lower[k], self.upper[k]
        if low is not None and value < low:
            return low - value
        return value - high if high is not None and value > high else ZERO

    def _may_move(self, k: int, *, up: bool) -> bool:
        """Whether a nonbasic variable has room on a side."""
        low = self.lower[k]
        if low is not None and low == self.upper[k]:
            return False
        at = self.at[k]
        return at in {"zero", "lower" if up else "upper"}

    def _dual_step(self) -> Contradiction | State | None:
        """Let the variable leave that is furthest outside of its bounds (of the least number)."""
        patient = self._patient
        outside = [(-out if patient else 0, k) for k in self.basic if (out := self._excess(k))]
        if not outside:
            return State.OPTIMAL
        _, leaving = min(outside)
        low = self.lower[leaving]
        below = low is not None and self.values[leaving] < low
        row = self._row(leaving)
        moving = [k for k, a in row.items() if self._may_move(k, up=(a > 0) == below)]
        if not moving:
            # a row that no values within the bounds satisfy, in terms of the program's rows
            sign = 1 if below else -1
            weights = {k: -sign * a for k, a in row.items()}
            return Contradiction({**weights, leaving: sign * ONE})
        self._pivot(leaving, self._entering(row, moving), "lower" if below else "upper", row)
        return None

    def _entering(self, row: Mapping[int, fmpq], moving: Sequence[int]) -> int:
        """The variable that enters in the dual method: its rate is the first to reach 0."""
        return min(moving, key=lambda k: (abs(self.rates.get(k, ZERO) / row[k]), k))

    def _improving(self) -> list[int]:
        """The variables that improve the costs."""
        return [k for k, rate in self.rates.items() if self._may_move(k, up=rate < 0)]

    def _primal_step(self) -> Ray | State | None:
        """Let the variable enter that improves the costs most (of the least number)."""
        found = self._improving()
        if not found:
            return State.OPTIMAL
        patient, rates = self._patient, self.rates
        entering = min(found, key=lambda k: (-abs(rates[k]) if patient else 0, k))
        direction = -1 if rates.get(entering, ZERO) > 0 else 1
        end = self.upper[entering] if direction > 0 else self.lower[entering]
        # the entering variable may itself come to its other end
        best: tuple[fmpq, int, str] | None = None
        if end is not None and self.at[entering] != "zero":
            best = abs(end - self.values[entering]), entering, ""
        column = self._column(entering)
        for k, a in column.items():
            change = direction * a
            end = self.upper[k] if change > 0 else self.lower[k]
            if end is None:
                continue
            ratio = (end - self.values[k]) / change
            if best is None or (ratio, k) < best[:2]:
                best = ratio, k, "upper" if change > 0 else "lower"
        if best is None:
            return Ray({k: direction * a for k, a in column.items()} | {entering: direction * ONE})
        length, leaving, side = best
        if leaving == entering:
            self.pivots += 1
            self.at[entering] = "upper" if direction > 0 else "lower"
            self._move(entering, direction * length, column)
        else:
            self._pivot(leaving, entering, side, self._row(leaving), column)
        return None

    def _move(self, k: int, step: fmpq, column: Mapping[int, fmpq]) -> None:
        self.values[k] += step
        for other, a in column.items():
            self.values[other] += a * step

    def _pivot(
        self,
        leaving: int,
        entering: int,
        end: str,
        row: Mapping[int, fmpq],
        column: Mapping[int, fmpq] | None = None,
    ) -> None:
        """Let a basic variable leave at an end, and a nonbasic one enter."""
        self.pivots += 1
        if column is None:
            column = self._column(entering)
        self.at[leaving], self.at[entering] = end, "basic"
        pivot = row[entering]
        self._move(entering, (self._place(leaving) - self.values[leaving]) / pivot, column)
        rate = self.rates.pop(entering, ZERO) / pivot
        if rate:
            for k, a in row.items():
                if k != entering:
                    d = self.rates.get(k, ZERO) - rate * a
                    if d:
                        self.rates[k] = d
                    else:
                        self.rates.pop(k, None)
            self.rates[leaving] = rate
        self.basic.remove(leaving)
        self.basic.add(entering)
        self._refactor()

    @property
    def violation(self) -> fmpq:
        """The largest distance of the point from its bounds."""
        return max((self._excess(k) for k in self.basic), default=ZERO)

    @property
    def deficit(self) -> fmpq:
        """The largest reduced cost of the wrong sign."""
        wrong = (abs(d) for k, d in self.rates.items() if self._may_move(k, up=d < 0))
        return max(wrong, default=ZERO) / self.over


def _add(
    sums: Sparse, factor: fmpq, entries: Entries, but: set[int] | frozenset[int] = frozenset()
) -> None:
    """Add a multiple of a row or a column, but for some places."""
    for k, a in entries:
        if k not in but:
            before = sums.get(k)
            sums[k] = factor * a if before is None else before + factor * a

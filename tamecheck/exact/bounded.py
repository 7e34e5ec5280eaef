"""The simplex method for bounded variables in rationals, from any basis.

The dictionary ``x_B = T x_N`` treats columns and rows alike: the value of a row is a variable, a
linear form in the columns, whose reduced cost is the row's multiplier.  Costs are first shifted so
that the basis is dual feasible; the dual method makes it primal feasible, or finds a row of the
dictionary that no point within the bounds satisfies; the primal method, with the true costs, ends
at an optimum or a ray.  Both take the largest violation for a while and then Bland's rule, so that
neither cycles.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from flint import fmpq, fmpq_mat

from tamecheck.exact.linear import Basis, Box, Number, optimal_at, simple
from tamecheck.ir.answer import Answer, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.program import Program

__all__ = [
    "LinearOutcome",
    "LinearProof",
    "linear_box",
    "minimum",
]

_MOST_ENTRIES = 400_000
"""Dictionaries with more entries are not built: a pivot touches each."""

_ZERO, _ONE = fmpq(0), fmpq(1)


@dataclass(frozen=True, slots=True)
class LinearProof:
    """Multipliers of the rows, and of an optimum its basis.

    They prove an optimal point optimal.  If there is no point, their form of the rows minus the
    same form of the columns is positive within all bounds.
    """

    multipliers: tuple[Fraction, ...]
    basis: Basis | None = None


LinearOutcome: TypeAlias = Answer[Fraction, LinearProof]


def linear_box(program: Program) -> Box:
    """The columns' bounds as they are, without regard to kinds."""
    lower = [simple(column.lower) for column in program.columns]
    return Box(lower, [simple(column.upper) for column in program.columns])


def minimum(
    program: Program,
    costs: Sequence[Fraction],
    box: Box,
    basis: Basis | None = None,
    *,
    deadline: float = math.inf,
) -> LinearOutcome:
    """The minimum of ``Σ costs x`` over a program's rows and a box, with its proof.

    Parameters
    ----------
    program
        Its kinds, costs, bounds of columns and sense do not count.
    costs, box
        One number, one interval a column; no interval of a column or a row is crossed.
    basis
        Where to begin: a solver's, which need not be feasible or optimal, or none.
    deadline
        By the monotonic clock.

    Without a basis, or if it is singular, the method begins where all rows are basic.  A pivot
    takes ``rows * columns`` rational operations.
    """
    if basis is not None:
        known = optimal_at(program, costs, box, basis)
        if known is not None:
            value, point, multipliers = known
            return Optimal(point, value, LinearProof(multipliers, basis))
    if (len(program.rows) + 2) * (len(program.columns) + 1) > _MOST_ENTRIES:
        return Unknown("too large for rationals")
    return _Dictionary(program, costs, box, basis, deadline).solved()


class _Dictionary:
    """``x_B = T x_N``; the last two rows of T are the true costs and the shifted ones."""

    def __init__(
        self,
        program: Program,
        costs: Sequence[Fraction],
        box: Box,
        basis: Basis | None,
        deadline: float,
    ) -> None:
        self._program, self._deadline = program, deadline
        self._width, self._height = len(program.columns), len(program.rows)
        self._lower = [_end(x) for x in (*box.lower, *(row.lower for row in program.rows))]
        self._upper = [_end(x) for x in (*box.upper, *(row.upper for row in program.rows))]
        matrix: Any = fmpq_mat(self._height, self._width)
        for i, row in enumerate(program.rows):
            for j, a in row.terms:
                matrix[i, j] = _exact(a)
        cost: Any = fmpq_mat(1, self._width, [_exact(c) for c in costs])
        started = None if basis is None else self._started(matrix, cost, basis)
        if basis is None or started is None:
            self.nonbasic = list(range(self._width))
            self.basic = list(range(self._width, self._width + self._height))
            started = _stacked(matrix, cost)
            statuses = ["lower"] * self._width
        else:
            of = (*basis.columns, *basis.rows)
            statuses = [of[k] for k in self.nonbasic]
        self._table: Any = started
        self._at = [self._status(k, s) for k, s in zip(self.nonbasic, statuses, strict=True)]
        self._pivots = 0

    def _started(self, matrix: Any, cost: Any, basis: Basis) -> Any:
        """The dictionary of a basis, None if there is none."""
        rows = [i for i, status in enumerate(basis.rows) if status != "basic"]
        columns = [j for j, status in enumerate(basis.columns) if status == "basic"]
        if len(rows) != len(columns):
            return None
        others = [j for j, status in enumerate(basis.columns) if status != "basic"]
        kept = [i for i, status in enumerate(basis.rows) if status == "basic"]
        square, size = _part(matrix, rows, columns), len(rows)
        right: Any = fmpq_mat(size, self._width)
        for r, i in enumerate(rows):
            right[r, r] = _ONE
            for c, j in enumerate(others):
                right[r, size + c] = -matrix[i, j]
        try:
            of_columns: Any = square.solve(right) if size else right
        except ZeroDivisionError:
            return None
        self.nonbasic = [*(self._width + i for i in rows), *others]
        self.basic = [*columns, *(self._width + i for i in kept)]
        below = _stacked(_part(matrix, kept, range(self._width)), cost)
        rest: Any = _part(below, range(below.nrows()), columns) * of_columns
        for i in range(rest.nrows()):
            for c, j in enumerate(others):
                rest[i, size + c] += below[i, j]
        return fmpq_mat(size + rest.nrows(), self._width, [*of_columns.entries(), *rest.entries()])

    def _status(self, k: int, wanted: str) -> str:
        """The end at which a nonbasic variable can stand: the wanted one if it exists."""
        ends = {"lower": self._lower[k], "upper": self._upper[k]}
        if ends.get(wanted) is not None:
            return wanted
        return next((name for name, end in ends.items() if end is not None), "zero")

    def solved(self) -> LinearOutcome:
        """Pivot to the end."""
        self._shift()
        self._evaluate()
        outcome = self._run(self._dual_step)
        return outcome or self._run(self._primal_step) or self._optimum()

    def _run(self, step: Callable[[], LinearOutcome | bool]) -> LinearOutcome | None:
        """Take steps until one says that there is none left (None), or ends everything."""
        while True:
            if time.monotonic() > self._deadline:
                return Unknown("out of time")
            taken = step()
            if not isinstance(taken, bool):
                return taken
            if not taken:
                return None
            self._pivots += 1

    def _shift(self) -> None:
        """Flip or shift every nonbasic variable whose rate has the wrong sign."""
        true = self._height
        for c, k in enumerate(self.nonbasic):
            rate = self._table[true, c]
            low, high = self._lower[k], self._upper[k]
            if low is not None and high is not None:
                if low != high and rate:
                    self._at[c] = "lower" if rate > 0 else "upper"
            elif (rate < 0 and self._at[c] != "upper") or (rate > 0 and self._at[c] != "lower"):
                self._table[true + 1, c] = _ZERO

    def _evaluate(self) -> None:
        """The values of the basic variables."""
        column: Any = fmpq_mat(self._width, 1, [self._value(c) for c in range(self._width)])
        self.values: list[Any] = (self._table * column).entries()[: self._height]

    def _value(self, c: int) -> Any:
        """The value of the nonbasic variable in column c."""
        k = self.nonbasic[c]
        match self._at[c]:
            case "lower":
                return self._lower[k]
            case "upper":
                return self._upper[k]
            case _:
                return _ZERO

    @property
    def _patient(self) -> bool:
        return self._pivots < 2 * (self._width + self._height)

    def _dual_step(self) -> LinearOutcome | bool:
        outside = [
            (-excess if self._patient else 0, self.basic[r], r)
            for r in range(self._height)
            if (excess := self._excess(r))
        ]
        if not outside:
            return False
        r = min(outside)[2]
        below = self._lower[self.basic[r]] is not None and (
            self.values[r] < self._lower[self.basic[r]]
        )
        best: tuple[Any, int, int] | None = None
        for c, k in enumerate(self.nonbasic):
            slope = self._table[r, c]
            if not slope or not self._may_move(c, up=(slope > 0) == below):
                continue
            ratio = abs(self._table[self._height + 1, c] / slope)
            if best is None or (ratio, k) < best[:2]:
                best = ratio, k, c
        if best is None:
            return self._contradiction(r, 1 if below else -1)
        self._pivot(r, best[2], "lower" if below else "upper")
        return True

    def _excess(self, r: int) -> Any:
        """How far a basic variable is outside of its bounds."""
        k, value = self.basic[r], self.values[r]
        low, high = self._lower[k], self._upper[k]
        if low is not None and value < low:
            return low - value
        return value - high if high is not None and value > high else _ZERO

    def _may_move(self, c: int, *, up: bool) -> bool:
        k = self.nonbasic[c]
        if self._lower[k] is not None and self._lower[k] == self._upper[k]:
            return False
        return self._at[c] in {"zero", "lower" if up else "upper"}

    def _primal_step(self) -> LinearOutcome | bool:
        rates = [self._table[self._height, c] for c in range(self._width)]
        wrong = [
            (-abs(rate) if self._patient else 0, k, c)
            for c, (k, rate) in enumerate(zip(self.nonbasic, rates, strict=True))
            if rate and self._may_move(c, up=rate < 0)
        ]
        if not wrong:
            return False
        c = min(wrong)[2]
        k, direction = self.nonbasic[c], 1 if rates[c] < 0 else -1
        # the entering variable may itself come to its other end
        own = self._upper[k] if direction > 0 else self._lower[k]
        best: tuple[Any, int, int, str] | None = None
        if own is not None and self._at[c] != "zero":
            best = abs(own - self._value(c)), k, -1, ""
        for r, b in enumerate(self.basic):
            change = direction * self._table[r, c]
            end = self._upper[b] if change > 0 else self._lower[b]
            if not change or end is None:
                continue
            ratio = (end - self.values[r]) / change
            if best is None or (ratio, b) < best[:2]:
                best = ratio, b, r, "upper" if change > 0 else "lower"
        if best is None:
            return Unbounded(self._point(), self._ray(c, direction), LinearProof(()))
        if best[2] < 0:
            self._at[c] = "upper" if direction > 0 else "lower"
            self._evaluate()
        else:
            self._pivot(best[2], c, best[3])
        return True

    def _pivot(self, r: int, c: int, end: str) -> None:
        """Let the basic variable of row r leave at an end, and that of column c enter."""
        table, pivot = self._table, self._table[r, c]
        own = [-table[r, k] / pivot for k in range(self._width)]
        own[c] = 1 / pivot
        column = [table[i, c] for i in range(table.nrows())]
        for i in range(table.nrows()):
            table[i, c] = _ZERO
        column[r] = _ZERO
        moved: Any = fmpq_mat(len(column), 1, column) * fmpq_mat(1, self._width, own)
        self._table = table + moved
        for k, a in enumerate(own):
            self._table[r, k] = a
        self.basic[r], self.nonbasic[c] = self.nonbasic[c], self.basic[r]
        self._at[c] = end
        self._evaluate()

    def _contradiction(self, r: int, sign: int) -> Infeasible[LinearProof]:
        """A row that no values within the bounds satisfy, as multipliers of the program's rows."""
        weights = {self.basic[r]: _ONE}
        for c, k in enumerate(self.nonbasic):
            weights[k] = -self._table[r, c]
        multipliers = self._of_rows({k: sign * w for k, w in weights.items()})
        return Infeasible(LinearProof(multipliers))

    def _of_rows(self, weights: dict[int, Any]) -> tuple[Fraction, ...]:
        numbers = range(self._width, self._width + self._height)
        return tuple(_fraction(weights.get(k, _ZERO)) for k in numbers)

    def _point(self) -> tuple[Fraction, ...]:
        point = [_ZERO] * self._width
        for c, k in enumerate(self.nonbasic):
            if k < self._width:
                point[k] = self._value(c)
        for k, value in zip(self.basic, self.values, strict=True):
            if k < self._width:
                point[k] = value
        return tuple(map(_fraction, point))

    def _ray(self, c: int, direction: int) -> tuple[Fraction, ...]:
        ray = [_ZERO] * self._width
        if self.nonbasic[c] < self._width:
            ray[self.nonbasic[c]] = fmpq(direction)
        for r, k in enumerate(self.basic):
            if k < self._width:
                ray[k] = direction * self._table[r, c]
        return tuple(map(_fraction, ray))

    def _optimum(self) -> Optimal[Fraction, LinearProof]:
        rates = {k: self._table[self._height, c] for c, k in enumerate(self.nonbasic)}
        objective = sum((rates[k] * self._value(c) for c, k in enumerate(self.nonbasic)), _ZERO)
        statuses = ["basic"] * (self._width + self._height)
        for c, k in enumerate(self.nonbasic):
            statuses[k] = self._at[c]
        basis = Basis(tuple(statuses[: self._width]), tuple(statuses[self._width :]))
        proof = LinearProof(self._of_rows(rates), basis)
        return Optimal(self._point(), _fraction(objective), proof)


def _stacked(matrix: Any, cost: Any) -> Any:
    """A matrix above two copies of the costs."""
    entries = [*matrix.entries(), *cost.entries(), *cost.entries()]
    return fmpq_mat(matrix.nrows() + 2, cost.ncols(), entries)


def _part(matrix: Any, rows: Sequence[int], columns: Sequence[int]) -> Any:
    return fmpq_mat(len(rows), len(columns), [matrix[i, j] for i in rows for j in columns])


def _end(bound: Number | None) -> Any:
    return None if bound is None else _exact(bound)


def _exact(value: Number) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))

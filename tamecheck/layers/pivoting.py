"""From a basis that is optimal up to rounding to one that is optimal: a few exact pivots.

The simplex method for bounded variables in rationals, on columns and rows alike: the value of a
row is a variable too, whose reduced cost is the row's multiplier.  Costs are first shifted so that
the basis is dual feasible; the dual method makes it primal feasible; the primal method, with the
true costs, ends at an optimum.  Bland's rule in both, so that neither cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import fmpq_mat

from tamecheck.evaluate.reals import as_fraction, as_number
from tamecheck.ir.program import Column, Program, Row
from tamecheck.programs.basis import exact_multipliers, exact_point
from tamecheck.solve.relaxation import Basis

__all__ = ["improved_basis"]

_MOST_PIVOTS = 300

_ZERO = Fraction(0)


def improved_basis(program: Program, costs: Sequence[Fraction], basis: Basis) -> Basis | None:
    """An optimal basis for minimal ``costs · x``, by pivots from a basis that nearly is.

    None if there was none within 300 pivots, or the program is infeasible or unbounded, or the
    basis is singular.  The caller checks the result.
    """
    state = _State(program, basis)
    rates = state.rates(costs)
    if rates is None:
        return None
    shifted = list(costs)
    for k, rate in enumerate(rates):
        if state.wrong(k, rate):
            for j, a in state.form(k):
                shifted[j] -= rate * a
    if not _ended(state.dual_step, shifted) or not _ended(state.primal_step, costs):
        return None
    return state.basis


def _ended(step: Callable[[Sequence[Fraction]], bool | None], costs: Sequence[Fraction]) -> bool:
    """Whether steps came to their end, where none is left to take."""
    for _ in range(_MOST_PIVOTS):
        taken = step(costs)
        if not taken:
            return taken is False
    return False


@dataclass(slots=True)
class _State:
    """A basis; variables are numbered columns first, then rows."""

    program: Program
    basis: Basis

    @property
    def _statuses(self) -> tuple[str, ...]:
        return (*self.basis.columns, *self.basis.rows)

    def _limits(self, k: int) -> Column | Row:
        width = len(self.program.columns)
        return self.program.columns[k] if k < width else self.program.rows[k - width]

    def form(self, k: int) -> Iterator[tuple[int, Fraction]]:
        """The variable as a linear form in the columns."""
        width = len(self.program.columns)
        return iter([(k, Fraction(1))] if k < width else self.program.rows[k - width].terms)

    def _values(self) -> list[Fraction] | None:
        """All variables at the basis; None if it is singular."""
        columns = self.program.columns
        point = exact_point(
            self.program, self.basis, [c.lower for c in columns], [c.upper for c in columns]
        )
        if point is None:
            return None
        return [*point, *(row.value(point) for row in self.program.rows)]

    def rates(self, costs: Sequence[Fraction]) -> list[Fraction] | None:
        """How the objective changes with each nonbasic variable; 0 for basic ones."""
        found = exact_multipliers(self.program, self.basis, costs)
        if found is None:
            return None
        reduced = list(costs)
        for i, y in found.items():
            for j, a in self.program.rows[i].terms:
                reduced[j] -= y * a
        for j, status in enumerate(self.basis.columns):
            if status == "basic":
                reduced[j] = _ZERO
        return [*reduced, *(found.get(i, _ZERO) for i in range(len(self.program.rows)))]

    def wrong(self, k: int, rate: Fraction) -> int:
        """The direction in which a nonbasic variable improves the objective, or 0."""
        status, limits = self._statuses[k], self._limits(k)
        if status == "basic" or not rate:
            return 0
        if limits.lower is not None and limits.lower == limits.upper:
            return 0
        if status == "lower":
            return 1 if rate < 0 else 0
        if status == "upper":
            return -1 if rate > 0 else 0
        return -1 if rate > 0 else 1

    def primal_step(self, costs: Sequence[Fraction]) -> bool | None:
        """A pivot that does not worsen the objective; false at an optimum, None without an end."""
        rates, values = self.rates(costs), self._values()
        if rates is None or values is None:
            return None
        entering = next((k for k, rate in enumerate(rates) if self.wrong(k, rate)), None)
        if entering is None:
            return False
        direction = self.wrong(entering, rates[entering])
        changes = self._changes(entering)
        if changes is None:
            return None
        best: tuple[Fraction, int, str] | None = None
        for k, own in enumerate(changes):
            change = direction * own
            limits = self._limits(k)
            end = limits.upper if change > 0 else limits.lower
            if not change or end is None or (self._statuses[k] != "basic" and k != entering):
                continue
            ratio = (end - values[k]) / change
            if best is None or (ratio, k) < best[:2]:
                best = ratio, k, "upper" if change > 0 else "lower"
        if best is None:
            return None
        self._pivot(best[1], best[2], entering)
        return True

    def dual_step(self, costs: Sequence[Fraction]) -> bool | None:
        """A pivot for a variable outside its bounds; false if there is none, None if infeasible."""
        rates, values = self.rates(costs), self._values()
        if rates is None or values is None:
            return None
        for leaving, value in enumerate(values):
            limits = self._limits(leaving)
            if self._statuses[leaving] == "basic" and not limits.admits(value):
                break
        else:
            return False
        below = limits.lower is not None and value < limits.lower
        slopes = self._slopes(leaving)
        if slopes is None:
            return None
        best: tuple[Fraction, int] | None = None
        for k, slope in enumerate(slopes):
            if not slope or not self._may_move(k, up=(slope > 0) == below):
                continue
            ratio = abs(rates[k] / slope)
            if best is None or (ratio, k) < best:
                best = ratio, k
        if best is None:
            return None
        self._pivot(leaving, "lower" if below else "upper", best[1])
        return True

    def _may_move(self, k: int, *, up: bool) -> bool:
        status, limits = self._statuses[k], self._limits(k)
        if status == "basic" or (limits.lower is not None and limits.lower == limits.upper):
            return False
        return status in {"zero", "lower" if up else "upper"}

    def _pivot(self, leaving: int, end: str, entering: int) -> None:
        statuses = list(self._statuses)
        statuses[entering] = "basic"
        statuses[leaving] = end
        width = len(self.program.columns)
        self.basis = Basis(tuple(statuses[:width]), tuple(statuses[width:]))

    def _system(self) -> tuple[list[int], list[int], fmpq_mat]:
        """The rows that are not basic, the columns that are, and their matrix."""
        rows = [i for i, status in enumerate(self.basis.rows) if status != "basic"]
        columns = [j for j, status in enumerate(self.basis.columns) if status == "basic"]
        place = {j: k for k, j in enumerate(columns)}
        matrix = fmpq_mat(len(rows), len(columns))
        for r, i in enumerate(rows):
            for j, a in self.program.rows[i].terms:
                if j in place:
                    matrix[r, place[j]] = as_number(a)
        return rows, columns, matrix

    def _changes(self, entering: int) -> list[Fraction] | None:
        """How all variables change with a nonbasic one, the other nonbasic ones being fixed."""
        width = len(self.program.columns)
        rows, columns, matrix = self._system()
        moved = [_ZERO] * width
        if entering < width:
            moved[entering] = Fraction(1)
        right = [
            Fraction(i + width == entering)
            - sum((a * moved[j] for j, a in self.program.rows[i].terms if moved[j]), _ZERO)
            for i in rows
        ]
        solution = _solved(matrix, right)
        if solution is None:
            return None
        for j, value in zip(columns, solution, strict=True):
            moved[j] = value
        return [*moved, *(row.value(moved) for row in self.program.rows)]

    def _slopes(self, leaving: int) -> list[Fraction] | None:
        """How a basic variable changes with each nonbasic one; 0 for basic ones."""
        rows, columns, matrix = self._system()
        own = dict(self.form(leaving))
        solution = _solved(matrix.transpose(), [own.get(j, _ZERO) for j in columns])
        if solution is None:
            return None
        slopes = [own.get(j, _ZERO) for j in range(len(self.program.columns))]
        of_rows = [_ZERO] * len(self.program.rows)
        for i, weight in zip(rows, solution, strict=True):
            of_rows[i] = weight
            for j, a in self.program.rows[i].terms:
                slopes[j] -= weight * a
        for j in columns:
            slopes[j] = _ZERO
        return [*slopes, *of_rows]


def _solved(matrix: fmpq_mat, right: Sequence[Fraction]) -> list[Fraction] | None:
    if not right:
        return []
    try:
        found = matrix.solve(fmpq_mat(len(right), 1, [as_number(value) for value in right]))
    except ZeroDivisionError:
        return None
    return [as_fraction(value) for value in found.entries()]

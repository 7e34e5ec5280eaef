"""Presolve and cuts at the root, each step with the multipliers that prove it.

The strengthened program has the rows of the program, one for the cutoff (what is at least as good
as the best point, or better by the step between objective values), and the cuts; its bounds are
narrower.  Floating point proposes; the right side of a cut and every bound are computed exactly
from multipliers that were rounded.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import TypeAlias

from tamecheck.budget import Budget, Work
from tamecheck.exact.linear import Number, simple
from tamecheck.ir.answer import Optimal
from tamecheck.ir.box import is_crossed
from tamecheck.ir.program import Program, Row
from tamecheck.programs.certificate import Cut, Derived, Tightened
from tamecheck.programs.cliques import Cliques
from tamecheck.programs.condense import Condensed, condense
from tamecheck.programs.exact_cuts import UNIT
from tamecheck.programs.lattice import granularity
from tamecheck.programs.scaled import Scaled, hull_box, minimised_costs
from tamecheck.programs.separation import Optimum, Separation
from tamecheck.solvers.relaxation import Relaxation, nearest

_ROUNDS, _PASSES, _ODD = 60, 10, 4
"""Rounds of cuts, passes over rows, and rounds without much growth in which sums are halved."""
_OLD, _TIGHT = 3, 1e-6
_STALLED, _WORTH, _SHARE = 5, 1e-4, 0.01
"""Rounds without growth: so little of the bound, and of what is left to the cutoff."""
_ASKED, _A_ROUND, _DEARER = (4, 8, 16, 32), 25, 2
"""The rounds before which it is asked whether a tree closes, of so many nodes for each round, and
with so many times the iterations of the simplex method."""
_A_NODE, _A_ROW = 16, 4
"""So many combinations of rows that were rounded are worth a node of it; one, iterations."""
_A_TERM, _AN_ITERATION = 3, 0.05
"""Counted steps of a term of a row that is looked at, and of an iteration of the simplex method for
each row and column."""
_EQUAL, _BEYOND = 1e-9, 1e-6
"""Relative differences of a bound from the cutoff that are none, and that are seen."""
_INSIDE, _TIGHTEN, _LEAST = 1e-6, 5e6, 20
"""How far from its bound a column must be to be narrowed; steps for all, and as how many iterations
of the simplex method a relaxation counts at least."""
_LONGEST, _BASIC = 1 << 64, 1
"""Numbers in bounds; how HiGHS calls what is basic."""


@dataclass(frozen=True, slots=True)
class Strengthened:
    """A program with cutoff, cuts and narrower bounds, and what was derived to get there."""

    program: Program
    derived: tuple[Derived, ...]
    cutoff: Fraction | None
    """What the derivation assumes of the minimised objective, without its constant."""


Closes: TypeAlias = Callable[[Strengthened, int, int], bool]
"""Whether the tree of a program closes within so many nodes and iterations of the simplex method.
"""


def strengthen(
    program: Program,
    value: Fraction | None,
    budget: Budget,
    closes: Closes | None = None,
    steps: float = math.inf,
) -> Strengthened:
    """Narrow bounds and add cuts; ``value`` is the best point's minimised, without the constant.

    Cuts end where a small tree ``closes``, which is asked now and then, and after so many counted
    ``steps``, about as many as there are microseconds where nothing else is computed.
    """
    own = _Root(program, value, Work(steps, budget))
    if own.tighten_rows():
        own.cut(closes)
    return own.result()


def strengthen_by(
    program: Program, value: Fraction | None, derived: Sequence[Derived]
) -> Strengthened:
    """The program with what was derived before, for a best point of at most this value."""
    own = _Root(program, value, Work())
    for step in derived:
        if isinstance(step, Tightened):
            for end in step.ends:
                own.set_end(*end)
    own.add([step for step in derived if isinstance(step, Cut)])
    own.derived = list(derived)
    return own.result()


class _Root:
    def __init__(self, program: Program, value: Fraction | None, work: Work) -> None:
        self._count, self._work = len(program.rows), work
        self.derived: list[Derived] = []
        self._ages: dict[int, int] = {}
        """For each cut, in how many relaxations it was not tight: old ones are left out."""
        costs = minimised_costs(program)
        self._costs = costs
        step = granularity(program)
        self.cutoff = value
        self._margin = -_EQUAL
        """How far beyond the cutoff, relative to it, no point is left."""
        if value is not None and step is not None:
            self.cutoff, self._margin = value - step.step, _BEYOND
        terms = tuple((j, c) for j, c in enumerate(costs) if c)
        # names that no row has
        self._prefix = "derived "
        while any(row.name.startswith(self._prefix) for row in program.rows):
            self._prefix += "'"
        cutoff = Row(f"{self._prefix}cutoff", terms, None, self.cutoff)
        self.box = hull_box(program)
        self.crossed = any(map(is_crossed, self.box.lower, self.box.upper))
        """Whether no point is left within the bounds."""
        self.program = replace(program, rows=(*program.rows, cutoff))
        self.scaled = Scaled(self.program)
        self._rows: list[list[tuple[int, int]]] = self.scaled.rows
        self._basis: tuple[dict[int, int], dict[int, int]] = {}, {}
        """Of the last relaxation: what columns and rows are in it."""

    def result(self, old: int = 1) -> Strengthened:
        """The program without the cuts that were not tight in so many relaxations."""
        columns = tuple(
            column
            if column.kind.semi or (low, high) == (column.lower, column.upper)
            else replace(column, lower=_fraction(low), upper=_fraction(high))
            for column, low, high in zip(
                self.program.columns, self.box.lower, self.box.upper, strict=True
            )
        )
        rows = list(self.program.rows)
        # relaxations do better without it, and the trees' own bound says the same
        rows[self._count] = replace(rows[self._count], upper=None)
        for i, age in self._ages.items():
            if age >= old:
                rows[i] = replace(rows[i], lower=None)
        own = replace(self.program, columns=columns, rows=tuple(rows))
        return Strengthened(own, tuple(self.derived), self.cutoff)

    # -- bounds -----------------------------------------------------------------------------------

    def tighten_rows(self) -> bool:
        """Narrow bounds by single rows, again and again; False if no point is left.

        Where they leave nothing more, each is looked at with rows of which one column is 1.
        """
        self._leave_out()
        for _ in range(_PASSES):
            found = self._pass(self._tighten_row)
            if not (self.crossed or found):
                rows = range(len(self.program.rows))
                cliques = Cliques(self.program, self.scaled, self.box, rows)
                found = self._pass(partial(self._tighten_reduced, cliques))
            if self.crossed or not found:
                break
        return not self.crossed

    def _leave_out(self) -> None:
        """Keep only the terms of columns that need not be 0, to which bounds owe something."""
        known = [low == 0 == high for low, high in zip(self.box.lower, self.box.upper, strict=True)]
        self._rows = [[t for t in row if not known[t[0]]] for row in self.scaled.rows]

    def _pass(self, tighten: Callable[[int], bool]) -> bool:
        """Narrow bounds by each row, while there are points left."""
        found = False
        for i in range(len(self.program.rows)):
            if self._work.is_spent or self.crossed:
                break
            self._work.spend(_A_TERM * (1 + len(self.scaled.rows[i])))
            found |= tighten(i)
        return found

    def _tighten_reduced(self, cliques: Cliques, i: int) -> bool:
        """Fix binary columns whose terms are beyond the room of a reduced row."""
        found = False
        for sign in (1, -1):
            row = cliques.reduced(i, sign)
            if row is None or not row.cliques:
                continue
            over = math.lcm(*(w.denominator for w in row.weights.values()))
            numerators = {k: -int(w * over) for k, w in row.weights.items() if w}
            for one in row.literals:
                if one.term > row.room:
                    end = Fraction(row.room) / one.term
                    to, side = (-end, -1) if one.positive else (1 - end, 1)
                    own = one.column, side, to * one.term * over, one.term * over
                    found |= self._narrow([own], numerators)
        return found

    def _tighten_row(self, i: int) -> bool:
        """Narrow bounds of the columns of a row."""
        return self._tighten_sum({i: 1}) | self._tighten_sum({i: -1})

    def _tighten_sum(
        self, numerators: Mapping[int, int], wanted: Callable[[int], bool] | None = None
    ) -> bool:
        """Narrow bounds of wanted columns by what the other terms of a sum of rows leave them."""
        total: Number = 0
        form = defaultdict[int, int](int)
        for i, n in numerators.items():
            side = self.scaled.side(i, n)
            if side is None:
                return False
            total += n * self.scaled.scale * side
            for j, a in self._rows[i]:
                form[j] += n * a
        # the sum is at least its sides: what the others can at most contribute is taken from them
        most: dict[int, Number | None] = {}
        lower, upper = self.box.lower, self.box.upper
        for j, d in form.items():
            end = upper[j] if d > 0 else lower[j]
            most[j] = 0 if not d else None if end is None else d * end
        loose = [j for j, value in most.items() if value is None]
        if len(loose) > 1:
            return False
        total -= sum(value for value in most.values() if value is not None)
        ends = (
            (j, 1 if form[j] > 0 else -1, total + (most[j] or 0), abs(form[j]))
            for j in loose or form
            if form[j] and (wanted is None or wanted(j))
        )
        return self._narrow(ends, numerators)

    def _narrow(
        self, ends: Iterable[tuple[int, int, Number, int]], numerators: Mapping[int, int]
    ) -> bool:
        """Keep those of the bounds ``sign x >= least / over`` that are worth it.

        The sum of the rows times the numerators shows them.
        """
        found = tuple(end for given in ends if (end := self._worthy(*given)) is not None)
        if not found:
            return False
        for end in found:
            self.set_end(*end)
        common = math.gcd(*numerators.values())
        rows = {i: n // common for i, n in numerators.items()}
        self.derived.append(Tightened(found, rows))
        return True

    def _worthy(
        self, j: int, sign: int, least: Number, over: int
    ) -> tuple[int, int, Fraction] | None:
        """The bound ``sign x >= least / over``, if it is so much narrower that it is worth it."""
        low, high = self.box.lower[j], self.box.upper[j]
        old = low if sign > 0 else high
        # most are no narrower
        if old is not None and least <= sign * old * over:
            return None
        column = self.program.columns[j]
        # where no point is left, bounds would only grow
        if column.kind.semi or self.crossed:
            return None
        end = Fraction(least) / over
        to = Fraction(sign * math.ceil(end)) if column.kind.integral else sign * end
        if max(abs(to.numerator), to.denominator) > _LONGEST:
            return None
        if old is not None:
            gain = sign * (to - old)
            other = high if sign > 0 else low
            width = None if other is None else abs(other - old)
            worth = Fraction(1, 2) if column.kind.integral else Fraction(width or 0) / 5
            if gain <= 0 or gain < worth:
                return None
        return j, sign, to

    def set_end(self, j: int, sign: int, to: Fraction) -> None:
        """Set a bound of a column, if it is no looser than the one that is known."""
        ends = self.box.lower if sign > 0 else self.box.upper
        old = ends[j]
        if old is None or sign * to > sign * old:
            ends[j] = simple(to)
        self.crossed |= is_crossed(self.box.lower[j], self.box.upper[j])

    def tighten_costs(self, duals: Sequence[float]) -> bool:
        """Narrow bounds of integer columns by reduced costs and the cutoff."""
        if self.cutoff is None:
            return False
        y = self.scaled.round(duals, UNIT)
        y = {i: n for i, n in y.numerators.items() if i != self._count}
        columns = self.program.columns
        return self._tighten_sum({**y, self._count: -UNIT}, lambda j: columns[j].kind.integral)

    def tighten_columns(self, x: Sequence[float]) -> bool:
        """Narrow bounds by the least and the largest value that rows and cutoff leave a column.

        What a relaxation's point attains cannot be narrowed, and each relaxation adds a point.
        """
        if self.cutoff is None:
            return False
        rows = [self.program.rows[i] for i in self._active()]
        relaxation = Relaxation(replace(self.result(_OLD).program, rows=tuple(rows)))
        least, most, found = list(x), list(x), False
        a_step, last = _AN_ITERATION * (len(rows) + len(x)), self._work.done + _TIGHTEN
        order = sorted(
            (j for j, c in enumerate(self.program.columns) if not c.kind.semi),
            key=lambda j: not self.program.columns[j].kind.integral,
        )
        for j in order:
            for sign in (1, -1):
                end = (self.box.lower if sign > 0 else self.box.upper)[j]
                seen = least[j] if sign > 0 else most[j]
                if self._work.is_spent or self._work.done > last or self.crossed:
                    return found
                if end is not None and abs(seen - end) < _INSIDE * max(1.0, abs(seen)):
                    continue
                costs = [0.0] * len(least)
                costs[j] = float(sign)
                relaxation.set_costs(costs)
                before = relaxation.iterations
                answer = relaxation.solve(seconds=self._work.budget.seconds)
                self._work.spend(a_step * max(relaxation.iterations - before, _LEAST))
                if not isinstance(answer, Optimal):
                    continue
                least = list(map(min, least, answer.point))
                most = list(map(max, most, answer.point))
                found |= self._tighten_column(j, answer.certificate)
        if found:
            self.tighten_rows()
        return found

    def _active(self) -> list[int]:
        """The rows without cuts that were not tight for long."""
        return [i for i in range(len(self.program.rows)) if self._ages.get(i, 0) < _OLD]

    def _tighten_column(self, j: int, duals: Sequence[float]) -> bool:
        """Keep the bound of a column that multipliers of the active rows prove."""
        pairs = zip(self._active(), duals, strict=True)
        numerators = {i: round(y * UNIT) for i, y in pairs}
        y = self.scaled.support(numerators, UNIT).numerators
        return self._tighten_sum(y, lambda k: k == j)

    # -- cuts -------------------------------------------------------------------------------------

    def cut(self, closes: Closes | None) -> None:
        """Rounds of cuts, while the bound of the relaxation grows and the tree would be large."""
        before, stalled, passes, odd = -math.inf, _STALLED, _PASSES, _ODD
        iterations = tried = 0
        for count in range(_ROUNDS):
            own = None if self._work.is_spent else self._solve()
            if own is None:
                return
            iterations += _DEARER * own.relaxation.iterations
            asked = closes if count in _ASKED else None
            nodes = _A_ROUND * count + tried // _A_NODE
            if asked is not None and asked(self.result(), nodes, iterations + _A_ROW * tried):
                return
            objective = own.objective
            self._age(own.point)
            if self._excludes(objective) or (
                self.tighten_costs(own.duals) and not self.tighten_rows()
            ):
                return
            left = 0.0 if self.cutoff is None else nearest(self.cutoff) - objective
            worth = max(_WORTH * max(1.0, abs(objective)), _SHARE * left)
            if before > -math.inf:
                stalled = stalled + 1 if objective - before < worth else 0
            before = max(before, objective)
            if stalled >= _STALLED:
                passes -= 1
                narrower = passes and self.tighten_columns(own.point)
                if not narrower and passes < _PASSES - 1:
                    return
                stalled = 0
            else:
                odd -= stalled > 0
                separation = Separation(self.program, self.scaled, self.box, own, self._work)
                added = separation.cuts(odd=stalled > 0 and odd >= 0)
                tried += separation.tried
                if not added:
                    return
                self.add(added)

    def _solve(self) -> Optimum | None:
        """The relaxation without old cuts, None if it has no optimum."""
        own = condense(self.result(_OLD).program)
        relaxation = Relaxation(own.program)
        relaxation.restart(self._begin(own))
        answer = relaxation.solve(seconds=self._work.budget.seconds)
        a_step = _AN_ITERATION * (len(own.rows) + len(own.columns))
        terms = sum(map(len, self.scaled.rows))
        self._work.spend(a_step * relaxation.iterations + 2 * _A_TERM * terms)
        if not isinstance(answer, Optimal):
            return None
        basis = relaxation.mark()
        of_columns, of_rows = (map(int, own) for own in (basis.col_status, basis.row_status))
        self._basis = (
            self._basis[0] | dict(zip(own.columns.values(), of_columns, strict=True)),
            dict(zip(own.rows.values(), of_rows, strict=True)),
        )
        point, duals = list(map(nearest, own.point)), [0.0] * len(self.program.rows)
        for k, value in enumerate(answer.point):
            point[own.columns[k]] = value
        for k, y in enumerate(answer.certificate):
            duals[own.rows[k]] = y
        return Optimum(own, relaxation, answer.objective + nearest(own.shift), point, duals)

    def _begin(self, own: Condensed) -> bytes | None:
        """The last basis with the new rows, None if that is none."""
        columns, rows = self._basis
        found = bytes(columns.get(j, _BASIC) for j in own.columns.values())
        found += bytes(rows.get(i, _BASIC) for i in own.rows.values())
        return found if found.count(_BASIC) == len(own.rows) else None

    def _excludes(self, bound: float) -> bool:
        """Whether a bound seems to exclude all points that count."""
        if self.cutoff is None:
            return False
        cutoff = nearest(self.cutoff)
        return bound >= cutoff + self._margin * max(1.0, abs(cutoff))

    def _age(self, x: Sequence[float]) -> None:
        """Count how long each cut was not tight; one that is violated is young again."""
        for i, row in enumerate(self.program.rows[self._count + 1 :], self._count + 1):
            side = nearest(row.lower or Fraction(0))
            slack = sum(nearest(a) * x[j] for j, a in row.terms) - side
            tight = slack <= _TIGHT * max(1.0, abs(side))
            self._ages[i] = 0 if tight else self._ages.get(i, 0) + 1

    def add(self, cuts: Sequence[Cut]) -> None:
        """Add cuts as rows."""
        self.derived += cuts
        first = len(self.program.rows)
        rows = [
            Row(
                f"{self._prefix}{first + k}",
                tuple((j, Fraction(a)) for j, a in cut.terms),
                cut.least,
            )
            for k, cut in enumerate(cuts)
        ]
        self.program = replace(self.program, rows=(*self.program.rows, *rows))
        self.scaled.extend([(cut.terms, cut.least) for cut in cuts])
        self._leave_out()


def _fraction(end: Number | None) -> Fraction | None:
    return None if end is None else Fraction(end)

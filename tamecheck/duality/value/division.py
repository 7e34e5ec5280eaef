"""The search for the cells of a value function on a box of one to three right-hand sides.

The box is divided into relatively open polytopes, its faces at first.  On each, the best integer
parts so far have one affine function (or there is none).  A mixed-integer program over a closed
cell, whose optimum is proved, finds an integer part that is better somewhere, or shows that none
is, on the cell and on its faces; where z jumps down at the boundary a second one asks about the
interior only.  So every cell of the result is proved by a search of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.duality.form import Form, Vector, dot, open_parts
from tamecheck.duality.optimum import minimise
from tamecheck.duality.proof import decide
from tamecheck.duality.value.region import (
    AffineFunction,
    Polytope,
    ValueCell,
    ValueRegion,
    join_all,
)
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.answer import Infeasible, Optimal
from tamecheck.ir.exact import ONE, ZERO
from tamecheck.ir.program import Column, Program, Row

MOST_ROWS = 3
"""Right-hand sides of a box."""


@dataclass(slots=True)
class _Open:
    """A relatively open polytope, and the best function of the integer parts so far."""

    polytope: Polytope
    best: AffineFunction | None
    done: bool = False


def value_region(
    form: Form,
    rows: Sequence[tuple[str, Fraction, Fraction]],
    d: Vector,
    budget: Budget,
) -> ValueRegion:
    """The value function where the named right-hand sides vary and the others are those of ``d``.

    Raises
    ------
    InputError
        If a name or an interval is wrong, or there are more than three.
    SolverError
        If the time was over before all cells were proved.
    """
    names = [name for name, _, _ in rows]
    if not 1 <= len(rows) <= MOST_ROWS or len(set(names)) < len(names):
        raise InputError(f"A box has one to three different right-hand sides, not {len(rows)}.")
    for name, low, high in rows:
        if name not in form.names:
            raise InputError(f"There is no right-hand side {name!r}.")
        if low >= high:
            raise InputError(f"The interval from {low} to {high} has no interior.", where=name)
    return _Division(form, rows, d, budget).run()


class _Division:
    """The division of a box into relatively open cells."""

    def __init__(
        self,
        form: Form,
        rows: Sequence[tuple[str, Fraction, Fraction]],
        d: Vector,
        budget: Budget,
    ) -> None:
        self.form, self.budget = form, budget
        self.names = tuple(name for name, _, _ in rows)
        self.lower = tuple(low for _, low, _ in rows)
        self.upper = tuple(high for _, _, high in rows)
        self.moving = [form.names.index(name) for name in self.names]
        self.start = tuple(-form.shift[i] if i in self.moving else own for i, own in enumerate(d))
        self.integral = [j for j, c in enumerate(form.columns) if c.integral]
        self.rest = [c for c in form.columns if not c.integral]
        self.known: set[tuple[Fraction, Vector]] = set()
        box = Polytope.box(self.lower, self.upper)
        self.open = [_Open(own, None) for own in box.faces()]

    def run(self) -> ValueRegion:
        """Divide until every cell is proved."""
        while (cell := self._next()) is not None:
            if self.budget.is_spent:
                left = sum(not own.done for own in self.open)
                raise SolverError(
                    f"The cells are not complete: the time was over with {len(self.open)} cells,"
                    f" {left} of them not proved, and {len(self.known)} integer parts.",
                    hint="Take a smaller box, bound the integer variables, or give more time.",
                )
            part = self._better(cell, interior=False)
            if part is None:
                self._finish(cell)
            elif part.key not in self.known:
                self._add(part)
            elif (part := self._better(cell, interior=True)) is None:
                cell.done = True
            elif part.key in self.known:
                raise AssertionError("a known integer part is better than the best one")
            else:
                self._add(part)
        return self._region()

    def _next(self) -> _Open | None:
        waiting = (own for own in self.open if not own.done)
        return max(waiting, key=lambda own: own.polytope.dimension, default=None)

    def _finish(self, cell: _Open) -> None:
        """A closed cell is proved: so are its faces that have the same function."""
        cell.done = True
        for own in self.open:
            if own.done or not cell.polytope.includes(own.polytope):
                continue
            if cell.best is None or own.best is None:
                own.done = cell.best is own.best
            else:
                own.done = all(own.best(v) == cell.best(v) for v in own.polytope.vertices)

    def _better(self, cell: _Open, *, interior: bool) -> _Part | None:
        """An integer part that is better than the best somewhere on the closed cell, or inside.

        In the closed cell it is that of the largest difference.
        """
        program = self._program(cell, interior=interior)
        outcome = decide(program, self.budget)
        if outcome is None:
            raise SolverError(
                "The cells are not complete: a mixed-integer program about one of them was not"
                " decided in time.",
                hint="Take a smaller box, bound the integer variables, or give more time.",
            )
        if isinstance(outcome, Infeasible):
            return None
        if not isinstance(outcome, Optimal):
            raise SolverError("A program with a feasible dual cannot be unbounded.")
        if (interior or cell.best is not None) and outcome.objective >= 0:
            return None
        return _Part(self, tuple(outcome.point[j] for j in self.integral))

    def _program(self, cell: _Open, *, interior: bool) -> Program:
        """The columns of the form, the weights of the cell's vertices, and how far inside.

        Over the closed cell the difference to the best is minimised, else ``-inside``.
        """
        form, vertices, best = self.form, cell.polytope.vertices, cell.best
        gains = [ZERO if best is None else -best(v) for v in vertices]
        costs = [c.cost for c in form.columns]
        priced = [*costs, *gains]
        columns, terms = open_parts(form)
        if interior:
            columns = [replace(column, cost=ZERO) for column in columns]
        n = len(columns)
        columns += [Column(str(n + k), cost=ZERO if interior else a) for k, a in enumerate(gains)]
        weights = [(n + k, ONE) for k in range(len(vertices))]
        rows = [Row("sum", tuple(weights), ONE, ONE)]
        for place, i in enumerate(self.moving):
            terms[i] += [(n + k, -v[place]) for k, v in enumerate(vertices) if v[place]]
        for i, constraint in enumerate(form.constraints):
            rows.append(constraint.row_of(str(i), terms[i], self.start[i]))
        if interior:
            inside = len(columns)
            columns.append(Column(str(inside), upper=ONE, cost=-ONE))
            for j, one in weights:
                rows.append(Row(f"weight {j}", ((j, one), (inside, -ONE)), ZERO, None))
            if best is not None:
                gain = [(j, -a) for j, a in enumerate(priced) if a]
                rows.append(Row("better", (*gain, (inside, -ONE)), ZERO, None))
        return Program(tuple(columns), tuple(rows))

    def _add(self, part: _Part) -> None:
        """Use an integer part on all cells that are not proved."""
        self.known.add(part.key)
        found: list[_Open] = []
        for cell in self.open:
            found += [cell] if cell.done else part.improve(cell)
        self.open = found

    def _region(self) -> ValueRegion:
        size, sign = len(self.names), self.form.sign
        groups: dict[tuple[AffineFunction | None, int], list[Polytope]] = {}
        for own in self.open:
            groups.setdefault((own.best, own.polytope.dimension), []).append(own.polytope)
        cells: list[ValueCell] = []
        empty: list[ValueCell] = []
        for (best, dimension), polytopes in sorted(groups.items(), key=lambda own: -own[0][1]):
            if best is None:
                joined = join_all(polytopes) if dimension == size else []
                empty += [ValueCell(p, None) for p in joined]
                continue
            kept = [part for p in polytopes for part in _uncovered(p, best, cells)]
            cells += [ValueCell(p, best) for p in join_all(kept)]
        shown = [
            ValueCell(c.polytope, self._outward(c.value)) for c in cells if c.value is not None
        ]
        return ValueRegion(self.names, self.lower, self.upper, tuple(shown), tuple(empty), sign)

    def _outward(self, value: AffineFunction) -> AffineFunction:
        moved = AffineFunction(value.slope, value.constant + self.form.constant)
        return moved.times(self.form.sign)


def _uncovered(
    polytope: Polytope, best: AffineFunction, cells: Sequence[ValueCell]
) -> list[Polytope]:
    """What is left of a polytope without the cells of higher dimension that have its values."""
    left = [polytope]
    for cell in cells:
        if cell.dimension > polytope.dimension:
            left = [part for own in left for part in _outside(own, best, cell)]
    return left


def _outside(polytope: Polytope, best: AffineFunction, cell: ValueCell) -> list[Polytope]:
    """The parts outside of a cell, and the one inside if it has other values."""
    found: list[Polytope] = []
    own: Polytope | None = polytope
    for row in cell.polytope.rows:
        below, on, above = own.split(row)
        found += [] if below is None else [below]
        own = above or on
        if own is None:
            return found
    if cell.value is None or any(cell.value(v) != best(v) for v in own.vertices):
        found.append(own)
    return found


class _Part:
    """The function ``phi_x`` of an integer part; parts with the same ``key`` have the same."""

    def __init__(self, division: _Division, x: Vector) -> None:
        form, self.division = division.form, division
        rest = list(division.start)
        self.cost = ZERO
        for j, value in zip(division.integral, x, strict=True):
            if value:
                self.cost += form.columns[j].cost * value
                for i, a in form.columns[j].entries:
                    rest[i] -= a * value
        self.rest = tuple(rest)
        self.key = self.cost, self.rest
        self._forms: dict[Vector, tuple[bool, AffineFunction]] = {}

    def improve(self, cell: _Open) -> list[_Open]:
        """The cell, divided where this function is smaller than the best."""
        found: list[_Open] = []
        changed = False
        for polytope, value in self._pieces(cell.polytope):
            if value is None or cell.best is None:
                found.append(_Open(polytope, value or cell.best))
                changed |= value is not None
                continue
            below, on, above = polytope.split(value.minus(cell.best))
            found += [_Open(p, cell.best) for p in (on, above) if p is not None]
            if below is not None:
                found.append(_Open(below, value))
                changed = True
        return found if changed else [cell]

    def _pieces(self, polytope: Polytope) -> list[tuple[Polytope, AffineFunction | None]]:
        """Relatively open parts on which the function is affine, or infinite."""
        found: list[tuple[Polytope, AffineFunction | None]] = []
        waiting = [polytope]
        while waiting:
            own = waiting.pop()
            finite, line = self._at(own.center)
            if not finite:
                below, on, above = own.split(line)
                if above is not None:
                    found.append((above, None))
                waiting += [p for p in (below, on) if p is not None]
                continue
            cut = self._cut(own, line)
            if cut is None:
                found.append((own, line))
            else:
                waiting += [p for p in own.split(cut) if p is not None]
        return found

    def _cut(self, polytope: Polytope, line: AffineFunction) -> AffineFunction | None:
        """A form that is above 0 at a vertex where the function is not the line, not above inside.

        None if it is the line at all vertices, hence between them.
        """
        for v in polytope.vertices:
            finite, own = self._at(v)
            if not finite:
                return own
            if own(v) > line(v):
                return own.minus(line)
        return None

    def _at(self, t: Vector) -> tuple[bool, AffineFunction]:
        """Whether there is a point at ``t``, with a line below the function that it touches there.

        Else a form that is above 0 there and at most 0 wherever there is a point.
        """
        if t not in self._forms:
            self._forms[t] = self._solve(t)
        return self._forms[t]

    def _solve(self, t: Vector) -> tuple[bool, AffineFunction]:
        own = self.division
        side = list(self.rest)
        for i, value in zip(own.moving, t, strict=True):
            side[i] += value
        if own.rest:
            outcome = minimise(own.rest, own.form.constraints, side)
            if not isinstance(outcome, Optimal | Infeasible):
                raise SolverError("A relaxation with a feasible dual cannot be unbounded.")
            finite, y = isinstance(outcome, Optimal), outcome.certificate.multipliers
        else:
            finite, y = self._empty(side)
        slope = tuple(y[i] for i in own.moving)
        constant = dot(y, self.rest) + (self.cost if finite else 0)
        return finite, AffineFunction(slope, constant)

    def _empty(self, side: Sequence[Fraction]) -> tuple[bool, Vector]:
        """Multipliers where there are no continuous columns."""
        y = [ZERO] * len(side)
        for i, (c, own) in enumerate(zip(self.division.form.constraints, side, strict=True)):
            if not c.holds(ZERO, own):
                y[i] = ONE if own > 0 else -ONE
                return False, tuple(y)
        return True, tuple(y)

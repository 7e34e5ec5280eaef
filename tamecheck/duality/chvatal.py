"""Chvátal functions of pure integer programs: sums and roundings of constraints.

Gomory's fractional cut of a row of the dictionary is the Chvátal cut whose multipliers are the
fractional parts of the row's multipliers; so the run is recorded as nested non-negative
combinations and ceilings of the right-hand sides.  With the lexicographic dual simplex method,
cuts from the first fractional row and a bounded feasible set the run is finite (Gomory 1963),
and the final multipliers then give F(b) = z(b) (Wolsey 1981; Blair, Jeroslow 1982).

Separation: the cut with multipliers u in [0, 1) is ``sum of ceil(u·a_j) x_j >= ceil(u·b)``.  At a
point x* of the relaxation the most violated one maximises ``beta - alpha·x*`` over integers alpha,
beta with ``alpha_j >= u·a_j`` and ``beta < u·b + 1`` (Fischetti, Lodi 2007).  Solvers only propose
u: it is rounded to rationals, and the cut, its node and its violation are computed exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NoReturn

from tamecheck.budget import Budget
from tamecheck.duality.check import CheckItem
from tamecheck.duality.expression.dual import ExpressionDual
from tamecheck.duality.expression.function import ExpressionBuilder
from tamecheck.duality.form import (
    Constraint,
    Form,
    FormColumn,
    InfeasibleProgramError,
    RightHandSide,
    Vector,
    normalise,
)
from tamecheck.duality.optimum import (
    feasible_multipliers,
    minimise,
    moved_program,
    proved_optimum,
    require_integer_solution,
)
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.exact.simplex import LexicographicDictionary, State
from tamecheck.ir.answer import Feasible, Infeasible, Optimal
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.solvers.claims import claims

__all__ = [
    "ChvatalDual",
    "IntegerRow",
    "chvatal_dual",
    "integer_rows",
    "separated",
    "separation_program",
]

_ROUNDS_BEFORE_SOLVING = 12
_CUTS_A_ROUND = 10
_DEFAULT_SECONDS = 60.0


class ChvatalDual(ExpressionDual):
    """Nested ceilings of non-negative combinations of the right-hand sides."""

    method = "chvatal"

    @property
    def subadditive(self) -> CheckItem:
        """True by construction."""
        return CheckItem(
            status=True,
            why="a Chvátal function: non-negative combinations and ceilings of linear forms",
        )


@dataclass(frozen=True, slots=True)
class IntegerRow:
    """``coefficients · x >= bound`` in integers, and the node whose value at b is the bound."""

    coefficients: tuple[int, ...]
    bound: int
    node: int


def chvatal_dual(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    more: Sequence[RightHandSide] = (),
    seconds: float | None = None,
    seed: int = 0,
    rounds: int = 10_000,
    strategy: str = "gomory",
) -> ChvatalDual:
    """A Chvátal function that is dual feasible for a pure integer program.

    Parameters
    ----------
    program
        All variables integer; rational data.
    more
        Further right-hand sides: each has its own run, and F is the maximum, strong at those
        whose run ends.  The notes name those without a feasible point, which add nothing.
    seconds
        For all cutting-plane runs; 60 if not given.  Where one does not end, F has a gap.
    seed
        Of the solvers that prove the optimum where the run does not.
    rounds
        The largest number of rounds of cuts.
    strategy
        ``gomory`` (cuts from the dictionary) or ``separation`` (most violated Chvátal–Gomory
        cuts of rank 1, found by mixed-integer programs: for programs that are too large).

    Raises
    ------
    InputError
        If further right-hand sides are given to the strategy ``separation``.
    UnsupportedError
        If a variable is continuous: a ceiling grows infinitely fast along its column.
    InfeasibleProgramError, DomainError
        If the program is infeasible, or the dual of its relaxation is.
    """
    form = normalise(program)
    continuous = [(c.name, "continuous") for c in form.columns if not c.integral]
    if continuous:
        raise UnsupportedError(
            "A Chvátal function is a dual function of pure integer programs only.",
            nodes=continuous[:5],
            hint="Use the method gomory, tree or generator.",
        )
    require_integer_solution(form)
    budget = Budget.of(_DEFAULT_SECONDS if seconds is None else seconds)
    if strategy == "separation":
        if more:
            raise InputError(
                "Separated cuts are those of one right-hand side.",
                hint="Use the strategy gomory for several.",
            )
        return separated(form, budget, seed=seed, rounds=rounds)
    builder = ExpressionBuilder(form.size)
    first = _Run(form, budget, seed, builder).run(rounds)
    return _enlarged(first, [form.at(b) for b in more], budget, rounds, builder)


def _enlarged(
    own: _Cut, places: Sequence[Vector], budget: Budget, rounds: int, builder: ExpressionBuilder
) -> ChvatalDual:
    """The maximum of a run's function and those of runs at other right-hand sides."""
    form, root, notes = own.form, own.root, [own.note]
    for d in places:
        # the same columns and rows, so that what a run proves holds for this program as well
        moved = replace(form, right=d, program=moved_program(form, d))
        try:
            found = _Run(moved, budget, 0, builder).run(rounds)
        except InfeasibleProgramError:
            sides = ", ".join(rational_text(x) for x in d)
            notes.append(f"there is no feasible point at ({sides})")
            continue
        if builder.build(found.root)(d) > builder.build(root)(d):
            root = builder.maximum([root, found.root])
    return ChvatalDual(form, own.optimum, builder.build(root), tuple(notes))


def integer_rows(form: Form, builder: ExpressionBuilder) -> list[IntegerRow]:
    """The constraints as ``>=`` rows with coprime integers; a bound that is none is rounded up.

    An equation becomes two rows.
    """
    rows: list[IntegerRow] = []
    for i, constraint in enumerate(form.constraints):
        entries: list[tuple[int, Fraction]] = [
            (j, a) for j, c in enumerate(form.columns) for k, a in c.entries if k == i
        ]
        scale = Fraction(
            math.lcm(*(a.denominator for _, a in entries)),
            math.gcd(*(a.numerator for _, a in entries)) or 1,
        )
        # the denominators' multiple over the numerators' divisor makes coprime integers
        for sign in {"=": (1, -1), ">=": (1,), "<=": (-1,)}[constraint.sense]:
            dense = [0] * len(form.columns)
            for j, a in entries:
                dense[j] = int(sign * scale * a)
            line = [Fraction(0)] * form.size
            line[i] = sign * scale
            node = builder.linear(line)
            side = sign * scale * form.right[i]
            if side.denominator > 1:
                node = builder.ceiling(node)
            rows.append(IntegerRow(tuple(dense), math.ceil(side), node))
    return rows


@dataclass(frozen=True, slots=True)
class _Cut:
    """What a run ended with: the node of its function, and the optimum if it is proved."""

    form: Form
    optimum: Fraction | None
    root: int
    note: str


class _Run:
    """One cutting-plane run, and the functions of its cuts."""

    def __init__(self, form: Form, budget: Budget, seed: int, builder: ExpressionBuilder) -> None:
        self.form, self.budget, self.seed = form, budget, seed
        self.builder = builder
        self.rows = integer_rows(form, self.builder)
        self.nodes = {k: row.node for k, row in enumerate(self.rows)}
        costs = [column.cost for column in form.columns]
        self.scale = math.lcm(*(c.denominator for c in costs)) if costs else 1
        self.dictionary = LexicographicDictionary(
            [c * self.scale for c in costs],
            [([Fraction(a) for a in r.coefficients], Fraction(r.bound)) for r in self.rows],
        )
        self.optimum: Fraction | None = None
        self.solved = False

    def run(self, rounds: int) -> _Cut:
        """Cut until the point is integral, the bound meets the optimum, or time is over."""
        table = self.dictionary
        cuts = 0
        for done in range(rounds + 1):
            state = table.optimise(self.budget)
            if state is State.UNBOUNDED:
                feasible_multipliers(self.form)
            if state is State.INFEASIBLE:
                self._infeasible()
            table.drop_basic(len(self.rows))
            fractional = [i for i in range(self._entries) if table.value(i).denominator > 1]
            if state is State.STOPPED or done == rounds:
                break
            if not fractional:
                self.optimum = table.value(0) / self.scale
                return self._answer(f"{cuts} cuts in {done} rounds: the point is integral")
            if done >= _ROUNDS_BEFORE_SOLVING and self._meets_optimum():
                return self._answer(f"{cuts} cuts in {done} rounds: the bound is the optimum")
            for entry in fractional[:_CUTS_A_ROUND]:
                self._cut(entry)
                cuts += 1
        self._prove()
        return self._answer(f"stopped after {cuts} cuts")

    @property
    def _entries(self) -> int:
        return len(self.form.columns) + 1

    def _cut(self, entry: int) -> None:
        terms = [
            (self.nodes[k], a - math.floor(a)) for k, a in self.dictionary.surplus_terms(entry)
        ]
        number = self.dictionary.add_cut(entry)
        self.nodes[number] = self.builder.ceiling(self.builder.combination(terms))

    def _prove(self) -> None:
        if not self.solved:
            self.solved = True
            left = max(1.0, self.budget.seconds)
            self.optimum = proved_optimum(self.form, seconds=left, seed=self.seed)

    def _meets_optimum(self) -> bool:
        self._prove()
        bound = Fraction(math.ceil(self.dictionary.value(0)), self.scale)
        return self.optimum is not None and bound == self.optimum

    def _infeasible(self) -> NoReturn:
        feasible_multipliers(self.form)
        raise InfeasibleProgramError(
            "The program is infeasible, so that no dual function attains its value:"
            " integer cuts of its rows contradict each other."
        )

    def _answer(self, note: str) -> _Cut:
        return _Cut(self.form, self.optimum, self._multiplied(), note)

    def _multiplied(self) -> int:
        """The node of the final multipliers, rounded up where that raises the bound."""
        builder = self.builder
        if not self.dictionary.priced:
            # stopped before the objective was reached: any multipliers that are feasible
            return builder.linear(feasible_multipliers(self.form))
        terms = [(self.nodes[k], y) for k, y in self.dictionary.surplus_terms(0)]
        if self.dictionary.value(0).denominator > 1:
            rounded = builder.ceiling(builder.combination(terms))
            return builder.combination([(rounded, Fraction(1, self.scale))])
        return builder.combination([(i, y / self.scale) for i, y in terms])


_ZERO = Fraction(0)
_MARGIN = Fraction(1, 100)
_SECONDS_A_CUT = 5.0
_DENOMINATORS = (12, 100, 10_000)


def separated(form: Form, budget: Budget, *, seed: int, rounds: int) -> ChvatalDual:
    """A Chvátal function from separated cuts: of rank 1 first, then of cuts of cuts.

    Raises
    ------
    InfeasibleProgramError, DomainError
        If the program is infeasible, or the dual of its relaxation is.
    """
    feasible_multipliers(form)
    optimum = proved_optimum(form, seconds=budget.seconds, seed=seed)
    builder = ExpressionBuilder(form.size)
    rows = integer_rows(form, builder)
    original = len(rows)
    point, multipliers, bound = _relaxed(form, rows)
    note = "no time"
    for done in range(rounds + 1):
        note = f"{len(rows) - original} separated cuts"
        if all(x.denominator == 1 for x in point):
            optimum = bound
            break
        left = budget.seconds
        if bound == optimum or done == rounds or left <= 0:
            break
        cuts = _cuts(rows[:original], point, builder, left, seed)
        cuts = cuts or _cuts(rows, point, builder, left, seed)
        if not cuts:
            break
        rows.extend(cuts)
        point, multipliers, bound = _relaxed(form, rows)
    root = _root(form, builder, rows, multipliers, bound)
    return ChvatalDual(form, optimum, builder.build(root), (note,))


def _relaxed(form: Form, rows: Sequence[IntegerRow]) -> tuple[Vector, Vector, Fraction]:
    columns = [
        FormColumn(
            name=column.name,
            integral=True,
            cost=column.cost,
            entries=tuple(
                (i, Fraction(r.coefficients[j])) for i, r in enumerate(rows) if r.coefficients[j]
            ),
        )
        for j, column in enumerate(form.columns)
    ]
    constraints = [Constraint(str(i), ">=", None) for i in range(len(rows))]
    outcome = minimise(columns, constraints, [Fraction(row.bound) for row in rows])
    if isinstance(outcome, Infeasible):
        raise InfeasibleProgramError(
            "The program is infeasible, so that no dual function attains its value:"
            " integer cuts of its rows contradict each other."
        )
    if not isinstance(outcome, Optimal):
        raise AssertionError("the dual of the relaxation is feasible")  # noqa: TRY004
    return outcome.point, outcome.certificate.multipliers, outcome.objective


def separation_program(rows: Sequence[IntegerRow], point: Sequence[Fraction]) -> Program:
    """The program whose best point has the multipliers of a most violated cut at ``point``.

    Its first columns are the multipliers, one a row.
    """
    size = len(rows)
    used = [j for j, x in enumerate(point) if x > 0]
    columns = [Column(f"u{i}", _ZERO, 1 - _MARGIN) for i in range(size)]
    columns += [Column(f"a{j}", None, None, Kind.INTEGER, -point[j]) for j in used]
    columns.append(Column("beta", None, None, Kind.INTEGER, Fraction(1)))
    made = [
        Row(
            f"above{j}",
            (
                *(
                    (i, Fraction(-r.coefficients[j]))
                    for i, r in enumerate(rows)
                    if r.coefficients[j]
                ),
                (size + k, Fraction(1)),
            ),
            _ZERO,
            None,
        )
        for k, j in enumerate(used)
    ]
    bounds = tuple((i, Fraction(row.bound)) for i, row in enumerate(rows) if row.bound)
    beta = ((size + len(used), Fraction(-1)),)
    made.append(Row("below", (*bounds, *beta), _MARGIN - 1, None))
    return Program(tuple(columns), tuple(made), Sense.MAXIMISE)


def _cuts(
    rows: Sequence[IntegerRow],
    point: Vector,
    builder: ExpressionBuilder,
    seconds: float,
    seed: int,
) -> list[IntegerRow]:
    """The violated cuts among those that the solvers' multipliers and their roundings give."""
    program = separation_program(rows, point)
    found: dict[tuple[int, ...], IntegerRow] = {}
    for claim in claims(program, seconds=min(seconds, _SECONDS_A_CUT), seed=seed):
        if not isinstance(claim, Optimal | Feasible):
            continue
        best: tuple[Fraction, IntegerRow] | None = None
        for denominator in _DENOMINATORS:
            u = [
                max(_ZERO, Fraction(x).limit_denominator(denominator))
                for x in claim.point[: len(rows)]
            ]
            cut = _cut(rows, u, builder)
            activity = sum((a * x for a, x in zip(cut.coefficients, point, strict=True)), _ZERO)
            violation = cut.bound - activity
            if violation > 0 and (best is None or violation > best[0]):
                best = (violation, cut)
        if best is not None:
            found[best[1].coefficients] = best[1]
    return list(found.values())


def _cut(
    rows: Sequence[IntegerRow], u: Sequence[Fraction], builder: ExpressionBuilder
) -> IntegerRow:
    used = [(row, x) for row, x in zip(rows, u, strict=True) if x]
    count = len(rows[0].coefficients)
    return IntegerRow(
        tuple(
            math.ceil(sum((x * row.coefficients[j] for row, x in used), _ZERO))
            for j in range(count)
        ),
        math.ceil(sum((x * row.bound for row, x in used), _ZERO)),
        builder.ceiling(builder.combination([(row.node, x) for row, x in used])),
    )


def _root(
    form: Form,
    builder: ExpressionBuilder,
    rows: Sequence[IntegerRow],
    multipliers: Vector,
    bound: Fraction,
) -> int:
    """The node of the multipliers; rounded up on the grid of the costs where that helps."""
    scale = math.lcm(*(column.cost.denominator for column in form.columns))
    terms = [(row.node, y) for row, y in zip(rows, multipliers, strict=True) if y]
    if (scale * bound).denominator == 1:
        return builder.combination(terms)
    scaled = builder.combination([(i, scale * y) for i, y in terms])
    return builder.combination([(builder.ceiling(scaled), Fraction(1, scale))])

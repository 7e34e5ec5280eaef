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

from tamecheck.budget import Budget
from tamecheck.duality.expression.dual import ExpressionBuilder, ExpressionDual
from tamecheck.duality.form import (
    Form,
    InfeasibleProgramError,
    RightHandSide,
    Vector,
    dot,
    normalise,
)
from tamecheck.duality.optimum import (
    cut_optimum,
    feasible_multipliers,
    move_program,
    prove_optimum,
    require_integer_solution,
)
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.exact.simplex import LexicographicDictionary, State
from tamecheck.ir.answer import Feasible, Optimal
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.solvers.claims import claims

_ROUNDS_BEFORE_SOLVING = 12
_CUTS_A_ROUND = 10
_DEFAULT_SECONDS = 60.0
_ZERO = Fraction(0)
_MARGIN = Fraction(1, 100)
_SECONDS_A_CUT = 5.0
_DENOMINATORS = (12, 100, 10_000)


class ChvatalDual(ExpressionDual):
    """Nested ceilings of non-negative combinations of the right-hand sides."""

    method = "chvatal"
    why_subadditive = "a Chvátal function: non-negative combinations and ceilings of linear forms"


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
    more
        Further right-hand sides: each has its own run, and F is the maximum, strong at those
        whose run ends.  The notes name those without a feasible point, which add nothing.
    rounds
        The largest number of rounds of cuts.  Where a run does not end, F has a gap.
    strategy
        ``gomory`` (cuts from the dictionary) or ``separation`` (most violated Chvátal–Gomory
        cuts of rank 1, found by mixed-integer programs: for programs that are too large).
    """
    form = normalise(program)
    # a ceiling grows infinitely fast along the column of a continuous variable
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
        return _separate(form, budget, seed=seed, rounds=rounds)
    builder = ExpressionBuilder(form.size)
    own = _Run(form, budget, seed, builder)
    root = own.run(rounds)
    notes = [own.note]
    for d in map(form.at, more):
        # the same columns and rows, so that what a run proves holds for this program as well
        moved = replace(form, right=d, program=move_program(form, d))
        try:
            found = _Run(moved, budget, 0, builder).run(rounds)
        except InfeasibleProgramError:
            sides = ", ".join(rational_text(x) for x in d)
            notes.append(f"there is no feasible point at ({sides})")
            continue
        if builder.build(found)(d) > builder.build(root)(d):
            root = builder.maximum([root, found])
    return ChvatalDual(form, own.optimum, builder.build(root), tuple(notes))


def integer_rows(form: Form, builder: ExpressionBuilder) -> list[IntegerRow]:
    """The constraints as ``>=`` rows with coprime integers; a bound that is none is rounded up.

    An equation becomes two rows.
    """
    rows: list[IntegerRow] = []
    vectors = [form.vector(j) for j in range(len(form.columns))]
    for i, constraint in enumerate(form.constraints):
        line = [vector[i] for vector in vectors]
        # the denominators' multiple over the numerators' divisor makes coprime integers
        scale = Fraction(
            math.lcm(*(a.denominator for a in line)), math.gcd(*(a.numerator for a in line)) or 1
        )
        for sign in {"=": (1, -1), ">=": (1,), "<=": (-1,)}[constraint.sense]:
            node = builder.linear([sign * scale * (i == k) for k in range(form.size)])
            side = sign * scale * form.right[i]
            if side.denominator > 1:
                node = builder.ceiling(node)
            coefficients = tuple(int(sign * scale * a) for a in line)
            rows.append(IntegerRow(coefficients, math.ceil(side), node))
    return rows


class _Run:
    """One cutting-plane run, and the functions of its cuts."""

    def __init__(self, form: Form, budget: Budget, seed: int, builder: ExpressionBuilder) -> None:
        self.form, self.budget, self.seed = form, budget, seed
        self.builder = builder
        rows = integer_rows(form, self.builder)
        self.original = len(rows)
        self.nodes = {k: row.node for k, row in enumerate(rows)}
        self.scale = _scale(form)
        self.dictionary = LexicographicDictionary(
            [column.cost * self.scale for column in form.columns],
            [(r.coefficients, Fraction(r.bound)) for r in rows],
        )
        self.optimum: Fraction | None = None
        self.solved = False
        self.note = ""

    def run(self, rounds: int) -> int:
        """Cut until the point is integral, the bound meets the optimum, or time is over.

        The node of the function.
        """
        table = self.dictionary
        cuts = 0
        for done in range(rounds + 1):
            state = table.optimise(self.budget)
            if state in {State.UNBOUNDED, State.INFEASIBLE}:
                feasible_multipliers(self.form)
            if state is State.INFEASIBLE:
                raise InfeasibleProgramError(
                    "The program is infeasible, so that no dual function attains its value:"
                    " integer cuts of its rows contradict each other."
                )
            table.drop_basic(self.original)
            entries = range(len(self.form.columns) + 1)
            fractional = [i for i in entries if table.value(i).denominator > 1]
            if state is State.STOPPED or done == rounds:
                break
            self.note = f"{cuts} cuts in {done} rounds: the point is integral"
            if not fractional:
                self.optimum = table.value(0) / self.scale
                return self._root()
            self.note = f"{cuts} cuts in {done} rounds: the bound is the optimum"
            if done >= _ROUNDS_BEFORE_SOLVING and self._meets_optimum():
                return self._root()
            for entry in fractional[:_CUTS_A_ROUND]:
                terms = [(self.nodes[k], a - math.floor(a)) for k, a in table.surplus_terms(entry)]
                node = self.builder.ceiling(self.builder.combination(terms))
                self.nodes[table.add_cut(entry)] = node
                cuts += 1
        self._prove()
        self.note = f"stopped after {cuts} cuts"
        return self._root()

    def _prove(self) -> None:
        if not self.solved:
            self.solved = True
            left = max(1.0, self.budget.seconds)
            self.optimum = prove_optimum(self.form, seconds=left, seed=self.seed)

    def _meets_optimum(self) -> bool:
        self._prove()
        return self.optimum == Fraction(math.ceil(self.dictionary.value(0)), self.scale)

    def _root(self) -> int:
        """The node of the final multipliers."""
        if not self.dictionary.priced:
            # stopped before the objective was reached: any multipliers that are feasible
            return self.builder.linear(feasible_multipliers(self.form))
        terms = [(self.nodes[k], y) for k, y in self.dictionary.surplus_terms(0)]
        return _round_up(self.builder, terms, self.dictionary.value(0), self.scale)


def _scale(form: Form) -> int:
    """The least common denominator of the costs: the multiple of the objective is an integer."""
    return math.lcm(*(column.cost.denominator for column in form.columns))


def _round_up(
    builder: ExpressionBuilder, terms: Sequence[tuple[int, Fraction]], bound: Fraction, scale: int
) -> int:
    """One over the scale of a combination, which is rounded up where that raises its bound."""
    if bound.denominator > 1:
        terms = [(builder.ceiling(builder.combination(terms)), Fraction(1))]
    return builder.combination([(i, y / scale) for i, y in terms])


# -- separation ----------------------------------------------------------------------------------


def _separate(form: Form, budget: Budget, *, seed: int, rounds: int) -> ChvatalDual:
    """A Chvátal function from separated cuts: of rank 1 first, then of cuts of cuts."""
    feasible_multipliers(form)
    optimum = prove_optimum(form, seconds=budget.seconds, seed=seed)
    builder = ExpressionBuilder(form.size)
    rows = integer_rows(form, builder)
    original, costs = len(rows), [column.cost for column in form.columns]
    done = 0
    while True:
        system = [(row.coefficients, ">=", Fraction(row.bound)) for row in rows]
        found = cut_optimum(costs, system, "integer cuts")
        if all(x.denominator == 1 for x in found.point):
            optimum = found.objective
            break
        left = budget.seconds
        if found.objective == optimum or done >= rounds or left <= 0:
            break
        cuts = _cuts(rows[:original], found.point, builder, left, seed)
        cuts = cuts or _cuts(rows, found.point, builder, left, seed)
        if not cuts:
            break
        rows.extend(cuts)
        done += 1
    note, scale = f"{len(rows) - original} separated cuts", _scale(form)
    pairs = zip(rows, found.certificate.multipliers, strict=True)
    terms = [(row.node, y * scale) for row, y in pairs if y]
    root = _round_up(builder, terms, found.objective * scale, scale)
    return ChvatalDual(form, optimum, builder.build(root), (note,))


def separation_program(rows: Sequence[IntegerRow], point: Sequence[Fraction]) -> Program:
    """The program whose best point has the multipliers of a most violated cut at ``point``.

    Its first columns are the multipliers, one a row.
    """
    size = len(rows)
    used = [j for j, x in enumerate(point) if x > 0]
    columns = [Column(f"u{i}", _ZERO, 1 - _MARGIN) for i in range(size)]
    columns += [Column(f"a{j}", None, None, Kind.INTEGER, -point[j]) for j in used]
    columns.append(Column("beta", None, None, Kind.INTEGER, Fraction(1)))

    def row(name: str, own: Sequence[int], last: tuple[int, int], low: Fraction) -> Row:
        terms = [*((i, Fraction(a)) for i, a in enumerate(own) if a), (last[0], Fraction(last[1]))]
        return Row(name, tuple(terms), low, None)

    made = [
        row(f"above{j}", [-r.coefficients[j] for r in rows], (size + k, 1), _ZERO)
        for k, j in enumerate(used)
    ]
    made.append(row("below", [r.bound for r in rows], (size + len(used), -1), _MARGIN - 1))
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

    def violation(cut: IntegerRow) -> Fraction:
        return cut.bound - dot(map(Fraction, cut.coefficients), point)

    for claim in claims(program, seconds=min(seconds, _SECONDS_A_CUT), seed=seed):
        if not isinstance(claim, Optimal | Feasible):
            continue
        proposed = [Fraction(x) for x in claim.point[: len(rows)]]
        tried = (
            _cut(rows, [max(_ZERO, x.limit_denominator(denominator)) for x in proposed], builder)
            for denominator in _DENOMINATORS
        )
        best = max(tried, key=violation)
        if violation(best) > 0:
            found[best.coefficients] = best
    return list(found.values())


def _cut(
    rows: Sequence[IntegerRow], u: Sequence[Fraction], builder: ExpressionBuilder
) -> IntegerRow:
    """The cut of multipliers of rows, rounded up."""
    used = [(row, x) for row, x in zip(rows, u, strict=True) if x]
    weights = [x for _, x in used]
    columns = zip(*(row.coefficients for row, _ in used), strict=True)
    coefficients = tuple(math.ceil(dot(weights, map(Fraction, column))) for column in columns)
    return IntegerRow(
        coefficients or (0,) * len(rows[0].coefficients),
        math.ceil(dot(weights, (Fraction(row.bound) for row, _ in used))),
        builder.ceiling(builder.combination([(row.node, x) for row, x in used])),
    )

"""Chvátal functions of pure integer programs: sums and roundings of constraints.

Cuts of the dictionary are those of `tamecheck.duality.proof`: if the point becomes integral, the
final multipliers give F(b) = z(b) (Wolsey 1981; Blair, Jeroslow 1982).

Separation: the cut with multipliers u in [0, 1) is ``sum of ceil(u·a_j) x_j >= ceil(u·b)``.  At a
point x* of the relaxation the most violated one maximises ``beta - alpha·x*`` over integers alpha,
beta with ``alpha_j >= u·a_j`` and ``beta < u·b + 1`` (Fischetti, Lodi 2007).  Solvers only propose
u: it is rounded to rationals, and the cut, its node and its violation are computed exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

from tamecheck.budget import Budget
from tamecheck.duality import proof
from tamecheck.duality.expression.dual import ExpressionBuilder, ExpressionDual
from tamecheck.duality.form import (
    Form,
    InfeasibleProgramError,
    RightHandSide,
    Vector,
    dot,
    normalise,
)
from tamecheck.duality.jeroslow import MixedChvatalDual, mixed_chvatal_dual
from tamecheck.duality.optimum import (
    cut_optimum,
    feasible_multipliers,
    form_at,
    require_integer_solution,
    search_limit,
)
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.answer import Feasible, Optimal
from tamecheck.ir.exact import ZERO, rational_text
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.solvers.claims import claims

_MOST, _HALF = 0.7, 0.5
"""The parts of the time for cuts, and of what is left for the proof of the optimum."""

_MARGIN = Fraction(1, 100)
_SECONDS_A_CUT = 5.0
_DENOMINATORS = (12, 100, 10_000)


class ChvatalDual(ExpressionDual):
    """Nested ceilings of non-negative combinations of the right-hand sides."""

    method = "chvatal"
    why_subadditive = "a Chvátal function: non-negative combinations and ceilings of linear forms"


def chvatal_dual(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    more: Sequence[RightHandSide] = (),
    seconds: float | None = None,
    seed: int = 0,
    rounds: int = 10_000,
    strategy: str = "gomory",
) -> ChvatalDual | MixedChvatalDual:
    """A Chvátal function that is dual feasible; of a mixed program, one of its integer part.

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
    require_integer_solution(form)
    budget = Budget.of(search_limit(seconds))

    @cache
    def known() -> Fraction | None:
        return proof.prove_optimum(form, budget.share(_HALF), seed=seed)

    continuous = [(c.name, "continuous") for c in form.columns if not c.integral]
    if continuous and (more or strategy == "separation"):
        raise UnsupportedError(
            "Separation and several right-hand sides are offered for pure integer programs.",
            nodes=continuous[:5],
        )
    if continuous:
        return mixed_chvatal_dual(form, budget, known, rounds=rounds)
    if strategy == "separation":
        if more:
            raise InputError(
                "Separated cuts are those of one right-hand side.",
                hint="Use the strategy gomory for several.",
            )
        return _separate(form, budget, seed=seed, rounds=rounds)
    builder = ExpressionBuilder(form.size)
    own = proof.CuttingRun(form, budget.share(_MOST), builder, known)
    root = own.run(rounds)
    optimum = known() if own.optimum is None else own.optimum
    notes = [own.note]
    for d in map(form.at, more):
        # the same columns and rows, so that what a run proves holds for this program as well
        try:
            found = proof.CuttingRun(form_at(form, d), budget, builder).run(rounds)
        except InfeasibleProgramError:
            sides = ", ".join(rational_text(x) for x in d)
            notes.append(f"there is no feasible point at ({sides})")
            continue
        if builder.build(found)(d) > builder.build(root)(d):
            root = builder.maximum([root, found])
    return ChvatalDual(form, optimum, builder.build(root), tuple(notes))


# -- separation ----------------------------------------------------------------------------------


def _separate(form: Form, budget: Budget, *, seed: int, rounds: int) -> ChvatalDual:
    """A Chvátal function from separated cuts: of rank 1 first, then of cuts of cuts."""
    feasible_multipliers(form)
    optimum = proof.prove_optimum(form, budget.share(_HALF), seed=seed)
    builder = ExpressionBuilder(form.size)
    rows = proof.integer_rows(form, builder)
    original, costs = len(rows), [column.cost for column in form.columns]
    done, scale = 0, proof.cost_scale(form)
    while True:
        system = [(row.coefficients, ">=", Fraction(row.bound)) for row in rows]
        found = cut_optimum(costs, system, "integer cuts")
        if all(x.denominator == 1 for x in found.point):
            optimum, why = found.objective, "the point is integral"
            break
        if Fraction(math.ceil(found.objective * scale), scale) == optimum:
            why = "the bound is the optimum"
            break
        left = budget.seconds
        if done >= rounds or left <= 0:
            why = "so many rounds were asked for" if left > 0 else "the time was over"
            break
        cuts = _cuts(rows[:original], found.point, builder, left, seed)
        cuts = cuts or _cuts(rows, found.point, builder, left, seed)
        if not cuts:
            why = "the solvers proposed no further cut that is violated"
            break
        rows.extend(cuts)
        done += 1
    note = f"{len(rows) - original} separated cuts in {done} rounds: {why}"
    pairs = zip(rows, found.certificate.multipliers, strict=True)
    terms = [(row.node, y * scale) for row, y in pairs if y]
    root = proof.round_up(builder, terms, found.objective * scale, scale)
    return ChvatalDual(form, optimum, builder.build(root), (note,))


def separation_program(rows: Sequence[proof.IntegerRow], point: Sequence[Fraction]) -> Program:
    """The program whose best point has the multipliers of a most violated cut at ``point``.

    Its first columns are the multipliers, one a row.
    """
    size = len(rows)
    used = [j for j, x in enumerate(point) if x > 0]
    columns = [Column(f"u{i}", ZERO, 1 - _MARGIN) for i in range(size)]
    columns += [Column(f"a{j}", None, None, Kind.INTEGER, -point[j]) for j in used]
    columns.append(Column("beta", None, None, Kind.INTEGER, Fraction(1)))

    def row(name: str, own: Sequence[int], last: tuple[int, int], low: Fraction) -> Row:
        terms = [*((i, Fraction(a)) for i, a in enumerate(own) if a), (last[0], Fraction(last[1]))]
        return Row(name, tuple(terms), low, None)

    made = [
        row(f"above{j}", [-r.coefficients[j] for r in rows], (size + k, 1), ZERO)
        for k, j in enumerate(used)
    ]
    made.append(row("below", [r.bound for r in rows], (size + len(used), -1), _MARGIN - 1))
    return Program(tuple(columns), tuple(made), Sense.MAXIMISE)


def _cuts(
    rows: Sequence[proof.IntegerRow],
    point: Vector,
    builder: ExpressionBuilder,
    seconds: float,
    seed: int,
) -> list[proof.IntegerRow]:
    """The violated cuts among those that the solvers' multipliers and their roundings give."""
    program = separation_program(rows, point)
    found: dict[tuple[int, ...], proof.IntegerRow] = {}

    def violation(cut: proof.IntegerRow) -> Fraction:
        return cut.bound - dot(map(Fraction, cut.coefficients), point)

    for claim in claims(program, seconds=min(seconds, _SECONDS_A_CUT), seed=seed):
        if not isinstance(claim, Optimal | Feasible):
            continue
        proposed = [Fraction(x) for x in claim.point[: len(rows)]]
        tried = (
            _cut(rows, [max(ZERO, x.limit_denominator(denominator)) for x in proposed], builder)
            for denominator in _DENOMINATORS
        )
        best = max(tried, key=violation)
        if violation(best) > 0:
            found[best.coefficients] = best
    return list(found.values())


def _cut(
    rows: Sequence[proof.IntegerRow], u: Sequence[Fraction], builder: ExpressionBuilder
) -> proof.IntegerRow:
    """The cut of multipliers of rows, rounded up."""
    used = [(row, x) for row, x in zip(rows, u, strict=True) if x]
    weights = [x for _, x in used]
    columns = zip(*(row.coefficients for row, _ in used), strict=True)
    coefficients = tuple(math.ceil(dot(weights, map(Fraction, column))) for column in columns)
    return proof.IntegerRow(
        coefficients or (0,) * len(rows[0].coefficients),
        math.ceil(dot(weights, (Fraction(row.bound) for row, _ in used))),
        builder.ceiling(builder.combination([(row.node, x) for row, x in used])),
    )

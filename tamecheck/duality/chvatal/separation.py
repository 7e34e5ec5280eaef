"""Chvátal functions from Chvátal–Gomory separation as a mixed-integer program.

The cut with multipliers u in [0, 1) is ``sum of ceil(u·a_j) x_j >= ceil(u·b)``.  At a point x* of
the relaxation the most violated one maximises ``beta - alpha·x*`` over integers alpha, beta with
``alpha_j >= u·a_j`` and ``beta < u·b + 1`` (Fischetti, Lodi 2007).  Solvers only propose u: it is
rounded to rationals, and the cut, its node and its violation are computed exactly from that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from fractions import Fraction

from tamecheck.duality.chvatal.dual import ChvatalDual, IntegerRow, integer_rows
from tamecheck.duality.expression.builder import ExpressionBuilder
from tamecheck.duality.feasibility import feasible_multipliers
from tamecheck.duality.form import Constraint, Form, FormColumn, InfeasibleProgramError, Vector
from tamecheck.duality.linear import LinearInfeasible, LinearOptimum, minimise
from tamecheck.duality.optimum import proved_optimum
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.solvers.children import claims
from tamecheck.solvers.claims import FeasibleClaim, OptimalClaim

__all__ = ["separated", "separation_program"]

_ZERO = Fraction(0)
_MARGIN = Fraction(1, 100)
_SECONDS_A_CUT = 5.0
_DENOMINATORS = (12, 100, 10_000)


def separated(form: Form, *, deadline: float, seed: int, rounds: int) -> ChvatalDual:
    """A Chvátal function from separated cuts: of rank 1 first, then of cuts of cuts.

    Raises
    ------
    InfeasibleProgramError, DomainError
        If the program is infeasible, or the dual of its relaxation is.
    """
    feasible_multipliers(form)
    optimum = proved_optimum(form, seconds=deadline - time.monotonic(), seed=seed).value
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
        left = deadline - time.monotonic()
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
    if isinstance(outcome, LinearInfeasible):
        raise InfeasibleProgramError(
            "The program is infeasible, so that no dual function attains its value:"
            " integer cuts of its rows contradict each other."
        )
    if not isinstance(outcome, LinearOptimum):
        raise AssertionError("the dual of the relaxation is feasible")  # noqa: TRY004
    return outcome.point, outcome.multipliers, outcome.value


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
        if not isinstance(claim, OptimalClaim | FeasibleClaim):
            continue
        best: tuple[Fraction, IntegerRow] | None = None
        for denominator in _DENOMINATORS:
            u = [
                max(_ZERO, Fraction(x).limit_denominator(denominator)) for x in claim.x[: len(rows)]
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

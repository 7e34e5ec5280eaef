"""The strongest generator function: rows are generated for its multipliers, columns for its E."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.duality.form import Form, Vector, normalise
from tamecheck.duality.generator.function import (
    GeneratorDual,
    Priced,
    generator_function,
    minimum_at,
    priced_columns,
)
from tamecheck.duality.optimum import (
    feasible_multipliers,
    minimise_rows,
    require_dual,
    require_integer_solution,
)
from tamecheck.duality.proof import prove_optimum
from tamecheck.errors import SolverError
from tamecheck.ir.answer import Optimal
from tamecheck.ir.program import Program

_ZERO = Fraction(0)
_DEFAULT_SECONDS = 60.0
_MOST_ROUNDS = 200


def generator_dual(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    seconds: float | None = None,
    seed: int = 0,
    alpha: Sequence[Fraction | int] | None = None,
    kept: Collection[int] | None = None,
    residual: str = "cone",
) -> GeneratorDual:
    """A generator subadditive function that is dual feasible, as strong as the time allows.

    Without ``alpha``, the multipliers are found by row generation (each point of the defining
    program bounds F(b) by an affine function of alpha; a linear program maximises the least of
    them) and E by column generation (columns that the best point uses join it), until F(b) =
    z(b); with all integer columns in E that holds, so the search ends.

    Parameters
    ----------
    alpha
        Multipliers, one a row of the normal form: no search, this function.
    kept
        Columns of the form in E besides the continuous ones; those with ``alpha·a_j > c_j`` if
        not given.
    residual
        ``cone``, ``monoid`` or ``orthant``.
    """
    form = normalise(program)
    require_integer_solution(form)
    budget = Budget.of(_DEFAULT_SECONDS if seconds is None else seconds)
    if alpha is not None:
        optimum = prove_optimum(form, budget, seed=seed)
        vector = tuple(map(Fraction, alpha))
        found = generator_function(form, vector, kept=kept, residual=residual, optimum=optimum)
    else:
        found = _strongest(form, budget, seed=seed, residual=residual)
    if seconds is not None:
        found.seconds = seconds
    return found


def _strongest(form: Form, budget: Budget, *, seed: int, residual: str) -> GeneratorDual:
    """The best generator function that the time allows: strong if all columns may be kept."""
    feasible_multipliers(form)
    optimum = prove_optimum(form, budget.share(0.5), seed=seed)
    alpha = require_dual(form)
    kept = frozenset(j for j, column in enumerate(form.columns) if not column.integral)
    if residual == "orthant":
        kept |= {j for j, c in enumerate(form.columns) if any(a < 0 for _, a in c.entries)}
    best: tuple[Fraction | None, Vector, frozenset[int]] = None, alpha, kept
    while True:
        alpha, bound, used = _multipliers(form, alpha, kept, residual, budget)
        if bound is not None and (best[0] is None or bound > best[0]):
            best = bound, alpha, kept
        more = frozenset(used) - kept
        if bound == optimum or not more or budget.is_spent:
            break
        kept |= more
    return generator_function(form, best[1], kept=best[2], residual=residual, optimum=optimum)


def _multipliers(
    form: Form, alpha: Vector, kept: Collection[int], residual: str, budget: Budget
) -> tuple[Vector, Fraction | None, list[int]]:
    """The best alpha for E with its bound, and the integer columns that should join E.

    The first multipliers are feasible for the dual of the relaxation, hence for every E.
    """
    points: list[tuple[Fraction, Vector]] = []
    best: tuple[Fraction, Vector] | None = None
    used: list[int] = []
    for _ in range(_MOST_ROUNDS):
        priced = priced_columns(form, alpha, kept, residual)
        try:
            value, point = minimum_at(form, priced, form.right, budget)
        except SolverError:
            break
        if point is None or not isinstance(value, Fraction):
            break
        if best is None or value > best[0]:
            best = value, alpha
        used = _columns_to_keep(form, kept, point, residual)
        points.append(_parts(form, priced, point))
        master = _master(form, kept, points)
        if master is None or budget.is_spent:
            break
        bound, alpha = master
        if bound == best[0]:
            break
    used = used or [j for j, column in enumerate(form.columns) if column.integral]
    return (alpha, None, used) if best is None else (best[1], best[0], used)


def _parts(form: Form, priced: Sequence[Priced], point: Vector) -> tuple[Fraction, Vector]:
    """The cost of the kept columns at a point, and its residual."""
    own, rest = _ZERO, [_ZERO] * form.size
    for p, x in zip(priced, point, strict=True):
        if p.kept:
            own += p.column.cost * x
        elif x:
            for i, a in p.column.entries:
                rest[i] += a * x
    return own, tuple(rest)


def _columns_to_keep(form: Form, kept: Collection[int], point: Vector, residual: str) -> list[int]:
    """The columns outside E that the point uses fractionally; else those that it uses."""
    if residual == "orthant":
        return []
    outside = [j for j in range(len(form.columns)) if j not in kept]
    values = dict(zip(outside, point[len(kept) :], strict=True))
    fractional = [j for j, x in values.items() if x.denominator > 1]
    return fractional or [j for j, x in values.items() if x]


def _master(
    form: Form, kept: Collection[int], points: Sequence[tuple[Fraction, Vector]]
) -> tuple[Fraction, Vector] | None:
    """The alpha that maximises the least of ``own + alpha·rest``; None if that is unbounded.

    ``alpha·a_j <= c_j`` for the columns outside E, and alpha has the signs of the rows.  The
    variables are the parts of the least value, then those of alpha.
    """
    parts = [
        (i, sign)
        for i, c in enumerate(form.constraints)
        for sign in (1, -1)
        if c.admits(Fraction(sign))
    ]
    rows = [([1, -1, *(-sign * rest[i] for i, sign in parts)], "<=", own) for own, rest in points]
    for j, column in enumerate(form.columns):
        if j not in kept:
            dense = dict(column.entries)
            line = [0, 0, *(sign * dense.get(i, _ZERO) for i, sign in parts)]
            rows.append((line, "<=", column.cost))
    costs = [Fraction(-1), Fraction(1), *[_ZERO] * len(parts)]
    outcome = minimise_rows(costs, rows)
    if not isinstance(outcome, Optimal):
        return None
    alpha = [_ZERO] * form.size
    for (i, sign), x in zip(parts, outcome.point[2:], strict=True):
        alpha[i] += sign * x
    return -outcome.objective, tuple(alpha)

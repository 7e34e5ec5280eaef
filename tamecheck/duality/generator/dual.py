"""The strongest generator function: rows are generated for its multipliers, columns for its E."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.duality.form import Form, InfeasibleProgramError, Vector, normalise
from tamecheck.duality.generator import function
from tamecheck.duality.generator.monoid import cone_positions, with_rays
from tamecheck.duality.optimum import (
    feasible_multipliers,
    minimise,
    minimise_rows,
    require_dual,
    require_integer_solution,
    search_limit,
)
from tamecheck.duality.proof import prove_point
from tamecheck.errors import InputError, SolverError
from tamecheck.ir.answer import Optimal, Unbounded
from tamecheck.ir.exact import ZERO
from tamecheck.ir.program import Program

_MOST_ROUNDS = 200
_VALUE = 0.25
"""The part of the time that one value may take."""


def generator_dual(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    seconds: float | None = None,
    seed: int = 0,
    alpha: Sequence[Fraction | int] | None = None,
    kept: Collection[int] | None = None,
    residual: str = "cone",
    cone: Collection[str] | None = None,
) -> function.GeneratorDual:
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
    cone
        Rows with the side 0 that say, with the signs of the variables, that these are mixed-integer
        points of a cone: they are no right-hand sides.  All variables are kept, and multipliers
        price the extreme rays of the cone.
    """
    form = source = normalise(program)
    feasible_multipliers(form)
    require_integer_solution(form)
    rows, own = frozenset[int](), frozenset[int]()
    if cone is not None:
        if residual == "orthant":
            raise InputError("A program over a cone has the residuals cone and monoid.")
        rows, own = cone_positions(form, cone), frozenset(range(len(form.columns)))
        form = normalise(with_rays(form, rows))
    budget = Budget.of(search_limit(seconds))
    rays = len(form.columns) - len(source.columns)
    # columns of rays change nothing, but a search may go on for ever with them
    optimum, point = prove_point(source, budget.share(1 if alpha else 0.5), seed=seed)
    if alpha is not None:
        vector = tuple(map(Fraction, alpha))
        if own:
            dear = (j for j, c in enumerate(form.columns) if c.product(vector) > c.cost)
            kept = own | set(dear if kept is None else kept)
        found = function.generator_function(
            form, vector, kept=kept, residual=residual, optimum=optimum, rays=rays
        )
    else:
        known = None if point is None else (*source.columns_at(point), *[ZERO] * rays)
        found = _Search(form, budget, optimum, residual, rays, known).run(own)
    found.source, found.cone = source, rows
    if seconds is not None:
        found.seconds = seconds
    return found


@dataclass(frozen=True, slots=True)
class _Search:
    """The search for the best generator function that the time allows."""

    form: Form
    budget: Budget
    optimum: Fraction | None
    residual: str
    rays: int
    point: Vector | None
    """A point of the form that is known to be feasible."""

    def run(self, own: frozenset[int]) -> function.GeneratorDual:
        """The function, in which these columns are kept: strong if the optimum is known.

        With all columns it is the value function, which is taken where nothing else is strong.
        """
        form, residual = self.form, self.residual
        alpha = require_dual(form)
        kept = own | {j for j, column in enumerate(form.columns) if not column.integral}
        if residual == "orthant":
            kept |= {j for j, c in enumerate(form.columns) if any(a < 0 for _, a in c.entries)}
        best: tuple[Fraction | None, Vector, frozenset[int]] = None, alpha, kept
        while True:
            alpha, bound, used, why = self._multipliers(alpha, kept)
            if bound is not None and (best[0] is None or bound > best[0]):
                best = bound, alpha, kept
            more = frozenset(used) - kept
            if (bound is not None and bound == self.optimum) or not more or self.budget.is_spent:
                break
            kept |= more
        why = why or (
            "the time was over" if self.budget.is_spent else "no column is left to join E"
        )
        if best[0] == self.optimum is not None:
            why = ""
        elif self.optimum is not None and residual != "orthant":
            best = self.optimum, alpha, frozenset(range(len(form.columns)))
            why = f"{why}; so all columns are kept, and F is the value function"
        found = function.generator_function(
            form, best[1], kept=best[2], residual=residual, optimum=self.optimum, rays=self.rays
        )
        found.notes = (why,) if why else ()
        return found

    def _multipliers(
        self, alpha: Vector, kept: Collection[int]
    ) -> tuple[Vector, Fraction | None, list[int], str]:
        """The best alpha for E with its bound, the integer columns that should join E, what failed.

        The first multipliers are feasible for the dual of the relaxation, hence for every E.
        """
        form, points = self.form, list[_Bound]()
        if self.point is not None and self.residual != "orthant":
            # it keeps the bound of the master program finite
            own = [function.Priced(c, j, kept=j in kept) for j, c in enumerate(form.columns)]
            points.append(_bound(form, own, self.point))
        best: tuple[Fraction, Vector] | None = None
        used: list[int] = []
        why = f"the best multipliers were not found in {_MOST_ROUNDS} rounds"
        for _ in range(_MOST_ROUNDS):
            priced = function.priced_columns(form, alpha, kept, self.residual, self.rays)
            ray = _descent(form, priced)
            if ray is None:
                try:
                    value, point = self._value(priced)
                except SolverError as error:
                    why = f"{error.what.rstrip('.')}, with E of {len(kept)} columns"
                    break
                best = (value, alpha) if best is None or value > best[0] else best
                used = _columns_to_keep(priced, point)
                points.append(_bound(form, priced, point))
            else:
                points.append(_bound(form, priced, ray, ray=True))
            master = _master(form, kept, points)
            if master is None or self.budget.is_spent:
                why = "the points that were found do not bound the multipliers"
                why = "the time was over" if self.budget.is_spent else why
                break
            bound, alpha = master
            if best is not None and bound == best[0]:
                why = ""
                break
        used = used or [j for j, column in enumerate(form.columns) if column.integral]
        return (alpha, None, used, why) if best is None else (best[1], best[0], used, why)

    def _value(self, priced: Sequence[function.Priced]) -> tuple[Fraction, Vector]:
        """F(b) and a point that attains it, where the objective has no direction without end."""
        form, budget = self.form, self.budget.share(_VALUE)
        value, point = function.minimum_at(form, priced, form.right, budget)
        if value == math.inf:
            raise InfeasibleProgramError(
                "The program is infeasible, so that no dual function attains its value: the"
                " program that defines a generator function has no point."
            )
        if point is None or not isinstance(value, Fraction):
            raise AssertionError("there is no direction in which the objective falls")
        return value, point


@dataclass(frozen=True, slots=True)
class _Bound:
    """What a point says of alpha: ``F(b) <= own + alpha·rest``; a ray, that this is not below 0."""

    own: Fraction
    rest: Vector
    ray: bool


def _bound(
    form: Form, priced: Sequence[function.Priced], point: Vector, *, ray: bool = False
) -> _Bound:
    """The cost of the kept columns at a point, and its residual."""
    own, rest = ZERO, [ZERO] * form.size
    for p, x in zip(priced, point, strict=True):
        if p.kept:
            own += p.column.cost * x
        elif x:
            for i, a in p.column.entries:
                rest[i] += a * x
    return _Bound(own, tuple(rest), ray)


def _descent(form: Form, priced: Sequence[function.Priced]) -> Vector | None:
    """A direction in which the objective of the defining program falls without end, if any."""
    columns = [own.column for own in priced]
    outcome = minimise(columns, form.constraints, (ZERO,) * form.size)
    return tuple(outcome.ray) if isinstance(outcome, Unbounded) else None


def _columns_to_keep(priced: Sequence[function.Priced], point: Vector) -> list[int]:
    """The columns outside E that the point uses fractionally; else those that it uses."""
    pairs = zip(priced, point, strict=True)
    used = [(p.number, x) for p, x in pairs if x and not p.kept and p.number is not None]
    return [j for j, x in used if x.denominator > 1] or [j for j, _ in used]


def _master(
    form: Form, kept: Collection[int], points: Sequence[_Bound]
) -> tuple[Fraction, Vector] | None:
    """The alpha that maximises the least of the bounds, and that least one; None if it has no end.

    ``alpha·a_j <= c_j`` for the columns outside E, and alpha has the signs of the rows.  The
    variables are the parts of the least value, then those of alpha.
    """
    parts = [
        (i, sign)
        for i, c in enumerate(form.constraints)
        for sign in (1, -1)
        if c.admits(Fraction(sign))
    ]
    rows = [
        ([*((0, 0) if p.ray else (1, -1)), *(-sign * p.rest[i] for i, sign in parts)], "<=", p.own)
        for p in points
    ]
    for j, column in enumerate(form.columns):
        if j not in kept:
            dense = dict(column.entries)
            line = [0, 0, *(sign * dense.get(i, ZERO) for i, sign in parts)]
            rows.append((line, "<=", column.cost))
    costs = [Fraction(-1), Fraction(1), *[ZERO] * len(parts)]
    outcome = minimise_rows(costs, rows)
    if not isinstance(outcome, Optimal):
        return None
    alpha = [ZERO] * form.size
    for (i, sign), x in zip(parts, outcome.point[2:], strict=True):
        alpha[i] += sign * x
    return -outcome.objective, tuple(alpha)

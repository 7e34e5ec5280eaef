"""Generator subadditive functions: some columns stay as they are, a multiplier prices the rest.

For multipliers ``alpha`` and kept columns E, with residual generators r_k,

    F(d) = min { c_E·x + alpha·(sum of r_k t_k) : A_E x + sum of r_k t_k (=, >=, <=) d, x, t >= 0 }

The residual ``d - A_E x`` lies in a monoid S that the r_k generate: the orthant (Klabjan 2007,
``alpha·d - max{sum of (alpha·a_i - c_i) x_i : A_E x <= d}`` for non-negative data), the cone of
the columns that are not kept (general programs; Cheung, Moazzez 2016), or the monoid of these
columns with integer multiples (Angulo, Kocuk, Morán 2024).  S is closed under sums, so F is
subadditive; ``F(a_j) <= c_j`` holds where a_j is kept, or is in S and priced at most c_j.
Published choices of alpha and E do not always give this (Moazzez 2014): it is checked at every
column afterwards, exactly, and so is F(0) = 0.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from tamecheck.budget import Budget
from tamecheck.duality.answer import Definability, DualFunction, definability
from tamecheck.duality.check import CheckItem, Value
from tamecheck.duality.form import (
    Form,
    FormColumn,
    Vector,
    join_opposites,
    normalise,
    opposites,
    program_of,
)
from tamecheck.duality.generator.monoid import conditions
from tamecheck.duality.leaves import affine_text
from tamecheck.duality.optimum import feasible_multipliers, minimise
from tamecheck.duality.proof import point_at
from tamecheck.duality.value.region import local_slope
from tamecheck.errors import DomainError, InputError, SolverError, UnsupportedError
from tamecheck.ir.answer import Infeasible, Optimal
from tamecheck.ir.exact import ZERO

_SECONDS_A_VALUE = 10.0
_SECONDS_A_CONDITION = 2.0
RESIDUALS = ("orthant", "cone", "monoid")


@dataclass(frozen=True, slots=True)
class Priced:
    """A column of the program that defines F: a kept one, or a generator of the residuals."""

    column: FormColumn
    number: int | None = None
    """That of the form's column, None for the residual's own."""
    kept: bool = True


def generator_function(  # noqa: PLR0913 (options, by keyword only)
    form: Form,
    alpha: Vector,
    *,
    kept: Collection[int] | None = None,
    residual: str = "cone",
    optimum: Fraction | None = None,
    rays: int = 0,
) -> GeneratorDual:
    """The function of given multipliers and kept columns; whether it is a dual is checked later."""
    if residual not in RESIDUALS:
        raise InputError(f"There is no residual {residual!r}.", hint=f"{', '.join(RESIDUALS)}.")
    if len(alpha) != form.size:
        raise InputError(f"{len(alpha)} multipliers were given for {form.size} rows.")
    chosen = {
        j
        for j, column in enumerate(form.columns)
        if not column.integral or (kept is None and column.product(alpha) > column.cost)
    }
    if kept is not None:
        if not set(kept) <= set(range(len(form.columns))):
            raise InputError(f"A kept column is not among 0 to {len(form.columns) - 1}.")
        chosen |= set(kept)
    return GeneratorDual(form, optimum, alpha, frozenset(chosen), residual, rays=rays)


def priced_columns(
    form: Form, alpha: Vector, kept: Collection[int], residual: str, rays: int = 0
) -> tuple[Priced, ...]:
    """The columns of the program that defines F: kept ones, then the residual's generators.

    The last columns are those of ``rays``, which add nothing where they are kept.
    """
    count = len(form.columns) - rays
    own = [Priced(form.columns[j], j) for j in range(count) if j in kept]
    if residual == "orthant":
        rest = [
            FormColumn(f"residual.{i}", integral=False, cost=a, entries=((i, Fraction(1)),))
            for i, a in enumerate(alpha)
        ]
        return (*own, *(Priced(column, kept=False) for column in rest))
    whole = residual == "monoid"
    priced = [(j, c, c.product(alpha)) for j, c in enumerate(form.columns) if j not in kept]
    return (
        *own,
        *(
            Priced(replace(column, integral=whole, cost=cost), j, kept=False)
            for j, column, cost in priced
            # a whole ray at its own cost is a point of the cone
            if not (whole and j >= count and cost == column.cost)
        ),
    )


def minimum_at(
    form: Form, priced: Sequence[Priced], d: Sequence[Fraction], budget: Budget
) -> tuple[Value, Vector | None]:
    """The value of the defining program, exactly, and a point that attains it if it is finite."""
    columns = [own.column for own in priced]
    pairs = opposites(columns)
    program = join_opposites(program_of(columns, form.constraints, d), pairs)
    if not any(d) and isinstance(minimise(columns, form.constraints, d), Optimal):
        # a relaxation that is bounded, and has the point 0
        return ZERO, (ZERO,) * len(columns)
    own = normalise(program)
    value, point = point_at(own, own.right, budget)
    if value is None:
        raise SolverError(
            "The value of the generator function, an integer program of"
            f" {len(columns)} columns, was not decided in time.",
            hint="Give more seconds, or bound the variables.",
        )
    if not isinstance(value, Fraction):
        return value, None
    parts = list(point or ())
    for one, two in pairs.items():
        parts[one], parts[two] = max(parts[one], ZERO), max(-parts[one], ZERO)
    return value, tuple(parts)


class GeneratorDual(DualFunction):
    """``F(d) = min{c_E·x + alpha·(d - A_E x)}`` over x with the residual in a monoid.

    ``seconds`` is the limit of each evaluation; ``source`` is the form without columns of rays, and
    ``cone`` its rows that say in which cone the variables lie.
    """

    method = "generator"
    why_monotone = (
        "the rows of the defining program have the senses of the program's, so that more"
        " points are feasible at a weaker right-hand side"
    )
    why_subadditive = (
        "points and residuals of d and of e add up to those of d + e, at the sum of costs"
    )

    def __init__(  # noqa: PLR0913 (options, by keyword only)
        self,
        form: Form,
        optimum: Fraction | None,
        alpha: Vector,
        kept: frozenset[int],
        residual: str,
        *,
        rays: int = 0,
    ) -> None:
        super().__init__(form, optimum)
        self.seconds = _SECONDS_A_VALUE
        self.source, self.cone = form, frozenset[int]()
        self.alpha, self.kept, self.residual = alpha, kept, residual
        self.priced = priced_columns(form, alpha, kept, residual, rays)
        self._values: dict[Vector, Value] = {}
        whole = residual != "orthant" and set(range(len(form.columns))) <= kept
        if whole and optimum is not None:
            # all columns are kept, so that F is the value function
            self._values[form.right] = optimum

    def conditions(self) -> Mapping[str, CheckItem]:
        """Conditions of strong duality, each checked exactly, before it is claimed."""
        budget = self._budget.part(_SECONDS_A_CONDITION)
        known = True if self._optimum is not None else None
        form = self.source
        return conditions(form, feasible_multipliers(form), budget, feasible=known)

    def to_json(self) -> dict[str, Any]:
        """As for every dual function, with the conditions of strong duality."""
        found = self.conditions()
        return {
            **super().to_json(),
            "conditions": {name: item.status for name, item in found.items()},
            "conditions_why": {name: item.why for name, item in found.items()},
        }

    def evaluate(self, d: Vector) -> Value:
        """F at a right-hand side, by the defining program, solved exactly.

        Infinite where no residual is in the monoid; minus infinite where the multipliers are
        so large that F is no dual function.
        """
        if d not in self._values:
            self._values[d] = minimum_at(self.form, self.priced, d, self._budget)[0]
        return self._values[d]

    @property
    def _budget(self) -> Budget:
        """The limits of one evaluation."""
        return Budget.of(self.seconds)

    @property
    def _real(self) -> list[FormColumn]:
        return [own.column for own in self.priced if not own.column.integral]

    def at_column(self, j: int) -> Value:
        """As for all functions: 1 of a kept column, or of its residual, is a point at ``a_j``."""
        try:
            return super().at_column(j)
        except SolverError:
            own = next((own.column for own in self.priced if own.number == j), None)
            if own is None:
                raise
            return own.cost

    def directional(self, g: Vector) -> Value:
        """A bound on ``limsup of F(t g) / t``: the value with the integer columns at 0.

        It is positively homogeneous in g, and F is at most that.
        """
        outcome = minimise(self._real, self.form.constraints, g)
        if isinstance(outcome, Optimal):
            return outcome.objective
        return math.inf if isinstance(outcome, Infeasible) else -math.inf

    def slopes(self, d: Vector) -> tuple[Vector, ...]:
        """The slope where it is proved that F, the value of its own program, is affine nearby."""
        top, point = minimum_at(self.form, self.priced, d, self._budget)
        if not isinstance(top, Fraction) or point is None:
            raise DomainError("The generator function is infinite at this right-hand side.")
        columns = [own.column for own in self.priced]
        own = normalise(program_of(columns, self.form.constraints, d))
        slope = local_slope(own, point, range(own.size), self._budget)
        if slope is None:
            raise UnsupportedError(
                "It was not proved that the generator function is affine near this right-hand"
                " side.",
                hint="It may have a kink or a jump there: move it a little.",
            )
        return (slope,)

    @property
    def formula(self) -> str:
        """The defining program in words: multipliers and kept columns."""
        shifts = zip(self.alpha, self.form.shift, strict=True)
        constant = -sum((a * shift for a, shift in shifts), ZERO)
        line = affine_text(zip(self.form.names, self.alpha, strict=True), constant)
        own = [c.column for c in self.priced if c.kept]
        names = [column.name for column in own]
        gains = affine_text(((c.name, c.product(self.alpha) - c.cost) for c in own), ZERO)
        where = {
            "orthant": "d - A x >= 0",
            "cone": "d - A x in the cone of the other columns",
            "monoid": "d - A x in the monoid of the other columns",
        }[self.residual]
        if self.cone:
            priced = [c.column.name for c in self.priced if not c.kept]
            where = f"x in the cone, d - A x in the {self.residual} of {', '.join(priced) or 0}"
        if not names:
            return f"{line} where {where}, x = 0"
        return f"{line} - max{{{gains} : {where}}} over x = ({', '.join(names)})"

    def to_sympy(self) -> Any:
        """Not available: F is the optimum of a program.

        `formula` describes the program.
        """
        raise UnsupportedError(
            "A generator function is the optimum of a program and has no closed form.",
            hint="Use `formula`.",
        )

    def definability(self, domain: str = "everywhere") -> Definability:
        """Definable with the integers; on a box with finitely many pieces, possibly with jumps."""
        if not any(own.column.integral for own in self.priced):
            why = "the optimum of a linear program with rational data, as a function of its sides"
            return definability(domain, why)
        if domain == "box":
            why = (
                "definable in (R, <, +, Z) by quantifier elimination with rounding, which takes"
                " finitely many values on a bounded box; it may jump"
            )
            return definability(domain, why)
        why = "the optimum of a mixed-integer program, definable in (R, <, +, Z)"
        return definability(domain, why, tame=False)

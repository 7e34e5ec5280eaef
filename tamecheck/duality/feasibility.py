"""Whether the dual of the linear relaxation is feasible, decided in rationals."""

from __future__ import annotations

from fractions import Fraction

from tamecheck.duality.form import Form, Vector
from tamecheck.duality.linear import LinearOptimum, LinearUnbounded, minimise
from tamecheck.errors import DomainError
from tamecheck.ir.exact import rational_text

__all__ = ["feasible_multipliers"]


def feasible_multipliers(form: Form) -> Vector:
    """Multipliers that are feasible for the dual of the relaxation.

    The relaxation at the right-hand side 0 has the point 0; so it has the optimum 0 with such
    multipliers, or a direction in which the objective falls without end.

    Raises
    ------
    DomainError
        If there are none; it names the direction.
    """
    outcome = minimise(form.columns, form.constraints, (Fraction(0),) * form.size)
    if isinstance(outcome, LinearOptimum):
        return outcome.multipliers
    if isinstance(outcome, LinearUnbounded):
        moved = ", ".join(
            f"{column.name} = {rational_text(x)}"
            for column, x in zip(form.columns, outcome.ray, strict=True)
            if x
        )
        raise DomainError(
            "The dual of the linear relaxation is infeasible, so that there is no dual function"
            " and the program is unbounded wherever it is feasible:"
            f" the direction {moved} improves the objective without end.",
            hint="Bound these variables.",
        )
    raise AssertionError("the point 0 satisfies the rows with right-hand side 0")

"""The optimum of a program in normal form, proved; and why a program has no dual function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.duality.form import Form, InfeasibleProgramError, Vector
from tamecheck.errors import DomainError
from tamecheck.programs.answer import Feasible, Infeasible, Optimal, Unbounded
from tamecheck.programs.basis import exact_multipliers
from tamecheck.programs.solving import solve
from tamecheck.solvers.relaxation import Relaxation, RelaxedOptimum

__all__ = ["Optimum", "is_dual_feasible", "linear_multipliers", "proved_optimum", "require_dual"]


@dataclass(frozen=True, slots=True)
class Optimum:
    """The form's optimal value, proved, or None; the best point found, or None."""

    value: Fraction | None
    point: Vector | None


def proved_optimum(form: Form, *, seconds: float | None = None, seed: int = 0) -> Optimum:
    """The optimal value, by a tree whose leaves carry exact proofs.

    Raises
    ------
    InfeasibleProgramError, DomainError
        If the program is infeasible or unbounded, which is proved.
    """
    answer = solve(form.program, certify=True, seconds=seconds, seed=seed).answer
    match answer:
        case Infeasible():
            raise InfeasibleProgramError(
                "The program is infeasible, so that no dual function attains its value."
            )
        case Unbounded():
            raise DomainError(
                "The program is unbounded, so that it has no dual function.",
                hint="Bound the objective: every dual function would be a bound on it.",
            )
        case Optimal():
            return Optimum(form.inward(answer.objective), answer.point)
        case Feasible():
            return Optimum(None, answer.point)
        case _:
            return Optimum(None, None)


def require_dual(form: Form) -> Vector:
    """Multipliers ``y`` with ``y·a_j <= c_j`` for all columns and the signs that the rows ask for.

    They prove that a dual function exists: ``F(d) = y·d``.  Without them the value function is
    minus infinity wherever it is not plus infinity (Kocuk, Morán 2019, for rational data).

    Raises
    ------
    DomainError
        If the dual of the linear relaxation is infeasible: with the ray that proves it.
    """
    found = linear_multipliers(form, form.right)
    if found is not None:
        return found
    from tamecheck.duality.feasibility import feasible_multipliers

    return feasible_multipliers(form)


def linear_multipliers(form: Form, d: Sequence[Fraction]) -> Vector | None:
    """Exact optimal multipliers of the linear relaxation at ``d``, found by HiGHS and checked.

    None if the relaxation has no optimum there, or if the multipliers that were found are not
    feasible for the dual.
    """
    program = form.program_at(d)
    relaxation = Relaxation(program)
    answer = relaxation.solve()
    if not isinstance(answer, RelaxedOptimum):
        return None
    exact = exact_multipliers(
        program, relaxation.basis(), [column.cost for column in program.columns]
    )
    if exact is None:
        return None
    y = tuple(exact.get(i, Fraction(0)) for i in range(form.size))
    return y if is_dual_feasible(form, y) else None


def is_dual_feasible(form: Form, y: Sequence[Fraction]) -> bool:
    """Whether ``y·a_j <= c_j`` for all columns and each multiplier has its row's sign."""
    return all(c.admits(v) for c, v in zip(form.constraints, y, strict=True)) and all(
        column.product(y) <= column.cost for column in form.columns
    )

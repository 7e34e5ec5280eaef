"""The optimal value at a right-hand side, proved: by a search tree or by cutting planes.

A search closes most programs; where integers have no bounds it may go on for ever beside a strip
without integer points, which a few rounds of cuts decide.  So a pure integer program gets some of
each.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from tamecheck.budget import Budget
from tamecheck.duality.check import Value
from tamecheck.duality.cutting import settle_by_cuts
from tamecheck.duality.form import Form, InfeasibleProgramError, Vector
from tamecheck.duality.optimum import (
    empty_value,
    feasible_multipliers,
    form_at,
    integer_contradiction,
)
from tamecheck.errors import DomainError
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.program import Program
from tamecheck.programs.solving import solve
from tamecheck.programs.tree import Search, Tree

_SHORT, _NODES = 0.5, 200
"""Seconds and nodes of a search before anything else."""

_CUTS, _MOST_CUTS = 0.25, 20.0
"""The part of the time that cutting planes get, and its most seconds."""


def prove_optimum(form: Form, budget: Budget, *, seed: int = 0) -> Fraction | None:
    """The form's optimal value with a proof; None if there is none in the time.

    Raises
    ------
    InfeasibleProgramError, DomainError
        If there is no point, or the objective has no bound.
    """
    value = value_at(form, form.right, budget, seed=seed)
    if value is None or isinstance(value, Fraction):
        return value
    if value == math.inf:
        raise InfeasibleProgramError(
            "The program is infeasible, so that no dual function attains its value."
        )
    feasible_multipliers(form)
    raise DomainError(
        "The program is unbounded, so that it has no dual function.",
        hint="Bound the objective: every dual function would be a bound on it.",
    )


def value_at(form: Form, d: Vector, budget: Budget, *, seed: int = 0) -> Value | None:
    """The optimal value at ``d``: infinite without a point, None if it is not proved in time."""
    if not form.columns:
        return empty_value(form, d)
    if integer_contradiction(form, d) is not None:
        return math.inf
    moved = form if d == form.right else form_at(form, d)
    short = Budget(budget.part(_SHORT).deadline, _NODES)
    tree = Search(moved.program).run(short)
    if not tree.unbounded and not tree.closed:
        found = settle_by_cuts(moved, budget.share(_CUTS).part(_MOST_CUTS))
        if found is not None:
            return found
    match decide(moved.program, budget, seed=seed, tree=tree):
        case Infeasible():
            return math.inf
        case Unbounded():
            return -math.inf
        case Optimal(objective=objective):
            return moved.inward(objective)
        case None:
            return None


def decide(
    program: Program, budget: Budget, *, seed: int = 0, tree: Tree | None = None
) -> Optimal[Fraction, Any] | Infeasible[Any] | Unbounded[Fraction, Any] | None:
    """A definite answer about a program, with its certificate; None if there is none in time.

    ``tree`` is that of a short search, which is made if there is none.
    """
    tree = tree or Search(program).run(Budget(budget.deadline, _NODES))
    if tree.closed and not tree.unbounded:
        if tree.point is None:
            return Infeasible(tree.nodes)
        return Optimal(tree.point, program.objective(tree.point), tree.nodes)
    if budget.is_spent:
        return None
    left = None if math.isinf(budget.deadline) else budget.seconds
    answer = solve(program, certify=True, seconds=left, seed=seed).answer
    return answer if isinstance(answer, Optimal | Infeasible | Unbounded) else None

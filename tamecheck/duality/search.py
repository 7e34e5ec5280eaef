"""Our own search at any right-hand side of a form, whose bound at each leaf reaches the optimum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.duality.form import Form
from tamecheck.ir.program import Program
from tamecheck.programs.answer import Feasible, Optimal
from tamecheck.programs.nodes import Bounded, Node
from tamecheck.programs.scaled import Multipliers, domain
from tamecheck.programs.solving import solve
from tamecheck.programs.tree import Search, Tree

__all__ = ["Searched", "moved_program", "search_at"]

_ALONE = 200
"""Nodes that our search explores before solvers are asked for a good point to begin with."""


@dataclass(frozen=True, slots=True)
class Searched:
    """The form's value of the best point (None: there is none), and the nodes of the tree.

    ``closed`` says whether the value is proved to be the optimum, or that there is no point;
    ``limited`` whether a limit of time or of nodes is why it is not.
    """

    value: Fraction | None
    nodes: tuple[Node, ...] | None
    closed: bool
    unbounded: bool
    limited: bool = False

    @property
    def hint(self) -> str:
        """What may help where the search did not close."""
        if self.unbounded:
            return "The linear relaxation is unbounded there: bound the variables."
        return "Give it more time or nodes." if self.limited else "The program is too large."


def search_at(
    form: Form,
    d: Sequence[Fraction],
    seconds: float | None = None,
    nodes: int = 10**9,
    *,
    seed: int = 0,
) -> Searched:
    """Branch and bound at the right-hand side ``d``: a short one alone, then from a good point."""
    program = moved_program(form, d)
    if not form.columns:
        return _without_columns(form, d)
    limit = math.inf if seconds is None else seconds
    tree = Search(program, most_nodes=min(nodes, _ALONE), seconds=limit, granular=False).run()
    if not tree.closed and not tree.unbounded and nodes > _ALONE:
        point = _good_point(program, limit / 4, seed)
        tree = Search(program, point=point, most_nodes=nodes, seconds=limit, granular=False).run()
    return _searched(form, program, tree)


def _without_columns(form: Form, d: Sequence[Fraction]) -> Searched:
    """The empty point, if the rows admit the value 0; solvers do not take such programs."""
    if all(c.holds(Fraction(0), side) for c, side in zip(form.constraints, d, strict=True)):
        leaf = Bounded(Multipliers({}, 1), Fraction(0))
        return Searched(Fraction(0), (leaf,), closed=True, unbounded=False)
    return Searched(None, None, closed=True, unbounded=False)


def _good_point(program: Program, seconds: float, seed: int) -> tuple[Fraction, ...] | None:
    answer = solve(program, seconds=min(seconds, 60.0), seed=seed).answer
    return answer.point if isinstance(answer, Optimal | Feasible) else None


def _searched(form: Form, program: Program, tree: Tree) -> Searched:
    value = None
    if tree.point is not None:
        value = form.sign * program.objective(tree.point) - form.constant
    closed = tree.closed and not tree.unbounded
    return Searched(value, tree.nodes, closed, tree.unbounded, tree.limited)


def moved_program(form: Form, d: Sequence[Fraction]) -> Program:
    """The program as it was given, with the right-hand sides that ``d`` stands for."""
    lower = [row.lower for row in form.program.rows]
    upper = [row.upper for row in form.program.rows]
    caps = [j for j, column in enumerate(form.program.columns) if None not in domain(column)]
    columns = list(form.program.columns)
    ends = iter(caps)
    for constraint, side, shift in zip(form.constraints, d, form.shift, strict=True):
        if constraint.row is None:
            j = next(ends)
            columns[j] = replace(columns[j], upper=side + shift)
            continue
        if constraint.sense != "<=":
            lower[constraint.row] = side + shift
        if constraint.sense != ">=":
            upper[constraint.row] = side + shift
    rows = (
        replace(row, lower=low, upper=high)
        for row, low, high in zip(form.program.rows, lower, upper, strict=True)
    )
    return replace(form.program, columns=tuple(columns), rows=tuple(rows))

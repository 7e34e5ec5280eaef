"""Linear programs about a form, its optimum at any right-hand side, and whether it has duals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.duality.check import Value
from tamecheck.duality.form import (
    Constraint,
    Form,
    FormColumn,
    InfeasibleProgramError,
    Vector,
    program_of,
)
from tamecheck.errors import DomainError, SolverError
from tamecheck.exact import linear
from tamecheck.ir.answer import Feasible, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.exact import ZERO, rational_text
from tamecheck.ir.program import Program
from tamecheck.programs.certificate import Bounded, Node
from tamecheck.programs.lattice import contradiction, gap
from tamecheck.programs.scaled import Multipliers, Scaled, domain, hull_box
from tamecheck.programs.solving import solve
from tamecheck.programs.tree import Search
from tamecheck.solvers.relaxation import Relaxation

_ALONE = 200
"""Nodes that our search explores before solvers are asked for a good point to begin with."""

_AGAIN = 5.0
"""Seconds that are worth a new tree from that point."""

MINUTE = 60.0


def search_limit(seconds: float | None) -> float:
    """The seconds of a search that could go on for ever: a minute, unless it is said."""
    return MINUTE if seconds is None else seconds


# -- linear programs -----------------------------------------------------------------------------


def minimise(
    columns: Sequence[FormColumn],
    constraints: Sequence[Constraint],
    right: Sequence[Fraction],
    box: linear.Box | None = None,
) -> linear.LinearOutcome:
    """The minimum of ``c·x`` over ``x >= 0``, or a box, with ``Ax (sense) right``.

    The multipliers ``y`` of an infeasible program have ``y·a_j <= 0`` for every column and
    ``y·right > 0``.
    """
    program = program_of(columns, constraints, right)
    outcome = linear.minimum(
        program, [column.cost for column in columns], box or linear.linear_box(program)
    )
    if isinstance(outcome, Unknown):
        raise SolverError(
            f"A linear program of {len(constraints)} rows and {len(columns)} columns is too large"
            " to be solved in rationals."
        )
    return outcome


def minimise_rows(
    costs: Sequence[Fraction], rows: Sequence[tuple[Sequence[Fraction | int], str, Fraction]]
) -> linear.LinearOutcome:
    """The minimum of ``costs·x`` over ``x >= 0``; rows are coefficients, sense, right-hand side."""
    entries = [
        tuple((i, Fraction(row[0][j])) for i, row in enumerate(rows) if row[0][j])
        for j in range(len(costs))
    ]
    columns = [
        FormColumn(str(j), integral=False, cost=cost, entries=own)
        for j, (cost, own) in enumerate(zip(costs, entries, strict=True))
    ]
    constraints = [Constraint(str(i), sense) for i, (_, sense, _) in enumerate(rows)]
    return minimise(columns, constraints, [side for _, _, side in rows])


def cut_optimum(
    costs: Sequence[Fraction],
    rows: Sequence[tuple[Sequence[Fraction | int], str, Fraction]],
    cuts: str,
) -> Optimal[Fraction, linear.LinearProof]:
    """The optimum of `minimise_rows`, some of whose rows are cuts, where the dual is feasible."""
    outcome = minimise_rows(costs, rows)
    if isinstance(outcome, Infeasible):
        raise InfeasibleProgramError(
            "The program is infeasible, so that no dual function attains its value:"
            f" {cuts} of its rows contradict each other."
        )
    if not isinstance(outcome, Optimal):
        raise AssertionError("the dual of the relaxation is feasible")  # noqa: TRY004
    return outcome


def feasible_multipliers(form: Form) -> Vector:
    """Multipliers that are feasible for the dual of the relaxation.

    The relaxation at the right-hand side 0 has the point 0; so it has the optimum 0 with such
    multipliers, or a direction in which the objective falls without end.
    """
    outcome = minimise(form.columns, form.constraints, (ZERO,) * form.size)
    if isinstance(outcome, Optimal):
        return outcome.certificate.multipliers
    if isinstance(outcome, Unbounded):
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


def require_dual(form: Form) -> Vector:
    """Multipliers ``y`` with ``y·a_j <= c_j`` for all columns and the signs that the rows ask for.

    They prove that a dual function exists: ``F(d) = y·d``.  Without them the value function is
    minus infinity wherever it is not plus infinity (Kocuk, Morán 2019, for rational data).  Those
    of the basis that HiGHS finds optimal are the strongest at the program's right-hand side.
    """
    program = program_of(form.columns, form.constraints, form.right)
    relaxation = Relaxation(program)
    if isinstance(relaxation.solve(), Optimal):
        costs = [column.cost for column in program.columns]
        exact = linear.LinearProgram.of(program).multipliers(costs, relaxation.basis())
        if exact is not None:
            y = tuple(exact.get(i, ZERO) for i in range(form.size))
            signs = all(c.admits(v) for c, v in zip(form.constraints, y, strict=True))
            if signs and all(column.product(y) <= column.cost for column in form.columns):
                return y
    return feasible_multipliers(form)


# -- the optimum ---------------------------------------------------------------------------------


def empty_value(form: Form, d: Sequence[Fraction]) -> Value:
    """The value of a form without columns: that of the empty point, if the rows admit 0."""
    pairs = zip(form.constraints, d, strict=True)
    return ZERO if all(c.holds(ZERO, side) for c, side in pairs) else math.inf


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """The form's value of the best point (None: there is none), and the nodes of the tree.

    ``closed`` says whether the value is proved to be the optimum, or that there is no point;
    ``why`` what stopped the search where it is not.
    """

    value: Fraction | None
    nodes: tuple[Node, ...] | None
    closed: bool
    why: str = ""


def search_at(
    form: Form,
    d: Sequence[Fraction],
    budget: Budget | None = None,
    *,
    seed: int = 0,
    point: Vector | None = None,
) -> SearchOutcome:
    """Branch and bound at the right-hand side ``d``: a short one alone, then from a good point.

    The bound at each leaf reaches the optimum.  The limits are those of all searches together.
    A feasible ``point`` of the program that is known already is begun with, and none is sought.
    """
    budget = budget or Budget()
    program, nodes = move_program(form, d), budget.nodes
    if not form.columns:
        # solvers do not take such programs
        value = empty_value(form, d)
        if not isinstance(value, Fraction):
            return SearchOutcome(None, None, closed=True)
        return SearchOutcome(value, (Bounded(Multipliers({}, 1), value),), closed=True)
    few = _ALONE if nodes is None else min(nodes, _ALONE)
    search = Search(program, point=point, granular=False)
    alone = point is None
    tree = search.run(replace(budget, nodes=few) if alone else budget)
    if alone and not tree.closed and not tree.unbounded and not budget.is_spent and few != nodes:
        limit = min(budget.seconds / 4, MINUTE)
        answer = solve(program, seconds=limit, seed=seed).answer
        point = answer.point if isinstance(answer, Optimal | Feasible) else None
        # a tree from the start is smaller, but one that goes on keeps what is proved
        if point is not None and budget.seconds > _AGAIN:
            search = Search(program, point=point, granular=False)
        tree = search.run(budget if nodes is None else replace(budget, nodes=nodes - few))
    value = None
    if tree.point is not None:
        value = form.sign * program.objective(tree.point) - form.constant
    why = ""
    if tree.unbounded:
        why = "the linear relaxation is unbounded there"
    elif not tree.closed:
        spent = search.explored
        over = "its time" if budget.is_spent else "its nodes"
        why = f"the search had used up {over} after {spent} nodes"
        if not tree.limited:
            why = "the program is too large for exact arithmetic"
    return SearchOutcome(value, tree.nodes, tree.closed and not tree.unbounded, why)


def form_at(form: Form, d: Vector) -> Form:
    """The same columns and rows at another right-hand side of the form."""
    return replace(form, right=d, program=move_program(form, d))


def move_program(form: Form, d: Sequence[Fraction]) -> Program:
    """The program as it was given, with the right-hand sides that ``d`` stands for."""
    rows, columns = list(form.program.rows), list(form.program.columns)
    capped = (j for j, column in enumerate(columns) if None not in domain(column))
    for constraint, side, shift in zip(form.constraints, d, form.shift, strict=True):
        i, end = constraint.row, side + shift
        if i is None:
            j = next(capped)
            columns[j] = replace(columns[j], upper=end)
            continue
        if constraint.sense != "<=":
            rows[i] = replace(rows[i], lower=end)
        if constraint.sense != ">=":
            rows[i] = replace(rows[i], upper=end)
    return replace(form.program, columns=tuple(columns), rows=tuple(rows))


# -- integrality ---------------------------------------------------------------------------------


def integer_contradiction(form: Form, d: Sequence[Fraction]) -> Vector | None:
    """Multipliers ``y`` of equations with ``y·a_j`` an integer for all columns, ``y·d`` none.

    At continuous columns ``y·a_j`` is 0.  None if there are none; the signs of the variables play
    no part.
    """
    rows = [i for i, c in enumerate(form.constraints) if c.sense == "="]
    dense = [dict(column.entries) for column in form.columns]
    terms = [{j: own[i] for j, own in enumerate(dense) if i in own} for i in rows]
    continuous = {j for j, column in enumerate(form.columns) if not column.integral}
    found = contradiction(terms, continuous, [d[i] for i in rows])
    if found is None:
        return None
    weights = dict(zip(rows, found, strict=True))
    return tuple(weights.get(i, ZERO) for i in range(form.size))


def require_integer_solution(form: Form) -> None:
    """Refuse a program with rows that no integers satisfy.

    It names the combination of rows that says so.
    """
    program = form.program
    scaled = Scaled(program)
    box = hull_box(program)
    found = gap(program, scaled, box)
    ends = None if found is None else scaled.integer_range(found, box, program)
    if found is None or ends is None:
        return
    weights = {i: Fraction(n, found.denominator) for i, n in sorted(found.numerators.items())}
    row = " + ".join(f"{rational_text(y)}*{program.rows[i].name}" for i, y in weights.items())
    low, high = map(rational_text, ends)
    value = low if low == high else f"between {low} and {high}, where there is none"
    raise InfeasibleProgramError(
        f"The program is infeasible: the terms for which the row {row} has integer coefficients"
        f" add up to an integer, which would have to be {value}."
    )

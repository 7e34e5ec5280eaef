"""Linear programs about a form, its optimum at any right-hand side, and whether it has duals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.duality.form import Constraint, Form, FormColumn, InfeasibleProgramError, Vector
from tamecheck.errors import DomainError, SolverError
from tamecheck.exact.linear import (
    Box,
    LinearOutcome,
    exact_multipliers,
    linear_box,
    minimum,
    simple,
)
from tamecheck.ir.answer import Feasible, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Column, Program, Row
from tamecheck.programs.certificate import Bounded, Node
from tamecheck.programs.lattice import contradiction, gap
from tamecheck.programs.scaled import Multipliers, Scaled, domain, hull
from tamecheck.programs.solving import solve
from tamecheck.programs.tree import Search, Tree
from tamecheck.solvers.relaxation import Relaxation

__all__ = [
    "Infeasible",
    "Optimal",
    "Optimum",
    "Searched",
    "Unbounded",
    "combination",
    "feasible_multipliers",
    "integer_contradiction",
    "is_dual_feasible",
    "linear_multipliers",
    "minimise",
    "moved_program",
    "proved_optimum",
    "require_dual",
    "require_integer_solution",
    "search_at",
]


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
    from tamecheck.duality.optimum import feasible_multipliers

    return feasible_multipliers(form)


def linear_multipliers(form: Form, d: Sequence[Fraction]) -> Vector | None:
    """Exact optimal multipliers of the linear relaxation at ``d``, found by HiGHS and checked.

    None if the relaxation has no optimum there, or if the multipliers that were found are not
    feasible for the dual.
    """
    program = form.program_at(d)
    relaxation = Relaxation(program)
    answer = relaxation.solve()
    if not isinstance(answer, Optimal):
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


def minimise(
    columns: Sequence[FormColumn], constraints: Sequence[Constraint], right: Sequence[Fraction]
) -> LinearOutcome:
    """The minimum of ``c·x`` over ``x >= 0`` with ``Ax (sense) right``: kinds are ignored.

    The multipliers ``y`` of an infeasible program have ``y·a_j <= 0`` for every column and
    ``y·right > 0``.

    Raises
    ------
    SolverError
        If the program is too large for a dense dictionary of rationals.
    """
    terms: list[list[tuple[int, Fraction]]] = [[] for _ in constraints]
    for j, column in enumerate(columns):
        for i, a in column.entries:
            if a:
                terms[i].append((j, a))
    rows = tuple(
        Row(
            str(i),
            tuple(own),
            None if constraint.sense == "<=" else side,
            None if constraint.sense == ">=" else side,
        )
        for i, (constraint, own, side) in enumerate(zip(constraints, terms, right, strict=True))
    )
    program = Program(tuple(Column(str(j)) for j in range(len(columns))), rows)
    outcome = minimum(program, [column.cost for column in columns], linear_box(program))
    if isinstance(outcome, Unknown):
        raise SolverError(
            f"A linear program of {len(rows)} rows and {len(columns)} columns is too large to be"
            " solved in rationals."
        )
    return outcome


def combination(points: Sequence[Vector], target: Vector) -> Vector | None:
    """Weights of a convex combination of the points that is the target, None if there is none."""
    size = len(target)
    columns = [
        FormColumn(
            name=str(j),
            integral=False,
            cost=Fraction(0),
            entries=(*((i, a) for i, a in enumerate(point) if a), (size, Fraction(1))),
        )
        for j, point in enumerate(points)
    ]
    constraints = [Constraint(str(i), "=", None) for i in range(size + 1)]
    outcome = minimise(columns, constraints, (*target, Fraction(1)))
    return outcome.point if isinstance(outcome, Optimal) else None


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
    budget = Budget.of(seconds, nodes)
    tree = Search(program, granular=False).run(replace(budget, nodes=min(nodes, _ALONE)))
    if not tree.closed and not tree.unbounded and nodes > _ALONE:
        point = _good_point(program, math.inf if seconds is None else seconds / 4, seed)
        tree = Search(program, point=point, granular=False).run(Budget.of(seconds, nodes))
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


_ZERO = Fraction(0)


def integer_contradiction(form: Form, d: Sequence[Fraction]) -> Vector | None:
    """Multipliers ``y`` of equations with ``y·a_j`` an integer for all columns, ``y·d`` none.

    At continuous columns ``y·a_j`` is 0.  None if there are none; the signs of the variables play
    no part.

    Parameters
    ----------
    form
        The program.
    d
        Its right-hand side.
    """
    rows = [i for i, c in enumerate(form.constraints) if c.sense == "="]
    place = {i: k for k, i in enumerate(rows)}
    terms: list[dict[int, Fraction]] = [{} for _ in rows]
    for j, column in enumerate(form.columns):
        for i, a in column.entries:
            if i in place:
                terms[place[i]][j] = a
    continuous = {j for j, column in enumerate(form.columns) if not column.integral}
    found = contradiction(terms, continuous, [d[i] for i in rows])
    if found is None:
        return None
    y = [_ZERO] * form.size
    for i, value in zip(rows, found, strict=True):
        y[i] = value
    return tuple(y)


def require_integer_solution(form: Form) -> None:
    """Refuse a program with rows that no integers satisfy.

    Raises
    ------
    InfeasibleProgramError
        If there are some: it names the combination of rows that says so.
    """
    program = form.program
    scaled = Scaled(program)
    hulls = [hull(column) for column in program.columns]
    box = Box([simple(low) for low, _ in hulls], [simple(high) for _, high in hulls])
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

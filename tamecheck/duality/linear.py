"""Exact linear programs over non-negative columns, with certificates for every outcome."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

from tamecheck.duality.form import Constraint, FormColumn, Vector
from tamecheck.errors import SolverError
from tamecheck.ir.program import Column, Program, Row
from tamecheck.programs.simplex import (
    LinearInfeasible,
    LinearOptimum,
    LinearUnbounded,
    LinearUndecided,
    linear_box,
    minimum,
)

__all__ = [
    "LinearInfeasible",
    "LinearOptimum",
    "LinearOutcome",
    "LinearUnbounded",
    "combination",
    "minimise",
]

LinearOutcome: TypeAlias = LinearOptimum | LinearInfeasible | LinearUnbounded


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
    if isinstance(outcome, LinearUndecided):
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
    return outcome.point if isinstance(outcome, LinearOptimum) else None

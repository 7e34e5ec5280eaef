"""Solvers of one program for many costs, in the form that approximate layers take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, prod
from typing import Any, TypeAlias

import numpy as np

from tamecheck.errors import InputError, SolverError, UnsupportedError
from tamecheck.ir.program import Kind, Program
from tamecheck.ir.tensor import Array
from tamecheck.programs.tree import Search

__all__ = ["Oracle", "integer_points", "points_oracle", "program_oracle"]

Oracle: TypeAlias = Callable[[Array], Array]
"""From costs ``(k, n)`` to a point ``(k, n)`` that minimises ``costs · x`` in each row."""

_MOST_POINTS = 1 << 18
_CHUNK = 1 << 22


def points_oracle(points: Any) -> Oracle:
    """The best of listed points, the first one among equals: ``argmin over x in points of c·x``.

    Parameters
    ----------
    points
        Of shape ``(number, n)``.
    """
    listed = np.asarray(points, dtype=float)
    if listed.ndim != 2 or not len(listed) or not np.isfinite(listed).all():
        raise InputError("The points are a non-empty array of finite numbers, (number, n).")
    rows = max(1, _CHUNK // len(listed))

    def best(costs: Array) -> Array:
        chosen = [(costs[k : k + rows] @ listed.T).argmin(1) for k in range(0, len(costs), rows)]
        return listed[np.concatenate(chosen)] if chosen else np.empty_like(costs)

    return best


def integer_points(program: Program) -> Array:
    """All feasible points of a program whose columns are all integer and bounded.

    Rows are evaluated in rationals brought to one denominator.  The columns of the result are
    those of the program.

    Raises
    ------
    UnsupportedError
        If a column is not integer, or there are more than 2^18 points to look at.
    InputError
        If no point is feasible.
    """
    ranges: list[range] = []
    for column in program.columns:
        if column.kind is not Kind.INTEGER or column.lower is None or column.upper is None:
            raise UnsupportedError(
                f"Column {column.name!r} is no bounded integer column.", hint="Use program_oracle."
            )
        ranges.append(range(ceil(column.lower), floor(column.upper) + 1))
    number = prod(len(values) for values in ranges)
    if number > _MOST_POINTS:
        raise UnsupportedError(
            f"There are {number} points to look at; at most {_MOST_POINTS} are.",
            hint="Use program_oracle.",
        )
    grid = np.meshgrid(*(np.array(values, dtype=object) for values in ranges), indexing="ij")
    points = np.stack([axis.reshape(-1) for axis in grid], axis=1)
    for row in program.rows:
        values = sum((points[:, j] * a for j, a in row.terms), np.full(len(points), Fraction(0)))
        good = np.ones(len(points), dtype=bool)
        if row.lower is not None:
            good &= (values >= row.lower).astype(bool)
        if row.upper is not None:
            good &= (values <= row.upper).astype(bool)
        points = points[good]
    if not len(points):
        raise InputError("The program is infeasible.")
    return points.astype(float)


def program_oracle(program: Program, *, seconds: float = 60.0) -> Oracle:
    """Exact optima of a program with other costs, one proved search for each row of costs.

    Parameters
    ----------
    program
        Its costs do not count; its sense does: for a maximisation the costs are still minimised,
        so pass ``-values``.
    seconds
        For each search.

    Raises
    ------
    SolverError
        From the oracle, if a search does not end or finds no point.
    """

    def best(costs: Array) -> Array:
        return np.array([_best(program, row.tolist(), seconds) for row in costs], dtype=float)

    return best


def _best(program: Program, costs: Sequence[float], seconds: float) -> list[float]:
    sign = program.sense.sign
    columns = tuple(
        replace(column, cost=sign * Fraction(cost))
        for column, cost in zip(program.columns, costs, strict=True)
    )
    tree = Search(replace(program, columns=columns), seconds=seconds).run()
    if tree.point is None or not tree.closed:
        raise SolverError(
            "The program has no optimum for some costs, or none was proved in time.",
            hint="Check that it is feasible and bounded; give more seconds.",
        )
    return [float(x) for x in tree.point]

"""Exact linear feasibility with certificates: simplex over the rationals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flint import fmpq, fmpq_mat

__all__ = [
    "Alternative",
    "Inequality",
    "Multipliers",
    "Vector",
    "nonnegative_solution",
    "null_basis",
    "satisfies",
    "solve_inequalities",
]

Vector: TypeAlias = tuple[fmpq, ...]

Inequality: TypeAlias = tuple[Vector, bool]
"""``a · x + b >= 0`` as the vector ``(a, b)``; ``> 0`` if the second element is true."""

_ZERO, _ONE = fmpq(0), fmpq(1)


@dataclass(frozen=True, slots=True)
class Multipliers:
    """``λ >= 0`` with ``Σ λ_j column_j = target``."""

    values: Vector


@dataclass(frozen=True, slots=True)
class Alternative:
    """``y`` with ``y · column_j <= 0`` for all j and ``y · target > 0``: so there are no such λ."""

    values: Vector


def nonnegative_solution(columns: Sequence[Vector], target: Vector) -> Multipliers | Alternative:
    """Is a vector a nonnegative combination of others?  Farkas' lemma, decided exactly.

    Examples
    --------
    >>> one, two = fmpq(1), fmpq(2)
    >>> nonnegative_solution([(one,)], (two,))
    Multipliers(values=(2,))
    """
    rows = _independent_rows(columns, target)
    matrix = [[column[row] for column in columns] for row in rows]
    right = [target[row] for row in rows]
    for index, value in enumerate(right):
        if value < 0:
            matrix[index] = [-a for a in matrix[index]]
            right[index] = -value
    found, duals = _phase_one(matrix, right)
    if found is not None:
        return Multipliers(tuple(found))
    y = [_ZERO] * len(target)
    for row, dual in zip(rows, duals, strict=True):
        y[row] = dual if target[row] >= 0 else -dual
    return Alternative(tuple(y))


def solve_inequalities(rows: Sequence[Inequality], size: int) -> Vector | None:
    """A point of ``size`` coordinates at which the inequalities hold; None if there is none.

    There is none iff nonnegative multiples of the rows, and of ``1 > 0``, add up to zero with some
    strict row among them (Motzkin).  Otherwise the simplex method ends with a vector that is
    negative on every row, strictly on the strict ones: a point, after division by its last entry.
    Either is multiplied out again.
    """
    columns = [(*[_ZERO] * size, _ONE, _ONE)]
    columns += [(*row, _ONE if strict else _ZERO) for row, strict in rows]
    target = (*[_ZERO] * (size + 1), _ONE)
    found = nonnegative_solution(columns, target)
    if isinstance(found, Multipliers):
        total = target
        for factor, column in zip(found.values, columns, strict=True):
            if factor:
                total = tuple(t - factor * a for t, a in zip(total, column, strict=True))
        if any(factor < 0 for factor in found.values) or any(total):
            raise ArithmeticError("multipliers of linear inequalities show no contradiction")
        return None
    point = tuple(a / found.values[size] for a in found.values[:size])
    if not all(satisfies(point, row) for row in rows):
        raise ArithmeticError("a solution of linear inequalities does not satisfy them")
    return point


def satisfies(point: Vector, inequality: Inequality) -> bool:
    """Whether an inequality holds at a point."""
    row, strict = inequality
    value = sum((a * x for a, x in zip(row[:-1], point, strict=True) if a), row[-1])
    return bool(value > 0 if strict else value >= 0)


def _independent_rows(columns: Sequence[Vector], target: Vector) -> list[int]:
    """Rows of the system that imply all others: the pivots of the transposed matrix."""
    size = len(target)
    if size == 0:
        return []
    entries = [a for column in (*columns, target) for a in column]
    reduced, rank = fmpq_mat(len(columns) + 1, size, entries).rref()
    lines = reduced.tolist()[:rank]
    return [next(index for index, a in enumerate(line) if a != 0) for line in lines]


def _phase_one(matrix: list[list[fmpq]], right: list[fmpq]) -> tuple[list[fmpq] | None, list[fmpq]]:
    """Minimise the sum of artificial variables by Bland's rule, which cannot cycle."""
    count, width = len(matrix), len(matrix[0]) if matrix else 0
    table = [
        [*row, *(_ONE if i == j else _ZERO for j in range(count)), value]
        for i, (row, value) in enumerate(zip(matrix, right, strict=True))
    ]
    basis = [width + i for i in range(count)]
    cost = [-sum((line[j] for line in table), _ZERO) for j in range(width + count + 1)]
    for j in range(width, width + count):
        cost[j] = _ZERO
    while True:
        entering = next((j for j in range(width) if cost[j] < 0), None)
        if entering is None:
            break
        ratios = [
            (table[i][-1] / table[i][entering], basis[i], i)
            for i in range(count)
            if table[i][entering] > 0
        ]
        # the sum of artificial variables is bounded below, so some row limits the step
        row = min(ratios)[2]
        _pivot(table, cost, row, entering)
        basis[row] = entering
    if cost[-1] != 0:
        # reduced costs of the artificial variables are 1 - y, with y the multipliers of the rows
        return None, [_ONE - cost[width + i] for i in range(count)]
    solution = [_ZERO] * width
    for i, variable in enumerate(basis):
        if variable < width:
            solution[variable] = table[i][-1]
    return solution, []


def _pivot(table: list[list[fmpq]], cost: list[fmpq], row: int, column: int) -> None:
    scale = table[row][column]
    line = [a / scale if a != 0 else a for a in table[row]]
    table[row] = line
    for index, other in enumerate(table):
        if index != row and other[column] != 0:
            factor = other[column]
            table[index] = [
                a - factor * b if b != 0 else a for a, b in zip(other, line, strict=True)
            ]
    factor = cost[column]
    cost[:] = [a - factor * b if b != 0 else a for a, b in zip(cost, line, strict=True)]


def null_basis(rows: Sequence[Vector], size: int) -> list[Vector]:
    """A basis of the vectors that are orthogonal to all rows."""
    if not rows:
        return [tuple(_ONE if i == j else _ZERO for i in range(size)) for j in range(size)]
    reduced, rank = fmpq_mat([list(row) for row in rows]).rref()
    lines = reduced.tolist()[:rank]
    pivots = [next(j for j, a in enumerate(line) if a != 0) for line in lines]
    basis: list[Vector] = []
    for free in (j for j in range(size) if j not in pivots):
        vector = [_ZERO] * size
        vector[free] = _ONE
        for line, pivot in zip(lines, pivots, strict=True):
            vector[pivot] = -line[free]
        basis.append(tuple(vector))
    return basis

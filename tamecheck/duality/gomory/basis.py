"""The rows of the inverse of an optimal basis of an extended linear program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from flint import fmpq, fmpq_mat

if TYPE_CHECKING:
    from tamecheck.duality.form import Form
    from tamecheck.duality.gomory.dual import Extended

__all__ = ["Basis", "basis_row", "optimal_basis"]


@dataclass(frozen=True, slots=True)
class Basis:
    """Columns of ``[A, -I]`` that are a basis, and the rows that are not redundant.

    ``inverse`` maps these rows to the basic variables.
    """

    variables: tuple[int, ...]
    rows: tuple[int, ...]
    inverse: fmpq_mat


def optimal_basis(
    form: Form,
    rows: Sequence[Extended],
    point: Sequence[Fraction],
    multipliers: Sequence[Fraction],
) -> Basis:
    """A basis of the optimal point: its positive variables, completed by reduced cost 0 first.

    The positive variables of a basic solution are linearly independent, so that elimination that
    takes them first keeps them all.
    """
    n, m = len(form.columns), len(rows)
    positive = [j for j in range(n) if point[j] > 0]
    surplus: list[int] = []
    for i, row in enumerate(rows):
        if row.equation:
            continue
        value = sum((a * x for a, x in zip(row.coefficients, point, strict=True)), Fraction(0))
        if value > row.bound:
            surplus.append(n + i)
    reduced = {
        j: form.columns[j].cost
        - sum((y * row.coefficients[j] for y, row in zip(multipliers, rows, strict=True)), 0)
        for j in range(n)
    }
    taken = {*positive, *surplus}
    others = [j for j in range(n) if j not in taken]
    slack = [n + i for i, row in enumerate(rows) if not row.equation and n + i not in taken]
    tight = [j for j in others if reduced[j] == 0]
    loose = [j for j in others if reduced[j] != 0]
    order = [*positive, *surplus, *slack, *tight, *loose]
    return _independent(rows, order, n, m)


def _independent(rows: Sequence[Extended], order: Sequence[int], n: int, m: int) -> Basis:
    """The first columns in the order that are linearly independent, with rows to match."""
    work: list[list[fmpq]] = [_column(rows, j, n, m) for j in order]
    reduced: list[tuple[int, list[fmpq]]] = []
    chosen: list[int] = []
    for j, column in zip(order, work, strict=True):
        left = column
        for pivot, own in reduced:
            factor = left[pivot]
            if factor:
                left = [a - factor * b if b else a for a, b in zip(left, own, strict=True)]
        pivot = next((i for i, a in enumerate(left) if a), None)
        if pivot is None:
            continue
        reduced.append((pivot, [a / left[pivot] if a else a for a in left]))
        chosen.append(j)
        if len(chosen) == m:
            break
    pivots = sorted(pivot for pivot, _ in reduced)
    size = len(chosen)
    entries = [_column(rows, j, n, m) for j in chosen]
    square = fmpq_mat(size, size, [entries[k][i] for i in pivots for k in range(size)])
    return Basis(tuple(chosen), tuple(pivots), square.inv() if size else square)


def _column(rows: Sequence[Extended], j: int, n: int, m: int) -> list[fmpq]:
    if j >= n:
        return [fmpq(-1) if i == j - n else fmpq(0) for i in range(m)]
    return [fmpq(row.coefficients[j].numerator, row.coefficients[j].denominator) for row in rows]


def basis_row(basis: Basis, j: int, size: int) -> list[Fraction] | None:
    """Row multipliers ``w`` with ``w·(row of x)`` = x_j + nonbasic terms; None if not basic."""
    if j not in basis.variables:
        return None
    k = basis.variables.index(j)
    w = [Fraction(0)] * size
    for position, i in enumerate(basis.rows):
        a = basis.inverse[k, position]
        w[i] = Fraction(int(a.p), int(a.q))
    return w

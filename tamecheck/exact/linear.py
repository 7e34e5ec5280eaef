"""Boxes and bases of linear programs: the exact vertex and the exact multipliers of a basis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from tamecheck.ir.box import Bound
from tamecheck.ir.program import Program

__all__ = [
    "MAX_SIZE",
    "Basis",
    "Box",
    "Number",
    "exact_multipliers",
    "exact_point",
    "optimal_at",
    "simple",
]

Number: TypeAlias = int | Fraction
"""Exact numbers; integers are kept as such because they are faster."""


@dataclass(frozen=True, slots=True)
class Box:
    """Bounds of the columns, None where there are none."""

    lower: list[Number | None]
    upper: list[Number | None]


@dataclass(frozen=True, slots=True)
class Basis:
    """Where each column and each row stands: ``basic``, ``lower``, ``upper`` or ``zero``."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]


def simple(bound: Bound) -> Number | None:
    """The same number, as an integer if it is one."""
    if bound is None or bound.denominator != 1:
        return bound
    return bound.numerator


MAX_SIZE = 1_200
"""Larger bases are not solved exactly: the time grows with the cube of the size."""


def exact_point(
    program: Program, basis: Basis, lower: Sequence[Bound], upper: Sequence[Bound]
) -> list[Fraction] | None:
    """The point where the nonbasic columns and rows are at their bounds; None if singular.

    It satisfies no more than that: the caller checks every row and bound.
    """
    point = [
        _at(status, low, high)
        for status, low, high in zip(basis.columns, lower, upper, strict=True)
    ]
    rows, unknowns = _system(basis)
    if len(rows) != len(unknowns) or len(rows) > MAX_SIZE:
        return None
    position = {j: k for k, j in enumerate(unknowns)}
    entries: list[tuple[int, int, Fraction]] = []
    right: list[Fraction] = []
    for r, i in enumerate(rows):
        row = program.rows[i]
        value = _at(basis.rows[i], row.lower, row.upper)
        for j, a in row.terms:
            if j in position:
                entries.append((r, position[j], a))
            else:
                value -= a * point[j]
        right.append(value)
    solution = _solve(len(rows), entries, right)
    if solution is None:
        return None
    for j, value in zip(unknowns, solution, strict=True):
        point[j] = value
    return point


def exact_multipliers(
    program: Program, basis: Basis, costs: Sequence[Fraction]
) -> Mapping[int, Fraction] | None:
    """Row multipliers that make the reduced costs of the basic columns 0; None if singular."""
    rows, unknowns = _system(basis)
    if len(rows) != len(unknowns) or len(rows) > MAX_SIZE:
        return None
    position = {j: k for k, j in enumerate(unknowns)}
    entries = [
        (position[j], r, a)
        for r, i in enumerate(rows)
        for j, a in program.rows[i].terms
        if j in position
    ]
    solution = _solve(len(rows), entries, [costs[j] for j in unknowns])
    return None if solution is None else dict(zip(rows, solution, strict=True))


def optimal_at(
    program: Program, costs: Sequence[Fraction], box: Box, basis: Basis
) -> tuple[Fraction, tuple[Fraction, ...], tuple[Fraction, ...]] | None:
    """The value, point and multipliers of a basis that is optimal, None of another."""
    lower = [None if end is None else Fraction(end) for end in box.lower]
    upper = [None if end is None else Fraction(end) for end in box.upper]
    point = exact_point(program, basis, lower, upper)
    found = None if point is None else exact_multipliers(program, basis, costs)
    if point is None or found is None:
        return None
    reduced = list(costs)
    for i, y in found.items():
        for j, a in program.rows[i].terms:
            reduced[j] -= y * a
    multipliers = tuple(found.get(i, Fraction(0)) for i in range(len(program.rows)))
    columns = zip(lower, upper, point, reduced, strict=True)
    rows = [
        (row.lower, row.upper, row.value(point), y)
        for row, y in zip(program.rows, multipliers, strict=True)
    ]
    if not all(_complementary(*limited) for limited in (*columns, *rows)):
        return None
    value = sum((c * x for c, x in zip(costs, point, strict=True)), Fraction(0))
    return value, tuple(point), multipliers


def _complementary(
    low: Fraction | None, high: Fraction | None, value: Fraction, rate: Fraction
) -> bool:
    """Whether a value is within its bounds, and at the one that its rate presses against."""
    if (low is not None and value < low) or (high is not None and value > high):
        return False
    return rate == 0 or value == (low if rate > 0 else high)


def _system(basis: Basis) -> tuple[list[int], list[int]]:
    """The rows that hold with equality, and the columns that they determine."""
    rows = [i for i, status in enumerate(basis.rows) if status != "basic"]
    return rows, [j for j, status in enumerate(basis.columns) if status == "basic"]


def _at(status: str, lower: Bound, upper: Bound) -> Fraction:
    """The bound at which something nonbasic stands: the other one, or 0, if it has no such."""
    first, second = (upper, lower) if status == "upper" else (lower, upper)
    if first is not None:
        return first
    return Fraction(0) if second is None else second


def _solve(
    size: int, entries: Sequence[tuple[int, int, Fraction]], right: Sequence[Fraction]
) -> list[Fraction] | None:
    """The solution of a square sparse system: singletons first, the rest densely."""
    if size == 0:
        return []
    from flint import fmpq, fmpq_mat

    dense: Any = fmpq_mat(size, size)
    for i, j, a in entries:
        dense[i, j] = fmpq(a.numerator, a.denominator)
    side: Any = fmpq_mat(size, 1, [fmpq(b.numerator, b.denominator) for b in right])
    try:
        solution = dense.solve(side, algorithm="dixon" if size > 30 else "fflu")
    except ZeroDivisionError:
        return None
    return [Fraction(int(x.p), int(x.q)) for x in solution.entries()]

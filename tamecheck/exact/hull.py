"""Convex hulls of finitely many rational matrices: membership with certificates, extreme points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, fmpq

from tamecheck.exact.feasibility import Alternative, Multipliers, Vector, nonnegative_solution
from tamecheck.exact.reals import Number, as_fraction

__all__ = [
    "Combination",
    "Exact",
    "Matrix",
    "Membership",
    "Separator",
    "extreme",
    "fractions_of",
    "in_rows",
    "inner",
    "membership",
    "rational",
    "same",
]

Matrix = tuple[tuple[Number, ...], ...]

Exact = tuple[tuple[fmpq, ...], ...]
"""A rational matrix."""


@dataclass(frozen=True, slots=True)
class Combination:
    """The matrix is ``Σ weights[k] vertices[k]``, with weights ``>= 0`` of sum 1."""

    weights: tuple[Fraction, ...]

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Separator:
    """``<functional, V> <= level`` for every vertex V, but ``> level`` for the matrix."""

    functional: tuple[tuple[Fraction, ...], ...]
    level: Fraction

    def __bool__(self) -> bool:
        return False


Membership = Combination | Separator


def _flat(matrix: Matrix) -> Vector | None:
    """The entries in one row; None if some are balls."""
    entries = tuple(a for row in matrix for a in row)
    return tuple(a for a in entries if isinstance(a, fmpq)) if _rational(entries) else None


def _rational(entries: Sequence[Any]) -> bool:
    return not any(isinstance(a, arb) for a in entries)


def membership(vertices: Sequence[Matrix], matrix: Matrix) -> Membership | None:
    """Whether a matrix is in the convex hull, with the proof; None where balls leave it open."""
    flat = [_flat(vertex) for vertex in vertices]
    point = _flat(matrix)
    exact = [vertex for vertex in flat if vertex is not None]
    if point is None or len(exact) < len(flat):
        return None
    one = fmpq(1)
    found = nonnegative_solution([(*vertex, one) for vertex in exact], (*point, one))
    if isinstance(found, Multipliers):
        return Combination(tuple(as_fraction(w) for w in found.values))
    *functional, level = found.values
    rows = in_rows(functional, len(matrix[0]) if matrix else 0)
    return Separator(fractions_of(rows), -as_fraction(level))


def in_rows(entries: Sequence[fmpq], width: int) -> Exact:
    """The matrix with these entries, row by row."""
    starts = range(0, len(entries), max(width, 1))
    return tuple(tuple(entries[start : start + width]) for start in starts)


def fractions_of(matrix: Exact) -> tuple[tuple[Fraction, ...], ...]:
    """The matrix in fractions."""
    return tuple(tuple(as_fraction(a) for a in row) for row in matrix)


def rational(matrix: Matrix) -> Exact | None:
    """The matrix itself; None if some entries are balls."""
    rows = tuple(tuple(a for a in row if isinstance(a, fmpq)) for row in matrix)
    return rows if all(len(a) == len(b) for a, b in zip(rows, matrix, strict=True)) else None


def inner(left: Exact, right: Exact) -> fmpq:
    """The sum of the products of the entries."""
    pairs = (
        (a, b)
        for low, high in zip(left, right, strict=True)
        for a, b in zip(low, high, strict=True)
    )
    return sum((a * b for a, b in pairs if a != 0 and b != 0), fmpq(0))


def same(left: Matrix, right: Matrix) -> bool:
    """Whether two matrices are equal; balls that overlap count as equal."""
    return all(
        a == b if isinstance(a, fmpq) and isinstance(b, fmpq) else bool(arb(a).overlaps(arb(b)))
        for row, other in zip(left, right, strict=True)
        for a, b in zip(row, other, strict=True)
    )


def extreme(matrices: Sequence[Matrix]) -> list[int]:
    """The numbers of the extreme points of the hull of different matrices."""
    kept = list(range(len(matrices)))
    if len(kept) <= 2:
        return kept
    flat = [_flat(matrix) for matrix in matrices]
    exact = [vector for vector in flat if vector is not None]
    if len(exact) < len(flat):
        return kept
    one = fmpq(1)
    for number in list(kept):
        others = [(*exact[k], one) for k in kept if k != number]
        if not isinstance(nonnegative_solution(others, (*exact[number], one)), Alternative):
            kept.remove(number)
    return kept

"""Convex hulls of finitely many rational matrices: membership with certificates, extreme points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, fmpq

from tamecheck.derivative.farkas import Alternative, Multipliers, Vector, nonnegative_solution
from tamecheck.evaluate.reals import Number, as_fraction

__all__ = ["Combination", "Matrix", "Membership", "Separator", "extreme", "membership", "same"]

Matrix = tuple[tuple[Number, ...], ...]


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
    width = len(matrix[0]) if matrix else 0
    rows = [
        tuple(as_fraction(a) for a in functional[start : start + width])
        for start in range(0, len(functional), max(width, 1))
    ]
    return Separator(tuple(rows), -as_fraction(level))


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

"""Convex hulls of rational matrices, with certificates, and vertices of small polyhedra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Any

from flint import arb, fmpq, fmpq_mat

from tamecheck.exact.feasibility import Alternative, Multipliers, Vector, nonnegative_solution
from tamecheck.exact.reals import Number, as_fraction, as_number

__all__ = [
    "Combination",
    "Exact",
    "Halfspace",
    "Matrix",
    "Membership",
    "Point",
    "Separator",
    "extreme",
    "fractions_of",
    "in_rows",
    "inner",
    "kernel",
    "membership",
    "rational",
    "same",
    "vertices",
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


def fractions_of(matrix: Sequence[Sequence[fmpq]]) -> tuple[tuple[Fraction, ...], ...]:
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


_MOST_BASES = 20_000

Point = tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Halfspace:
    """``normal · x <= level``, or ``=`` if tight."""

    normal: Point
    level: Fraction
    tight: bool = False


def vertices(size: int, halfspaces: Sequence[Halfspace]) -> tuple[Point, ...] | None:
    """All vertices of ``{x : every half-space holds}``; None if there are too many bases.

    There are none if the set is empty or contains a line.
    """
    tight = [k for k, side in enumerate(halfspaces) if side.tight]
    independent = _independent(halfspaces, tight)
    loose = [k for k, side in enumerate(halfspaces) if not side.tight]
    missing = size - len(independent)
    if comb(len(loose), max(missing, 0)) > _MOST_BASES:
        return None
    matrix = [[as_number(a) for a in side.normal] for side in halfspaces]
    levels = [as_number(side.level) for side in halfspaces]
    found: dict[Point, None] = {}
    for choice in combinations(loose, missing):
        rows = [*independent, *choice]
        square = fmpq_mat(size, size, [a for k in rows for a in matrix[k]])
        if size and square.det() == 0:
            continue
        point = square.solve(fmpq_mat(size, 1, [levels[k] for k in rows])) if size else None
        values = [point[i, 0] for i in range(size)] if point is not None else []
        if all(
            _holds(matrix[k], values, levels[k], halfspaces[k].tight) for k in range(len(levels))
        ):
            found[tuple(as_fraction(v) for v in values)] = None
    return tuple(found)


def _holds(normal: Sequence[fmpq], values: Sequence[fmpq], level: fmpq, tight: bool) -> bool:  # noqa: FBT001
    total = sum((a * v for a, v in zip(normal, values, strict=True) if a != 0), fmpq(0))
    return total == level if tight else total <= level


def _independent(halfspaces: Sequence[Halfspace], rows: Sequence[int]) -> list[int]:
    kept: list[int] = []
    for k in rows:
        entries = [as_number(a) for i in (*kept, k) for a in halfspaces[i].normal]
        width = len(halfspaces[k].normal)
        if fmpq_mat(len(kept) + 1, width, entries).rank() == len(kept) + 1:
            kept.append(k)
    return kept


def kernel(size: int, normals: Sequence[Point]) -> list[Point]:
    """A basis of the directions that are orthogonal to all normals."""
    entries = [as_number(a) for normal in normals for a in normal]
    reduced, rank = fmpq_mat(len(normals), size, entries).rref()
    pivots = [next(j for j in range(size) if reduced[i, j] != 0) for i in range(rank)]
    basis: list[Point] = []
    for j in range(size):
        if j in pivots:
            continue
        direction = [Fraction(k == j) for k in range(size)]
        for i, pivot in enumerate(pivots):
            direction[pivot] = -as_fraction(reduced[i, j])
        basis.append(tuple(direction))
    return basis

"""Convex hulls of rational matrices, with certificates, and vertices of small polyhedra."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations
from math import comb

from flint import arb, fmpq, fmpq_mat

from tamecheck.exact.feasibility import (
    Multipliers,
    Vector,
    nonnegative_solution,
    null_basis,
    pivots,
)
from tamecheck.exact.reals import Number, as_fraction, as_number

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


def _flat(matrices: Sequence[Matrix]) -> list[Vector] | None:
    """The entries of each in one row, and a 1; None if some are balls."""
    exact = [own for own in map(rational, matrices) if own is not None]
    if len(exact) < len(matrices):
        return None
    return [(*(a for row in own for a in row), fmpq(1)) for own in exact]


def membership(vertices: Sequence[Matrix], matrix: Matrix) -> Membership | None:
    """Whether a matrix is in the convex hull, with the proof; None where balls leave it open."""
    flat = _flat([*vertices, matrix])
    if flat is None:
        return None
    found = nonnegative_solution(flat[:-1], flat[-1])
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


def dot(left: Iterable[fmpq], right: Iterable[fmpq]) -> fmpq:
    """The sum of the products of as many numbers."""
    return sum((a * b for a, b in zip(left, right, strict=True) if a != 0 and b != 0), fmpq(0))


def inner(left: Exact, right: Exact) -> fmpq:
    """The sum of the products of the entries."""
    return dot(chain(*left), chain(*right))


def matrix_text(matrix: Matrix) -> str:
    """The rows in brackets, with six digits of balls."""
    rows = (" ".join(a.str(6) if isinstance(a, arb) else str(a) for a in row) for row in matrix)
    return f"[{'; '.join(rows)}]"


def same(left: Matrix, right: Matrix) -> bool:
    """Whether two matrices are equal; balls that overlap count as equal."""
    return all(
        a == b if isinstance(a, fmpq) and isinstance(b, fmpq) else bool(arb(a).overlaps(arb(b)))
        for a, b in zip(chain(*left), chain(*right), strict=True)
    )


def extreme(matrices: Sequence[Matrix]) -> list[int]:
    """The numbers of the extreme points of the hull of different matrices."""
    kept = list(range(len(matrices)))
    if len(kept) <= 2:
        return kept
    flat = _flat(matrices)
    if flat is None:
        return kept
    for number in list(kept):
        others = [flat[k] for k in kept if k != number]
        if isinstance(nonnegative_solution(others, flat[number]), Multipliers):
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
    matrix = [tuple(map(as_number, side.normal)) for side in halfspaces]
    levels = [as_number(side.level) for side in halfspaces]
    tight = [k for k, side in enumerate(halfspaces) if side.tight]
    loose = [k for k, side in enumerate(halfspaces) if not side.tight]
    columns = list(zip(*(matrix[k] for k in tight), strict=True))
    independent = [tight[i] for i in pivots(columns)] if columns else []
    missing = size - len(independent)
    if comb(len(loose), max(missing, 0)) > _MOST_BASES:
        return None
    found: dict[Point, None] = {}
    for choice in combinations(loose, missing):
        rows = [*independent, *choice]
        square = fmpq_mat(size, size, [a for k in rows for a in matrix[k]])
        if size and square.det() == 0:
            continue
        point = square.solve(fmpq_mat(size, 1, [levels[k] for k in rows])) if size else None
        values = [] if point is None else point.entries()
        sides = zip(matrix, levels, halfspaces, strict=True)
        if all(_holds(normal, values, level, side.tight) for normal, level, side in sides):
            found[tuple(as_fraction(v) for v in values)] = None
    return tuple(found)


def _holds(normal: Vector, values: Sequence[fmpq], level: fmpq, tight: bool) -> bool:  # noqa: FBT001
    total = sum((a * v for a, v in zip(normal, values, strict=True) if a != 0), fmpq(0))
    return total == level if tight else total <= level


def kernel(size: int, normals: Sequence[Point]) -> list[Point]:
    """A basis of the directions that are orthogonal to all normals."""
    basis = null_basis([tuple(map(as_number, normal)) for normal in normals], size)
    return [tuple(map(as_fraction, direction)) for direction in basis]

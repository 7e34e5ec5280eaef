"""Vertices of small rational polyhedra, exactly, by their bases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb

from flint import fmpq, fmpq_mat

from tamecheck.exact.reals import as_fraction, as_number

__all__ = ["Halfspace", "Point", "kernel", "vertices"]

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

"""Which cells share a facet, and which of those have the same map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from flint import fmpq, fmpq_mat

from tamecheck.cells.hyperplanes import ExactRow

if TYPE_CHECKING:
    from tamecheck.cells.complex import Cell

__all__ = ["groups", "neighbours"]

_SLACK = 1e-9

_Facets: TypeAlias = list[tuple[int, int]]
"""Facets, as the numbers of a cell and of a facet of it."""


def neighbours(cells: Sequence[Cell], dimension: int) -> tuple[tuple[int, int], ...]:
    """The pairs of cells with a common facet.

    The two sides of a cut carry the cut's number, so only facets with one number are compared.
    In dimension 3 and more, facets are the same when ``d`` independent vertices are, as in the
    complex of a continuous function.
    """
    sides: dict[int, tuple[_Facets, _Facets]] = {}
    for number, cell in enumerate(cells):
        shape = cell.polytope
        for column, (plane, side) in enumerate(
            zip(shape.facets.tolist(), shape.sides.tolist(), strict=True)
        ):
            below, above = sides.setdefault(plane, ([], []))
            (above if side > 0 else below).append((number, column))
    found: set[tuple[int, int]] = set()
    for below, above in sides.values():
        for first, one in below:
            for second, two in above:
                if _may_touch(cells[first], one, cells[second], two) and _touch(
                    cells[first], one, cells[second], two, dimension
                ):
                    found.add((min(first, second), max(first, second)))
    return tuple(sorted(found))


def _may_touch(first: Cell, one: int, second: Cell, two: int) -> bool:
    """Whether the boxes about two facets meet, by floats that err on the safe side."""
    a = first.polytope.points[first.polytope.tight[:, one]]
    b = second.polytope.points[second.polytope.tight[:, two]]
    doubt = max(float(first.polytope.doubt.max()), float(second.polytope.doubt.max()))
    slack = doubt + _SLACK * (1 + float(np.abs(a).max()))
    return bool(
        (a.min(axis=0) <= b.max(axis=0) + slack).all()
        and (b.min(axis=0) <= a.max(axis=0) + slack).all()
    )


def _touch(first: Cell, one: int, second: Cell, two: int, dimension: int) -> bool:
    a = _vertices(first, one)
    b = _vertices(second, two)
    if dimension == 1:
        return True
    if dimension == 2:
        axis = 0 if a[0][0] != a[1][0] else 1
        low = max(min(p[axis] for p in a), min(p[axis] for p in b))
        high = min(max(p[axis] for p in a), max(p[axis] for p in b))
        return bool(low < high)
    keys = {tuple(map(str, point)) for point in b}
    common = [point for point in a if tuple(map(str, point)) in keys]
    if len(common) < dimension:
        return False
    rows = [[x - y for x, y in zip(p, common[0], strict=True)] for p in common[1:]]
    return fmpq_mat(rows).rank() == dimension - 1


def _vertices(cell: Cell, column: int) -> list[ExactRow]:
    shape = cell.polytope
    chosen = np.flatnonzero(shape.tight[:, column]).tolist()
    planes = cell.planes
    return [planes.exact_point(tuple(shape.bases[index].tolist())) for index in chosen]


def groups(cells: Sequence[Cell], pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """The classes of cells that neighbours with equal maps connect."""
    parent = list(range(len(cells)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    keys: dict[int, tuple[fmpq, ...]] = {}
    for first, second in pairs:
        for number in (first, second):
            if number not in keys:
                keys[number] = cells[number].coefficients()
        if keys[first] == keys[second]:
            parent[root(second)] = root(first)
    classes: dict[int, list[int]] = {}
    for number in range(len(cells)):
        classes.setdefault(root(number), []).append(number)
    return tuple(tuple(members) for members in classes.values())

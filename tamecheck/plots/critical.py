"""Clarke-critical points in the plane: only those that are proved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from tamecheck.cells import Cell, Complex
from tamecheck.derivative import jacobian
from tamecheck.errors import TamecheckError
from tamecheck.ir.tensor import Array
from tamecheck.plots.mosaic import FLAT, KINKS, Mosaic
from tamecheck.plots.paint import hull_order
from tamecheck.plots.plane import Plane
from tamecheck.plots.sample import gradients, values
from tamecheck.plots.scene import Scene

Point: TypeAlias = tuple[Fraction, ...]

_MOST = 60
"""Sets of Jacobians that are computed for one figure."""

_GRID = 41
_NEAR = 0.03
_DENOMINATORS = (1, 2, 4, 10, 100)


@dataclass(frozen=True, slots=True)
class Critical:
    """Where 0 is in the Clarke set: points, segments and cells.

    ``left`` counts the places of a piecewise linear function that were not looked at.
    """

    points: tuple[Point, ...]
    segments: tuple[tuple[Point, Point], ...]
    cells: tuple[int, ...]
    left: int


def is_critical(plane: Plane, point: Point) -> bool:
    """Whether 0 is proved to be in the Clarke set of the one output element at a point."""
    try:
        found = jacobian(plane.graph, list(point))
        return bool(found.defined and found.contains([[0] * plane.size]))
    except TamecheckError:
        return False


def critical_points(plane: Plane, scene: Scene, guesses: Array) -> Critical:
    """The critical points of a piecewise linear function, or those near a guess of another."""
    if scene.mosaic is not None and scene.found is not None and not scene.bare.dropped:
        return _of_complex(plane, scene.mosaic, scene.found)
    tried = dict.fromkeys(_rationals(plane, np.concatenate([guesses, _guesses(plane)])))
    points = tuple(point for point in list(tried)[:_MOST] if is_critical(plane, point))
    return Critical(points, (), (), 0)


def inner_corners(
    plane: Plane, mosaic: Mosaic, found: Complex
) -> tuple[list[Point], list[tuple[Point, Point]]]:
    """The corners where kinks and jumps end, those inside the figure first, and these boundaries.

    A boundary is there by its ends if they are corners of both cells beside it.
    """
    corners = [set(cell.vertices) for cell in found.cells]
    ends: dict[Point, int] = {}
    boundaries: list[tuple[Point, Point]] = []
    for edge in mosaic.edges:
        if edge.kind != FLAT:
            shared = sorted(corners[edge.first] & corners[edge.second])
            for point in shared:
                ends[point] = ends.get(point, 0) + 1
            if len(shared) == 2:
                boundaries.append((shared[0], shared[1]))

    def place(point: Point) -> tuple[bool, int, Point]:
        inside = all(a < x < b for x, (a, b) in zip(point, plane.bounds, strict=True))
        return not inside, -ends[point], point

    return sorted(ends, key=place), boundaries


def _of_complex(plane: Plane, mosaic: Mosaic, found: Complex) -> Critical:
    # where the map of a cell is constant, all its points are critical
    slopes = mosaic.maps[:, 0, :2]
    level = 1e-9 * float(np.abs(slopes).max(initial=0.0))
    flat = np.flatnonzero(np.abs(slopes).max(axis=1) <= level).tolist()
    flat = [number for number in flat if not any(found.cells[number].map.matrix[0])]
    corners = [set(cell.vertices) for cell in found.cells]
    covered = {point for number in flat for point in corners[number]}
    spent, left = 0, 0
    segments: list[tuple[Point, Point]] = []
    for one, two in _opposite(mosaic, slopes, level):
        ends = sorted(corners[one] & corners[two])
        maps = found.cells[one].map, found.cells[two].map
        joined = len(ends) == 2 and all(maps[0](end) == maps[1](end) for end in ends)
        if not joined or covered.issuperset(ends):
            continue
        if spent == _MOST:
            left += 1
            continue
        spent += 1
        middle = tuple((a + b) / 2 for a, b in zip(*ends, strict=True))
        # between corners of both cells the Clarke set is the same everywhere
        if is_critical(plane, middle):
            segments.append((ends[0], ends[1]))
            covered.update(ends)
    points: list[Point] = []
    for point in _candidates(found.cells, slopes, level):
        if point in covered:
            continue
        if spent == _MOST:
            left += 1
        else:
            spent += 1
            points += [point] if is_critical(plane, point) else []
    return Critical(tuple(points), tuple(segments), tuple(flat), left)


def _opposite(mosaic: Mosaic, slopes: Array, level: float) -> Iterator[tuple[int, int]]:
    """The cells beside kinks whose gradients seem to have 0 between them."""
    for edge in mosaic.edges:
        if edge.kind == KINKS:
            one, two = slopes[edge.first], slopes[edge.second]
            size = float(np.hypot(*one) * np.hypot(*two))
            across = abs(float(one[0] * two[1] - one[1] * two[0]))
            if float(one @ two) <= 1e-9 * size and across <= max(1e-9 * size, level**2):
                yield edge.first, edge.second


def _candidates(cells: Sequence[Cell], slopes: Array, level: float) -> Iterator[Point]:
    """The corners of cells whose gradients seem to have 0 in their hull."""
    around: dict[Point, list[int]] = {}
    for number, cell in enumerate(cells):
        for point in cell.vertices:
            around.setdefault(point, []).append(number)
    for point, numbers in around.items():
        hull = slopes[numbers]
        hull = hull[hull_order(hull)]
        ahead = np.roll(hull, -1, axis=0)
        sides = hull[:, 0] * ahead[:, 1] - hull[:, 1] * ahead[:, 0]
        if len(hull) > 2 and float(sides.min()) >= -level * float(np.abs(hull).max(initial=0.0)):
            yield point


def _guesses(plane: Plane) -> Array:
    """Where on a grid the value or the size of the gradient is locally extreme."""
    points = plane.generic(_GRID)
    level = values(plane.graph, points)[:, 0].reshape((_GRID, _GRID))
    steep = np.abs(gradients(plane.graph, points)).max(axis=1).reshape((_GRID, _GRID))
    found: list[Array] = []
    for grid in (level, -level, steep):
        inner = grid[1:-1, 1:-1]
        least, less = np.isfinite(inner), np.zeros(inner.shape, dtype=bool)
        for a, b in ((0, 1), (2, 1), (1, 0), (1, 2), (0, 0), (2, 2), (0, 2), (2, 0)):
            other = grid[a : _GRID - 2 + a, b : _GRID - 2 + b]
            least &= ~(other < inner)
            less |= other > inner
        index: Array = np.arange(_GRID * _GRID).reshape((_GRID, _GRID))[1:-1, 1:-1][least & less]
        found.append(points[index])
    return np.concatenate(found)


def _rationals(plane: Plane, guesses: Array) -> Iterator[Point]:
    """Points with short coordinates near to guesses, the shortest first."""
    room = _NEAR * (plane.high - plane.low)
    for most in _DENOMINATORS:
        for guess in guesses.tolist():
            point = tuple(Fraction(x).limit_denominator(most) for x in guess)
            near = all(abs(float(a) - b) < r for a, b, r in zip(point, guess, room, strict=True))
            if near and plane.inside(point):
                yield point

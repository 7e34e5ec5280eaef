"""Subgradient descent step by step, and the Clarke-critical points that are proved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from tamecheck.cells import Cell, Complex
from tamecheck.derivative import jacobian
from tamecheck.errors import InputError, TamecheckError
from tamecheck.ir.tensor import Array
from tamecheck.plots import canvas
from tamecheck.plots.canvas import Axes, Drawing, Picture, counted, drawing, mpl
from tamecheck.plots.field import arrows_on, round_below, show_levels
from tamecheck.plots.mosaic import FLAT, KINKS, Mosaic
from tamecheck.plots.paint import hull_order, lines, prepare
from tamecheck.plots.plane import Plane
from tamecheck.plots.regions import boundaries
from tamecheck.plots.sample import gradients, values
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of

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


_STEPS = 60
_MOST_STEPS = 10_000
_STARTS = ((0.08, 0.9), (0.93, 0.72), (0.16, 0.13), (0.79, 0.06))
"""Where descent starts if nothing is said, as parts of the sides."""


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """The points of one descent, and why it ended."""

    points: Array
    end: str


def draw_descent(  # noqa: PLR0913 - all but the plane are options
    plane: Plane,
    axes: Axes | None = None,
    *,
    starts: Sequence[Sequence[Fraction]] = (),
    rate: float | None = None,
    steps: int = _STEPS,
    diminishing: bool = False,
    limit: int = DEFAULT_CELLS,
) -> Picture:
    """Subgradient descent from some points, on top of the directions of steepest descent.

    A step is the rate times one conservative gradient, as frameworks return it.  Clarke-critical
    points are marked where they are proved: on all of a piecewise linear function, else near where
    the paths end and where a grid has extreme values.

    Parameters
    ----------
    plane, axes
        A function with two coordinates and one output element, and the axes to draw on; new
        ones if None.
    starts
        Where the paths start; four points if there are none.
    rate
        What gradients are multiplied by; None takes one that suits the figure.
    steps
        The most steps of each path.
    diminishing
        Whether the rate of the k-th step is divided by the root of k.
    limit
        The most cells to enumerate.
    """
    if not 1 <= steps <= _MOST_STEPS:
        raise InputError(f"{steps} steps.", hint=f"Give a number from 1 to {_MOST_STEPS}.")
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise InputError(f"The rate is {rate}.", hint="Give a positive number.")
    scene = scene_of(plane, limit=limit)
    first = np.array([[float(x) for x in point] for point in starts])
    if not len(first):
        first = plane.low + (plane.high - plane.low) * np.array(_STARTS)
    used = _suitable(plane) if rate is None else rate
    paths = _descents(plane, first, used, steps, diminishing=diminishing)
    ends = np.array([path.points[-1] for path in paths])
    critical = critical_points(plane, scene, ends)
    with drawing(axes, scene.notes) as drawn:
        prepare(drawn.axes, plane)
        show_levels(drawn, plane, scene)
        boundaries(drawn, scene)
        counts = {**scene.counts, **arrows_on(drawn, plane, scene, descent=True)}
        _mark(drawn, scene, critical)
        over = " / √k" if diminishing else ""
        _trace(drawn, paths, f"descent, rate {used:g}{over}")
        if critical.left:
            drawn.notes.append(
                f"{counted(critical.left, 'place')} not examined for critical points"
            )
        elif scene.mosaic is None:
            drawn.notes.append(
                "critical points are marked where they are proved; more are possible"
            )
    counts |= {
        "paths": len(paths),
        "steps": sum(len(path.points) - 1 for path in paths),
        "critical_points": len(critical.points),
        "critical_segments": len(critical.segments),
        "critical_cells": len(critical.cells),
    }
    facts: dict[str, Any] = {
        "count": scene.counted,
        "rate": used,
        "critical": [[str(x) for x in point] for point in critical.points],
        "critical_on": [[[str(x) for x in end] for end in ends] for ends in critical.segments],
        "ends": [{"at": path.points[-1].tolist(), "why": path.end} for path in paths],
    }
    return drawn.picture("descent", counts, exact=scene.exact, facts=facts)


def _suitable(plane: Plane) -> float:
    """A rate by which most steps are about a thirtieth of the figure."""
    size = np.hypot(*gradients(plane.graph, plane.generic(24)).T)
    moving = size[np.isfinite(size) & (size > 0)]
    if not len(moving):
        return 1.0
    room = float(np.hypot(*(plane.high - plane.low)))
    return round_below(0.035 * room / float(np.quantile(moving, 0.75)))


def _descents(
    plane: Plane, first: Array, rate: float, steps: int, *, diminishing: bool
) -> list[_Path]:
    """The paths, all at once; each ends where it leaves the figure or nothing moves it."""
    tracks = [[point] for point in first]
    ends = [f"{counted(steps, 'step')} done"] * len(first)
    moving = list(range(len(first)))
    for number in range(1, steps + 1):
        if not moving:
            break
        points = np.array([tracks[k][-1] for k in moving])
        slopes = gradients(plane.graph, points)
        length = rate / number**0.5 if diminishing else rate
        onward: list[int] = []
        for k, point, slope in zip(moving, points, slopes, strict=True):
            if not np.isfinite(slope).all():
                ends[k] = "no gradient"
            elif not slope.any():
                ends[k] = "the gradient is 0"
            else:
                part, inside = _within(plane, point, -length * slope)
                tracks[k].append(point - part * length * slope)
                ends[k] = ends[k] if inside else "left the figure"
                onward += [k] if inside else []
        moving = onward
    return [_Path(np.array(track), end) for track, end in zip(tracks, ends, strict=True)]


def _within(plane: Plane, point: Array, step: Array) -> tuple[float, bool]:
    """The part of a step that is in the figure, and whether it is all of it."""
    wall = np.where(step > 0, plane.high, plane.low)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(step != 0, (wall - point) / step, np.inf)
    part = float(parts.min())
    return min(max(part, 0.0), 1.0), part >= 1.0


def _trace(drawn: Drawing, paths: Sequence[_Path], label: str) -> None:
    """Paths with a dot for each step; a ring where they start."""
    rim = [mpl.patheffects.Stroke(linewidth=2.6, foreground="white"), mpl.patheffects.Normal()]
    line: Any = {"color": canvas.LINES[0], "linewidth": 1.1}
    dots: Any = {"color": canvas.LINES[0], "marker": "o", "markersize": 2.6}
    start: Any = {"marker": "o", "markersize": 6, "color": "white", "ls": "none"}
    start |= {"markeredgecolor": canvas.LINES[0], "markeredgewidth": 1.6}
    for path in paths:
        drawn.axes.plot(*path.points.T, zorder=8, path_effects=rim, **line)
        drawn.axes.plot(*path.points.T, zorder=8, ls="none", **dots)
        drawn.axes.plot(*path.points[:1].T, zorder=9, **start)
    drawn.line(label, **line, **{key: dots[key] for key in ("marker", "markersize")})
    drawn.line("start", **start)


def _mark(drawn: Drawing, scene: Scene, critical: Critical) -> None:
    """Critical cells hatched, segments as broad lines, points as stars."""
    axes, mosaic = drawn.axes, scene.mosaic
    if mosaic is not None and critical.cells:
        hatched: Any = {
            "facecolors": "none",
            "edgecolors": canvas.CLARKE,
            "linewidths": 0,
            "hatch": "xx",
        }
        parts = [mosaic.polygons[number] for number in critical.cells]
        axes.add_collection(mpl.collections.PolyCollection(parts, zorder=2, **hatched))
        drawn.patch("critical cell", facecolor="white", edgecolor=canvas.CLARKE, hatch="xx")
    if critical.segments:
        parts = [np.array([[float(x) for x in end] for end in ends]) for ends in critical.segments]
        lines(axes, parts, canvas.CLARKE, linewidths=3.4, capstyle="round", zorder=7)
        drawn.line("critical segment", color=canvas.CLARKE, linewidth=3.4)
    if critical.points:
        x, y = zip(*([float(u) for u in point] for point in critical.points), strict=True)
        star: Any = {"marker": "*", "markersize": 13, "color": canvas.CLARKE, "ls": "none"}
        axes.plot(x, y, zorder=10, markeredgecolor=canvas.INK, markeredgewidth=0.7, **star)
        drawn.line("Clarke-critical point", markeredgecolor=canvas.INK, **star)

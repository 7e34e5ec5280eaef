"""The gradient field as an optimiser sees it: subgradient descent step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import (
    CLARKE,
    INK,
    LINES,
    Axes,
    Drawing,
    Picture,
    counted,
    drawing,
    mpl,
)
from tamecheck.plots.critical import Critical, critical_points
from tamecheck.plots.field import arrows_on, round_below, show_levels
from tamecheck.plots.paint import lines, prepare
from tamecheck.plots.plane import Plane
from tamecheck.plots.regions import boundaries
from tamecheck.plots.sample import gradients
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of

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
    plane
        A function with two coordinates and one output element.
    axes
        Axes to draw on; new ones if None.
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
    line: Any = {"color": LINES[0], "linewidth": 1.1}
    dots: Any = {"color": LINES[0], "marker": "o", "markersize": 2.6}
    start: Any = {"marker": "o", "markersize": 6, "color": "white", "ls": "none"}
    start |= {"markeredgecolor": LINES[0], "markeredgewidth": 1.6}
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
        hatched: Any = {"facecolors": "none", "edgecolors": CLARKE, "linewidths": 0, "hatch": "xx"}
        parts = [mosaic.polygons[number] for number in critical.cells]
        axes.add_collection(mpl.collections.PolyCollection(parts, zorder=2, **hatched))
        drawn.patch("critical cell", facecolor="white", edgecolor=CLARKE, hatch="xx")
    if critical.segments:
        parts = [np.array([[float(x) for x in end] for end in ends]) for ends in critical.segments]
        lines(axes, parts, CLARKE, linewidths=3.4, capstyle="round", zorder=7)
        drawn.line("critical segment", color=CLARKE, linewidth=3.4)
    if critical.points:
        x, y = zip(*([float(u) for u in point] for point in critical.points), strict=True)
        star: Any = {"marker": "*", "markersize": 13, "color": CLARKE, "ls": "none"}
        axes.plot(x, y, zorder=10, markeredgecolor=INK, markeredgewidth=0.7, **star)
        drawn.line("Clarke-critical point", markeredgecolor=INK, **star)

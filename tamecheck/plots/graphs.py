"""The graph of a function: of one variable with its derivative, of two variables in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from tamecheck.cells import Complex, cells
from tamecheck.derivative import jacobian
from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import (
    CLARKE,
    INK,
    JUMP,
    KINK,
    LINES,
    POLE,
    Axes,
    Drawing,
    Picture,
    drawing,
    label_of,
    mpl,
)
from tamecheck.plots.mosaic import JUMPS, KINKS, Mosaic
from tamecheck.plots.paint import missing_set, pale, usual_range
from tamecheck.plots.plane import Plane
from tamecheck.plots.poles import Look, diverges, largest, sizes
from tamecheck.plots.sample import Sample, affordable, blank_notes, gradients, sample, values
from tamecheck.plots.scene import DEFAULT_CELLS, scene_of

_SAMPLES = 1200
_HALVINGS = 45
_MOST_MARKS = 200


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Each piece's places, values and slopes; where it kinks, jumps or has a pole; values at jumps.

    ``blank`` are intervals without values.
    """

    places: list[Array]
    values: list[Array]
    slopes: list[Array]
    kinks: list[float]
    jumps: list[float]
    points: list[tuple[float, float]]
    note: str = ""
    poles: Sequence[float] = ()
    blank: Sequence[tuple[float, float]] = ()


def draw_curve(
    plane: Plane,
    axes: Axes | None = None,
    *,
    at: Sequence[Sequence[Fraction]] = (),
    limit: int = DEFAULT_CELLS,
) -> Picture:
    """The function, and below it the derivative when the figure is ours.

    Parameters
    ----------
    plane
        A function with one coordinate and one output element.
    axes
        Axes to draw the function on; new ones if None.
    at
        Points at which the Clarke set is drawn, as an interval of slopes.
    limit
        The most cells to enumerate.
    """
    found = _pieces(plane, limit)
    with drawing(axes, [found.note] if found.note else [], height=4.4) as drawn:
        below = None
        if axes is None:
            figure = drawn.axes.figure
            drawn.axes.remove()
            drawn.axes = figure.add_subplot(2, 1, 1)
            below = figure.add_subplot(2, 1, 2, sharex=drawn.axes)
            drawn.axes.tick_params(labelbottom=False)
        top = drawn.axes
        _lines(top, found.places, found.values)
        name = label_of(plane.outputs[0])
        top.set_ylabel(name)
        for x, y in found.points:
            top.plot(x, y, "o", color=LINES[0], markersize=3.5, zorder=5)
        panels = [top] if below is None else [top, below]
        vertices = 0
        if below is not None:
            _lines(below, found.places, found.slopes)
            below.set_ylabel(f"d {name} / d {plane.labels[0].split(' [')[0]}")
            vertices = sum(_clarke(below, plane, point) for point in at)
        for panel, heights in zip(panels, (found.values, found.slopes), strict=False):
            _bound(drawn, panel, heights, found)
            panel.set_xlim(plane.low[0], plane.high[0])
        _marks(drawn, panels, found)
        if vertices:
            drawn.line("Clarke set", color=CLARKE, linewidth=3)
        panels[-1].set_xlabel(plane.labels[0])
    counts = {
        "cells": len(found.places),
        "kinks": len(found.kinks),
        "jumps": len(found.jumps),
        "poles": len(found.poles),
        "arrows": 0,
        "clarke_vertices": vertices,
    }
    return drawn.picture("field", counts, exact=not found.note)


def _marks(drawn: Drawing, panels: Sequence[Axes], found: _Pieces) -> None:
    """Kinks, jumps, poles, and where there is no value."""
    kinds: Any = (
        ("kink", found.kinks, {"color": KINK, "linewidth": 0.6, "linestyle": ":"}),
        ("jump", found.jumps, {"color": JUMP, "linewidth": 1.1, "linestyle": "--"}),
        (
            "pole",
            found.poles,
            {"color": POLE, "linewidth": 1.4, "linestyle": (0, (4, 1.2, 1, 1.2))},
        ),
    )
    for name, places, looks in kinds:
        for panel in panels:
            for x in places[:_MOST_MARKS]:
                panel.axvline(x, zorder=1, **looks)
        if places:
            drawn.line(name, **looks)
    hatched: Any = {"facecolor": "none", "hatch": "////", "edgecolor": "#00000030"}
    for panel in panels:
        for low, high in found.blank:
            panel.axvspan(low, high, zorder=0, **hatched)
    if found.blank:
        drawn.patch("no value", **hatched)


def _bound(drawn: Drawing, panel: Axes, heights: Sequence[Array], found: _Pieces) -> None:
    """Limit the heights shown where poles would flatten the rest."""
    shown = [*heights, *([np.array([y for _, y in found.points])] if found.points else [])]
    limits = usual_range(np.concatenate(shown), poles=bool(found.poles), cut=8)
    if limits is not None:
        low, high = limits
        room = 0.4 * (high - low)
        panel.set_ylim(low - room, high + room)
        note = "the vertical axes do not show all values"
        if note not in drawn.notes:
            drawn.notes.append(note)


def _lines(axes: Axes, places: Sequence[Array], heights: Sequence[Array]) -> None:
    for x, y in zip(places, heights, strict=True):
        axes.plot(x, y, color=LINES[0], linewidth=1.5, solid_capstyle="butt", zorder=3)


def _clarke(axes: Axes, plane: Plane, point: Sequence[Fraction]) -> int:
    """Draw a Clarke set as an interval; the number of its vertices."""
    found = jacobian(plane.graph, list(point))
    x = float(point[0])
    if not found.defined:
        missing_set(axes, x, 0)
        return 0
    slopes = [float(vertex[0][0]) for vertex in found.vertices]
    axes.plot([x, x], [min(slopes), max(slopes)], color=CLARKE, linewidth=3, zorder=5)
    axes.plot([x] * len(slopes), slopes, "o", color=CLARKE, markeredgecolor=INK, markersize=5)
    return len(slopes)


def _pieces(plane: Plane, limit: int) -> _Pieces:
    try:
        found = cells(plane.graph, plane.box, limit=limit)
    except UnsupportedError:
        return _sampled(plane, "not piecewise linear: drawn from values at points")
    if not found.complete:
        return _sampled(plane, f"more than {limit} cells: drawn from values at points")
    return _exact(found)


def _exact(found: Complex) -> _Pieces:
    pieces = _Pieces([], [], [], [], [], [])
    own = {
        cell.interior_point[0]: cell.map(cell.interior_point)[0] for cell in found.lower_dimensional
    }
    before: tuple[Fraction, Fraction] | None = None
    for ends, form in sorted((sorted(cell.vertices), cell.map) for cell in found.cells):
        (left,), (right,) = ends
        slope = form.matrix[0][0]
        start, stop = form((left,))[0], form((right,))[0]
        if before is not None:
            value = own.get(left, start)
            if before[0] != start or value != start:
                pieces.jumps.append(float(left))
                pieces.points.append((float(left), float(value)))
            elif before[1] != slope:
                pieces.kinks.append(float(left))
        before = stop, slope
        pieces.places.append(np.array([float(left), float(right)]))
        pieces.values.append(np.array([float(start), float(stop)]))
        pieces.slopes.append(np.array([float(slope)] * 2))
    return pieces


def _sampled(plane: Plane, note: str) -> _Pieces:
    """Pieces by patterns of decisions at points; changes are located by bisection."""

    def look(places: Array) -> Sample:
        return sample(plane.graph, places.reshape((-1, 1)))

    # the ends may be on a boundary themselves
    inner = plane.generic(_SAMPLES)[:, 0]
    edge = 1e-9 * (plane.high - plane.low)
    x = np.concatenate([plane.low + edge, inner, plane.high - edge])
    seen = look(x)
    changes: Array = np.flatnonzero(seen.patterns[1:] != seen.patterns[:-1])
    low, high = x[changes], x[changes + 1]
    for _ in range(_HALVINGS if len(changes) else 0):
        middle = (low + high) / 2
        same = look(middle).patterns == seen.patterns[changes]
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    cuts: list[int] = [0, *(int(n) + 1 for n in changes), len(x)]
    places: list[Array] = []
    for number, (start, stop) in enumerate(pairwise(cuts)):
        before = high[number - 1 : number] if number else x[:0]
        places.append(np.concatenate([before, x[start:stop], low[number : number + 1]]))
    heights = [look(part).values[:, 0] for part in places]
    slopes = [gradients(plane.graph, part[:, None])[:, 0] for part in places]
    # which changes between points that are close together are kinks, which are jumps
    one, two = look(low), look(high)
    apart = one.domains != two.domains
    gap = np.abs(one.values[:, 0] - two.values[:, 0])
    jumped = ~apart & (one.jumps != two.jumps) & (gap > 1e-9 * _typical(seen.values[:, 0]))
    sides = np.stack([gradients(plane.graph, end[:, None])[:, 0] for end in (low, high)])
    # so near to each other that a smooth gradient does not change
    steep = np.maximum(np.abs(sides).max(axis=0), 1e-3 * _typical(np.concatenate(slopes)))
    bent = ~apart & ~jumped & (np.abs(sides[0] - sides[1]) > 1e-6 * steep)
    blank = [(part[0], part[-1]) for part, y in zip(places, heights, strict=True) if _is_blank(y)]
    return _Pieces(
        places,
        heights,
        slopes,
        low[bent].tolist(),
        low[jumped].tolist(),
        [],
        "; ".join((note, *blank_notes(seen.values))),
        _poles(plane, look, x, seen, (low[apart] + high[apart]) / 2),
        blank,
    )


def _typical(values: Array) -> float:
    """A size of values that a pole does not decide."""
    known = np.abs(values[np.isfinite(values)])
    return max(float(np.quantile(known, 0.9)) if known.size else 0.0, 1e-300)


def _is_blank(heights: Array) -> bool:
    return bool(np.isnan(heights).all())


def _poles(plane: Plane, look: Look, x: Array, seen: Sample, limits: Array) -> list[float]:
    """Poles where a domain's sign changes, at the ends, and where no sign changes."""
    if not seen.domains.any():
        return []
    right = np.searchsorted(x, limits)
    starts = np.concatenate([x[right - 1], x[right], x[[1, -2]]])[:, None]
    stops = np.concatenate([limits, limits, plane.low, plane.high])[:, None]
    found = stops[diverges(look, starts, stops), 0]
    size = sizes(seen)
    middle = size[1:-1]
    peak = np.isfinite(middle) & (middle > size[:-2]) & (middle >= size[2:])
    peaks: Array = np.flatnonzero(peak & (seen.domains[:-2] == seen.domains[2:]))
    if len(peaks):
        places, grown = largest(look, x[peaks][:, None], x[peaks + 2][:, None])
        found = np.concatenate([found, places[grown, 0]])
    return np.unique(found).tolist()


# --- two variables -------------------------------------------------------------------------------

_GRID = 110
_LIGHT = np.array([-0.6, 0.3, 0.74])


def draw_surface(plane: Plane, axes: Axes | None = None, *, limit: int = DEFAULT_CELLS) -> Picture:
    """The surface over a plane: exact polygons where the function is piecewise linear.

    Parameters
    ----------
    plane
        A function with two coordinates and one output element.
    axes
        Axes with ``projection="3d"``; new ones if None.
    limit
        The most cells to enumerate.
    """
    from mpl_toolkits.mplot3d import art3d

    art: Any = art3d
    scene = scene_of(plane, limit=limit)
    mosaic = scene.mosaic
    flat = mosaic is not None and mosaic.maps.shape[1] == 1 and not scene.notes
    notes = scene.notes if flat else (*scene.notes, "heights from a grid of points")
    with drawing(axes, notes, projection="3d", width=5.6, height=4.8) as figure:
        drawn, walls = figure.axes, 0
        if flat and mosaic is not None:
            low, high, walls = _polygons(figure, art, mosaic, plane.high - plane.low)
        else:
            low, high = _grid(figure, plane, poles=scene.counts["poles"] > 0)
        (x0, y0), (x1, y1) = plane.low.tolist(), plane.high.tolist()
        drawn.set_xlim(x0, x1)
        drawn.set_ylim(y0, y1)
        room = 0.05 * (high - low) or 1.0
        drawn.set_zlim(low - room, high + room)
        drawn.set_xlabel(plane.labels[0])
        drawn.set_ylabel(plane.labels[1])
        drawn.set_zlabel(label_of(plane.outputs[0]))
        drawn.set_box_aspect((1, 1, 0.7))
        drawn.view_init(elev=28, azim=-58)
        for axis in (drawn.xaxis, drawn.yaxis, drawn.zaxis):
            axis.pane.set_facecolor("white")
            axis.pane.set_edgecolor("#cccccc")
            # labels of two axes meet at the corners: few of them, and none there
            axis.set_major_locator(mpl.ticker.MaxNLocator(5, prune="both"))
    counts = {**scene.counts, "walls": walls}
    return figure.picture("surface", counts, exact=flat, facts={"count": scene.counted})


def _polygons(figure: Drawing, art: Any, mosaic: Mosaic, span: Array) -> tuple[float, float, int]:
    axes = figure.axes
    heights = [mosaic.heights(cell, points) for cell, points in enumerate(mosaic.polygons)]
    means = np.array([height.mean() for height in heights])
    low = min(float(height.min()) for height in heights)
    high = max(float(height.max()) for height in heights)
    colours = pale(share=0.85)((means - low) / ((high - low) or 1.0))
    # steep to the light is darker, which tells neighbours of one height apart
    steep = mosaic.maps[:, 0, :2] * span / ((high - low) or 1.0)
    normals = np.column_stack([-steep, np.ones(len(steep))])
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    colours[:, :3] *= (0.82 + 0.18 * normals @ _LIGHT)[:, None]
    corners = [np.column_stack(pair) for pair in zip(mosaic.polygons, heights, strict=True)]
    filled: Any = {"facecolors": colours, "edgecolors": colours, "linewidths": 0.2}
    axes.add_collection3d(art.Poly3DCollection(corners, **filled))
    paths: dict[str, list[Any]] = {KINKS: [], JUMPS: []}
    walls: list[Array] = []
    for edge in mosaic.edges:
        if edge.kind not in paths:
            continue
        one, two = (
            np.column_stack([edge.segment, mosaic.heights(cell, edge.segment)])
            for cell in (edge.first, edge.second)
        )
        paths[edge.kind] += [one] if edge.kind == KINKS else [one, two]
        if edge.kind == JUMPS:
            walls.append(np.vstack([one, two[::-1]]))
    if paths[KINKS]:
        axes.add_collection3d(art.Line3DCollection(paths[KINKS], colors=KINK, linewidths=0.8))
        figure.line("kink", color=KINK, linewidth=0.8)
    if walls:
        faint: Any = {"facecolors": JUMP, "alpha": 0.12, "edgecolors": "none"}
        axes.add_collection3d(art.Poly3DCollection(walls, **faint))
        dashed: Any = {"colors": JUMP, "linewidths": 1.1, "linestyles": "--"}
        axes.add_collection3d(art.Line3DCollection(paths[JUMPS], **dashed))
        figure.line("jump", color=JUMP, linewidth=1.1, linestyle="--")
    return low, high, len(walls)


def _grid(figure: Drawing, plane: Plane, *, poles: bool) -> tuple[float, float]:
    axes = figure.axes
    side = affordable(plane.graph, least=24, most=_GRID)
    points = plane.lattice(side)
    height = values(plane.graph, points)[:, 0].reshape((side, side))
    x, y = (points[:, axis].reshape((side, side)) for axis in (0, 1))
    looks: Any = {"rcount": side, "ccount": side, "linewidth": 0, "antialiased": True}
    limits = usual_range(height, poles=poles)
    if limits is not None:
        # what is beyond is cut off
        low, high = limits
        figure.notes.append("heights beyond the 2nd or the 98th percentile are cut off")
        height = np.where((height < low) | (height > high), np.nan, height)
    axes.plot_surface(x, y, height, cmap=pale(share=0.85), **looks)
    axes.contour(x, y, height, levels=12, colors=INK, linewidths=0.35)
    return float(np.nanmin(height)), float(np.nanmax(height))

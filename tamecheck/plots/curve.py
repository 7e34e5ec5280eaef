"""A function of one variable and its derivative, with kinks and jumps."""

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
from tamecheck.plots.canvas import Axes, Picture, label_of, new_axes, styled
from tamecheck.plots.paint import legend, line_handle, notes_below
from tamecheck.plots.palette import CLARKE, INK, JUMP, KINK, LINES
from tamecheck.plots.plane import Plane
from tamecheck.plots.sample import blank_notes, gradients, sample
from tamecheck.plots.scene import DEFAULT_CELLS

__all__ = ["draw_curve"]

_SAMPLES = 1200
_HALVINGS = 45


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Each piece's places, values and slopes; where it kinks and jumps."""

    places: tuple[Array, ...]
    values: tuple[Array, ...]
    slopes: tuple[Array, ...]
    kinks: tuple[float, ...]
    jumps: tuple[float, ...]
    points: tuple[tuple[float, float], ...]
    exact: bool
    complete: bool
    note: str = ""


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
    with styled():
        top, below = _axes(axes)
        _lines(top, found.places, found.values)
        top.set_ylabel(label_of(plane.outputs[0]))
        for x, y in found.points:
            top.plot(x, y, "o", color=LINES[0], markersize=3.5, zorder=5)
        panels = [top] if below is None else [top, below]
        for panel in panels:
            for x in found.kinks[:200]:
                panel.axvline(x, color=KINK, linewidth=0.5, linestyle=":", zorder=1)
            for x in found.jumps[:200]:
                panel.axvline(x, color=JUMP, linewidth=1.1, linestyle="--", zorder=1)
            panel.set_xlim(plane.low[0], plane.high[0])
        handles: list[Any] = []
        if found.kinks:
            handles.append(line_handle("kink", color=KINK, linewidth=0.8, linestyle=":"))
        if found.jumps:
            handles.append(line_handle("jump", color=JUMP, linewidth=1.2, linestyle="--"))
        vertices = 0
        if below is not None:
            _lines(below, found.places, found.slopes)
            name, variable = label_of(plane.outputs[0]), plane.labels[0].split(" [")[0]
            below.set_ylabel(f"d {name} / d {variable}")
            for point in at:
                vertices += _clarke(below, plane, point)
        if vertices:
            handles.append(line_handle("Clarke set", color=CLARKE, linewidth=3))
        panels[-1].set_xlabel(plane.labels[0])
        legend(top, handles)
        notes = (found.note,) if found.note else ()
        notes_below(top, notes, own=axes is None)
    counts = {
        "cells": len(found.places),
        "kinks": len(found.kinks),
        "jumps": len(found.jumps),
        "arrows": 0,
        "clarke_vertices": vertices,
    }
    return Picture("field", top, counts, found.exact, found.complete, notes)


def _axes(axes: Axes | None) -> tuple[Axes, Axes | None]:
    if axes is not None:
        return axes, None
    first = new_axes(width=5.2, height=4.4)
    figure = first.figure
    first.remove()
    top = figure.add_subplot(2, 1, 1)
    below = figure.add_subplot(2, 1, 2, sharex=top)
    top.tick_params(labelbottom=False)
    return top, below


def _lines(axes: Axes, places: Sequence[Array], heights: Sequence[Array]) -> None:
    for x, y in zip(places, heights, strict=True):
        axes.plot(x, y, color=LINES[0], linewidth=1.5, solid_capstyle="butt", zorder=3)


def _clarke(axes: Axes, plane: Plane, point: Sequence[Fraction]) -> int:
    found = jacobian(plane.graph, list(point))
    x = float(point[0])
    if not found.defined:
        axes.plot(x, 0, "X", color=CLARKE, markeredgecolor="white", markersize=8, zorder=6)
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
    parts = sorted((sorted(cell.vertices), cell.map) for cell in found.cells)
    kinks: list[float] = []
    jumps: list[float] = []
    points: list[tuple[float, float]] = []
    own = {
        cell.interior_point[0]: cell.map(cell.interior_point)[0] for cell in found.lower_dimensional
    }
    places: list[Array] = []
    values: list[Array] = []
    slopes: list[Array] = []
    before: tuple[Fraction, Fraction] | None = None
    for ends, form in parts:
        (left,), (right,) = ends
        slope = form.matrix[0][0]
        start, stop = form((left,))[0], form((right,))[0]
        if before is not None:
            value = own.get(left, start)
            if before[0] != start or value != start:
                jumps.append(float(left))
                points.append((float(left), float(value)))
            elif before[1] != slope:
                kinks.append(float(left))
        before = stop, slope
        places.append(np.array([float(left), float(right)]))
        values.append(np.array([float(start), float(stop)]))
        slopes.append(np.array([float(slope)] * 2))
    return _Pieces(
        tuple(places),
        tuple(values),
        tuple(slopes),
        tuple(kinks),
        tuple(jumps),
        tuple(points),
        exact=True,
        complete=True,
    )


def _sampled(plane: Plane, note: str) -> _Pieces:
    """Pieces by patterns of decisions at points; changes are located by bisection."""
    # the ends may be on a boundary themselves
    inner = plane.generic(_SAMPLES)[:, 0]
    edge = 1e-9 * (plane.high - plane.low)
    x = np.concatenate([plane.low + edge, inner, plane.high - edge])
    seen = sample(plane.graph, x[:, None])
    changes: Array = np.flatnonzero(seen.patterns[1:] != seen.patterns[:-1])
    low, high = x[changes], x[changes + 1]
    for _ in range(_HALVINGS if len(changes) else 0):
        middle = (low + high) / 2
        same = sample(plane.graph, middle[:, None]).patterns == seen.patterns[changes]
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    steep = float(np.nanmax(np.abs(gradients(plane.graph, x[:, None])), initial=1e-300))
    size = float(np.nanmax(np.abs(seen.values), initial=1e-300))
    kinks, jumps = _breaks(plane, low, high, size, steep) if len(changes) else ((), ())
    cuts: list[int] = [0, *(int(n) + 1 for n in changes), len(x)]
    places: list[Array] = []
    for number, (start, stop) in enumerate(pairwise(cuts)):
        before = high[number - 1 : number] if number else x[:0]
        after = low[number : number + 1]
        places.append(np.concatenate([before, x[start:stop], after]))
    return _Pieces(
        tuple(places),
        tuple(sample(plane.graph, part[:, None]).values[:, 0] for part in places),
        tuple(gradients(plane.graph, part[:, None])[:, 0] for part in places),
        kinks,
        jumps,
        (),
        exact=False,
        complete=True,
        note="; ".join((note, *blank_notes(seen.values))),
    )


def _breaks(
    plane: Plane, low: Array, high: Array, size: float, steep: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Which changes between points that are close together are kinks, and which are jumps."""
    one, two = sample(plane.graph, low[:, None]), sample(plane.graph, high[:, None])
    gap = np.abs(one.values[:, 0] - two.values[:, 0])
    jumped = (one.jumps != two.jumps) & (gap > 1e-9 * size)
    bend = np.abs(gradients(plane.graph, low[:, None]) - gradients(plane.graph, high[:, None]))
    bent = ~jumped & (bend[:, 0] > 1e-6 * steep)
    return tuple(float(v) for v in low[bent]), tuple(float(v) for v in low[jumped])

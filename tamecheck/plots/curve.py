"""A function of one variable: its graph with the derivative, or on top of its cells."""

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
from tamecheck.plots import canvas
from tamecheck.plots.canvas import Axes, Drawing, Picture, counted, drawing, label_of
from tamecheck.plots.jacobian import projected
from tamecheck.plots.paint import REPEAT, missing_set, usual_range
from tamecheck.plots.plane import Plane
from tamecheck.plots.poles import Look, diverges, largest, sizes
from tamecheck.plots.sample import Sample, blank_notes, gradients, sample
from tamecheck.plots.scene import DEFAULT_CELLS

_SAMPLES = 1200
_HALVINGS = 45
_MOST_MARKS = 200


@dataclass(frozen=True, slots=True)
class Pieces:
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

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each."""
        found = {
            "cells": self.places,
            "kinks": self.kinks,
            "jumps": self.jumps,
            "poles": self.poles,
        }
        return {name: len(places) for name, places in found.items()}

    @property
    def groups(self) -> list[tuple[float, float]]:
        """The ends of intervals without kinks and jumps inside."""
        ends = {*self.kinks, *self.jumps, *self.poles}
        found: list[tuple[float, float]] = []
        for place in self.places:
            low, high = float(place[0]), float(place[-1])
            apart = not found or any(found[-1][1] <= x <= low for x in ends)
            if apart or any(a <= (low + high) / 2 <= b for a, b in self.blank):
                found.append((low, high))
            else:
                found[-1] = found[-1][0], high
        return found


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
    found = pieces_of(plane, limit)
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
            top.plot(x, y, "o", color=canvas.LINES[0], markersize=3.5, zorder=5)
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
            drawn.line("Clarke set", color=canvas.CLARKE, linewidth=3)
        panels[-1].set_xlabel(plane.labels[0])
    counts = {**found.counts, "arrows": 0, "clarke_vertices": vertices}
    return drawn.picture("field", counts, exact=not found.note)


def _marks(drawn: Drawing, panels: Sequence[Axes], found: Pieces, *, told: bool = False) -> None:
    """Kinks, jumps, poles, maybe how many, and where there is no value."""
    kinds: Any = (
        ("kink", found.kinks, {"color": canvas.KINK, "linewidth": 0.6, "linestyle": ":"}),
        ("jump", found.jumps, {"color": canvas.JUMP, "linewidth": 1.1, "linestyle": "--"}),
        ("pole", found.poles, {"color": canvas.POLE, "linewidth": 1.4, "ls": canvas.POLE_STYLE}),
    )
    for name, places, looks in kinds:
        for panel in panels:
            for x in places[:_MOST_MARKS]:
                panel.axvline(x, zorder=1, **looks)
        if places:
            drawn.line(counted(len(places), name) if told else name, **looks)
    hatched: Any = {"facecolor": "none", "hatch": "////", "edgecolor": "#00000030"}
    for panel in panels:
        for low, high in found.blank:
            panel.axvspan(low, high, zorder=0, **hatched)
    if found.blank:
        drawn.patch("no value", **hatched)


def _bound(drawn: Drawing, panel: Axes, heights: Sequence[Array], found: Pieces) -> None:
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
        axes.plot(x, y, color=canvas.LINES[0], linewidth=1.5, solid_capstyle="butt", zorder=3)


def _clarke(axes: Axes, plane: Plane, point: Sequence[Fraction]) -> int:
    """Draw a Clarke set as an interval; the number of its vertices."""
    found = jacobian(plane.graph, list(point))
    x = float(point[0])
    if not found.defined:
        missing_set(axes, x, 0)
        return 0
    slopes = projected(found, (0,))[:, 0].tolist()
    axes.plot([x, x], [min(slopes), max(slopes)], color=canvas.CLARKE, linewidth=3, zorder=5)
    axes.plot(
        [x] * len(slopes),
        slopes,
        "o",
        color=canvas.CLARKE,
        markeredgecolor=canvas.INK,
        markersize=5,
    )
    return len(slopes)


def draw_intervals(plane: Plane, axes: Axes | None, limit: int) -> Picture:
    """The function on top of its cells, coloured by map."""
    found = pieces_of(plane, limit)
    ends = found.groups
    with drawing(axes, [found.note] if found.note else [], height=2.6) as drawn:
        for number, (low, high) in enumerate(ends):
            colour = canvas.FILLS[number % len(canvas.FILLS)]
            drawn.axes.axvspan(low, high, facecolor=colour, edgecolor="none", zorder=0)
        _lines(drawn.axes, found.places, found.values)
        for x, y in found.points:
            drawn.axes.plot(x, y, "o", color=canvas.LINES[0], markersize=3.5, zorder=5)
        _bound(drawn, drawn.axes, found.values, found)
        drawn.axes.set_xlim(plane.low[0], plane.high[0])
        few = "at least " if found.note else ""
        said = f"{few}{counted(len(found.places), 'cell')}, {counted(len(ends), 'map')}"
        drawn.patch(said, facecolor=canvas.FILLS[0])
        if len(ends) > len(canvas.FILLS):
            drawn.notes.append(REPEAT)
        _marks(drawn, [drawn.axes], found, told=True)
        drawn.axes.set_xlabel(plane.labels[0])
        drawn.axes.set_ylabel(label_of(plane.outputs[0]))
    counts = {**found.counts, "maps": len(ends)}
    facts = {"count": "lower bound" if found.note else "exact"}
    return drawn.picture("cells", counts, exact=not found.note, facts=facts)


def pieces_of(plane: Plane, limit: int) -> Pieces:
    """The pieces of a function with one coordinate: exact if it is piecewise linear."""
    try:
        found = cells(plane.graph, plane.box, limit=limit)
    except UnsupportedError:
        return _sampled(plane, "not piecewise linear: drawn from values at points")
    if not found.complete:
        return _sampled(plane, f"more than {limit} cells: drawn from values at points")
    return _exact(found)


def _exact(found: Complex) -> Pieces:
    pieces = Pieces([], [], [], [], [], [])
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


def _sampled(plane: Plane, note: str) -> Pieces:
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
    # between two pieces there may be a single point of another pattern
    single = look(high).patterns != seen.patterns[changes + 1]
    places: list[Array] = []
    for number, (start, stop) in enumerate(pairwise(cuts)):
        before = high[number - 1 : number] if number and not single[number - 1] else x[:0]
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
    alone = look(high[single]).values[:, 0].tolist()
    pairs = zip(places, heights, strict=True)
    blank = [(part[0], part[-1]) for part, y in pairs if np.isnan(y).all()]
    return Pieces(
        places,
        heights,
        slopes,
        low[bent].tolist(),
        low[jumped].tolist(),
        [(a, b) for a, b in zip(high[single].tolist(), alone, strict=True) if np.isfinite(b)],
        "; ".join((note, *blank_notes(seen.values))),
        _poles(plane, look, x, seen, (low[apart] + high[apart]) / 2),
        blank,
    )


def _typical(values: Array) -> float:
    """A size of values that a pole does not decide."""
    known = np.abs(values[np.isfinite(values)])
    return max(float(np.quantile(known, 0.9)) if known.size else 0.0, 1e-300)


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

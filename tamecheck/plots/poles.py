"""Poles and the domain's edge, as a grid of values shows them.

Where the signs that a domain is made of change between two points, the change is located by
bisection; it is a pole where the values on one side keep growing on the way there.  Poles of even
order change no sign: there the largest value between neighbours on a line of the grid is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.plots.plane import Plane
from tamecheck.plots.sample import Sample

EDGES, POLES = "edge of the domain", "pole"

Look: TypeAlias = Callable[[Array], Sample]
"""What gives a function at points, one a row."""

_HALVINGS = (3, 7, 11)
_GROWTH = 0.9
"""The growth over the last halvings compared with that before; a logarithm grows alike."""

_STEPS = 60
_MOST = 4_000
_GOLDEN = (5**0.5 - 1) / 2
_ROUNDS = 24
_MOST_POINTS = 40


def sizes(seen: Sample) -> Array:
    """The largest absolute value at each point: infinite beyond the floats, NaN outside."""
    large = np.abs(seen.values).max(axis=1)
    return np.where(np.isnan(large) & (seen.patterns != 0), np.inf, large)


def diverges(look: Look, start: Array, limit: Array) -> Array:
    """Whether values keep growing on the way from each start to its limit."""
    first, second, third = (
        sizes(look(limit + (start - limit) * 2.0**-halvings)) for halvings in _HALVINGS
    )
    with np.errstate(invalid="ignore"):
        growth, before = third - second, second - first
        return (third == np.inf) | ((growth > 0) & (growth > _GROWTH * before))


def even_poles(look: Look, points: Array, seen: Sample, side: int) -> tuple[Array, Array]:
    """Where a line of the grid meets a pole at which no sign changes.

    The pairs of neighbours on the grid between which it is, and the places.
    """
    size = sizes(seen).reshape((side, side))
    index: Array = np.arange(side * side).reshape((side, side))
    lines: list[Array] = []
    for level, number in ((size, index), (size.T, index.T)):
        inner = level[:, 1:-1]
        peak = np.isfinite(inner) & (inner > level[:, :-2]) & (inner >= level[:, 2:])
        lines.append(
            np.stack([number[:, :-2][peak], number[:, 1:-1][peak], number[:, 2:][peak]], axis=1)
        )
    found = np.concatenate(lines)
    alike = seen.domains[found[:, 0]] == seen.domains[found[:, 2]]
    found = found[alike]
    found = found[np.argsort(-sizes(seen)[found[:, 1]], kind="stable")[:_MOST]]
    if not len(found):
        return found[:, :2], points[:0]
    low, high = points[found[:, 0]], points[found[:, 2]]
    places, grown = largest(look, low, high)
    found, places, low = found[grown], places[grown], low[grown]
    before = np.abs(places - low).sum(axis=1) < np.abs(points[found[:, 1]] - low).sum(axis=1)
    pairs = np.where(before[:, None], found[:, :2], found[:, 1:])
    return np.sort(pairs, axis=1), places


def largest(look: Look, low: Array, high: Array) -> tuple[Array, Array]:
    """The place of the largest value between two points, and whether it is a pole."""
    start, stop = np.zeros(len(low)), np.ones(len(low))
    halfway = np.zeros(len(low))
    size = halfway
    for step in range(_STEPS):
        left, right = stop - _GOLDEN * (stop - start), start + _GOLDEN * (stop - start)
        one, two = (sizes(look(low + (high - low) * t[:, None])) for t in (left, right))
        size = np.fmax(one, two)
        if step == _STEPS // 2:
            halfway = size
        # at an infinite or missing value the search ends
        onward = np.isfinite(one) & np.isfinite(two)
        first = one >= two
        stop = np.where(onward & first, right, stop)
        start = np.where(onward & ~first, left, start)
    middle = ((start + stop) / 2)[:, None]
    with np.errstate(invalid="ignore"):
        return low + (high - low) * middle, (size == np.inf) | (size - halfway > halfway)


def border_poles(look: Look, plane: Plane, points: Array, side: int) -> list[Array]:
    """The segments of the figure's frame on which values grow without bound."""
    grid = points.reshape((side, side, 2))
    found: list[Array] = []
    for inner, axis, end in (
        *((grid[:, 0], 0, plane.low), (grid[:, -1], 0, plane.high)),
        *((grid[0], 1, plane.low), (grid[-1], 1, plane.high)),
    ):
        limit = inner.copy()
        limit[:, axis] = end[axis]
        grown = diverges(look, inner, limit)
        both = np.flatnonzero(grown[:-1] & grown[1:])
        found += list(np.stack([limit[both], limit[both + 1]], axis=1))
    return found


def lone_poles(look: Look, points: Array, seen: Sample, side: int) -> Array:
    """The points around which values grow without bound, found from the largest values near."""
    level = sizes(seen).reshape((side, side))
    middle = level[1:-1, 1:-1]
    shifts = [(a, b) for a in (0, 1, 2) for b in (0, 1, 2) if (a, b) != (1, 1)]
    around = [level[a : side - 2 + a, b : side - 2 + b] for a, b in shifts]
    typical = float(np.nanmedian(level)) if np.isfinite(level).any() else np.inf
    peak = np.isfinite(middle) & (middle > 8 * typical)
    for other in around:
        peak &= ~(other > middle)
    index: Array = np.arange(side * side).reshape((side, side))[1:-1, 1:-1][peak]
    centre = points[index]
    if not len(centre) or len(centre) > _MOST_POINTS:
        return points[:0]
    width = np.abs(points[side + 1] - points[0])
    mesh = np.stack(np.meshgrid(*[np.linspace(-1, 1, 5)] * 2), axis=-1).reshape(-1, 2)
    halfway = best = np.zeros(len(centre))
    for step in range(_ROUNDS):
        near = centre[:, None, :] + mesh * width * 2.0**-step
        size = sizes(look(near.reshape(-1, 2))).reshape((len(centre), -1))
        size = np.where(np.isnan(size), -1.0, size)
        best = size.max(axis=1)
        centre = near[np.arange(len(centre)), size.argmax(axis=1)]
        if step == _ROUNDS // 2:
            halfway = best
    with np.errstate(invalid="ignore"):
        return centre[(best == np.inf) | (best - halfway > 0.5 * halfway)]

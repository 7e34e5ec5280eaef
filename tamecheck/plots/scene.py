"""The pieces of a model in the plane: enumerated exactly if possible, else found on a grid.

Points of a grid with different decisions lie in different pieces.  Between two neighbours of the
grid the change is located by bisection, and the places found are joined inside each square of the
grid, so that boundaries are drawn to more than the grid's accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tamecheck.cells import Complex, cells
from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.plots import sample
from tamecheck.plots.mosaic import FLAT, JUMPS, KINKS, Mosaic, mosaic_of, polylines
from tamecheck.plots.plane import Plane, Scores, output_names, scores
from tamecheck.plots.poles import EDGES, POLES, border_poles, diverges, even_poles, lone_poles

DEFAULT_CELLS = 6_000
"""Cells that are enumerated for a figure; more of them would not be told apart in it."""

_PIXELS = 640
_EXACT_COST = 3e7
"""Patterns on a coarse grid times operations, up to which cells are enumerated."""

_HALVINGS = 14
_MOST_CROSSINGS = 12_000
_TRACING = 4e8
"""Operations that tracing the boundaries may take."""

BOUNDARIES = (FLAT, EDGES, KINKS, JUMPS, POLES)
"""What happens on boundaries, the stronger later."""

_BENT = 1e-5
"""The smallest change of the gradient that is a kink, after all halvings."""

_MOST_BENT = 16
"""The most output elements whose gradients are looked at."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The pieces of a function in the plane: exact cells if they were enumerated, else a raster.

    ``bare`` is the function without smooth last ops, in which the pieces were found; ``notes`` are
    what a reader should know.
    """

    plane: Plane
    mosaic: Mosaic | None
    found: Complex | None
    raster: Raster | None
    notes: tuple[str, ...]
    bare: Scores

    @property
    def exact(self) -> bool:
        """Whether the pieces were enumerated."""
        return self.mosaic is not None

    @property
    def counted(self) -> str:
        """What the number of pieces is: all of them, or those that a grid sees."""
        return "exact" if self.exact else "lower bound"

    @property
    def count(self) -> int:
        """The pieces that are drawn."""
        if self.mosaic is not None:
            return len(self.mosaic.polygons)
        return self.raster.count if self.raster is not None else 0

    def segments(self, kind: str) -> list[Array]:
        """The boundaries of a kind."""
        if self.mosaic is not None:
            return self.mosaic.segments(kind)
        return self.raster.segments.get(kind, []) if self.raster is not None else []

    @property
    def poles(self) -> Array:
        """The points around which values grow without bound, one a row."""
        return np.zeros((0, 2)) if self.raster is None else self.raster.points

    def _number(self, kind: str) -> int:
        """Edges between cells; on a grid, the curves that they are joined to."""
        found = self.segments(kind)
        return len(found) if self.exact else len(polylines(found))

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of pieces, kinks and jumps."""
        return {
            "cells": self.count,
            "kinks": self._number(KINKS),
            "jumps": self._number(JUMPS),
            "flat": self._number(FLAT),
            "poles": self._number(POLES) + len(self.poles),
            "lower_dimensional": 0 if self.found is None else len(self.found.lower_dimensional),
        }


def scene_of(plane: Plane, *, limit: int = DEFAULT_CELLS, by_class: bool = False) -> Scene:
    """The pieces of a function with two coordinates; at most ``limit`` cells are enumerated.

    With ``by_class`` only the value of the one output tells pieces apart.
    """
    bare = scores(plane.graph)
    inner = replace(plane, graph=bare.graph, outputs=output_names(bare.graph))
    notes = tuple(f"pieces of the scores before the last {name}" for name in bare.dropped[:1])
    look = sample.sampler_of(inner.graph, inner.low, inner.high)
    found, why = _enumerated(inner, limit, look)
    if found is not None:
        return Scene(plane, mosaic_of(found, inner), found, None, notes, bare)
    raster = raster_of(inner, most=_PIXELS, by_class=by_class, look=look)
    notes += (f"{why}: found on a grid of {raster.side} × {raster.side} points",)
    if 4 * raster.count > raster.ids.size:
        notes += ("there are more pieces than the grid tells apart",)
    notes += sample.blank_notes(raster.values)
    if not raster.traced:
        notes += ("boundaries too dense to draw",)
    return Scene(plane, None, None, raster, notes, bare)


def _enumerated(plane: Plane, limit: int, look: sample.Sampler) -> tuple[Complex | None, str]:
    """The exact complex, or why there is none."""
    # a coarse grid sees at most a part of the cells
    side = max(6, sample.affordable(plane.graph, least=6, most=288) // 3)
    guess, points = len(np.unique(look(plane.generic(side)).patterns)), side * side
    if 3 * guess > limit:
        return None, f"more than about {limit} cells"
    # each cell of a model of steps has boundaries of its own to look for
    work = guess * sample.cost(plane.graph) * (10 if sample.stepwise(plane.graph) else 1)
    if work > _EXACT_COST or (2 * guess > points and points < 1000):
        return None, "many cells of a large model"
    try:
        found = cells(plane.graph, plane.box, limit=limit)
    except UnsupportedError:
        return None, "not piecewise linear"
    return (found, "") if found.complete else (None, f"more than {limit} cells")


# --- pieces on a grid ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Raster:
    """Decisions on a grid of ``side`` points per axis, as images with rows from below.

    ``ids`` is the number of the piece of each point, -1 outside of the domain; ``values`` are the
    output elements ``(side, side, outputs)``, ``segments`` the pieces of boundaries by kind, unless
    there are too many, ``points`` the poles at a point, and ``sharp`` says that boundaries were
    located more finely than the grid.
    """

    side: int
    ids: Array
    values: Array
    segments: dict[str, list[Array]]
    points: Array
    traced: bool
    sharp: bool

    @property
    def count(self) -> int:
        """The pieces that were seen: at most as many as there are."""
        return int(self.ids.max()) + 1 if self.ids.size else 0

    def neighbours(self) -> list[tuple[int, int]]:
        """The pairs of pieces that touch on the grid."""
        pairs: list[Array] = []
        for first, second in ((self.ids[:, :-1], self.ids[:, 1:]), (self.ids[:-1], self.ids[1:])):
            both = np.stack([first.reshape(-1), second.reshape(-1)], axis=1)
            pairs.append(both[(both[:, 0] != both[:, 1]) & (both.min(axis=1) >= 0)])
        found = np.sort(np.concatenate(pairs), axis=1)
        return [(a, b) for a, b in np.unique(found, axis=0).tolist()]


def raster_of(
    plane: Plane, *, most: int, by_class: bool = False, look: sample.Sampler | None = None
) -> Raster:
    """The pieces on a grid as fine as the model's size allows, with ``most`` points per axis."""
    look = look or sample.sampler_of(plane.graph, plane.low, plane.high)
    side = look.affordable(plane.generic, least=9, most=most)
    points = plane.generic(side)
    found = look(points)
    keys = _class_keys(found.values) if by_class else found.patterns
    _, ids = np.unique(keys, return_inverse=True)
    outside = found.outside & (found.patterns == 0)
    # numbers by first appearance do not depend on digests
    image = _renumbered(np.asarray(ids).reshape(-1), outside).reshape((side, side))
    pairs = np.concatenate(_crossings(image))
    # between points nearly all of different pieces, lines would show the grid and no boundary
    traced = len(pairs) <= _MOST_CROSSINGS and 4 * (int(image.max(initial=0)) + 1) <= image.size
    halvings = _halvings(plane, len(pairs), look)
    segments: dict[str, list[Array]] = {kind: [] for kind in BOUNDARIES}
    isolated = points[:0]
    if traced:
        grid = _Grid(plane, points, found, keys, side, look)
        crossings = _traced(grid, pairs, halvings, by_class=by_class)
        if bool(found.domains.any()) and halvings and not by_class:
            isolated = lone_poles(look, points, found, side)
            crossings = _with_even_poles(grid, *crossings)
            # at a corner of poles there is none of its own
            step = np.abs(points[side + 1] - points[0])
            apart = np.abs(isolated[:, None] - crossings[1]) > 2 * step
            isolated = isolated[apart.any(axis=2).all(axis=1)]
        segments = _joined(*crossings, side)
        if bool(found.domains.any()) and halvings:
            segments[POLES] += border_poles(look, plane, points, side)
    values = found.values.reshape((side, side, -1))
    return Raster(side, image, values, segments, isolated, traced, halvings > 0)


def _halvings(plane: Plane, crossings: int, look: sample.Sampler) -> int:
    """How often the way between two points of the grid is halved.

    A large model is not evaluated again: its boundaries run between the points of the grid.
    """
    if look.repeated:
        return _HALVINGS
    return int(min(_HALVINGS, _TRACING / (max(crossings, 1) * sample.cost(plane.graph))))


def _with_even_poles(
    grid: _Grid, pairs: Array, places: Array, kinds: Array
) -> tuple[Array, Array, Array]:
    more, where = even_poles(grid.look, grid.points, grid.seen, grid.side)
    found = np.full(len(more), POLES, dtype=object)
    both = ((pairs, more), (places, where), (kinds, found))
    one, two, three = (np.concatenate(parts) for parts in both)
    return one, two, three


def _class_keys(values: Array) -> Array:
    return np.where(np.isnan(values[:, 0]), -1.0, values[:, 0])


def _renumbered(ids: Array, outside: Array) -> Array:
    found: Array = np.full(len(ids), -1)
    _, first, inner = np.unique(ids[~outside], return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    found[~outside] = rank[np.asarray(inner).reshape(-1)]
    return found


def _crossings(image: Array) -> tuple[Array, Array]:
    """The pairs of neighbours on the grid in different pieces, along each axis."""
    index: Array = np.arange(image.size).reshape(image.shape)
    along = image[:, :-1] != image[:, 1:]
    up = image[:-1] != image[1:]
    horizontal = np.stack([index[:, :-1][along], index[:, 1:][along]], axis=1)
    vertical = np.stack([index[:-1][up], index[1:][up]], axis=1)
    return horizontal, vertical


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    plane: Plane
    points: Array
    seen: sample.Sample
    keys: Array
    side: int
    look: sample.Sampler


def _traced(
    grid: _Grid, pairs: Array, halvings: int, *, by_class: bool
) -> tuple[Array, Array, Array]:
    """The pairs, the places between them where the piece changes, and what happens there."""
    start = grid.keys[pairs[:, 0]]
    low, high = grid.points[pairs[:, 0]].copy(), grid.points[pairs[:, 1]].copy()
    for _ in range(halvings if len(pairs) else 0):
        middle = (low + high) / 2
        seen = grid.look(middle)
        same = (_class_keys(seen.values) if by_class else seen.patterns) == start
        low[same], high[~same] = middle[same], middle[~same]
    places = (low + high) / 2
    if not len(pairs):
        kinds = np.array([], dtype=object)
    elif halvings and not by_class:
        bend = min(1e-3, _BENT * 2.0 ** (_HALVINGS - halvings))
        kinds = _kinds(grid, low, high, bend=bend)
    else:
        kinds = np.full(len(pairs), JUMPS) if by_class else _coarse_kinds(grid, pairs)
    kinds = kinds.astype(object)
    first, second = pairs.T
    differ = grid.seen.domains[first] != grid.seen.domains[second]
    if by_class:
        # two classes may meet at a pole
        differ &= grid.seen.outside[first] != grid.seen.outside[second]
    apart = np.flatnonzero(differ)
    if len(apart):
        kinds[apart] = EDGES
        if halvings:
            ends = (grid.points[pairs[apart, side]] for side in (0, 1))
            one, two = (diverges(grid.look, end, places[apart]) for end in ends)
            kinds[apart[one | two]] = POLES
    return pairs, places, kinds


def _coarse_kinds(grid: _Grid, pairs: Array) -> Array:
    """The same from the grid alone: a change without a jump is a kink."""
    first, second = pairs[:, 0], pairs[:, 1]
    seen = grid.seen
    jumped = seen.jumps[first] != seen.jumps[second]
    moved = (seen.values[first] != seen.values[second]).any(axis=1)
    still = sample.stepwise(grid.plane.graph)
    return np.where(jumped & moved, JUMPS, np.where(~jumped & (not still), KINKS, FLAT))


def _kinds(grid: _Grid, low: Array, high: Array, *, bend: float) -> Array:
    """What happens between points that are close together on the two sides of a boundary.

    A relative change of the gradient by more than ``bend`` is a kink: more than a smooth function
    changes over so short a way.
    """
    plane, first, second = grid.plane, grid.look(low), grid.look(high)
    level = np.abs(first.values).max(axis=1) + np.abs(second.values).max(axis=1) + 1e-300
    gap = np.abs(first.values - second.values).max(axis=1)
    # a jump needs an op that jumps, and a gap that no slope explains over so short a way
    jumped = (first.jumps != second.jumps) & (gap > 1e-6 * level)
    bent = np.zeros(len(low), dtype=bool)
    outputs = 0 if sample.stepwise(plane.graph) else len(plane.outputs)
    for output in range(min(outputs, _MOST_BENT)):
        graph = plane.only(output).graph
        one, two = sample.gradients(graph, low), sample.gradients(graph, high)
        steep = np.abs(one).max(axis=1) + np.abs(two).max(axis=1)
        # near a critical point a smooth gradient changes much too, compared with itself
        usual = steep[np.isfinite(steep) & (first.domains == second.domains)]
        level = float(np.quantile(usual, 0.9)) if len(usual) else 0.0
        size = np.maximum(steep, 0.1 * max(level, 1e-300))
        bent |= np.abs(one - two).max(axis=1) > bend * size
    return np.where(jumped, JUMPS, np.where(bent, KINKS, FLAT))


def _joined(pairs: Array, places: Array, kinds: Array, side: int) -> dict[str, list[Array]]:
    """Inside each square of the grid, the crossings on its sides joined."""
    squares: dict[tuple[int, int], list[int]] = {}
    for number, (a, b) in enumerate(pairs.tolist()):
        row, column = divmod(a, side)
        across = b - a == 1
        beside = (
            ((row - 1, column), (row, column)) if across else ((row, column - 1), (row, column))
        )
        for place in beside:
            squares.setdefault(place, []).append(number)
    found: dict[str, list[Array]] = {kind: [] for kind in BOUNDARIES}
    for numbers in squares.values():
        if len(numbers) == 2:
            one, two = numbers
            kind = min(str(kinds[one]), str(kinds[two]), key=BOUNDARIES.index)
            found[kind].append(np.array([places[one], places[two]]))
        elif len(numbers) > 2:
            # several pieces meet here
            centre = places[numbers].mean(axis=0)
            for number in numbers:
                found[str(kinds[number])].append(np.array([places[number], centre]))
    return found

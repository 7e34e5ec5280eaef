"""The pieces of a model in the plane: enumerated exactly if possible, else found on a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tamecheck.cells import Complex, cells
from tamecheck.errors import UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.plots.geometry import FLAT, JUMPS, KINKS, Mosaic, mosaic_of, polylines
from tamecheck.plots.plane import Plane, Scores, output_names, scores
from tamecheck.plots.raster import Raster, raster_of
from tamecheck.plots.sample import (
    Sampler,
    affordable,
    blank_notes,
    cost,
    sampler_of,
    stepwise,
)

__all__ = ["DEFAULT_CELLS", "Scene", "scene_of"]

DEFAULT_CELLS = 6_000
"""Cells that are enumerated for a figure; more of them would not be told apart in it."""

_PIXELS = 640
_EXACT_COST = 3e7
"""Patterns on a coarse grid times operations, up to which cells are enumerated."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The pieces of a function in the plane.

    Parameters
    ----------
    plane
        The function.
    mosaic, found
        The exact cells, if they were enumerated.
    raster
        The pieces on a grid, if not.
    notes
        What a reader should know.
    bare
        The function without smooth last ops, in which the pieces were found.
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
        return self.raster.segments[kind] if self.raster is not None else []

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
            "lower_dimensional": 0 if self.found is None else len(self.found.lower_dimensional),
        }


def scene_of(plane: Plane, *, limit: int = DEFAULT_CELLS, by_class: bool = False) -> Scene:
    """The pieces of a function with two coordinates.

    Parameters
    ----------
    plane
        The function.
    limit
        The most cells to enumerate.
    by_class
        Whether only the value of the one output tells pieces apart.
    """
    bare = scores(plane.graph)
    inner = replace(plane, graph=bare.graph, outputs=output_names(bare.graph))
    notes = tuple(f"pieces of the scores before the last {name}" for name in bare.dropped[:1])
    look = sampler_of(inner.graph, inner.low, inner.high)
    found, why = _enumerated(inner, limit, look)
    if found is not None:
        return Scene(plane, mosaic_of(found, inner), found, None, notes, bare)
    raster = raster_of(inner, most=_PIXELS, by_class=by_class, look=look)
    notes += (f"{why}: found on a grid of {raster.side} × {raster.side} points",)
    if 4 * raster.count > raster.ids.size:
        notes += ("there are more pieces than the grid tells apart",)
    notes += blank_notes(raster.values)
    if not raster.traced:
        notes += ("boundaries too dense to draw",)
    return Scene(plane, None, None, raster, notes, bare)


def _enumerated(plane: Plane, limit: int, look: Sampler) -> tuple[Complex | None, str]:
    """The exact complex, or why there is none."""
    guess, points = _seen(plane, look)
    if 3 * guess > limit:
        # a coarse grid sees at most a part of the cells
        return None, f"more than about {limit} cells"
    # each cell of a model of steps has boundaries of its own to look for
    work = guess * cost(plane.graph) * (10 if stepwise(plane.graph) else 1)
    if work > _EXACT_COST or (2 * guess > points and points < 1000):
        return None, "many cells of a large model"
    try:
        found = cells(plane.graph, plane.box, limit=limit)
    except UnsupportedError:
        return None, "not piecewise linear"
    return (found, "") if found.complete else (None, f"more than {limit} cells")


def _seen(plane: Plane, look: Sampler) -> tuple[int, int]:
    """How many patterns a coarse grid sees, at most as many as there are cells; and its points."""
    side = max(6, affordable(plane.graph, least=6, most=288) // 3)
    patterns = look(plane.generic(side)).patterns
    return len(np.unique(patterns)), side * side

"""Cell complexes, coloured by map or by value."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from tamecheck.plots.canvas import Axes, Picture, figure_axes, label_of, styled
from tamecheck.plots.geometry import FLAT
from tamecheck.plots.paint import (
    boundaries,
    colour_bar,
    fill,
    image,
    legend,
    notes_below,
    pale,
    prepare,
)
from tamecheck.plots.palette import FILLS, graph_colouring
from tamecheck.plots.plane import Plane
from tamecheck.plots.sample import affordable, values
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of

__all__ = ["draw_cells", "draw_scene"]


def draw_cells(
    plane: Plane,
    axes: Axes | None = None,
    *,
    colour: str = "map",
    limit: int = DEFAULT_CELLS,
) -> Picture:
    """The cells of a function with two coordinates.

    Parameters
    ----------
    plane
        The function.
    axes
        Axes to draw on; new ones if None.
    colour
        ``"map"``: cells with equal maps that touch have one colour, others that touch have
        different ones.  ``"value"``: the value of the first output element.
    limit
        The most cells to enumerate.
    """
    return draw_scene(scene_of(plane, limit=limit), axes, colour=colour)


def draw_scene(scene: Scene, axes: Axes | None = None, *, colour: str = "map") -> Picture:
    """The pieces of a function that are already known."""
    plane = scene.plane
    notes = list(scene.notes)
    with styled():
        drawn = figure_axes(axes)
        prepare(drawn, plane)
        groups = 0
        if colour == "value":
            side = affordable(plane.graph, least=16, most=300)
            level = values(plane.graph, plane.lattice(side))[:, 0].reshape((side, side))
            shown = image(drawn, plane, level, cmap=pale(share=0.8))
            colour_bar(drawn, shown, label_of(plane.outputs[0]))
        else:
            groups = _by_map(drawn, scene)
        handles = boundaries(drawn, scene, flat=True)
        legend(drawn, handles)
        if not handles and scene.count == 1:
            notes.append("one cell: no kink in the figure")
        notes_below(drawn, notes, own=axes is None)
    counts = {**scene.counts, "maps": groups or scene.count}
    return Picture(
        "cells", drawn, counts, scene.exact, notes=tuple(notes), facts={"count": scene.counted}
    )


def _by_map(axes: Axes, scene: Scene) -> int:
    """Colour by groups of equal maps; the number of groups."""
    colors = import_module("matplotlib.colors")
    if scene.mosaic is not None:
        groups = scene.mosaic.groups
        pairs = [
            (groups[edge.first], groups[edge.second])
            for edge in scene.mosaic.edges
            if edge.kind != FLAT
        ]
        count = max(groups, default=-1) + 1
        chosen = graph_colouring(count, pairs, len(FILLS))
        fill(axes, scene.mosaic.polygons, [FILLS[chosen[group]] for group in groups])
        return count
    raster = scene.raster
    if raster is None:
        return 0
    chosen = np.asarray(graph_colouring(raster.count, raster.neighbours(), len(FILLS)))
    table = colors.ListedColormap(FILLS)
    image(axes, scene.plane, chosen[raster.ids], cmap=table, vmin=-0.5, vmax=len(FILLS) - 0.5)
    return raster.count

"""Which cells touch, as a graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.cells import Complex
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import FILLS, INK, JUMP, LINES, Axes, Drawing, Picture, drawing
from tamecheck.plots.mosaic import FLAT, JUMPS, KINKS, mosaic_of
from tamecheck.plots.paint import fill, graph_colouring, lines, prepare, thin, vertices
from tamecheck.plots.plane import Plane

_MOST = 1500
_STYLES = {
    KINKS: ("kink between", INK, "-"),
    FLAT: ("same map", LINES[0], ":"),
    JUMPS: ("jump between", JUMP, "--"),
}


def draw_adjacency(found: Complex, plane: Plane, axes: Axes | None = None) -> Picture:
    """The adjacency graph, in place for two coordinates, else laid out by its Laplacian.

    Raises `InputError` if there are more cells than can be told apart.
    """
    if found.count > _MOST:
        raise InputError(
            f"A graph of {found.count} vertices cannot be read; the limit is {_MOST}.",
            hint="Make the box smaller.",
        )
    notes = [] if found.complete else ["stopped at the limit: there are more cells"]
    cell = {"marker": "o", "color": FILLS[0], "markeredgecolor": INK, "ls": "none"}
    with drawing(axes, notes) as drawn:
        if found.dimension == 2:
            kinds = _in_place(drawn, found, plane)
            drawn.line("cell", **cell)
            edges = sum(kinds.values())
        else:
            pairs, kinds = found.adjacency, {}
            places, edges = _spectral(found.count, pairs), len(pairs)
            paths = [places[[a, b]] for a, b in pairs]
            lines(drawn.axes, paths, INK, linewidths=thin(edges), zorder=2)
            vertices(drawn.axes, places, _coloured(found.count, pairs))
            drawn.axes.set_axis_off()
            drawn.axes.margins(0.05)
            drawn.line("cell", **cell)
            drawn.line("common facet", color=INK)
            drawn.notes.append("places by the Laplacian's eigenvectors")
    counts = {"cells": found.count, "edges": edges, **kinds}
    return drawn.picture("adjacency", counts, complete=found.complete)


def _coloured(count: int, pairs: Sequence[tuple[int, int]]) -> list[str]:
    return [FILLS[c] for c in graph_colouring(count, pairs, len(FILLS))]


def _in_place(drawn: Drawing, found: Complex, plane: Plane) -> dict[str, int]:
    """Draw the graph on top of the cells; the number of edges of each kind."""
    mosaic = mosaic_of(found, plane)
    colours = _coloured(found.count, [(edge.first, edge.second) for edge in mosaic.edges])
    prepare(drawn.axes, plane)
    fill(drawn.axes, mosaic.polygons, [f"{colour}60" for colour in colours])
    centres = np.array([polygon.mean(axis=0) for polygon in mosaic.polygons])
    width = max(thin(found.count), 0.3)
    counts: dict[str, int] = {}
    for kind, (label, colour, style) in _STYLES.items():
        paths = [centres[[e.first, e.second]] for e in mosaic.edges if e.kind == kind]
        counts[kind if kind == FLAT else f"{kind}s"] = len(paths)
        if paths:
            lines(drawn.axes, paths, colour, linestyles=style, linewidths=width, zorder=3)
            drawn.line(label, color=colour, linestyle=style)
    vertices(drawn.axes, centres, colours)
    return counts


def _spectral(count: int, pairs: Sequence[tuple[int, int]]) -> Array:
    """The second and third eigenvectors of the graph's Laplacian, with signs fixed."""
    matrix = np.zeros((count, count))
    for a, b in pairs:
        matrix[a, b] = matrix[b, a] = -1
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    _, found = np.linalg.eigh(matrix)
    places = np.zeros((count, 2))
    columns = found[:, 1:3]
    places[:, : columns.shape[1]] = columns
    for axis in range(2):
        peak = int(np.argmax(np.abs(places[:, axis])))
        if places[peak, axis] < 0:
            places[:, axis] *= -1
    return places

"""The adjacency graph of a complex: a vertex for each cell, an edge for each common facet."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from tamecheck.cells import Complex
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import Axes, Picture, figure_axes, styled
from tamecheck.plots.geometry import FLAT, JUMPS, KINKS, mosaic_of
from tamecheck.plots.paint import fill, legend, line_handle, notes_below, prepare, thin
from tamecheck.plots.palette import FILLS, INK, JUMP, LINES, graph_colouring
from tamecheck.plots.plane import Plane

__all__ = ["draw_adjacency"]

_MOST = 1500


def draw_adjacency(found: Complex, plane: Plane, axes: Axes | None = None) -> Picture:
    """The adjacency graph, in place for two coordinates, else laid out by its Laplacian.

    Raises
    ------
    InputError
        If there are more cells than can be told apart.
    """
    if found.count > _MOST:
        raise InputError(
            f"A graph of {found.count} vertices cannot be read; the limit is {_MOST}.",
            hint="Make the box smaller.",
        )
    with styled():
        drawn = figure_axes(axes)
        if found.dimension == 2:
            kinds = _in_place(drawn, found, plane)
            edges = sum(kinds.values())
        else:
            kinds, edges = {}, _laid_out(drawn, found)
        notes = [] if found.complete else ["stopped at the limit: there are more cells"]
        if found.dimension != 2:
            notes.append("places by the Laplacian's eigenvectors")
        notes_below(drawn, notes, own=axes is None)
    counts = {"cells": found.count, "edges": edges, **kinds}
    return Picture("adjacency", drawn, counts, complete=found.complete, notes=tuple(notes))


def _in_place(axes: Axes, found: Complex, plane: Plane) -> dict[str, int]:
    mosaic = mosaic_of(found, plane)
    pairs = [(edge.first, edge.second) for edge in mosaic.edges]
    colours = [FILLS[c] for c in graph_colouring(found.count, pairs, len(FILLS))]
    prepare(axes, plane)
    fill(axes, mosaic.polygons, [f"{colour}60" for colour in colours])
    centres = np.array([polygon.mean(axis=0) for polygon in mosaic.polygons])
    collections = import_module("matplotlib.collections")
    handles: list[Any] = []
    styles = {
        KINKS: ("kink between", INK, "-"),
        FLAT: ("same map", LINES[0], ":"),
        JUMPS: ("jump between", JUMP, "--"),
    }
    width = max(thin(found.count), 0.3)
    for kind, (label, colour, style) in styles.items():
        lines = [centres[[e.first, e.second]] for e in mosaic.edges if e.kind == kind]
        if lines:
            axes.add_collection(
                collections.LineCollection(
                    lines, colors=colour, linestyles=style, linewidths=width, zorder=3
                )
            )
            handles.append(line_handle(label, color=colour, linestyle=style))
    _vertices(axes, centres, colours)
    handles.append(line_handle("cell", marker="o", color=FILLS[0], markeredgecolor=INK, ls="none"))
    legend(axes, handles)
    return {f"{kind}s" if kind != FLAT else kind: mosaic.count(kind) for kind in styles}


def _vertices(axes: Axes, places: Array, colours: Sequence[str]) -> None:
    size = float(np.clip(260 / max(len(places), 1), 3, 34))
    axes.scatter(*places.T, s=size, c=list(colours), edgecolors=INK, linewidths=0.5, zorder=4)


def _laid_out(axes: Axes, found: Complex) -> int:
    pairs = found.adjacency
    places = _spectral(found.count, pairs)
    collections = import_module("matplotlib.collections")
    axes.add_collection(
        collections.LineCollection(
            [places[[a, b]] for a, b in pairs], colors=INK, linewidths=thin(len(pairs)), zorder=2
        )
    )
    colours = [FILLS[c] for c in graph_colouring(found.count, pairs, len(FILLS))]
    _vertices(axes, places, colours)
    axes.set_axis_off()
    axes.margins(0.05)
    legend(
        axes,
        [
            line_handle("cell", marker="o", color=FILLS[0], markeredgecolor=INK, ls="none"),
            line_handle("common facet", color=INK),
        ],
    )
    return len(pairs)


def _spectral(count: int, pairs: Sequence[tuple[int, int]]) -> Array:
    """The second and third eigenvectors of the graph's Laplacian, with signs fixed."""
    matrix = np.zeros((count, count))
    for a, b in pairs:
        matrix[a, b] = matrix[b, a] = -1
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    _, vectors = np.linalg.eigh(matrix)
    places = np.zeros((count, 2))
    columns = vectors[:, 1:3]
    places[:, : columns.shape[1]] = columns
    for axis in range(2):
        peak = int(np.argmax(np.abs(places[:, axis])))
        if places[peak, axis] < 0:
            places[:, axis] *= -1
    return places

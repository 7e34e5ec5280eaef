"""Cells in the plane, by map or value, what happens at their boundaries, and which cells touch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tamecheck.cells import Complex
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.plots import canvas, paint
from tamecheck.plots.canvas import Axes, Drawing, Picture
from tamecheck.plots.curve import draw_intervals
from tamecheck.plots.mosaic import FLAT, JUMPS, KINKS, mosaic_of, polylines
from tamecheck.plots.plane import Plane
from tamecheck.plots.poles import EDGES, POLES
from tamecheck.plots.sample import affordable, values
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of


def boundaries(drawn: Drawing, scene: Scene, *, told: bool = False) -> None:
    """Draw kinks and jumps; ``told``: edges between equal maps too, and how many of each."""

    def name(kind: str, number: int) -> str:
        few = "" if scene.exact else "at least "
        return f"{few}{canvas.counted(number, kind)}" if told else kind

    counts = scene.counts
    if told and scene.segments(FLAT):
        paths = polylines(scene.segments(FLAT))
        paint.lines(drawn.axes, paths, canvas.INK, linewidths=0.5, linestyles=":", zorder=2)
        label = f"same map ({counts['flat']})"
        drawn.line(label, color=canvas.INK, linewidth=0.8, linestyle=":")
    kinks, jumps = polylines(scene.segments(KINKS)), polylines(scene.segments(JUMPS))
    if kinks:
        width = paint.thin(scene.count)
        paint.lines(drawn.axes, kinks, canvas.KINK, linewidths=width, capstyle="round", zorder=3)
        drawn.line(name("kink", counts["kinks"]), color=canvas.KINK, linewidth=max(width, 0.7))
    if jumps:
        width = float(np.clip(2.6 * paint.thin(scene.count), 0.5, 1.8))
        looks: Any = {"color": canvas.JUMP, "linestyle": (0, (3.2, 1.4))}
        paint.lines(
            drawn.axes,
            jumps,
            canvas.JUMP,
            linewidths=width,
            linestyles=[looks["linestyle"]],
            zorder=4,
        )
        drawn.line(name("jump", counts["jumps"]), linewidth=max(width, 1.2), **looks)
    mark_domain(drawn, scene)


def mark_domain(drawn: Drawing, scene: Scene) -> None:
    """Draw poles, the edge of the domain, and hatch what is outside."""
    axes = drawn.axes
    edges, poles = polylines(scene.segments(EDGES)), polylines(scene.segments(POLES))
    least = 0.01 * float(np.hypot(*(scene.plane.high - scene.plane.low)))
    edges = [path for path in edges if np.abs(np.diff(path, axis=0)).sum() > least]
    if edges:
        paint.lines(axes, edges, canvas.MUTED, linewidths=0.9, zorder=3)
        drawn.line("edge of the domain", color=canvas.MUTED, linewidth=0.9)
    if poles or len(scene.poles):
        style: Any = canvas.POLE_STYLE
        paint.lines(axes, poles, canvas.POLE, linewidths=1.8, linestyles=[style], zorder=4)
        looks: Any = {
            "marker": "P",
            "markersize": 7,
            "color": canvas.POLE,
            "markeredgecolor": "white",
        }
        axes.plot(*scene.poles.T, ls="none", zorder=6, **looks)
        drawn.line(
            "pole", **({"color": canvas.POLE, "linewidth": 1.8, "ls": style} if poles else looks)
        )
    if scene.raster is not None and scene.raster.ids.min(initial=0) < 0:
        # seen through what is left blank
        axes.patch.set(hatch="////", edgecolor="#00000030")
        drawn.patch("no value", facecolor="white", hatch="////", edgecolor="#00000050")


def draw_cells(
    plane: Plane, axes: Axes | None = None, *, colour: str = "map", limit: int = DEFAULT_CELLS
) -> Picture:
    """The cells of a function with one or two coordinates.

    Parameters
    ----------
    plane, axes
        The function, and the axes to draw on; new ones if None.
    colour
        ``"map"``: cells with equal maps that touch have one colour, others that touch have
        different ones.  ``"value"``: the value of the first output element.
    limit
        The most cells to enumerate.
    """
    if plane.size == 1:
        return draw_intervals(plane.only(0), axes, limit)
    return draw_scene(scene_of(plane, limit=limit), axes, colour=colour)


def draw_scene(scene: Scene, axes: Axes | None = None, *, colour: str = "map") -> Picture:
    """The pieces of a function that are already known."""
    plane = scene.plane
    few = "" if scene.exact else "at least "
    said = f"{few}{canvas.counted(scene.count, 'cell')}"
    with canvas.drawing(axes, scene.notes) as drawn:
        paint.prepare(drawn.axes, plane)
        groups = 0
        if colour == "value":
            side = affordable(plane.graph, least=16, most=300)
            level = values(plane.graph, plane.lattice(side))[:, 0].reshape((side, side))
            name, poles = canvas.label_of(plane.outputs[0]), scene.counts["poles"] > 0
            paint.show_values(drawn, plane, level, name, cmap=paint.pale(share=0.8), poles=poles)
            drawn.line(said, ls="none")
        else:
            groups, repeat = _by_map(drawn.axes, scene)
            maps = f", {canvas.counted(groups, 'map')}" if scene.exact else ""
            drawn.patch(f"{said}{maps}", facecolor=canvas.FILLS[0])
            if repeat:
                drawn.notes.append(paint.REPEAT)
        boundaries(drawn, scene, told=True)
    counts = {**scene.counts, "maps": groups or scene.count}
    return drawn.picture("cells", counts, exact=scene.exact, facts={"count": scene.counted})


def _by_map(axes: Axes, scene: Scene) -> tuple[int, bool]:
    """Colour by groups of equal maps; the number of groups, and whether a colour has two."""
    if scene.mosaic is not None:
        groups = scene.mosaic.groups
        edges = (edge for edge in scene.mosaic.edges if edge.kind != FLAT)
        pairs = [(groups[edge.first], groups[edge.second]) for edge in edges]
        count = max(groups, default=-1) + 1
        chosen = paint.graph_colouring(count, pairs, len(canvas.FILLS))
        paint.fill(axes, scene.mosaic.polygons, [canvas.FILLS[chosen[group]] for group in groups])
        return count, len(set(chosen)) < count
    raster = scene.raster
    if raster is None or not raster.count:
        return 0, False
    chosen = np.asarray(paint.graph_colouring(raster.count, raster.neighbours(), len(canvas.FILLS)))
    table = canvas.mpl.colors.ListedColormap(canvas.FILLS)
    pixels = np.ma.masked_where(raster.ids < 0, chosen[raster.ids])
    paint.image(axes, scene.plane, pixels, cmap=table, vmin=-0.5, vmax=len(canvas.FILLS) - 0.5)
    return raster.count, len(np.unique(chosen)) < raster.count


_MOST = 1500
_STYLES = {
    KINKS: ("kink between", canvas.INK, "-"),
    FLAT: ("same map", canvas.LINES[0], ":"),
    JUMPS: ("jump between", canvas.JUMP, "--"),
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
    cell = {"marker": "o", "color": canvas.FILLS[0], "markeredgecolor": canvas.INK, "ls": "none"}
    with canvas.drawing(axes, notes) as drawn:
        if found.dimension == 2:
            kinds = _in_place(drawn, found, plane)
            drawn.line("cell", **cell)
            edges = sum(kinds.values())
        else:
            pairs, kinds = found.adjacency, {}
            places, edges = _spectral(found.count, pairs), len(pairs)
            paths = [places[[a, b]] for a, b in pairs]
            paint.lines(drawn.axes, paths, canvas.INK, linewidths=paint.thin(edges), zorder=2)
            paint.vertices(drawn.axes, places, _coloured(found.count, pairs))
            drawn.axes.set_axis_off()
            drawn.axes.margins(0.05)
            drawn.line("cell", **cell)
            drawn.line("common facet", color=canvas.INK)
            drawn.notes.append("places by the Laplacian's eigenvectors")
    counts = {"cells": found.count, "edges": edges, **kinds}
    return drawn.picture("adjacency", counts, complete=found.complete)


def _coloured(count: int, pairs: Sequence[tuple[int, int]]) -> list[str]:
    return [canvas.FILLS[c] for c in paint.graph_colouring(count, pairs, len(canvas.FILLS))]


def _in_place(drawn: Drawing, found: Complex, plane: Plane) -> dict[str, int]:
    """Draw the graph on top of the cells; the number of edges of each kind."""
    mosaic = mosaic_of(found, plane)
    colours = _coloured(found.count, [(edge.first, edge.second) for edge in mosaic.edges])
    paint.prepare(drawn.axes, plane)
    paint.fill(drawn.axes, mosaic.polygons, [f"{colour}60" for colour in colours])
    centres = np.array([polygon.mean(axis=0) for polygon in mosaic.polygons])
    width = max(paint.thin(found.count), 0.3)
    counts: dict[str, int] = {}
    for kind, (label, colour, style) in _STYLES.items():
        paths = [centres[[e.first, e.second]] for e in mosaic.edges if e.kind == kind]
        counts[kind if kind == FLAT else f"{kind}s"] = len(paths)
        if paths:
            paint.lines(drawn.axes, paths, colour, linestyles=style, linewidths=width, zorder=3)
            drawn.line(label, color=colour, linestyle=style)
    paint.vertices(drawn.axes, centres, colours)
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

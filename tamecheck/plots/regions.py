"""Pieces in the plane: cells by map or value, decision regions, and which cells touch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tamecheck.cells import Complex
from tamecheck.errors import InputError
from tamecheck.ir.formula import Var
from tamecheck.ir.graph import Apply
from tamecheck.ir.op import Routing, Selection
from tamecheck.ir.tensor import Array
from tamecheck.loaders.files import read_text
from tamecheck.ops.facets import chooses_indices, comparisons, sign_values
from tamecheck.plots.canvas import (
    FILLS,
    INK,
    JUMP,
    KINK,
    LINES,
    MUTED,
    POLE,
    POLE_STYLE,
    Axes,
    Drawing,
    Picture,
    drawing,
    label_of,
    mpl,
)
from tamecheck.plots.mosaic import FLAT, JUMPS, KINKS, mosaic_of, polylines
from tamecheck.plots.paint import (
    fill,
    graph_colouring,
    image,
    lines,
    pale,
    prepare,
    show_values,
    thin,
    vertices,
)
from tamecheck.plots.plane import Plane, decided, scores
from tamecheck.plots.poles import EDGES, POLES
from tamecheck.plots.sample import affordable, values
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of


def boundaries(drawn: Drawing, scene: Scene, *, flat: bool = False) -> None:
    """Draw kinks and jumps, and on demand edges between equal maps."""
    if flat and scene.segments(FLAT):
        paths = polylines(scene.segments(FLAT))
        lines(drawn.axes, paths, INK, linewidths=0.5, linestyles=":", zorder=2)
        drawn.line("same map", color=INK, linewidth=0.8, linestyle=":")
    kinks, jumps = polylines(scene.segments(KINKS)), polylines(scene.segments(JUMPS))
    if kinks:
        width = thin(scene.count)
        lines(drawn.axes, kinks, KINK, linewidths=width, capstyle="round", zorder=3)
        drawn.line("kink", color=KINK, linewidth=max(width, 0.7))
    if jumps:
        width = float(np.clip(2.6 * thin(scene.count), 0.5, 1.8))
        style = (0, (3.2, 1.4))
        lines(drawn.axes, jumps, JUMP, linewidths=width, linestyles=[style], zorder=4)
        drawn.line("jump", color=JUMP, linewidth=max(width, 1.2), linestyle=style)
    _domain(drawn, scene)


def _domain(drawn: Drawing, scene: Scene) -> None:
    """Draw poles, the edge of the domain, and hatch what is outside."""
    axes = drawn.axes
    edges, poles = polylines(scene.segments(EDGES)), polylines(scene.segments(POLES))
    least = 0.01 * float(np.hypot(*(scene.plane.high - scene.plane.low)))
    edges = [path for path in edges if np.abs(np.diff(path, axis=0)).sum() > least]
    if edges:
        lines(axes, edges, MUTED, linewidths=0.9, zorder=3)
        drawn.line("edge of the domain", color=MUTED, linewidth=0.9)
    if poles or len(scene.poles):
        style: Any = POLE_STYLE
        lines(axes, poles, POLE, linewidths=1.8, linestyles=[style], zorder=4)
        looks: Any = {"marker": "P", "markersize": 7, "color": POLE, "markeredgecolor": "white"}
        axes.plot(*scene.poles.T, ls="none", zorder=6, **looks)
        drawn.line("pole", **({"color": POLE, "linewidth": 1.8, "ls": style} if poles else looks))
    if scene.raster is not None and scene.raster.ids.min(initial=0) < 0:
        # seen through what is left blank
        axes.patch.set(hatch="////", edgecolor="#00000030")
        drawn.patch("no value", facecolor="white", hatch="////", edgecolor="#00000050")


def draw_cells(
    plane: Plane, axes: Axes | None = None, *, colour: str = "map", limit: int = DEFAULT_CELLS
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
    with drawing(axes, scene.notes) as drawn:
        prepare(drawn.axes, plane)
        groups = 0
        if colour == "value":
            side = affordable(plane.graph, least=16, most=300)
            level = values(plane.graph, plane.lattice(side))[:, 0].reshape((side, side))
            name, poles = label_of(plane.outputs[0]), scene.counts["poles"] > 0
            show_values(drawn, plane, level, name, cmap=pale(share=0.8), poles=poles)
        else:
            groups = _by_map(drawn.axes, scene)
        boundaries(drawn, scene, flat=True)
        if not drawn.handles and scene.count == 1:
            drawn.notes.append("one cell: no kink in the figure")
    counts = {**scene.counts, "maps": groups or scene.count}
    return drawn.picture("cells", counts, exact=scene.exact, facts={"count": scene.counted})


def _by_map(axes: Axes, scene: Scene) -> int:
    """Colour by groups of equal maps; the number of groups."""
    if scene.mosaic is not None:
        groups = scene.mosaic.groups
        edges = (edge for edge in scene.mosaic.edges if edge.kind != FLAT)
        pairs = [(groups[edge.first], groups[edge.second]) for edge in edges]
        count = max(groups, default=-1) + 1
        chosen = graph_colouring(count, pairs, len(FILLS))
        fill(axes, scene.mosaic.polygons, [FILLS[chosen[group]] for group in groups])
        return count
    raster = scene.raster
    if raster is None:
        return 0
    chosen = np.asarray(graph_colouring(raster.count, raster.neighbours(), len(FILLS)))
    table = mpl.colors.ListedColormap(FILLS)
    pixels = np.ma.masked_where(raster.ids < 0, chosen[raster.ids])
    image(axes, scene.plane, pixels, cmap=table, vmin=-0.5, vmax=len(FILLS) - 0.5)
    return raster.count


# --- decisions -----------------------------------------------------------------------------------

RULES = ("argmax", "argmin", "sign", "value")
_SHOWN = 12
_HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "ooo", "+++")
"""A second sign beside the fill for classes."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True, slots=True)
class Points:
    """Data points in the plane's coordinates, with a label each or none."""

    places: Array
    labels: tuple[str, ...] = ()


def draw_decision(  # noqa: PLR0913 - all but the plane are options
    plane: Plane,
    axes: Axes | None = None,
    *,
    rule: str | None = None,
    classes: Sequence[str] = (),
    data: Points | None = None,
    limit: int = DEFAULT_CELLS,
) -> Picture:
    """The regions of the plane in which each class is decided for.

    Parameters
    ----------
    plane
        A function with two coordinates and all its output elements.
    axes
        Axes to draw on; new ones if None.
    rule
        ``"argmax"`` or ``"argmin"`` of the output elements (the first of tied ones), ``"sign"``
        of the only one, or ``"value"`` where the output is the class itself.  None takes the
        usual one.
    classes
        Names of the classes 0, 1, …
    data
        Points to draw.
    limit
        The most cells to enumerate.
    """
    bare = scores(plane.graph)
    chosen = rule or _usual(plane)
    # a softmax or sigmoid does not change which score is largest, or whether it is above 1/2
    inner = plane.graph if chosen == "value" else bare.graph
    judged = replace(plane, graph=decided(inner, chosen), outputs=("class",))
    scene = scene_of(judged, limit=limit, by_class=True)
    notes = [f"{chosen} of the scores before the last {name}" for name in bare.dropped[:1]]
    notes += [note for note in scene.notes if "pieces of" not in note]
    with drawing(axes, notes) as drawn:
        prepare(drawn.axes, plane)
        present, segments = _fill_regions(drawn.axes, scene)
        between = polylines(segments)
        lines(drawn.axes, between, INK, linewidths=1.0, capstyle="round", zorder=3)
        names = [_name(value, classes) for value in present]
        for value, name in list(zip(present, names, strict=True))[:_SHOWN]:
            look = {"facecolor": _fill(value), "hatch": _hatch(value), "edgecolor": "#00000066"}
            drawn.patch(name, linewidth=0.4, **look)
        if len(present) > _SHOWN:
            drawn.notes.append(f"{len(present) - _SHOWN} more classes are not in the legend")
        if data is not None:
            _scatter(drawn, data)
    counts = {
        "cells": scene.count,
        "classes": len(present),
        "boundaries": len(between),
        "points": 0 if data is None else len(data.places),
    }
    facts = {"rule": chosen, "count": scene.counted, "class_names": names}
    return drawn.picture("decision", counts, exact=scene.exact, facts=facts)


def _usual(plane: Plane) -> str:
    """The rule that fits the model's last op and number of outputs."""
    if len(plane.outputs) > 1:
        return "argmax"
    node = plane.graph.nodes[plane.graph.outputs[0][1]]
    while isinstance(node, Apply) and isinstance(node.op.meaning, Routing | Selection):
        if chooses_indices(node.op):
            return "value"
        first, *others = node.args
        if others and isinstance(node.op.meaning, Routing):
            return "sign"
        node = plane.graph.nodes[first]
    labels = (
        isinstance(node, Apply)
        and comparisons(node.op, node.params) == (Var(0),)
        and sign_values(node.op, node.params) is not None
    )
    return "value" if labels else "sign"


def _fill_regions(axes: Axes, scene: Scene) -> tuple[list[float], list[Array]]:
    """Fill the regions; the classes that are there, and the boundaries between them."""
    if scene.mosaic is not None:
        mosaic = scene.mosaic
        found = [float(v) for v in mosaic.maps[:, 0, 2]]
        fill(axes, mosaic.polygons, [_fill(v) for v in found], [_hatch(v) for v in found])
        edges = (edge for edge in mosaic.edges if found[edge.first] != found[edge.second])
        return sorted(set(found)), [edge.segment for edge in edges]
    raster = scene.raster
    if raster is None:
        return [], []
    level = raster.values[:, :, 0]
    present = sorted({float(v) for v in np.unique(level) if np.isfinite(v)})
    pixels = np.array([mpl.colors.to_rgb(_fill(v)) for v in present])
    index = np.searchsorted(present, np.nan_to_num(level, nan=present[0]))
    image(axes, scene.plane, pixels[index])
    return present, scene.segments(JUMPS)


def _index(value: float) -> int:
    return int(value) if float(value).is_integer() and value >= 0 else int(abs(hash(value)) % 8)


def _fill(value: float) -> str:
    return FILLS[_index(value) % len(FILLS)]


def _hatch(value: float) -> str:
    # a second sign only once the colours repeat
    return _HATCHES[(_index(value) // len(FILLS)) % len(_HATCHES)]


def _name(value: float, classes: Sequence[str]) -> str:
    if float(value).is_integer() and 0 <= value < len(classes):
        return classes[int(value)]
    return f"class {value:g}"


def _scatter(drawn: Drawing, data: Points) -> None:
    labels = data.labels or ("",) * len(data.places)
    for number, label in enumerate(sorted(set(labels))):
        rows = [index for index, other in enumerate(labels) if other == label]
        style: dict[str, Any] = {
            "marker": _MARKERS[number % len(_MARKERS)],
            "color": FILLS[number % len(FILLS)] if label else "white",
            "markeredgecolor": INK,
            "markeredgewidth": 0.8,
            "markersize": 5,
            "ls": "none",
        }
        drawn.axes.plot(*data.places[rows].T, zorder=6, **style)
        drawn.line(f"data: {label}" if label else "data", **style)


def points_of_table(path: str, plane: Plane) -> Points:
    """Data points of a CSV file: the figure's coordinates or all inputs, and maybe a class last.

    A first row without numbers is a header.  Points off a slice are projected onto it.
    """
    rows = [row for row in csv.reader(io.StringIO(read_text(path))) if row]
    if rows and not any(_is_number(cell) for cell in rows[0]):
        rows = rows[1:]
    inputs = len(plane.chart.origin)
    width = len(rows[0]) if rows else 0
    size = next((n for n in (inputs, plane.size) if width in (n, n + 1)), None)
    if size is None:
        raise InputError(
            f"The table has {width} columns.",
            where=path,
            hint=f"Give {plane.size} coordinates or {inputs} inputs, and the class last if known.",
        )
    for number, row in enumerate(rows, start=1):
        if len(row) != width or not all(_is_number(cell) for cell in row[:size]):
            raise InputError(f"Row {number} is not {size} numbers.", where=path)
    points = np.array([[float(cell) for cell in row[:size]] for row in rows])
    if size == inputs and inputs != plane.size:
        matrix = np.array([[float(a) for a in row] for row in plane.chart.matrix])
        origin = np.array([float(a) for a in plane.chart.origin])
        points = np.linalg.lstsq(matrix, (points - origin).T, rcond=None)[0].T
    labels = tuple(row[size] for row in rows) if width == size + 1 else ()
    return Points(points, labels)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


# --- adjacency -----------------------------------------------------------------------------------

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

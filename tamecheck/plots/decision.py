"""Decision regions: where each class is decided for, with data points and which are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tamecheck.ir.formula import Var
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Routing, Selection
from tamecheck.ir.tensor import Array
from tamecheck.ops.facets import chooses_indices, comparisons, sign_values
from tamecheck.plots import canvas
from tamecheck.plots.canvas import Axes, Drawing, Picture, counted, drawing, label_of, mpl
from tamecheck.plots.curve import pieces_of
from tamecheck.plots.mosaic import JUMPS, polylines
from tamecheck.plots.paint import fill, image, lines, prepare
from tamecheck.plots.plane import Plane, Scores, decided, scores
from tamecheck.plots.regions import mark_domain
from tamecheck.plots.sample import values
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of

RULES = ("argmax", "argmin", "sign", "value")
_SHOWN = 12
_HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "ooo", "+++")
"""A second sign beside the fill for classes."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True, slots=True)
class Points:
    """Data points in the plane's coordinates, with a label each or none.

    ``rows`` are all their inputs, where they are more; ``names`` are those of the coordinates.
    """

    places: Array
    labels: tuple[str, ...] = ()
    rows: Array | None = None
    names: tuple[str, ...] = ()


def draw_decision(  # noqa: PLR0913 - all but the plane are options
    plane: Plane,
    axes: Axes | None = None,
    *,
    rule: str | None = None,
    classes: Sequence[str] = (),
    data: Points | None = None,
    whole: Graph | None = None,
    limit: int = DEFAULT_CELLS,
) -> Picture:
    """The regions in which each class is decided for, in one or two coordinates.

    Parameters
    ----------
    plane, axes
        A function with all its output elements, and the axes to draw on; new ones if None.
    rule
        ``"argmax"`` or ``"argmin"`` of the output elements (the first of tied ones), ``"sign"``
        of the only one, or ``"value"`` where the output is the class itself.  None takes the
        usual one.
    classes
        Names of the classes 0, 1, …; where there are none, labels of the points that are no
        numbers are names in their order.
    data
        Points to draw; those whose label is not the class that is decided for are marked.
    whole
        The model on all its inputs, by which points off the plane are judged.
    limit
        The most cells to enumerate.
    """
    chosen = rule or _usual(plane)
    bare = _deciding(plane.graph, chosen)
    judged = replace(plane, graph=decided(bare.graph, chosen), outputs=("class",))
    notes = [f"{chosen} of the scores before the last {name}" for name in bare.dropped[:1]]
    if data is not None and data.names:
        judged = replace(judged, labels=tuple(map(label_of, data.names)))
    names, why = _class_names(data, classes, 2 if chosen == "sign" else len(plane.outputs), chosen)
    size: dict[str, Any] = {"height": 1.7} if plane.size == 1 else {}
    with drawing(axes, notes, **size) as drawn:
        drawn.notes += [why] if why else []
        if plane.size == 1:
            found = _on_line(drawn, judged, limit)
        else:
            found = _on_plane(drawn, judged, limit)
        told = [_name(value, names) for value in found.present]
        for value, name in list(zip(found.present, told, strict=True))[:_SHOWN]:
            look = {"facecolor": _fill(value), "hatch": _hatch(value), "edgecolor": "#00000066"}
            drawn.patch(name, linewidth=0.4, **look)
        if found.boundaries:
            drawn.line("decision boundary", color=canvas.INK, linewidth=1.4)
        if len(found.present) > _SHOWN:
            drawn.notes.append(f"{len(found.present) - _SHOWN} more classes are not in the legend")
        wrong = 0
        if data is not None:
            expected = _classes_of(data, names, chosen)
            if whole is None or data.rows is None:
                decisions = values(judged.graph, data.places)[:, 0]
            else:
                graph = _deciding(whole, chosen).graph
                decisions = values(decided(graph, chosen), data.rows)[:, 0]
            wrong = _scatter(drawn, data, expected, decisions)
    counts = {
        "cells": found.cells,
        "classes": len(found.present),
        "boundaries": found.boundaries,
        "points": 0 if data is None else len(data.places),
        "misclassified": wrong,
    }
    facts = {"rule": chosen, "count": found.counted, "class_names": told}
    return drawn.picture("decision", counts, exact=found.counted == "exact", facts=facts)


@dataclass(frozen=True, slots=True)
class _Found:
    """The classes that are there, and how many cells and boundaries."""

    present: list[float]
    cells: int
    boundaries: int
    counted: str


def _on_plane(drawn: Drawing, judged: Plane, limit: int) -> _Found:
    scene = scene_of(judged, limit=limit, by_class=True)
    drawn.notes += [note for note in scene.notes if "pieces of" not in note]
    prepare(drawn.axes, judged)
    present, segments = _fill_regions(drawn.axes, scene)
    between = polylines(segments)
    lines(drawn.axes, between, canvas.INK, linewidths=1.4, capstyle="round", zorder=3)
    mark_domain(drawn, scene)
    return _Found(present, scene.count, len(between), scene.counted)


def _on_line(drawn: Drawing, judged: Plane, limit: int) -> _Found:
    """Intervals of one class; points on boundaries are not drawn."""
    found = pieces_of(judged, limit)
    drawn.notes += [found.note] if found.note else []
    axes, before, boundaries = drawn.axes, None, 0
    present: set[float] = set()
    for place, heights in zip(found.places, found.values, strict=True):
        value = float(heights[len(heights) // 2])
        if np.isnan(value):
            before = None
            continue
        present.add(value)
        looks: Any = {"facecolor": _fill(value), "hatch": _hatch(value), "edgecolor": "#00000040"}
        axes.axvspan(place[0], place[-1], linewidth=0, zorder=1, **looks)
        if before is not None and before != value:
            axes.axvline(place[0], color=canvas.INK, linewidth=1.4, zorder=3)
            boundaries += 1
        before = value
    axes.set_xlim(judged.low[0], judged.high[0])
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.set_xlabel(judged.labels[0])
    counted_as = "lower bound" if found.note else "exact"
    return _Found(sorted(present), len(found.places), boundaries, counted_as)


def _class_names(
    data: Points | None, classes: Sequence[str], count: int, rule: str
) -> tuple[Sequence[str], str]:
    """Names of the classes, those of the table where no others are known, and what to tell."""
    labels = () if data is None else data.labels
    different = sorted(set(labels), key=lambda name: (_number(name) is None, _number(name), name))
    if classes or rule == "value" or len(different) != count:
        return classes, ""
    indices = [_number(name) for name in different]
    if indices == list(range(count)):
        return classes, ""
    return different, "the model's classes are taken to be those of the table, in their order"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _classes_of(data: Points, names: Sequence[str], rule: str) -> list[float | None]:
    """The class of each label, None if it is not known."""
    index = {name: float(number) for number, name in enumerate(names)}
    if index.keys() & set(data.labels):
        return [index.get(label) for label in data.labels]
    numbers = map(_number, data.labels)
    return [n if n is not None and (rule == "value" or n % 1 == 0) else None for n in numbers]


def _deciding(graph: Graph, rule: str) -> Scores:
    """What the rule decides by: without a softmax or sigmoid that does not change the decision."""
    bare = scores(graph)
    return bare if bare.alike and rule != "value" else Scores(graph)


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
    # the last is seen through, where there is no class
    pixels = np.array([*(mpl.colors.to_rgba(_fill(v)) for v in present), (1.0, 1.0, 1.0, 0.0)])
    index = np.searchsorted(present, np.nan_to_num(level, nan=np.inf))
    image(axes, scene.plane, pixels[index])
    return present, scene.segments(JUMPS)


def _index(value: float) -> int:
    return int(value) if float(value).is_integer() and value >= 0 else int(abs(hash(value)) % 8)


def _fill(value: float) -> str:
    return canvas.FILLS[_index(value) % len(canvas.FILLS)]


def _hatch(value: float) -> str:
    # a second sign only once the colours repeat
    return _HATCHES[(_index(value) // len(canvas.FILLS)) % len(_HATCHES)]


def _name(value: float, classes: Sequence[str]) -> str:
    if float(value).is_integer() and 0 <= value < len(classes):
        return classes[int(value)]
    return f"class {value:g}"


def _scatter(
    drawn: Drawing, data: Points, expected: Sequence[float | None], decisions: Array
) -> int:
    """Draw points, those of a class in its colour, and mark the ones that are misclassified."""
    axes = drawn.axes
    places = data.places
    if places.shape[1] == 1:
        places = np.column_stack([places, np.zeros(len(places))])
    labels = data.labels or ("",) * len(places)
    for number, label in enumerate(sorted(set(labels))):
        rows = [index for index, other in enumerate(labels) if other == label]
        value = expected[rows[0]] if expected else None
        style: dict[str, Any] = {
            "marker": _MARKERS[number % len(_MARKERS)],
            "color": "white" if value is None else _fill(value),
            "markeredgecolor": canvas.INK,
            "markeredgewidth": 0.8,
            "markersize": 5,
            "ls": "none",
        }
        axes.plot(*places[rows].T, zorder=6, **style)
        drawn.line(f"data: {label}" if label else "data", **style)
    pairs = zip(expected, decisions.tolist(), strict=False)
    wrong = [row for row, (own, found) in enumerate(pairs) if own is not None and own != found]
    unknown = sum(value is None for value in expected)
    if unknown:
        drawn.notes.append(f"{counted(unknown, 'point')} of a class that the model does not name")
    if wrong:
        ring: Any = {"marker": "o", "markersize": 10, "markerfacecolor": "none", "ls": "none"}
        ring |= {"color": canvas.JUMP, "markeredgewidth": 1.5}
        axes.plot(*places[wrong].T, zorder=7, **ring)
        drawn.line(f"misclassified ({len(wrong)} of {len(places)})", **ring)
    return len(wrong)

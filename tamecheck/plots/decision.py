"""Decision regions: where which class wins, with data points on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np

from tamecheck.ir.graph import Apply
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import Axes, Picture, figure_axes, styled
from tamecheck.plots.geometry import JUMPS, polylines
from tamecheck.plots.paint import (
    fill,
    image,
    legend,
    line_handle,
    notes_below,
    patch_handle,
    prepare,
)
from tamecheck.plots.palette import DATA_MARKERS, FILLS, HATCHES, INK
from tamecheck.plots.plane import Plane, decided, scores
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of

__all__ = ["RULES", "Points", "draw_decision"]

RULES = ("argmax", "argmin", "sign", "value")
_SHOWN = 12


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
    with styled():
        drawn = figure_axes(axes)
        prepare(drawn, plane)
        present, segments = _regions(drawn, scene)
        lines = import_module("matplotlib.collections").LineCollection(
            polylines(segments), colors=INK, linewidths=1.0, capstyle="round", zorder=3
        )
        drawn.add_collection(lines)
        handles = [
            patch_handle(
                _name(value, classes),
                facecolor=_fill(value),
                hatch=_hatch(value),
                edgecolor="#00000066",
                linewidth=0.4,
            )
            for value in present[:_SHOWN]
        ]
        if len(present) > _SHOWN:
            notes.append(f"{len(present) - _SHOWN} more classes are not in the legend")
        count = 0
        if data is not None:
            handles += _scatter(drawn, data)
            count = len(data.places)
        legend(drawn, handles)
        notes_below(drawn, notes, own=axes is None)
    counts = {
        "cells": scene.count,
        "classes": len(present),
        "boundaries": len(polylines(segments)),
        "points": count,
    }
    facts = {
        "rule": chosen,
        "count": scene.counted,
        "class_names": [_name(v, classes) for v in present],
    }
    return Picture("decision", drawn, counts, scene.exact, notes=tuple(notes), facts=facts)


def _usual(plane: Plane) -> str:
    """The rule that fits the model's last op and number of outputs."""
    if len(plane.outputs) > 1:
        return "argmax"
    node = plane.graph.nodes[plane.graph.outputs[0][1]]
    while isinstance(node, Apply) and node.op.name in {"reshape", "gather", "slice"}:
        node = plane.graph.nodes[node.args[0]]
    labels = isinstance(node, Apply) and node.op.name in {"argmax", "argmin", "step", "sign"}
    return "value" if labels else "sign"


def _regions(axes: Axes, scene: Scene) -> tuple[list[float], list[Array]]:
    """Fill the regions; the classes that are there, and the boundaries between them."""
    if scene.mosaic is not None:
        mosaic = scene.mosaic
        values = [float(v) for v in mosaic.maps[:, 0, 2]]
        fill(axes, mosaic.polygons, [_fill(v) for v in values], [_hatch(v) for v in values])
        between = [
            edge.segment for edge in mosaic.edges if values[edge.first] != values[edge.second]
        ]
        return sorted(set(values)), between
    raster = scene.raster
    if raster is None:
        return [], []
    values_ = raster.values[:, :, 0]
    present = sorted({float(v) for v in np.unique(values_) if np.isfinite(v)})
    colors = import_module("matplotlib.colors")
    pixels = np.array([colors.to_rgb(_fill(v)) for v in present])
    index = np.searchsorted(present, np.nan_to_num(values_, nan=present[0]))
    image(axes, scene.plane, pixels[index])
    return present, raster.segments[JUMPS]


def _index(value: float) -> int:
    return int(value) if float(value).is_integer() and value >= 0 else int(abs(hash(value)) % 8)


def _fill(value: float) -> str:
    return FILLS[_index(value) % len(FILLS)]


def _hatch(value: float) -> str:
    # a second sign only once the colours repeat
    return HATCHES[(_index(value) // len(FILLS)) % len(HATCHES)]


def _name(value: float, classes: Sequence[str]) -> str:
    if float(value).is_integer() and 0 <= value < len(classes):
        return classes[int(value)]
    return f"class {value:g}"


def _scatter(axes: Axes, data: Points) -> list[object]:
    handles: list[object] = []
    labels = data.labels or ("",) * len(data.places)
    for number, label in enumerate(sorted(set(labels))):
        rows = [index for index, other in enumerate(labels) if other == label]
        style = {
            "marker": DATA_MARKERS[number % len(DATA_MARKERS)],
            "color": FILLS[number % len(FILLS)] if label else "white",
            "markeredgecolor": INK,
            "markeredgewidth": 0.8,
            "markersize": 5,
            "ls": "none",
        }
        axes.plot(*data.places[rows].T, zorder=6, **style)
        handles.append(line_handle(f"data: {label}" if label else "data", **style))
    return handles

"""The gradient field: arrows on top of the pieces, with kinks, jumps and Clarke sets."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.derivative import JacobianSet, jacobian
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import Axes, Picture, figure_axes, label_of, styled
from tamecheck.plots.fan import draw_fans
from tamecheck.plots.paint import (
    boundaries,
    colour_bar,
    display_ratio,
    image,
    legend,
    line_handle,
    notes_below,
    pale,
    prepare,
)
from tamecheck.plots.palette import INK
from tamecheck.plots.plane import Plane
from tamecheck.plots.sample import affordable, cost, gradients, stepwise, values
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of

__all__ = ["draw_field"]

_ARROWS = 17
_PIXELS = 240
_STEADY = 6.0
"""Up to this ratio of the largest to the median length, lengths are proportional."""


def draw_field(
    plane: Plane,
    axes: Axes | None = None,
    *,
    at: Sequence[Sequence[Fraction]] = (),
    streamlines: bool = False,
    limit: int = DEFAULT_CELLS,
) -> Picture:
    """The gradient field of one output element on a plane.

    Parameters
    ----------
    plane
        A function with two coordinates and one output element.
    axes
        Axes to draw on; new ones if None.
    at
        Points where the Clarke set is drawn as a fan of arrows.
    streamlines
        Whether to draw streamlines instead of arrows.
    limit
        The most cells to enumerate.
    """
    scene = scene_of(plane, limit=limit)
    with styled():
        drawn = figure_axes(axes)
        prepare(drawn, plane)
        level, name = _levels(plane, scene)
        smooth = {} if scene.counts["jumps"] else {"interpolation": "bilinear"}
        shown = image(drawn, plane, level, cmap=pale(), **smooth)
        colour_bar(drawn, shown, label_of(name))
        handles = boundaries(drawn, scene)
        draw = _streamlines if streamlines else _arrows
        arrows, zeros, stretched = draw(drawn, plane)
        if arrows:
            handles.append(line_handle("gradient", color=INK, marker=r"$\rightarrow$", ls="none"))
        if zeros:
            handles.append(
                line_handle("zero gradient", color=INK, marker=".", ls="none", markersize=3)
            )
        sets = [_clarke(plane, point) for point in at]
        handles += draw_fans(drawn, plane, list(zip(at, sets, strict=True)))
        legend(drawn, handles)
        notes = list(scene.notes)
        if stretched:
            notes.append("arrow length grows with the square root of the gradient's")
        if display_ratio(plane) == 0.9:
            notes.append("directions are those of steepest ascent on the axes as drawn")
        notes_below(drawn, notes, own=axes is None)
    counts = {**scene.counts, "arrows": arrows, "zeros": zeros, "fans": len(sets)}
    counts["clarke_vertices"] = sum(len(found.raw) for found in sets)
    return Picture(
        "field", drawn, counts, scene.exact, notes=tuple(notes), facts={"count": scene.counted}
    )


def _levels(plane: Plane, scene: Scene) -> tuple[Array, str]:
    """What the colours mean, on a grid of pixels, and its name; nothing is computed twice.

    A softmax of scores that are constant on pieces is often 0 or 1 to all digits, so then it is
    the score that is shown.
    """
    bare, name = scene.bare, plane.outputs[0]
    graph, place = plane.graph, 0
    if bare.dropped and stepwise(graph):
        graph, place, name = bare.graph, bare.place, f"{name} before the last {bare.dropped[0]}"
    if scene.raster is not None and (graph is bare.graph or not bare.dropped):
        return scene.raster.values[:, :, place], name
    side = affordable(graph, least=9, most=_PIXELS)
    return values(graph, plane.lattice(side))[:, place].reshape((side, side)), name


def _clarke(plane: Plane, point: Sequence[Fraction]) -> JacobianSet:
    return jacobian(plane.graph, list(point))


def _displayed(plane: Plane, slopes: Array) -> tuple[Array, Array]:
    """The gradients as offsets on the axes, per unit of displayed length; and their lengths.

    In coordinates in which the axes' box has width 1, a gradient points straight across the level
    lines as they are drawn.
    """
    ratio = display_ratio(plane)
    width, height = (plane.high - plane.low).tolist()
    drawn = slopes * np.array([width, height / ratio])
    lengths = np.hypot(drawn[:, 0], drawn[:, 1])
    return drawn, lengths


def _per_axis(plane: Plane) -> int:
    return int(max(9, min(_ARROWS, (1.2e9 / (3 * cost(plane.graph))) ** 0.5)))


def _arrows(axes: Axes, plane: Plane) -> tuple[int, int, bool]:
    """Arrows on a lattice: how many, how many zero, and whether lengths are square roots."""
    side = _per_axis(plane)
    points = plane.lattice(side)
    slopes = gradients(plane.graph, points)
    known = np.isfinite(slopes).all(axis=1)
    points, slopes = points[known], slopes[known]
    drawn, lengths = _displayed(plane, slopes)
    moving = lengths > 1e-12 * max(float(lengths.max(initial=0.0)), 1e-300)
    axes.plot(*points[~moving].T, ".", color=INK, markersize=1.6, zorder=5)
    stretched = False
    if moving.any():
        points, drawn, lengths = points[moving], drawn[moving], lengths[moving]
        stretched = bool(lengths.max() > _STEADY * np.median(lengths))
        size = np.sqrt(lengths) if stretched else lengths
        size = size / size.max() * 1.05 / side
        ratio = display_ratio(plane)
        width, height = (plane.high - plane.low).tolist()
        offset = drawn / lengths[:, None] * size[:, None] * np.array([width, height / ratio])
        axes.quiver(
            points[:, 0],
            points[:, 1],
            offset[:, 0],
            offset[:, 1],
            angles="xy",
            scale_units="xy",
            scale=1,
            pivot="mid",
            width=0.0034,
            headwidth=4.2,
            headlength=4.6,
            headaxislength=4.0,
            minlength=0.2,
            color=INK,
            zorder=5,
        )
    return int(moving.sum()), int((~moving).sum()), stretched


def _streamlines(axes: Axes, plane: Plane) -> tuple[int, int, bool]:
    """Streamlines; the number of their pieces stands for arrows."""
    side = 2 * _per_axis(plane)
    points = plane.lattice(side)
    slopes = gradients(plane.graph, points)
    drawn, lengths = _displayed(plane, slopes)
    ratio = display_ratio(plane)
    width, height = (plane.high - plane.low).tolist()
    flow = (drawn * np.array([width, height / ratio])).reshape((side, side, 2))
    flow = np.nan_to_num(flow)
    zeros = int((lengths == 0).sum())
    if zeros == len(lengths):
        return 0, zeros, False
    steps = (np.arange(side) + 0.5) / side
    x = plane.low[0] + (plane.high[0] - plane.low[0]) * steps
    y = plane.low[1] + (plane.high[1] - plane.low[1]) * steps
    found: Any = axes.streamplot(
        x,
        y,
        flow[:, :, 0],
        flow[:, :, 1],
        color=INK,
        linewidth=0.6,
        arrowsize=0.7,
        density=1.3,
        zorder=5,
    )
    return len(found.lines.get_segments()), zeros, False

"""The gradient field: arrows on top of the pieces, with kinks, jumps and Clarke sets."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.derivative import JacobianSet, jacobian
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import CLARKE, INK, Axes, Drawing, Picture, drawing, label_of, mpl
from tamecheck.plots.jacobian import vertices_of
from tamecheck.plots.paint import colour_bar, hull_order, image, missing_set, pale, prepare
from tamecheck.plots.plane import Plane
from tamecheck.plots.regions import boundaries
from tamecheck.plots.sample import affordable, cost, gradients, stepwise, values
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of

_ARROWS = 17
_PIXELS = 240
_STEADY = 6.0
"""Up to this ratio of the largest to the median length, lengths are proportional."""

_REACH = 0.17
"""The length of the longest arrow of a Clarke set, as a part of the axes' width."""


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
    with drawing(axes, scene.notes) as drawn:
        prepare(drawn.axes, plane)
        level, name = _levels(plane, scene)
        smooth = {} if scene.counts["jumps"] else {"interpolation": "bilinear"}
        shown = image(drawn.axes, plane, level, cmap=pale(), **smooth)
        colour_bar(drawn.axes, shown, label_of(name))
        boundaries(drawn, scene)
        arrows, zeros, stretched = (_streamlines if streamlines else _arrows)(drawn.axes, plane)
        if arrows:
            drawn.line("gradient", color=INK, marker=r"$\rightarrow$", ls="none")
        if zeros:
            drawn.line("zero gradient", color=INK, marker=".", ls="none", markersize=3)
        sets = [jacobian(plane.graph, list(point)) for point in at]
        _fans(drawn, plane, list(zip(at, sets, strict=True)))
        if stretched:
            drawn.notes.append("arrow length grows with the square root of the gradient's")
        if plane.aspect == 0.9:
            drawn.notes.append("directions are those of steepest ascent on the axes as drawn")
    counts = {**scene.counts, "arrows": arrows, "zeros": zeros, "fans": len(sets)}
    counts["clarke_vertices"] = sum(len(found.raw) for found in sets)
    return drawn.picture("field", counts, exact=scene.exact, facts={"count": scene.counted})


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


def _per_axis(plane: Plane) -> int:
    return int(max(9, min(_ARROWS, (1.2e9 / (3 * cost(plane.graph))) ** 0.5)))


def _arrows(axes: Axes, plane: Plane) -> tuple[int, int, bool]:
    """Arrows on a lattice: how many, how many zero, and whether lengths are square roots."""
    side = _per_axis(plane)
    points = plane.lattice(side)
    slopes = gradients(plane.graph, points)
    known = np.isfinite(slopes).all(axis=1)
    points, shown = points[known], slopes[known] * plane.scale
    lengths = np.hypot(*shown.T)
    moving = lengths > 1e-12 * max(float(lengths.max(initial=0.0)), 1e-300)
    axes.plot(*points[~moving].T, ".", color=INK, markersize=1.6, zorder=5)
    stretched = False
    if moving.any():
        points, shown, lengths = points[moving], shown[moving], lengths[moving]
        stretched = bool(lengths.max() > _STEADY * np.median(lengths))
        size = np.sqrt(lengths) if stretched else lengths
        size = size / size.max() * 1.05 / side
        offset = shown / lengths[:, None] * size[:, None] * plane.scale
        looks: dict[str, Any] = {
            "angles": "xy",
            "scale_units": "xy",
            "scale": 1,
            "pivot": "mid",
            "width": 0.0034,
            "headwidth": 4.2,
            "headlength": 4.6,
            "headaxislength": 4.0,
            "minlength": 0.2,
        }
        axes.quiver(*points.T, *offset.T, color=INK, zorder=5, **looks)
    return int(moving.sum()), int((~moving).sum()), stretched


def _streamlines(axes: Axes, plane: Plane) -> tuple[int, int, bool]:
    """Streamlines; the number of their pieces stands for arrows."""
    side = 2 * _per_axis(plane)
    shown = gradients(plane.graph, plane.lattice(side)) * plane.scale
    zeros = int((np.hypot(*shown.T) == 0).sum())
    if zeros == len(shown):
        return 0, zeros, False
    flow = np.nan_to_num((shown * plane.scale).reshape((side, side, 2)))
    steps = (np.arange(side) + 0.5) / side
    x, y = (plane.low[k] + (plane.high[k] - plane.low[k]) * steps for k in (0, 1))
    looks: dict[str, Any] = {"linewidth": 0.6, "arrowsize": 0.7, "density": 1.3}
    found: Any = axes.streamplot(x, y, flow[:, :, 0], flow[:, :, 1], color=INK, zorder=5, **looks)
    return len(found.lines.get_segments()), zeros, False


def _fans(
    drawn: Drawing, plane: Plane, fans: Sequence[tuple[Sequence[Fraction], JacobianSet]]
) -> None:
    """Clarke sets as fans of arrows at points."""
    axes, scale, size = drawn.axes, plane.scale, plane.high - plane.low
    defined = [vertices_of(found) * scale for _, found in fans if found.defined]
    longest = max((float(np.hypot(*v.T).max()) for v in defined), default=0.0) or 1.0
    for point, found in fans:
        x, y = (float(u) for u in point)
        if not found.defined:
            missing_set(axes, x, y, zorder=9)
            continue
        tips = vertices_of(found) * scale / longest * _REACH * scale + np.array([x, y])
        corners = hull_order(tips)
        if len(corners) > 1:
            looks: dict[str, Any] = {"facecolor": CLARKE, "alpha": 0.3, "edgecolor": CLARKE}
            hull = mpl.patches.Polygon(tips[corners], closed=True, linewidth=1, zorder=7, **looks)
            axes.add_patch(hull)
        for tip in tips:
            if np.hypot(*((tip - (x, y)) / size)) < 1e-9:
                axes.plot(x, y, "o", color=CLARKE, markersize=6, zorder=8)
            else:
                axes.add_patch(_arrow((x, y), tuple(tip)))
        axes.plot(x, y, "o", color="white", markeredgecolor=INK, markersize=4.5, zorder=9)
    if defined:
        few = "of the Clarke set at least" if any(f.at_least for _, f in fans) else "Clarke set"
        drawn.patch(few, facecolor=CLARKE, alpha=0.45)
    if len(defined) < len(fans):
        unknown = any(found.at_least for _, found in fans if not found.defined)
        none = "no Clarke set, or not known" if unknown else "no Clarke set"
        drawn.line(none, marker="X", color=CLARKE, ls="none")


def _arrow(start: tuple[float, float], tip: tuple[float, ...]) -> Any:
    """An arrow with a white rim."""
    looks: dict[str, Any] = {"linewidth": 1.6, "shrinkA": 0, "shrinkB": 0, "zorder": 8}
    style = "-|>,head_width=2.4,head_length=4.5"
    arrow = mpl.patches.FancyArrowPatch(start, tip, arrowstyle=style, color=CLARKE, **looks)
    rim = mpl.patheffects.Stroke(linewidth=3, foreground="white")
    arrow.set_path_effects([rim, mpl.patheffects.Normal()])
    return arrow

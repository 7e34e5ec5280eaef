"""Clarke sets as fans of arrows at points of a plane."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np

from tamecheck.derivative import JacobianSet
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import Axes
from tamecheck.plots.paint import display_ratio, line_handle, patch_handle
from tamecheck.plots.palette import CLARKE, INK
from tamecheck.plots.plane import Plane

__all__ = ["draw_fans", "hull_order", "vertices_of"]

_REACH = 0.17
"""The length of the longest arrow of a fan, as a part of the axes' width."""


def vertices_of(found: JacobianSet) -> Array:
    """The vertices in floats, each flattened into a row."""
    rows = [[float(a) for row in vertex for a in row] for vertex in found.vertices]
    return np.array(rows, dtype=np.float64)


def hull_order(points: Array) -> list[int]:
    """The corners of the convex hull of points in the plane, counter-clockwise."""
    order = np.lexsort((points[:, 1], points[:, 0])).tolist()
    if len(order) < 3:
        return order

    def half(walk: Sequence[int]) -> list[int]:
        kept: list[int] = []
        for index in walk:
            while len(kept) > 1:
                (ax, ay), (bx, by) = points[kept[-2]], points[kept[-1]]
                cx, cy = points[index]
                if (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) > 0:
                    break
                kept.pop()
            kept.append(index)
        return kept[:-1]

    return half(order) + half(order[::-1])


def draw_fans(
    axes: Axes, plane: Plane, fans: Sequence[tuple[Sequence[Fraction], JacobianSet]]
) -> list[Any]:
    """Draw the sets; the legend's handles."""
    patches = import_module("matplotlib.patches")
    effects = import_module("matplotlib.patheffects")
    ratio = display_ratio(plane)
    width, height = (plane.high - plane.low).tolist()
    scale = np.array([width, height / ratio])
    defined = [vertices_of(found) * scale for _, found in fans if found.defined]
    longest = max((float(np.hypot(*v.T).max()) for v in defined), default=0.0) or 1.0
    missing = False
    for point, found in fans:
        x, y = (float(u) for u in point)
        if not found.defined:
            axes.plot(x, y, "X", color=CLARKE, markeredgecolor="white", markersize=8, zorder=9)
            missing = True
            continue
        tips = vertices_of(found) * scale / longest * _REACH * scale + np.array([x, y])
        corners = hull_order(tips)
        if len(corners) > 1:
            axes.add_patch(
                patches.Polygon(
                    tips[corners],
                    closed=True,
                    facecolor=CLARKE,
                    alpha=0.3,
                    edgecolor=CLARKE,
                    linewidth=1,
                    zorder=7,
                )
            )
        for tip in tips:
            if np.hypot(*((tip - (x, y)) / (width, height))) < 1e-9:
                axes.plot(x, y, "o", color=CLARKE, markersize=6, zorder=8)
                continue
            arrow = patches.FancyArrowPatch(
                (x, y),
                tuple(tip),
                arrowstyle="-|>,head_width=2.4,head_length=4.5",
                color=CLARKE,
                linewidth=1.6,
                shrinkA=0,
                shrinkB=0,
                zorder=8,
            )
            arrow.set_path_effects(
                [effects.Stroke(linewidth=3, foreground="white"), effects.Normal()]
            )
            axes.add_patch(arrow)
        axes.plot(x, y, "o", color="white", markeredgecolor=INK, markersize=4.5, zorder=9)
    handles: list[Any] = []
    if defined:
        few = "of the Clarke set at least" if any(f.at_least for _, f in fans) else "Clarke set"
        handles.append(patch_handle(few, facecolor=CLARKE, alpha=0.45))
    if missing:
        unknown = any(found.at_least for _, found in fans if not found.defined)
        none = "no Clarke set, or not known" if unknown else "no Clarke set"
        handles.append(line_handle(none, marker="X", color=CLARKE, ls="none"))
    return handles

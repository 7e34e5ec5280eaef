"""Marks that several kinds of figure share: cells, lines, images, hulls, points without a set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import CLARKE, INK, Axes, Drawing, mpl
from tamecheck.plots.plane import Plane

REPEAT = "colours repeat: only cells that touch are told apart by them"

_SHADES = 96
"""As many as are told apart; fewer make smaller files."""

_SEQUENTIAL = "cividis"
"""A colour map whose lightness grows evenly."""

_POLE_SPREAD, _SPREAD = 1.5, 20.0
"""How far values beyond a percentile reach, compared with those between two, to be cut off."""


def prepare(axes: Axes, plane: Plane) -> None:
    """Limits, labels and aspect of axes on which a plane is drawn."""
    (x0, y0), (x1, y1) = plane.low.tolist(), plane.high.tolist()
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)
    axes.set_box_aspect(plane.aspect)
    axes.set_xlabel(plane.labels[0])
    axes.set_ylabel(plane.labels[1])
    axes.tick_params(length=3)
    # their labels stay apart where the figure is reduced to a column
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(6))
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(7))


def pale(share: float = 0.5) -> Any:
    """A colour map mixed with white, on which black marks are legible."""
    shades = mpl.colormaps[_SEQUENTIAL](np.linspace(0.08, 1, _SHADES))
    shades[:, :3] = share * shades[:, :3] + (1 - share)
    return mpl.colors.ListedColormap(shades, name=f"pale {_SEQUENTIAL}")


def thin(count: int) -> float:
    """The width of lines, thinner where there are many."""
    return float(np.clip(0.9 * (60 / max(count, 1)) ** 0.35, 0.12, 0.9))


def lines(axes: Axes, paths: Sequence[Array], colour: str, **options: Any) -> None:
    """Draw paths."""
    axes.add_collection(mpl.collections.LineCollection(paths, colors=colour, **options))


def fill(
    axes: Axes, polygons: Sequence[Array], colours: Sequence[Any], hatches: Sequence[str] = ()
) -> None:
    """Draw polygons in their colours, without gaps between them; hatched in groups."""

    def add(parts: list[Array], **options: Any) -> None:
        axes.add_collection(mpl.collections.PolyCollection(parts, **options))

    whole: Any = {"facecolors": list(colours), "edgecolors": "face", "linewidths": 0.3}
    add(list(polygons), zorder=1, **whole)
    hatched: Any = {"facecolors": "none", "edgecolors": "#00000040", "linewidths": 0}
    for hatch in sorted({h for h in hatches if h}):
        part = [p for p, h in zip(polygons, hatches, strict=True) if h == hatch]
        add(part, hatch=hatch, zorder=1.5, **hatched)


def image(axes: Axes, plane: Plane, pixels: Array, **options: Any) -> Any:
    """Draw an image whose rows go up."""
    (x0, y0), (x1, y1) = plane.low.tolist(), plane.high.tolist()
    options = {"interpolation": "nearest", "aspect": "auto", "zorder": 0.5, **options}
    return axes.imshow(pixels, origin="lower", extent=(x0, x1, y0, y1), **options)


def usual_range(level: Array, *, poles: bool, cut: int = 2) -> tuple[float, float] | None:
    """All values, or up to the percentiles ``cut`` and ``100 - cut`` where more would hide these.

    As near a pole; None if all values can be shown.
    """
    known = level[np.isfinite(level)]
    if not known.size:
        return None
    low, high = np.percentile(known, (cut, 100 - cut)).tolist()
    least, most = float(known.min()), float(known.max())
    room = (_POLE_SPREAD if poles else _SPREAD) * (high - low)
    if not 0 < room < max(low - least, most - high):
        return None
    return low if low - least > room else least, high if most - high > room else most


def show_values(drawn: Drawing, plane: Plane, level: Array, name: str, **options: Any) -> None:
    """An image of values with the scale of its colours; ``poles`` says that there are some."""
    limits = usual_range(level, poles=options.pop("poles"))
    ends = {(True, True): "both", (True, False): "min", (False, True): "max"}
    extend = "neither"
    if limits is not None:
        options |= {"vmin": limits[0], "vmax": limits[1]}
        extend = ends[bool(limits[0] > np.nanmin(level)), bool(limits[1] < np.nanmax(level))]
        drawn.notes.append("colours end at the 2nd or the 98th percentile")
    shown = image(drawn.axes, plane, level, **options)
    colour_bar(drawn.axes, shown, name, extend=extend)


def colour_bar(axes: Axes, mappable: Any, label: str, *, extend: str = "neither") -> None:
    """The scale of the colours, beside the axes, with room beneath."""
    looks: Any = {"pad": 0.02, "shrink": 0.82, "aspect": 26, "anchor": (0.0, 1.0)}
    bar = axes.figure.colorbar(mappable, ax=axes, extend=extend, **looks)
    bar.set_label(label)
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(length=2, labelsize=7)


def missing_set(axes: Axes, x: float, y: float, zorder: float = 6) -> None:
    """A cross at a point that has no Clarke set."""
    options: Any = {"color": CLARKE, "markeredgecolor": "white", "markersize": 8}
    axes.plot(x, y, "X", zorder=zorder, **options)


def vertices(axes: Axes, places: Array, colours: Sequence[str]) -> None:
    """Draw the vertices of a graph, smaller where there are many."""
    size = float(np.clip(260 / max(len(places), 1), 3, 34))
    axes.scatter(*places.T, s=size, c=list(colours), edgecolors=INK, linewidths=0.5, zorder=4)


def graph_colouring(count: int, pairs: Sequence[tuple[int, int]], colours: int) -> list[int]:
    """A number below ``colours`` for each vertex, different at the ends of an edge if possible.

    Greedy by falling degree; among the free numbers the one that is used least so far, so that
    all of them appear.  Planar graphs rarely need more than 5; where none is free, the number
    that fewest neighbours have is taken.
    """
    near: list[set[int]] = [set() for _ in range(count)]
    for first, second in pairs:
        if first != second:
            near[first].add(second)
            near[second].add(first)
    chosen = [-1] * count
    used = [0] * colours
    for vertex in sorted(range(count), key=lambda v: (-len(near[v]), v)):
        taken = [0] * colours
        for other in near[vertex]:
            if chosen[other] >= 0:
                taken[chosen[other]] += 1
        best = min(range(colours), key=lambda c: (taken[c], used[c], c))
        chosen[vertex] = best
        used[best] += 1
    return chosen


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

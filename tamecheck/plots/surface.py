"""The graph of a function of two variables, in space."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import INK, JUMP, KINK, Axes, Drawing, Picture, drawing, label_of, mpl
from tamecheck.plots.mosaic import JUMPS, KINKS, Mosaic
from tamecheck.plots.paint import pale, usual_range
from tamecheck.plots.plane import Plane
from tamecheck.plots.sample import affordable, values
from tamecheck.plots.scene import DEFAULT_CELLS, scene_of

_GRID = 110
_LIGHT = np.array([-0.6, 0.3, 0.74])


def draw_surface(plane: Plane, axes: Axes | None = None, *, limit: int = DEFAULT_CELLS) -> Picture:
    """The surface over a plane: exact polygons where the function is piecewise linear.

    Parameters
    ----------
    plane
        A function with two coordinates and one output element.
    axes
        Axes with ``projection="3d"``; new ones if None.
    limit
        The most cells to enumerate.
    """
    from mpl_toolkits.mplot3d import art3d

    art: Any = art3d
    scene = scene_of(plane, limit=limit)
    mosaic = scene.mosaic
    flat = mosaic is not None and mosaic.maps.shape[1] == 1 and not scene.notes
    notes = scene.notes if flat else (*scene.notes, "heights from a grid of points")
    with drawing(axes, notes, projection="3d", width=5.6, height=4.8) as figure:
        drawn, walls = figure.axes, 0
        if flat and mosaic is not None:
            low, high, walls = _polygons(figure, art, mosaic, plane.high - plane.low)
        else:
            low, high = _grid(figure, plane, poles=scene.counts["poles"] > 0)
        (x0, y0), (x1, y1) = plane.low.tolist(), plane.high.tolist()
        drawn.set_xlim(x0, x1)
        drawn.set_ylim(y0, y1)
        room = 0.05 * (high - low) or 1.0
        drawn.set_zlim(low - room, high + room)
        drawn.set_xlabel(plane.labels[0])
        drawn.set_ylabel(plane.labels[1])
        drawn.set_zlabel(label_of(plane.outputs[0]))
        drawn.set_box_aspect((1, 1, 0.7))
        drawn.view_init(elev=28, azim=-58)
        for axis in (drawn.xaxis, drawn.yaxis, drawn.zaxis):
            axis.pane.set_facecolor("white")
            axis.pane.set_edgecolor("#cccccc")
            # labels of two axes meet at the corners: few of them, and none there
            axis.set_major_locator(mpl.ticker.MaxNLocator(5, prune="both"))
    counts = {**scene.counts, "walls": walls}
    return figure.picture("surface", counts, exact=flat, facts={"count": scene.counted})


def _polygons(figure: Drawing, art: Any, mosaic: Mosaic, span: Array) -> tuple[float, float, int]:
    axes = figure.axes
    heights = [mosaic.heights(cell, points) for cell, points in enumerate(mosaic.polygons)]
    means = np.array([height.mean() for height in heights])
    low = min(float(height.min()) for height in heights)
    high = max(float(height.max()) for height in heights)
    colours = pale(share=0.85)((means - low) / ((high - low) or 1.0))
    # steep to the light is darker, which tells neighbours of one height apart
    steep = mosaic.maps[:, 0, :2] * span / ((high - low) or 1.0)
    normals = np.column_stack([-steep, np.ones(len(steep))])
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    colours[:, :3] *= (0.82 + 0.18 * normals @ _LIGHT)[:, None]
    corners = [np.column_stack(pair) for pair in zip(mosaic.polygons, heights, strict=True)]
    filled: Any = {"facecolors": colours, "edgecolors": colours, "linewidths": 0.2}
    axes.add_collection3d(art.Poly3DCollection(corners, **filled))
    paths: dict[str, list[Any]] = {KINKS: [], JUMPS: []}
    walls: list[Array] = []
    for edge in mosaic.edges:
        if edge.kind not in paths:
            continue
        one, two = (
            np.column_stack([edge.segment, mosaic.heights(cell, edge.segment)])
            for cell in (edge.first, edge.second)
        )
        paths[edge.kind] += [one] if edge.kind == KINKS else [one, two]
        if edge.kind == JUMPS:
            walls.append(np.vstack([one, two[::-1]]))
    if paths[KINKS]:
        axes.add_collection3d(art.Line3DCollection(paths[KINKS], colors=KINK, linewidths=0.8))
        figure.line("kink", color=KINK, linewidth=0.8)
    if walls:
        faint: Any = {"facecolors": JUMP, "alpha": 0.12, "edgecolors": "none"}
        axes.add_collection3d(art.Poly3DCollection(walls, **faint))
        dashed: Any = {"colors": JUMP, "linewidths": 1.1, "linestyles": "--"}
        axes.add_collection3d(art.Line3DCollection(paths[JUMPS], **dashed))
        figure.line("jump", color=JUMP, linewidth=1.1, linestyle="--")
    return low, high, len(walls)


def _grid(figure: Drawing, plane: Plane, *, poles: bool) -> tuple[float, float]:
    axes = figure.axes
    side = affordable(plane.graph, least=24, most=_GRID)
    points = plane.lattice(side)
    height = values(plane.graph, points)[:, 0].reshape((side, side))
    x, y = (points[:, axis].reshape((side, side)) for axis in (0, 1))
    looks: Any = {"rcount": side, "ccount": side, "linewidth": 0, "antialiased": True}
    limits = usual_range(height, poles=poles)
    if limits is not None:
        # what is beyond is cut off
        low, high = limits
        figure.notes.append("heights beyond the 2nd or the 98th percentile are cut off")
        height = np.where((height < low) | (height > high), np.nan, height)
    if not np.isfinite(height).any():
        return 0.0, 1.0
    axes.plot_surface(x, y, height, cmap=pale(share=0.85), **looks)
    axes.contour(x, y, height, levels=12, colors=INK, linewidths=0.35)
    return float(np.nanmin(height)), float(np.nanmax(height))

"""The gradient field: arrows on top of the pieces, with kinks, jumps and Clarke sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.derivative import JacobianSet, jacobian
from tamecheck.ir.tensor import Array
from tamecheck.plots import canvas
from tamecheck.plots.canvas import Axes, Drawing, Picture, drawing, label_of, mpl
from tamecheck.plots.jacobian import projected
from tamecheck.plots.mosaic import FLAT
from tamecheck.plots.paint import hull_order, missing_set, pale, prepare, show_values
from tamecheck.plots.plane import Plane
from tamecheck.plots.regions import boundaries
from tamecheck.plots.sample import affordable, cost, gradients, sample, stepwise, values
from tamecheck.plots.scene import BOUNDARIES, DEFAULT_CELLS, Scene, scene_of

_ARROWS = 16
_SPACING = 0.7
"""The longest arrow, as a part of the distance of two."""

_PIXELS = 240
_STEADY = 6.0
"""Up to this ratio of the largest to the median length, lengths are proportional."""

_STEEP = 5.0
"""From this ratio of the largest length to that of nine in ten arrows on, the longest are cut."""

_QUIVER: Mapping[str, Any] = {
    "angles": "xy",
    "scale_units": "xy",
    "scale": 1,
    "width": 0.0034,
    "headwidth": 4.2,
    "headlength": 4.6,
    "headaxislength": 4.0,
    "minlength": 0.2,
    "zorder": 5,
}

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
    plane, axes
        A function with two coordinates and one output element, and the axes to draw on; new
        ones if None.
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
        show_levels(drawn, plane, scene)
        boundaries(drawn, scene)
        counts = {**scene.counts, **arrows_on(drawn, plane, scene, streamlines=streamlines)}
        sets = [jacobian(plane.graph, list(point)) for point in at]
        _fans(drawn, plane, list(zip(at, sets, strict=True)))
    counts["fans"] = len(sets)
    counts["clarke_vertices"] = sum(len(found.raw) for found in sets)
    return drawn.picture("field", counts, exact=scene.exact, facts={"count": scene.counted})


def show_levels(drawn: Drawing, plane: Plane, scene: Scene) -> None:
    """Colours for values, cut off at percentiles where there are poles."""
    level, name = _levels(plane, scene)
    smooth = {} if scene.counts["jumps"] or scene.counts["poles"] else {"interpolation": "none"}
    poles = scene.counts["poles"] > 0
    show_values(drawn, plane, level, label_of(name), cmap=pale(), poles=poles, **smooth)


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
        step = max(1, scene.raster.side // _PIXELS)
        return scene.raster.values[::step, ::step, place], name
    side = affordable(graph, least=9, most=_PIXELS)
    return values(graph, plane.lattice(side))[:, place].reshape((side, side)), name


def _per_axis(plane: Plane) -> tuple[int, int]:
    """Numbers of arrows along the axes at equal distances; even, since kinks like the middle."""
    most = max(8, min(_ARROWS, (1.2e9 / (3 * cost(plane.graph))) ** 0.5))
    across, up = (2 * round(most * min(1.0, part) / 2) for part in (1 / plane.aspect, plane.aspect))
    return max(across, 2), max(up, 2)


def arrows_on(
    drawn: Drawing, plane: Plane, scene: Scene, *, streamlines: bool = False, descent: bool = False
) -> dict[str, int]:
    """Draw the gradient as arrows or streamlines, or the other way; how many there are.

    An arrow is drawn where all of it is in one piece and in the domain: at a point of a lattice by
    its middle, else by its tail or by its tip, else not.
    """
    sides = _per_axis(plane)
    points = plane.lattice(*sides)
    slopes = gradients(plane.graph, points)
    known = np.isfinite(slopes).all(axis=1)
    points, shown = points[known], slopes[known] * plane.scale * (-1 if descent else 1)
    lengths = np.hypot(*shown.T)
    walls = Walls.of(plane, scene)
    still = lengths <= 1e-12 * max(float(lengths.max(initial=0.0)), 1e-300)
    dots = points[still][walls.clear(points[still], points[still])]
    drawn.axes.plot(*dots.T, ".", color=canvas.INK, markersize=1.6, zorder=5)
    if len(dots):
        drawn.line("zero gradient", color=canvas.INK, marker=".", ls="none", markersize=3)
    counts = {"arrows": 0, "zeros": len(dots), "left_out": len(lengths) - int(still.sum())}
    if still.all():
        pass
    elif streamlines:
        counts["arrows"], counts["left_out"] = _streamlines(drawn.axes, plane, walls, sides), 0
    else:
        moving = _Arrows.of(points[~still], shown[~still], lengths[~still])
        ink = canvas.MUTED if descent else canvas.INK
        counts["arrows"] = _draw_arrows(drawn, plane, walls, moving, ink)
        counts["left_out"] -= counts["arrows"]
    if counts["arrows"]:
        name, ink = ("steepest descent", canvas.MUTED) if descent else ("gradient", canvas.INK)
        drawn.line(name, color=ink, marker=r"$\rightarrow$", ls="none")
    if not plane.to_scale:
        drawn.notes.append(
            "directions are those of steepest ascent on the axes as drawn, and lengths count the "
            "rise per width of the figure"
        )
    return counts


@dataclass(frozen=True, slots=True, eq=False)
class _Arrows:
    """Gradients in coordinates in which the axes' box has width 1, and how long they are drawn.

    ``top`` is the gradient of an arrow of the full length; ``root`` says that lengths are square
    roots, ``cut`` how many arrows are no longer than the full length though their gradient is.
    """

    points: Array
    directions: Array
    lengths: Array
    top: float
    root: bool
    cut: int

    @classmethod
    def of(cls, points: Array, shown: Array, lengths: Array) -> _Arrows:
        """Arrows for gradients that are not 0."""
        top = float(lengths.max())
        root = top > _STEADY * float(np.median(lengths))
        usual = float(np.quantile(lengths, 0.9))
        top = usual if top > _STEEP * usual else top
        cut = int((lengths > top).sum())
        return cls(points, shown / lengths[:, None], lengths, top, root, cut)

    def length(self, gradient: Any) -> Any:
        """The length of an arrow as a part of the longest."""
        part = np.minimum(gradient / self.top, 1.0)
        return np.sqrt(part) if self.root else part


def _draw_arrows(drawn: Drawing, plane: Plane, walls: Walls, arrows: _Arrows, ink: str) -> int:
    longest = _SPACING / max(_per_axis(plane))
    size = longest * arrows.length(arrows.lengths)
    offset = arrows.directions * size[:, None] * plane.scale
    tails = np.full(arrows.points.shape, np.nan)
    for part in (0.5, 0.0, 1.0):
        open_ = np.flatnonzero(np.isnan(tails[:, 0]))
        start = arrows.points[open_] - part * offset[open_]
        free = walls.clear(start, start + offset[open_])
        tails[open_[free]] = start[free]
    kept = ~np.isnan(tails[:, 0])
    if not kept.any():
        return 0
    shown: Any = drawn.axes.quiver(
        *tails[kept].T, *offset[kept].T, color=ink, pivot="tail", **_QUIVER
    )
    # how long an arrow is, beneath the scale of the colours
    unit = float(plane.scale[0]) if plane.to_scale else 1.0
    value = round_below(arrows.top / unit)
    key = float(longest * arrows.length(value * unit) * plane.scale[0])
    text = f"{'|∇|' if plane.to_scale else 'rise'} = {value:g}"
    looks: Any = {"labelpos": "S", "labelsep": 0.07, "fontproperties": {"size": 8}}
    drawn.axes.quiverkey(shown, 1.1, 0.075, key, text, coordinates="axes", color=ink, **looks)
    if arrows.root:
        drawn.notes.append("arrow length grows with the square root of the gradient's")
    if arrows.cut:
        drawn.notes.append(f"{arrows.cut} arrows near poles or cliffs are cut to the full length")
    return int(kept.sum())


def round_below(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is no larger."""
    power = 10.0 ** math.floor(math.log10(value))
    return max((k * power for k in (1, 2, 5) if k * power <= value * (1 + 1e-9)), default=value)


def _streamlines(axes: Axes, plane: Plane, walls: Walls, sides: tuple[int, int]) -> int:
    """Streamlines inside the domain, with heads inside pieces; the number of heads."""
    across, up = (2 * side for side in sides)
    shown = gradients(plane.graph, plane.lattice(across, up)) * plane.scale
    flow = np.ma.masked_invalid((shown * plane.scale).reshape((up, across, 2)))
    grids = ((np.arange(count) + 0.5) / count for count in (across, up))
    size = plane.high - plane.low
    x, y = (plane.low[k] + size[k] * steps for k, steps in enumerate(grids))
    looks: dict[str, Any] = {"linewidth": 0.6, "arrowstyle": "-", "density": 1.3, "zorder": 5}
    found: Any = axes.streamplot(x, y, flow[:, :, 0], flow[:, :, 1], color=canvas.INK, **looks)
    steps = np.array(found.lines.get_segments()).reshape((-1, 2, 2))
    ahead = (steps[:, 1] - steps[:, 0]) / plane.scale
    length = np.hypot(*ahead.T)
    kept = np.flatnonzero(length > 0)[12::30]
    if not len(kept):
        return 0
    heads = ahead[kept] / length[kept, None] * 0.012 * plane.scale
    start = steps[kept, 0]
    free = walls.clear(start, start + heads)
    if free.any():
        axes.quiver(*start[free].T, *heads[free].T, color=canvas.INK, pivot="tail", **_QUIVER)
    return int(free.sum())


def _fans(
    drawn: Drawing, plane: Plane, fans: Sequence[tuple[Sequence[Fraction], JacobianSet]]
) -> None:
    """Clarke sets as fans of arrows at points."""
    axes, scale, size = drawn.axes, plane.scale, plane.high - plane.low
    defined = [projected(found, (0, 1)) * scale for _, found in fans if found.defined]
    longest = max((float(np.hypot(*v.T).max()) for v in defined), default=0.0) or 1.0
    for point, found in fans:
        x, y = (float(u) for u in point)
        if not found.defined:
            missing_set(axes, x, y, zorder=9)
            continue
        tips = projected(found, (0, 1)) * scale / longest * _REACH * scale + np.array([x, y])
        corners = hull_order(tips)
        if len(corners) > 1:
            looks: dict[str, Any] = {
                "facecolor": canvas.CLARKE,
                "alpha": 0.3,
                "edgecolor": canvas.CLARKE,
            }
            hull = mpl.patches.Polygon(tips[corners], closed=True, linewidth=1, zorder=7, **looks)
            axes.add_patch(hull)
        # a set that is no polytope has no arrows that make it
        for tip in tips if found.listed or found.base is not None else ():
            if np.hypot(*((tip - (x, y)) / size)) < 1e-9:
                axes.plot(x, y, "o", color=canvas.CLARKE, markersize=6, zorder=8)
            else:
                axes.add_patch(_arrow((x, y), tuple(tip)))
        axes.plot(x, y, "o", color="white", markeredgecolor=canvas.INK, markersize=4.5, zorder=9)
    if defined:
        few = "of the Clarke set at least" if any(f.at_least for _, f in fans) else "Clarke set"
        drawn.patch(few, facecolor=canvas.CLARKE, alpha=0.45)
    if len(defined) < len(fans):
        unknown = any(found.at_least for _, found in fans if not found.defined)
        none = "no Clarke set, or not known" if unknown else "no Clarke set"
        drawn.line(none, marker="X", color=canvas.CLARKE, ls="none")


def _arrow(start: tuple[float, float], tip: tuple[float, ...]) -> Any:
    """An arrow with a white rim."""
    looks: dict[str, Any] = {"linewidth": 1.6, "shrinkA": 0, "shrinkB": 0, "zorder": 8}
    style = "-|>,head_width=2.4,head_length=4.5"
    arrow = mpl.patches.FancyArrowPatch(start, tip, arrowstyle=style, color=canvas.CLARKE, **looks)
    rim = mpl.patheffects.Stroke(linewidth=3, foreground="white")
    arrow.set_path_effects([rim, mpl.patheffects.Normal()])
    return arrow


_MARGIN = 0.009
"""Half the width of an arrow's head, as a part of the width of the axes."""

_ALONG = np.linspace(0, 1, 9)


@dataclass(frozen=True, slots=True, eq=False)
class Walls:
    """The boundaries as segments in coordinates in which the axes' box has width 1.

    ``known`` says that they are all there to a fraction of a pixel; if not, patterns are compared.
    """

    plane: Plane
    segments: Array
    known: bool

    @classmethod
    def of(cls, plane: Plane, scene: Scene) -> Walls:
        """The kinks, jumps, poles and edges of the domain of a scene."""
        found = [part for kind in BOUNDARIES if kind != FLAT for part in scene.segments(kind)]
        # a pole at a point is a segment of no length
        found += [np.array([point, point]) for point in scene.poles]
        segments = np.array(found).reshape((-1, 2, 2)) / plane.scale
        raster = scene.raster
        return cls(plane, segments, raster is None or (raster.traced and raster.sharp))

    def clear(self, starts: Array, stops: Array) -> Array:
        """Which of some arrows are in one piece, in the domain and in the figure."""
        plane = self.plane
        ends = np.stack([starts, stops], axis=1)
        free = np.asarray(((ends >= plane.low) & (ends <= plane.high)).all(axis=(1, 2)))
        free[free] = self._inside(ends[free])
        for row in np.flatnonzero(free).tolist():
            free[row] = not _near(ends[row] / plane.scale, self.segments)
        return free

    def _inside(self, ends: Array) -> Array:
        """Which arrows have values all along, and the pattern of their start if need be."""
        if not len(ends):
            return np.zeros(0, dtype=bool)
        along = ends[:, None, 0] + (ends[:, 1] - ends[:, 0])[:, None] * _ALONG[:, None]
        seen = sample(self.plane.graph, along.reshape((-1, 2)))
        shape = len(ends), len(_ALONG)
        patterns = seen.patterns if not self.known else seen.domains
        alike = patterns.reshape(shape) == patterns.reshape(shape)[:, :1]
        return (alike & ~seen.outside.reshape(shape)).all(axis=1)


def _near(arrow: Array, segments: Array) -> bool:
    """Whether an arrow comes nearer to a segment than half its head's width."""
    low, high = arrow.min(axis=0) - _MARGIN, arrow.max(axis=0) + _MARGIN
    around = (segments.max(axis=1) >= low) & (segments.min(axis=1) <= high)
    near = segments[around.all(axis=1)]
    if not len(near):
        return False
    a, b = np.broadcast_to(arrow[0], near[:, 0].shape), np.broadcast_to(arrow[1], near[:, 1].shape)
    p, q = near[:, 0], near[:, 1]
    crossed = (_side(a, b, p) * _side(a, b, q) < 0) & (_side(p, q, a) * _side(p, q, b) < 0)
    ways = ((a, p, q), (b, p, q), (p, a, b), (q, a, b))
    return bool(crossed.any() or min(_distance(*way).min() for way in ways) < _MARGIN)


def _side(start: Array, stop: Array, point: Array) -> Array:
    """On which side of lines points are, as the sign of a number."""
    along, away = stop - start, point - start
    return along[:, 0] * away[:, 1] - along[:, 1] * away[:, 0]


def _distance(point: Array, start: Array, stop: Array) -> Array:
    """The distance of points from segments."""
    along, away = stop - start, point - start
    square = (along**2).sum(axis=1)
    part = np.clip((along * away).sum(axis=1) / np.where(square > 0, square, 1), 0, 1)
    return np.hypot(*(away - part[:, None] * along).T)

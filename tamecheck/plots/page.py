"""A figure as a page: pointing at a cell shows its map, at a point or a kink its Clarke set.

One HTML file without requests.  The figure is an image; over it lie shapes that say nothing until
they are pointed at; what they say was computed before and stands in the page as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from typing import Any

import numpy as np
from flint import arb

from tamecheck.cells import Cell, cells
from tamecheck.derivative import JacobianSet, jacobian
from tamecheck.derivative.result import Entry
from tamecheck.errors import InputError, TamecheckError, visible
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.ir.tensor import Array
from tamecheck.plots.canvas import Picture, rendered
from tamecheck.plots.descent import Point, inner_corners
from tamecheck.plots.jacobian import projected
from tamecheck.plots.page_style import SCRIPT, STYLE
from tamecheck.plots.paint import hull_order
from tamecheck.plots.plane import Plane, output_names
from tamecheck.plots.sample import gradients, values
from tamecheck.plots.scene import DEFAULT_CELLS, Scene, scene_of

KINDS = ("field", "cells", "decision", "descent")
"""The kinds of figures of which there are pages."""

_MOST_CELLS, _MOST_SETS = 4_000, 150
_SECONDS = 20.0
_MOST_ROWS, _MOST_BYTES = 12, 700_000
_SIDE, _LONG, _NAME = 56, 24, 40


@dataclass(frozen=True, slots=True)
class _Shape:
    """What can be pointed at: its kind, its corners in data coordinates, and what it says."""

    kind: str
    corners: Array
    title: str
    lines: Sequence[str]
    hull: Sequence[Sequence[float]] = ()


def interactive_page(  # noqa: PLR0913 - what the page says besides the figure
    picture: Picture,
    plane: Plane,
    *,
    title: str,
    output: int = 0,
    at: Sequence[Point] = (),
    limit: int = DEFAULT_CELLS,
    seconds: float = _SECONDS,
) -> str:
    """The HTML document of a figure.

    Raises `InputError` if there is no page of this kind of figure.

    Parameters
    ----------
    picture
        The figure of a function of one or two coordinates.
    plane
        The function.
    title
        The heading.
    output
        The output element whose Clarke sets are shown.
    at
        Points whose sets are shown in any case.
    limit, seconds
        The most cells to enumerate, and the time for sets of Jacobians.
    """
    if picture.kind not in KINDS:
        raise InputError(
            f"There is no page of a {picture.kind} figure.",
            hint=f"There are pages of {', '.join(KINDS)}.",
        )
    axes, figure = picture.axes, picture.axes.figure
    svg = rendered(figure, ".svg")
    small = len(svg) <= _MOST_BYTES
    image = svg if small else rendered(figure, ".png", dpi=150)
    kind = "svg+xml" if small else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
    width, height = (72 * float(side) for side in figure.get_size_inches())
    found, notes, grid = _shapes(plane, output, at, limit, time.monotonic() + seconds)
    place = _Places(axes, height)
    drawn = "".join(place.element(number, shape) for number, shape in enumerate(found))
    data: dict[str, Any] = {
        "shapes": [
            {"title": visible(s.title), "lines": list(map(visible, s.lines)), "hull": s.hull}
            for s in found
        ],
        "axes": [visible(name) for name in plane.chart.names],
        "grid": None if grid is None else {**grid, "box": place.box(plane)},
    }
    told = [picture.counted, *picture.notes, *notes]
    caption = "; ".join(visible(part) for part in told if part)
    return _document(title, caption, (width, height), source, drawn, data)


def _document(  # noqa: PLR0913, PLR0917 - the parts of the page
    title: str,
    caption: str,
    size: tuple[float, float],
    source: str,
    drawn: str,
    data: Mapping[str, Any],
) -> str:
    # in a script element nothing but its end tag is special
    stored = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        stored = stored.replace(sign, f"\\u{ord(sign):04x}")
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    width, height = size
    name = escape(visible(title))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="tamecheck">
<link rel="icon" href="data:,">
<title>{name}</title><style>{STYLE}</style></head>
<body><main><h1>{name}</h1><div class="layout"><figure><div class="stage">
<img src="{source}" alt="{name}" width="{width:.0f}" height="{height:.0f}">
<svg id="over" viewBox="0 0 {width:.2f} {height:.2f}" tabindex="-1" role="group"
aria-label="cells and points">{drawn}</svg></div>
<figcaption>{escape(caption)}</figcaption></figure>
<aside id="panel" aria-live="polite"><h2>Point at the figure</h2>
<p>A cell shows its map; a ring or a boundary shows its Clarke set. A click keeps what is shown,
another one lets go. The Tab key goes from ring to ring.</p></aside></div></main>
<noscript><p>Pointing at cells needs scripts.</p></noscript>
<script type="application/json" id="data">{stored}</script>
<script>{SCRIPT}</script></body></html>
"""


class _Places:
    """From data coordinates to those of the image, in points from above."""

    def __init__(self, axes: Any, height: float) -> None:
        self._axes = axes
        self._height = height
        self._scale = 72 / axes.figure.dpi

    def __call__(self, points: Array) -> Array:
        """Points of the image."""
        axes = self._axes
        if points.shape[1] == 1:
            low, high = axes.get_ylim()
            ends = (low, high) if len(points) > 1 else ((low + high) / 2,)
            points = np.array([[x, y] for (x,) in points.tolist() for y in ends])
            # around a strip
            points = points[[0, 1, 3, 2]] if len(points) == 4 else points
        found = axes.transData.transform(points) * self._scale
        found[:, 1] = self._height - found[:, 1]
        return found

    def box(self, plane: Plane) -> list[float]:
        """The axes in the image: left, top, right, bottom."""
        corners = self(np.array([plane.low, plane.high]))
        edges = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
        return [round(edge, 2) for edge in edges]

    def element(self, number: int, shape: _Shape) -> str:
        """A shape as an element that says its number."""
        points = self(shape.corners)
        own = f'class="{shape.kind}" data-n="{number}"'
        if shape.kind == "point":
            (x, y), *_ = points.tolist()
            label = escape(visible(shape.title), quote=True)
            also = f'tabindex="0" role="button" aria-label="{label}"'
            return f'<circle {own} {also} cx="{x:.2f}" cy="{y:.2f}" r="4.5"/>'
        text = " ".join(f"{x:.2f},{y:.2f}" for x, y in points.tolist())
        name = "polygon" if shape.kind == "cell" else "polyline"
        return f'<{name} {own} points="{text}"/>'


def _shapes(
    plane: Plane, output: int, at: Sequence[Point], limit: int, deadline: float
) -> tuple[list[_Shape], list[str], Mapping[str, Any] | None]:
    """Cells, then boundaries, then points; what is missing; a grid where there are no cells."""
    one = plane.only(output)
    whole, corners, boundaries = _cells(plane, limit)
    points = list(dict.fromkeys([*at, *corners]))
    sets = [("edge", ends, _middle(ends)) for ends in boundaries]
    sets = [*(("point", (point,), point) for point in points), *sets]
    found: list[_Shape] = []
    names = [name[:_NAME] for name in plane.chart.names]
    for kind, places, point in sets[:_MOST_SETS]:
        if time.monotonic() > deadline:
            break
        corners_of = np.array([[nearest_float(x) for x in place] for place in places])
        found.append(_set_shape(kind, corners_of, one, point, names))
    notes: list[str] = []
    if len(found) < len(sets):
        notes.append(f"Clarke sets at {len(found)} of {len(sets)} points and boundaries")
    grid = None if whole else _grid(one)
    if grid is not None:
        notes.append("values and gradients from the nearest point of a grid, in floats")
    # points are above boundaries, and these above cells
    order = {"edge": 0, "point": 1}
    return [*whole, *sorted(found, key=lambda shape: order[shape.kind])], notes, grid


def _middle(ends: Sequence[Point]) -> Point:
    return tuple(sum(side, Fraction(0)) / len(ends) for side in zip(*ends, strict=True))


def _cells(plane: Plane, limit: int) -> tuple[list[_Shape], list[Point], list[tuple[Point, Point]]]:
    """The cells as shapes, their corners where something happens, and the boundaries."""
    if plane.size == 1:
        try:
            line = cells(plane.graph, plane.box, limit=limit)
        except TamecheckError:
            return [], [], []
        if not line.complete or line.count > _MOST_CELLS:
            return [], [], []
        ordered = sorted(line.cells, key=lambda cell: min(cell.vertices))
        shapes = [_cell_shape(k, cell, plane, None) for k, cell in enumerate(ordered)]
        ends = sorted({point for cell in line.cells for point in cell.vertices})
        return shapes, ends[1:-1], []
    scene: Scene = scene_of(plane, limit=limit)
    if scene.mosaic is None or scene.found is None or scene.count > _MOST_CELLS:
        return [], [], []
    inner = Plane(scene.bare.graph, plane.bounds, plane.labels, plane.outputs, plane.chart)
    inner = inner if scene.bare.dropped else plane
    shapes = [
        _cell_shape(number, cell, inner, polygon)
        for number, (cell, polygon) in enumerate(
            zip(scene.found.cells, scene.mosaic.polygons, strict=True)
        )
    ]
    return shapes, *inner_corners(plane, scene.mosaic, scene.found)


def _cell_shape(number: int, cell: Cell, plane: Plane, polygon: Array | None) -> _Shape:
    names = [name[:_NAME] for name in plane.chart.names]
    outputs = output_names(plane.graph)
    rows = zip(outputs, cell.map.matrix, cell.map.offset, strict=True)
    lines = [f"{name[:_NAME]} = {affine(row, last, names)}" for name, row, last in rows]
    more = len(lines) - _MOST_ROWS
    lines = [*lines[:_MOST_ROWS], *([f"… and {more} more outputs"] if more > 0 else [])]
    corners = sorted(cell.vertices) if plane.size == 1 else cell.vertices
    said = ", ".join(_point(point) for point in corners[:_MOST_ROWS])
    lines.append(f"{'ends' if plane.size == 1 else 'corners'}: {said}")
    lines.append(f"{'length' if plane.size == 1 else 'area'}: {number_text(cell.volume)}")
    if polygon is None:
        polygon = np.array([[nearest_float(x) for x in point] for point in sorted(corners)])
    return _Shape("cell", polygon, f"Cell {number + 1}", lines)


def affine(row: Sequence[Fraction], last: Fraction, names: Sequence[str]) -> str:
    """An affine form as text.

    >>> affine((Fraction(-1), Fraction(1, 2)), Fraction(-3), ("x", "y"))
    '-x + 1/2 y - 3'
    """
    terms: list[tuple[Fraction, str]] = [(a, n) for a, n in zip(row, names, strict=True) if a]
    if last or not terms:
        terms.append((last, ""))
    text = ""
    for a, name in terms:
        size = "" if abs(a) == 1 and name else number_text(abs(a))
        sign = ("-" if a < 0 else "") if not text else (" - " if a < 0 else " + ")
        text += sign + " ".join(part for part in (size, name) if part)
    return text


def number_text(value: Entry) -> str:
    """A number as it is, or nine digits of a long one or of a ball."""
    if isinstance(value, arb):
        return f"≈ {value.str(9, radius=False)}"
    text = str(value)
    return text if len(text) <= _LONG else f"≈ {nearest_float(value):.9g}"


def _point(point: Sequence[Entry]) -> str:
    return f"({', '.join(map(number_text, point))})"


def _set_shape(
    kind: str, corners: Array, plane: Plane, point: Point, names: Sequence[str]
) -> _Shape:
    """The Clarke set at a point, in words and as corners of its hull."""
    pairs = zip(names, point, strict=True)
    where = ", ".join(f"{name} = {number_text(x)}" for name, x in pairs)
    title = f"At {where}" if kind == "point" else f"On a boundary, as at {where}"
    try:
        found = jacobian(plane.graph, list(point))
    except TamecheckError as error:
        return _Shape(kind, corners, title, [f"no Clarke set was found: {error.what}"])
    hull: list[list[float]] = []
    if found.defined:
        rows = projected(found, range(plane.size))
        if np.isfinite(rows).all():
            hull = rows[hull_order(rows)].tolist()
    return _Shape(kind, corners, title, list(_set_lines(found, plane)), hull)


def _set_lines(found: JacobianSet, plane: Plane) -> Iterator[str]:
    if not found.defined:
        none = "it is not known if there is a" if found.at_least else "there is no"
        yield f"{none} Clarke set: {found.why or '; '.join(found.open)}"
        if found.limits:
            yield f"limits of the value: {', '.join(number_text(v) for (v, *_) in found.limits)}"
        return
    names = ", ".join(f"d/d{name}" for name in plane.chart.names)
    if found.singleton:
        (((*row,),),) = found.vertices
        yield f"the gradient ({names}) is {_point(row)}"
    elif found.listed:
        least = "at least " if found.at_least else ""
        yield f"Clarke set of ({names}): the hull of {least}{len(found.vertices)} vertices"
        for (row,) in found.vertices[:_MOST_ROWS]:
            yield f"  {_point(row)}"
    else:
        said = str(found)
        for axis, name in enumerate(plane.chart.names):
            said = said.replace(f"{next(iter(found.inputs))}[{axis}]", name)
        yield said
    if found.contains([[0] * plane.size]):
        yield "0 is in it: a Clarke-critical point"
    if found.autodiff is not None and not found.singleton:
        sure = {True: "in the set", False: "outside of the set", None: "which is not decided"}
        yield f"PyTorch returns {_point(found.autodiff[0])}, {sure[found.autodiff_in_set]}"


def _grid(plane: Plane) -> Mapping[str, Any]:
    """Values and gradients on a grid of points, four digits each."""

    def short(x: float) -> float | None:
        return float(f"{x:.4g}") if np.isfinite(x) else None

    points = plane.lattice(_SIDE)
    found = np.column_stack([values(plane.graph, points)[:, 0], gradients(plane.graph, points)])
    return {
        "side": _SIDE,
        "low": plane.low.tolist(),
        "high": plane.high.tolist(),
        "name": visible(plane.outputs[0][:_NAME]),
        "rows": [[short(x) for x in row] for row in found.tolist()],
    }

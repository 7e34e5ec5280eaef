"""Figures by kind, points of a table on them, and the ``plot`` methods of models and results."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tamecheck.cells import Complex, Slice, element_names
from tamecheck.errors import InputError
from tamecheck.ir.arguments import choice
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.files import read_text
from tamecheck.plots.canvas import Axes, Picture, label_of
from tamecheck.plots.curve import draw_curve
from tamecheck.plots.decision import Points, draw_decision
from tamecheck.plots.descent import draw_descent
from tamecheck.plots.field import draw_field
from tamecheck.plots.mosaic import mosaic_of
from tamecheck.plots.plane import Plane, Scores, plane_of
from tamecheck.plots.regions import draw_cells, draw_scene
from tamecheck.plots.scene import Scene
from tamecheck.plots.surface import draw_surface


def points_of_table(path: str, plane: Plane, inputs: dict[str, Shape]) -> Points:
    """Data points of a CSV file: the figure's coordinates or all inputs, and maybe a class last.

    A first row without numbers is a header: the names of inputs put columns in their order, other
    names are those of the coordinates.  Points off a slice are projected onto it.
    """
    rows = [row for row in csv.reader(io.StringIO(read_text(path))) if row]
    header: list[str] = []
    if rows and not any(map(_is_number, rows[0])):
        header, rows = [cell.strip() for cell in rows[0]], rows[1:]
    names = element_names(inputs)
    width = len(rows[0]) if rows else 0
    header = header if len(header) == width else []
    size = next((n for n in (len(names), plane.size) if width in (n, n + 1)), None)
    if size is None:
        raise InputError(
            f"The table has {width} columns.",
            where=path,
            hint=f"Give {plane.size} coordinates or {len(names)} inputs, and the class last if "
            "known.",
        )
    own = names if size == len(names) else plane.chart.names
    order = _order(header, own)
    for number, row in enumerate(rows, start=1):
        if len(row) != width or not all(_is_number(row[place]) for place in order):
            raise InputError(f"Row {number} is not {size} numbers.", where=path)
    points = np.array([[float(row[place]) for place in order] for row in rows])
    (last,) = {*range(width)} - {*order} or {None}
    labels = () if last is None else tuple(row[last].strip() for row in rows)
    called = tuple(header[place] for place in order) if header else ()
    if size == plane.size:
        return Points(points, labels, None, called)
    moving = [next((axis for axis, a in enumerate(row) if a), -1) for row in plane.chart.matrix]
    along = [[k for k, own in enumerate(moving) if own == axis] for axis in range(plane.size)]
    if called and all(len(places) == 1 for places in along):
        called = tuple(called[place] for (place,) in along)
    else:
        called = ()
    return Points(_projected(points, plane), labels, points, called)


def _order(header: Sequence[str], names: Sequence[str]) -> list[int]:
    """The columns of some inputs: by name where all names are there, else the first ones."""
    if len(set(header)) == len(header) and set(names) <= set(header):
        return [header.index(name) for name in names]
    return list(range(len(names)))


def _projected(points: Array, plane: Plane) -> Array:
    matrix = np.array([[float(a) for a in row] for row in plane.chart.matrix])
    origin = np.array([float(a) for a in plane.chart.origin])
    return np.linalg.lstsq(matrix, (points - origin).T, rcond=None)[0].T


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


KINDS = ("field", "cells", "decision", "surface", "descent")
"""The kinds of figures of a function of coordinates."""


def complex_axes(found: Complex, axes: Axes | None = None) -> Axes:
    """The cells of a complex with two coordinates, coloured by map.

    Raises `InputError` if it has another number of coordinates.
    """
    if found.dimension != 2 or not found.cells:
        raise InputError(
            f"Cells are drawn in 2 coordinates; these have {found.dimension}.",
            hint="Fix inputs in the box, or cut a plane.",
        )
    labels = tuple(label_of(name) for name in found.names)
    # the cells carry their maps, so the function itself is not needed
    plane = Plane(Graph((), ()), found.slice_.bounds, labels, (), found.slice_)
    notes = () if found.complete else ("stopped at the limit: there are more cells",)
    scene = Scene(plane, mosaic_of(found, plane), found, None, notes, Scores(plane.graph))
    return draw_scene(scene, axes).axes


def check_size(plane: Plane, kind: str) -> None:
    """Refuse a plane without two coordinates, or one where the figure may have one."""
    alone = kind in ("field", "cells", "decision")
    if plane.size != 2 and not (plane.size == 1 and alone):
        raise InputError(
            f"A figure of this kind has {'1 or ' if alone else ''}2 coordinates; the box has "
            f"{plane.size} sides of positive width.",
            hint="Fix or widen inputs in --box (x[3]=1/2), or cut a plane with --slice.",
        )


def draw_on_plane(
    plane: Plane, kind: str, axes: Axes | None = None, *, output: int = 0, **options: Any
) -> Picture:
    """A figure of a function of one or two coordinates."""
    check_size(plane, kind)
    match choice(kind, KINDS, what="figure of a model"):
        case "cells":
            return draw_cells(plane, axes, **options)
        case "decision":
            return draw_decision(plane, axes, **options)
        case "surface":
            return draw_surface(plane.only(output), axes, **options)
        case "descent":
            return draw_descent(plane.only(output), axes, **options)
        case _:
            draw = draw_curve if plane.size == 1 else draw_field
            return draw(plane.only(output), axes, **options)


def draw_model(
    graph: Graph, domain: Box | Slice, kind: str, axes: Axes | None = None, **options: Any
) -> Picture:
    """A figure of a model on a box or slice; ``names`` and ``units`` are of the coordinates."""
    labels = {key: options.pop(key, ()) for key in ("names", "units")}
    return draw_on_plane(plane_of(graph, domain, **labels), kind, axes, **options)


def model_axes(
    graph: Graph, domain: Box | Slice, kind: str, axes: Axes | None = None, **options: Any
) -> Axes:
    """The axes of a figure of a model."""
    return draw_model(graph, domain, kind, axes, **options).axes

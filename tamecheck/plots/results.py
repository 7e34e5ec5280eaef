"""Figures by kind, and the ``plot`` methods of models and results."""

from __future__ import annotations

from typing import Any

from tamecheck.cells import Complex, Slice
from tamecheck.errors import InputError
from tamecheck.ir.arguments import choice
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.plots.canvas import Axes, Picture, label_of
from tamecheck.plots.curve import draw_curve
from tamecheck.plots.decision import draw_decision
from tamecheck.plots.descent import draw_descent
from tamecheck.plots.field import draw_field
from tamecheck.plots.mosaic import mosaic_of
from tamecheck.plots.plane import Plane, Scores, plane_of
from tamecheck.plots.regions import draw_cells, draw_scene
from tamecheck.plots.scene import Scene
from tamecheck.plots.surface import draw_surface

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

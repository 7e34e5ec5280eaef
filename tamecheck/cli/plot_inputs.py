"""What figures are drawn of: points, slices and tables, as they are given on the command line."""

from __future__ import annotations

import csv
import io
import math
from argparse import Namespace
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from tamecheck.errors import InputError

if TYPE_CHECKING:
    from tamecheck.ir.tensor import Shape
    from tamecheck.plots import Picture, Plane, Points

__all__ = ["gives_coordinates", "input_point", "plane_point", "points_of_table", "value_picture"]


def _elements(text: str, inputs: Mapping[str, Shape]) -> list[Fraction | None]:
    """The value of each input element, None where the text gives none."""
    from tamecheck.loaders.text.box import parse_point

    point = parse_point(text, inputs, where="--at")
    return [value for values in point.values() for value in values]


def gives_coordinates(text: str, plane: Plane, inputs: Mapping[str, Shape]) -> bool:
    """Whether a point of the inputs gives a value to a coordinate of a figure along axes."""
    pairs = zip(plane.chart.matrix, _elements(text, inputs), strict=True)
    return any(value is not None for row, value in pairs if any(row))


def input_point(text: str, inputs: Mapping[str, Shape]) -> list[Fraction]:
    """A point of the model's inputs.

    Raises
    ------
    InputError
        If an element has no value.
    """
    found = _elements(text, inputs)
    point = [value for value in found if value is not None]
    if len(point) < len(found):
        raise InputError("An input element has no value.", where="--at", hint="Give all inputs.")
    return point


def plane_point(
    text: str, plane: Plane, inputs: Mapping[str, Shape], *, sliced: bool
) -> tuple[Fraction, ...]:
    """A point of the figure's coordinates.

    Raises
    ------
    InputError
        If a coordinate has no value, or the point is not in the figure.
    """
    chart = plane.chart
    if sliced:
        found = _elements(text, dict.fromkeys(chart.names, ()))
    else:
        elements = _elements(text, inputs)
        for row, fixed, value in zip(chart.matrix, chart.origin, elements, strict=True):
            if not any(row) and value is not None and value != fixed:
                raise InputError("The point is not in the plane of the figure.", where="--at")
        moving = [row.index(1) if any(row) else -1 for row in chart.matrix]
        found = [elements[moving.index(axis)] for axis in range(plane.size)]
    point = tuple(value for value in found if value is not None)
    if len(point) < plane.size:
        raise InputError(
            "The point needs a value for each coordinate.",
            where="--at",
            hint=f"Coordinates: {', '.join(chart.names)}.",
        )
    if not plane.inside(point):
        raise InputError(f"The point {text} is outside the figure.", where="--at")
    return point


def points_of_table(path: str, plane: Plane) -> Points:
    """Data points of a CSV file: the figure's coordinates or all inputs, and maybe a class last.

    A first row without numbers is a header.  Points off a slice are projected onto it.

    Raises
    ------
    InputError
        If rows have the wrong length, or hold what is no number.
    """
    import numpy as np

    from tamecheck.loaders.files import read_text
    from tamecheck.plots import Points

    rows = [row for row in csv.reader(io.StringIO(read_text(path))) if row]
    if rows and not any(_is_number(cell) for cell in rows[0]):
        rows = rows[1:]
    inputs = len(plane.chart.origin)
    width = len(rows[0]) if rows else 0
    size = next((n for n in (inputs, plane.size) if width in (n, n + 1)), None)
    if size is None:
        raise InputError(
            f"The table has {width} columns.",
            where=path,
            hint=f"Give {plane.size} coordinates or {inputs} inputs, and the class last if known.",
        )
    places: list[list[float]] = []
    for number, row in enumerate(rows, start=1):
        if len(row) != width or not all(_is_number(cell) for cell in row[:size]):
            raise InputError(f"Row {number} is not {size} numbers.", where=path)
        places.append([float(cell) for cell in row[:size]])
    points = np.array(places)
    if size == inputs and inputs != plane.size:
        matrix = np.array([[float(a) for a in row] for row in plane.chart.matrix])
        origin = np.array([float(a) for a in plane.chart.origin])
        points = np.linalg.lstsq(matrix, (points - origin).T, rcond=None)[0].T
    labels = tuple(row[size] for row in rows) if width == size + 1 else ()
    return Points(points, labels)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def value_picture(args: Namespace) -> Picture:
    """The value function of a program along one right-hand side, maybe with a dual function.

    Raises
    ------
    InputError
        If the row and its interval are missing, or an option is about models.
    """
    from tamecheck.cli.dual import right_hand_sides, row_interval
    from tamecheck.duality import dual
    from tamecheck.duality.value.dual import value_along
    from tamecheck.plots import draw_value
    from tamecheck.plots.value import bound_of
    from tamecheck.programs import read_file

    for option in ("spec", "slice"):
        if getattr(args, option) is not None:
            raise InputError("A value function has no such domain.", where=f"--{option}")
    if args.box is None:
        raise InputError(
            "A value function needs a row and an interval.", hint="Add --box 'NAME=0:10'."
        )
    row, lower, upper = row_interval(args.box)
    others = {name: side for text in args.at for name, side in right_hand_sides(text).items()}
    program = read_file(args.model).program
    pieces = value_along(program, row, lower, upper, others, seconds=args.timeout)
    bound = None
    if args.method is not None:
        found = dual(program, args.method, seconds=args.timeout, seed=args.seed)
        bound = bound_of(found, pieces, others)
    units = (args.units or "").split(",")
    return draw_value(
        pieces.pieces,
        label=args.names or row,
        unit=units[0],
        bound=bound,
        interval=(pieces.low, pieces.high),
    )

"""Data points of a table, in the coordinates of a figure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

import numpy as np

from tamecheck.cells import element_names
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.files import read_text
from tamecheck.plots.decision import Points
from tamecheck.plots.plane import Plane


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

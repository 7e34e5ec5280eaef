"""Cells: the exact polyhedral complex of a piecewise linear function on a box."""

from tamecheck.cells.complex import AffineMap, Cell, Complex, Halfspace
from tamecheck.cells.search import DEFAULT_LIMIT, cells
from tamecheck.cells.slices import Slice, element_names, slice_of_box, slice_of_points

__all__ = [
    "DEFAULT_LIMIT",
    "AffineMap",
    "Cell",
    "Complex",
    "Halfspace",
    "Slice",
    "cells",
    "element_names",
    "slice_of_box",
    "slice_of_points",
]

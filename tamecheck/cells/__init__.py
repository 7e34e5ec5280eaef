"""Cells: the exact polyhedral complex of a piecewise linear function on a box."""

from tamecheck.cells.check import is_complex
from tamecheck.cells.complex import AffineMap, Cell, Complex, Halfspace
from tamecheck.cells.regions import DecisionRegions, Region, decision_regions
from tamecheck.cells.search import DEFAULT_LIMIT, cells
from tamecheck.cells.slices import Slice, slice_of_box, slice_of_names, slice_of_points
from tamecheck.ir.tensor import element_names

__all__ = [
    "DEFAULT_LIMIT",
    "AffineMap",
    "Cell",
    "Complex",
    "DecisionRegions",
    "Halfspace",
    "Region",
    "Slice",
    "cells",
    "decision_regions",
    "element_names",
    "is_complex",
    "slice_of_box",
    "slice_of_names",
    "slice_of_points",
]

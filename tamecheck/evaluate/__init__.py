"""Interpreters of a graph: float64 values, exact values, enclosures over a box."""

from tamecheck.evaluate.conditions import decide
from tamecheck.evaluate.enclose import enclose, range_of
from tamecheck.evaluate.enclosure import Enclosure
from tamecheck.evaluate.exact import exact_values, float_values, fold_constant

__all__ = [
    "Enclosure",
    "decide",
    "enclose",
    "exact_values",
    "float_values",
    "fold_constant",
    "range_of",
]

"""Interpreters of a graph: float64 values, exact values, enclosures over a box."""

from tamecheck.evaluate.conditions import decide
from tamecheck.evaluate.enclose import enclose
from tamecheck.evaluate.enclosure import Enclosure
from tamecheck.evaluate.exact import exact_values
from tamecheck.evaluate.floats import float_values
from tamecheck.evaluate.fold import fold_constant
from tamecheck.evaluate.range import range_of

__all__ = [
    "Enclosure",
    "decide",
    "enclose",
    "exact_values",
    "float_values",
    "fold_constant",
    "range_of",
]

"""Interpreters of a graph: float64 values, exact values, enclosures over a box."""

from tamecheck.evaluate.exact import exact_values
from tamecheck.evaluate.floats import float_values

__all__ = ["exact_values", "float_values"]

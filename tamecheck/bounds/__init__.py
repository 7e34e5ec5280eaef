"""Networks as layers over flat vectors, with rigorous linear bounds over boxes."""

from tamecheck.bounds.ascent import Choice, Outcome, climbed, kinks
from tamecheck.bounds.builder import layers_of
from tamecheck.bounds.crown import bounded
from tamecheck.bounds.layers import Entry, Layer, Layers
from tamecheck.bounds.linear import Combine, Dense, Linear, Route, Scale
from tamecheck.bounds.nonlinear import Largest, Nonlinear, Planes, Pointwise, Product
from tamecheck.bounds.propagation import (
    Functional,
    Guide,
    State,
    back,
    concretised,
    contracted,
    least_on,
)

__all__ = [
    "Choice",
    "Combine",
    "Dense",
    "Entry",
    "Functional",
    "Guide",
    "Largest",
    "Layer",
    "Layers",
    "Linear",
    "Nonlinear",
    "Outcome",
    "Planes",
    "Pointwise",
    "Product",
    "Route",
    "Scale",
    "State",
    "back",
    "bounded",
    "climbed",
    "concretised",
    "contracted",
    "kinks",
    "layers_of",
    "least_on",
]

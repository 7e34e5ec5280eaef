"""Networks as layers over flat vectors, with rigorous linear bounds over boxes."""

from tamecheck.encode.ascent import Choice, Outcome, climbed, kinks
from tamecheck.encode.bounds import (
    Functional,
    Guide,
    State,
    back,
    concretised,
    contracted,
    least_on,
)
from tamecheck.encode.builder import layers_of
from tamecheck.encode.crown import bounded
from tamecheck.encode.layers import Entry, Layer, Layers
from tamecheck.encode.linear import Combine, Dense, Linear, Route, Scale
from tamecheck.encode.nonlinear import Largest, Nonlinear, Planes, Pointwise, Product

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

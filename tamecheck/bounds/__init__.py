"""Networks as layers over flat vectors, with rigorous linear bounds over boxes."""

from tamecheck.bounds.ascent import Ascent, ascend, kinks
from tamecheck.bounds.builder import layers_of
from tamecheck.bounds.crown import bound
from tamecheck.bounds.layers import (
    Combine,
    Dense,
    Largest,
    Layers,
    Linear,
    Nonlinear,
    Pointwise,
    Product,
)
from tamecheck.bounds.propagation import Functional, State, back, contract, least_on

__all__ = [
    "Ascent",
    "Combine",
    "Dense",
    "Functional",
    "Largest",
    "Layers",
    "Linear",
    "Nonlinear",
    "Pointwise",
    "Product",
    "State",
    "ascend",
    "back",
    "bound",
    "contract",
    "kinks",
    "layers_of",
    "least_on",
]

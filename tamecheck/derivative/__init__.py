"""Derivatives: exact Jacobian sets at a point, and fast conservative gradients of batches."""

from tamecheck.derivative.gradient import gradient
from tamecheck.derivative.jacobian import DEFAULT_LIMIT, jacobian
from tamecheck.derivative.minkowski import Shares
from tamecheck.derivative.result import JacobianSet, Proof
from tamecheck.exact.hull import Combination, Separator

__all__ = [
    "DEFAULT_LIMIT",
    "Combination",
    "JacobianSet",
    "Proof",
    "Separator",
    "Shares",
    "gradient",
    "jacobian",
]

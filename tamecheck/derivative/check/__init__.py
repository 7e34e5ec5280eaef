"""Sets of Jacobians once more, from the definition: by another route than the search for them."""

from tamecheck.derivative.check.germs import Germ
from tamecheck.derivative.check.patterns import Limits, Pattern, read_limits
from tamecheck.derivative.check.proofs import Claim, Curve, Identity, Multiple, Tangents, excludes

__all__ = [
    "Claim",
    "Curve",
    "Germ",
    "Identity",
    "Limits",
    "Multiple",
    "Pattern",
    "Tangents",
    "excludes",
    "read_limits",
]

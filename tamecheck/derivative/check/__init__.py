"""Sets of Jacobians once more, from the definition: by another route than the search for them."""

from tamecheck.derivative.check.patterns import Limits, Pattern, read_limits
from tamecheck.derivative.check.proofs import Curve

__all__ = ["Curve", "Limits", "Pattern", "read_limits"]

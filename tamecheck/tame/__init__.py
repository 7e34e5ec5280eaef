"""Is it tame? Derivations, witnesses, and what follows from them."""

from tamecheck.tame.check import check
from tamecheck.tame.document import tensor_document
from tamecheck.tame.verdict import (
    Check,
    Consequence,
    Line,
    Open,
    Properties,
    Verdict,
    Witness,
)

__all__ = [
    "Check",
    "Consequence",
    "Line",
    "Open",
    "Properties",
    "Verdict",
    "Witness",
    "check",
    "tensor_document",
]

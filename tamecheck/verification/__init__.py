"""Does a property hold for a network: a proof, an exact witness, or neither."""

from typing import TYPE_CHECKING, Any

from tamecheck.verification.answer import (
    Answer,
    Holds,
    Unknown,
    Violated,
    Witness,
    vnncomp_text,
)
from tamecheck.verification.confirm import verify
from tamecheck.verification.witness import Replay, onnx_replay

if TYPE_CHECKING:
    from tamecheck.verification.extrema import maximise, minimise
    from tamecheck.verification.hamming import (
        HammingBall,
        hamming_distance,
        solvers_word,
        verify_hamming,
    )

__all__ = [
    "Answer",
    "HammingBall",
    "Holds",
    "Replay",
    "Unknown",
    "Violated",
    "Witness",
    "hamming_distance",
    "maximise",
    "minimise",
    "onnx_replay",
    "solvers_word",
    "verify",
    "verify_hamming",
    "vnncomp_text",
]


def __getattr__(name: str) -> Any:
    """Questions about binarized networks and extreme values, which a property needs not."""
    match name:
        case "maximise" | "minimise":
            from tamecheck.verification import extrema as home
        case "HammingBall" | "hamming_distance" | "solvers_word" | "verify_hamming":
            from tamecheck.verification import hamming as home
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(home, name)

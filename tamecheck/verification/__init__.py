"""Does a property hold for a network: a proof, an exact witness, or neither."""

from tamecheck.verification.answer import (
    Answer,
    Holds,
    Unknown,
    Violated,
    Witness,
    vnncomp_text,
)
from tamecheck.verification.confirm import verify
from tamecheck.verification.extrema import maximise, minimise
from tamecheck.verification.hamming import (
    HammingBall,
    hamming_distance,
    solvers_word,
    verify_hamming,
)
from tamecheck.verification.witness import Replay, onnx_replay

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

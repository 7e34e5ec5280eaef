"""Does a property hold for a network: a proof, an exact witness, or neither."""

from tamecheck.verify.answer import Answer, Holds, Unknown, Violated, Witness, answer_document
from tamecheck.verify.hamming import HammingBall, hamming_distance, solvers_word, verify_hamming
from tamecheck.verify.replay import onnx_replay
from tamecheck.verify.run import verify
from tamecheck.verify.vnncomp import vnncomp_text
from tamecheck.verify.witness import Replay

__all__ = [
    "Answer",
    "HammingBall",
    "Holds",
    "Replay",
    "Unknown",
    "Violated",
    "Witness",
    "answer_document",
    "hamming_distance",
    "onnx_replay",
    "solvers_word",
    "verify",
    "verify_hamming",
    "vnncomp_text",
]

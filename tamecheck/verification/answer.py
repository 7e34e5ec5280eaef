"""The answers to "does the property hold": a closed sum of three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

from tamecheck.ir.exact import rational_text

__all__ = [
    "RECOMPUTATION",
    "ROUNDING",
    "Answer",
    "Holds",
    "Unknown",
    "Violated",
    "Witness",
    "answer_document",
]

RECOMPUTATION = "recomputation"
ROUNDING = "outward rounding"


@dataclass(frozen=True, slots=True)
class Witness:
    """An input that violates the property, and its outputs.

    Parameters
    ----------
    inputs
        The elements of all inputs, flat, exact.
    outputs
        The elements of all outputs, flat: a rational, or the text of a rigorous ball.
    float32
        Whether a float32 run of the model violates the output constraints too; None if not run.
    """

    inputs: tuple[Fraction, ...]
    outputs: tuple[Fraction | str, ...]
    float32: bool | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """No input of the region is unsafe.

    Parameters
    ----------
    method, reason, seconds, facts
        How it was found, in words.
    rests_on
        ``recomputation``: exact arithmetic concludes, in integers or by multipliers that are
        multiplied out; ``certificate``: the kernel has checked a proof; ``outward rounding``:
        bounds in float64 that are rounded outward, and nothing else.
    checked
        For Hamming balls: ``enumeration`` or ``certificate``.
    """

    method: str
    reason: str
    seconds: float
    facts: Mapping[str, int] = field(default_factory=dict[str, int])
    rests_on: str = ROUNDING
    checked: str | None = None


@dataclass(frozen=True, slots=True)
class Violated:
    """The witness is unsafe, by exact evaluation."""

    witness: Witness
    method: str
    reason: str
    seconds: float
    facts: Mapping[str, int] = field(default_factory=dict[str, int])
    rests_on: str = "replay"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither was shown.

    ``said_by`` names solvers in whose word, without a proof, the property holds.
    """

    reason: str
    seconds: float
    out_of_time: bool = False
    facts: Mapping[str, int] = field(default_factory=dict[str, int])
    said_by: str = ""


Answer: TypeAlias = Holds | Violated | Unknown


def answer_document(answer: Answer) -> dict[str, Any]:
    """The answer as a JSON object; exact numbers are strings."""
    document: dict[str, Any] = {
        "verdict": type(answer).__name__.lower(),
        "reason": answer.reason,
        "witness": None,
        "certificate": None,
        "method": None if isinstance(answer, Unknown) else answer.method,
        "rests_on": None if isinstance(answer, Unknown) else answer.rests_on,
        "checked": answer.checked if isinstance(answer, Holds) else None,
        "seconds": round(answer.seconds, 3),
        "facts": dict(answer.facts),
    }
    if isinstance(answer, Violated):
        witness = answer.witness
        document["witness"] = {
            "input": [rational_text(value) for value in witness.inputs],
            "output": [v if isinstance(v, str) else rational_text(v) for v in witness.outputs],
            "exact": True,
            "float32": witness.float32,
        }
    return document

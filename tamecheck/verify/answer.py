"""The answers to "does the property hold": a closed sum of three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any, TypeAlias

from tamecheck.ir.exact import rational_text

__all__ = ["Answer", "Holds", "Unknown", "Violated", "Witness", "answer_document"]


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

    Proved in rigorous arithmetic, unless ``checked`` says that it rests on solvers.

    Parameters
    ----------
    method, reason, seconds, facts
        How it was found, in words.
    checked
        For Hamming balls: ``enumeration``, ``two-solvers`` or ``one-solver``.
    """

    method: str
    reason: str
    seconds: float
    facts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    checked: str | None = None


@dataclass(frozen=True, slots=True)
class Violated:
    """The witness is unsafe, by exact evaluation."""

    witness: Witness
    method: str
    reason: str
    seconds: float
    facts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither was shown."""

    reason: str
    seconds: float
    out_of_time: bool = False
    facts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


Answer: TypeAlias = Holds | Violated | Unknown


def answer_document(answer: Answer) -> dict[str, Any]:
    """The answer as a JSON object; exact numbers are strings."""
    document: dict[str, Any] = {
        "verdict": type(answer).__name__.lower(),
        "reason": answer.reason,
        "witness": None,
        "certificate": None,
        "method": None if isinstance(answer, Unknown) else answer.method,
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

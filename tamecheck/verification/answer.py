"""The answers to "does the property hold": a closed sum of three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.ir.exact import rational_text

__all__ = [
    "RECOMPUTATION",
    "ROUNDING",
    "Answer",
    "Holds",
    "Optimum",
    "Status",
    "Unknown",
    "Violated",
    "Witness",
    "answer_document",
    "vnncomp_text",
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


Status: TypeAlias = Literal["optimal", "feasible", "unknown"]


@dataclass(frozen=True, slots=True)
class Optimum:
    """What is known of the largest (or smallest) value of an output on a box.

    Parameters
    ----------
    status
        ``optimal`` if no point of the box has a better value than ``value``; ``feasible`` if a
        point is known, ``unknown`` if none is.
    value
        The exact value of the network at ``x``, or None.
    bound
        No point is better than this; None if no bound is known.
    x
        The elements of all inputs, in order, inside the box.
    checked
        What the bound rests on: ``certificate``, ``linear bounds`` (rigorous), or None.
    method
        How the point was found.
    notes
        What a user should know, a sentence each.
    seconds
        The time that it took.
    certificate
        Of an optimum that rests on one: about the program of the network, for `recheck`.
    """

    status: Status
    value: Fraction | None
    bound: Fraction | None
    x: tuple[Fraction, ...] | None
    checked: str | None
    method: str
    notes: tuple[str, ...]
    seconds: float
    certificate: Mapping[str, Any] | None = None

    @property
    def gap(self) -> Fraction | None:
        """The distance of value and bound."""
        if self.value is None or self.bound is None:
            return None
        return abs(self.bound - self.value)

    def document(self) -> dict[str, Any]:
        """The answer as JSON: exact numbers as strings."""
        gap = self.gap
        return {
            "status": self.status,
            "value": None if self.value is None else rational_text(self.value),
            "bound": None if self.bound is None else rational_text(self.bound),
            "gap": None if gap is None else float(gap),
            "x": None if self.x is None else [rational_text(v) for v in self.x],
            "checked": self.checked,
            "rests_on": self.checked if self.status == "optimal" else None,
            "method": self.method,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


def vnncomp_text(answer: Answer) -> str:
    """``sat`` with the witness, ``unsat``, ``timeout`` or ``unknown``."""
    match answer:
        case Holds():
            return "unsat\n"
        case Unknown(out_of_time=late):
            return "timeout\n" if late else "unknown\n"
        case Violated(witness=witness):
            lines = [*_assigned("X", witness.inputs), *_assigned("Y", witness.outputs)]
            return f"sat\n({chr(10).join(lines)})\n"


def _assigned(name: str, values: Sequence[Fraction | str]) -> list[str]:
    return [f"({name}_{index} {_decimal(value)})" for index, value in enumerate(values)]


def _decimal(value: Fraction | str) -> str:
    # a ball reads "[middle +/- radius]"
    return value.strip("[]").split(" ")[0] if isinstance(value, str) else repr(nearest_float(value))

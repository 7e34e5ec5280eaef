"""Answers in the text format of the VNN-COMP competition."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.verification.answer import Answer, Holds, Unknown, Violated

__all__ = ["vnncomp_text"]


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

"""The answer about a program with what a user should know about it, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from tamecheck.ir.answer import Answer as AnyAnswer
from tamecheck.ir.answer import (
    Evidence,
    Feasible,
    Infeasible,
    Optimal,
    Readable,
    Unbounded,
    Unknown,
)
from tamecheck.ir.exact import rational_text
from tamecheck.ir.program import Program

Document: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = AnyAnswer[Fraction, Document]


@dataclass(frozen=True, slots=True, repr=False)
class Solved(Readable):
    """An answer, how it came about, and how long it took.

    ``notes`` say in a sentence each what a user should know, such as a solver's wrong claim;
    ``nodes`` is the number of nodes of our own search; ``interrupted`` says that Ctrl-C ended it.
    """

    answer: Answer
    notes: tuple[str, ...]
    nodes: int
    seconds: float
    interrupted: bool = False

    @property
    def status(self) -> str:
        """``optimal``, ``feasible``, ``infeasible``, ``unbounded`` or ``unknown``."""
        return type(self.answer).__name__.lower()

    @property
    def rests_on(self) -> str | None:
        """``certificate`` where the answer is definite; else None."""
        return None if isinstance(self.answer, Feasible | Unknown) else "certificate"

    def __str__(self) -> str:
        lines = [self.status]
        match self.answer:
            case Optimal(_, objective) | Feasible(_, objective):
                lines = [f"{self.status}: objective {rational_text(objective)}"]
            case Unknown():
                lines = [f"{self.status}: {self.answer.why}"]
            case _:
                pass
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def to_json(self, program: Program) -> dict[str, Any]:
        """The JSON form: the optimum of a program, with exact numbers as strings."""
        answer = self.answer
        point, ray, objective, bound = None, None, None, None
        evidence, why = Evidence.CERTIFICATE, None
        match answer:
            case Optimal():
                # the tree proves that no point is better
                point, objective, bound = answer.point, answer.objective, answer.objective
            case Feasible():
                point, objective, bound = answer.point, answer.objective, answer.bound
                evidence = answer.claimed
            case Infeasible():
                pass
            case Unbounded():
                point, ray = answer.point, answer.ray
            case Unknown():
                evidence, bound, why = answer.claimed, answer.bound, answer.why
        return {
            "status": self.status,
            "objective": None if objective is None else rational_text(objective),
            "bound": None if bound is None else rational_text(bound),
            "x": None if point is None else _named(program, point),
            "ray": None if ray is None else _named(program, ray),
            "checked": {
                "feasible": point is not None,
                "optimal": None if evidence is None else evidence.value,
            },
            "rests_on": self.rests_on,
            "why": why,
            "reason": "interrupted" if self.interrupted else why,
            "notes": list(self.notes),
            "nodes": self.nodes,
            "seconds": round(self.seconds, 3),
            "program": {"sha256": program.sha256},
        }


def _named(program: Program, values: Sequence[Fraction]) -> dict[str, str]:
    columns = zip(program.columns, values, strict=True)
    return {column.name: rational_text(value) for column, value in columns}

"""Answers about a program: each says what was proved, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any, TypeAlias

__all__ = [
    "Answer",
    "Evidence",
    "Feasible",
    "Infeasible",
    "Optimal",
    "Solved",
    "Unbounded",
    "Unknown",
]

Document: TypeAlias = Mapping[str, Any]


class Evidence(Enum):
    """What there is for an optimum or infeasibility; only a certificate makes an answer definite.

    The others are the word of solvers, which comes with a `Feasible` point or an `Unknown`.
    """

    CERTIFICATE = "certificate"
    TWO_SOLVERS = "two-solvers"
    ONE_SOLVER = "one-solver"


@dataclass(frozen=True, slots=True)
class Optimal:
    """An exactly feasible point, and the evidence that none is better."""

    point: tuple[Fraction, ...]
    objective: Fraction
    certificate: Document

    @property
    def evidence(self) -> Evidence:
        """A certificate."""
        return Evidence.CERTIFICATE


@dataclass(frozen=True, slots=True)
class Feasible:
    """An exactly feasible point; no point is better than ``bound``, which is proved, or None.

    ``claimed`` says whether solvers call the point optimal.
    """

    point: tuple[Fraction, ...]
    objective: Fraction
    bound: Fraction | None
    certificate: Document | None
    claimed: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Infeasible:
    """There is no point."""

    certificate: Document

    @property
    def evidence(self) -> Evidence:
        """A certificate."""
        return Evidence.CERTIFICATE


@dataclass(frozen=True, slots=True)
class Unbounded:
    """A feasible point from which the ray leads to ever better ones; both are exact."""

    point: tuple[Fraction, ...]
    ray: tuple[Fraction, ...]
    certificate: Document


@dataclass(frozen=True, slots=True)
class Unknown:
    """No point was found, and no proof that there is none; ``bound`` is proved, or None.

    ``claimed`` says whether solvers call the program infeasible.
    """

    why: str
    bound: Fraction | None
    certificate: Document | None
    claimed: Evidence | None = None


Answer: TypeAlias = Optimal | Feasible | Infeasible | Unbounded | Unknown


@dataclass(frozen=True, slots=True)
class Solved:
    """An answer, how it came about, and how long it took.

    ``notes`` say in a sentence each what a user should know, such as a solver's wrong claim;
    ``nodes`` is the number of nodes of our own search; ``interrupted`` says that Ctrl-C ended it.
    """

    answer: Answer
    notes: tuple[str, ...]
    nodes: int
    seconds: float
    interrupted: bool = False

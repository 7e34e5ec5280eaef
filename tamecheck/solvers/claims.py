"""What a mixed-integer solver says: a claim, to be checked by whoever uses it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Claim",
    "FeasibleClaim",
    "InfeasibleClaim",
    "OptimalClaim",
    "UnboundedClaim",
    "UnknownClaim",
]


@dataclass(frozen=True, slots=True)
class OptimalClaim:
    """A point, said to be feasible and optimal up to tolerances, and its objective."""

    solver: str
    x: tuple[float, ...]
    objective: float


@dataclass(frozen=True, slots=True)
class FeasibleClaim:
    """A point, said to be feasible up to tolerances, and its objective."""

    solver: str
    x: tuple[float, ...]
    objective: float


@dataclass(frozen=True, slots=True)
class InfeasibleClaim:
    """Said to have no point."""

    solver: str


@dataclass(frozen=True, slots=True)
class UnboundedClaim:
    """Said to be unbounded, or infeasible."""

    solver: str


@dataclass(frozen=True, slots=True)
class UnknownClaim:
    """No claim: out of time, out of memory, an error, a crash."""

    solver: str
    why: str


Claim = OptimalClaim | FeasibleClaim | InfeasibleClaim | UnboundedClaim | UnknownClaim

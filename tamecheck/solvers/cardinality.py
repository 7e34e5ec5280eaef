"""Satisfiability with native cardinality constraints, by python-sat in a child process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from tamecheck.solvers.exchange import LONGEST, BrokenAnswerError, OutOfTimeError, ask

__all__ = ["AtMost", "SatClaim", "UndecidedClaim", "UnsatClaim", "satisfiable"]

AtMost = tuple[Sequence[int], int]
"""Distinct literals, and how many of them may be true."""


@dataclass(frozen=True, slots=True)
class SatClaim:
    """Said to be satisfied by these literals; to be checked by whoever uses it."""

    model: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UnsatClaim:
    """Said to have no solution."""

    solver: str


@dataclass(frozen=True, slots=True)
class UndecidedClaim:
    """No claim: out of time, not installed, an error."""

    why: str


def satisfiable(
    clauses: Sequence[Sequence[int]],
    at_most: Sequence[AtMost],
    *,
    solver: str = "minicard",
    seconds: float = LONGEST,
) -> SatClaim | UnsatClaim | UndecidedClaim:
    """What a SAT solver says about clauses and cardinality constraints.

    Parameters
    ----------
    clauses
        Lists of literals: variables from 1, negative for negated.
    at_most
        Cardinality constraints; no literal occurs twice in one.
    solver
        ``minicard`` or ``gluecard4``.
    seconds
        When they are over, the child process is killed.
    """
    if find_spec("pysat") is None:
        return UndecidedClaim("python-sat is not installed (pip install python-sat)")
    question = {
        "solver": solver,
        "clauses": [list(clause) for clause in clauses],
        "at_most": [[list(literals), bound] for literals, bound in at_most],
    }
    try:
        answer = ask("tamecheck.solvers.cardinality_worker", question, seconds=seconds)
    except OutOfTimeError:
        return UndecidedClaim("out of time")
    except BrokenAnswerError as error:
        return UndecidedClaim(f"its process ended with status {error.status}")
    match answer:
        case {"status": "sat", "model": model}:
            return SatClaim(tuple(model))
        case {"status": "unsat"}:
            return UnsatClaim(solver)
        case _:
            return UndecidedClaim(str(answer.get("why", "no answer")))

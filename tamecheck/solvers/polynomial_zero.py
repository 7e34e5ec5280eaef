"""Whether a polynomial has a zero on the standard simplex, by z3 in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.solvers.cardinality import UndecidedClaim
from tamecheck.solvers.exchange import BrokenAnswerError, OutOfTimeError, ask

__all__ = ["NoZeroClaim", "ZeroClaim", "zero_on_simplex"]


@dataclass(frozen=True, slots=True)
class ZeroClaim:
    """Said to be zero somewhere: the coordinates, None for one that is not rational."""

    solver: str
    values: tuple[Fraction | None, ...]


@dataclass(frozen=True, slots=True)
class NoZeroClaim:
    """Said to have no zero there."""

    solver: str


def zero_on_simplex(
    terms: Mapping[tuple[int, ...], Fraction], *, seconds: float
) -> ZeroClaim | NoZeroClaim | UndecidedClaim:
    """What z3's solver for real polynomials says about ``p(w) = 0, w >= 0, Σ w = 1``.

    Parameters
    ----------
    terms
        The coefficient of each monomial, by its exponents; at least one.
    seconds
        When they are over, the child process is killed.
    """
    question = {
        "count": len(next(iter(terms))),
        "terms": [[list(exponents), str(c)] for exponents, c in terms.items()],
    }
    try:
        answer = ask("tamecheck.solvers.polynomial_zero_worker", question, seconds=seconds)
    except OutOfTimeError:
        return UndecidedClaim("z3 was out of time")
    except BrokenAnswerError as error:
        return UndecidedClaim(f"the process of z3 ended with status {error.status}")
    match answer:
        case {"status": "sat", "solver": str(solver)}:
            texts: list[str | None] = answer["values"]
            return ZeroClaim(solver, tuple(None if v is None else Fraction(v) for v in texts))
        case {"status": "unsat", "solver": str(solver)}:
            return NoZeroClaim(solver)
        case _:
            return UndecidedClaim(str(answer.get("why", "z3 has no answer")))

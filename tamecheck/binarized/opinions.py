"""What solvers say about a ball that is too large for a search of our own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck.binarized.folding import Ball
from tamecheck.binarized.logic import misclassified
from tamecheck.binarized.network import ThresholdNetwork
from tamecheck.binarized.program import misclassified_program
from tamecheck.errors import SolverError
from tamecheck.ir.tensor import Array
from tamecheck.solvers.cardinality import SatClaim, UnsatClaim, satisfiable
from tamecheck.solvers.children import claims
from tamecheck.solvers.claims import FeasibleClaim, InfeasibleClaim, OptimalClaim

__all__ = ["NoneSaid", "NothingSaid", "Pointed", "Question", "opinions"]

_SECOND = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Whether a point of the ball is decided for one of the targets over the decision."""

    folded: ThresholdNetwork
    ball: Ball
    decision: int
    targets: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class Pointed:
    """A point, said to be one; to be evaluated by whoever uses it."""

    solver: str
    states: Array


@dataclass(frozen=True, slots=True)
class NoneSaid:
    """There is none, in the word of these solvers."""

    solvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NothingSaid:
    """No solver came to an end."""

    why: str


Opinion = Pointed | NoneSaid | NothingSaid


def opinions(question: Question, seconds: float, deadline: float) -> Opinion:
    """Ask one solver after the other, each for about so long.

    A solver that says "none" is followed by the other, which has as long again and at least ten
    seconds to say so too.  A point ends the questions.

    Parameters
    ----------
    question
        What is asked.
    seconds
        For each solver.
    deadline
        A value of `time.monotonic`.
    """
    whys: list[str] = []
    order = tuple(_SOLVERS)
    for number, solver in enumerate(order):
        left = deadline - time.monotonic()
        if left <= 0:
            return NothingSaid("Out of time.")
        started = time.monotonic()
        said = _SOLVERS[solver](question, min(seconds, left))
        if isinstance(said, NothingSaid):
            whys.append(said.why)
            continue
        if isinstance(said, Pointed) or number + 1 == len(order):
            return said
        again = max(_SECOND, time.monotonic() - started)
        other = order[number + 1]
        second = _SOLVERS[other](question, min(again, deadline - time.monotonic()))
        if isinstance(second, NothingSaid):
            return said
        return second if isinstance(second, Pointed) else NoneSaid((solver, other))
    return NothingSaid(" ".join(whys))


def _minicard(question: Question, seconds: float) -> Opinion:
    parts = question.folded, question.ball, question.decision, question.targets
    try:
        formula, inputs = misclassified(*parts)
    except SolverError as error:
        return NothingSaid(error.message)
    claim = satisfiable(formula.clauses, formula.at_most, seconds=seconds)
    if isinstance(claim, UnsatClaim):
        return NoneSaid(("minicard",))
    if not isinstance(claim, SatClaim):
        return NothingSaid(f"minicard: {claim.why}.")
    true = set(claim.model)
    states = np.array([1 if v in true else -1 for v in inputs], dtype=np.int8)
    return Pointed("minicard", states)


def _highs(question: Question, seconds: float) -> Opinion:
    parts = question.folded, question.ball, question.decision, question.targets
    if not seconds > 0 or not math.isfinite(seconds):
        return NothingSaid("highs: out of time.")
    (claim,) = claims(misclassified_program(*parts), solvers=("highs",), seconds=seconds)
    if isinstance(claim, InfeasibleClaim):
        return NoneSaid(("highs",))
    if isinstance(claim, OptimalClaim | FeasibleClaim):
        values = np.array(claim.x[: question.folded.inputs])
        return Pointed("highs", np.where(values > 1 / 2, np.int8(1), np.int8(-1)))
    return NothingSaid(f"highs: {getattr(claim, 'why', 'unbounded')}.")


_SOLVERS: dict[str, Callable[[Question, float], Opinion]] = {
    "minicard": _minicard,
    "highs": _highs,
}

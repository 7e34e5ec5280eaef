"""Reasons and changes of any classifier, by questions to its oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.errors import SolverError, TimeLimitError
from tamecheck.explain.attributes import Point
from tamecheck.explain.check import RECOMPUTED
from tamecheck.explain.oracles import SEARCH, Oracle, Question
from tamecheck.explain.reasons import Sufficient
from tamecheck.solvers.sat import HittingSets
from tamecheck.verification.answer import ROUNDING

_MOST_HITTING = 100_000
_HALVINGS = 7


def sufficient(oracle: Oracle, question: Question, prefer: Sequence[int] = ()) -> Sufficient:
    """A minimal set among free features that, if it stays, keeps the decision, by deletion.

    Features that move the scores least are freed first.  What is not decided in time stays.
    """
    wanted = list(prefer)
    influence = oracle.influence(question.point)
    order = sorted(question.free, key=lambda k: (k in wanted, influence[k]))
    order = [k for k in order if k not in wanted] + [k for k in reversed(wanted) if k in order]
    needed, doubtful, free = list[int](), list[int](), list[int]()
    for number, feature in enumerate(order):
        part = oracle.share(len(order) - number)
        try:
            found = part.ask(replace(question, free=(*free, feature)))
        except TimeLimitError:
            doubtful.append(feature)
            continue
        (free if found is None else needed).append(feature)
    kept = tuple(sorted([*needed, *doubtful]))
    return Sufficient(kept, tuple(sorted(doubtful)))


def fewest(oracle: Oracle, question: Question) -> tuple[tuple[int, ...], Point, str] | None:
    """The fewest features whose change does what is asked, a point, what that rests on.

    A smallest set that hits all reasons found so far does, or shows a reason that it misses.
    Every contrast hits every reason, so none has fewer features.
    """
    sets, reasons, grounds = HittingSets(), list[tuple[int, ...]](), list[str]()
    try:
        while (candidate := sets.smallest()) is not None:
            other = oracle.ask(replace(question, free=candidate))
            if other is not None:
                features = tuple(k for k in candidate if other[k] != question.point[k])
                grounds += hitting(reasons, len(features))
                return features, other, weakest(grounds)
            found = _sufficient_beside(oracle, question, candidate)
            free = tuple(k for k in question.free if k not in found)
            grounds.append(oracle.ground(replace(question, free=free)))
            reasons.append(found)
            if not found:
                break
            sets.hit(found)
    finally:
        sets.close()
    if weakest(grounds) == SEARCH:
        raise SolverError(
            "A search finds no allowed change of this decision, but it takes too long to show"
            " a second time that there is none.",
            hint="Hold some features.",
        )
    return None


def _sufficient_beside(
    oracle: Oracle, question: Question, candidate: Sequence[int]
) -> tuple[int, ...]:
    """A minimal set without the candidate's features that, if it stays, keeps the decision."""
    free, kept = list(candidate), list[int]()
    influence = oracle.influence(question.point)
    rest = [k for k in question.free if k not in candidate]
    for feature in sorted(rest, key=lambda k: influence[k]):
        found = oracle.ask(replace(question, free=(*free, feature)))
        (free if found is None else kept).append(feature)
    return tuple(sorted(kept))


def within_reach(oracle: Oracle, question: Question, found: Point) -> Point:
    """A point that answers a question near the question's own, by halving how far to look.

    The search for a nearer one stops where it is not decided in time.
    """
    low, high = Fraction(0), Fraction(1)
    for number in range(_HALVINGS):
        middle = (low + high) / 2
        try:
            other = oracle.share(_HALVINGS - number).ask(replace(question, reach=middle))
        except TimeLimitError:
            break
        if other is None:
            low = middle
        else:
            found, high = other, middle
    return found


def weakest(grounds: Sequence[str]) -> str:
    """What several proofs rest on together."""
    order = (SEARCH, ROUNDING, RECOMPUTED)
    return next((one for one in order if one in grounds), RECOMPUTED)


def hitting(sets: Sequence[Sequence[int]], size: int) -> list[str]:
    """What it rests on that fewer features than these do not hit all of the sets."""
    nodes = 0
    stack: list[frozenset[int]] = [frozenset()] if size else []
    while stack:
        chosen = stack.pop()
        nodes += 1
        missed = next((one for one in sets if chosen.isdisjoint(one)), None)
        if missed is None:
            raise SolverError(
                "A recomputation contradicts that these are the fewest features.",
                hint="Please report it, with the model.",
            )
        if nodes > _MOST_HITTING:
            return [SEARCH]
        if len(chosen) + 1 < size:
            stack += [chosen | {k} for k in missed]
    return [RECOMPUTED]

"""Explanations of the decisions of any classifier, over intervals, integers and listed values."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

from tamecheck.budget import Budget
from tamecheck.errors import InputError, SolverError, TimeLimitError
from tamecheck.explain.attributes import Attributes, Interval, Listed, Point, Range, Values
from tamecheck.explain.check import RECOMPUTED
from tamecheck.explain.facade import Limits, RowExplainer
from tamecheck.explain.oracles import SEARCH, Oracle, Question, oracle_of
from tamecheck.explain.reasons import Found, Reasons, Sufficient, enumerate_all, necessary
from tamecheck.explain.row_reader import RowReader
from tamecheck.explain.thresholds import short_between, shorter
from tamecheck.ir.arguments import seconds
from tamecheck.ir.exact import rational
from tamecheck.solvers.sat import HittingSets
from tamecheck.verification.answer import ROUNDING
from tamecheck.verification.decisions import Decision

_MOST_HITTING = 100_000
_REACHES, _HALVINGS = 7, 10
"""How often the distance to look at is halved, and that between two values."""


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
    for number in range(_REACHES):
        middle = (low + high) / 2
        try:
            other = oracle.share(_REACHES - number).ask(replace(question, reach=middle))
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


class ModelExplainer(RowExplainer[Attributes, Point, Oracle]):
    """Explains the decisions of a classifier that is no binarized network.

    Features are numbers of an interval, integers, listed values, or groups of inputs; explanations
    are about all of that domain.  What decides whether another class is possible is a search in
    exact arithmetic for sums of trees, and `tamecheck.verify` for every other model.

    Parameters
    ----------
    decision, domain
        The scores and how they decide; the features and what they can be.
    classes
        What the classes are called; they have numbers if there is none.
    names
        The columns that a row with names has; those of the inputs if None.
    seed
        Of the searches.
    """

    def __init__(
        self,
        decision: Decision,
        domain: Attributes,
        *,
        classes: Sequence[Any] = (),
        names: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.decision, self.domain, self.seed = decision, domain, seed
        given = tuple(map(str, classes)) or decision.names
        if len(given) not in (0, decision.classes):
            raise InputError(f"{len(given)} labels for {decision.classes} classes.")
        self.classes = given
        self.reader = RowReader(names=None if names is None else tuple(names))
        self.oracle = oracle_of(decision, domain, seed)
        self.shape, self.count = (), decision.classes

    def __getstate__(self) -> dict[str, Any]:
        # what the oracle knows is found again; its budget belongs to one process
        return {key: value for key, value in vars(self).items() if key != "oracle"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.oracle = oracle_of(self.decision, self.domain, self.seed)

    @property
    def ground(self) -> str:
        """What all proofs so far rest on together."""
        return weakest(list(self.oracle.proofs.values()))

    def decide(self, x: Any) -> int:
        """The class of an input.

        Raises `InputError` if the input cannot occur in the domain.
        """
        return self.oracle.decide(self.point(x))

    def point(self, x: Any) -> Point:
        """The values of each feature at an input."""
        flat = [rational(value) for value in self.reader.point(x).reshape(-1).tolist()]
        if len(flat) != self.domain.inputs:
            raise InputError(f"{len(flat)} numbers for {self.domain.inputs} inputs.")
        return self.domain.point(flat)

    def of_points(self) -> ModelExplainer:
        """The same explainer; rows without names are the model's inputs in order."""
        return self

    # --- the searches ---------------------------------------------------------------------------

    def _question(self, x: Any, timeout: float | None) -> tuple[Point, Oracle]:
        return self.point(x), self.oracle.within(Budget.of(seconds(timeout)))

    def _flat(self, point: Point) -> Sequence[Fraction]:
        return self.domain.flat(point)

    def _sufficient(self, engine: Oracle, point: Point, keep: Sequence[int]) -> Sufficient:
        return sufficient(engine, Question(point, engine.changeable), keep)

    def _fewest(self, engine: Oracle, point: Point) -> tuple[Sequence[int], Point, str] | None:
        return fewest(engine, Question(point, engine.changeable))

    def _nearest(
        self, engine: Oracle, point: Point, limits: Limits
    ) -> tuple[Point, int, str] | None:
        if limits.metric != "features":
            raise InputError(
                f"The metric {limits.metric!r} is for inputs of two levels.", hint="Use 'features'."
            )
        for k in limits.up | limits.down:
            if not self.domain.items[k].ordered:
                name = self.domain.items[k].name
                raise InputError(f"Feature {name!r} has no order, so it cannot rise or fall.")
        free = tuple(k for k in engine.changeable if k not in limits.stay)
        question = Question(point, free, limits.target, limits.up, limits.down)
        found = fewest(engine, question)
        if found is None:
            return None
        features, other, rests_on = found
        other = within_reach(engine, replace(question, free=features), other)
        return self._nearer(point, features, other, limits.target), len(features), rests_on

    def _reasons(self, engine: Oracle, point: Point) -> Reasons:
        every, needed, grounds, complete = list[Found](), list[int](), list[str](), False
        with suppress(TimeLimitError):
            needed.extend(necessary(engine, point))
            for one in enumerate_all(engine, point):
                grounds.append(self._explained(engine, point, one).rests_on)
                every.append(one)
            complete = True
        return Reasons.of(every, needed, weakest(grounds), complete=complete)

    def _show_smallest(
        self,
        engine: Oracle,
        point: Point,
        features: Sequence[int],
        contrasts: Sequence[Sequence[int]],
    ) -> str:
        holds = self._show_reason(engine, point, features)
        return weakest([holds, *hitting(contrasts, len(features))])

    def _show_reason(
        self, engine: Oracle, point: Point, features: Sequence[int], *, minimal: bool = True
    ) -> str:
        del minimal
        free = tuple(k for k in engine.changeable if k not in features)
        return engine.ground(Question(point, free))

    def _show_contrast(self, engine: Oracle, point: Point, features: Sequence[int]) -> str:
        grounds: list[str] = []
        for feature in features:
            fewer = Question(point, tuple(k for k in features if k != feature))
            if engine.ask(fewer) is not None:
                raise AssertionError("a contrast is minimal")
            grounds.append(engine.ground(fewer))
        return weakest(grounds)

    def _show_constant(self, engine: Oracle, point: Point) -> None:
        engine.ground(Question(point, engine.changeable))

    def _nearer(
        self, point: Point, features: Sequence[int], other: Point, target: int | None
    ) -> Point:
        """A point of the same changes and the other class, with values nearer to the input's."""
        before = self.oracle.decide(point)

        def turns(candidate: Point) -> bool:
            found = self.decision.class_at(self.domain.flat(candidate))
            return found is not None and (found != before if target is None else found == target)

        for k in features:
            range_, near = self.domain.items[k].range, point[k]
            for _ in range(_HALVINGS):
                middle = tuple((a + b) / 2 for a, b in zip(near, other[k], strict=True))
                values = _rounded(range_, middle, near, other[k])
                if values in (near, other[k]):
                    break
                candidate = (*other[:k], values, *other[k + 1 :])
                if turns(candidate):
                    other = candidate
                else:
                    near = values
            for value in shorter(other[k][0], point[k][0]) if _is_number(range_) else ():
                candidate = (*other[:k], (value,), *other[k + 1 :])
                if range_.holds((value,)) and turns(candidate):
                    other = candidate
                    break
        return other


def _is_number(range_: Range) -> bool:
    return isinstance(range_, Interval) and not range_.integral


def _rounded(range_: Range, middle: Values, near: Values, far: Values) -> Values:
    """Values that can occur, of few digits, between two others."""
    if isinstance(range_, Listed) or range_.integral:
        return range_.nearest(middle)
    return (short_between(near[0], far[0]),)

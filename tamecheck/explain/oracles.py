"""Whether some allowed input of a model has another class: a point, a proof that there is none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from math import inf

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import SolverError, TamecheckError, TimeLimitError
from tamecheck.evaluate import float_values
from tamecheck.explain.attributes import (
    Attribute,
    Attributes,
    Interval,
    Listed,
    Point,
    Range,
    Values,
    count_points,
    divide,
    drawn,
    ends_of,
    values_of,
)
from tamecheck.explain.check_trees import LeadCheck
from tamecheck.explain.ensemble_search import EnsembleSearch
from tamecheck.explain.ensembles import Ensemble
from tamecheck.explain.thresholds import Division
from tamecheck.ir.spec import Case, Inequality
from tamecheck.ir.tensor import Array
from tamecheck.verification import verify
from tamecheck.verification.answer import RECOMPUTATION, ROUNDING, Answer, Holds, Violated
from tamecheck.verification.decisions import Decision

SEARCH = "search"
_PATIENCE = 20.0
"""Seconds for one question, if no time is given."""
_SAMPLES = 64
_FEW = 400
"""Points that are evaluated one by one."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which inputs are allowed: those with the values of a point but for free features.

    ``rising`` and ``falling`` features are at least, or at most, what they are at the point;
    numbers of an interval are off by at most a share of its width, ``reach``.
    """

    point: Point
    free: tuple[int, ...]
    target: int | None = None
    rising: frozenset[int] = frozenset()
    falling: frozenset[int] = frozenset()
    reach: Fraction | None = None

    def allows(self, other: Point, domain: Attributes) -> bool:
        """Whether a point of the domain is allowed."""
        return all(
            values == own
            or (
                k in self.free
                and (k not in self.rising or values >= own)
                and (k not in self.falling or values <= own)
                and self.reaches(k, one, values)
            )
            for k, (one, own, values) in enumerate(
                zip(domain.items, self.point, other, strict=True)
            )
        )

    def reaches(self, number: int, attribute: Attribute, values: Values) -> bool:
        """Whether values of a feature are near enough to those of the point."""
        far = self._far(number, attribute.range)
        return far is None or abs(values[0] - self.point[number][0]) <= far

    def _far(self, number: int, whole: Range) -> Fraction | None:
        """How far numbers of an interval may be off."""
        if self.reach is None or isinstance(whole, Listed):
            return None
        if whole.low is None or whole.high is None:
            return self.reach * max(Fraction(8), abs(self.point[number][0]))
        return self.reach * (whole.high - whole.low)

    def range(self, number: int, attribute: Attribute) -> Range:
        """What a feature can be."""
        values, whole = self.point[number], attribute.range
        if number not in self.free:
            return Listed((values,))
        up, down = number in self.rising, number in self.falling
        if isinstance(whole, Interval):
            low, high = values[0] if up else whole.low, values[0] if down else whole.high
            far = self._far(number, whole)
            if far is not None:
                low = values[0] - far if low is None else max(low, values[0] - far)
                high = values[0] + far if high is None else min(high, values[0] + far)
            found = Interval(low, high)
            return found.integers() if whole.integral else found
        kept = (v for v in whole.rows if not (up and v < values) and not (down and v > values))
        return Listed(tuple(kept))


@dataclass(slots=True)
class Oracle(ABC):
    """Answers questions about one model and its domain."""

    decision: Decision
    domain: Attributes
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    proofs: dict[Question, str] = field(default_factory=dict[Question, str])
    """Questions to which no point was found, and what the proof rests on."""
    _known: dict[Point, int] = field(default_factory=dict[Point, int])

    @property
    def changeable(self) -> tuple[int, ...]:
        """The features that can have more than one value."""
        return tuple(k for k, one in enumerate(self.domain.items) if not one.range.fixed)

    def within(self, budget: Budget) -> Oracle:
        """The same oracle with another budget; what it knows is shared."""
        return replace(self, budget=budget)

    def change(self, point: Point, free: Sequence[int]) -> Point | None:
        """A point of another class with the values of this one but for free features, or None."""
        return self.ask(Question(point, tuple(free)))

    def ask(self, question: Question) -> Point | None:
        """An allowed point of another class than the question's point, or of the target; or None.

        Raises `TimeLimitError` if that is not decided in time, or not at all.
        """
        number = self.decide(question.point)
        for point, known in list(self._known.items()):
            if _differs(known, number, question.target) and question.allows(point, self.domain):
                return point
        self.budget.check()
        free = tuple(k for k in question.free if not self.domain.items[k].range.fixed)
        question = replace(question, free=tuple(sorted(free)))
        if question in self.proofs:
            return None
        found, rests_on = (None, RECOMPUTATION) if not free else self._search(question, number)
        if found is None:
            self.proofs[question] = rests_on
        else:
            self._remember(found, number, question.target)
        return found

    def ground(self, question: Question) -> str:
        """What it rests on that there is no such point, which has been found before."""
        free = (k for k in question.free if not self.domain.items[k].range.fixed)
        question = replace(question, free=tuple(sorted(free)))
        if question not in self.proofs:
            # a larger set of features was free then
            larger = (
                self._ground(known)
                for known in list(self.proofs)
                if replace(known, free=()) == replace(question, free=())
                and set(question.free) <= set(known.free)
            )
            return next(larger, RECOMPUTATION if not question.free else SEARCH)
        return self._ground(question)

    def _ground(self, question: Question) -> str:
        return self.proofs[question]

    def share(self, parts: int) -> Oracle:
        """The same oracle with a part of the time that is left, somewhat more than its own."""
        left = self.budget.seconds
        return self if left == inf else self.within(self.budget.part(2 * left / (parts + 1)))

    def decide(self, point: Point) -> int:
        """The class at a point of the domain, by an exact evaluation."""
        if point not in self._known:
            self._known[point] = self.decision.decide(self.domain.flat(point))
        return self._known[point]

    def _remember(self, point: Point, number: int, target: int | None) -> None:
        """Evaluate a point that is said to be of another class."""
        if not _differs(self.decide(point), number, target):
            raise SolverError(
                "An exact evaluation contradicts the search for another class.",
                hint="Please report it, with the model.",
            )

    @abstractmethod
    def _search(self, question: Question, number: int) -> tuple[Point | None, str]:
        """A point, or None and what that rests on."""

    def influence(self, point: Point) -> list[float]:
        """For each feature how much the scores move at a few of its values, in floats."""
        rng = np.random.default_rng(self.seed)
        start = self._scores(point)
        found: list[float] = []
        for k, one in enumerate(self.domain.items):
            moved = 0.0
            for _ in range(0 if one.range.fixed else 6):
                other = (*point[:k], drawn(one.range, point[k], rng), *point[k + 1 :])
                moved = max(moved, float(np.abs(self._scores(other) - start).max(initial=0)))
            found.append(moved if np.isfinite(moved) else np.inf)
        return found

    def _scores(self, point: Point) -> Array:
        graph = self.decision.graph
        flat = np.array([float(value) for value in self.domain.flat(point)])
        try:
            return float_values(graph, graph.split(flat))["scores"].reshape(-1)
        except TamecheckError:
            return np.full(1, np.inf)


def _differs(known: int, number: int, target: int | None) -> bool:
    return known != number if target is None else known == target


@dataclass(slots=True)
class EnsembleOracle(Oracle):
    """For sums of trees: a search among the cells of their thresholds."""

    search: EnsembleSearch = None  # pyright: ignore[reportAssignmentType]
    check: LeadCheck = None  # pyright: ignore[reportAssignmentType]
    divisions: dict[Question, Sequence[Division]] = field(
        default_factory=dict[Question, "Sequence[Division]"]
    )

    def _search(self, question: Question, number: int) -> tuple[Point | None, str]:
        own = self.codes(question.point)
        allowed = self.allowed(question)
        found = self.search.other(allowed, number, question.target, self.budget)
        if isinstance(found, tuple):
            return self.point(question.point, own, found), SEARCH
        self.divisions[question] = found
        return None, SEARCH

    def _ground(self, question: Question) -> str:
        """A recomputation, if the divided parts are confirmed in time."""
        if self.proofs[question] != SEARCH:
            return self.proofs[question]
        number, allowed = self.decide(question.point), self.allowed(question)
        left = self.budget.seconds
        limit = self.budget.part(_PATIENCE if left == inf else left / 2)
        rows = self.decision.others(number, question.target)
        divisions = self.divisions[question]
        confirmed = self.check.is_domain() and all(
            self.check.holds(allowed, case, division, limit)
            for case, division in zip(rows, divisions, strict=True)
        )
        if confirmed:
            self.proofs[question] = RECOMPUTATION
        return self.proofs[question]

    def codes(self, point: Point) -> tuple[int, ...]:
        """The code of each feature."""
        pairs = zip(self.search.codes, point, strict=True)
        return tuple(codes.of(values) for codes, values in pairs)

    def point(self, near: Point, own: Sequence[int], codes: Sequence[int]) -> Point:
        """The point with some codes next to another one, which has its own codes."""
        return tuple(
            values if code == before else self.search.codes[k].near(code, values)
            for k, (values, before, code) in enumerate(zip(near, own, codes, strict=True))
        )

    def allowed(self, question: Question) -> list[Array]:
        """The codes of allowed points, feature by feature."""
        own, found = self.codes(question.point), list[Array]()
        for k, codes in enumerate(self.search.codes):
            numbers = np.arange(len(codes.points))
            if k not in question.free:
                found.append(numbers == own[k])
                continue
            up, down = k in question.rising, k in question.falling
            mask = (numbers >= (own[k] if up else 0)) & (numbers <= own[k] if down else True)
            if question.reach is not None and codes.cells:
                one, values = self.domain.items[k], question.point[k]
                near = (codes.near(code, values) for code in range(len(numbers)))
                mask = mask & np.array([question.reaches(k, one, value) for value in near])
            found.append(mask)
        return found


@dataclass(slots=True)
class VerifyOracle(Oracle):
    """For any model that `verify` decides: integers and listed values by branching."""

    def _search(self, question: Question, number: int) -> tuple[Point | None, str]:
        items = self.domain.items
        start = [question.range(k, one) for k, one in enumerate(items)]
        found = self._sample(start, question, number)
        if found is not None:
            return found, RECOMPUTATION
        rests_on = RECOMPUTATION
        if count_points(start) <= _FEW:
            return self._enumerate(start, question, number), rests_on
        budget = self.budget.part(min(_PATIENCE, self.budget.seconds))
        stack = [start]
        while stack:
            budget.check()
            ranges = stack.pop()
            if all(range_.fixed for range_ in ranges):
                (point,) = product(*map(values_of, ranges))
                if self._turns(point, number, question.target, open_=False):
                    return point, rests_on
                continue
            answer = self._verify(ranges, number, question.target, budget)
            if isinstance(answer, Holds):
                rests_on = rests_on if answer.rests_on == RECOMPUTATION else ROUNDING
                continue
            values = None
            if isinstance(answer, Violated):
                flat = answer.witness.inputs
                values = [tuple(flat[i] for i in one.inputs) for one in items]
                near = tuple(r.nearest(v) for r, v in zip(ranges, values, strict=True))
                if self._turns(near, number, question.target):
                    return near, rests_on
            parts = divide(ranges, values)
            if parts is None:
                why = "the witness cannot be used" if values else answer.reason
                raise TimeLimitError(f"this is not decided: {why}")
            stack += parts
        return None, rests_on

    def _verify(
        self, ranges: Sequence[Range], number: int, target: int | None, budget: Budget
    ) -> Answer:
        spec = self.decision.property(self._cases(ranges, number, target))
        return verify(self.decision.graph, spec, timeout=budget.timeout, seed=self.seed)

    def _turns(self, point: Point, number: int, target: int | None, *, open_: bool = True) -> bool:
        """Whether a point has another class; unless ``open_``, that has to be known."""
        known = self.decision.class_at(self.domain.flat(point))
        if known is None and not open_:
            raise TimeLimitError("the class is not known at a point of the domain")
        return known is not None and _differs(known, number, target)

    def _enumerate(self, ranges: Sequence[Range], question: Question, number: int) -> Point | None:
        """A point of another class among all, which are few."""
        for point in product(*map(values_of, ranges)):
            self.budget.check()
            if _differs(self.decide(point), number, question.target):
                return point
        return None

    def _sample(self, ranges: Sequence[Range], question: Question, number: int) -> Point | None:
        """A point of another class among a few at random."""
        rng = np.random.default_rng(self.seed)
        for turn in range(_SAMPLES):
            point = tuple(
                range_.nearest(own)
                if range_.fixed or (turn % 2 and rng.random() < 0.5)
                else drawn(range_, own, rng)
                for range_, own in zip(ranges, question.point, strict=True)
            )
            scores = self._scores(point)
            if not self._seems(scores, number, question.target):
                continue
            if self._turns(point, number, question.target):
                return point
        return None

    def _seems(self, scores: Array, number: int, target: int | None) -> bool:
        """Whether floats do not speak against another class."""
        rows = self.decision.others(number, target)
        with np.errstate(all="ignore"):
            return (
                any(
                    all(
                        not sum(float(c) * scores[i] for i, c in row.outputs) > float(row.bound)
                        for row in case
                    )
                    for case in rows
                )
                if np.isfinite(scores).all()
                else False
            )

    def _cases(self, ranges: Sequence[Range], number: int, target: int | None) -> list[Case]:
        """The property of a part of the domain: listed values are between their extremes."""
        lower, upper = ends_of(self.domain, ranges)
        region: list[Inequality] = []
        for one, range_ in zip(self.domain.items, ranges, strict=True):
            if isinstance(range_, Interval):
                continue
            sums = {sum(row) for row in range_.rows}
            if len(one.inputs) > 1 and len(range_.rows) > 1 and len(sums) == 1:
                # a combination of the rows has their sum
                total = Fraction(sums.pop())
                region += [
                    Inequality(tuple((i, Fraction(s)) for i in one.inputs), (), s * total)
                    for s in (1, -1)
                ]
        return [
            Case(lower, upper, tuple(region), rows) for rows in self.decision.others(number, target)
        ]


def oracle_of(decision: Decision, domain: Attributes, seed: int = 0) -> Oracle:
    """The oracle of a model: of trees if it is a sum of these."""
    from tamecheck.explain.ensembles import ensemble_of

    found: Ensemble | None = None if decision.rule == "number" else ensemble_of(decision.graph)
    if found is None:
        return VerifyOracle(decision, domain, seed=seed)
    search = EnsembleSearch(found, decision, domain)
    try:
        _ = search.leads
    except OverflowError:
        # scores beyond float64
        return VerifyOracle(decision, domain, seed=seed)
    check = LeadCheck(decision, domain, search.codes)
    return EnsembleOracle(decision, domain, seed=seed, search=search, check=check)

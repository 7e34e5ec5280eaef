"""How much of a domain each class of any classifier has: points, or a volume.

Sums of trees are counted exactly: parts of the domain, as codes of the features, are divided until
one class is left in each.  Of other models few points are evaluated one by one, and boxes are
halved until bounds leave one class; what is open when the time is over is between the bounds.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import inf, prod
from typing import Any

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.explain import attributes
from tamecheck.explain.check import RECOMPUTED, confirm
from tamecheck.explain.check_shares import Leaf, confirms
from tamecheck.explain.models import ModelExplainer
from tamecheck.explain.oracles import SEARCH, EnsembleOracle
from tamecheck.explain.thresholds import Divide
from tamecheck.ir.exact import rational_text
from tamecheck.ir.spec import Case
from tamecheck.verification.answer import ROUNDING
from tamecheck.verification.plain import impossible

_MOST_POINTS = 2**14


@dataclass(frozen=True, slots=True)
class Shares:
    """Bounds on how much of the domain each class has; they meet if it is exact."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    total: Fraction
    measure: str
    """``"points"``, or ``"volume"`` where some feature takes all numbers of an interval."""
    rests_on: str

    @property
    def exact(self) -> bool:
        """Whether nothing is open."""
        return self.lower == self.upper

    def to_json(self) -> dict[str, Any]:
        """The JSON form: integers for points, exact texts for volumes."""
        ends = [[self._number(v) for v in side] for side in (self.lower, self.upper)]
        return {
            "total": self._number(self.total),
            "measure": self.measure,
            "counts": ends[0] if self.exact else None,
            "lower": ends[0],
            "upper": ends[1],
            "rests_on": self.rests_on,
        }

    def _number(self, value: Fraction) -> int | str:
        return int(value) if self.measure == "points" else rational_text(value)


def shares_of(explainer: ModelExplainer, timeout: float | None = None) -> Shares:
    """How much of its domain each class of a classifier has.

    Raises `InputError` if the domain is unbounded.
    """
    domain, budget = explainer.domain, Budget.of(timeout)
    ranges = [one.range for one in domain.items]
    if any(isinstance(r, attributes.Interval) and None in (r.low, r.high) for r in ranges):
        raise InputError("An unbounded domain has no shares.", hint="Give a bounded --box.")
    volume = any(_is_wide(range_) for range_ in ranges)
    total = prod((_size(range_) for range_ in ranges), start=Fraction(1))
    oracle = explainer.oracle
    if isinstance(oracle, EnsembleOracle):
        lower, rests_on = _of_ensemble(oracle, domain, budget)
    elif attributes.count_points(ranges) <= _MOST_POINTS:
        lower, rests_on = _of_points(explainer, ranges, budget)
    else:
        lower, rests_on = _of_boxes(explainer, ranges, budget)
    left = total - sum(lower)
    upper = tuple(value + left for value in lower)
    measure = "volume" if volume else "points"
    return Shares(tuple(lower), upper, total, measure, rests_on)


def _is_wide(range_: attributes.Range) -> bool:
    return isinstance(range_, attributes.Interval) and not range_.integral and not range_.fixed


def _size(range_: attributes.Range) -> Fraction:
    """The points of a range, or its length."""
    if isinstance(range_, attributes.Listed):
        return Fraction(len(range_.rows))
    if range_.low is None or range_.high is None:
        raise InputError("An unbounded domain has no shares.")
    whole = range_.integral or range_.fixed
    return range_.high - range_.low + int(whole)


# --- trees ---------------------------------------------------------------------------------------


def _of_ensemble(
    oracle: EnsembleOracle, domain: attributes.Attributes, budget: Budget
) -> tuple[list[Fraction], str]:
    search, count = oracle.search, oracle.decision.classes
    sizes = [
        [Fraction(1)] if one.range.fixed else [size or Fraction(0) for size in codes.sizes]
        for one, codes in zip(domain.items, search.codes, strict=True)
    ]
    lower, division, leaves = [Fraction(0)] * count, list[Divide | None](), list[Leaf]()
    stack = [np.ones(int(search.starts[-1]), dtype=np.bool_)]
    share = budget if budget.seconds == inf else budget.part(budget.seconds / 2)
    while stack and not share.is_spent:
        part = stack.pop()
        own = search.measure(part, sizes)
        number, rival = search.leading(part) if own else (0, None)
        if rival is None:
            lower[number] += own
            division.append(None)
            leaves.append(number if own else None)
            continue
        divided = search.between(part, number, rival)
        division.append(divided)
        stack += search.parts(part, divided)
    # what is open is left out of the check, too
    division += [None] * len(stack)
    leaves += [None] * len(stack)
    holds = confirms(oracle.check, division, leaves, sizes, lower, budget)
    return lower, confirm(holds, "these shares", SEARCH)


# --- other models --------------------------------------------------------------------------------


def _of_points(
    explainer: ModelExplainer, ranges: Sequence[attributes.Range], budget: Budget
) -> tuple[list[Fraction], str]:
    """Every point, evaluated exactly."""
    lower = [Fraction(0)] * explainer.decision.classes
    for point in product(*map(attributes.values_of, ranges)):
        if budget.is_spent:
            break
        known = explainer.decision.class_at(explainer.domain.flat(point))
        if known is not None:
            lower[known] += 1
    return lower, RECOMPUTED


def _of_boxes(
    explainer: ModelExplainer, ranges: Sequence[attributes.Range], budget: Budget
) -> tuple[list[Fraction], str]:
    """Parts with one class, by bounds that are rounded outward; the largest are divided first."""
    if budget.seconds == inf:
        budget = budget.part(60.0)
    decision, lower = explainer.decision, [Fraction(0)] * explainer.decision.classes
    heap: list[tuple[Fraction, int, list[attributes.Range]]] = [
        (-_measure(ranges), 0, list(ranges))
    ]
    number = 0
    while heap and not budget.is_spent:
        size, _, part = heapq.heappop(heap)
        middle = [_middle(range_) for range_ in part]
        flat = explainer.domain.flat(tuple(middle))
        known = decision.class_at(flat)
        if known is not None and _has_one(explainer, part, known):
            lower[known] -= size
            continue
        for half in _halves(part, ranges):
            number += 1
            heapq.heappush(heap, (-_measure(half), number, half))
    return lower, ROUNDING


def _measure(ranges: Sequence[attributes.Range]) -> Fraction:
    return prod((_size(range_) for range_ in ranges), start=Fraction(1))


def _middle(range_: attributes.Range) -> tuple[Fraction, ...]:
    if isinstance(range_, attributes.Listed):
        return range_.rows[len(range_.rows) // 2]
    low, high = range_.low or Fraction(0), range_.high or Fraction(0)
    return range_.nearest(((low + high) / 2,))


def _has_one(explainer: ModelExplainer, part: Sequence[attributes.Range], known: int) -> bool:
    """Whether bounds show that no other class than one is in a part."""
    low, high = attributes.ends_of(explainer.domain, part)
    graph = explainer.decision.graph
    return all(
        impossible(graph, Case(low, high, (), rows), low, high)
        for rows in explainer.decision.others(known)
    )


def _halves(
    part: Sequence[attributes.Range], whole: Sequence[attributes.Range]
) -> list[list[attributes.Range]]:
    """The part in two, by the feature that is the largest share of its range; nothing if none is.

    A part with one point, which no bound decides, stays open.
    """

    def width(k: int) -> Fraction:
        first, last = part[k], whole[k]
        return Fraction(0) if first.fixed else _size(first) / _size(last)

    k = max(range(len(part)), key=width)
    range_ = part[k]
    if range_.fixed:
        return []
    return [[*part[:k], half, *part[k + 1 :]] for half in attributes.halves(range_)]

"""Recomputation of what the searches say of a network on a domain, by one plain count.

Reasons, contrasts, nearest changes, counts and rules are all statements about how many points of a
part of the domain each class has.  Here they are judged as they are defined; nothing is shared with
the searches in this package but the network and the domain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import comb, prod

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import SolverError
from tamecheck.explain.check_parts import (
    OPEN,
    Choice,
    Judge,
    Parts,
    TooManyPartsError,
    are_minimal_hitting_sets,
    close_parts,
    conjunction,
    count_merged,
    decisions,
    dividends,
    ends_of,
    exact_product,
    has_hitting_set,
    held_weights,
    negation,
    orders,
    points_in_union,
    put_codes,
    ways_left,
    weigh_merged,
)
from tamecheck.explain.check_visits import count_visited, decide_all, visit
from tamecheck.explain.domain import Domain
from tamecheck.ir.tensor import Array

RECOMPUTED = "recomputation"
"""What an answer rests on that was computed a second time, from its definition."""

_MOST = 2**20
_VISITED = 2**26
"""So many points are visited one by one, unless it is said otherwise."""

_FEW = 12
"""Features that differ from a row, of which all sets are visited."""

Allowed = Sequence[Sequence[int]]
Cost = Callable[[int, int], int]
Within = tuple[Cost, int]
_FREE: Within = (lambda _feature, _code: 0, 0)


@dataclass(frozen=True, eq=False)
class Recomputation:
    """Statements about a network on a domain, judged by their definitions.

    Every method returns None where the answer takes more than the ``most`` parts of the domain;
    counts of at most so many ``visits`` are made point by point.
    """

    network: ThresholdNetwork
    domain: Domain
    most: int = _MOST
    visits: int = _VISITED

    def counts(
        self, allowed: Allowed | None = None, *, within: Within | None = None
    ) -> list[int] | None:
        """How many points of a product of codes each class has; all codes count if None.

        ``within`` is the cost of each code of each feature (0 or more), and the most that a point
        may cost.  At worst every point is a part of its own.
        """
        cost, budget = within or _FREE
        if allowed is None:
            allowed = [range(len(feature.codes)) for feature in self.domain.features]
        if not self.domain.points_in(allowed):
            return [0] * self.network.classes
        choices, start = self._choices(allowed, cost)
        if within is None and self.domain.points_in(allowed) <= self.visits:
            visited = count_visited(self.network, choices, start)
            if visited is not None:
                return visited
        judge, classes = decisions(self.network), self.network.classes
        return self._count(judge, classes, choices, start, budget)

    def _count(
        self, judge: Judge, classes: int, choices: Sequence[Choice], start: Parts, budget: int
    ) -> list[int] | None:
        with suppress(TooManyPartsError):
            return count_merged(judge, classes, choices, start, budget, self.most)
        with suppress(TooManyPartsError):
            return self._divided_counts(judge, classes, choices, start, budget)
        return None

    def _divided_counts(
        self, judge: Judge, classes: int, choices: Sequence[Choice], start: Parts, budget: int
    ) -> list[int]:
        ways = ways_left(choices, budget)
        counts = [0] * classes
        for parts, winners in close_parts(judge, choices, start, budget, self.most):
            for winner in range(classes):
                lefts, numbers = np.unique(parts.left[winners == winner], return_counts=True)
                for left, number in zip(lefts.tolist(), numbers.tolist(), strict=True):
                    counts[winner] += number * ways[parts.chosen.shape[1]][left]
        return counts

    def count_breaches(
        self,
        features: Sequence[int],
        values: Sequence[Sequence[int]],
        pairs: Sequence[tuple[int, int]],
        *,
        score: bool = False,
    ) -> int | None:
        """For how many combinations of the other features an order is not kept.

        ``values`` are codes of the features; with those of the first of a pair the network may not
        say more than with those of the second.  It says the number of its class, or its score.
        """
        self.domain.require_product("A comparison of codes")
        known = enumerate(self.domain.features)
        allowed = [range(1 if k in features else len(one.codes)) for k, one in known]
        choices, start = self._choices(allowed, _FREE[0])
        shifts: list[Array] = []
        for one in values:
            added = zip(features, one, strict=True)
            shifts.append(np.sum([self._first[k][c] - self._first[k][0] for k, c in added], axis=0))
        judge, ends = (
            orders(self.network, shifts, pairs, score=score),
            ends_of(self.network, shifts),
        )
        once = {choice.feature: [1] * len(choice.codes) for choice in choices}
        ends = ends_of(self.network, shifts)
        with suppress(TooManyPartsError):
            return weigh_merged(judge, 2, choices, start, once, self.most, ends)[1]
        return (self._count(judge, 2, choices, start, 0) or (None, None))[1]

    def shapley(
        self, codes: Sequence[int], target: int, row: Sequence[int] | None = None
    ) -> list[Fraction] | None:
        """The Shapley value of each feature for having a class, at a combination of codes.

        The other features have all of their codes equally often; or, if a ``row`` is given, those
        of the row.
        """
        self.domain.require_product("A Shapley value")
        features, found = self.domain.features, [Fraction(0)] * len(codes)
        if row is None:
            allowed = [range(len(feature.codes)) for feature in features]
        else:
            allowed = [tuple(dict.fromkeys(pair)) for pair in zip(row, codes, strict=True)]
        choices, start = self._choices(allowed, _FREE[0])
        players = [choice.feature for choice in choices]
        if row is not None and len(players) <= _FEW:
            game = decide_all(self.network, self.domain, allowed) == target
            for k, value in zip(sorted(players), dividends(game), strict=True):
                found[k] = value
            return found
        weights = held_weights(choices, codes, row)
        points, count = prod(sum(a for a, _ in one) for one in weights.values()), len(players)
        ends = ends_of(self.network)
        # a polynomial in the number of features that are held, at a number above its coefficients
        unit = 1 << (points << count + 2).bit_length()
        plain = {k: [a + unit * b for a, b in one] for k, one in weights.items()}
        for k in players:
            turned = {**plain, k: [b - a for a, b in weights[k]]}
            judge, classes = decisions(self.network), self.network.classes
            try:
                left = weigh_merged(judge, classes, choices, start, turned, self.most, ends)[target]
            except TooManyPartsError:
                return None
            for size in range(count):
                gain = (left + unit // 2) % unit - unit // 2
                left = (left - gain) // unit
                # a set of others comes before the feature in one of n C(n - 1, size) orders of sets
                found[k] += Fraction(gain, count * comb(count - 1, size) * points)
        return found

    def counts_in_ball(
        self, centre: Array, radius: int, allowed: Allowed | None = None
    ) -> list[int] | None:
        """How many points that differ from a state vector in few inputs each class has."""
        far = [
            np.count_nonzero(f.codes != centre[list(f.inputs)], axis=1).tolist()
            for f in self.domain.features
        ]
        return self.counts(allowed, within=(lambda k, code: far[k][code], radius))

    def table(self) -> Array:
        """The class of every point: an array with an axis for each feature with several codes.

        It is -1 where constraints forbid a point.
        """
        shape = [len(f.codes) for f in self.domain.features]
        classes = [winners for _, winners in visit(self.network, self.domain)]
        return np.concatenate(classes).reshape([size for size in shape if size > 1])

    def agreement(
        self, said: Callable[[Array], Array], deadline: float = float("inf")
    ) -> int | None:
        """At how many points what is said of rows of codes is the class; each is decided.

        None after a value of `time.monotonic`.
        """
        right = 0
        for codes, winners in visit(self.network, self.domain):
            if time.monotonic() > deadline:
                return None
            right += int(np.count_nonzero(winners == said(codes)))
        return right

    def are_rules(
        self,
        cubes: Sequence[tuple[Mapping[int, Sequence[int]], int]],
        points: int,
        *,
        deadline: float = float("inf"),
    ) -> bool | None:
        """Whether all points of each cube have its class, and at least so many are in some cube.

        None after a value of `time.monotonic` too.
        """
        known = True
        for cube, decision in cubes:
            holds = self.is_rule(cube, decision) if time.monotonic() < deadline else None
            if holds is False:
                return False
            known = known and holds is not None
        sizes = [len(group.codes) for group in self.domain.groups]
        union = points_in_union([self._of_groups(cube) for cube, _ in cubes], sizes)
        if union is not None and union < points:
            return False
        return True if known and union is not None else None

    def _of_groups(self, cube: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
        """A cube, with the combinations of each group of features that it restricts."""
        found: dict[int, list[int]] = {}
        for place, group in enumerate(self.domain.groups):
            if any(k in cube for k in group.features):
                found[place] = [
                    number
                    for number, codes in enumerate(group.codes.tolist())
                    if all(
                        k not in cube or code in cube[k]
                        for k, code in zip(group.features, codes, strict=True)
                    )
                ]
        return found

    def is_rule(self, cube: Mapping[int, Sequence[int]], decision: int) -> bool | None:
        """Whether all points whose features have the codes of a cube have a class."""
        features = enumerate(self.domain.features)
        allowed = [cube.get(k, range(len(f.codes))) for k, f in features]
        return self._has_none(allowed, lambda winners: winners != decision)

    def is_reason(
        self, codes: Sequence[int], features: Sequence[int], *, minimal: bool
    ) -> bool | None:
        """Whether keeping the features keeps the class and, if asked, no proper subset does."""
        free = set(range(len(codes))) - set(features)
        sufficient = self._is_constant(codes, free)
        if not sufficient or not minimal:
            return sufficient
        decision, known, left, turned = self._class(codes), True, list(features), tuple(codes)
        while left:
            # what turns the class together with one feature often does with others, too
            left = self._unturned(turned, left, decision)
            if not left:
                break
            feature = left.pop(0)
            try:
                found = self._one(self._free(codes, free | {feature}), lambda w: w != decision)
            except TooManyPartsError:
                known = False
                continue
            if found is None:
                return False
            turned = (*found[:feature], codes[feature], *found[feature + 1 :])
        return True if known else None

    def is_smallest_reason(
        self,
        codes: Sequence[int],
        features: Sequence[int],
        contrasts: Sequence[Sequence[int]],
    ) -> bool | None:
        """Whether keeping the features keeps the class, and keeping fewer features does not.

        ``contrasts`` are features whose change can change the class: a reason meets all of them.
        """
        sufficient = self.is_reason(codes, features, minimal=False)
        turned = (negation(self._is_constant(codes, contrast)) for contrast in contrasts)
        fewer = has_hitting_set(contrasts, len(features) - 1)
        return conjunction([sufficient, *turned, negation(fewer)])

    def is_contrast(self, codes: Sequence[int], features: Sequence[int]) -> bool | None:
        """Whether changing the features can change the class, and changing no proper subset can."""
        free = set(features)
        whole = negation(self._is_constant(codes, free))
        return conjunction([whole, *(self._is_constant(codes, free - {k}) for k in features)])

    def is_enumeration(
        self,
        codes: Sequence[int],
        reasons: Sequence[Sequence[int]],
        contrasts: Sequence[Sequence[int]],
    ) -> bool | None:
        """Whether these are all minimal reasons, and these are minimal contrasts.

        Every reason hits every contrast, so it contains a minimal hitting set of those given; if
        all of these are reasons, there is no other (Ignatiev et al. 2020).
        """
        facts = [self.is_reason(codes, reason, minimal=True) for reason in reasons]
        facts += [self.is_contrast(codes, contrast) for contrast in contrasts]
        return conjunction([*facts, are_minimal_hitting_sets(reasons, contrasts)])

    def is_out_of_reach(
        self,
        codes: Sequence[int],
        allowed: Allowed,
        *,
        within: Within | None = None,
        target: int | None = None,
    ) -> bool | None:
        """Whether no allowed point within a cost has the target's class, or any but that of codes.

        ``allowed`` and ``within`` are as for `counts`.
        """
        decision = self._class(codes)

        def wanted(winners: Array) -> Array:
            return winners != decision if target is None else winners == target

        return self._has_none(allowed, wanted, within)

    def _class(self, codes: Sequence[int]) -> int:
        return int(self.network.decide(self.domain.states(codes)[np.newaxis])[0])

    def _unturned(self, codes: Sequence[int], features: list[int], decision: int) -> list[int]:
        """The features of which no code, put into these codes, gives a class but the decision."""
        own = np.sum([added[code] for added, code in zip(self._first, codes, strict=True)], axis=0)
        others = [self._first[k] - self._first[k][codes[k]] for k in features]
        scores = self.network.scores_after(own + np.concatenate(others))
        turns = np.split(scores.argmax(axis=1) != decision, np.cumsum([*map(len, others)])[:-1])
        return [k for k, turn in zip(features, turns, strict=True) if not turn.any()]

    def _free(self, codes: Sequence[int], free: Collection[int]) -> Allowed:
        return [
            range(len(feature.codes)) if k in free else (codes[k],)
            for k, feature in enumerate(self.domain.features)
        ]

    def _is_constant(self, codes: Sequence[int], free: Collection[int]) -> bool | None:
        """Whether all points that agree with one on all but the free features have its class."""
        decision = self._class(codes)
        return self._has_none(self._free(codes, free), lambda winners: winners != decision)

    def _has_none(
        self, allowed: Allowed, wanted: Callable[[Array], Array], within: Within | None = None
    ) -> bool | None:
        try:
            return self._one(allowed, wanted, within) is None
        except TooManyPartsError:
            return None

    def _one(
        self, allowed: Allowed, wanted: Callable[[Array], Array], within: Within | None = None
    ) -> tuple[int, ...] | None:
        """The codes of a point whose class is wanted; None if there is no such point."""
        cost, budget = within or _FREE
        if not self.domain.points_in(allowed):
            return None
        choices, start = self._choices(allowed, cost)
        for parts, winners in close_parts(
            decisions(self.network), choices, start, budget, self.most
        ):
            hits = np.flatnonzero((winners != OPEN) & wanted(winners))
            if hits.size:
                found = [codes[0] for codes in allowed]
                for group in self.domain.groups:
                    found = put_codes(found, group.features, group.within(allowed)[0])
                # the features to come are as cheap as can be
                cheapest = [int(choice.costs.argmin()) for choice in choices]
                taken: list[int] = parts.chosen[hits[0]].tolist()
                for choice, place in zip(choices, [*taken, *cheapest[len(taken) :]], strict=True):
                    features = self._group_of[choice.feature]
                    found = put_codes(found, features, choice.codes[place])
                return tuple(found)
        return None

    @cached_property
    def _group_of(self) -> dict[int, tuple[int, ...]]:
        return {group.features[0]: group.features for group in self.domain.groups}

    @cached_property
    def _first(self) -> list[Array]:
        """For each feature what its codes add to the sums of the first layer (or the readout)."""
        layers = self.network.layers
        weights = layers[0].weights if layers else self.network.readout
        return [exact_product(f.codes, weights[:, list(f.inputs)]) for f in self.domain.features]

    def _choices(self, allowed: Allowed, cost: Cost) -> tuple[list[Choice], Parts]:
        """The features with more than one code, those that move most first; the whole product.

        Features that constraints tie together are one choice, with a row of codes each time.
        """
        choices: list[Choice] = []
        base = np.zeros(self._first[0].shape[1], dtype=np.int64)
        spent = 0
        for group in self.domain.groups:
            codes = group.within(allowed)
            columns = list(zip(codes.T, group.features, strict=True))
            costs = np.zeros(len(codes), dtype=np.int64)
            sums = np.zeros((len(codes), len(base)), dtype=np.int64)
            for column, k in columns:
                costs = costs + np.array([cost(k, code) for code in column.tolist()])
                sums = sums + self._first[k][column]
            if len(codes) == 1:
                base, spent = base + sums[0], spent + int(costs[0])
            else:
                of_one = codes[:, 0] if len(columns) == 1 else codes
                choices.append(Choice(group.features[0], of_one, sums, costs))
        choices.sort(key=lambda choice: -int(np.ptp(choice.sums, axis=0).sum()))
        return choices, Parts(np.zeros((1, 0), np.int8), base[np.newaxis], np.array([-spent]))


def confirm(holds: bool | None, what: str, otherwise: str) -> str:  # noqa: FBT001
    """What an answer rests on: the recomputation, or ``otherwise`` if that was too long.

    Raises `SolverError` if the recomputation shows the answer to be wrong; it is not given then.
    """
    if holds is False:
        raise SolverError(
            f"A recomputation contradicts {what}; it is not given.",
            hint="Please report it, with the model.",
        )
    return RECOMPUTED if holds else otherwise

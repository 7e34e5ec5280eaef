"""Recomputation of what the searches say of a network on a domain, by one plain count.

A part of the domain is a choice for its first features.  The sums of the first layer then lie
between bounds, and so does everything behind it; where these bounds leave one class the part is
counted as a whole, else it is divided by its next feature, at the end into single points, which
are evaluated.  Reasons, contrasts, nearest changes, counts and rules are all statements about such
counts.  Nothing here is shared with the searches in this package but the network and the domain.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tamecheck.binarized import BinarizedNetwork, product
from tamecheck.errors import SolverError
from tamecheck.explain.domain import Domain
from tamecheck.explain.hitting_sets import are_minimal_hitting_sets, has_hitting_set
from tamecheck.ir.tensor import Array

__all__ = ["RECOMPUTED", "Recomputation", "confirm"]

RECOMPUTED = "recomputation"
"""What an answer rests on that was computed a second time, from its definition."""

_MOST = 2**20
_ROWS = 2**12
_ROOM = 2**22
_OPEN = -1

Allowed = Sequence[Sequence[int]]
Cost = Callable[[int, int], int]
Within = tuple[Cost, int]
_FREE: Within = (lambda _feature, _code: 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """What one feature may be: its codes, the sums that each adds, and what each costs."""

    feature: int
    codes: Array
    sums: Array
    costs: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """Parts of the domain with the same number of chosen features.

    ``chosen`` has a row for each part: for each chosen feature the place of its code.
    """

    chosen: Array
    sums: Array
    left: Array


class _TooManyError(Exception):
    """More parts than may be looked at."""


@dataclass(frozen=True, eq=False)
class Recomputation:
    """Statements about a network on a domain, judged by their definitions.

    Every method returns None where the answer takes too many parts of the domain.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    most
        The most parts that are looked at for one count.
    """

    network: BinarizedNetwork
    domain: Domain
    most: int = _MOST

    def counts(self, allowed: Allowed, *, within: Within | None = None) -> list[int] | None:
        """How many points of a product of codes each class has.

        Parameters
        ----------
        allowed
            For each feature, the numbers of the codes that count.
        within
            The cost of each code of each feature (0 or more), and the most that a point may cost.

        Notes
        -----
        At worst every point is a part of its own.
        """
        counts = [0] * self.network.classes
        cost, budget = within or _FREE
        choices, start = self._choices(allowed, cost)
        ways = _ways(choices, budget)
        try:
            for parts, winners in self._closed(choices, start, budget):
                for winner in range(self.network.classes):
                    lefts, numbers = np.unique(parts.left[winners == winner], return_counts=True)
                    for left, number in zip(lefts.tolist(), numbers.tolist(), strict=True):
                        counts[winner] += number * ways[parts.chosen.shape[1]][left]
        except _TooManyError:
            return None
        return counts

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
                found = self._one(self._freed(codes, free | {feature}), lambda w: w != decision)
            except _TooManyError:
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
        facts = [self.is_reason(codes, features, minimal=False)]
        for contrast in contrasts:
            constant = self._is_constant(codes, contrast)
            facts.append(None if constant is None else not constant)
        fewer = has_hitting_set(contrasts, len(features) - 1)
        facts.append(None if fewer is None else not fewer)
        return False if False in facts else None if None in facts else True

    def is_contrast(self, codes: Sequence[int], features: Sequence[int]) -> bool | None:
        """Whether changing the features can change the class, and changing no proper subset can."""
        free = set(features)
        subsets = [free, *(free - {k} for k in features)]
        constant = [self._is_constant(codes, subset) for subset in subsets]
        if constant[0] is True or False in constant[1:]:
            return False
        return None if None in constant else True

    def is_enumeration(
        self,
        codes: Sequence[int],
        reasons: Sequence[Sequence[int]],
        contrasts: Sequence[Sequence[int]],
    ) -> bool | None:
        """Whether these are all minimal reasons, and these are minimal contrasts.

        Notes
        -----
        Every reason hits every contrast, so it contains a minimal hitting set of those given; if
        all of these are reasons, there is no other (Ignatiev et al. 2020).
        """
        facts = [self.is_reason(codes, reason, minimal=True) for reason in reasons]
        facts += [self.is_contrast(codes, contrast) for contrast in contrasts]
        facts.append(are_minimal_hitting_sets(reasons, contrasts))
        return False if False in facts else None if None in facts else True

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

    def _freed(self, codes: Sequence[int], free: Collection[int]) -> Allowed:
        return [
            range(len(feature.codes)) if k in free else (codes[k],)
            for k, feature in enumerate(self.domain.features)
        ]

    def _is_constant(self, codes: Sequence[int], free: Collection[int]) -> bool | None:
        """Whether all points that agree with one on all but the free features have its class."""
        decision = self._class(codes)
        return self._has_none(self._freed(codes, free), lambda winners: winners != decision)

    def _has_none(
        self, allowed: Allowed, wanted: Callable[[Array], Array], within: Within | None = None
    ) -> bool | None:
        try:
            return self._one(allowed, wanted, within) is None
        except _TooManyError:
            return None

    def _one(
        self, allowed: Allowed, wanted: Callable[[Array], Array], within: Within | None = None
    ) -> tuple[int, ...] | None:
        """The codes of a point whose class is wanted; None if there is no such point."""
        cost, budget = within or _FREE
        choices, start = self._choices(allowed, cost)
        for parts, winners in self._closed(choices, start, budget):
            hits = np.flatnonzero((winners != _OPEN) & wanted(winners))
            if hits.size:
                found = [codes[0] for codes in allowed]
                # the features to come are as cheap as can be
                for choice in choices:
                    found[choice.feature] = int(choice.codes[int(choice.costs.argmin())])
                for choice, place in zip(choices, parts.chosen[hits[0]].tolist(), strict=False):
                    found[choice.feature] = int(choice.codes[place])
                return tuple(found)
        return None

    @cached_property
    def _first(self) -> list[Array]:
        """For each feature what its codes add to the sums of the first layer (or the readout)."""
        layers = self.network.layers
        weights = layers[0].weights if layers else self.network.readout
        return [_product(f.codes, weights[:, list(f.inputs)]) for f in self.domain.features]

    def _choices(self, allowed: Allowed, cost: Cost) -> tuple[list[_Choice], _Parts]:
        """The features with more than one code, those that move most first; the whole product."""
        choices: list[_Choice] = []
        base = np.zeros(self._first[0].shape[1], dtype=np.int64)
        spent = 0
        for k, codes in enumerate(allowed):
            costs = np.array([cost(k, code) for code in codes], dtype=np.int64)
            if len(codes) == 1:
                base, spent = base + self._first[k][codes[0]], spent + int(costs[0])
            else:
                choices.append(_Choice(k, np.array(codes), self._first[k][list(codes)], costs))
        choices.sort(key=lambda choice: -int(np.ptp(choice.sums, axis=0).sum()))
        return choices, _Parts(np.zeros((1, 0), np.int8), base[np.newaxis], np.array([-spent]))

    def _closed(
        self, choices: Sequence[_Choice], start: _Parts, budget: int
    ) -> Iterator[tuple[_Parts, Array]]:
        """Parts, and the class of all points in each of them, or -1; the latter are divided."""
        low, high = (_reach(choices, budget, start, sign) for sign in (-1, 1))
        waiting = [_Parts(start.chosen, start.sums, start.left + budget)]
        if waiting[0].left[0] < 0 or not all(len(choice.codes) for choice in choices):
            return
        seen = 0
        while waiting:
            parts = waiting.pop()
            depth = int(parts.chosen.shape[1])
            seen += len(parts.sums)
            if seen > self.most:
                raise _TooManyError
            lower: Array = parts.sums + low[depth][parts.left]
            upper: Array = parts.sums + high[depth][parts.left]
            winners = _winners(self.network, lower, upper)
            yield parts, winners
            if (winners == _OPEN).any():
                waiting += _divided(choices[depth], parts, winners == _OPEN)


def _reach(choices: Sequence[_Choice], budget: int, start: _Parts, sign: int) -> list[Array]:
    """For each depth and budget, the most that the features to come add to each sum, up or down.

    With b left at most b features can leave the codes that cost nothing.
    """
    count = start.sums.shape[1]
    base, gains = np.zeros(count, np.int64), np.zeros((budget, count), np.int64)
    found = [np.zeros((budget + 1, count), dtype=np.int64)]
    for choice in reversed(choices):
        added = sign * choice.sums
        free = added[choice.costs == 0] if (choice.costs == 0).any() else added
        stays = free.max(axis=0)
        more = np.maximum(added.max(axis=0) - stays, 0)
        base = base + stays
        gains = -np.sort(-np.vstack([gains, more]), axis=0)[:budget]
        steps = np.vstack([np.zeros((1, count), np.int64), np.cumsum(gains, axis=0)])
        found.append(sign * (base + steps))
    return found[::-1]


def _ways(choices: Sequence[_Choice], budget: int) -> list[list[int]]:
    """For each depth and budget, how many choices of the features to come cost no more."""
    ways = [[1] * (budget + 1)]
    for choice in reversed(choices):
        after = ways[-1]
        costs: list[int] = choice.costs.tolist()
        ways.append([sum(after[b - c] for c in costs if c <= b) for b in range(budget + 1)])
    return ways[::-1]


def _divided(choice: _Choice, parts: _Parts, still: Array) -> Iterator[_Parts]:
    """The open parts, divided by their next feature, in pieces of a bounded number of rows."""
    sums, left = parts.sums[still], parts.left[still]
    rows = max(1, min(_ROWS, _ROOM // choice.sums.size))
    for start in range(0, len(sums), rows):
        rest = left[start : start + rows, None] - choice.costs
        grown = sums[start : start + rows, None, :] + choice.sums
        owner, place = np.nonzero(rest >= 0)
        before = parts.chosen[still][start : start + rows][owner]
        chosen = np.concatenate([before, place[:, None].astype(np.int32)], axis=1)
        yield _Parts(chosen, grown[owner, place], rest[owner, place])


def _winners(network: BinarizedNetwork, low: Array, high: Array) -> Array:
    """The class of every point between bounds on the sums of the first layer, or -1."""
    if not network.layers:
        return _ahead(low + network.offsets, high + network.offsets)
    first, *others = network.layers
    states: Array = _states(low, high, first.thresholds)
    for layer in others:
        known: Array = _product(states, layer.weights)
        doubt: Array = _product(states == 0, np.abs(layer.weights))
        states = _states(known - doubt, known + doubt, layer.thresholds)
    scores: Array = _product(states, network.readout) + network.offsets
    likely = np.argmax(scores, axis=1)
    winners = np.full(len(states), _OPEN)
    for winner in np.unique(likely).tolist():
        rows = np.flatnonzero(likely == winner)
        gaps = network.readout[winner] - network.readout
        margin: Array = _product(states[rows], gaps) - _product(states[rows] == 0, np.abs(gaps))
        margin += network.offsets[winner] - network.offsets
        # of equal scores the first decides, so a later rival may come level
        needed = (np.arange(network.classes) < winner).astype(np.int64)
        needed[winner] = 0
        winners[rows[(margin >= needed).all(axis=1)]] = winner
    return winners


def _product(states: Array, weights: Array) -> Array:
    """``states @ weights.T`` in integers of any size."""
    try:
        return product(states, weights)
    except ValueError:
        return states.astype(object) @ weights.T.astype(object)


def _states(low: Array, high: Array, thresholds: Array) -> Array:
    """1 or -1 where bounds on a sum decide it, else 0."""
    return (low >= thresholds).astype(np.int8) - (high < thresholds).astype(np.int8)


def _ahead(low: Array, high: Array) -> Array:
    """The column that is the first largest for all values between bounds, or -1."""
    winners = np.full(len(low), _OPEN)
    for column in range(low.shape[1]):
        behind = (high[:, :column] < low[:, [column]]).all(axis=1)
        level = (high[:, column + 1 :] <= low[:, [column]]).all(axis=1)
        winners[behind & level] = column
    return winners


def confirm(holds: bool | None, what: str, otherwise: str) -> str:  # noqa: FBT001
    """What an answer rests on: the recomputation, or ``otherwise`` if that was too long.

    Raises
    ------
    SolverError
        If the recomputation shows the answer to be wrong; it is not given then.
    """
    if holds is False:
        raise SolverError(
            f"A recomputation contradicts {what}; it is not given.",
            hint="Please report it, with the model.",
        )
    return RECOMPUTED if holds else otherwise

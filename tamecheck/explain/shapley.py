"""Exact Shapley values of having a class, by counting points.

The players are the features, and a set S of them is worth the probability that an input has the
class if the features in S keep their codes and the others are drawn: from all codes of each,
independently and equally often, or together from the rows of a table.  A feature's value is its
mean gain over all orders in which features are kept one after the other (Shapley 1953).

Over the domain sets of one size are taken together: a code of a feature that is its own weighs
``1 + m z`` where the feature has m codes, any other weighs 1, and the weights of a class's points
sum to a polynomial whose coefficient of z^s is about the sets of s features.  So all sets take no
more than one weighted count for each feature (Van den Broeck, Lykov, Schleich, Suciu 2022 show the
equivalence).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, prod

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.errors import InputError, TimeLimitError
from tamecheck.explain.answers import Shapley, called
from tamecheck.explain.check import Recomputation, confirm
from tamecheck.explain.counts import Allowed, count_bounds
from tamecheck.explain.domain import Domain
from tamecheck.explain.reasons import reasons_of, relevancy_of
from tamecheck.explain.search import Codes, Search
from tamecheck.explain.tables import score_blocks

_FEW = 14
"""Features that differ from a row, of which all sets are visited."""


def shapley(  # noqa: PLR0913, PLR0917  # the question, and what is known
    search: Search,
    codes: Codes,
    recomputation: Recomputation,
    classes: Sequence[str],
    target: int | None,
    rows: Sequence[Codes] | None,
) -> Shapley:
    """The values of the features for having a class, that of the input if it is None.

    Raises `TimeLimitError` if they are not known in time, and `SolverError` if they do not sum to
    what the input has more than the mean.
    """
    network, domain, budget = search.network, search.domain, search.budget
    # where constraints tie features together it is open what a set of them is worth
    recomputation.domain.require_product("A Shapley value")
    decision = search.decide(codes)
    asked = decision if target is None else target
    if not 0 <= asked < network.classes:
        raise InputError(f"There is no class {asked}; there are {network.classes}.")
    game = Game(network, domain, codes, asked, budget)
    if rows is None:
        values = game.over_domain()
        counts = count_bounds(network, domain, deadline=budget.deadline)
        points, have = domain.size, counts.lower[asked] if counts.exact else None
    elif not rows:
        raise InputError("There are no rows to draw the other features from.", where="rows")
    else:
        values = game.over_rows(rows)
        states = np.array([domain.states(row) for row in rows])
        points, have = len(rows), int((network.decide(states) == asked).sum())
    if have is None:
        raise TimeLimitError("the time limit is over")
    base, value = Fraction(have, points), int(decision == asked)
    again = _recomputed(recomputation, codes, asked, rows, budget)
    holds = None if again is None else again == values
    if sum(values, Fraction(0)) != value - base:
        holds = False
    names = [feature.name for feature in domain.features]
    return Shapley(
        decision,
        asked,
        dict(zip(names, values, strict=True)),
        value,
        base,
        "domain" if rows is None else "table",
        points,
        relevancy_of(
            decision,
            classes,
            names,
            search.changeable,
            reasons_of(search, codes, recomputation),
        ),
        called(asked, classes),
        confirm(holds, "these Shapley values", "search"),
    )


def _recomputed(
    recomputation: Recomputation,
    codes: Codes,
    target: int,
    rows: Sequence[Codes] | None,
    budget: Budget,
) -> list[Fraction] | None:
    """The values once more; None if that takes too long."""
    if rows is None:
        return recomputation.shapley(codes, target)
    total = [Fraction(0)] * len(codes)
    for row, many in Counter(rows).items():
        values = None if budget.is_spent else recomputation.shapley(codes, target, row)
        if values is None:
            return None
        total = [t + many * value for t, value in zip(total, values, strict=True)]
    return [value / len(rows) for value in total]


@dataclass(frozen=True, slots=True, eq=False)
class Game:
    """What a set of features of a point is worth for having a class.

    The values raise `TimeLimitError` if they are not known in time.
    """

    network: ThresholdNetwork
    domain: Domain
    codes: Codes
    target: int
    budget: Budget

    def over_domain(self) -> list[Fraction]:
        """The values of the features where the others have all of their codes equally often."""
        return self._by_weights([tuple(range(len(f.codes))) for f in self.domain.features])

    def over_rows(self, rows: Sequence[Codes]) -> list[Fraction]:
        """The values where the others are those of a row, all rows equally often."""
        total = [Fraction(0)] * len(self.codes)
        for row, many in Counter(rows).items():
            self.budget.check()
            allowed = [tuple(dict.fromkeys(pair)) for pair in zip(row, self.codes, strict=True)]
            few = sum(len(pair) > 1 for pair in allowed) <= _FEW
            values = self._by_sets(allowed) if few else self._by_weights(allowed, row)
            total = [t + many * value for t, value in zip(total, values, strict=True)]
        return [value / len(rows) for value in total]

    def _by_sets(self, allowed: Allowed) -> list[Fraction]:
        """The values between the two codes of each feature that has two, set by set."""
        players = [k for k, pair in enumerate(allowed) if len(pair) > 1]
        count = len(players)
        blocks = score_blocks(self.network, self.domain, allowed)
        decided = [np.argmax(scores, axis=1) for scores in blocks]
        wins = (np.concatenate(decided) == self.target).astype(np.int64)
        sets = np.arange(len(wins))
        sizes = np.bitwise_count(sets).astype(np.int64)
        found = [Fraction(0)] * len(allowed)
        for place, k in enumerate(players):
            # the last feature moves fastest
            own = 1 << (count - 1 - place)
            without = sets[sets & own == 0]
            gains = np.zeros(count, dtype=np.int64)
            np.add.at(gains, sizes[without], wins[without | own] - wins[without])
            found[k] = _mean(gains.tolist())
        return found

    def _by_weights(self, allowed: Allowed, row: Codes | None = None) -> list[Fraction]:
        """The values by a weighted count for each feature.

        A polynomial is one integer: its value at a power of two above all coefficients.
        """
        codes = self.codes
        players = [k for k, own in enumerate(allowed) if len(own) > 1]
        there = [[int(row is None or c == row[k]) for c in own] for k, own in enumerate(allowed)]
        sizes = [sum(own) for own in there]
        points = prod(sizes)
        bits = (points << len(players)).bit_length() + 1

        def weights(held: int | None) -> list[list[int]]:
            """Of all codes; of a feature that is held always, of its own only."""
            found: list[list[int]] = []
            for k, own in enumerate(allowed):
                is_own = [code == codes[k] for code in own]
                if k == held:
                    found.append([sizes[k] * mine for mine in is_own])
                elif len(own) == 1:
                    found.append([1])
                else:
                    more = sizes[k] << bits
                    found.append([a + more * b for a, b in zip(there[k], is_own, strict=True)])
            return found

        def polynomial(held: int | None) -> list[int]:
            own, deadline = weights(held), self.budget.deadline
            of = self.network, self.domain, allowed
            bounds = count_bounds(*of, weights=own, deadline=deadline)
            if not bounds.exact:
                raise TimeLimitError("the time limit is over")
            number = bounds.lower[self.target]
            return [number >> bits * s & ((1 << bits) - 1) for s in range(len(players) + 1)]

        whole = polynomial(None)
        found = [Fraction(0)] * len(codes)
        for k in players:
            held = polynomial(k)
            # a set of s features has this one, and is one of s - 1 others, or it has not
            without = [own - before for own, before in zip(whole, [0, *held], strict=False)]
            gains = [a - b for a, b in zip(held, without, strict=True)][: len(players)]
            found[k] = _mean(gains) / points
        return found


def _mean(gains: Sequence[int]) -> Fraction:
    """The mean gain over orders, given the sum of the gains over the sets of each size.

    Each of the C(n - 1, s) sets of s others comes before a feature in 1/n of them.
    """
    count = len(gains)
    shares = (Fraction(gain, count * comb(count - 1, size)) for size, gain in enumerate(gains))
    return sum(shares, Fraction(0))

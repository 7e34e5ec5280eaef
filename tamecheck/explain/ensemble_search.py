"""The search for other classes of an ensemble of trees, among the codes of its features.

Of a set of codes for each feature every tree reaches some leaves.  The sum of the largest leaves
bounds a score's lead from above, and is attained where these leaves have a common point; where not,
two of them disagree about a feature, whose codes are divided.  Leads are compared in floats with a
bound on what they round, and exactly within it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

import numpy as np

from tamecheck.budget import Budget
from tamecheck.explain.attributes import Attributes
from tamecheck.explain.ensembles import Cut, Ensemble
from tamecheck.explain.thresholds import Divide, codes_of
from tamecheck.ir.tensor import Array
from tamecheck.verification.decisions import Decision

Allowed: TypeAlias = Sequence[Array]
"""For each feature which of its codes are allowed, as booleans."""


class EnsembleSearch:
    """Searches for points of other classes of an ensemble over a domain."""

    def __init__(self, ensemble: Ensemble, decision: Decision, domain: Attributes) -> None:
        self.ensemble, self.decision, self.domain = ensemble, decision, domain
        cuts: dict[int, list[Cut]] = {}
        for cut in ensemble.cuts:
            cuts.setdefault(cut.input, []).append(cut)
        self.codes = [
            codes_of(one, [cut for i in one.inputs for cut in cuts.get(i, ())])
            for one in domain.items
        ]
        counts = [len(codes.points) for codes in self.codes]
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        leaves = [leaf for tree in ensemble.trees for leaf in tree]
        self.trees = np.cumsum([0, *(len(tree) for tree in ensemble.trees)])[:-1]
        self.exact = [leaf.values for leaf in leaves]
        self.masks = np.ones((len(leaves), int(self.starts[-1])), dtype=np.bool_)
        sides = self._sides()
        for row, leaf in enumerate(leaves):
            for cut in leaf.below:
                self.masks[row] &= sides[cut]
            for cut in leaf.above:
                self.masks[row] &= ~sides[cut] | self._others(cut.input)

    def _sides(self) -> dict[Cut, Array]:
        """For each cut which codes satisfy it; those of other features all do."""
        found: dict[Cut, Array] = {}
        for cut in self.ensemble.cuts:
            number, place = self._place[cut.input]
            side = self._others(cut.input).copy()
            points = (values[place] for values in self.codes[number].points)
            own = [value < cut.at or (cut.closed and value == cut.at) for value in points]
            side[self._slice(number)] = own
            found[cut] = side
        return found

    @cached_property
    def _place(self) -> dict[int, tuple[int, int]]:
        """For each input its feature, and its place among the feature's inputs."""
        return {
            i: (number, place)
            for number, one in enumerate(self.domain.items)
            for place, i in enumerate(one.inputs)
        }

    def _others(self, input_: int) -> Array:
        """The codes of other features than an input's."""
        found = np.ones(int(self.starts[-1]), dtype=np.bool_)
        found[self._slice(self._place[input_][0])] = False
        return found

    def _slice(self, number: int) -> slice:
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    # --- questions ------------------------------------------------------------------------------

    def other(
        self,
        allowed: Allowed,
        number: int,
        target: int | None,
        budget: Budget,
    ) -> tuple[int, ...] | list[list[Divide | None]]:
        """Codes of another class (of the target) than a number among allowed ones.

        If there are none, how the allowed codes were divided to see that, for each rival.  Raises
        `TimeLimitError` if the budget is spent before that is known.
        """
        box = np.concatenate(list(allowed))
        rivals = range(self.decision.classes) if target is None else (target,)
        divisions: list[list[Divide | None]] = []
        for rival in rivals:
            if target is None and rival == number:
                continue
            steps: list[Divide | None] = []
            if target is None:
                found = self._lead(box, rival, number, steps, budget)
            else:
                found = self._attain(box, rival, steps, budget)
            if found is not None:
                return found
            divisions.append(steps)
        return divisions

    def class_of(self, codes: Sequence[int]) -> int:
        """The class at codes, by the exact sums of the leaves."""
        box = np.zeros(int(self.starts[-1]), dtype=np.bool_)
        box[self.starts[:-1] + np.array(codes, dtype=np.int64)] = True
        reached = np.flatnonzero(self._reached(box))
        return next(
            k
            for k in range(self.decision.classes)
            if all(
                not self._closed(reached, k, rival)
                for rival in range(self.decision.classes)
                if rival != k
            )
        )

    def _lead(
        self, box: Array, winner: int, loser: int, steps: list[Divide | None], budget: Budget
    ) -> tuple[int, ...] | None:
        """Codes in a box where a class beats another one, or None."""
        stack = [box]
        while stack:
            budget.check()
            part = stack.pop()
            best = self._best(part, winner, loser)
            if self._closed(best, winner, loser):
                steps.append(None)
                continue
            found = self._common(part, best, winner, loser)
            if isinstance(found, tuple):
                return found
            steps.append(found)
            stack += self.parts(part, found)
        return None

    def _attain(
        self, box: Array, winner: int, steps: list[Divide | None], budget: Budget
    ) -> tuple[int, ...] | None:
        """Codes in a box of a class, or None."""
        rivals = [rival for rival in range(self.decision.classes) if rival != winner]
        stack = [box]
        while stack:
            budget.check()
            part = stack.pop()
            bests = [(self._best(part, winner, rival), rival) for rival in rivals]
            if any(self._closed(best, winner, rival) for best, rival in bests):
                steps.append(None)
                continue
            divided: Divide | None = None
            for best, rival in bests:
                found = self._common(part, best, winner, rival)
                if not isinstance(found, tuple):
                    divided = divided or found
                elif self.class_of(found) == winner:
                    return found
            divided = divided or self._half(part)
            steps.append(divided)
            stack += self.parts(part, divided)
        return None

    def parts(self, box: Array, divided: Divide) -> list[Array]:
        """The two parts of a box; the one with the codes inside is the last."""
        place = self._slice(divided.feature)
        inside, outside = box.copy(), box.copy()
        inside[place] = box[place] & divided.inside
        outside[place] = box[place] & ~divided.inside
        return [outside, inside]

    def leading(self, box: Array) -> tuple[int, int | None]:
        """The class at some point of a box, and one that beats it at another; None if none does."""
        starts = self.starts[:-1].tolist()
        number = self.class_of([int(np.argmax(box[self._slice(k)])) for k in range(len(starts))])
        for rival in range(self.decision.classes):
            if rival != number and not self._closed(self._best(box, rival, number), rival, number):
                return number, rival
        return number, None

    def between(self, box: Array, first: int, second: int) -> Divide:
        """How to divide a box in which two classes are not excluded."""
        ends: list[tuple[int, ...]] = []
        for winner, loser in ((first, second), (second, first)):
            found = self._common(box, self._best(box, winner, loser), winner, loser)
            if isinstance(found, Divide):
                return found
            ends.append(found)
        apart = [k for k, (a, b) in enumerate(zip(*ends, strict=True)) if a != b]
        if not apart:
            return self._half(box)
        number = apart[0]
        low = min(end[number] for end in ends)
        codes = np.arange(len(self.codes[number].points))
        return Divide(number, codes <= low)

    def measure(self, box: Array, sizes: Sequence[Sequence[Fraction]]) -> Fraction:
        """The product over the features of the sizes of a box's codes."""
        total = Fraction(1)
        for number, own in enumerate(sizes):
            mask = box[self._slice(number)].tolist()
            pairs = zip(own, mask, strict=True)
            total *= sum((size for size, there in pairs if there), Fraction(0))
        return total

    def _half(self, box: Array) -> Divide:
        """Half of the codes of the feature with the most."""
        counts = [int(box[self._slice(k)].sum()) for k in range(len(self.codes))]
        number = int(np.argmax(counts))
        own = box[self._slice(number)]
        places = np.flatnonzero(own)
        inside = np.zeros(len(own), dtype=np.bool_)
        inside[places[: max(1, len(places) // 2)]] = True
        return Divide(number, inside)

    def _reached(self, box: Array) -> Array:
        """Which leaves have a point in a box."""
        common = self.masks & box
        return np.asarray(np.logical_or.reduceat(common, self.starts[:-1], axis=1).all(axis=1))

    def _best(self, box: Array, winner: int, loser: int) -> Array:
        """For each tree the leaf in a box with the largest lead of a class over another one."""
        leads, _ = self.leads[winner, loser]
        open_ = np.where(self._reached(box), leads, -np.inf)
        ends = [*self.trees[1:].tolist(), len(leads)]
        pairs = zip(self.trees.tolist(), ends, strict=True)
        return np.array([a + int(np.argmax(open_[a:b])) for a, b in pairs], dtype=np.int64)

    @cached_property
    def leads(self) -> Mapping[tuple[int, int], tuple[Array, float]]:
        """For classes the lead in each leaf, in floats; and how far a sum may be off."""
        found: dict[tuple[int, int], tuple[Array, float]] = {}
        count = self.decision.classes
        for winner in range(count):
            for loser in range(count):
                if winner != loser:
                    exact = [self._lead_of(leaf, winner, loser) for leaf in self.exact]
                    leads = np.array(list(map(float, exact)))
                    sizes = np.maximum.reduceat(np.abs(leads), self.trees) if exact else leads
                    start = abs(float(self._constant(winner, loser)))
                    total = float(sizes.sum()) + start
                    found[winner, loser] = leads, total * (len(self.trees) + 4) * 2.0**-50 + 1e-290
        return found

    def _lead_of(self, scores: Sequence[Fraction], winner: int, loser: int) -> Fraction:
        """How far a class is ahead of another one; what is below 0 is beaten."""
        row = self.decision.row(winner, loser)
        return -sum((c * scores[i] for i, c in row.outputs), Fraction(0))

    def _constant(self, winner: int, loser: int) -> Fraction:
        bound = self.decision.row(winner, loser).bound
        return self._lead_of(self.ensemble.constants, winner, loser) + bound

    def _closed(self, leaves: Array, winner: int, loser: int) -> bool:
        """Whether a class does not beat another one where the sum of these leaves is the most."""
        leads, slack = self.leads[winner, loser]
        total = float(leads[leaves].sum()) + float(self._constant(winner, loser))
        if abs(total) > slack:
            return total < 0
        exact = self._constant(winner, loser)
        chosen: list[int] = leaves.tolist()
        for leaf in chosen:
            exact += self._lead_of(self.exact[leaf], winner, loser)
        return exact <= 0 if self.decision.row(winner, loser).strict else exact < 0

    def _common(
        self, box: Array, leaves: Array, winner: int, loser: int
    ) -> tuple[int, ...] | Divide:
        """Codes of a box that reach all the leaves; else how to divide it: where two disagree."""
        leads, _ = self.leads[winner, loser]
        # those that matter most first, so that the division tells them apart
        order = leaves[np.argsort(-np.abs(leads[leaves]), kind="stable")]
        common = box.copy()
        for leaf in order.tolist():
            fewer = common & self.masks[leaf]
            there = np.logical_or.reduceat(fewer, self.starts[:-1])
            if not there.all():
                number = int(np.argmin(there))
                return Divide(number, self.masks[leaf, self._slice(number)])
            common = fewer
        starts = self.starts[:-1].tolist()
        return tuple(int(np.argmax(common[self._slice(number)])) for number in range(len(starts)))

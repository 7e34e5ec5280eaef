"""Partial points of a domain that a network cannot tell apart, as one: feature after feature."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import prod
from operator import mul

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.binarized.network import Propagation
from tamecheck.explain.blocks import Block, diagram_after, last_of
from tamecheck.ir.tensor import Array

_CELLS = 1 << 19
"""Rows with more sums than this are split; parts are not merged with each other."""

_AT_ONCE = 1 << 12
"""Rows that are decided with all combinations of the last features before the time is looked at."""

_ROUNDING, _STEPS = 1e-9, 1 << 13
"""More than the error of any share that is summed in floats; and how finely sums are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Partial points over the features before ``depth``; ``many`` points have the same sums.

    These are Python integers where 64 bits may be too few.
    """

    depth: int
    sums: Array
    many: Array


class Merging:
    """The features in order, and what the sums of the first layer still need.

    Sums are shifted and divided so that a feature adds 0 or a positive integer without a common
    divisor, and thresholds with them.  Neurons to which the same is added share a sum.  A neuron
    whose sum reaches its threshold is on, and one that cannot reach it any more is off, whatever
    its sum is: where all neurons of a sum are, it is set to the largest threshold or to 0.
    """

    def __init__(
        self,
        network: ThresholdNetwork,
        parts: Sequence[Array],
        weights: Sequence[Sequence[int]],
    ) -> None:
        self.network, self.propagation = network, Propagation(network)
        raised = [part - part.min(axis=0) for part in parts]
        start = np.sum([part.min(axis=0) for part in parts], axis=0)
        self.start = start
        self.step = np.maximum(np.gcd.reduce(np.concatenate(raised), axis=0), 1)
        order = sorted(range(len(parts)), key=lambda k: (-int(raised[k].max(axis=0).sum()), k))
        self.parts, self.sum_of = _shared([raised[k] // self.step for k in order])
        self.weights = [weights[k] for k in order]
        self.width = self.parts[0].shape[1]
        ends = [np.zeros(self.width, dtype=np.int64), *(p.max(axis=0) for p in self.parts[::-1])]
        self.to_come = list(accumulate(ends))[::-1]
        top = self.to_come[0]
        self.least = top[self.sum_of]
        self.first = self.last = top
        if network.layers:
            # the least multiple of the step that reaches the threshold
            least = -((start - network.layers[0].thresholds) // self.step)
            self.least = np.clip(least, 0, self.least + 1)
            self.first, self.last = top + 1, np.zeros_like(top)
            np.minimum.at(self.first, self.sum_of, self.least)
            np.maximum.at(self.last, self.sum_of, self.least)
            top = self.last
        # multipliers that make one number of sums, if it fits in 63 bits
        places = list(accumulate((most + 1 for most in top.tolist()), mul, initial=1))
        self.places = np.array(places[:-1], dtype=np.int64) if places[-1] < 2**62 else None
        self.many_rows = max(_CELLS // max(self.width, 1), 1)

    @cached_property
    def place(self) -> int:
        """From which feature on all combinations are decided at once."""
        return last_of([len(part) for part in self.parts])

    @cached_property
    def block(self) -> Block | None:
        """The combinations of the last features; None if that would not be shorter."""
        made = diagram_after(self.network) if self.network.layers else None
        weighted = any(weight != 1 for own in self.weights[self.place :] for weight in own)
        if made is None or weighted:
            return None
        return Block(self.parts[self.place :], self.least, self.sum_of, made)

    def finish(self, rows: Rows, done: list[int], deadline: float) -> Rows | None:
        """Decide all points of the rows; those that are left at the deadline."""
        if self.block is None:
            return rows
        for start in range(0, len(rows.sums), _AT_ONCE):
            if start and time.monotonic() > deadline:
                return Rows(rows.depth, rows.sums[start:], rows.many[start:])
            part = slice(start, start + _AT_ONCE)
            counts = self.block.counts(rows.sums[part], rows.many[part], len(done))
            for decision, more in enumerate(counts):
                done[decision] += more
        return None

    def ways(self, depth: int) -> int:
        """The number of combinations of the features that a row has no codes of yet."""
        return prod(map(sum, self.weights[depth:]))

    def extend(self, rows: Rows) -> Rows:
        """The rows with each code of the next feature."""
        part = self.parts[rows.depth]
        sums = (rows.sums[:, np.newaxis, :] + part).reshape(len(rows.sums) * len(part), self.width)
        weights = np.array(self.weights[rows.depth], dtype=rows.many.dtype)
        return Rows(rows.depth + 1, sums, np.multiply.outer(rows.many, weights).reshape(-1))

    def settle(self, rows: Rows, done: list[int]) -> Iterator[Rows]:
        """The rows that are still open, merged and split; the others are added to ``done``."""
        sums, to_come = rows.sums, self.to_come[rows.depth]
        own, more = sums[:, self.sum_of], to_come[self.sum_of]
        if self.network.layers:
            on, off = own >= self.least, own + more < self.least
            classes = self.propagation.winners(on.astype(np.int8) - off)
            never = sums + to_come < self.first
            sums = np.where(sums >= self.last, self.last, np.where(never, 0, sums))
        else:
            low = self.start + own * self.step
            classes = self.propagation.winners_of_scores(low, low + more * self.step)
        ways = self.ways(rows.depth)
        for decision in range(len(done)):
            done[decision] += int(rows.many[classes == decision].sum()) * ways
        merged = self._merge(Rows(rows.depth, sums[classes < 0], rows.many[classes < 0]))
        for at in range(0, len(merged.sums), self.many_rows):
            part = slice(at, at + self.many_rows)
            yield Rows(rows.depth, merged.sums[part].copy(), merged.many[part].copy())

    def settle_tails(self, queue: Sequence[Rows], done: list[int]) -> None:
        """Add to ``done`` what is certain of open rows, as their neurons are seldom otherwise.

        A row's points have the class of its neurons' likelier states, but for those at which some
        neuron is in the other one: at most the sum of their numbers, neuron by neuron.
        """
        if not self.network.layers or not queue:
            return
        tails = self._tails({rows.depth for rows in queue})
        columns: list[int] = self.sum_of.tolist()
        for rows in queue:
            others, states = np.zeros(len(rows.sums)), list[Array]()
            for k, column in enumerate(columns):
                step, reached, missed = tails[rows.depth][column]
                need = -((rows.sums[:, column] - self.least[k]) // step)
                on, off = (x[np.clip(need, 0, len(x) - 1)] for x in (reached, missed))
                states.append(np.where(on >= off, 1, -1))
                others += np.minimum(on, off)
            last = self.propagation.last_states(np.stack(states, axis=1).astype(np.int8))
            classes = self.propagation.classes(last)
            # what floats do to the sums of a row is far less than this
            sure = np.maximum(1 - others * (1 + _ROUNDING) - _ROUNDING, 0)
            points = sure * rows.many.astype(np.float64) * (1 - _ROUNDING)
            ways = self.ways(rows.depth)
            for decision in range(len(done)):
                share = Fraction(float(points[classes == decision].sum()) * (1 - _ROUNDING))
                done[decision] += int(share * ways)

    def _tails(self, depths: Collection[int]) -> dict[int, list[tuple[int, Array, Array]]]:
        """For each sum a step, and at what share of the combinations from a depth on it is large.

        With a need of so many steps: at most at what share it is reached, and missed.  What codes
        add is rounded to steps, up and down; shares are sums of positive floats.
        """
        found: dict[int, list[tuple[int, Array, Array]]] = {depth: [] for depth in depths}
        for column in range(self.width):
            step = max(int(self.to_come[min(depths)][column]) // _STEPS, 1)
            above, below = np.ones(1), np.ones(1)
            for depth in range(len(self.parts), min(depths) - 1, -1):
                if depth < len(self.parts):
                    adds, weights = self.parts[depth][:, column], self.weights[depth]
                    above = _spread(above, -(-adds // step), weights)
                    below = _spread(below, adds // step, weights)
                if depth in found:
                    reached = np.append(np.cumsum(above[::-1])[::-1], 0.0)
                    missed = np.concatenate([[0.0], np.cumsum(below)])
                    found[depth].append((step, reached, missed))
        return found

    def _merge(self, rows: Rows) -> Rows:
        """Equal rows as one, where sums fit in one number."""
        if self.places is None or len(rows.sums) < 2:
            return rows
        keys = rows.sums @ self.places
        order = np.argsort(keys)
        keys = keys[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        many = np.add.reduceat(rows.many[order], starts)
        return Rows(rows.depth, rows.sums[order[starts]], many)


def _spread(shares: Array, adds: Array, weights: Sequence[int]) -> Array:
    """The shares of sums with one more feature, whose codes add so much and have weights."""
    found = np.zeros(len(shares) + int(adds.max(initial=0)))
    for more, weight in zip(adds.tolist(), weights, strict=True):
        found[more : more + len(shares)] += shares * (weight / sum(weights))
    return found


def _shared(parts: Sequence[Array]) -> tuple[list[Array], Array]:
    """The parts with equal columns once, and for each column which of these it is."""
    ends = np.cumsum([len(part) for part in parts])[:-1]
    columns, place = np.unique(np.concatenate(parts), axis=1, return_inverse=True)
    return np.split(columns, ends), place.reshape(-1)

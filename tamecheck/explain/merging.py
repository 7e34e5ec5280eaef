"""Partial points of a domain that a network cannot tell apart, as one: feature after feature.

The last features' combinations are bits, which a decision diagram decides.  Given the sums of the
first layer over the other features, the combinations of the last features at which a neuron is 1
are those whose own sum is large enough.  These sets are made once for each neuron, a bit for each
combination; after that a neuron at thousands of points is one look-up.  What the layers after the
first make of its states is a reduced ordered decision diagram (Bryant 1986), which is evaluated on
whole sets by a few operations a node.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import accumulate
from math import isqrt, prod
from operator import mul
from typing import TypeAlias

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.binarized.network import Propagation
from tamecheck.ir.tensor import Array

MOST_NEURONS = 16
"""Of more neurons no diagram is made."""

_POINTS, _NODES, _ROWS = 1 << 12, 4000, 1 << 7

Bit: TypeAlias = "Array | bool"
"""A set of points, or none or all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Diagram:
    """A decision diagram for the class, by the states of neurons.

    ``levels`` has for each neuron in ``order`` the nodes that ask for it: the places in the next
    level after -1 and after 1.  In the last level a place is a class.
    """

    order: tuple[int, ...]
    levels: tuple[tuple[tuple[int, int], ...], ...]
    classes: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of nodes."""
        return sum(map(len, self.levels))

    def evaluate(self, states: Sequence[Array]) -> list[Bit]:
        """The bits of the number of the class, lowest first, for sets where neurons are 1."""
        width = max(max(self.classes).bit_length(), 1)
        below = [[bool(c >> b & 1) for b in range(width)] for c in self.classes]
        values: list[list[Bit]] = [list(bits) for bits in below]
        for neuron, nodes in zip(reversed(self.order), reversed(self.levels), strict=True):
            high = states[neuron]
            values = [
                values[no]
                if no == yes
                else [_choose(high, *pair) for pair in zip(values[no], values[yes], strict=True)]
                for no, yes in nodes
            ]
        return values[0]


def _choose(high: Array, no: Bit, yes: Bit) -> Bit:
    """The points of ``yes`` where a set holds, and those of ``no`` elsewhere."""
    if no is yes:
        return no
    if isinstance(no, bool):
        if isinstance(yes, bool):
            return no if no == yes else (high if yes else ~high)
        return yes | ~high if no else yes & high
    if isinstance(yes, bool):
        return no | high if yes else no & ~high
    return no ^ (high & (no ^ yes))


def diagram_of(count: int, classes: Callable[[Array], Array]) -> Diagram | None:
    """The diagram of a function of the states -1 and 1 of neurons, given for rows of states.

    None if there are too many neurons or nodes.
    """
    if count > MOST_NEURONS:
        return None
    numbers = np.arange(1 << count)
    bits = (numbers[:, None] >> np.arange(count)[::-1] & 1).astype(np.int8)
    table = classes(2 * bits - 1).astype(np.int16).reshape((2,) * count)
    # neurons that turn the class most often are asked for first
    halves = (np.moveaxis(table, k, 0) for k in range(count))
    turns = [int(np.count_nonzero(np.asarray(low != high))) for low, high in halves]
    order = sorted(range(count), key=lambda k: (-turns[k], k))
    below = table.transpose(order).reshape(1, -1)
    levels: list[tuple[tuple[int, int], ...]] = []
    for _ in range(count):
        half = below.shape[1] // 2
        both = np.concatenate([below[:, :half], below[:, half:]])
        keys = np.ascontiguousarray(both).view(np.dtype((np.void, 2 * half))).reshape(-1)
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        links: list[int] = place.reshape(-1).tolist()
        size = len(below)
        levels.append(tuple(zip(links[:size], links[size:], strict=True)))
        below = both[first]
        if sum(map(len, levels)) > _NODES:
            return None
    return Diagram(tuple(order), tuple(levels), tuple(below[:, 0].tolist()))


@lru_cache(maxsize=64)
def diagram_after(network: ThresholdNetwork) -> Diagram | None:
    """The diagram of what a network makes of the states of its first layer."""
    known = Propagation(network)
    return diagram_of(
        len(network.layers[0].thresholds), lambda states: known.classes(known.last_states(states))
    )


class Block:
    """All combinations of some features, for each of which the sums of neurons are known.

    ``parts`` are what the codes of each feature add to the sums, ``least`` what each neuron needs
    of its sum, whose number is in ``sum_of``.
    """

    def __init__(
        self, parts: Sequence[Array], least: Array, sum_of: Array, diagram: Diagram
    ) -> None:
        self.diagram, self.least, self.sum_of = diagram, least, sum_of
        total = np.zeros((1, parts[0].shape[1] if parts else int(sum_of.max(initial=0)) + 1), int)
        for part in parts:
            total = (total[:, None, :] + part).reshape(-1, total.shape[1])
        self.points = len(total)
        self._full = _packed(np.ones((1, self.points), dtype=np.bool_))[0]
        self._steps: list[Array] = []
        self._sets: list[Array] = []
        for column in sum_of.tolist():
            steps = np.unique(total[:, column])
            # the points whose sum is at least each step, and none
            reached = total[:, column] >= np.append(steps, steps[-1] + 1)[:, None]
            self._steps.append(steps)
            self._sets.append(_packed(reached))

    def counts(self, sums: Array, many: Array, classes: int) -> list[int]:
        """How many points each class has, for rows of sums that occur so many times."""
        found = [0] * classes
        for start in range(0, len(sums), _ROWS):
            part = slice(start, start + _ROWS)
            for decision, numbers in enumerate(self._counts(sums[part], classes)):
                found[decision] += int((numbers.astype(many.dtype) * many[part]).sum())
        return found

    def _counts(self, sums: Array, classes: int) -> list[Array]:
        """How many points of the block each class has, for rows of sums."""
        states = [
            sets[np.searchsorted(steps, self.least[k] - sums[:, column])]
            for k, (column, steps, sets) in enumerate(
                zip(self.sum_of.tolist(), self._steps, self._sets, strict=True)
            )
        ]
        bits = self.diagram.evaluate(states)
        return [self._size(bits, decision, len(sums)) for decision in range(classes)]

    def _size(self, bits: Sequence[Bit], decision: int, rows: int) -> Array:
        """How many points have a class, row by row."""
        inside: Array = self._full
        for place, bit in enumerate(bits):
            wanted = bool(decision >> place & 1)
            if isinstance(bit, bool):
                if bit != wanted:
                    return np.zeros(rows, dtype=np.int64)
            else:
                inside = inside & (bit if wanted else ~bit)
        if decision >> len(bits):
            return np.zeros(rows, dtype=np.int64)
        sizes = np.bitwise_count(inside).sum(axis=-1, dtype=np.int64)
        return np.broadcast_to(sizes, rows)


def _packed(sets: Array) -> Array:
    """Rows of truth values as bits of words."""
    words = -(-sets.shape[1] // 64)
    padded = np.zeros((len(sets), 64 * words), dtype=np.bool_)
    padded[:, : sets.shape[1]] = sets
    return np.packbits(padded, axis=1).view(np.uint64)


def last_of(sizes: Sequence[int]) -> int:
    """From which feature on the combinations of the features are at most a block.

    Of small domains blocks are smaller, as their sets have to be made before they are looked up.
    """
    most = min(_POINTS, 4 * isqrt(prod(sizes)))
    starts = range(len(sizes), -1, -1)
    return min(start for start in starts if prod(sizes[start:]) <= most)


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

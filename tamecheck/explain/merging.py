"""Counts of the classes feature by feature: partial points with equal sums are one row.

A row holds the sums of the first layer over the features so far, and how many partial points have
them.  A neuron that the features to come cannot change any more is as good as its state, so rows
that differ in such sums only are equal too; and a row is done once bounds through the network leave
one class.  With few neurons the rows stay few for any number of inputs, as in dynamic programming
for knapsacks; with many neurons they do not, and what is done when time is over gives bounds.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count as numbers
from math import prod

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.explain.domain import Domain
from tamecheck.explain.tables import sums_of
from tamecheck.ir.tensor import Array

__all__ = ["CountBounds", "count_bounds"]

_CELLS = 1 << 19
"""Rows with more sums than this are split; parts are not merged with each other."""

_KEPT = 1 << 22
"""With more open sums rows are finished, rather than all of them extended."""


@dataclass(frozen=True, slots=True)
class CountBounds:
    """Proved bounds on how many points each class has.

    Parameters
    ----------
    lower
        Points that certainly have the class.
    open
        Points of which no class is known.
    rests_on
        ``"enumeration"`` if every point was evaluated, else ``"search"``.
    """

    lower: tuple[int, ...]
    open: int
    rests_on: str = "search"

    @property
    def exact(self) -> bool:
        """Whether the counts are known."""
        return self.open == 0

    @property
    def upper(self) -> tuple[int, ...]:
        """Each class has no more points than this."""
        return tuple(least + self.open for least in self.lower)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Partial points over the features before ``depth``.

    ``many`` has Python integers where 64 bits may be too few.
    """

    depth: int
    sums: Array
    many: Array


def count_bounds(
    network: ThresholdNetwork,
    domain: Domain,
    allowed: Sequence[Sequence[int]] | None = None,
    *,
    deadline: float = float("inf"),
) -> CountBounds:
    """How many points of a domain each class has, or bounds on it.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    allowed
        The codes of each feature that count; all if None.
    deadline
        A value of `time.monotonic` at which the bounds so far are returned.

    Returns
    -------
    CountBounds
        Exact if all was counted in time; all arithmetic is in integers.
    """
    chosen = [range(len(f.codes)) for f in domain.features] if allowed is None else allowed
    total = prod(map(len, chosen))
    if not total:
        return CountBounds((0,) * network.classes, 0)
    work = _Work(network, sums_of(network, domain, chosen))
    kind = np.int64 if total < 2**62 else object
    start = _Rows(0, np.zeros((1, work.width), dtype=np.int64), np.array([1], dtype=kind))
    done = [0] * network.classes
    # the rows that stand for most points come first, so that bounds are soon good
    tickets = numbers()
    queue = [(0, next(tickets), start)]
    kept = 1
    while queue and time.monotonic() < deadline:
        if kept * work.width > _KEPT:
            # with too many open rows those that are nearly complete are finished first
            queue.sort(key=lambda item: -item[2].depth)
            rows = queue.pop(0)[2]
            heapq.heapify(queue)
        else:
            rows = heapq.heappop(queue)[2]
        kept -= len(rows.sums)
        for part in work.settled(work.extended(rows), done):
            weight = int(part.many.sum()) * work.ways(part.depth)
            heapq.heappush(queue, (-weight, next(tickets), part))
            kept += len(part.sums)
    return CountBounds(tuple(done), total - sum(done))


class _Work:
    """The features in order, and what the sums of the first layer still need.

    Sums are shifted and divided so that a feature adds 0 or a positive integer without a common
    divisor, and thresholds with them.  A neuron whose sum reaches its threshold is on, and one that
    cannot reach it any more is off, whatever its sum is: those are set to the threshold and to 0.
    """

    def __init__(self, network: ThresholdNetwork, parts: Sequence[Array]) -> None:
        self.network = network
        self.width = parts[0].shape[1] if parts else 0
        raised = [part - part.min(axis=0) for part in parts]
        start = sum((p.min(axis=0) for p in parts), start=np.zeros(self.width, dtype=np.int64))
        steps = np.gcd.reduce(np.concatenate(raised), axis=0) if parts else start
        self.start, self.step = start, np.maximum(steps, 1)
        reach = [int(p.max(axis=0).sum()) for p in raised]
        self.order = sorted(range(len(parts)), key=lambda k: (-reach[k], k))
        self.parts = [raised[k] // self.step for k in self.order]
        ends = [part.max(axis=0) for part in self.parts]
        self.high = _sums_to_come(ends, self.width)
        self.least: Array | None = None
        top = self.high[0]
        if network.layers:
            # the least multiple of the step that reaches the threshold
            self.least = np.clip(-((start - network.layers[0].thresholds) // self.step), 0, top + 1)
            top = self.least
        self.places = _places(top)
        self.many_rows = max(_CELLS // max(self.width, 1), 1)

    def ways(self, depth: int) -> int:
        """The number of combinations of the features that a row has no codes of yet."""
        return prod(len(part) for part in self.parts[depth:])

    def extended(self, rows: _Rows) -> _Rows:
        """The rows with each code of the next feature."""
        part = self.parts[rows.depth]
        sums = (rows.sums[:, np.newaxis, :] + part).reshape(-1, self.width)
        return _Rows(rows.depth + 1, sums, np.repeat(rows.many, len(part)))

    def settled(self, rows: _Rows, done: list[int]) -> list[_Rows]:
        """The rows that are still open, merged and split; the others are added to ``done``."""
        to_come = self.high[rows.depth]
        if self.least is None:
            scores = self.network.offsets + self.start + rows.sums * self.step
            classes = _winners(scores, scores + to_come * self.step)
            sums = rows.sums
        else:
            above, below = rows.sums >= self.least, rows.sums + to_come < self.least
            classes = self._classes(above, below)
            sums = np.where(above, self.least, np.where(below, 0, rows.sums))
        ways = self.ways(rows.depth)
        for decision in range(len(done)):
            done[decision] += int(rows.many[classes == decision].sum()) * ways
        open_ = classes < 0
        merged = self._merged(_Rows(rows.depth, sums[open_], rows.many[open_]))
        step = self.many_rows
        cuts = range(0, len(merged.sums), step)
        return [
            _Rows(rows.depth, merged.sums[a : a + step].copy(), merged.many[a : a + step].copy())
            for a in cuts
        ]

    def _merged(self, rows: _Rows) -> _Rows:
        """Equal rows as one, where sums fit in one number."""
        if self.places is None or len(rows.sums) < 2:
            return rows
        keys = rows.sums @ self.places
        order = np.argsort(keys)
        keys = keys[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        return _Rows(
            rows.depth, rows.sums[order[starts]], np.add.reduceat(rows.many[order], starts)
        )

    def _classes(self, above: Array, below: Array) -> Array:
        """The class of each row, by the first neurons that are on and off; -1 if that is open."""
        network = self.network
        known, unknown = _truth(above, below)
        for layer in network.layers[1:]:
            centre, slack = known @ layer.weights.T, unknown @ np.abs(layer.weights).T
            high = centre + slack
            known, unknown = _truth(centre - slack >= layer.thresholds, high < layer.thresholds)
        found = np.full(len(known), -1)
        likely = np.argmax(known @ network.readout.T + network.offsets, axis=1)
        for decision in np.unique(likely).tolist():
            rows = np.flatnonzero(likely == decision)
            lead = network.readout[decision] - network.readout
            # of equal scores the first wins
            needed = np.arange(network.classes) < decision
            least = known[rows] @ lead.T - unknown[rows] @ np.abs(lead).T
            least += network.offsets[decision] - network.offsets
            least[:, decision] = 1
            found[rows[(least >= needed).all(axis=1)]] = decision
        return found


def _truth(above: Array, below: Array) -> tuple[Array, Array]:
    """States, 0 where they are open; and which are open."""
    return above.astype(np.int64) - below, (~(above | below)).astype(np.int64)


def _places(top: Array) -> Array | None:
    """Multipliers that make one number of sums of at most ``top``; None if it needs 63 bits."""
    found: list[int] = []
    place = 1
    for most in top.tolist():
        found.append(place)
        place *= most + 1
    return np.array(found, dtype=np.int64) if place < 2**62 else None


def _winners(low: Array, high: Array) -> Array:
    """The class whose least score beats the largest one of all others, or -1."""
    found = np.full(len(low), -1)
    for decision in range(low.shape[1]):
        others = np.delete(high, decision, axis=1)
        # of equal scores the first wins
        needed = np.array([k < decision for k in range(low.shape[1] - 1)])
        found[(low[:, [decision]] - others >= needed).all(axis=1)] = decision
    return found


def _sums_to_come(ends: Sequence[Array], width: int) -> list[Array]:
    """For each place in the order, the sum of what stands there and after."""
    found = [np.zeros(width, dtype=np.int64)]
    for end in reversed(ends):
        found.append(found[-1] + end)
    return found[::-1]

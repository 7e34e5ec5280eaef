"""Exact counts of the classes over a domain, under conditions, or in a Hamming ball."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as numbers
from math import prod

import numpy as np

from tamecheck.binarized import MAX_FREE, ThresholdNetwork, count_classes
from tamecheck.errors import InputError
from tamecheck.explain.domain import Domain
from tamecheck.explain.tables import MAX_POINTS, score_blocks, sums_of
from tamecheck.ir.tensor import Array

__all__ = ["CountBounds", "ball_size", "count", "count_ball", "count_bounds", "count_within"]

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
class _Partial:
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
    start = _Partial(0, np.zeros((1, work.width), dtype=np.int64), np.array([1], dtype=kind))
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

    def extended(self, rows: _Partial) -> _Partial:
        """The rows with each code of the next feature."""
        part = self.parts[rows.depth]
        sums = (rows.sums[:, np.newaxis, :] + part).reshape(-1, self.width)
        return _Partial(rows.depth + 1, sums, np.repeat(rows.many, len(part)))

    def settled(self, rows: _Partial, done: list[int]) -> list[_Partial]:
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
        merged = self._merged(_Partial(rows.depth, sums[open_], rows.many[open_]))
        step = self.many_rows
        cuts = range(0, len(merged.sums), step)
        return [
            _Partial(rows.depth, merged.sums[a : a + step].copy(), merged.many[a : a + step].copy())
            for a in cuts
        ]

    def _merged(self, rows: _Partial) -> _Partial:
        """Equal rows as one, where sums fit in one number."""
        if self.places is None or len(rows.sums) < 2:
            return rows
        keys = rows.sums @ self.places
        order = np.argsort(keys)
        keys = keys[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        return _Partial(
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


_BALL_ROWS = 1 << 14
_MEDIUM, _LARGE = 2**26, 2**MAX_FREE
_POINTS_A_SECOND, _SHARE = 2**25, 0.1

Allowed = Sequence[Sequence[int]]


def count(network: ThresholdNetwork, domain: Domain, allowed: Allowed | None = None) -> list[int]:
    """How many points of a domain each class has; every point is decided in integers.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    allowed
        The codes of each feature that count; all if None.

    Raises
    ------
    InputError
        If there are more than 2^30 points, or 2^24 where features have groups of inputs;
        `count_within` counts more where the network allows it.
    """
    chosen = _chosen(domain, allowed)
    points = prod(map(len, chosen))
    if points > _most(domain, _LARGE):
        raise InputError(
            f"There are {points} points; at most {_most(domain, _LARGE)} are counted one by one.",
            hint="Hold some features, or use tamecheck.explain.count_within.",
        )
    return _enumerated(network, domain, chosen) if points else [0] * network.classes


def count_within(
    network: ThresholdNetwork,
    domain: Domain,
    allowed: Allowed | None = None,
    *,
    seconds: float = 60.0,
) -> CountBounds:
    """How many points of a domain of any size each class has, or bounds on it; in integers.

    Few points are visited one by one; of more, those are merged that the network cannot tell apart
    (see `tamecheck.explain.counts`).  Where that is not soon done, points are visited after all if
    there is time for it.

    Parameters
    ----------
    network, domain, allowed
        As for `count`.
    seconds
        After which the bounds so far are returned.  A visit is begun if it may end in time, and
        is not stopped.
    """
    chosen = _chosen(domain, allowed)
    points = prod(map(len, chosen))
    visited = 0 < points <= min(_most(domain, _LARGE), seconds * _POINTS_A_SECOND)
    if not visited or points > _MEDIUM:
        share = _SHARE * seconds if visited else seconds
        found = count_bounds(network, domain, chosen, deadline=time.monotonic() + share)
        if found.exact or not visited:
            return found
    return CountBounds(tuple(_enumerated(network, domain, chosen)), 0, "enumeration")


def _chosen(domain: Domain, allowed: Allowed | None) -> Allowed:
    return [range(len(f.codes)) for f in domain.features] if allowed is None else allowed


def _most(domain: Domain, plain: int) -> int:
    """The most points that are visited; ``plain`` if every input is a feature by itself."""
    return plain if all(len(f.inputs) == 1 for f in domain.features) else MAX_POINTS


def _enumerated(network: ThresholdNetwork, domain: Domain, chosen: Allowed) -> list[int]:
    if all(len(f.inputs) == 1 for f in domain.features):
        held = {
            f.inputs[0]: int(f.codes[codes[0], 0])
            for f, codes in zip(domain.features, chosen, strict=True)
            if len(codes) == 1
        }
        return count_classes(network, held)
    counts = np.zeros(network.classes, dtype=np.int64)
    for scores in score_blocks(network, domain, chosen):
        counts += np.bincount(np.argmax(scores, axis=1), minlength=network.classes)
    return counts.tolist()


def _distances(domain: Domain, states: Array) -> list[Array]:
    """For each feature and code, how many inputs differ from those of a point."""
    return [np.count_nonzero(f.codes != states[list(f.inputs)], axis=1) for f in domain.features]


def ball_size(domain: Domain, states: Array, radius: int, allowed: Allowed | None = None) -> int:
    """The number of points of the domain that differ from a point in at most ``radius`` inputs."""
    chosen = _chosen(domain, allowed)
    ways = [1] + [0] * radius
    for distances, codes in zip(_distances(domain, states), chosen, strict=True):
        after = [0] * (radius + 1)
        for far in distances[list(codes)].tolist():
            for start in range(radius + 1 - far):
                after[start + far] += ways[start]
        ways = after
    return sum(ways)


def count_ball(
    network: ThresholdNetwork,
    domain: Domain,
    states: Array,
    radius: int,
    allowed: Allowed | None = None,
) -> list[int]:
    """How many points of a Hamming ball each class has, exactly.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    states
        The centre, a vector of -1 and 1; in the domain or not.
    radius
        The number of inputs that may differ.
    allowed
        The codes of each feature that count; all if None.

    Raises
    ------
    InputError
        If the ball has more than 2^24 points of the domain.
    """
    points = ball_size(domain, states, radius, allowed)
    if points > MAX_POINTS:
        raise InputError(
            f"The ball has {points} points; at most {MAX_POINTS} are counted one by one.",
            hint="Give a smaller radius, or hold some inputs (--if).",
        )
    counts = np.zeros(network.classes, dtype=np.int64)
    for sums in _ball_sums(network, domain, states, radius, allowed):
        decided = np.argmax(network.scores_after(sums), axis=1)
        counts += np.bincount(decided, minlength=network.classes)
    return counts.tolist()


@dataclass(frozen=True, slots=True, eq=False)
class _BallRows:
    """Partial points: the features before ``depth`` have a code."""

    depth: int
    sums: Array
    left: Array


def _ball_sums(
    network: ThresholdNetwork,
    domain: Domain,
    states: Array,
    radius: int,
    allowed: Allowed | None,
) -> Iterator[Array]:
    """The sums of the first layer at the points of the ball, in blocks."""
    chosen = _chosen(domain, allowed)
    parts = sums_of(network, domain, chosen)
    far = [d[list(codes)] for d, codes in zip(_distances(domain, states), chosen, strict=True)]
    width = parts[0].shape[1]
    # the least distance that the features from a place on must add
    least = np.cumsum([0, *(int(d.min(initial=0)) for d in reversed(far))])[::-1]
    start = _BallRows(0, np.zeros((1, width), dtype=np.int64), np.array([radius]))
    stack = [start]
    while stack:
        rows = stack.pop()
        if rows.depth == len(parts):
            yield rows.sums
            continue
        if len(rows.sums) > _BALL_ROWS:
            half = len(rows.sums) // 2
            stack.append(_BallRows(rows.depth, rows.sums[:half], rows.left[:half]))
            stack.append(_BallRows(rows.depth, rows.sums[half:], rows.left[half:]))
            continue
        left = rows.left[:, np.newaxis] - far[rows.depth]
        row, code = np.nonzero(left >= least[rows.depth + 1])
        if len(row):
            sums = rows.sums[row] + parts[rows.depth][code]
            stack.append(_BallRows(rows.depth + 1, sums, left[row, code]))

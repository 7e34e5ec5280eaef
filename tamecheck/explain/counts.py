"""Exact counts of the classes over a domain, under conditions, or in a Hamming ball."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from itertools import count as numbers
from math import prod
from operator import mul

import numpy as np

from tamecheck.binarized import MAX_FREE, ThresholdNetwork, count_classes
from tamecheck.binarized.network import Propagation
from tamecheck.errors import InputError
from tamecheck.explain.blocks import Block, diagram_after, last_of
from tamecheck.explain.domain import Domain
from tamecheck.explain.tables import MAX_POINTS, score_blocks, sums_of
from tamecheck.ir.tensor import Array

_CELLS = 1 << 19
"""Rows with more sums than this are split; parts are not merged with each other."""

_KEPT = 1 << 22
"""With more open sums rows are finished, rather than all of them extended."""

_AT_ONCE = 1 << 12
"""Rows that are decided with all combinations of the last features before the time is looked at."""

_BALL_ROWS = 1 << 14
_MEDIUM, _LARGE = 2**26, 2**MAX_FREE
_POINTS_A_SECOND, _SHARE = 2**25, 0.1

Allowed = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class CountBounds:
    """Proved bounds on how many points each class has."""

    lower: tuple[int, ...]
    """Points that certainly have the class."""
    open: int
    """Points of which no class is known."""
    rests_on: str = "search"
    """``"enumeration"`` if every point was evaluated, else ``"search"``."""

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
    """Partial points over the features before ``depth``; ``many`` points have the same sums.

    These are Python integers where 64 bits may be too few.
    """

    depth: int
    sums: Array
    many: Array


def count_bounds(
    network: ThresholdNetwork,
    domain: Domain,
    allowed: Allowed | None = None,
    *,
    weights: Sequence[Sequence[int]] | None = None,
    deadline: float = float("inf"),
) -> CountBounds:
    """How many points of a domain each class has, or what is known of it at the deadline.

    With ``weights``, natural numbers for the allowed codes of each feature, a point counts as often
    as the product of its codes' weights says.

    Feature by feature: partial points with equal sums are one row, which holds the sums of the
    first layer over the features so far, and how many partial points have them.  A neuron that the
    features to come cannot change any more is as good as its state, so rows that differ in such
    sums only are equal too; and a row is done once bounds through the network leave one class.
    With few neurons the rows stay few for any number of inputs, as in dynamic programming for
    knapsacks; with many neurons they do not.  All arithmetic is in integers.
    """
    chosen = _codes(domain, allowed)
    if weights is not None:
        domain.require_product("A weighted count")
    parts = sums_of(network, domain, chosen)
    counted = [[1] * len(part) for part in parts] if weights is None else weights
    total = prod(map(sum, counted))
    if not total:
        return CountBounds((0,) * network.classes, 0)
    merging = _Merging(network, parts, counted)
    kind = np.int64 if total < 2**62 else object
    start = _Rows(0, np.zeros((1, merging.width), dtype=np.int64), np.array([1], dtype=kind))
    done = [0] * network.classes
    # the rows that stand for most points come first, so that bounds are soon good
    tickets = numbers()
    queue = [(0, next(tickets), start)]
    kept = 1
    while queue and time.monotonic() < deadline:
        if kept * merging.width > _KEPT:
            # with too many open rows those that are nearly complete are finished first
            queue.sort(key=lambda item: -item[2].depth)
            rows = queue.pop(0)[2]
            heapq.heapify(queue)
        else:
            rows = heapq.heappop(queue)[2]
        kept -= len(rows.sums)
        if merging.block is not None and rows.depth == merging.place:
            rest = merging.finish(rows, done, deadline)
            if rest is not None:
                heapq.heappush(queue, (0, next(tickets), rest))
            continue
        for part in merging.settle(merging.extend(rows), done):
            weight = int(part.many.sum()) * merging.ways(part.depth)
            heapq.heappush(queue, (-weight, next(tickets), part))
            kept += len(part.sums)
    return CountBounds(tuple(done), total - sum(done))


class _Merging:
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

    def finish(self, rows: _Rows, done: list[int], deadline: float) -> _Rows | None:
        """Decide all points of the rows; those that are left at the deadline."""
        if self.block is None:
            return rows
        for start in range(0, len(rows.sums), _AT_ONCE):
            if start and time.monotonic() > deadline:
                return _Rows(rows.depth, rows.sums[start:], rows.many[start:])
            part = slice(start, start + _AT_ONCE)
            counts = self.block.counts(rows.sums[part], rows.many[part], len(done))
            for decision, more in enumerate(counts):
                done[decision] += more
        return None

    def ways(self, depth: int) -> int:
        """The number of combinations of the features that a row has no codes of yet."""
        return prod(map(sum, self.weights[depth:]))

    def extend(self, rows: _Rows) -> _Rows:
        """The rows with each code of the next feature."""
        part = self.parts[rows.depth]
        sums = (rows.sums[:, np.newaxis, :] + part).reshape(len(rows.sums) * len(part), self.width)
        weights = np.array(self.weights[rows.depth], dtype=rows.many.dtype)
        return _Rows(rows.depth + 1, sums, np.multiply.outer(rows.many, weights).reshape(-1))

    def settle(self, rows: _Rows, done: list[int]) -> Iterator[_Rows]:
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
        merged = self._merge(_Rows(rows.depth, sums[classes < 0], rows.many[classes < 0]))
        for at in range(0, len(merged.sums), self.many_rows):
            part = slice(at, at + self.many_rows)
            yield _Rows(rows.depth, merged.sums[part].copy(), merged.many[part].copy())

    def _merge(self, rows: _Rows) -> _Rows:
        """Equal rows as one, where sums fit in one number."""
        if self.places is None or len(rows.sums) < 2:
            return rows
        keys = rows.sums @ self.places
        order = np.argsort(keys)
        keys = keys[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        many = np.add.reduceat(rows.many[order], starts)
        return _Rows(rows.depth, rows.sums[order[starts]], many)


def _shared(parts: Sequence[Array]) -> tuple[list[Array], Array]:
    """The parts with equal columns once, and for each column which of these it is."""
    ends = np.cumsum([len(part) for part in parts])[:-1]
    columns, place = np.unique(np.concatenate(parts), axis=1, return_inverse=True)
    return np.split(columns, ends), place.reshape(-1)


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
    chosen = _codes(domain, allowed)
    points = domain.points_in(chosen)
    if points > _most(domain, _LARGE):
        raise InputError(
            f"There are {points} points; at most {_most(domain, _LARGE)} are counted one by one.",
            hint="Hold some features, or use tamecheck.explain.count_within.",
        )
    return _enumerate(network, domain, chosen) if points else [0] * network.classes


def count_within(
    network: ThresholdNetwork,
    domain: Domain,
    allowed: Allowed | None = None,
    *,
    seconds: float = 60.0,
) -> CountBounds:
    """How many points of a domain of any size each class has, or bounds on it; in integers.

    Few points are visited one by one; of more, those are merged that the network cannot tell apart
    (see `count_bounds`).  Where that is not soon done, points are visited after all if
    there is time for it.

    Parameters
    ----------
    network, domain, allowed
        As for `count`.
    seconds
        After which the bounds so far are returned.  A visit is begun if it may end in time, and
        is not stopped.
    """
    chosen = _codes(domain, allowed)
    points = domain.points_in(chosen)
    if points and _decided_in_blocks(network):
        return count_bounds(network, domain, chosen, deadline=time.monotonic() + seconds)
    visited = 0 < points <= min(_most(domain, _LARGE), seconds * _POINTS_A_SECOND)
    if not visited or points > _MEDIUM:
        share = _SHARE * seconds if visited else seconds
        found = count_bounds(network, domain, chosen, deadline=time.monotonic() + share)
        if found.exact or not visited:
            return found
    return CountBounds(tuple(_enumerate(network, domain, chosen)), 0, "enumeration")


def _decided_in_blocks(network: ThresholdNetwork) -> bool:
    """Whether all combinations of some features are decided at once."""
    return bool(network.layers) and diagram_after(network) is not None


def _codes(domain: Domain, allowed: Allowed | None) -> Allowed:
    return [range(len(f.codes)) for f in domain.features] if allowed is None else allowed


def _most(domain: Domain, plain: int) -> int:
    """The most points that are visited; ``plain`` if every input is a feature by itself."""
    return plain if _is_plain(domain) else MAX_POINTS


def _is_plain(domain: Domain) -> bool:
    return not domain.constraints and all(len(f.inputs) == 1 for f in domain.features)


def _enumerate(network: ThresholdNetwork, domain: Domain, chosen: Allowed) -> list[int]:
    if _is_plain(domain):
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


def _distances(domain: Domain, states: Array, allowed: Allowed) -> list[Array]:
    """How many inputs differ from those of a point, for the rows of each of the `sums_of`."""
    far = [np.count_nonzero(f.codes != states[list(f.inputs)], axis=1) for f in domain.features]
    found: list[Array] = []
    for group in domain.groups:
        if not domain.constraints:
            found.append(far[group.features[0]][list(allowed[group.features[0]])])
        else:
            columns = zip(group.within(allowed).T, group.features, strict=True)
            found.append(np.sum([far[k][column] for column, k in columns], axis=0))
    return found


def ball_size(domain: Domain, states: Array, radius: int, allowed: Allowed | None = None) -> int:
    """The number of points of the domain that differ from a point in at most ``radius`` inputs."""
    ways = [1] + [0] * radius
    for distances in _distances(domain, states, _codes(domain, allowed)):
        after = [0] * (radius + 1)
        for far in distances.tolist():
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

    Raises `InputError` if the ball has more than 2^24 points of the domain.

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


def _ball_sums(
    network: ThresholdNetwork,
    domain: Domain,
    states: Array,
    radius: int,
    allowed: Allowed | None,
) -> Iterator[Array]:
    """The sums of the first layer at the points of the ball, in blocks."""
    chosen = _codes(domain, allowed)
    parts = sums_of(network, domain, chosen)
    far = _distances(domain, states, chosen)
    # the least distance that the features from a place on must add
    least = np.cumsum([0, *(int(d.min(initial=0)) for d in reversed(far))])[::-1]
    # partial points over the features before a depth: their sums, and the flips that are left
    start = np.zeros((1, parts[0].shape[1]), dtype=np.int64)
    stack = [(0, start, np.array([radius]))]
    while stack:
        depth, sums, left = stack.pop()
        if depth == len(parts):
            yield sums
        elif len(sums) > _BALL_ROWS:
            half = len(sums) // 2
            stack += [(depth, sums[:half], left[:half]), (depth, sums[half:], left[half:])]
        else:
            rest = left[:, np.newaxis] - far[depth]
            row, code = np.nonzero(rest >= least[depth + 1])
            if len(row):
                stack.append((depth + 1, sums[row] + parts[depth][code], rest[row, code]))

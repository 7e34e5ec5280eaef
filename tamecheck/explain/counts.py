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
from tamecheck.explain.merging import Merging, Rows, diagram_after
from tamecheck.explain.tables import MAX_POINTS, score_blocks, sums_of
from tamecheck.ir.tensor import Array

_KEPT = 1 << 22
"""With more open sums rows are finished, rather than all of them extended."""

_RESERVED = 0.25
"""The share of the time for what is certain of rows that stay open."""

_BALL_ROWS = 1 << 14
_MEDIUM, _LARGE = 2**26, 2**30
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
    merging = Merging(network, parts, counted)
    kind = np.int64 if total < 2**62 else object
    start = Rows(0, np.zeros((1, merging.width), dtype=np.int64), np.array([1], dtype=kind))
    done = [0] * network.classes
    # the rows that stand for most points come first, so that bounds are soon good
    tickets = numbers()
    queue = [(0, next(tickets), start)]
    kept = 1
    begun = time.monotonic()
    until = begun + (1 - _RESERVED) * (deadline - begun)
    while queue and time.monotonic() < until:
        if kept * merging.width > _KEPT:
            # with too many open rows those that are nearly complete are finished first
            queue.sort(key=lambda item: -item[2].depth)
            rows = queue.pop(0)[2]
            heapq.heapify(queue)
        else:
            rows = heapq.heappop(queue)[2]
        kept -= len(rows.sums)
        if merging.block is not None and rows.depth == merging.place:
            rest = merging.finish(rows, done, until)
            if rest is not None:
                heapq.heappush(queue, (0, next(tickets), rest))
            continue
        for part in merging.settle(merging.extend(rows), done):
            weight = int(part.many.sum()) * merging.ways(part.depth)
            heapq.heappush(queue, (-weight, next(tickets), part))
            kept += len(part.sums)
    merging.settle_tails([rows for _, _, rows in queue], done)
    return CountBounds(tuple(done), total - sum(done))


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
    visited = 0 < points <= min(_most(domain, 2**MAX_FREE), seconds * _POINTS_A_SECOND)
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

"""Exact counts of the classes over a domain, under conditions, or in a Hamming ball."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tamecheck.binarized import MAX_FREE, ThresholdNetwork, count_classes
from tamecheck.errors import InputError
from tamecheck.explain.domain import Domain
from tamecheck.explain.merging import CountBounds, count_bounds
from tamecheck.explain.tables import MAX_POINTS, score_blocks, sums_of
from tamecheck.ir.tensor import Array

__all__ = ["ball_size", "count", "count_ball", "count_within"]

_ROWS = 1 << 14
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
    (see `tamecheck.explain.merging`).  Where that is not soon done, points are visited after all if
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
class _Rows:
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
    start = _Rows(0, np.zeros((1, width), dtype=np.int64), np.array([radius]))
    stack = [start]
    while stack:
        rows = stack.pop()
        if rows.depth == len(parts):
            yield rows.sums
            continue
        if len(rows.sums) > _ROWS:
            half = len(rows.sums) // 2
            stack.append(_Rows(rows.depth, rows.sums[:half], rows.left[:half]))
            stack.append(_Rows(rows.depth, rows.sums[half:], rows.left[half:]))
            continue
        left = rows.left[:, np.newaxis] - far[rows.depth]
        row, code = np.nonzero(left >= least[rows.depth + 1])
        if len(row):
            sums = rows.sums[row] + parts[rows.depth][code]
            stack.append(_Rows(rows.depth + 1, sums, left[row, code]))

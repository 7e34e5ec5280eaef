"""Exact counts of the classes over a domain, under conditions, or in a Hamming ball."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tamecheck.binarized import MAX_FREE, BinarizedNetwork, count_classes
from tamecheck.errors import InputError
from tamecheck.explain.domain import Domain
from tamecheck.explain.tables import MAX_POINTS, score_blocks, sums_of
from tamecheck.ir.tensor import Array

__all__ = ["ball_size", "count", "count_ball"]

_ROWS = 1 << 14

Allowed = Sequence[Sequence[int]]


def count(network: BinarizedNetwork, domain: Domain, allowed: Allowed | None = None) -> list[int]:
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
        If there are more than 2^30 points, or 2^24 where features have groups of inputs.
    """
    chosen = [range(len(f.codes)) for f in domain.features] if allowed is None else allowed
    points = prod(map(len, chosen))
    if not points:
        return [0] * network.classes
    if all(len(f.inputs) == 1 for f in domain.features):
        held = {
            f.inputs[0]: int(f.codes[codes[0], 0])
            for f, codes in zip(domain.features, chosen, strict=True)
            if len(codes) == 1
        }
        _limit(points, 2**MAX_FREE)
        return count_classes(network, held)
    _limit(points, MAX_POINTS)
    counts = np.zeros(network.classes, dtype=np.int64)
    for scores in score_blocks(network, domain, chosen):
        counts += np.bincount(np.argmax(scores, axis=1), minlength=network.classes)
    return counts.tolist()


def _limit(points: int, most: int) -> None:
    if points > most:
        raise InputError(
            f"There are {points} points; at most {most} are counted one by one.",
            hint="Hold some inputs (--if), count in a ball (--hamming), or group inputs that "
            "code one feature (--one-hot, --thermometer).",
        )


def _distances(domain: Domain, states: Array) -> list[Array]:
    """For each feature and code, how many inputs differ from those of a point."""
    return [np.count_nonzero(f.codes != states[list(f.inputs)], axis=1) for f in domain.features]


def ball_size(domain: Domain, states: Array, radius: int, allowed: Allowed | None = None) -> int:
    """The number of points of the domain that differ from a point in at most ``radius`` inputs."""
    chosen = [range(len(f.codes)) for f in domain.features] if allowed is None else allowed
    ways = [1] + [0] * radius
    for distances, codes in zip(_distances(domain, states), chosen, strict=True):
        after = [0] * (radius + 1)
        for far in distances[list(codes)].tolist():
            for start in range(radius + 1 - far):
                after[start + far] += ways[start]
        ways = after
    return sum(ways)


def count_ball(
    network: BinarizedNetwork,
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
    network: BinarizedNetwork,
    domain: Domain,
    states: Array,
    radius: int,
    allowed: Allowed | None,
) -> Iterator[Array]:
    """The sums of the first layer at the points of the ball, in blocks."""
    chosen = [range(len(f.codes)) for f in domain.features] if allowed is None else allowed
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

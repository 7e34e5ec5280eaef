"""What is counted when an explanation is recomputed: parts of a domain, hitting sets, unions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np

from tamecheck.binarized import ThresholdNetwork, product
from tamecheck.errors import TamecheckError
from tamecheck.ir.tensor import Array

OPEN = -1

Judge = Callable[[Array, Array], Array]
"""What all points between bounds on the sums of the first layer have, or -1; for rows of bounds."""

_ROWS, _ROOM = 2**12, 2**22


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What one feature may be: its codes, the sums that each adds, and what each costs."""

    feature: int
    codes: Array
    sums: Array
    costs: Array


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Parts of the domain with the same number of chosen features.

    ``chosen`` has a row for each part: for each chosen feature the place of its code.
    """

    chosen: Array
    sums: Array
    left: Array


class TooManyPartsError(TamecheckError):
    """More parts than may be looked at."""


def close_parts(
    judge: Judge, choices: Sequence[Choice], start: Parts, budget: int, most: int
) -> Iterator[tuple[Parts, Array]]:
    """Parts, and what all points in each of them have, or -1; the latter are divided."""
    low, high = (_reach(choices, budget, start, sign) for sign in (-1, 1))
    waiting = [Parts(start.chosen, start.sums, start.left + budget)]
    if waiting[0].left[0] < 0 or not all(len(choice.codes) for choice in choices):
        return
    seen = 0
    while waiting:
        parts = waiting.pop()
        depth = int(parts.chosen.shape[1])
        seen += len(parts.sums)
        if seen > most:
            raise TooManyPartsError("A recomputation has too many parts.")
        lower: Array = parts.sums + low[depth][parts.left]
        upper: Array = parts.sums + high[depth][parts.left]
        winners = judge(lower, upper)
        yield parts, winners
        if (winners == OPEN).any():
            waiting += _divide(choices[depth], parts, winners == OPEN)


def count_merged(  # noqa: PLR0913, PLR0917  # what counts, and what it may cost
    judge: Judge, classes: int, choices: Sequence[Choice], start: Parts, budget: int, most: int
) -> list[int]:
    """How many points have each of the classes, where parts with equal sums are one part.

    Feature by feature; with few neurons the parts stay few for any number of features.
    """
    low, high = (_reach(choices, budget, start, sign) for sign in (-1, 1))
    ways = ways_left(choices, budget)
    counts = [0] * classes
    sums, left = start.sums, start.left + budget
    points = np.array([1], dtype=object)
    for depth in range(len(choices) + 1):
        kept = left >= 0
        sums, left, points = sums[kept], left[kept], points[kept]
        if not len(sums):
            break
        if sums.size > _ROOM or len(sums) > most:
            raise TooManyPartsError("A recomputation has too many parts.")
        winners = judge(sums + low[depth][left], sums + high[depth][left])
        for winner, budget_left, number in zip(winners, left, points, strict=True):
            if winner != OPEN:
                counts[winner] += number * ways[depth][budget_left]
        still = winners == OPEN
        if not still.any():
            break
        choice = choices[depth]
        if int(still.sum()) * choice.sums.size > _ROOM:
            raise TooManyPartsError("A recomputation has too many parts.")
        grown = sums[still, None, :] + choice.sums
        rest = left[still, None] - choice.costs
        rows = np.column_stack([rest.reshape(-1), grown.reshape(-1, sums.shape[1])])
        rows, place = np.unique(rows, axis=0, return_inverse=True)
        merged = np.zeros(len(rows), dtype=object)
        np.add.at(merged, place.reshape(-1), np.repeat(points[still], len(choice.costs)))
        left, sums, points = rows[:, 0], rows[:, 1:], merged
    return counts


def _reach(choices: Sequence[Choice], budget: int, start: Parts, sign: int) -> list[Array]:
    """For each depth and budget, the most that the features to come add to each sum, up or down.

    With b left at most b features can leave the codes that cost nothing.
    """
    count = start.sums.shape[1]
    base, gains = np.zeros(count, np.int64), np.zeros((budget, count), np.int64)
    found = [np.zeros((budget + 1, count), dtype=np.int64)]
    for choice in reversed(choices):
        added = sign * choice.sums
        free = added[choice.costs == 0] if (choice.costs == 0).any() else added
        stays = free.max(axis=0)
        more = np.maximum(added.max(axis=0) - stays, 0)
        base = base + stays
        gains = -np.sort(-np.vstack([gains, more]), axis=0)[:budget]
        steps = np.vstack([np.zeros((1, count), np.int64), np.cumsum(gains, axis=0)])
        found.append(sign * (base + steps))
    return found[::-1]


def ways_left(choices: Sequence[Choice], budget: int) -> list[list[int]]:
    """For each depth and budget, how many choices of the features to come cost no more."""
    ways = [[1] * (budget + 1)]
    for choice in reversed(choices):
        after = ways[-1]
        costs: list[int] = choice.costs.tolist()
        ways.append([sum(after[b - c] for c in costs if c <= b) for b in range(budget + 1)])
    return ways[::-1]


def _divide(choice: Choice, parts: Parts, still: Array) -> Iterator[Parts]:
    """The open parts, divided by their next feature, in pieces of a bounded number of rows."""
    sums, left = parts.sums[still], parts.left[still]
    rows = max(1, min(_ROWS, _ROOM // choice.sums.size))
    for start in range(0, len(sums), rows):
        rest = left[start : start + rows, None] - choice.costs
        grown = sums[start : start + rows, None, :] + choice.sums
        owner, place = np.nonzero(rest >= 0)
        before = parts.chosen[still][start : start + rows][owner]
        chosen = np.concatenate([before, place[:, None].astype(np.int32)], axis=1)
        yield Parts(chosen, grown[owner, place], rest[owner, place])


def weigh_merged(  # noqa: PLR0913, PLR0917  # what counts, and how much
    judge: Judge,
    classes: int,
    choices: Sequence[Choice],
    start: Parts,
    weights: Mapping[int, Sequence[int]],
    most: int,
    ends: tuple[Array, Array] | None,
) -> list[int]:
    """For each class the sum over its points of the product of their codes' weights.

    ``weights`` has for each feature an integer a code.  ``ends`` are the least and the largest
    threshold of each sum: once the features to come leave it above or below all of these, it does
    not matter by how much.
    """
    low, high = (_reach(choices, 0, start, sign) for sign in (-1, 1))
    totals, rest = [0] * classes, [1]
    for choice in reversed(choices):
        rest.append(sum(weights[choice.feature]) * rest[-1])
    rest.reverse()
    sums, points = start.sums, np.array([1], dtype=object)
    for depth in range(len(choices) + 1):
        least, largest = low[depth][0], high[depth][0]
        if ends is not None:
            over, under = sums + least >= ends[1], sums + largest < ends[0]
            sums = np.where(over, ends[1] - least, np.where(under, ends[0] - 1 - largest, sums))
        first, place = _alike(sums)
        sums, merged = sums[first], np.zeros(len(first), dtype=object)
        np.add.at(merged, place, points)
        winners = judge(sums + least, sums + largest)
        for winner in range(classes):
            totals[winner] += sum(merged[winners == winner].tolist()) * rest[depth]
        still = winners == OPEN
        if not still.any():
            break
        choice = choices[depth]
        size = int(still.sum()) * len(choice.codes)
        if size > most or size * choice.sums.shape[1] > _ROOM:
            raise TooManyPartsError("A recomputation has too many parts.")
        grown: Array = sums[still, None, :] + choice.sums
        own = np.array(weights[choice.feature], dtype=object)
        sums, points = grown.reshape(size, -1), np.multiply.outer(merged[still], own).reshape(size)
    return totals


def _alike(sums: Array) -> tuple[Array, Array]:
    """A row of each kind, and of which kind each row is."""
    low = sums.min(axis=0)
    sizes: list[int] = (sums.max(axis=0) - low + 1).tolist()
    if sums.dtype == object or prod(sizes) >= 2**62:
        _, first, place = np.unique(sums, axis=0, return_index=True, return_inverse=True)
        return first, place.reshape(-1)
    keys = np.zeros(len(sums), dtype=np.int64)
    for column, size in zip((sums - low).T, sizes, strict=True):
        keys = keys * size + column
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first, place.reshape(-1)


def ends_of(network: ThresholdNetwork, shifts: Sequence[Array] = ()) -> tuple[Array, Array] | None:
    """The least and the largest threshold of each first sum, less the shifts; None without any."""
    if not network.layers:
        return None
    ends = [network.layers[0].thresholds - shift for shift in shifts or (np.zeros(1, np.int64),)]
    return np.min(ends, axis=0), np.max(ends, axis=0)


def held_weights(
    choices: Sequence[Choice], codes: Sequence[int], row: Sequence[int] | None
) -> dict[int, list[tuple[int, int]]]:
    """Of each code how often it is there if the feature is not held, and if it is held.

    Each code is there once, or only that of a row.
    """
    weights: dict[int, list[tuple[int, int]]] = {}
    for choice in choices:
        k, listed = choice.feature, choice.codes.tolist()
        there = [int(row is None or code == row[k]) for code in listed]
        held = [int(code == codes[k]) * sum(there) for code in listed]
        weights[k] = list(zip(there, held, strict=True))
    return weights


def decisions(network: ThresholdNetwork) -> Judge:
    """The class of every point between bounds, or -1."""
    return lambda low, high: _winners(network, low, high)


def orders(
    network: ThresholdNetwork,
    shifts: Sequence[Array],
    pairs: Sequence[tuple[int, int]],
    *,
    score: bool,
) -> Judge:
    """1 where, for some pair, what the network says at one shift of the sums exceeds it at another.

    It says the number of its class, or its score; 0 where no pair does, and -1 where that is open.
    """

    def judge(low: Array, high: Array) -> Array:
        said = [_said(network, low + shift, high + shift, score=score) for shift in shifts]
        exceeds, fits = np.zeros(len(low), dtype=bool), np.ones(len(low), dtype=bool)
        for more, less in pairs:
            exceeds |= said[more][0] > said[less][1]
            fits &= said[more][1] <= said[less][0]
        return np.where(exceeds, 1, np.where(fits, 0, OPEN))

    return judge


def _said(
    network: ThresholdNetwork, low: Array, high: Array, *, score: bool
) -> tuple[Array, Array]:
    """Bounds on the class, or on the score of class 1, between bounds on the first sums."""
    if not score:
        winners = _winners(network, low, high)
        return np.maximum(winners, 0), np.where(winners == OPEN, network.classes - 1, winners)
    if not network.layers:
        return low[:, 1], high[:, 1]
    states = _last_states(network, low, high)
    known = exact_product(states, network.readout[1:])[:, 0]
    doubt = exact_product(states == 0, np.abs(network.readout[1:]))[:, 0]
    return known - doubt, known + doubt


def _last_states(network: ThresholdNetwork, low: Array, high: Array) -> Array:
    """The states of the last layer between bounds on the first sums; 0 where they are open."""
    first, *others = network.layers
    states: Array = _states(low, high, first.thresholds)
    for layer in others:
        known: Array = exact_product(states, layer.weights)
        doubt: Array = exact_product(states == 0, np.abs(layer.weights))
        states = _states(known - doubt, known + doubt, layer.thresholds)
    return states


def _winners(network: ThresholdNetwork, low: Array, high: Array) -> Array:
    """The class of every point between bounds on the sums of the first layer, or -1."""
    if not network.layers:
        return _ahead(low + network.offsets, high + network.offsets)
    states = _last_states(network, low, high)
    scores: Array = exact_product(states, network.readout) + network.offsets
    likely = np.argmax(scores, axis=1)
    winners = np.full(len(states), OPEN)
    for winner in np.unique(likely).tolist():
        rows = np.flatnonzero(likely == winner)
        gaps = network.readout[winner] - network.readout
        known, doubt = states[rows], states[rows] == 0
        margin: Array = exact_product(known, gaps) - exact_product(doubt, np.abs(gaps))
        margin = margin + network.offsets[winner] - network.offsets
        # of equal scores the first decides, so a later rival may come level
        needed = (np.arange(network.classes) < winner).astype(np.int64)
        needed[winner] = 0
        winners[rows[(margin >= needed).all(axis=1)]] = winner
    return winners


def exact_product(states: Array, weights: Array) -> Array:
    """``states @ weights.T`` in integers of any size."""
    try:
        return product(states, weights)
    except ValueError:
        return states.astype(object) @ weights.T.astype(object)


def _states(low: Array, high: Array, thresholds: Array) -> Array:
    """1 or -1 where bounds on a sum decide it, else 0."""
    return (low >= thresholds).astype(np.int8) - (high < thresholds).astype(np.int8)


def _ahead(low: Array, high: Array) -> Array:
    """The column that is the first largest for all values between bounds, or -1."""
    winners = np.full(len(low), OPEN)
    for column in range(low.shape[1]):
        behind = (high[:, :column] < low[:, [column]]).all(axis=1)
        level = (high[:, column + 1 :] <= low[:, [column]]).all(axis=1)
        winners[behind & level] = column
    return winners


def dividends(game: Array) -> list[Fraction]:
    """The Shapley values of a game on sets, an array with an axis of two places for each player.

    Each set's dividend is shared out equally among its players (Harsanyi 1963).
    """
    found: Array = game.astype(np.int64)
    size: Array = np.zeros(game.shape, dtype=np.int64)
    for axis in range(game.ndim):
        without, joined = np.moveaxis(found, axis, 0)
        found = np.stack([without, joined - without], axis=axis)
        np.moveaxis(size, axis, 0)[1] += 1
    values: list[Fraction] = []
    for axis in range(game.ndim):
        own, sizes = found.take(1, axis=axis), size.take(1, axis=axis)
        shares = (Fraction(int(np.sum(own[sizes == s])), s) for s in range(1, game.ndim + 1))
        values.append(sum(shares, Fraction(0)))
    return values


_MOST_SETS, _MOST_NODES, _MOST_CUBES = 2**11, 2**16, 2**22


def are_minimal_hitting_sets(
    sets: Sequence[Collection[int]], family: Sequence[Collection[int]]
) -> bool | None:
    """Whether these are all the minimal sets that meet every set of the family.

    None if there are too many on the way.  By the algorithm of Berge (1989), set after set.
    """
    met: set[frozenset[int]] = {frozenset()}
    for one in family:
        hit = {s for s in met if s.intersection(one)}
        grown = {s | {k} for s in met - hit for k in one}
        met = hit | {s for s in grown if not any(h <= s for h in hit)}
        if len(met) > _MOST_SETS:
            return None
        met = {s for s in met if not any(h < s for h in met)}
    return met == set(map(frozenset, sets))


def has_hitting_set(family: Sequence[Collection[int]], size: int) -> bool | None:
    """Whether at most ``size`` elements meet every set of the family; None after too many nodes."""
    waiting: list[tuple[list[frozenset[int]], int]] = [([frozenset(s) for s in family], size)]
    for _ in range(_MOST_NODES):
        if not waiting:
            return False
        left, most = waiting.pop()
        if not left and most >= 0:
            return True
        apart: list[frozenset[int]] = []
        for one in sorted(left, key=len):
            if all(one.isdisjoint(other) for other in apart):
                apart.append(one)
        # sets without common elements need an element each
        if len(apart) > most or not left:
            continue
        waiting += [([s for s in left if k not in s], most - 1) for k in sorted(apart[0])]
    return None


def points_in_union(
    cubes: Sequence[Mapping[int, Collection[int]]], sizes: Sequence[int]
) -> int | None:
    """How many points lie in some cube; None if the cubes overlap in too many ways.

    A cube has the values of each coordinate that it restricts; ``sizes`` are the numbers of values.
    The points are divided by the coordinate that most cubes restrict.
    """
    waiting: list[tuple[list[Mapping[int, Collection[int]]], int]] = [(list(cubes), prod(sizes))]
    total = seen = 0
    while waiting:
        left, points = waiting.pop()
        seen += len(left)
        if seen > _MOST_CUBES:
            return None
        if not all(left):
            total += points
        elif left:
            frequency = Counter(k for cube in left for k in cube)
            k = max(frequency, key=lambda k: (frequency[k], -k))
            for value in range(sizes[k]):
                # what is left of the cubes in this slice no longer restricts the coordinate
                slices: list[Mapping[int, Collection[int]]] = [
                    {j: values for j, values in cube.items() if j != k}
                    for cube in left
                    if k not in cube or value in cube[k]
                ]
                waiting.append((slices, points // sizes[k]))
    return total


def put_codes(codes: Sequence[int], features: Sequence[int], own: Array) -> list[int]:
    """The codes with those of some features instead."""
    found = list(codes)
    for k, code in zip(features, np.atleast_1d(own).tolist(), strict=True):
        found[k] = code
    return found


def negation(fact: bool | None) -> bool | None:  # noqa: FBT001
    """Whether a fact does not hold; None if that is open."""
    return None if fact is None else not fact


def conjunction(facts: Sequence[bool | None]) -> bool | None:
    """Whether all hold; None if that is open."""
    return False if False in facts else None if None in facts else True

"""A plain visit of all points of a part of a domain, to count the classes a second time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.explain.check_parts import OPEN, Choice, Parts, exact_product
from tamecheck.explain.domain import Domain
from tamecheck.ir.tensor import Array

_ROWS, _DIGITS = 2**12, 20


def visit(network: ThresholdNetwork, domain: Domain) -> Iterator[tuple[Array, Array]]:
    """All combinations of codes of the features in order, and their classes, in blocks of rows.

    The class is `OPEN` where constraints forbid a combination.
    """
    features = domain.features
    shape = [len(feature.codes) for feature in features]
    for start in range(0, prod(shape), _ROWS):
        points = np.arange(start, min(start + _ROWS, prod(shape)))
        codes = np.stack(np.unravel_index(points, shape), axis=1)
        states = np.empty((len(points), network.inputs), dtype=np.int8)
        for feature, places in zip(features, codes.T, strict=True):
            states[:, list(feature.inputs)] = feature.codes[places]
        yield codes, np.where(domain.possible(codes), network.decide(states), OPEN)


def count_visited(
    network: ThresholdNetwork, choices: Sequence[Choice], start: Parts
) -> list[int] | None:
    """How many points each class has, each of them visited; None if it has too many neurons.

    The states of the first layer are the digits of a number; each number is decided once.
    """
    if not network.layers:
        return None
    width = len(network.layers[0].thresholds)
    if width > _DIGITS:
        return None
    times = np.zeros(1 << width, dtype=np.int64)
    place, inner = len(choices), np.zeros((1, width), dtype=np.int64)
    while place and len(inner) * len(choices[place - 1].codes) <= _ROWS:
        place -= 1
        inner = (choices[place].sums[:, None, :] + inner).reshape(-1, width)
    columns = [np.ascontiguousarray(column) for column in inner.T]
    numbers: list[Array] = []
    for sums in _outer(start.sums, [choice.sums for choice in choices[:place]]):
        for needed in network.layers[0].thresholds - sums:
            digits = np.zeros(len(inner), dtype=np.int32)
            for digit, (column, least) in enumerate(zip(columns, needed.tolist(), strict=True)):
                digits |= (column >= least).astype(np.int32) << digit
            numbers.append(digits)
            if len(numbers) * len(inner) >= len(times):
                times += np.bincount(np.concatenate(numbers), minlength=len(times))
                numbers = []
    if numbers:
        times += np.bincount(np.concatenate(numbers), minlength=len(times))
    return _decide_each(network, times)


def _decide_each(network: ThresholdNetwork, times: Array) -> list[int]:
    """How many points each class has, if states of the first layer occur so many times.

    The digits of a place are the states.
    """
    width = len(network.layers[0].thresholds)
    seen = np.flatnonzero(times)
    counts = [0] * network.classes
    for begin in range(0, len(seen), _ROWS):
        part = seen[begin : begin + _ROWS]
        states: Array = 2 * (part[:, None] >> np.arange(width) & 1) - 1
        for layer in network.layers[1:]:
            states = np.where(exact_product(states, layer.weights) >= layer.thresholds, 1, -1)
        scores: Array = exact_product(states, network.readout) + network.offsets
        for winner, number in zip(np.argmax(scores, axis=1).tolist(), times[part], strict=True):
            counts[winner] += int(number)
    return counts


def _outer(start: Array, parts: Sequence[Array]) -> Iterator[Array]:
    """The sums of all combinations, some rows at a time."""
    waiting = [(0, start)]
    while waiting:
        depth, sums = waiting.pop()
        if depth == len(parts):
            yield sums
            continue
        for row in range(0, len(sums), _ROWS):
            grown = sums[row : row + _ROWS, None, :] + parts[depth]
            waiting.append((depth + 1, grown.reshape(-1, sums.shape[1])))


def decide_all(
    network: ThresholdNetwork, domain: Domain, allowed: Sequence[Sequence[int]]
) -> Array:
    """The class of every point of a product of codes, an axis for each that has several."""
    shape = list(map(len, allowed))
    states = np.empty((prod(shape), network.inputs), dtype=np.int8)
    places = np.unravel_index(np.arange(len(states)), shape)
    for feature, codes, place in zip(domain.features, allowed, places, strict=True):
        states[:, list(feature.inputs)] = feature.codes[np.array(codes)[place]]
    return network.decide(states).reshape([size for size in shape if size > 1])


def rows_of_values(
    network: ThresholdNetwork, domain: Domain, features: Sequence[int]
) -> tuple[Array, Array]:
    """The class of each combination of the other features with each of values of some features.

    ``(combinations, values)``, `OPEN` where constraints forbid it, and the values as rows of codes.
    """
    sizes = [len(feature.codes) for feature in domain.features]
    said = np.concatenate([winners for _, winners in visit(network, domain)]).reshape(sizes)
    last = np.moveaxis(said, list(features), range(-len(features), 0))
    values = np.indices([sizes[k] for k in features]).reshape(len(features), -1).T
    return last.reshape(-1, len(values)), values


def count_turned(network: ThresholdNetwork, domain: Domain, features: Sequence[int]) -> int:
    """How many points have another, different in some features only, that has another class."""
    rows, values = rows_of_values(network, domain, features)
    turned = np.zeros(rows.shape, dtype=np.bool_)
    for one in range(len(values)):
        for other in range(len(values)):
            known = (rows[:, one] != OPEN) & (rows[:, other] != OPEN)
            turned[:, one] |= known & (rows[:, one] != rows[:, other])
    return int(turned.sum())


def is_kept(
    network: ThresholdNetwork, domain: Domain, features: Sequence[int], signs: Sequence[int]
) -> bool:
    """Whether no point has a larger class than one whose codes are later, by the signs (1, -1).

    Both differ in the features only; a sign 0 is for classes that are to be equal.
    """
    rows, values = rows_of_values(network, domain, features)
    for one, first in enumerate(values):
        for other, second in enumerate(values):
            if all(sign * (b - a) >= 0 for sign, a, b in zip(signs, first, second, strict=True)):
                known = (rows[:, one] != OPEN) & (rows[:, other] != OPEN)
                if bool((known & (rows[:, one] > rows[:, other])).any()):
                    return False
    return True

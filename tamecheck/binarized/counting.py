"""Exact counts of the classes over all inputs, in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from tamecheck.binarized.network import (
    Propagation,
    ThresholdLayer,
    ThresholdNetwork,
    kind_for,
    product,
)
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array

MAX_FREE = 36
"""More free inputs than this are refused: their combinations are too many to visit."""

_BLOCK = 13
_WIDTH = 22


def count_classes(network: ThresholdNetwork, fixed: Mapping[int, int] | None = None) -> list[int]:
    """How many inputs each class has, over all combinations of levels.

    Every combination is decided: 2^n of them for n free inputs.  The sums of the first layer are
    those of the high half of the inputs plus those of the low half.

    Parameters
    ----------
    network
        With at most `MAX_FREE` free inputs after ``fixed``.
    fixed
        States (-1 or 1) of inputs that are held, by number.

    Raises
    ------
    InputError
        If a fixed input is not there, or too many are free.
    """
    held = dict(fixed or {})
    if any(i not in range(network.inputs) or s not in (-1, 1) for i, s in held.items()):
        raise InputError("Fixed inputs are given as {number: -1 or 1}.")
    free = [i for i in network.free if i not in held]
    if len(free) > MAX_FREE:
        raise InputError(
            f"{len(free)} inputs are free; at most {MAX_FREE} can be counted one by one.",
            hint="Fix some of them.",
        )
    base = np.ones((1, network.inputs), dtype=np.int8)
    for i, state in held.items():
        base[0, i] = state
    counts = [0] * network.classes
    # the states of the first layer may have far fewer combinations than the inputs
    if network.layers and len(network.layers[0].weights) <= min(_WIDTH, len(free) - 3):
        _tally_patterns(network, base, free, counts)
        return counts
    for scores in _score_blocks(network, base, free):
        _tally(scores, counts)
    return counts


def _tally_patterns(
    network: ThresholdNetwork, base: Array, free: list[int], counts: list[int]
) -> None:
    """Count how often the first layer has each combination of states, and decide each once."""
    layer = network.layers[0]
    width, propagation = len(layer.weights), Propagation(network)
    low, high = free[:_BLOCK], free[_BLOCK:]
    inner = product(base, layer.weights).T + _changes(layer.weights, low)
    inner = _narrow(inner, layer, layer.weights)
    places = (1 << np.arange(width)).astype(np.float32)
    times = np.zeros(1 << width, dtype=np.int64)
    for row in range(1 << len(high)):
        bits = [i for place, i in enumerate(high) if row >> place & 1]
        limits = layer.thresholds + 2 * layer.weights[:, bits].sum(axis=1)
        states = inner >= limits.astype(inner.dtype)[:, None]
        # numbers below 2**24 are exact in single precision
        numbers = (places @ states.astype(np.float32)).astype(np.int32)
        np.add.at(times, numbers, 1)
    seen = np.flatnonzero(times)
    for start in range(0, len(seen), 1 << _BLOCK):
        part = seen[start : start + (1 << _BLOCK)]
        states = (part[:, None] >> np.arange(width) & 1).astype(np.int8) * 2 - 1
        decided = propagation.classes(propagation.last_states(states))
        found = np.zeros(network.classes, dtype=np.int64)
        np.add.at(found, decided, times[part])
        for number, more in enumerate(found.tolist()):
            counts[number] += more


def _tally(scores: Array, counts: list[int]) -> None:
    """Add to the counts how many columns each class wins, the first of equals."""
    top = scores.max(axis=0)
    open_columns = np.ones(top.shape, dtype=np.bool_)
    for number, row in enumerate(scores):
        won = (row == top) & open_columns
        counts[number] += int(np.count_nonzero(won))
        open_columns ^= won


def _score_blocks(network: ThresholdNetwork, base: Array, free: list[int]) -> Iterator[Array]:
    """Scores ``(classes, 2**k)`` (less a common summand), block by block."""
    first = network.layers[0].weights if network.layers else network.readout
    start = product(base, first).T
    low, high = free[:_BLOCK], free[_BLOCK:]
    stages = _stages(network)
    inner = start + _changes(first, low)
    if network.layers:
        inner = _narrow(inner, network.layers[0], first)
    for row in range(1 << len(high)):
        bits = [i for place, i in enumerate(high) if row >> place & 1]
        outer = 2 * first[:, bits].sum(axis=1)
        if not network.layers:
            yield inner + (network.offsets - outer)[:, None]
            continue
        yield _scores_after(stages, inner, network.layers[0].thresholds + outer)


def _narrow(sums: Array, layer: ThresholdLayer, weights: Array) -> Array:
    """The sums in 16 bits when they and the shifted thresholds fit."""
    reach = 2 * int(np.abs(weights).sum(axis=1).max(initial=0))
    reach += int(np.abs(layer.thresholds).max(initial=0))
    return sums.astype(np.int16) if reach < 2**15 else sums


def _changes(weights: Array, chosen: list[int]) -> Array:
    """What all subsets of flips from +1 to -1 add to the sums, ``(neurons, 2**k)``."""
    table = np.zeros((len(weights), 1), dtype=np.int64)
    for i in chosen:
        table = np.concatenate([table, table - 2 * weights[:, i : i + 1]], axis=1)
    return table


def _stages(network: ThresholdNetwork) -> list[tuple[Array, Array]]:
    """The layers after the first over states 0 and 1, in floats that hold every sum exactly."""
    pairs = [(layer.weights, layer.thresholds) for layer in network.layers[1:]]
    stages = [(w, -((-(t + w.sum(axis=1))) // 2)) for w, t in pairs]
    readout = network.readout
    stages.append((2 * readout, network.offsets - readout.sum(axis=1)))
    found: list[tuple[Array, Array]] = []
    for weights, vector in stages:
        kind = kind_for(int((np.abs(weights).sum(axis=1) + np.abs(vector)).max(initial=0)))
        if kind is np.int64:
            raise ValueError("sums exceed 53 bits")
        found.append((weights.astype(kind), vector.astype(kind)[:, None]))
    return found


def _scores_after(stages: list[tuple[Array, Array]], sums: Array, thresholds: Array) -> Array:
    states = sums >= thresholds.astype(sums.dtype)[:, None]
    for weights, limits in stages[:-1]:
        states = weights @ states.astype(weights.dtype) >= limits
    weights, offsets = stages[-1]
    return weights @ states.astype(weights.dtype) + offsets

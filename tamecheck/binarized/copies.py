"""Copies of a binarized network that differ in some inputs, and whether they keep an order.

Whether a change of some inputs alone can change a decision, or lower it, is a question about two
inputs.  With a copy of the network for each value of these inputs it is one about the other inputs,
and about one network: all copies read the same inputs, except that each has its own constants in
place of those that change.  All of what is known of binarized networks applies to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from tamecheck.binarized.network import ThresholdLayer, ThresholdNetwork
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.tensor import Array

Of = Literal["decision", "score"]
Relation = Literal["equal", "rises", "falls"]

_MOST = 2**13


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """States ``(copies, inputs)`` of some inputs, in an order, and what holds along it.

    What the network says is equal in all copies, or never falls from one to the next, or never
    rises.
    """

    inputs: tuple[int, ...]
    states: Array
    relation: Relation

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Copies of which the first may not say more than the second."""
        up = list(pairwise(range(len(self.states))))
        down = [(b, a) for a, b in up]
        return {"equal": [*up, *down], "rises": up, "falls": down}[self.relation]


def copies(network: ThresholdNetwork, chains: Sequence[Chain], of: Of) -> ThresholdNetwork:
    """The network of two classes that is 1 where some chain does not keep its relation.

    The order of decisions is that of the numbers of the classes; ``"score"`` is the single output
    of a model that has one.

    Raises
    ------
    InputError
        If there are too many copies, or there is no single output.
    """
    if of == "score" and (network.classes != 2 or network.readout[0].any() or network.offsets[0]):
        raise InputError(
            "There is no one score: the model has several outputs.",
            hint="Ask about the decision.",
        )
    count = sum(len(chain.states) for chain in chains)
    said, values = _said(network, of)
    if count * max(len(layer.weights) for layer in said) > _MOST:
        raise InputError(
            f"The {count} combinations of values are too many to be compared.",
            hint="Ask about fewer features at a time.",
        )
    first, *rest = said
    layers = [_first(first, chains), *(_diagonal(layer, count) for layer in rest)]
    # of two states the first is above the second where the difference is 2; of two scores, 1
    least = 2 if of == "decision" else 1
    weights = _differences(values, chains)
    above = ThresholdLayer(weights, np.full(len(weights), least, dtype=np.int64))
    ones = np.ones(len(weights), dtype=np.int64)
    ends = np.stack([np.zeros_like(ones), ones]), np.array([0, len(ones) - 1], dtype=np.int64)
    return ThresholdNetwork(network.low, network.high, (*layers, above), *ends)


def over_all_states(
    made: ThresholdNetwork, groups: Sequence[tuple[Sequence[int], Array]]
) -> ThresholdNetwork:
    """A network of copies over all states of its inputs: 0 too where a group has none of its codes.

    A group of inputs has the codes ``(codes, inputs)`` of a thermometer or of one-hot inputs.

    Raises
    ------
    UnsupportedError
        If a group has other codes.
    """
    rows = [row for inputs, codes in groups for row in _impossible(made.inputs, inputs, codes)]
    if not rows:
        return made
    count = len(rows)
    layers: list[ThresholdLayer] = []
    for number, layer in enumerate(made.layers):
        if number == 0:
            weights = np.concatenate([layer.weights, np.array([row for row, _ in rows])])
            ends = np.concatenate([layer.thresholds, [end for _, end in rows]])
        else:
            weights = np.zeros((len(layer.weights) + count, layers[-1].weights.shape[0]), np.int64)
            weights[: len(layer.weights), : layer.weights.shape[1]] = layer.weights
            weights[len(layer.weights) :, layer.weights.shape[1] :] = np.eye(count, dtype=np.int64)
            ends = np.concatenate([layer.thresholds, np.zeros(count, dtype=np.int64)])
        layers.append(ThresholdLayer(weights, ends))
    # one impossible group outweighs all pairs of copies
    pairs = made.readout.shape[1]
    vetoes = np.array([[0] * count, [-pairs] * count])
    readout = np.concatenate([made.readout, vetoes], axis=1)
    offsets = made.offsets - np.array([0, pairs * count])
    return ThresholdNetwork(made.low, made.high, tuple(layers), readout, offsets)


def _impossible(size: int, inputs: Sequence[int], codes: Array) -> list[tuple[Array, int]]:
    """Neurons of which one is 1 exactly where the inputs have none of the codes."""
    count = len(inputs)
    if len(codes) == 2**count:
        return []
    found: list[tuple[Array, int]] = []
    whole = np.zeros(size, dtype=np.int64)
    whole[list(inputs)] = 1
    steps = np.where(np.arange(count) < np.arange(count + 1)[:, None], 1, -1)
    if np.array_equal(codes, steps):
        for before, after in pairwise(inputs):
            row = np.zeros(size, dtype=np.int64)
            row[before], row[after] = -1, 1
            found.append((row, 2))
        return found
    if np.array_equal(codes, 2 * np.eye(count, dtype=np.int64) - 1):
        # two or more are high, or none is
        return [(whole, 4 - count), (-whole, count)]
    raise UnsupportedError("The codes of a feature are no thermometer and not one-hot.")


def _said(network: ThresholdNetwork, of: Of) -> tuple[list[ThresholdLayer], Array]:
    """Layers of one copy, and what it says as sums ``(values, states)`` of the last states.

    A decision is said by whether it is at least class 1, 2, and so on.
    """
    if of == "score":
        own = np.eye(network.inputs, dtype=np.int64)
        inputs = ThresholdLayer(own, np.zeros(network.inputs, dtype=np.int64))
        return list(network.layers) or [inputs], network.readout[1:]
    early, late = zip(*combinations(range(network.classes), 2), strict=True)
    duels = network.preferences(early, late)
    if network.classes == 2:
        return [*network.layers, duels], np.array([[-1]])
    every = range(network.classes)
    wins = np.array(
        [[(c == a) - (c == b) for a, b in zip(early, late, strict=True)] for c in every]
    )
    winner = ThresholdLayer(wins, np.full(network.classes, network.classes - 1))
    later = np.array([[int(c >= least) for c in every] for least in every[1:]])
    # one of the states is 1
    at_least = ThresholdLayer(later, 2 - later.sum(axis=1))
    return [*network.layers, duels, winner, at_least], np.eye(network.classes - 1, dtype=np.int64)


def _first(layer: ThresholdLayer, chains: Sequence[Chain]) -> ThresholdLayer:
    """The layer once for each copy, with the copy's states instead of the inputs that it sets."""
    weights: list[Array] = []
    thresholds: list[Array] = []
    for chain in chains:
        rest = layer.weights.copy()
        rest[:, list(chain.inputs)] = 0
        own = layer.weights[:, list(chain.inputs)]
        weights += [rest] * len(chain.states)
        thresholds += [layer.thresholds - own @ states for states in chain.states.astype(np.int64)]
    return ThresholdLayer(np.concatenate(weights), np.concatenate(thresholds))


def _diagonal(layer: ThresholdLayer, count: int) -> ThresholdLayer:
    """The layer once for each copy."""
    weights = np.kron(np.eye(count, dtype=np.int64), layer.weights)
    return ThresholdLayer(weights, np.tile(layer.thresholds, count))


def _differences(values: Array, chains: Sequence[Chain]) -> Array:
    """What a copy says less what another one says, for each pair that a chain compares."""
    count = sum(len(chain.states) for chain in chains)
    rows: list[Array] = [np.zeros((0, count * values.shape[1]), dtype=np.int64)]
    start = 0
    for chain in chains:
        for more, less in chain.pairs:
            row = np.zeros((len(values), count, values.shape[1]), dtype=np.int64)
            row[:, start + more], row[:, start + less] = values, -values
            rows.append(row.reshape(len(values), -1))
        start += len(chain.states)
    return np.concatenate(rows)

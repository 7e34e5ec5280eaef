"""Binarized networks: integer threshold neurons over two-level inputs, and balls of inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational, rational_text
from tamecheck.ir.tensor import Array

__all__ = ["Ball", "ThresholdLayer", "ThresholdNetwork", "product", "rivals"]

_EXACT_SINGLE, _EXACT_DOUBLE = 2**24, 2**53


def product(states: Array, weights: Array) -> Array:
    """``states @ weights.T`` for integers, exactly, by floats that are wide enough for the sums.

    Parameters
    ----------
    states
        ``(rows, n)``, entries of absolute value at most 1.
    weights
        ``(m, n)``, int64, with row sums of absolute values below 2**53.
    """
    reach = int(np.abs(weights).sum(axis=1).max(initial=0))
    if reach >= _EXACT_DOUBLE:
        raise ValueError("sums exceed 53 bits")
    kind = np.float32 if reach < _EXACT_SINGLE else np.float64
    return (states.astype(kind) @ weights.T.astype(kind)).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdLayer:
    """Neurons that are +1 exactly where ``weights @ s >= thresholds``, and -1 elsewhere.

    ``weights`` is ``(neurons, inputs)`` and ``thresholds`` ``(neurons,)``, both int64.
    """

    weights: Array
    thresholds: Array

    def states(self, before: Array) -> Array:
        """The neurons' states (int8) for rows of states of the layer before."""
        above = product(before, self.weights) >= self.thresholds
        return np.where(above, np.int8(1), np.int8(-1))


@dataclass(frozen=True, eq=False)
class ThresholdNetwork:
    """A classifier of inputs that take two levels each, in exact integers.

    Inside, every input is a state: +1 at its level ``high``, -1 at ``low``.

    Parameters
    ----------
    low, high
        The two levels of each input; equal where the input is constant.
    layers
        The hidden layers, first to last; there may be none.
    readout, offsets
        Integer scores ``readout @ s + offsets``, a positive multiple of the model's: the decision
        is the class of the largest, the first of several.  A model with a single output has two
        classes: 1 where the output is positive, else 0.
    """

    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]
    layers: tuple[ThresholdLayer, ...]
    readout: Array
    offsets: Array

    @property
    def inputs(self) -> int:
        """The number of inputs."""
        return len(self.low)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.offsets)

    @cached_property
    def free(self) -> tuple[int, ...]:
        """The inputs whose two levels differ."""
        return tuple(i for i in range(self.inputs) if self.low[i] != self.high[i])

    def document(self) -> dict[str, Any]:
        """The network as a JSON object of integers and exact levels."""
        return {
            "low": [rational_text(value) for value in self.low],
            "high": [rational_text(value) for value in self.high],
            "layers": [
                {"weights": layer.weights.tolist(), "thresholds": layer.thresholds.tolist()}
                for layer in self.layers
            ],
            "readout": self.readout.tolist(),
            "offsets": self.offsets.tolist(),
        }

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the document, written with sorted keys and no spaces."""
        text = json.dumps(self.document(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def states(self, points: Array) -> Array:
        """Points ``(rows, inputs)`` in the inputs' own levels as states -1 and 1 (int8).

        Raises
        ------
        InputError
            If a value is not one of the two levels of its input.
        """
        rows = np.atleast_2d(points)
        if rows.ndim != 2 or rows.shape[1] != self.inputs:
            raise InputError(f"Points of shape {points.shape} for {self.inputs} inputs.")
        found = np.empty(rows.shape, dtype=np.int8)
        for i, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            for value in set(rows[:, i].tolist()):
                exact = rational(value)
                if exact not in (low, high):
                    raise InputError(
                        f"Input {i} is {exact}, which is neither {low} nor {high}.",
                        hint="Give the two levels of the inputs as the domain.",
                    )
                found[rows[:, i] == value, i] = 1 if exact == high else -1
        return found

    def point(self, states: Sequence[int] | Array) -> tuple[Fraction, ...]:
        """The input of a vector of states, in its own levels."""
        pairs = zip(states, self.low, self.high, strict=True)
        return tuple(high if state > 0 else low for state, low, high in pairs)

    def scores(self, states: Array) -> Array:
        """Integer scores ``(rows, classes)`` of rows of states."""
        first = self.layers[0].weights if self.layers else self.readout
        return self.scores_after(product(states, first))

    def scores_after(self, sums: Array) -> Array:
        """The scores, given the sums ``weights @ s`` of the first layer (or of the readout)."""
        if not self.layers:
            return sums + self.offsets
        first, *rest = self.layers
        states = np.where(sums >= first.thresholds, np.int8(1), np.int8(-1))
        for layer in rest:
            states = layer.states(states)
        return product(states, self.readout) + self.offsets

    def decide(self, states: Array) -> Array:
        """The class of each row of states."""
        return np.argmax(self.scores(states), axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """All states that differ from ``centre`` in at most ``radius`` of the inputs ``free``."""

    centre: Array
    free: tuple[int, ...]
    radius: int

    def fold(self, network: ThresholdNetwork) -> ThresholdNetwork:
        """An equal network on the ball, without the hidden neurons that are constant there.

        A neuron of the first layer is constant when its margin exceeds the largest change that
        ``radius`` flips can make; later layers follow from the sums that are left.
        """
        layers: list[ThresholdLayer] = []
        weights_of = [(layer.weights, layer.thresholds) for layer in network.layers]
        readout, offsets = network.readout, network.offsets
        for number, (weights, thresholds) in enumerate(weights_of):
            if number == 0:
                low, high = self.sums(weights)
            else:
                high = np.abs(weights).sum(axis=1)
                low = -high
            up, down = low >= thresholds, high < thresholds
            open_ones = ~(up | down)
            fixed = up.astype(np.int64) - down.astype(np.int64)
            layers.append(ThresholdLayer(weights[open_ones], thresholds[open_ones]))
            if number + 1 < len(weights_of):
                after, limits = weights_of[number + 1]
                weights_of[number + 1] = (after[:, open_ones], limits - after @ fixed)
            else:
                offsets = offsets + readout @ fixed
                readout = readout[:, open_ones]
        return ThresholdNetwork(network.low, network.high, tuple(layers), readout, offsets)

    def sums(self, weights: Array) -> tuple[Array, Array]:
        """The least and the largest ``weights @ s`` over the ball, exactly."""
        start = product(self.centre[None, :], weights)[0]
        free = list(self.free)
        change = -2 * weights[:, free] * self.centre[free].astype(np.int64)
        change.sort(axis=1)
        count = min(self.radius, len(free))
        low = start + np.minimum(change[:, :count], 0).sum(axis=1)
        high = start + np.maximum(change[:, change.shape[1] - count :], 0).sum(axis=1)
        return low, high


def rivals(folded: ThresholdNetwork, ball: Ball, decision: int) -> list[int]:
    """The classes that may win against ``decision`` in the ball, by bounds on score differences."""
    difference = folded.readout - folded.readout[decision]
    offset = folded.offsets - folded.offsets[decision]
    if folded.layers:
        high = np.abs(difference).sum(axis=1) + offset
    else:
        high = ball.sums(difference)[1] + offset
    needed = [0 if rival < decision else 1 for rival in range(folded.classes)]
    return [r for r in range(folded.classes) if r != decision and high[r] >= needed[r]]

"""Binarized networks: integer threshold neurons over two-level inputs, and balls of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational, rational_text
from tamecheck.ir.graph import canonical_sha256
from tamecheck.ir.tensor import Array

_EXACT_SINGLE, _EXACT_DOUBLE = 2**24, 2**53


def kind_for(reach: int) -> type[np.float32 | np.float64 | np.int64]:
    """The fastest numbers that hold all integers up to ``reach``."""
    if reach < _EXACT_SINGLE:
        return np.float32
    return np.float64 if reach < _EXACT_DOUBLE else np.int64


def product(states: Array, weights: Array) -> Array:
    """``states @ weights.T`` for integers, exactly, by floats that are wide enough for the sums.

    Parameters
    ----------
    states
        ``(rows, n)``, entries of absolute value at most 1.
    weights
        ``(m, n)``, int64, with row sums of absolute values below 2**53.
    """
    kind = kind_for(int(np.abs(weights).sum(axis=1).max(initial=0)))
    if kind is np.int64:
        raise ValueError("sums exceed 53 bits")
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


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Whether a set has an input of another class: not if it is closed; else perhaps a point.

    Neither is said where an engine ended early.  ``solvers`` are those on whose word it rests;
    none where all is in integers.
    """

    closed: bool = False
    point: Array | None = None
    solvers: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A layer for states -1, 0 (open) and 1, in the fastest numbers that hold its sums.

    ``weights`` and ``absolute`` are ``(inputs, neurons)``.
    """

    weights: Array
    absolute: Array
    thresholds: Array

    @classmethod
    def of(cls, layer: ThresholdLayer) -> Stage:
        """The stage of a layer."""
        reach = 2 * int(np.abs(layer.weights).sum(axis=1).max(initial=0))
        kind = kind_for(reach + int(np.abs(layer.thresholds).max(initial=0)))
        turned = np.ascontiguousarray(layer.weights.T.astype(kind))
        return cls(turned, np.abs(turned), layer.thresholds.astype(kind))

    def states(self, low: Array, high: Array) -> Array:
        """The states between bounds on the sums."""
        return (low >= self.thresholds).astype(np.int8) - (high < self.thresholds)

    def bounds(self, states: Array) -> tuple[Array, Array]:
        """The least and the largest sums for rows of states of the layer before."""
        kind = self.weights.dtype
        middle = states.astype(kind) @ self.weights
        spread = (states == 0).astype(kind) @ self.absolute
        return middle - spread, middle + spread


def reachable(stages: Sequence[Stage], low: Array, high: Array) -> Array:
    """Which neurons of the last stage may be 1, for rows of bounds on the sums of the first."""
    for before, stage in pairwise(stages):
        low, high = stage.bounds(before.states(low, high))
    return np.asarray(high >= stages[-1].thresholds)


def fold(
    layers: Sequence[ThresholdLayer], low: Array, high: Array
) -> tuple[list[ThresholdLayer], list[Array]]:
    """Layers without the neurons that are constant, and the numbers of those that are kept.

    ``low`` and ``high`` bound the sums of the first layer; the last one is kept as a whole.
    """
    left, kept = list(layers), list[Array]()
    for place in range(len(left) - 1):
        own, after = left[place], left[place + 1]
        if place:
            high = np.abs(own.weights).sum(axis=1)
            low = -high
        known = (low >= own.thresholds).astype(np.int64) - (high < own.thresholds)
        open_ = np.flatnonzero(known == 0)
        kept.append(open_)
        left[place] = ThresholdLayer(own.weights[open_], own.thresholds[open_])
        rest = after.thresholds - after.weights @ known
        left[place + 1] = ThresholdLayer(after.weights[:, open_], rest)
    return left, kept


@dataclass(frozen=True, eq=False)
class ThresholdNetwork:
    """A classifier of inputs that take two levels each, in exact integers.

    Inside, every input is a state: +1 at its level ``high``, -1 at ``low``.
    """

    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]
    """The two levels of each input; equal where the input is constant."""
    layers: tuple[ThresholdLayer, ...]
    """The hidden layers, first to last; there may be none."""
    readout: Array
    offsets: Array
    """Integer scores ``readout @ s + offsets``, a positive multiple of the model's.

    The decision is the class of the largest, the first of several.  A model with a single output
    has two classes: 1 where the output is positive, else 0.
    """

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
        return canonical_sha256(self.document())

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

    def preferences(self, winners: Sequence[int], losers: Sequence[int]) -> ThresholdLayer:
        """Neurons over the last states that are 1 where a winner is preferred to its loser."""
        weights = self.readout[list(winners)] - self.readout[list(losers)]
        offsets = self.offsets[list(winners)] - self.offsets[list(losers)]
        # of equal scores the first wins
        early = np.array(losers) < np.array(winners)
        return ThresholdLayer(weights, (early - offsets).astype(np.int64))

    def against(self, decision: int, rivals: Sequence[int] | None = None) -> ThresholdLayer:
        """Neurons over the last states that are 1 where a rival wins against a decision."""
        others = [k for k in range(self.classes) if k != decision] if rivals is None else rivals
        return self.preferences(others, [decision] * len(others))

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


class Propagation:
    """What is known of the decision where some states of the first layer (0) are open."""

    def __init__(self, network: ThresholdNetwork) -> None:
        self._network = network
        self._stages = [Stage.of(layer) for layer in network.layers[1:]]
        self._readout = Stage.of(ThresholdLayer(network.readout, -network.offsets))
        self._rivals: dict[int, Stage] = {}

    def rivals(self, decision: int) -> Stage:
        """The neurons that are 1 where another class wins."""
        if decision not in self._rivals:
            self._rivals[decision] = Stage.of(self._network.against(decision))
        return self._rivals[decision]

    def last_states(self, states: Array) -> Array:
        """The states of the last layer, for rows of those of the first one."""
        for stage in self._stages:
            states = stage.states(*stage.bounds(states))
        return states

    def may_change(self, last: Array, decision: int) -> Array:
        """Whether another class may win, for rows of states of the last layer."""
        rivals = self.rivals(decision)
        return np.asarray((rivals.bounds(last)[1] >= rivals.thresholds).any(axis=1))

    def scores_may_change(self, low: Array, high: Array, decision: int) -> Array:
        """The same without a hidden layer, by bounds on the sums of the readout."""
        most = np.delete(high, decision, axis=1) - low[:, [decision]]
        return np.asarray((most >= self.rivals(decision).thresholds).any(axis=1))

    def winners(self, states: Array) -> Array:
        """The class for rows of states of the first layer; -1 where it is open."""
        last = self.last_states(states)
        likely = self.classes(last)
        found = np.full(len(last), -1)
        for decision in np.unique(likely).tolist():
            rows = np.flatnonzero(likely == decision)
            found[rows[~self.may_change(last[rows], decision)]] = decision
        return found

    def winners_of_scores(self, low: Array, high: Array) -> Array:
        """The same without a hidden layer, by bounds on the sums of the readout."""
        found = np.full(len(low), -1)
        for decision in range(low.shape[1]):
            found[~self.scores_may_change(low, high, decision)] = decision
        return found

    def classes(self, last: Array) -> Array:
        """The class of the largest score, for rows of states of the last layer."""
        scores = last.astype(self._readout.weights.dtype) @ self._readout.weights
        return np.argmax(scores - self._readout.thresholds, axis=1)

    def classes_of(self, sums: Array) -> Array:
        """The class for rows of sums of the first layer (or of the readout)."""
        if not self._network.layers:
            return np.argmax(sums - self._readout.thresholds, axis=1)
        thresholds = self._network.layers[0].thresholds
        for stage in (*self._stages, self._readout):
            states = (sums >= thresholds).astype(stage.weights.dtype)
            states += states
            states -= 1
            sums, thresholds = np.asarray(states @ stage.weights), stage.thresholds
        return np.argmax(sums - self._readout.thresholds, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """All states that differ from ``centre`` in at most ``radius`` of the inputs ``free``."""

    centre: Array
    free: tuple[int, ...]
    radius: int

    def fold(self, network: ThresholdNetwork) -> ThresholdNetwork:
        """An equal network on the ball, without the hidden neurons that are constant there."""
        if not network.layers:
            return network
        layers = [*network.layers, ThresholdLayer(network.readout, -network.offsets)]
        (*folded, scores), _ = fold(layers, *self.sums(layers[0].weights))
        ends = scores.weights, -scores.thresholds
        return ThresholdNetwork(network.low, network.high, tuple(folded), *ends)

    def changes(self, weights: Array) -> Array:
        """What a flip of each input adds to each sum, ``(neurons, inputs)``."""
        return -2 * weights * self.centre.astype(np.int64)

    def sums(self, weights: Array) -> tuple[Array, Array]:
        """The least and the largest ``weights @ s`` over the ball, exactly."""
        start = product(self.centre[None, :], weights)[0]
        change = np.sort(self.changes(weights)[:, list(self.free)], axis=1)
        count = min(self.radius, len(self.free))
        low = start + np.minimum(change[:, :count], 0).sum(axis=1)
        high = start + np.maximum(change[:, change.shape[1] - count :], 0).sum(axis=1)
        return low, high

    def rivals(self, folded: ThresholdNetwork, decision: int) -> list[int]:
        """The classes that may win against ``decision`` here, by bounds on score differences."""
        others = [k for k in range(folded.classes) if k != decision]
        margins = folded.against(decision, others)
        reach = np.abs(margins.weights).sum(axis=1)
        high = reach if folded.layers else self.sums(margins.weights)[1]
        pairs = zip(others, (high >= margins.thresholds).tolist(), strict=True)
        return [rival for rival, possible in pairs if possible]

    def flipped(self, inputs: Sequence[int] | Array) -> Array:
        """The centre with some inputs flipped."""
        point = self.centre.copy()
        point[inputs] *= -1
        return point

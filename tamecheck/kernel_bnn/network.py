"""The network inside a certificate, in integers, and bounds on it over a part of a ball."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import compress
from operator import add, mul, not_, sub

from tamecheck.kernel import read
from tamecheck.kernel.strict import pairs, require

Row = list[int]
Levels = tuple[Fraction, Fraction]
_LARGEST = 1 << 60
NUMBERS = (-_LARGEST, _LARGEST)


@dataclass(frozen=True, slots=True)
class Layer:
    """Neurons that are 1 where the row times the states reaches the threshold, and -1 elsewhere."""

    rows: Sequence[Row]
    thresholds: Row

    def states(self, low: Row, high: Row) -> Row:
        """Return 1, -1 or 0 (unknown) for each neuron, given bounds on its sum."""
        return list(map(_state, low, high, self.thresholds))

    def sums(self, states: Row) -> tuple[Row, Row]:
        """Return bounds on the sums, where a state 0 may be 1 or -1."""
        known = [sum(map(mul, row, states)) for row in self.rows]
        unknown = [sum(compress(map(abs, row), map(not_, states))) for row in self.rows]
        return list(map(sub, known, unknown)), list(map(add, known, unknown))


@dataclass(frozen=True, slots=True)
class Network:
    """Layers of threshold neurons over inputs with two levels, and the scores of the classes."""

    sha256: str
    levels: Sequence[Levels]
    layers: Sequence[Layer]
    readout: Layer  # the weights and offsets of the classes

    def free(self) -> Row:
        """Return the inputs that have two levels."""
        return [i for i, (low, high) in enumerate(self.levels) if low != high]

    def read_states(self, value: object) -> Row:
        """Read a point, given in the levels of the inputs, as states 1 (high) and -1 (low)."""
        point = [read.rational(v) for v in read.items(value)]
        require(len(point) == len(self.levels), "a point has one number an input")
        return list(map(_level, point, self.levels))

    def decide(self, states: Row) -> int:
        """Return the class of the largest score, the first of several."""
        for layer in self.layers:
            states = layer.states(*layer.sums(states))
        sums, _ = self.readout.sums(states)
        scores = list(map(add, sums, self.readout.thresholds))
        return scores.index(max(scores))

    def against(self, decision: int) -> list[Layer]:
        """Return the layers and a last one, whose neurons are 1 where a class beats the decision.

        Of equal scores the first wins, and no class beats itself.
        """
        weights, offsets = self.readout.rows, self.readout.thresholds
        rows = [list(map(sub, row, weights[decision])) for row in weights]
        gaps = [offsets[decision] - v + (c >= decision) for c, v in enumerate(offsets)]
        return [*self.layers, Layer(rows, gaps)]


def read_network(value: object) -> Network:
    """Read a network, all of whose sizes must fit."""
    raw = read.fields(value, "low high layers readout offsets")
    low, high = ([read.rational(v) for v in read.items(raw[side])] for side in ("low", "high"))
    require(len(low) == len(high) > 0, "the levels do not match")
    levels = list(pairs(low, high))
    require(all(a <= b for a, b in levels), "a low level is above the high")
    layers: list[Layer] = []
    width = len(low)
    for one in read.items(raw["layers"]):
        layer = read.fields(one, "weights thresholds")
        layers.append(_layer(layer["weights"], layer["thresholds"], width))
        width = len(layers[-1].rows)
    last = _layer(raw["readout"], raw["offsets"], width)
    require(len(last.rows) > 0, "there is no class")
    return Network(read.digest(value), levels, layers, last)


def _state(low: int, high: int, threshold: int) -> int:
    return 1 if low >= threshold else -1 if high < threshold else 0


def _level(v: Fraction, levels: Levels) -> int:
    require(v in levels, "a point is off the levels")
    return 1 if v == levels[1] else -1


def _layer(weights: object, vector: object, width: int) -> Layer:
    rows = [[read.integer(w, *NUMBERS) for w in read.items(row)] for row in read.items(weights)]
    ends = [read.integer(v, *NUMBERS) for v in read.items(vector)]
    require(len(rows) == len(ends), "a layer has one number a neuron")
    require(all(len(row) == width for row in rows), "a row does not fit the layer before")
    return Layer(rows, ends)

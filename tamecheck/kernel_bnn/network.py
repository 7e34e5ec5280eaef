"""The network inside a certificate, in integers, and bounds on it over a part of a ball."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.kernel.strict import fields, integer, items, rational, require

Row = list[int]
_LARGEST = 1 << 60


@dataclass(frozen=True, slots=True)
class Layer:
    """Neurons that are 1 where the row times the states reaches the threshold, and -1 elsewhere."""

    rows: Sequence[Row]
    thresholds: Row

    def states(self, low: Row, high: Row) -> Row:
        """Return 1, -1 or 0 (unknown) for each neuron, given bounds on its sum."""
        ends = zip(low, high, self.thresholds, strict=True)
        return [1 if a >= t else -1 if b < t else 0 for a, b, t in ends]

    def sums(self, states: Row) -> tuple[Row, Row]:
        """Return bounds on the sums, where a state 0 may be 1 or -1."""
        low: Row = []
        high: Row = []
        for row in self.rows:
            known = sum(w * s for w, s in zip(row, states, strict=True))
            unknown = sum(abs(w) for w, s in zip(row, states, strict=True) if s == 0)
            low.append(known - unknown)
            high.append(known + unknown)
        return low, high


@dataclass(frozen=True, slots=True)
class Network:
    """Layers of threshold neurons over inputs with two levels, and the scores of the classes."""

    sha256: str
    low: Sequence[Fraction]
    high: Sequence[Fraction]
    layers: Sequence[Layer]
    readout: Sequence[Row]
    offsets: Row

    def free(self, i: int) -> bool:
        """Return whether input i has two levels."""
        return self.low[i] != self.high[i]

    def read_states(self, value: object) -> Row:
        """Read a point, given in the levels of the inputs, as states 1 (high) and -1 (low)."""
        point = [rational(v) for v in items(value)]
        require(len(point) == len(self.low), "a point has one number an input")
        for v, low, high in zip(point, self.low, self.high, strict=True):
            require(v in (low, high), "a point is off the levels")
        return [1 if v == h else -1 for v, h in zip(point, self.high, strict=True)]

    def decide(self, states: Row) -> int:
        """Return the class of the largest score, the first of several."""
        for layer in self.layers:
            states = layer.states(*layer.sums(states))
        scores = [
            sum(w * s for w, s in zip(row, states, strict=True)) + offset
            for row, offset in zip(self.readout, self.offsets, strict=True)
        ]
        return scores.index(max(scores))

    def against(self, decision: int) -> list[Layer]:
        """Return the layers and a last one, whose neurons are 1 where a class beats the decision.

        Of equal scores the first wins.
        """
        rivals = [c for c in range(len(self.offsets)) if c != decision]
        own = self.readout[decision]
        rows = [[a - b for a, b in zip(self.readout[c], own, strict=True)] for c in rivals]
        gaps = [self.offsets[decision] - self.offsets[c] + (c > decision) for c in rivals]
        return [*self.layers, Layer(rows, gaps)]


def read_network(value: object) -> Network:
    """Read a network, all of whose sizes must fit."""
    raw = fields(value, "low high layers readout offsets")
    low, high = ([rational(v) for v in items(raw[side])] for side in ("low", "high"))
    require(len(low) == len(high) > 0, "the levels do not match")
    require(all(a <= b for a, b in zip(low, high, strict=True)), "a low level is above the high")
    layers: list[Layer] = []
    width = len(low)
    for one in items(raw["layers"]):
        layer = fields(one, "weights thresholds")
        layers.append(_layer(layer["weights"], layer["thresholds"], width))
        width = len(layers[-1].rows)
    last = _layer(raw["readout"], raw["offsets"], width)
    require(len(last.rows) > 0, "there is no class")
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Network(digest, low, high, layers, last.rows, last.thresholds)


def _layer(weights: object, vector: object, width: int) -> Layer:
    rows = [[_number(w) for w in items(row)] for row in items(weights)]
    ends = [_number(v) for v in items(vector)]
    require(len(rows) == len(ends), "a layer has one number a neuron")
    require(all(len(row) == width for row in rows), "a row does not fit the layer before")
    return Layer(rows, ends)


def _number(value: object) -> int:
    return integer(value, -_LARGEST, _LARGEST)

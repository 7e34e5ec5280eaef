"""Binarized networks over windows: neurons share weights, and the inputs are real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from tamecheck.ir.exact import rational_text
from tamecheck.ir.graph import canonical_sha256
from tamecheck.ir.tensor import Array


@dataclass(frozen=True, eq=False)
class WindowLayer:
    """Neurons ``(group, channel)``: 1 where the sum of some window of the group is large enough.

    The sum of window p and channel c is ``weights[c] @ x[windows[p]]``, where the place -1 counts
    as 0.  The neuron is 1 where a sum of its group is at least ``upper[c]`` and -1 where all are
    below ``lower[c]``.  The two are equal but where the network's own threshold is irrational, or
    counts as below; in between the neuron may be either.  States are numbered group by group.
    """

    windows: Array
    weights: Array
    groups: Array
    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]

    @property
    def channels(self) -> int:
        """The number of channels."""
        return len(self.weights)

    @property
    def size(self) -> int:
        """The number of neurons."""
        return len(self.groups) * self.channels

    @cached_property
    def inside(self) -> Array:
        """Where a window has an element."""
        return self.windows >= 0

    @cached_property
    def thresholds(self) -> Array:
        """The integers that integer sums reach where a neuron is 1."""
        return np.array([-(-v.numerator // v.denominator) for v in self.upper], dtype=np.int64)

    def gather(self, x: Array) -> Array:
        """The elements of the windows, 0 where there are none."""
        return np.where(self.inside, x[..., np.maximum(self.windows, 0)], 0)

    def sums(self, x: Array) -> Array:
        """The sums of all windows and channels, in floats that hold integers below 2**53."""
        return np.asarray(self.gather(np.asarray(x, dtype=np.float64)) @ self.weights.T * 1.0)

    def ranges(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Bounds of the sums."""
        middle, width = self.gather(low + high), self.gather(high - low)
        centre = middle @ self.weights.T.astype(np.float64)
        spread = width @ np.abs(self.weights.T).astype(np.float64)
        return (centre - spread) / 2, (centre + spread) / 2

    def states(self, low: Array, high: Array) -> Array:
        """1, -1 or 0 (open) for each neuron, given bounds of integer sums."""
        sure = (low >= self.thresholds)[self.groups].any(axis=1)
        never = (high < self.thresholds)[self.groups].all(axis=1)
        return (sure.astype(np.int8) - never.astype(np.int8)).reshape(-1)

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "windows": self.windows.tolist(),
            "weights": self.weights.tolist(),
            "groups": self.groups.tolist(),
            "lower": list(map(rational_text, self.lower)),
            "upper": list(map(rational_text, self.upper)),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """The outputs ``scale * weights @ states + offsets``, a row each."""

    weights: Array
    scale: Fraction
    offsets: tuple[Fraction, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "weights": self.weights.tolist(),
            "scale": rational_text(self.scale),
            "offsets": list(map(rational_text, self.offsets)),
        }


@dataclass(frozen=True, slots=True, eq=False)
class WindowNetwork:
    """Layers of threshold neurons over real inputs, and a last linear map."""

    inputs: int
    layers: Sequence[WindowLayer]
    readout: Readout

    @property
    def sha256(self) -> str:
        """The hash of the network as the certificate contains it."""
        return canonical_sha256(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The JSON form, as certificates have it."""
        return {
            "inputs": self.inputs,
            "layers": [layer.to_json() for layer in self.layers],
            "readout": self.readout.to_json(),
        }

    def evaluate(self, x: Array) -> list[Array]:
        """The states of every layer at a point, in floats; ties of the first layer as they fall."""
        found: list[Array] = []
        for number, layer in enumerate(self.layers):
            sums = layer.sums(x)
            ends = np.array([float(v) for v in layer.upper]) if number == 0 else layer.thresholds
            held = (sums >= ends)[layer.groups].any(axis=1).reshape(-1)
            x = np.where(held, 1, -1).astype(np.int8)
            found.append(x)
        return found

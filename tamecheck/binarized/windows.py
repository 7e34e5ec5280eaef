"""Binarized networks over windows: neurons share weights, and the inputs are real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf, nextafter
from typing import Any

import numpy as np

from tamecheck.ir.exact import rational_text
from tamecheck.ir.graph import canonical_sha256
from tamecheck.ir.tensor import Array

_DIGITS, _ROUNDED = 53, 2.0**-51
"""Of a float, and more than what it rounds."""


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

    @cached_property
    def _ends(self) -> Array:
        """The least floats that are at least the upper ends: a float is at both or at none."""
        near = [(v, float(v)) for v in self.upper]
        return np.array([nextafter(f, inf) if f < v else f for v, f in near])

    def held(self, x: Array) -> Array:
        """Which neurons are 1 at a point of floats, exactly: its numbers are those of the floats.

        Floats decide where they hold the sums, or are far enough; rationals decide the rest.
        """
        sums, ends, x = self.sums(x), self._ends, np.asarray(x, dtype=np.float64)
        reached = sums >= ends
        most = float(np.abs(x).max(initial=0)) * np.abs(self.weights).sum(axis=1)
        # multiples of a unit of which floats hold all sums
        steps = np.ldexp(x, _DIGITS - int(np.frexp(most.max())[1]))
        if not (steps == np.rint(steps)).all():
            near = np.abs(sums - ends) <= _ROUNDED * (self.windows.shape[1] * most + np.abs(ends))
            for p, c in np.argwhere(near).tolist():
                inside = self.inside[p]
                values, row = x[self.windows[p][inside]], self.weights[c][inside]
                terms = zip(values.tolist(), row.tolist(), strict=True)
                total = sum((Fraction(v) * w for v, w in terms), Fraction(0))
                reached[p, c] = total >= self.upper[c]
        return np.asarray(reached[self.groups].any(axis=1).reshape(-1))

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
        """The states of every layer at a point of floats, exactly, ties included."""
        found: list[Array] = []
        for layer in self.layers:
            x = np.where(layer.held(x), 1, -1).astype(np.int8)
            found.append(x)
        return found

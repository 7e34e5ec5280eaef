"""Layers of threshold neurons that grow while a graph is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tamecheck.binarized.affine import Affine
from tamecheck.binarized.network import ThresholdLayer
from tamecheck.ir.tensor import Array

__all__ = ["Layers"]


class Layers:
    """The layers so far; states of level 0 are the inputs', those of level k are of layer k.

    Neurons may be added to any layer, so that branches which begin at one level are side by side,
    and a neuron may repeat a state of the level before, so that branches of different depth meet.

    Parameters
    ----------
    inputs
        The number of inputs.
    """

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._rows: list[list[Array]] = []
        self._thresholds: list[list[int]] = []
        self._repeated: dict[tuple[int, int], int] = {}

    def width(self, level: int) -> int:
        """The number of states of a level."""
        return len(self._thresholds[level - 1]) if level else self._inputs

    def added(self, level: int, rows: Sequence[Array], thresholds: Sequence[int]) -> int:
        """Put neurons over the states of a level into the next one; the place of the first."""
        if level == len(self._rows):
            self._rows.append([])
            self._thresholds.append([])
        start = len(self._rows[level])
        self._rows[level] += rows
        self._thresholds[level] += thresholds
        return start

    def lifted(self, value: Affine, level: int) -> Affine:
        """The same elements over all states of a level that is not below their own."""
        while value.level < level:
            rows = value.weights[np.unique(value.row)]
            used: list[int] = np.flatnonzero(rows.any(axis=0)).tolist()
            places = [self._repeat(value.level, place) for place in used]
            weights = np.zeros((len(value.weights), self.width(value.level + 1)), dtype=np.int64)
            weights[:, places] = value.weights[:, used]
            value = replace(value, level=value.level + 1, weights=weights)
        width = self.width(level)
        if value.weights.shape[1] == width:
            return value
        return replace(value, weights=_widened(value.weights, width))

    def built(self, level: int) -> tuple[ThresholdLayer, ...]:
        """The layers up to a level."""
        return tuple(
            ThresholdLayer(
                np.stack([_widened(row, self.width(k)) for row in self._rows[k]]),
                np.array(self._thresholds[k], dtype=np.int64),
            )
            for k in range(level)
        )

    def _repeat(self, level: int, place: int) -> int:
        """The neuron that has the state at a place of a level."""
        if (level, place) not in self._repeated:
            row = np.zeros(self.width(level), dtype=np.int64)
            row[place] = 1
            self._repeated[level, place] = self.added(level, [row], [0])
        return self._repeated[level, place]


def _widened(weights: Array, width: int) -> Array:
    """The weights, and 0 for neurons that were added since."""
    missing = width - weights.shape[-1]
    return np.pad(weights, [(0, 0)] * (weights.ndim - 1) + [(0, missing)])

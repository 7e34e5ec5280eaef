"""A network inside a Hamming ball: neurons that cannot change there become constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck.binarized.network import ThresholdLayer, ThresholdNetwork, product
from tamecheck.ir.tensor import Array

__all__ = ["Ball", "rivals"]


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

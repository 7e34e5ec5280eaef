"""Branching over the states of the first layer's neurons, for balls of many flips.

Where few neurons of the first layer can leave their state, their patterns are fewer than the flip
sets.  A pattern is closed when bounds exclude every goal, or when no set of ``radius`` flips
reaches all the states that it assumes: multipliers L >= 0 show that, when the ``radius`` largest
sums ``sum_j L_j change_ij`` over inputs i stay below ``sum_j L_j need_j``.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tamecheck.binarized.branching import Closed, Found, Open
from tamecheck.binarized.folding import Ball
from tamecheck.binarized.network import ThresholdNetwork, product
from tamecheck.ir.tensor import Array

__all__ = ["Patterns"]

_ROUNDS = 40
_LARGEST = 1 << 20


class Patterns:
    """A search of the patterns of the first layer in a ball.

    Parameters
    ----------
    network
        The network, not folded, with a hidden layer.
    ball
        The ball.
    decision
        The class at the centre.
    """

    def __init__(self, network: ThresholdNetwork, ball: Ball, decision: int) -> None:
        self._network, self._ball, self._decision = network, ball, decision
        first = network.layers[0]
        start: Array = product(ball.centre[None, :], first.weights)[0]
        self._own = np.where(start >= first.thresholds, 1, -1)
        free = list(ball.free)
        change = -2 * first.weights[:, free] * ball.centre[free].astype(np.int64)
        # how far each flip takes a neuron towards its other state, and how far it has to go
        self._towards = -change * self._own[:, None]
        above, below = start - first.thresholds + 1, first.thresholds - start
        self._need: Array = np.asarray(np.where(self._own > 0, above, below))
        # sums of multiples stay within 63 bits
        reach = int(np.abs(first.weights).sum()) + int(np.abs(first.thresholds).sum())
        self._largest = min(_LARGEST, (1 << 60) // max(reach, 1))
        gains: Array = -np.sort(-np.maximum(self._towards, 0), axis=1)[:, : ball.radius].sum(axis=1)
        places: Array = np.flatnonzero(gains >= self._need)
        spare: Array = gains[places] - self._need[places]
        # those first that leave the least to spare
        self._open: Array = places[np.argsort(spare, kind="stable")]
        self.nodes: list[Any] = []

    def run(self, *, nodes: int, deadline: float = np.inf) -> Closed | Found | Open:
        """Search; `nodes` of the instance is the tree in preorder afterwards, if it is closed."""
        self.nodes = []
        rest = np.zeros(len(self._own), dtype=np.bool_)
        rest[self._open] = True
        # the states that are known (0: open), and the neurons that have crossed over
        stack: list[tuple[int, Array, list[int]]] = [(0, np.where(rest, 0, self._own), [])]
        while stack:
            if len(self.nodes) >= nodes or time.monotonic() > deadline:
                return Open("Too many patterns.")
            depth, states, crossed = stack.pop()
            if self._excluded(states):
                self.nodes.append(-1)
                continue
            reached = self._reached(crossed) if crossed else None
            if isinstance(reached, dict):
                self.nodes.append(reached)
                continue
            if reached is not None and self._network.decide(reached[None, :])[0] != self._decision:
                return Found(reached)
            if depth == len(self._open):
                return Open("A pattern is open.")
            neuron = int(self._open[depth])
            self.nodes.append({"neuron": neuron})
            children: list[tuple[int, Array, list[int]]] = []
            for state in (1, -1):
                known = states.copy()
                known[neuron] = state
                over = [*crossed, neuron] if state != self._own[neuron] else crossed
                children.append((depth + 1, known, over))
            stack += reversed(children)
        return Closed()

    def _excluded(self, states: Array) -> bool:
        """Whether bounds exclude every rival where the open states (0) may be anything."""
        for layer in self._network.layers[1:]:
            middle, spread = layer.weights @ states, np.abs(layer.weights) @ (states == 0)
            up, down = middle - spread >= layer.thresholds, middle + spread < layer.thresholds
            states = up.astype(np.int64) - down
        difference = self._network.readout - self._network.readout[self._decision]
        high = difference @ states + np.abs(difference) @ (states == 0)
        high = high + self._network.offsets - self._network.offsets[self._decision]
        beaten = high >= (np.arange(len(high)) > self._decision)
        beaten[self._decision] = False
        return not beaten.any()

    def _reached(self, crossed: list[int]) -> dict[str, Any] | Array | None:
        """Multipliers that show that not all of these neurons can cross, or states where all do.

        The multipliers grow by what the best set of flips for them leaves undone.
        """
        towards: Array = self._towards[crossed]
        need: Array = self._need[crossed]
        multipliers = np.ones(len(crossed), dtype=np.int64)
        radius = min(self._ball.radius, towards.shape[1])
        for _ in range(_ROUNDS):
            gain = multipliers @ towards
            best = np.argpartition(-gain, radius - 1)[:radius]
            best = best[gain[best] > 0]
            if gain[best].sum() < multipliers @ need:
                pairs = zip(crossed, multipliers.tolist(), strict=True)
                return {"apart": [[j, m] for j, m in pairs if m]}
            missing: Array = need - towards[:, best].sum(axis=1)
            if (missing <= 0).all():
                point = self._ball.centre.copy()
                point[np.array(self._ball.free)[best]] *= -1
                return point
            multipliers = multipliers + np.maximum(missing, 0)
            if multipliers.max() > self._largest:
                return None
        return None

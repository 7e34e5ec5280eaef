"""The completions of a partial input: what free features can add, and the neurons that may turn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tamecheck.binarized import ThresholdLayer, ThresholdNetwork
from tamecheck.binarized.network import fold
from tamecheck.ir.tensor import Array

__all__ = ["PRESENT", "Completions", "completions"]

PRESENT = -1
"""In place of a column: the present code of a feature."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Sums ``weights @ h + constant`` of the states of the neurons before, in whole floats."""

    weights: Array
    constant: Array

    @classmethod
    def above(cls, layer: ThresholdLayer, least: int = 0) -> Linear:
        """What the sums of a layer exceed its thresholds by, plus a number."""
        constant = (least - layer.thresholds).astype(np.float64)
        return cls(layer.weights.astype(np.float64), constant)

    def of(self, states: Array) -> Array:
        """The sums for rows of states."""
        return np.asarray(states @ self.weights.T + self.constant)

    def between(self, known: Array) -> tuple[Array, Array]:
        """The least and the largest sums for rows of states of which some (0) are open."""
        middle = self.of(known)
        spread = (known == 0) @ np.abs(self.weights).T
        return middle - spread, middle + spread


@dataclass(frozen=True, slots=True, eq=False)
class Completions:
    """A network on the completions of a partial input, without neurons that cannot turn there."""

    base: Array
    """``(neurons,)``: the sums of the first layer at the input, less the thresholds."""
    changes: Array
    """``(columns, neurons)``: what each other code of each free feature adds to them."""
    owners: Array
    """For each column the number of its feature, in order."""
    features: int
    """The number of free features."""
    layers: tuple[Linear, ...]
    """The layers after the first; a neuron is 1 where its sum is at least 0, else -1."""
    margins: Linear
    """What the scores of the rivals exceed that of the decision by; above 0 they win."""
    neurons: tuple[Array, ...]
    """For each layer the numbers of its neurons in the network."""

    @property
    def groups(self) -> Array:
        """The first column of each feature."""
        return np.searchsorted(self.owners, np.arange(self.features))

    @property
    def plain(self) -> bool:
        """Whether every feature has one other code."""
        return len(self.owners) == self.features

    def reach(self) -> tuple[Array, Array]:
        """For each feature the least and the most that it adds to each sum."""
        low = high = self.changes
        if not self.plain:
            low = np.minimum.reduceat(self.changes, self.groups, axis=0)
            high = np.maximum.reduceat(self.changes, self.groups, axis=0)
        return np.minimum(low, 0), np.maximum(high, 0)

    def sums(self, taken: Array) -> Array:
        """The first sums for rows of flags, which columns are taken."""
        return np.asarray(self.base + taken @ self.changes)

    def won(self, sums: Array) -> Array:
        """Whether some rival wins, for rows of sums of the first layer."""
        for layer in (*self.layers, self.margins):
            sums = layer.of(np.where(sums >= 0, 1.0, -1.0))
        return np.asarray((sums > 0).any(axis=1))

    def nearness(self, sums: Array) -> Array:
        """The largest margin of a rival where neurons have ramps in place of jumps, row by row.

        It changes with every feature, as the margin itself does not; only searches rest on it.
        """
        for layer in (*self.layers, self.margins):
            sums = layer.of(sums / (np.abs(sums) + _width(sums)))
        return np.asarray(sums.max(axis=1, initial=-np.inf))

    def steepest(self, slopes: Array) -> Array:
        """For rows with a slope for each column: of each feature the largest positive one."""
        if self.plain:
            return slopes > 0
        groups = self.groups
        largest = np.maximum.reduceat(slopes, groups, axis=1)[:, self.owners]
        first = (slopes == largest) & (slopes > 0)
        # of equal columns the first
        number = np.cumsum(first, axis=1)
        before = np.where(groups > 0, number[:, groups - 1], 0)
        return first & (number - before[:, self.owners] == 1)

    def columns(self, taken: Array) -> Array:
        """For each feature its taken column, or `PRESENT`, for one row of flags."""
        chosen = np.flatnonzero(taken)
        found = np.full(self.features, PRESENT)
        found[self.owners[chosen]] = chosen
        return found

    def slopes(self, sums: Array, follow: Array) -> Array:
        """Slopes of the margin of each row's rival in the first sums.

        In place of its jump a neuron has the slope of a ramp about its threshold, as wide as its
        sums differ; only searches rest on them.
        """
        ramps: list[Array] = []
        for layer in (None, *self.layers):
            sums = sums if layer is None else layer.of(np.where(sums >= 0, 1.0, -1.0))
            ramps.append(1.0 / (1.0 + (sums / _width(sums)) ** 2))
        slope = self.margins.weights[follow] * ramps[-1]
        for layer, ramp in zip(self.layers[::-1], ramps[-2::-1], strict=True):
            slope = (slope @ layer.weights) * ramp
        return np.asarray(slope / (np.abs(slope).max(axis=1, keepdims=True, initial=0) + 1e-300))


def _width(sums: Array) -> Array:
    """How wide a ramp about 0 is, for each row: as its sums differ."""
    return np.asarray(np.abs(sums).sum(axis=1, keepdims=True) / max(sums.shape[1], 1) + 1.0)


def completions(
    network: ThresholdNetwork, decision: int, sums: Array, changes: Array, owners: Array
) -> Completions:
    """The completions of an input that a network with a hidden layer decides so.

    ``sums`` are of the first layer at the input; ``changes`` (columns, neurons) is what each other
    code of each free feature adds to them; ``owners`` has for each column its feature, in order.
    """
    _, numbers = np.unique(owners, return_inverse=True)
    layers = [*network.layers, network.against(decision)]
    base = (sums - layers[0].thresholds).astype(np.float64)
    count = int(numbers.max(initial=-1)) + 1
    margins = Linear.above(layers[-1], 1)
    whole = Completions(base, changes, numbers, count, (), margins, ())
    folded, kept = fold(layers, *(sums + end.sum(axis=0) for end in whole.reach()))
    return replace(
        whole,
        base=base[kept[0]],
        changes=np.ascontiguousarray(changes[:, kept[0]]),
        layers=tuple(map(Linear.above, folded[1:-1])),
        margins=Linear.above(folded[-1], 1),
        neurons=tuple(kept),
    )

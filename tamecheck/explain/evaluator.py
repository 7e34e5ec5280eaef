"""A binarized network as a function of the codes of features, in floats that hold every sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import UnsupportedError
from tamecheck.explain.domain import Domain
from tamecheck.ir.tensor import Array

__all__ = ["Codes", "Evaluator"]

Codes = tuple[int, ...]
_EXACT_SINGLE, _EXACT_DOUBLE = 2**24, 2**53
_Rows = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Tail:
    """A layer with its weights as floats that hold all its sums exactly."""

    weights: Array
    absolute: Array
    thresholds: Array
    doubled: Array
    lifted: Array
    sunk: Array


def _tail(weights: Array, thresholds: Array) -> _Tail:
    reach = 2 * int(np.abs(weights).sum(axis=1).max(initial=0))
    reach += int(np.abs(thresholds).max(initial=0))
    kind = np.float32 if reach < _EXACT_SINGLE else np.float64
    turned = np.ascontiguousarray(weights.T.astype(kind))
    limits, total = thresholds.astype(kind), turned.sum(axis=0)
    return _Tail(turned, np.abs(turned), limits, 2 * turned, limits + total, limits - total)


class Evaluator:
    """Decisions and their bounds, for rows of codes and for rows of sums of the first layer.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    seed
        Of the random completions that searches try.

    Raises
    ------
    UnsupportedError
        If sums of the first layer need more than 50 bits.
    """

    def __init__(self, network: ThresholdNetwork, domain: Domain, seed: int = 0) -> None:
        self.network, self.domain = network, domain
        self._rng = np.random.default_rng(seed)
        first = network.layers[0].weights if network.layers else network.readout
        reach = int(np.abs(first).sum(axis=1).max(initial=0))
        most = int(np.abs(network.layers[0].thresholds).max()) if network.layers else 0
        if 8 * (reach + most) >= _EXACT_DOUBLE:
            raise UnsupportedError("Sums of the first layer need more than 50 bits.")
        self._kind = np.float32 if 8 * (reach + most) < _EXACT_SINGLE else np.float64
        self._far = self._kind(2 * reach + most + 1)
        self._parts = [
            (f.codes.astype(np.int64) @ first[:, list(f.inputs)].T).astype(self._kind)
            for f in domain.features
        ]
        self._first = np.ascontiguousarray(first.T.astype(self._kind))
        plain = [k for k, f in enumerate(domain.features) if f.codes.tolist() == [[-1], [1]]]
        self._plain_set = frozenset(plain)
        self._plain = np.array(plain, dtype=np.int64)
        self._plain_inputs = np.array([domain.features[k].inputs[0] for k in plain], np.int64)
        self._others = sorted(set(range(len(domain.features))) - set(plain))
        self._low = np.stack([part.min(axis=0) for part in self._parts])
        self._high = np.stack([part.max(axis=0) for part in self._parts])
        self._layers = [_tail(layer.weights, layer.thresholds) for layer in network.layers]
        self._readout = _tail(network.readout, network.offsets)
        self._rivals: dict[int, _Tail] = {}

    def weight(self, feature: int) -> float:
        """How far a feature can move the sums of the first layer."""
        return float((self._high[feature] - self._low[feature]).sum())

    def _against(self, decision: int) -> _Tail:
        """Scores of the other classes less that of the decision; positive ones change it."""
        if decision not in self._rivals:
            readout, offsets = self.network.readout, self.network.offsets
            others = [k for k in range(self.network.classes) if k != decision]
            # the first of equal scores wins, so an earlier rival needs a tie only
            early = np.array([int(k < decision) for k in others])
            rows = readout[others] - readout[decision]
            self._rivals[decision] = _tail(rows, offsets[others] - offsets[decision] + early)
        return self._rivals[decision]

    def decide(self, codes: Sequence[int]) -> int:
        """The class of a combination of codes."""
        return int(self.classes(np.array([codes]))[0])

    def classes(self, rows: Array) -> Array:
        """The class of each row of codes."""
        return self.classes_of(self._states(rows) @ self._first)

    def sums(self, codes: Codes) -> Array:
        """The sums of the first layer at a combination of codes."""
        return np.asarray((self._states(np.array([codes])) @ self._first)[0])

    def change_of(self, feature: int, before: int, after: int) -> Array:
        """What another code of a feature adds to the sums of the first layer."""
        return np.asarray(self._parts[feature][after] - self._parts[feature][before])

    def _states(self, rows: Array) -> Array:
        """The states of rows of codes, as floats."""
        states = np.empty((len(rows), self.domain.inputs), dtype=self._kind)
        for k in self._others:
            feature = self.domain.features[k]
            states[:, list(feature.inputs)] = feature.codes[rows[:, k]]
        states[:, self._plain_inputs] = 2 * rows[:, self._plain] - 1
        return states

    def classes_of(self, total: Array) -> Array:
        """The class for each row of sums of the first layer."""
        for number, layer in enumerate(self._layers):
            values = total if number == 0 else total @ layer.doubled
            high = values >= (layer.thresholds if number == 0 else layer.lifted)
            # a state is 2 high - 1, and doubled weights take that in
            total = high.astype(self._after(number).weights.dtype)
        if self._layers:
            return np.argmax(total @ self._readout.doubled + self._readout.sunk, axis=1)
        return np.argmax(total + self._readout.thresholds, axis=1)

    def _after(self, number: int) -> _Tail:
        """The layer that takes the states of a layer."""
        return self._layers[number + 1] if number + 1 < len(self._layers) else self._readout

    def _open(self, low: Array, high: Array, decision: int) -> _Rows:
        """Whether bounds of the first sums leave another decision possible, row by row."""
        rivals = self._against(decision)
        if not self._layers:
            return np.asarray(self._score_leads(low, high, decision) > 0)
        known = low
        unknown = np.zeros(0)
        for number, layer in enumerate(self._layers):
            if number:
                centre = known @ layer.weights
                slack = unknown @ layer.absolute
                low, high = centre - slack, centre + slack
            above, below = low >= layer.thresholds, high < layer.thresholds
            kind = layer.weights.dtype
            known = above.astype(kind) - below.astype(kind)
            unknown = (~(above | below)).astype(kind)
        known, unknown = (x.astype(rivals.weights.dtype) for x in (known, unknown))
        most = known @ rivals.weights + unknown @ rivals.absolute + rivals.thresholds
        return np.asarray((most > 0).any(axis=1))

    def _score_leads(self, low: Array, high: Array, decision: int) -> Array:
        """The largest lead of another class, by bounds of scores that are the first sums."""
        rivals = [k for k in range(low.shape[1]) if k != decision]
        offsets = self._readout.thresholds
        most = high[:, rivals] + offsets[rivals] - (low[:, [decision]] + offsets[decision])
        early = np.array([int(k < decision) for k in rivals])
        return np.asarray((most + early).max(axis=1))

"""A binarized network as a function of codes, in floats that hold every sum, and its splitting."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import UnsupportedError
from tamecheck.explain.domain import Domain
from tamecheck.ir.tensor import Array

__all__ = ["Codes", "Evaluator", "OutOfTimeError", "Splitter", "TooManyError"]

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


_ROWS = 1 << 15
_FEW = 256
_TABLE = 1 << 5


class OutOfTimeError(Exception):
    """The time is over, so nothing is known."""


class TooManyError(Exception):
    """The rows exceed what this search was allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The combinations of the features from ``depth`` on, and their sums."""

    depth: int
    codes: Array
    sums: Array


def _distinct(rows: Array) -> Array:
    """The indices of rows of which no equal one is kept; few rows are returned as they are."""
    if len(rows) < _FEW:
        return np.arange(len(rows))
    generator: Any = np.random.default_rng(1)
    factors: Array = generator.integers(1, 1 << 40, size=rows.shape[1])
    keys = np.asarray(np.matmul(rows.astype(np.int64), 2 * factors + 1))
    order = np.argsort(keys, kind="stable")
    ordered = rows[order]
    # equal keys only suggest that neighbours are equal
    fresh = np.ones(len(rows), dtype=bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order[fresh]


class Splitter(Evaluator):
    """An evaluator that can split."""

    def _split(
        self,
        start: Array,
        free: list[int],
        decision: int,
        *,
        until: float,
        most: float = float("inf"),
    ) -> Codes | None:
        """Codes of another class that differ from ``start`` in ``free`` features only, if any.

        Raises
        ------
        OutOfTimeError
            If it is later than ``until``.
        TooManyError
            If there are more than ``most`` rows.

        Notes
        -----
        The number of rows is at most the number of completions, and far smaller where bounds
        close rows early.
        """
        order = sorted(free, key=lambda k: (-self.weight(k), k))
        last = self._block(order)
        base = (self._states(start[np.newaxis]) @ self._first)[0]
        for k in order:
            base = base - self._parts[k][start[k]]
        low = np.zeros((len(order) + 1, *base.shape), dtype=self._kind)
        high = np.zeros_like(low)
        for depth in range(len(order) - 1, -1, -1):
            low[depth] = low[depth + 1] + self._low[order[depth]]
            high[depth] = high[depth + 1] + self._high[order[depth]]
        stack: list[tuple[int, Array, Array]] = [
            (0, base[np.newaxis], np.empty((1, 0), dtype=np.int16))
        ]
        seen = 0
        while stack:
            if time.monotonic() > until:
                raise OutOfTimeError
            depth, total, chosen = stack.pop()
            seen += len(total)
            if seen > most:
                raise TooManyError
            settled, open_ = self._settled(total, low[depth], high[depth], decision)
            kept = np.flatnonzero(open_)
            if not kept.size:
                continue
            kept = kept[_distinct(settled[kept])]
            total, chosen = settled[kept], chosen[kept]
            if depth < last.depth:
                stack.extend(self._children(depth, total, chosen, order[depth]))
                continue
            hit = self._evaluated(total, last, decision, until)
            if hit is not None:
                found = start.copy()
                found[order[: last.depth]] = chosen[hit[0]]
                found[order[last.depth :]] = last.codes[hit[1]]
                return tuple(found.tolist())
        return None

    def _block(self, order: list[int]) -> _Block:
        """All combinations of the last features, as many as are worth a table."""
        depth, size = len(order), 1
        while depth and size * len(self._parts[order[depth - 1]]) <= _TABLE:
            depth -= 1
            size *= len(self._parts[order[depth]])
        codes = np.zeros((1, 0), dtype=np.int16)
        sums = np.zeros((1, self._low.shape[1]), dtype=self._kind)
        for k in order[depth:]:
            part = self._parts[k]
            own = np.tile(np.arange(len(part), dtype=np.int16), len(codes))
            codes = np.column_stack([np.repeat(codes, len(part), axis=0), own])
            sums = (sums[:, np.newaxis, :] + part).reshape(-1, part.shape[1])
        return _Block(depth, codes, sums)

    def _evaluated(
        self, total: Array, last: _Block, decision: int, until: float
    ) -> tuple[int, int] | None:
        """Row and combination of another class, by evaluating every one."""
        step = max(1, _ROWS // len(last.sums))
        for at in range(0, len(total), step):
            if time.monotonic() > until:
                raise OutOfTimeError
            part = total[at : at + step]
            sums = (part[:, np.newaxis, :] + last.sums).reshape(-1, part.shape[1])
            hits = np.flatnonzero(self.classes_of(sums) != decision)
            if hits.size:
                row, combination = divmod(int(hits[0]), len(last.sums))
                return at + row, combination
        return None

    def _settled(self, total: Array, low: Array, high: Array, decision: int) -> tuple[Array, _Rows]:
        """Sums with those of settled neurons replaced by one number, and which rows are open.

        What is left to come can no longer change a settled neuron, so rows that are equal after
        the replacement have the same completions.
        """
        below, above = total + low, total + high
        open_ = self._open(below, above, decision)
        if self._layers:
            limits = self._layers[0].thresholds
            total = np.where(below >= limits, self._far, total)
            total = np.where(above < limits, -self._far, total)
        return total, open_

    def _children(
        self, depth: int, total: Array, chosen: Array, feature: int
    ) -> list[tuple[int, Array, Array]]:
        part = self._parts[feature]
        sums = (total[:, np.newaxis, :] + part).reshape(-1, part.shape[1])
        codes = np.tile(np.arange(len(part), dtype=np.int16), len(total))
        paths = np.column_stack([np.repeat(chosen, len(part), axis=0), codes])
        return [
            (depth + 1, sums[at : at + _ROWS], paths[at : at + _ROWS])
            for at in range(0, len(sums), _ROWS)
        ]

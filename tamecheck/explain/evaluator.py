"""A binarized network as a function of the codes of features, in floats that hold every sum.

Can the decision change while some features stay?  Exact, by splitting the others: rows of a table
are partial inputs, all of which have the same features decided.  Bounds of every neuron over the
rest close a row, or the next feature is decided in it.  A row on which all is decided is an input,
so the search always ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.binarized.network import Propagation, kind_for
from tamecheck.budget import Budget
from tamecheck.errors import TamecheckError, UnsupportedError
from tamecheck.explain.domain import Domain
from tamecheck.ir.tensor import Array

Codes = tuple[int, ...]

_EXACT = 2**53
_ROWS = 1 << 15
_FEW = 256
_TABLE = 1 << 5


class TooManyError(TamecheckError):
    """The rows exceed what this search was allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The combinations of the features from ``depth`` on, and their sums."""

    depth: int
    codes: Array
    sums: Array


class Evaluator:
    """Decisions and their bounds, for rows of codes and for rows of sums of the first layer.

    Raises `UnsupportedError` if sums of the first layer need more than 50 bits.
    """

    def __init__(
        self,
        network: ThresholdNetwork,
        domain: Domain,
        *,
        seed: int = 0,
        budget: Budget | None = None,
    ) -> None:
        self.network, self.domain = network, domain
        self.budget = budget or Budget()
        self._rng = np.random.default_rng(seed)
        first = network.layers[0].weights if network.layers else network.readout
        reach = int(np.abs(first).sum(axis=1).max(initial=0))
        most = int(np.abs(network.layers[0].thresholds).max()) if network.layers else 0
        if 8 * (reach + most) >= _EXACT:
            raise UnsupportedError("Sums of the first layer need more than 50 bits.")
        self._kind = kind_for(8 * (reach + most))
        self._far = self._kind(2 * reach + most + 1)
        self._parts = [
            (f.codes.astype(np.int64) @ first[:, list(f.inputs)].T).astype(self._kind)
            for f in domain.features
        ]
        self._first = np.ascontiguousarray(first.T.astype(self._kind))
        plain = [k for k, f in enumerate(domain.features) if f.codes.tolist() == [[-1], [1]]]
        self._plain = np.array(plain, dtype=np.int64)
        self._plain_inputs = np.array([domain.features[k].inputs[0] for k in plain], np.int64)
        self._others = sorted(set(range(len(domain.features))) - set(plain))
        self._low = np.stack([part.min(axis=0) for part in self._parts])
        self._high = np.stack([part.max(axis=0) for part in self._parts])
        self._propagation = Propagation(network)

    def weight(self, feature: int) -> float:
        """How far a feature can move the sums of the first layer."""
        return float((self._high[feature] - self._low[feature]).sum())

    def decide(self, codes: Sequence[int]) -> int:
        """The class of a combination of codes."""
        return int(self.classes(np.array([codes]))[0])

    def classes(self, rows: Array) -> Array:
        """The class of each row of codes."""
        return self.classes_of(self._states(rows) @ self._first)

    def classes_of(self, sums: Array) -> Array:
        """The class for each row of sums of the first layer."""
        return self._propagation.classes_of(sums)

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

    def split(
        self, start: Array, free: list[int], decision: int, *, most: float = float("inf")
    ) -> Codes | None:
        """Codes of another class that differ from ``start`` in ``free`` features only, if any.

        The number of rows is at most the number of completions, and far smaller where bounds
        close rows early.

        Raises `TimeLimitError` if the budget is spent. Raises `TooManyError` if there are more than
        ``most`` rows.
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
            self.budget.check()
            depth, total, chosen = stack.pop()
            seen += len(total)
            if seen > most:
                raise TooManyError("A search by splitting has too many rows.")
            settled, open_ = self._settle(total, low[depth], high[depth], decision)
            kept = np.flatnonzero(open_)
            if not kept.size:
                continue
            kept = kept[_distinct(settled[kept])]
            total, chosen = settled[kept], chosen[kept]
            if depth < last.depth:
                stack.extend(self._children(depth, total, chosen, order[depth]))
                continue
            hit = self._hit(total, last, decision)
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
            sums, codes = self._extend(sums, codes, k)
        return _Block(depth, codes, sums)

    def _extend(self, sums: Array, codes: Array, feature: int) -> tuple[Array, Array]:
        """Sums, and the codes they are of, with each code of one more feature."""
        part = self._parts[feature]
        own = np.tile(np.arange(len(part), dtype=np.int16), len(codes))
        codes = np.column_stack([np.repeat(codes, len(part), axis=0), own])
        return (sums[:, np.newaxis, :] + part).reshape(-1, part.shape[1]), codes

    def _hit(self, total: Array, last: _Block, decision: int) -> tuple[int, int] | None:
        """Row and combination of another class, by evaluating every one."""
        step = max(1, _ROWS // len(last.sums))
        for at in range(0, len(total), step):
            self.budget.check()
            part = total[at : at + step]
            sums = (part[:, np.newaxis, :] + last.sums).reshape(-1, part.shape[1])
            hits = np.flatnonzero(self.classes_of(sums) != decision)
            if hits.size:
                row, combination = divmod(int(hits[0]), len(last.sums))
                return at + row, combination
        return None

    def _settle(self, total: Array, low: Array, high: Array, decision: int) -> tuple[Array, Array]:
        """Sums with those of settled neurons replaced by one number, and which rows are open.

        What is left to come can no longer change a settled neuron, so rows that are equal after
        the replacement have the same completions.
        """
        below, above = total + low, total + high
        if not self.network.layers:
            return total, self._propagation.scores_may_change(below, above, decision)
        limits = self.network.layers[0].thresholds
        on, off = below >= limits, above < limits
        last = self._propagation.last_states(on.astype(np.int8) - off)
        total = np.where(on, self._far, np.where(off, -self._far, total))
        return total, self._propagation.may_change(last, decision)

    def _children(
        self, depth: int, total: Array, chosen: Array, feature: int
    ) -> list[tuple[int, Array, Array]]:
        sums, paths = self._extend(total, chosen, feature)
        return [
            (depth + 1, sums[at : at + _ROWS], paths[at : at + _ROWS])
            for at in range(0, len(sums), _ROWS)
        ]


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

"""Can the decision change while some features stay?  Exact, by splitting the others.

Rows of a table are partial inputs; all of them have the same features decided.  Integer bounds of
every neuron over the rest close a row, or the next feature is decided in it.  A row on which all
is decided is an input, so the search always ends.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tamecheck.explain.evaluator import Codes, Evaluator
from tamecheck.ir.tensor import Array

__all__ = ["OutOfTimeError", "Splitter", "TooManyError"]

_ROWS = 1 << 15
_FEW = 256
_TABLE = 1 << 5
_Rows = npt.NDArray[np.bool_]


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

"""A quick search for another class, along slopes of ramps in place of the jumps."""

from __future__ import annotations

import numpy as np

from tamecheck.explain.evaluator import Codes, Evaluator
from tamecheck.ir.tensor import Array

__all__ = ["Climber"]

_FEW = 12
_STEPS = 24


class Climber(Evaluator):
    """An evaluator that can climb."""

    def _climbed(
        self, start: Array, free: list[int], decision: int, *, starts: int
    ) -> Codes | None:
        """Codes of another class by steps along slopes of ramps in place of the jumps.

        One row follows each rival from a few random completions.  None is no proof.
        """
        if len(free) < _FEW:
            return None
        count = int(self._against(decision).weights.shape[1])
        follow = np.arange(starts * count) % count
        rows = np.repeat(start[np.newaxis], len(follow), axis=0)
        rows[count:, free] = self._rng.integers(
            [len(self._parts[k]) for k in free],
            size=(len(rows) - count, len(free)),
        )
        pull = np.zeros((len(rows), self.domain.inputs))
        memory = self._rng.uniform(0.6, 0.95, size=(len(rows), 1))
        for _ in range(_STEPS):
            states = self._states(rows)
            slope, lead = self._slopes(states @ self._first, follow, decision)
            hits = np.flatnonzero(lead > 0)
            if hits.size:
                return tuple(rows[hits[0]].tolist())
            # rows with different memories do not all run into the same cycle
            pull = memory * pull + slope @ self._first.T
            rows = self._toward(rows, pull, free)
        return None

    def _slopes(self, sums: Array, follow: Array, decision: int) -> tuple[Array, Array]:
        """Slopes of each row's rival's lead in the first sums, and the largest lead of any rival.

        In place of its jump a neuron has the slope of a ramp about its threshold, as wide as its
        values differ; only the search rests on them.
        """
        rivals = self._against(decision)
        ramps: list[Array] = []
        total = sums
        for number, layer in enumerate(self._layers):
            values = total if number == 0 else total @ layer.weights
            gap = values - layer.thresholds
            scale = np.abs(gap).mean(axis=-1, keepdims=True) + 1.0
            ramps.append(1.0 / (1.0 + (gap / scale) ** 2))
            total = np.where(gap >= 0, 1, -1).astype(self._after(number).weights.dtype)
        if not self._layers:
            return np.zeros_like(sums), self._score_leads(sums, sums, decision)
        slope = rivals.weights.T[follow] * ramps[-1]
        for layer, ramp in zip(self._layers[:0:-1], ramps[-2::-1], strict=True):
            slope = (slope @ layer.weights.T) * ramp
        size = np.abs(slope).max(axis=-1, keepdims=True) + 1e-300
        return slope / size, (total @ rivals.weights + rivals.thresholds).max(axis=1)

    def _toward(self, rows: Array, pull: Array, free: list[int]) -> Array:
        """Rows whose free features have the codes that follow the pull furthest."""
        moved = rows.copy()
        for k in free:
            if k in self._plain_set:
                continue
            feature = self.domain.features[k]
            moved[:, k] = (pull[:, list(feature.inputs)] @ feature.codes.T).argmax(axis=1)
        plain = [k for k in free if k in self._plain_set]
        inputs = [self.domain.features[k].inputs[0] for k in plain]
        moved[:, plain] = pull[:, inputs] > 0
        return moved

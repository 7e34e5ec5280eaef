"""Inputs of another class near a known one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.explain.evaluator import Codes, Evaluator
from tamecheck.ir.tensor import Array

__all__ = ["Neighbours"]

_MOST = 1 << 13


class Neighbours(Evaluator):
    """An evaluator that looks around an input."""

    def swaps(
        self, codes: Codes, other: Codes, free: Sequence[int], features: Sequence[int]
    ) -> dict[int, Codes]:
        """For features, codes of another class than ``codes`` near ``other`` that change this one.

        Another code of the feature is tried together with other codes of none, one and two of
        the free ones; where that is too much, with some of them.
        """
        moves = self._moves(other, features)
        if not len(moves):
            return {}
        steps = self._moves(other, free)
        sets = self._few(steps, _MOST // len(moves))
        base = self.sums(other)
        # a last row for no move
        added = np.concatenate([self._moved(other, steps), np.zeros((1, len(base)), self._kind)])
        first = base + self._moved(other, moves)
        sums = first[:, np.newaxis, :] + added[sets].sum(axis=1)
        hits = self.classes_of(sums.reshape(-1, len(base))) != self.decide(codes)
        found: dict[int, Codes] = {}
        for place in np.flatnonzero(hits).tolist():
            move, chosen = divmod(place, len(sets))
            feature, code = moves[move].tolist()
            if feature not in found:
                made = list(other)
                taken = [steps[k].tolist() for k in sets[chosen] if k < len(steps)]
                for k, c in (*taken, (feature, code)):
                    made[k] = c
                found[feature] = tuple(made)
        return found

    def _few(self, moves: Array, most: int) -> Array:
        """Sets of none, one and two moves of different features; ``most`` of them at the most.

        Rows of two numbers of moves; the number of moves itself is no move.
        """
        count = len(moves)
        owners = np.append(moves[:, 0], -1)
        one, two = np.triu_indices(count + 1, 1)
        apart = owners[one] != owners[two]
        every = np.column_stack([one[apart], two[apart]])
        if len(every) > most:
            every = every[self._rng.choice(len(every), most, replace=False)]
        return np.concatenate([[[count, count]], every])

    def _moves(self, codes: Codes, features: Sequence[int]) -> Array:
        """Every other code of the features, as rows (feature, code)."""
        pairs = [(k, c) for k in features for c in range(len(self._parts[k])) if c != codes[k]]
        return np.array(pairs, dtype=np.int64).reshape(-1, 2)

    def _moved(self, codes: Codes, moves: Array) -> Array:
        """What each move adds to the first sums."""
        pairs: list[tuple[int, int]] = moves.tolist()
        changes = [self.change_of(k, codes[k], c) for k, c in pairs]
        return np.array(changes, dtype=self._kind).reshape(len(moves), self._low.shape[1])

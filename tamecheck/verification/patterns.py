"""Which signs of a first layer some input of a box has together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import ceil, lcm

import numpy as np

from tamecheck.binarized.windows import WindowLayer
from tamecheck.ir.tensor import Array

Clause = tuple[tuple[int, int, int], ...]
"""Literals ``(neuron, window in its group, multiplier)`` that no input of the box has together.

A multiplier above 0 says that the neuron is 1.
"""

_SLACK = 1e-6
_TRIPLES = 26


@dataclass(frozen=True, slots=True, eq=False)
class _Literal:
    """That ``row`` times the inputs at ``places`` is at least ``end``: one state of a sign."""

    number: int
    literal: tuple[int, int, int]
    places: Array
    row: Array
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class FirstLayer:
    """The first layer over a box: bounds of its sums and what follows for its neurons."""

    layer: WindowLayer
    middle: Array
    radius: Array
    states: Array
    """1, -1 or 0 (open) for each neuron."""
    least: Array
    greatest: Array
    ends: Array
    """The lower and the upper end of each channel."""

    @classmethod
    def of(cls, layer: WindowLayer, box: Sequence[tuple[Fraction, Fraction]]) -> FirstLayer:
        """The layer over a box; its states are exact, other numbers are floats."""
        unit = lcm(*(v.denominator for pair in box for v in pair))
        middle = [int((a + b) * unit) for a, b in box]
        width = [int((b - a) * unit) for a, b in box]
        # floats hold these sums, or Python's own integers do
        size = max(map(abs, (*middle, *width))) * int(np.abs(layer.weights).sum(axis=1).max())
        kind = np.float64 if 2 * size < 2**53 else object
        weights = layer.weights.T.astype(kind)
        centre = layer.gather(np.array(middle, dtype=kind)) @ weights
        spread = layer.gather(np.array(width, dtype=kind)) @ np.abs(weights)
        down, up = (
            np.array([ceil(v * 2 * unit) for v in ends], dtype=object).astype(kind)
            for ends in (layer.lower, layer.upper)
        )
        sure = (centre - spread >= up)[layer.groups].any(axis=1)
        never = (centre + spread < down)[layer.groups].all(axis=1)
        states = (sure.astype(np.int8) - never.astype(np.int8)).reshape(-1)
        floats = (
            np.array([float(Fraction(v, 2 * unit)) for v in part]) for part in (middle, width)
        )
        ends = np.array([[float(v) for v in side] for side in (layer.lower, layer.upper)])
        reach = ((centre + way * spread).astype(np.float64) / (2 * unit) for way in (-1, 1))
        least, greatest = reach
        middle_point, radius = floats
        return cls(layer, middle_point, radius, states, least, greatest, ends)

    def _literals(self, neuron: int) -> list[tuple[int, int] | None]:
        """For -1 and 1 the window whose sum is known then, and the end; None if there is none."""
        group, channel = divmod(neuron, self.layer.channels)
        windows = self.layer.groups[group]
        reached = self.greatest[windows, channel]
        end = self.ends[0, channel]
        able = np.flatnonzero(reached + _SLACK * (1 + abs(end)) >= end)
        down = int(np.argmax(self.least[windows, channel] + reached))
        return [(down, -1), (int(able[0]), 1) if len(able) == 1 else None]

    def clauses(self, signs: Sequence[int]) -> list[Clause]:
        """Pairs and triples of literals that exclude each other, by the sum of their rows."""
        layer = self.layer
        literals: list[_Literal] = []
        for number, neuron in enumerate(signs):
            group, channel = divmod(neuron, layer.channels)
            for found in self._literals(neuron):
                if found is not None:
                    window, way = found
                    places = layer.windows[layer.groups[group][window]]
                    end = way * self.ends[1 if way < 0 else 0, channel]
                    row = layer.weights[channel] * way
                    literals.append(_Literal(number, (neuron, window, way), places, row, end))
        if not literals:
            return []
        used = np.unique(np.concatenate([one.places for one in literals]))
        used = used[used >= 0]
        rows = np.zeros((len(literals), len(used)))
        for i, one in enumerate(literals):
            inside = one.places >= 0
            np.add.at(rows[i], np.searchsorted(used, one.places[inside]), one.row[inside])
        rest = rows @ self.middle[used] - np.array([one.end for one in literals])
        rows = rows * self.radius[used]
        slack = _SLACK * (1 + np.abs(rest).max() + np.abs(rows).sum(axis=1).max())
        owner = np.array([one.number for one in literals])

        def apart(picked: Array) -> Array:
            reach = np.abs(rows[picked].sum(axis=1)).sum(axis=-1)
            return np.asarray(rest[picked].sum(axis=1) + reach < -slack)

        pairs = np.array(list(combinations(range(len(literals)), 2)), dtype=np.int64).reshape(-1, 2)
        pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
        pairs = pairs[apart(pairs)] if len(pairs) else pairs
        chosen: list[list[int]] = pairs.tolist()
        if 2 < len(signs) <= _TRIPLES:
            banned = np.zeros((len(literals), len(literals)), dtype=np.bool_)
            banned[pairs[:, 0], pairs[:, 1]] = banned[pairs[:, 1], pairs[:, 0]] = True
            banned |= owner[:, None] == owner
            triples = np.array(list(combinations(range(len(literals)), 3)), dtype=np.int64)
            i, j, k = triples.T if len(triples) else np.zeros((3, 0), dtype=np.int64)
            triples = triples[~(banned[i, j] | banned[i, k] | banned[j, k])]
            for part in np.array_split(triples, 1 + len(triples) // 4096):
                chosen += part[apart(part)].tolist() if len(part) else []
        return [tuple(literals[i].literal for i in one) for one in chosen]


def realisable(
    signs: Sequence[int], clauses: Sequence[Clause], limit: int
) -> tuple[Array, int, list[Clause]]:
    """Patterns of signs that meet no clause, a row each; how many signs they are about.

    Signs are left out from the one on with which there are more patterns than the limit.  The
    clauses that were met come last.
    """
    place = {sign: i for i, sign in enumerate(signs)}
    ending: list[list[tuple[Clause, list[int], list[int]]]] = [[] for _ in signs]
    for clause in clauses:
        if all(neuron in place for neuron, _, _ in clause):
            at = [place[neuron] for neuron, _, _ in clause]
            ending[max(at)].append((clause, at, [1 if m > 0 else -1 for _, _, m in clause]))
    found = np.zeros((1, 0), dtype=np.int8)
    used: list[Clause] = []
    for i in range(len(signs)):
        count = len(found)
        ends = np.repeat(np.array([-1, 1], dtype=np.int8), count)[:, None]
        wider = np.concatenate([np.concatenate([found, found]), ends], axis=1)
        met: list[Clause] = []
        for clause, at, values in ending[i]:
            hit = (wider[:, at] == values).all(axis=1)
            if hit.any():
                met.append(clause)
                wider = wider[~hit]
        if len(wider) > limit:
            return found, i, used
        found = wider
        used += met
    return found, len(signs), used

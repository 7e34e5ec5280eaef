"""Parts of the completions of a partial input, and where the sums of neurons can be in them.

The neurons of all layers stand side by side, layer after layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from tamecheck.errors import UnsupportedError
from tamecheck.explain.completions import Completions
from tamecheck.ir.tensor import Array

FREE = -2
"""In place of a column: not decided."""
_EXACT = 2.0**52
_COARSE = 8
_FINE = range(14, 3, -1)
"""Bits of a multiplier above its usual size, and below."""


@dataclass(frozen=True, slots=True, eq=False)
class MultiplierGrid:
    """Where sums are: at ``least`` (from 0 on) and in steps of ``gap`` about it.

    Multipliers are multiples of ``unit`` up to ``most``; ``scale`` makes steps alike.
    """

    least: Array
    gap: Array
    unit: Array
    most: Array
    scale: Array

    def rounded(self, multipliers: Array) -> Array:
        """The nearest multiples of the units."""
        return np.asarray(np.rint(multipliers / self.unit) * self.unit)


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Parts of the completions, one a row.

    The rival whose margin is bounded; for each feature its column if it is decided; the sums of the
    first layer by what is decided, and their ends; for each neuron the state that is assumed (0:
    none), and the multiplier.
    """

    rival: Array
    columns: Array
    base: Array
    low: Array
    high: Array
    assumed: Array
    multipliers: Array

    def __len__(self) -> int:
        return len(self.rival)

    def take(self, rows: Array | slice) -> Nodes:
        """These rows."""
        return Nodes(*(part[rows] for part in _arrays(self)))


def stack(parts: Sequence[Nodes]) -> Nodes:
    """The rows of all parts."""
    return Nodes(*map(np.concatenate, zip(*map(_arrays, parts), strict=True)))


def _arrays(nodes: Nodes) -> list[Array]:
    return [getattr(nodes, field.name) for field in fields(nodes)]


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The ranges of sums above and below the jump; a piece that is closed adds -inf."""

    up: tuple[Array, Array]
    down: tuple[Array, Array]
    no_up: Array
    no_down: Array

    def take(self, rows: Array) -> Pieces:
        """These rows."""
        up, down = ((low[rows], high[rows]) for low, high in (self.up, self.down))
        return Pieces(up, down, self.no_up[rows], self.no_down[rows])

    def best(self, gain: Array, multiplier: Array) -> tuple[Array, Array, Array, Array]:
        """``max (gain h(s) - multiplier s)``, the same without the gain, and where it is: h, s."""
        positive = multiplier >= 0
        at_up = np.where(positive, *self.up)
        at_down = np.where(positive, *self.down)
        up = self.no_up - multiplier * at_up
        down = self.no_down - multiplier * at_down
        bare = np.maximum(up, down)
        up, down = up + gain, down - gain
        above = up >= down
        at = np.where(above, at_up, at_down)
        return np.where(above, up, down), bare, np.where(above, 1.0, -1.0), at


def multiplier_grid(problem: Completions, least: Array, most: Array) -> MultiplierGrid:
    """The grid with the finest multipliers that floats can hold.

    Raises `UnsupportedError` if there is none.
    """
    margins, weights = problem.margins, [layer.weights for layer in problem.layers]
    ends = [(problem.base + least.sum(axis=0), problem.base + most.sum(axis=0))]
    gaps = [np.gcd.reduce(problem.changes.astype(np.int64), axis=0)]
    for layer in problem.layers:
        spread = np.abs(layer.weights).sum(axis=1)
        ends.append((layer.constant - spread, layer.constant + spread))
        gaps.append(2 * np.gcd.reduce(layer.weights.astype(np.int64), axis=1))
    # from the last layer to the first: what a state usually adds, and the usual multiplier
    gain = np.abs(margins.weights).max(axis=0, initial=0)
    sizes: list[Array] = []
    for (low, high), own in zip(ends[::-1], (*weights[::-1], None), strict=True):
        sizes.insert(0, 2 * np.maximum(gain, 1) / (high - low))
        gain = gain if own is None else sizes[0] @ np.abs(own)
    usual, gap = np.concatenate(sizes), np.concatenate(gaps)
    low, high = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    reach = np.maximum(np.abs(low), np.abs(high))
    # what a multiplier takes of the sums of the states before
    before = [np.zeros_like(problem.base), *(np.abs(own).sum(axis=1) for own in weights)]
    taken = 4 * reach + np.concatenate(before)
    for fine in _FINE:
        unit = 2.0 ** (np.floor(np.log2(usual)) - fine)
        cap = unit * 2.0 ** (fine + _COARSE)
        total = np.abs(margins.constant).max(initial=0) + np.abs(margins.weights).sum()
        if total + cap @ taken < _EXACT * float(unit.min(initial=1.0)):
            return MultiplierGrid(low % gap, gap, unit, cap, 1 / (high - low) ** 2)
    raise UnsupportedError("Weights are too large for multipliers that floats hold exactly.")

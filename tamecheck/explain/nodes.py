"""Parts of the completions of a partial input, and where the sums of neurons can be in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck.errors import UnsupportedError
from tamecheck.explain.completions import Completions
from tamecheck.ir.tensor import Array

__all__ = ["FREE", "Nodes", "Pieces", "grids", "joined"]

FREE = -2
"""In place of a column: not decided."""
_EXACT = 2.0**52
_COARSE = 8
_FINE = range(14, 3, -1)
"""Bits of a multiplier above its usual size, and below."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where the sums of a layer are: at ``least`` (from 0 on) and in steps of ``gap`` about it.

    Multipliers of its neurons are multiples of ``unit`` up to ``most``; ``scale`` makes steps
    alike.
    """

    least: Array
    gap: Array
    unit: Array
    most: Array
    scale: Array


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Parts of the completions, one a row.

    The rival whose margin is bounded; for each feature its column if it is decided; the sums of the
    first layer by what is decided, and their ends; in each layer the states that are assumed (0:
    none), and multipliers.
    """

    rival: Array
    columns: Array
    base: Array
    low: Array
    high: Array
    assumed: tuple[Array, ...]
    multipliers: tuple[Array, ...]

    def __len__(self) -> int:
        return len(self.rival)

    def taken(self, rows: Array | slice) -> Nodes:
        """These rows."""
        return _by_field([self], lambda parts: parts[0][rows])


def joined(parts: Sequence[Nodes]) -> Nodes:
    """The rows of all parts."""
    return _by_field(parts, np.concatenate)


def _by_field(parts: Sequence[Nodes], make: Callable[[Sequence[Array]], Array]) -> Nodes:
    plain = zip(*((p.rival, p.columns, p.base, p.low, p.high) for p in parts), strict=True)
    deep = ([p.assumed for p in parts], [p.multipliers for p in parts])
    rival, columns, base, low, high = map(make, plain)
    assumed, multipliers = (tuple(map(make, zip(*layers, strict=True))) for layers in deep)
    return Nodes(rival, columns, base, low, high, assumed, multipliers)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The ranges of a layer's sums above and below the jump; a ``_closed`` piece adds -inf."""

    up: tuple[Array, Array]
    down: tuple[Array, Array]
    no_up: Array
    no_down: Array

    def taken(self, rows: Array) -> Pieces:
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


def grids(problem: Completions, least: Array, most: Array) -> tuple[Grid, ...]:
    """The grids of the layers, with the finest multipliers that floats can hold.

    Raises `UnsupportedError` if there are none.
    """
    ends = [(problem.base + least.sum(axis=0), problem.base + most.sum(axis=0))]
    gaps = [np.gcd.reduce(problem.changes.astype(np.int64), axis=0)]
    for layer in problem.layers:
        spread = np.abs(layer.weights).sum(axis=1)
        ends.append((layer.constant - spread, layer.constant + spread))
        gaps.append(2 * np.gcd.reduce(layer.weights.astype(np.int64), axis=1))
    reach = [np.maximum(np.abs(low), np.abs(high)) for low, high in ends]
    weights = [layer.weights for layer in problem.layers]
    # from the last layer to the first: what a state usually adds, and the usual multiplier
    margins = problem.margins
    gain = np.abs(margins.weights).max(axis=0, initial=0)
    usual: list[Array] = []
    for number in range(len(ends) - 1, -1, -1):
        low, high = ends[number]
        usual.insert(0, 2 * np.maximum(gain, 1) / (high - low))
        if number:
            gain = usual[0] @ np.abs(weights[number - 1])
    for fine in _FINE:
        units = [2.0 ** (np.floor(np.log2(u)) - fine) for u in usual]
        caps = [u * 2.0 ** (fine + _COARSE) for u in units]
        total = (
            np.abs(problem.margins.constant).max(initial=0) + np.abs(problem.margins.weights).sum()
        )
        for number, cap in enumerate(caps):
            total += 4 * cap @ reach[number]
            if number:
                total += cap @ np.abs(weights[number - 1]).sum(axis=1)
        if total < _EXACT * min((float(u.min(initial=1.0)) for u in units), default=1.0):
            return tuple(
                Grid(low % gap, gap, unit, cap, 1 / (high - low) ** 2)
                for (low, high), gap, unit, cap in zip(ends, gaps, units, caps, strict=True)
            )
    raise UnsupportedError("Weights are too large for multipliers that floats hold exactly.")

"""The offset of a neuron whose weights are known."""

from __future__ import annotations

import numpy as np

from tamecheck.learn.mip.task import Grid
from tamecheck.learn.network import Floats

__all__ = ["best_offset", "levels_of", "offset_at"]


def levels_of(sums: Floats) -> Floats:
    """The values from which on sums can be positive: each of them, and one above all."""
    values = np.unique(sums)
    return np.append(values, values[-1] + 1)


def offset_at(sums: Floats, level: float, grid: Grid) -> float:
    """The offset of the grid with which exactly the sums from ``level`` on are positive."""
    if grid.reach is None:
        return 0.0
    base, reach = float(grid.base), float(grid.reach)
    below = sums[sums < level]
    if not grid.step:
        highest = float(below.max()) if len(below) else level - 1
        return float(np.clip(-(level + highest) / 2, -reach, reach))
    step = float(grid.step)
    # the least offset b on the grid with level + b > 0; levels are sums, whose parity it fits
    offset = float(np.floor((-level - base) / step) + 1) * step + base
    if len(below) == len(sums):
        offset = float(np.floor((-sums.max() - base) / step)) * step + base
    return float(np.clip(offset, -reach, reach))


def best_offset(sums: Floats, gain: Floats, grid: Grid) -> float:
    """The offset that loses least, where 1 is better than -1 by ``gain`` on each row."""
    levels = levels_of(sums)
    order = np.argsort(sums, kind="stable")
    # what is lost below a level: gains of the rows that are -1 there
    lost = np.append(0.0, np.cumsum(gain[order]))[np.searchsorted(sums[order], levels)]
    return offset_at(sums, float(levels[int(np.argmin(lost))]), grid)

"""Relax-and-Walk: linear programs on one activation pattern after the other.

Source: Tong, Cai and Serra, "Optimization over trained neural networks: taking a relaxing walk",
CPAIOR 2024.  Floats search here; whoever uses a point evaluates it exactly.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tamecheck.bounds import Layers
from tamecheck.ir.tensor import Array
from tamecheck.optimise.regions import region
from tamecheck.solvers.dense_linear import largest_in

__all__ = ["Walker", "walk"]

_STEP = 0.01
_GAIN = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Walker:
    """An output of a network to be made large on a box: its layers, the box, the direction.

    ``sign`` is 1 to maximise and -1 to minimise.
    """

    layers: Layers
    lower: Array
    upper: Array
    output: int
    sign: float = 1.0

    def values(self, points: Array) -> Array:
        """The signed output at points, one a row."""
        return self.sign * self.layers.values(points)[-1][..., self.output]

    def clipped(self, points: Array) -> Array:
        """The nearest points of the box."""
        return np.clip(points, self.lower, self.upper)

    def ascended(self, points: Array, rounds: int) -> Array:
        """Points after some steps of projected signed-gradient ascent, the best of each path."""
        best, best_values = points, self.values(points)
        rows = np.zeros(self.layers.layers[-1].size)
        rows[self.output] = self.sign
        width = self.upper - self.lower
        for turn in range(rounds):
            values = self.layers.values(points)
            functional = np.broadcast_to(rows, (len(points), len(rows)))
            slope = self.layers.gradient(values, functional)
            size = np.abs(slope * width).max(-1, keepdims=True)
            move = slope * width * width / np.where(size > 0, size, 1.0)
            points = self.clipped(points + 0.3 * 0.93**turn * move)
            found = self.values(points)
            better = found > best_values
            best = np.where(better[:, np.newaxis], points, best)
            best_values = np.where(better, found, best_values)
        return best


def walk(walker: Walker, x: Array, *, deadline: float) -> Iterator[tuple[float, Array]]:
    """The local optima of the regions that a walk from ``x`` passes; values increase.

    On each region a linear program finds the best point; the walk then steps a little further in
    the direction that led there, into the next region.
    """
    best = -np.inf
    while time.monotonic() < deadline:
        here = region(walker.layers, x, walker.output)
        # the float point itself is to be feasible
        at = here.rows @ x
        ends = np.minimum(here.low, at), np.maximum(here.high, at)
        found = largest_in(walker.sign * here.slope, (walker.lower, walker.upper), here.rows, ends)
        if found is None:
            return
        found = walker.clipped(found)
        value = float(walker.values(found))
        if value <= best + _GAIN * max(1.0, abs(best)):
            return
        best = value
        yield best, found
        x = _beyond(walker, x, found)


def _beyond(walker: Walker, x: Array, found: Array) -> Array:
    """A little further than ``found``, seen from ``x``; where that leaves the box, not."""
    step = found + _STEP * (found - x)
    outside = (step < walker.lower) | (step > walker.upper)
    return np.where(outside, found, step)

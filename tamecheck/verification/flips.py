"""The search for a violation of networks with jumps: corners of the box, some coordinates at once.

A jump has no slope, so gradients of ramps in its place only suggest where coordinates should go;
moves are kept when the exact network, evaluated in floats, gets nearer to a violation.
"""

from __future__ import annotations

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.verification.answer import Witness
from tamecheck.verification.problem import Region
from tamecheck.verification.search import Search

__all__ = ["flipped"]

_WARM_ROUNDS = 4
_RESTART = 150


def flipped(search: Search, region: Region, *, count: int, limit: float) -> Witness | None:
    """A witness by rounds of proposals around the best point so far, ``limit`` seconds long.

    Parameters
    ----------
    search, region
        The run, and a bounded box.
    count
        Proposals a round.
    limit
        Seconds.
    """
    stop = max(search.left - limit, 0.0)
    with np.errstate(all="ignore"):
        while search.left > stop:
            climb = _Climb(search, region, count)
            found = climb.warm()
            stale = 0
            while found is None and stale < _RESTART and search.left > stop:
                before = climb.best
                found = climb.round()
                stale = 0 if climb.best < before else stale + 1
            if found is not None:
                return found
    return None


class _Climb:
    """One descent from random corners."""

    def __init__(self, search: Search, region: Region, count: int) -> None:
        self.search, self.region, self.count = search, region, count
        self.lower, self.upper = region.lower, region.upper
        self.case, self.best = -1, np.inf
        self.point = (self.lower + self.upper) / 2
        self.pull = np.zeros_like(self.lower)

    def _tried(self, points: Array) -> tuple[Array, Witness | None]:
        """The depth of every case at the points, and a witness if there is one."""
        rows = self.search.rows(points)
        allowed = np.broadcast_to(self.region.cases, (len(points), len(self.region.cases)))
        depth = np.where(self.region.cases, self.search.problem.depth(rows), np.inf)
        return depth, self.search.confirmed(points, rows, allowed)

    def _toward(self, points: Array, case: Array) -> Array:
        """Gradients of the rows of each point's case."""
        values = self.search.layers.values(points)
        return self.search.layers.gradient(values, self.search.problem.members[case] * 1.0)

    def warm(self) -> Witness | None:
        """Signed steps with momentum from random corners; picks the point and the case to follow.

        The case is the one that came nearest, so a region with many cases is searched in few.
        """
        rng = self.search.rng
        points = np.where(rng.random((self.count, len(self.lower))) < 0.5, self.lower, self.upper)
        depth, found = self._tried(points)
        if found is not None:
            return found
        near = np.argsort(depth.min(0))[: min(4, int(self.region.cases.sum()))]
        case = near[np.arange(self.count) % len(near)]
        momentum = np.zeros_like(points)
        for _ in range(_WARM_ROUNDS):
            self._keep(points, depth[np.arange(self.count), case], case)
            gradient = self._toward(points, case)
            size = np.abs(gradient).mean(-1, keepdims=True) + 1e-300
            momentum = 0.8 * momentum + gradient / size
            points = np.where(momentum > 0, self.lower, self.upper)
            depth, found = self._tried(points)
            if found is not None:
                return found
        self._keep(points, depth[np.arange(self.count), case], case)
        self.pull = self._toward(self.point[np.newaxis], np.array([self.case]))[0]
        return None

    def _keep(self, points: Array, depth: Array, case: Array) -> bool:
        chosen = int(np.argmin(depth))
        better = bool(depth[chosen] < self.best)
        if better:
            self.best, self.case = float(depth[chosen]), int(case[chosen])
            self.point = points[chosen]
        return better

    def round(self) -> Witness | None:
        """Proposals that move random coordinates: along the gradient, or to an end or middle."""
        rng, size = self.search.rng, len(self.lower)
        # from two coordinates on, and from each one on where they are few
        least = min(2.0 / size, 0.3)
        share = np.exp(rng.uniform(np.log(least), np.log(0.3), (self.count, 1)))
        moving = rng.random((self.count, size)) < share
        kind = rng.integers(0, 3, (self.count, size))
        middle = (self.lower + self.upper) / 2
        random = np.where(kind == 0, self.lower, np.where(kind == 1, self.upper, middle))
        along = np.where(self.pull > 0, self.lower, self.upper)
        guided = rng.random((self.count, 1)) < 0.6
        points = np.where(moving, np.where(guided, along, random), self.point)
        depth, found = self._tried(points)
        if found is not None:
            return found
        own = depth[:, self.case]
        chosen = int(np.argmin(own))
        if own[chosen] <= self.best:
            # a sideways move leaves a plateau
            improved = bool(own[chosen] < self.best)
            self.point, self.best = points[chosen], float(own[chosen])
            if improved or rng.random() < 0.3:
                fresh = self._toward(self.point[np.newaxis], np.array([self.case]))[0]
                scale = np.abs(fresh).mean() + 1e-300
                self.pull = 0.7 * self.pull / (np.abs(self.pull).mean() + 1e-300) + fresh / scale
        return None

"""The search for a violation: samples, projected gradients, and flips of coordinates.

A jump has no slope, so for networks with jumps the gradients of ramps in its place only suggest
where coordinates should go; moves are kept when the network, evaluated in floats, gets nearer to a
violation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.bounds.propagation import CALL, EACH, work_at
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.ir.tensor import Array
from tamecheck.solvers.dense import deepest
from tamecheck.verification.answer import Witness
from tamecheck.verification.problem import Region
from tamecheck.verification.witness import Search

_CAP = 1e3
_WARM_ROUNDS = 4
_RESTART = 150
_CLOSE, _CLOSER, _NEAR = 2.0**-24, 2.0**-12, 32
"""How far from the deepest point others are tried, and how many."""
_NARROW = 2.0**-40
"""A part of a box in which no linear program is asked for a deeper point."""
_DEEPENED = 2.0**35
"""The work of linear programs, and of gradients, for a deeper point: each about two seconds."""


def _finite(region: Region) -> tuple[Array, Array]:
    """The box, an unbounded side cut where floats still have digits."""
    lower = np.where(np.isfinite(region.lower), region.lower, np.minimum(-_CAP, region.upper))
    upper = np.where(np.isfinite(region.upper), region.upper, np.maximum(_CAP, region.lower))
    lower = np.where(np.isfinite(lower), lower, -_CAP)
    return lower, np.maximum(lower, np.where(np.isfinite(upper), upper, _CAP))


def _start(search: Search, region: Region, count: int) -> Array:
    """The centre, corners and uniform points."""
    lower, upper = _finite(region)
    mix = search.rng.random((count, len(lower)))
    corners = count // 3
    mix[:corners] = np.round(mix[:corners])
    mix[0] = 0.5
    return lower + (upper - lower) * mix


def sample(search: Search, region: Region, count: int) -> Witness | None:
    """A witness among random points and corners of a box."""
    points = _start(search, region, count)
    allowed = np.broadcast_to(region.cases, (count, len(region.cases)))
    return search.confirm(points, search.rows(points), allowed)


def attack(search: Search, region: Region, *, restarts: int, steps: int) -> Witness | None:
    """A witness by projected gradient descent from many points, shared among the cases."""
    points = _start(search, region, restarts)
    target = _targets(search, region, points)
    return descend(search, _finite(region), points, target, steps=steps)


def deepen(
    search: Search, region: Region, point: Array, *, count: int, steps: int
) -> Witness | None:
    """A witness that a float32 run confirms, near an exact one.

    By linear programs around it, then by descent from points around it; in steps that are counted,
    so that the same witness is found on a machine that is busy.
    """
    found = _climb(search, region, point)
    if found is not None:
        return found
    lower, upper = _finite(region)
    spread = np.linspace(0, 0.1, count)[:, np.newaxis] * (upper - lower)
    points = point + spread * search.rng.uniform(-1, 1, (count, len(lower)))
    points = np.clip(points, lower, upper)
    target = _targets(search, region, points)
    steps = min(steps, int(_DEEPENED / (2 * work_at(search.layers, count))))
    return descend(search, (lower, upper), points, target, steps=steps)


def deepen_around(
    search: Search, regions: Sequence[Region], *, count: int, steps: int
) -> Witness | None:
    """A witness that a float32 run confirms, near the one that is kept, in a region with it."""
    if search.kept is None:
        return None
    point = np.array([nearest_float(value) for value in search.kept.inputs])
    for region in regions:
        if ((region.lower <= point) & (point <= region.upper)).all():
            witness = deepen(search, region, point, count=count, steps=steps)
            if witness is not None:
                return witness
    return None


def _climb(search: Search, region: Region, point: Array) -> Witness | None:
    """A witness deeper among what is unsafe: the largest row of a case is lowered step by step.

    Each step is a linear program over the gradients of all rows, on a box around the point that
    grows after a success and shrinks after a failure.
    """
    problem, layers = search.problem, search.layers
    lower, upper = _finite(region)
    x, width, reach = np.clip(point, lower, upper), upper - lower, 0.1
    with np.errstate(all="ignore"):
        depth = np.where(region.cases, problem.depth(search.rows(x[np.newaxis]))[0], np.inf)
        case = int(np.argmin(depth))
        own, allowed = np.flatnonzero(problem.members[case]), np.arange(len(depth)) == case
        best, rows = depth[case], np.eye(problem.members.shape[1])[own]
        # values and gradients, and a linear program with as many rows
        each, work = 2 * work_at(layers, own.size) + CALL + EACH * rows.shape[0] * x.size, 0.0
        while own.size and reach > _NARROW and work < _DEEPENED and not search.budget.is_spent:
            work += each
            values = layers.values(np.repeat(x[np.newaxis], own.size, 0))
            slopes = np.nan_to_num(layers.gradient(values, rows))
            near = np.maximum(lower - x, -reach * width), np.minimum(upper - x, reach * width)
            step = deepest(near, -slopes, values[-1][0, own], np.zeros((0, x.size)))
            if step is None:
                return None
            moved = np.clip(x + step[0], lower, upper)[np.newaxis]
            there = search.rows(moved)
            if not there[0, own].max() < best:
                reach /= 4
                continue
            x, best, reach = moved[0], there[0, own].max(), min(2 * reach, 1.0)
            found = search.confirm(moved, there, allowed[np.newaxis])
            if found is not None:
                return found
        # rounding differs from point to point
        spread = np.geomspace(_CLOSE, _CLOSER, _NEAR)[:, np.newaxis] * width
        points = np.clip(x + spread * search.rng.normal(size=(_NEAR, x.size)), lower, upper)
        around = search.rows(points)
        for index in np.argsort(problem.depth(around)[:, case]).tolist():
            one = slice(index, index + 1)
            found = search.confirm(points[one], around[one], allowed[np.newaxis])
            if found is not None or search.budget.is_spent:
                return found
    return None


def _targets(search: Search, region: Region, points: Array) -> Array:
    """The case that each point goes for: those that are least deep in the safe side, in turn."""
    depth = search.problem.depth(search.rows(points))
    depth = np.where(region.cases & ~np.isnan(depth), depth, np.inf)
    order = np.argsort(depth, axis=-1)
    some = min(int(region.cases.sum()), 1 + len(points) // 2)
    return order[np.arange(len(points)), np.arange(len(points)) % some]


def descend(
    search: Search, ends: tuple[Array, Array], points: Array, target: Array, *, steps: int
) -> Witness | None:
    """A witness by projected gradient descent of the largest row of each point's case.

    Signed steps of shrinking length, in a box for all points or one for each; rows that are safely
    negative have no weight.
    """
    problem = search.problem
    lower, upper = ends
    width = upper - lower
    allowed = np.arange(len(problem.members)) == target[:, np.newaxis]
    members = problem.members[target]
    x = np.clip(points, lower, upper)
    velocity = np.zeros_like(x)
    with np.errstate(all="ignore"):
        for step in range(steps):
            if search.budget.is_spent:
                return None
            values = search.layers.values(x)
            rows = values[-1]
            found = search.confirm(x, rows, allowed)
            if found is not None:
                return found
            gradient = search.layers.gradient(values, _weights(rows, members))
            scale = np.abs(gradient * width).max(-1, keepdims=True)
            direction = gradient * width / np.where(scale > 0, scale, 1.0)
            velocity = 0.7 * velocity + np.where(np.isfinite(direction), direction, 0.0)
            rate = 0.25 * 0.01 ** (step / steps)
            x = np.clip(x - rate * width * np.sign(velocity), lower, upper)
    return search.confirm(x, search.rows(x), allowed)


def _weights(rows: Array, members: Array) -> Array:
    """Weights of the rows: the largest ones of the case have most."""
    held = np.where(members, rows, -np.inf)
    top = held.max(-1, keepdims=True)
    spread = np.maximum(np.abs(top), 1e-6)
    return np.where(members, np.exp(np.clip((held - top) / spread * 4, -50, 0)), 0.0)


def flip(search: Search, region: Region, *, count: int, limit: float) -> Witness | None:
    """A witness by rounds of proposals around the best point so far, ``limit`` seconds long.

    The box is bounded; each round has ``count`` proposals.
    """
    budget = search.budget.part(limit)
    with np.errstate(all="ignore"):
        while not budget.is_spent:
            local = _LocalSearch(search, region, count)
            found = local.warm()
            stale = 0
            while found is None and stale < _RESTART and not budget.is_spent:
                before = local.best
                found = local.round()
                stale = 0 if local.best < before else stale + 1
            if found is not None:
                return found
    return None


class _LocalSearch:
    """One descent from random corners."""

    def __init__(self, search: Search, region: Region, count: int) -> None:
        self.search, self.region, self.count = search, region, count
        self.lower, self.upper = region.lower, region.upper
        self.case, self.best = -1, np.inf
        self.point = (self.lower + self.upper) / 2
        self.slope = np.zeros_like(self.lower)

    def _try(self, points: Array) -> tuple[Array, Witness | None]:
        """The depth of every case at the points, and a witness if there is one."""
        rows = self.search.rows(points)
        allowed = np.broadcast_to(self.region.cases, (len(points), len(self.region.cases)))
        depth = np.where(self.region.cases, self.search.problem.depth(rows), np.inf)
        return depth, self.search.confirm(points, rows, allowed)

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
        depth, found = self._try(points)
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
            depth, found = self._try(points)
            if found is not None:
                return found
        self._keep(points, depth[np.arange(self.count), case], case)
        self.slope = self._toward(self.point[np.newaxis], np.array([self.case]))[0]
        return None

    def _keep(self, points: Array, depth: Array, case: Array) -> None:
        chosen = int(np.argmin(depth))
        if depth[chosen] < self.best:
            self.best, self.case = float(depth[chosen]), int(case[chosen])
            self.point = points[chosen]

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
        along = np.where(self.slope > 0, self.lower, self.upper)
        guided = rng.random((self.count, 1)) < 0.6
        points = np.where(moving, np.where(guided, along, random), self.point)
        depth, found = self._try(points)
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
                self.slope = 0.7 * self.slope / (np.abs(self.slope).mean() + 1e-300) + fresh / scale
        return None

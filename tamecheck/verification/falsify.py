"""The search for a violation: samples, corners, projected gradients and coordinates."""

from __future__ import annotations

import numpy as np

from tamecheck.ir.tensor import Array
from tamecheck.verification.answer import Witness
from tamecheck.verification.problem import Region
from tamecheck.verification.search import Search

__all__ = ["attacked", "descended", "sampled"]

_CAP = 1e3


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


def sampled(search: Search, region: Region, count: int) -> Witness | None:
    """A witness among random points and corners of a box."""
    points = _start(search, region, count)
    allowed = np.broadcast_to(region.cases, (count, len(region.cases)))
    return search.confirmed(points, search.rows(points), allowed)


def attacked(search: Search, region: Region, *, restarts: int, steps: int) -> Witness | None:
    """A witness by projected gradient descent from many points, shared among the cases."""
    points = _start(search, region, restarts)
    target = _targets(search, region, points)
    return descended(search, region, points, target, steps=steps)


def _targets(search: Search, region: Region, points: Array) -> Array:
    """The case that each point goes for: those that are least deep in the safe side, in turn."""
    depth = search.problem.depth(search.rows(points))
    depth = np.where(region.cases & ~np.isnan(depth), depth, np.inf)
    order = np.argsort(depth, axis=-1)
    some = min(int(region.cases.sum()), 1 + len(points) // 2)
    return order[np.arange(len(points)), np.arange(len(points)) % some]


def descended(
    search: Search, region: Region, points: Array, target: Array, *, steps: int
) -> Witness | None:
    """A witness by projected gradient descent of the largest row of each point's case.

    Signed steps of shrinking length; rows that are safely negative do not pull.
    """
    problem = search.problem
    lower, upper = _finite(region)
    width = upper - lower
    allowed = np.arange(len(region.cases)) == target[:, np.newaxis]
    members = problem.members[target]
    x = np.clip(points, lower, upper)
    velocity = np.zeros_like(x)
    with np.errstate(all="ignore"):
        for step in range(steps):
            if search.left <= 0:
                return None
            values = search.layers.values(x)
            rows = values[-1]
            found = search.confirmed(x, rows, allowed)
            if found is not None:
                return found
            gradient = search.layers.gradient(values, _pull(rows, members))
            scale = np.abs(gradient * width).max(-1, keepdims=True)
            direction = gradient * width / np.where(scale > 0, scale, 1.0)
            velocity = 0.7 * velocity + np.where(np.isfinite(direction), direction, 0.0)
            rate = 0.25 * 0.01 ** (step / steps)
            x = np.clip(x - rate * width * np.sign(velocity), lower, upper)
    return search.confirmed(x, search.rows(x), allowed)


def _pull(rows: Array, members: Array) -> Array:
    """Weights of the rows: the largest ones of the case pull most."""
    held = np.where(members, rows, -np.inf)
    top = held.max(-1, keepdims=True)
    spread = np.maximum(np.abs(top), 1e-6)
    return np.where(members, np.exp(np.clip((held - top) / spread * 4, -50, 0)), 0.0)

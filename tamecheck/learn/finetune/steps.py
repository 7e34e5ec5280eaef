"""The two searches of fine-tuning: fixed points to the least change, and attacks that move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tamecheck.learn.finetune.cuts import cuts, elastic_change, least_change
from tamecheck.learn.finetune.margins import Ball, Rows, gains, least_leads, worst_points
from tamecheck.learn.finetune.network import ReluNetwork
from tamecheck.learn.interruption import Interruption
from tamecheck.learn.network import Floats
from tamecheck.learn.problems import DataError

__all__ = ["FAR", "NEAR", "Best", "Task", "between", "corrected", "hardened", "missed"]

FAR, NEAR = 2.0, 1.3
"""How many radii attacks go: what few points learn carries over to others only in part."""

_ROUNDING = 1e-9
_PART = 0.3
"""The share of the lead that is missing at first, at most, that one step makes up for."""

_STEPS = (1.0, 0.5, 0.25, 0.1)

_LEAD, _KEPT = 0.6, 0.8
"""The margin, and what clean rows keep, as shares of leads."""

_MEMORY = 4
_DAMPING = 0.1
"""Attacks of so many rounds stay; a round goes so much of the way that its cuts show."""

_TRIES = 20
"""Steps of an attack."""

_LOST, _JUDGED, _MOST_JUDGES = 0.01, 4, 500
"""Every few rounds the iterate is judged on so many rows, and must not lose more accuracy."""

_BETWEEN = 600


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The best parameters found, and the work done."""

    vector: Floats
    rounds: int
    converged: bool
    interrupted: bool


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Points to be robust in a ball, clean rows to keep, rows that judge, and what is asked.

    Parameters
    ----------
    reach
        The attacks on the points go this many radii far.
    margin
        What the right score leads by under attack; None for a share of the usual lead.
    """

    points: Rows
    ball: Ball
    clean: Rows
    judges: Rows
    reach: float
    margin: float | None


def corrected(
    start: ReluNetwork, points: Rows, margin: float, goes_on: Callable[[int], bool]
) -> Best:
    """The nearest network that gives fixed points their margin, by a local search."""
    origin = start.vector()
    vector, best = origin, origin
    floor = np.full(len(points.x), margin)
    solved, converged = 0, False
    best_key = _key(start, origin, points, margin, origin)
    most = _PART * max(0.0, margin - float(least_leads(start, points)[0].min()))
    interruption = Interruption()
    with interruption:
        while goes_on(solved):
            leads, floors, slopes = cuts(start.at(vector), points, floor, np.inf)
            missing = floors - leads
            if best_key[0] > 0 and len(start.weights) > 1:
                # on the way, only a part of what is missing: cuts are true only nearby
                step = least_change(slopes, np.minimum(missing, most))
            else:
                # the cut at the origin: lead + slope . (w - vector) >= margin, in d = w - origin
                needed = missing + slopes.along(start.at(vector - origin))
                step = origin + least_change(slopes, needed) - vector
            solved += 1
            if float(np.abs(step).max(initial=0)) <= _ROUNDING * (1 + float(np.abs(vector).max())):
                converged = best_key[0] == 0
                break
            trials = [vector + t * step for t in _STEPS]
            keys = [_key(start, trial, points, margin, origin) for trial in trials]
            choice = min(range(len(trials)), key=lambda k: keys[k])
            vector = trials[choice]
            if keys[choice] < best_key:
                best_key, best = keys[choice], vector
            elif best_key[0] == 0:
                # nothing nearer was found among networks that classify all points
                break
    return Best(best, solved, converged, interruption.happened)


def _key(
    shape: ReluNetwork, vector: Floats, points: Rows, margin: float, origin: Floats
) -> tuple[float, float]:
    """What is still missing, then the distance: the smaller, the better."""
    missing = np.maximum(0, margin - gains(shape.at(vector), points)[0])
    total = float(missing.sum())
    return (
        0.0 if missing.max(initial=0) <= _ROUNDING else total,
        float(np.linalg.norm(vector - origin)),
    )


def hardened(start: ReluNetwork, task: Task, goes_on: Callable[[int], bool]) -> Best:
    """A network near the start that attacks on the points do not fool.

    Each round attacks the points at the current weights, cuts at the attacks of the last rounds and
    at the clean rows, and goes a small part of the way to the least change that meets the cuts.

    Raises
    ------
    DataError
        If no clean row is classified rightly.
    """
    origin = start.vector()
    leads = least_leads(start, task.clean)[0]
    right = leads > 0
    if not right.any():
        raise DataError("The model classifies none of the clean rows rightly.")
    kept, floor = Rows(task.clean.x[right], task.clean.labels[right]), _KEPT * leads[right]
    usual = float(np.median(leads[right]))
    margin = _LEAD * usual if task.margin is None else task.margin
    reach = Ball(task.reach * task.ball.radius, task.ball.bounds)
    judges = _spread(task.judges, _MOST_JUDGES)
    lowest, most = _accuracy(start, judges) - _LOST, _standing(start, judges, task.ball)
    vector, best, solved = origin.copy(), origin, 0
    points = task.points
    recent: list[Floats] = []
    interruption = Interruption()
    with interruption:
        while goes_on(solved):
            network = start.at(vector)
            recent = [*recent, worst_points(network, points, reach, _TRIES)][-_MEMORY:]
            asked = Rows(
                np.vstack([*recent, kept.x]),
                np.r_[np.tile(points.labels, len(recent)), kept.labels],
            )
            floors = np.r_[np.full(len(points.x) * len(recent), margin), floor]
            leads, wanted, slopes = cuts(network, asked, floors, usual / 4)
            needed = wanted - leads + slopes.along(start.at(vector - origin))
            vector += _DAMPING * (origin + elastic_change(slopes, needed) - vector)
            solved += 1
            if solved % _JUDGED == 0:
                found = start.at(vector)
                share = _standing(found, judges, task.ball)
                if share > most and _accuracy(found, judges) >= lowest:
                    most, best = share, vector.copy()
    return Best(best, solved, converged=False, interrupted=interruption.happened)


def _spread(rows: Rows, most: int) -> Rows:
    """At most so many rows, evenly spread."""
    chosen = np.unique(np.linspace(0, len(rows.x) - 1, most).astype(np.int64))
    return Rows(rows.x[chosen], rows.labels[chosen])


def _accuracy(network: ReluNetwork, rows: Rows) -> float:
    """The share of rows that are classified rightly."""
    return float(np.mean(least_leads(network, rows)[0] > 0))


def _standing(network: ReluNetwork, rows: Rows, ball: Ball) -> float:
    """The share of rows that a short attack does not fool."""
    return _accuracy(network, Rows(worst_points(network, rows, ball, _TRIES), rows.labels))


def missed(network: ReluNetwork, points: Rows, ball: Ball, margin: float) -> int:
    """How many points miss their margin, at the worst place of the ball that an attack finds."""
    worst = Rows(worst_points(network, points, ball), points.labels) if ball.radius else points
    return int((least_leads(network, worst)[0] < margin - _ROUNDING).sum())


def between(network: ReluNetwork, points: Rows, seed: int) -> Rows:
    """The points, and random rows between two of them with the classes that the network gives."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(len(points.x), size=(2, _BETWEEN))
    part = rng.uniform(0.5, 1, size=(_BETWEEN, 1))
    mixed = part * points.x[first] + (1 - part) * points.x[second]
    return Rows(
        np.vstack([points.x, mixed]), np.r_[points.labels, network.decide(mixed).astype(np.int64)]
    )

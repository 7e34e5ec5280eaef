"""The two searches of fine-tuning: fixed points to the least change, and attacks that move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import SolverError
from tamecheck.learn.effort import DataError, interruptible
from tamecheck.learn.finetune.network import (
    Ball,
    Labels,
    ReluNetwork,
    Rows,
    Slopes,
    gains,
    least_margins,
    worst_points,
)
from tamecheck.learn.network import Floats
from tamecheck.solvers.cone import cone_solution

FAR, NEAR = 2.0, 1.3
"""How many radii attacks go: what few points learn carries over to others only in part."""

_ROUNDING = 1e-9
_PART = 0.3
"""The share of the margin that is missing at first, at most, that one step makes up for."""

_STEPS = (1.0, 0.5, 0.25, 0.1)

_LEAD, _KEPT = 0.6, 0.8
"""The margin, and what clean rows keep, as shares of margins."""

_MEMORY = 4
_DAMPING = 0.1
"""Attacks of so many rounds stay; a round goes so much of the way that its cuts show."""

_TRIES = 20
"""Steps of an attack."""

_LOST, _JUDGED, _MOST_JUDGES, _BETWEEN = 0.01, 4, 500, 600
"""Every few rounds the iterate is judged on so many rows, and must not lose more accuracy."""


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """The best parameters found, and the work done."""

    vector: Floats
    rounds: int
    converged: bool


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Points to be robust in a ball, clean rows to keep, rows that judge, and what is asked.

    The attacks on the points go ``reach`` radii far, and the right score leads by ``margin`` under
    attack: if None, by a share of the usual margin.
    """

    points: Rows
    ball: Ball
    clean: Rows
    judges: Rows
    reach: float
    margin: float | None


def correct(start: ReluNetwork, points: Rows, margin: float, rounds: int, budget: Budget) -> Best:
    """The nearest network that gives fixed points their margin, by a local search."""
    origin = start.vector()
    vector, best = origin, origin
    floor = np.full(len(points.x), margin)
    solved, converged = 0, False
    best_key = _key(start, origin, points, margin, origin)
    most = _PART * max(0.0, margin - float(least_margins(start, points)[0].min()))
    with interruptible(budget):
        while solved < rounds and not budget.is_spent:
            margins, floors, slopes = cuts(start.at(vector), points, floor, np.inf)
            missing = floors - margins
            if best_key[0] > 0 and len(start.weights) > 1:
                # on the way, only a part of what is missing: cuts are true only nearby
                step = least_change(slopes, np.minimum(missing, most))
            else:
                # the cut at the origin: margin + slope . (w - vector) >= margin, in d = w - origin
                needed = missing + slopes.along(start.at(vector - origin))
                step = origin + least_change(slopes, needed) - vector
            solved += 1
            if float(np.abs(step).max(initial=0)) <= _ROUNDING * (1 + float(np.abs(vector).max())):
                converged = best_key[0] == 0
                break
            tried = [vector + t * step for t in _STEPS]
            keys = [_key(start, ahead, points, margin, origin) for ahead in tried]
            key = min(keys)
            vector = tried[keys.index(key)]
            if key < best_key:
                best_key, best = key, vector
            elif best_key[0] == 0:
                # nothing nearer was found among networks that classify all points
                break
    return Best(best, solved, converged)


def _key(
    shape: ReluNetwork, vector: Floats, points: Rows, margin: float, origin: Floats
) -> tuple[float, float]:
    """What is still missing, then the distance: the smaller, the better."""
    missing = np.maximum(0, margin - gains(shape.at(vector), points)[0])
    total = 0.0 if missing.max(initial=0) <= _ROUNDING else float(missing.sum())
    return total, float(np.linalg.norm(vector - origin))


def harden(start: ReluNetwork, task: Task, rounds: int, budget: Budget) -> Best:
    """A network near the start that attacks on the points do not fool.

    Each round attacks the points at the current weights, cuts at the attacks of the last rounds and
    at the clean rows, and goes a small part of the way to the least change that meets the cuts.
    Raises `DataError` if no clean row is classified rightly.
    """
    origin = start.vector()
    margins = least_margins(start, task.clean)[0]
    right = margins > 0
    if not right.any():
        raise DataError("The model classifies none of the clean rows rightly.")
    kept, floor = Rows(task.clean.x[right], task.clean.labels[right]), _KEPT * margins[right]
    usual = float(np.median(margins[right]))
    margin = _LEAD * usual if task.margin is None else task.margin
    reach = Ball(task.reach * task.ball.radius, task.ball.bounds)
    judges = _spread(task.judges, _MOST_JUDGES)
    lowest, most = _accuracy(start, judges) - _LOST, _robust_share(start, judges, task.ball)
    vector, best, solved = origin.copy(), origin, 0
    points = task.points
    recent: list[Floats] = []
    with interruptible(budget):
        while solved < rounds and not budget.is_spent:
            network = start.at(vector)
            recent = [*recent, worst_points(network, points, reach, _TRIES)][-_MEMORY:]
            asked = Rows(
                np.vstack([*recent, kept.x]),
                np.r_[np.tile(points.labels, len(recent)), kept.labels],
            )
            floors = np.r_[np.full(len(points.x) * len(recent), margin), floor]
            margins, wanted, slopes = cuts(network, asked, floors, usual / 4)
            needed = wanted - margins + slopes.along(start.at(vector - origin))
            vector += _DAMPING * (origin + elastic_change(slopes, needed) - vector)
            solved += 1
            if solved % _JUDGED == 0:
                found = start.at(vector)
                share = _robust_share(found, judges, task.ball)
                if share > most and _accuracy(found, judges) >= lowest:
                    most, best = share, vector.copy()
    return Best(best, solved, converged=False)


def _spread(rows: Rows, most: int) -> Rows:
    """At most so many rows, evenly spread."""
    chosen = np.unique(np.linspace(0, len(rows.x) - 1, most).astype(np.int64))
    return Rows(rows.x[chosen], rows.labels[chosen])


def _accuracy(network: ReluNetwork, rows: Rows) -> float:
    """The share of rows that are classified rightly."""
    return float(np.mean(least_margins(network, rows)[0] > 0))


def _robust_share(network: ReluNetwork, rows: Rows, ball: Ball) -> float:
    """The share of rows that a short attack does not fool."""
    return _accuracy(network, Rows(worst_points(network, rows, ball, _TRIES), rows.labels))


def count_missed(network: ReluNetwork, points: Rows, ball: Ball, margin: float) -> int:
    """How many points miss their margin, at the worst place of the ball that an attack finds."""
    worst = Rows(worst_points(network, points, ball), points.labels) if ball.radius else points
    return int((least_margins(network, worst)[0] < margin - _ROUNDING).sum())


def between(network: ReluNetwork, points: Rows, seed: int) -> Rows:
    """The points, and random rows between two of them with the classes that the network gives."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(len(points.x), size=(2, _BETWEEN))
    part = rng.uniform(0.5, 1, size=(_BETWEEN, 1))
    mixed = part * points.x[first] + (1 - part) * points.x[second]
    return Rows(
        np.vstack([points.x, mixed]), np.r_[points.labels, network.decide(mixed).astype(np.int64)]
    )


# --- cuts at the current weights, and the least change of the weights that meets them


_EXACT = (1e-9, 1e-7, 1e-5, 1e-3)
_ELASTIC = (1e-3, 1e-2, 1e-1)
"""Ridges of the dual quadratic program, tried in turn: cuts that contradict each other may be
violated, at a price of one over the ridge times half the squared violation."""

_RIVALS = 2
_PIVOTS = 100
_STUCK = 10


def cuts(
    network: ReluNetwork, rows: Rows, floor: Floats, slack: float
) -> tuple[Floats, Floats, Slopes]:
    """Leads over the nearest rivals, the floors below which they must not be, their gradients.

    Leads that are above the floor by more than ``slack`` get no cut.
    """
    found, row, factors = gains(network, rows)
    ranks = found.reshape(len(rows.x), -1).argsort(axis=1).argsort(axis=1).reshape(-1)
    # rivals that are far behind get no cut; whether they stay there is seen after each step
    near = ((ranks < _RIVALS) & (found < floor[row] + slack)) | (found < floor[row])
    return found[near], floor[row[near]], network.slopes(rows.x[row[near]], factors[near])


def least_change(slopes: Slopes, needed: Floats) -> Floats:
    """The shortest d with ``slopes . d >= needed``, through the multipliers of the cuts.

    With S for the slopes it is ``S.T @ m`` where m >= 0 minimises ``½ m.(S S.T) m - needed . m``
    (cuts scaled to slopes of norm 1).  The program has the size of the cuts, not of the network.
    On the cuts that are tight the equations are solved once more, to the accuracy of floats.
    """
    units = _Units.of(slopes, needed)
    return slopes.combination(units.spread(_refine(units, _multipliers(units, _EXACT))))


def elastic_change(slopes: Slopes, needed: Floats) -> Floats:
    """The d of least ``½ |d|² + ½ |shortfall|² / r`` for a small r; else as `least_change`."""
    units = _Units.of(slopes, needed)
    return slopes.combination(units.spread(_multipliers(units, _ELASTIC)))


@dataclass(frozen=True, slots=True, eq=False)
class _Units:
    """Cuts scaled to slopes of norm 1: inner products and what is needed.

    ``kept`` and ``sizes`` say which cuts have a slope at all, and its norm; a cut without slope can
    be met by no change.
    """

    gram: Floats
    wanted: Floats
    kept: Labels
    sizes: Floats

    @classmethod
    def of(cls, slopes: Slopes, needed: Floats) -> _Units:
        """The units of some cuts."""
        gram = slopes.gram()
        sizes = np.sqrt(np.diag(gram))
        kept = np.flatnonzero(sizes > 1e-12 * sizes.max(initial=0))
        scale = sizes[kept]
        units = gram[np.ix_(kept, kept)] / np.outer(scale, scale)
        return cls(units, needed[kept] / scale, kept, sizes)

    def spread(self, multipliers: Floats) -> Floats:
        """Multipliers of the units as multipliers of all cuts as they were."""
        factors = np.zeros(len(self.sizes))
        factors[self.kept] = multipliers / self.sizes[self.kept]
        return factors


def _refine(units: _Units, multipliers: Floats) -> Floats:
    """The multipliers, without the ridge, if the same cuts stay tight."""
    tight = np.flatnonzero(multipliers > 1e-7 * multipliers.max(initial=0))
    refined = np.zeros(len(multipliers))
    block = units.gram[np.ix_(tight, tight)]
    refined[tight] = np.linalg.lstsq(block, units.wanted[tight], rcond=None)[0]
    met = units.gram @ refined >= units.wanted - 1e-9
    return refined if bool((refined >= 0).all() and met.all()) else multipliers


def _multipliers(units: _Units, ridges: tuple[float, ...]) -> Floats:
    """``min ½ m.(G + r I) m - wanted . m`` over m >= 0, with the first r that is solved."""
    count = len(units.wanted)
    if not (units.wanted > 0).any():
        return np.zeros(count)
    eye, size = np.eye(count), float(np.abs(units.wanted).max())
    wanted = units.wanted / size
    for ridge in ridges:
        ridged = units.gram + ridge * eye
        found = _pivot(ridged, wanted)
        if found is not None:
            return size * found
        try:
            solved, _ = cone_solution(
                ridged, -wanted, -eye, np.zeros(count), [("nonnegative", count)]
            )
        except SolverError:
            continue
        return size * np.maximum(np.asarray(solved, dtype=np.float64), 0)
    raise SolverError(
        "The quadratic program of the cuts was not solved.", hint="Try fewer points or a margin."
    )


def _pivot(matrix: Floats, wanted: Floats) -> Floats | None:
    """The same by block principal pivoting (Kim and Park 2011), or None if it does not end.

    A guess which multipliers are positive is corrected wherever it contradicts itself: all at once
    while that helps.
    """
    positive = wanted > 0
    fewest, left = len(wanted) + 1, _STUCK
    for _ in range(_PIVOTS):
        found = np.zeros(len(wanted))
        places = np.flatnonzero(positive)
        try:
            found[places] = np.linalg.solve(matrix[np.ix_(places, places)], wanted[places])
        except np.linalg.LinAlgError:
            return None
        slack = matrix @ found - wanted
        wrong = np.where(positive, found < 0, slack < -1e-9)
        count = int(wrong.sum())
        if not count:
            return found
        left = _STUCK if count < fewest else left - 1
        fewest = min(fewest, count)
        if left < 0:
            return None
        positive = positive != wrong
    return None

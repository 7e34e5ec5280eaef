"""Cuts at the current weights, and the least change of the weights that meets them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck.errors import SolverError
from tamecheck.learn.finetune.margins import Labels, Rows, gains
from tamecheck.learn.finetune.network import ReluNetwork, Slopes
from tamecheck.learn.network import Floats
from tamecheck.solvers.cone import cone_solution

__all__ = ["cuts", "elastic_change", "least_change"]

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

    Parameters
    ----------
    network
        The current weights.
    rows, floor
        Points with their classes, and what the right score has to lead by.
    slack
        Leads that are above the floor by more get no cut.
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

    Raises
    ------
    SolverError
        If the program is not solved, with small ridges neither.
    """
    units = _Units.of(slopes, needed)
    return slopes.combined(units.spread(_refined(units, _multipliers(units, _EXACT))))


def elastic_change(slopes: Slopes, needed: Floats) -> Floats:
    """The d of least ``½ |d|² + ½ |shortfall|² / r`` for a small r; else as `least_change`."""
    units = _Units.of(slopes, needed)
    return slopes.combined(units.spread(_multipliers(units, _ELASTIC)))


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


def _refined(units: _Units, multipliers: Floats) -> Floats:
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
        found = _pivoted(ridged, wanted)
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


def _pivoted(matrix: Floats, wanted: Floats) -> Floats | None:
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

"""Zero-half cuts: sums of rows with integers whose half has a right side that is none.

Elimination over the field of two elements looks for sums with an odd right side, whose odd
coefficients stand at columns that are near a bound.

Source: Koster, Zymolka, Kutschka 2009, Algorithms to separate {0, 1/2}-Chvátal-Gomory cuts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tamecheck.programs.rounding import Rounder, Vector

_LOSS, _NEAR = 0.98, 1e-6
"""Of a sum the most that slacks and distances add up to, 1 being no cut; what is no distance."""
_WORK, _ODD = 2_000_000, 16
"""Steps of an elimination, and odd coefficients of a sum that is looked at."""


@dataclass(slots=True)
class _Sum:
    """A sum of rows: which, which coefficients are odd, whether its right side is, and slack."""

    rows: int
    odd: int
    right: int
    slack: float

    def add(self, other: _Sum) -> None:
        """Add another sum."""
        self.rows ^= other.rows
        self.odd ^= other.odd
        self.right ^= other.right
        self.slack += other.slack


def odd_sums(own: Rounder, x: Vector, at: Vector) -> Iterator[dict[int, float]]:
    """Weights of rows, integral after them, whose sum may have a cut when it is halved."""
    distance = np.minimum(x - own.lower, own.upper - x)
    between = np.flatnonzero(own.integral & (distance > _NEAR))
    order = between[np.argsort(-distance[between], kind="stable")]
    place = {int(j): k for k, j in enumerate(order)}
    end = np.where(x - own.lower <= own.upper - x, own.lower, own.upper)
    units: list[tuple[int, float]] = []
    sums: list[_Sum] = []
    for i in np.flatnonzero(own.whole):
        if found := _sum_of(own, int(i), float(at[i]), end, place):
            unit, one = found
            one.rows = 1 << len(units)
            units.append((int(i), 1.0 / unit))
            sums.append(one)
    distances = [float(distance[j]) for j in order]
    seen = set[int]()
    work = _WORK
    for k in range(len(order)):
        work -= len(sums)
        if work < 0:
            break
        sums = _eliminate(sorted(sums, key=lambda one: one.slack), k)
        for one in sums:
            if one.right and one.rows not in seen and _loss(one, distances) < _LOSS:
                seen.add(one.rows)
                yield dict(units[r] for r in _bits(one.rows))


def _eliminate(sums: list[_Sum], k: int) -> list[_Sum]:
    """The sums without an odd coefficient at one place, by the first that has one there."""
    pivot = next((one for one in sums if one.odd >> k & 1), None)
    if pivot is None:
        return sums
    left = list[_Sum]()
    for one in sums:
        if one is pivot:
            continue
        if one.odd >> k & 1:
            one.add(pivot)
        if one.slack < _LOSS:
            left.append(one)
    return left


def _sum_of(
    own: Rounder, i: int, at: float, end: Vector, place: dict[int, int]
) -> tuple[float, _Sum] | None:
    """A row that is tight, and what it is divided by."""
    values, columns = own.values[i], own.indices[i]
    unit = math.gcd(*map(int, values)) if len(values) else 0
    if not unit:
        return None
    slack, side = min((at - own.low[i], own.low[i]), (own.high[i] - at, own.high[i]))
    slack = max(slack / unit, 0.0)
    if slack >= _LOSS or side % unit:
        return None
    odd, right = 0, int(side // unit) & 1
    for j, a in zip(columns.tolist(), (values // unit).tolist(), strict=True):
        if int(a) & 1:
            if j in place:
                odd ^= 1 << place[j]
            if math.isfinite(end[j]):
                right ^= int(end[j]) & 1
    return float(unit), _Sum(0, odd, right, slack)


def _bits(mask: int) -> Iterator[int]:
    """The places of ones."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _loss(one: _Sum, distances: list[float]) -> float:
    """How far the point is from where the sum and its odd columns are tight."""
    if one.odd.bit_count() > _ODD:
        return math.inf
    return one.slack + sum(distances[k] for k in _bits(one.odd))

"""From a cut in floats to one that rational multipliers prove on both sides of its disjunction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from tamecheck.exact.linear import Box
from tamecheck.programs.certificate import Cut, Side
from tamecheck.programs.rounding import Guess, Vector
from tamecheck.programs.scaled import Multipliers, Scaled
from tamecheck.solvers.relaxation import nearest

UNIT = 1 << 20
"""The denominator of rounded multipliers."""
_FINE = 30
"""Bits of the largest coefficient of a cut."""
_SIMPLE, _NEAR, _LARGEST, _DENOMINATOR = 10_000, 1e-9, 1e7, 1 << 40
"""Fractions up to this denominator are recognised, so near; coefficients and denominators."""


def exact_cut(guess: Guess, x: Vector, scaled: Scaled, box: Box) -> Cut | None:
    """The cut with coefficients that are integers, and the right side that is proved."""
    sigma = _scale_of(guess.form)
    terms = {j: -round(float(guess.form[j]) * sigma) for j in np.flatnonzero(guess.form)}
    terms = {int(j): a for j, a in terms.items() if a}
    split = {int(j): round(float(guess.split[j])) for j in np.flatnonzero(guess.split)}
    if not terms or not split:
        return None
    scale = scaled.scale
    least: list[Fraction] = []
    sides: list[Side] = []
    for sign, limit, rows, times in (
        (-1, -guess.at, guess.rows[0], guess.times[0]),
        (1, guess.at + 1, guess.rows[1], guess.times[1]),
    ):
        over = _denominator([times * sigma, *(y * sigma for y in rows.values())])
        numerators = {i: round(y * sigma * over) for i, y in rows.items()}
        numerators = {i: n for i, n in numerators.items() if n and scaled.side(i, n) is not None}
        weight = round(times * sigma * over)
        costs = [0] * len(scaled.costs)
        for j, a in terms.items():
            costs[j] += a * over * scale
        for j, p in split.items():
            costs[j] -= sign * p * weight * scale
        found = scaled.least(costs, numerators, box)
        if found is None:
            return None
        least.append((Fraction(found) / scale + weight * limit) / over)
        sides.append(Side(Multipliers(numerators, over), weight))
    right = min(least)
    if right.denominator > UNIT:
        right = Fraction(math.floor(right * UNIT), UNIT)
    if nearest(right) - sum(a * float(x[j]) for j, a in terms.items()) <= 1e-6 * sigma:
        return None
    pairs = tuple(sorted(terms.items()))
    return Cut(pairs, right, tuple(sorted(split.items())), guess.at, (sides[0], sides[1]))


def _scale_of(form: Vector) -> float:
    """A factor that makes the coefficients small integers, or else just large ones."""
    sizes = np.abs(form[form != 0])
    least, largest = float(sizes.min()), float(sizes.max())
    common = _common(np.unique(sizes / least), int(_LARGEST * least / largest))
    if common is not None:
        return common / least
    return 2.0 ** (_FINE - math.frexp(largest)[1])


def _denominator(values: Sequence[float]) -> int:
    """A common denominator of what the values are likely to be, or else a large one."""
    return _common(values, _DENOMINATOR) or UNIT


def _common(values: Iterable[float], most: int) -> int | None:
    """The least common denominator of the fractions near the values, None if it is large.

    Sums of a cut's multipliers are then exact, and so is the right side where rounding would
    lose what separates two points of equal value.
    """
    common = 1
    for value in values:
        near = Fraction(value).limit_denominator(_SIMPLE)
        if abs(float(near) - value) > _NEAR * max(1.0, abs(value)):
            return None
        common = math.lcm(common, near.denominator)
        if common > most:
            return None
    return common

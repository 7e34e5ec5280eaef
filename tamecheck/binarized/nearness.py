"""Whether integer sums of states come near a value: what rounded square roots may be used for."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, isqrt

import numpy as np

from tamecheck.exact.quadratic import Number, QuadraticNumber
from tamecheck.ir.tensor import Array

__all__ = ["MOST", "PRECISION", "grid_comes_near", "rational_near", "sum_comes_near"]

MOST = 36
"""The most varying states of a sum all of whose values are looked at, by halves."""

PRECISION = Fraction(1, 2**200)
"""How far `rational_near` may be off."""

_CELLS = 2**22


def rational_near(value: Number) -> Fraction:
    """A rational number that is at most `PRECISION` away; a rational number itself."""
    if not isinstance(value, QuadraticNumber):
        return value
    # |q| 2**-bits is at most the precision
    bits = 200 + max(1, abs(value.q).__ceil__()).bit_length()
    square = value.d * 4**bits
    return value.p + value.q * Fraction(isqrt(square.numerator // square.denominator), 2**bits)


def sum_comes_near(row: Array, low: Fraction, high: Fraction) -> bool | None:
    """Whether ``low <= row @ s <= high`` for some states ``s``; None if there are too many.

    Parameters
    ----------
    row
        Integer weights, with a sum of absolute values below 2**53.

    Notes
    -----
    All sums of the first and of the second half of the states are listed; 2**(n/2) log for n
    weights that are not 0.
    """
    first, last = ceil(low), floor(high)
    reach = int(np.abs(row).sum())
    first, last = max(first, -reach), min(last, reach)
    if first > last:
        return False
    weights = row[row != 0]
    if len(weights) > MOST:
        return None
    middle = len(weights) // 2
    left, right = _sums(weights[:middle]), np.sort(_sums(weights[middle:]))
    start = np.searchsorted(right, first - left, side="left")
    stop = np.searchsorted(right, last - left, side="right")
    return bool((stop > start).any())


def grid_comes_near(
    factors: tuple[int, int], reaches: tuple[int, int], low: Fraction, high: Fraction
) -> bool | None:
    """Whether ``low <= a u - b v <= high`` for sums u, v of a reach each; None if there are many.

    The sums are all integers up to the reach with its parity, which is more than there may be.
    """
    a, b = factors
    if (reaches[0] + 1) * (reaches[1] + 1) > _CELLS:
        return None
    one, two = (np.arange(-reach, reach + 1, 2, dtype=np.int64) for reach in reaches)
    found = a * one[:, None] - b * two
    return bool(((found >= ceil(low)) & (found <= floor(high))).any())


def _sums(weights: Array) -> Array:
    """``weights @ s`` for all states."""
    sums = np.zeros(1, dtype=np.int64)
    for weight in weights.tolist():
        sums = np.concatenate([sums - weight, sums + weight])
    return sums

"""Integer scores in the order of a network's own."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import lcm

import numpy as np

from tamecheck.binarized.affine import LIMIT, Affine, UnfitError, rational_only
from tamecheck.binarized.nearness import (
    PRECISION,
    grid_comes_near,
    rational_near,
    sum_comes_near,
)
from tamecheck.binarized.neurons import check_far, threshold_neuron
from tamecheck.exact.quadratic import QuadraticNumber, sign
from tamecheck.ir.tensor import Array

__all__ = ["readout"]

_KEPT = 50
"""Bits of scores that have to be rounded."""


def readout(head: Affine) -> tuple[Array, Array]:
    """Integer weights and offsets of the scores; of a single output, of two classes.

    Raises
    ------
    UnfitError
        If the scores need too many bits, or rounded ones come too near to each other.
    """
    rows = head.weights[head.row.reshape(-1)]
    if len(rows) == 1:
        scale, offset, doubt = head.scale.flat[0], head.offset.flat[0], head.doubt.flat[0]
        if doubt:
            check_far(rows[0], scale, offset, doubt)
        weights, least = threshold_neuron(rows[0], scale, offset, strict=True)
        offsets = np.array([0, 1 - least], dtype=np.int64)
        return np.stack([np.zeros_like(weights), weights]), offsets
    comparable = _comparable(head)
    if comparable is None:
        return _rounded(head, rows)
    scales, offsets = comparable
    unit = lcm(*(value.denominator for value in (*scales, *offsets)))
    factors = [int(scale * unit) for scale in scales]
    reach = np.abs(rows).sum(axis=1).tolist()
    ends = [abs(o * unit) for o in offsets]
    if max(abs(f) * r + e for f, r, e in zip(factors, reach, ends, strict=True)) >= LIMIT:
        return _rounded(head, rows)
    scaled = rows * np.array(factors, dtype=np.int64)[:, None]
    return scaled, np.array([int(o * unit) for o in offsets], dtype=np.int64)


def _comparable(head: Affine) -> tuple[list[Fraction], list[Fraction]] | None:
    """Scales and offsets of scores in the same order as the head's, free of square roots.

    A common positive factor and a common summand decide nothing.  None if there is none that makes
    all of them rational.
    """
    scales, offsets = head.scale.reshape(-1).tolist(), head.offset.reshape(-1).tolist()
    if any(head.doubt.flat):
        return None
    if not any(isinstance(value, QuadraticNumber) for value in (*scales, *offsets)):
        return scales, offsets
    unit = scales[0] * Fraction(sign(scales[0]) or 1)
    try:
        moved = [rational_only((offset - offsets[0]) / unit) for offset in offsets]
        return [rational_only(scale / unit) for scale in scales], moved
    except (ValueError, ZeroDivisionError):
        return None


def _rounded(head: Affine, rows: Array) -> tuple[Array, Array]:
    """Rounded scores, if all sums of the states show that this leaves their order as it is."""
    scales = [rational_near(scale) for scale in head.scale.flat]
    offsets = [rational_near(offset) for offset in head.offset.flat]
    offsets = [offset - offsets[0] for offset in offsets]
    reach: list[int] = np.abs(rows).sum(axis=1).tolist()
    ends = [abs(s) * r + abs(o) for s, r, o in zip(scales, reach, offsets, strict=True)]
    unit = Fraction(2) ** (int(max(ends)).bit_length() - _KEPT)
    factors = [round(scale / unit) for scale in scales]
    moved = [round(offset / unit) for offset in offsets]
    off = [
        (abs(s - f * unit) * r + abs(o - m * unit) + d + PRECISION * (r + 2)) / unit
        for s, f, r, o, m, d in zip(
            scales, factors, reach, offsets, moved, head.doubt.flat, strict=True
        )
    ]
    for i, j in combinations(range(len(rows)), 2):
        middle, width = moved[j] - moved[i], off[i] + off[j]
        near = grid_comes_near(
            (factors[i], factors[j]), (reach[i], reach[j]), middle - width, middle + width
        )
        if near is not False:
            row = rows[i] * factors[i] - rows[j] * factors[j]
            near = sum_comes_near(row, middle - width, middle + width)
        if near is not False:
            why = "cannot be compared exactly" if near is None else "come too near to each other"
            raise UnfitError(
                f"its scores {i} and {j} need rounding and {why}; fold the normalisation of the "
                "scores into their weights"
            )
    scaled = rows * np.array(factors, dtype=np.int64)[:, None]
    return scaled, np.array(moved, dtype=np.int64)

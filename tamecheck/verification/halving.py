"""A rigorous bound of an output on a box: linear bounds on boxes that are halved, worst first."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from tamecheck.bounds import Layers, back, bounded, concretised
from tamecheck.ir.program import Sense
from tamecheck.ir.tensor import Array

__all__ = ["halved_bound"]

_BATCH = 64
_GOOD = 1e-6
_MOST = 200_000


def halved_bound(  # noqa: PLR0913 (a question, its limits, and two ends of a conversation)
    layers: Layers,
    lower: Array,
    upper: Array,
    output: int,
    sense: Sense,
    *,
    seconds: float,
    offer: Callable[[list[Fraction]], None],
    best: Callable[[], Fraction | None],
) -> Fraction | None:
    """No point of the box has a better output than this; None if there is no finite bound.

    Each round halves the boxes with the weakest bounds, until the bound is near the best value
    known or time is up; with no time, the whole box gets one bound.

    Parameters
    ----------
    layers, lower, upper, output, sense
        The network, the box (one entry an input), and what to optimise.
    seconds
        The time for halving.
    offer, best
        Takes a promising point; gives the best value so far.
    """
    deadline = time.monotonic() + seconds
    sign = float(sense.sign)
    boxes = lower[np.newaxis], upper[np.newaxis]
    bounds, slopes = _bounds(layers, *boxes, output, sign)
    while time.monotonic() < deadline and len(bounds) < _MOST:
        known = best()
        goal = np.inf if known is None else sign * float(known)
        if bounds.min() >= goal - _GOOD * max(1.0, abs(goal)):
            break
        order = np.argsort(bounds, kind="stable")
        take, rest = order[:_BATCH], order[_BATCH:]
        low, high, slope = boxes[0][take], boxes[1][take], slopes[take]
        corner = np.where(slope > 0, low, high)
        offer([Fraction(v) for v in corner[0].tolist()])
        offer([Fraction(v) for v in ((low[0] + high[0]) / 2).tolist()])
        left, right = _halves(low, high, slope, upper - lower)
        pair = np.concatenate([left[0], right[0]]), np.concatenate([left[1], right[1]])
        found, own = _bounds(layers, *pair, output, sign)
        # a half is never worse than the whole
        found = np.maximum(found, np.concatenate([bounds[take], bounds[take]]))
        boxes = (
            np.concatenate([boxes[0][rest], pair[0]]),
            np.concatenate([boxes[1][rest], pair[1]]),
        )
        bounds = np.concatenate([bounds[rest], found])
        slopes = np.concatenate([slopes[rest], own])
        if not (pair[1] > pair[0]).any():
            break
    worst = float(bounds.min())
    return Fraction(sign * worst) if np.isfinite(worst) else None


def _bounds(
    layers: Layers, lower: Array, upper: Array, output: int, sign: float
) -> tuple[Array, Array]:
    """Lower bounds of the signed output on boxes, and the slopes of the functionals below it."""
    row = np.zeros((1, 1, layers.layers[-1].size))
    row[..., output] = sign
    with np.errstate(all="ignore"):
        state = bounded(layers, lower, upper)
        functional = back(state, layers.output, row)
        least = concretised(state, functional)[:, 0]
        last = state.bounds[-1]
        plain = last.lower[:, output] if sign > 0 else -last.upper[:, output]
    least = np.where(np.isnan(least), -np.inf, least)
    return np.fmax(least, plain), np.nan_to_num(functional.a[:, 0])


def _halves(
    low: Array, high: Array, slope: Array, width: Array
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    size = (high - low) / np.maximum(width, 2.0**-1000)
    score = np.abs(slope) * (high - low)
    share = score / np.maximum(score.max(-1, keepdims=True), 2.0**-1000)
    axis = ((share + 0.1) * np.sqrt(size)).argmax(-1)
    at = np.arange(len(low))
    middle = (low[at, axis] + high[at, axis]) / 2
    upper, lower = high.copy(), low.copy()
    upper[at, axis] = lower[at, axis] = middle
    return (low, upper), (lower, high)

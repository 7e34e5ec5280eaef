"""The fewest errors of networks with two hidden neurons, by a search over pairs with bounds.

Up to negations, which symmetric weights and offsets allow, an output neuron over two signs
computes a constant, one of them, or "or" or "and"; "and" is "or" for the other class.  So the
optimum is that of a union: two half-spaces that cover many positive rows and few negative ones.

With fewer than U errors, neither covers U negative rows; and since the union covers at most the sum
of the positive rows, positives - TP(A) - TP(B) + max(FP(A), FP(B)) < U.  Of a weight vector only
the levels next to a negative row matter.  What is left is gone through by matrix products.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck.learn.mip.task import Architecture, Grid, Params, Task, grids
from tamecheck.learn.mip.threshold import offset_at
from tamecheck.learn.network import Floats, Layer

__all__ = ["best_pair"]

_MOST_WEIGHTS = 2**24
_MOST_HALF_SPACES = 60_000
_BLOCK = 2048


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """Half-spaces: rows that each covers, true and false positives; weights . x > bound."""

    covers: np.ndarray
    true: Floats
    false: Floats
    weights: Floats
    bounds: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Union:
    """Two half-spaces, and the weighted errors of their union."""

    errors: float
    weights: Floats
    bounds: Floats


def best_pair(
    task: Task, architecture: Architecture, known: Fraction, *, seconds: float
) -> tuple[Fraction, Params | None] | None:
    """The fewest errors if they are fewer than ``known``, with a network; else ``known`` and None.

    Parameters
    ----------
    task, architecture
        Two classes, one hidden layer of two neurons with offsets, integer features and weights.
    known
        The errors of some network, of any origin.
    seconds
        The time limit.

    Returns
    -------
    tuple or None
        None where the search is out of reach.  O(3^n) weight vectors of n features, and the square
        of the number of half-spaces that are left.
    """
    if architecture.widths[1:] != (2, 1) or task.classes != 2 or not task.integral:
        return None
    first, last = grids(task, architecture)
    choices = (-1.0, 1.0) if architecture.kind == "binary" else (-1.0, 0.0, 1.0)
    if (
        architecture.kind == "real"
        or first.reach is None
        or len(choices) ** architecture.widths[0] > _MOST_WEIGHTS
        or any(w.denominator != 1 for row in task.weights for _, w in row)
    ):
        return None
    gain = np.array([float(sum(w if c else -w for c, w in row)) for row in task.weights])
    end, floor = time.monotonic() + seconds, float(task.floor)
    fewest, params = float(known), None
    for side in (1.0, -1.0):
        found = _smallest_union(task.x, side * gain, choices, fewest - floor, end)
        if found is None:
            return None
        if floor + found.errors < fewest:
            fewest = floor + found.errors
            params = _network(task.x, found, first, last, side)
    return Fraction(round(fewest)), params


def _smallest_union(
    x: Floats, gain: Floats, choices: tuple[float, ...], limit: float, end: float
) -> _Union | None:
    """The union with the fewest errors if they are below the limit; None if out of reach.

    Its errors are the limit if there is none.
    """
    x, gain = x[gain != 0], gain[gain != 0]
    positive = float(gain[gain > 0].sum())
    none = _Union(limit, np.zeros((0, x.shape[1])), np.zeros(0))
    # where not more positive than negative rows are covered, there are fewer than the limit
    widest = limit
    for part in _half_spaces(x, gain, choices, limit, 0.0):
        widest = max(widest, float(part.true.max(initial=0)))
        if time.monotonic() > end:
            return None
    # a partner covers at most the widest
    needed = positive - limit - widest
    parts: list[_Half] = []
    count = 0
    for part in _half_spaces(x, gain, choices, limit, needed):
        parts.append(part)
        count += len(part.true)
        if time.monotonic() > end or count > 8 * _MOST_HALF_SPACES:
            return None
    if not count:
        return none
    half = _distinct(parts)
    if len(half.true) > _MOST_HALF_SPACES:
        return None
    return _best_of(half, gain, positive, none, end)


def _half_spaces(
    x: Floats, gain: Floats, choices: tuple[float, ...], limit: float, needed: float
) -> Iterator[_Half]:
    """Those with less than ``limit`` false positives and more than ``needed`` + false true ones."""
    half = x.shape[1] // 2
    left = np.array(list(itertools.product(choices, repeat=half)))
    right = np.array(list(itertools.product(choices, repeat=x.shape[1] - half)))
    sums, parts = right @ x[:, half:].T, left @ x[:, :half].T
    up, down = np.flatnonzero(gain > 0), np.flatnonzero(gain < 0)
    levels = min(len(down), int(np.ceil(limit)))
    for weights, part in zip(left, parts, strict=True):
        total = sums + part
        negative = -np.sort(-total[:, down], axis=1)[:, :levels]
        if levels == len(down):
            negative = np.hstack([negative, np.full((len(total), 1), total.min() - 1)])
        for bound in negative.T:
            true = (total[:, up] > bound[:, None]) @ gain[up]
            kept = np.flatnonzero(true > needed)
            false = -((total[kept][:, down] > bound[kept, None]) @ gain[down])
            good = (false < limit) & (true[kept] > needed + false)
            kept = kept[good]
            if len(kept):
                yield _Half(
                    total[kept] > bound[kept, None], true[kept], false[good],
                    np.hstack([np.tile(weights, (len(kept), 1)), right[kept]]), bound[kept],
                )  # fmt: skip


def _distinct(parts: list[_Half]) -> _Half:
    """One half-space of each truth vector, the largest first."""
    covers = np.concatenate([p.covers for p in parts])
    _, place = np.unique(np.packbits(covers, axis=1), axis=0, return_index=True)
    true = np.concatenate([p.true for p in parts])
    place = place[np.argsort(-true[place], kind="stable")]
    return _Half(
        covers[place], true[place], np.concatenate([p.false for p in parts])[place],
        np.concatenate([p.weights for p in parts])[place],
        np.concatenate([p.bounds for p in parts])[place],
    )  # fmt: skip


def _best_of(half: _Half, gain: Floats, positive: float, none: _Union, end: float) -> _Union | None:
    """The best union of two of them; every pair is looked at or cannot be better."""
    covers = half.covers.astype(np.float64)
    own = half.false - half.true
    best = none
    for i in range(0, len(covers), _BLOCK):
        weighted = covers[i : i + _BLOCK] * gain
        for j in range(i, len(covers), _BLOCK):
            # the largest come first
            if positive - half.true[i] - half.true[j] >= best.errors:
                break
            if time.monotonic() > end:
                return None
            both = weighted @ covers[j : j + _BLOCK].T
            errors = positive + own[i : i + _BLOCK, None] + own[None, j : j + _BLOCK] + both
            place = int(errors.argmin())
            if errors.reshape(-1)[place] < best.errors:
                a, b = np.unravel_index(place, errors.shape)
                pair = [i + int(a), j + int(b)]
                best = _Union(float(errors[a, b]), half.weights[pair], half.bounds[pair])
    return best


def _network(x: Floats, union: _Union, first: Grid, last: Grid, side: float) -> Params:
    """The network of a union (side 1), or of its complement (side -1)."""
    sums = union.weights @ x.T
    offsets = np.array(
        [
            offset_at(s, float(s[s > bound].min(initial=s.max() + 1)), first)
            for s, bound in zip(sums, union.bounds.tolist(), strict=True)
        ]
    )
    # a positive offset of less than 2: only if both are -1, the sum is negative
    offset = offset_at(np.array([-2.0, 0.0, 2.0]), 0.0, last)
    hidden = Layer(union.weights.T, offsets)
    return (hidden, Layer(np.full((2, 1), side), np.array([side * offset])))

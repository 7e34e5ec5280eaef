"""Ranges of features: their values one by one or at random, and their division in two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import inf, prod

import numpy as np

from tamecheck.explain.attributes import Interval, Listed, Range, Values

_REACH = 8
"""How far from an input an unbounded feature is sampled."""


def drawn(range_: Range, own: Values, rng: np.random.Generator) -> Values:
    """Values of a range, at random."""
    if isinstance(range_, Listed):
        return range_.rows[int(rng.integers(len(range_.rows)))]
    reach = max(Fraction(_REACH), abs(own[0]))
    low = own[0] - reach if range_.low is None else range_.low
    high = own[0] + reach if range_.high is None else range_.high
    share = Fraction(int(rng.integers(257)), 256)
    return range_.nearest((low + (high - low) * share,))


def divide(ranges: Sequence[Range], values: Sequence[Values] | None) -> list[list[Range]] | None:
    """The part in two, by a feature that takes single values; where a witness has none of them."""
    open_ = [k for k, one in enumerate(ranges) if not one.fixed and not _is_dense(one)]
    if not open_:
        return None
    if values is None:
        k = open_[0]
    else:
        off = {j: _distance(ranges[j], values[j]) for j in open_}
        k = max(open_, key=lambda j: (off[j], -j))
        if not off[k]:
            # the witness is in the domain, but has no class
            k = open_[0]
    halves = list(_halves(ranges[k], None if values is None else values[k]))
    return [[*ranges[:k], half, *ranges[k + 1 :]] for half in halves]


def count_points(ranges: Sequence[Range]) -> float:
    """How many points there are."""
    return prod(_size(range_) for range_ in ranges)


def _size(range_: Range) -> float:
    if isinstance(range_, Listed):
        return len(range_.rows)
    if range_.low is None or range_.high is None:
        return inf
    if range_.fixed:
        return 1
    return float(range_.high - range_.low + 1) if range_.integral else inf


def values_of(range_: Range) -> Sequence[Values]:
    """All values of a range that has few."""
    if isinstance(range_, Listed):
        return range_.rows
    low = range_.low if range_.low is not None else Fraction(0)
    return [(low + k,) for k in range(int(_size(range_)))]


def _is_dense(range_: Range) -> bool:
    return isinstance(range_, Interval) and not range_.integral


def _distance(range_: Range, values: Values) -> Fraction:
    near = range_.nearest(values)
    return sum((abs(a - b) for a, b in zip(near, values, strict=True)), Fraction(0))


def _halves(range_: Range, at: Values | None) -> Iterator[Range]:
    if isinstance(range_, Listed):
        rows = range_.rows
        if at is None or len(range_.rows[0]) == 1:
            middle = len(rows) // 2
            if at is not None:
                below = sum(row[0] <= at[0] for row in rows)
                middle = min(max(below, 1), len(rows) - 1)
            yield Listed(rows[:middle])
            yield Listed(rows[middle:])
            return
        near = range_.nearest(at)
        yield Listed((near,))
        yield Listed(tuple(row for row in rows if row != near))
        return
    low, high = range_.low, range_.high
    middle = (
        Fraction(0) if low is None or high is None else Fraction(((low + high) / 2).__floor__())
    )
    if at is not None:
        middle = Fraction(at[0].__floor__())
    middle = middle if low is None else max(middle, low)
    middle = middle if high is None else min(middle, high - 1)
    yield Interval(low, middle, integral=True)
    yield Interval(middle + 1, high, integral=True)

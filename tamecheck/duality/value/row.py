"""The value function of a program with one row, exactly, by shortest paths and two sweeps.

With slopes ``s-`` and ``s+`` of the continuous part, h(p) the least cost of integer columns with
the sum p,

    z(d) = min over p of h(p) + s+ (d - p)^+ - s- (d - p)^-.

Taking a positive column away while the continuous part is at least as negative never costs more,
so that ``min(0, d) - a <= p <= max(0, d) + a`` suffices, a the largest coefficient, widened to all
sums of columns that have an upper bound; and the columns of a sum can be ordered such that no
partial sum leaves that interval by more than a.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from tamecheck.duality.check import Value
from tamecheck.duality.form import Form, Vector
from tamecheck.duality.value.line import Line, Profile
from tamecheck.errors import InputError

__all__ = ["OneRow", "one_row", "row_profile"]

_MOST_SUMS = 2_000_000


@dataclass(frozen=True, slots=True)
class OneRow:
    """One row ``sum a x + continuous = d``; ``caps`` bound integer columns where not None.

    ``rising`` and ``falling`` are the slopes of the continuous part for a positive and a negative
    rest, None where it can make none; ``constant`` is the cost of columns outside the row.
    """

    steps: tuple[Fraction, ...]
    costs: tuple[Fraction, ...]
    caps: tuple[int | None, ...]
    rising: Fraction | None
    falling: Fraction | None
    constant: Fraction


def one_row(form: Form, d: Vector) -> OneRow | None:
    """The program as one row with the caps that ``d`` says; None if it is not of that shape."""
    if [i for i in form.users if i] or not form.users:
        return None
    steps, costs, caps = list[Fraction](), list[Fraction](), list[int | None]()
    slopes: dict[int, list[Fraction]] = {1: [], -1: []}
    constant = Fraction(0)
    for column in form.columns:
        entries = dict(column.entries)
        a = entries.pop(0, Fraction(0))
        cap = min((d[i] / e for i, e in entries.items()), default=None)
        if cap is not None and cap < 0:
            return None
        if not a:
            if column.cost < 0:
                if cap is None:
                    return None
                constant += column.cost * (math.floor(cap) if column.integral else cap)
        elif column.integral:
            steps.append(a)
            costs.append(column.cost)
            caps.append(None if cap is None else math.floor(cap))
        elif cap is not None:
            return None
        else:
            slopes[1 if a > 0 else -1].append(column.cost / a)
    sense = form.constraints[0].sense
    if sense != "=":
        slopes[1 if sense == "<=" else -1].append(Fraction(0))
    return OneRow(
        tuple(steps),
        tuple(costs),
        tuple(caps),
        min(slopes[1], default=None),
        max(slopes[-1], default=None),
        constant,
    )


def row_profile(row: OneRow, multiplier: Fraction, low: Fraction, high: Fraction) -> Profile:
    """The value function on ``[low, high]``.

    Parameters
    ----------
    row
        The program.
    multiplier
        Feasible for the dual of the relaxation: reduced costs of columns without cap are >= 0.

    Raises
    ------
    InputError
        If there are too many sums of columns.  Time and memory grow with their number, which is
        the length of the interval times the common denominator of the coefficients.
    """
    sums = _sums(row, multiplier, low, high)
    starts = sorted({low, high, *(p for p in sums if low < p < high)})
    rising = _sweep(sums, row.rising, starts, 1)
    falling = _sweep(sums, row.falling, starts, -1)
    values: list[Value] = [sums.get(t, math.inf) for t in starts]
    points, lines = list[Fraction](), list[Line | None]()
    at = list[Value]()
    for k, t in enumerate(starts):
        beside = [_value(line, t) for line in (rising[k], falling[k])]
        points.append(t)
        at.append(min(values[k], *beside))
        if k + 1 == len(starts):
            break
        # between the sums, the best one to the left and the best one to the right
        left, right, end = rising[k], falling[k + 1], starts[k + 1]
        cut = None
        if left is not None and right is not None and left[0] != right[0]:
            cut = (right[1] - left[1]) / (left[0] - right[0])
        if cut is not None and t < cut < end:
            points.append(cut)
            at.append(_value(left, cut))
            lines += [left, right]
        else:
            middle = (t + end) / 2
            lines.append(left if _value(left, middle) <= _value(right, middle) else right)
    shifted: list[Line | None] = [
        None if line is None else (line[0], line[1] + row.constant) for line in lines
    ]
    return Profile(
        tuple(points), tuple(value + row.constant for value in at), tuple(shifted)
    ).simplified()


def _sweep(
    sums: Mapping[Fraction, Fraction], slope: Fraction | None, starts: Sequence[Fraction], side: int
) -> list[Line | None]:
    """For each start, the lowest line of the given slope from a sum at or before (after) it."""
    if slope is None:
        return [None] * len(starts)
    order = sorted(sums, reverse=side < 0)
    lowest = list(accumulate((sums[p] - slope * p for p in order), min))
    found: list[Line | None] = []
    k = 0
    for t in starts if side > 0 else reversed(starts):
        while k < len(order) and (order[k] - t) * side <= 0:
            k += 1
        found.append((slope, lowest[k - 1]) if k else None)
    return found if side > 0 else found[::-1]


def _value(line: Line | None, t: Fraction) -> Value:
    return math.inf if line is None else line[0] * t + line[1]


def _sums(
    row: OneRow, multiplier: Fraction, low: Fraction, high: Fraction
) -> dict[Fraction, Fraction]:
    """The least cost of each sum of integer columns that matters between ``low`` and ``high``."""
    scale = math.lcm(*(a.denominator for a in row.steps))
    steps = [(a * scale).numerator for a in row.steps]
    reduced = [c - multiplier * a for a, c in zip(row.steps, row.costs, strict=True)]
    money = math.lcm(*(r.denominator for r in reduced))
    prices = [(r * money).numerator for r in reduced]
    widest = max(map(abs, steps), default=0)
    first = min(0, math.floor(low * scale)) - widest
    last = max(0, math.ceil(high * scale)) + widest
    costs = {0: 0}
    free = list[tuple[int, int]]()
    for a, price, cap in zip(steps, prices, row.caps, strict=True):
        if cap is None:
            free.append((a, price))
        else:
            costs = _with_capped(costs, a, price, cap)
    # columns with a cap may be worth more than the continuous part, so that all their sums count
    first, last = min((first, *costs)), max((last, *costs))
    costs = _closure(costs, free, first - widest, last + widest)
    return {
        (p := Fraction(s, scale)): Fraction(cost, money) + multiplier * p
        for s, cost in costs.items()
        if first <= s <= last
    }


def _with_capped(costs: Mapping[int, int], a: int, price: int, cap: int) -> dict[int, int]:
    """The least costs with up to ``cap`` copies of one more column."""
    if len(costs) * (cap + 1) > _MOST_SUMS * 10:
        raise InputError(
            f"The bounded columns have more than {_MOST_SUMS} sums.",
            hint="The coefficients have too many digits, or the bounds are too large.",
        )
    found = dict(costs)
    for s, cost in costs.items():
        for k in range(1, cap + 1):
            to, value = s + k * a, cost + k * price
            if value < found.get(to, value + 1):
                found[to] = value
    return found


def _closure(
    costs: Mapping[int, int], steps: Sequence[tuple[int, int]], first: int, last: int
) -> dict[int, int]:
    """Least costs with any number of further steps of non-negative price, within a window."""
    if steps and last - first > _MOST_SUMS * math.gcd(*(a for a, _ in steps)):
        raise InputError(
            f"There are more than {_MOST_SUMS} sums of columns in this interval.",
            hint="Take a shorter interval, or coefficients with a smaller common denominator.",
        )
    found: dict[int, int] = {}
    heap = [(cost, s) for s, cost in costs.items()]
    heapq.heapify(heap)
    best = dict(costs)
    while heap:
        cost, s = heapq.heappop(heap)
        if s in found:
            continue
        found[s] = cost
        for a, price in steps:
            to, value = s + a, cost + price
            if first <= to <= last and value < best.get(to, value + 1):
                best[to] = value
                heapq.heappush(heap, (value, to))
    return found

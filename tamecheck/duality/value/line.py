"""The value function along a line of right-hand sides, as a piecewise affine function.

By branch and bound over functions: a node of the search bounds the integer columns; the value of
its relaxation is a convex piecewise affine function of the place on the line.  A node is closed
when that function is nowhere below the best one so far, which is the minimum of the functions of
the integer parts that were found.

Of a program with one row, by shortest paths and two sweeps: with slopes ``s-`` and ``s+`` of the
continuous part, h(p) the least cost of integer columns with the sum p,

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
from itertools import accumulate, pairwise
from operator import itemgetter

from tamecheck.budget import Budget
from tamecheck.duality.form import Form, FormColumn, Vector
from tamecheck.duality.optimum import minimise
from tamecheck.duality.value.profile import (
    Line,
    Profile,
    crossing,
    from_lines,
    gap_below,
    minimum,
    nowhere,
    value_on,
)
from tamecheck.errors import InputError, SolverError
from tamecheck.exact.linear import Box, LinearProof
from tamecheck.ir.answer import Optimal, Unbounded

_MOST_NODES = 20_000
_MOST_SUMS = 2_000_000
_Bounds = Mapping[int, tuple[int, int | None]]


@dataclass(frozen=True, slots=True)
class Ray:
    """The right-hand sides ``start + t * direction`` with ``low <= t <= high``."""

    start: Vector
    direction: Vector
    low: Fraction
    high: Fraction

    def at(self, t: Fraction) -> Vector:
        """The right-hand side at ``t``."""
        return tuple(b + t * a for b, a in zip(self.start, self.direction, strict=True))


def line_profile(form: Form, ray: Ray, *, seconds: float | None = None) -> Profile:
    """The value function on the line, exactly.

    With integer columns without bounds the search need not end: it is given up in time, or after
    20,000 nodes.
    """
    budget = Budget.of(seconds)
    best = nowhere(ray.low, ray.high)
    waiting: list[_Bounds] = [{}]
    explored = 0
    while waiting:
        bounds = waiting.pop()
        explored += 1
        if explored > _MOST_NODES or budget.is_spent:
            over = "its time" if budget.is_spent else f"its {_MOST_NODES} nodes"
            raise SolverError(
                f"The pieces are not complete: the search had used up {over} after"
                f" {explored - 1} nodes.",
                hint="Take a shorter interval, bound the integer variables, or give more time.",
            )
        node = _Relaxed(form, ray, bounds)
        profile = node.profile()
        while (t := gap_below(profile, best)) is not None:
            x = node.solve(t).point
            j = _fractional(form, x)
            if j is None:
                fixed = {
                    k: (value.numerator, value.numerator)
                    for k, (column, value) in enumerate(zip(form.columns, x, strict=True))
                    if column.integral
                }
                best = minimum(best, _Relaxed(form, ray, fixed).profile())
                continue
            low, high = bounds.get(j, (0, None))
            at = math.floor(x[j])
            waiting += [{**bounds, j: (at + 1, high)}, {**bounds, j: (low, at)}]
            break
    return best


def _fractional(form: Form, x: Sequence[Fraction]) -> int | None:
    """The integer column whose value is furthest from the integers, None if all are integers."""
    distances = [
        (min(value - math.floor(value), math.ceil(value) - value), -j)
        for j, (column, value) in enumerate(zip(form.columns, x, strict=True))
        if column.integral and value.denominator != 1
    ]
    return -max(distances)[1] if distances else None


class _Relaxed:
    """The linear relaxation within bounds, as a function of the place on a line."""

    def __init__(self, form: Form, ray: Ray, bounds: _Bounds) -> None:
        self.form, self.ray = form, ray
        own = [bounds.get(j, (0, None)) for j in range(len(form.columns))]
        self.box = Box(list(map(itemgetter(0), own)), list(map(itemgetter(1), own)))

    def solve(self, t: Fraction) -> Optimal[Fraction, LinearProof]:
        """The optimum at a place where there is one."""
        form = self.form
        outcome = minimise(form.columns, form.constraints, self.ray.at(t), self.box)
        if isinstance(outcome, Unbounded):
            raise SolverError("A relaxation with a feasible dual cannot be unbounded.")
        if not isinstance(outcome, Optimal):
            raise SolverError("A relaxation that had a value lost it.")
        return outcome

    def profile(self) -> Profile:
        """The value on the line: convex, infinite outside an interval."""
        ray, ends = self.ray, self._feasible()
        if ends is None:
            return nowhere(ray.low, ray.high)
        first, last = ends
        lines = {t: self._support(t) for t in ends}
        if first == last:
            return from_lines(ray.low, ray.high, [(first, lines[first])])
        parts = self._between(first, lines[first], last, lines[last])
        # the line that reaches the last point is that of the part that begins last before it
        reaching = [line for t, line in parts if t < last][-1]
        return from_lines(ray.low, ray.high, [*parts, (last, reaching)])

    def _between(
        self, a: Fraction, first: Line, b: Fraction, last: Line
    ) -> list[tuple[Fraction, Line]]:
        """The lines of the value from ``a`` to ``b``, given one that supports it at each end."""
        if value_on(first, b) == value_on(last, b):
            return [(a, first)]
        if value_on(last, a) == value_on(first, a):
            return [(a, last)]
        t = (last[1] - first[1]) / (first[0] - last[0])
        middle = self._support(t)
        if value_on(middle, t) == value_on(first, t):
            return [(a, first), (t, last)]
        return [*self._between(a, first, t, middle), *self._between(t, middle, b, last)]

    def _support(self, t: Fraction) -> Line:
        """The line that the best multipliers at ``t`` prove to be below the value everywhere."""
        found = self.solve(t)
        pairs = zip(found.certificate.multipliers, self.ray.direction, strict=True)
        slope = sum((y * a for y, a in pairs), Fraction(0))
        return slope, found.objective - slope * t

    def _feasible(self) -> tuple[Fraction, Fraction] | None:
        """The first and the last place on the line with a feasible point."""
        ray, free = self.ray, Fraction(0)
        entries = tuple((i, -a) for i, a in enumerate(ray.direction) if a)
        columns = [FormColumn(c.name, c.integral, free, c.entries) for c in self.form.columns]
        box = Box([*self.box.lower, ray.low], [*self.box.upper, ray.high])
        ends: list[Fraction] = []
        for cost in (Fraction(1), Fraction(-1)):
            place = FormColumn("t", integral=False, cost=cost, entries=entries)
            outcome = minimise([*columns, place], self.form.constraints, ray.start, box)
            if not isinstance(outcome, Optimal):
                return None
            ends.append(outcome.point[-1])
        return ends[0], ends[1]


# -- one row -------------------------------------------------------------------------------------


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

    The multiplier is feasible for the dual of the relaxation: reduced costs of columns without cap
    are not negative.  Time and memory grow with the number of sums of columns, which is the length
    of the interval times the common denominator of the coefficients.
    """
    sums = _sums(row, multiplier, low, high)
    starts = sorted({low, high, *(p for p in sums if low < p < high)})
    rising = _sweep(sums, row.rising, starts, 1)
    falling = _sweep(sums, row.falling, starts, -1)
    values = [
        min(sums.get(t, math.inf), value_on(left, t), value_on(right, t))
        for t, left, right in zip(starts, rising, falling, strict=True)
    ]
    points, at, lines = starts[:1], values[:1], list[Line | None]()
    for k, (start, end) in enumerate(pairwise(starts)):
        # between the sums, the best one to the left and the best one to the right
        left, right = rising[k], falling[k + 1]
        cut = crossing(left, right)
        if cut is not None and start < cut < end:
            points.append(cut)
            at.append(value_on(left, cut))
            lines += [left, right]
        else:
            middle = (start + end) / 2
            lines.append(left if value_on(left, middle) <= value_on(right, middle) else right)
        points.append(end)
        at.append(values[k + 1])
    constant = row.constant
    shifted = (None if line is None else (line[0], line[1] + constant) for line in lines)
    found = Profile(tuple(points), tuple(value + constant for value in at), tuple(shifted))
    return found.simplify()


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
            costs = _add_capped(costs, a, price, cap)
    # columns with a cap may be worth more than the continuous part, so that all their sums count
    first, last = min((first, *costs)), max((last, *costs))
    costs = _closure(costs, free, first - widest, last + widest)
    return {
        (p := Fraction(s, scale)): Fraction(cost, money) + multiplier * p
        for s, cost in costs.items()
        if first <= s <= last
    }


def _add_capped(costs: Mapping[int, int], a: int, price: int, cap: int) -> dict[int, int]:
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

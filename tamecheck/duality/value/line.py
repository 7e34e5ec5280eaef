"""The value function along a line of right-hand sides, by branch and bound over functions.

A node of the search bounds the integer columns; the value of its relaxation is a convex piecewise
affine function of the place on the line.  A node is closed when that function is nowhere below the
best one so far, which is the minimum of the functions of the integer parts that were found.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.duality.form import Constraint, Form, FormColumn, Vector
from tamecheck.duality.linear import LinearOptimum, LinearUnbounded, minimise
from tamecheck.duality.value.profile import Line, Profile, from_lines, gap_below, minimum, nowhere
from tamecheck.errors import SolverError

__all__ = ["Ray", "line_profile"]

_MOST_NODES = 20_000
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

    Raises
    ------
    SolverError
        If the search has not ended after ``seconds`` or after 20,000 nodes: with integer columns
        without bounds it need not.
    """
    end = math.inf if seconds is None else time.monotonic() + seconds
    best = nowhere(ray.low, ray.high)
    waiting: list[_Bounds] = [{}]
    explored = 0
    while waiting:
        bounds = waiting.pop()
        explored += 1
        if explored > _MOST_NODES or time.monotonic() > end:
            raise SolverError(
                f"The value function is not complete after {explored} nodes.",
                hint="Take a shorter interval, bound the integer variables, or give more time.",
            )
        node = _Relaxed(form, bounds)
        profile = node.profile(ray)
        while (t := gap_below(profile, best)) is not None:
            x = node.point(ray.at(t))
            j = _fractional(form, x)
            if j is None:
                fixed = {
                    k: (value.numerator, value.numerator)
                    for k, (column, value) in enumerate(zip(form.columns, x, strict=True))
                    if column.integral
                }
                best = minimum(best, _Relaxed(form, fixed).profile(ray))
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
    """The linear relaxation within bounds, as a function of the right-hand side."""

    def __init__(self, form: Form, bounds: _Bounds) -> None:
        columns = list(form.columns)
        constraints = list(form.constraints)
        self._moved = [Fraction(0)] * form.size
        self._constant = Fraction(0)
        self._shift = [Fraction(0)] * len(columns)
        self._caps: list[Fraction] = []
        for j, (low, high) in bounds.items():
            self._shift[j] = Fraction(low)
            self._constant += columns[j].cost * low
            for i, a in columns[j].entries:
                self._moved[i] += a * low
            if high is not None:
                columns[j] = replace(
                    columns[j], entries=(*columns[j].entries, (len(constraints), Fraction(1)))
                )
                constraints.append(Constraint(f"{j}", "<=", None))
                self._caps.append(Fraction(high - low))
        self._columns, self._constraints = columns, constraints

    def point(self, d: Vector) -> Vector:
        """A best point at a right-hand side where there is one."""
        outcome = self._solve(d)
        if outcome is None:
            raise SolverError("A relaxation that had a value lost it.")
        return tuple(x + s for x, s in zip(outcome.point, self._shift, strict=True))

    def profile(self, ray: Ray) -> Profile:
        """The value on the line: convex, infinite outside an interval."""
        ends = self._feasible(ray)
        if ends is None:
            return nowhere(ray.low, ray.high)
        first, last = ends
        lines = {t: self._support(ray, t) for t in ends}
        if first == last:
            return from_lines(ray.low, ray.high, [(first, lines[first])])
        parts = self._between(ray, first, lines[first], last, lines[last])
        return from_lines(ray.low, ray.high, [*parts, (last, _last_line(parts, last))])

    def _between(
        self, ray: Ray, a: Fraction, first: Line, b: Fraction, last: Line
    ) -> list[tuple[Fraction, Line]]:
        """The lines of the value from ``a`` to ``b``, given one that supports it at each end."""
        if first[0] * b + first[1] == last[0] * b + last[1]:
            return [(a, first)]
        if last[0] * a + last[1] == first[0] * a + first[1]:
            return [(a, last)]
        t = (last[1] - first[1]) / (first[0] - last[0])
        middle = self._support(ray, t)
        if middle[0] * t + middle[1] == first[0] * t + first[1]:
            return [(a, first), (t, last)]
        return [*self._between(ray, a, first, t, middle), *self._between(ray, t, middle, b, last)]

    def _support(self, ray: Ray, t: Fraction) -> Line:
        """The line that the best multipliers at ``t`` prove to be below the value everywhere."""
        outcome = self._solve(ray.at(t))
        if outcome is None:
            raise SolverError("A relaxation that had a value lost it.")
        own = outcome.multipliers
        moved = [b - m for b, m in zip(ray.start, self._moved, strict=True)]
        intercept = sum(
            (y * b for y, b in zip(own, (*moved, *self._caps), strict=True)), self._constant
        )
        slope = sum((y * a for y, a in zip(own, ray.direction, strict=False)), Fraction(0))
        return slope, intercept

    def _solve(self, d: Vector) -> LinearOptimum | None:
        outcome = minimise(self._columns, self._constraints, self._right(d))
        if isinstance(outcome, LinearUnbounded):
            raise SolverError("A relaxation with a feasible dual cannot be unbounded.")
        return outcome if isinstance(outcome, LinearOptimum) else None

    def _right(self, d: Sequence[Fraction]) -> list[Fraction]:
        moved = [b - m for b, m in zip(d, self._moved, strict=True)]
        return [*moved, *self._caps]

    def _feasible(self, ray: Ray) -> tuple[Fraction, Fraction] | None:
        """The first and the last place on the line with a feasible point."""
        size = len(self._constraints)
        direction = [(i, -a) for i, a in enumerate(ray.direction) if a]
        base: list[FormColumn] = [replace(column, cost=Fraction(0)) for column in self._columns]
        cap = Constraint("length", "<=", None)
        right = [*self._right(ray.at(ray.low)), ray.high - ray.low]
        ends: list[Fraction] = []
        for cost in (1, -1):
            place = FormColumn(
                "t",
                integral=False,
                cost=Fraction(cost),
                entries=(*direction, (size, Fraction(1))),
            )
            outcome = minimise([*base, place], [*self._constraints, cap], right)
            if not isinstance(outcome, LinearOptimum):
                return None
            ends.append(ray.low + outcome.point[-1])
        return ends[0], ends[1]


def _last_line(parts: Sequence[tuple[Fraction, Line]], last: Fraction) -> Line:
    """The line that reaches the point ``last``: that of the part that begins last before it."""
    return [line for t, line in parts if t < last][-1]

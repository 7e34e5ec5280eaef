"""The value function along a line of right-hand sides, by branch and bound over functions.

A node of the search bounds the integer columns; the value of its relaxation is a convex piecewise
affine function of the place on the line.  A node is closed when that function is nowhere below the
best one so far, which is the minimum of the functions of the integer parts that were found.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

from tamecheck.duality.check import Value
from tamecheck.duality.form import Constraint, Form, FormColumn, Vector
from tamecheck.duality.optimum import minimise
from tamecheck.errors import SolverError
from tamecheck.exact.linear import LinearProof
from tamecheck.ir.answer import Optimal, Unbounded

__all__ = [
    "Line",
    "Profile",
    "Ray",
    "ValuePiece",
    "from_lines",
    "gap_below",
    "line_profile",
    "minimum",
    "nowhere",
]

Line: TypeAlias = tuple[Fraction, Fraction]
"""Slope and intercept."""


@dataclass(frozen=True, slots=True)
class ValuePiece:
    """``slope * t + intercept`` between ``lower`` and ``upper``; a point where they are equal."""

    lower: Fraction
    upper: Fraction
    slope: Fraction
    intercept: Fraction
    lower_closed: bool
    upper_closed: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """Values at increasing points, and a line, or None for infinity, between neighbours."""

    points: tuple[Fraction, ...]
    values: tuple[Value, ...]
    lines: tuple[Line | None, ...]

    def at(self, t: Fraction) -> Value:
        """The value at a point between the first and the last."""
        k = bisect_left(self.points, t)
        if self.points[k] == t:
            return self.values[k]
        return _on(self.lines[k - 1], t)

    def line_at(self, t: Fraction) -> Line | None:
        """The line on the interval that contains ``t``, which is none of the points."""
        return self.lines[bisect_left(self.points, t) - 1]

    def simplified(self) -> Profile:
        """The same function without points where nothing changes."""
        kept, values, lines = [self.points[0]], [self.values[0]], list[Line | None]()
        for k, line in enumerate(self.lines):
            last = k + 1 == len(self.lines)
            end, value = self.points[k + 1], self.values[k + 1]
            if not last and line == self.lines[k + 1] and value == _on(line, end):
                continue
            kept.append(end)
            values.append(value)
            lines.append(line)
        return Profile(tuple(kept), tuple(values), tuple(lines))

    def pieces(self) -> tuple[ValuePiece, ...]:
        """The finite pieces; a point belongs to a piece whose line has its value there.

        Of a profile that is not `simplified` they may have a common line.
        """
        found: list[ValuePiece] = []
        for k, (point, value) in enumerate(zip(self.points, self.values, strict=True)):
            beside = [self.lines[i] for i in (k - 1, k) if 0 <= i < len(self.lines)]
            if isinstance(value, Fraction) and all(_on(line, point) != value for line in beside):
                found.append(
                    ValuePiece(
                        point, point, Fraction(0), value, lower_closed=True, upper_closed=True
                    )
                )
            if k < len(self.lines) and (line := self.lines[k]) is not None:
                end = self.points[k + 1]
                found.append(
                    ValuePiece(
                        point,
                        end,
                        *line,
                        lower_closed=_on(line, point) == value,
                        upper_closed=_on(line, end) == self.values[k + 1],
                    )
                )
        return tuple(found)


def nowhere(low: Fraction, high: Fraction) -> Profile:
    """Infinity on ``[low, high]``."""
    if low == high:
        return Profile((low,), (math.inf,), ())
    return Profile((low, high), (math.inf, math.inf), (None,))


def minimum(one: Profile, two: Profile) -> Profile:
    """The smaller of two functions on the same interval."""
    points, values, lines = list[Fraction](), list[Value](), list[Line | None]()
    for a, b, first, second in _common(one, two):
        points.append(a)
        values.append(min(one.at(a), two.at(a)))
        cut = _crossing(first, second, a, b)
        if cut is None:
            lines.append(_lower(first, second, (a + b) / 2))
        else:
            points.append(cut)
            values.append(_on(first, cut))
            lines += [_lower(first, second, (a + cut) / 2), _lower(first, second, (cut + b) / 2)]
    end = one.points[-1]
    points.append(end)
    values.append(min(one.at(end), two.at(end)))
    return Profile(tuple(points), tuple(values), tuple(lines)).simplified()


def gap_below(one: Profile, two: Profile) -> Fraction | None:
    """A point where the first function is smaller than the second; None if there is none."""
    for a, b, first, second in _common(one, two):
        middle = (a + b) / 2
        if _on(first, middle) < _on(second, middle):
            return middle
        cut = _crossing(first, second, a, b)
        for end in (a, b) if cut is not None else ():
            t = (end + (cut or end)) / 2 if cut is not None else end
            if _on(first, t) < _on(second, t):
                return t
    ends = sorted({*one.points, *two.points})
    return next((t for t in ends if one.at(t) < two.at(t)), None)


def _common(
    one: Profile, two: Profile
) -> list[tuple[Fraction, Fraction, Line | None, Line | None]]:
    """The intervals on which both functions are affine, with their lines."""
    ends = sorted({*one.points, *two.points})
    return [(a, b, one.line_at((a + b) / 2), two.line_at((a + b) / 2)) for a, b in pairwise(ends)]


def _on(line: Line | None, t: Fraction) -> Value:
    return math.inf if line is None else line[0] * t + line[1]


def _lower(first: Line | None, second: Line | None, t: Fraction) -> Line | None:
    return first if _on(first, t) <= _on(second, t) else second


def _crossing(first: Line | None, second: Line | None, a: Fraction, b: Fraction) -> Fraction | None:
    """Where two lines cross strictly between ``a`` and ``b``."""
    if first is None or second is None or first[0] == second[0]:
        return None
    cut = (second[1] - first[1]) / (first[0] - second[0])
    return cut if a < cut < b else None


def from_lines(low: Fraction, high: Fraction, parts: Sequence[tuple[Fraction, Line]]) -> Profile:
    """The continuous function on ``[low, high]`` whose lines begin at the given points.

    Infinity where ``parts`` do not reach: the last entry's point ends the last line.
    """
    points = [t for t, _ in parts]
    values: list[Value] = [_on(line, t) for t, line in parts]
    lines: list[Line | None] = [line for _, line in parts[:-1]]
    if points[0] > low:
        points, values, lines = [low, *points], [math.inf, *values], [None, *lines]
    if points[-1] < high:
        points, values, lines = [*points, high], [*values, math.inf], [*lines, None]
    return Profile(tuple(points), tuple(values), tuple(lines))


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
        own = outcome.certificate.multipliers
        moved = [b - m for b, m in zip(ray.start, self._moved, strict=True)]
        intercept = sum(
            (y * b for y, b in zip(own, (*moved, *self._caps), strict=True)), self._constant
        )
        slope = sum((y * a for y, a in zip(own, ray.direction, strict=False)), Fraction(0))
        return slope, intercept

    def _solve(self, d: Vector) -> Optimal[Fraction, LinearProof] | None:
        outcome = minimise(self._columns, self._constraints, self._right(d))
        if isinstance(outcome, Unbounded):
            raise SolverError("A relaxation with a feasible dual cannot be unbounded.")
        return outcome if isinstance(outcome, Optimal) else None

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
            if not isinstance(outcome, Optimal):
                return None
            ends.append(ray.low + outcome.point[-1])
        return ends[0], ends[1]


def _last_line(parts: Sequence[tuple[Fraction, Line]], last: Fraction) -> Line:
    """The line that reaches the point ``last``: that of the part that begins last before it."""
    return [line for t, line in parts if t < last][-1]

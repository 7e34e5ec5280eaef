"""Piecewise affine functions of one variable, with gaps and isolated points."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias

from tamecheck.duality.check import Value

__all__ = ["Line", "Profile", "ValuePiece", "from_lines", "gap_below", "minimum", "nowhere"]

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

"""Piecewise affine functions of one variable, with gaps, jumps and isolated points."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

from tamecheck.duality.check import Value
from tamecheck.duality.form import Form
from tamecheck.errors import InputError

Line: TypeAlias = tuple[Fraction, Fraction]
"""Slope and intercept."""


def value_on(line: Line | None, t: Fraction) -> Value:
    """The value of a line at a point; None is infinity."""
    return math.inf if line is None else line[0] * t + line[1]


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
        return self.values[k] if self.points[k] == t else value_on(self.lines[k - 1], t)

    def beside(self, t: Fraction) -> tuple[Line | None, Line | None]:
        """The lines to the left and to the right of an inner point."""
        k = bisect_left(self.points, t)
        return self.lines[k - 1], self.lines[k if self.points[k] == t else k - 1]

    def simplify(self) -> Profile:
        """The same function without points where nothing changes."""
        inner = range(1, len(self.points) - 1)
        kept = [
            k
            for k in inner
            if self.lines[k - 1] != self.lines[k]
            or self.values[k] != value_on(self.lines[k], self.points[k])
        ]
        kept = [0, *kept, *([len(self.points) - 1] if self.lines else [])]
        return Profile(
            tuple(self.points[k] for k in kept),
            tuple(self.values[k] for k in kept),
            tuple(self.lines[k - 1] for k in kept[1:]),
        )

    def pieces(self) -> tuple[ValuePiece, ...]:
        """The finite pieces; a point belongs to a piece whose line has its value there.

        Of a profile that is not `simplify` they may have a common line.
        """
        found: list[ValuePiece] = []
        for k, (point, value) in enumerate(zip(self.points, self.values, strict=True)):
            beside = self.lines[max(k - 1, 0) : k + 1]
            if isinstance(value, Fraction) and all(value_on(x, point) != value for x in beside):
                own = ValuePiece(point, point, Fraction(0), value, True, True)  # noqa: FBT003
                found.append(own)
            if k < len(self.lines) and (line := self.lines[k]) is not None:
                end = self.points[k + 1]
                closed = [value_on(line, t) == self.at(t) for t in (point, end)]
                found.append(ValuePiece(point, end, *line, *closed))
        return tuple(found)

    def substitute(self, first: Fraction, factor: Fraction) -> Profile:
        """The function of ``t`` where this is one of ``first + factor * t``."""
        points = [(p - first) / factor for p in self.points]
        lines = [
            None if line is None else (line[0] * factor, line[0] * first + line[1])
            for line in self.lines
        ]
        way = 1 if factor > 0 else -1
        return Profile(tuple(points[::way]), self.values[::way], tuple(lines[::way]))


def nowhere(low: Fraction, high: Fraction) -> Profile:
    """Infinity on ``[low, high]``."""
    if low == high:
        return Profile((low,), (math.inf,), ())
    return Profile((low, high), (math.inf, math.inf), (None,))


def from_lines(low: Fraction, high: Fraction, parts: Sequence[tuple[Fraction, Line]]) -> Profile:
    """The continuous function on ``[low, high]`` whose lines begin at the given points.

    Infinity where ``parts`` do not reach: the last entry's point ends the last line.
    """
    points = [t for t, _ in parts]
    values: list[Value] = [value_on(line, t) for t, line in parts]
    lines: list[Line | None] = [line for _, line in parts[:-1]]
    if points[0] > low:
        points, values, lines = [low, *points], [math.inf, *values], [None, *lines]
    if points[-1] < high:
        points, values, lines = [*points, high], [*values, math.inf], [*lines, None]
    return Profile(tuple(points), tuple(values), tuple(lines))


def minimum(one: Profile, two: Profile) -> Profile:
    """The smaller of two functions on the same interval."""
    points, values, lines = list[Fraction](), list[Value](), list[Line | None]()
    for places, first, second in _common(one, two):
        for a, b in pairwise(places):
            points.append(a)
            values.append(min(one.at(a), two.at(a)))
            middle = (a + b) / 2
            first_is_less = value_on(first, middle) <= value_on(second, middle)
            lines.append(first if first_is_less else second)
    end = one.points[-1]
    points.append(end)
    values.append(min(one.at(end), two.at(end)))
    return Profile(tuple(points), tuple(values), tuple(lines)).simplify()


def gap_below(one: Profile, two: Profile) -> Fraction | None:
    """A point where the first function is smaller than the second; None if there is none."""
    for places, first, second in _common(one, two):
        middles = [(a + b) / 2 for a, b in ((places[0], places[-1]), *pairwise(places))]
        for t in middles:
            if value_on(first, t) < value_on(second, t):
                return t
    ends = sorted({*one.points, *two.points})
    return next((t for t in ends if one.at(t) < two.at(t)), None)


def _common(
    one: Profile, two: Profile
) -> Iterator[tuple[list[Fraction], Line | None, Line | None]]:
    """The intervals on which both are affine: ends, with a crossing between, and the lines."""
    for a, b in pairwise(sorted({*one.points, *two.points})):
        first, second = (own.beside((a + b) / 2)[0] for own in (one, two))
        cut = crossing(first, second)
        yield [a, b] if cut is None or not a < cut < b else [a, cut, b], first, second


def crossing(first: Line | None, second: Line | None) -> Fraction | None:
    """Where two lines cross."""
    if first is None or second is None or first[0] == second[0]:
        return None
    return (second[1] - first[1]) / (first[0] - second[0])


@dataclass(frozen=True, slots=True)
class ValueComplex:
    """The value function of a program along a line of right-hand sides, exactly."""

    name: str
    """The right-hand side that varies, or ``t``."""
    low: Fraction
    high: Fraction
    """The interval."""
    pieces: tuple[ValuePiece, ...]
    """Affine pieces from left to right, in the program's own objective; where there is none the
    program is infeasible."""
    breakpoints: tuple[Fraction, ...]
    """Where the slope changes or the function jumps, strictly inside."""
    jumps: tuple[Fraction, ...]
    """Those where it jumps, or becomes infinite."""

    def __call__(self, t: Fraction | int) -> Value | None:
        """The value; None where the program is infeasible."""
        if not self.low <= t <= self.high:
            raise InputError(f"{t} is not between {self.low} and {self.high}.")
        # the pieces that may contain t end at or after it, and begin at or before it
        k = bisect_left(self.pieces, t, key=lambda piece: piece.upper)
        for piece in self.pieces[k : k + 3]:
            inside = piece.lower < t < piece.upper
            first = t == piece.lower and piece.lower_closed
            if inside or first or (t == piece.upper and piece.upper_closed):
                return piece.slope * t + piece.intercept
        return None

    @property
    def slopes(self) -> tuple[Fraction, ...]:
        """The slopes of pieces that are no points, each once."""
        return tuple(sorted({p.slope for p in self.pieces if p.lower < p.upper}))

    def plot(self, ax: Any = None, bound: Any = None, **options: Any) -> Any:
        """Draw the pieces by matplotlib, maybe with a dual function; the axes.

        Parameters
        ----------
        ax
            Axes to draw on; new ones if None.
        bound
            A `DualFunction` to draw beside; the other right-hand sides are its program's own.
        options
            ``label`` and ``unit`` of the right-hand side.

        Raises
        ------
        InputError
            If there is no piece, or the dual function has no right-hand side of this name.
        """
        import tamecheck

        plots = tamecheck.plots
        beside = () if bound is None else (plots.bound_of(bound, self),)
        shown: dict[str, Any] = {"label": self.name, "interval": (self.low, self.high), **options}
        return plots.draw_value(self.pieces, ax, bounds=beside, **shown).axes

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "row": self.name,
            "box": [str(self.low), str(self.high)],
            "pieces": [
                {
                    "lower": str(p.lower),
                    "upper": str(p.upper),
                    "slope": str(p.slope),
                    "intercept": str(p.intercept),
                    "closed": [p.lower_closed, p.upper_closed],
                }
                for p in self.pieces
            ],
            "breakpoints": list(map(str, self.breakpoints)),
            "jumps": list(map(str, self.jumps)),
        }


def value_complex(form: Form, name: str, profile: Profile, shift: Fraction) -> ValueComplex:
    """The pieces in the program's own right-hand side and objective."""
    inner = profile.simplify()
    pieces = tuple(
        replace(
            p,
            lower=p.lower + shift,
            upper=p.upper + shift,
            slope=form.sign * p.slope,
            intercept=form.sign * (p.intercept - p.slope * shift + form.constant),
        )
        for p in inner.pieces()
    )
    breaks = inner.points[1:-1]
    jumps = [t for t in breaks if {value_on(x, t) for x in inner.beside(t)} != {inner.at(t)}]
    return ValueComplex(
        name,
        inner.points[0] + shift,
        inner.points[-1] + shift,
        pieces,
        tuple(t + shift for t in breaks),
        tuple(t + shift for t in jumps),
    )

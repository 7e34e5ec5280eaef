"""Scalar functions between two lines: sound linear bounds over an interval, and ranges.

Which function an op is follows from its graph: pieces that are affine, or one smooth term that is
convex or concave on known intervals.  Every bound holds in real arithmetic: intercepts are rounded
outward after the slope is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tamecheck.evaluate.enclose import pointwise_enclosure
from tamecheck.evaluate.enclosure import Enclosure, float_down, float_up
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.evaluate.intervals import Interval, divide, elementary, integer_power, point
from tamecheck.ir import formula
from tamecheck.ir.op import Op, Params, Pointwise
from tamecheck.ir.tensor import Array
from tamecheck.ops.facets import Affine, Line, line_of, rounds

_TINY = 2.0**-1000
_SLOPE_ERROR = 1e-12
"""Relative error allowed for a slope that NumPy computes; it is right to a few units in 2**-52."""


class Lines(NamedTuple):
    """``low_slope x + low ≤ f(x) ≤ high_slope x + high`` on the interval, elementwise."""

    low_slope: Array
    low: Array
    high_slope: Array
    high: Array


@dataclass(frozen=True, slots=True)
class Scalar:
    """A function of one variable: float value, one derivative, range and lines over intervals.

    ``breaks`` are the points between which it is affine, None if it is not piecewise affine.
    ``kinked`` says that the lower slope is free in [0, 1] where the interval straddles 0,
    ``jumps`` that the function is piecewise constant, ``integral`` that it rounds to integers.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    range: Callable[[Interval], Interval]
    lines: Callable[[Interval], Lines]
    breaks: Array | None = None
    kinked: bool = False
    jumps: bool = False
    integral: bool = False


def scalar_of(op: Op, params: Params) -> Scalar | None:
    """The function of an op with one argument, None if it has no lines."""
    meaning = op.meaning
    if not isinstance(meaning, Pointwise) or meaning.domain(params) != formula.TRUE:
        return None
    line = line_of(op, params)
    if line is not None:
        return _PiecewiseAffine(line).scalar()
    pieces = meaning.pieces(params)
    if rounds(op, params):
        errors = [_rounding_error(piece) for piece in pieces]
        known = [error for error in errors if error is not None]
        return _rounding(meaning, params, known) if len(known) == len(errors) else None
    match meaning.whole or (pieces[0].term if len(pieces) == 1 else None):
        case formula.Call(function, formula.Var(0)) if function in _SMOOTH:
            value, slope, signs = _SMOOTH[function]
            return _smooth(value, slope, lambda x: elementary(function, x), signs)
        case formula.Pow(formula.Var(0), formula.Const(exponent)) if (
            exponent.denominator == 1 and exponent >= 1
        ):
            n = int(exponent)
            signs = (-1 if n % 2 and n > 1 else 1, 1)
            return _smooth(
                lambda x: x**n, lambda x: n * x ** (n - 1), lambda x: integer_power(x, n), signs
            )
        case term if term == _LOGISTIC:
            return _smooth(
                _logistic, lambda x: _logistic(x) * _logistic(-x), _logistic_range, (1, -1)
            )
        case _:
            return None


# piecewise affine functions


def jump(values: tuple[Fraction, Fraction, Fraction]) -> Scalar:
    """The function with these values below, at and above 0."""
    below, at, above = values
    lines = Affine(Fraction(0), below), Affine(Fraction(0), above)
    return _PiecewiseAffine(Line((Fraction(0),), lines, (at,))).scalar()


class _PiecewiseAffine:
    """Lines between breaks, with given values at the breaks.

    An element's *place* is the number of the line that holds there.
    """

    def __init__(self, line: Line) -> None:
        breaks, lines, values = line.breaks, line.pieces, line.at
        self.breaks = [(float_down(x), float_up(x)) for x in breaks]
        self.values = values
        self.sides = [[piece(x) for piece in lines[k : k + 2]] for k, x in enumerate(breaks)]
        self.slope, self.shift = (
            np.array([nearest_float(line[k]) for line in lines]) for k in (0, 1)
        )
        # of a line with coefficients that floats hold, and of its values
        sharp = [all(float_down(a) == float_up(a) for a in line) for line in lines]
        plain = [a == 0 or (abs(a) == 1 and b == 0) for a, b in lines]
        self.line_error = np.where(sharp, 0.0, 2.0**-50)
        self.value_error = np.where(np.logical_and(sharp, plain), 0.0, 2.0**-50)
        self.jumps = not line.is_continuous
        ends = range(len(lines))
        spans = [[[a for a, _ in lines[i : max(i, j) + 1]] for j in ends] for i in ends]
        convex = [[s == sorted(s) for s in row] for row in spans]
        concave = [[s == sorted(s, reverse=True) for s in row] for row in spans]
        self.bend = np.subtract(convex, concave, dtype=np.float64)

    def scalar(self) -> Scalar:
        """The function."""
        steps, slopes = self.jumps and not self.slope.any(), self.slope.tolist()
        plain = not (self.jumps or self.shift.any())
        kinked = plain and self.breaks == [(0, 0)] and slopes == [0, 1]
        return Scalar(
            self._value,
            self._ramp if steps else lambda x: self.slope[self._place(x)],
            (lambda x: Interval(*map(self._value, x))) if kinked else self._range,
            _rectifier_lines if kinked else self._lines,
            np.array([low for low, _ in self.breaks]),
            kinked=kinked,
            jumps=steps,
        )

    def _place(self, x: Array, *, right: bool = False) -> Array:
        """The line left of each point, or the one right of it: they differ at the breaks."""
        found = np.zeros(x.shape, dtype=np.int8)
        for low, high in self.breaks:
            found += (x >= high) if right else (x > low)
        return found

    def _at(self, place: Array, x: Array) -> Array:
        """The line of a place at a point; a flat one also at infinity."""
        slope = self.slope[place]
        return slope * np.where(slope == 0, 0.0, x) + self.shift[place]

    def _value(self, x: Array) -> Array:
        if not self.jumps and len(self.breaks) == 1 and self.slope.any():
            # convex or concave: the larger, or the smaller, of two lines
            pair = [
                (x if a == 1 else a * x) + b if a else b
                for a, b in zip(self.slope.tolist(), self.shift.tolist(), strict=True)
            ]
            return (np.maximum if self.bend[0, 1] >= 0 else np.minimum)(*pair)
        found = self._at(self._place(x), x)
        if self.jumps:
            for (low, high), value in zip(self.breaks, self.values, strict=True):
                found = np.where((x == low) & (x == high), nearest_float(value), found)
        return found

    def _ramp(self, x: Array) -> Array:
        # in the search for a violation a jump counts as a ramp as wide as the arguments are
        total = np.zeros_like(x)
        for (at, _), (before, after) in zip(self.breaks, self.sides, strict=True):
            away = np.abs(x - at)
            reach = away.mean(-1, keepdims=True) + 1e-12
            total += ((after > before) - (after < before)) * np.exp(-away / reach) / reach
        return total

    def _outward(self, place: Array, x: Array) -> Interval:
        value, error = self._at(place, x), self.value_error[place]
        size = np.abs(value - self.shift[place]) + np.abs(self.shift[place])
        slack = np.where(error > 0, size * error + _TINY, 0.0)
        return Interval(value - slack, value + slack)

    def _ends(self, x: Interval) -> tuple[Interval, Interval, Array, Array]:
        """Enclosures at both ends by the lines inside, and the places of these."""
        first = self._place(x.lower, right=True)
        last = np.maximum(first, self._place(x.upper))
        return self._outward(first, x.lower), self._outward(last, x.upper), first, last

    def _range(self, x: Interval) -> Interval:
        x = _guard(x)
        left, right, _, _ = self._ends(x)
        low, high = np.minimum(left.lower, right.lower), np.maximum(left.upper, right.upper)
        for (down, up), value, (before, after) in zip(
            self.breaks, self.values, self.sides, strict=True
        ):
            met = [(value, (x.lower <= up) & (x.upper >= down))]
            if self.jumps:
                met.append((before, (x.lower < up) & (x.upper >= down)))
                met.append((after, (x.lower <= up) & (x.upper > down)))
            for near, inside in met:
                low = np.where(inside, np.minimum(low, float_down(near)), low)
                high = np.where(inside, np.maximum(high, float_up(near)), high)
        return Interval(low, high)

    def _lines(self, x: Interval) -> Lines:
        bounds, x = self._range(x), _guard(x)
        if self.jumps:
            return _flat(bounds)
        left, right, first, last = self._ends(x)
        # one of the lines supports a convex function from below
        middle = np.clip(self._place((x.lower + x.upper) / 2), first, last)
        slope, shift, error = self.slope[middle], self.shift[middle], self.line_error[middle]
        reach = np.maximum(np.abs(x.lower), np.abs(x.upper))
        size = np.abs(slope) * np.where(error > 0, reach, 0.0) + np.abs(shift)
        slack = np.where(error > 0, error * size + _TINY, 0.0)
        bend = self.bend[first, last]
        sign = np.where(bend >= 0, 1.0, -1.0)
        support = sign * slope, sign * shift - slack
        found = _enclose(x, (left, right), bend, support, bounds)
        own = slope, shift - slack, slope, shift + slack
        return Lines(*(np.where(first == last, a, b) for a, b in zip(own, found, strict=True)))


def _rectifier_lines(x: Interval) -> Lines:
    """Those of ``max(x, 0)``, without the detours of other functions."""
    on, off = x.lower >= 0, x.upper <= 0
    width = np.where(on | off, 1.0, x.upper - x.lower)
    slope = np.where(off, 0.0, np.where(on, 1.0, x.upper / width))
    over = np.maximum(-slope * x.lower, (1 - slope) * x.upper) * (1 + 2.0**-50) + _TINY
    lower = np.where(off, 0.0, np.where(on, 1.0, (x.upper > -x.lower).astype(np.float64)))
    return Lines(lower, np.zeros_like(slope), slope, np.where(on | off, 0.0, over))


def _guard(x: Interval) -> Interval:
    """The interval with no bound in place of NaN."""
    return Interval(
        np.where(np.isnan(x.lower), -np.inf, x.lower), np.where(np.isnan(x.upper), np.inf, x.upper)
    )


def _chord(x: Interval, at_low: Array, at_high: Array) -> tuple[Array, Array]:
    """A line above both ends: its slope and its intercept, rounded up."""
    width = x.upper - x.lower
    slope = np.where(width > 0, (at_high - at_low) / np.where(width > 0, width, 1.0), 0.0)
    slope = np.where(np.isfinite(slope), slope, 0.0)
    left, right = slope * x.lower, slope * x.upper
    over = np.maximum(at_low - left, at_high - right)
    size = np.abs(at_low) + np.abs(left) + np.abs(at_high) + np.abs(right)
    return slope, over + size * 2.0**-50 + _TINY


def _flat(bounds: Interval) -> Lines:
    zero = np.zeros_like(bounds.lower)
    return Lines(zero, bounds.lower, zero, bounds.upper)


def _enclose(
    x: Interval,
    ends: tuple[Interval, Interval],
    bend: Array,
    support: tuple[Array, Array],
    bounds: Interval,
) -> Lines:
    """The support line below and the chord above a convex function; flat lines where unknown.

    Where ``bend`` is -1 the function is concave, and the support that of its negative.
    """
    convex, (tangent, under) = bend >= 0, support
    chord, over = _chord(x, *(np.where(convex, e.upper, -e.lower) for e in ends))
    usable = (bend != 0) & np.isfinite(tangent) & np.isfinite(under) & np.isfinite(over)
    rising, falling = (tangent, under, chord, over), (-chord, -over, -tangent, -under)
    flat = _flat(bounds)
    return Lines(
        *(
            np.where(usable, np.where(convex, a, b), c)
            for a, b, c in zip(rising, falling, flat, strict=True)
        )
    )


# functions with integer values

_FLOOR, _CEIL = formula.Floor(formula.Var(0)), -formula.Floor(-formula.Var(0))
_FRACTION = formula.Var(0) - _FLOOR
_HALF = Fraction(1, 2)


def _rounding_error(piece: formula.Piece) -> tuple[Fraction, Fraction] | None:
    """Bounds of the piece's value minus x, if it is an integer next to x."""
    match piece.term:
        case formula.Add(term, formula.Const(shift)):
            pass
        case term:
            shift = Fraction(0)
    if term == _CEIL:
        return shift, shift + 1
    if term != _FLOOR:
        return None
    parts = (
        piece.condition.parts if isinstance(piece.condition, formula.And) else (piece.condition,)
    )
    low, high = Fraction(-1), Fraction(0)
    for relation in (
        p.relation for p in parts if isinstance(p, formula.Compare) and _is_half(p.term)
    ):
        if 1 not in relation.signs:
            low = -_HALF
        if -1 not in relation.signs:
            high = -_HALF
    return low + shift, high + shift


def _is_half(term: formula.Term) -> bool:
    """Whether it is the fractional part of x minus a half."""
    return term == _FRACTION - _HALF


def _rounding(
    meaning: Pointwise, params: Params, errors: Sequence[tuple[Fraction, Fraction]]
) -> Scalar:
    """A function with integer values, no further from x than the errors say."""
    least, most = min(low for low, _ in errors), max(high for _, high in errors)

    def span(x: Interval) -> Interval:
        ends = Enclosure(x.lower, x.upper)
        found = pointwise_enclosure(meaning, [ends], params, x.lower.shape)
        if found is None:
            return Interval(np.full_like(x.lower, -np.inf), np.full_like(x.upper, np.inf))
        return Interval(found.lower, found.upper)

    def lines(x: Interval) -> Lines:
        x = _guard(x)
        bounds = span(x)
        # where it takes few values these are nearer than the lines beside x
        flat = ~(bounds.upper - bounds.lower > float(most - least))
        slope = np.where(flat, 0.0, 1.0)
        low = np.where(flat, bounds.lower, float_down(least))
        return Lines(slope, low, slope, np.where(flat, bounds.upper, float_up(most)))

    # in the search for a violation its slope counts as that of x
    return Scalar(lambda x: span(Interval(x, x)).lower, np.ones_like, span, lines, integral=True)


# smooth functions

_Signs = tuple[int, int] | None
"""The signs of the second derivative below and above 0; None if it is the negative value."""

_SMOOTH: Mapping[
    formula.Elementary, tuple[Callable[[Array], Array], Callable[[Array], Array], _Signs]
] = {
    formula.Elementary.TANH: (np.tanh, lambda x: 1 / np.cosh(np.clip(x, -300, 300)) ** 2, (1, -1)),
    formula.Elementary.EXP: (np.exp, np.exp, (1, 1)),
    formula.Elementary.SIN: (np.sin, np.cos, None),
    formula.Elementary.COS: (np.cos, lambda x: -np.sin(x), None),
}
_LOGISTIC = Fraction(1) / (1 + formula.call(formula.Elementary.EXP, -formula.Var(0)))


def _logistic(x: Array) -> Array:
    return (1 + np.tanh(x / 2)) / 2


def _logistic_range(x: Interval) -> Interval:
    half = elementary(formula.Elementary.TANH, Interval(x.lower / 2, x.upper / 2))
    low, high = (half.lower + 1) / 2, (half.upper + 1) / 2
    return Interval(
        np.maximum(np.nextafter(low, -1.0), 0.0), np.minimum(np.nextafter(high, 2.0), 1.0)
    )


def reciprocal() -> Scalar:
    """``1 / x`` away from 0."""
    return _smooth(
        lambda x: 1 / x, lambda x: -1 / (x * x), lambda x: divide(point(1.0), x), (-1, 1)
    )


def _smooth(
    value: Callable[[Array], Array],
    slope: Callable[[Array], Array],
    span: Callable[[Interval], Interval],
    signs: _Signs,
) -> Scalar:
    """A differentiable function: a chord on one side, the tangent at the middle on the other.

    Where it is not known to be convex or concave, the range is all that is known.
    """

    def lines(x: Interval) -> Lines:
        bounds = span(x)
        if signs is None:
            bend = np.where(bounds.lower >= 0, -1.0, np.where(bounds.upper <= 0, 1.0, 0.0))
        else:
            below, above = signs
            mixed = np.where(x.lower > 0, above, np.where(x.upper < 0, below, 0.0))
            bend = mixed if below != above else np.full_like(x.lower, below)
        usable = np.isfinite(x.lower) & np.isfinite(x.upper) & (bend != 0)
        if not usable.any():
            return _flat(bounds)
        low, high = np.where(usable, x.lower, 0.0), np.where(usable, x.upper, 0.0)
        middle = (low + high) / 2
        left, right, at = (span(Interval(p, p)) for p in (low, high, middle))
        # a concave function is the negative of a convex one
        sign = np.where(bend >= 0, 1.0, -1.0)
        bottom, tangent = np.where(bend >= 0, at.lower, -at.upper), sign * slope(middle)
        reach = np.maximum(high - middle, middle - low)
        slack = (np.abs(tangent) + 2.0**-50) * reach * _SLOPE_ERROR
        slack += (np.abs(bottom) + np.abs(tangent * middle)) * 2.0**-50 + _TINY
        support = tangent, bottom - tangent * middle - slack
        bend = np.where(usable, bend, 0.0)
        return _enclose(Interval(low, high), (left, right), bend, support, bounds)

    return Scalar(value, slope, span, lines)

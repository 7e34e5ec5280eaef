"""Scalar functions between two lines: sound linear bounds over an interval, and ranges.

Every bound holds in real arithmetic: intercepts are rounded outward after the slope is fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array

__all__ = ["Lines", "Scalar", "clipped", "leaky", "magnitude", "rectifier", "smooth", "threshold"]

_UP = 1 + 2.0**-50
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

    ``kinked`` says that the lower slope is free in [0, 1] where the interval straddles 0,
    ``jumps`` that the function is piecewise constant.
    """

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    range: Callable[[Interval], Interval]
    lines: Callable[[Interval], Lines]
    kinked: bool = False
    jumps: bool = False


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


def rectifier() -> Scalar:
    """``max(x, 0)``."""

    def lines(x: Interval) -> Lines:
        on, off = x.lower >= 0, x.upper <= 0
        width = np.where(on | off, 1.0, x.upper - x.lower)
        slope = np.where(on, 1.0, np.where(off, 0.0, x.upper / width))
        over = np.maximum(-slope * x.lower, (1 - slope) * x.upper) * _UP + _TINY
        lower = np.where(on, 1.0, np.where(off, 0.0, (x.upper > -x.lower).astype(np.float64)))
        zero = np.zeros_like(slope)
        return Lines(lower, zero, slope, np.where(on | off, 0.0, over))

    return Scalar(
        "relu",
        lambda x: np.maximum(x, 0.0),
        lambda x: (x > 0).astype(np.float64),
        lambda x: Interval(np.maximum(x.lower, 0.0), np.maximum(x.upper, 0.0)),
        lines,
        kinked=True,
    )


def leaky(alpha: float) -> Scalar:
    """``x`` for x ≥ 0 and ``alpha x`` for x ≤ 0, with 0 ≤ alpha ≤ 1: convex."""

    def value(x: Array) -> Array:
        return np.where(x >= 0, x, alpha * x)

    def outward(x: Interval) -> Interval:
        low, high = value(x.lower), value(x.upper)
        return Interval(
            np.where(x.lower >= 0, low, np.nextafter(low, -np.inf)),
            np.where(x.upper >= 0, high, np.nextafter(high, np.inf)),
        )

    def lines(x: Interval) -> Lines:
        ends = outward(x)
        top = Interval(ends.lower + np.abs(ends.lower) * 2.0**-51, ends.upper)
        slope, over = _chord(x, top.lower, top.upper)
        rising = (x.lower >= 0) | (x.upper > -x.lower)
        falling = x.upper <= 0
        lower = np.where(rising & ~falling, 1.0, alpha)
        exact = (x.lower >= 0) | falling
        # alpha is the float nearest to the parameter, so the tail is off by one unit at most
        slack = np.where(x.lower >= 0, 0.0, np.abs(x.lower) * 2.0**-52 + _TINY)
        slope, over = np.where(exact, lower, slope), np.where(exact, slack, over + slack)
        return Lines(lower, -slack, slope, over)

    return Scalar("leaky_relu", value, lambda x: np.where(x > 0, 1.0, alpha), outward, lines)


def magnitude() -> Scalar:
    """``|x|``."""

    def span(x: Interval) -> Interval:
        far = np.maximum(np.abs(x.lower), np.abs(x.upper))
        near = np.where(x.lower > 0, x.lower, np.where(x.upper < 0, -x.upper, 0.0))
        return Interval(near, far)

    def lines(x: Interval) -> Lines:
        on, off = x.lower >= 0, x.upper <= 0
        slope, over = _chord(x, np.abs(x.lower), np.abs(x.upper))
        side = np.where(on | (~off & (x.upper > -x.lower)), 1.0, -1.0)
        zero = np.zeros_like(slope)
        exact = on | off
        return Lines(side, zero, np.where(exact, side, slope), np.where(exact, 0.0, over))

    return Scalar("abs", np.abs, np.sign, span, lines)


def clipped(low: float, high: float, unit: float = 0.0) -> Scalar:
    """``min(max(x, low), high)``; the true ends are within ``unit`` of the given ones."""

    def value(x: Array) -> Array:
        return np.clip(x, low, high)

    def span(x: Interval) -> Interval:
        return Interval(value(x.lower) - unit, value(x.upper) + unit)

    def lines(x: Interval) -> Lines:
        ends = span(x)
        inside = (x.lower >= low) & (x.upper <= high)
        flat = (x.upper <= low) | (x.lower >= high)
        # convex where only the lower end bends, concave where only the upper one does
        convex, concave = x.upper <= high, x.lower >= low
        slope, over = _chord(x, ends.lower + 2 * unit, ends.upper)
        under_slope, under = _chord(x, -ends.lower, 2 * unit - ends.upper)
        high_slope = np.where(flat, 0.0, np.where(inside, 1.0, np.where(convex, slope, 0.0)))
        high_at = np.where(flat, ends.upper, np.where(inside, unit, ends.upper))
        high_at = np.where(~flat & ~inside & convex, over, high_at)
        low_slope = np.where(flat, 0.0, np.where(inside, 1.0, np.where(concave, -under_slope, 0.0)))
        low_at = np.where(flat, ends.lower, np.where(inside, -unit, ends.lower))
        low_at = np.where(~flat & ~inside & concave, -under, low_at)
        return Lines(low_slope, low_at, high_slope, high_at)

    return Scalar("clip", value, lambda x: ((x > low) & (x < high)) * 1.0, span, lines)


def threshold(below: float, at_zero: float, name: str) -> Scalar:
    """``below`` for x < 0, ``at_zero`` at 0 and 1 for x > 0, with at_zero between the others."""

    def value(x: Array) -> Array:
        return np.where(x > 0, 1.0, np.where(x < 0, below, at_zero))

    def span(x: Interval) -> Interval:
        return Interval(value(x.lower), value(x.upper))

    def ramp(x: Array) -> Array:
        # in the search for a violation the jump counts as a ramp as wide as the arguments are
        reach = np.abs(x).mean(-1, keepdims=True) + 1e-12
        return np.exp(-np.abs(x) / reach) / reach

    return Scalar(name, value, ramp, span, lambda x: _flat(span(x)), jumps=True)


def smooth(
    name: str,
    value: Callable[[Array], Array],
    slope: Callable[[Array], Array],
    span: Callable[[Interval], Interval],
    convexity: Callable[[Interval], Array],
) -> Scalar:
    """A differentiable function; ``convexity`` is 1, -1 or 0 (unknown) on each interval.

    Where it is known, the chord bounds one side and the tangent at the middle the other.
    """

    def lines(x: Interval) -> Lines:
        bounds = span(x)
        bend = convexity(x)
        middle = (x.lower + x.upper) / 2
        usable = np.isfinite(x.lower) & np.isfinite(x.upper) & (bend != 0)
        points = [np.where(usable, p, 0.0) for p in (x.lower, x.upper, middle)]
        if not usable.any():
            return _flat(bounds)
        ends = [span(Interval(p, p)) for p in points]
        # a concave function is the negative of a convex one
        sign = np.where(bend >= 0, 1.0, -1.0)
        tops = [np.where(bend >= 0, e.upper, -e.lower) for e in ends]
        bottom = np.where(bend >= 0, ends[2].lower, -ends[2].upper)
        at = Interval(points[0], points[1])
        chord, over = _chord(at, tops[0], tops[1])
        tangent = sign * slope(points[2])
        usable &= np.isfinite(tangent) & np.isfinite(over) & np.isfinite(bottom)
        tangent, over = np.where(usable, tangent, 0.0), np.where(usable, over, 0.0)
        reach = np.maximum(points[1] - points[2], points[2] - points[0])
        slack = (np.abs(tangent) + 2.0**-50) * reach * _SLOPE_ERROR
        slack += (np.abs(bottom) + np.abs(tangent * points[2])) * 2.0**-50 + _TINY
        under = bottom - tangent * points[2] - slack
        flat = _flat(bounds)
        convex = Lines(tangent, under, chord, over)
        concave = Lines(-chord, -over, -tangent, -under)
        picked = [np.where(bend >= 0, a, b) for a, b in zip(convex, concave, strict=True)]
        return Lines(*(np.where(usable, a, b) for a, b in zip(picked, flat, strict=True)))

    return Scalar(name, value, slope, span, lines)

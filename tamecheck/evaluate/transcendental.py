"""Enclosures of the elementary functions at and between floats, from arb.

Each value is rounded to the nearest float64 and then moved one unit outward, which leaves a
relative margin of at least 2**-55; functions with a zero move 2**-80 further.  The margin is there
so that a certificate kernel with its own, slightly wider, series confirms every bound.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import assert_never

import numpy as np
from flint import arb, ctx, fmpq

from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.formula import Elementary
from tamecheck.ir.tensor import Array

__all__ = ["elementary", "root"]

_BITS = 128
_ABSOLUTE = 2.0**-80
_HALF_PI = 1.5707963267948966
_LARGEST_ANGLE = 2.0**40


def elementary(function: Elementary, x: Interval) -> Interval:
    """The range of a function on intervals inside its domain."""
    match function:
        case Elementary.EXP:
            return Interval(
                np.maximum(_lower(arb.exp, x.lower, (0.0, np.inf), 0.0), 0.0),
                _upper(arb.exp, x.upper, (0.0, np.inf), 0.0),
            )
        case Elementary.COSH:
            near = np.where(
                (x.lower <= 0) & (x.upper >= 0), 0.0, np.minimum(abs(x.lower), abs(x.upper))
            )
            far = np.maximum(abs(x.lower), abs(x.upper))
            limits = (np.inf, np.inf)
            return Interval(_lower(arb.cosh, near, limits, 0.0), _upper(arb.cosh, far, limits, 0.0))
        case Elementary.LOG:
            return _increasing(arb.log, x, (-np.inf, np.inf))
        case Elementary.ASIN:
            return _increasing(arb.asin, x, (-np.inf, np.inf))
        case Elementary.ACOS:
            limits = (np.inf, -np.inf)
            return Interval(
                _lower(arb.acos, x.upper, limits, _ABSOLUTE),
                _upper(arb.acos, x.lower, limits, _ABSOLUTE),
            )
        case Elementary.ATAN:
            return _increasing(arb.atan, x, (-_HALF_PI, _HALF_PI))
        case Elementary.SINH:
            return _increasing(arb.sinh, x, (-np.inf, np.inf))
        case Elementary.TANH:
            return _clipped(_increasing(arb.tanh, x, (-1.0, 1.0)))
        case Elementary.ASINH:
            return _increasing(arb.asinh, x, (-np.inf, np.inf))
        case Elementary.ACOSH:
            return _increasing(arb.acosh, x, (-np.inf, np.inf))
        case Elementary.ATANH:
            return _increasing(arb.atanh, x, (-np.inf, np.inf))
        case Elementary.ERF:
            return _clipped(_increasing(arb.erf, x, (-1.0, 1.0)))
        case Elementary.SIN:
            return _wave(arb.sin, x, 1.0)
        case Elementary.COS:
            return _wave(arb.cos, x, 0.0)
        case Elementary.TAN:
            return _tangent(x)
        case _:
            assert_never(function)


def root(x: Interval, exponent: Fraction) -> Interval:
    """``x ** exponent`` for a non-integer exponent and ``x >= 0`` (``> 0`` when negative)."""
    power = fmpq(exponent.numerator, exponent.denominator)
    if exponent < 0:
        limits = (np.inf, 0.0)
        low = _lower(lambda ball: ball**power, x.upper, limits, 0.0)
        return Interval(
            np.maximum(low, 0.0), _upper(lambda ball: ball**power, x.lower, limits, 0.0)
        )
    limits = (-np.inf, np.inf)
    low = _lower(lambda ball: ball**power, x.lower, limits, 0.0)
    high = _upper(lambda ball: ball**power, x.upper, limits, 0.0)
    return Interval(
        np.where(x.lower == 0, 0.0, np.maximum(low, 0.0)), np.where(x.upper == 0, 0.0, high)
    )


def _increasing(
    function: Callable[[arb], arb], x: Interval, limits: tuple[float, float]
) -> Interval:
    return Interval(
        _lower(function, x.lower, limits, _ABSOLUTE), _upper(function, x.upper, limits, _ABSOLUTE)
    )


def _lower(
    function: Callable[[arb], arb], at: Array, limits: tuple[float, float], margin: float
) -> Array:
    near = _nearest(function, at, limits, np.nan)
    below = np.nextafter(near, -np.inf) - margin
    return np.where(np.isnan(near), -np.inf, below)


def _upper(
    function: Callable[[arb], arb], at: Array, limits: tuple[float, float], margin: float
) -> Array:
    near = _nearest(function, at, limits, np.nan)
    above = np.nextafter(near, np.inf) + margin
    return np.where(np.isnan(near), np.inf, above)


def _nearest(
    function: Callable[[arb], arb], at: Array, limits: tuple[float, float], missing: float
) -> Array:
    """The function at each distinct float, to nearest; ``limits`` are its values at -inf, inf."""
    distinct, places = np.unique(at, return_inverse=True)
    with ctx.workprec(_BITS):
        found = [_value(function, value, limits, missing) for value in distinct.tolist()]
    return np.array(found, dtype=np.float64)[places].reshape(np.shape(at))


def _value(
    function: Callable[[arb], arb], at: float, limits: tuple[float, float], missing: float
) -> float:
    if at == np.inf:
        return limits[1]
    if at == -np.inf:
        return limits[0]
    ball = function(arb(at))
    if not ball.is_finite():
        return missing
    # a ball that has lost most of its bits does not round to one float
    coarse = ball.rad() * 2**60 > abs(ball) and ball.rad() * 2**90 > arb(1)
    return missing if coarse else float(ball.mid())


def _clipped(x: Interval) -> Interval:
    return Interval(np.maximum(x.lower, -1.0), np.minimum(x.upper, 1.0))


def _wave(function: Callable[[arb], arb], x: Interval, quarter: float) -> Interval:
    """Sine (quarter 1) or cosine (quarter 0): 1 at quarter*pi/2 + 2k pi, -1 half a period on."""
    wide = (np.maximum(abs(x.lower), abs(x.upper)) > _LARGEST_ANGLE) | (x.upper - x.lower > 7)
    low, high = np.where(wide, 0.0, x.lower), np.where(wide, 0.0, x.upper)
    ends = Interval(
        np.minimum(
            _lower(function, low, (np.nan, np.nan), _ABSOLUTE),
            _lower(function, high, (np.nan, np.nan), _ABSOLUTE),
        ),
        np.maximum(
            _upper(function, low, (np.nan, np.nan), _ABSOLUTE),
            _upper(function, high, (np.nan, np.nan), _ABSOLUTE),
        ),
    )
    top = wide | _meets(low, high, quarter * _HALF_PI)
    bottom = wide | _meets(low, high, (quarter + 2) * _HALF_PI)
    return _clipped(Interval(np.where(bottom, -1.0, ends.lower), np.where(top, 1.0, ends.upper)))


def _meets(low: Array, high: Array, phase: float) -> Array:
    """Whether ``phase + 2k pi`` may lie between, with room for the rounding of all of this."""
    first, last = (low - phase) / (4 * _HALF_PI), (high - phase) / (4 * _HALF_PI)
    room = 1e-14 * (1 + abs(first) + abs(last))
    return np.ceil(first - room) <= np.floor(last + room)


def _tangent(x: Interval) -> Interval:
    """The tangent where the cosine has no zero, which makes it increasing; else no bound."""
    cosine = _wave(arb.cos, x, 0.0)
    pole = (cosine.lower <= 0) & (cosine.upper >= 0)
    found = _increasing(arb.tan, x, (np.nan, np.nan))
    return Interval(np.where(pole, -np.inf, found.lower), np.where(pole, np.inf, found.upper))

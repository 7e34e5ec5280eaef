"""Interval arithmetic on float64 arrays, rounded outward by at most one unit in the last place.

A sum or product that float64 holds exactly is not widened.  Bounds are bounds of *reals*: an
infinite one means "none", so zero times no bound is zero.

Values of elementary functions are those of arb, rounded to the nearest float64 and then moved one
unit outward, which leaves a relative margin of at least 2**-55; functions with a zero move 2**-80
further.  The margin is there so that a certificate kernel with its own, slightly wider, series
confirms every bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

import numpy as np
from flint import arb, fmpq

from tamecheck.exact.reals import BITS, working_precision
from tamecheck.ir.formula import Elementary
from tamecheck.ir.tensor import Array


class Interval(NamedTuple):
    """Lower and upper bounds, arrays that broadcast together."""

    lower: Array
    upper: Array


def point(value: float) -> Interval:
    """The interval of one float."""
    both = np.asarray(value)
    return Interval(both, both)


def rounded_down(value: Array, error: Array) -> Array:
    """A lower bound of ``value + error``, where a NaN error is one of unknown sign."""
    return np.where(error >= 0, value, np.nextafter(value, -np.inf))


def rounded_up(value: Array, error: Array) -> Array:
    """An upper bound of ``value + error``, where a NaN error is one of unknown sign."""
    return np.where(error <= 0, value, np.nextafter(value, np.inf))


def negate(x: Interval) -> Interval:
    """``-x``."""
    return Interval(-x.upper, -x.lower)


def add(x: Interval, y: Interval) -> Interval:
    """``x + y``."""
    low, high = x.lower + y.lower, x.upper + y.upper
    return Interval(
        rounded_down(low, sum_error(x.lower, y.lower, low)),
        rounded_up(high, sum_error(x.upper, y.upper, high)),
    )


def subtract(x: Interval, y: Interval) -> Interval:
    """``x - y``."""
    return add(x, negate(y))


def multiply(x: Interval, y: Interval) -> Interval:
    """``x y``, by its four corners."""
    return _hull([_product_of(a, b) for a in _ends(x) for b in _ends(y)])


def _hull(corners: Sequence[tuple[Array, Array]]) -> Interval:
    lows, highs = zip(*corners, strict=True)
    return Interval(reduce(np.minimum, lows), reduce(np.maximum, highs))


class _Factor(NamedTuple):
    """A factor of products, and what is asked of it in each of them."""

    value: Array
    size: Array
    parts: tuple[Array, Array]


def _ends(x: Interval) -> list[_Factor]:
    """The lower end and the upper one, or both as one where they are the same array."""
    ends = (x.lower,) if x.lower is x.upper else x
    return [_factor(end) for end in ends]


def _factor(a: Array) -> _Factor:
    return _Factor(a, np.abs(a), _split(a))


def _product(a: Array, b: Array) -> tuple[Array, Array]:
    return _product_of(_factor(a), _factor(b))


def _product_of(a: _Factor, b: _Factor) -> tuple[Array, Array]:
    value = a.value * b.value
    error = _product_error(a, b, value)
    zero = (a.value == 0) | (b.value == 0)
    value, error = np.where(zero, 0.0, value), np.where(zero, 0.0, error)
    return rounded_down(value, error), rounded_up(value, error)


def divide(x: Interval, y: Interval) -> Interval:
    """``x / y``; no bound at all where 0 is in ``y``."""
    low, high = _hull([_quotient(a, b) for a in x for b in y])
    pole = (y.lower <= 0) & (y.upper >= 0)
    return Interval(np.where(pole, -np.inf, low), np.where(pole, np.inf, high))


def _quotient(a: Array, b: Array) -> tuple[Array, Array]:
    value = a / b
    back = value * b
    exact = (back == a) & (product_error(value, b, back) == 0)
    # the reciprocal of "no bound" is 0, and zero times "no bound" is 0
    vanishing = np.isinf(b) | (a == 0)
    value = np.where(vanishing, 0.0, value)
    error = np.where(vanishing | exact, 0.0, np.nan)
    return rounded_down(value, error), rounded_up(value, error)


def floor(x: Interval) -> Interval:
    """The floor of ``x``, which is exact."""
    return Interval(np.floor(x.lower), np.floor(x.upper))


def integer_power(x: Interval, exponent: int) -> Interval:
    """``x ** exponent``, with the square of an interval never negative."""
    if exponent < 0:
        return divide(point(1.0), integer_power(x, -exponent))
    if exponent == 0:
        one = np.ones(np.broadcast_shapes(np.shape(x.lower), np.shape(x.upper)))
        return Interval(one, one)
    if exponent % 2:
        low = np.where(x.lower >= 0, *_both(x.lower, exponent, upward=False))
        high = np.where(x.upper >= 0, *_both(x.upper, exponent, upward=True))
        return Interval(low, high)
    near = np.where((x.lower <= 0) & (x.upper >= 0), 0.0, np.minimum(abs(x.lower), abs(x.upper)))
    far = np.maximum(abs(x.lower), abs(x.upper))
    return Interval(_raised(near, exponent, upward=False), _raised(far, exponent, upward=True))


def _both(base: Array, exponent: int, *, upward: bool) -> tuple[Array, Array]:
    size = abs(base)
    return _raised(size, exponent, upward=upward), -_raised(size, exponent, upward=not upward)


def _raised(base: Array, exponent: int, *, upward: bool) -> Array:
    """A bound of ``base ** exponent`` for ``base >= 0``, by repeated squaring."""
    side = 1 if upward else 0
    result: Array | None = None
    while True:
        if exponent % 2:
            result = base if result is None else _product(result, base)[side]
        exponent //= 2
        if exponent == 0:
            return np.asarray(result)
        base = _product(base, base)[side]


_SPLITTER = 134217729.0
_SAFE_HIGH = 2.0**480
_SAFE_LOW = 2.0**-480


def sum_error(a: Array, b: Array, total: Array) -> Array:
    """``(a + b) - total`` exactly, for ``total`` the rounded sum; NaN where that overflowed."""
    back = total - a
    return (a - (total - back)) + (b - back)


def product_error(a: Array, b: Array, product: Array) -> Array:
    """``a b - product`` exactly, for ``product`` the rounded product; NaN where not known.

    Not known means that a factor is so large or so small that the splitting of the factors could
    overflow or underflow.  A zero factor gives 0.
    """
    return _product_error(_factor(a), _factor(b), product)


def _product_error(a: _Factor, b: _Factor, product: Array) -> Array:
    (high_a, low_a), (high_b, low_b) = a.parts, b.parts
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    safe = (np.maximum(a.size, b.size) < _SAFE_HIGH) & (np.minimum(a.size, b.size) > _SAFE_LOW)
    if safe.all():
        return np.asarray(error)
    zero = ((a.size == 0) & np.isfinite(b.value)) | ((b.size == 0) & np.isfinite(a.value))
    return np.where(safe, error, np.where(zero, 0.0, np.nan))


def _split(a: Array) -> tuple[Array, Array]:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


_ABSOLUTE = 2.0**-80
_HALF_PI = 1.5707963267948966
_LARGEST_ANGLE = 2.0**40


@dataclass(frozen=True, slots=True)
class _Function:
    """A function as arb computes it, its limits at -inf and inf, and its absolute margin."""

    at: Callable[[arb], arb]
    limits: tuple[float, float] = (-np.inf, np.inf)
    margin: float = _ABSOLUTE


_INCREASING: Mapping[Elementary, _Function] = {
    Elementary.EXP: _Function(arb.exp, (0.0, np.inf), 0.0),
    Elementary.LOG: _Function(arb.log),
    Elementary.ASIN: _Function(arb.asin),
    Elementary.ATAN: _Function(arb.atan, (-_HALF_PI, _HALF_PI)),
    Elementary.SINH: _Function(arb.sinh),
    Elementary.TANH: _Function(arb.tanh, (-1.0, 1.0)),
    Elementary.ASINH: _Function(arb.asinh),
    Elementary.ACOSH: _Function(arb.acosh),
    Elementary.ATANH: _Function(arb.atanh),
    Elementary.ERF: _Function(arb.erf, (-1.0, 1.0)),
}
_SINE = _Function(arb.sin, (np.nan, np.nan))
_COSINE = _Function(arb.cos, (np.nan, np.nan))
_TANGENT = _Function(arb.tan, (np.nan, np.nan))
_ACOS = _Function(arb.acos, (np.inf, -np.inf))
_COSH = _Function(arb.cosh, (np.inf, np.inf), 0.0)


def elementary(function: Elementary, x: Interval) -> Interval:
    """The range of a function on intervals inside its domain."""
    match function:
        case Elementary.SIN:
            return _wave(_SINE, x, 1.0)
        case Elementary.COS:
            return _wave(_COSINE, x, 0.0)
        case Elementary.TAN:
            return _tangent(x)
        case Elementary.ACOS:
            return Interval(_lower(_ACOS, x.upper), _upper(_ACOS, x.lower))
        case Elementary.COSH:
            straddles = (x.lower <= 0) & (x.upper >= 0)
            near = np.where(straddles, 0.0, np.minimum(abs(x.lower), abs(x.upper)))
            far = np.maximum(abs(x.lower), abs(x.upper))
            return Interval(_lower(_COSH, near), _upper(_COSH, far))
        case Elementary.TANH | Elementary.ERF:
            return _clipped(_increasing(_INCREASING[function], x))
        case Elementary.EXP:
            found = _increasing(_INCREASING[function], x)
            return Interval(np.maximum(found.lower, 0.0), found.upper)
        case _:
            return _increasing(_INCREASING[function], x)


def root(x: Interval, exponent: Fraction) -> Interval:
    """``x ** exponent`` for a non-integer exponent and ``x >= 0`` (``> 0`` when negative)."""
    power = fmpq(exponent.numerator, exponent.denominator)
    if exponent < 0:
        falling = _Function(lambda ball: ball**power, (np.inf, 0.0), 0.0)
        low = np.maximum(_lower(falling, x.upper), 0.0)
        return Interval(low, _upper(falling, x.lower))
    rising = _Function(lambda ball: ball**power, margin=0.0)
    low = np.maximum(_lower(rising, x.lower), 0.0)
    return Interval(
        np.where(x.lower <= 0, 0.0, low), np.where(x.upper == 0, 0.0, _upper(rising, x.upper))
    )


def _increasing(function: _Function, x: Interval) -> Interval:
    return Interval(_lower(function, x.lower), _upper(function, x.upper))


def _lower(function: _Function, at: Array) -> Array:
    near = _nearest(function, at)
    return np.where(np.isnan(near), -np.inf, np.nextafter(near, -np.inf) - function.margin)


def _upper(function: _Function, at: Array) -> Array:
    near = _nearest(function, at)
    return np.where(np.isnan(near), np.inf, np.nextafter(near, np.inf) + function.margin)


def _nearest(function: _Function, at: Array) -> Array:
    """The function at each distinct float, to nearest; NaN where it has no value."""
    distinct, places = np.unique(at, return_inverse=True)
    with working_precision(BITS):
        found = [_value(function, value) for value in distinct.tolist()]
    return np.array(found, dtype=np.float64)[places].reshape(np.shape(at))


def _value(function: _Function, at: float) -> float:
    if np.isinf(at):
        return function.limits[1 if at > 0 else 0]
    ball = function.at(arb(at))
    if not ball.is_finite():
        return float("nan")
    middle, radius = ball.mid(), ball.rad()
    # a ball that has lost most of its bits does not round to one float
    sharp = radius * 2**60 <= abs(middle) or radius * 2**90 <= arb(1)
    return float(middle) if sharp else float("nan")


def _clipped(x: Interval) -> Interval:
    return Interval(np.maximum(x.lower, -1.0), np.minimum(x.upper, 1.0))


def _wave(function: _Function, x: Interval, quarter: float) -> Interval:
    """Sine (quarter 1) or cosine (quarter 0): 1 at quarter*pi/2 + 2k pi, -1 half a period on."""
    wide = (np.maximum(abs(x.lower), abs(x.upper)) > _LARGEST_ANGLE) | (x.upper - x.lower > 7)
    low, high = np.where(wide, 0.0, x.lower), np.where(wide, 0.0, x.upper)
    lower = np.minimum(_lower(function, low), _lower(function, high))
    upper = np.maximum(_upper(function, low), _upper(function, high))
    top = wide | _meets(low, high, quarter * _HALF_PI)
    bottom = wide | _meets(low, high, (quarter + 2) * _HALF_PI)
    return _clipped(Interval(np.where(bottom, -1.0, lower), np.where(top, 1.0, upper)))


def _meets(low: Array, high: Array, phase: float) -> Array:
    """Whether ``phase + 2k pi`` may lie between, with room for the rounding of all of this."""
    first, last = (low - phase) / (4 * _HALF_PI), (high - phase) / (4 * _HALF_PI)
    room = 1e-14 * (1 + abs(first) + abs(last))
    return np.ceil(first - room) <= np.floor(last + room)


def _tangent(x: Interval) -> Interval:
    """The tangent where the cosine has no zero, which makes it increasing; else no bound."""
    cosine = _wave(_COSINE, x, 0.0)
    pole = (cosine.lower <= 0) & (cosine.upper >= 0)
    found = _increasing(_TANGENT, x)
    return Interval(np.where(pole, -np.inf, found.lower), np.where(pole, np.inf, found.upper))

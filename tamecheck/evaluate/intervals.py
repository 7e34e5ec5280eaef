"""Interval arithmetic on float64 arrays, rounded outward by at most one unit in the last place.

A sum or product that float64 holds exactly is not widened.  Bounds are bounds of *reals*: an
infinite one means "none", so zero times no bound is zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tamecheck.ir.tensor import Array


class Interval(NamedTuple):
    """Lower and upper bounds, arrays that broadcast together."""

    lower: Array
    upper: Array


def point(value: float) -> Interval:
    """The interval of one float."""
    return Interval(np.asarray(value), np.asarray(value))


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
    corners = [_product(a, b) for a in x for b in y]
    low, high = corners[0]
    for other_low, other_high in corners[1:]:
        low, high = np.minimum(low, other_low), np.maximum(high, other_high)
    return Interval(low, high)


def _product(a: Array, b: Array) -> tuple[Array, Array]:
    value = a * b
    error = product_error(a, b, value)
    value = np.where((a == 0) | (b == 0), 0.0, value)
    error = np.where((a == 0) | (b == 0), 0.0, error)
    return rounded_down(value, error), rounded_up(value, error)


def divide(x: Interval, y: Interval) -> Interval:
    """``x / y``; no bound at all where 0 is in ``y``."""
    corners = [_quotient(a, b) for a in x for b in y]
    low, high = corners[0]
    for other_low, other_high in corners[1:]:
        low, high = np.minimum(low, other_low), np.maximum(high, other_high)
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
    high_a, low_a = _split(a)
    high_b, low_b = _split(b)
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    size_a, size_b = np.abs(a), np.abs(b)
    safe = (np.maximum(size_a, size_b) < _SAFE_HIGH) & (np.minimum(size_a, size_b) > _SAFE_LOW)
    zero = ((size_a == 0) & np.isfinite(b)) | ((size_b == 0) & np.isfinite(a))
    return np.where(safe, error, np.where(zero, 0.0, np.nan))


def _split(a: Array) -> tuple[Array, Array]:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high

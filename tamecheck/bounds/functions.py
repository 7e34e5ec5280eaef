"""Which scalar function an op is, as `Scalar`: the table of ops that have linear bounds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tamecheck.bounds.scalar import (
    Scalar,
    clipped,
    leaky,
    magnitude,
    rectifier,
    smooth,
    threshold,
)
from tamecheck.evaluate.enclosure import float_down, float_up
from tamecheck.evaluate.intervals import Interval, divide, integer_power, point
from tamecheck.evaluate.transcendental import elementary
from tamecheck.ir.formula import Elementary
from tamecheck.ir.op import Params
from tamecheck.ir.tensor import Array
from tamecheck.ops.rectifiers import fraction

__all__ = ["reciprocal", "scalar_of"]


def scalar_of(name: str, params: Params) -> Scalar | None:
    """The function of a pointwise op with one variable argument, None if it has no lines."""
    match name:
        case "relu":
            return rectifier()
        case "leaky_relu" if 0 <= fraction(params, "alpha") <= 1:
            return leaky(float(fraction(params, "alpha")))
        case "abs":
            return magnitude()
        case "clip":
            return _clip(params)
        case "sign" | "step":
            return _threshold(name, fraction(params, "at_zero"))
        case "pow":
            return _power(fraction(params, "exponent"))
        case _:
            return _transcendental(name)


def _threshold(name: str, at_zero: Fraction) -> Scalar | None:
    below = -1.0 if name == "sign" else 0.0
    if not below <= at_zero <= 1 or Fraction(float(at_zero)) != at_zero:
        return None
    return threshold(below, float(at_zero), name)


def _clip(params: Params) -> Scalar:
    low, high = params["lo"], params["hi"]
    ends = [value for value in (low, high) if isinstance(value, Fraction)]
    exact = all(Fraction(float_down(value)) == value for value in ends)
    unit = 0.0 if exact else float_up(max(abs(value) for value in ends)) * 2.0**-51
    return clipped(
        float_down(low) if isinstance(low, Fraction) else -np.inf,
        float_down(high) if isinstance(high, Fraction) else np.inf,
        unit,
    )


def _power(exponent: Fraction) -> Scalar | None:
    if exponent.denominator != 1 or exponent < 1:
        return None
    n = int(exponent)

    def bend(x: Interval) -> Array:
        if n == 1 or n % 2 == 0:
            return np.ones_like(x.lower)
        return _sides(x, convex_above=True)

    return smooth(
        "pow",
        lambda x: x**n,
        lambda x: n * x ** (n - 1),
        lambda x: integer_power(x, n),
        bend,
    )


def reciprocal() -> Scalar:
    """``1 / x`` away from 0."""
    return smooth(
        "reciprocal",
        lambda x: 1 / x,
        lambda x: -1 / (x * x),
        lambda x: divide(point(1.0), x),
        lambda x: _sides(x, convex_above=True),
    )


def _sides(x: Interval, *, convex_above: bool) -> Array:
    """The convexity of a function with its one inflection, or pole, at 0."""
    sign = 1.0 if convex_above else -1.0
    return np.where(x.lower > 0, sign, np.where(x.upper < 0, -sign, 0.0))


def _logistic(x: Interval) -> Interval:
    half = elementary(Elementary.TANH, Interval(x.lower / 2, x.upper / 2))
    low, high = (half.lower + 1) / 2, (half.upper + 1) / 2
    return Interval(
        np.maximum(np.nextafter(low, -1.0), 0.0), np.minimum(np.nextafter(high, 2.0), 1.0)
    )


def _logistic_value(x: Array) -> Array:
    return (1 + np.tanh(x / 2)) / 2


def _wave(function: Elementary, x: Interval) -> Array:
    """The second derivative of a sine or cosine is its negative."""
    found = elementary(function, x)
    return np.where(found.lower >= 0, -1.0, np.where(found.upper <= 0, 1.0, 0.0))


def _transcendental(name: str) -> Scalar | None:
    match name:
        case "sigmoid":
            return smooth(
                name,
                _logistic_value,
                lambda x: _logistic_value(x) * _logistic_value(-x),
                _logistic,
                lambda x: _sides(x, convex_above=False),
            )
        case "tanh":
            return smooth(
                name,
                np.tanh,
                lambda x: 1 / np.cosh(np.clip(x, -300, 300)) ** 2,
                lambda x: elementary(Elementary.TANH, x),
                lambda x: _sides(x, convex_above=False),
            )
        case "exp":
            return smooth(
                name,
                np.exp,
                np.exp,
                lambda x: elementary(Elementary.EXP, x),
                lambda x: np.ones_like(x.lower),
            )
        case "sin":
            return smooth(
                name,
                np.sin,
                np.cos,
                lambda x: elementary(Elementary.SIN, x),
                lambda x: _wave(Elementary.SIN, x),
            )
        case "cos":
            return smooth(
                name,
                np.cos,
                lambda x: -np.sin(x),
                lambda x: elementary(Elementary.COS, x),
                lambda x: _wave(Elementary.COS, x),
            )
        case _:
            return None

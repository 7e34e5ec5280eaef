"""Elementary functions of germs, as waves, exponentials and logarithms of other germs."""

from __future__ import annotations

from fractions import Fraction

from flint import arb, fmpq

from tamecheck.exact import reals
from tamecheck.exact.reals import UndecidedError
from tamecheck.ir.formula import Elementary
from tamecheck.tame.forms import ONE, Complex, Form, function, number
from tamecheck.tame.hardy import MARGIN, Germ, exponential, with_slope

_I: Complex = (fmpq(0), fmpq(1))


def call(name: Elementary, argument: Germ) -> Germ:
    """An elementary function of a germ.

    Raises `UndecidedError` where the value is not known to be in a Hardy field, or a wave over one.
    """
    match name:
        case Elementary.EXP:
            return exponential(argument.single())
        case Elementary.LOG:
            return Germ(argument.logarithm())
        case Elementary.SIN | Elementary.COS:
            return _wave(name, argument.single())
        case Elementary.TAN:
            angle = argument.single()
            return _wave(Elementary.SIN, angle) / _wave(Elementary.COS, angle)
        case Elementary.ATAN | Elementary.ERF | Elementary.ASIN | Elementary.ACOS:
            return _bounded(name, argument)
        case _:
            return _hyperbolic(name, argument)


def _hyperbolic(name: Elementary, argument: Germ) -> Germ:
    one = Germ(ONE)
    if name in (Elementary.SINH, Elementary.COSH, Elementary.TANH):
        there = exponential(argument.single())
        back = exponential(argument.scaled(Fraction(-1)).single())
        total, gap = there + back, there - back
        half = Fraction(1, 2)
        if name is Elementary.TANH:
            return gap / total
        return total.scaled(half) if name is Elementary.COSH else gap.scaled(half)
    if name is Elementary.ATANH:
        ratio = (one + argument) / (one - argument)
        return Germ(ratio.logarithm()).scaled(Fraction(1, 2))
    square = argument * argument
    inside = square + one if name is Elementary.ASINH else square - one
    return Germ((argument + root(inside)).logarithm())


def root(argument: Germ) -> Germ:
    """The square root of a positive germ."""
    return raised(argument, Germ(number(Fraction(1, 2))))


def raised(base: Germ, exponent: Germ) -> Germ:
    """``base ** exponent``: a natural power, or ``exp(exponent * log(base))``."""
    value = exponent.value()
    if value is not None and value.denominator == 1:
        return base.power(int(value))
    return exponential(exponent.single() * base.logarithm())


def _wave(name: Elementary, angle: Form) -> Germ:
    turn = angle.exponential(_I)
    if name is Elementary.SIN:
        return Germ((turn - turn.inverse()).scaled((fmpq(0), fmpq(-1, 2))))
    return Germ((turn + turn.inverse()).scaled((fmpq(1, 2), fmpq(0))))


_FAR = {Elementary.ATAN: arb.pi() / 2, Elementary.ERF: arb(1)}


def _bounded(name: Elementary, argument: Germ) -> Germ:
    side, limit = argument.limit()
    form, value = argument.single(), argument.value()
    if name in _FAR and side:
        return Germ(function(name.value, form, side * _FAR[name]))
    if not side and limit.is_zero() and name is not Elementary.ACOS:
        slope = 2 / arb.pi().sqrt() if name is Elementary.ERF else arb(1)
        return Germ(with_slope(name.value, form, slope))
    inside = name in _FAR or abs(limit) < 1 - arb(MARGIN)
    if side or not (inside or (value is not None and abs(value) == 1)):
        raise UndecidedError
    return Germ(function(name.value, form, arb(reals.call(name, limit))))

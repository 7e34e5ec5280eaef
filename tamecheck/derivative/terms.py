"""Derivatives of terms, as terms."""

from __future__ import annotations

from fractions import Fraction
from typing import assert_never

from tamecheck.ir.formula import Add, Call, Const, Div, Elementary, Floor, Mul, Pow, Term, Var

__all__ = ["derivative"]

ZERO, ONE = Const(Fraction(0)), Const(Fraction(1))
_HALF = Const(Fraction(1, 2))


def derivative(term: Term, variable: int) -> Term:  # noqa: C901 (a case for each constructor)
    """The partial derivative of a term with respect to a variable, away from jumps.

    Examples
    --------
    >>> from tamecheck.ir.formula import Var
    >>> derivative(Var(0) * 3, 0)
    Const(value=Fraction(3, 1))
    """
    match term:
        case Var(index):
            return ONE if index == variable else ZERO
        case Const():
            return ZERO
        case Add(left, right):
            return _plus(derivative(left, variable), derivative(right, variable))
        case Mul(left, right):
            return _plus(
                _times(derivative(left, variable), right), _times(left, derivative(right, variable))
            )
        case Div(top, low):
            rise = _times(derivative(top, variable), low)
            fall = _times(_negative(top), derivative(low, variable))
            total = _plus(rise, fall)
            return ZERO if total == ZERO else Div(total, Mul(low, low))
        case Pow(base, Const(exponent)):
            if exponent in (0, 1):
                return ZERO if exponent == 0 else derivative(base, variable)
            outer = Mul(Const(exponent), Pow(base, Const(exponent - 1)))
            return _times(outer, derivative(base, variable))
        case Pow(base, exponent):
            through_base = Mul(exponent, Pow(base, Add(exponent, Const(Fraction(-1)))))
            through_exponent = Mul(term, Call(Elementary.LOG, base))
            return _plus(
                _times(through_base, derivative(base, variable)),
                _times(through_exponent, derivative(exponent, variable)),
            )
        case Floor():
            return ZERO
        case Call(function, argument):
            inner = derivative(argument, variable)
            return ZERO if inner == ZERO else _times(_outer(function, argument), inner)
        case _:
            assert_never(term)


def _plus(left: Term, right: Term) -> Term:
    if left == ZERO:
        return right
    return left if right == ZERO else Add(left, right)


def _times(left: Term, right: Term) -> Term:
    if ZERO in (left, right):
        return ZERO
    if left == ONE:
        return right
    return left if right == ONE else Mul(left, right)


def _negative(term: Term) -> Term:
    return Mul(Const(Fraction(-1)), term)


def _inverse_root(term: Term) -> Term:
    return Div(ONE, Pow(term, _HALF))


def _outer(function: Elementary, u: Term) -> Term:  # noqa: C901, PLR0912 (one case a function)
    """The derivative of an elementary function."""
    square = Mul(u, u)
    match function:
        case Elementary.EXP:
            return Call(Elementary.EXP, u)
        case Elementary.LOG:
            return Div(ONE, u)
        case Elementary.SIN:
            return Call(Elementary.COS, u)
        case Elementary.COS:
            return _negative(Call(Elementary.SIN, u))
        case Elementary.TAN:
            tangent = Call(Elementary.TAN, u)
            return Add(ONE, Mul(tangent, tangent))
        case Elementary.ASIN:
            return _inverse_root(Add(ONE, _negative(square)))
        case Elementary.ACOS:
            return _negative(_inverse_root(Add(ONE, _negative(square))))
        case Elementary.ATAN:
            return Div(ONE, Add(ONE, square))
        case Elementary.SINH:
            return Call(Elementary.COSH, u)
        case Elementary.COSH:
            return Call(Elementary.SINH, u)
        case Elementary.TANH:
            tangent = Call(Elementary.TANH, u)
            return Add(ONE, _negative(Mul(tangent, tangent)))
        case Elementary.ASINH:
            return _inverse_root(Add(ONE, square))
        case Elementary.ACOSH:
            return _inverse_root(Add(square, Const(Fraction(-1))))
        case Elementary.ATANH:
            return Div(ONE, Add(ONE, _negative(square)))
        case Elementary.ERF:
            # 2 / √π, with π = 4 atan 1
            pi = Mul(Const(Fraction(4)), Call(Elementary.ATAN, ONE))
            scale = Div(Const(Fraction(2)), Pow(pi, _HALF))
            return Mul(scale, Call(Elementary.EXP, _negative(square)))
        case _:
            assert_never(function)

"""Exact numbers: a rational (``fmpq``), or a ball (``arb``) that contains the real it stands for.

A ball of radius zero is a rational, and becomes one at once; so ``exp(0)`` is 1 and not a ball.
A question that a ball does not answer raises `UndecidedError`: more bits may answer it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TypeAlias, assert_never

from flint import arb, fmpq, fmpz

from tamecheck.ir.formula import Elementary, Relation

__all__ = [
    "Number",
    "UndecidedError",
    "add",
    "as_fraction",
    "as_number",
    "call",
    "compare",
    "divide",
    "floor_candidates",
    "hull",
    "multiply",
    "power",
    "relates",
    "settled",
]

Number: TypeAlias = fmpq | arb

_MAX_BITS = 1 << 20
"""Exact powers with a longer numerator or denominator than this are taken as balls."""


class UndecidedError(Exception):
    """The sign of a number, or a ball for it, is not known at the precision in use."""


def as_number(value: Fraction | float) -> fmpq:
    """The rational that a Python number denotes."""
    exact = value if isinstance(value, Fraction) else Fraction(value)
    return fmpq(exact.numerator, exact.denominator)


def as_fraction(value: fmpq) -> Fraction:
    """The same rational as a Python fraction."""
    return Fraction(int(value.p), int(value.q))


def settled(ball: arb) -> Number:
    """The ball, or the rational that it is.

    Raises
    ------
    UndecidedError
        If the ball is not finite, as where a denominator's ball contains 0.
    """
    if not ball.is_finite():
        raise UndecidedError
    return ball.fmpq() if ball.is_exact() and _fits(ball) else ball


def _fits(end: arb) -> bool:
    """Whether an exact ball is a rational of a size that memory holds."""
    return abs(int(end.mid().man_exp()[1])) <= _MAX_BITS


def add(left: Number, right: Number) -> Number:
    """``left + right``."""
    if isinstance(left, fmpq) and isinstance(right, fmpq):
        return left + right
    return settled(arb(left) + right)


def multiply(left: Number, right: Number) -> Number:
    """``left * right``."""
    if isinstance(left, fmpq) and isinstance(right, fmpq):
        return left * right
    return settled(arb(left) * right)


def divide(left: Number, right: Number) -> Number:
    """``left / right``, for a right side that is not 0."""
    if isinstance(right, fmpq):
        if right == 0:
            raise UndecidedError
        if isinstance(left, fmpq):
            return left / right
    if isinstance(left, fmpq) and left == 0 and relates(Relation.NE, right, fmpq(0)):
        return left
    return settled(arb(left) / right)


def power(base: Number, exponent: Number) -> Number:
    """``base ** exponent`` on the domain that `tamecheck.ir.formula.Pow` states."""
    if isinstance(exponent, fmpq) and exponent.q == 1:
        return _integer_power(base, int(exponent.p))
    if isinstance(base, fmpq):
        if base == 0:
            if relates(Relation.GT, exponent, fmpq(0)):
                return base
            raise UndecidedError
        if base == 1:
            return base
        if isinstance(exponent, fmpq):
            root = _exact_root(base, exponent)
            if root is not None:
                return root
    return settled(arb(base) ** exponent)


def _integer_power(base: Number, exponent: int) -> Number:
    if exponent < 0:
        return divide(fmpq(1), _integer_power(base, -exponent))
    if isinstance(base, fmpq) and base.height_bits() * exponent <= _MAX_BITS:
        return base**exponent
    return settled(arb(base) ** exponent)


def _exact_root(base: fmpq, exponent: fmpq) -> Number | None:
    """``base ** exponent`` for base > 0, when it is rational, else None."""
    degree = int(exponent.q)
    if base < 0 or degree > base.height_bits():
        return None
    top, bottom = base.p.root(degree), base.q.root(degree)
    if top**degree != base.p or bottom**degree != base.q:
        return None
    return _integer_power(fmpq(top, bottom), int(exponent.p))


def floor_candidates(value: Number) -> list[fmpq]:
    """The integers that the floor of ``value`` may be: one, or two at a ball about an integer.

    Raises
    ------
    UndecidedError
        If there are more.
    """
    if isinstance(value, fmpq):
        return [fmpq(value.floor())]
    low, high = _exact_floor(value.lower()), _exact_floor(value.upper())
    if high - low > 1:
        raise UndecidedError
    return [fmpq(low)] if low == high else [fmpq(low), fmpq(high)]


def _exact_floor(end: arb) -> fmpz:
    if _fits(end):
        return end.fmpq().floor()
    if abs(end) < 1:
        return fmpz(-1) if end < 0 else fmpz(0)
    raise UndecidedError


_METHODS: Mapping[Elementary, Callable[[arb], arb]] = {
    Elementary.EXP: arb.exp,
    Elementary.LOG: arb.log,
    Elementary.SIN: arb.sin,
    Elementary.COS: arb.cos,
    Elementary.TAN: arb.tan,
    Elementary.ASIN: arb.asin,
    Elementary.ACOS: arb.acos,
    Elementary.ATAN: arb.atan,
    Elementary.SINH: arb.sinh,
    Elementary.COSH: arb.cosh,
    Elementary.TANH: arb.tanh,
    Elementary.ASINH: arb.asinh,
    Elementary.ACOSH: arb.acosh,
    Elementary.ATANH: arb.atanh,
    Elementary.ERF: arb.erf,
}


def call(function: Elementary, value: Number) -> Number:
    """An elementary function; the value is rational where the ball has radius zero."""
    return settled(_METHODS[function](arb(value)))


def relates(relation: Relation, left: Number, right: Number) -> bool | None:
    """Whether the relation holds between two numbers; None when the balls leave it open."""
    order = compare(left, right)
    match relation:
        case Relation.LT:
            return _among(order, {-1})
        case Relation.LE:
            return _among(order, {-1, 0})
        case Relation.EQ:
            return _among(order, {0})
        case Relation.NE:
            return _among(order, {-1, 1})
        case Relation.GE:
            return _among(order, {0, 1})
        case Relation.GT:
            return _among(order, {1})
        case _:
            assert_never(relation)


def _among(order: frozenset[int], accepted: set[int]) -> bool | None:
    if order <= accepted:
        return True
    return None if order & accepted else False


def compare(left: Number, right: Number) -> frozenset[int]:
    """The possible signs of ``left - right``."""
    if isinstance(left, fmpq) and isinstance(right, fmpq):
        return frozenset({(left > right) - (left < right)})
    a, b = arb(left), arb(right)
    if a < b:
        return frozenset({-1})
    if a > b:
        return frozenset({1})
    if a <= b:
        return frozenset({-1, 0})
    if a >= b:
        return frozenset({0, 1})
    return frozenset({-1, 0, 1})


def hull(values: list[Number]) -> Number:
    """One number for several: their common value, or a ball about all of them."""
    first = values[0]
    if all(isinstance(v, fmpq) and v == first for v in values[1:]) and isinstance(first, fmpq):
        return first
    ball = arb(first)
    for value in values[1:]:
        ball = ball.union(arb(value))
    return ball

"""Exact numbers: a rational (``fmpq``), or a ball (``arb``) that contains the real it stands for.

A ball of radius zero is a rational, and becomes one at once; so ``exp(0)`` is 1 and not a ball.
A question that a ball does not answer raises `UndecidedError`: more bits may answer it.

The bits of balls are a setting of the whole process, so balls are computed in a body of
`working_precision`, by one thread at a time.
"""

from __future__ import annotations

import copyreg
import os
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, TypeAlias

from flint import arb, fmpq, fmpz
from flint import ctx as _context

from tamecheck.ir.exact import MAX_EXPONENT, rational_text
from tamecheck.ir.formula import Elementary, Relation

Number: TypeAlias = fmpq | arb

ZERO, ONE = fmpq(0), fmpq(1)

BITS = 128
"""The usual precision of balls."""

_ZERO = Fraction(0)
_MAX_BITS = 1 << 20
"""Exact powers with a longer numerator or denominator than this are taken as balls."""


_CONTEXT: Any = _context
_DEFAULT = 53, 10
"""Flint's own bits of a ball and terms of a series."""


@contextmanager
def working_precision(bits: int | None = None, *, terms: int | None = None) -> Generator[None]:
    """Compute balls with so many bits in the body, and series with so many terms.

    Other threads wait for their turn.
    """
    with _turn.lock:
        before = _CONTEXT.prec, _CONTEXT.cap
        _CONTEXT.prec, _CONTEXT.cap = bits or before[0], terms or before[1]
        try:
            yield
        finally:
            _CONTEXT.prec, _CONTEXT.cap = before


class _Turn:
    """Whose turn it is."""

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def renew(self) -> None:
        """In a child process that was forked in another thread's turn: a lock that is free."""
        if self.lock.acquire(blocking=False):
            self.lock.release()
        else:
            self.lock = threading.RLock()
            _CONTEXT.prec, _CONTEXT.cap = _DEFAULT


_turn = _Turn()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_turn.renew)


def _ball(middle: tuple[int, int], radius: tuple[int, int]) -> arb:
    return arb(mid=middle, rad=radius)


def _reduce(ball: arb) -> Any:
    """A ball as integers, for pickling; flint itself has no form for it."""
    if not ball.is_finite():
        return arb, ("nan",)
    (middle, e), (radius, f) = (tuple(map(int, end.man_exp())) for end in (ball.mid(), ball.rad()))
    # flint rounds a radius up, by one in its last bit where it has as many as a radius may have
    for mantissa, exponent in ((radius, f), (2 * radius - 1, f - 1)):
        if arb(rad=(mantissa, exponent)).rad() == ball.rad():
            return _ball, ((middle, e), (mantissa, exponent))
    return _ball, ((middle, e), (radius, f))


copyreg.pickle(arb, _reduce)


class UndecidedError(Exception):
    """The sign of a number, or a ball for it, is not known at the precision in use."""


def as_number(value: Fraction | float) -> fmpq:
    """The rational that a Python number denotes."""
    return fmpq(value) if isinstance(value, int) else fmpq(*value.as_integer_ratio())


def as_fraction(value: fmpq) -> Fraction:
    """The same rational as a Python fraction."""
    if not value:
        return _ZERO
    found = Fraction(int(value.p))
    low = int(value.q)
    if low != 1:
        # it is in lowest terms: Python would take long to see that of long numbers
        found._denominator = low  # noqa: SLF001  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
    return found


def settle(ball: arb) -> Number:
    """The ball, or the rational that it is.

    Undecided if the ball is not finite, as where a denominator's ball contains 0.
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
    return settle(arb(left) + right)


def multiply(left: Number, right: Number) -> Number:
    """``left * right``."""
    if isinstance(left, fmpq) and isinstance(right, fmpq):
        return left * right
    return settle(arb(left) * right)


def divide(left: Number, right: Number) -> Number:
    """``left / right``, for a right side that is not 0."""
    if isinstance(right, fmpq):
        if right == 0:
            raise UndecidedError
        if isinstance(left, fmpq):
            return left / right
    if isinstance(left, fmpq) and left == 0 and relates(Relation.NE, right, fmpq(0)):
        return left
    return settle(arb(left) / right)


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
    return settle(arb(base) ** exponent)


def _integer_power(base: Number, exponent: int) -> Number:
    if exponent < 0:
        return divide(fmpq(1), _integer_power(base, -exponent))
    if isinstance(base, fmpq) and base.height_bits() * exponent <= _MAX_BITS:
        return base**exponent
    return settle(arb(base) ** exponent)


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

    More of them are undecided.
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
    return settle(_METHODS[function](arb(value)))


def relates(relation: Relation, left: Number, right: Number) -> bool | None:
    """Whether the relation holds between two numbers; None when the balls leave it open."""
    order, accepted = compare(left, right), relation.signs
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


_DIGITS = 25


def exact_text(value: Fraction | arb) -> str:
    """A rational as ``p`` or ``p/q``; a ball as ``[m +/- r]``, decimals that enclose it."""
    if isinstance(value, Fraction):
        return rational_text(value)
    if value.is_exact():
        mantissa, exponent = value.man_exp()
        if abs(int(exponent)) <= MAX_EXPONENT:
            return rational_text(int(mantissa) * Fraction(2) ** int(exponent))
    text: str = value.str(_DIGITS)
    if not text.startswith("["):
        return f"[{text} +/- 0]"
    # Arb omits a midpoint of which no digit is known
    return text.replace("[+/-", "[0 +/-")

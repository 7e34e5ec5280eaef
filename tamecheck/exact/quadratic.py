"""Numbers ``p + q √d`` with rational ``p``, ``q`` and ``d``: what batch normalisation needs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

PRECISION = Fraction(1, 2**200)
"""How far `rational_near` may be off."""


@dataclass(frozen=True, slots=True)
class QuadraticNumber:
    """The real number ``p + q √d``, where ``d`` is positive and not a square."""

    p: Fraction
    q: Fraction
    d: Fraction

    def __neg__(self) -> QuadraticNumber:
        return QuadraticNumber(-self.p, -self.q, self.d)

    def __add__(self, other: Number) -> Number:
        if isinstance(other, QuadraticNumber):
            self._same(other)
            return _number(self.p + other.p, self.q + other.q, self.d)
        return QuadraticNumber(self.p + other, self.q, self.d)

    __radd__ = __add__

    def __sub__(self, other: Number) -> Number:
        return self + (-other)

    def __rsub__(self, other: Fraction) -> Number:
        return (-self) + other

    def __mul__(self, other: Number) -> Number:
        if isinstance(other, QuadraticNumber):
            self._same(other)
            p = self.p * other.p + self.q * other.q * self.d
            return _number(p, self.p * other.q + self.q * other.p, self.d)
        return _number(self.p * other, self.q * other, self.d)

    __rmul__ = __mul__

    def inverse(self) -> QuadraticNumber:
        """One over the number."""
        norm = self.p * self.p - self.q * self.q * self.d
        return QuadraticNumber(self.p / norm, -self.q / norm, self.d)

    def __truediv__(self, other: Number) -> Number:
        return self * (other.inverse() if isinstance(other, QuadraticNumber) else 1 / other)

    def __rtruediv__(self, other: Fraction) -> Number:
        return self.inverse() * other

    def _same(self, other: QuadraticNumber) -> None:
        if self.d != other.d:
            raise ValueError("two different square roots in one number")


Number = Fraction | QuadraticNumber


def _number(p: Fraction, q: Fraction, d: Fraction) -> Number:
    return QuadraticNumber(p, q, d) if q else p


def root(value: Fraction) -> Number:
    """The square root of a rational that is not negative."""
    if value < 0:
        raise ValueError("square root of a negative number")
    up, down = isqrt(value.numerator), isqrt(value.denominator)
    if up * up == value.numerator and down * down == value.denominator:
        return Fraction(up, down)
    return QuadraticNumber(Fraction(0), Fraction(1), value)


def sign(value: Number) -> int:
    """The sign, exactly: -1, 0 or 1."""
    if not isinstance(value, QuadraticNumber):
        return (value > 0) - (value < 0)
    p, q = sign(value.p), sign(value.q)
    if p * q >= 0:
        return p or q
    larger = sign(value.p * value.p - value.q * value.q * value.d)
    return p if larger > 0 else q


def ceiling(value: Number) -> int:
    """The least integer that is not below the number."""
    if not isinstance(value, QuadraticNumber):
        return -((-value.numerator) // value.denominator)
    square = value.q * value.q * value.d
    whole = isqrt(square.numerator // square.denominator)
    guess = int(value.p // 1) + (whole if value.q > 0 else -whole) - 2
    while sign(value + Fraction(-guess)) > 0:
        guess += 1
    return guess


def rational_near(value: Number) -> Fraction:
    """A rational number that is at most `PRECISION` away; a rational number itself."""
    if not isinstance(value, QuadraticNumber):
        return value
    # |q| 2**-bits is at most the precision
    bits = 200 + max(1, abs(value.q).__ceil__()).bit_length()
    square = value.d * 4**bits
    return value.p + value.q * Fraction(isqrt(square.numerator // square.denominator), 2**bits)

"""Floating-point formats: which rationals are numbers of one, and what its operations may lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

_MOST_ROUNDINGS = 20
"""Of a sum, as a power of two; beyond that the error terms are of no use."""


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary format (IEEE 754): its normal numbers lie from ``2**least`` to ``2**most``.

    ``bits`` are those of a significand, the leading one included.
    """

    name: str
    bits: int
    least: int
    most: int

    def nearest(self, value: Fraction) -> Fraction | None:
        """The number next to a rational, ties to even; None if that is infinite."""
        size = abs(value)
        exponent = max(_exponent(size) if size else self.least, self.least)
        unit = Fraction(2) ** (exponent - self.bits + 1)
        found = round(value / unit) * unit
        return found if abs(found) < Fraction(2) ** self.most else None

    def has(self, value: Fraction) -> bool:
        """Whether a rational is a number of the format."""
        return self.nearest(value) == value

    def relative(self, roundings: int) -> Fraction | None:
        """``n u / (1 - n u)``: what n roundings lose at most; None if n is too large.

        See Higham, Accuracy and Stability of Numerical Algorithms (2002), Lemma 3.1.
        """
        if roundings >= 1 << min(self.bits - 2, _MOST_ROUNDINGS):
            return None
        return Fraction(roundings, (1 << self.bits) - roundings)

    def absolute(self, roundings: int) -> Fraction:
        """What as many products and sums lose at most below the normal numbers.

        A result there is off by less than ``2**least``, even where it is flushed to 0; sums of n
        products take less than 2 n operations, and later ones at most double what is lost.
        """
        return 4 * (roundings + 1) * Fraction(2) ** self.least


def _exponent(size: Fraction) -> int:
    """The e with ``2**e <= size < 2**(e + 1)``."""
    e = size.numerator.bit_length() - size.denominator.bit_length()
    return e if size >= Fraction(2) ** e else e - 1


FLOATS: Mapping[str, FloatFormat] = {
    one.name: one
    for one in (
        FloatFormat("float16", 11, -14, 16),
        FloatFormat("bfloat16", 8, -126, 128),
        FloatFormat("float32", 24, -126, 128),
        FloatFormat("float64", 53, -1022, 1024),
    )
}
"""By name."""

"""Formats of floats: which numbers they have, and what a sum of products loses at most."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tamecheck.kernel.strict import require


@dataclass(frozen=True, slots=True)
class Floats:
    """A binary format: the bits of a significand; normal numbers lie from 2^least to 2^most."""

    bits: int
    least: int
    most: int

    def has(self, v: Fraction) -> bool:
        """Return whether a number is one of the format."""
        d, n = v.denominator, abs(v.numerator)
        if not n:
            return True
        odd, last = n // (n & -n), (n & -n).bit_length() - d.bit_length()
        # an odd integer times 2^last
        small = odd.bit_length() <= self.bits and last >= self.least - self.bits + 1
        return small and not d & (d - 1) and n < d << self.most

    def lost(self, size: int, count: int, values: int) -> int:
        """Return how much a sum may be off, in units of 2^-values.

        Of its terms the sizes add up to at most `size`, and each passes at most `count` roundings.
        """
        require(count < 1 << (self.bits - 1), "a sum is too long for the format")
        require(size < 1 << (self.most - 2 + values), "a sum may overflow")
        below = self.tiny(count, values)
        return -(-size * count // ((1 << self.bits) - count)) + below

    def tiny(self, count: int, values: int) -> int:
        """Return how much of that is lost below the normal numbers, even where they become 0."""
        return ((4 * (count + 1) << values) >> -self.least) + 1


FORMATS = {
    "float16": Floats(11, -14, 16),
    "bfloat16": Floats(8, -126, 128),
    "float32": Floats(24, -126, 128),
    "float64": Floats(53, -1022, 1024),
}

"""What a network is made of: known numbers, sums that share variables or weights, bends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from tamecheck.kernel.strict import Reject, common

Row = list[int]
LONGEST = 1 << 12
ZERO, ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True, slots=True)
class Known:
    """Numbers over a common denominator."""

    nums: Row
    denominator: int

    def values(self) -> list[Fraction]:
        """Return them as rationals."""
        return [Fraction(v, self.denominator) for v in self.nums]

    def at(self, shift: int) -> tuple[Row, int, bool]:
        """Return them times 2^t, rounded down; t, at most `shift`; and whether nothing is lost."""
        power = self.denominator.bit_length() - 1
        if self.denominator == 1 << power and power <= shift:
            return self.nums, power, True
        return [(v << shift) // self.denominator for v in self.nums], shift, False


Value = Row | Known


@dataclass(frozen=True, slots=True)
class Chunk:
    """Variables that are sums over the same others: a row of weights each; and the columns."""

    ids: range
    index: Row
    rows: Sequence[Row]
    columns: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Linear:
    """Sums of weights / 2^shift times variables, plus a bias.

    If the block is not `exact`, a weight is up to one unit more than that.
    """

    ids: range
    chunks: list[Chunk]
    bias: list[Fraction]
    shift: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Bend:
    """Variables that are each a function of one other: the rectifier, or a jump."""

    ids: range
    args: Row
    op: str
    at_zero: Fraction = ZERO


def known(values: list[Fraction]) -> Known:
    """Return numbers over their common denominator, which must be short."""
    d = common({v.denominator for v in values}, LONGEST)
    if d is None:
        raise Reject("constants without a short common denominator")
    return Known([v.numerator * (d // v.denominator) for v in values], d)


def down(v: Fraction, bits: int) -> int:
    """Return a number times 2^bits, rounded down."""
    return floor(v * (1 << bits))


def up(v: Fraction, bits: int) -> int:
    """Return a number times 2^bits, rounded up."""
    return ceil(v * (1 << bits))

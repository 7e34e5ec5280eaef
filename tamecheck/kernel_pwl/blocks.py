"""What a network is made of: known numbers, sums that share variables or weights, bends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from tamecheck.kernel.strict import joint, spend
from tamecheck.kernel_pwl.slots import Matrix

Row = list[int]
Terms = Mapping[int, int]  # a coefficient or weight for some variables or rows
AWAY = {"floor": (-2, 0), "ceil": (0, 2), "round": (-1, 1)}  # of what is rounded, in halves
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


@dataclass(frozen=True, slots=True)
class Sums:
    """What a linear block needs in integers: the bias, rounded down, and where that loses."""

    bias: Row
    off: Row
    weights: dict[int, list[Matrix]]  # by the rows of a chunk: see `sums_of`
    shift: int
    exact: bool
    norm: int  # the largest sum of sizes of weights in one sum
    longest: int
    used: set[int]  # the variables that it reads
    direct: bool  # intervals of its sums are exact, as they are over inputs


def sums_of(block: Linear, bits: int, inputs: int) -> Sums:
    """Return what a linear block of a network with so many inputs needs."""
    bias = [down(v, bits) for v in block.bias]
    weights = dict[int, list[Matrix]]()
    off = [up(v, bits) - b for b, v in zip(bias, block.bias, strict=True)]
    norm, used = 0, set[int]()
    for chunk in block.chunks:
        spend(2 * len(chunk.index))
        used.update(chunk.index)
        if id(chunk.rows) not in weights:
            spend(len(chunk.columns) * len(chunk.rows))
            own, sides = [[list(map(abs, v)) for v in w] for w in (chunk.rows, chunk.columns)]
            norm = max(norm, *(sum(row) + len(row) for row in own))
            # what is multiplied by values, their sizes by sizes, and what by coefficients of sums
            pairs = (chunk.columns, chunk.rows), (sides, own), (chunk.rows, chunk.columns)
            weights[id(chunk.rows)] = [Matrix(*pair, norm.bit_length()) for pair in pairs]
    longest = max((len(chunk.index) for chunk in block.chunks), default=0)
    direct = all(j < inputs for j in used)
    return Sums(bias, off, weights, block.shift, block.exact, norm, longest, used, direct)


def known(values: list[Fraction]) -> Known:
    """Return numbers over their common denominator, which must be short."""
    d = joint({v.denominator for v in values}, LONGEST)
    return Known([v.numerator * (d // v.denominator) for v in values], d)


def down(v: Fraction, bits: int) -> int:
    """Return a number times 2^bits, rounded down."""
    return floor(v * (1 << bits))


def up(v: Fraction, bits: int) -> int:
    """Return a number times 2^bits, rounded up."""
    return ceil(v * (1 << bits))

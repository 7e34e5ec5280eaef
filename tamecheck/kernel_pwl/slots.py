"""Many integers in one: slots of some bits, each with a sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul

from tamecheck.kernel.strict import spend

FEW = 4


@dataclass(slots=True)
class Slots:
    """Integers with `count` slots of `width` bits: a functional in each, and its constant.

    The slots of an integer add up to it, each times a power of 2; none may leave its width.
    """

    width: int
    count: int
    constant: int = 0
    pending: dict[int, int] = field(default_factory=dict[int, int])
    ones: int = 0
    offset: int = 0

    def __post_init__(self) -> None:
        self.ones = repeated(self.width, self.count)
        self.offset = self.ones << (self.width - 1)

    def positive(self, a: int) -> int:
        """Return the positive part of each slot."""
        biased = a + self.offset
        signs = (biased >> (self.width - 1)) & self.ones
        return biased & ((signs << (self.width - 1)) - signs)

    def floor(self, a: int, shift: int) -> int:
        """Return each slot divided by 2^shift, rounded down."""
        mask = self.ones * ((1 << (self.width - shift)) - 1)
        return (((a + self.offset) >> shift) & mask) - (self.ones << (self.width - 1 - shift))


def repeated(width: int, count: int) -> int:
    """Return 1 in each of so many slots."""
    return ((1 << (width * count)) - 1) // ((1 << width) - 1)


def pack(values: list[int], width: int) -> int:
    """Return the integer with these in its slots."""
    half = 1 << (width - 1)
    data = b"".join([(v + half).to_bytes(width // 8, "little") for v in values])
    return int.from_bytes(data, "little") - repeated(width, len(values)) * half


def unpack(a: int, width: int, count: int) -> list[int]:
    """Return what is in the slots."""
    size, half = width // 8, 1 << (width - 1)
    data = (a + repeated(width, count) * half).to_bytes(size * count, "little")
    return [int.from_bytes(data[i : i + size], "little") - half for i in range(0, len(data), size)]


@dataclass(slots=True)
class Matrix:
    """Weights of at most so many bits that are multiplied by vectors: each row is one integer."""

    rows: Sequence[list[int]]
    columns: Sequence[list[int]]
    bits: int
    packed: dict[int, list[int]] = field(default_factory=dict[int, list[int]])

    def times(self, vector: list[int]) -> list[int]:
        """Return the sums of numbers times rows, one for each column."""
        if len(self.columns) < FEW:
            return [sum(map(mul, vector, column)) for column in self.columns]
        # no sum is as large as half a slot
        size = max(map(abs, vector), default=0) * len(self.rows)
        width, count = (size.bit_length() + self.bits + 16) // 16 * 16, len(self.columns)
        if width not in self.packed:
            spend(len(self.rows) * count)
            self.packed[width] = [pack(row, width) for row in self.rows]
        return unpack(sum(map(mul, vector, self.packed[width])), width, count)

"""Many integers in one: slots of some bits, each with a sign."""

from __future__ import annotations

from dataclasses import dataclass, field


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
        self.ones = sum(1 << (self.width * i) for i in range(self.count))
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

    def values(self) -> list[int]:
        """Return the constants."""
        size, half = self.width // 8, 1 << (self.width - 1)
        data = (self.constant + self.offset).to_bytes(size * self.count, "little")
        return [
            int.from_bytes(data[i : i + size], "little") - half for i in range(0, len(data), size)
        ]

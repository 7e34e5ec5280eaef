"""Input regions: a product of closed, possibly unbounded intervals with rational ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Shape, size_of

_LARGEST = int(sys.float_info.max)

Bound = Fraction | None
"""A rational end of an interval, or None where the interval is unbounded."""


def is_crossed(low: Fraction | int | None, high: Fraction | int | None) -> bool:
    """Whether no number is between two ends, None where there is none."""
    return low is not None and high is not None and low > high


def is_within(value: Fraction, low: Fraction | int | None, high: Fraction | int | None) -> bool:
    """Whether a number is between two ends."""
    return (low is None or low <= value) and (high is None or value <= high)


@dataclass(frozen=True, slots=True)
class Side:
    """Bounds of one input: one entry for all elements, or one an element in C order.

    Raises `InputError` if a lower bound exceeds its upper bound.
    """

    lower: tuple[Bound, ...]
    upper: tuple[Bound, ...]

    def __post_init__(self) -> None:
        for low, high in zip(self.lower, self.upper, strict=True):
            if low is not None and high is not None and low > high:
                low_text, high_text = rational_text(low), rational_text(high)
                raise InputError(
                    f"The box is empty: {low_text[:40]} > {high_text[:40]}.", hint="Write low:high."
                )
        ends = (end for end in (*self.lower, *self.upper) if end is not None)
        if any(abs(end.numerator) > _LARGEST * end.denominator for end in ends):
            raise InputError(
                "The box has a bound beyond float64.", hint="Use inf for no bound, or scale."
            )

    @property
    def bounded(self) -> bool:
        """Whether every end is finite."""
        return None not in self.lower and None not in self.upper

    def elements(self, size: int) -> tuple[tuple[Bound, Bound], ...]:
        """The interval of each of ``size`` elements."""
        pairs = tuple(zip(self.lower, self.upper, strict=True))
        return pairs * size if len(pairs) == 1 else pairs


UNBOUNDED = Side((None,), (None,))


@dataclass(frozen=True, slots=True)
class Box:
    """A box over named inputs; an input that is not named is unbounded."""

    sides: Mapping[str, Side]

    @staticmethod
    def everything() -> Box:
        """All of the input space."""
        return Box({})

    @staticmethod
    def uniform(names: Sequence[str], lower: Bound, upper: Bound) -> Box:
        """The same interval for every element of every named input."""
        return Box({name: Side((lower,), (upper,)) for name in names})

    @staticmethod
    def of_elements(
        inputs: Mapping[str, Shape], lower: Sequence[Bound], upper: Sequence[Bound]
    ) -> Box:
        """The box with these ends of all elements, one input after the other."""
        sides: dict[str, Side] = {}
        start = 0
        for name, shape in inputs.items():
            stop = start + size_of(shape)
            sides[name] = Side(tuple(lower[start:stop]), tuple(upper[start:stop]))
            start = stop
        return Box(sides)

    def elements(self, inputs: Mapping[str, Shape]) -> list[tuple[Bound, Bound]]:
        """The interval of each element, one input after the other."""
        sides = [self.side(name).elements(size_of(shape)) for name, shape in inputs.items()]
        return [pair for side in sides for pair in side]

    def side(self, name: str) -> Side:
        """The bounds of one input."""
        return self.sides.get(name, UNBOUNDED)

    def checked(self, inputs: Mapping[str, Shape]) -> Box:
        """The same box, once its names and lengths fit the inputs.

        Raises
        ------
        InputError
            Naming the input that does not fit, and the inputs that there are.
        """
        for name, side in self.sides.items():
            if name not in inputs:
                known = ", ".join(inputs) or "none"
                raise InputError(
                    f"The box names {name!r}, which is no input.", hint=f"Inputs: {known}."
                )
            size = size_of(inputs[name])
            if len(side.lower) not in (1, size):
                raise InputError(
                    f"The box gives {len(side.lower)} intervals for input {name!r}, "
                    f"which has {size} elements."
                )
        return self

    def __iter__(self) -> Iterator[tuple[str, Side]]:
        return iter(self.sides.items())

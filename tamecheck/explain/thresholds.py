"""The domain of an ensemble of trees as finitely many codes.

Between neighbouring thresholds of an input no tree changes.  So a feature has finitely many codes:
the cells between its thresholds, or its listed values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tamecheck.explain.attributes import Attribute, Interval, Listed, Values
from tamecheck.explain.ensembles import Cut
from tamecheck.ir.tensor import Array

_MOST_DIGITS = 30
_HARDLY = Fraction(1001, 1000)


@dataclass(frozen=True, slots=True)
class Cell:
    """Numbers of one input between neighbouring cuts; ``closed`` says which ends belong to it."""

    low: Fraction | None
    high: Fraction | None
    closed: tuple[bool, bool]

    @property
    def empty(self) -> bool:
        """Whether there is no number."""
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and not all(self.closed))

    def near(self, value: Fraction) -> Fraction:
        """A number of the cell, the given one if it is there, else not far from it."""
        low, high = self.low, self.high
        below = low is not None and (value < low or (value == low and not self.closed[0]))
        above = high is not None and (value > high or (value == high and not self.closed[1]))
        if not (below or above):
            return value
        end, closed, other = (low, self.closed[0], high) if below else (high, self.closed[1], low)
        if end is None or closed:
            return value if end is None else end
        step = Fraction(1 if below else -1)
        if other is not None and abs(other - end) < 1:
            step = other - end
        return short_between(end, end + step / 4)


def short_between(first: Fraction, second: Fraction) -> Fraction:
    """A number strictly between two that has few digits: the one nearest to their middle."""
    middle = (first + second) / 2
    size = abs(second - first)
    if not size:
        return first
    digits = 0
    while digits < _MOST_DIGITS:
        scale = Fraction(10) ** digits
        found = Fraction(round(middle * scale)) / scale
        if min(first, second) < found < max(first, second):
            return found
        digits += 1
    return middle


def shorter(value: Fraction, near: Fraction) -> Iterator[Fraction]:
    """Numbers of few digits next to a value, hardly farther than it from another number."""
    far = abs(value - near)
    for digits in range(10):
        scale = Fraction(10) ** digits
        for whole in ((value * scale).__floor__(), (value * scale).__ceil__()):
            found = whole / scale
            if found != near and abs(found - near) <= far * _HARDLY:
                yield found


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of a feature: points, one for each, and how much of the domain each is.

    ``cells`` are those of a feature with an interval; an unbounded one has no measure.
    """

    points: tuple[Values, ...]
    sizes: tuple[Fraction | None, ...]
    cells: tuple[Cell, ...] = ()

    def of(self, values: Values) -> int:
        """The code of values."""
        if not self.cells:
            return self.points.index(values)
        (value,) = values
        return next(k for k, cell in enumerate(self.cells) if cell.near(value) == value)

    def near(self, code: int, values: Values) -> Values:
        """Values with a code, next to given ones."""
        return (self.cells[code].near(values[0]),) if self.cells else self.points[code]


def codes_of(attribute: Attribute, cuts: Sequence[Cut]) -> Codes:
    """The codes of a feature among the cuts of its inputs."""
    match attribute.range:
        case Listed(rows):
            return Codes(rows, (Fraction(1),) * len(rows))
        case Interval(low, high, integral):
            ordered = sorted({(cut.at, cut.closed) for cut in cuts})
            ends = [(low, True), *((at, not closed) for at, closed in ordered)]
            tops = [*ordered, (high, True)]
            cells = [
                _within(Cell(first, last, (opens, closes)), low, high)
                for (first, opens), (last, closes) in zip(ends, tops, strict=True)
            ]
            if integral:
                cells = [_integers(cell) for cell in cells]
            kept = tuple(cell for cell in cells if not cell.empty)
            middle = attribute.range.nearest((Fraction(0),))[0]
            points = tuple((cell.near(middle),) for cell in kept)
            return Codes(points, tuple(_size(cell, integral=integral) for cell in kept), kept)


def _within(cell: Cell, low: Fraction | None, high: Fraction | None) -> Cell:
    """The part of a cell within bounds."""
    first, last, (opens, closes) = cell.low, cell.high, cell.closed
    if low is not None and (first is None or first < low):
        first, opens = low, True
    if high is not None and (last is None or last > high):
        last, closes = high, True
    return Cell(first, last, (opens, closes))


def _integers(cell: Cell) -> Cell:
    low, high = cell.low, cell.high
    if low is not None:
        up = Fraction(-((-low).__floor__()))
        low = up + 1 if up == low and not cell.closed[0] else up
    if high is not None:
        down = Fraction(high.__floor__())
        high = down - 1 if down == high and not cell.closed[1] else down
    return Cell(low, high, (True, True))


def _size(cell: Cell, *, integral: bool) -> Fraction | None:
    if cell.low is None or cell.high is None:
        return None
    return cell.high - cell.low + int(integral)


@dataclass(frozen=True, slots=True, eq=False)
class Divide:
    """That a part was divided: these codes of a feature, and the others."""

    feature: int
    inside: Array


Division: TypeAlias = Sequence[Divide | None]
"""How a box was divided, in preorder, the codes inside first; None where it was not."""

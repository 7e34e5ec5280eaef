"""A part of a box: bounds of all variables; and what a bend is between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tamecheck.kernel_pwl.blocks import Bend, Row, down, up

SLOPE = 26
# of arguments of rectifiers: the slope of the line below, or a plane above
Chosen = Mapping[int, Row]
Ends = tuple[int, int]
Line = tuple[int, int, int, int]  # slopes in 2^-SLOPE and values at 0: of a lower line, of an upper


@dataclass(slots=True)
class Part:
    """A part of the box: bounds of all variables, and ends that are not attained."""

    low: Row
    high: Row
    # of a variable and its lower (0) or upper (1) end: an end that is not attained
    beside: dict[tuple[int, int], int]
    empty: bool = False  # whether it is known that no point of it satisfies an open case
    # of a linear block: by how much floats may be off in each of its sums
    noise: dict[int, Row] = field(default_factory=dict[int, Row])

    def copy(self) -> Part:
        """Return the same part, to be changed."""
        beside, noise = dict(self.beside), dict(self.noise)
        return Part(list(self.low), list(self.high), beside, self.empty, noise)

    def below(self, v: int, end: int) -> None:
        """Cut off what is above an end; of a part without points an end stays."""
        self.empty = self.empty or end < self.low[v]
        self.high[v] = max(self.low[v], min(self.high[v], end))

    def above(self, v: int, end: int) -> None:
        """Cut off what is below an end."""
        self.empty = self.empty or end > self.high[v]
        self.low[v] = min(self.high[v], max(self.low[v], end))


def rectifier(low: int, high: int, chosen: Row | None) -> Line:
    """Return lines below and above max(z, 0), for low < 0 < high.

    Below, any slope in [0, 1] will do.
    """
    slope = chosen[0] if chosen and len(chosen) == 1 else ((1 << SLOPE) if high > -low else 0)
    over = (high << SLOPE) // (high - low)
    # the line above is above both ends, and 0 at 0
    return slope, 0, over, max(-((over * low) >> SLOPE), high - ((over * high) >> SLOPE))


def plane(row: Row, box: list[Ends], ends: Ends, chosen: Row, rest: Ends) -> tuple[Row, int]:
    """Return p and q with max(z, 0) <= p y + q, for z = row y + c between its ends, y in a box.

    `rest` is the largest that c may be, and the bits of weights after the point; p has SLOPE more.
    Chosen are slopes in [0, 1]: s, t, and one for each of the y.
    """
    (low, high), (most, shift), (s, t, *slopes) = ends, rest, chosen
    found = Row()
    # 0 <= s (z - low) where z <= 0, and z <= (1 - t) z + t high where z >= 0
    for part, at in ((s, -s * low), ((1 << SLOPE) - t, t * high)):
        parts = [(part - v) * w for v, w in zip(slopes, row, strict=True)]
        beyond = sum(c * (b if c > 0 else a) for c, (a, b) in zip(parts, box, strict=True))
        found.append(-(-beyond >> shift) + part * most + at)
    return [v * w for v, w in zip(slopes, row, strict=True)], -(-max(found) >> SLOPE)


def ranges(block: Bend, part: Part, bits: int) -> tuple[Row, Row]:
    """Return bounds of all elements of a bend on a part."""
    low, high = part.low, part.high
    if block.op == "relu":
        return [max(low[z], 0) for z in block.args], [max(high[z], 0) for z in block.args]
    found = [range_of(block, part, z, bits) for z in block.args]
    return [a for a, _ in found], [b for _, b in found]


def range_of(block: Bend, part: Part, z: int, bits: int) -> tuple[int, int]:
    """Return bounds of the bend of one variable on a part."""
    low, high = part.low[z], part.high[z]
    above, below = part.beside.get((z, 0)) == low, part.beside.get((z, 1)) == high
    match block.op:
        case "floor":
            return (low >> bits) << bits, ((high - below) >> bits) << bits
        case "ceil":
            return -((-low - above) >> bits) << bits, -((-high) >> bits) << bits
        case "round":
            return nearest(low, bits, 1 if above else 0), nearest(high, bits, -1 if below else 0)
        case _:
            one, zero = 1 << bits, block.at_zero
            found = [(-one, -one) if block.op == "sign" else (0, 0)] if low < 0 else []
            if low <= 0 <= high and not (low == 0 and above) and not (high == 0 and below):
                found.append((down(zero, bits), up(zero, bits)))
            found += [(one, one)] if high > 0 else []
            # a point of which neither end is attained is none: any range will do
            found = found or [(0, 0)]
            return min(a for a, _ in found), max(b for _, b in found)


def nearest(v: int, bits: int, side: int) -> int:
    """Return a value rounded to a whole number: from the middle to the side, or to an even one."""
    whole, rest = v >> bits, (v & ((1 << bits) - 1)) - (1 << (bits - 1))
    if rest == 0:
        rest = side or (1 if whole & 1 else -1)
    return (whole + (rest > 0)) << bits

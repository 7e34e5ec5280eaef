"""Bounds of variables on a part of a box, by intervals and by functionals that run back.

Values are integers in units of 2^-VALUE, coefficients in units of 2^-COEFFICIENT.  Functionals that
run back together are one integer a variable: it holds a slot of some bits for each, with a sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul, sub

from tamecheck.kernel.strict import require, spend
from tamecheck.kernel_pwl.blocks import Bend, Linear, Row, down, up
from tamecheck.kernel_pwl.network import Network
from tamecheck.kernel_pwl.slots import Slots

COEFFICIENT, SLOPE, TOGETHER = 28, 26, 48
Line = tuple[int, int, int, int]  # slopes in 2^-SLOPE and values at 0: of a lower line, of an upper


@dataclass(slots=True)
class Part:
    """A part of the box: bounds of all variables, and ends that are not attained."""

    low: Row
    high: Row
    beside: dict[
        tuple[int, int], int
    ]  # of a variable, its lower (0) or upper (1) end: not attained

    def copy(self) -> Part:
        """Return the same part, to be changed."""
        return Part(list(self.low), list(self.high), dict(self.beside))

    def below(self, v: int, end: int) -> None:
        """Cut off what is above an end; a part without points stays a point."""
        self.high[v] = max(self.low[v], min(self.high[v], end))

    def above(self, v: int, end: int) -> None:
        """Cut off what is below an end."""
        self.low[v] = min(self.high[v], max(self.low[v], end))


@dataclass(frozen=True, slots=True)
class _Sums:
    """What a linear block needs in integers: the bias, rounded down, and where that loses."""

    bias: Row
    off: Row
    norm: int  # the largest sum of sizes of weights in one sum
    longest: int
    used: frozenset[int]  # the variables that it reads
    direct: bool  # intervals of its sums are exact, as they are over inputs


class Bounds:
    """Bounds on the parts of one box."""

    def __init__(self, network: Network, low: Row, high: Row, bits: int) -> None:
        self.network, self.bits = network, bits
        rest = [0] * (network.size - len(low))
        self.root = Part(low + rest, high + rest, {})
        self.home = [-1] * network.size
        self.sums: dict[int, _Sums] = {}
        self.largest, self.before = 1, list[set[int]]()
        for k, block in enumerate(network.blocks):
            self.home[block.ids.start : block.ids.stop] = [k] * len(block.ids)
            if isinstance(block, Linear):
                self.sums[k] = self._prepare(block)
                self.largest = max(self.largest, *map(abs, self.sums[k].bias))
            self._forward(self.root, k)
            read = block.args if isinstance(block, Bend) else self.sums[k].used
            self.before.append({self.home[j] for j in read})

    def _prepare(self, block: Linear) -> _Sums:
        bias = [down(v, self.bits) for v in block.bias]
        off = [up(v, self.bits) - b for b, v in zip(bias, block.bias, strict=True)]
        norms, used = dict[int, int](), set[int]()
        for chunk in block.chunks:
            spend(2 * len(chunk.index))
            used.update(chunk.index)
            if id(chunk.rows) not in norms:
                spend(len(chunk.columns) * len(chunk.rows))
                norms[id(chunk.rows)] = max(sum(map(abs, row)) + len(row) for row in chunk.rows)
        longest = max((len(chunk.index) for chunk in block.chunks), default=0)
        direct = all(j < self.network.inputs for j in used)
        norm = max(norms.values(), default=0)
        return _Sums(bias, off, norm, longest, frozenset(used), direct)

    def _error(self, part: Part, block: Linear, index: Row) -> int:
        """Return by how much weights that are less than a unit off can change a sum on a part."""
        if block.exact:
            return 0
        lows, highs = [part.low[j] for j in index], [part.high[j] for j in index]
        return (sum(map(max, map(abs, lows), map(abs, highs))) >> block.shift) + 1

    # --- intervals ---

    def _forward(self, part: Part, k: int) -> None:
        """Bound the variables of a block by those before; at the root there are no bounds yet."""
        block, root = self.network.blocks[k], part is self.root
        low, high = part.low, part.high
        if isinstance(block, Bend):
            found = [_range(block, part, z, self.bits) for z in block.args]
        else:
            found = self._intervals(block, self.sums[k], part)
        for i, (a, b) in zip(block.ids, found, strict=True):
            if root:
                low[i], high[i] = a, b
            else:
                part.above(i, a)
                part.below(i, b)

    def _intervals(self, block: Linear, sums: _Sums, part: Part) -> list[tuple[int, int]]:
        first, found, low, high = block.ids.start, [(0, 0)] * len(block.ids), part.low, part.high
        for chunk in block.chunks:
            spend(2 * len(chunk.index) * len(chunk.rows))
            lows, highs = [low[j] for j in chunk.index], [high[j] for j in chunk.index]
            middle, width = list(map(int.__add__, lows, highs)), list(map(sub, highs, lows))
            shift, error = block.shift + 1, self._error(part, block, chunk.index)
            for i, row in zip(chunk.ids, chunk.rows, strict=True):
                at, reach = sum(map(mul, row, middle)), sum(map(mul, map(abs, row), width))
                b, off = sums.bias[i - first], sums.off[i - first]
                found[i - first] = (
                    ((at - reach) >> shift) + b - error,
                    -((-at - reach) >> shift) + b + off + error,
                )
        return found

    # --- functionals ---

    def width(self, part: Part, start: Mapping[int, int]) -> int:
        """Return a width of slots that no coefficient or constant can exceed on its way back.

        `start` bounds, for each block (-1 for the inputs), the sum of the sizes of coefficients.
        """
        spend(2 * len(part.low))
        most = max(self.largest, *part.high, -min(part.low)) + 1
        tops, total, largest = dict(start), 0, 1
        for k in range(len(self.network.blocks) - 1, -2, -1):
            top = tops.pop(k, 0)
            if not top:
                continue
            # each coefficient meets a bound, a bias and its error
            total += top * 3 * most
            if k < 0:
                continue
            block = self.network.blocks[k]
            if isinstance(block, Bend):
                count, before = len(block.args), self.before[k]
                largest, after = max(largest, top << (SLOPE + 1)), top + count
                total += count * most
            else:
                sums = self.sums[k]
                after, before, count = top * sums.norm, self.before[k], len(sums.used)
                total += top * ((sums.longest * most >> block.shift) + 2)
                largest, after = max(largest, after), (after >> block.shift) + count
                total += count * most
            for b in before:
                tops[b] = tops.get(b, 0) + after
        bits = max(total, largest).bit_length() + 3
        require(bits <= 1 << 12, "the functionals are too large")
        return (bits + 7) // 8 * 8

    def back(self, part: Part, slots: Slots, last: int, lines: Mapping[int, int]) -> None:
        """Run functionals back to the inputs: each bounds the one before from below on the part."""
        for k in range(last, -1, -1):
            block = self.network.blocks[k]
            if isinstance(block, Bend):
                self._bend(part, slots, block, lines)
            else:
                self._sum(part, slots, k, block)

    def _bend(self, part: Part, slots: Slots, block: Bend, lines: Mapping[int, int]) -> None:
        pending, low, high = slots.pending, part.low, part.high
        words = 1 + slots.width * slots.count // 256
        for h, z in zip(block.ids, block.args, strict=True):
            a = pending.pop(h, 0)
            if not a:
                continue
            least, most = low[z], high[z]
            if block.op == "relu" and least >= 0:
                pending[z] = pending.get(z, 0) + a
                continue
            if block.op != "relu" or most <= 0:
                least, most = _range(block, part, z, self.bits)
                if least or most:
                    positive = slots.positive(a)
                    slots.constant += positive * least + (a - positive) * most
                continue
            spend(8 * words)
            slope, at, over, over_at = _rectifier(least, most, lines.get(z))
            positive = slots.positive(a)
            negative = a - positive
            moved = slots.floor(positive * slope + negative * over, SLOPE)
            # what is rounded off is at most one unit, times z
            slots.constant += positive * at + negative * over_at + slots.ones * least
            if moved:
                pending[z] = pending.get(z, 0) + moved

    def _sum(self, part: Part, slots: Slots, k: int, block: Linear) -> None:
        pending, low, high, sums = slots.pending, part.low, part.high, self.sums[k]
        first, found = block.ids.start, dict[int, int]()
        words = 1 + slots.width * slots.count // 256
        for chunk in block.chunks:
            all_ = [pending.pop(i, 0) for i in chunk.ids]
            used = [m for m, a in enumerate(all_) if a]
            if not used:
                continue
            spend(words * (len(used) + 1) * (len(chunk.index) + 2))
            few = len(used) < len(all_)
            own = [all_[m] for m in used] if few else all_
            places = [chunk.ids[m] - first for m in used]
            slots.constant += sum(map(mul, own, map(sums.bias.__getitem__, places)))
            error = self._error(part, block, chunk.index)
            for a, i in zip(own, places, strict=True):
                if error or sums.off[i]:
                    positive = slots.positive(a)
                    # the sizes of coefficients, and where they are below 0 the bias is above
                    slots.constant -= (2 * positive - a) * error + (positive - a) * sums.off[i]
            for j, column in zip(chunk.index, chunk.columns, strict=True):
                if low[j] or high[j]:
                    row = [column[m] for m in used] if few else column
                    found[j] = found.get(j, 0) + sum(map(mul, row, own))
        for j, a in found.items():
            if block.shift and a:
                slots.constant += slots.ones * min(low[j], 0)
            moved = slots.floor(a, block.shift) if block.shift and a else a
            pending[j] = pending.get(j, 0) + moved

    def least(self, part: Part, slots: Slots) -> Row:
        """Return the least values of functionals of the inputs on the part."""
        for j in range(self.network.inputs):
            a = slots.pending.pop(j, 0)
            if a:
                positive = slots.positive(a)
                slots.constant += positive * part.low[j] + (a - positive) * part.high[j]
        require(not slots.pending, "a functional has not arrived")
        return slots.values()

    def tighten(self, part: Part, *, deep: bool) -> None:
        """Bound all variables again, if deep also by functionals where a bend is open."""
        for k, block in enumerate(self.network.blocks):
            if isinstance(block, Bend) and deep:
                jump = block.op != "relu"
                low, high = part.low, part.high
                wanted = [
                    z
                    for z in dict.fromkeys(block.args)
                    if (low[z] < high[z] if jump else low[z] < 0 < high[z]) and self._deep(z)
                ]
                for i in range(0, len(wanted), TOGETHER):
                    self._tighten(part, wanted[i : i + TOGETHER])
            self._forward(part, k)

    def _deep(self, z: int) -> bool:
        return self.home[z] >= 0 and not (
            self.home[z] in self.sums and self.sums[self.home[z]].direct
        )

    def _tighten(self, part: Part, wanted: Sequence[int]) -> None:
        homes = [self.home[z] for z in wanted]
        width = self.width(part, dict.fromkeys(homes, 1 << COEFFICIENT))
        slots, count = Slots(width, 2 * len(wanted)), len(wanted)
        for i, z in enumerate(wanted):
            slots.pending[z] = ((1 << (width * i)) - (1 << (width * (count + i)))) << COEFFICIENT
        self.back(part, slots, max(homes), {})
        found = self.least(part, slots)
        for i, z in enumerate(wanted):
            part.above(z, found[i] >> COEFFICIENT)
            part.below(z, -(found[count + i] >> COEFFICIENT))

    def functional(
        self,
        part: Part,
        row: Mapping[int, int],
        constant: int,
        moved: Mapping[int, int],
        lines: Mapping[int, int],
    ) -> tuple[dict[int, int], int, int]:
        """Return coefficients of the inputs and a constant below a row, and the least value.

        `moved` adds multiples of variables, which their bounds take away again; `lines` has slopes
        of lower lines.
        """
        start, slots_of = dict[int, int](), dict(row)
        for z, m in moved.items():
            slots_of[z] = slots_of.get(z, 0) + m
            constant -= m * (part.high[z] if m > 0 else part.low[z])
        for v, a in slots_of.items():
            start[self.home[v]] = start.get(self.home[v], 0) + abs(a)
        slots = Slots(
            max(self.width(part, start), (constant.bit_length() + 64) // 8 * 8 + 8), 1, constant
        )
        slots.pending.update(slots_of)
        self.back(part, slots, len(self.network.blocks) - 1, lines)
        form, at = dict(slots.pending), slots.constant
        return form, at, self.least(part, slots)[0]


def _rectifier(low: int, high: int, chosen: int | None) -> Line:
    """Return lines below and above max(z, 0), for low < 0 < high.

    Below, any slope in [0, 1] will do.
    """
    slope = ((1 << SLOPE) if high > -low else 0) if chosen is None else chosen
    over = (high << SLOPE) // (high - low)
    # the line above is above both ends, and 0 at 0
    return slope, 0, over, max(-((over * low) >> SLOPE), high - ((over * high) >> SLOPE))


def _range(block: Bend, part: Part, z: int, bits: int) -> tuple[int, int]:
    """Return bounds of a bend on a part."""
    low, high = part.low[z], part.high[z]
    above, below = part.beside.get((z, 0)) == low, part.beside.get((z, 1)) == high
    match block.op:
        case "relu":
            return max(low, 0), max(high, 0)
        case "floor":
            return (low >> bits) << bits, ((high - below) >> bits) << bits
        case "ceil":
            return -((-low - above) >> bits) << bits, -((-high) >> bits) << bits
        case _:
            one, zero = 1 << bits, block.at_zero
            found = [(-one, -one) if block.op == "sign" else (0, 0)] if low < 0 else []
            if low <= 0 <= high and not (low == 0 and above) and not (high == 0 and below):
                found.append((down(zero, bits), up(zero, bits)))
            found += [(one, one)] if high > 0 else []
            return min(a for a, _ in found), max(b for _, b in found)

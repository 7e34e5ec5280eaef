"""Bounds of variables on a part of a box, by intervals and by functionals that run back.

Values are integers in units of 2^-VALUE, coefficients in units of 2^-COEFFICIENT.  Functionals that
run back together are one integer a variable: it holds a slot of some bits for each, with a sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import add, gt, mul, sub

from tamecheck.kernel.strict import require, spend
from tamecheck.kernel_pwl.blocks import Bend, Linear, Row, down, up
from tamecheck.kernel_pwl.floats import Floats
from tamecheck.kernel_pwl.network import Network
from tamecheck.kernel_pwl.parts import SLOPE, Part, range_of, ranges, rectifier
from tamecheck.kernel_pwl.slots import Slots

COEFFICIENT, TOGETHER = 28, 48


@dataclass(frozen=True, slots=True)
class _Sums:
    """What a linear block needs in integers: the bias, rounded down, and where that loses."""

    bias: Row
    off: Row
    sizes: dict[int, list[Row]]  # of weights, by the rows of a chunk
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
        self.roundings: dict[int, int] = {}  # of a linear block: how many a term of it may pass
        self.largest, self.before = 1, list[set[int]]()
        self.widths: dict[object, int] = {}
        for k, block in enumerate(network.blocks):
            self.home[block.ids.start : block.ids.stop] = [k] * len(block.ids)
            if isinstance(block, Linear):
                self.sums[k] = self._prepare(block)
                self.largest = max(self.largest, *map(abs, self.sums[k].bias))
                # a sum may be added up together with those that it reads
                before = {self.roundings.get(self.home[j], 0) for j in self.sums[k].used}
                self.roundings[k] = self.sums[k].longest + 2 + max(before, default=0)
            self._forward(self.root, k)
            read = block.args if isinstance(block, Bend) else self.sums[k].used
            self.before.append({self.home[j] for j in read})

    def _prepare(self, block: Linear) -> _Sums:
        bias = [down(v, self.bits) for v in block.bias]
        sizes = dict[int, list[Row]]()
        off = [up(v, self.bits) - b for b, v in zip(bias, block.bias, strict=True)]
        norm, used = 0, set[int]()
        for chunk in block.chunks:
            spend(2 * len(chunk.index))
            used.update(chunk.index)
            if id(chunk.rows) not in sizes:
                spend(len(chunk.columns) * len(chunk.rows))
                sizes[id(chunk.rows)] = own = [list(map(abs, row)) for row in chunk.rows]
                norm = max(norm, *(sum(row) + len(row) for row in own))
        longest = max((len(chunk.index) for chunk in block.chunks), default=0)
        direct = all(j < self.network.inputs for j in used)
        return _Sums(bias, off, sizes, norm, longest, frozenset(used), direct)

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
            lows, highs = ranges(block, part, self.bits)
        else:
            lows, highs = self._intervals(block, self.sums[k], part)
            if self.network.floats is not None:
                noise = part.noise[k] = self._noise(k, block, self.network.floats, part)
                lows, highs = list(map(sub, lows, noise)), list(map(add, highs, noise))
        place = slice(block.ids.start, block.ids.stop)
        if not root:
            lows, highs = list(map(max, lows, low[place])), list(map(min, highs, high[place]))
            if any(map(gt, lows, highs)):  # where they contradict each other there is nothing
                part.empty, lows = True, list(map(min, lows, highs))
        low[place], high[place] = lows, highs

    def _intervals(self, block: Linear, sums: _Sums, part: Part) -> tuple[Row, Row]:
        first, low, high = block.ids.start, part.low, part.high
        lows, highs = [0] * len(block.ids), [0] * len(block.ids)
        for chunk in block.chunks:
            spend(2 * len(chunk.index) * len(chunk.rows))
            below, above = [low[j] for j in chunk.index], [high[j] for j in chunk.index]
            middle, width = list(map(add, below, above)), list(map(sub, above, below))
            shift, error = block.shift + 1, self._error(part, block, chunk.index)
            for i, row, sizes in zip(
                chunk.ids, chunk.rows, sums.sizes[id(chunk.rows)], strict=True
            ):
                at, reach, k = sum(map(mul, row, middle)), sum(map(mul, sizes, width)), i - first
                lows[k] = ((at - reach) >> shift) + sums.bias[k] - error
                highs[k] = -((-at - reach) >> shift) + sums.bias[k] + sums.off[k] + error
        return lows, highs

    def _noise(self, k: int, block: Linear, floats: Floats, part: Part) -> Row:
        """Return by how much floats may be off in each sum of a block on a part."""
        found, first, sums = [0] * len(block.ids), block.ids.start, self.sums[k]
        for chunk in block.chunks:
            if not chunk.index:  # a constant
                continue
            spend(len(chunk.index) * len(chunk.rows))
            most = [max(-part.low[j], part.high[j]) for j in chunk.index]
            rest = self._error(part, block, chunk.index) + 2
            for i, sizes in zip(chunk.ids, sums.sizes[id(chunk.rows)], strict=True):
                size = (
                    (sum(map(mul, sizes, most)) >> block.shift) + abs(sums.bias[i - first]) + rest
                )
                found[i - first] = floats.lost(size, self.roundings[k], self.bits)
        return found

    # --- functionals ---

    def _most(self, part: Part) -> int:
        """Return a power of 2 that no value on a part exceeds."""
        spend(2 * len(part.low))
        return 1 << max(self.largest, max(part.high), -min(part.low)).bit_length()  # noqa: PLW3301

    def width(self, most: int, start: Mapping[int, int]) -> int:
        """Return a width of slots that no coefficient or constant can exceed on its way back.

        `start` bounds, for each block (-1 for the inputs), the sum of the sizes of coefficients,
        and `most` all values.
        """
        key = (most, *start.items())
        if key not in self.widths:
            self.widths[key] = self._width(most, start)
        return self.widths[key]

    def _width(self, most: int, start: Mapping[int, int]) -> int:
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
                if self.network.floats is not None:  # what is lost is at most what is added up
                    tiny = self.network.floats.tiny(self.roundings[k], self.bits)
                    total += top * (2 * (sums.norm * most >> block.shift) + 2 * most + tiny + 8)
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
                least, most = range_of(block, part, z, self.bits)
                if least or most:
                    positive = slots.positive(a)
                    slots.constant += positive * least + (a - positive) * most
                continue
            spend(8 * words)
            slope, at, over, over_at = rectifier(least, most, lines.get(z))
            positive = slots.positive(a)
            negative = a - positive
            both = positive * slope + negative * over
            moved = slots.floor(both, SLOPE)
            slots.constant += positive * at + negative * over_at
            if moved << SLOPE != both:
                # what is rounded off is at most one unit, times z
                slots.constant += slots.ones * least
            if moved:
                pending[z] = pending.get(z, 0) + moved

    def _sum(self, part: Part, slots: Slots, k: int, block: Linear) -> None:
        pending, low, high, sums = slots.pending, part.low, part.high, self.sums[k]
        first, found, noise = block.ids.start, dict[int, int](), part.noise.get(k)
        words = 1 + slots.width * slots.count // 256
        if not any(map(pending.__contains__, block.ids)):
            return
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
                lost = error if noise is None else error + noise[i]
                if lost or sums.off[i]:
                    positive = slots.positive(a)
                    # the sizes of coefficients, and where they are below 0 the bias is above
                    slots.constant -= (2 * positive - a) * lost + (positive - a) * sums.off[i]
            for j, column in zip(chunk.index, chunk.columns, strict=True):
                if low[j] or high[j]:
                    row = [column[m] for m in used] if few else column
                    found[j] = found.get(j, 0) + sum(map(mul, row, own))
        for j, a in found.items():
            moved = slots.floor(a, block.shift) if block.shift and a else a
            if moved << block.shift != a:
                slots.constant += slots.ones * min(low[j], 0)
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

    def forget(self, part: Part) -> None:
        """Take the bounds that all variables but the inputs have on the box."""
        inputs = self.network.inputs
        part.low[inputs:], part.high[inputs:] = self.root.low[inputs:], self.root.high[inputs:]

    def tighten(self, part: Part, *, deep: bool) -> None:
        """Bound all variables again, if deep also by functionals where a bend is open."""
        most = self._most(part)
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
                    self._tighten(part, wanted[i : i + TOGETHER], most)
            self._forward(part, k)

    def _deep(self, z: int) -> bool:
        return self.home[z] >= 0 and not (
            self.home[z] in self.sums and self.sums[self.home[z]].direct
        )

    def _tighten(self, part: Part, wanted: Sequence[int], most: int) -> None:
        homes = [self.home[z] for z in wanted]
        width = self.width(most, dict.fromkeys(homes, 1 << COEFFICIENT))
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
            max(self.width(self._most(part), start), (constant.bit_length() + 64) // 8 * 8 + 8),
            1,
            constant,
        )
        slots.pending.update(slots_of)
        self.back(part, slots, len(self.network.blocks) - 1, lines)
        form, at = dict(slots.pending), slots.constant
        return form, at, self.least(part, slots)[0]

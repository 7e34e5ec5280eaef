"""Bounds of variables on a part of a box, by intervals and by functionals that run back.

Values are integers in units of 2^-VALUE, coefficients in units of 2^-COEFFICIENT.  Functionals that
run back together are one integer a variable: it holds a slot of some bits for each, with a sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import add, gt, mul, sub

from tamecheck.kernel.strict import Reject, require, spend
from tamecheck.kernel_pwl.blocks import AWAY, Bend, Chunk, Linear, Row, Sums, Terms, sums_of
from tamecheck.kernel_pwl.floats import Floats
from tamecheck.kernel_pwl.network import Network
from tamecheck.kernel_pwl.parts import SLOPE, Chosen, Part, plane, range_of, ranges, rectifier
from tamecheck.kernel_pwl.slots import Slots, unpack

COEFFICIENT, TOGETHER = 28, 48


class Bounds:
    """Bounds on the parts of one box."""

    def __init__(self, network: Network, low: Row, high: Row, bits: int) -> None:
        self.network, self.bits = network, bits
        rest = [0] * (network.size - len(low))
        self.root = Part(low + rest, high + rest, {})
        self.home = [-1] * network.size
        self.sums: dict[int, Sums] = {}
        self.roundings: dict[int, int] = {}  # of a linear block: how many a term of it may pass
        self.largest, self.before = 1 << bits, list[set[int]]()
        self.widths: dict[object, int] = {}
        self.chunks: dict[int, Chunk] = {}  # of a sum
        self.deep = set[int]()  # variables whose intervals may not be exact
        for k, block in enumerate(network.blocks):
            self.home[block.ids.start : block.ids.stop] = [k] * len(block.ids)
            if isinstance(block, Linear):
                self.sums[k] = sums_of(block, self.bits, self.network.inputs)
                self.largest = max(self.largest, *map(abs, self.sums[k].bias))
                self.chunks.update((i, chunk) for chunk in block.chunks for i in chunk.ids)
                # a sum may be added up together with those that it reads
                before = {self.roundings.get(self.home[j], 0) for j in self.sums[k].used}
                self.roundings[k] = self.sums[k].longest + 2 + max(before, default=0)
            self._forward(self.root, k)
            self.deep.update(() if k in self.sums and self.sums[k].direct else block.ids)
            read = block.args if isinstance(block, Bend) else self.sums[k].used
            self.before.append({self.home[j] for j in read})

    def _error(self, part: Part, sums: Sums, index: Row) -> int:
        """Return by how much weights that are less than a unit off can change a sum on a part."""
        if sums.exact:
            return 0
        lows, highs = [part.low[j] for j in index], [part.high[j] for j in index]
        return (sum(map(max, map(abs, lows), map(abs, highs))) >> sums.shift) + 1

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

    def _intervals(self, block: Linear, sums: Sums, part: Part) -> tuple[Row, Row]:
        first, low, high = block.ids.start, part.low, part.high
        lows, highs = [0] * len(block.ids), [0] * len(block.ids)
        for chunk in block.chunks:
            spend(2 * len(chunk.index) * len(chunk.rows))
            below, above = [low[j] for j in chunk.index], [high[j] for j in chunk.index]
            middle, width = list(map(add, below, above)), list(map(sub, above, below))
            shift, error = block.shift + 1, self._error(part, sums, chunk.index)
            forward, sizes, _ = sums.weights[id(chunk.rows)]
            found = zip(chunk.ids, forward.times(middle), sizes.times(width), strict=True)
            for i, at, reach in found:
                lows[i - first] = ((at - reach) >> shift) + sums.bias[i - first] - error
                beyond = sums.bias[i - first] + sums.off[i - first] + error
                highs[i - first] = -((-at - reach) >> shift) + beyond
        return lows, highs

    def _noise(self, k: int, block: Linear, floats: Floats, part: Part) -> Row:
        """Return by how much floats may be off in each sum of a block on a part."""
        found, first, sums = [0] * len(block.ids), block.ids.start, self.sums[k]
        for chunk in block.chunks:
            if not chunk.index:  # a constant
                continue
            spend(len(chunk.index) * len(chunk.rows))
            most = [max(-part.low[j], part.high[j]) for j in chunk.index]
            rest = self._error(part, sums, chunk.index) + 2
            sizes = sums.weights[id(chunk.rows)][1].times(most)
            for i, size in zip(chunk.ids, sizes, strict=True):
                size = (size >> block.shift) + abs(sums.bias[i - first]) + rest  # noqa: PLW2901
                found[i - first] = floats.lost(size, self.roundings[k], self.bits)
        return found

    # --- functionals ---

    def _most(self, part: Part) -> int:
        """Return a power of 2 that no value on a part exceeds."""
        spend(2 * len(part.low))
        return 1 << max(self.largest, max(part.high), -min(part.low)).bit_length()  # noqa: PLW3301

    def width(self, most: int, start: Mapping[int, int], *, curved: bool = False) -> int:
        """Return a width of slots that no coefficient or constant can exceed on its way back.

        `start` bounds, for each block (-1 for the inputs), the sum of the sizes of coefficients,
        and `most` all values.  If it is `curved`, rectifiers may pass over the sums that they read.
        """
        key = (most, curved, *start.items())
        if key not in self.widths:
            self.widths[key] = self._width(most, start, curved)
        return self.widths[key]

    def _lost(self, k: int, most: int) -> int:
        """Return what a coefficient 1 loses at most where it passes a sum of a block."""
        sums = self.sums[k]
        found = (sums.longest * most >> sums.shift) + 2
        if self.network.floats is not None:  # what is lost is at most what is added up
            tiny = self.network.floats.tiny(self.roundings[k], self.bits)
            found += 2 * (sums.norm * most >> sums.shift) + 2 * most + tiny + 8
        return found

    def _width(self, most: int, start: Mapping[int, int], curved: bool) -> int:  # noqa: FBT001
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
                for b in before & self.sums.keys() if curved else ():
                    sums, terms = self.sums[b], count * self.sums[b].longest
                    over = top * sums.norm
                    total += (over * most >> sums.shift) + top * (5 * most + self._lost(b, most))
                    total += terms * most
                    for c in self.before[b]:
                        tops[c] = tops.get(c, 0) + (over >> sums.shift) + terms
            else:
                sums = self.sums[k]
                after, before, count = top * sums.norm, self.before[k], len(sums.used)
                total += top * self._lost(k, most)
                largest, after = max(largest, after), (after >> block.shift) + count
                total += count * most
            for b in before:
                tops[b] = tops.get(b, 0) + after
        bits = max(total, largest).bit_length() + 3
        require(bits <= 1 << 12, "the functionals are too large")
        return (bits + 7) // 8 * 8

    def back(self, part: Part, slots: Slots, last: int, chosen: Chosen) -> None:
        """Run functionals back to the inputs: each bounds the one before from below on the part."""
        for k in range(last, -1, -1):
            block = self.network.blocks[k]
            if isinstance(block, Bend):
                self._bend(part, slots, block, chosen)
            else:
                self._sum(part, slots, k, block)

    def _bend(self, part: Part, slots: Slots, block: Bend, chosen: Chosen) -> None:
        pending, low, high = slots.pending, part.low, part.high
        words = 1 + slots.width * slots.count // 2048
        for h, z in zip(block.ids, block.args, strict=True):
            a = pending.pop(h, 0)
            if not a:
                continue
            least, most = low[z], high[z]
            if block.op == "relu" and (most <= 0 or least >= 0):
                if most > 0:
                    pending[z] = pending.get(z, 0) + a
                continue
            own = chosen.get(z)
            if block.op != "relu":
                least, most = range_of(block, part, z, self.bits)
                if own and block.op in AWAY:  # a share goes along what is rounded
                    near = a * own[0] >> SLOPE
                    pending[z], a = pending.get(z, 0) + near, a - near
                    slots.constant += near * (AWAY[block.op][near < 0] << self.bits - 1)
                positive = slots.positive(a)
                slots.constant += positive * least + (a - positive) * most
                continue
            if own and len(own) > 1 and a < 0:  # only one functional runs back here
                self._over(part, slots, z, a, own)
                continue
            spend(8 * words)
            slope, at, over, over_at = rectifier(least, most, own)
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

    def terms(self, z: int) -> tuple[Row, Row]:
        """Return the variables of which a variable is the sum, and their weights."""
        chunk = self.chunks.get(z)
        if chunk is None:
            raise Reject("the argument is no sum")
        return chunk.index, chunk.rows[chunk.ids.index(z)]

    def _over(self, part: Part, slots: Slots, z: int, a: int, slopes: Row) -> None:
        """Replace a max(z, 0), a < 0, by a plane above it, of the variables whose sum is z."""
        k, (index, row) = self.home[z], self.terms(z)
        spend(16 * len(index) + 16)
        sums, i, noise = self.sums[k], z - self.network.blocks[k].ids.start, part.noise.get(k)
        most = sums.bias[i] + sums.off[i] + self._error(part, sums, index)
        ends, *box = [(part.low[j], part.high[j]) for j in (z, *index)]
        p, q = plane(row, box, ends, slopes, (most + (noise[i] if noise else 0), sums.shift))
        slots.constant += a * q
        for j, v in zip(index, p, strict=True):
            moved = a * v >> (shift := sums.shift + SLOPE)
            if moved << shift != a * v:
                slots.constant += min(part.low[j], 0)
            slots.pending[j] = slots.pending.get(j, 0) + moved

    def _sum(self, part: Part, slots: Slots, k: int, block: Linear) -> None:
        pending, low, high, sums = slots.pending, part.low, part.high, self.sums[k]
        first, found, noise = block.ids.start, dict[int, int](), part.noise.get(k)
        words = 1 + slots.width * slots.count // 2048
        if not any(map(pending.__contains__, block.ids)):
            return
        for chunk in block.chunks:
            all_ = [pending.pop(i, 0) for i in chunk.ids]
            used = [m for m, a in enumerate(all_) if a]
            if not used:
                continue
            spend(words * (len(used) + 1) * (len(chunk.index) + 2))
            own = [all_[m] for m in used]
            places = [chunk.ids[m] - first for m in used]
            slots.constant += sum(map(mul, own, map(sums.bias.__getitem__, places)))
            error = self._error(part, sums, chunk.index)
            for a, i in zip(own, places, strict=True):
                lost = error if noise is None else error + noise[i]
                if lost or sums.off[i]:
                    positive = slots.positive(a)
                    # the sizes of coefficients, and where they are below 0 the bias is above
                    slots.constant -= (2 * positive - a) * lost + (positive - a) * sums.off[i]
            totals = sums.weights[id(chunk.rows)][2].times(all_) if slots.count == 1 else Row()
            few = len(used) < len(all_)
            for n, (j, column) in enumerate(zip(chunk.index, chunk.columns, strict=True)):
                if low[j] or high[j]:
                    row = [column[m] for m in used] if few and not totals else column
                    total = totals[n] if totals else sum(map(mul, row, own))
                    found[j] = found.get(j, 0) + total
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
        return unpack(slots.constant, slots.width, slots.count)

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
                    if (low[z] < high[z] if jump else low[z] < 0 < high[z]) and z in self.deep
                ]
                for i in range(0, len(wanted), TOGETHER):
                    self._tighten(part, wanted[i : i + TOGETHER], most)
            self._forward(part, k)
        # no point has a value that is its only one, and that it does not attain
        part.empty |= any(part.low[v] == part.high[v] == end for (v, _), end in part.beside.items())

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
        self, part: Part, row: Terms, constant: int, moved: Terms, chosen: Chosen
    ) -> tuple[dict[int, int], int, int]:
        """Return coefficients of the inputs and a constant below a row, and the least value.

        `moved` adds multiples of variables, which their bounds take away again.
        """
        start, slots_of = dict[int, int](), dict(row)
        for z, m in moved.items():
            slots_of[z] = slots_of.get(z, 0) + m
            constant -= m * (part.high[z] if m > 0 else part.low[z])
        for v, a in slots_of.items():
            start[self.home[v]] = start.get(self.home[v], 0) + abs(a)
        width = self.width(self._most(part), start, curved=any(len(c) > 1 for c in chosen.values()))
        slots = Slots(max(width, (constant.bit_length() + 64) // 8 * 8 + 8), 1, constant)
        slots.pending.update(slots_of)
        self.back(part, slots, len(self.network.blocks) - 1, chosen)
        form, at = dict(slots.pending), slots.constant
        return form, at, self.least(part, slots)[0]

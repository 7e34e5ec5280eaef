"""A graph as affine sums and rectifiers of single variables, in integers.

Variables are numbered: first the elements of the inputs, then what nodes add.  The value of a node
is a list of variables, or of known numbers; what only moves elements adds no variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.kernel.elements import combinations, lift, lifts, spread
from tamecheck.kernel.graph import ROUTING, Graph, Node, broadcast
from tamecheck.kernel.strict import Reject, joint, pairs, require, spend
from tamecheck.kernel_pwl.blocks import (
    AWAY,
    LONGEST,
    ONE,
    ZERO,
    Bend,
    Chunk,
    Known,
    Linear,
    Row,
    Value,
    known,
)
from tamecheck.kernel_pwl.floats import Floats

JUMPS = ("sign", "step", "floor", "ceil", "round")
RECTIFIED = {*JUMPS, "relu", "abs", "leaky_relu", "clip"}
OF_NUMBERS: Mapping[str, Callable[..., Fraction]] = {
    "add": Fraction.__add__, "sub": Fraction.__sub__, "neg": Fraction.__neg__,
    "mul": Fraction.__mul__, "div": Fraction.__truediv__,
}  # fmt: skip
MOST, PRODUCTS = 1 << 22, 1 << 28


class Network:
    """The blocks of a graph, in an order in which each reads variables before it.

    Weights have up to `bits` bits after the point.  If floats of some format execute the graph,
    all its numbers have to be floats.
    """

    def __init__(self, graph: Graph, bits: int, floats: Floats | None = None) -> None:
        self.graph, self.bits, self.floats = graph, bits, floats
        blocks: list[Linear | Bend] = []
        self.blocks, self.constants = blocks, dict[Fraction, int]()
        self.numbers, self.whole = dict[int, Fraction](), set[int]()  # known ones, and integers
        self.tests = dict[int, tuple[int, int, int]]()  # v, u and v - u of u < v, or u <= v
        self.inputs = sum(n.size for n in graph.nodes if n.op == "input")
        self.size, needed, values, at = self.inputs, set(graph.outputs), dict[int, Value](), 0
        for k in range(len(graph.nodes) - 1, -1, -1):
            needed.update(graph.nodes[k].args if k in needed else ())
        for k, node in enumerate(graph.nodes):
            if node.op == "input":
                require(self.inputs <= MOST, "there are too many inputs")
                values[k] = list(range(at, at := at + node.size))
            elif k in needed:
                try:
                    require(node.size <= MOST, "a tensor is too large")
                    values[k] = self._node(k, node, [values[a] for a in node.args])
                except Reject as error:
                    raise Reject(f"node {k}: {error}") from error
        self.outputs = [v for k in graph.outputs for v in self._variables(values[k])]
        self.bends = [block for block in self.blocks if isinstance(block, Bend)]
        self._drop()

    def _drop(self) -> None:
        """Leave out blocks of which nothing is read."""
        used = set(self.outputs)
        for k in range(len(self.blocks) - 1, -1, -1):
            block = self.blocks[k]
            if used.isdisjoint(block.ids):
                del self.blocks[k]
            elif isinstance(block, Bend):
                used.update(block.args)
            else:
                used.update(*(chunk.index for chunk in block.chunks))

    def _node(self, k: int, node: Node, args: list[Value]) -> Value:
        spend(node.size + 1)
        if self.floats is not None:
            require(all(map(self.floats.has, node.q.values())), "a number is none of the format")
        if node.op == "constant":
            tensor = self.graph.data(k)
            if tensor is None:
                raise Reject("the data of a constant are not given")
            return self._floats(Known(*tensor))
        if node.op in ROUTING:
            return self._move(k, node, args)
        if node.op == "matmul":
            require(combinations(self.graph, node) <= PRODUCTS, "a product of too many elements")
            return self._matmul(node, args)
        if node.op in ("sum", "reduce_max", "reduce_min"):
            ids: list[tuple[int, ...]] = [(v,) for v in self._variables(args[0])]
            groups = lift(self.graph, node, [ids], (), lambda _, xs: xs[0] + xs[1])
            if node.op == "sum":
                return self._sums([(list(one), [[1] * len(one)]) for one in groups])
            columns = list(map(list, zip(*groups, strict=True)))
            while len(columns) > 1:
                pair = zip(columns[::2], columns[1::2], strict=False)
                rest = columns[len(columns) & ~1 :]
                columns = [self._larger(a, b, node.op == "reduce_max") for a, b in pair] + rest
            return columns[0]
        return self._pointwise(node, self._spread(node, args))

    def _floats(self, value: Known) -> Known:
        """Return known numbers, which a format has to have."""
        if self.floats is not None:
            spend(2 * len(value.nums))
            require(all(map(self.floats.has, value.values())), "a constant is none of the format")
        return value

    def _move(self, k: int, node: Node, args: list[Value]) -> Value:
        require(lifts(self.graph, k), "indices that are computed")
        moved = args[: 1 if node.op != "concat" else None]
        if len(numbers := [v for v in moved if isinstance(v, Known)]) == len(moved):
            pad = node.q.get("value", ZERO)
            d = joint([pad.denominator, *(v.denominator for v in numbers)], LONGEST)
            nums = [[n * (d // v.denominator) for n in v.nums] for v in numbers]
            return Known(lift(self.graph, node, nums, int(pad * d), _never), d)
        pad = self._constant(node.q["value"]) if node.op == "pad" else 0
        return lift(self.graph, node, [self._variables(v) for v in moved], pad, _never)

    def _spread(self, node: Node, args: list[Value]) -> list[Value]:
        """Return the arguments at the node's shape."""
        found: list[Value] = []
        for a, value in pairs(node.args, args):
            nums = value.nums if isinstance(value, Known) else value
            wide = [nums[o] for o in spread(self.graph.nodes[a].shape, node.shape)]
            found.append(Known(wide, value.denominator) if isinstance(value, Known) else wide)
        return found

    def _pointwise(self, node: Node, args: list[Value]) -> Value:
        x, y = args[0], args[-1]
        if node.op in RECTIFIED:
            return self._rectified(node, self._variables(x))
        if all(isinstance(v, Known) for v in args):
            return self._number(node, [v.values() for v in args if isinstance(v, Known)])
        match node.op:
            case "add" | "sub":
                return self._combine((ONE, x), (ONE if node.op == "add" else -ONE, y))
            case "less" | "less_equal" | "equal":
                beyond = self._combine((ONE, y), (-ONE, x))
                made = self._bend(beyond, "step", ZERO if node.op == "less" else ONE)
                if node.op == "equal":
                    return self._combine((ONE, made), (-ONE, self._bend(beyond, "step")))
                over, under = self._variables(y), self._variables(x)
                self.tests.update(pairs(made, zip(over, under, beyond, strict=True)))
                return made
            case "select":
                return self._choose(*map(self._variables, args))
            case "neg":
                return self._combine((-ONE, x))
            case "mul" | "div":
                return self._scale(x, y, divided=node.op == "div")
            case "maximum" | "minimum":
                return self._larger(x, y, node.op == "maximum")
            case _:
                raise Reject(f"{node.op} has no rule here")

    def _rectified(self, node: Node, x: Row) -> Row:
        """Return a function of one variable by rectifiers, or a jump."""
        if node.mode == "toward_zero":  # floor(max(x, 0)) - floor(max(-x, 0))
            ys = [self._bend(self._bend(z, "relu"), "floor") for z in (x, self._combine((-ONE, x)))]
            return self._combine(*pairs((ONE, -ONE), ys))
        if node.op in (*JUMPS, "relu"):
            require(node.mode in ("", "half_even"), "a rounding mode that has no rule here")
            return self._bend(x, node.op, node.q.get("at_zero", ZERO))
        if node.op == "clip":
            for end, larger in (("lo", True), ("hi", False)):
                if end in node.q:
                    x = self._larger(x, known([node.q[end]] * len(x)), larger)
            return x
        below = -ONE if node.op == "abs" else node.q["alpha"]
        return self._combine((below, x), (1 - below, self._bend(x, "relu")))

    def _number(self, node: Node, args: list[list[Fraction]]) -> Value:
        """Return the value of an operation on numbers."""
        spend(len(args[0]))
        require(node.op in OF_NUMBERS, f"{node.op} of constants has no rule here")
        require(node.op != "div" or all(args[1]), "a division by 0")
        return self._floats(known(list(map(OF_NUMBERS[node.op], *args))))

    def _variables(self, value: Value) -> Row:
        return [self._constant(v) for v in value.values()] if isinstance(value, Known) else value

    def _constant(self, value: Fraction) -> int:
        if value not in self.constants:
            self.constants[value] = self._sums([([], [[]])], [value])[0]
            self.numbers[self.constants[value]] = value
        return self.constants[value]

    # --- blocks ---

    def _bend(self, args: Row, op: str, at_zero: Fraction = ZERO) -> Row:
        ids, whole = range(self.size, self.size + len(args)), self.whole.issuperset(args)
        if whole and op in AWAY:  # an integer is rounded to itself
            return args
        if at_zero.denominator == 1 and (whole or op != "relu"):
            self.whole.update(ids)
        self.blocks.append(Bend(ids, args, op, at_zero))
        self.size += len(args)
        require(self.size <= MOST, "there are too many variables")
        return list(ids)

    def _linear(self, chunks: list[Chunk], bias: list[Fraction], shift: int, *, exact: bool) -> Row:
        ids = range(self.size, self.size + len(bias))
        whole = exact and shift == 0 and all(v.denominator == 1 for v in bias)
        if whole and self.whole.issuperset(v for chunk in chunks for v in chunk.index):
            self.whole.update(ids)
        self.blocks.append(Linear(ids, chunks, bias, shift, exact))
        self.size += len(bias)
        require(self.size <= MOST, "there are too many variables")
        spend(sum(len(chunk.index) for chunk in chunks))
        return list(ids)

    def _terms(self, sums: Iterable[tuple[Row, list[Row], list[Row]]]) -> list[Chunk]:
        """Return sums that are to be added: variables, and a row of weights, also as columns."""
        return [Chunk(range(i, i + 1), *one) for i, one in enumerate(sums, self.size)]

    def _sums(self, sums: list[tuple[Row, list[Row]]], bias: list[Fraction] | None = None) -> Row:
        """Add sums of single variables with integer weights, a row each."""
        chunks = self._terms((index, rows, [[w] for w in rows[0]]) for index, rows in sums)
        return self._linear(chunks, bias or [ZERO] * len(sums), 0, exact=True)

    def _combine(self, *terms: tuple[Fraction, Value]) -> Row:
        """Add the sums of multiples, element by element."""
        size = max(len(v.nums) if isinstance(v, Known) else len(v) for _, v in terms)
        bias, parts = [ZERO] * size, list[tuple[Fraction, Row]]()
        for factor, value in terms:
            if isinstance(value, Known):
                bias = [b + factor * v for b, v in pairs(bias, value.values())]
            else:
                parts.append((factor, value))
        last = self.blocks[-1] if self.blocks else None
        if (
            len(parts) == 1
            and parts[0][0] == 1
            and isinstance(last, Linear)
            and parts[0][1] == list(last.ids)
            and not (self.floats and any(last.bias))
        ):  # the same sums with another bias
            step = last.ids.stop - last.ids.start
            ends = [range(c.ids.start + step, c.ids.stop + step, c.ids.step) for c in last.chunks]
            chunks = [replace(c, ids=ids) for c, ids in pairs(last.chunks, ends)]
            bias = [a + b for a, b in pairs(last.bias, bias)]
            return self._linear(chunks, bias, last.shift, exact=last.exact)
        row, shift, exact = known([factor for factor, _ in parts]).at(self.bits)
        rows, columns = [row], [[w] for w in row]
        several = zip(*(ids for _, ids in parts), strict=True)
        chunks = self._terms((list(index), rows, columns) for index in several)
        return self._linear(chunks, bias, shift, exact=exact)

    def _scale(self, x: Value, y: Value, *, divided: bool = False) -> Row:
        if isinstance(x, Known) and not divided:
            x, y = y, x
        if isinstance(x, Known) or not isinstance(y, Known):
            raise Reject("a product or a quotient of two variables")
        require(not divided or all(y.nums), "a division by 0")
        factors = known([1 / v for v in y.values()]) if divided else y
        weights, shift, exact = factors.at(self.bits)
        chunks = self._terms(([v], [[w]], [[w]]) for v, w in pairs(x, weights))
        return self._linear(chunks, [ZERO] * len(x), shift, exact=exact)

    def _larger(self, x: Value, y: Value, larger: bool) -> Row:  # noqa: FBT001
        """Add the larger ones, y + max(x - y, 0), or the smaller ones, y - max(y - x, 0)."""
        sign = ONE if larger else -ONE
        beyond = self._bend(self._combine((sign, x), (-sign, y)), "relu")
        return self._combine((ONE, y), (sign, beyond))

    def _choose(self, tests: Row, x: Row, y: Row) -> Row:
        """Return x where a test u < v holds, else y, where x - y is m (v - u) + k, |m| <= 1."""
        require(all(c in self.tests for c in tests), "a condition that is no comparison")
        over, under, beyond = map(list, zip(*(self.tests[c] for c in tests), strict=True))
        slopes, shifts = list[Fraction](), list[Fraction]()
        for a, b, v, u in zip(x, y, over, under, strict=True):
            d, z = ([None if i in self.numbers else i for i in two] for two in ((a, b), (v, u)))
            m = ZERO if d == [None, None] else ONE if d == z else -ONE
            require(not m or d in (z, z[::-1]), "branches that are not what is compared")
            of = [self.numbers.get(i, ZERO) for i in (a, b, v, u)]
            slopes.append(m)
            shifts.append(of[0] - of[1] - m * (of[2] - of[3]))
        parts = [(ONE, y), (ONE, self._scale(tests, known(shifts)))]
        if any(slopes):
            parts.append((ONE, self._scale(self._bend(beyond, "relu"), known(slopes))))
        return self._combine(*parts)

    def _matmul(self, node: Node, args: list[Value]) -> Value:
        """Add a product with known numbers: sums that share their variables, or their weights."""
        x, y = args
        a, b = (self.graph.nodes[k].shape for k in node.args)
        a, b = (1, *a) if len(a) == 1 else a, b if len(b) > 1 else (*b, 1)
        (n, k), m, batch = a[-2:], b[-1], broadcast(a[:-2], b[:-2])
        known = y if isinstance(y, Known) else x
        if not isinstance(known, Known) or (isinstance(x, Known) and isinstance(y, Known)):
            raise Reject("a product of two variables, or of two constants")
        weights, shift, exact = known.at(self.bits)
        chunks, first, made = list[Chunk](), self.size, dict[int, tuple[list[Row], list[Row]]]()
        starts = pairs(spread(a[:-2], batch), spread(b[:-2], batch))
        for at, (p, q) in enumerate(starts):
            start = first + at * n * m
            if isinstance(y, Known):
                if q not in made:
                    block = weights[q * k * m : (q + 1) * k * m]
                    columns = [block[t * m : (t + 1) * m] for t in range(k)]
                    made[q] = (list(map(list, zip(*columns, strict=True))), columns)
                values = x if not isinstance(x, Known) else Row()
                for i in range(n):
                    index = values[(p * n + i) * k : (p * n + i + 1) * k]
                    chunks.append(Chunk(range(start + i * m, start + (i + 1) * m), index, *made[q]))
            else:
                if p not in made:
                    block = weights[p * n * k : (p + 1) * n * k]
                    rows = [block[i * k : (i + 1) * k] for i in range(n)]
                    made[p] = (rows, list(map(list, zip(*rows, strict=True))))
                for j in range(m):
                    index = y[q * k * m + j : (q + 1) * k * m : m]
                    chunks.append(Chunk(range(start + j, start + n * m, m), index, *made[p]))
        return self._linear(chunks, [ZERO] * node.size, shift, exact=exact)


def _never(op: str, xs: Sequence[int]) -> int:
    raise Reject(f"{op} moves nothing: {len(xs)}")

"""Polynomials along a ray with periodic coefficients, of which two values and a range are known.

A node is the sum of its rows, one for each power of the ray's parameter t.  All coefficients have
a common period, so the values at two phases are taken ever again.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import product

from tamecheck.kernel import read
from tamecheck.kernel.graph import GATHERS, ROUTING, Graph, Node
from tamecheck.kernel.interval import ONE, SIGNED, ZERO, Interval, point
from tamecheck.kernel.ranges import Bounds, apply, enclose, points
from tamecheck.kernel.read import Json
from tamecheck.kernel.refute import ray
from tamecheck.kernel.strict import pairs, require

Row = tuple[Bounds, Bounds, Bounds]  # of each element: the values at both phases, and the range
POWERS, NOTHING, ABOVE = 4, point(0), Interval(ZERO, None, low_open=True)
LINEAR = {*ROUTING, "add", "sub", "neg", "sum"}
EVER = {"floor": "", "ceil": "", "round": "half_even half_up half_down"}  # modes with a period


def _fixed(bounds: Bounds) -> Row:
    return bounds, bounds, bounds


class Periodic:
    """The nodes of a graph along a ray."""

    def __init__(self, graph: Graph, phases: Sequence[Fraction]) -> None:
        self.graph = graph
        self.phases = phases
        self.periods = set[str]()  # those of waves and of roundings have no common multiple
        self.values: dict[int, list[Row]] = {}

    def row(self, k: int, rows: Sequence[Row]) -> Row:
        """Return a node of rows that are its arguments: it is linear, or they are all there is."""
        node, found = self.graph.nodes[k], list[Bounds]()
        if node.op == "power" and not self.graph.free[node.args[1]]:
            require(all(x <= ABOVE for x in rows[0][2]), "power may leave its domain")
        same = all(r[0] is r[1] is r[2] for r in rows)
        for i in (2,) if same else (2, 0, 1):  # the ranges are in the domain, so the values are
            bounds = enclose(self.graph, k, [r[i] for r in rows], node.size, apply)
            found.append([bounds[j % len(bounds)] for j in range(node.size)])
        return _fixed(found[0]) if same else (found[1], found[2], found[0])

    def coefficient(self, a: int, power: int) -> Row:
        """Return the coefficient of a power of t in a node."""
        rows = self.values[a]
        return rows[power] if power < len(rows) else _fixed([NOTHING] * self.graph.nodes[a].size)

    def node(self, k: int) -> list[Row]:
        """Return the rows of a node from those of its arguments."""
        node = self.graph.nodes[k]
        op, args = node.op, node.args
        longest = max(len(self.values[a]) for a in args)
        if longest == 1:
            return [self.row(k, [self.values[a][0] for a in args])]
        first, last = args[0], args[-1]
        if op in ("sin", "cos", *EVER):
            return self.turning(node)
        if op in ("relu", "leaky_relu", "abs"):
            return self.bent(node)
        if op in LINEAR:
            require(op != "pad" or node.q["value"] == 0, "a pad that is not 0")
            moved = args[:1] if op in GATHERS else args
            index = [self.coefficient(a, 0) for a in args[len(moved) :]]
            powers = range(longest)
            return [self.row(k, [*(self.coefficient(a, d) for a in moved), *index]) for d in powers]
        if op == "pow":
            e = node.q["exponent"]
            require(e.denominator == 1 and 0 <= e * (longest - 1) <= POWERS, "too high a power")
            one = [_fixed([point(1)] * node.size)]
            return reduce(_product, [self.values[first]] * e.numerator, one)
        if op == "div":
            require(len(self.values[last]) == 1, "a divisor that is not periodic")
            return [self.row(k, [r, self.values[last][0]]) for r in self.values[first]]
        require(op in ("mul", "matmul"), f"{op} is not followed along a ray")
        require(sum(len(self.values[a]) - 1 for a in args) <= POWERS, "too high a power")
        found: dict[int, Row] = {}
        for i, x in enumerate(self.values[first]):
            for j, y in enumerate(self.values[last]):
                term = self.row(k, [x, y])
                found[i + j] = _added(found[i + j], term) if i + j in found else term
        return [found[d] for d in sorted(found)]

    def turning(self, node: Node) -> list[Row]:
        """Return a sine, a cosine or a rounding of at + u(t), with rational a and periodic u."""
        wave = node.op not in EVER
        self.periods.add("wave" if wave else "rounding")
        require(len(self.periods) == 1, "periods without a common multiple")
        require(len(self.values[node.args[0]]) <= 2, "an argument that is not affine")
        rest, slope = (self.coefficient(node.args[0], d) for d in (0, 1))
        require(all(map(_exact, slope[2])), "a slope that is not known")
        slopes = [Fraction(x.low or 0) for x in slope[2]]
        at = [
            [apply(node, node.op, [u + point(a * t)]) for a, u in pairs(slopes, rest[i])]
            for i, t in enumerate(self.phases)
        ]
        if wave:
            return [(at[0], at[1], [SIGNED] * node.size)]
        known = not node.mode or node.mode in EVER["round"].split()
        require(known and all(map(_exact, rest[2])), "a rounding without a known period")
        near = [
            [x - point(a * t) for a, x in pairs(slopes, row)] for row, t in pairs(at, self.phases)
        ]
        ranges = [u + SIGNED for u in rest[2]]
        return [(near[0], near[1], ranges), slope]

    def bent(self, node: Node) -> list[Row]:
        """Return a function of two linear pieces, by the sign of what grows fastest."""
        rows = self.values[node.args[0]]
        below = {"relu": ZERO, "abs": -ONE}.get(node.op, node.q.get("alpha", ZERO))
        factors: list[Fraction | None] = []
        for i in range(node.size):
            top = next((r[2][i] for r in reversed(rows[1:]) if r[2][i] != NOTHING), None)
            require(top is None or not top.closure.has(ZERO), "a sign that is not known")
            above = top is not None and top.low is not None and top.low > 0
            factors.append(None if top is None else ONE if above else below)
        still: list[Bounds] = [
            [
                apply(node, node.op, [x]) if f is None else x * point(f)
                for f, x in pairs(factors, rows[0][j])
            ]
            for j in (0, 1, 2)
        ]
        higher = [
            [[x * point(f or ZERO) for f, x in pairs(factors, r[j])] for j in (0, 1, 2)]
            for r in rows[1:]
        ]
        return [(still[0], still[1], still[2]), *((h[0], h[1], h[2]) for h in higher)]


def _exact(x: Interval) -> bool:
    return x.low is not None and x.low == x.high


def _product(x: list[Row], y: list[Row]) -> list[Row]:
    found: dict[int, Row] = {}
    for (i, r), (j, s) in product(enumerate(x), enumerate(y)):
        one, two, ever = ([a * b for a, b in pairs(r[n], s[n])] for n in (0, 1, 2))
        found[i + j] = (
            _added(found[i + j], (one, two, ever)) if i + j in found else (one, two, ever)
        )
    return [found[d] for d in sorted(found)]


def _added(x: Row, y: Row) -> Row:
    sums = [[a + b for a, b in pairs(x[j], y[j])] for j in (0, 1, 2)]
    return sums[0], sums[1], sums[2]


def periodic(graph: Graph, raw: Json, domain: Mapping[str, Bounds]) -> tuple[int, tuple[str, ...]]:
    """Check that an output is p(t) + t^k u(t) + O(t^(k-1)) on a ray, u periodic, not constant."""
    phases = [read.rational(t) for t in read.pair(raw["t"], "two phases are needed")]
    target, element, starts, steps = ray(graph, raw, domain)
    needed, waiting = set[int](), {target}
    while waiting:
        needed |= waiting
        waiting = {a for k in waiting for a in graph.nodes[k].args} - needed
    walk = Periodic(graph, phases)
    for k in sorted(needed):
        node, data = graph.nodes[k], graph.data(k)
        require(node.op != "constant" or data is not None, "the data of a constant are not given")
        if node.op == "input":
            both = ([*map(point, given[node.name])] for given in (starts, steps))
            walk.values[k] = [_fixed(bounds) for bounds in both]
        else:
            walk.values[k] = walk.node(k) if data is None else [_fixed(points(data))]
            while len(walk.values[k]) > 1 and all(x == NOTHING for x in walk.values[k][-1][2]):
                walk.values[k].pop()
    rows = walk.values[target]
    top = next((r for r in reversed(rows) if not _exact(r[2][element])), None)
    apart = top is not None and (top[0][element] & top[1][element]).empty
    require(apart, "no oscillation is proved: the two values may be equal")
    return target, ("o-minimal",)

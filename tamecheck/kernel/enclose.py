"""Enclosures of nodes: the range of each operation over intervals, for elements or a hull."""
# fmt: off
# ruff: noqa: E701, ARG005  (tables of one line an operation, all of one signature)
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from math import ceil, floor, lcm
from operator import mul, or_

from tamecheck.kernel.graph import FOLDS, POINTWISE, ROUTING, Graph, Node, Tensor
from tamecheck.kernel.interval import (
    HALF, PI, SIGNED, UNIT, ZERO, Interval, increasing, monotone, one_branch, point, wave)
from tamecheck.kernel.layout import lift, sums
from tamecheck.kernel.strict import require

Bounds = list[Interval]  # one per element, or a single one that bounds every element
ELEMENTS, PRODUCTS = 1 << 16, 1 << 26

def natural(y: Interval) -> bool:
    """Say whether y is one natural number."""
    return y.low is not None and y.low == y.high and y.low >= 0 and y.low.denominator == 1

def _round(x: Interval, n: Node) -> Interval:
    def at(a: Fraction) -> Interval:
        low, up, tie = floor(a), a - floor(a) > HALF, a - floor(a) == HALF
        return point({
            "floor": low, "ceil": ceil(a), "half_up": low + (up or tie), "half_down": low + up,
            "half_even": low + (up or (tie and low % 2 == 1)), "half_away": low + (up or (tie and a > 0)),
            "half_toward_zero": low + (up or (tie and a < 0)), "toward_zero": low if a > 0 else ceil(a),
            "away_from_zero": ceil(a) if a > 0 else low}[n.mode or n.op])
    return monotone(at, x)

def _kinked(x: Interval, below: Interval) -> Interval:
    # The function is x for x >= 0, and `below` is its range over the negative part of x.
    return x if x.above(0) else below if x.below(0) else below | x.clamp(ZERO, None)

def _jump(x: Interval, low: int, at_zero: Fraction) -> Interval:
    possible = ((low, not x.above(0)), (at_zero, x.has(ZERO)), (1, not x.below(0)))
    return reduce(or_, [point(value) for value, occurs in possible if occurs])

def _truth(yes: bool, no: bool) -> Interval:
    return point(1) if yes else point(0) if no else UNIT

def _power(x: Interval, y: Interval) -> Interval:
    if y.low is None or y.low != y.high or y.low.denominator > 1:  # exp(y log x), with 0^y = 0
        log = increasing("log", Interval(x.low or None, x.high)) if x.high != 0 else x
        return point(0) if x.high == 0 else increasing("exp", y * log)
    x, e = (x, y.low.numerator) if y.low >= 0 else (x.inverse(), -y.low.numerator)
    longest = max([max(abs(end.numerator), end.denominator) for end in (x.low, x.high) if end] + [0])
    require(e * longest.bit_length() <= 1 << 14, "a power is too long a number")
    x = x if e % 2 else x.maximum(-x).clamp(ZERO, None)
    return monotone(lambda a: point(a**e), x) if e else point(1)

DOMAIN: dict[str, Callable[[Node, Bounds], bool]] = {  # other operations are total
    "div": lambda n, a: not a[1].has(ZERO),
    "log": lambda n, a: a[0].above(0, strict=True),
    "sqrt": lambda n, a: a[0].above(0),
    "acosh": lambda n, a: a[0].above(1),
    "asin": lambda n, a: a[0].within(SIGNED),
    "acos": lambda n, a: a[0].within(SIGNED),
    "atanh": lambda n, a: a[0].above(-1, strict=True) and a[0].below(1, strict=True),
    "tan": lambda n, a: one_branch(a[0]),
    "pow": lambda n, a: (a[0].above(0, strict=n.q["exponent"] < 0) if n.q["exponent"].denominator > 1
                         else n.q["exponent"] >= 0 or not a[0].has(ZERO)),
    "power": lambda n, a: a[0].above(0, strict=True) or natural(a[1])}
RANGE: dict[str, Callable[[Node, Interval, Interval, Interval], Interval]] = {
    "add": lambda n, x, y, z: x + y,
    "sub": lambda n, x, y, z: x + -y,
    "neg": lambda n, x, y, z: -x,
    "mul": lambda n, x, y, z: x * y,
    "div": lambda n, x, y, z: x * y.inverse(),
    "abs": lambda n, x, y, z: _kinked(x, -x.clamp(None, ZERO)),
    "relu": lambda n, x, y, z: x.clamp(ZERO, None),
    "leaky_relu": lambda n, x, y, z: _kinked(x, x.clamp(None, ZERO) * point(n.q["alpha"])),
    "prelu": lambda n, x, y, z: _kinked(x, x.clamp(None, ZERO) * y),
    "elu": lambda n, x, y, z: _kinked(x, point(n.q["alpha"]) * (
        point(-1) + increasing("exp", x.clamp(None, ZERO) * point(1 / n.q["beta"])))),
    "maximum": lambda n, x, y, z: x.maximum(y),
    "minimum": lambda n, x, y, z: -((-x).maximum(-y)),
    "clip": lambda n, x, y, z: x.clamp(n.q.get("lo"), n.q.get("hi")),
    "sign": lambda n, x, y, z: _jump(x, -1, n.q["at_zero"]),
    "step": lambda n, x, y, z: _jump(x, 0, n.q["at_zero"]),
    **dict.fromkeys(("floor", "ceil", "round"), lambda n, x, y, z: _round(x, n)),
    "select": lambda n, x, y, z: z if x == point(0) else y | z if x.has(ZERO) else y,
    "equal": lambda n, x, y, z: _truth(x + -y == point(0), not (x + -y).has(ZERO)),
    "less": lambda n, x, y, z: _truth((x + -y).below(0, strict=True), (x + -y).above(0)),
    "less_equal": lambda n, x, y, z: _truth((x + -y).below(0), (x + -y).above(0, strict=True)),
    "pow": lambda n, x, y, z: _power(x, point(n.q["exponent"])),
    "power": lambda n, x, y, z: _power(x, y),
    "sin": lambda n, x, y, z: wave(x, 0),
    "cos": lambda n, x, y, z: wave(x, 1),
    "acos": lambda n, x, y, z: PI * point(HALF) + -increasing("asin", x),
    "cosh": lambda n, x, y, z: increasing("cosh", x.maximum(-x).clamp(ZERO, None))}

def apply(node: Node, op: str, args: Bounds) -> Interval:
    """Return the range of a pointwise operation; reject if it may be undefined somewhere."""
    require(op not in DOMAIN or DOMAIN[op](node, args), f"{op} may leave its domain")
    if op in RANGE:
        return RANGE[op](node, args[0], args[1 % len(args)], args[-1])
    return increasing(op, args[0])

def _hull(graph: Graph, node: Node, args: Bounds) -> Interval:
    x, first = args[0], graph.nodes[node.args[0]]
    extent, count = (first.shape[a] for a in node.n.get("axis", ())), first.size // node.size
    match node.op:
        case "concat": return reduce(or_, args)
        case "pad": return x | point(node.q["value"])
        case "sum": return x * point(count)
        case "matmul": return x * args[1] * point(first.shape[-1])
        case "prod" if count <= 64: return reduce(Interval.__mul__, [x] * count)
        case "softmax": return UNIT
        case "logsumexp": return x + increasing("log", point(count))
        case "log_softmax": return (x + -(x + increasing("log", point(next(extent))))).clamp(None, ZERO)
        case "argmax" | "argmin" | "argsort": return Interval(ZERO, Fraction(next(extent) - 1))
        case _ if node.op in POINTWISE: return apply(node, node.op, args)
        case _: require(node.op != "prod", "a product of too many elements")
    return x

def enclose(graph: Graph, node: Node, args: list[Bounds], wanted: int) -> Bounds:
    """Return bounds of a node from its arguments': one per element if these or `wanted` are."""
    sizes, data = [graph.nodes[a].size for a in node.args], [graph.data(a) for a in node.args]
    if node.op == "matmul" and any(data):
        return _weighted(graph, node, args, data, wanted)
    for i, tensor in enumerate(data):
        if tensor is not None and sizes[i] <= ELEMENTS:
            args[i] = [point(Fraction(v, tensor[1])) for v in tensor[0]]
    work = node.size * (graph.nodes[node.args[0]].shape[-1] if node.op == "matmul" else 1)
    lifted = node.op in {**POINTWISE, **ROUTING, **FOLDS, "matmul": 2} and not (
        node.op.startswith("gather") and data[1] is None)
    if not lifted or max(work, *sizes) > ELEMENTS or max(wanted, *map(len, args)) == 1:
        return [_hull(graph, node, [reduce(or_, bounds) for bounds in args])]
    full = [b * (size // len(b)) for b, size in zip(args, sizes, strict=True)]
    pad = point(node.q.get("value", ZERO))
    return lift(graph, node, full, pad, lambda op, elements: apply(node, op, elements))

def _weighted(graph: Graph, node: Node, args: list[Bounds], data: list[Tensor | None],
              wanted: int) -> Bounds:
    """Return bounds of a matmul with exact weights w: over |x - c| <= r, w*c -+ |w|*r."""
    left, right = (graph.nodes[a] for a in node.args)
    require(node.size * left.shape[-1] <= PRODUCTS, "a matmul that is too large")
    starts, k, m = sums(left.shape, right.shape)
    exact, size = (0, right.size) if data[0] is not None else (1, left.size)
    (weights, scale), boxes = data[exact] or ([], 1), args[1 - exact]
    hull = len(boxes) == 1 and (wanted == 1 or size > ELEMENTS)
    boxes = boxes * (k if hull else size // len(boxes))
    if hull:  # then every sum is over the same box
        starts = list(dict.fromkeys((p, 0) if exact == 0 else (0, q) for p, q in starts))
    ends = {end for box in boxes for end in (box.low, box.high) if end is not None}
    common = reduce(lcm, {end.denominator for end in ends}, 1)
    require(common.bit_length() <= 1 << 14, "the denominators of an enclosure are too many")
    lows = [next((int(end * common) for end in (b.low, b.high) if end is not None), 0) for b in boxes]
    highs = [low if b.high is None else int(b.high * common) for b, low in zip(boxes, lows, strict=True)]
    centre, radius = [a + b for a, b in zip(lows, highs, strict=True)], [b - a for a, b in zip(lows, highs, strict=True)]
    rays = [] if all(b.finite for b in boxes) else [
        Interval(None if b.low is None else ZERO, None if b.high is None else ZERO) for b in boxes]
    found: Bounds = []
    for p, q in starts:
        cuts = [slice(p, p + k), slice(q, q + (k - 1) * m + 1, m)]
        w, part = weights[cuts[exact]], slice(0, k) if hull else cuts[1 - exact]
        middle, spread = sum(map(mul, w, centre[part])), sum(map(mul, map(abs, w), radius[part]))
        low, high = (Fraction(middle + s * spread, 2 * common * scale) for s in (-1, 1))
        open_sides = [point(v) * ray for v, ray in zip(w, rays[part], strict=False)]
        found.append(reduce(Interval.__add__, open_sides, Interval(low, high)))
    return [reduce(or_, found)] if hull else found

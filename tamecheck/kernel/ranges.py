"""Enclosures of nodes: which elements a node combines, and the range of each operation."""

# fmt: off
# ruff: noqa: ARG005, D103, E701, E704, FBT001  (tables of one line an operation)
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from itertools import accumulate
from math import ceil, floor, prod
from operator import mul
from typing import TypeVar

from tamecheck.kernel.graph import FOLDS, POINTWISE, ROUTING, Graph, Node, Shape, Tensor
from tamecheck.kernel.interval import (
    HALF,
    NEGATIVE,
    ONE,
    PI,
    POSITIVE,
    SIGNED,
    UNIT,
    ZERO,
    Interval,
    increasing,
    longest,
    monotone,
    one_branch,
    point,
    wave,
)
from tamecheck.kernel.strict import common, require, spend

T = TypeVar("T")
Bounds = Sequence[Interval]  # one per element, or a single one that bounds every element
ELEMENTS, WEIGHTS, BITS = 1 << 16, 1 << 24, 1 << 16  # so much is refused
_OUTSIDE = -(1 << 50)  # a sum of offsets below 0 is outside the tensor

def _axes(shape: Shape) -> list[list[int]]:  # the offsets of the positions along each axis
    steps = list(accumulate(shape[:0:-1], mul, initial=1))[::-1]
    return [[i * s for i in range(d)] for d, s in zip(shape, steps, strict=False)]

def _grid(axes: list[list[int]]) -> list[int]:
    return reduce(lambda found, axis: [a + b for a in found for b in axis], axes, [0])

def _spread(shape: Shape, out: Shape) -> list[int]:
    padded = (1,) * (len(out) - len(shape)) + shape
    return _grid([a * (d // len(a)) for a, d in zip(_axes(padded), out, strict=True)])

def _offsets(graph: Graph, node: Node) -> list[int]:
    x, n, axis = graph.nodes[node.args[0]].shape, node.n, node.n.get("axis", (0,))[0]
    axes = _axes(x)
    match node.op:
        case "reshape": return list(range(node.size))
        case "broadcast": return _spread(x, node.shape)
        case "transpose": return _grid([axes[a] for a in n["perm"]])
        case "slice":
            cuts = zip(axes, n["starts"], n["steps"], n["sizes"], strict=True)
            return _grid([[line[s + i * t] for i in range(k)] for line, s, t, k in cuts])
        case "pad":
            ends = zip(n["before"], axes, n["after"], strict=True)
            return _grid([[_OUTSIDE] * b + line + [_OUTSIDE] * a for b, line, a in ends])
        case _: nums, _ = graph.data(node.args[1]) or ([], 1)
    chosen = [axes[axis][i] for i in nums]
    if node.op == "gather": return _grid([*axes[:axis], chosen, *axes[axis + 1:]])
    rest = [[0] * d if a == axis else axes[a][:d] for a, d in enumerate(node.shape)]
    return [a + b for a, b in zip(_grid(rest), chosen, strict=True)]

def _dots(a: Shape, b: Shape, x: Sequence[T], y: Sequence[T]
          ) -> list[tuple[Sequence[T], Sequence[T]]]:  # each element's row and column
    b = b if len(b) > 1 else (*b, 1)
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    (n, k), m, batch = a[-2:], b[-1], tuple(map(max, zip(a[:-2], b[:-2], strict=True)))
    starts = zip(_spread(a[:-2], batch), _spread(b[:-2], batch), strict=True)
    return [(x[(p * n + i) * k:(p * n + i + 1) * k], y[q * k * m + j:(q + 1) * k * m:m])
            for p, q in starts for i in range(n) for j in range(m)]

def lift(graph: Graph, node: Node, args: Sequence[Sequence[T]], pad: T,
         apply: Callable[[str, Sequence[T]], T]) -> list[T]:
    """Return the elements of a pointwise, routing, folding or matmul node from its arguments'."""
    shapes, fold = [graph.nodes[a].shape for a in node.args], FOLDS.get(node.op, "add")
    if node.op in POINTWISE:
        columns = [[v[o] for o in _spread(s, node.shape)]
                   for v, s in zip(args, shapes, strict=True)]
        return [apply(node.op, row) for row in zip(*columns, strict=True)]
    if node.op == "concat":
        blocks = [prod(s[node.n["axis"][0]:]) for s in shapes]
        return [element for i in range(len(args[0]) // blocks[0])
                for v, b in zip(args, blocks, strict=True) for element in v[i * b:(i + 1) * b]]
    if node.op in ROUTING: return [pad if o < 0 else args[0][o] for o in _offsets(graph, node)]
    if node.op == "matmul":
        rows = [[apply("mul", pair) for pair in zip(x, y, strict=True)]
                for x, y in _dots(shapes[0], shapes[1], args[0], args[1])]
    else:
        axes, folded = _axes(shapes[0]), node.n["axes"]
        inner, outer = (_grid([line for a, line in enumerate(axes) if (a in folded) is part])
                        for part in (True, False))
        rows = [[args[0][o + i] for i in inner] for o in outer]
    return [reduce(lambda a, b: apply(fold, [a, b]), row) for row in rows]

def natural(y: Interval) -> bool:
    return y.low is not None and y.low == y.high and y.low >= 0 and y.low.denominator == 1

def _round(x: Interval, n: Node) -> Interval:
    def at(a: Fraction) -> Interval:
        low, up, tie = floor(a), a - floor(a) > HALF, a - floor(a) == HALF
        return point({
            "floor": low, "ceil": ceil(a), "half_up": low + (up or tie), "half_down": low + up,
            "half_even": low + (up or (tie and low % 2 == 1)),
            "half_away": low + (up or (tie and a > 0)),
            "half_toward_zero": low + (up or (tie and a < 0)),
            "toward_zero": low if a > 0 else ceil(a),
            "away_from_zero": ceil(a) if a > 0 else low}[n.mode or n.op])
    return monotone(at, x)

def _kinked(x: Interval, below: Interval) -> Interval:  # x for x >= 0, of range `below` for x <= 0
    return x if x <= POSITIVE else below if x <= NEGATIVE else below | x.clamp(ZERO, None)

def _jump(x: Interval, low: int, at_zero: Fraction) -> Interval:
    possible = (low, not x <= POSITIVE), (at_zero, x.has(0)), (1, not x <= NEGATIVE)
    return reduce(Interval.__or__, [point(value) for value, occurs in possible if occurs])

def _truth(yes: bool, no: bool) -> Interval: return point(1) if yes else point(0) if no else UNIT

def _power(x: Interval, y: Interval) -> Interval:
    if y.low is None or y.low != y.high or y.low.denominator > 1:  # exp(y log x), with 0^y = 0
        if x.high == 0: return x
        return increasing("exp", y * increasing("log", Interval(x.low or None, x.high)))
    x, e = (x, y.low.numerator) if y.low >= 0 else (x.inverse(), -y.low.numerator)
    require(e * longest(x) <= 1 << 14, "a power is too long a number")
    x = x if e % 2 else x.maximum(-x).clamp(ZERO, None)
    return monotone(lambda a: point(a**e), x) if e else point(1)

DOMAIN: dict[str, Callable[[Node, Bounds], bool]] = {  # other operations are total
    "div": lambda n, a: not a[1].has(0), "sqrt": lambda n, a: a[0] <= POSITIVE,
    "log": lambda n, a: a[0] <= POSITIVE and not a[0].has(0),
    "acosh": lambda n, a: a[0] <= Interval(ONE, None), "tan": lambda n, a: one_branch(a[0]),
    "asin": lambda n, a: a[0] <= SIGNED, "acos": lambda n, a: a[0] <= SIGNED,
    "atanh": lambda n, a: a[0] <= SIGNED and not (a[0].has(-1) or a[0].has(1)),
    "pow": lambda n, a: ((n.q["exponent"].denominator == 1 or a[0] <= POSITIVE)
                         and (n.q["exponent"] >= 0 or not a[0].has(0))),
    "power": lambda n, a: natural(a[1]) or (a[0] <= POSITIVE and not a[0].has(0))}
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
    "select": lambda n, x, y, z: z if x == point(0) else y | z if x.has(0) else y,
    "equal": lambda n, x, y, z: _truth(x + -y == point(0), not (x + -y).has(0)),
    "less": lambda n, x, y, z: _truth(x + -y <= NEGATIVE and not (x + -y).has(0),
                                      x + -y <= POSITIVE),
    "less_equal": lambda n, x, y, z: _truth(x + -y <= NEGATIVE, x + -y <= POSITIVE
                                            and not (x + -y).has(0)),
    "pow": lambda n, x, y, z: _power(x, point(n.q["exponent"])),
    "power": lambda n, x, y, z: _power(x, y),
    "sin": lambda n, x, y, z: wave(x, 0),
    "cos": lambda n, x, y, z: wave(x, 1),
    "acos": lambda n, x, y, z: PI * point(HALF) + -increasing("asin", x),
    "cosh": lambda n, x, y, z: increasing("cosh", x.maximum(-x).clamp(ZERO, None))}

def apply(node: Node, op: str, args: Bounds) -> Interval:
    """Return the range of a pointwise operation; reject if it may be undefined somewhere."""
    require(op not in DOMAIN or DOMAIN[op](node, args), f"{op} may leave its domain")
    found = (increasing(op, args[0]) if op not in RANGE else
             RANGE[op](node, args[0], args[1 % len(args)], args[-1]))
    require(longest(found) <= BITS, "a number is too long")
    return found

def _hull(graph: Graph, node: Node, args: Bounds) -> Interval:
    x, first = args[0], graph.nodes[node.args[0]]
    extent = first.shape[node.n["axis"][0]] if "axis" in node.n else 1
    count = first.size // node.size
    match node.op:
        case "concat": return reduce(Interval.__or__, args)
        case "pad": return x | point(node.q["value"])
        case "sum": return x * point(count)
        case "matmul": return x * args[1] * point(first.shape[-1])
        case "prod":
            require(count <= 64, "a product of too many elements")
            return reduce(Interval.__mul__, [x] * count)
        case "softmax": return UNIT
        case "logsumexp": return x + increasing("log", point(count))
        case "log_softmax":
            return (x + -(x + increasing("log", point(extent)))).clamp(None, ZERO)
        case "argmax" | "argmin" | "argsort": return Interval(ZERO, extent - 1)
        case _: return apply(node, node.op, args) if node.op in POINTWISE else x

def _weighted(shapes: list[Shape], args: Sequence[Bounds], data: list[Tensor | None], work: int
              ) -> Bounds | None:
    # The range of w*x over |x - c| <= r is w*c -+ |w|*r; here for 2w, 2x, 2c, 2r, as integers.
    middles, radii, scale = list[list[int]](), list[list[int]](), 4
    for bounds, tensor in zip(args, data, strict=True):
        given = [(x.low, x.high) for x in bounds if x.low is not None and x.high is not None]
        den = common({end.denominator for pair in given for end in pair}, BITS)
        if len(given) < len(bounds) or den is None: return None
        spend(len(given), den.bit_length())
        pairs = [(int(a * den), int(b * den)) for a, b in given]
        middles.append([a + b for a, b in pairs] if tensor is None else [2 * v for v in tensor[0]])
        radii.append([b - a for a, b in pairs] if tensor is None else [])
        scale *= den if tensor is None else tensor[1]
    exact = 0 if data[0] is not None else 1
    sizes = [*map(abs, middles[exact])], radii[1 - exact] or [0] * len(middles[1 - exact])
    bits = max(max(map(abs, row), default=0).bit_length() for row in middles)
    spend(2 * work, bits)
    spread = _dots(*shapes, *(sizes if exact == 0 else sizes[::-1]))
    found: list[Interval] = []
    for (x, y), (u, v) in zip(_dots(*shapes, *middles), spread, strict=True):
        middle, radius = sum(map(mul, x, y)), sum(map(mul, u, v))
        found.append(Interval(Fraction(middle - radius, scale), Fraction(middle + radius, scale)))
    return found

def enclose(graph: Graph, k: int, args: list[Bounds], wanted: int) -> Bounds:
    """Return bounds of a node from its arguments': one per element if these or `wanted` are."""
    node, sizes = graph.nodes[k], [graph.nodes[a].size for a in graph.nodes[k].args]
    shapes, data = [graph.nodes[a].shape for a in node.args], [graph.data(a) for a in node.args]
    weighted = node.op == "matmul" and any(data)
    work = node.size * (shapes[0][-1] if node.op == "matmul" else 1)
    lifted = node.op in {**POINTWISE, **ROUTING, **FOLDS, "matmul": 2} and not (
        node.op.startswith("gather") and data[1] is None)
    known = any(t is not None and size > 1 for t, size in zip(data, sizes, strict=True))
    fine = known or max(wanted, *map(len, args)) > 1
    lifted, work = lifted and fine, max(work, *sizes)
    if lifted and weighted and work <= WEIGHTS:
        full = [[*b] * (size // len(b)) if t is None else []
                for b, t, size in zip(args, data, sizes, strict=True)]
        found = _weighted(shapes, full, data, work)
        if found is not None: return found
    if not lifted or work > ELEMENTS:
        return [_hull(graph, node, [reduce(Interval.__or__, bounds) for bounds in args])]
    spend(work)
    full = [[*b] * (size // len(b)) for b, size in zip(args, sizes, strict=True)]
    for i, tensor in enumerate(data):
        if tensor is not None: full[i] = [point(Fraction(v, tensor[1])) for v in tensor[0]]
    pad = point(node.q.get("value", ZERO))
    return lift(graph, node, full, pad, lambda op, xs: apply(node, op, xs))

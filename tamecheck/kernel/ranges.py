"""Enclosures of nodes: which elements a node combines, and the range of each operation."""
# fmt: off
# ruff: noqa: ARG005, D103, E701, E704, FBT001  (tables of one line an operation)
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from itertools import accumulate
from math import ceil, floor, lcm, prod
from operator import mul
from typing import TypeVar

from tamecheck.kernel.graph import FOLDS, POINTWISE, ROUTING, Graph, Node, Shape
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
    monotone,
    one_branch,
    point,
    wave,
)
from tamecheck.kernel.strict import require

T = TypeVar("T")
Bounds = Sequence[Interval]  # one per element, or a single one that bounds every element
ELEMENTS, WORK = 1 << 16, 1 << 21
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
        case _: nums, den = graph.data(node.args[1]) or ([], 0)
    fits = den == 1 and all(-x[axis] <= i < x[axis] for i in nums)
    require(fits, "a constant index is not given, or no integer in range")
    chosen = [axes[axis][i] for i in nums]
    if node.op == "gather": return _grid([*axes[:axis], chosen, *axes[axis + 1:]])
    rest = [[0] * d if a == axis else axes[a][:d] for a, d in enumerate(node.shape)]
    return [a + b for a, b in zip(_grid(rest), chosen, strict=True)]

def _rows(node: Node, shapes: list[Shape], args: Sequence[Sequence[T]],
          apply: Callable[[str, list[T]], T]) -> list[list[T]]:  # what each element folds
    if node.op in FOLDS:
        axes, folded = _axes(shapes[0]), node.n["axes"]
        inner, outer = (_grid([line for a, line in enumerate(axes) if (a in folded) is part])
                        for part in (True, False))
        return [[args[0][o + i] for i in inner] for o in outer]
    a, b = shapes
    a, b = a if len(a) > 1 else (1, *a), b if len(b) > 1 else (*b, 1)
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    (n, k), m, batch = a[-2:], b[-1], tuple(map(max, zip(a[:-2], b[:-2], strict=True)))
    starts = zip(_spread(a[:-2], batch), _spread(b[:-2], batch), strict=True)
    return [[apply("mul", [args[0][(p * n + i) * k + s], args[1][(q * k + s) * m + j]])
             for s in range(k)] for p, q in starts for i in range(n) for j in range(m)]

def lift(graph: Graph, node: Node, args: Sequence[Sequence[T]], pad: T,
         apply: Callable[[str, list[T]], T]) -> list[T]:
    """Return the elements of a pointwise, routing, folding or matmul node from its arguments'."""
    shapes = [graph.nodes[a].shape for a in node.args]
    if node.op in POINTWISE:
        columns = [[v[o] for o in _spread(s, node.shape)]
                   for v, s in zip(args, shapes, strict=True)]
        return [apply(node.op, list(row)) for row in zip(*columns, strict=True)]
    if node.op == "concat":
        blocks = [prod(s[node.n["axis"][0]:]) for s in shapes]
        return [element for i in range(len(args[0]) // blocks[0])
                for v, b in zip(args, blocks, strict=True) for element in v[i * b:(i + 1) * b]]
    if node.op in ROUTING: return [pad if o < 0 else args[0][o] for o in _offsets(graph, node)]
    fold, rows = FOLDS.get(node.op, "add"), _rows(node, shapes, args, apply)
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
    ends = [end for end in (x.low, x.high) if end]
    longest = max([max(abs(end.numerator), end.denominator) for end in ends], default=0)
    require(e * longest.bit_length() <= 1 << 14, "a power is too long a number")
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
    if op not in RANGE: return increasing(op, args[0])
    return RANGE[op](node, args[0], args[1 % len(args)], args[-1])

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

def enclose(graph: Graph, k: int, args: list[Bounds], wanted: int) -> Bounds:
    """Return bounds of a node from its arguments': one per element if these or `wanted` are."""
    node = graph.nodes[k]
    sizes, data = [graph.nodes[a].size for a in node.args], [graph.data(a) for a in node.args]
    matmul, scale = node.op == "matmul", 1
    work = node.size * (graph.nodes[node.args[0]].shape[-1] if matmul else 1)
    small = max(work, *sizes) <= (WORK if matmul else ELEMENTS)
    for i, tensor in enumerate(data if small else []):
        if tensor is not None: args[i] = [point(Fraction(v, tensor[1])) for v in tensor[0]]
    lifted = node.op in {**POINTWISE, **ROUTING, **FOLDS, "matmul": 2} and not (
        node.op.startswith("gather") and data[1] is None)
    if not lifted or not small or max(wanted, *map(len, args)) == 1:
        return [_hull(graph, node, [reduce(Interval.__or__, bounds) for bounds in args])]
    for i in range(len(args) if matmul else 0):  # integers are faster
        ends = [end for x in args[i] for end in (x.low, x.high) if end is not None]
        den = reduce(lcm, {end.denominator for end in ends}, 1)
        require(den.bit_length() <= 1 << 14, "the denominators of an enclosure are too many")
        args[i] = [Interval(*(None if end is None else int(end * den) for end in (x.low, x.high)))
                   for x in args[i]]
        scale *= den
    full = [[*b] * (size // len(b)) for b, size in zip(args, sizes, strict=True)]
    pad = point(node.q.get("value", ZERO))
    found = lift(graph, node, full, pad, lambda op, xs: apply(node, op, xs))
    return found if scale == 1 else [x * point(Fraction(1, scale)) for x in found]

"""The range of each operation, and enclosures of nodes."""

# ruff: noqa: ARG005  (the domains of operations have the same arguments)
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from math import ceil, floor
from operator import mul

from tamecheck.kernel.elements import combinations, dots, lift, lifts
from tamecheck.kernel.graph import BINARY, POINTWISE, Graph, Node, Tensor
from tamecheck.kernel.interval import (
    ABOVE_ZERO,
    HALF,
    INCREASING,
    NEGATIVE,
    ONE,
    PI,
    POSITIVE,
    REAL,
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
from tamecheck.kernel.strict import common, pairs, require, spend, spend_long

Bounds = Sequence[Interval]  # one per element, or a single one that bounds every element
ELEMENTS, WEIGHTS, BITS = 1 << 16, 1 << 24, 1 << 16  # so much is refused


def natural(y: Interval) -> bool:
    """Return whether this is a natural number."""
    return y.low is not None and y.low == y.high and y.low >= 0 and y.low.denominator == 1


def _round(node: Node, x: Interval) -> Interval:
    def at(a: Fraction) -> Interval:
        around = floor(a), ceil(a)
        nearest = ceil(a - HALF), floor(a + HALF)  # both numbers of a tie
        found = {
            "floor": around[0],
            "ceil": around[1],
            "toward_zero": min(around, key=abs),
            "away_from_zero": max(around, key=abs),
            "half_down": nearest[0],
            "half_up": nearest[1],
            "half_even": round(a),
            "half_toward_zero": min(nearest, key=abs),
            "half_away": max(nearest, key=abs),
        }
        return point(found[node.mode or node.op])

    low, high = x.low, x.high  # open ends matter where it jumps
    if node.op == "floor" and x.high_open and high is not None:
        high = Fraction(ceil(high) - 1)
    if node.op == "ceil" and x.low_open and low is not None:
        low = Fraction(floor(low) + 1)
    return monotone(at, Interval(low, high))


def _kinked(x: Interval, below: Interval) -> Interval:
    """Return the range of x for x >= 0, and of another function, in `below`, for x <= 0."""
    if x <= POSITIVE:
        return x
    return below if x <= NEGATIVE else below | x.clamp(ZERO, None)


def _elu(node: Node, x: Interval) -> Interval:
    below = increasing("exp", x.clamp(None, ZERO) * point(1 / node.q["beta"])) - point(1)
    return _kinked(x, point(node.q["alpha"]) * below)


def _jump(x: Interval, below: int, at_zero: Fraction) -> Interval:
    """Return the range of a step from a value to 1."""
    possible = (below, not x <= POSITIVE), (at_zero, x.has(ZERO)), (1, not x <= NEGATIVE)
    return reduce(Interval.__or__, [point(value) for value, occurs in possible if occurs])


def _select(x: Interval, y: Interval, z: Interval) -> Interval:
    if x == point(0):
        return z
    return y | z if x.has(ZERO) else y


def _truth(*, yes: bool, no: bool) -> Interval:
    if yes:
        return point(1)
    return point(0) if no else UNIT


def _positive(x: Interval) -> bool:
    return x <= POSITIVE and not x.has(ZERO)


def _power(x: Interval, y: Interval) -> Interval:
    if y.low is not None and y.low == y.high and y.low.denominator == 1:
        return _integer_power(x, y.low.numerator)
    if x == point(0):  # 0^y = 0
        return x
    found = increasing("exp", y * increasing("log", x))
    return found | point(0) if x.has(ZERO) else found


def _integer_power(x: Interval, exponent: int) -> Interval:
    if exponent < 0:
        return _integer_power(x.inverse(), -exponent)
    require(exponent * longest(x) <= 1 << 14, "a power is too long a number")
    if exponent == 0:
        return point(1)
    return monotone(lambda a: point(a**exponent), x if exponent % 2 else x.magnitude())


def _nonzero(x: Interval) -> list[Interval]:
    """Return what is left of an interval without 0; nothing if that has two parts."""
    found = Interval(x.low, x.high, x.low_open or x.low == 0, x.high_open or x.high == 0)
    return [] if found.has(ZERO) else [found]


DOMAIN: dict[str, Callable[[Node, Bounds], bool]] = {  # other operations are total
    "div": lambda n, a: not a[1].has(ZERO),
    "sqrt": lambda n, a: a[0] <= POSITIVE,
    "log": lambda n, a: _positive(a[0]),
    "acosh": lambda n, a: a[0] <= Interval(ONE, None),
    **dict.fromkeys(["asin", "acos"], lambda n, a: a[0] <= SIGNED),
    "atanh": lambda n, a: a[0] <= SIGNED and not (a[0].has(-ONE) or a[0].has(ONE)),
    "tan": lambda n, a: one_branch(a[0]),
    "pow": lambda n, a: (
        (n.q["exponent"].denominator == 1 or a[0] <= POSITIVE)
        and (n.q["exponent"] >= 0 or not a[0].has(ZERO))
    ),
    "power": lambda n, a: natural(a[1]) or _positive(a[0]),
}
PARTIAL: dict[str, Callable[[Node, Bounds], Bounds]] = {  # none if the values may be any
    "div": lambda n, a: [bound for y in _nonzero(a[1]) for bound in (a[0], y)],
    "tan": lambda n, a: [],  # its poles are irrational
    "pow": lambda n, a: (
        [a[0] & POSITIVE if n.q["exponent"] > 0 else a[0] & ABOVE_ZERO]
        if n.q["exponent"].denominator > 1
        else _nonzero(a[0] if n.q["exponent"] % 2 else a[0].magnitude())
    ),
    "power": lambda n, a: [a[0] & ABOVE_ZERO, a[1]],
    "acos": lambda n, a: [a[0] & SIGNED],
    **dict.fromkeys(
        ["sqrt", "log", "asin", "acosh", "atanh"], lambda n, a: [a[0] & INCREASING[n.op][2]]
    ),
}
OF_ONE: dict[str, Callable[[Node, Interval], Interval]] = {  # others are increasing
    "neg": lambda n, x: -x,
    "abs": lambda n, x: x.magnitude(),
    "relu": lambda n, x: x.clamp(ZERO, None),
    "leaky_relu": lambda n, x: _kinked(x, x.clamp(None, ZERO) * point(n.q["alpha"])),
    "elu": _elu,
    "clip": lambda n, x: x.clamp(n.q.get("lo"), n.q.get("hi")),
    "sign": lambda n, x: _jump(x, -1, n.q["at_zero"]),
    "step": lambda n, x: _jump(x, 0, n.q["at_zero"]),
    **dict.fromkeys(["floor", "ceil", "round"], _round),
    "pow": lambda n, x: _power(x, point(n.q["exponent"])),
    "sin": lambda n, x: wave(x, 0),
    "cos": lambda n, x: wave(x, 1),
    "acos": lambda n, x: x - x if x == point(1) else PI * point(HALF) - increasing("asin", x),
    "cosh": lambda n, x: increasing("cosh", x.magnitude()),
}
OF_TWO: dict[str, Callable[[Interval, Interval], Interval]] = {
    "add": Interval.__add__,
    "sub": Interval.__sub__,
    "mul": Interval.__mul__,
    "div": lambda x, y: x * y.inverse(),
    "prelu": lambda x, y: _kinked(x, x.clamp(None, ZERO) * y),
    "maximum": Interval.maximum,
    "minimum": Interval.minimum,
    "equal": lambda x, y: _truth(yes=x - y == point(0), no=not (x - y).has(ZERO)),
    "less": lambda x, y: _truth(yes=_positive(y - x), no=x - y <= POSITIVE),
    "less_equal": lambda x, y: _truth(yes=x - y <= NEGATIVE, no=_positive(x - y)),
    "power": _power,
}


def apply(node: Node, op: str, args: Bounds) -> Interval:
    """Return the range of a pointwise operation; reject if it may be undefined somewhere."""
    require(op not in DOMAIN or DOMAIN[op](node, args), f"{op} may leave its domain")
    return values(node, op, args)


def values(node: Node, op: str, args: Bounds) -> Interval:
    """Return the range of a pointwise operation where it is defined."""
    if op in DOMAIN and not DOMAIN[op](node, args):
        args = PARTIAL[op](node, args)
        if not args:
            return REAL
        require(not any(x.empty for x in args), f"{op} is nowhere defined")
    if op in BINARY:
        found = OF_TWO[op](*args)
    elif op == "select":
        found = _select(*args)
    elif op in OF_ONE:
        found = OF_ONE[op](node, *args)
    else:
        found = increasing(op, *args)
    require(longest(found) <= BITS, "a number is too long")
    return found


Range = Callable[[Node, str, Bounds], Interval]


def points(tensor: Tensor) -> list[Interval]:
    """Return the elements of a tensor."""
    return [point(Fraction(v, tensor[1])) for v in tensor[0]]


def _each(bounds: Bounds, size: int) -> Bounds:
    return [bounds[i % len(bounds)] for i in range(size)]


def enclose(graph: Graph, k: int, args: list[Bounds], wanted: int, of: Range = values) -> Bounds:
    """Return bounds of a node from its arguments': one per element if these or `wanted` are.

    The range of each operation is `values`, or `apply` where it must be defined.
    """
    node, data = graph.nodes[k], [graph.data(a) for a in graph.nodes[k].args]
    before = [graph.nodes[a] for a in node.args]
    work = max(combinations(graph, node), *(a.size for a in before))
    known = any(t is not None and a.size > 1 for t, a in pairs(data, before))
    fine = lifts(graph, k) and (known or max(wanted, *map(len, args)) > 1)
    if fine and node.op == "matmul" and any(data) and work <= WEIGHTS:
        found = _weighted(before, args, data, work)
        if found is not None:
            return found
    if not fine or work > ELEMENTS:
        return [_hull(node, before, [reduce(Interval.__or__, bounds) for bounds in args], of)]
    spend(work)
    full = [
        points(tensor) if tensor else _each(bounds, a.size)
        for bounds, (a, tensor) in pairs(args, pairs(before, data))
    ]
    pad = point(node.q.get("value", ZERO))
    return lift(graph, node, full, pad, lambda op, xs: of(node, op, xs))


def _hull(node: Node, before: list[Node], args: Bounds, of: Range) -> Interval:
    """Return an interval that bounds every element of a node."""
    x, first = args[0], before[0]
    count = first.size // node.size
    match node.op:
        case "concat":
            return reduce(Interval.__or__, args)
        case "pad":
            return x | point(node.q["value"])
        case "sum":
            return x * point(count)
        case "matmul":
            return x * args[1] * point(first.shape[-1])
        case "prod":
            require(count <= 64, "a product of too many elements")
            return reduce(Interval.__mul__, [x] * count)
        case "softmax":
            return Interval(ZERO, ONE, low_open=True, high_open=first.shape[node.axis] > 1)
        case "logsumexp":
            return x + increasing("log", point(count))
        case "log_softmax":
            total = x + increasing("log", point(first.shape[node.axis]))
            return (x - total) & Interval(None, ZERO, high_open=first.shape[node.axis] > 1)
        case "argmax" | "argmin" | "argsort":
            return Interval(ZERO, first.shape[node.axis] - 1)
        case _:
            return of(node, node.op, args) if node.op in POINTWISE else x


def _weighted(
    before: list[Node], args: Sequence[Bounds], data: list[Tensor | None], work: int
) -> Bounds | None:
    """Return the range of a product with data: that of w x for |x - c| <= r is w c -+ |w| r."""
    centres, radii, scale = list[list[int]](), list[list[int]](), 1
    for bounds, (node, tensor) in pairs(args, pairs(before, data)):
        exact = None if tensor is None else (tensor[0], [0] * node.size, tensor[1])
        numbers = exact or _integers(_each(bounds, node.size))
        if numbers is None:
            return None
        centres.append(numbers[0])
        radii.append(numbers[1])
        scale *= numbers[2]
    spend_long(2 * work, max(c.bit_length() for row in centres for c in row))
    if data[0] is None:
        spreads = radii[0], [*map(abs, centres[1])]
    else:
        spreads = [*map(abs, centres[0])], radii[1]
    a, b = before[0].shape, before[1].shape
    factors = pairs(dots(a, b, *centres), dots(a, b, *spreads))
    sums = [(sum(map(mul, x, y)), sum(map(mul, u, v))) for (x, y), (u, v) in factors]
    return [Interval(Fraction(c - r, scale), Fraction(c + r, scale)) for c, r in sums]


def _integers(bounds: Bounds) -> tuple[list[int], list[int], int] | None:
    """Return centres, radii and their denominator, for intervals."""
    ends = [(x.low, x.high) for x in bounds if x.low is not None and x.high is not None]
    denominator = common({end.denominator for pair in ends for end in pair}, BITS)
    if len(ends) < len(bounds) or denominator is None:
        return None
    spend_long(len(ends), denominator.bit_length())
    numbers = [(int(a * denominator), int(b * denominator)) for a, b in ends]
    return [a + b for a, b in numbers], [b - a for a, b in numbers], 2 * denominator

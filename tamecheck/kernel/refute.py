"""Polynomials along a ray: proofs of wildness, and bounds of rational functions by squares."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import count, product, repeat

from tamecheck.kernel import read
from tamecheck.kernel.curves import follow
from tamecheck.kernel.graph import POINTWISE, Graph, Node
from tamecheck.kernel.interval import HALF, ONE, ZERO, Interval, length, point
from tamecheck.kernel.ranges import BITS, DOMAIN, Bounds, apply, natural
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import Reject, pairs, require, spend, spend_long

Poly = dict[tuple[int, ...], Fraction]  # (i, i, j): c is the term c * s_i^2 * s_j
Rule = Callable[[Node, str, list[Poly]], Poly | None]
DEGREE, TERMS = 16, 1 << 10  # so much is refused beyond
T, N = range(2)  # the symbol of the ray's parameter, and that of its one rounding


def _bits(*polynomials: Poly) -> int:
    return max(map(length, [ZERO, *(c for p in polynomials for c in p.values())]))


def _constant(c: Fraction) -> Poly:
    return {(): c} if c else {}


def _sum(p: Poly, q: Poly, factor: Fraction = ONE) -> Poly:
    spend_long(16 * (len(p) + len(q)), _bits(p, q))
    found = {key: p.get(key, ZERO) + factor * q.get(key, ZERO) for key in {**p, **q}}
    return {key: c for key, c in found.items() if c != 0}


def _product(p: Poly, q: Poly) -> Poly:
    require(len(p) * len(q) <= TERMS, "a polynomial with too many terms")
    spend_long(16 * len(p) * len(q), _bits(p, q))
    found: Poly = {}
    for (a, c), (b, d) in product(p.items(), q.items()):
        key = tuple(sorted(a + b))
        found[key] = found.get(key, ZERO) + c * d
    small = all(len(key) <= DEGREE for key in found) and _bits(found) <= BITS
    require(small, "a polynomial is too large")
    return {key: c for key, c in found.items() if c != 0}


def _ring(node: Node, op: str, args: list[Poly]) -> Poly | None:
    """Return the value of a ring operation, or of any operation on rationals, if it is rational."""
    constants = [p.get((), ZERO) if set(p) <= {()} else None for p in args]
    exponent = node.q.get("exponent", -ONE)
    match op:
        case "add":
            return _sum(args[0], args[1])
        case "sub":
            return _sum(args[0], args[1], -ONE)
        case "neg":
            return _sum({}, args[0], -ONE)
        case "mul":
            return _product(args[0], args[1])
        case "div" if constants[1]:
            return _sum({}, args[0], 1 / constants[1])
        case "pow" if None in constants and natural(point(exponent)):
            return reduce(_product, repeat(args[0], exponent.numerator), {(): ONE})
        case _ if None in constants:
            return None
        case _:
            found = apply(node, op, [point(c or ZERO) for c in constants])
            exact = found.low is not None and found.low == found.high
            return _constant(Fraction(found.low or ZERO)) if exact else None


def _evaluate(
    graph: Graph, target: int, inputs: dict[int, list[Poly]], rule: Rule
) -> Sequence[Poly | None]:
    """Return the elements of a node as polynomials, None where that cannot be done."""

    def combine(node: Node, op: str, args: Sequence[Poly | None]) -> Poly | None:
        given = [p for p in args if p is not None]
        spend(16 + sum(map(len, given)))
        if op == "power" and not graph.free[node.args[1]]:
            positive = len(given) == 2 and set(given[0]) == {()} and given[0][()] > 0
            require(positive, "power may leave its domain")
        return rule(node, op, given) if len(given) == len(args) else None

    return follow(graph, target, inputs, _constant, combine)


def ray(
    graph: Graph, raw: Json, domain: Mapping[str, Bounds]
) -> tuple[int, int, dict[str, list[Fraction]], dict[str, list[Fraction]]]:
    """Return an output node and element, and where a ray in the domain starts and moves."""
    base, direction = read.mapping(raw["base"]), read.mapping(raw["direction"])
    require(set(base) == set(direction) == set(domain), "a ray names other inputs than the graph")
    starts, steps = (
        {name: [*map(read.rational, read.items(given[name]))] for name in domain}
        for given in (base, direction)
    )
    for entry in (n for n in graph.nodes if n.op == "input"):
        b, d = starts[entry.name], steps[entry.name]
        sizes = len(b) == len(d) == entry.size
        require(sizes, "a ray has one number for each element of an input")
        boxes = [*domain[entry.name]] * (entry.size // len(domain[entry.name]))
        for (low, step), box in pairs(pairs(b, d), boxes):
            reach = Interval(None if step < 0 else low, None if step > 0 else low)
            require(reach <= box, "the ray leaves the domain")
    first, second = read.pair(raw["output"], "an output is a node and an element")
    node = read.integer(first, 0, len(graph.nodes) - 1)
    require(node in graph.outputs, "the node is not an output")
    return node, read.integer(second, 0, graph.nodes[node].size - 1), starts, steps


def _follow(graph: Graph, raw: Json, domain: Mapping[str, Bounds], rule: Rule) -> tuple[int, Poly]:
    """Return the output node of a line or staircase step, and its element on the ray t >= 0."""
    node, element, starts, steps = ray(graph, raw, domain)
    inputs = {
        k: [_sum({(): b}, {(T,): d}) for b, d in pairs(starts[n.name], steps[n.name])]
        for k, n in enumerate(graph.nodes)
        if n.op == "input"
    }
    found = _evaluate(graph, node, inputs, rule)[element]
    if found is None:
        raise Reject("the output cannot be followed along the ray")
    return node, found


def line(graph: Graph, raw: Json, domain: Mapping[str, Bounds]) -> tuple[int, tuple[str, ...]]:
    """Check that an output is p(t) + t^k u(t) + O(t^(k-1)) on a ray, u periodic, not constant."""
    phases = [read.rational(t) for t in read.pair(raw["t"], "two phases are needed")]
    symbols: list[list[Interval]] = [[], []]  # of each periodic symbol, its values at the phases

    def at(p: Poly, i: int) -> Interval:
        terms = [
            reduce(Interval.__mul__, [symbols[s][i] for s in key], point(c)) for key, c in p.items()
        ]
        return reduce(Interval.__add__, terms, point(0))

    def periodic(node: Node, op: str, args: list[Poly]) -> Poly | None:
        found = _ring(node, op, args)
        if found is not None:
            return found
        if op in ("sin", "cos") and (T,) in args[0] and set(args[0]) <= {(), (T,)}:
            rows = [[point(args[0].get((), ZERO) + args[0][(T,)] * t)] for t in phases]
        elif op in POINTWISE and op not in DOMAIN and not any(T in key for p in args for key in p):
            rows = [[at(p, i) for p in args] for i in (0, 1)]
        else:
            return None
        symbols.append([apply(node, op, row) for row in rows])
        return {(len(symbols) - 1,): ONE}

    node, found = _follow(graph, raw, domain, periodic)
    degree = max((key.count(T) for key in found if any(s != T for s in key)), default=None)
    terms = [(key, c) for key, c in found.items() if key.count(T) == degree]
    leading = {tuple(s for s in key if s != T): c for key, c in terms}
    apart = not (at(leading, 0) - at(leading, 1)).has(ZERO)
    require(apart, "no oscillation is proved: the two values may be equal")
    return node, ("o-minimal",)


def staircase(graph: Graph, raw: Json, domain: Mapping[str, Bounds]) -> tuple[int, tuple[str, ...]]:
    """Check that on a ray an output is a n^2 + b n t + c n + d t + e, n = round(p t + q)."""
    seen: list[tuple[str, str, Poly]] = []

    def rounding(node: Node, op: str, args: list[Poly]) -> Poly | None:
        if op in ("floor", "ceil", "round") and (T,) in args[0] and set(args[0]) <= {(), (T,)}:
            seen.append((op, node.mode, args[0]))
            return {(N,): ONE} if seen[-1] == seen[0] else None
        return _ring(node, op, args)

    node, found = _follow(graph, raw, domain, rounding)
    fits = all(len(key) <= 2 for key in found) and (T, N) in found and (T, T) not in found
    require(fits, "the output is not of the form that a staircase needs")
    return node, ("o-minimal", "locally-o-minimal")


def _variables(graph: Graph, atoms: set[int], width: int) -> dict[int, list[Poly]]:
    """Return the elements of inputs, and of other atoms, as symbols, so many numbers apart."""
    found, last = dict[int, list[Poly]](), 0
    for k, entry in enumerate(graph.nodes):
        if entry.op == "input" or k in atoms:
            require(last + entry.size <= 64, "too many variables")
            found[k] = [{(width * (last + i),): ONE} for i in range(entry.size)]
            last += entry.size
    return found


def polynomial_bound(graph: Graph, raw: Json, node: Node) -> tuple[Interval, bool]:
    """Check that node = p/q with |p| <= M q and q >= delta > 0, by sums of squares."""
    bound = read.rational(raw["bound"])
    parts = read.fields(raw["certificate"], "delta positive upper lower")
    require(node.op == "div" and node.size == 1, "not a quotient of scalars")
    inputs = _variables(graph, set(), 1)
    p, q = (_evaluate(graph, a, inputs, _ring)[0] for a in node.args)
    delta = read.rational(parts["delta"])
    if p is None or q is None or delta <= 0:
        raise Reject("not a quotient of polynomials, or delta <= 0")
    sides = {
        "positive": _sum(q, {(): delta}, -ONE),
        "upper": _sum(_sum({}, q, bound), p, -ONE),
        "lower": _sum(_sum({}, q, bound), p),
    }
    for name, side in sides.items():
        require(side == _squares(parts[name]), f"the sum of squares '{name}' is another polynomial")
    return Interval(-bound, bound), True


def orthant_bound(graph: Graph, raw: Json, node: Node) -> tuple[Interval, bool]:
    """Check that node = p/q with |p| <= M q, orthant by orthant; and whether q >= delta > 0.

    Every element of an input, or of another atom, is u - v with u, v >= 0 and u v = 0, so its
    absolute value is u + v; and a root of g >= h^2, where h >= 0, is h + w with w >= 0.
    """
    bound = read.rational(raw["bound"])
    delta = None if raw["delta"] is None else read.rational(raw["delta"])
    require(node.op == "div" and node.size == 1, "not a quotient of scalars")
    require(delta is None or delta > 0, "delta is not positive")
    atoms = {read.integer(a, 0, len(graph.nodes) - 1) for a in read.items(raw["atoms"])}
    values = _variables(graph, atoms, 2)
    for elements in values.values():
        for element in elements:
            element.update({(u + 1,): -ONE for (u,) in list(element)})
    symbols = count(128, 2)  # of roots

    def ring(node: Node, op: str, args: list[Poly]) -> Poly | None:
        if op in ("abs", "relu"):
            signs = [[key for key, c in args[0].items() if (c > 0) is up] for up in (True, False)]
            if not all(_disjoint(a, b) for a, b in product(*signs)):
                return None
            size = {key: abs(c) for key, c in args[0].items()}
            return size if op == "abs" else _sum({}, _sum(size, args[0]), HALF)
        if op == "sqrt" and any(args[0]):
            squares = [key for key, c in args[0].items() if key[::2] == key[1::2] and c == 1]
            low = {key[::2]: ONE for key in squares if key or len(squares) == 1}
            rest = _sum(args[0], _alive(_product(low, low)), -ONE)
            fits = all(c > 0 for p in (args[0], rest) for c in p.values())
            return _sum(low, {(next(symbols),): ONE}) if fits else None
        found = _ring(node, op, args)
        return None if found is None else _alive(found)

    p, q = (_evaluate(graph, a, values, ring)[0] for a in node.args)
    if p is None or q is None:
        raise Reject("not a quotient of polynomials in absolute values")
    multiple = _sum({}, q, bound)
    sides = _sum(multiple, p, -ONE), _sum(multiple, p), _sum(q, {(): delta or ZERO}, -ONE)
    require(all(map(_nonnegative, sides)), "a coefficient is negative")
    return Interval(-bound, bound), delta is not None and not atoms


def _alive(p: Poly) -> Poly:  # without the products that are 0
    return {key: c for key, c in p.items() if not _disjoint(key, key)}


def _nonnegative(p: Poly) -> bool:
    """Return whether each negative term is outweighed by two others, between which it is."""
    require(len(p) <= 64, "too many terms")
    plus = {key: c for key, c in p.items() if c > 0}
    for m, c in p.items():
        if c < 0:
            able = [key for key, d in plus.items() if d + c >= 0]
            pair = next(((a, b) for a, b in product(able, able) if _between(a, m, b)), None)
            if pair is None:
                return False
            for key in pair:
                plus[key] += c
    return True


def _between(a: tuple[int, ...], m: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Return whether m <= a + b: m^2 = a b, or they differ by powers of one symbol."""
    if sorted(a + b) == sorted(m + m):
        return a != b
    steps = [(t, m.count(t) - a.count(t), b.count(t) - m.count(t)) for t in {*m, *b}]
    moved = [(t, i, j) for t, i, j in steps if i or j]
    return len(moved) == 1 and set(a) <= {*m, *b} and moved[0][1] > 0 < moved[0][2]


def _disjoint(a: tuple[int, ...], b: tuple[int, ...]) -> bool:  # whether the product is 0
    return any(s ^ 1 in b for s in a)


def _squares(value: object) -> Poly:
    """Return a sum of weighted squares, which is nowhere negative."""
    found: Poly = {}
    for term in (read.fields(t, "weight square") for t in read.items(value)):
        weight, root = read.rational(term["weight"]), Poly()
        require(weight >= 0, "a square has a negative weight")
        for key, c in read.mapping(term["square"]).items():
            symbols = tuple(sorted(int(i) for i in key.split(",") if key))
            root = _sum(root, {symbols: read.rational(c)})
        found = _sum(found, _product(root, root), weight)
    return found

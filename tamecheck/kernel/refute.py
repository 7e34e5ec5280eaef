"""Polynomials along a ray: proofs of wildness, and bounds of rational functions by squares."""

# fmt: off
# ruff: noqa: E701  (one line a case, so that it reads as a table)
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import product

from tamecheck.kernel.graph import FOLDS, POINTWISE, ROUTING, Graph, Node
from tamecheck.kernel.interval import ONE, ZERO, Interval, point
from tamecheck.kernel.ranges import BITS, DOMAIN, ELEMENTS, Bounds, apply, lift
from tamecheck.kernel.strict import (
    Json,
    Reject,
    fields,
    integer,
    items,
    mapping,
    rational,
    require,
    spend,
)

Poly = dict[tuple[int, ...], Fraction]  # (i, i, j): c is the term c * s_i^2 * s_j
Rule = Callable[[Node, str, list[Poly]], Poly | None]
T, N = 0, 1  # the symbol of the ray's parameter, and that of its one rounding

def _bits(p: Poly) -> int:
    return max([max(c.numerator.bit_length(), c.denominator.bit_length()) for c in p.values()],
               default=0)

def _sum(p: Poly, q: Poly, factor: Fraction = ONE) -> Poly:
    spend(16 * (len(p) + len(q)), max(_bits(p), _bits(q)))
    found = {key: p.get(key, ZERO) + factor * q.get(key, ZERO) for key in {**p, **q}}
    return {key: c for key, c in found.items() if c != 0}

def _product(p: Poly, q: Poly) -> Poly:
    require(len(p) * len(q) <= 1 << 10, "a polynomial with too many terms")
    spend(16 * len(p) * len(q), max(_bits(p), _bits(q)))
    found: Poly = {}
    for (a, c), (b, d) in product(p.items(), q.items()):
        key = tuple(sorted(a + b))
        found[key] = found.get(key, ZERO) + c * d
    require(all(len(key) <= 16 for key in found) and _bits(found) <= BITS,
            "a polynomial is too large")
    return {key: c for key, c in found.items() if c != 0}

def _ring(node: Node, op: str, args: list[Poly]) -> Poly | None:
    # A ring operation, or any operation on rationals that has a rational value.
    constants = [p.get((), ZERO) if set(p) <= {()} else None for p in args]
    exponent = node.q.get("exponent", -ONE)
    match op:
        case "add": return _sum(args[0], args[1])
        case "sub": return _sum(args[0], args[1], -ONE)
        case "neg": return _sum({}, args[0], -ONE)
        case "mul": return _product(args[0], args[1])
        case "div" if constants[1]: return _sum({}, args[0], 1 / constants[1])
        case "pow" if exponent.denominator == 1 and 0 <= exponent <= 16:
            return reduce(_product, [args[0]] * exponent.numerator, {(): ONE})
        case _ if None in constants: return None
        case _: found = apply(node, op, [point(c or ZERO) for c in constants])
    exact = found.low is not None and found.low == found.high
    return _sum({}, {(): Fraction(found.low or ZERO)}) if exact else None

def _evaluate(graph: Graph, target: int, inputs: dict[str, list[Poly]], rule: Rule
              ) -> list[Poly | None]:
    """Return the elements of a node as polynomials, None where that cannot be done."""
    spend(target)
    needed, values = {target}, dict[int, list[Poly | None]]()
    for k in range(target, -1, -1):
        needed |= set(graph.nodes[k].args) if k in needed else set()
    for k in sorted(needed):
        node, data = graph.nodes[k], graph.data(k)

        def combine(op: str, args: Sequence[Poly | None], node: Node = node) -> Poly | None:
            given = [p for p in args if p is not None]
            spend(16 + sum(map(len, given)))
            try: return rule(node, op, given) if len(given) == len(args) else None
            except Reject: return None

        work = node.size * (graph.nodes[node.args[0]].shape[-1] if node.op == "matmul" else 1)
        require(work <= ELEMENTS, "the graph is too large to be followed along a ray")
        spend(1 + work)
        unknown = node.op.startswith("gather") and graph.data(node.args[1]) is None
        values[k] = [None] * node.size
        if node.op == "input": values[k] = [*inputs[node.name]]
        elif data is not None: values[k] = [_sum({}, {(): Fraction(v, data[1])}) for v in data[0]]
        elif node.op in {**POINTWISE, **ROUTING, **FOLDS, "matmul": 2} and not unknown:
            pad = _sum({}, {(): node.q.get("value", ZERO)})
            values[k] = lift(graph, node, [values[a] for a in node.args], pad, combine)
    return values[target]

def _follow(graph: Graph, raw: Json, domain: Mapping[str, Bounds], rule: Rule) -> tuple[int, Poly]:
    """Return the output node of a line or staircase step, and its element on the ray t >= 0."""
    base, direction = mapping(raw["base"]), mapping(raw["direction"])
    require(set(base) == set(direction) == set(domain), "a ray names other inputs than the graph")
    inputs: dict[str, list[Poly]] = {}
    for entry in (n for n in graph.nodes if n.op == "input"):
        require(entry.size <= ELEMENTS, "the graph is too large to be followed along a ray")
        boxes = [*domain[entry.name]] * (entry.size // len(domain[entry.name]))
        starts, steps = ([rational(v) for v in items(end[entry.name])] for end in (base, direction))
        for b, d, box in zip(starts, steps, boxes, strict=True):
            reach = Interval(None if d < 0 else b, None if d > 0 else b)
            require(reach <= box, "the ray leaves the domain")
        inputs[entry.name] = [_sum({(): b}, {(T,): d}) for b, d in zip(starts, steps, strict=True)]
    output = items(raw["output"])
    require(len(output) == 2, "an output is a node and an element")
    node = integer(output[0], 0, len(graph.nodes) - 1)
    require(node in graph.outputs, "the node is not an output")
    found = _evaluate(graph, node, inputs, rule)[integer(output[1], 0, graph.nodes[node].size - 1)]
    if found is None: raise Reject("the output cannot be followed along the ray")
    return node, found

def line(graph: Graph, raw: Json, domain: Mapping[str, Bounds]) -> int:
    """Check that an output is p(t) + t^k u(t) + O(t^(k-1)) on a ray, u periodic, not constant."""
    phases = [rational(t) for t in items(raw["t"])]
    require(len(phases) == 2, "two phases are needed")
    symbols: list[list[Interval]] = [[], []]  # of each periodic symbol, its values at the phases

    def at(p: Poly, i: int) -> Interval:
        terms = [reduce(Interval.__mul__, [symbols[s][i] for s in key], point(c))
                 for key, c in p.items()]
        return reduce(Interval.__add__, terms, point(0))

    def periodic(node: Node, op: str, args: list[Poly]) -> Poly | None:
        found = _ring(node, op, args)
        if found is not None: return found
        if op in ("sin", "cos") and (T,) in args[0] and set(args[0]) <= {(), (T,)}:
            rows = [[point(args[0].get((), ZERO) + args[0][(T,)] * t)] for t in phases]
        elif op in POINTWISE and op not in DOMAIN and not any(T in key for p in args for key in p):
            rows = [[at(p, i) for p in args] for i in (0, 1)]
        else: return None
        symbols.append([apply(node, op, row) for row in rows])
        return {(len(symbols) - 1,): ONE}

    node, found = _follow(graph, raw, domain, periodic)
    top = max([key.count(T) for key in found if any(s != T for s in key)], default=-1)
    leading = {tuple(s for s in key if s != T): c
               for key, c in found.items() if key.count(T) == top}
    apart = top >= 0 and not (at(leading, 0) + -at(leading, 1)).has(ZERO)
    require(apart, "no oscillation is proved: the two values may be equal")
    return node

def staircase(graph: Graph, raw: Json, domain: Mapping[str, Bounds]) -> int:
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
    return node

def polynomial_bound(graph: Graph, raw: Json, node: Node) -> Interval:
    """Check that node = p/q with |p| <= M q and q >= delta > 0, by sums of squares."""
    bound, parts = rational(raw["bound"]), fields(raw["certificate"], "delta positive upper lower")
    require(node.op == "div" and node.size == 1, "not a quotient of scalars")
    inputs: dict[str, list[Poly]] = {}
    count = 0
    for entry in (n for n in graph.nodes if n.op == "input"):
        require(count + entry.size <= 64, "too many variables")
        inputs[entry.name] = [{(count + i,): ONE} for i in range(entry.size)]
        count += entry.size

    def squares(value: object) -> Poly:
        found: Poly = {}
        for term in (fields(t, "weight square") for t in items(value)):
            require(rational(term["weight"]) >= 0, "a square has a negative weight")
            root = reduce(_sum, [{tuple(sorted(int(i) for i in key.split(",") if key)): rational(c)}
                                 for key, c in mapping(term["square"]).items()], Poly())
            found = _sum(found, _product(root, root), rational(term["weight"]))
        return found

    p, q = (_evaluate(graph, a, inputs, _ring)[0] for a in node.args)
    delta = rational(parts["delta"])
    if p is None or q is None or delta <= 0:
        raise Reject("not a quotient of polynomials, or delta <= 0")
    sides = {"positive": _sum(q, {(): delta}, -ONE), "upper": _sum(_sum({}, q, bound), p, -ONE),
             "lower": _sum(_sum({}, q, bound), p)}
    for name, side in sides.items():
        require(side == squares(parts[name]), f"the sum of squares '{name}' is another polynomial")
    return Interval(-bound, bound)

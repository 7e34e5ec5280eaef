"""What refutes: an output that oscillates or jumps on a curve, or whose domain falls apart."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.kernel.curves import curve, follow
from tamecheck.kernel.germs import (
    CONSTANT,
    Germ,
    inverse,
    negative,
    number,
    plus,
    rational,
    signs,
    times,
    wild,
)
from tamecheck.kernel.graph import Graph, Node
from tamecheck.kernel.images import bare, image, maximum, minimum
from tamecheck.kernel.interval import ONE, POSITIVE, REAL, SIGNED, UNIT, Interval, point
from tamecheck.kernel.ranges import Bounds, natural
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import require, spend

PARTIAL = {"div", "sqrt", "log", "acosh", "asin", "acos", "atanh", "tan", "pow", "power"}


def _compared(op: str, apart: Germ) -> Germ:
    """Return the germ of a comparison, from that of the difference."""
    true = {"equal": (0,), "less": (-1,), "less_equal": (-1, 0)}[op]
    values = {int(a in true) for a in signs(apart)}
    if apart.sgn is not None:
        return number(point(values.pop()))
    return Germ(UNIT, osc=UNIT, jump=True) if len(values) > 1 else Germ(UNIT)


def _selected(c: Germ, a: Germ | None, b: Germ | None) -> Germ | None:
    """Return the germ of a choice."""
    if c.sgn is not None:
        return a if c.sgn else b
    if a is None or b is None:
        return None
    g, around = Germ(a.rng | b.rng), signs(c)
    both = 0 in around and len(around) > 1
    for k, m in ((a, b), (b, a)):
        if both and k.rng.high is not None and m.rng.low is not None and k.rng.high < m.rng.low:
            g = replace(g, osc=Interval(k.rng.high, m.rng.low))
    return g


def _exponent(y: Germ) -> Fraction | None:
    """Return the rational that an exponent is."""
    exact = y.alg == CONSTANT and y.rng.low is not None and y.rng.low == y.rng.high
    return Fraction(y.rng.low or 0) if exact else None


Condition = tuple[
    str, Germ
]  # (">", w): it is defined where w > 0; also >=, !=, |w| < 1 and |w| <= 1


def condition(node: Node, op: str, args: Sequence[Germ], *, free: bool) -> Condition | None:
    """Return the condition under which an operation is defined, unless it eventually holds."""
    u, e = args[0], node.q.get("exponent")
    if op == "power":
        e, op = _exponent(args[1]), "pow"
        e = None if e is None or not free or not natural(point(e)) else e
    inside = u.rng <= SIGNED
    match op:
        case "div":
            return None if args[1].sgn else ("!=", args[1])
        case "tan":
            u = image(bare("cos"), "cos", u)
            return None if u.sgn else ("!=", u)
        case "pow" if e is not None and e.denominator == 1:
            return None if e >= 0 or u.sgn else ("!=", u)
        case "sqrt" | "acosh" | "pow" if op != "pow" or (e or 0) > 0:
            u = plus(u, number(point(-1))) if op == "acosh" else u
            return None if u.sgn in (0, 1) or u.rng <= POSITIVE else (">=", u)
        case "log" | "pow":
            return None if u.sgn == 1 else (">", u)
        case "asin" | "acos" | "atanh":
            strict = op == "atanh"
            apart = not strict or not (u.rng.has(ONE) or u.rng.has(-ONE))
            return None if inside and apart else ("<" if strict else "<=", u)
        case _:
            return None


def value(node: Node, op: str, args: Sequence[Germ]) -> Germ | None:  # noqa: C901
    """Return the germ of a pointwise operation that is eventually defined, None for no germ."""
    u, v = args[0], args[-1]
    match op:
        case "add":
            return plus(u, v)
        case "sub":
            return number(point(0)) if u is v else plus(u, negative(v))
        case "mul":
            return image(bare("pow", ONE * 2), "pow", u) if u is v else times(u, v)
        case "div":
            return times(u, inverse(v))
        case "maximum":
            return maximum(u, v)
        case "minimum":
            return minimum(u, v)
        case "equal" | "less" | "less_equal":
            return _compared(op, plus(u, negative(v)))
        case "prelu":
            if u.sgn is None:
                return None
            return u if u.sgn >= 0 else times(u, v)
        case "power":
            e = _exponent(v)
            if e is not None:
                return image(bare("pow", e), "pow", u)
            return image(bare("exp"), "exp", times(v, image(bare("log"), "log", u)))
        case _:
            return image(node, op, u)


class _Walk:
    """The germs of a graph on a curve; where it is not shown to be defined; branches not taken."""

    def __init__(self, graph: Graph, *, assume: bool) -> None:
        self.graph = graph
        self.assume = assume  # whether operations with a condition count as defined
        self.lost: dict[int, list[Condition | None]] = {}
        self.taken: dict[int, set[int]] = {}
        self.names = {id(node): k for k, node in enumerate(graph.nodes)}

    def combine(self, node: Node, op: str, args: Sequence[Germ | None]) -> Germ | None:
        k, given = self.names[id(node)], [a for a in args if a is not None]
        spend(64)
        if op == "select":
            c = args[0]
            decided = c is not None and c.sgn is not None
            self.taken.setdefault(k, set()).update([1 if c.sgn else 2] if c and decided else [1, 2])
            return None if c is None else _selected(c, args[1], args[2])
        if len(given) < len(args):
            if op in PARTIAL:
                self.lost.setdefault(k, []).append(None)
            return None
        free = self.graph.free[node.args[-1]]  # a natural exponent counts only if no input moves it
        open_ = condition(node, op, given, free=free)
        if open_ is not None:
            self.lost.setdefault(k, []).append(open_)
            positive = op == "sqrt" or (op == "pow" and node.q["exponent"].denominator > 1)
            return Germ(POSITIVE if positive else REAL) if self.assume else None
        return value(node, op, given)

    def conditions(self, output: int) -> list[Condition | None]:
        """Return what is not shown of the nodes that an output needs."""
        needed, waiting = set[int](), {output}
        while waiting:
            needed |= waiting
            waiting = {
                a
                for k in waiting
                for i, a in enumerate(self.graph.nodes[k].args)
                if i == 0 or i in self.taken.get(k, {i})
            } - needed
        return [c for k in sorted(needed) for c in self.lost.get(k, [])]


def _on_curve(
    graph: Graph, raw: Json, domain: Mapping[str, Bounds], *, assume: bool
) -> tuple[int, Germ | None, list[Condition | None], bool]:
    node, element, inputs = curve(graph, raw, domain)
    germs = {n: [rational(p, {0: ONE}) for p in given] for n, given in inputs.items()}
    walk = _Walk(graph, assume=assume)
    found = follow(graph, node, germs, lambda c: number(point(c)), walk.combine)[element]
    near = all(j in (0, -1) for given in inputs.values() for p in given for j in p)
    return node, found, walk.conditions(node), near


def germ(graph: Graph, raw: Json, domain: Mapping[str, Bounds]) -> tuple[int, tuple[str, ...]]:
    """Check that an output minus a semialgebraic function oscillates or jumps on a curve."""
    node, found, open_, near = _on_curve(graph, raw, domain, assume=False)
    require(found is not None and not open_, "the output is not shown to be defined on the curve")
    if wild(found):
        return node, ("o-minimal", *(["locally-o-minimal"] if near else []))
    require(found is not None and wild(found.rest), "the germ may be that of a tame function")
    return node, ("o-minimal",)


def components(
    graph: Graph, raw: Json, domain: Mapping[str, Bounds]
) -> tuple[int, tuple[str, ...]]:
    """Check that on a curve the domain of an output has infinitely many components."""
    node, found, open_, near = _on_curve(graph, raw, domain, assume=True)
    known = [c for c in open_ if c is not None]
    require(found is not None and len(known) == len(open_), "the domain is not known")
    poles = [w for kind, w in known if kind == "!="]
    others = [(kind, w) for kind, w in known if kind != "!="]
    require(len(others) <= 1, "the domain has too many conditions")
    fine = all({-1, 1} & signs(w) and (w.smooth == 2 or len(known) == 1) for w in poles)
    require(fine, "the domain may be empty")
    missing = [0 in signs(w) for w in poles]
    for kind, w in others:
        inside, outside, dense = _sides(kind, w)
        require((dense and w.smooth > 0) or (inside and not poles), "the domain may be empty")
        missing.append(outside)
    require(any(missing), "the domain may have finitely many components")
    return node, ("o-minimal", *(["locally-o-minimal"] if near else []))


def _sides(kind: str, w: Germ) -> tuple[bool, bool, bool]:
    """Return whether w is in a set, outside of it, and in its interior, ever again."""
    if kind in ("<", "<="):
        above, below = signs(w, ONE), signs(w, -ONE)
        edge = {0} if kind == "<" else set[int]()
        crossed = (
            w.att is not None
            and -1 in signs(Germ(att=w.att), ONE)
            and 1 in signs(Germ(att=w.att), -ONE)
        )
        return crossed, bool(above & {1, *edge} or below & {-1, *edge}), crossed
    found = signs(w)
    inside = 1 in found or (kind == ">=" and 0 in found)
    return inside, -1 in found or (kind == ">" and 0 in found), 1 in found

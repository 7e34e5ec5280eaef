"""What refutes: an output that oscillates or jumps on a curve, or whose domain falls apart."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.kernel import germs as of
from tamecheck.kernel.curves import curve, follow
from tamecheck.kernel.forms import UNITY, Quotient, constant, imaginary
from tamecheck.kernel.germs import CONSTANT, JUMPS, NOUGHT, SIDES, Germ, exact, number, signs
from tamecheck.kernel.graph import UNARY, Graph, Node
from tamecheck.kernel.hardy import Germs, form_of
from tamecheck.kernel.interval import ONE, POSITIVE, REAL, SIGNED, UNIT, ZERO, Interval, point
from tamecheck.kernel.ranges import Bounds, apply, natural
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import Reject, require, spend

ALGEBRAIC = {
    *("add", "sub", "mul", "div", "neg", "abs", "relu", "leaky_relu"),
    *("maximum", "minimum", "clip", "prelu", "sqrt", "pow"),
}
TRUE = {"equal": (0,), "less": (-1,), "less_equal": (-1, 0)}
Condition = tuple[str, Germ]  # where it is defined: > >= != of w and 0; < <= of |w| and 1
CLIPPED = (("lo", "maximum"), ("hi", "minimum"))


class Curve(Germs):
    """The germs of the elements of a graph on a curve."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def at(self, op: str, *args: Germ, **q: Fraction | None) -> Germ:
        """Return the germ of an operation that is not of the graph."""
        found = {name: c for name, c in q.items() if c is not None}
        return self.germ(Node(op, (), (), "", found), op, args)

    def steady(self, v: Quotient, alg: int) -> Germ | None:
        """Return the germ of a form, None if it has waves."""
        try:
            phases = [imaginary(dict(z)) for p in v for _, z in p]
            if any(self.limit((p, UNITY))[0] for p in phases if p):
                return None
            side, limit = self.limit(v)
        except Reject:
            return None
        fixed = all(map(self.constant, v))
        rng = limit if fixed else self.half(v)
        g = Germ(rng, 2, v, side, side, alg=CONSTANT if fixed else alg)
        return of.settle(replace(g, lim=None if side or not limit.finite else limit))

    def half(self, v: Quotient) -> Interval:
        """Return the eventual side of 0 of a form, if it is found."""
        try:
            return SIDES[self.sign(v)]
        except Reject:
            return REAL

    def formed(self, node: Node, op: str, args: Sequence[Germ]) -> Quotient | None:
        """Return the form of the value of an operation, if it has one."""
        forms = [g.form for g in args if g.form is not None]
        try:
            return super().combine(node, op, forms) if len(forms) == len(args) else None
        except Reject:
            return None

    def germ(self, node: Node, op: str, args: Sequence[Germ]) -> Germ:
        """Return the germ of a pointwise operation that is eventually defined."""
        spend(64)
        piece = self.piece(node, op, args)
        if piece is not None:
            return piece
        form = self.formed(node, op, args)
        alg = min(g.alg for g in args) if op in ALGEBRAIC else 0
        found = self.steady(form, alg) if form is not None else None
        if found is not None:
            return found
        if all(g.alg == CONSTANT for g in args):
            return number(apply(node, op, [g.rng for g in args]))
        g = self.rule(node, op, args)
        if form is None:
            return g
        return of.settle(replace(g, form=form, rng=g.rng & self.half(form)))

    def piece(self, node: Node, op: str, args: Sequence[Germ]) -> Germ | None:
        """Return the value of an operation that has pieces, where one holds eventually."""
        u, v = args[0], args[-1]
        if op in ("maximum", "minimum"):
            s = self.at("sub", u, v).sgn
            return None if s is None else u if s * (1 if op == "maximum" else -1) >= 0 else v
        if op in ("abs", "leaky_relu", "elu", "prelu") and (u.rng <= POSITIVE or u.sgn == 1):
            return u
        if op == "prelu" and u.sgn == -1:
            return self.at("mul", u, v)
        if op in JUMPS:
            found = apply(node, op, [u.rng])
            return (
                None
                if found.low is None or found.low != found.high
                else self.exactly(Fraction(found.low))
            )
        if op in ("abs", "leaky_relu") and u.sgn == -1:
            return self.at("mul", u, self.exactly(-ONE if op == "abs" else node.q["alpha"]))
        return None

    def exactly(self, c: Fraction) -> Germ:
        """Return the germ of a rational number."""
        return self.germ_of((constant(c), UNITY))

    def germ_of(self, v: Quotient) -> Germ:
        """Return the germ of a semialgebraic form."""
        found = self.steady(v, 1)
        require(found is not None, "a curve whose limit is not known")
        return found or Germ()

    def rule(self, node: Node, op: str, args: Sequence[Germ]) -> Germ:  # noqa: C901, PLR0912
        """Return what is known of an operation on what may have waves."""
        u, v, q = args[0], args[-1], node.q
        match op:
            case "add":
                return of.plus(u, v)
            case "neg":
                return of.times(number(point(-1)), u)
            case "sub":
                return number(NOUGHT) if u is v else of.plus(u, of.times(number(point(-1)), v))
            case "mul":
                return self.at("pow", u, exponent=Fraction(2)) if u is v else of.times(u, v)
            case "div":
                return of.times(u, of.inverse(v))
            case "maximum":
                return of.larger(u, v)
            case "minimum":
                minus = number(point(-1))
                return of.times(minus, of.larger(of.times(minus, u), of.times(minus, v)))
            case "relu":
                return self.at("maximum", u, self.exactly(ZERO))
            case "clip":
                for end, cut in CLIPPED:
                    u = self.at(cut, u, self.exactly(q[end])) if end in q else u
                return u
            case "equal" | "less" | "less_equal":
                values = {int(a in TRUE[op]) for a in signs(self.at("sub", u, v))}
                return Germ(UNIT, osc=UNIT, jump=True) if len(values) > 1 else Germ(UNIT)
            case "power" if exact(v) is not None:
                return self.at("pow", u, exponent=exact(v))
            case "power":
                return self.at("exp", self.at("mul", v, self.at("log", u)))
            case "pow" if q["exponent"] == 0:
                return self.exactly(ONE)
            case "pow" if q["exponent"] < 0:
                return of.inverse(self.at("pow", u, exponent=-q["exponent"]))
            case _:
                require(op in UNARY, f"{op} is not followed along a curve")
                return of.image(node, op, u)

    def condition(
        self, node: Node, op: str, args: Sequence[Germ], *, free: bool
    ) -> Condition | None:
        """Return the condition under which an operation is defined, unless it eventually holds."""
        u, e = args[0], node.q.get("exponent")
        if op == "power":
            e, op = exact(args[1]) if free else None, "pow"
            e = None if e is None or not natural(point(e)) else e
        match op:
            case "div":
                return None if args[1].sgn else ("!=", args[1])
            case "tan":
                u = self.at("cos", u)
                return None if u.sgn else ("!=", u)
            case "pow" if e is not None and e.denominator == 1:
                return None if e >= 0 or u.sgn else ("!=", u)
            case "sqrt" | "acosh" | "pow" if op != "pow" or (e or 0) > 0:
                u = self.at("sub", u, self.exactly(ONE)) if op == "acosh" else u
                return None if u.sgn in (0, 1) or u.rng <= POSITIVE else (">=", u)
            case "log" | "pow":
                return None if u.sgn == 1 else (">", u)
            case "asin" | "acos" | "atanh":
                strict = op == "atanh"
                ends = strict and (u.rng.has(ONE) or u.rng.has(-ONE))
                return None if u.rng <= SIGNED and not ends else ("<" if strict else "<=", u)
            case _:
                return None

    def element(self, node: Node, op: str, args: Sequence[Germ | None]) -> Germ | None:
        """Return the germ of an element of a node, with the conditions of what it needs."""
        c, side = args[0], None if args[0] is None else args[0].sgn
        if op == "select" and side is not None:  # the other branch is not needed
            args = [c, args[1 if side else 2]]
        given = [a for a in args if a is not None]
        if len(given) < len(args):
            return None
        needs = tuple({id(n): n for g in given for n in g.needs}.values())
        if op == "select":
            open_ = len(given) > 2 and any(g.needs for g in given[1:])
            require(not open_, "a choice of what may be undefined")
            return replace(given[1] if len(given) < 3 else self.chosen(*given), needs=needs)
        free = self.graph.free[node.args[-1]]  # a natural exponent counts only if no input moves it
        missing = self.condition(node, op, given, free=free)
        if missing is None:
            found = self.germ(node, op, given)
            return found if needs == found.needs else replace(found, needs=needs)
        above = op == "sqrt" or (op == "pow" and node.q["exponent"].denominator > 1)
        return Germ(POSITIVE if above else REAL, needs=(*needs, missing))

    def chosen(self, c: Germ, a: Germ, b: Germ) -> Germ:
        """Return the germ of a choice that changes, or may."""
        g, around = Germ(a.rng | b.rng), signs(c)
        both = 0 in around and len(around) > 1
        for k, m in ((a, b), (b, a)):
            if both and k.rng.high is not None and m.rng.low is not None:
                g = replace(g, osc=g.osc or of.swing(k.rng.high, m.rng.low))
        return g


def _on_curve(
    graph: Graph, raw: Json, domain: Mapping[str, Bounds]
) -> tuple[int, Germ, tuple[str, ...]]:
    """Return an output node, its element on a curve, and what that refutes if it is wild."""
    node, element, inputs = curve(graph, raw, domain)
    walk = Curve(graph)
    given = {
        name: [walk.germ_of((form_of(e), UNITY)) for e in elements]
        for name, elements in inputs.items()
    }
    found = follow(graph, node, given, walk.exactly, walk.element)[element]
    if found is None:
        raise Reject("the output cannot be followed on the curve")
    near = all(j in (0, -1) for elements in inputs.values() for e in elements for j in e)
    return node, found, ("o-minimal", *["locally-o-minimal"] * near)


def germ(graph: Graph, raw: Json, domain: Mapping[str, Bounds]) -> tuple[int, tuple[str, ...]]:
    """Check that an output minus a semialgebraic function oscillates or jumps on a curve."""
    node, found, words = _on_curve(graph, raw, domain)
    require(not found.needs, "the output is not shown to be defined on the curve")
    fits = of.wild(found) or of.wild(found.rest)
    require(fits, "the germ may be that of a tame function")
    return node, words if of.wild(found) else words[:1]


def components(
    graph: Graph, raw: Json, domain: Mapping[str, Bounds]
) -> tuple[int, tuple[str, ...]]:
    """Check that on a curve the domain of an output has infinitely many components."""
    node, found, words = _on_curve(graph, raw, domain)
    poles = [w for kind, w in found.needs if kind == "!="]
    others = [(kind, w) for kind, w in found.needs if kind != "!="]
    require(len(others) <= 1, "the domain has too many conditions")
    fine = all({-1, 1} & signs(w) and (w.smooth == 2 or len(found.needs) == 1) for w in poles)
    require(fine, "the domain may be empty")
    missing = [0 in signs(w) for w in poles]
    for kind, w in others:
        inside, outside, dense = _sides(kind, w)
        require((dense and w.smooth > 0) or (inside and not poles), "the domain may be empty")
        missing.append(outside)
    require(any(missing), "the domain may have finitely many components")
    return node, words


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


def bounded(graph: Graph, k: int, domain: Mapping[str, Bounds]) -> None:
    """Reject unless all elements of a node are bounded far out along the only input."""
    entries = [(j, n) for j, n in enumerate(graph.nodes) if n.op == "input"]
    require([n.size for _, n in entries] == [1], "not a function of one number")
    ((entry, node),) = entries
    for side, end in ((ONE, domain[node.name][0].high), (-ONE, domain[node.name][0].low)):
        if end is None:
            walk = Curve(graph)
            given = {entry: [walk.germ_of((form_of({1: side}), UNITY))]}
            found = follow(graph, k, given, walk.exactly, walk.element)
            near = all(g is not None and not g.needs and g.rng.finite for g in found)
            require(near, "the node may be unbounded far out")

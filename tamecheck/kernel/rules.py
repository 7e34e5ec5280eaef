"""The rules: each step of a certificate states a fact that follows from earlier facts."""

# fmt: off
# ruff: noqa: ARG005, C901, D102, D103, E701, PLR0912, SIM905  (one line a case, as a table)
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from tamecheck.kernel import refute
from tamecheck.kernel.graph import ROUTING, Graph, Node
from tamecheck.kernel.interval import REAL, Interval, point
from tamecheck.kernel.ranges import DOMAIN, Bounds, enclose, natural
from tamecheck.kernel.strict import (
    Json,
    fields,
    integer,
    items,
    mapping,
    rational,
    require,
    spend,
    word,
)

LINQ, LIN, ALG, LOCAL = "rational-semilinear", "semilinear", "semialgebraic", "local"
_LARGE = {"an": {"an", "an-exp", "pfaffian"}, "exp": {"exp", "an-exp", "pfaffian"},
          "an-exp": {"an-exp", "pfaffian"}, "pfaffian": {"pfaffian"}, LOCAL: {LOCAL}}
_ALG = {ALG, *_LARGE["an"], *_LARGE["exp"]}
ABOVE = {LINQ: {LINQ, LIN, LOCAL, *_ALG}, LIN: {LIN, *_ALG}, ALG: _ALG, **_LARGE}  # that contain it
ROUND, COMPARE = {"floor", "ceil", "round"}, {"equal", "less", "less_equal"}
CHOICE = {"argmax", "argmin", "argsort"}
EXPONENTIAL = {*("exp sigmoid tanh softplus sinh cosh asinh elu softmax log_softmax "
                 "logsumexp").split()}
LINEAR = {*ROUTING, *COMPARE, *CHOICE, *("input constant add sub neg abs relu leaky_relu "
          "maximum minimum clip sign step select sum reduce_max reduce_min").split()}
STEPS = {*COMPARE, *ROUND, *CHOICE, "sign", "step"}  # their values are in a discrete set
IN_RANGE = {*COMPARE, *CHOICE, *"sign step sigmoid tanh sin cos atan asin acos erf softmax".split()}
INNER: dict[str, Callable[[Node, Interval], bool]] = {  # where in their domain they are analytic
    "sqrt": lambda n, x: not x.has(0), "acosh": lambda n, x: not x.has(1),
    **dict.fromkeys(("asin", "acos"), lambda n, x: not (x.has(-1) or x.has(1))),
    "pow": lambda n, x: n.q["exponent"].denominator == 1 or n.q["exponent"] > 1 or not x.has(0)}
RULES = {  # required fields, and optional ones
    "enclosure": ("node lower upper from", ""), "bounded": ("node from", ""),
    "structure": ("node in args", "bounded enclosures"), "constant": ("node in step", ""),
    "saturated": ("node in chain args source", "enclosures"), "trust": ("by statement", ""),
    "zero-product": ("node in args enclosure", ""), "self-difference": ("node in arg", ""),
    "property": ("node property", "args enclosures"),
    "polynomial-bound": ("node bound certificate", ""),
    "line": ("base direction output t", ""), "staircase": ("base direction output", "")}

@dataclass(frozen=True, slots=True)
class Fact:
    """What a step proved: an enclosure, bounded, structure, property or refuted node."""

    kind: str
    node: int
    words: tuple[str, ...] = ()  # the structures; the property; what is refuted
    bounds: Bounds = ()

def read_bounds(raw: Json, size: int) -> list[Interval]:  # one for all elements, or one for each
    sides = [[None if v is None else rational(v) for v in items(raw[s])]
             for s in ("lower", "upper")]
    found = [Interval(low, high) for low, high in zip(*sides, strict=True)]
    require(len(found) in (1, size), "bounds are one for all elements, or one for each")
    require(all(x.low is None or x.high is None or x.low <= x.high for x in found), "lower > upper")
    return found

@dataclass(slots=True)
class Proof:
    """The facts so far about one graph on one domain."""

    graph: Graph
    domain: dict[str, list[Interval]]
    facts: list[Fact] = field(default_factory=list[Fact])
    trusted: list[str] = field(default_factory=list[str])

    def cite(self, step: object, kinds: str, nodes: Collection[int]) -> Fact:
        fact = self.facts[integer(step, 0, len(self.facts) - 1)]
        spend(1 + len(fact.bounds))
        fits = fact.kind in kinds.split() and fact.node in nodes
        require(fits, f"step {step} does not state '{kinds}' of a node in question")
        return fact

    def cites(self, steps: object, kinds: str, nodes: Sequence[int]) -> list[Fact]:
        require(len(items(steps)) == len(nodes), "one cited step for each argument was expected")
        return [self.cite(s, kinds, [k]) for s, k in zip(items(steps), nodes, strict=True)]

    def step(self, value: object) -> Fact:
        """Return the fact that a step proves; reject a step that does not follow."""
        rule, nodes = word(mapping(value).get("rule")), self.graph.nodes
        require(rule in RULES, f"unknown rule {rule[:40]!a}")
        raw = fields(value, "rule " + RULES[rule][0], RULES[rule][1])
        if rule == "line":
            return Fact("refutes", refute.line(self.graph, raw, self.domain), ("o-minimal",))
        if rule == "staircase":
            k = refute.staircase(self.graph, raw, self.domain)
            return Fact("refutes", k, ("o-minimal", "locally-o-minimal"))
        if rule == "trust":
            said = fields(raw["statement"], "kind node lower upper")
            require(said["kind"] == "enclosure", "only an enclosure can be trusted")
            k = integer(said["node"], 0, len(nodes) - 1)
            self.trusted.append(f"enclosure of node {k}, by {word(raw['by'])[:80]!a}")
            return Fact("enclosure", k, (), read_bounds(said, nodes[k].size))
        k = integer(raw["node"], 0, len(nodes) - 1)
        node, words = nodes[k], tuple(map(word, items(raw.get("in", []))))
        known = all(name in ABOVE for name in words) and len(set(words)) == len(words)
        require(known, "unknown or repeated structures")
        match rule:
            case "enclosure": return Fact(rule, k, (), self._enclosure(raw, k, node))
            case "property": return Fact(rule, k, (self._property(raw, k, node),))
            case "polynomial-bound":
                bound = refute.polynomial_bound(self.graph, raw, node)
                return Fact("enclosure", k, ("nonzero divisor",), (bound,))
            case "bounded":
                self._bounded(raw, k, node)
                return Fact(rule, k)
            case "structure": self._structure(raw, k, node, words)
            case "constant":
                self.cite(raw["step"], "structure", [k])
                require(self.graph.free[k], "the node depends on an input")
                require(ABOVE[LIN].issuperset(words), "a real parameter is only semilinear")
            case "self-difference":
                require(node.op == "sub" and len(set(node.args)) == 1, "not a difference of equals")
                self.cite(raw["arg"], "structure", node.args)
            case "zero-product":
                require(node.op in ("mul", "matmul"), "not a product")
                self.cites(raw["args"], "structure", node.args)
                bounds = self.cite(raw["enclosure"], "enclosure", node.args).bounds
                require(all(x == point(0) for x in bounds), "no factor is zero")
            case _: self._saturated(raw, k, words)
        return Fact("structure", k, words)

    def _enclosure(self, raw: Json, k: int, node: Node) -> Bounds:
        claimed, tensor = read_bounds(raw, node.size), self.graph.data(k)
        if raw["from"] == [] and all(x == REAL for x in claimed): return claimed  # says nothing
        args = [f.bounds for f in self.cites(raw["from"], "enclosure", node.args)]
        if node.op == "input": found = self.domain[node.name]
        elif tensor is None:
            require(node.op != "constant", "the data of the constant are not given")
            found = [*enclose(self.graph, k, args, len(claimed))]
        else:
            nums = tensor[0] if len(claimed) > 1 else [min(tensor[0]), max(tensor[0])]
            found = [point(Fraction(v, tensor[1])) for v in nums]
            found = found if len(claimed) > 1 else [found[0] | found[1]]
        size = max(len(found), len(claimed))
        pairs = zip(found * (size // len(found)), claimed * (size // len(claimed)), strict=True)
        require(all(x <= y for x, y in pairs), "interval arithmetic does not give these bounds")
        return claimed

    def _finite(self, steps: list[object], nodes: Collection[int]) -> set[int]:
        facts = [self.cite(s, "bounded enclosure", nodes) for s in steps]
        return {f.node for f in facts if all(x.finite for x in f.bounds)}

    def _ranges(self, raw: Json, k: int) -> tuple[list[Bounds], bool]:
        nodes = self.graph.nodes[k].args
        facts = [self.cite(s, "enclosure", {k, *nodes}) for s in items(raw.get("enclosures", []))]
        shown = any(f.node == k and f.words for f in facts)  # a divisor is shown not to be zero
        return [next((f.bounds for f in facts if f.node == a), (REAL,)) for a in nodes], shown

    def _bounded(self, raw: Json, k: int, node: Node) -> None:
        known = self._finite(items(raw["from"]), {k, *node.args})
        local = node.op not in ("div", "log", "tan", "atanh", "power", "input")
        local = local and node.q.get("exponent", 0) >= 0
        gather = node.op in ("gather", "gather_elements")
        needed = node.args[:1] if gather else node.args[node.op == "select":]
        ok = node.op in IN_RANGE or (node.op == "clip" and len(node.q) == 2) or k in known
        ok = ok or (local and known.issuperset(needed))
        if node.op == "div" and node.args[0] in known:  # by what stays away from 0
            facts = [self.cite(s, "bounded enclosure", {k, *node.args}) for s in items(raw["from"])]
            far = [f.bounds for f in facts if f.node == node.args[1] and f.bounds]
            ok = ok or any(not any(x.has(0) for x in bounds) for bounds in far)
        ok = ok or (node.op == "input" and all(x.finite for x in self.domain[node.name]))
        require(ok, "boundedness does not follow")

    def _structure(self, raw: Json, k: int, node: Node, words: tuple[str, ...]) -> None:
        args = self.cites(raw["args"], "structure", node.args)
        ranges, shown = self._ranges(raw, k)
        cited = [*items(raw.get("bounded", [])), *items(raw.get("enclosures", []))]
        for i, bounds in enumerate(ranges if node.op in DOMAIN else []):
            rows = [[x if i == j else REAL for j in range(len(ranges))] for x in bounds]
            shown = shown or all(DOMAIN[node.op](node, row) for row in rows)
        require(shown or node.op not in DOMAIN, f"{node.op} is not proved to be defined")
        own = self._own(node, self._finite(cited, {k, *node.args}), ranges)
        for s in words:
            require(any(s in ABOVE[o] for o in own), f"{node.op} is not shown to be in {s}")
            fits = all(any(s in ABOVE[w] for w in fact.words) for fact in args)
            require(fits, f"an argument is not shown to be in {s}")

    def _own(self, node: Node, bounded: set[int], ranges: list[Bounds]) -> set[str]:
        # The structures in which the operation itself is, on the proved range of its arguments.
        op, free = node.op, [self.graph.free[a] for a in node.args]
        inner = op not in INNER or all(INNER[op](node, x) for x in ranges[0])
        analytic = {"an"} if inner and bounded.issuperset(node.args) else set[str]()
        match op:
            case "mul" | "matmul" | "prelu": return {LINQ if any(free) else ALG}
            case "div": return {LINQ if free[1] else ALG}
            case "pow": return {LINQ if node.q["exponent"] in (0, 1) else ALG}
            case "prod": return {LINQ if node.size == self.graph.nodes[node.args[0]].size else ALG}
            case "sqrt": return {ALG}
            case "floor" | "ceil" | "round": return {LINQ if analytic else LOCAL}
            case "power" if free[1] and all(map(natural, ranges[1])): return {ALG}
            case "log" | "acosh" | "atanh" | "power": return {"exp"} | analytic
            case "asin" | "acos" | "atan" | "tan": return {"an"}
            case "sin" | "cos": return analytic
            case "erf": return {"pfaffian"} | analytic
            case _ if op in EXPONENTIAL: return {"exp"} | analytic
            case _: return {LINQ} if op in LINEAR else set()

    def _saturated(self, raw: Json, k: int, words: tuple[str, ...]) -> None:
        nodes, free, operands = self.graph.nodes, self.graph.free, list[int]()
        chain = [integer(i, 0, k) for i in items(raw["chain"])]
        require(len(chain) > 1 and chain[0] == k, "the chain does not start at the node")
        last = nodes[chain[-1]]
        require(last.op in ROUND, "the chain does not end in a rounding")
        for here, below in pairwise(chain):
            node, others = nodes[here], [a for a in nodes[here].args if a != below]
            spend(len(node.args))
            outer = {"sign", "step", *COMPARE, *(["clip"] if len(node.q) == 2 else [])}
            ok = node.op in (outer if here == k else {"add", "sub", "mul", "div", "neg", *ROUTING})
            ok = ok and len(others) == len(node.args) - 1 and all(free[a] for a in others)
            first = node.args[0] == below or node.op not in ("div", "gather", "gather_elements")
            require(ok and first, f"node {here} is not a step of a saturated rounding")
            operands += others
            if node.op == "div":
                cited = items(raw.get("enclosures", []))
                facts = [self.cite(s, "enclosure", range(k)) for s in cited]
                shown = any(f.node in others and not any(x.has(0) for x in f.bounds) for f in facts)
                require(shown, "a divisor in the chain may be 0")
        facts = self.cites(raw["args"], "structure", operands)
        facts.append(self.cite(raw["source"], "structure", last.args))
        fits = all(any(s in ABOVE[w] for w in f.words) for f in facts for s in words)
        require(fits, "the source or an operand is not shown to be in these structures")

    def _property(self, raw: Json, k: int, node: Node) -> str:
        name, op, given = word(raw["property"]), node.op, items(raw.get("args", []))
        ranges, _ = self._ranges(raw, k)
        moving = op.startswith("gather") and self.graph.nodes[node.args[1]].op != "constant"
        smooth = op not in STEPS and op != "select" and not moving
        rules = {"piecewise_constant": op != "input", "continuous": smooth,
                 "piecewise_linear": LINQ in self._own(node, set(node.args), ranges),
                 "locally_lipschitz": smooth and all(INNER[op](node, x) for x in ranges[0])
                 if op in INNER else smooth}
        require(name in rules, "unknown property")
        if self.graph.free[k] or (name == "piecewise_constant" and op in STEPS):
            require(not given, "no argument steps are needed here")
            return name
        require(rules[name], f"{op} is not shown to be {name}")
        facts = self.cites(given, "property", node.args)
        require(all(f.words == (name,) for f in facts), "an argument has another property")
        return name

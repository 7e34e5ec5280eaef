"""The rules: each step of a certificate states a fact that follows from earlier facts."""

# ruff: noqa: ARG005, D103, SIM905  (tables; small functions)
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise

from tamecheck.kernel import read, refute
from tamecheck.kernel.graph import GATHERS, ROUTING, Graph, Node
from tamecheck.kernel.interval import ONE, REAL, ZERO, Interval, point
from tamecheck.kernel.ranges import DOMAIN, Bounds, enclose, natural, points
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import pairs, require, spend

LINQ, LIN, ALG, LOCAL = "rational-semilinear", "semilinear", "semialgebraic", "local"
_LARGE = {
    "an": {"an", "an-exp", "pfaffian"},
    "exp": {"exp", "an-exp", "pfaffian"},
    "an-exp": {"an-exp", "pfaffian"},
    "pfaffian": {"pfaffian"},
    LOCAL: {LOCAL},
}
_ALG = {ALG, *_LARGE["an"], *_LARGE["exp"]}
ABOVE = {LINQ: {LINQ, LIN, LOCAL, *_ALG}, LIN: {LIN, *_ALG}, ALG: _ALG, **_LARGE}  # that contain it
ROUND, COMPARE = {"floor", "ceil", "round"}, {"equal", "less", "less_equal"}
CHOICE = {"argmax", "argmin", "argsort"}
STEPS = {*COMPARE, *ROUND, *CHOICE, "sign", "step"}  # their values are in a discrete set
IN_RANGE = {*COMPARE, *CHOICE, *"sign step sigmoid tanh sin cos atan asin acos erf softmax".split()}
UNBOUNDED = {"div", "log", "tan", "atanh", "power", "input"}  # even on bounded arguments
LINEAR = {
    *{*ROUTING, *COMPARE, *CHOICE},
    *"input constant add sub neg abs relu leaky_relu maximum minimum clip sign step".split(),
    *"select sum reduce_max reduce_min".split(),
}
EXPONENTIAL = {
    *"exp sigmoid tanh softplus sinh cosh asinh elu softmax log_softmax logsumexp".split(),
    *"log acosh atanh power".split(),
}
INNER: dict[str, Callable[[Node, Interval], bool]] = {  # where in their domain they are Lipschitz
    "sqrt": lambda n, x: not x.has(ZERO),
    "acosh": lambda n, x: not x.has(ONE),
    **dict.fromkeys(["asin", "acos"], lambda n, x: not (x.has(-ONE) or x.has(ONE))),
    "pow": lambda n, x: not (0 < n.q["exponent"] < 1 and x.has(ZERO)),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """What a step proved: an enclosure, bounded, structure, property or refuted node."""

    kind: str
    node: int
    words: tuple[str, ...] = ()  # the structures; the property; what is refuted
    bounds: Bounds = ()


def read_bounds(raw: Json, size: int) -> list[Interval]:
    """Read bounds: one for all elements, or one for each."""
    ends = pairs(read.items(raw["lower"]), read.items(raw["upper"]))
    found = [Interval(*(None if v is None else read.rational(v) for v in both)) for both in ends]
    require(len(found) in (1, size), "bounds are one for all elements, or one for each")
    require(all(x.low is None or x.high is None or x.low <= x.high for x in found), "lower > upper")
    return found


def fit(facts: Sequence[Fact], structure: str) -> bool:  # whether each is of a node in it
    return all(any(structure in ABOVE[w] for w in fact.words) for fact in facts)


def finite(facts: Sequence[Fact]) -> set[int]:  # the nodes that they bound
    return {f.node for f in facts if all(x.finite for x in f.bounds)}


def apart(bounds: Bounds) -> bool:  # whether they exclude 0, for a divisor
    return not any(x.has(ZERO) for x in bounds)


@dataclass(slots=True)
class Proof:
    """The facts so far about one graph on one domain."""

    graph: Graph
    domain: dict[str, list[Interval]]
    facts: list[Fact] = field(default_factory=list[Fact])
    trusted: list[str] = field(default_factory=list[str])

    def step(self, value: object) -> Fact:
        """Return the fact that a step proves; reject a step that does not follow."""
        rule = read.word(read.mapping(value).get("rule"))
        require(rule in RULES, f"unknown rule {rule[:40]!a}")
        required, optional, prove = RULES[rule]
        return prove(self, read.fields(value, f"rule {required}", optional))

    def _cite(self, step: object, kinds: str, nodes: Collection[int]) -> Fact:
        fact = self.facts[read.integer(step, 0, len(self.facts) - 1)]
        spend(1 + len(fact.bounds))
        fits = fact.kind in kinds.split() and fact.node in nodes
        require(fits, f"step {step} does not state '{kinds}' of a node in question")
        return fact

    def _cites(self, steps: object, kinds: str, nodes: Sequence[int]) -> list[Fact]:
        """Return the facts that the steps state, one for each node in this order."""
        given = read.items(steps)
        require(len(given) == len(nodes), "one cited step for each argument was expected")
        return [self._cite(s, kinds, [k]) for s, k in pairs(given, nodes)]

    def _node(self, raw: Json) -> tuple[int, Node]:
        k = read.integer(raw["node"], 0, len(self.graph.nodes) - 1)
        return k, self.graph.nodes[k]

    def _words(self, raw: Json) -> tuple[str, ...]:
        words = tuple(map(read.word, read.items(raw["in"])))
        known = all(name in ABOVE for name in words) and len(set(words)) == len(words)
        require(known, "unknown or repeated structures")
        return words

    def _among(self, steps: object, kinds: str, nodes: Collection[int]) -> list[Fact]:
        """Return the facts that the steps state, each of some of these nodes."""
        return [self._cite(s, kinds, nodes) for s in read.items(steps)]

    def _ranges(self, raw: Json, k: int) -> tuple[list[Bounds], bool]:
        """Return the cited ranges of the arguments; and whether a divisor is shown not to be 0."""
        nodes = self.graph.nodes[k].args
        facts = self._among(raw.get("enclosures", []), "enclosure", {k, *nodes})
        shown = any(f.node == k and f.words for f in facts)
        return [next((f.bounds for f in facts if f.node == a), (REAL,)) for a in nodes], shown

    def enclosure(self, raw: Json) -> Fact:
        """Interval arithmetic gives these bounds."""
        k, node = self._node(raw)
        claimed, tensor = read_bounds(raw, node.size), self.graph.data(k)
        if raw["from"] == [] and all(x == REAL for x in claimed):
            return Fact("enclosure", k, (), claimed)  # says nothing
        args = [f.bounds for f in self._cites(raw["from"], "enclosure", node.args)]
        if node.op == "input":
            found = self.domain[node.name]
        elif tensor is None:
            require(node.op != "constant", "the data of the constant are not given")
            found = [*enclose(self.graph, k, args, len(claimed))]
        elif len(claimed) > 1:
            found = points(tensor)
        else:
            found = points(([min(tensor[0]), max(tensor[0])], tensor[1]))
            found = [reduce(Interval.__or__, found)]
        size = max(len(found), len(claimed))
        both = pairs(found * (size // len(found)), claimed * (size // len(claimed)))
        require(all(x <= y for x, y in both), "interval arithmetic does not give these bounds")
        return Fact("enclosure", k, (), claimed)

    def trust(self, raw: Json) -> Fact:
        """Somebody vouches for these bounds."""
        said = read.fields(raw["statement"], "kind node lower upper")
        require(said["kind"] == "enclosure", "only an enclosure can be trusted")
        k, node = self._node(said)
        self.trusted.append(f"enclosure of node {k}, by {read.word(raw['by'])[:80]!a}")
        return Fact("enclosure", k, (), read_bounds(said, node.size))

    def polynomial_bound(self, raw: Json) -> Fact:
        """Sums of squares bound a quotient."""
        k, node = self._node(raw)
        bound = refute.polynomial_bound(self.graph, raw, node)
        return Fact("enclosure", k, ("nonzero divisor",), (bound,))

    def bounded(self, raw: Json) -> Fact:
        """The node is bounded: as its arguments are, by its range, or since a divisor is not 0."""
        k, node = self._node(raw)
        facts = self._among(raw["from"], "bounded enclosure", {k, *node.args})
        known = finite(facts)
        local = node.op not in UNBOUNDED and node.q.get("exponent", ZERO) >= 0
        needed = node.args[:1] if node.op in GATHERS else node.args[node.op == "select" :]
        ways = [
            k in known,
            node.op in IN_RANGE or (node.op == "clip" and len(node.q) == 2),
            node.op == "input" and all(x.finite for x in self.domain[node.name]),
            local and known.issuperset(needed),
        ]
        if node.op == "div" and node.args[0] in known:
            ways += [apart(f.bounds) for f in facts if f.node == node.args[1] and f.bounds]
        require(any(ways), "boundedness does not follow")
        return Fact("bounded", k)

    def structure(self, raw: Json) -> Fact:
        """The node is defined, and definable: the operation is, and its arguments are."""
        (k, node), words = self._node(raw), self._words(raw)
        args = self._cites(raw["args"], "structure", node.args)
        ranges, shown = self._ranges(raw, k)
        for i, bounds in enumerate(ranges if node.op in DOMAIN else []):
            rows = [[x if i == j else REAL for j in range(len(ranges))] for x in bounds]
            shown = shown or all(DOMAIN[node.op](node, row) for row in rows)
        require(shown or node.op not in DOMAIN, f"{node.op} is not proved to be defined")
        cited = [*read.items(raw.get("bounded", [])), *read.items(raw.get("enclosures", []))]
        facts = self._among(cited, "bounded enclosure", {k, *node.args})
        own = self._own(node, finite(facts), ranges)
        for s in words:
            require(any(s in ABOVE[o] for o in own), f"{node.op} is not shown to be in {s}")
            require(fit(args, s), f"an argument is not shown to be in {s}")
        return Fact("structure", k, words)

    def _own(self, node: Node, bounded: set[int], ranges: list[Bounds]) -> set[str]:  # noqa: C901
        """Return structures that the operation is in, on the proved range of its arguments."""
        op, free = node.op, [self.graph.free[a] for a in node.args]
        inner = op not in INNER or all(INNER[op](node, x) for x in ranges[0])
        analytic = {"an"} if inner and bounded.issuperset(node.args) else set[str]()
        match op:
            case "mul" | "matmul" | "prelu":
                return {LINQ if any(free) else ALG}
            case "div":
                return {LINQ if free[1] else ALG}
            case "pow":
                return {LINQ if node.q["exponent"] in (0, 1) else ALG}
            case "prod":
                return {LINQ if node.size == self.graph.nodes[node.args[0]].size else ALG}
            case "sqrt":
                return {ALG}
            case "floor" | "ceil" | "round":
                return {LINQ if analytic else LOCAL}
            case "power" if free[1] and all(map(natural, ranges[1])):
                return {ALG}
            case "asin" | "acos" | "atan" | "tan":
                return {"an"}
            case "sin" | "cos":
                return analytic
            case "erf":
                return {"pfaffian"} | analytic
            case _ if op in EXPONENTIAL:
                return {"exp"} | analytic
            case _:
                return {LINQ} if op in LINEAR else set()

    def constant(self, raw: Json) -> Fact:
        """A node without inputs is a real parameter."""
        (k, _), words = self._node(raw), self._words(raw)
        self._cite(raw["step"], "structure", [k])
        require(self.graph.free[k], "the node depends on an input")
        require(ABOVE[LIN].issuperset(words), "a real parameter is only semilinear")
        return Fact("structure", k, words)

    def self_difference(self, raw: Json) -> Fact:
        """What is defined minus itself is 0."""
        (k, node), words = self._node(raw), self._words(raw)
        require(node.op == "sub" and len(set(node.args)) == 1, "not a difference of equals")
        self._cite(raw["arg"], "structure", node.args)
        return Fact("structure", k, words)

    def zero_product(self, raw: Json) -> Fact:
        """A product with 0 of what is defined is 0."""
        (k, node), words = self._node(raw), self._words(raw)
        require(node.op in ("mul", "matmul"), "not a product")
        self._cites(raw["args"], "structure", node.args)
        bounds = self._cite(raw["enclosure"], "enclosure", node.args).bounds
        require(all(x == point(0) for x in bounds), "no factor is zero")
        return Fact("structure", k, words)

    def saturated(self, raw: Json) -> Fact:
        """A rounding that is cut off is a step function of what is rounded."""
        (k, _), words = self._node(raw), self._words(raw)
        chain = [read.integer(i, 0, k) for i in read.items(raw["chain"])]
        require(len(chain) > 1 and chain[0] == k, "the chain does not start at the node")
        last = self.graph.nodes[chain[-1]]
        require(last.op in ROUND, "the chain does not end in a rounding")
        operands = [a for link in pairwise(chain) for a in self._operands(raw, k, *link)]
        facts = self._cites(raw["args"], "structure", operands)
        facts.append(self._cite(raw["source"], "structure", last.args))
        fits = all(fit(facts, s) for s in words)
        require(fits, "the source or an operand is not shown to be in these structures")
        return Fact("structure", k, words)

    def _operands(self, raw: Json, k: int, here: int, below: int) -> list[int]:
        """Return the other arguments of a node of a chain, which is monotone in the one below."""
        node = self.graph.nodes[here]
        others = [a for a in node.args if a != below]
        spend(len(node.args))
        outer = {"sign", "step", *COMPARE, *(["clip"] if len(node.q) == 2 else [])}
        ok = node.op in (outer if here == k else {"add", "sub", "mul", "div", "neg", *ROUTING})
        ok = ok and len(others) == len(node.args) - 1 and all(self.graph.free[a] for a in others)
        first = node.args[0] == below or node.op not in {"div", *GATHERS}
        require(ok and first, f"node {here} is not a step of a saturated rounding")
        if node.op == "div":
            facts = self._among(raw.get("enclosures", []), "enclosure", range(k))
            shown = any(f.node in others and apart(f.bounds) for f in facts)
            require(shown, "a divisor in the chain may be 0")
        return others

    def has_property(self, raw: Json) -> Fact:
        """The operation keeps a property that its arguments have, or needs none of them."""
        k, node = self._node(raw)
        name, op, given = read.word(raw["property"]), node.op, read.items(raw.get("args", []))
        ranges, _ = self._ranges(raw, k)
        moving = op in GATHERS and self.graph.nodes[node.args[1]].op != "constant"
        smooth = op not in STEPS and op != "select" and not moving
        inner = op not in INNER or all(INNER[op](node, x) for x in ranges[0])
        rules = {
            "piecewise_constant": op != "input",
            "piecewise_linear": LINQ in self._own(node, set(node.args), ranges),
            "continuous": smooth,
            "locally_lipschitz": smooth and inner,
        }
        require(name in rules, "unknown property")
        if self.graph.free[k] or (name == "piecewise_constant" and op in STEPS):
            require(not given, "no argument steps are needed here")
            return Fact("property", k, (name,))
        require(rules[name], f"{op} is not shown to be {name}")
        facts = self._cites(given, "property", node.args)
        require(all(f.words == (name,) for f in facts), "an argument has another property")
        return Fact("property", k, (name,))

    def line(self, raw: Json) -> Fact:
        """An output oscillates along a ray."""
        return Fact("refutes", refute.line(self.graph, raw, self.domain), ("o-minimal",))

    def staircase(self, raw: Json) -> Fact:
        """An output climbs a staircase of growing slope along a ray."""
        k = refute.staircase(self.graph, raw, self.domain)
        return Fact("refutes", k, ("o-minimal", "locally-o-minimal"))


RULES: dict[str, tuple[str, str, Callable[[Proof, Json], Fact]]] = {  # fields, and optional ones
    "enclosure": ("node lower upper from", "", Proof.enclosure),
    "bounded": ("node from", "", Proof.bounded),
    "structure": ("node in args", "bounded enclosures", Proof.structure),
    "constant": ("node in step", "", Proof.constant),
    "saturated": ("node in chain args source", "enclosures", Proof.saturated),
    "zero-product": ("node in args enclosure", "", Proof.zero_product),
    "self-difference": ("node in arg", "", Proof.self_difference),
    "property": ("node property", "args enclosures", Proof.has_property),
    "polynomial-bound": ("node bound certificate", "", Proof.polynomial_bound),
    "trust": ("by statement", "", Proof.trust),
    "line": ("base direction output t", "", Proof.line),
    "staircase": ("base direction output", "", Proof.staircase),
}

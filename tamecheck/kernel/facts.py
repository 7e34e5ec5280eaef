"""Facts about the nodes of a graph on a domain, and how steps cite them."""

# ruff: noqa: ARG005, D103, SIM905  (tables; small functions)
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from tamecheck.kernel import read
from tamecheck.kernel.graph import ROUTING, Graph, Node
from tamecheck.kernel.interval import HALF, ONE, REAL, ZERO, End, Interval
from tamecheck.kernel.ranges import DOMAIN, Bounds, natural
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
UNBOUNDED = {"div", "log", "tan", "atanh", "power"}  # even on bounded arguments
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


def read_bounds(raw: Json, size: int, version: int = 1) -> list[Interval]:
    """Read bounds: one for all elements, or one for each; from version 2 on, open ones too."""

    def end(value: object) -> tuple[End, bool]:
        if version > 1 and not isinstance(value, str | None):
            require(len(read.items(value)) == 1, "an open end is a list of one rational")
            return read.rational(read.items(value)[0]), True
        return None if value is None else read.rational(value), False

    rows = pairs(map(end, read.items(raw["lower"])), map(end, read.items(raw["upper"])))
    found = [Interval(a, b, a_open, b_open) for (a, a_open), (b, b_open) in rows]
    require(len(found) in (1, size), "bounds are one for all elements, or one for each")
    require(not any(x.empty for x in found), "lower > upper")
    return found


def fit(facts: Sequence[Fact], structure: str) -> bool:  # whether each is of a node in it
    return all(any(structure in ABOVE[w] for w in fact.words) for fact in facts)


def finite(facts: Sequence[Fact]) -> set[int]:  # the nodes that they bound
    return {f.node for f in facts if all(x.finite for x in f.bounds)}


def apart(bounds: Bounds) -> bool:  # whether they exclude 0, for a divisor
    return all((x.low or ZERO) > 0 or (x.high or ZERO) < 0 for x in bounds)


def has_domain(node: Node) -> bool:  # whether it is undefined for some arguments
    exponent = node.q.get("exponent", HALF)
    return node.op in DOMAIN and not (exponent >= 0 and exponent.denominator == 1)


def keeps_bounds(node: Node) -> bool:  # whether it maps bounded sets to bounded sets
    return node.op not in UNBOUNDED and node.q.get("exponent", ZERO) >= 0


def has_range(node: Node) -> bool:  # whether its values are bounded whatever the arguments
    return node.op in IN_RANGE or (node.op == "clip" and len(node.q) == 2)


@dataclass(slots=True)
class Facts:
    """The facts so far about one graph on one domain; `total` and `tight` hold for each node."""

    graph: Graph
    domain: dict[str, list[Interval]]
    version: int
    facts: list[Fact] = field(default_factory=list[Fact])
    trusted: list[str] = field(default_factory=list[str])
    total: list[bool] = field(default_factory=list[bool])  # no operation below has a domain
    tight: list[bool] = field(default_factory=list[bool])  # it is bounded on every bounded set

    def __post_init__(self) -> None:
        nodes, free = self.graph.nodes, self.graph.free
        for k, node in enumerate(nodes):
            self.total.append(not has_domain(node) and all(self.total[a] for a in node.args))
            kept = keeps_bounds(node) or (node.op == "div" and free[node.args[1]])
            kept = kept and all(self.tight[a] for a in node.args)
            self.tight.append(kept or free[k] or has_range(node))

    def cite(self, step: object, kinds: str, nodes: Collection[int]) -> Fact:
        """Return the fact that a step states, of one of these kinds and nodes."""
        fact = self.facts[read.integer(step, 0, len(self.facts) - 1)]
        spend(1 + len(fact.bounds))
        fits = fact.kind in kinds.split() and fact.node in nodes
        require(fits, f"step {step} does not state '{kinds}' of a node in question")
        return fact

    def cites(self, steps: object, kinds: str, nodes: Sequence[int]) -> list[Fact]:
        """Return the facts that the steps state, one for each node in this order."""
        given = read.items(steps)
        require(len(given) == len(nodes), "one cited step for each argument was expected")
        return [self.cite(s, kinds, [k]) for s, k in pairs(given, nodes)]

    def among(self, steps: object, kinds: str, nodes: Collection[int]) -> list[Fact]:
        """Return the facts that the steps state, each of some of these nodes."""
        return [self.cite(s, kinds, nodes) for s in read.items(steps)]

    def node(self, raw: Json) -> tuple[int, Node]:
        """Return the node that a step is about, and its number."""
        k = read.integer(raw["node"], 0, len(self.graph.nodes) - 1)
        return k, self.graph.nodes[k]

    def words(self, raw: Json) -> tuple[str, ...]:
        """Return the structures that a step claims."""
        words = tuple(map(read.word, read.items(raw["in"])))
        known = all(name in ABOVE for name in words) and len(set(words)) == len(words)
        require(known, "unknown or repeated structures")
        return words

    def ranges(self, raw: Json, k: int) -> tuple[list[Bounds], bool]:
        """Return the cited ranges of the arguments; and whether a divisor is shown not to be 0."""
        nodes = self.graph.nodes[k].args
        facts = self.among(raw.get("enclosures", []), "enclosure", {k, *nodes})
        shown = any(f.node == k and f.words for f in facts)
        return [next((f.bounds for f in facts if f.node == a), (REAL,)) for a in nodes], shown

    def inside(self, k: int, ranges: Sequence[Bounds]) -> bool:
        """Return whether the operation is defined for all arguments in these ranges."""
        node, shown = self.graph.nodes[k], False
        if node.op not in DOMAIN:
            return True
        if node.op == "power" and self.version > 1 and not self.graph.free[node.args[1]]:
            ranges = [ranges[0], (REAL,)]  # a natural exponent must not depend on the inputs
        for i, bounds in enumerate(ranges):
            rows = [[x if i == j else REAL for j in range(len(ranges))] for x in bounds]
            shown = shown or all(DOMAIN[node.op](node, row) for row in rows)
        return shown

    def domains(self, steps: object, nodes: Sequence[int]) -> set[str]:
        """Return the structures that define the sets where these nodes are defined."""
        if self.version == 1:
            self.cites(steps, "structure", nodes)
            return ABOVE[LINQ]
        facts = self.among(steps, "structure domain total", nodes)
        found = set(ABOVE)
        for k in nodes:
            if not self.total[k]:
                found &= {s for f in facts if f.node == k for w in f.words for s in ABOVE[w]}
        return found

    def few(self, steps: object, nodes: Sequence[int]) -> tuple[list[bool], list[bool]]:
        """Return which nodes have finitely many values by the steps; and which rational ones."""
        facts = self.among(steps, "finite", nodes)
        known, rational = {f.node for f in facts}, {f.node for f in facts if f.words}
        constant = {a for a in nodes if self.graph.nodes[a].op == "constant"}
        free = [self.graph.free[a] or a in known for a in nodes]
        return free, [a in constant or a in rational for a in nodes]

    def own(  # noqa: C901, PLR0912  (a case an operation)
        self, k: int, bounded: set[int], ranges: list[Bounds], steps: object
    ) -> set[str]:
        """Return structures that the operation is in, on the proved range of its arguments.

        The steps show arguments to have finitely many values.
        """
        node = self.graph.nodes[k]
        finitely, rationally = self.few(steps, node.args)
        if steps and all(finitely) and not self.graph.free[k]:
            return {LINQ}
        if steps and node.op in ("mul", "matmul", "prelu"):
            return {LINQ} if any(rationally) else {LIN} if any(finitely) else {ALG}
        if steps and node.op == "div":
            return {LINQ} if rationally[1] else {LIN} if finitely[1] else {ALG}
        op, free = node.op, [self.graph.free[a] for a in node.args]
        inner = op not in INNER or all(INNER[op](node, x) for x in ranges[0])
        if self.version > 1:
            closed = [[x.closure for x in bounds] for bounds in ranges]
            inner = op not in ("log", "atanh", "power") or self.inside(k, closed)
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
            case "asin" | "acos" | "atan":
                return {"an"}
            case "tan" if self.version == 1:
                return {"an"}
            case "sin" | "cos" | "tan":
                return analytic
            case "erf":
                return {"pfaffian"} | analytic
            case _ if op in EXPONENTIAL:
                return {"exp"} | analytic
            case _:
                return {LINQ} if op in LINEAR else set()

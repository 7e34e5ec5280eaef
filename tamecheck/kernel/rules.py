"""The rules: each step of a certificate states a fact that follows from earlier facts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

from tamecheck.kernel import domains, normal, periodic, pieces, read, refute, waves, wild
from tamecheck.kernel.facts import (
    ABOVE,
    COMPARE,
    INNER,
    LIN,
    LINQ,
    ROUND,
    STEPS,
    Fact,
    Facts,
    apart,
    finite,
    fit,
    has_range,
    keeps_bounds,
    read_bounds,
)
from tamecheck.kernel.graph import GATHERS, ROUTING, Graph
from tamecheck.kernel.interval import REAL, Interval, point
from tamecheck.kernel.ranges import Bounds, apply, enclose, points, values
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import pairs, require, spend


@dataclass(slots=True)
class Proof(Facts):
    """A proof in progress: its facts, and the rules for more of them."""

    def step(self, value: object) -> Fact:
        """Return the fact that a step proves; reject a step that does not follow."""
        rule = read.word(read.mapping(value).get("rule"))
        known = rule in RULES and self.version >= RULES[rule][0]
        require(known, f"unknown rule {rule[:40]!a}")
        _, required, optional, prove = RULES[rule]
        given = [w for w in optional.split() if self.version > 1 or w[-1] != "+"]
        return prove(self, read.fields(value, f"rule {required}", " ".join(given).replace("+", "")))

    def enclosure(self, raw: Json) -> Fact:
        """Interval arithmetic gives these bounds."""
        k, node = self.node(raw)
        claimed, tensor = read_bounds(raw, node.size, self.version), self.graph.data(k)
        if raw["from"] == [] and all(x == REAL for x in claimed):
            return Fact("enclosure", k, (), claimed)  # says nothing
        args = [f.bounds for f in self.cites(raw["from"], "enclosure", node.args)]
        if node.op == "input":
            found = self.domain[node.name]
        elif tensor is None:
            require(node.op != "constant", "the data of the constant are not given")
            of = apply if self.version == 1 else values  # where it is defined
            found = [*enclose(self.graph, k, args, len(claimed), of)]
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
        k, node = self.node(said)
        self.trusted.append(f"enclosure of node {k}, by {read.word(raw['by'])[:80]!a}")
        return Fact("enclosure", k, (), read_bounds(said, node.size, self.version))

    def quotient(self, raw: Json) -> Fact:
        """Sums of squares, or coefficients, bound a quotient."""
        k, node = self.node(raw)
        check = refute.polynomial_bound if "certificate" in raw else refute.orthant_bound
        bound, total = check(self.graph, raw, node)
        return Fact("enclosure", k, ("nonzero divisor",) * total, (bound,))

    def bounded(self, raw: Json) -> Fact:
        """The node is bounded: as its arguments are, by its range, or since a divisor is not 0."""
        k, node = self.node(raw)
        facts = self.among(raw["from"], "bounded enclosure", {k, *node.args})
        known = finite(facts)
        local = node.op != "input" and keeps_bounds(node)
        needed = node.args[:1] if node.op in GATHERS else node.args[node.op == "select" :]
        ways = [
            k in known,
            has_range(node),
            node.op == "input" and all(x.finite for x in self.domain[node.name]),
            local and known.issuperset(needed),
        ]
        if node.op == "div" and node.args[0] in known:
            ways += [apart(f.bounds) for f in facts if f.node == node.args[1] and f.bounds]
        require(any(ways), "boundedness does not follow")
        return Fact("bounded", k)

    def structure(self, raw: Json) -> Fact:
        """The node is definable where it is defined: the operation is, and its arguments are.

        In version 1 it is defined everywhere besides.
        """
        (k, node), words = self.node(raw), self.words(raw)
        args = self.cites(raw["args"], "structure", node.args)
        ranges, shown = self.ranges(raw, k)
        if self.version == 1:
            require(shown or self.inside(k, ranges), f"{node.op} is not proved to be defined")
        cited = [*read.items(raw.get("bounded", [])), *read.items(raw.get("enclosures", []))]
        facts = self.among(cited, "bounded enclosure", {k, *node.args})
        own = self.own(k, finite(facts), ranges, raw.get("finite", []))
        for s in words:
            require(any(s in ABOVE[o] for o in own), f"{node.op} is not shown to be in {s}")
            require(fit(args, s), f"an argument is not shown to be in {s}")
        return Fact("structure", k, words)

    def constant(self, raw: Json) -> Fact:
        """A node without inputs is a real parameter, or undefined."""
        (k, _), words = self.node(raw), self.words(raw)
        if self.version == 1:  # where it has to be defined
            self.cite(raw.get("step"), "structure", [k])
        require(self.graph.free[k], "the node depends on an input")
        require(ABOVE[LIN].issuperset(words), "a real parameter is only semilinear")
        return Fact("structure", k, words)

    def self_difference(self, raw: Json) -> Fact:
        """What is defined minus itself is 0, and the domain is definable."""
        (k, node), words = self.node(raw), self.words(raw)
        require(node.op == "sub" and len(set(node.args)) == 1, "not a difference of equals")
        known = self.domains([raw["arg"]] if "arg" in raw else [], node.args[:1])
        require(known.issuperset(words), "the domain of the node is not shown to be in these")
        return Fact("structure", k, words)

    def zero_product(self, raw: Json) -> Fact:
        """A product with 0 of what is defined is 0, and the domain is definable."""
        (k, node), words = self.node(raw), self.words(raw)
        require(node.op in ("mul", "matmul"), "not a product")
        known = self.domains(raw["args"], node.args)
        require(known.issuperset(words), "the domain of a factor is not shown to be in these")
        bounds = self.cite(raw["enclosure"], "enclosure", node.args).bounds
        require(all(x == point(0) for x in bounds), "no factor is zero")
        return Fact("structure", k, words)

    def saturated(self, raw: Json) -> Fact:
        """A rounding that is cut off is a step function of what is rounded."""
        (k, _), words = self.node(raw), self.words(raw)
        chain = [read.integer(i, 0, k) for i in read.items(raw["chain"])]
        require(len(chain) > 1 and chain[0] == k, "the chain does not start at the node")
        last = self.graph.nodes[chain[-1]]
        require(last.op in ROUND, "the chain does not end in a rounding")
        operands = [a for link in pairwise(chain) for a in self._operands(raw, k, *link)]
        facts = self.cites(raw["args"], "structure", operands)
        facts.append(self.cite(raw["source"], "structure", last.args))
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
        if node.op == "div" and self.version == 1:
            facts = self.among(raw.get("enclosures", []), "enclosure", range(k))
            shown = any(f.node in others and apart(f.bounds) for f in facts)
            require(shown, "a divisor in the chain may be 0")
        return others

    def germ_bound(self, raw: Json) -> Fact:
        """A continuous function of one number is bounded if it is bounded far out."""
        k, _ = self.node(raw)
        whole = [f.node for f in self.among(raw["from"], "total", [k])]
        require(self.total[k] or k in whole, "the node is not shown to be total")
        needed, waiting = set[int](), {k}
        while waiting:
            needed |= waiting
            waiting = {a for j in waiting for a in self.graph.nodes[j].args} - needed
        below = [self.graph.nodes[j] for j in needed]
        fixed = all(self.graph.nodes[n.args[1]].op == "constant" for n in below if n.op in GATHERS)
        smooth = fixed and not any(n.op in STEPS or n.op == "select" for n in below)
        require(smooth, "the node may jump")
        wild.bounded(self.graph, k, self.domain)
        return Fact("bounded", k)

    def has_property(self, raw: Json) -> Fact:
        """The operation keeps a property that its arguments have, or needs none of them."""
        k, node = self.node(raw)
        name, op, given = read.word(raw["property"]), node.op, read.items(raw.get("args", []))
        ranges, _ = self.ranges(raw, k)
        moving = op in GATHERS and self.graph.nodes[node.args[1]].op != "constant"
        smooth = op not in STEPS and op != "select" and not moving
        inner = op not in INNER or all(INNER[op](node, x) for x in ranges[0])
        rules = {
            "piecewise_constant": op != "input",
            "piecewise_linear": LINQ in self.own(k, set(node.args), ranges, raw.get("finite", [])),
            "continuous": smooth,
            "locally_lipschitz": smooth and inner,
        }
        require(name in rules, "unknown property")
        if name.startswith("piecewise") and op in ROUND and self.version > 1:
            require(self.spread(raw, node.args[0]), "its values may accumulate on a bounded set")
        if self.graph.free[k] or (name == "piecewise_constant" and op in STEPS):
            require(not given, "no argument steps are needed here")
            return Fact("property", k, (name,))
        require(rules[name], f"{op} is not shown to be {name}")
        facts = self.cites(given, "property", node.args)
        require(all(f.words == (name,) for f in facts), "an argument has another property")
        return Fact("property", k, (name,))

    def spread(self, raw: Json, a: int) -> bool:
        """Return whether the node is bounded on bounded sets, since continuous on a closed set."""
        facts = self.among(raw.get("bounded", []), "bounded enclosure total property", [a])
        kinds = {f.kind for f in facts if f.kind != "property" or f.words == ("continuous",)}
        whole = self.total[a] or "total" in kinds
        sets = [f for f in facts if f.kind in ("bounded", "enclosure")]
        return self.tight[a] or a in finite(sets) or (whole and "property" in kinds)


Refute = Callable[[Graph, Json, Mapping[str, Bounds]], tuple[int, tuple[str, ...]]]


def refuting(check: Refute) -> Callable[[Proof, Json], Fact]:
    """Return the rule for what refutes an output on a ray or a curve."""
    return lambda proof, raw: Fact("refutes", *check(proof.graph, raw, proof.domain))


IN_CASES = {
    *("enclosure", "bounded", "structure", "constant", "saturated", "zero-product", "split"),
    *("self-difference", "value", "decided", "total", "domain", "finite", "nowhere"),
    *("normal-form", "polynomial-bound", "orthant-bound"),
}  # a case is no closed set, so properties are not for it


def split(proof: Proof, raw: Json) -> Fact:
    """The node is definable in each case of where another one is, and these cover all."""
    (k, _), words = proof.node(raw), proof.words(raw)
    cases = read.items(raw["cases"])
    u, ranges = pieces.cases(proof, raw, k, len(cases))
    source = [proof.cite(raw["structure"], "structure", [u])]
    require(all(fit(source, s) for s in words), "the split node is not shown to be in these")
    here = len(proof.facts)
    for x, steps in pairs(ranges, cases):
        if not x.empty:
            proof.facts.append(Fact("enclosure", u, (), (x,)))
            for step in read.items(steps):
                rule = read.word(read.mapping(step).get("rule"))
                require(rule in IN_CASES, f"the rule {rule[:40]!a} is not for a case")
                proof.facts.append(proof.step(step))
            found = [f for f in proof.facts[here:] if f.kind == "structure" and f.node == k]
            del proof.facts[here:]
            shown = all(any(fit([f], s) for f in found) for s in words)
            require(shown, "the node is not shown to be in these in a case")
    return Fact("structure", k, words)


def undefined_at(proof: Proof, raw: Json) -> Fact:
    """At this point of the domain some element of the node is not defined."""
    (k, _), given = proof.node(raw), read.mapping(raw["point"])
    sizes = {n.name: n.size for n in proof.graph.nodes if n.op == "input"}
    where = {name: [point(read.rational(v)) for v in read.items(given[name])] for name in given}
    lengths = {name: len(at) for name, at in where.items()}
    require(lengths == sizes, "the point is not one of the inputs")
    for name, at in where.items():
        sides = proof.domain[name] * (len(at) // len(proof.domain[name]))
        require(all(x <= side for x, side in pairs(at, sides)), "the point is not in the domain")
    there = Proof(proof.graph, where, proof.version)
    for step in read.items(raw["steps"]):
        rule = read.word(read.mapping(step).get("rule"))
        require(rule in ("enclosure", "nowhere"), f"the rule {rule[:40]!a} is not for a point")
        there.facts.append(there.step(step))
    shown = any(f.kind == "nowhere" and f.node == k for f in there.facts)
    require(shown, "the node may be defined at the point")
    return Fact("undefined", k)


RULES: dict[str, tuple[int, str, str, Callable[[Proof, Json], Fact]]] = {
    # since which version; its fields, and optional ones, those of version 2 with a +
    "enclosure": (1, "node lower upper from", "", Proof.enclosure),
    "bounded": (1, "node from", "", Proof.bounded),
    "structure": (1, "node in args", "bounded enclosures finite+", Proof.structure),
    "constant": (1, "node in", "step", Proof.constant),
    "saturated": (1, "node in chain args source", "enclosures", Proof.saturated),
    "zero-product": (1, "node in args enclosure", "", Proof.zero_product),
    "self-difference": (1, "node in", "arg", Proof.self_difference),
    "property": (1, "node property", "args enclosures bounded+ finite+", Proof.has_property),
    "polynomial-bound": (1, "node bound certificate", "", Proof.quotient),
    "orthant-bound": (2, "node bound delta atoms", "", Proof.quotient),
    "trust": (1, "by statement", "", Proof.trust),
    "line": (1, "base direction output t", "", refuting(refute.line)),
    "periodic": (2, "base direction output t", "", refuting(periodic.periodic)),
    "staircase": (1, "base direction output", "", refuting(refute.staircase)),
    "normal-form": (2, "node in over", "domain", normal.normal_form),
    "exp-trig": (2, "curve output", "", refuting(waves.exp_trig)),
    "germ-bound": (2, "node from", "", Proof.germ_bound),
    "germ": (2, "curve output", "", refuting(wild.germ)),
    "components": (2, "curve output", "", refuting(wild.components)),
    "total": (2, "node from", "", domains.total),
    "domain": (2, "node in args", "bounded enclosures", domains.domain),
    "finite": (2, "node from", "", pieces.few),
    "split": (2, "node in on at structure cases", "enclosure total", split),
    "value": (2, "node in", "enclosure domain nowhere", pieces.value),
    "nowhere": (2, "node", "step enclosures", pieces.nowhere),
    "undefined-at": (2, "node point steps", "", undefined_at),
    "decided": (2, "node in live structure args", "enclosures", pieces.decided),
}

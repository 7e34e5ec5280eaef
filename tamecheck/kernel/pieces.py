"""Nodes that enclosures decide: constants, and those that are equal to an argument."""

# ruff: noqa: SIM905  (lists of words are tables)
from functools import reduce
from itertools import pairwise

from tamecheck.kernel import read
from tamecheck.kernel.facts import ROUND, STEPS, Fact, Facts, finite, fit, has_domain
from tamecheck.kernel.graph import GATHERS, POINTWISE, ROUTING
from tamecheck.kernel.interval import ONE, POSITIVE, REAL, ZERO, Interval, point
from tamecheck.kernel.ranges import PARTIAL
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import pairs, require, spend

RATIONAL = {
    *ROUTING,
    *"add sub mul div neg abs relu leaky_relu maximum minimum clip prelu select".split(),
    *"matmul sum prod reduce_max reduce_min".split(),
}  # of rationals they are rational


def few(proof: Facts, raw: Json) -> Fact:
    """The node has finitely many values: in a lattice and bounded, or since its arguments have."""
    k, node = proof.node(raw)
    cited = proof.among(raw["from"], "finite bounded enclosure", {k, *node.args})
    steps = [s for s, f in pairs(read.items(raw["from"]), cited) if f.kind == "finite"]
    bounded = {f.node for f in cited if f.kind != "finite"} & finite(cited)
    if node.op in STEPS - ROUND or bounded.intersection([k, *node.args[: node.op in ROUND]]):
        require(_in_lattice(proof, k), "the values may be any")
        return Fact("finite", k, ("rational",))
    finitely, rationally = proof.few(steps, node.args)
    require(bool(node.args) and all(finitely), "an argument may have infinitely many values")
    whole = node.op == "pow" and node.q["exponent"].denominator == 1
    rational = (node.op in RATIONAL or whole) and all(rationally)
    return Fact("finite", k, ("rational",) * (rational or node.op in STEPS))


def _in_lattice(proof: Facts, k: int) -> bool:
    """Return whether all values of a node have one denominator."""
    waiting, seen = [k], set[int]()
    while waiting:
        here = waiting.pop()
        node = proof.graph.nodes[here]
        spend(1)
        if here not in seen and node.op not in (*STEPS, "constant"):
            natural = node.q.get("exponent", ONE) >= 0 == node.q.get("exponent", ONE) % 1
            if node.op not in RATIONAL - {"div"} and not (node.op == "pow" and natural):
                return False
            seen.add(here)
            waiting += node.args
    return True


def cases(proof: Facts, raw: Json, k: int, count: int) -> tuple[int, list[Interval]]:
    """Return the node that cases are about, and its range in each, as far as it is known.

    With m numbers there are m + 1 closed intervals, or m points and the open intervals around them.
    """
    nodes = proof.graph.nodes
    u = read.integer(raw["on"], 0, k)
    at = [read.rational(a) for a in read.items(raw["at"])]
    require(all(a < b for a, b in pairwise(at)), "the numbers are not increasing")
    ends = [None, *at, None]
    if count == len(at) + 1:
        found = [Interval(a, b) for a, b in pairwise(ends)]
    else:
        require(count == 2 * len(at) + 1, "one list of steps for each case was expected")
        between = [Interval(a, b, low_open=True, high_open=True) for a, b in pairwise(ends)]
        found = [x for pair in zip(between, map(point, at), strict=False) for x in pair]
        found.append(between[-1])
    if "enclosure" in raw:
        known = reduce(Interval.__or__, proof.cite(raw["enclosure"], "enclosure", [u]).bounds)
        found = [x & known for x in found]
    total = proof.total[u] or ("total" in raw and bool(proof.cite(raw["total"], "total", [u])))
    above, needed, below = {u}, {u}, {k}
    for here in range(k, u, -1):
        spend(1 + len(nodes[here].args))
        below.update(nodes[here].args if here in below else ())
    for here in range(u + 1, k + 1):
        node = nodes[here]
        if here in below and above.intersection(node.args):
            above.add(here)
            alike = node.op in POINTWISE and node.shape == nodes[u].shape
            require(alike or nodes[u].size == 1, "an element depends on several that are split")
            strict = node.args[:1] if node.op == "select" else node.args
            if node.op in POINTWISE and needed.intersection(strict):
                needed.add(here)
    require(k in above and (total or k in needed), "the node may be defined where the other is not")
    return u, found


def value(proof: Facts, raw: Json) -> Fact:
    """A node of which each element can have one value only, where it is defined."""
    (k, _), words = proof.node(raw), proof.words(raw)
    if "nowhere" in raw:
        found = proof.cite(raw["nowhere"], "nowhere", [k])
        require(bool(found.words), "an element may be defined somewhere")
        return Fact("structure", k, words)
    bounds = proof.cite(raw["enclosure"], "enclosure", [k]).bounds
    single = all(x.low is not None and x.low == x.high for x in bounds)
    require(single, "an element may have several values")
    known = proof.domains([raw["domain"]] if "domain" in raw else [], [k])
    require(known.issuperset(words), "the domain of the node is not shown to be in these")
    return Fact("structure", k, words)


def nowhere(proof: Facts, raw: Json) -> Fact:
    """An element of the node is defined nowhere: by its operation, or since one below is not."""
    k, node = proof.node(raw)
    if "step" in raw:
        found = proof.cite(raw["step"], "nowhere", node.args)
        first = node.op in ("select", *GATHERS) and found.node != node.args[node.op != "select"]
        require(node.op != "slice" and not first, f"{node.op} may leave out what is undefined")
        kept = found.words if node.op not in ("concat", "pad") else ()
        return Fact("nowhere", k, kept)
    ranges, outside = proof.ranges(raw, k)[0], list[bool]()
    fixed = node.op == "power" and proof.graph.free[node.args[1]]  # it may be natural
    require(has_domain(node) and not fixed, f"{node.op} has no domain")
    for i, bounds in enumerate(ranges):
        rows = [[x if i == j else REAL for j in range(len(ranges))] for x in bounds]
        empty = [any(x.empty for x in PARTIAL[node.op](node, row)) for row in rows]
        outside += [all(empty)] * any(empty)
    require(bool(outside), f"{node.op} may be defined somewhere")
    return Fact("nowhere", k, ("all",) * any(outside))


def decided(proof: Facts, raw: Json) -> Fact:
    """A choice of which enclosures say what is chosen; the rest only cuts its domain."""
    (k, node), words = proof.node(raw), proof.words(raw)
    live = read.integer(raw["live"], 0, len(node.args) - 1)
    ranges = [reduce(Interval.__or__, bounds) for bounds in proof.ranges(raw, k)[0]]
    first, second = ranges[0], ranges[-1]
    match node.op:
        case "maximum":
            chosen = [first - second <= POSITIVE, second - first <= POSITIVE]
        case "minimum":
            chosen = [second - first <= POSITIVE, first - second <= POSITIVE]
        case "prelu" | "elu":
            chosen = [first <= POSITIVE, False]
        case "select":
            chosen = [False, not first.has(ZERO), first == point(ZERO)]
        case _:
            chosen = [False] * len(node.args)
    require(chosen[live], f"{node.op} is not shown to choose this argument")
    dead = [node.args[0]] if node.op == "select" else [a for a in node.args if a != node.args[live]]
    known = proof.domains(raw["args"], dead)
    structure = proof.cite(raw["structure"], "structure", [node.args[live]])
    fits = all(fit([structure], s) for s in words) and known.issuperset(words)
    require(fits, "the argument, or the domain of another, is not shown to be in these")
    return Fact("structure", k, words)

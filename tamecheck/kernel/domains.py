"""Where nodes are defined: everywhere, or on a definable set."""

from collections.abc import Sequence

from tamecheck.kernel.facts import ABOVE, LINQ, Fact, Facts, finite
from tamecheck.kernel.graph import GATHERS
from tamecheck.kernel.interval import REAL
from tamecheck.kernel.ranges import DOMAIN
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import require, spend


def total(proof: Facts, raw: Json) -> Fact:
    """The node is defined everywhere: so is each operation below that has a domain."""
    k, _ = proof.node(raw)
    facts = proof.among(raw["from"], "enclosure total", range(k + 1))
    known = {f.node for f in facts if f.kind == "total" or f.words}
    ranges = {f.node: f.bounds for f in reversed(facts)}
    waiting = [k]
    while waiting:
        here = waiting.pop()
        node = proof.graph.nodes[here]
        spend(1 + len(node.args))
        if here in known or proof.total[here]:
            continue
        known.add(here)
        inside = proof.inside(here, [ranges.get(a, (REAL,)) for a in node.args])
        require(inside, f"node {here}, {node.op}, is not proved to be defined everywhere")
        waiting += node.args
    return Fact("total", k, (LINQ,))


def domain(proof: Facts, raw: Json) -> Fact:
    """The set where the node is defined is definable: so are those of its arguments, and its own.

    Where an operation has a domain its arguments must be definable, or inside.  A choice needs its
    condition to be definable, unless all that it chooses among is defined everywhere.
    """
    (k, node), words = proof.node(raw), proof.words(raw)
    facts = proof.among(raw["args"], "structure domain total", node.args)
    known = proof.domains(raw["args"], node.args)
    ranges, shown = proof.ranges(raw, k)
    deciding = list[int]()
    if node.op == "select":
        deciding = _deciding(proof, facts, node.args[0], node.args[1:])
    elif node.op in GATHERS and proof.graph.data(node.args[1]) is None:
        deciding = _deciding(proof, facts, node.args[1], node.args[:1])
    elif node.op in DOMAIN and not (shown or proof.inside(k, ranges)):
        deciding = [node.args[node.op == "div"]]
        if node.op == "tan":  # only finitely many poles
            cited = proof.among(raw.get("bounded", []), "bounded enclosure", deciding)
            require(finite(cited).issuperset(deciding), "the poles of a tangent may accumulate")
    for a in deciding:
        known &= {
            s
            for f in facts
            if f.node == a and f.kind == "structure"
            for w in f.words
            for s in ABOVE[w]
        }
    require(known.issuperset(words), "the set is not shown to be definable in these")
    return Fact("domain", k, words)


def _deciding(proof: Facts, facts: Sequence[Fact], by: int, among: Sequence[int]) -> list[int]:
    """Return the node that decides which of several is needed, if one may be undefined."""
    whole = {f.node for f in facts if f.kind == "total"}
    return [] if all(proof.total[a] or a in whole for a in among) else [by]

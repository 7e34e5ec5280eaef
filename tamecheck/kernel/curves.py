"""Curves in the domain, and the elements of a graph along one."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

from tamecheck.kernel import read
from tamecheck.kernel.elements import combinations, lift, lifts
from tamecheck.kernel.graph import Graph, Node
from tamecheck.kernel.interval import ZERO
from tamecheck.kernel.ranges import ELEMENTS, Bounds
from tamecheck.kernel.read import Json
from tamecheck.kernel.strict import Reject, pairs, require, spend

V = TypeVar("V")
Laurent = dict[int, Fraction]  # from each power of t to its coefficient, which is not 0
POWER, LENGTH = 16, 16  # the largest power of t on a curve, and how many of them


def follow(
    graph: Graph,
    target: int,
    given: Mapping[int, Sequence[V]],
    constant: Callable[[Fraction], V],
    combine: Callable[[Node, str, Sequence[V | None]], V | None],
) -> Sequence[V | None]:
    """Return the elements of a node from given ones, None where `combine` rejects or has none."""
    needed, waiting = set[int](), {target}
    while waiting:
        needed |= waiting
        waiting = {a for k in waiting if k not in given for a in graph.nodes[k].args} - needed
    values: dict[int, Sequence[V | None]] = {}
    for k in sorted(needed):
        node, data = graph.nodes[k], graph.data(k)
        work = combinations(graph, node)
        require(work <= ELEMENTS, "the graph is too large to be followed along a ray")
        spend(1 + work)

        def apply(op: str, args: Sequence[V | None], node: Node = node) -> V | None:
            try:
                return combine(node, op, args)
            except Reject:
                return None

        if k in given:
            values[k] = given[k]
        elif data is not None:
            values[k] = [constant(Fraction(v, data[1])) for v in data[0]]
        elif lifts(graph, k):
            pad = constant(node.q.get("value", ZERO))
            values[k] = lift(graph, node, [values[a] for a in node.args], pad, apply)
        else:
            values[k] = [None] * node.size
    return values[target]


def curve(
    graph: Graph, raw: Json, domain: Mapping[str, Bounds]
) -> tuple[int, int, dict[int, list[Laurent]]]:
    """Return the output node and element of a step, and its curve, in the domain for large t."""
    found, given = dict[int, list[Laurent]](), read.mapping(raw["curve"])
    require(set(given) == set(domain), "a curve names other inputs than the graph")
    for k, entry in ((k, n) for k, n in enumerate(graph.nodes) if n.op == "input"):
        found[k] = [_laurent(e) for e in read.items(given[entry.name])]
        fits = len(found[k]) == entry.size
        require(fits, "a curve has one entry for each element of an input")
        boxes = [*domain[entry.name]] * (entry.size // len(domain[entry.name]))
        for element, box in pairs(found[k], boxes):
            spend(1 + len(element))
            above = box.low is None or _eventual_sign(element, -box.low) >= 0
            below = box.high is None or _eventual_sign(element, -box.high) <= 0
            require(above and below, "the curve leaves the domain")
    first, second = read.pair(raw["output"], "an output is a node and an element")
    node = read.integer(first, 0, len(graph.nodes) - 1)
    require(node in graph.outputs, "the node is not an output")
    return node, read.integer(second, 0, graph.nodes[node].size - 1), found


def _laurent(value: object) -> Laurent:
    powers = {str(k): k for k in range(-POWER, POWER + 1)}
    found = {powers.get(k): read.rational(c) for k, c in read.mapping(value).items()}
    known = {k: c for k, c in found.items() if k is not None and c != 0}
    require(len(known) == len(found) <= LENGTH, "a curve is not a sum of a few powers of t")
    return known


def _eventual_sign(element: Laurent, added: Fraction | int) -> int:
    """Return the sign of a Laurent polynomial and a number, for large t."""
    total = {k: c for k, c in {**element, 0: element.get(0, ZERO) + added}.items() if c != 0}
    leading = total[max(total)] if total else ZERO
    return (leading > 0) - (leading < 0)

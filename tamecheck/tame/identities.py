"""The search for identities: a node that is a rational function of others, where it is defined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tamecheck import ops
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.structure import Antichain, Structure, join_all
from tamecheck.ir.tensor import size_of
from tamecheck.tame.domains import Domains, Shown
from tamecheck.tame.normal import normal_form
from tamecheck.tame.verdict import Step

_MOST_NODES, _MOST_WORK, _TENSORS = 256, 1024, 128
_ALGEBRA = (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.NEG, ops.POW)


@dataclass(frozen=True, slots=True)
class Identity:
    """In which structures a node is by an identity, and the step that says so."""

    structures: Antichain
    step: Step


def find_identity(
    graph: Graph, node: int, plain: Antichain, shown: Mapping[int, Shown], domains: Domains
) -> Identity | None:
    """An identity that says more of a node than the structures that are known, or None."""
    sizes = [size_of(graph.nodes[i].shape) for i in graph.ancestors([node])]
    large = max(sizes) > 1 and (any(s.o_minimal for s in plain) or sum(sizes) > _TENSORS)
    if large:
        return None  # of a network not worth the time
    for atoms in _atoms(graph, node, shown):
        form = normal_form(graph, node, atoms, _MOST_WORK)
        if form is not None and form.over != atoms:  # without those that cancel
            form = normal_form(graph, node, form.over, _MOST_WORK)
        if form is None:
            continue
        domain, cited = domains.together([node])
        over = [shown[atom] for atom in form.over]
        own = Structure.RATIONAL_SEMILINEAR if form.is_affine else Structure.SEMIALGEBRAIC
        structures = join_all(((own,), domain, *(fact.structures for fact in over)))
        better = structures != plain and all(any(s <= t for s in structures) for t in plain)
        if better and domain and any(s.o_minimal for s in structures):
            step = {
                "rule": "normal-form",
                "node": node,
                "in": [s.value for s in structures],
                "over": [fact.step for fact in over],
                **({"domain": cited[0]} if cited else {}),
            }
            return Identity(structures, step)
    return None


def _atoms(graph: Graph, node: int, shown: Mapping[int, Shown]) -> Iterator[tuple[int, ...]]:
    """What a form may be over beside the inputs: nothing; what is definable, but not by algebra."""
    below = list(graph.ancestors([node]))[:-1]
    work = sum(size_of(graph.nodes[i].shape) for i in below)
    if len(below) > _MOST_NODES or work > _MOST_WORK:
        return
    yield ()
    applied = ((i, graph.nodes[i]) for i in below)
    more = tuple(
        i
        for i, found in applied
        if isinstance(found, Apply) and found.op not in _ALGEBRA and shown[i].structures
    )
    if more:
        yield more

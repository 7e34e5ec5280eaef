"""A continuous function of one number is bounded if it is bounded far out, on both sides."""

from __future__ import annotations

from tamecheck.ir.graph import Apply
from tamecheck.ir.op import Selection
from tamecheck.tame.domains import Domains
from tamecheck.tame.refute_germs import is_bounded_far_out
from tamecheck.tame.steps import ProofSteps

_LARGE = 400


def bound_far_out(proof: ProofSteps, domains: Domains, node: int) -> int | None:
    """A step that shows a node to be bounded, or None.

    Its germs along the only input, to both sides, are bounded, and in between it is continuous.
    """
    graph = proof.graph
    if len(graph.nodes) > _LARGE or len(graph.inputs) != 1:
        return None
    below = [graph.nodes[index] for index in graph.ancestors([node])]
    smooth = all(
        part.op.regularity.continuous and not isinstance(part.op.meaning, Selection)
        for part in below
        if isinstance(part, Apply)
    )
    total = domains.total(node) if smooth else None
    if total is None or not is_bounded_far_out(graph, proof.box, node):
        return None
    return proof.add_proof(node, {"rule": "germ-bound", "node": node, "from": total})

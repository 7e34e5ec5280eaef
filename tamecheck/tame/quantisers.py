"""Quantisers: a rounding below affine ops and a saturating one."""

from __future__ import annotations

from dataclasses import dataclass

from tamecheck import ops
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Routing
from tamecheck.ops.facets import line_of, rounds, sign_values

_AFFINE = (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.NEG)


@dataclass(frozen=True, slots=True)
class Chain:
    """A saturating op, affine ops by input-free operands, and the rounding below them."""

    nodes: tuple[int, ...]
    """From the saturating op down to the rounding."""
    operands: tuple[int, ...]
    """The input-free operands along the way, in that order."""
    source: int
    """The argument of the rounding."""


def quantiser_chain(graph: Graph, top: int) -> Chain | None:
    """The chain below a saturating op, or None if the node is not the top of a quantiser."""
    node = graph.nodes[top]
    if not (isinstance(node, Apply) and _saturates(node)):
        return None
    nodes: list[int] = []
    operands: list[int] = []
    current = top
    while True:
        node = graph.nodes[current]
        if not isinstance(node, Apply):
            return None
        moving = [arg for arg in node.args if not graph.input_free[arg]]
        if len(moving) != 1:
            return None
        nodes.append(current)
        if rounds(node.op, node.params):
            return Chain(tuple(nodes), tuple(operands), moving[0])
        if current != top and node.op not in _AFFINE and not isinstance(node.op.meaning, Routing):
            return None
        if node.op is ops.DIV and not graph.input_free[node.args[1]]:
            return None
        operands.extend(arg for arg in node.args if graph.input_free[arg])
        current = moving[0]


def _saturates(node: Apply) -> bool:
    """Whether the op is constant far out on both sides, as a clip or a comparison is."""
    line = line_of(node.op, node.params)
    if line is not None:
        return not line.slopes[0] and not line.slopes[-1]
    return sign_values(node.op, node.params) is not None

"""Quantisers: a rounding whose result is clipped takes finitely many values.

``round`` on all of ℝ has infinitely many steps, but ``clip(a round(x) + b, lo, hi)`` has finitely
many, so it is as tame as its argument.  The same holds when the last op is a sign, a step or a
comparison with a constant.
"""

from __future__ import annotations

from dataclasses import dataclass

from tamecheck import ops
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Routing

__all__ = ["Chain", "quantiser_chain"]

_ROUNDING = (ops.FLOOR, ops.CEIL, ops.ROUND)
_AFFINE = (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.NEG)
_COMPARISONS = (ops.LESS, ops.LESS_EQUAL, ops.EQUAL)


@dataclass(frozen=True, slots=True)
class Chain:
    """A saturating op, affine ops by input-free operands, and the rounding below them.

    Parameters
    ----------
    nodes
        From the saturating op down to the rounding.
    operands
        The input-free operands along the way, in that order.
    source
        The argument of the rounding.
    """

    nodes: tuple[int, ...]
    operands: tuple[int, ...]
    source: int


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
        if node.op in _ROUNDING:
            return Chain(tuple(nodes), tuple(operands), moving[0])
        if current != top and node.op not in _AFFINE and not isinstance(node.op.meaning, Routing):
            return None
        if node.op is ops.DIV and not graph.input_free[node.args[1]]:
            return None
        operands.extend(arg for arg in node.args if graph.input_free[arg])
        current = moving[0]


def _saturates(node: Apply) -> bool:
    if node.op is ops.CLIP:
        return node.params["lo"] is not None and node.params["hi"] is not None
    return node.op in (ops.SIGN, ops.STEP, *_COMPARISONS)

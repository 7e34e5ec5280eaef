"""Which nodes are piecewise affine, so that first derivatives describe them exactly nearby."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection

__all__ = ["Affinity"]

_FLAT = frozenset(
    {"sign", "step", "equal", "less", "less_equal", "floor", "ceil", "round", "argmax", "argmin"}
    | {"argsort"}
)
_LINEAR = frozenset(
    {"add", "sub", "neg", "abs", "relu", "leaky_relu", "maximum", "minimum", "clip", "select"}
)


@dataclass(frozen=True, slots=True)
class Affinity:
    """For each node: whether it is piecewise affine, and whether piecewise constant."""

    graph: Graph
    affine: tuple[bool, ...]
    flat: tuple[bool, ...]

    @staticmethod
    def of(graph: Graph) -> Affinity:
        """The facts about a graph."""
        affine: list[bool] = []
        flat: list[bool] = []
        for index, node in enumerate(graph.nodes):
            if not isinstance(node, Apply):
                affine.append(True)
                flat.append(graph.input_free[index])
                continue
            if graph.input_free[index]:
                affine.append(True)
                flat.append(True)
                continue
            straight = all(affine[arg] for arg in node.args)
            still = [flat[arg] for arg in node.args]
            level = straight and (node.op.name in _FLAT or all(still))
            flat.append(level)
            affine.append(level or (straight and _keeps_affine(node, still)))
        return Affinity(graph, tuple(affine), tuple(flat))

    def affine_args(self, index: int) -> bool:
        """Whether all arguments of a node are piecewise affine."""
        node = self.graph.nodes[index]
        return isinstance(node, Apply) and all(self.affine[arg] for arg in node.args)


def _keeps_affine(node: Apply, still: list[bool]) -> bool:
    """Whether the op of piecewise affine arguments is, given which are piecewise constant."""
    match node.op.meaning:
        case Routing():
            return True
        case Contraction():
            return any(still)
        case Fold(name):
            return name in ("add", "maximum", "minimum")
        case Selection():
            return node.op.name in ("gather", "gather_elements") and still[1]
        case Pointwise():
            name = node.op.name
            if name in ("mul", "prelu"):
                return any(still) if name == "mul" else still[1]
            if name == "div":
                return still[1]
            if name == "pow":
                return node.params["exponent"] in (Fraction(0), Fraction(1))
            return name in _LINEAR
        case _:
            return False

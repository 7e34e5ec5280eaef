"""Values of input-free nodes in float64, each known to a relative 2**-44."""

from __future__ import annotations

import numpy as np

from tamecheck.evaluate import enclose, fold_constant
from tamecheck.evaluate.enclosure import of_tensor
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Apply, Constant, Graph
from tamecheck.ir.tensor import Array, Tensor, size_of

__all__ = ["Constants"]

_ERROR = 2.0**-44
_EXACT_ELEMENTS = 4096


class Constants:
    """The constants of a graph, folded by intervals, and exactly where these are too wide."""

    def __init__(self, graph: Graph) -> None:
        free = [index for index, known in enumerate(graph.input_free) if known]
        self._graph = graph
        self._exact: dict[int, Tensor | None] = {}
        self._enclosed = enclose(graph, Box.everything(), hull_above=2**28, nodes=free)

    def value(self, index: int) -> Array | None:
        """The value of an input-free node, None where it is not known well enough."""
        found = self._enclosed.get(index)
        if found is None:
            return None
        if not _sharp(found.lower, found.upper):
            # rounded intervals lose what cancels; rational arithmetic does not
            exact = self._folded(index)
            found = found if exact is None else of_tensor(exact)
        sharp = _sharp(found.lower, found.upper)
        # not ascontiguousarray, which turns a scalar into a vector
        return np.asarray(found.lower, order="C") if sharp else None

    def _folded(self, index: int) -> Tensor | None:
        """The rational value of an input-free node, None if it has none or is too large."""
        if index not in self._exact:
            node = self._graph.nodes[index]
            found: Tensor | None = None
            if isinstance(node, Constant):
                found = node.tensor
            elif isinstance(node, Apply) and size_of(node.shape) <= _EXACT_ELEMENTS:
                args = [self._folded(arg) for arg in node.args]
                known = [arg for arg in args if arg is not None]
                if len(known) == len(args):
                    found = fold_constant(node.op, known, node.params)
            self._exact[index] = found
        return self._exact[index]


def _sharp(low: Array, high: Array) -> bool:
    size = np.maximum(np.abs(low), np.abs(high))
    return bool((high - low <= size * _ERROR).all())

"""A graph under construction, whose nodes are numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.op import Op, Value
from tamecheck.ir.tensor import Shape

__all__ = ["Sketch"]


@dataclass(slots=True)
class Sketch:
    """Adds nodes to a graph; every node is its number."""

    builder: GraphBuilder = field(default_factory=GraphBuilder)

    def apply(self, op: Op, *args: int, label: str = "", **params: Value) -> int:
        """An op applied to nodes."""
        return self.builder.apply(op, args, label, **params)

    def constant(self, values: Any) -> int:
        """A constant tensor; a float is the rational that it denotes."""
        return self.builder.constant(np.asarray(values))

    def integer(self, value: int) -> int:
        """A constant scalar."""
        return self.builder.constant(value)

    def shape(self, node: int) -> Shape:
        """The shape of a node."""
        return self.builder.shape(node)

    def reshape(self, x: int, shape: Shape) -> int:
        """``x`` in another shape of the same size."""
        return x if self.shape(x) == shape else self.apply(ops.RESHAPE, x, shape=shape)

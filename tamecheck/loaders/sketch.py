"""A graph under construction, with the few compositions that estimators are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
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

    def affine(self, x: int, matrix: Any, offset: Any, label: str = "") -> int:
        """``x @ matrix + offset``."""
        product = self.apply(ops.MATMUL, x, self.constant(matrix), label=label)
        return self.apply(ops.ADD, product, self.constant(offset), label=label)

    def gather(self, x: int, indices: Sequence[int] | Any) -> int:
        """The elements of the first axis of ``x`` at fixed indices."""
        places = self.constant(np.asarray(indices, dtype=np.int64))
        return self.apply(ops.GATHER, x, places, axis=0)

    def reshape(self, x: int, shape: Shape) -> int:
        """``x`` in another shape of the same size."""
        return x if self.shape(x) == shape else self.apply(ops.RESHAPE, x, shape=shape)

    def argmax(self, x: int) -> int:
        """The index of the largest element of a vector, the first of tied ones."""
        return self.apply(ops.ARGMAX, x, label="label", axis=0, keepdims=False, last=False)

    def positive(self, x: int) -> int:
        """1 where ``x > 0``, else 0."""
        return self.apply(ops.STEP, x, label="label", at_zero=Fraction(0))

    def nonnegative(self, x: int) -> int:
        """1 where ``x ≥ 0``, else 0."""
        return self.apply(ops.STEP, x, label="label", at_zero=Fraction(1))

"""What an ONNX name stands for during loading: a constant array, or a node of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.onnx.kinds import Kind

__all__ = ["Operand", "Value"]


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of the source model.

    Parameters
    ----------
    kind
        Its element type.
    shape
        Its shape.
    name
        Its name in the source, or an empty one.
    array
        Its elements, if it is a constant: of a NumPy number type, or an object array of exact
        integers and fractions.  Only here may an infinity occur, for bounds that do not bind.
    node
        Its node, if it is no constant.
    """

    kind: Kind
    shape: Shape
    name: str = ""
    array: Array | None = None
    node: int = -1

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)


Operand: TypeAlias = Value | Fraction | int
"""A tensor, or a number that is broadcast."""

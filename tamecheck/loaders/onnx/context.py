"""What the translation of one node sees: its inputs, its attributes, and the graph to add to.

Nodes of operator sets before 7 are read as newer ones: broadcasting was said by attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.kinds import Kind
from tamecheck.loaders.onnx.source import Attributes
from tamecheck.loaders.values import Emitter, Value, axis_in


@dataclass(frozen=True, slots=True)
class TensorSequence:
    """A sequence of tensors: no tensor itself, but what other operators take one out of."""

    elements: tuple[Value, ...]


Item: TypeAlias = Value | TensorSequence
Outputs: TypeAlias = Item | tuple[Item, ...]


@dataclass(slots=True)
class Context:
    """One node of the source: its operator, the inputs (None for one that is left out), and so on.

    ``wanted`` is the number of outputs that it names; ``decode`` reads a tensor of an attribute;
    ``run`` gives the outputs of a graph of an attribute for inputs, under a name for errors.
    """

    op: str
    opset: int
    inputs: tuple[Item | None, ...]
    wanted: int
    attributes: Attributes
    emitter: Emitter
    decode: Callable[[Any], Value]
    run: Callable[[Any, Sequence[Item], str], list[Item]]

    def input(self, index: int) -> Value:
        """An input that must be there."""
        value = self.optional(index)
        if value is None:
            raise InputError(f"Input {index} is missing.")
        return value

    def optional(self, index: int) -> Value | None:
        """An input that may be left out."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(found, TensorSequence):
            raise InputError(f"Input {index} is a sequence, not a tensor.")
        return found

    def item(self, index: int) -> Item:
        """An input that must be there, a tensor or a sequence."""
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise InputError(f"Input {index} is missing.")
        return found

    def sequence(self, index: int) -> tuple[Value, ...]:
        """The elements of an input that must be a sequence."""
        found = self.item(index)
        if not isinstance(found, TensorSequence):
            raise InputError(f"Input {index} is a tensor, not a sequence.")
        return found.elements

    def all_inputs(self) -> list[Value]:
        """The inputs of an operator that takes any positive number of them."""
        if not self.inputs:
            raise InputError("An input is missing.")
        return [self.input(index) for index in range(len(self.inputs))]

    def constant(self, content: Any, kind: Kind | None = None) -> Value:
        """A constant tensor."""
        return self.emitter.constant(content, kind)

    def integers_from(self, name: str, index: int) -> tuple[int, ...] | None:
        """A list of integers that older operator sets give as an attribute, newer as an input."""
        listed = self.attributes.integers(name)
        value = self.optional(index)
        return listed if value is None else value.integers(f"'{name}'")

    def axis(self, default: int | None, rank: int, *, end: bool = False) -> int:
        """The attribute ``axis`` as a non-negative number; ``end`` allows the rank itself."""
        axis = self.attributes.integer("axis", default)
        return axis if end and axis == rank else axis_in(axis, rank)


Lowering: TypeAlias = Callable[[Context], Outputs]
"""The translation of one operator: the values of its outputs."""


NUMPY_BROADCASTING = 7
"""The operator set that broadcasts as NumPy does."""

_PAIRS = frozenset(
    ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less")
)
_MODES = frozenset(("BatchNormalization", "Dropout"))


def renew(ctx: Context) -> Context:
    """The node as operator set 7 would have it."""
    ctx.attributes.ignore("consumed_inputs")
    if ctx.op in _MODES and not ctx.attributes.flag("is_test"):
        raise UnsupportedError("training mode, which is the default of this operator set.")
    if ctx.op == "Gemm":
        ctx.attributes.ignore("broadcast")
    if ctx.op == "PRelu":
        value, slope = ctx.input(0), ctx.input(1)
        if slope.rank == 1 and slope.shape != (1,) and value.rank > 1:
            return _second(ctx, slope.reshape((*slope.shape, *(1,) * (value.rank - 2))))
    if ctx.op not in _PAIRS:
        return ctx
    left, right = ctx.input(0), ctx.input(1)
    if not ctx.attributes.flag("broadcast"):
        if left.shape != right.shape:
            raise InputError(f"Shapes {left.shape} and {right.shape} differ.")
        return ctx
    after = 0
    if ctx.attributes.has("axis"):
        after = left.rank - ctx.axis(None, left.rank) - right.rank
    if after < 0 or right.rank > left.rank:
        raise InputError(f"Shape {right.shape} does not fit {left.shape}.")
    return _second(ctx, right.reshape((*right.shape, *(1,) * after)))


def _second(ctx: Context, value: Value) -> Context:
    return replace(ctx, inputs=(ctx.inputs[0], value, *ctx.inputs[2:]))

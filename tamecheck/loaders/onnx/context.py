"""What the translation of one node sees: its inputs, its attributes, and the graph to add to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.ir.op import Value as Param
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.onnx.attributes import Attributes
from tamecheck.loaders.onnx.emitter import Emitter
from tamecheck.loaders.onnx.folding import exact_array
from tamecheck.loaders.onnx.kinds import FLOAT, Kind
from tamecheck.loaders.onnx.values import Operand, Value

__all__ = ["Context", "Lowering", "Outputs"]

Outputs: TypeAlias = tuple[Value, ...]


@dataclass(slots=True)
class Context:
    """One node of the source.

    Parameters
    ----------
    op
        Its operator.
    opset
        The version of the operator set.
    label
        Its name, for errors and for the nodes that it becomes.
    inputs
        Its inputs; None for one that is left out.
    wanted
        The number of outputs that it names.
    attributes
        Its attributes.
    emitter
        The graph being built.
    decode
        Reads a tensor that an attribute holds.
    """

    op: str
    opset: int
    label: str
    inputs: tuple[Value | None, ...]
    wanted: int
    attributes: Attributes
    emitter: Emitter
    decode: Callable[[Any], Value]

    def input(self, index: int) -> Value:
        """An input that must be there."""
        value = self.optional(index)
        if value is None:
            raise InputError(f"Input {index} is missing.")
        return value

    def optional(self, index: int) -> Value | None:
        """An input that may be left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def all_inputs(self) -> list[Value]:
        """The inputs of an operator that takes any positive number of them."""
        if not self.inputs:
            raise InputError("An input is missing.")
        return [self.input(index) for index in range(len(self.inputs))]

    def apply(
        self, op: Op, *args: Operand, kind: Kind | None = None, function: str = "", **params: Param
    ) -> Value:
        """A primitive op; its element type is that of the first tensor, unless given.

        ``function`` is that of PyTorch, where it matters; see `tamecheck.ir.graph.Apply`.
        """
        if kind is None:
            kind = next((arg.kind for arg in args if isinstance(arg, Value)), FLOAT)
        return self.emitter.apply(op, args, kind, params, label=self.label, function=function)

    def constant(self, content: Any, kind: Kind | None = None) -> Value:
        """A constant tensor."""
        return self.emitter.constant(content, kind)

    def note(self, text: str) -> None:
        """Record what a user should know about the reading."""
        self.emitter.notes.setdefault(text)

    def known(self, value: Value, what: str) -> Array:
        """The elements of a tensor that must be constant."""
        return self.emitter.known(value, what)

    def known_integers(self, value: Value, what: str) -> tuple[int, ...]:
        """A constant list of integers (a scalar counts as a list of one)."""
        array = self.known(value, what)
        if array.ndim > 1 or array.size > 2**12:
            raise InputError(f"{what} must be a short list, not of shape {array.shape}.")
        exact = exact_array(array)
        if exact is None:
            raise InputError(f"{what} is not finite.")
        numbers = exact.reshape(-1).tolist()
        if any(int(number) != number for number in numbers):
            raise InputError(f"{what} must hold integers.")
        return tuple(int(number) for number in numbers)

    def integers_from(self, name: str, index: int) -> tuple[int, ...] | None:
        """A list of integers that older operator sets give as an attribute, newer as an input."""
        listed = self.attributes.integers(name)
        value = self.optional(index)
        if value is None:
            return listed
        return self.known_integers(value, f"'{name}'")

    def axis(self, default: int | None, rank: int, *, end: bool = False) -> int:
        """The attribute ``axis`` as a non-negative number; ``end`` allows the rank itself."""
        axis = self.attributes.integer("axis", default)
        return axis if end and axis == rank else self.positive(axis, rank)

    def positive(self, axis: int, rank: int) -> int:
        """A non-negative axis for one that may count from the end."""
        if not -rank <= axis < rank:
            raise InputError(f"There is no axis {axis} among {rank}.")
        return axis % rank

    def positives(self, axes: Sequence[int], rank: int) -> tuple[int, ...]:
        """Distinct non-negative axes, sorted."""
        found = sorted(self.positive(axis, rank) for axis in axes)
        if len(set(found)) != len(found):
            raise InputError(f"The axes {list(axes)} repeat.")
        return tuple(found)

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """The same elements under another shape."""
        target = tuple(int(n) for n in shape)
        if target == value.shape:
            return value
        return self.apply(ops.RESHAPE, value, shape=target)

    def transpose(self, value: Value, perm: Sequence[int]) -> Value:
        """Axes permuted."""
        if tuple(perm) == tuple(range(value.rank)):
            return value
        return self.apply(ops.TRANSPOSE, value, perm=tuple(perm))

    def broadcast(self, value: Value, shape: Shape) -> Value:
        """The tensor repeated along axes of extent 1."""
        return value if shape == value.shape else self.apply(ops.BROADCAST, value, shape=shape)

    def take(self, value: Value, indices: Any, axis: int) -> Value:
        """Slices of a tensor at constant, non-negative indices."""
        table = np.asarray(indices, dtype=np.int64)
        extent = value.shape[axis]
        if table.size and not (int(table.min()) >= 0 and int(table.max()) < extent):
            raise InputError(f"An index is outside an axis of extent {extent}.")
        return self.apply(ops.GATHER, value, self.constant(table), axis=axis)

    def cut(self, value: Value, axis: int, start: int, size: int) -> Value:
        """A contiguous part along one axis."""
        if (start, size) == (0, value.shape[axis]):
            return value
        starts, sizes = [0] * value.rank, list(value.shape)
        starts[axis], sizes[axis] = start, size
        steps = (1,) * value.rank
        return self.apply(ops.SLICE, value, starts=tuple(starts), steps=steps, sizes=tuple(sizes))

    def total(self, value: Value, axes: Sequence[int], *, keepdims: bool = True) -> Value:
        """The sum over axes."""
        return self.apply(ops.SUM, value, axes=tuple(axes), keepdims=keepdims)

    def square(self, value: Value) -> Value:
        """The square of each element, whose enclosure is non-negative."""
        return self.apply(ops.POW, value, exponent=Fraction(2))

    def scaled(self, value: Value, factor: Fraction) -> Value:
        """The tensor times a rational number."""
        return value if factor == 1 else self.apply(ops.MUL, value, factor)

    def truncated(self, value: Value, kind: Kind) -> Value:
        """The tensor as a value of an integer type: rounded toward zero."""
        return self.apply(ops.ROUND, value, kind=kind, mode="toward_zero")

    def refuse_missing(self, found: Outputs, names: Sequence[str]) -> None:
        """Refuse outputs that are named but not made."""
        if any(names[len(found) :]):
            raise self.refuse(f"output number {len(found)} is not read.")

    def refuse(self, why: str) -> UnsupportedError:
        """The error for a use of the operator that is not read."""
        return UnsupportedError(why)


Lowering: TypeAlias = Callable[[Context], Outputs]
"""The translation of one operator: the values of its outputs."""

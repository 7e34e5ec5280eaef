"""What the translation of one node sees: its inputs, its attributes, and the graph to add to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import Apply, Constant, GraphBuilder, Input
from tamecheck.ir.op import Op
from tamecheck.ir.op import Value as Param
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.onnx.folding import exact_array, fold
from tamecheck.loaders.onnx.kinds import FLOAT, INT64, Kind, Operand, Value
from tamecheck.loaders.onnx.source import Attributes

__all__ = ["Context", "Emitter", "Lowering", "Outputs"]


@dataclass(slots=True)
class Emitter:
    """The graph being built, with what is known about the source.

    Parameters
    ----------
    builder
        The graph.
    given
        Values for inputs that decide shapes.
    notes
        What a user should know; a dictionary, so that each is kept once and in order.
    """

    builder: GraphBuilder = field(default_factory=GraphBuilder)
    given: Mapping[str, Array] = field(default_factory=dict[str, Array])
    notes: dict[str, None] = field(default_factory=dict[str, None])
    _constants: dict[int, tuple[Array, int]] = field(default_factory=dict[int, tuple[Array, int]])

    def constant(self, content: Any, kind: Kind | None = None) -> Value:
        """A constant tensor of exact numbers."""
        array = np.asarray(content)
        if kind is None:
            kind = INT64 if array.dtype.kind in "biu" else FLOAT
        return Value(kind, tuple(int(n) for n in array.shape), array=array)

    def value(self, operand: Operand, kind: Kind | None = None) -> Value:
        """The tensor of an operand; a number becomes a scalar constant."""
        if isinstance(operand, Value):
            return operand
        exact = Fraction(operand)
        whole = exact.denominator == 1 and -(2**63) <= exact < 2**63
        array = np.array(int(exact), dtype=np.int64) if whole else np.array(exact, dtype=object)
        return Value(kind or FLOAT, (), array=array)

    def node(self, value: Value) -> int:
        """The node of a tensor; a constant gets its node when one is needed."""
        if value.array is None:
            return value.node
        # the array is kept beside its node, so that its identity stays its own
        known = self._constants.get(id(value.array))
        if known is None:
            try:
                node = self.builder.constant(value.array, value.name)
            except InputError as error:
                where = f"tensor {value.name!r}" if value.name else ""
                raise InputError(error.what, where=where, hint=error.hint) from None
            known = self._constants[id(value.array)] = (value.array, node)
        return known[1]

    def apply(  # noqa: PLR0913 (an op with its parameters and names)
        self,
        op: Op,
        args: tuple[Operand, ...],
        kind: Kind,
        params: Mapping[str, Param],
        *,
        label: str,
        function: str = "",
    ) -> Value:
        """The value of an op: folded where all arguments are constants and it is exact."""
        values = [self.value(arg) for arg in args]
        arrays = [value.array for value in values if value.array is not None]
        if len(arrays) == len(values):
            checked = op.checked(params)
            shape = op.shape([value.shape for value in values], checked)
            folded = fold(op, arrays, checked, shape)
            if folded is not None:
                return Value(kind, shape, array=folded)
        nodes = [self.node(value) for value in values]
        node = self.builder.apply(op, nodes, label, function, **params)
        return Value(kind, self.builder.shape(node), node=node)

    def known(self, value: Value, what: str) -> Array:
        """The elements of a tensor that must be constant, as ``what`` says.

        Where they depend on inputs whose values are given, they are computed from these.
        """
        if value.array is not None:
            return value.array
        found, inputs = self._from_given(value.node)
        if found is None:
            names = ", ".join(repr(name) for name in inputs)
            raise UnsupportedError(f"{what} depends on the input {names}.")
        for name in inputs:
            self.notes.setdefault(
                f"Input {name!r} decides a shape: the graph is for one value of it."
            )
        return found

    def _from_given(self, root: int) -> tuple[Array | None, list[str]]:
        """The elements of a node computed from the given inputs, and the inputs it depends on."""
        needed, waiting = {root}, [root]
        while waiting:
            node = self.builder.node(waiting.pop())
            new = set(node.args) - needed if isinstance(node, Apply) else set[int]()
            needed |= new
            waiting.extend(new)
        known: dict[int, Array | None] = {}
        inputs: list[str] = []
        for index in sorted(needed):
            node = self.builder.node(index)
            match node:
                case Input(name=name, shape=shape):
                    inputs.append(name)
                    array = self.given.get(name)
                    fits = array is not None and array.shape == shape
                    known[index] = array if fits else None
                case Constant(tensor=tensor):
                    known[index] = tensor.array
                case Apply(op=op, args=args, params=params, shape=shape):
                    arrays = [array for arg in args if (array := known[arg]) is not None]
                    complete = len(arrays) == len(args)
                    known[index] = fold(op, arrays, params, shape) if complete else None
        return known[root], inputs

    def shape(self, node: int) -> Shape:
        """The shape of a node."""
        return self.builder.shape(node)


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

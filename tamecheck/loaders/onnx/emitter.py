"""Adds nodes to the graph being built, and folds what is constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import Apply, Constant, GraphBuilder, Input
from tamecheck.ir.op import Op
from tamecheck.ir.op import Value as Param
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.onnx.folding import fold
from tamecheck.loaders.onnx.kinds import FLOAT, INT64, Kind
from tamecheck.loaders.onnx.values import Operand, Value

__all__ = ["Emitter"]


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

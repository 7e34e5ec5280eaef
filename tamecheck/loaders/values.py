"""Tensors of a graph that is being built, with arithmetic; what is constant is folded, exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from numbers import Rational
from typing import Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import Apply, Constant, GraphBuilder, Input
from tamecheck.ir.op import Op
from tamecheck.ir.op import Value as Param
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.extended import apply_extended, is_extended
from tamecheck.loaders.folding import exact_array, fold
from tamecheck.loaders.kinds import FLOAT, INT64, Kind


def _operators(
    op: Op,
) -> tuple[Callable[[Value, Operand], Value], Callable[[Value, Operand], Value]]:
    """An op of a tensor and what is on its right, and on its left."""

    def before(self: Value, other: Operand) -> Value:
        return self.apply(op, other)

    def after(self: Value, other: Operand) -> Value:
        return self.emitter.apply(op, other, self)

    return before, after


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of the source model: constant if it has an ``array``, else a ``node`` of the graph.

    The array is of a NumPy number type, or holds exact integers and fractions.  Only here may an
    infinity occur, for bounds that do not bind and for masks.  Of a node, ``infinite`` are the
    elements that are minus infinity instead, ``undefined`` those without a value, as masks that
    are broadcast; see `tamecheck.loaders.extended`.  Arithmetic adds nodes, or folds constants.
    """

    emitter: Emitter
    kind: Kind
    shape: Shape
    name: str = ""
    array: Array | None = None
    node: int = -1
    infinite: Value | None = None
    undefined: Value | None = None

    __array_ufunc__ = None  # NumPy leaves operators to this class

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    __add__, __radd__ = _operators(ops.ADD)
    __sub__, __rsub__ = _operators(ops.SUB)
    __mul__ = _operators(ops.MUL)[0]
    __truediv__, __rtruediv__ = _operators(ops.DIV)
    __matmul__ = _operators(ops.MATMUL)[0]

    def apply(self, op: Op, *more: Operand, **options: Any) -> Value:
        """An op of this tensor and more; as `Emitter.apply`."""
        return self.emitter.apply(op, self, *more, **options)

    def scale(self, factor: Fraction) -> Value:
        """The tensor times a rational number."""
        return self if factor == 1 else self * factor

    def clip(self, low: Fraction | None, high: Fraction | None, **options: Any) -> Value:
        """``min(max(x, low), high)``."""
        return self.apply(ops.CLIP, lo=low, hi=high, **options)

    def square(self) -> Value:
        """The square of each element, whose enclosure is non-negative."""
        return self.apply(ops.POW, exponent=Fraction(2))

    def total(self, axes: Sequence[int], *, keepdims: bool = True) -> Value:
        """The sum over axes."""
        return self.apply(ops.SUM, axes=tuple(axes), keepdims=keepdims)

    def mean(self, axes: Sequence[int], *, keepdims: bool = True) -> Value:
        """The mean over axes."""
        count = math.prod(self.shape[axis] for axis in axes)
        if count == 0:
            raise InputError(f"There is no mean over axes {list(axes)} of shape {self.shape}.")
        return self.total(axes, keepdims=keepdims) / count

    def truncate(self, kind: Kind) -> Value:
        """The tensor as a value of an integer type: rounded toward zero."""
        return self.apply(ops.ROUND, kind=kind, mode="toward_zero")

    def select(self, left: Operand, right: Operand, kind: Kind | None = None) -> Value:
        """``left`` where this tensor is not 0, else ``right``."""
        return self.apply(ops.SELECT, left, right, kind=kind)

    def reshape(self, shape: Sequence[int]) -> Value:
        """The same elements under another shape."""
        target = tuple(int(n) for n in shape)
        return self if target == self.shape else self.apply(ops.RESHAPE, shape=target)

    def transpose(self, perm: Sequence[int]) -> Value:
        """Axes permuted."""
        same = tuple(perm) == tuple(range(self.rank))
        return self if same else self.apply(ops.TRANSPOSE, perm=tuple(perm))

    def broadcast(self, shape: Shape) -> Value:
        """The tensor repeated along axes of extent 1."""
        return self if shape == self.shape else self.apply(ops.BROADCAST, shape=shape)

    def take(self, indices: Any, axis: int) -> Value:
        """Slices of the tensor at constant, non-negative indices."""
        table = np.asarray(indices, dtype=np.int64)
        extent = self.shape[axis]
        if table.size and not (int(table.min()) >= 0 and int(table.max()) < extent):
            raise InputError(f"An index is outside an axis of extent {extent}.")
        return self.apply(ops.GATHER, self.emitter.constant(table), axis=axis)

    def cut(self, axis: int, start: int, size: int) -> Value:
        """A contiguous part along one axis."""
        if (start, size) == (0, self.shape[axis]):
            return self
        starts, sizes = [0] * self.rank, list(self.shape)
        starts[axis], sizes[axis] = start, size
        steps = (1,) * self.rank
        return self.apply(ops.SLICE, starts=tuple(starts), steps=steps, sizes=tuple(sizes))

    def part(self, axis: int, index: int) -> Value:
        """The slice at one index of an axis, which is left out."""
        rest = (*self.shape[:axis], *self.shape[axis + 1 :])
        return self.cut(axis, index, 1).reshape(rest)

    def along(self, axis: int, matrix: Operand) -> Value:
        """The tensor times a matrix along one axis."""
        perm = [*(i for i in range(self.rank) if i != axis), axis]
        product = self.transpose(perm) @ matrix
        return product.transpose([perm.index(i) for i in range(self.rank)])

    def affine(self, matrix: Any, offset: Any, label: str = "") -> Value:
        """``x @ matrix + offset``."""
        product = self.apply(ops.MATMUL, matrix, label=label)
        return product.apply(ops.ADD, offset, label=label)

    def known(self, what: str) -> Array:
        """The elements of a tensor that must be constant, as ``what`` says.

        Where they depend on inputs whose values are given, they are computed from these.
        """
        if self.array is not None:
            return self.array
        return self.emitter.known(self.emitter.node(self), what)

    def integers(self, what: str) -> tuple[int, ...]:
        """A constant list of integers (a scalar counts as a list of one)."""
        array = self.known(what)
        if array.ndim > 1 or array.size > 2**12:
            raise InputError(f"{what} must be a short list, not of shape {array.shape}.")
        exact = exact_array(array)
        if exact is None:
            raise InputError(f"{what} is not finite.")
        numbers = exact.reshape(-1).tolist()
        if any(int(number) != number for number in numbers):
            raise InputError(f"{what} must hold integers.")
        return tuple(int(number) for number in numbers)


"""What an op of tensors with masks is, given its parameters and the type of its elements."""

Operand: TypeAlias = Value | Array | Fraction | float
"""A tensor, an array of constants, or a number that is broadcast."""


def axis_in(axis: int, rank: int) -> int:
    """A non-negative axis for one that may count from the end."""
    if not -rank <= axis < rank:
        raise InputError(f"There is no axis {axis} among {rank}.")
    return axis % rank


def axes_in(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Distinct non-negative axes, sorted."""
    found = sorted(axis_in(axis, rank) for axis in axes)
    if len(set(found)) != len(found):
        raise InputError(f"The axes {list(axes)} repeat.")
    return tuple(found)


def concat(values: Sequence[Value], axis: int, **options: Any) -> Value:
    """Tensors joined along an axis; one alone as it is, and those without elements left out."""
    first, *others = [value for value in values if 0 not in value.shape] or values[:1]
    return first.apply(ops.CONCAT, *others, axis=axis, **options) if others else first


def stack(values: Sequence[Value], axis: int) -> Value:
    """Tensors joined along a new axis."""
    if not values:
        raise InputError("There is no tensor to stack.")
    at = axis_in(axis, values[0].rank + 1)
    return concat([v.reshape((*v.shape[:at], 1, *v.shape[at:])) for v in values], at)


@dataclass(slots=True)
class Emitter:
    """The graph being built; ``label`` names the node of the source that is translated.

    ``given`` has values for inputs that decide shapes; ``folds`` says whether ops of constants are
    folded, else a constant is a node at once.  ``notes`` say what a user should know: the keys of a
    dictionary, so that each is kept once and in order.
    """

    given: Mapping[str, Array] = field(default_factory=dict[str, Array])
    folds: bool = True
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    notes: dict[str, None] = field(default_factory=dict[str, None])
    label: str = ""
    _constants: dict[int, tuple[Array, int]] = field(default_factory=dict[int, tuple[Array, int]])

    def input(self, name: str, shape: Shape, kind: Kind = FLOAT) -> Value:
        """An input of the graph."""
        return Value(self, kind, shape, name, node=self.builder.input(name, shape))

    def constant(self, content: Any, kind: Kind | None = None, name: str = "") -> Value:
        """A constant tensor of exact numbers; a float is the rational that it denotes."""
        array = np.asarray(content)
        if kind is None:
            kind = INT64 if array.dtype.kind in "biu" else FLOAT
        value = Value(self, kind, tuple(int(n) for n in array.shape), name, array)
        if not self.folds:
            self.node(value)
        return value

    def _value(self, operand: Operand) -> Value:
        """The tensor of an operand; an array or a number becomes a constant."""
        if isinstance(operand, Value):
            return operand
        if not isinstance(operand, Rational):
            return self.constant(operand)
        exact = Fraction(operand)
        whole = exact.denominator == 1 and -(2**63) <= exact < 2**63
        array = np.array(int(exact), dtype=np.int64) if whole else np.array(exact, dtype=object)
        return Value(self, FLOAT, (), array=array)

    def node(self, value: Value) -> int:
        """The node of a tensor; a constant gets its node when one is needed."""
        if value.infinite is not None:
            raise UnsupportedError("-inf is read only where exp or softmax makes 0 of it.")
        if value.array is None:
            return self.defined(value).node
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

    def defined(self, value: Value) -> Value:
        """The tensor, with a quotient by 0 where it has no value."""
        if value.undefined is None:
            return value
        if value.undefined.array is not None:
            raise UnsupportedError("a softmax of nothing but -inf has no value.")
        plain = replace(value, undefined=None)
        return plain / (1 - replace(value.undefined, kind=value.kind))

    def apply(
        self,
        op: Op,
        *args: Operand,
        kind: Kind | None = None,
        function: str = "",
        label: str = "",
        **params: Param,
    ) -> Value:
        """The value of an op: folded where all arguments are constants and it is exact.

        Its element type is that of the first tensor, unless given.  ``function`` is that of
        PyTorch, where it matters; see `tamecheck.ir.graph.Apply`.
        """
        if kind is None:
            kind = next((arg.kind for arg in args if isinstance(arg, Value)), FLOAT)
        values = [self._value(arg) for arg in args]
        arrays = [value.array for value in values if value.array is not None]
        if self.folds and len(arrays) == len(values):
            checked = op.checked(params)
            shape = op.shape([value.shape for value in values], checked)
            folded = fold(op, arrays, checked, shape)
            if folded is not None:
                return Value(self, kind, shape, array=folded)
        if any(is_extended(value) for value in values):
            call = partial(self.apply, op, kind=kind, function=function, label=label, **params)
            return apply_extended(op, values, op.checked(params), call)
        nodes = [self.node(value) for value in values]
        node = self.builder.apply(op, nodes, label or self.label, function, **params)
        return Value(self, kind, self.builder.shape(node), node=node)

    def known(self, root: int, what: str) -> Array:
        """The elements of a node, computed from the given inputs."""
        needed, waiting = {root}, [root]
        while waiting:
            node = self.builder.node(waiting.pop())
            new = set(node.args) - needed if isinstance(node, Apply) else set[int]()
            needed |= new
            waiting.extend(new)
        known: dict[int, Array | None] = {}
        inputs: list[str] = []
        for index in sorted(needed):
            match self.builder.node(index):
                case Input(name=name, shape=shape):
                    inputs.append(name)
                    array = self.given.get(name)
                    known[index] = array if array is not None and array.shape == shape else None
                case Constant(tensor=tensor):
                    known[index] = tensor.array
                case Apply(op=op, args=args, params=params, shape=shape):
                    arrays = [array for arg in args if (array := known[arg]) is not None]
                    complete = len(arrays) == len(args)
                    known[index] = fold(op, arrays, params, shape) if complete else None
        found = known[root]
        if found is None:
            cause = f"the input {', '.join(map(repr, inputs))}" if inputs else "what is not folded"
            raise UnsupportedError(f"{what} depends on {cause}.")
        for name in inputs:
            self.notes.setdefault(
                f"Input {name!r} decides a shape: the graph is for one value of it."
            )
        return found

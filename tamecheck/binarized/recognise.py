"""A graph of ops read as a binarized network, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np

from tamecheck import ops
from tamecheck.binarized.affine import (
    Affine,
    Fixed,
    UnfitError,
    Value,
    arithmetic,
    copy_elements,
    matmul,
    rational_only,
    sum_over,
    zeros,
)
from tamecheck.binarized.network import ThresholdNetwork
from tamecheck.binarized.neurons import Jumps, Layers, jump, largest, pointwise, readout
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.exact.arrays import from_list
from tamecheck.exact.quadratic import root, sign
from tamecheck.ir.arguments import rationals
from tamecheck.ir.formula import Var
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Expansion, Fold, Op, Routing
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import Line, comparisons, larger, line_of, sign_values
from tamecheck.ops.monotone import anchor

_NOT_ZERO: Jumps = (Fraction(1), Fraction(0), Fraction(1))
_X, _Y = Var(0), Var(1)


@dataclass(frozen=True, slots=True, eq=False)
class SignEquivalent:
    """A tensor that is above, at and below ``centre`` just where ``value`` is so about 0.

    It stands behind clips and logistic functions, of whose values nothing else is known.
    """

    value: Affine
    centre: Fraction

    def about(self, constant: Fixed) -> Affine:
        """What has the sign of the tensor less a constant, which must be the centre."""
        if _one_number(constant) != self.centre:
            raise UnfitError(f"only its side of {self.centre} is known here")
        return self.value


_Tensor = Value | SignEquivalent


def _centre(node: Apply) -> Fraction | None:
    """Where an op that increases there is, when its argument is 0; None if it is another op."""
    line = line_of(node.op, node.params)
    if line is None:
        return anchor(node.op, node.params)
    place = sum(end < 0 for end in line.breaks)
    about_zero = line.slopes[place : place + 1 + (0 in line.breaks)]
    rises = line.is_continuous and min(line.slopes) >= 0 and min(about_zero) > 0
    return Fraction(0) if rises and line(Fraction(0)) == 0 else None


def _difference(left: _Tensor, right: _Tensor, shape: tuple[int, ...]) -> Value | None:
    """A value with the sign of ``left - right``."""
    if isinstance(left, SignEquivalent):
        return left.about(right) if isinstance(right, Fixed) else None
    if isinstance(right, SignEquivalent):
        return arithmetic(ops.NEG, [right.about(left)], shape) if isinstance(left, Fixed) else None
    return arithmetic(ops.SUB, [left, right], shape)


def _one_number(constant: Fixed) -> Fraction:
    """The one number that a constant consists of."""
    number, *others = set(constant.values.reshape(-1).tolist())
    if others or not isinstance(number, Fraction):
        raise UnfitError("only its side of one number is known here")
    return number


def recognise(graph: Graph, levels: Sequence[tuple[Any, Any]]) -> ThresholdNetwork:
    """The graph as layers of integer threshold neurons, when it is one on two-level inputs.

    Parameters
    ----------
    graph
        One output; linear maps by constants, sums, products with constants, paddings,
        square roots of constants, reshaping and constant indices; sign, step, comparisons, and a
        choice between constants by what they say, also behind a clip or a logistic function that
        keeps the sign; the largest or smallest of elements with the same two levels.  A softmax,
        or a logistic function of several scores, at the end changes no decision and is left out.
    levels
        ``(low, high)`` of every input element; both equal for a constant one.

    Returns
    -------
    ThresholdNetwork
        Equal to the model on every combination of levels: batch normalisation is folded into
        thresholds exactly, its square roots included, and a sign that can be 0 becomes two
        neurons.  Sums of different square roots are rounded where their values at all states show
        that this changes no sign and no order.

    Raises
    ------
    UnsupportedError
        Naming the nodes that do not fit.
    InputError
        If the levels do not fit the input.
    """
    pairs = rationals(levels, what="domain")
    if pairs.shape != (sum(map(size_of, graph.inputs.values())), 2):
        raise InputError("The domain is no pair of levels of each input.", hint="Write (-1, 1).")
    reader = _Reader(graph, [(low, high) for low, high in pairs.tolist()])
    return reader.network()


class _Reader:
    def __init__(self, graph: Graph, levels: list[tuple[Fraction, Fraction]]) -> None:
        self.graph, self.levels = graph, levels
        if len(graph.outputs) != 1:
            raise UnsupportedError("A binarized network has one output.")
        size = sum(map(size_of, graph.inputs.values()))
        if size != len(levels):
            raise InputError(f"Levels for {len(levels)} inputs; the model has {size}.")
        if any(low > high for low, high in levels):
            raise InputError("A low level is above its high level.")

        starts = accumulate(map(size_of, graph.inputs.values()), initial=0)
        self.starts = dict(zip(graph.inputs, starts, strict=False))
        self.states = np.eye(size, dtype=np.int64)
        self.layers = Layers(size)

    def network(self) -> ThresholdNetwork:
        values: dict[int, _Tensor] = {}
        last = self.graph.outputs[0][1]
        for index in self.graph.ancestors([last]):
            values[index] = self._value(index, values)
        head = values[last]
        if isinstance(head, Fixed):
            raise UnsupportedError("The output does not depend on the input.")
        if isinstance(head, SignEquivalent):
            raise self._refuse(last, f"only the side of {head.centre} is known of its values")
        head = self.layers.lift(head, head.level)
        try:
            scores, offsets = readout(head)
        except ValueError as error:
            raise self._refuse(last, str(error)) from None
        low, high = zip(*self.levels, strict=True)
        return ThresholdNetwork(low, high, self.layers.build(head.level), scores, offsets)

    def _refuse(self, index: int, why: str) -> UnsupportedError:
        return UnsupportedError(
            "This is no binarized network:", nodes=[(self.graph.name_of(index), why)]
        )

    def _value(self, index: int, values: dict[int, _Tensor]) -> _Tensor:
        node = self.graph.nodes[index]
        match node:
            case Input(name=name, shape=shape):
                return self._entry(self.starts[name], shape)
            case Constant(tensor=tensor):
                return Fixed(from_list(tensor.shape, tensor.fractions()))
            case Apply(args=args):
                try:
                    found = self._apply(index, node, self._align([values[arg] for arg in args]))
                except (ValueError, IndexError, ZeroDivisionError) as error:
                    raise self._refuse(index, str(error)) from None
                if found is None:
                    raise self._refuse(index, f"op {node.op.name} is not one of its parts here")
                return found

    def _entry(self, start: int, shape: tuple[int, ...]) -> Affine:
        levels = self.levels[start : start + size_of(shape)]
        scale = from_list(shape, [(high - low) / 2 for low, high in levels])
        offset = from_list(shape, [(high + low) / 2 for low, high in levels])
        row = np.arange(start, start + len(levels)).reshape(shape)
        return Affine(0, self.states, row, scale, offset, zeros(shape))

    def _align(self, args: list[_Tensor]) -> list[_Tensor]:
        """The arguments over the states of one level."""
        behind = [arg.value if isinstance(arg, SignEquivalent) else arg for arg in args]
        level = max((value.level for value in behind if isinstance(value, Affine)), default=0)
        # the second time, all have the neurons that the first has added
        for _ in range(2):
            args = [self._lift(arg, level) for arg in args]
        return args

    def _lift(self, arg: _Tensor, level: int) -> _Tensor:
        match arg:
            case Fixed():
                return arg
            case Affine():
                return self.layers.lift(arg, level)
            case SignEquivalent(value=value):
                return replace(arg, value=self.layers.lift(value, level))

    def _apply(self, index: int, node: Apply, args: list[_Tensor]) -> _Tensor | None:
        first = args[0]
        jumps = sign_values(node.op, node.params)
        if jumps is not None:
            (compared,) = comparisons(node.op, node.params)
            if compared == _X:
                zero = Fixed(from_list((), [Fraction(0)]))
                return self._jump(_difference(first, zero, node.shape), jumps)
            if compared == _X - _Y:
                below, level, above = jumps
                turned = _difference(args[1], first, node.shape)
                return self._jump(turned, (above, level, below))
        route = route_of(node, args[1:])
        if isinstance(first, SignEquivalent):
            if route is not None:
                value = copy_elements(route, [first.value])
                return replace(first, value=value) if isinstance(value, Affine) else None
            return _shift(node.op, first, args[1]) if len(args) == 2 else None
        plain = [arg for arg in args if not isinstance(arg, SignEquivalent)]
        if len(plain) < len(args):
            return None
        if route is not None:
            return copy_elements(
                route, plain if isinstance(node.op.meaning, Routing) else plain[:1]
            )
        if len(args) == 1:
            return self._unary(index, node, first)
        return self._joint(node, plain)

    def _unary(self, index: int, node: Apply, value: Value) -> _Tensor | None:
        meaning = node.op.meaning
        if isinstance(meaning, Fold) and meaning.op is ops.ADD:
            return sum_over(value, sum_axes(node), node.shape)
        line = line_of(node.op, node.params)
        if isinstance(value, Fixed):
            return of_constants(node, value, line)
        if index == self.graph.outputs[0][1] and _keeps_order(node):
            return value
        if isinstance(meaning, Fold):
            numbers = np.arange(value.row.size).reshape(value.row.shape)
            axes = sum_axes(node)
            moved = np.moveaxis(numbers, axes, range(-len(axes), 0))
            groups = moved.reshape(size_of(node.shape), -1)
            return self._extreme(meaning.op, value, groups, node.shape)
        if line is not None and not line.breaks:
            slope, intercept = (Fixed(from_list((), [x])) for x in line.pieces[0])
            stretched = arithmetic(ops.MUL, [value, slope], node.shape)
            return stretched and arithmetic(ops.ADD, [stretched, intercept], node.shape)
        found = None if line is None else pointwise(value, lambda x: line(rational_only(x)))
        centre = _centre(node)
        return found or (None if centre is None else SignEquivalent(value, centre))

    def _joint(self, node: Apply, args: list[Value]) -> Value | None:
        if isinstance(node.op.meaning, Contraction):
            return matmul(args[0], args[1], node.shape)
        if node.op is ops.SELECT:
            return self._choose(args, node.shape)
        if larger(node.op):
            joined = copy_elements(lambda parts: np.stack(np.broadcast_arrays(*parts)), args)
            if not isinstance(joined, Affine):
                return None
            numbers = np.arange(joined.row.size).reshape(len(args), -1).T
            return self._extreme(node.op, joined, numbers, node.shape)
        return arithmetic(node.op, args, node.shape)

    def _jump(self, value: Value | None, jumps: Jumps) -> Value | None:
        """What is one number where a value is negative, one where it is 0, and one elsewhere."""
        if isinstance(value, Fixed):
            flat = [jumps[sign(number) + 1] for number in value.values.reshape(-1)]
            return Fixed(from_list(value.values.shape, flat))
        return None if value is None else jump(value, jumps, self.layers)

    def _choose(self, args: list[Value], shape: tuple[int, ...]) -> Value | None:
        """One of two constants, by whether a value is 0."""
        holds, yes, no = args
        if not isinstance(yes, Fixed) or not isinstance(no, Fixed):
            return None
        held = self._jump(holds, _NOT_ZERO)
        step = arithmetic(
            ops.SUB, [yes, no], np.broadcast_shapes(yes.values.shape, no.values.shape)
        )
        if held is None or step is None:
            return None
        chosen = arithmetic(ops.MUL, [held, step], shape)
        return None if chosen is None else arithmetic(ops.ADD, [chosen, no], shape)

    def _extreme(
        self, op: Op, value: Affine, groups: Array, shape: tuple[int, ...]
    ) -> Value | None:
        """The largest or the smallest element of each group, if the op takes one of two."""
        side = larger(op)
        if side > 0:
            return largest(value, groups, shape, self.layers)
        minus = arithmetic(ops.NEG, [value], value.row.shape)
        if not side or not isinstance(minus, Affine):
            return None
        found = largest(minus, groups, shape, self.layers)
        return None if found is None else arithmetic(ops.NEG, [found], shape)


def _shift(op: Op, left: SignEquivalent, right: _Tensor) -> SignEquivalent | None:
    """The same plus or less a number; None if it is anything else."""
    if not isinstance(right, Fixed) or op not in (ops.ADD, ops.SUB):
        return None
    number = _one_number(right)
    return replace(left, centre=left.centre + (number if op is ops.ADD else -number))


def route_of(node: Apply, rest: Sequence[_Tensor]) -> Callable[[list[Array]], Array] | None:
    """How an op moves elements; None if it does anything else."""
    meaning = node.op.meaning
    if isinstance(meaning, Routing):
        return lambda places: meaning.route(places, node.params)
    axis = node.params.get("axis")
    if node.op is not ops.GATHER or not isinstance(axis, int) or not isinstance(rest[0], Fixed):
        return None
    indices = rest[0].values.astype(np.int64)
    if bool((indices != rest[0].values).any()):
        raise UnfitError("an index is no integer")
    return lambda places: np.take(places[0], indices, axis=axis)


def _keeps_order(node: Apply) -> bool:
    """Whether the largest of several scores stays the largest."""
    size, axis = size_of(node.shape), node.params.get("axis")
    if isinstance(node.op.meaning, Expansion):
        along = isinstance(axis, int) and node.shape[axis] == size
        return node.op.meaning.keeps_order and along and size > 1
    return size > 1 and anchor(node.op, node.params) is not None


def of_constants(node: Apply, value: Fixed, line: Line | None) -> Fixed | None:
    """A line or the square root, element by element."""
    function = line or (root if node.op is ops.SQRT else None)
    if function is None:
        return None
    flat = [function(rational_only(number)) for number in value.values.reshape(-1)]
    return Fixed(from_list(node.shape, flat))


def sum_axes(node: Apply) -> tuple[int, ...]:
    """The axes over which a node sums."""
    axes = node.params["axes"]
    return tuple(axes) if isinstance(axes, tuple) else ()

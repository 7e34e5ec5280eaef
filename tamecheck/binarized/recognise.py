"""A graph of ops read as a binarized network, exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np

from tamecheck.binarized.affine import (
    Affine,
    Fixed,
    UnfitError,
    Value,
    arithmetic,
    folded_sum,
    matmul,
    objects,
    rational_only,
    routed,
    zeros,
)
from tamecheck.binarized.network import ThresholdNetwork
from tamecheck.binarized.neurons import Jumps, Layers, jumped, largest, pointwise, readout
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.exact.quadratic import root, sign
from tamecheck.ir.arguments import rationals
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Routing
from tamecheck.ir.tensor import Array, size_of

__all__ = ["Shadow", "difference", "recognise", "shadow_of", "shifted"]

_CENTRES = {"sigmoid": Fraction(1, 2), "tanh": Fraction(0)}


@dataclass(frozen=True, slots=True, eq=False)
class Shadow:
    """A tensor that is above, at and below ``centre`` just where ``value`` is so about 0."""

    value: Affine
    centre: Fraction

    def routed(self, route: Callable[[list[Array]], Array]) -> Shadow | None:
        """Copies of the elements, as a function of arrays takes them."""
        value = routed(route, [self.value])
        return replace(self, value=value) if isinstance(value, Affine) else None


def shadow_of(name: str, node: Apply, value: Affine) -> Shadow | None:
    """What is known of an increasing function of a value; None if that is too little."""
    if name == "clip":
        ends = [(node.params[end], sign) for end, sign in (("lo", -1), ("hi", 1))]
        inside = all(x is None or (isinstance(x, Fraction) and x * sign > 0) for x, sign in ends)
        return Shadow(value, Fraction(0)) if inside else None
    return Shadow(value, _CENTRES[name]) if name in _CENTRES else None


def shifted(name: str, left: Value | Shadow, right: Value | Shadow) -> Shadow | None:
    """A shadow plus or less a number; None if it is anything else."""
    if not isinstance(left, Shadow) or not isinstance(right, Fixed) or name not in ("add", "sub"):
        return None
    number = _number(right)
    return replace(left, centre=left.centre + (number if name == "add" else -number))


def difference(left: Value | Shadow, right: Value | Shadow, shape: tuple[int, ...]) -> Value | None:
    """A value with the sign of ``right - left``."""
    if isinstance(left, Shadow) and isinstance(right, Fixed):
        return arithmetic("neg", [_about(left, right)], shape)
    if isinstance(right, Shadow) and isinstance(left, Fixed):
        return _about(right, left)
    if isinstance(left, Shadow) or isinstance(right, Shadow):
        return None
    return arithmetic("sub", [right, left], shape)


def _about(shadow: Shadow, constant: Fixed) -> Affine:
    if _number(constant) != shadow.centre:
        raise UnfitError(f"only its side of {shadow.centre} is known here")
    return shadow.value


def _number(constant: Fixed) -> Fraction:
    """The one number that a constant consists of."""
    numbers = set(constant.values.reshape(-1).tolist())
    number = numbers.pop()
    if numbers or not isinstance(number, Fraction):
        raise UnfitError("only its side of one number is known here")
    return number


_SOFT = ("softmax", "log_softmax", "sigmoid", "tanh")
"""What keeps the order of several scores, along its axis if it has one."""

_COMPARISONS: dict[str, Jumps] = {
    "less": (Fraction(0), Fraction(0), Fraction(1)),
    "less_equal": (Fraction(0), Fraction(1), Fraction(1)),
    "equal": (Fraction(0), Fraction(1), Fraction(0)),
}
"""What a comparison of a and b is where b - a is negative, 0 and positive."""

_NOT_ZERO: Jumps = (Fraction(1), Fraction(0), Fraction(1))
_LARGEST, _SMALLEST = ("maximum", "reduce_max"), ("minimum", "reduce_min")


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
        values: dict[int, Value | Shadow] = {}
        last = self.graph.outputs[0][1]
        for index in self.graph.ancestors([last]):
            values[index] = self._value(index, values)
        head = values[last]
        if isinstance(head, Fixed):
            raise UnsupportedError("The output does not depend on the input.")
        if isinstance(head, Shadow):
            raise self._refuse(last, f"only the side of {head.centre} is known of its values")
        head = self.layers.lifted(head, head.level)
        try:
            scores, offsets = readout(head)
        except ValueError as error:
            raise self._refuse(last, str(error)) from None
        low, high = zip(*self.levels, strict=True)
        return ThresholdNetwork(low, high, self.layers.built(head.level), scores, offsets)

    def _refuse(self, index: int, why: str) -> UnsupportedError:
        return UnsupportedError(
            "This is no binarized network:", nodes=[(self.graph.name_of(index), why)]
        )

    def _value(self, index: int, values: dict[int, Value | Shadow]) -> Value | Shadow:
        node = self.graph.nodes[index]
        match node:
            case Input(name=name, shape=shape):
                return self._entry(self.starts[name], shape)
            case Constant(tensor=tensor):
                return Fixed(objects(tensor.fractions(), tensor.shape))
            case Apply(args=args):
                try:
                    found = self._apply(index, node, self._aligned([values[arg] for arg in args]))
                except (ValueError, IndexError, ZeroDivisionError) as error:
                    raise self._refuse(index, str(error)) from None
                if found is None:
                    raise self._refuse(index, f"op {node.op.name} is not one of its parts here")
                return found

    def _entry(self, start: int, shape: tuple[int, ...]) -> Affine:
        levels = self.levels[start : start + size_of(shape)]
        scale = objects([(high - low) / 2 for low, high in levels], shape)
        offset = objects([(high + low) / 2 for low, high in levels], shape)
        row = np.arange(start, start + len(levels)).reshape(shape)
        return Affine(0, self.states, row, scale, offset, zeros(shape))

    def _aligned(self, args: list[Value | Shadow]) -> list[Value | Shadow]:
        """The arguments over the states of one level."""
        behind = [arg.value if isinstance(arg, Shadow) else arg for arg in args]
        level = max((value.level for value in behind if isinstance(value, Affine)), default=0)
        # the second time, all have the neurons that the first has added
        for _ in range(2):
            args = [self._lifted(arg, level) for arg in args]
        return args

    def _lifted(self, arg: Value | Shadow, level: int) -> Value | Shadow:
        match arg:
            case Fixed():
                return arg
            case Affine():
                return self.layers.lifted(arg, level)
            case Shadow(value=value, centre=centre):
                return Shadow(self.layers.lifted(value, level), centre)

    def _apply(self, index: int, node: Apply, args: list[Value | Shadow]) -> Value | Shadow | None:
        name, first = node.op.name, args[0]
        if name in _COMPARISONS:
            return self._jump(difference(first, args[1], node.shape), _COMPARISONS[name])
        if name in ("sign", "step"):
            value = difference(Fixed(objects([Fraction(0)], ())), first, node.shape)
            low = Fraction(-1 if name == "sign" else 0)
            return self._jump(value, (low, _zero(node), Fraction(1)))
        route = _route(node, args[1:])
        if isinstance(first, Shadow):
            if route is not None:
                return first.routed(route)
            return shifted(name, first, args[1]) if len(args) == 2 else None
        plain = [arg for arg in args if not isinstance(arg, Shadow)]
        if len(plain) < len(args):
            return None
        if route is not None:
            return routed(route, plain if isinstance(node.op.meaning, Routing) else plain[:1])
        if len(args) == 1:
            return self._unary(index, node, first)
        return self._joint(node, plain)

    def _unary(self, index: int, node: Apply, value: Value) -> Value | Shadow | None:
        name = node.op.name
        if name == "sum":
            return folded_sum(value, _axes(node), node.shape)
        if isinstance(value, Fixed):
            return _of_constants(name, value, node.shape)
        if index == self.graph.outputs[0][1] and _keeps_order(node):
            return value
        if name in (*_LARGEST, *_SMALLEST):
            numbers = np.arange(value.row.size).reshape(value.row.shape)
            axes = _axes(node)
            moved = np.moveaxis(numbers, axes, range(-len(axes), 0))
            return self._extreme(name, value, moved.reshape(size_of(node.shape), -1), node.shape)
        if name in ("clip", "relu", "abs"):
            found = pointwise(value, lambda x: _bent(node, rational_only(x)))
            return found or shadow_of(name, node, value)
        return shadow_of(name, node, value) or arithmetic(name, [value], node.shape)

    def _joint(self, node: Apply, args: list[Value]) -> Value | None:
        name = node.op.name
        if name == "matmul":
            return matmul(args[0], args[1], node.shape)
        if name == "select":
            return self._chosen(args, node.shape)
        if name in (*_LARGEST, *_SMALLEST):
            joined = routed(lambda parts: np.stack(np.broadcast_arrays(*parts)), args)
            if not isinstance(joined, Affine):
                return None
            numbers = np.arange(joined.row.size).reshape(len(args), -1).T
            return self._extreme(name, joined, numbers, node.shape)
        return arithmetic(name, args, node.shape)

    def _jump(self, value: Value | None, jumps: Jumps) -> Value | None:
        """What is one number where a value is negative, one where it is 0, and one elsewhere."""
        if isinstance(value, Fixed):
            flat = [jumps[sign(number) + 1] for number in value.values.reshape(-1)]
            return Fixed(objects(flat, value.values.shape))
        return None if value is None else jumped(value, jumps, self.layers)

    def _chosen(self, args: list[Value], shape: tuple[int, ...]) -> Value | None:
        """One of two constants, by whether a value is 0."""
        holds, yes, no = args
        if not isinstance(yes, Fixed) or not isinstance(no, Fixed):
            return None
        held = self._jump(holds, _NOT_ZERO)
        step = arithmetic("sub", [yes, no], np.broadcast_shapes(yes.values.shape, no.values.shape))
        if held is None or step is None:
            return None
        chosen = arithmetic("mul", [held, step], shape)
        return None if chosen is None else arithmetic("add", [chosen, no], shape)

    def _extreme(
        self, name: str, value: Affine, groups: Array, shape: tuple[int, ...]
    ) -> Value | None:
        """The largest or the smallest element of each group."""
        if name in _LARGEST:
            return largest(value, groups, shape, self.layers)
        minus = arithmetic("neg", [value], value.row.shape)
        found = largest(minus, groups, shape, self.layers) if isinstance(minus, Affine) else None
        return None if found is None else arithmetic("neg", [found], shape)


def _route(node: Apply, rest: Sequence[Value | Shadow]) -> Callable[[list[Array]], Array] | None:
    """How an op moves elements; None if it does anything else."""
    meaning = node.op.meaning
    if isinstance(meaning, Routing):
        return lambda places: meaning.route(places, node.params)
    axis = node.params.get("axis")
    if node.op.name != "gather" or not isinstance(axis, int) or not isinstance(rest[0], Fixed):
        return None
    indices = rest[0].values.astype(np.int64)
    if bool((indices != rest[0].values).any()):
        raise UnfitError("an index is no integer")
    return lambda places: np.take(places[0], indices, axis=axis)


def _keeps_order(node: Apply) -> bool:
    """Whether the largest of several scores stays the largest."""
    size, axis = size_of(node.shape), node.params.get("axis")
    if node.op.name not in _SOFT or size == 1:
        return False
    return not isinstance(axis, int) or node.shape[axis] == size


def _of_constants(name: str, value: Fixed, shape: tuple[int, ...]) -> Value | None:
    if name != "sqrt":
        return arithmetic(name, [value], shape)
    flat = [root(rational_only(number)) for number in value.values.reshape(-1)]
    return Fixed(objects(flat, shape))


def _bent(node: Apply, value: Fraction) -> Fraction:
    """A clip, a rectifier or an absolute value of a number."""
    if node.op.name == "abs":
        return abs(value)
    low = Fraction(0) if node.op.name == "relu" else node.params["lo"]
    high = None if node.op.name == "relu" else node.params["hi"]
    raised = max(value, low) if isinstance(low, Fraction) else value
    return min(raised, high) if isinstance(high, Fraction) else raised


def _axes(node: Apply) -> tuple[int, ...]:
    axes = node.params["axes"]
    return tuple(axes) if isinstance(axes, tuple) else ()


def _zero(node: Apply) -> Fraction:
    value = node.params["at_zero"]
    if not isinstance(value, Fraction):
        raise UnfitError("at_zero is not a number")
    return value

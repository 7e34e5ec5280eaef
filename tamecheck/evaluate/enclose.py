"""Rigorous enclosures of the nodes of a graph over a box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from tamecheck.errors import DomainError
from tamecheck.evaluate.bounds import pointwise_enclosure
from tamecheck.evaluate.enclosure import (
    Enclosure,
    core,
    float_down,
    float_up,
    hulled,
    of_tensor,
    spread,
)
from tamecheck.evaluate.folding import folded_first
from tamecheck.evaluate.integral import op_is_integral, tensor_is_integral
from tamecheck.evaluate.interval_matrix import (
    matmul_enclosure,
    product_over_first,
    sum_over_first,
)
from tamecheck.evaluate.intervals import Interval
from tamecheck.evaluate.selection import pick
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import (
    Contraction,
    Expansion,
    Fold,
    Op,
    Params,
    Pointwise,
    Routing,
    Selection,
    Value,
)
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops import BY_NAME
from tamecheck.ops.shapes import axis_of

__all__ = ["enclose", "op_enclosure"]


def enclose(
    graph: Graph, box: Box, *, hull_above: int = 4096, nodes: Sequence[int] | None = None
) -> dict[int, Enclosure]:
    """An interval for every element of every node, over all points of the box.

    A node with more than ``hull_above`` elements gets one interval for all of them.  A node whose
    op is not shown to be defined on the whole box is missing, and so is all that depends on it.
    With ``nodes``, only these and what they depend on are looked at.

    Raises
    ------
    InputError
        If the box does not fit the graph's inputs.
    """
    box.checked(graph.inputs)
    found: dict[int, Enclosure] = {}
    integral: set[int] = set()
    order = graph.ancestors(range(len(graph.nodes)) if nodes is None else nodes)
    with np.errstate(all="ignore"):
        for index in order:
            node = graph.nodes[index]
            enclosure = _node(node, box, found, integral)
            if enclosure is not None:
                found[index] = hulled(enclosure, hull_above)
                if _node_is_integral(node, integral):
                    integral.add(index)
    return found


def _node(
    node: Input | Constant | Apply, box: Box, found: dict[int, Enclosure], integral: set[int]
) -> Enclosure | None:
    match node:
        case Input():
            return _of_side(box.side(node.name), node.shape)
        case Constant():
            return of_tensor(node.tensor)
        case Apply():
            args = [found[arg] for arg in node.args if arg in found]
            if len(args) < len(node.args):
                return None
            whole = [arg in integral for arg in node.args]
            return op_enclosure(node.op, args, node.params, node.shape, whole)


def _node_is_integral(node: Input | Constant | Apply, integral: set[int]) -> bool:
    match node:
        case Input():
            return False
        case Constant():
            return tensor_is_integral(node.tensor)
        case Apply():
            return op_is_integral(node.op, node.params, [arg in integral for arg in node.args])


def _of_side(side: Side, shape: Shape) -> Enclosure:
    lower = [-np.inf if end is None else float_down(end) for end in side.lower]
    upper = [np.inf if end is None else float_up(end) for end in side.upper]
    if len(lower) == 1:
        return spread(lower[0], upper[0], shape)
    return Enclosure(np.array(lower).reshape(shape), np.array(upper).reshape(shape))


def op_enclosure(
    op: Op, args: Sequence[Enclosure], params: Params, shape: Shape, integral: Sequence[bool]
) -> Enclosure | None:
    """The range of one op over its arguments' ranges; None when it may leave its domain.

    ``integral`` says which arguments are known to be integers.
    """
    match op.meaning:
        case Pointwise():
            return pointwise_enclosure(op.meaning, args, params, shape)
        case Routing(route):
            return _routed(route, args, params, shape)
        case Contraction():
            return matmul_enclosure(args[0], args[1], shape)
        case Fold(name):
            return _folded(name, args[0], params, shape)
        case Selection():
            return _selected(op.name, args, params, shape, integral)
        case Expansion(expand):
            return _expanded(op, expand, args[0], params)


def _routed(
    route: Callable[[Sequence[Array], Params], Array],
    args: Sequence[Enclosure],
    params: Params,
    shape: Shape,
) -> Enclosure:
    def rounded(direction: Callable[[Fraction], float]) -> dict[str, Value]:
        return {
            key: Fraction(direction(value)) if isinstance(value, Fraction) else value
            for key, value in params.items()
        }

    plain = not any(isinstance(value, Fraction) for value in params.values())
    if plain and len(args) == 1 and args[0].uniform and args[0].lower.size:
        return spread(*args[0].hull(), shape)
    lower = route([arg.lower for arg in args], rounded(float_down))
    if all(arg.lower is arg.upper for arg in args) and plain:
        return Enclosure(lower, lower)
    return Enclosure(lower, route([arg.upper for arg in args], rounded(float_up)))


def _folded(name: str, arg: Enclosure, params: Params, shape: Shape) -> Enclosure:
    low, high = folded_first(arg.lower, params), folded_first(arg.upper, params)
    if low.shape[0] == 0:
        neutral = 0.0 if name == "add" else 1.0
        return spread(neutral, neutral, shape)
    match name:
        case "add":
            lower, upper = sum_over_first(Interval(low, high))
        case "mul":
            lower, upper = product_over_first(Interval(low, high))
        case "maximum":
            lower, upper = np.maximum.reduce(low, axis=0), np.maximum.reduce(high, axis=0)
        case "minimum":
            lower, upper = np.minimum.reduce(low, axis=0), np.minimum.reduce(high, axis=0)
        case _:
            raise ValueError(f"no fold of {name}")
    return spread(lower.reshape(shape), upper.reshape(shape), shape)


def _selected(
    name: str, args: Sequence[Enclosure], params: Params, shape: Shape, integral: Sequence[bool]
) -> Enclosure | None:
    axis = axis_of(args[0].shape, params)
    extent = args[0].shape[axis]
    if name not in ("gather", "gather_elements"):
        return spread(0.0, float(max(extent - 1, 0)), shape)
    low, high = args[1].hull()
    if not integral[1] or low < -extent or high >= extent:
        return None
    if bool((core(args[1].lower) == core(args[1].upper)).all()):
        indices = args[1].lower.astype(np.int64)
        try:
            lower = pick(name, args[0].lower, indices, params, "")
            upper = pick(name, args[0].upper, indices, params, "")
        except DomainError:
            return None
        return Enclosure(lower, upper)
    if size_of(shape) and not args[0].lower.size:
        return None
    return spread(*args[0].hull(), shape)


def _expanded(
    op: Op, expand: Callable[..., int], argument: Enclosure, params: Params
) -> Enclosure | None:
    values: list[Enclosure | None] = [argument]

    def apply(name: str, args: Sequence[int], **parameters: Value) -> int:
        inner = BY_NAME[name]
        operands = [value for arg in args if (value := values[arg]) is not None]
        checked = inner.checked(parameters)
        if len(operands) < len(args):
            raise DomainError(f"{op.name} is not shown to be defined.")
        shape = inner.shape([operand.shape for operand in operands], checked)
        values.append(op_enclosure(inner, operands, checked, shape, [False] * len(operands)))
        return len(values) - 1

    try:
        return values[expand(apply, 0, argument.shape, params)]
    except DomainError:
        return None

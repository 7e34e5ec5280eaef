"""A graph without ops that other ops define, products over axes, and roots of even powers."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

from tamecheck.ir.graph import Apply, Constant, Graph, GraphBuilder, Input
from tamecheck.ir.op import Expansion, Fold, Value
from tamecheck.ir.tensor import Shape, size_of
from tamecheck.ops import BY_NAME
from tamecheck.ops.shapes import axes_of

__all__ = ["lowered", "without_roots"]


def lowered(graph: Graph) -> Graph:
    """The same function, with ``softmax`` and its relatives and ``prod`` written out."""
    if not any(isinstance(node, Apply) and _compound(node) for node in graph.nodes):
        return graph
    builder = GraphBuilder()
    number: dict[int, int] = {}
    for index, node in enumerate(graph.nodes):
        match node:
            case Input(name, shape, label):
                number[index] = builder.input(name, shape, label)
            case Constant(tensor, label):
                number[index] = builder.constant(tensor, label)
            case Apply():
                number[index] = _apply(builder, node, [number[arg] for arg in node.args])
    outputs = [(name, number[node]) for name, node in graph.outputs]
    return builder.build(outputs, graph.gradient)


def without_roots(graph: Graph) -> Graph | None:
    """The same function, with ``|u|^k`` for roots of even powers; None if there are none.

    The root of ``u^n`` is not Lipschitz where u is zero, though it is ``|u|^k``, if n is even and
    the exponents have a natural number k as their product.
    """
    roots = {index: found for index in range(len(graph.nodes)) if (found := _root(graph, index))}
    if not roots:
        return None
    builder = GraphBuilder()
    number: dict[int, int] = {}
    for index, node in enumerate(graph.nodes):
        match node:
            case Input(name, shape, label):
                number[index] = builder.input(name, shape, label)
            case Constant(tensor, label):
                number[index] = builder.constant(tensor, label)
            case Apply() if index in roots:
                base, exponent = roots[index]
                size = builder.apply(BY_NAME["abs"], [number[base]], node.label)
                number[index] = (
                    size
                    if exponent == 1
                    else builder.apply(BY_NAME["pow"], [size], node.label, exponent=exponent)
                )
            case Apply(op, args, params):
                given = [number[arg] for arg in args]
                number[index] = builder.apply(op, given, node.label, node.function, **params)
    outputs = [(name, number[node]) for name, node in graph.outputs]
    return builder.build(outputs, graph.gradient)


def _root(graph: Graph, index: int) -> tuple[int, Fraction] | None:
    """The node u and the exponent k, if a node is a root that is ``|u|^k``."""
    root = _power_of(graph, index)
    if root is None or root[1].denominator == 1:
        return None
    power = _power_of(graph, root[0])
    if power is None or power[1] <= 0 or power[1].denominator != 1 or power[1] % 2:
        return None
    exponent = power[1] * root[1]
    return (power[0], exponent) if exponent.denominator == 1 and exponent > 0 else None


def _power_of(graph: Graph, index: int) -> tuple[int, Fraction] | None:
    """A node and an exponent of which this one is the power."""
    match graph.nodes[index]:
        case Apply(op, (arg,), params) if op.name == "pow":
            exponent = params["exponent"]
            return (arg, exponent) if isinstance(exponent, Fraction) else None
        case Apply(op, (arg,)) if op.name == "sqrt":
            return arg, Fraction(1, 2)
        case Apply(op, (left, right)) if op.name == "mul" and left == right:
            return left, Fraction(2)
        case _:
            return None


def _compound(node: Apply) -> bool:
    meaning = node.op.meaning
    return isinstance(meaning, Expansion) or (isinstance(meaning, Fold) and meaning.op == "mul")


def _apply(builder: GraphBuilder, node: Apply, args: list[int]) -> int:
    apply = partial(_built, builder, node.label)
    match node.op.meaning:
        case Expansion(expand):
            return expand(apply, args[0], builder.shape(args[0]), node.params)
        case Fold("mul"):
            return _product(apply, args[0], builder.shape(args[0]), node)
        case _:
            return builder.apply(node.op, args, node.label, node.function, **node.params)


def _built(
    builder: GraphBuilder, label: str, name: str, operands: list[int], **params: Value
) -> int:
    return builder.apply(BY_NAME[name], operands, label, **params)


def _product(apply: partial[int], arg: int, shape: Shape, node: Apply) -> int:
    axes = axes_of(shape, node.params)
    rest = tuple(axis for axis in range(len(shape)) if axis not in axes)
    count = size_of(tuple(shape[axis] for axis in axes))
    width = size_of(tuple(shape[axis] for axis in rest))
    table = apply("reshape", [apply("transpose", [arg], perm=(*axes, *rest))], shape=(count, width))
    total: int | None = None
    for row in range(count):
        part = apply("slice", [table], starts=(row, 0), steps=(1, 1), sizes=(1, width))
        total = part if total is None else apply("mul", [total, part])
    if total is None:
        # the empty product is the constant 1, whose derivative is that of an empty sum
        keepdims = bool(node.params["keepdims"])
        return apply("exp", [apply("sum", [arg], axes=axes, keepdims=keepdims)])
    return apply("reshape", [total], shape=node.shape)

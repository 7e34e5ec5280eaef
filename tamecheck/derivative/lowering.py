"""A graph without ops that other ops define, products over axes, and roots of even powers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial

from tamecheck import ops
from tamecheck.derivative.kinks import pieces_of
from tamecheck.derivative.orders import Orders
from tamecheck.evaluate.exact import exact_nodes
from tamecheck.ir.formula import And, Const, Mul, Piece, Pow, Var
from tamecheck.ir.graph import Apply, Graph, GraphBuilder
from tamecheck.ir.op import Expansion, Fold, Op, Selection, Value
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.shapes import axes_of


def _rebuild(
    graph: Graph, rewrite: Callable[[GraphBuilder, int, Apply, list[int]], int | None]
) -> Graph:
    """The graph with other nodes for some ops; see `GraphBuilder.include`."""
    builder = GraphBuilder()
    number = builder.include(
        graph, lambda one: builder.input(one.name, one.shape, one.label), partial(rewrite, builder)
    )
    return builder.build([(name, number[node]) for name, node in graph.outputs], graph.gradient)


def lowered(graph: Graph) -> Graph:
    """The same function, with ``softmax`` and its relatives and ``prod`` written out."""

    def expand(builder: GraphBuilder, _index: int, node: Apply, number: list[int]) -> int | None:
        if not _is_compound(node):
            return None
        arg = number[node.args[0]]
        if isinstance(node.op.meaning, Expansion):
            build = partial(_built, builder, node.label)
            return node.op.meaning.expand(build, arg, builder.shape(arg), node.params)
        return _product(builder, arg, node)

    compound = any(isinstance(node, Apply) and _is_compound(node) for node in graph.nodes)
    return _rebuild(graph, expand) if compound else graph


def _is_compound(node: Apply) -> bool:
    meaning = node.op.meaning
    return isinstance(meaning, Expansion) or (isinstance(meaning, Fold) and meaning.op is ops.MUL)


def _built(
    builder: GraphBuilder, label: str, name: str, operands: Sequence[int], **params: Value
) -> int:
    return builder.apply(ops.BY_NAME[name], list(operands), label, **params)


def _product(builder: GraphBuilder, arg: int, node: Apply) -> int:
    def apply(op: Op, args: Sequence[int], **params: Value) -> int:
        return builder.apply(op, args, node.label, **params)

    shape = builder.shape(arg)
    axes = axes_of(shape, node.params)
    rest = tuple(axis for axis in range(len(shape)) if axis not in axes)
    count = size_of(tuple(shape[axis] for axis in axes))
    width = size_of(tuple(shape[axis] for axis in rest))
    moved = apply(ops.TRANSPOSE, [arg], perm=(*axes, *rest))
    table = apply(ops.RESHAPE, [moved], shape=(count, width))
    total: int | None = None
    for row in range(count):
        part = apply(ops.SLICE, [table], starts=(row, 0), steps=(1, 1), sizes=(1, width))
        total = part if total is None else apply(ops.MUL, [total, part])
    if total is None:
        # the empty product is the constant 1, whose derivative is that of an empty sum
        keepdims = bool(node.params["keepdims"])
        return apply(ops.EXP, [apply(ops.SUM, [arg], axes=axes, keepdims=keepdims)])
    return apply(ops.RESHAPE, [total], shape=node.shape)


def with_choices(graph: Graph, point: Mapping[str, Array]) -> Graph:
    """The same function near a point, with continuous ops for choices that do not jump there."""

    def bare(builder: GraphBuilder, _index: int, node: Apply, number: list[int]) -> int | None:
        if node.op is not ops.SELECT:
            return None
        new = builder.apply(ops.SELECT, [number[arg] for arg in node.args], node.label)
        return Orders(builder, point).bare(new)

    def settle(builder: GraphBuilder, _index: int, node: Apply, number: list[int]) -> int | None:
        if not _chooses(node):
            return None
        given = [number[arg] for arg in node.args]
        new = builder.apply(node.op, given, node.label, node.function, **node.params)
        choices = Orders(builder, point)
        found = choices.switched(new) if node.op is ops.SELECT else choices.gathered(new)
        return new if found is None else found

    applied = [node for node in graph.nodes if isinstance(node, Apply)]
    if not any(map(_chooses, applied)):
        return graph
    masked = any(node.op is ops.SELECT for node in applied)
    return _rebuild(_rebuild(graph, bare) if masked else graph, settle)


def _chooses(node: Apply) -> bool:
    return node.op is ops.SELECT or isinstance(node.op.meaning, Selection)


def without_norms(graph: Graph, point: Mapping[str, Array]) -> Graph | None:
    """The graph with 0 for norms that vanish, whose derivative PyTorch takes to be 0 there.

    None if there are no such norms at the point.
    """
    known = exact_nodes(graph, point)
    zero = {
        index
        for index, node in graph.applied()
        if node.function == "norm" and all(v == 0 for v in known[index].reshape(-1).tolist())
    }

    def vanish(builder: GraphBuilder, index: int, node: Apply, number: list[int]) -> int | None:
        if index not in zero:
            return None
        return builder.apply(ops.MUL, [number[node.args[0]], builder.constant(0)], node.label)

    return _rebuild(graph, vanish) if zero else None


def without_roots(graph: Graph) -> Graph | None:
    """The same function, with ``|u|^k`` for roots of even powers; None if there are none.

    The root of ``u^n`` is not Lipschitz where u is zero, though it is ``|u|^k``, if n is even and
    the exponents have a natural number k as their product.
    """
    roots = {index: found for index in range(len(graph.nodes)) if (found := _root(graph, index))}

    def simplify(builder: GraphBuilder, index: int, node: Apply, number: list[int]) -> int | None:
        if index not in roots:
            return None
        base, exponent = roots[index]
        size = builder.apply(ops.ABS, [number[base]], node.label)
        if exponent == 1:
            return size
        return builder.apply(ops.POW, [size], node.label, exponent=exponent)

    return _rebuild(graph, simplify) if roots else None


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
    node = graph.nodes[index]
    if not isinstance(node, Apply):
        return None
    match pieces_of(node):
        case (Piece(And(()), Pow(Var(0), Const(exponent))),):
            return node.args[0], exponent
        case (Piece(And(()), Mul(Var(0), Var(1))),) if node.args[0] == node.args[1]:
            return node.args[0], Fraction(2)
        case _:
            return None

"""Rigorous enclosures of the nodes of a graph over a box."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from tamecheck.evaluate.enclose_op import Operand, op_enclosure
from tamecheck.evaluate.enclosure import (
    Enclosure,
    coarsen,
    float_down,
    float_up,
    of_tensor,
    within,
)
from tamecheck.evaluate.walk import site_of
from tamecheck.ir.box import Box, Side
from tamecheck.ir.formula import Add, Const, Floor, Mul, Pow, Term, Var
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Op, Params, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Shape, Tensor
from tamecheck.ops.facets import chooses_indices


def enclose(
    graph: Graph, box: Box, *, hull_above: int = 4096, nodes: Iterable[int] | None = None
) -> dict[int, Enclosure]:
    """An interval for every element of every node, over all points of the box.

    A node with more than ``hull_above`` elements gets one interval for all of them.  A node whose
    op is not shown to be defined on the whole box is missing, and so is all that depends on it.
    With ``nodes``, only these and what they depend on are looked at.

    The bounds are never tighter than those of one pass of interval arithmetic, op by op, so that an
    independent kernel can confirm each node from its arguments' bounds. Raises `InputError` if the
    box does not fit the graph's inputs.
    """
    box.checked(graph.inputs)
    found: dict[int, Operand] = {}
    roots = range(len(graph.nodes)) if nodes is None else sorted(nodes)
    with np.errstate(all="ignore"):
        for index in graph.ancestors(roots):
            operand = _node(graph, index, box, found, hull_above)
            if operand is not None:
                found[index] = operand
    return {index: operand.bounds for index, operand in found.items()}


def _node(
    graph: Graph, index: int, box: Box, found: dict[int, Operand], hull_above: int
) -> Operand | None:
    node = graph.nodes[index]
    match node:
        case Input():
            return Operand(coarsen(_of_side(box.side(node.name), node.shape), hull_above))
        case Constant(tensor=tensor):
            bounds = coarsen(of_tensor(tensor), hull_above)
            return Operand(bounds, integral=tensor_is_integral(tensor), constant=True)
        case Apply():
            args = [found[arg] for arg in node.args if arg in found]
            if len(args) < len(node.args):
                return None
            site = site_of(graph, index, node)
            bounds = op_enclosure(site, args, hull_above=hull_above)
            if bounds is None:
                return None
            integral = op_is_integral(node.op, node.params, [arg.integral for arg in args])
            return Operand(coarsen(bounds, hull_above), integral=integral)


def _of_side(side: Side, shape: Shape) -> Enclosure:
    lower = [-np.inf if end is None else float_down(end) for end in side.lower]
    upper = [np.inf if end is None else float_up(end) for end in side.upper]
    if len(lower) == 1:
        return within(lower[0], upper[0], shape)
    return Enclosure(np.array(lower).reshape(shape), np.array(upper).reshape(shape))


def tensor_is_integral(tensor: Tensor) -> bool:
    """Whether every element of a constant is an integer."""
    if tensor.array.dtype.kind == "i":
        return True
    if tensor.array.dtype.kind == "f":
        return bool((np.floor(tensor.array) == tensor.array).all())
    return all(value.denominator == 1 for value in tensor.fractions())


def op_is_integral(op: Op, params: Params, args: Sequence[bool]) -> bool:
    """Whether an op gives integers only, when the marked arguments are integers."""
    match op.meaning:
        case Pointwise(pieces=pieces):
            return all(_is_integral(piece.term, args) for piece in pieces(params))
        case Routing():
            inserted = [v for v in params.values() if isinstance(v, Fraction)]
            return all(args) and all(value.denominator == 1 for value in inserted)
        case Contraction() | Fold():
            return all(args)
        case Selection():
            return chooses_indices(op) or args[0]
        case _:
            return False


def _is_integral(term: Term, args: Sequence[bool]) -> bool:
    match term:
        case Var(index):
            return args[index]
        case Const(value):
            return value.denominator == 1
        case Floor():
            return True
        case Add(left, right) | Mul(left, right):
            return _is_integral(left, args) and _is_integral(right, args)
        case Pow(base, Const(exponent)):
            whole = exponent.denominator == 1 and exponent >= 0
            return whole and _is_integral(base, args)
        case _:
            return False

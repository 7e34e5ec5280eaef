"""Exact values: rationals where they exist, and rigorous balls elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, ctx, fmpq

from tamecheck.errors import TamecheckError
from tamecheck.evaluate.exact_arrays import (
    alike,
    fractions,
    from_values,
    has_balls,
    objects,
)
from tamecheck.evaluate.exact_matrix import exact_matmul
from tamecheck.evaluate.exact_terms import (
    holds,
    is_rational,
    rational_pieces,
    rational_where,
    value_at,
)
from tamecheck.evaluate.floats import outside
from tamecheck.evaluate.folding import folded_first
from tamecheck.evaluate.reals import Number, UndecidedError, as_number, compare
from tamecheck.evaluate.selection import select
from tamecheck.evaluate.walk import checked_inputs, run
from tamecheck.ir.formula import TRUE
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
from tamecheck.ir.tensor import Array, Shape
from tamecheck.ops import BY_NAME

__all__ = ["MAX_PRECISION", "exact_values", "op_exact"]

MAX_PRECISION = 4096
"""Bits at which a sign that is still open is reported instead of computed."""

_TARGET_BITS = 53


def exact_values(
    graph: Graph, inputs: Mapping[str, Array], *, precision: int = 128
) -> dict[str, Array]:
    """The outputs at one input point, exactly.

    Each element is a `fractions.Fraction`, or an ``arb`` ball where no rational is found.  Balls
    start with ``precision`` bits; the whole evaluation is repeated with twice as many, up to
    `MAX_PRECISION`, while a sign is undecided or an output has fewer than 53 good bits.

    Raises
    ------
    InputError
        If the inputs do not fit the graph.
    DomainError
        If some node has no value at this point, naming the node.
    TamecheckError
        If the value hinges on the sign of a number that is zero to all the bits tried.
    """
    given = {name: from_values(a) for name, a in checked_inputs(graph, inputs).items()}
    bits = precision
    while True:
        final = bits >= MAX_PRECISION
        try:
            with ctx.workprec(bits):
                found = _outputs(graph, given)
                if final or all(map(_accurate, found.values())):
                    return {name: fractions(array) for name, array in found.items()}
        except _OpenError as open_:
            if final:
                raise TamecheckError(
                    f"The value at this point hinges on the sign of a number that is zero to "
                    f"{bits} bits.",
                    where=open_.where,
                    hint="Move the point, or rewrite the model without the cancellation.",
                ) from None
        bits = min(2 * bits, MAX_PRECISION)


class _OpenError(Exception):
    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


def _outputs(graph: Graph, given: Mapping[str, Array]) -> dict[str, Array]:
    def leaf(_index: int, node: Input | Constant) -> Array:
        return given[node.name] if isinstance(node, Input) else from_values(node.tensor.array)

    def apply(index: int, node: Apply, args: list[Array]) -> Array:
        where = graph.name_of(index)
        try:
            return op_exact(node.op, args, node.params, node.shape, where)
        except UndecidedError:
            raise _OpenError(where) from None

    values = run(graph, [node for _, node in graph.outputs], leaf, apply)
    return {name: values[node] for name, node in graph.outputs}


def _accurate(array: Array) -> bool:
    if not has_balls(array):
        return True
    balls = [v for v in array.reshape(-1).tolist() if isinstance(v, arb)]
    return all(ball.rad() * 2**_TARGET_BITS <= arb(1) + abs(ball.mid()) for ball in balls)


def op_exact(op: Op, args: Sequence[Array], params: Params, shape: Shape, where: str) -> Array:
    """The value of one op on exact arrays, see `tamecheck.evaluate.exact_arrays`.

    Raises
    ------
    DomainError
        If an element is outside the op's domain; ``where`` names the node.
    UndecidedError
        If that, or the value, is not decided at the precision in use.
    """
    match op.meaning:
        case Pointwise():
            return _pointwise(op, op.meaning, args, params, shape, where)
        case Routing(route):
            return _routed(args, params, route)
        case Contraction():
            return exact_matmul(args[0], args[1], shape)
        case Fold(name):
            return _folded(name, args[0], params, shape, where)
        case Selection():
            return select(op.name, args, params, shape, where, _order)
        case Expansion(expand):
            return _expanded(expand, args[0], params, where)


def _routed(args: Sequence[Array], params: Params, route: Any) -> Array:
    if any(isinstance(value, Fraction) for value in params.values()):
        # the parameter is an element of the result, so every element must be able to hold it
        routed = route([objects(arg) for arg in args], params)
        moved = np.empty(routed.shape, dtype=object)
        moved.reshape(-1)[:] = [
            as_number(v) if isinstance(v, Fraction) else v for v in routed.reshape(-1).tolist()
        ]
        return moved
    return route(alike(args), params)


def _pointwise(
    op: Op, meaning: Pointwise, args: Sequence[Array], params: Params, shape: Shape, where: str
) -> Array:
    pieces, domain = meaning.pieces(params), meaning.domain(params)
    spread = [np.broadcast_to(objects(arg), shape).reshape(-1) for arg in args]
    if is_rational(pieces, domain) and not any(map(has_balls, args)):
        if domain != TRUE:
            inside = rational_where(domain, spread)
            if not inside.all():
                raise outside(op, args, shape, int(np.argmin(inside)), where)
        return rational_pieces(pieces, spread).reshape(shape)
    result = np.empty(spread[0].shape, dtype=object)
    continuous = op.regularity.continuous
    for index, point in enumerate(zip(*(arg.tolist() for arg in spread), strict=True)):
        if domain != TRUE:
            held = holds(domain, point)
            if held is False:
                raise outside(op, args, shape, index, where)
            if held is None:
                raise UndecidedError
        result[index] = value_at(pieces, point, continuous=continuous)
    return result.reshape(shape)


def _folded(name: str, data: Array, params: Params, shape: Shape, where: str) -> Array:
    parts = folded_first(objects(data), params)
    if parts.shape[0] == 0:
        empty = np.empty(parts.shape[1:], dtype=object)
        empty[...] = fmpq(0 if name == "add" else 1)
        return empty.reshape(shape)
    op = BY_NAME[name]
    while parts.shape[0] > 1:
        half = parts.shape[0] // 2
        pairs = [parts[:half], parts[half : 2 * half]]
        folded = op_exact(op, pairs, {}, pairs[0].shape, where)
        parts = np.concatenate([folded, parts[2 * half :]])
    return parts.reshape(shape)


def _expanded(expand: Any, argument: Array, params: Params, where: str) -> Array:
    """The value of an op that is defined by other ops: its expression, evaluated as it is built."""
    values: list[Array] = [argument]

    def apply(name: str, args: Sequence[int], **parameters: Value) -> int:
        op = BY_NAME[name]
        operands = [values[arg] for arg in args]
        checked = op.checked(parameters)
        shape = op.shape([operand.shape for operand in operands], checked)
        values.append(op_exact(op, operands, checked, shape, where))
        return len(values) - 1

    return values[expand(apply, 0, argument.shape, params)]


def _order(left: Number, right: Number) -> int:
    signs = compare(left, right)
    if len(signs) != 1:
        raise UndecidedError
    return next(iter(signs))

"""Values at a point: in float64, rounded at every operation; exact rationals or rigorous balls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from flint import arb, fmpq

from tamecheck.errors import DomainError, TamecheckError
from tamecheck.evaluate import exact_terms, walk
from tamecheck.evaluate.float_terms import (
    Floats,
    float_function,
    mask_function,
    nearest_floats,
)
from tamecheck.evaluate.selection import select
from tamecheck.exact import arrays
from tamecheck.exact.reals import Number, UndecidedError, compare, working_precision
from tamecheck.ir.formula import TRUE, Condition, Piece
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
from tamecheck.ir.tensor import Array, Tensor
from tamecheck.ops import ADD
from tamecheck.ops.facets import extremum


def float_values(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs at one input point, in float64.

    An overflow gives an infinity, as in any float program. Raises `InputError` if the inputs do not
    fit the graph; `DomainError` if some node has no value at this point, naming the node.
    """
    given = walk.checked_inputs(graph, inputs)

    def leaf(_index: int, node: Input | Constant) -> Array:
        array = given[node.name] if isinstance(node, Input) else node.tensor.array
        return nearest_floats(array)

    def apply(index: int, node: Apply, args: list[Array]) -> Array:
        return op_floats(walk.site_of(graph, index, node), args)

    with np.errstate(all="ignore"):
        values = walk.run(graph, graph.output_nodes, leaf, apply)
    return {name: np.array(values[node]) for name, node in graph.outputs}


def op_floats(site: walk.Site, args: Sequence[Array]) -> Array:
    """The value of one op in float64.

    Raises `DomainError` if an element is outside the op's domain, naming the node.
    """
    params = site.params
    match site.op.meaning:
        case Pointwise() as meaning:
            return _pointwise_floats(site, meaning, args)
        case Routing(route):
            return route(args, params)
        case Contraction():
            return np.matmul(args[0], args[1])
        case Fold(floats=floats):
            return floats.reduce(walk.folded_first(args[0], params)).reshape(site.shape)
        case Selection():
            return select(site, args, _order_floats).astype(np.float64, copy=False)
        case Expansion(floats=floats):
            return floats(args[0], params).reshape(site.shape)


def _pointwise_floats(site: walk.Site, meaning: Pointwise, args: Sequence[Array]) -> Array:
    shape = site.shape
    domain, value = _scalar(meaning.pieces, meaning.domain, tuple(site.params.items()))
    if domain is not None:
        inside = np.broadcast_to(domain(args), shape)
        if not inside.all():
            raise outside(site, args, int(np.argmin(inside)))
    found = value(args)
    return found if found.shape == shape else np.broadcast_to(found, shape)


@lru_cache(maxsize=1024)
def _scalar(
    pieces: Callable[[Params], tuple[Piece, ...]],
    domain: Callable[[Params], Condition],
    params: tuple[tuple[str, Value], ...],
) -> tuple[Floats | None, Floats]:
    """Where a pointwise op has a value, None for everywhere; and its value."""
    known = dict(params)
    where = domain(known)
    parts = [(mask_function(p.condition), float_function(p.term)) for p in pieces(known)]
    inside = None if where == TRUE else mask_function(where)
    if len(parts) == 1 and pieces(known)[0].condition == TRUE:
        ((_, whole),) = parts
        return inside, lambda args: np.asarray(whole(args))

    def value(args: Sequence[Array]) -> Array:
        found = np.asarray(np.nan)
        for held, term in reversed(parts):  # where several hold, the first
            there = held(args)
            found = np.where(there, term(args), found)
        return found

    return inside, value


def outside(site: walk.Site, args: Sequence[Array], at: int) -> DomainError:
    """The error for the element number ``at`` of a pointwise op that has no value there."""
    index = tuple(int(i) for i in np.unravel_index(at, site.shape))
    point = ", ".join(str(np.broadcast_to(arg, site.shape)[index]) for arg in args)
    place = f"at element {list(index)}, " if index else "at "
    return DomainError(
        f"{site.op.name} ({site.op.summary}) has no value {place}argument {point}.",
        where=site.where,
    )


def _order_floats(left: float, right: float) -> int:
    return (left > right) - (left < right)


MAX_PRECISION = 4096
"""Bits at which a sign that is still open is reported instead of computed."""

_TARGET_BITS = 53

Route: TypeAlias = Callable[[Sequence[Array], Params], Array]


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
    given = {name: arrays.from_values(a) for name, a in walk.checked_inputs(graph, inputs).items()}
    bits = precision
    while True:
        final = bits >= MAX_PRECISION
        try:
            with working_precision(bits):
                found = _outputs(graph, given)
                if final or all(map(_accurate, found.values())):
                    return {name: arrays.fractions(array) for name, array in found.items()}
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
        return (
            given[node.name] if isinstance(node, Input) else arrays.from_values(node.tensor.array)
        )

    def apply(index: int, node: Apply, args: list[Array]) -> Array:
        site = walk.site_of(graph, index, node)
        try:
            return op_exact(site, args)
        except UndecidedError:
            raise _OpenError(site.where) from None

    values = walk.run(graph, graph.output_nodes, leaf, apply)
    return {name: values[node] for name, node in graph.outputs}


def _accurate(array: Array) -> bool:
    if not arrays.has_balls(array):
        return True
    balls = [v for v in array.reshape(-1).tolist() if isinstance(v, arb)]
    return all(ball.rad() * 2**_TARGET_BITS <= arb(1) + abs(ball.mid()) for ball in balls)


def op_exact(site: walk.Site, args: Sequence[Array]) -> Array:
    """The value of one op on exact arrays, see `tamecheck.exact.arrays`.

    Raises `DomainError` if an element is outside the op's domain, naming the node; `UndecidedError`
    if that, or the value, is not decided at the precision in use.
    """
    match site.op.meaning:
        case Pointwise() as meaning:
            return _pointwise(site, meaning, args)
        case Routing(route):
            return _routed(args, site.params, route)
        case Contraction():
            return arrays.exact_matmul(args[0], args[1], site.shape)
        case Fold() as meaning:
            return _folded(meaning, args[0], site)
        case Selection():
            return select(site, args, _order)
        case Expansion(expand):
            return walk.evaluate_expansion(expand, site, args[0], op_exact)


def exact_leaves(graph: Graph, point: Mapping[str, Array]) -> dict[int, Array]:
    """The exact arrays of the inputs, given by name, and of the constants."""
    values: dict[int, Array] = {}
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Input):
            values[index] = point[node.name]
        elif isinstance(node, Constant):
            values[index] = arrays.from_values(node.tensor.array)
    return values


def exact_node(graph: Graph, index: int, node: Apply, args: Sequence[Array]) -> Array:
    """The value of a node as ``fmpq`` and ``arb``; see `op_exact`."""
    return arrays.objects(op_exact(walk.site_of(graph, index, node), args))


def exact_nodes(graph: Graph, point: Mapping[str, Array]) -> dict[int, Array]:
    """The values of the inputs and constants, and of all ops that an output needs."""
    values = exact_leaves(graph, point)
    for index, node in graph.applied():
        values[index] = exact_node(graph, index, node, [values[arg] for arg in node.args])
    return values


def _routed(args: Sequence[Array], params: Params, route: Route) -> Array:
    if any(isinstance(value, Fraction) for value in params.values()):
        # the parameter is an element of the result, so every element must be able to hold it
        return arrays.renumber(route([arrays.objects(arg) for arg in args], params))
    return route(arrays.alike(args), params)


def _pointwise(site: walk.Site, meaning: Pointwise, args: Sequence[Array]) -> Array:
    pieces, domain = meaning.pieces(site.params), meaning.domain(site.params)
    spread = [np.broadcast_to(arrays.objects(arg), site.shape).reshape(-1) for arg in args]
    if exact_terms.is_rational(pieces, domain) and not any(map(arrays.has_balls, args)):
        if domain != TRUE:
            inside = exact_terms.rational_where(domain, spread)
            if not inside.all():
                raise outside(site, args, int(np.argmin(inside)))
        return exact_terms.rational_pieces(pieces, spread).reshape(site.shape)
    result = np.empty(spread[0].shape, dtype=object)
    value = exact_terms.value_function(pieces, continuous=site.op.regularity.continuous)
    holds = None if domain == TRUE else exact_terms.condition_function(domain)
    for index, point in enumerate(zip(*(arg.tolist() for arg in spread), strict=True)):
        if holds is not None:
            held = holds(point)
            if held is False:
                raise outside(site, args, index)
            if held is None:
                raise UndecidedError
        result[index] = value(point)
    return result.reshape(site.shape)


def _folded(meaning: Fold, data: Array, site: walk.Site) -> Array:
    plain = extremum(site.op) and arrays.native(data) and data.size
    if plain and bool(np.isfinite(data).all()):
        # floats are compared without rounding; -0 becomes 0
        largest = meaning.floats.reduce(walk.folded_first(data, site.params)).reshape(site.shape)
        return np.asarray(largest + data.dtype.type(0))
    parts = walk.folded_first(arrays.objects(data), site.params)
    if parts.shape[0] == 0:
        empty = np.empty(site.shape, dtype=object)
        empty[...] = fmpq(0 if meaning.op is ADD else 1)
        return empty
    while parts.shape[0] > 1:
        half = parts.shape[0] // 2
        pairs = [parts[:half], parts[half : 2 * half]]
        folded = op_exact(walk.Site(meaning.op, {}, pairs[0].shape, site.where), pairs)
        parts = np.concatenate([folded, parts[2 * half :]])
    return parts.reshape(site.shape)


def _order(left: Number, right: Number) -> int:
    signs = compare(left, right)
    if len(signs) != 1:
        raise UndecidedError
    return next(iter(signs))


def fold_constant(
    op: Op, tensors: Sequence[Tensor], params: Params, *, where: str = ""
) -> Tensor | None:
    """The exact value of ``op`` on constant tensors, or None when some element is irrational.

    Raises `DomainError` if an element is outside the op's domain; ``where`` names the node.
    """
    checked = op.checked(params)
    shape = op.shape([tensor.shape for tensor in tensors], checked)
    try:
        exact = op_exact(
            walk.Site(op, checked, shape, where), [arrays.from_values(t.array) for t in tensors]
        )
    except UndecidedError:
        return None
    if arrays.has_balls(exact):
        return None
    return Tensor.of(exact if arrays.native(exact) else arrays.fractions(exact))

"""Values in float64: fast, rounded to nearest at every operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tamecheck.errors import DomainError
from tamecheck.evaluate.float_terms import condition_floats, nearest_floats, term_floats
from tamecheck.evaluate.selection import select
from tamecheck.evaluate.walk import Site, checked_inputs, folded_first, run, site_of
from tamecheck.ir.formula import TRUE
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import (
    Contraction,
    Expansion,
    Fold,
    Pointwise,
    Routing,
    Selection,
)
from tamecheck.ir.tensor import Array


def float_values(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs at one input point, in float64.

    An overflow gives an infinity, as in any float program. Raises `InputError` if the inputs do not
    fit the graph; `DomainError` if some node has no value at this point, naming the node.
    """
    given = checked_inputs(graph, inputs)

    def leaf(_index: int, node: Input | Constant) -> Array:
        array = given[node.name] if isinstance(node, Input) else node.tensor.array
        return nearest_floats(array)

    def apply(index: int, node: Apply, args: list[Array]) -> Array:
        return op_floats(site_of(graph, index, node), args)

    with np.errstate(all="ignore"):
        values = run(graph, [node for _, node in graph.outputs], leaf, apply)
    return {name: np.array(values[node]) for name, node in graph.outputs}


def op_floats(site: Site, args: Sequence[Array]) -> Array:
    """The value of one op in float64.

    Raises `DomainError` if an element is outside the op's domain, naming the node.
    """
    params = site.params
    match site.op.meaning:
        case Pointwise() as meaning:
            return _pointwise(site, meaning, args)
        case Routing(route):
            return route(args, params)
        case Contraction():
            return np.matmul(args[0], args[1])
        case Fold(name):
            return _reduction(name)(folded_first(args[0], params)).reshape(site.shape)
        case Selection():
            return select(site, args, _order).astype(np.float64, copy=False)
        case Expansion(floats=floats):
            return floats(args[0], params).reshape(site.shape)


def _pointwise(site: Site, meaning: Pointwise, args: Sequence[Array]) -> Array:
    shape = site.shape
    domain = meaning.domain(site.params)
    if domain != TRUE:
        inside = np.broadcast_to(condition_floats(domain, args), shape)
        if not inside.all():
            raise outside(site, args, int(np.argmin(inside)))
    pieces = meaning.pieces(site.params)
    if len(pieces) == 1 and pieces[0].condition == TRUE:
        return np.broadcast_to(term_floats(pieces[0].term, args), shape)
    spread = np.broadcast_arrays(*args)
    conditions = [np.broadcast_to(condition_floats(p.condition, spread), shape) for p in pieces]
    values = [np.broadcast_to(term_floats(p.term, spread), shape) for p in pieces]
    return np.asarray(np.select(conditions, values, default=np.nan))


def outside(site: Site, args: Sequence[Array], at: int) -> DomainError:
    """The error for the element number ``at`` of a pointwise op that has no value there."""
    index = tuple(int(i) for i in np.unravel_index(at, site.shape))
    point = ", ".join(str(np.broadcast_to(arg, site.shape)[index]) for arg in args)
    place = f"at element {list(index)}, " if index else "at "
    return DomainError(
        f"{site.op.name} ({site.op.summary}) has no value {place}argument {point}.",
        where=site.where,
    )


def _order(left: float, right: float) -> int:
    return (left > right) - (left < right)


def _reduction(name: str) -> Callable[[Array], Array]:
    match name:
        case "add":
            return lambda a: np.add.reduce(a, axis=0)
        case "mul":
            return lambda a: np.multiply.reduce(a, axis=0)
        case "maximum":
            return lambda a: np.maximum.reduce(a, axis=0)
        case "minimum":
            return lambda a: np.minimum.reduce(a, axis=0)
        case _:
            raise ValueError(f"no fold of {name}")

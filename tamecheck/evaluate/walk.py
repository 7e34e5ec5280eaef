"""Walks over graphs: nodes once each, and ops on elements of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from tamecheck.errors import InputError
from tamecheck.exact.arrays import from_list
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import (
    Contraction,
    Fold,
    Op,
    Params,
    Pointwise,
    Routing,
)
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops import ADD, BY_NAME
from tamecheck.ops.shapes import axes_of, axis_of

T = TypeVar("T")


class Shaped(Protocol):
    """A tensor of some kind."""

    @property
    def shape(self) -> Shape:
        """Its shape."""
        ...


S = TypeVar("S", bound=Shaped)


@dataclass(frozen=True, slots=True)
class Site:
    """An op where it stands in a graph: its parameters, its output shape, the node's name."""

    op: Op
    params: Params
    shape: Shape
    where: str = ""


def site_of(graph: Graph, index: int, node: Apply) -> Site:
    """The site of a node."""
    return Site(node.op, node.params, node.shape, graph.name_of(index))


def run(
    graph: Graph,
    roots: Sequence[int],
    leaf: Callable[[int, Input | Constant], T],
    apply: Callable[[int, Apply, list[T]], T],
) -> dict[int, T]:
    """The values of ``roots``, in one pass over their ancestors.

    A value is dropped after its last user, so the memory in use is that of the live tensors.
    """
    values: dict[int, T] = {}
    whole = tuple(roots) == graph.output_nodes
    for index, ended in graph.schedule if whole else graph.schedule_of(roots):
        node = graph.nodes[index]
        if not isinstance(node, Apply):
            values[index] = leaf(index, node)
            continue
        values[index] = apply(index, node, [values[arg] for arg in node.args])
        for arg in ended:
            del values[arg]
    return values


def evaluate_expansion(
    expand: Callable[..., int], site: Site, argument: S, apply: Callable[[Site, list[S]], S]
) -> S:
    """The value of an op that is defined by others: its expression, evaluated as it is built."""
    values = [argument]

    def add(name: str, args: Sequence[int], **parameters: Any) -> int:
        op, given = BY_NAME[name], [values[arg] for arg in args]
        params = op.checked(parameters)
        shape = op.shape([value.shape for value in given], params)
        values.append(apply(Site(op, params, shape, site.where), given))
        return len(values) - 1

    return values[expand(add, 0, argument.shape, site.params)]


@dataclass(frozen=True, slots=True)
class Elements(Generic[T]):
    """What ops make of tensors whose elements are values of the caller's, one element at a time."""

    constant: Callable[[Fraction], T]
    """A number that a routing op inserts."""
    pointwise: Callable[[Pointwise, Site], Callable[[Sequence[T]], T]]
    """The value of an op as a function of its arguments' elements."""
    product: Callable[[T, T], T]
    fold: Callable[[Op, Sequence[T]], T]
    """What an op of two arguments makes of a row."""

    def value(self, site: Site, args: Sequence[Array]) -> Array | None:
        """The elements of an op; None for one that selects, or that is defined by others."""
        match site.op.meaning:
            case Pointwise() as meaning:
                value = self.pointwise(meaning, site)
                found = list(map(value, element_rows(args, site.shape)))
            case Routing(route):
                moved = np.asarray(route(args, site.params), dtype=object).reshape(-1).tolist()
                found = [self.constant(v) if isinstance(v, Fraction) else v for v in moved]
            case Contraction():
                pairs = _factors(args[0], args[1])
                found = [self.fold(ADD, list(map(self.product, *pair))) for pair in pairs]
            case Fold(op):
                lanes = lanes_of(site.op, args[0], site.params).tolist()
                found = [self.fold(op, lane) for lane in lanes]
            case _:
                return None
        return from_list(site.shape, found)


def element_rows(args: Sequence[Array], shape: Shape) -> Iterator[tuple[Any, ...]]:
    """The arguments of each element of an op that broadcasts them to a shape."""
    return zip(*(np.broadcast_to(arg, shape).reshape(-1).tolist() for arg in args), strict=True)


def _factors(left: Array, right: Array) -> Iterator[tuple[list[Any], list[Any]]]:
    """The row and the column of each element of a matrix product."""
    a = left[None, :] if left.ndim == 1 else left
    b = right[:, None] if right.ndim == 1 else right
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    wide = [np.broadcast_to(m, (*lead, *m.shape[-2:])).reshape((-1, *m.shape[-2:])) for m in (a, b)]
    for rows, matrix in zip(*wide, strict=True):
        columns = matrix.T.tolist()
        yield from product(rows.tolist(), columns)


def checked_inputs(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The inputs as arrays, once every input of the graph is there with its shape.

    Raises `InputError`, naming an input that is missing, unknown, of the wrong shape or not real.
    """
    known = graph.inputs
    for name in inputs:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise InputError(f"The model has no input {name!r}.", hint=f"Inputs: {listed}.")
    found: dict[str, Array] = {}
    for name, shape in known.items():
        if name not in inputs:
            raise InputError(f"No value is given for input {name!r} of shape {shape}.")
        array = np.asarray(inputs[name])
        if array.shape != shape:
            raise InputError(f"Input {name!r} has shape {shape}, but the array {array.shape}.")
        if array.dtype.kind not in "biufO":
            raise InputError(f"Input {name!r} has type {array.dtype}.", hint="Give real numbers.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"Input {name!r} holds NaN or infinity.", hint="Give real numbers.")
        found[name] = array
    return found


def folded_first(array: Array, params: Params) -> Array:
    """The array with the axes of parameter ``axes`` flattened into one leading axis."""
    axes = axes_of(array.shape, params)
    rest = tuple(i for i in range(array.ndim) if i not in axes)
    moved = array.transpose((*axes, *rest))
    count = size_of(tuple(array.shape[axis] for axis in axes))
    return moved.reshape((count, *(array.shape[axis] for axis in rest)))


def axis_last(array: Array, params: Params) -> Array:
    """The array with the axis of parameter ``axis`` last, and the others flattened."""
    axis = axis_of(array.shape, params)
    rest = tuple(i for i in range(array.ndim) if i != axis)
    moved = array.transpose((*rest, axis))
    return moved.reshape((-1, array.shape[axis])) if array.size else moved.reshape((0, 1))


def lanes_of(op: Op, array: Array, params: Params) -> Array:
    """What a fold or a choice takes together, a row for each."""
    if not isinstance(op.meaning, Fold):
        return axis_last(array, params)
    first = folded_first(array, params)
    return first.reshape(len(first), size_of(first.shape[1:])).T

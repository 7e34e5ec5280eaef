"""Evaluation order: nodes once each, values dropped after their last user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Fold, Op, Params
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops import BY_NAME
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
    order = list(graph.ancestors(roots))
    last: dict[int, int] = dict.fromkeys(roots, len(graph.nodes))
    for index in order:
        node = graph.nodes[index]
        if isinstance(node, Apply):
            for arg in node.args:
                last[arg] = max(index, last.get(arg, -1))
    values: dict[int, T] = {}
    for index in order:
        node = graph.nodes[index]
        if not isinstance(node, Apply):
            values[index] = leaf(index, node)
            continue
        values[index] = apply(index, node, [values[arg] for arg in node.args])
        for arg in set(node.args):
            if last[arg] == index:
                del values[arg]
    return values


def expanded(
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

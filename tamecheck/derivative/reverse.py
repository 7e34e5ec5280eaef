"""The derivative of each node with respect to its arguments, and reverse sweeps through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias, assert_never

import numpy as np
from flint import arb, fmpq

from tamecheck.derivative.cone import Row
from tamecheck.derivative.kinks import sign_of
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Site as Place
from tamecheck.evaluate.walk import axis_last, folded_first
from tamecheck.exact.arrays import exact_matmul, objects
from tamecheck.exact.reals import Number, UndecidedError
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Routing, Selection
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.shapes import axes_of

__all__ = [
    "Averaged",
    "Local",
    "Moved",
    "Multiplied",
    "Scaled",
    "Summed",
    "Tie",
    "Values",
    "compared_groups",
    "input_rows",
    "linear_local",
    "output_matrix",
    "routed",
    "rows_of",
    "scaled",
    "tied_groups",
    "zeros",
]


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Pointwise: the partial derivative by each argument, in the node's shape; None for zero."""

    partials: tuple[Array | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Element i is element ``index[i]`` of the arguments in one row; beyond them, a constant."""

    index: Array


@dataclass(frozen=True, slots=True, eq=False)
class Multiplied:
    """A matrix product; the factors' values, or None where the other one is constant."""

    left: Array | None
    right: Array | None


@dataclass(frozen=True, slots=True, eq=False)
class Summed:
    """A sum over axes."""

    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """Element i is the mean of the argument's elements at some flat positions."""

    groups: tuple[tuple[int, ...], ...]


Local: TypeAlias = Scaled | Moved | Multiplied | Summed | Averaged


def zeros(shape: Shape) -> Array:
    """An exact array of zeros."""
    return np.full(shape, fmpq(0), dtype=object)


def rows_of(
    graph: Graph, locals_: Mapping[int, Local], node: int, elements: Sequence[int]
) -> dict[int, Array]:
    """The derivative of elements of a node by every input node: arrays ``(elements, *shape)``."""
    seed = zeros((len(elements), size_of(graph.nodes[node].shape)))
    for row, element in enumerate(elements):
        seed[row, element] = fmpq(1)
    pending: dict[int, Array] = {node: seed.reshape((len(elements), *graph.nodes[node].shape))}
    found: dict[int, Array] = {}
    for index in range(node, -1, -1):
        if index not in pending:
            continue
        cotangent = pending.pop(index)
        current = graph.nodes[index]
        if isinstance(current, Input):
            found[index] = cotangent
        elif isinstance(current, Apply) and index in locals_:
            shapes = [graph.nodes[arg].shape for arg in current.args]
            parts = _pulled(locals_[index], cotangent, shapes)
            for arg, part in zip(current.args, parts, strict=True):
                if part is not None and not graph.input_free[arg]:
                    pending[arg] = pending[arg] + part if arg in pending else part
    return found


def input_rows(
    graph: Graph, locals_: Mapping[int, Local], node: int, elements: Sequence[int]
) -> list[Row]:
    """The derivative of elements of a node by all input elements, in one row each."""
    found = rows_of(graph, locals_, node, elements)
    blocks: list[Array] = []
    for index, current in enumerate(graph.nodes):
        if isinstance(current, Input):
            size = size_of(current.shape)
            block = found.get(index)
            wide = zeros((len(elements), size)) if block is None else block
            blocks.append(wide.reshape((len(elements), size)))
    table: list[list[Any]] = np.concatenate(blocks, axis=1).tolist() if blocks else [[]]
    return [tuple(row) for row in table]


def _pulled(local: Local, cotangent: Array, shapes: Sequence[Shape]) -> list[Array | None]:
    """The cotangents of the arguments."""
    match local:
        case Scaled(partials):
            return [
                None if p is None else _unbroadcast(np.asarray(cotangent * p), shape)
                for p, shape in zip(partials, shapes, strict=True)
            ]
        case Moved(index):
            return _scattered(index, cotangent, shapes)
        case Multiplied(left, right):
            return [
                None if right is None else _times_right(cotangent, right, shapes[0]),
                None if left is None else _times_left(cotangent, left, shapes[1]),
            ]
        case Averaged(groups):
            flat = zeros((len(cotangent), size_of(shapes[0])))
            for column, group in enumerate(groups):
                share = cotangent.reshape((len(cotangent), -1))[:, column] / fmpq(len(group))
                for place in group:
                    flat[:, place] = flat[:, place] + share
            return [flat.reshape((len(cotangent), *shapes[0]))]
        case Summed(axes):
            kept = tuple(1 if i in axes else n for i, n in enumerate(shapes[0]))
            wide = cotangent.reshape((len(cotangent), *kept))
            return [np.broadcast_to(wide, (len(cotangent), *shapes[0]))]
        case _:
            assert_never(local)


def _unbroadcast(array: Array, shape: Shape) -> Array:
    """The sum over the axes along which an argument was repeated."""
    extra = array.ndim - 1 - len(shape)
    if extra:
        array = np.asarray(array.sum(axis=tuple(range(1, 1 + extra))))
    repeated = tuple(
        axis + 1 for axis, n in enumerate(shape) if n == 1 and array.shape[axis + 1] != 1
    )
    return np.asarray(array.sum(axis=repeated, keepdims=True)) if repeated else array


def _scattered(index: Array, cotangent: Array, shapes: Sequence[Shape]) -> list[Array | None]:
    total = sum(size_of(shape) for shape in shapes)
    flat = zeros((len(cotangent), total + 1))
    source = cotangent.reshape((len(cotangent), -1))
    places = index.reshape(-1)
    if len(set(places.tolist())) == len(places):
        flat[:, places] = source
    else:
        for column, place in enumerate(places.tolist()):
            flat[:, place] = flat[:, place] + source[:, column]
    parts: list[Array | None] = []
    start = 0
    for shape in shapes:
        stop = start + size_of(shape)
        parts.append(flat[:, start:stop].reshape((len(cotangent), *shape)))
        start = stop
    return parts


def _product(left: Array, right: Array) -> Array:
    shape = np.matmul(np.empty(left.shape, bool), np.empty(right.shape, bool)).shape
    return exact_matmul(left, right, tuple(int(n) for n in shape))


def _times_right(cotangent: Array, right: Array, shape: Shape) -> Array:
    """The cotangent of the left factor of ``left @ right``."""
    wide = cotangent
    if right.ndim == 1:
        wide = cotangent[..., None]
        found = _product(wide, right[None, :])
    elif len(shape) == 1:
        found = _product(cotangent[..., None, :], np.swapaxes(right, -1, -2))[..., 0, :]
    else:
        found = _product(cotangent, np.swapaxes(right, -1, -2))
    return _unbroadcast(np.asarray(found), shape)


def _times_left(cotangent: Array, left: Array, shape: Shape) -> Array:
    """The cotangent of the right factor of ``left @ right``."""
    if len(shape) == 1:
        wide = cotangent[..., None] if left.ndim > 1 else cotangent[..., None, None]
        flat = left if left.ndim > 1 else left[None, :]
        found = _product(np.swapaxes(flat, -1, -2), wide)[..., 0]
    elif left.ndim == 1:
        found = _product(left[:, None], cotangent[..., None, :])
    else:
        found = _product(np.swapaxes(left, -1, -2), cotangent)
    return _unbroadcast(np.asarray(found), shape)


def output_matrix(graph: Graph, locals_: Mapping[int, Local]) -> tuple[Row, ...]:
    """The Jacobian of all outputs by all inputs for one choice of local derivatives."""
    rows: list[Row] = []
    for _, node in graph.outputs:
        shape = graph.nodes[node].shape
        rows += input_rows(graph, locals_, node, range(size_of(shape)))
    return tuple(rows)


Values: TypeAlias = Mapping[int, Array]
"""The exact value of each node so far."""


def scaled(slopes: Sequence[Sequence[Number]], shape: Shape, moving: Sequence[bool]) -> Scaled:
    """The derivative of a pointwise op from that of every element."""
    partials: list[Array | None] = []
    for arg, moves in enumerate(moving):
        if not moves:
            partials.append(None)
            continue
        column = zeros((len(slopes),))
        column[:] = [slope[arg] for slope in slopes]
        partials.append(column.reshape(shape))
    return Scaled(tuple(partials))


def linear_local(
    graph: Graph, node: Apply, args: Sequence[Array], needed: Array | None = None
) -> Local:
    """The derivative of an op that is smooth everywhere.

    Raises
    ------
    UnsupportedError
        For a sort of tied elements, of which one that matters.
    """
    shapes = [graph.nodes[arg].shape for arg in node.args]
    match node.op.meaning:
        case Routing():
            return Moved(routed(node, shapes))
        case Contraction():
            moving = [not graph.input_free[arg] for arg in node.args]
            return Multiplied(args[0] if moving[1] else None, args[1] if moving[0] else None)
        case Fold("add"):
            return Summed(axes_of(shapes[0], node.params))
        case Selection() if node.op.name in ("gather", "gather_elements"):
            numbers = np.arange(size_of(shapes[0])).reshape(shapes[0])
            whole = np.array([int(_whole(v)) for v in objects(args[1]).reshape(-1).tolist()])
            place = Place(node.op, node.params, node.shape, node.label or node.op.name)
            return Moved(
                np.asarray(pick(place, numbers, whole.reshape(shapes[1]).astype(np.int64)))
            )
        case Selection():
            _check_distinct(node, args[0], needed)
            return Scaled((None,))
        case _:
            raise UnsupportedError(
                "There is no derivative for this op.", nodes=[(node.label, node.op.name)]
            )


def _whole(value: Number) -> fmpq:
    if isinstance(value, arb):
        raise UndecidedError
    return value


def _check_distinct(node: Apply, data: Array, needed: Array | None) -> None:
    wanted = np.ones(data.shape, dtype=bool) if needed is None else needed
    lanes = axis_last(objects(data), node.params)
    for lane in lanes[axis_last(wanted, node.params).any(axis=1)].tolist():
        for i, left in enumerate(lane):
            if any(sign_of(left - right) == 0 for right in lane[i + 1 :]):
                raise UnsupportedError(
                    "Sorted elements are tied at this point.",
                    nodes=[(node.label or node.op.name, "tied")],
                    hint="Move the point.",
                )


def routed(node: Apply, shapes: Sequence[Shape]) -> Array:
    """Where each element of a routing op comes from, in the arguments' elements in one row."""
    meaning = node.op.meaning
    start, numbers = 0, list[Array]()
    for shape in shapes:
        numbers.append(np.arange(start, start + size_of(shape)).reshape(shape))
        start += size_of(shape)
    params = dict(node.params)
    if isinstance(params.get("value"), Fraction):
        params["value"] = Fraction(start)
    if not isinstance(meaning, Routing):
        raise UnsupportedError("This op moves no elements.", nodes=[(node.label, node.op.name)])
    return np.asarray(meaning.route(numbers, params)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Tie:
    """A group of flat positions to choose from, and those that are tied for the best."""

    group: tuple[int, ...]
    tied: tuple[int, ...]

    def place(self, element: int) -> int:
        """The number of an element in its group."""
        return self.group.index(element)


def compared_groups(node: Apply, shape: Shape) -> Array:
    """The flat positions that a fold or choice compares, one row for each output element."""
    numbers = np.arange(size_of(shape)).reshape(shape)
    if isinstance(node.op.meaning, Fold):
        first = folded_first(numbers, node.params)
        return first.reshape(len(first), -1).T
    return axis_last(numbers, node.params)


def tied_groups(node: Apply, data: Array) -> list[Tie]:
    """The groups of a fold or choice, in the order of the output elements."""
    sign = 1 if node.op.name in ("reduce_max", "argmax") else -1
    last = bool(node.params.get("last", False))
    flat = objects(data).reshape(-1).tolist()
    ties: list[Tie] = []
    for row in compared_groups(node, data.shape).tolist():
        best: list[int] = []
        for element in row:
            order = sign * sign_of(flat[element] - flat[best[0]]) if best else 1
            if order > 0:
                best = [element]
            elif order == 0:
                best.append(element)
        ties.append(Tie(tuple(row), tuple(best[::-1] if last else best)))
    return ties

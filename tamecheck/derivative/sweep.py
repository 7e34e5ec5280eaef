"""The derivative of each node with respect to its arguments, and reverse sweeps through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

import numpy as np
from flint import fmpq

from tamecheck.derivative.cone import Row
from tamecheck.exact.matrix import exact_matmul
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.tensor import Array, Shape, size_of

__all__ = [
    "Averaged",
    "Local",
    "Moved",
    "Multiplied",
    "Scaled",
    "Summed",
    "input_rows",
    "output_matrix",
    "rows_of",
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

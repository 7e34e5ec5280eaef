"""The derivatives of nodes by their arguments, and reverse sweeps through them.

Cotangents have leading axes of their own in front of a node's: one for rows of the Jacobian, and
one more for a batch of points.  Their elements are exact numbers or floats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

import numpy as np
from flint import fmpq

from tamecheck import ops
from tamecheck.derivative.cone import Row
from tamecheck.derivative.kinks import sign_of
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.selection import compared_groups, gather_index, route_index
from tamecheck.evaluate.walk import axis_last, element_rows, site_of
from tamecheck.exact.arrays import exact_matmul, objects, pad_rank
from tamecheck.exact.reals import Number, UndecidedError
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Routing, Selection
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.facets import chooses_indices, extremum
from tamecheck.ops.shapes import axes_of

Values: TypeAlias = Mapping[int, Array]
"""The exact value of each node so far."""

UNIT = np.asarray(1.0)
"""The partial derivative of what is only copied."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Pointwise: the partial derivative by each argument, in the node's shape; None for zero."""

    partials: tuple[Array | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Element i is element ``index[i]`` of the arguments in one row; beyond them, a constant."""

    index: Array


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Element i is element ``places[..., i]`` of the argument, another one in each batch row."""

    places: Array
    distinct: bool


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
    """Element i is the mean of some elements of the arguments in one row."""

    groups: Sequence[Sequence[int]]


Local: TypeAlias = Scaled | Moved | Picked | Multiplied | Summed | Averaged


def zeros(shape: Sequence[int], dtype: Any = object) -> Array:
    """An array of zeros, exact ones unless another type is given."""
    return np.full(shape, fmpq(0) if dtype is object else 0, dtype=dtype)


def pull(
    local: Local, cotangent: Array, shapes: Sequence[Shape], lead: int = 1
) -> list[Array | None]:
    """The cotangents of a node's arguments, behind so many leading axes; None for zero."""
    head = cotangent.shape[:lead]
    match local:
        case Scaled(partials):
            return [
                None
                if p is None
                else _unbroadcast(
                    cotangent if p is UNIT else np.asarray(cotangent * p), shape, lead
                )
                for p, shape in zip(partials, shapes, strict=True)
            ]
        case Multiplied(left, right):
            return _pull_product(left, right, cotangent, shapes, lead)
        case Summed(axes):
            kept = tuple(1 if i in axes else n for i, n in enumerate(shapes[0]))
            return [np.broadcast_to(cotangent.reshape((*head, *kept)), (*head, *shapes[0]))]
        case Picked(places, distinct):
            return [_pull_picked(places, cotangent, shapes[0], distinct=distinct)]
        case Moved() | Averaged():
            sizes = [size_of(shape) for shape in shapes]
            exact = cotangent.dtype == object
            flat = zeros((*head, sum(sizes) + 1), object if exact else cotangent.dtype)
            source = cotangent.reshape((*head, -1))
            if isinstance(local, Averaged):
                counts = [len(group) for group in local.groups]
                shares = source / np.array([fmpq(n) if exact else n for n in counts])
                source = np.repeat(shares, counts, axis=-1)
                places = np.array([place for group in local.groups for place in group], np.int64)
            else:
                places = local.index.reshape(-1)
            if len(np.unique(places)) == places.size:
                flat[..., places] = source
            else:
                columns = flat.reshape((-1, flat.shape[-1])).T
                np.add.at(columns, places, source.reshape((-1, len(places))).T)
            blocks = np.split(flat, np.cumsum(sizes), axis=-1)
            return [b.reshape((*head, *shape)) for b, shape in zip(blocks, shapes, strict=False)]
        case _:
            assert_never(local)


def _unbroadcast(array: Array, shape: Shape, lead: int) -> Array:
    """The sum over the axes along which an argument was repeated."""
    extra = array.ndim - lead - len(shape)
    if extra:
        array = np.asarray(array.sum(axis=tuple(range(lead, lead + extra))))
    axes = tuple(
        axis + lead for axis, n in enumerate(shape) if n == 1 and array.shape[axis + lead] != 1
    )
    return np.asarray(array.sum(axis=axes, keepdims=True)) if axes else array


def _pull_picked(places: Array, cotangent: Array, shape: Shape, *, distinct: bool) -> Array:
    batch, outputs = max(len(cotangent), len(places)), cotangent.shape[1]
    wide = np.broadcast_to(cotangent, (batch, *cotangent.shape[1:]))
    source = wide.reshape((batch, outputs, -1))
    spread = np.zeros((batch, outputs, size_of(shape)), dtype=cotangent.dtype)
    where = np.broadcast_to(places, source.shape)
    if distinct:
        np.put_along_axis(spread, where, source, axis=2)
    else:
        cell, row = np.ogrid[:batch, :outputs]
        np.add.at(spread, (cell[:, :, None], row[:, :, None], where), source)
    return spread.reshape((batch, outputs, *shape))


def multiply(left: Array, right: Array) -> Array:
    """``left @ right`` of exact arrays, or of floats behind two leading axes."""
    if object in (left.dtype, right.dtype):
        shape = np.matmul(np.empty(left.shape, bool), np.empty(right.shape, bool)).shape
        return exact_matmul(left, right, tuple(int(n) for n in shape))
    if right.ndim == 4 and right.shape[:2] == (1, 1):
        # one large product where the right factor is the same matrix for all
        matrix = right[0, 0]
        flat = np.ascontiguousarray(left.reshape((-1, left.shape[-1]))) @ matrix
        return flat.reshape((*left.shape[:-1], matrix.shape[-1]))
    rank = max(left.ndim, right.ndim) - 2
    # without contiguous rows NumPy multiplies in a loop of its own, many times slower than BLAS
    return np.matmul(
        np.ascontiguousarray(pad_rank(left, rank)), np.ascontiguousarray(pad_rank(right, rank))
    )


def _pull_product(
    left: Array | None, right: Array | None, cotangent: Array, shapes: Sequence[Shape], lead: int
) -> list[Array | None]:
    row, column = len(shapes[0]) == 1, len(shapes[1]) == 1
    wide = cotangent[..., None] if column else cotangent
    if row:
        wide = wide[..., None, :]
    by_left = by_right = None
    if right is not None:
        factor = right[..., None] if column else right
        by_left = multiply(wide, np.swapaxes(factor, -1, -2))
        by_left = _unbroadcast(by_left[..., 0, :] if row else by_left, shapes[0], lead)
    if left is not None:
        factor = left[..., None, :] if row else left
        by_right = multiply(np.swapaxes(factor, -1, -2), wide)
        by_right = _unbroadcast(by_right[..., 0] if column else by_right, shapes[1], lead)
    return [by_left, by_right]


def pull_back(
    graph: Graph, locals_: Mapping[int, Local], seeds: Mapping[int, Array], lead: int = 1
) -> dict[int, Array]:
    """The cotangents of the input nodes, from those of some nodes."""
    pending, found = dict(seeds), dict[int, Array]()
    for index in range(max(pending, default=-1), -1, -1):
        if index not in pending:
            continue
        cotangent, node = pending.pop(index), graph.nodes[index]
        if isinstance(node, Input):
            found[index] = cotangent
        elif isinstance(node, Apply) and index in locals_:
            shapes = [graph.nodes[arg].shape for arg in node.args]
            parts = pull(locals_[index], cotangent, shapes, lead)
            for arg, part in zip(node.args, parts, strict=True):
                if part is not None and not graph.input_free[arg]:
                    pending[arg] = pending[arg] + part if arg in pending else part
    return found


def join_inputs(graph: Graph, found: Mapping[int, Array], head: Sequence[int], dtype: Any) -> Array:
    """Cotangents of all input elements in one row, behind some leading axes."""
    blocks: list[Array] = []
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Input):
            size = size_of(node.shape)
            block = found.get(index)
            wide = zeros((*head, size), dtype) if block is None else block
            flat = wide.reshape((*wide.shape[: len(head)], size))
            blocks.append(np.broadcast_to(flat, (*head, size)))
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate(blocks, axis=-1) if blocks else zeros((*head, 0), dtype)


def input_rows(
    graph: Graph, locals_: Mapping[int, Local], node: int, elements: Sequence[int]
) -> list[Row]:
    """The derivative of elements of a node by all input elements, in one row each."""
    shape = graph.nodes[node].shape
    seed = zeros((len(elements), size_of(shape)))
    for row, element in enumerate(elements):
        seed[row, element] = fmpq(1)
    found = pull_back(graph, locals_, {node: seed.reshape((len(elements), *shape))})
    table: list[list[Any]] = join_inputs(graph, found, (len(elements),), object).tolist()
    return [tuple(row) for row in table]


def output_matrix(graph: Graph, locals_: Mapping[int, Local]) -> tuple[Row, ...]:
    """The Jacobian of all outputs by all inputs for one choice of local derivatives."""
    return tuple(
        row
        for _, node in graph.outputs
        for row in input_rows(graph, locals_, node, range(size_of(graph.nodes[node].shape)))
    )


def points_of(args: Sequence[Array], node: Apply) -> Iterator[tuple[Number, ...]]:
    """The arguments of each element of a pointwise op."""
    return element_rows(list(map(objects, args)), node.shape)


def scaled(slopes: Sequence[Sequence[Number]], shape: Shape, moving: Sequence[bool]) -> Scaled:
    """The derivative of a pointwise op from that of every element."""
    partials: list[Array | None] = []
    for arg, moves in enumerate(moving):
        column = zeros((len(slopes),)) if moves else None
        if column is not None:
            column[:] = [slope[arg] for slope in slopes]
            column = column.reshape(shape)
        partials.append(column)
    return Scaled(tuple(partials))


def linear_local(
    graph: Graph, index: int, args: Sequence[Array], needed: Array | None = None
) -> Local:
    """The derivative of a node whose op compares nothing, or only sorts.

    Raises `UnsupportedError` for a sort of tied elements, of which one matters.
    """
    node = graph.nodes[index]
    assert isinstance(node, Apply)  # noqa: S101 (what is asked for)
    shapes = [graph.nodes[arg].shape for arg in node.args]
    match node.op.meaning:
        case Routing():
            return Moved(route_index(node, shapes))
        case Contraction():
            moving = [not graph.input_free[arg] for arg in node.args]
            return Multiplied(args[0] if moving[1] else None, args[1] if moving[0] else None)
        case Fold(ops.ADD):
            return Summed(axes_of(shapes[0], node.params))
        case Selection() if chooses_indices(node.op):
            _check_distinct(node, args[0], needed)
            return Scaled((None,))
        case Selection():
            if not all(isinstance(v, fmpq) for v in objects(args[1]).reshape(-1).tolist()):
                raise UndecidedError
            return Moved(gather_index(site_of(graph, index, node), shapes[0], args[1]))
        case _:
            raise UnsupportedError(
                "There is no derivative for this op.", nodes=[(node.label, node.op.name)]
            )


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


def even_ties(node: Apply, data: Array, local: Local) -> Local | None:
    """The mean of what is tied with each element that is moved; None if nothing is."""
    if not isinstance(node.op.meaning, Selection) or not isinstance(local, Moved) or data.ndim != 1:
        return None
    flat = data.tolist()
    places: list[int] = local.index.reshape(-1).tolist()
    groups = [[k for k, v in enumerate(flat) if sign_of(v - flat[p]) == 0] for p in places]
    return Averaged(groups) if any(len(group) > 1 for group in groups) else None


@dataclass(frozen=True, slots=True)
class Tie:
    """A group of flat positions to choose from, and those that are tied for the best."""

    group: tuple[int, ...]
    tied: tuple[int, ...]


def tied_groups(node: Apply, data: Array) -> list[Tie]:
    """The groups of a fold or choice, in the order of the output elements."""
    sign, last = extremum(node.op), bool(node.params.get("last", False))
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

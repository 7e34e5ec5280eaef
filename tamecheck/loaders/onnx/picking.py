"""Operators that pick elements by indices, put them at indices, or find indices.

For computed indices each place is compared with every index.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.kinds import BOOL, INT64
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, axis_in

MAX_COMPARISONS = 2**20

_EXTREMES: Mapping[str, tuple[Op, Op]] = {
    "max": (ops.REDUCE_MAX, ops.MAXIMUM),
    "min": (ops.REDUCE_MIN, ops.MINIMUM),
}


def put_along(
    value: Value, indices: Value, updates: Value, axis: int, reduction: str = "none"
) -> Value:
    """Each update at its own position, but along an axis at its index, as ScatterElements says."""
    fits = indices.rank == value.rank and updates.shape == indices.shape
    if not fits or any(n > m for i, (n, m) in enumerate(_both(indices, value)) if i != axis):
        raise InputError(f"Indices of shape {indices.shape} do not fit shape {value.shape}.")
    own = tuple(m if i == axis else n for i, (n, m) in enumerate(_both(indices, value)))
    if own != value.shape:
        raise UnsupportedError("computed indices of a part of the other axes are not read.")
    last = [*(i for i in range(value.rank) if i != axis), axis]
    rows = math.prod(own) // max(own[axis], 1)
    lines, places, news = (
        part.transpose(last).reshape((rows, part.shape[axis])) for part in (value, indices, updates)
    )
    found = _put_computed(lines, places, news, reduction)
    back = np.argsort(last).tolist()
    return found.reshape([own[i] for i in last]).transpose(back)


def put_at(value: Value, indices: Value, updates: Value, reduction: str = "none") -> Value:
    """Each slice of the updates at its tuple of indices, as ScatterND says."""
    depth = indices.shape[-1] if indices.rank else 0
    if not 1 <= depth <= value.rank:
        raise InputError(f"Indices of shape {indices.shape} do not fit shape {value.shape}.")
    extents, rest = value.shape[:depth], value.shape[depth:]
    if updates.shape != (*indices.shape[:-1], *rest):
        raise InputError(f"Updates of shape {updates.shape} do not fit shape {value.shape}.")
    number, room, width = math.prod(indices.shape[:-1]), math.prod(extents), math.prod(rest)
    flat = _flat(indices.reshape((number, depth)), extents)
    lines = value.reshape((room, width)).transpose((1, 0))
    news = updates.reshape((number, width)).transpose((1, 0))
    found = _put_computed(lines, flat.reshape((1, number)), news, reduction)
    return found.transpose((1, 0)).reshape(value.shape)


def _both(one: Value, other: Value) -> Sequence[tuple[int, int]]:
    return list(zip(one.shape, other.shape, strict=False))


def _flat(indices: Value, extents: Shape) -> Value:
    """The positions of index tuples in a tensor whose axes are joined."""
    total: Value | None = None
    for i, extent in enumerate(extents):
        place = _from_start(indices.part(1, i), extent)
        total = place if total is None else total * extent + place
    return indices.part(1, 0) if total is None else total


def _from_start(indices: Value, extent: int) -> Value:
    """Indices counted from the start; negative ones count from the end."""
    return indices + indices.apply(ops.LESS, 0, kind=INT64) * extent


def _put_computed(lines: Value, indices: Value, news: Value, reduction: str) -> Value:
    """Rows with the elements of other rows put at indices; one row of indices may do for all."""
    (rows, extent), (_, count) = lines.shape, indices.shape
    if rows * extent * count > MAX_COMPARISONS:
        raise UnsupportedError(f"{rows * count} computed indices of {extent} places are not read.")
    places = lines.emitter.constant(np.arange(extent).reshape(1, 1, extent))
    spread = _from_start(indices, extent).reshape((*indices.shape, 1))
    hit = spread.apply(ops.EQUAL, places, kind=BOOL)
    each = news.reshape((rows, count, 1))
    match reduction:
        case "none":
            last = hit.apply(ops.ARGMAX, axis=1, keepdims=False, last=True, kind=INT64)
            some = hit.apply(ops.REDUCE_MAX, axes=(1,), keepdims=False)
            chosen = news.apply(ops.GATHER_ELEMENTS, last.broadcast((rows, extent)), axis=1)
            return some.select(chosen, lines, lines.kind)
        case "add":
            return lines + hit.select(each, 0, lines.kind).total((1,), keepdims=False)
        case "mul":
            factors = hit.select(each, 1, lines.kind)
            return lines * factors.apply(ops.PROD, axes=(1,), keepdims=False)
        case "max" | "min":
            fold, join = _EXTREMES[reduction]
            kept = hit.select(each, lines.reshape((rows, 1, extent)), lines.kind)
            return lines.apply(join, kept.apply(fold, axes=(1,), keepdims=False))
        case _:
            raise InputError(f"reduction cannot be {reduction!r}.")


MAX_TABLE = 2**24
"""Elements that are put at computed places are compared with at most this many places."""

_REDUCTIONS: Mapping[str, tuple[Op, int | None]] = {
    "add": (ops.SUM, 0),
    "mul": (ops.PROD, 1),
    "max": (ops.REDUCE_MAX, None),
    "min": (ops.REDUCE_MIN, None),
}
"""The fold of a reduction, and the number that changes nothing if there is one."""


def _wrap(indices: Value, extent: int) -> Value:
    """Constant indices counted from the start; computed ones as they are."""
    if indices.array is None:
        return indices
    return indices.emitter.constant(_counted(indices.array, extent), indices.kind)


def _counted(table: Array, extent: int) -> Array:
    """Known indices counted from the start."""
    whole = table.astype(np.int64)
    if whole.size and not (-extent <= int(whole.min()) and int(whole.max()) < extent):
        raise InputError(f"An index is outside an axis of extent {extent}.")
    return np.where(whole < 0, whole + extent, whole)


def _gather(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis = ctx.axis(0, value.rank)
    op = ops.GATHER if ctx.op == "Gather" else ops.GATHER_ELEMENTS
    return value.apply(op, _wrap(ctx.input(1), value.shape[axis]), axis=axis)


def _places(value: Value, indices: Array, batch: int) -> tuple[Array, int, Shape]:
    """Flat positions of index tuples, their range, and the axes that no index is about.

    The first ``batch`` axes of both are the same, and no index is about them.
    """
    depth = batch + (indices.shape[-1] if indices.ndim else 0)
    fits = indices.shape[:batch] == value.shape[:batch] and indices.ndim > batch >= 0
    if not fits or not batch < depth <= value.rank:
        raise InputError(f"Indices of shape {indices.shape} do not fit shape {value.shape}.")
    leading = np.indices(indices.shape[:-1], dtype=np.int64)[:batch]
    flat = np.zeros(indices.shape[:-1], dtype=np.int64)
    for i, extent in enumerate(value.shape[:depth]):
        own = leading[i] if i < batch else _counted(indices[..., i - batch], extent)
        flat = flat * extent + own
    return flat, math.prod(value.shape[:depth]), value.shape[depth:]


def _gather_nd(ctx: Context) -> Outputs:
    value, indices = ctx.input(0), ctx.input(1).known("'indices'")
    flat, count, rest = _places(value, indices, ctx.attributes.integer("batch_dims", 0))
    return value.reshape((count, *rest)).take(flat, 0)


def scatter(lines: Value, updates: Value, places: Array, reduction: str = "none") -> Value:
    """Slices along axis 0 with ``updates`` put at places, or joined with what is there.

    Without a reduction the last update of a place stays.
    """
    count = lines.shape[0]
    if updates.shape != (places.size, *lines.shape[1:]) or count > MAX_TABLE:
        raise InputError(f"Updates of shape {updates.shape} do not fit shape {lines.shape}.")
    if reduction != "none":
        places, updates = _join_updates(lines, updates, places, reduction)
    source = np.arange(count, dtype=np.int64)
    source[places] = count + np.arange(places.size, dtype=np.int64)
    return lines.apply(ops.CONCAT, updates, axis=0).take(source, 0)


def _join_updates(
    lines: Value, updates: Value, places: Array, reduction: str
) -> tuple[Array, Value]:
    """Every place once, with the fold of what is there and of all its updates."""
    if reduction not in _REDUCTIONS:
        raise InputError(f"reduction cannot be {reduction!r}.")
    if places.size == 0:
        return places, updates
    op, neutral = _REDUCTIONS[reduction]
    found, inverse, counts = np.unique(places, return_inverse=True, return_counts=True)
    depth = int(counts.max())
    if found.size * (depth + 1) > MAX_TABLE:
        raise UnsupportedError(f"{depth} updates of one place are not read.")
    size = updates.shape[0]
    joined = lines.take(found, 0).apply(ops.CONCAT, updates, axis=0)
    table = np.broadcast_to(np.arange(found.size)[:, None], (found.size, depth + 1)).copy()
    if neutral is not None:
        extra = updates.emitter.constant(np.int64(neutral)).broadcast((1, *updates.shape[1:]))
        joined = joined.apply(ops.CONCAT, extra, axis=0)
        table[:, 1:] = found.size + size
    order = np.argsort(inverse, kind="stable")
    rank = np.arange(size) - np.repeat(np.cumsum(counts) - counts, counts)
    table[inverse[order], 1 + rank] = found.size + order
    return found, joined.take(table, 0).apply(op, axes=(1,), keepdims=False)


def _scatter_nd(ctx: Context) -> Outputs:
    value, updates = ctx.input(0), ctx.input(2)
    reduction, indices = ctx.attributes.text("reduction", "none"), _known(ctx.input(1))
    if indices is None:
        return put_at(value, ctx.input(1), updates, reduction)
    flat, count, rest = _places(value, indices, 0)
    if updates.shape != (*indices.shape[:-1], *rest):
        raise InputError(f"Updates of shape {updates.shape} do not fit shape {value.shape}.")
    lines, news = value.reshape((count, *rest)), updates.reshape((flat.size, *rest))
    return scatter(lines, news, flat.reshape(-1), reduction).reshape(value.shape)


def _scatter_elements(ctx: Context) -> Outputs:
    value, updates = ctx.input(0), ctx.input(2)
    axis = ctx.axis(0, value.rank)
    reduction, indices = ctx.attributes.text("reduction", "none"), _known(ctx.input(1))
    if indices is None:
        return put_along(value, ctx.input(1), updates, axis, reduction)
    return _put(value, updates, _counted(indices, value.shape[axis]), axis, reduction)


def _known(indices: Value) -> Array | None:
    """Indices that are constant, or are computed from inputs whose values are given."""
    if indices.array is None and not indices.emitter.given:
        return None
    return indices.known("'indices'")


def _put(value: Value, updates: Value, table: Array, axis: int, reduction: str) -> Value:
    """Each update at its own position, but along an axis at the index in a table."""
    limits = [n for i, n in enumerate(value.shape) if i != axis]
    extents = [n for i, n in enumerate(table.shape) if i != axis]
    fits = table.ndim == value.rank and all(n <= m for n, m in zip(extents, limits, strict=True))
    if not fits or updates.shape != table.shape:
        raise InputError(f"Indices of shape {table.shape} do not fit shape {value.shape}.")
    position = np.indices(table.shape, dtype=np.int64)
    position[axis] = table
    flat = np.zeros(table.shape, dtype=np.int64)
    for i, extent in enumerate(value.shape):
        flat = flat * extent + position[i]
    lines, news = value.reshape((math.prod(value.shape),)), updates.reshape((table.size,))
    return scatter(lines, news, flat.reshape(-1), reduction).reshape(value.shape)


def _tensor_scatter(ctx: Context) -> Outputs:
    cache, update, starts = ctx.input(0), ctx.input(1), ctx.optional(2)
    axis = ctx.axis(-2, cache.rank)
    mode = ctx.attributes.text("mode", "linear")
    if update.rank != cache.rank or axis == 0 or mode not in ("linear", "circular"):
        raise InputError(f"An update of shape {update.shape} does not fit {cache.shape}.")
    batch, extent = cache.shape[0], cache.shape[axis]
    known = np.zeros(batch, np.int64) if starts is None else starts.known("'write_indices'")
    if known.shape != (batch,):
        raise InputError(f"Write indices of shape {known.shape} do not fit a batch of {batch}.")
    position = np.indices(update.shape, dtype=np.int64)
    table = position[axis] + known.astype(np.int64)[position[0]]
    table = table % extent if mode == "circular" else _counted(table, extent)
    return _put(cache, update, table, axis, "none")


def _max_unpool(ctx: Context) -> Outputs:
    value, indices = ctx.input(0), ctx.input(1)
    rank, listed = value.rank - 2, ctx.attributes.integers
    kernel, ones = listed("kernel_shape"), (1,) * rank
    strides, pads = listed("strides") or ones, listed("pads") or (0,) * (2 * rank)
    given = ctx.optional(2)
    if kernel is None or rank < 1 or not len(kernel) == len(strides) == rank == len(pads) // 2:
        raise InputError(f"The attributes of the windows do not fit shape {value.shape}.")
    own = tuple(
        (extent - 1) * strides[i] - pads[i] - pads[i + rank] + kernel[i]
        for i, extent in enumerate(value.shape[2:])
    )
    inner = (*value.shape[:2], *own)
    shape = inner if given is None else given.integers("'output_shape'")
    fits = len(shape) == value.rank and all(n >= m > 0 for n, m in zip(shape, inner, strict=True))
    if not fits or indices.shape != value.shape:
        raise InputError(f"The shape {list(shape)} does not fit {value.shape}.")
    size, room = math.prod(value.shape), math.prod(inner)
    flat, line = indices.reshape((size,)), value.reshape((size,))
    if indices.array is not None:
        zeros = ctx.constant(np.int64(0)).broadcast((room,))
        spread = scatter(zeros, line, _counted(indices.array.reshape(-1), room))
    else:
        if size * room > MAX_COMPARISONS:
            raise UnsupportedError(f"{size} computed indices of {room} places are not read.")
        places = ctx.constant(np.arange(room).reshape(1, room))
        hit = flat.reshape((size, 1)).apply(ops.EQUAL, places, kind=BOOL)
        last = hit.apply(ops.ARGMAX, axis=0, keepdims=False, last=True, kind=INT64)
        chosen = line.apply(ops.GATHER, last, axis=0)
        some = hit.apply(ops.REDUCE_MAX, axes=(0,), keepdims=False)
        spread = some.select(chosen, 0, value.kind)
    after = tuple(n - m for n, m in zip(shape, inner, strict=True))
    result = spread.reshape(inner)
    if not any(after):
        return result
    return result.apply(ops.PAD, before=(0,) * value.rank, after=after, value=Fraction(0))


def _along_or_flat(ctx: Context) -> tuple[Value, int]:
    """The first input and the axis to act along; without one, its elements as a vector."""
    value = ctx.input(0)
    if ctx.attributes.has("axis"):
        return value, ctx.axis(None, value.rank)
    return value.reshape((math.prod(value.shape),)), 0


def _compress(ctx: Context) -> Outputs:
    condition = ctx.input(1).known("'condition'")
    value, axis = _along_or_flat(ctx)
    if condition.ndim != 1 or condition.size > value.shape[axis]:
        raise InputError(f"A condition of shape {condition.shape} does not fit {value.shape}.")
    return value.take(np.flatnonzero(condition), axis)


def _non_zero(ctx: Context) -> Outputs:
    found = np.nonzero(ctx.input(0).known("what is not zero"))
    return ctx.constant(np.array(found, dtype=np.int64), INT64)


def _unique(ctx: Context) -> Outputs:
    value, axis = _along_or_flat(ctx)
    array = value.known("what is unique")
    _, first, inverse, counts = np.unique(
        array, return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    inverse = inverse.reshape(-1)
    if not ctx.attributes.flag("sorted", default=True):
        order = np.argsort(first)
        first, counts, inverse = first[order], counts[order], np.argsort(order)[inverse]
    listed = (ctx.constant(n.astype(np.int64), INT64) for n in (first, inverse, counts))
    return value.take(first, axis), *listed


def _reverse_sequence(ctx: Context) -> Outputs:
    value, lengths = ctx.input(0), ctx.input(1)
    batch_axis = axis_in(ctx.attributes.integer("batch_axis", 1), value.rank)
    time_axis = axis_in(ctx.attributes.integer("time_axis", 0), value.rank)
    if {batch_axis, time_axis} != {0, 1} or lengths.shape != (value.shape[batch_axis],):
        raise InputError(f"Lengths of shape {lengths.shape} do not fit shape {value.shape}.")
    lines = value if batch_axis == 0 else value.transpose((1, 0, *range(2, value.rank)))
    batch, steps = lines.shape[:2]
    length, time = lengths.reshape((batch, 1)), ctx.constant(np.arange(steps).reshape(1, steps))
    place = time.apply(ops.LESS, length, kind=BOOL).select(length - 1 - time, time, INT64)
    if place.array is None:
        # element by element, so that a place behind the end is none
        whole = place.reshape((batch, steps, *(1,) * (lines.rank - 2))).broadcast(lines.shape)
        picked = lines.apply(ops.GATHER_ELEMENTS, whole, axis=1)
    else:
        flat = _counted(place.array, steps) + np.arange(batch)[:, None] * steps
        picked = lines.reshape((batch * steps, *lines.shape[2:])).take(flat, 0)
    return picked if batch_axis == 0 else picked.transpose((1, 0, *range(2, value.rank)))


def _triangle(ctx: Context) -> Outputs:
    value, offset = ctx.input(0), ctx.optional(1)
    if value.rank < 2:
        raise InputError(f"Trilu takes matrices, not shape {value.shape}.")
    (diagonal,) = (0,) if offset is None else offset.integers("'k'")
    upper = ctx.attributes.flag("upper", default=True)
    rows, columns = value.shape[-2:]
    if rows * columns > MAX_TABLE:
        raise InputError(f"A matrix of {rows} rows and {columns} columns is too large.")
    distance = np.arange(columns)[None, :] - np.arange(rows)[:, None]
    kept = distance >= diagonal if upper else distance <= diagonal
    if value.array is not None:
        zero = np.zeros((), dtype=value.array.dtype)
        return ctx.constant(np.where(kept, value.array, zero), value.kind)
    table = ctx.constant(kept.astype(np.int64))
    # a product is smooth, but there is none with -inf
    return table.select(value, 0, value.kind) if value.infinite else value.apply(ops.MUL, table)


PICKING: Mapping[str, Lowering] = {
    "Compress": _compress,
    "Gather": _gather,
    "GatherElements": _gather,
    "GatherND": _gather_nd,
    "MaxUnpool": _max_unpool,
    "NonZero": _non_zero,
    "ReverseSequence": _reverse_sequence,
    "Scatter": _scatter_elements,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "TensorScatter": _tensor_scatter,
    "Trilu": _triangle,
    "Unique": _unique,
}

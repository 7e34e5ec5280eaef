"""Elements that are put at computed indices: each place is compared with every index."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.ir.tensor import Shape
from tamecheck.loaders.kinds import BOOL, INT64
from tamecheck.loaders.values import Value

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
    found = _put(lines, places, news, reduction)
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
    found = _put(lines, flat.reshape((1, number)), news, reduction)
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


def _put(lines: Value, indices: Value, news: Value, reduction: str) -> Value:
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

"""Operators that pick elements by their indices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.values import Value

__all__ = ["INDEXING"]

MAX_TABLE = 2**24


def _wrapped(ctx: Context, indices: Value, extent: int) -> Value:
    """Constant indices counted from the start; computed ones as they are."""
    if indices.array is None:
        return indices
    table = indices.array.astype(np.int64)
    if table.size and not (-extent <= int(table.min()) and int(table.max()) < extent):
        raise InputError(f"An index is outside an axis of extent {extent}.")
    return ctx.constant(np.where(table < 0, table + extent, table), indices.kind)


def _gather(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis = ctx.axis(0, value.rank)
    indices = _wrapped(ctx, ctx.input(1), value.shape[axis])
    return (ctx.apply(ops.GATHER, value, indices, axis=axis),)


def _gather_elements(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis = ctx.axis(0, value.rank)
    indices = _wrapped(ctx, ctx.input(1), value.shape[axis])
    return (ctx.apply(ops.GATHER_ELEMENTS, value, indices, axis=axis),)


def _flat(ctx: Context, indices: Array, extents: tuple[int, ...]) -> Array:
    """Flat positions of index tuples along the last axis of ``indices``."""
    flat = np.zeros(indices.shape[:-1], dtype=np.int64)
    for i, extent in enumerate(extents):
        part = ctx.constant(indices[..., i].astype(np.int64))
        wrapped = _wrapped(ctx, part, extent).array
        flat = flat * extent + (0 if wrapped is None else wrapped)
    return flat


def _gather_nd(ctx: Context) -> Outputs:
    value = ctx.input(0)
    indices = ctx.known(ctx.input(1), "'indices'")
    if ctx.attributes.integer("batch_dims", 0) != 0:
        raise ctx.refuse("batch dimensions are not read.")
    depth = indices.shape[-1] if indices.ndim else 0
    if not 1 <= depth <= value.rank:
        raise InputError(f"Indices of shape {indices.shape} do not fit shape {value.shape}.")
    flat = _flat(ctx, indices, value.shape[:depth])
    lines = ctx.reshape(value, (math.prod(value.shape[:depth]), *value.shape[depth:]))
    return (ctx.take(lines, flat, 0),)


def _scatter_nd(ctx: Context) -> Outputs:
    value, updates = ctx.input(0), ctx.input(2)
    indices = ctx.known(ctx.input(1), "'indices'")
    if ctx.attributes.text("reduction", "none") != "none":
        raise ctx.refuse("a scatter that adds or multiplies is not read.")
    depth = indices.shape[-1] if indices.ndim else 0
    if not 1 <= depth <= value.rank:
        raise InputError(f"Indices of shape {indices.shape} do not fit shape {value.shape}.")
    places = _flat(ctx, indices, value.shape[:depth]).reshape(-1)
    rest = value.shape[depth:]
    count = math.prod(value.shape[:depth])
    if updates.shape != (*indices.shape[:-1], *rest) or count > MAX_TABLE:
        raise InputError(f"Updates of shape {updates.shape} do not fit shape {value.shape}.")
    source = np.arange(count, dtype=np.int64)
    source[places] = count + np.arange(places.size, dtype=np.int64)
    lines = ctx.reshape(value, (count, *rest))
    news = ctx.reshape(updates, (places.size, *rest))
    joined = ctx.apply(ops.CONCAT, lines, news, axis=0)
    return (ctx.reshape(ctx.take(joined, source, 0), value.shape),)


INDEXING: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        "Gather": _gather,
        "GatherElements": _gather_elements,
        "GatherND": _gather_nd,
        "ScatterND": _scatter_nd,
    }
)
"""The operators of this file."""

"""Poolings: a window is reduced to its largest element or its average."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.convolution import gathered
from tamecheck.loaders.onnx.kinds import INT64
from tamecheck.loaders.onnx.values import Value
from tamecheck.loaders.onnx.windows import Windows, read_axes, table_of

__all__ = ["POOLING"]


def _windows(ctx: Context) -> tuple[Value, Windows]:
    """The input with its spatial axes joined, and the windows over them."""
    value = ctx.input(0)
    if value.rank < 3:
        raise InputError(f"A pooling takes batch, channel and spatial axes, not {value.shape}.")
    kernel = ctx.attributes.integers("kernel_shape")
    if kernel is None:
        raise InputError("The attribute 'kernel_shape' is missing.")
    axes = read_axes(ctx, value.shape[2:], kernel)
    line = ctx.reshape(value, (*value.shape[:2], math.prod(value.shape[2:])))
    return line, table_of(axes)


def _max_pool(ctx: Context) -> Outputs:
    column_major = ctx.attributes.flag("storage_order")
    value, windows = _windows(ctx)
    inside = windows.table >= 0
    if not bool(inside.any(axis=1).all()):
        raise InputError("A window lies in the padding, so it has no largest element.")
    # an element of the window stands in for its padding, which leaves the maximum as it is
    first = np.take_along_axis(windows.table, np.argmax(inside, axis=1)[:, None], axis=1)
    table = np.where(inside, windows.table, first)
    parts = ctx.take(value, table.T, 2)
    shape = (*value.shape[:2], *windows.shape)
    folded = ctx.apply(ops.REDUCE_MAX, parts, function="max_pool", axes=(2,), keepdims=False)
    largest = ctx.reshape(folded, shape)
    if ctx.wanted < 2:
        return (largest,)
    return largest, ctx.reshape(_places(ctx, parts, table, column_major=column_major), shape)


def _places(
    ctx: Context,
    parts: Value,
    table: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    *,
    column_major: bool,
) -> Value:
    """The position of the largest element of each window, in the whole input."""
    spatial = ctx.input(0).shape[2:]
    batch, channels, size, count = parts.shape
    if column_major:
        digits = np.unravel_index(table, spatial)
        table = np.ravel_multi_index(digits[::-1], spatial[::-1])
    chosen = ctx.apply(ops.ARGMAX, parts, axis=2, keepdims=True, last=False, kind=INT64)
    known = ctx.constant(table.T.reshape(1, 1, size, count))
    spread = ctx.apply(ops.BROADCAST, known, shape=parts.shape)
    place = ctx.apply(ops.GATHER_ELEMENTS, spread, chosen, axis=2)
    plane = np.arange(batch * channels, dtype=np.int64) * math.prod(spatial)
    return ctx.apply(ops.ADD, place, ctx.constant(plane.reshape(batch, channels, 1, 1)))


def _average_pool(ctx: Context) -> Outputs:
    whole = ctx.attributes.flag("count_include_pad")
    value, windows = _windows(ctx)
    counts = windows.counted if whole else (windows.table >= 0).sum(axis=1)
    if int(counts.min(initial=1)) == 0:
        raise InputError("A window lies in the padding, so it has no average.")
    total = ctx.total(gathered(ctx, value, windows.table), (2,), keepdims=False)
    same = counts.size and int(counts.min()) == int(counts.max())
    divisor = int(counts[0]) if same else ctx.constant(counts.astype(np.int64))
    average = ctx.apply(ops.DIV, total, divisor)
    return (ctx.reshape(average, (*value.shape[:2], *windows.shape)),)


def _spatial(ctx: Context) -> tuple[Value, tuple[int, ...]]:
    value = ctx.input(0)
    axes = tuple(range(2, value.rank))
    if not axes or 0 in value.shape[2:]:
        raise InputError(f"A shape {value.shape} has no spatial element.")
    return value, axes


def _global_average_pool(ctx: Context) -> Outputs:
    value, axes = _spatial(ctx)
    return (ctx.apply(ops.DIV, ctx.total(value, axes), math.prod(value.shape[2:])),)


def _global_max_pool(ctx: Context) -> Outputs:
    value, axes = _spatial(ctx)
    return (ctx.apply(ops.REDUCE_MAX, value, function="max_pool", axes=axes, keepdims=True),)


POOLING: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        "AveragePool": _average_pool,
        "GlobalAveragePool": _global_average_pool,
        "GlobalMaxPool": _global_max_pool,
        "MaxPool": _max_pool,
    }
)
"""The operators of this file."""

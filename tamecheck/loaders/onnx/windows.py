"""Convolutions and poolings: windows are gathered by a table of positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.kinds import INT64, Value

if TYPE_CHECKING:
    from tamecheck.loaders.onnx.context import Context

__all__ = ["CONVOLUTION", "POOLING"]


MAX_TABLE = 2**24
"""A table of windows with more entries than this is refused."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Windows along one spatial axis."""

    extent: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    count: int


@dataclass(frozen=True, slots=True)
class Windows:
    """``table[w, k]`` is the flat position of element k of window w, or -1 in the padding.

    ``counted[w]`` is the number of its elements that are in the tensor or its declared padding.
    """

    table: Array
    counted: Array
    shape: Shape
    kernel: Shape


def read_axes(ctx: Context, spatial: Shape, kernel: Shape) -> tuple[Axis, ...]:
    """The windows that the attributes of a convolution or a pooling describe."""
    rank = len(spatial)
    attributes = ctx.attributes
    strides = attributes.integers("strides") or (1,) * rank
    dilations = attributes.integers("dilations") or (1,) * rank
    pads = attributes.integers("pads") or (0,) * (2 * rank)
    mode = attributes.text("auto_pad", "NOTSET")
    ceil = attributes.flag("ceil_mode")
    if not len(kernel) == len(strides) == len(dilations) == rank or len(pads) != 2 * rank:
        raise InputError(f"The attributes of the windows do not fit {rank} spatial axes.")
    if min((*kernel, *strides, *dilations), default=1) < 1 or min(pads, default=0) < 0:
        raise InputError("A kernel, a stride or a dilation is not positive, or a pad is negative.")
    return tuple(
        _axis(spatial[i], kernel[i], strides[i], dilations[i], pads[i], pads[i + rank], mode, ceil)
        for i in range(rank)
    )


def _axis(  # noqa: PLR0913, PLR0917 - the attributes of one axis, in the order of ONNX
    extent: int,
    kernel: int,
    stride: int,
    dilation: int,
    before: int,
    after: int,
    mode: str,
    ceil: bool,  # noqa: FBT001
) -> Axis:
    reach = (kernel - 1) * dilation + 1
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        count = -(-extent // stride)
        padding = max((count - 1) * stride + reach - extent, 0)
        small, large = padding // 2, padding - padding // 2
        before, after = (small, large) if mode == "SAME_UPPER" else (large, small)
        return Axis(extent, kernel, stride, dilation, before, after, count)
    if mode == "VALID":
        before = after = 0
    elif mode != "NOTSET":
        raise InputError(f"auto_pad cannot be {mode!r}.")
    room = extent + before + after - reach
    if room < 0:
        raise InputError(f"A window of {reach} does not fit an axis of {extent} elements.")
    count = (-(-room // stride) if ceil else room // stride) + 1
    if ceil and (count - 1) * stride >= extent + before:
        # the last window would start in the padding behind the tensor
        count -= 1
    return Axis(extent, kernel, stride, dilation, before, after, count)


def table_of(axes: tuple[Axis, ...]) -> Windows:
    """The table of the windows over all axes."""
    shape = tuple(axis.count for axis in axes)
    kernel = tuple(axis.kernel for axis in axes)
    if math.prod(shape) * math.prod(kernel) > MAX_TABLE:
        raise InputError(
            f"{math.prod(shape)} windows of {math.prod(kernel)} elements are too many."
        )
    flat = np.zeros((1, 1), dtype=np.int64)
    inside = np.ones((1, 1), dtype=bool)
    counted = np.ones((1, 1), dtype=bool)
    for axis in axes:
        starts = np.arange(axis.count, dtype=np.int64)[:, None] * axis.stride - axis.before
        places = starts + np.arange(axis.kernel, dtype=np.int64)[None, :] * axis.dilation
        within = (places >= 0) & (places < axis.extent)
        flat = _outer(flat * axis.extent, np.where(within, places, 0), np.add)
        inside = _outer(inside, within, np.logical_and)
        counted = _outer(counted, places < axis.extent + axis.after, np.logical_and)
    table = np.where(inside, flat, -1)
    return Windows(table, counted.sum(axis=1), shape, kernel)


def _outer(left: Array, right: Array, join: np.ufunc) -> Array:
    """``join`` of every window and element on the left with every one on the right."""
    joined = join(left[:, None, :, None], right[None, :, None, :])
    return joined.reshape(left.shape[0] * right.shape[0], left.shape[1] * right.shape[1])


def _gemm(ctx: Context) -> Outputs:
    left, right, bias = ctx.input(0), ctx.input(1), ctx.optional(2)
    if left.rank != 2 or right.rank != 2:
        raise InputError(f"Gemm takes matrices, not shapes {left.shape} and {right.shape}.")
    if ctx.attributes.flag("transA"):
        left = ctx.transpose(left, (1, 0))
    if ctx.attributes.flag("transB"):
        right = ctx.transpose(right, (1, 0))
    alpha, beta = ctx.attributes.real("alpha", 1.0), ctx.attributes.real("beta", 1.0)
    product = ctx.scaled(ctx.apply(ops.MATMUL, left, right), alpha)
    if bias is None:
        return (product,)
    return (_plus(ctx, product, ctx.scaled(bias, beta)),)


def _plus(ctx: Context, value: Value, bias: Value) -> Value:
    total = ctx.apply(ops.ADD, value, bias)
    if total.shape != value.shape:
        raise InputError(f"A bias of shape {bias.shape} does not fit {value.shape}.")
    return total


def _matmul(ctx: Context) -> Outputs:
    return (ctx.apply(ops.MATMUL, ctx.input(0), ctx.input(1)),)


def gathered(ctx: Context, value: Value, table: Array) -> Value:
    """``value[n, c, table[w, k]]`` as axes n, c, k, w, with 0 at the positions -1."""
    positions = table.T
    if bool((positions < 0).any()):
        extent = value.shape[2]
        value = ctx.apply(ops.PAD, value, before=(0, 0, 0), after=(0, 0, 1), value=Fraction(0))
        positions = np.where(positions < 0, extent, positions)
    return ctx.take(value, positions, 2)


def _conv(ctx: Context) -> Outputs:
    value, weights, bias = ctx.input(0), ctx.input(1), ctx.optional(2)
    if value.rank < 3 or weights.rank != value.rank:
        raise InputError(f"Weights of shape {weights.shape} do not fit {value.shape}.")
    group = ctx.attributes.integer("group", 1)
    batch, channels, *_ = value.shape
    filters, depth, *_ = weights.shape
    kernel = _kernel_shape(ctx, weights)
    if group < 1 or depth * group != channels or filters % group:
        raise InputError(
            f"Weights of shape {weights.shape} in {group} groups do not fit {value.shape}."
        )
    axes = read_axes(ctx, value.shape[2:], kernel)
    line = ctx.reshape(value, (batch, channels, math.prod(value.shape[2:])))
    windows = table_of(axes)
    count, size = windows.table.shape
    if (
        size == 1
        and bool((windows.table[:, 0] == np.arange(line.shape[2])[:count]).all())
        and (count == line.shape[2])
    ):
        columns = line
    else:
        columns = gathered(ctx, line, windows.table)
    columns = ctx.reshape(columns, (batch, group, depth * size, count))
    matrix = ctx.reshape(weights, (group, filters // group, depth * size))
    return (_finished(ctx, ctx.apply(ops.MATMUL, matrix, columns), windows.shape, bias),)


def _kernel_shape(ctx: Context, weights: Value) -> Shape:
    kernel = ctx.attributes.integers("kernel_shape") or weights.shape[2:]
    if kernel != weights.shape[2:]:
        raise InputError(f"kernel_shape {kernel} does not fit weights of shape {weights.shape}.")
    return kernel


def _finished(ctx: Context, product: Value, spatial: Shape, bias: Value | None) -> Value:
    """The product, group and filter joined and the spatial axes restored, plus the bias."""
    batch, group, filters, _ = product.shape
    result = ctx.reshape(product, (batch, group * filters, *spatial))
    if bias is None:
        return result
    if bias.shape != (group * filters,):
        raise InputError(f"A bias of shape {bias.shape} does not fit {group * filters} channels.")
    column = ctx.reshape(bias, (group * filters, *(1,) * len(spatial)))
    return ctx.apply(ops.ADD, result, column)


def _conv_transpose(ctx: Context) -> Outputs:
    value, weights, bias = ctx.input(0), ctx.input(1), ctx.optional(2)
    if value.rank < 3 or weights.rank != value.rank:
        raise InputError(f"Weights of shape {weights.shape} do not fit {value.shape}.")
    group = ctx.attributes.integer("group", 1)
    batch, channels, *_ = value.shape
    kernel = _kernel_shape(ctx, weights)
    if group < 1 or weights.shape[0] != channels or channels % group:
        raise InputError(
            f"Weights of shape {weights.shape} in {group} groups do not fit {value.shape}."
        )
    table, spatial = _transposed_table(ctx, value.shape[2:], kernel)
    line = ctx.reshape(value, (batch, channels, math.prod(value.shape[2:])))
    size, count = math.prod(kernel), math.prod(spatial)
    depth, filters = channels // group, weights.shape[1]
    columns = ctx.reshape(gathered(ctx, line, table), (batch, group, depth * size, count))
    matrix = ctx.reshape(weights, (group, depth, filters, size))
    matrix = ctx.transpose(matrix, (0, 2, 1, 3))
    matrix = ctx.reshape(matrix, (group, filters, depth * size))
    return (_finished(ctx, ctx.apply(ops.MATMUL, matrix, columns), spatial, bias),)


def _transposed_table(ctx: Context, extents: Shape, kernel: Shape) -> tuple[Array, Shape]:
    """For each output position and kernel element the flat input position, or -1."""
    rank = len(extents)
    attributes = ctx.attributes
    strides = attributes.integers("strides") or (1,) * rank
    dilations = attributes.integers("dilations") or (1,) * rank
    pads = attributes.integers("pads") or (0,) * (2 * rank)
    extra = attributes.integers("output_padding") or (0,) * rank
    wanted = attributes.integers("output_shape")
    mode = attributes.text("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise InputError(f"auto_pad cannot be {mode!r}.")
    lengths = {len(strides), len(dilations), len(extra), len(pads) // 2, len(wanted or strides)}
    if lengths != {rank} or min((*kernel, *strides, *dilations)) < 1 or min((*extra, 0)) < 0:
        raise InputError(f"The attributes of the windows do not fit {rank} spatial axes.")
    table = np.zeros((1, 1), dtype=np.int64)
    shape: list[int] = []
    for i, extent in enumerate(extents):
        reach = (kernel[i] - 1) * dilations[i] + 1
        full = (extent - 1) * strides[i] + extra[i] + reach
        before, after = pads[i], pads[i + rank]
        if mode == "VALID":
            before = after = 0
        if wanted is not None or mode.startswith("SAME"):
            target = wanted[i] if wanted is not None else extent * strides[i]
            padding = max(full - target, 0)
            small = padding // 2
            # as operator set 11 and later say; only SAME_UPPER puts the larger half at the end
            before = small if mode == "SAME_UPPER" else padding - small
            count = target
        else:
            count = full - before - after
        if count < 1 or count * kernel[i] * table.size > MAX_TABLE:
            raise InputError(f"The output would have {count} positions along spatial axis {i}.")
        shape.append(count)
        reached = (
            np.arange(count, dtype=np.int64)[:, None]
            + before
            - np.arange(kernel[i], dtype=np.int64)[None, :] * dilations[i]
        )
        places = reached // strides[i]
        valid = (reached % strides[i] == 0) & (places >= 0) & (places < extent)
        left, right = table[:, None, :, None], np.where(valid, places, -1)[None, :, None, :]
        joined = np.where((left < 0) | (right < 0), -1, left * extent + right)
        table = joined.reshape(table.shape[0] * count, table.shape[1] * kernel[i])
    return table, tuple(shape)


CONVOLUTION: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {"Conv": _conv, "ConvTranspose": _conv_transpose, "Gemm": _gemm, "MatMul": _matmul}
)
"""The operators of this file."""


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

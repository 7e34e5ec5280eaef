"""Matrix products and convolutions: windows are gathered, then multiplied by the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.values import Value
from tamecheck.loaders.onnx.windows import MAX_TABLE, read_axes, table_of

__all__ = ["CONVOLUTION", "gathered"]


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

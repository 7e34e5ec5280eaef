"""Convolutions and poolings: windows are gathered by a table of positions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.kinds import INT64
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.onnx.picking import scatter
from tamecheck.loaders.values import Value

MAX_ORDER = 64
MAX_TABLE = 2**24
"""A table of windows with more entries than this is refused."""


def _attributes(ctx: Context, rank: int) -> tuple[Shape, Shape, Shape, str]:
    """Strides, dilations, pads and the mode of padding."""
    listed = ctx.attributes.integers
    ones = (1,) * rank
    strides, dilations = listed("strides") or ones, listed("dilations") or ones
    pads = listed("pads") or (0,) * (2 * rank)
    mode = ctx.attributes.text("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise InputError(f"auto_pad cannot be {mode!r}.")
    return strides, dilations, pads, mode


def _windows(ctx: Context, extents: Shape, kernel: Shape) -> tuple[Array, Array, Shape]:
    """A table, what counts in it, and the number of windows along each axis.

    ``table[w, k]`` is the flat position of element k of window w, or -1 in the padding;
    ``counted[w]`` the number of its elements that are in the tensor or its declared padding.
    """
    rank = len(extents)
    strides, dilations, pads, mode = _attributes(ctx, rank)
    ceil = ctx.attributes.flag("ceil_mode")
    if not len(kernel) == len(strides) == len(dilations) == rank or len(pads) != 2 * rank:
        raise InputError(f"The attributes of the windows do not fit {rank} spatial axes.")
    if min((*kernel, *strides, *dilations), default=1) < 1 or min(pads, default=0) < 0:
        raise InputError("A kernel, a stride or a dilation is not positive, or a pad is negative.")
    reaches = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    ends = (0,) * (2 * rank) if mode == "VALID" else pads
    befores, afters, counts = list(ends[:rank]), list(ends[rank:]), [0] * rank
    for i, (extent, stride, reach) in enumerate(zip(extents, strides, reaches, strict=True)):
        if mode.startswith("SAME"):
            counts[i] = -(-extent // stride)
            padding = max((counts[i] - 1) * stride + reach - extent, 0)
            small, large = padding // 2, padding - padding // 2
            befores[i], afters[i] = (small, large) if mode == "SAME_UPPER" else (large, small)
            continue
        room = extent + befores[i] + afters[i] - reach
        if room < 0:
            raise InputError(f"A window of {reach} does not fit an axis of {extent} elements.")
        counts[i] = (-(-room // stride) if ceil else room // stride) + 1
        if ceil and (counts[i] - 1) * stride >= extent + befores[i]:
            # the last window would start in the padding behind the tensor
            counts[i] -= 1
    number, size = math.prod(counts), math.prod(kernel)
    if number * size > MAX_TABLE:
        raise InputError(f"{number} windows of {size} elements are too many.")
    table = counted = np.zeros((1, 1), dtype=np.int64)
    for i, extent in enumerate(extents):
        starts = np.arange(counts[i], dtype=np.int64)[:, None] * strides[i] - befores[i]
        places = starts + np.arange(kernel[i], dtype=np.int64)[None, :] * dilations[i]
        table = _join(table, extent, np.where((places >= 0) & (places < extent), places, -1))
        counted = _join(counted, 1, np.where(places < extent + afters[i], 0, -1))
    return table, (counted >= 0).sum(axis=1), tuple(counts)


def _join(table: Array, extent: int, places: Array) -> Array:
    """Every window and element of a table with every one along one more axis."""
    left, right = table[:, None, :, None], places[None, :, None, :]
    joined = np.where((left < 0) | (right < 0), -1, left * extent + right)
    return joined.reshape(len(table) * len(places), table.shape[1] * places.shape[1])


def _gather(value: Value, table: Array) -> Value:
    """``value[n, c, table[w, k]]`` as axes n, c, k, w, with 0 at the positions -1."""
    positions = table.T
    if bool((positions < 0).any()):
        extent = value.shape[2]
        value = value.apply(ops.PAD, before=(0, 0, 0), after=(0, 0, 1), value=Fraction(0))
        positions = np.where(positions < 0, extent, positions)
    return value.take(positions, 2)


def _line(value: Value) -> Value:
    """The tensor with its spatial axes joined."""
    return value.reshape((*value.shape[:2], math.prod(value.shape[2:])))


def _conv(ctx: Context) -> Outputs:
    value, weights, bias = ctx.input(0), ctx.input(1), ctx.optional(2)
    if value.rank < 3 or weights.rank != value.rank:
        raise InputError(f"Weights of shape {weights.shape} do not fit {value.shape}.")
    transposed, group = ctx.op == "ConvTranspose", ctx.attributes.integer("group", 1)
    batch, channels, *_ = value.shape
    kernel = ctx.attributes.integers("kernel_shape") or weights.shape[2:]
    if kernel != weights.shape[2:]:
        raise InputError(f"kernel_shape {kernel} does not fit weights of shape {weights.shape}.")
    taken, split = weights.shape[1] * group, weights.shape[0]
    if transposed:
        taken, split = weights.shape[0], channels
    if group < 1 or taken != channels or split % group:
        what = f"Weights of shape {weights.shape} in {group} groups do not fit {value.shape}."
        raise InputError(what)
    depth = channels // group
    size = math.prod(kernel)
    if transposed:
        table, spatial = _transposed_table(ctx, value.shape[2:], kernel)
        filters = weights.shape[1]
    else:
        table, _, spatial = _windows(ctx, value.shape[2:], kernel)
        filters = weights.shape[0] // group
    line, count = _line(value), math.prod(spatial)
    same = not transposed and np.array_equal(table, np.arange(line.shape[2])[:, None])
    columns = line if same else _gather(line, table)
    columns = columns.reshape((batch, group, depth * size, count))
    if transposed:
        weights = weights.reshape((group, depth, filters, size)).transpose((0, 2, 1, 3))
    product = weights.reshape((group, filters, depth * size)) @ columns
    result = product.reshape((batch, group * filters, *spatial))
    if bias is None:
        return result
    if bias.shape != (group * filters,):
        raise InputError(f"A bias of shape {bias.shape} does not fit {group * filters} channels.")
    return result + bias.reshape((group * filters, *(1,) * len(spatial)))


def _transposed_table(ctx: Context, extents: Shape, kernel: Shape) -> tuple[Array, Shape]:
    """For each output position and kernel element the flat input position, or -1."""
    rank, listed = len(extents), ctx.attributes.integers
    strides, dilations, pads, mode = _attributes(ctx, rank)
    extra, wanted = listed("output_padding") or (0,) * rank, listed("output_shape")
    lengths = {len(strides), len(dilations), len(extra), len(pads) // 2, len(wanted or strides)}
    if lengths != {rank} or min((*kernel, *strides, *dilations)) < 1 or min((*extra, 0)) < 0:
        raise InputError(f"The attributes of the windows do not fit {rank} spatial axes.")
    table = np.zeros((1, 1), dtype=np.int64)
    shape: list[int] = []
    for i, extent in enumerate(extents):
        full = (extent - 1) * strides[i] + extra[i] + (kernel[i] - 1) * dilations[i] + 1
        before, after = (0, 0) if mode == "VALID" else (pads[i], pads[i + rank])
        if wanted is not None or mode.startswith("SAME"):
            count = wanted[i] if wanted is not None else extent * strides[i]
            padding = max(full - count, 0)
            # as operator set 11 and later say; only SAME_UPPER puts the larger half at the end
            before = padding // 2 if mode == "SAME_UPPER" else padding - padding // 2
        else:
            count = full - before - after
        if count < 1 or count * kernel[i] * table.size > MAX_TABLE:
            raise InputError(f"The output would have {count} positions along spatial axis {i}.")
        shape.append(count)
        starts = np.arange(count, dtype=np.int64)[:, None] + before
        reached = starts - np.arange(kernel[i], dtype=np.int64)[None, :] * dilations[i]
        places = reached // strides[i]
        valid = (reached % strides[i] == 0) & (places >= 0) & (places < extent)
        table = _join(table, extent, np.where(valid, places, -1))
    return table, tuple(shape)


def _pool(ctx: Context) -> tuple[Value, Array, Array, Shape]:
    """The input with its spatial axes joined, and the windows over them."""
    value = ctx.input(0)
    if value.rank < 3:
        raise InputError(f"A pooling takes batch, channel and spatial axes, not {value.shape}.")
    kernel = ctx.attributes.integers("kernel_shape")
    if kernel is None:
        raise InputError("The attribute 'kernel_shape' is missing.")
    return _line(value), *_windows(ctx, value.shape[2:], kernel)


def _max_pool(ctx: Context) -> Outputs:
    column_major = ctx.attributes.flag("storage_order")
    value, table, _, spatial = _pool(ctx)
    inside = table >= 0
    if not bool(inside.any(axis=1).all()):
        raise InputError("A window lies in the padding, so it has no largest element.")
    # an element of the window stands in for its padding, which leaves the maximum as it is
    first = np.take_along_axis(table, np.argmax(inside, axis=1)[:, None], axis=1)
    table = np.where(inside, table, first)
    parts = value.take(table.T, 2)
    shape = (*value.shape[:2], *spatial)
    folded = parts.apply(ops.REDUCE_MAX, function="max_pool", axes=(2,), keepdims=False)
    largest = folded.reshape(shape)
    if ctx.wanted < 2:
        return largest
    return largest, _places(ctx, parts, table, column_major=column_major).reshape(shape)


def _places(ctx: Context, parts: Value, table: Array, *, column_major: bool) -> Value:
    """The position of the largest element of each window, in the whole input."""
    spatial = ctx.input(0).shape[2:]
    batch, channels, size, count = parts.shape
    if column_major:
        table = np.ravel_multi_index(np.unravel_index(table, spatial)[::-1], spatial[::-1])
    chosen = parts.apply(ops.ARGMAX, axis=2, keepdims=True, last=False, kind=INT64)
    known = ctx.constant(table.T.reshape(1, 1, size, count))
    place = known.broadcast(parts.shape).apply(ops.GATHER_ELEMENTS, chosen, axis=2)
    plane = np.arange(batch * channels, dtype=np.int64) * math.prod(spatial)
    return place + plane.reshape(batch, channels, 1, 1)


def _average_pool(ctx: Context) -> Outputs:
    whole = ctx.attributes.flag("count_include_pad")
    value, table, counted, spatial = _pool(ctx)
    counts = counted if whole else (table >= 0).sum(axis=1)
    if int(counts.min(initial=1)) == 0:
        raise InputError("A window lies in the padding, so it has no average.")
    total = _gather(value, table).total((2,), keepdims=False)
    same = counts.size and int(counts.min()) == int(counts.max())
    average = total / (int(counts[0]) if same else ctx.constant(counts.astype(np.int64)))
    return average.reshape((*value.shape[:2], *spatial))


def _lp_pool(ctx: Context) -> Outputs:
    order = _order(ctx)
    value, table, _, spatial = _pool(ctx)
    total = _powers(_gather(value, table), order).total((2,), keepdims=False)
    return _root(total, order).reshape((*value.shape[:2], *spatial))


def _order(ctx: Context) -> Fraction:
    """The order of a norm, with which it is one."""
    order = ctx.attributes.integer("p", 2)
    if not 1 <= order <= MAX_ORDER:
        raise InputError(f"A norm of order {order} is not read.")
    return Fraction(order)


def _powers(value: Value, order: Fraction) -> Value:
    """``|x| ** order``."""
    size = value if order % 2 == 0 else value.apply(ops.ABS)
    return size if order == 1 else size.apply(ops.POW, exponent=order)


def _root(value: Value, order: Fraction) -> Value:
    if order == 1:
        return value
    return value.apply(ops.SQRT) if order == 2 else value.apply(ops.POW, exponent=1 / order)


def _columns_to_image(ctx: Context) -> Outputs:
    value = ctx.input(0)
    image, block = (ctx.input(i).integers(name) for i, name in ((1, "'image'"), (2, "'block'")))
    size = math.prod(block)
    if value.rank != 3 or size < 1 or value.shape[1] % size or len(image) != len(block):
        raise InputError(f"Blocks of shape {block} do not fit columns of shape {value.shape}.")
    table, *_ = _windows(ctx, image, block)
    if len(table) != value.shape[2]:
        raise InputError(f"There are {len(table)} blocks, but {value.shape[2]} columns.")
    batch, channels = value.shape[0], value.shape[1] // size
    places = table.T.reshape(-1)
    inside = np.flatnonzero(places >= 0)
    lines = value.reshape((batch, channels, places.size)).transpose((2, 0, 1)).take(inside, 0)
    empty = ctx.constant(np.int64(0), value.kind).broadcast((math.prod(image), batch, channels))
    total = scatter(empty, lines, places[inside], "add")
    return total.transpose((1, 2, 0)).reshape((batch, channels, *image))


def _global_pool(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axes = tuple(range(2, value.rank))
    if not axes or 0 in value.shape[2:]:
        raise InputError(f"A shape {value.shape} has no spatial element.")
    if ctx.op == "GlobalAveragePool":
        return value.mean(axes)
    if ctx.op == "GlobalLpPool":
        order = _order(ctx)
        return _root(_powers(value, order).total(axes), order)
    return value.apply(ops.REDUCE_MAX, function="max_pool", axes=axes, keepdims=True)


WINDOWS: Mapping[str, Lowering] = {
    "AveragePool": _average_pool,
    "Col2Im": _columns_to_image,
    "Conv": _conv,
    "ConvTranspose": _conv,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "GlobalLpPool": _global_pool,
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
}

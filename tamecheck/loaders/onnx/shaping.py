"""Operators that move elements: reshaping, joining, cutting, padding, repeating, picking."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.kinds import Value
from tamecheck.loaders.onnx.pointwise import uniform

__all__ = ["INDEXING", "SHAPING"]


MAX_RANK = 32


def _reshape(ctx: Context) -> Outputs:
    value = ctx.input(0)
    keep_zero = ctx.attributes.flag("allowzero")
    listed = list(ctx.known_integers(ctx.input(1), "'shape'"))
    if not keep_zero:
        for i, extent in enumerate(listed):
            if extent == 0:
                if i >= value.rank:
                    raise InputError(f"The shape {listed} copies an axis that there is not.")
                listed[i] = value.shape[i]
    if listed.count(-1) > 1:
        raise InputError(f"The shape {listed} leaves two axes open.")
    if -1 in listed:
        rest = math.prod(n for n in listed if n != -1)
        size = math.prod(value.shape)
        if rest <= 0 or size % rest:
            raise InputError(f"A tensor of shape {value.shape} cannot be reshaped to {listed}.")
        listed[listed.index(-1)] = size // rest
    return (ctx.reshape(value, listed),)


def _flatten(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis = ctx.axis(1, value.rank, end=True) if value.rank else 0
    shape = (math.prod(value.shape[:axis]), math.prod(value.shape[axis:]))
    return (ctx.reshape(value, shape),)


def _squeeze(ctx: Context) -> Outputs:
    value = ctx.input(0)
    listed = ctx.integers_from("axes", 1)
    if listed is None:
        axes = tuple(i for i, extent in enumerate(value.shape) if extent == 1)
    else:
        axes = ctx.positives(listed, value.rank)
    if any(value.shape[axis] != 1 for axis in axes):
        raise InputError(f"Axes {list(axes)} of shape {value.shape} do not all have extent 1.")
    return (ctx.reshape(value, [n for i, n in enumerate(value.shape) if i not in axes]),)


def _unsqueeze(ctx: Context) -> Outputs:
    value = ctx.input(0)
    listed = ctx.integers_from("axes", 1)
    if listed is None or value.rank + len(listed) > MAX_RANK:
        raise InputError("The axes are missing, or too many.")
    axes = ctx.positives(listed, value.rank + len(listed))
    rest = iter(value.shape)
    shape = [1 if i in axes else next(rest) for i in range(value.rank + len(axes))]
    return (ctx.reshape(value, shape),)


def _transpose(ctx: Context) -> Outputs:
    value = ctx.input(0)
    perm = ctx.attributes.integers("perm")
    return (ctx.transpose(value, perm or tuple(range(value.rank))[::-1]),)


def _concat(ctx: Context) -> Outputs:
    values = ctx.all_inputs()
    axis = ctx.axis(None if ctx.opset >= 4 else 1, values[0].rank)
    return (ctx.apply(ops.CONCAT, *values, axis=axis) if len(values) > 1 else values[0],)


def _split(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis = ctx.axis(0, value.rank)
    extent = value.shape[axis]
    sizes = ctx.integers_from("split", 1)
    if sizes is None:
        count = ctx.attributes.integer("num_outputs", ctx.wanted)
        if not 1 <= count <= 4_096:
            raise InputError(f"A tensor cannot be split into {count} parts.")
        size = -(-extent // count)
        sizes = tuple(max(0, min(size, extent - i * size)) for i in range(count))
    if min(sizes, default=0) < 0 or sum(sizes) != extent or len(sizes) != ctx.wanted:
        raise InputError(f"The parts {list(sizes)} do not make up {extent} elements.")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(
        ctx.cut(value, axis, min(start, max(extent - 1, 0)) if not size else start, size)
        for start, size in zip(starts, sizes, strict=True)
    )


def _slice(ctx: Context) -> Outputs:
    value = ctx.input(0)
    if ctx.opset < 10:
        starts, ends = ctx.attributes.integers("starts"), ctx.attributes.integers("ends")
        axes, steps = ctx.attributes.integers("axes"), None
    else:
        starts = ctx.known_integers(ctx.input(1), "'starts'")
        ends = ctx.known_integers(ctx.input(2), "'ends'")
        axes, steps = (
            None if given is None else ctx.known_integers(given, f"'{name}'")
            for name, given in (("axes", ctx.optional(3)), ("steps", ctx.optional(4)))
        )
    if starts is None or ends is None:
        raise InputError("Starts or ends are missing.")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise InputError("Starts, ends, axes and steps differ in length.")
    firsts, strides, sizes = [0] * value.rank, [1] * value.rank, list(value.shape)
    ctx.positives(axes, value.rank)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        at = ctx.positive(axis, value.rank)
        chosen = range(value.shape[at])[slice(start, end, step)]
        firsts[at], strides[at] = (chosen.start, chosen.step) if len(chosen) else (0, 1)
        sizes[at] = len(chosen)
    if tuple(sizes) == value.shape and min(strides, default=1) > 0:
        return (value,)
    picked = ctx.apply(
        ops.SLICE, value, starts=tuple(firsts), steps=tuple(strides), sizes=tuple(sizes)
    )
    return (picked,)


def _pad(ctx: Context) -> Outputs:
    value = ctx.input(0)
    mode = ctx.attributes.text("mode", "constant")
    if ctx.opset < 11:
        listed = ctx.attributes.integers("pads")
        fill: float | Fraction | int | None = ctx.attributes.real("value", 0.0)
    else:
        listed = ctx.known_integers(ctx.input(1), "'pads'")
        filling = ctx.optional(2)
        fill = 0 if filling is None else uniform(filling)
        if fill is None and filling is not None:
            ctx.known(filling, "'constant_value'")
            fill = ctx.known(filling, "'constant_value'").reshape(-1).tolist()[0]
    chosen = ctx.optional(3)
    axes = tuple(range(value.rank)) if chosen is None else ctx.known_integers(chosen, "'axes'")
    if listed is None or len(listed) != 2 * len(axes):
        raise InputError(f"Pads {listed} do not fit {len(axes)} axes.")
    before, after = [0] * value.rank, [0] * value.rank
    ctx.positives(axes, value.rank)
    for i, axis in enumerate(axes):
        at = ctx.positive(axis, value.rank)
        before[at], after[at] = listed[i], listed[i + len(axes)]
    if mode == "constant":
        return (_constant_pad(ctx, value, before, after, fill),)
    for axis in range(value.rank):
        if before[axis] or after[axis]:
            places = _reflected(mode, value.shape[axis], before[axis], after[axis])
            value = ctx.take(value, places, axis)
    return (value,)


def _constant_pad(
    ctx: Context,
    value: Value,
    before: Sequence[int],
    after: Sequence[int],
    fill: float | Fraction | None,
) -> Value:
    for axis in range(value.rank):
        # negative pads cut
        start, stop = max(-before[axis], 0), value.shape[axis] - max(-after[axis], 0)
        if stop < start:
            raise InputError(f"The pads cut more than there is along axis {axis}.")
        value = ctx.cut(value, axis, start, stop - start)
    front, back = tuple(max(n, 0) for n in before), tuple(max(n, 0) for n in after)
    if not any(front) and not any(back):
        return value
    if fill is None or not math.isfinite(fill):
        raise InputError(f"The padding {fill} is no real number.")
    return ctx.apply(ops.PAD, value, before=front, after=back, value=Fraction(fill))


def _reflected(
    mode: str, extent: int, before: int, after: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    length = before + extent + after
    if not 0 <= length <= 2**20 or extent == 0:
        raise InputError(f"The pads {before}, {after} do not fit {extent} elements.")
    places = np.arange(length, dtype=np.int64) - before
    match mode:
        case "edge":
            return np.clip(places, 0, extent - 1)
        case "wrap":
            return places % extent
        case "reflect":
            period = max(2 * (extent - 1), 1)
            folded = places % period
            return np.where(folded < extent, folded, period - folded)
        case _:
            raise InputError(f"The mode of padding cannot be {mode!r}.")


def _expand(ctx: Context) -> Outputs:
    value = ctx.input(0)
    listed = ctx.known_integers(ctx.input(1), "'shape'")
    if min(listed, default=0) < 0 or len(listed) > MAX_RANK:
        raise InputError(f"The shape {list(listed)} is out of range.")
    return (ctx.broadcast(value, _joint(value.shape, listed)),)


def _joint(left: Shape, right: Shape) -> Shape:
    """The NumPy broadcast shape, for extents of any size."""
    rank = max(len(left), len(right))
    pairs = zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right, strict=True)
    joint: list[int] = []
    for n, m in pairs:
        if n != m and 1 not in (n, m):
            raise InputError(f"Shapes {left} and {right} do not broadcast.")
        joint.append(m if n == 1 else n)
    return tuple(joint)


def _tile(ctx: Context) -> Outputs:
    value = ctx.input(0)
    repeats = ctx.known_integers(ctx.input(1), "'repeats'")
    if len(repeats) != value.rank or min(repeats, default=1) < 0:
        raise InputError(f"Repeats {list(repeats)} do not fit shape {value.shape}.")
    if all(n == 1 for n in repeats):
        return (value,)
    apart = ctx.reshape(value, [n for extent in value.shape for n in (1, extent)])
    shape = tuple(n for pair in zip(repeats, value.shape, strict=True) for n in pair)
    spread = ctx.broadcast(apart, shape)
    return (ctx.reshape(spread, [r * n for r, n in zip(repeats, value.shape, strict=True)]),)


def _depth_to_space(ctx: Context) -> Outputs:
    value, block = ctx.input(0), ctx.attributes.integer("blocksize")
    mode = ctx.attributes.text("mode", "DCR")
    batch, channels, height, width = _image(value)
    if block < 1 or channels % (block * block) or mode not in ("DCR", "CRD"):
        raise InputError(f"Blocks of {block} in mode {mode!r} do not fit shape {value.shape}.")
    depth = channels // block**2
    if mode == "DCR":
        parts, perm = (batch, block, block, depth, height, width), (0, 3, 4, 1, 5, 2)
    else:
        parts, perm = (batch, depth, block, block, height, width), (0, 1, 4, 2, 5, 3)
    moved = ctx.transpose(ctx.reshape(value, parts), perm)
    return (ctx.reshape(moved, (batch, depth, height * block, width * block)),)


def _space_to_depth(ctx: Context) -> Outputs:
    value, block = ctx.input(0), ctx.attributes.integer("blocksize")
    mode = ctx.attributes.text("mode", "DCR")
    batch, channels, height, width = _image(value)
    if block < 1 or height % block or width % block or mode not in ("DCR", "CRD"):
        raise InputError(f"Blocks of {block} in mode {mode!r} do not fit shape {value.shape}.")
    parts = (batch, channels, height // block, block, width // block, block)
    perm = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    moved = ctx.transpose(ctx.reshape(value, parts), perm)
    return (ctx.reshape(moved, (batch, channels * block**2, height // block, width // block)),)


def _image(value: Value) -> tuple[int, int, int, int]:
    if value.rank != 4:
        raise InputError(f"An image has 4 axes, not shape {value.shape}.")
    batch, channels, height, width = value.shape
    return batch, channels, height, width


SHAPING: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        "Concat": _concat,
        "DepthToSpace": _depth_to_space,
        "Expand": _expand,
        "Flatten": _flatten,
        "Pad": _pad,
        "Reshape": _reshape,
        "Slice": _slice,
        "SpaceToDepth": _space_to_depth,
        "Split": _split,
        "Squeeze": _squeeze,
        "Tile": _tile,
        "Transpose": _transpose,
        "Unsqueeze": _unsqueeze,
    }
)
"""The operators of this file."""


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

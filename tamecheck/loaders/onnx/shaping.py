"""Operators that move elements: reshaping, joining, cutting, padding, repeating, picking."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.kinds import BOOL
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.onnx.pointwise import uniform
from tamecheck.loaders.values import Value, axes_in, axis_in, concat

MAX_RANK = 32


def _reshape(ctx: Context) -> Outputs:
    value = ctx.input(0)
    keep_zero = ctx.attributes.flag("allowzero")
    given = ctx.integers_from("shape", 1)
    if given is None:
        raise InputError("The shape is missing.")
    listed = list(given)
    if not keep_zero:
        if 0 in listed[value.rank :]:
            raise InputError(f"The shape {listed} copies an axis that there is not.")
        listed = [n or value.shape[i] for i, n in enumerate(listed)]
    if listed.count(-1) > 1:
        raise InputError(f"The shape {listed} leaves two axes open.")
    if -1 in listed:
        rest = math.prod(n for n in listed if n != -1)
        size = math.prod(value.shape)
        if rest <= 0 or size % rest:
            raise InputError(f"A tensor of shape {value.shape} cannot be reshaped to {listed}.")
        listed[listed.index(-1)] = size // rest
    return value.reshape(listed)


def _flatten(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis = ctx.axis(1, value.rank, end=True) if value.rank else 0
    return value.reshape((math.prod(value.shape[:axis]), math.prod(value.shape[axis:])))


def _squeeze(ctx: Context) -> Outputs:
    value = ctx.input(0)
    listed = ctx.integers_from("axes", 1)
    if listed is None:
        axes = tuple(i for i, extent in enumerate(value.shape) if extent == 1)
    else:
        axes = axes_in(listed, value.rank)
    if any(value.shape[axis] != 1 for axis in axes):
        raise InputError(f"Axes {list(axes)} of shape {value.shape} do not all have extent 1.")
    return value.reshape([n for i, n in enumerate(value.shape) if i not in axes])


def _unsqueeze(ctx: Context) -> Outputs:
    value = ctx.input(0)
    listed = ctx.integers_from("axes", 1)
    if listed is None or value.rank + len(listed) > MAX_RANK:
        raise InputError("The axes are missing, or too many.")
    axes = axes_in(listed, value.rank + len(listed))
    rest = iter(value.shape)
    return value.reshape([1 if i in axes else next(rest) for i in range(value.rank + len(axes))])


def _transpose(ctx: Context) -> Outputs:
    value = ctx.input(0)
    return value.transpose(ctx.attributes.integers("perm") or tuple(range(value.rank))[::-1])


def _concat(ctx: Context) -> Outputs:
    values = ctx.all_inputs()
    return concat(values, ctx.axis(None if ctx.opset >= 4 else 1, values[0].rank))


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
        value.cut(axis, start if size else min(start, max(extent - 1, 0)), size)
        for start, size in zip(starts, sizes, strict=True)
    )


def _slice(ctx: Context) -> Outputs:
    value, listed = ctx.input(0), ctx.attributes.integers
    if ctx.opset < 10:
        starts, ends, axes, steps = listed("starts"), listed("ends"), listed("axes"), None
    else:
        starts, ends = ctx.input(1).integers("'starts'"), ctx.input(2).integers("'ends'")
        axes, steps = (
            None if given is None else given.integers(f"'{name}'")
            for name, given in (("axes", ctx.optional(3)), ("steps", ctx.optional(4)))
        )
    if starts is None or ends is None:
        raise InputError("Starts or ends are missing.")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise InputError("Starts, ends, axes and steps differ in length.")
    firsts, strides, sizes = [0] * value.rank, [1] * value.rank, list(value.shape)
    axes_in(axes, value.rank)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        at = axis_in(axis, value.rank)
        chosen = range(value.shape[at])[slice(start, end, step)]
        firsts[at], strides[at] = (chosen.start, chosen.step) if len(chosen) else (0, 1)
        sizes[at] = len(chosen)
    if tuple(sizes) == value.shape and min(strides, default=1) > 0:
        return value
    return value.apply(ops.SLICE, starts=tuple(firsts), steps=tuple(strides), sizes=tuple(sizes))


def _pad(ctx: Context) -> Outputs:
    value = ctx.input(0)
    mode = ctx.attributes.text("mode", "constant")
    if ctx.opset < 11:
        listed = ctx.attributes.integers("pads")
        fill: float | Fraction | int | None = ctx.attributes.real("value", 0.0)
    else:
        listed = ctx.input(1).integers("'pads'")
        filling = ctx.optional(2)
        fill = 0 if filling is None else uniform(filling)
        if fill is None and filling is not None:
            fill = filling.known("'constant_value'").reshape(-1).tolist()[0]
    chosen = ctx.optional(3)
    axes = tuple(range(value.rank)) if chosen is None else chosen.integers("'axes'")
    if listed is None or len(listed) != 2 * len(axes):
        raise InputError(f"Pads {listed} do not fit {len(axes)} axes.")
    axes_in(axes, value.rank)
    before, after = [0] * value.rank, [0] * value.rank
    for i, axis in enumerate(axes):
        at = axis_in(axis, value.rank)
        before[at], after[at] = listed[i], listed[i + len(axes)]
    if mode == "constant":
        return _fill(value, before, after, fill)
    for axis in range(value.rank):
        if before[axis] or after[axis]:
            places = _reflect(mode, value.shape[axis], before[axis], after[axis])
            value = value.take(places, axis)
    return value


def _fill(
    value: Value, before: Sequence[int], after: Sequence[int], fill: float | Fraction | None
) -> Value:
    for axis in range(value.rank):
        # negative pads cut
        start, stop = max(-before[axis], 0), value.shape[axis] - max(-after[axis], 0)
        if stop < start:
            raise InputError(f"The pads cut more than there is along axis {axis}.")
        value = value.cut(axis, start, stop - start)
    front, back = tuple(max(n, 0) for n in before), tuple(max(n, 0) for n in after)
    if not any(front) and not any(back):
        return value
    if fill == -math.inf:
        inside = np.pad(np.ones(value.shape, np.int64), list(zip(front, back, strict=True)))
        padded = value.apply(ops.PAD, before=front, after=back, value=Fraction(0))
        outside = value.emitter.constant(np.float32(-np.inf), value.kind)
        return value.emitter.constant(inside, BOOL).select(padded, outside, value.kind)
    if fill is None or not math.isfinite(fill):
        raise InputError(f"The padding {fill} is no real number.")
    return value.apply(ops.PAD, before=front, after=back, value=Fraction(fill))


def _reflect(mode: str, extent: int, before: int, after: int) -> Array:
    """The element that stands at each place of a padded axis."""
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
    listed = ctx.input(1).integers("'shape'")
    if min(listed, default=0) < 0 or len(listed) > MAX_RANK:
        raise InputError(f"The shape {list(listed)} is out of range.")
    return value.broadcast(_joint(value.shape, listed))


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
    repeats = ctx.input(1).integers("'repeats'")
    if len(repeats) != value.rank or min(repeats, default=1) < 0:
        raise InputError(f"Repeats {list(repeats)} do not fit shape {value.shape}.")
    if all(n == 1 for n in repeats):
        return value
    pairs = list(zip(repeats, value.shape, strict=True))
    apart = value.reshape([n for extent in value.shape for n in (1, extent)])
    return apart.broadcast(tuple(n for pair in pairs for n in pair)).reshape(
        [count * extent for count, extent in pairs]
    )


def _blocks(ctx: Context) -> Outputs:
    """Channels to blocks of an image, or blocks to channels."""
    value, block = ctx.input(0), ctx.attributes.integer("blocksize")
    deep, mode = ctx.op == "SpaceToDepth", ctx.attributes.text("mode", "DCR")
    if value.rank != 4:
        raise InputError(f"An image has 4 axes, not shape {value.shape}.")
    batch, channels, height, width = value.shape
    fits = block > 0 and not (
        height % block or width % block if deep else channels % (block * block)
    )
    if not fits or mode not in ("DCR", "CRD"):
        raise InputError(f"Blocks of {block} in mode {mode!r} do not fit shape {value.shape}.")
    if deep:
        parts = (batch, channels, height // block, block, width // block, block)
        perm = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
        shape = (batch, channels * block**2, height // block, width // block)
    else:
        depth = channels // block**2
        inner = (block, block, depth) if mode == "DCR" else (depth, block, block)
        parts = (batch, *inner, height, width)
        perm = (0, 3, 4, 1, 5, 2) if mode == "DCR" else (0, 1, 4, 2, 5, 3)
        shape = (batch, depth, height * block, width * block)
    return value.reshape(parts).transpose(perm).reshape(shape)


SHAPING: Mapping[str, Lowering] = {
    "Concat": _concat,
    "DepthToSpace": _blocks,
    "Expand": _expand,
    "Flatten": _flatten,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "SpaceToDepth": _blocks,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}

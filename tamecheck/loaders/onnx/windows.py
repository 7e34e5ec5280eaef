"""Sliding windows over spatial axes, as tables of flat positions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array, Shape

if TYPE_CHECKING:
    from tamecheck.loaders.onnx.context import Context

__all__ = ["Axis", "Windows", "read_axes", "table_of"]

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

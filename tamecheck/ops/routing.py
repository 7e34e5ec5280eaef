"""Ops that only move elements: every output element is a copy of an input element or a constant."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.op import Op, Param, Params, Routing
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.piecewise import fraction
from tamecheck.ops.shapes import axis_of, integers

IntList = tuple[int, ...]


def _reshape_shape(shapes: Sequence[Shape], params: Params) -> Shape:
    target = integers(params, "shape")
    if size_of(target) != size_of(shapes[0]):
        raise InputError(f"A tensor of shape {shapes[0]} cannot be reshaped to {target}.")
    return target


def _transpose_shape(shapes: Sequence[Shape], params: Params) -> Shape:
    perm = integers(params, "perm")
    if sorted(perm) != list(range(len(shapes[0]))):
        raise InputError(f"perm {perm} is no permutation of the axes of {shapes[0]}.")
    return tuple(shapes[0][axis] for axis in perm)


def _slice_shape(shapes: Sequence[Shape], params: Params) -> Shape:
    starts, steps = integers(params, "starts"), integers(params, "steps")
    sizes = integers(params, "sizes")
    if not len(starts) == len(steps) == len(sizes) == len(shapes[0]):
        raise InputError(f"A slice of {shapes[0]} needs one start, step and size an axis.")
    for extent, start, step, size in zip(shapes[0], starts, steps, sizes, strict=True):
        last = start + (size - 1) * step
        if size < 0 or step == 0 or (size and not (0 <= start < extent and 0 <= last < extent)):
            raise InputError(f"The slice start {start}, step {step}, size {size} leaves {extent}.")
    return sizes


def _slice(arrays: Sequence[Array], params: Params) -> Array:
    picks = [
        start + step * np.arange(size)
        for start, step, size in zip(
            integers(params, "starts"),
            integers(params, "steps"),
            integers(params, "sizes"),
            strict=True,
        )
    ]
    return arrays[0][np.ix_(*picks)] if picks else arrays[0]


def _concat_shape(shapes: Sequence[Shape], params: Params) -> Shape:
    axis = axis_of(shapes[0], params)
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rest) != 1 or len({len(shape) for shape in shapes}) != 1:
        raise InputError(f"Shapes {', '.join(map(str, shapes))} do not join along axis {axis}.")
    extent = sum(shape[axis] for shape in shapes)
    return (*shapes[0][:axis], extent, *shapes[0][axis + 1 :])


def _pad_shape(shapes: Sequence[Shape], params: Params) -> Shape:
    before, after = integers(params, "before"), integers(params, "after")
    if not len(before) == len(after) == len(shapes[0]) or min((*before, *after), default=0) < 0:
        raise InputError(f"Padding {before}, {after} does not fit shape {shapes[0]}.")
    return tuple(b + n + a for b, n, a in zip(before, shapes[0], after, strict=True))


def _pad(arrays: Sequence[Array], params: Params) -> Array:
    data = arrays[0]
    before = integers(params, "before")
    value = fraction(params, "value")
    filled = np.empty(_pad_shape([data.shape], params), dtype=data.dtype)
    filled[...] = value if data.dtype == object else float(value)
    window = tuple(slice(b, b + n) for b, n in zip(before, data.shape, strict=True))
    filled[window] = data
    return filled


def _broadcast_shape(shapes: Sequence[Shape], params: Params) -> Shape:
    target = integers(params, "shape")
    padded = (1,) * (len(target) - len(shapes[0])) + shapes[0]
    if len(padded) != len(target) or any(
        n not in (1, m) for n, m in zip(padded, target, strict=True)
    ):
        raise InputError(f"A tensor of shape {shapes[0]} does not broadcast to {target}.")
    return target


RESHAPE = Op(
    name="reshape",
    summary="the same elements in C order under another shape",
    params=(Param("shape", IntList),),
    shape=_reshape_shape,
    meaning=Routing(lambda a, p: a[0].reshape(integers(p, "shape"))),
)

TRANSPOSE = Op(
    name="transpose",
    summary="axes permuted: output axis i is input axis perm[i]",
    params=(Param("perm", IntList),),
    shape=_transpose_shape,
    meaning=Routing(lambda a, p: a[0].transpose(integers(p, "perm"))),
)

SLICE = Op(
    name="slice",
    summary="element i along an axis is input element start + i step, for i < size",
    params=(Param("starts", IntList), Param("steps", IntList), Param("sizes", IntList)),
    shape=_slice_shape,
    meaning=Routing(_slice),
)

CONCAT = Op(
    name="concat",
    summary="tensors joined along an axis",
    arity=None,
    params=(Param("axis", int),),
    shape=_concat_shape,
    meaning=Routing(lambda a, p: np.concatenate(list(a), axis_of(a[0].shape, p))),
)

PAD = Op(
    name="pad",
    summary="a frame of a constant value around the tensor",
    params=(Param("before", IntList), Param("after", IntList), Param("value", Fraction)),
    shape=_pad_shape,
    meaning=Routing(_pad),
)

BROADCAST = Op(
    name="broadcast",
    summary="the tensor repeated along axes of extent 1, as NumPy broadcasts",
    params=(Param("shape", IntList),),
    shape=_broadcast_shape,
    meaning=Routing(lambda a, p: np.broadcast_to(a[0], integers(p, "shape"))),
)

"""Axes: bringing the folded axes to the front, for every kind of array."""

from __future__ import annotations

from tamecheck.ir.op import Params
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.shapes import axes_of, axis_of

__all__ = ["axis_last", "folded_first"]


def folded_first(array: Array, params: Params) -> Array:
    """The array with the axes of parameter ``axes`` flattened into one leading axis."""
    axes = axes_of(array.shape, params)
    rest = tuple(i for i in range(array.ndim) if i not in axes)
    moved = array.transpose((*axes, *rest))
    count = size_of(tuple(array.shape[axis] for axis in axes))
    return moved.reshape((count, *(array.shape[axis] for axis in rest)))


def axis_last(array: Array, params: Params) -> Array:
    """The array with the axis of parameter ``axis`` last, and the others flattened."""
    axis = axis_of(array.shape, params)
    rest = tuple(i for i in range(array.ndim) if i != axis)
    moved = array.transpose((*rest, axis))
    return moved.reshape((-1, array.shape[axis])) if array.size else moved.reshape((0, 1))

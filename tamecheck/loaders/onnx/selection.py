"""Softmax and its relatives, and operators that choose elements by comparing them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.op import Op
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.onnx.kinds import INT64
from tamecheck.loaders.onnx.values import Value

__all__ = ["SELECTION"]


def _along(ctx: Context, act: Callable[[Value, int], Value]) -> Value:
    """Act along ``axis``; before opset 13, along that axis and all behind it, joined."""
    value = ctx.input(0)
    if ctx.opset >= 13:
        return act(value, ctx.axis(-1, value.rank))
    axis = ctx.axis(1, value.rank, end=True)
    rows = math.prod(value.shape[:axis])
    flat = ctx.reshape(value, (rows, math.prod(value.shape[axis:])))
    return ctx.reshape(act(flat, 1), value.shape)


def _softmax(op: Op) -> Lowering:
    return lambda ctx: (_along(ctx, lambda value, axis: ctx.apply(op, value, axis=axis)),)


def _hardmax(ctx: Context) -> Outputs:
    def act(value: Value, axis: int) -> Value:
        best = ctx.apply(ops.ARGMAX, value, axis=axis, keepdims=True, last=False)
        extent = [1] * value.rank
        extent[axis] = value.shape[axis]
        places = ctx.constant(np.arange(value.shape[axis]).reshape(extent))
        return ctx.apply(ops.EQUAL, best, places)

    return (_along(ctx, act),)


def _choice(op: Op) -> Lowering:
    def lower(ctx: Context) -> Outputs:
        value = ctx.input(0)
        keepdims = ctx.attributes.flag("keepdims", default=True)
        last = ctx.attributes.flag("select_last_index")
        axis = ctx.axis(0, value.rank)
        return (ctx.apply(op, value, axis=axis, keepdims=keepdims, last=last, kind=INT64),)

    return lower


def _top_k(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis = ctx.axis(-1, value.rank)
    ctx.attributes.ignore("sorted")
    largest = ctx.attributes.flag("largest", default=True)
    if ctx.opset < 10:
        count = ctx.attributes.integer("k")
    else:
        (count,) = ctx.known_integers(ctx.input(1), "'k'")
    if not 0 <= count <= value.shape[axis]:
        raise InputError(f"There are no {count} elements along axis {axis} of {value.shape}.")
    order = ctx.apply(ops.ARGSORT, value, axis=axis, descending=largest, kind=INT64)
    chosen = ctx.cut(order, axis, 0, count)
    return ctx.apply(ops.GATHER_ELEMENTS, value, chosen, axis=axis), chosen


SELECTION: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        "ArgMax": _choice(ops.ARGMAX),
        "ArgMin": _choice(ops.ARGMIN),
        "Hardmax": _hardmax,
        "LogSoftmax": _softmax(ops.LOG_SOFTMAX),
        "Softmax": _softmax(ops.SOFTMAX),
        "TopK": _top_k,
    }
)
"""The operators of this file."""

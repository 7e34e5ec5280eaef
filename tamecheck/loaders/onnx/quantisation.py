"""Linear quantisation; the result saturates at the range of its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.kinds import FLOAT, Family, Kind, kind_of
from tamecheck.loaders.onnx.minifloats import rounded_to
from tamecheck.loaders.onnx.values import Value

__all__ = ["QUANTISATION"]


def _spread(ctx: Context, parameter: Value, value: Value) -> Value:
    """A scale or zero point, ready to be broadcast: a scalar, one an axis, or one a block."""
    axis = ctx.axis(1, max(value.rank, 2))
    block = ctx.attributes.integer("block_size", 0)
    if parameter.shape in ((), (1,)) and block == 0:
        return ctx.reshape(parameter, ())
    if axis >= value.rank:
        raise InputError(f"There is no axis {axis} in shape {value.shape}.")
    if block == 0:
        if parameter.shape != (value.shape[axis],):
            raise InputError(f"A scale of shape {parameter.shape} does not fit {value.shape}.")
        shape = [1] * value.rank
        shape[axis] = value.shape[axis]
        return ctx.reshape(parameter, shape)
    count = parameter.shape[axis] if parameter.rank == value.rank else 0
    if block < 0 or -(-value.shape[axis] // block) != count:
        raise InputError(f"Blocks of {block} do not fit shape {value.shape}.")
    places = [i // block for i in range(value.shape[axis])]
    return ctx.take(parameter, places, axis)


def _quantize(ctx: Context) -> Outputs:
    value, scale, zero = ctx.input(0), ctx.input(1), ctx.optional(2)
    ctx.attributes.ignore("precision")
    saturate = ctx.attributes.flag("saturate", default=True)
    code = ctx.attributes.integer("output_dtype", 0)
    kind = zero.kind if zero is not None else kind_of(code or 2)
    units = ctx.apply(ops.DIV, value, _spread(ctx, scale, value))
    if kind.family is not Family.INTEGER:
        if zero is not None and bool(ctx.known(zero, "the zero point").astype(np.float64).any()):
            raise ctx.refuse(f"a zero point of type {kind.name} other than 0 is not read.")
        return (rounded_to(ctx, units, kind, saturate=saturate),)
    whole = ctx.apply(ops.ROUND, units, mode="half_even")
    if zero is not None:
        whole = ctx.apply(ops.ADD, whole, _spread(ctx, zero, value))
    return (_saturated(ctx, whole, kind),)


def _saturated(ctx: Context, value: Value, kind: Kind) -> Value:
    low, high = Fraction(kind.low), Fraction(kind.high)
    return ctx.apply(ops.CLIP, value, kind=kind, lo=low, hi=high)


def _dequantize(ctx: Context) -> Outputs:
    value, scale, zero = ctx.input(0), ctx.input(1), ctx.optional(2)
    ctx.attributes.ignore("output_dtype")
    if zero is not None:
        value = ctx.apply(ops.SUB, value, _spread(ctx, zero, value))
    return (ctx.apply(ops.MUL, value, _spread(ctx, scale, value), kind=FLOAT),)


QUANTISATION: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {"DequantizeLinear": _dequantize, "QuantizeLinear": _quantize}
)
"""The operators of this file."""

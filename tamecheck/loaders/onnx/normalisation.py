"""Normalisations; a square root of constants stays a node, since its value is irrational."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.values import Value

__all__ = ["NORMALISATION"]


def _column(ctx: Context, vector: Value, rank: int) -> Value:
    """A vector over channels, ready to be broadcast over the spatial axes."""
    if vector.rank != 1:
        raise InputError(f"A vector over channels has shape {vector.shape}.")
    return ctx.reshape(vector, (*vector.shape, *(1,) * (rank - 2)))


def _mean(ctx: Context, value: Value, axes: Sequence[int]) -> Value:
    count = math.prod(value.shape[axis] for axis in axes)
    if count == 0:
        raise InputError(f"There is no mean over axes {list(axes)} of shape {value.shape}.")
    return ctx.apply(ops.DIV, ctx.total(value, axes), count)


def _deviation(ctx: Context, variance: Value, epsilon: Fraction) -> Value:
    shifted = variance if epsilon == 0 else ctx.apply(ops.ADD, variance, epsilon)
    return ctx.apply(ops.SQRT, shifted)


def _batch_normalisation(ctx: Context) -> Outputs:
    value = ctx.input(0)
    if value.rank < 2:
        raise InputError(f"BatchNormalization takes a batch of channels, not shape {value.shape}.")
    scale, bias = (_column(ctx, ctx.input(i), value.rank) for i in (1, 2))
    mean, variance = (_column(ctx, ctx.input(i), value.rank) for i in (3, 4))
    epsilon = ctx.attributes.real("epsilon", 1e-5)
    momentum = ctx.attributes.real("momentum", 0.9)
    if not ctx.attributes.flag("training_mode"):
        ctx.attributes.ignore("spatial") if ctx.attributes.integer("spatial", 1) == 1 else None
        factor = ctx.apply(ops.DIV, scale, _deviation(ctx, variance, epsilon))
        offset = ctx.apply(ops.SUB, bias, ctx.apply(ops.MUL, mean, factor))
        product = ctx.apply(ops.MUL, value, factor)
        return (_fits(ctx.apply(ops.ADD, product, offset), value),)
    axes = (0, *range(2, value.rank))
    current = _mean(ctx, value, axes)
    centred = ctx.apply(ops.SUB, value, current)
    spread = _mean(ctx, ctx.square(centred), axes)
    unit = ctx.apply(ops.DIV, centred, _deviation(ctx, spread, epsilon))
    result = ctx.apply(ops.ADD, ctx.apply(ops.MUL, unit, scale), bias)
    running = [
        ctx.apply(
            ops.ADD,
            ctx.scaled(ctx.input(i), momentum),
            ctx.scaled(ctx.reshape(new, ctx.input(i).shape), 1 - momentum),
        )
        for i, new in ((3, current), (4, spread))
    ]
    return (_fits(result, value), *running)


def _fits(result: Value, value: Value) -> Value:
    if result.shape != value.shape:
        raise InputError(f"The parameters do not fit a tensor of shape {value.shape}.")
    return result


def _instance_normalisation(ctx: Context) -> Outputs:
    value = ctx.input(0)
    if value.rank < 3:
        raise InputError(f"InstanceNormalization takes spatial axes, not shape {value.shape}.")
    scale, bias = (_column(ctx, ctx.input(i), value.rank) for i in (1, 2))
    axes = tuple(range(2, value.rank))
    unit, *_ = _standardised(ctx, value, axes, ctx.attributes.real("epsilon", 1e-5))
    return (_fits(ctx.apply(ops.ADD, ctx.apply(ops.MUL, unit, scale), bias), value),)


def _standardised(
    ctx: Context, value: Value, axes: Sequence[int], epsilon: Fraction
) -> tuple[Value, Value, Value]:
    """The tensor with mean 0 and variance 1 over axes; the mean; the deviation."""
    mean = _mean(ctx, value, axes)
    centred = ctx.apply(ops.SUB, value, mean)
    deviation = _deviation(ctx, _mean(ctx, ctx.square(centred), axes), epsilon)
    return ctx.apply(ops.DIV, centred, deviation), mean, deviation


def _layer_normalisation(ctx: Context) -> Outputs:
    value, scale, bias = ctx.input(0), ctx.input(1), ctx.optional(2)
    ctx.attributes.ignore("stash_type")
    axes = tuple(range(ctx.axis(-1, value.rank), value.rank))
    epsilon = ctx.attributes.real("epsilon", 1e-5)
    unit, mean, deviation = _standardised(ctx, value, axes, epsilon)
    result = ctx.apply(ops.MUL, unit, scale)
    if bias is not None:
        result = ctx.apply(ops.ADD, result, bias)
    inverse = () if ctx.wanted < 3 else (ctx.apply(ops.DIV, 1, deviation),)
    return (_fits(result, value), mean, *inverse)


def _group_normalisation(ctx: Context) -> Outputs:
    value, groups = ctx.input(0), ctx.attributes.integer("num_groups")
    ctx.attributes.ignore("stash_type")
    if value.rank < 3 or groups < 1 or value.shape[1] % groups or ctx.opset < 21:
        raise ctx.refuse(f"{groups} groups of the channels of shape {value.shape} are not read.")
    scale, bias = (_column(ctx, ctx.input(i), value.rank) for i in (1, 2))
    parts = (value.shape[0], groups, value.shape[1] // groups, *value.shape[2:])
    split = ctx.reshape(value, parts)
    epsilon = ctx.attributes.real("epsilon", 1e-5)
    unit, *_ = _standardised(ctx, split, tuple(range(2, split.rank)), epsilon)
    unit = ctx.reshape(unit, value.shape)
    return (_fits(ctx.apply(ops.ADD, ctx.apply(ops.MUL, unit, scale), bias), value),)


def _local_response(ctx: Context) -> Outputs:
    value, size = ctx.input(0), ctx.attributes.integer("size")
    alpha, beta = ctx.attributes.real("alpha", 1e-4), ctx.attributes.real("beta", 0.75)
    bias = ctx.attributes.real("bias", 1.0)
    if value.rank < 2 or not 1 <= size <= 4_096:
        raise InputError(f"A window of {size} channels does not fit shape {value.shape}.")
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    frame = (0,) * (value.rank - 2)
    padded = ctx.apply(
        ops.PAD,
        ctx.square(value),
        before=(0, before, *frame),
        after=(0, after, *frame),
        value=Fraction(0),
    )
    parts = [ctx.cut(padded, 1, start, value.shape[1]) for start in range(size)]
    total = parts[0]
    for part in parts[1:]:
        total = ctx.apply(ops.ADD, total, part)
    base = ctx.apply(ops.ADD, ctx.scaled(total, alpha / size), bias)
    return (ctx.apply(ops.DIV, value, ctx.apply(ops.POW, base, exponent=beta)),)


def _lp_normalisation(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis, power = ctx.axis(-1, value.rank), ctx.attributes.integer("p", 2)
    if power == 1:
        norm = ctx.total(ctx.apply(ops.ABS, value), (axis,))
    elif power == 2:
        norm = ctx.apply(ops.SQRT, ctx.total(ctx.square(value), (axis,)))
    else:
        raise ctx.refuse(f"the norm of order {power} is not read.")
    # a tensor of norm 0 is 0, and stays so
    divisor = ctx.apply(ops.SELECT, norm, norm, 1)
    return (ctx.apply(ops.DIV, value, divisor),)


NORMALISATION: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        "BatchNormalization": _batch_normalisation,
        "GroupNormalization": _group_normalisation,
        "InstanceNormalization": _instance_normalisation,
        "LRN": _local_response,
        "LayerNormalization": _layer_normalisation,
        "LpNormalization": _lp_normalisation,
    }
)
"""The operators of this file."""

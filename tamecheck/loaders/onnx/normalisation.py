"""Normalisations: by stored statistics, or by those of the elements along axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.tensor import Array
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, axes_in


def _column(vector: Value, rank: int) -> Value:
    """A vector over channels, ready to be broadcast over the spatial axes."""
    if vector.rank != 1:
        raise InputError(f"A vector over channels has shape {vector.shape}.")
    return vector.reshape((*vector.shape, *(1,) * (rank - 2)))


def _deviation(variance: Value, epsilon: Fraction) -> Value:
    # a square root of constants stays a node, since its value is irrational
    return (variance if epsilon == 0 else variance + epsilon).apply(ops.SQRT)


def _standardise(
    value: Value, axes: Sequence[int], epsilon: Fraction
) -> tuple[Value, Value, Value, Value]:
    """The tensor with mean 0 and variance 1 over axes; the mean; the variance; the deviation."""
    mean = value.mean(axes)
    centred = value - mean
    variance = centred.square().mean(axes)
    deviation = _deviation(variance, epsilon)
    return centred / deviation, mean, variance, deviation


def _fit(result: Value, value: Value) -> Value:
    if result.shape != value.shape:
        raise InputError(f"The parameters do not fit a tensor of shape {value.shape}.")
    return result


def _batch_normalisation(ctx: Context) -> Outputs:
    value, attributes = ctx.input(0), ctx.attributes
    if value.rank < 2:
        raise InputError(f"BatchNormalization takes a batch of channels, not shape {value.shape}.")
    scale, bias, mean, variance = (_column(ctx.input(i), value.rank) for i in range(1, 5))
    epsilon = attributes.real("epsilon", 1e-5)
    momentum = attributes.real("momentum", 0.9)
    if not attributes.flag("training_mode"):
        # where it is 0, the parameters are no vectors, and are refused
        attributes.integer("spatial", 1)
        factor = scale / _deviation(variance, epsilon)
        offset = bias - mean * factor
        return _fit(value * factor + offset, value)
    unit, *current, _ = _standardise(value, (0, *range(2, value.rank)), epsilon)
    result = unit * scale + bias
    running = [
        old.scale(momentum) + new.reshape(old.shape).scale(1 - momentum)
        for old, new in zip((ctx.input(3), ctx.input(4)), current, strict=True)
    ]
    return (_fit(result, value), *running)


def _instance_normalisation(ctx: Context) -> Outputs:
    value = ctx.input(0)
    if value.rank < 3:
        raise InputError(f"InstanceNormalization takes spatial axes, not shape {value.shape}.")
    scale, bias = (_column(ctx.input(i), value.rank) for i in (1, 2))
    epsilon = ctx.attributes.real("epsilon", 1e-5)
    unit, *_ = _standardise(value, tuple(range(2, value.rank)), epsilon)
    return _fit(unit * scale + bias, value)


def _layer_normalisation(ctx: Context) -> Outputs:
    value, scale, bias = ctx.input(0), ctx.input(1), ctx.optional(2)
    ctx.attributes.ignore("stash_type")
    axes = tuple(range(ctx.axis(-1, value.rank), value.rank))
    epsilon = ctx.attributes.real("epsilon", 1e-5)
    unit, mean, _, deviation = _standardise(value, axes, epsilon)
    result = unit * scale
    if bias is not None:
        result += bias
    inverse = () if ctx.wanted < 3 else (1 / deviation,)
    return (_fit(result, value), mean, *inverse)


def _group_normalisation(ctx: Context) -> Outputs:
    value, groups = ctx.input(0), ctx.attributes.integer("num_groups")
    ctx.attributes.ignore("stash_type")
    if value.rank < 3 or groups < 1 or value.shape[1] % groups:
        raise InputError(f"{groups} groups do not fit the channels of shape {value.shape}.")
    scale, bias = (_column(ctx.input(i), value.rank) for i in (1, 2))
    if ctx.opset < 21:
        # the parameters of a group; newer ones are those of a channel
        channels = np.arange(value.shape[1]) // (value.shape[1] // groups)
        scale, bias = (_of_groups(parameter, groups, channels) for parameter in (scale, bias))
    split = value.reshape((value.shape[0], groups, value.shape[1] // groups, *value.shape[2:]))
    epsilon = ctx.attributes.real("epsilon", 1e-5)
    unit, *_ = _standardise(split, tuple(range(2, split.rank)), epsilon)
    return _fit(unit.reshape(value.shape) * scale + bias, value)


def _of_groups(parameter: Value, groups: int, channels: Array) -> Value:
    if parameter.shape[0] != groups:
        raise InputError(f"A parameter of shape {parameter.shape} does not fit {groups} groups.")
    return parameter.take(channels, 0)


def _root_mean_square(ctx: Context) -> Outputs:
    value, scale = ctx.input(0), ctx.input(1)
    ctx.attributes.ignore("stash_type")
    axes = tuple(range(ctx.axis(-1, value.rank), value.rank))
    epsilon = ctx.attributes.real("epsilon", 1e-5)
    return _fit(value / _deviation(value.square().mean(axes), epsilon) * scale, value)


def _mean_variance(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axes = axes_in(ctx.attributes.integers("axes") or (0, 2, 3), value.rank)
    centred = value - value.mean(axes)
    # the definition adds this in single precision, so that a constant input is 0
    small = Fraction(float(np.float32(1e-9)))
    return centred / (centred.square().mean(axes).apply(ops.SQRT) + small)


def _local_response(ctx: Context) -> Outputs:
    value, size = ctx.input(0), ctx.attributes.integer("size")
    alpha, beta = ctx.attributes.real("alpha", 1e-4), ctx.attributes.real("beta", 0.75)
    bias = ctx.attributes.real("bias", 1.0)
    if value.rank < 2 or not 1 <= size <= 4_096:
        raise InputError(f"A window of {size} channels does not fit shape {value.shape}.")
    before, frame, squares = (size - 1) // 2, (0,) * (value.rank - 2), value.square()
    front, back = (0, before, *frame), (0, size - 1 - before, *frame)
    padded = squares.apply(ops.PAD, before=front, after=back, value=Fraction(0))
    total = reduce(Value.__add__, [padded.cut(1, i, value.shape[1]) for i in range(size)])
    return value / (total.scale(alpha / size) + bias).apply(ops.POW, exponent=beta)


def _lp_normalisation(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis, power = ctx.axis(-1, value.rank), ctx.attributes.integer("p", 2)
    if power not in (1, 2):
        raise UnsupportedError(f"the norm of order {power} is not read.")
    if power == 1:
        norm = value.apply(ops.ABS).total((axis,))
    else:
        norm = value.square().total((axis,)).apply(ops.SQRT)
    # a tensor of norm 0 is 0, and stays so
    return value / norm.select(norm, 1)


NORMALISATION: Mapping[str, Lowering] = {
    "BatchNormalization": _batch_normalisation,
    "GroupNormalization": _group_normalisation,
    "InstanceNormalization": _instance_normalisation,
    "LRN": _local_response,
    "LayerNormalization": _layer_normalisation,
    "LpNormalization": _lp_normalisation,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _root_mean_square,
}

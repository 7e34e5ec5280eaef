"""Operators along axes: reductions, softmax, choices by comparison, normalisations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.op import Op
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.onnx.kinds import INT64, Family, Value

__all__ = ["NORMALISATION", "REDUCTIONS", "SELECTION"]


@dataclass(frozen=True, slots=True)
class Over:
    """The axes to reduce over, and whether they stay with extent 1."""

    axes: tuple[int, ...]
    keepdims: bool


Reducer = Callable[[Context, Value, Over], Value]


def _reduction(reduce: Reducer) -> Lowering:
    def lower(ctx: Context) -> Outputs:
        value = ctx.input(0)
        keepdims = ctx.attributes.flag("keepdims", default=True)
        noop = ctx.attributes.flag("noop_with_empty_axes")
        listed = ctx.integers_from("axes", 1)
        if not listed:
            axes = () if noop else tuple(range(value.rank))
        else:
            axes = ctx.positives(listed, value.rank)
        return (reduce(ctx, value, Over(axes, keepdims)),)

    return lower


def _folded(op: Op) -> Reducer:
    def reduce(ctx: Context, value: Value, over: Over) -> Value:
        return ctx.apply(op, value, axes=over.axes, keepdims=over.keepdims)

    return reduce


def _extreme(op: Op) -> Reducer:
    def reduce(ctx: Context, value: Value, over: Over) -> Value:
        if 0 not in [value.shape[axis] for axis in over.axes]:
            return ctx.apply(op, value, axes=over.axes, keepdims=over.keepdims)
        if not value.kind.integral:
            raise InputError("The largest of no floats is -inf, which is no real number.")
        kept = [1 if i in over.axes else n for i, n in enumerate(value.shape)]
        shape = tuple(n for i, n in enumerate(kept) if over.keepdims or i not in over.axes)
        bound = value.kind.low if op is ops.REDUCE_MAX else value.kind.high
        return ctx.broadcast(ctx.constant(np.int64(bound), value.kind), shape)

    return reduce


def _mean(ctx: Context, value: Value, over: Over) -> Value:
    count = math.prod(value.shape[axis] for axis in over.axes)
    if count == 0:
        raise InputError(f"There is no mean over axes {list(over.axes)} of shape {value.shape}.")
    mean = ctx.apply(ops.DIV, ctx.total(value, over.axes, keepdims=over.keepdims), count)
    return ctx.truncated(mean, value.kind) if value.kind.family is Family.INTEGER else mean


def _norm_1(ctx: Context, value: Value, over: Over) -> Value:
    return ctx.total(ctx.apply(ops.ABS, value), over.axes, keepdims=over.keepdims)


def _sum_square(ctx: Context, value: Value, over: Over) -> Value:
    return ctx.total(ctx.square(value), over.axes, keepdims=over.keepdims)


def _norm_2(ctx: Context, value: Value, over: Over) -> Value:
    norm = ctx.apply(ops.SQRT, _sum_square(ctx, value, over))
    return ctx.truncated(norm, value.kind) if value.kind.family is Family.INTEGER else norm


def _log_sum(ctx: Context, value: Value, over: Over) -> Value:
    return ctx.apply(ops.LOG, ctx.total(value, over.axes, keepdims=over.keepdims))


def _cumulative_sum(ctx: Context) -> Outputs:
    value = ctx.input(0)
    exclusive, backward = ctx.attributes.flag("exclusive"), ctx.attributes.flag("reverse")
    (listed,) = ctx.known_integers(ctx.input(1), "'axis'")
    axis = ctx.positive(listed, value.rank)
    extent = value.shape[axis]
    if extent > 4_096:
        raise ctx.refuse(f"a cumulative sum of {extent} elements is not read.")
    # column j of the matrix marks the elements that make up sum j
    matrix = np.triu(np.ones((extent, extent), dtype=np.int64), 1 if exclusive else 0)
    perm = [*(i for i in range(value.rank) if i != axis), axis]
    moved = ctx.transpose(value, perm)
    factor = ctx.constant(matrix.T if backward else matrix, value.kind)
    summed = ctx.apply(ops.MATMUL, moved, factor)
    return (ctx.transpose(summed, [perm.index(i) for i in range(value.rank)]),)


REDUCTIONS: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        "CumSum": _cumulative_sum,
        "ReduceL1": _reduction(_norm_1),
        "ReduceL2": _reduction(_norm_2),
        "ReduceLogSum": _reduction(_log_sum),
        "ReduceLogSumExp": _reduction(_folded(ops.LOGSUMEXP)),
        "ReduceMax": _reduction(_extreme(ops.REDUCE_MAX)),
        "ReduceMean": _reduction(_mean),
        "ReduceMin": _reduction(_extreme(ops.REDUCE_MIN)),
        "ReduceProd": _reduction(_folded(ops.PROD)),
        "ReduceSum": _reduction(_folded(ops.SUM)),
        "ReduceSumSquare": _reduction(_sum_square),
    }
)
"""The operators of this file."""


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


def _column(ctx: Context, vector: Value, rank: int) -> Value:
    """A vector over channels, ready to be broadcast over the spatial axes."""
    if vector.rank != 1:
        raise InputError(f"A vector over channels has shape {vector.shape}.")
    return ctx.reshape(vector, (*vector.shape, *(1,) * (rank - 2)))


def _average(ctx: Context, value: Value, axes: Sequence[int]) -> Value:
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
    current = _average(ctx, value, axes)
    centred = ctx.apply(ops.SUB, value, current)
    spread = _average(ctx, ctx.square(centred), axes)
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
    mean = _average(ctx, value, axes)
    centred = ctx.apply(ops.SUB, value, mean)
    deviation = _deviation(ctx, _average(ctx, ctx.square(centred), axes), epsilon)
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

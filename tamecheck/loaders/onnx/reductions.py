"""Operators along axes: reductions, softmax, choices by comparison, normalisations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.loaders.kinds import INT64, Family
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, axes_in, axis_in

__all__ = ["NORMALISATION", "REDUCTIONS", "SELECTION"]


@dataclass(frozen=True, slots=True)
class _Over:
    """The axes to reduce over, and whether they stay with extent 1."""

    axes: tuple[int, ...]
    keepdims: bool

    def total(self, value: Value) -> Value:
        return value.total(self.axes, keepdims=self.keepdims)


_Reducer = Callable[[Value, _Over], Value]


def _reduction(reducer: _Reducer) -> Lowering:
    def lower(ctx: Context) -> Outputs:
        value = ctx.input(0)
        keepdims = ctx.attributes.flag("keepdims", default=True)
        noop = ctx.attributes.flag("noop_with_empty_axes")
        listed = ctx.integers_from("axes", 1)
        every = () if noop else tuple(range(value.rank))
        return reducer(value, _Over(axes_in(listed, value.rank) if listed else every, keepdims))

    return lower


def _fold(op: Op) -> Lowering:
    return _reduction(lambda value, o: value.apply(op, axes=o.axes, keepdims=o.keepdims))


def _extreme(op: Op) -> Lowering:
    def reducer(value: Value, over: _Over) -> Value:
        if 0 not in [value.shape[axis] for axis in over.axes]:
            return value.apply(op, axes=over.axes, keepdims=over.keepdims)
        if not value.kind.integral:
            raise InputError("The largest of no floats is -inf, which is no real number.")
        kept = [1 if i in over.axes else n for i, n in enumerate(value.shape)]
        shape = tuple(n for i, n in enumerate(kept) if over.keepdims or i not in over.axes)
        bound = value.kind.low if op is ops.REDUCE_MAX else value.kind.high
        return value.emitter.constant(np.int64(bound), value.kind).broadcast(shape)

    return _reduction(reducer)


def _whole(value: Value) -> Value:
    """The value as one of its type: integers are rounded toward zero."""
    return value.truncate(value.kind) if value.kind.family is Family.INTEGER else value


def _cumulative_sum(ctx: Context) -> Outputs:
    value = ctx.input(0)
    exclusive, backward = ctx.attributes.flag("exclusive"), ctx.attributes.flag("reverse")
    (listed,) = ctx.input(1).integers("'axis'")
    axis = axis_in(listed, value.rank)
    extent = value.shape[axis]
    if extent > 4_096:
        raise UnsupportedError(f"a cumulative sum of {extent} elements is not read.")
    # column j of the matrix marks the elements that make up sum j
    matrix = np.triu(np.ones((extent, extent), dtype=np.int64), 1 if exclusive else 0)
    return value.along(axis, ctx.constant(matrix.T if backward else matrix, value.kind))


REDUCTIONS: Mapping[str, Lowering] = {
    "CumSum": _cumulative_sum,
    "ReduceL1": _reduction(lambda value, over: over.total(value.apply(ops.ABS))),
    "ReduceL2": _reduction(lambda value, over: _whole(over.total(value.square()).apply(ops.SQRT))),
    "ReduceLogSum": _reduction(lambda value, over: over.total(value).apply(ops.LOG)),
    "ReduceLogSumExp": _fold(ops.LOGSUMEXP),
    "ReduceMax": _extreme(ops.REDUCE_MAX),
    "ReduceMean": _reduction(
        lambda value, over: _whole(value.mean(over.axes, keepdims=over.keepdims))
    ),
    "ReduceMin": _extreme(ops.REDUCE_MIN),
    "ReduceProd": _fold(ops.PROD),
    "ReduceSum": _fold(ops.SUM),
    "ReduceSumSquare": _reduction(lambda value, over: over.total(value.square())),
}


def _along(act: Callable[[Value, int], Value]) -> Lowering:
    """Act along ``axis``; before opset 13, along that axis and all behind it, joined."""

    def lower(ctx: Context) -> Outputs:
        value = ctx.input(0)
        if ctx.opset >= 13:
            return act(value, ctx.axis(-1, value.rank))
        axis = ctx.axis(1, value.rank, end=True)
        flat = value.reshape((math.prod(value.shape[:axis]), math.prod(value.shape[axis:])))
        return act(flat, 1).reshape(value.shape)

    return lower


def _hardmax(value: Value, axis: int) -> Value:
    best = value.apply(ops.ARGMAX, axis=axis, keepdims=True, last=False)
    extent = [1] * value.rank
    extent[axis] = value.shape[axis]
    places = np.arange(value.shape[axis]).reshape(extent)
    return best.apply(ops.EQUAL, value.emitter.constant(places))


def _choice(op: Op) -> Lowering:
    def lower(ctx: Context) -> Outputs:
        value = ctx.input(0)
        keepdims = ctx.attributes.flag("keepdims", default=True)
        last = ctx.attributes.flag("select_last_index")
        axis = ctx.axis(0, value.rank)
        return value.apply(op, axis=axis, keepdims=keepdims, last=last, kind=INT64)

    return lower


def _top_k(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis = ctx.axis(-1, value.rank)
    ctx.attributes.ignore("sorted")
    largest = ctx.attributes.flag("largest", default=True)
    if ctx.opset < 10:
        count = ctx.attributes.integer("k")
    else:
        (count,) = ctx.input(1).integers("'k'")
    if not 0 <= count <= value.shape[axis]:
        raise InputError(f"There are no {count} elements along axis {axis} of {value.shape}.")
    order = value.apply(ops.ARGSORT, axis=axis, descending=largest, kind=INT64)
    chosen = order.cut(axis, 0, count)
    return value.apply(ops.GATHER_ELEMENTS, chosen, axis=axis), chosen


SELECTION: Mapping[str, Lowering] = {
    "ArgMax": _choice(ops.ARGMAX),
    "ArgMin": _choice(ops.ARGMIN),
    "Hardmax": _along(_hardmax),
    "LogSoftmax": _along(lambda value, axis: value.apply(ops.LOG_SOFTMAX, axis=axis)),
    "Softmax": _along(lambda value, axis: value.apply(ops.SOFTMAX, axis=axis)),
    "TopK": _top_k,
}


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
    if value.rank < 3 or groups < 1 or value.shape[1] % groups or ctx.opset < 21:
        what = f"{groups} groups of the channels of shape {value.shape} are not read."
        raise UnsupportedError(what)
    scale, bias = (_column(ctx.input(i), value.rank) for i in (1, 2))
    split = value.reshape((value.shape[0], groups, value.shape[1] // groups, *value.shape[2:]))
    epsilon = ctx.attributes.real("epsilon", 1e-5)
    unit, *_ = _standardise(split, tuple(range(2, split.rank)), epsilon)
    return _fit(unit.reshape(value.shape) * scale + bias, value)


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
}

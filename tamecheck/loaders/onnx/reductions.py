"""Operators along axes: reductions, softmax, choices by comparison, normalisations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.loaders.kinds import INT64, Family
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, axes_in, axis_in

MAX_CUMULATIVE = 4_096


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


def _cumulative(ctx: Context) -> Outputs:
    """Sums or products of the elements up to each, or behind it."""
    value = ctx.input(0)
    exclusive, backward = ctx.attributes.flag("exclusive"), ctx.attributes.flag("reverse")
    (listed,) = ctx.input(1).integers("'axis'")
    axis = axis_in(listed, value.rank)
    extent = value.shape[axis]
    if extent > MAX_CUMULATIVE:
        raise UnsupportedError(f"the {ctx.op} of {extent} elements is not read.")
    # column j of the matrix marks the elements that make up result j
    matrix = np.triu(np.ones((extent, extent), dtype=np.int64), 1 if exclusive else 0)
    matrix = matrix.T if backward else matrix
    if ctx.op == "CumSum":
        return value.along(axis, ctx.constant(matrix, value.kind))
    # a 1 behind the last element stands for those that are left out
    after = tuple(int(i == axis) for i in range(value.rank))
    padded = value.apply(ops.PAD, before=(0,) * value.rank, after=after, value=Fraction(1))
    table = np.where(matrix.T > 0, np.arange(extent)[None, :], extent)
    return padded.take(table, axis).apply(ops.PROD, axes=(axis + 1,), keepdims=False)


REDUCTIONS: Mapping[str, Lowering] = {
    "CumProd": _cumulative,
    "CumSum": _cumulative,
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

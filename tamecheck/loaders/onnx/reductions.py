"""Reductions over axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.op import Op
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.onnx.kinds import Family
from tamecheck.loaders.onnx.values import Value

__all__ = ["REDUCTIONS"]


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

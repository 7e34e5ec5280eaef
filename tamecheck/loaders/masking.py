"""Scores that are masked with -inf, as in attention: exp and softmax make 0 of them.

A tensor with -inf is one of finite numbers with a mask, and each op here says what becomes of both.
No other op has such an argument.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from tamecheck import ops
from tamecheck.errors import UnsupportedError
from tamecheck.ir.op import Op, Params
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.folding import exact_array
from tamecheck.loaders.kinds import BOOL, FLOAT, Kind
from tamecheck.loaders.values import MaskedRule, Value, axis_in, has_minus_infinity

__all__ = ["MASKED"]

MAX_PATTERNS = 512
"""A softmax whose rows are masked in more ways than this is divided by its sum again."""


def _unmasked(value: Value) -> Value:
    """A constant with -inf as one of finite numbers with a mask."""
    if value.array is None or not has_minus_infinity(value):
        return value
    below = np.isneginf(value.array)
    mask = value.emitter.constant(below.astype(np.int64), BOOL)
    return replace(value, array=np.where(below, np.float32(0), value.array), masked=mask)


def _finite(value: Value) -> Value:
    return replace(value, masked=None)


def _with_mask(value: Value, mask: Value | None) -> Value:
    """The value with a mask; a constant keeps -inf among its elements."""
    if mask is None or value.array is None:
        return replace(value, masked=mask)
    if mask.array is None:
        return replace(value, array=None, node=value.emitter.node(value), masked=mask)
    below = np.broadcast_to(mask.array, value.shape) != 0
    array = np.where(below, -np.inf, value.array.astype(np.float64))
    return replace(value, array=array, masked=None)


def _spread(mask: Value, shape: Shape) -> Value:
    if mask.array is None:
        return mask.broadcast(shape)
    return replace(mask, shape=shape, array=np.broadcast_to(mask.array, shape))


def _mask_of(value: Value) -> Value:
    """The mask of a value in its shape; zeros where there is none."""
    mask = value.masked or value.emitter.constant(np.int64(0), BOOL)
    return _spread(mask, value.shape)


def _choose(condition: Value, left: Value, right: Value) -> Value:
    arrays = [value.array for value in (condition, left, right)]
    if any(array is None for array in arrays):
        return condition.select(left, right, BOOL)
    chosen = np.where(np.asarray(arrays[0]) != 0, *map(np.asarray, arrays[1:]))
    return condition.emitter.constant(chosen.astype(np.int64), BOOL)


def _apply(op: Op, values: Sequence[Value], params: Params, kind: Kind) -> Value:
    """The op of finite tensors."""
    options: dict[str, Any] = {**params}
    return values[0].emitter.apply(op, *map(_finite, values), kind=kind, **options)


def _route(op: Op, values: Sequence[Value], params: Params, kind: Kind) -> Value:
    # indices have no mask
    first, *rest = values
    masks = [_mask_of(first), *(rest if op is ops.GATHER else map(_mask_of, rest))]
    return _with_mask(_apply(op, values, params, kind), _apply(op, masks, params, BOOL))


def _add(op: Op, values: Sequence[Value], params: Params, kind: Kind) -> Value:
    if op is ops.SUB and values[1].masked is not None:
        raise UnsupportedError("a difference would be infinity.")
    found = _apply(op, values, params, kind)
    masks = [value.masked for value in values if value.masked is not None]
    mask = masks[0] if len(masks) == 1 else _choose(masks[0], masks[0], masks[1])
    return _with_mask(found, mask)


def _scale(op: Op, values: Sequence[Value], params: Params, kind: Kind) -> Value:
    left, right = values
    factor = right if left.masked is not None else left
    exact = None if factor.array is None else exact_array(factor.array)
    if (factor is left and op is ops.DIV) or exact is None or not bool((exact > 0).all()):
        raise UnsupportedError("-inf is multiplied by what is not known to be positive.")
    return _with_mask(_apply(op, values, params, kind), left.masked or right.masked)


def _select(op: Op, values: Sequence[Value], params: Params, kind: Kind) -> Value:
    condition, left, right = values
    finite = [
        _finite(other if _is_masked_throughout(value) else value)
        for value, other in ((left, right), (right, left))
    ]
    found = _apply(op, [condition, *finite], params, kind)
    return _with_mask(found, _choose(condition, _mask_of(left), _mask_of(right)))


def _is_masked_throughout(value: Value) -> bool:
    mask = value.masked
    return mask is not None and mask.array is not None and bool((mask.array != 0).all())


def _exp(op: Op, values: Sequence[Value], params: Params, kind: Kind) -> Value:
    (value,) = values
    return _mask_of(value).select(0, _apply(op, values, params, kind), kind)


def _largest(op: Op, values: Sequence[Value], params: Params, kind: Kind) -> Value:
    """The largest of the elements that are not masked; it has no value where all are."""
    (value,), mask = values, _mask_of(values[0])
    axes = cast("tuple[int, ...]", params["axes"])
    number = _finite(value)
    least = number.apply(ops.REDUCE_MIN, axes=axes, keepdims=True)
    found = _apply(op, [mask.select(least, number)], params, kind)
    if mask.array is not None:
        if bool((mask.array != 0).all(axis=axes).any()):
            raise UnsupportedError("the largest of nothing but -inf is no number.")
        return found
    left = _apply(op, [1 - mask], params, kind)
    return found + 0 / left


def _softmax(op: Op, values: Sequence[Value], params: Params, kind: Kind) -> Value:
    """The softmax over the elements that are not masked, 0 at the others."""
    (value,), mask = values, _mask_of(values[0])
    number, axis = _finite(value), axis_in(cast("int", params["axis"]), value.rank)
    if mask.array is not None:
        rows = np.moveaxis(mask.array != 0, axis, -1)
        lines = rows.reshape(-1, rows.shape[-1])
        if bool(lines.all(axis=1).any()):
            raise UnsupportedError("a softmax of nothing but -inf has no value.")
        patterns, which = np.unique(lines, axis=0, return_inverse=True)
        if len(patterns) <= MAX_PATTERNS:
            positions = np.arange(lines.size, dtype=np.int64).reshape(value.shape)
            places = np.moveaxis(positions, axis, -1).reshape(lines.shape)
            table = _softmax_by_pattern(number, patterns, which.reshape(-1), places)
            return table.reshape(rows.shape).transpose(
                np.argsort([*(i for i in range(value.rank) if i != axis), axis]).tolist()
            )
    # masked elements are put below all others, so that floats lose nothing
    least = number.apply(ops.REDUCE_MIN, axes=(axis,), keepdims=True)
    kept = mask.select(0, _apply(op, [mask.select(least, number)], params, kind), kind)
    return kept / kept.total((axis,))


def _softmax_by_pattern(value: Value, patterns: Array, which: Array, places: Array) -> Value:
    """For each pattern the softmax of its rows without what is masked; the rows in order.

    ``places`` are the positions of the elements of each row, ``which`` is its pattern.
    """
    line, emitter = value.reshape((places.size,)), value.emitter
    parts, table, count = [emitter.constant(np.zeros(1, np.int64), FLOAT)], 0 * places, 1
    for number, pattern in enumerate(patterns):
        chosen = np.ix_(which == number, ~pattern)
        found = line.take(places[chosen], 0).apply(ops.SOFTMAX, axis=1)
        table[chosen] = count + np.arange(math.prod(found.shape)).reshape(found.shape)
        count += math.prod(found.shape)
        parts.append(found.reshape((math.prod(found.shape),)))
    return parts[0].apply(ops.CONCAT, *parts[1:], axis=0).take(table, 0)


def _rule(act: MaskedRule) -> MaskedRule:
    """The rule for arguments that may be constants with -inf."""
    return lambda op, values, params, kind: act(op, [*map(_unmasked, values)], params, kind)


MASKED: Mapping[Op, MaskedRule] = {
    **dict.fromkeys(
        (ops.RESHAPE, ops.TRANSPOSE, ops.SLICE, ops.CONCAT, ops.BROADCAST, ops.GATHER),
        _rule(_route),
    ),
    **dict.fromkeys((ops.ADD, ops.SUB), _rule(_add)),
    **dict.fromkeys((ops.MUL, ops.DIV), _rule(_scale)),
    ops.SELECT: _rule(_select),
    ops.EXP: _rule(_exp),
    ops.REDUCE_MAX: _rule(_largest),
    ops.SOFTMAX: _rule(_softmax),
}
"""The ops that are read of tensors in which -inf stands for what is masked."""

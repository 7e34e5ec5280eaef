"""Operators that make constants, or tell shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.folding import exact_array, narrowed
from tamecheck.loaders.onnx.kinds import BOOL, FLOAT, INT64, Value

__all__ = ["CONSTANTS"]

MAX_RANGE = 2**20


def _constant(ctx: Context) -> Outputs:
    attributes = ctx.attributes
    tensor = attributes.tensor("value")
    if tensor is not None:
        return (ctx.decode(tensor),)
    if attributes.has("value_float"):
        return (ctx.constant(np.float32(attributes.real("value_float")), FLOAT),)
    if attributes.has("value_floats"):
        listed = attributes.reals("value_floats") or ()
        return (ctx.constant(np.array([float(f) for f in listed], np.float32), FLOAT),)
    if attributes.has("value_int"):
        return (ctx.constant(np.int64(attributes.integer("value_int")), INT64),)
    if attributes.has("value_ints"):
        return (ctx.constant(np.array(attributes.integers("value_ints"), np.int64), INT64),)
    raise ctx.refuse(f"a constant given as {', '.join(attributes.found) or 'nothing'} is not read.")


def _constant_of_shape(ctx: Context) -> Outputs:
    shape = ctx.known_integers(ctx.input(0), "the shape")
    if min(shape, default=0) < 0 or len(shape) > 32:
        raise InputError(f"The shape {list(shape)} is out of range.")
    tensor = ctx.attributes.tensor("value")
    value = ctx.constant(np.float32(0), FLOAT) if tensor is None else ctx.decode(tensor)
    if math.prod(value.shape) != 1:
        raise InputError("The value of ConstantOfShape must be one element.")
    return (ctx.broadcast(ctx.reshape(value, ()), shape),)


def _shape(ctx: Context) -> Outputs:
    value = ctx.input(0)
    start = ctx.attributes.integer("start", 0)
    end = ctx.attributes.integer("end", value.rank)
    start, end = (min(max(n + value.rank if n < 0 else n, 0), value.rank) for n in (start, end))
    return (ctx.constant(np.array(value.shape[start:end], dtype=np.int64), INT64),)


def _size(ctx: Context) -> Outputs:
    return (ctx.constant(np.int64(math.prod(ctx.input(0).shape)), INT64),)


def _range(ctx: Context) -> Outputs:
    bounds: list[Fraction] = []
    for index, name in enumerate(("start", "limit", "delta")):
        array = exact_array(ctx.known(ctx.input(index), f"'{name}'"))
        if array is None or array.size != 1:
            raise InputError(f"'{name}' must be one finite number.")
        bounds.append(Fraction(array.reshape(-1)[0]))
    start, limit, delta = bounds
    if delta == 0:
        raise InputError("A range has step 0.")
    count = max(math.ceil((limit - start) / delta), 0)
    if count > MAX_RANGE:
        raise InputError(f"A range of {count} numbers is too long.")
    numbers = np.empty(count, dtype=object)
    numbers[:] = [start + i * delta for i in range(count)]
    kind = ctx.input(0).kind
    if kind.integral:
        return (ctx.constant(np.array([int(n) for n in numbers.tolist()], np.int64), kind),)
    return (ctx.constant(narrowed(numbers), kind),)


def _dropout(ctx: Context) -> Outputs:
    value = ctx.input(0)
    ctx.attributes.ignore("seed", "ratio")
    training = ctx.optional(2)
    if training is not None and bool(ctx.known(training, "'training_mode'").reshape(-1).any()):
        ratio = ctx.optional(1)
        share = 0.5 if ratio is None else float(ctx.known(ratio, "'ratio'").reshape(-1)[0])
        if share != 0:
            raise ctx.refuse("dropout in training mode is random.")
    mask = ctx.broadcast(ctx.constant(np.int64(1), BOOL), value.shape)
    return (value, mask)


def _one_hot(ctx: Context) -> Outputs:
    indices, values = ctx.input(0), ctx.input(2)
    (depth,) = ctx.known_integers(ctx.input(1), "'depth'")
    axis = ctx.axis(-1, indices.rank + 1)
    if not 0 < depth <= MAX_RANGE or values.shape != (2,):
        raise InputError(f"A depth of {depth} with values of shape {values.shape} is no one-hot.")
    places = [1] * (indices.rank + 1)
    places[axis] = depth
    spread = ctx.reshape(indices, (*indices.shape[:axis], 1, *indices.shape[axis:]))
    negative = ctx.apply(ops.LESS, spread, 0)
    wrapped = ctx.apply(ops.ADD, spread, ctx.apply(ops.MUL, negative, depth))
    hot = ctx.apply(ops.EQUAL, wrapped, ctx.constant(np.arange(depth).reshape(places)))
    off, on = (ctx.reshape(ctx.cut(values, 0, i, 1), ()) for i in (0, 1))
    return (ctx.apply(ops.SELECT, hot, on, off, kind=values.kind),)


def _eye_like(ctx: Context) -> Outputs:
    from tamecheck.loaders.onnx.kinds import kind_of

    value = ctx.input(0)
    if value.rank != 2 or math.prod(value.shape) > MAX_RANGE:
        raise InputError(f"EyeLike takes a matrix, not shape {value.shape}.")
    offset = ctx.attributes.integer("k", 0)
    if abs(offset) > MAX_RANGE:
        raise InputError(f"There is no diagonal {offset}.")
    kind = kind_of(ctx.attributes.integer("dtype")) if ctx.attributes.has("dtype") else value.kind
    rows, columns = value.shape
    return (Value(kind, value.shape, array=np.eye(rows, columns, offset, dtype=np.int64)),)


CONSTANTS: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        "Constant": _constant,
        "ConstantOfShape": _constant_of_shape,
        "Dropout": _dropout,
        "EyeLike": _eye_like,
        "OneHot": _one_hot,
        "Range": _range,
        "Shape": _shape,
        "Size": _size,
    }
)
"""The operators of this file."""

"""Operators that make constants, or tell shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.folding import exact_array, narrow
from tamecheck.loaders.kinds import BOOL, FLOAT, INT64, kind_of
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs

MAX_RANGE = 2**20


def _constant(ctx: Context) -> Outputs:
    attributes = ctx.attributes
    tensor = attributes.tensor("value")
    if tensor is not None:
        return ctx.decode(tensor)
    sparse = attributes.sparse("sparse_value")
    if sparse is not None:
        return ctx.decode(sparse)
    if attributes.has("value_float"):
        return ctx.constant(np.float32(attributes.real("value_float")), FLOAT)
    if attributes.has("value_floats"):
        listed = attributes.reals("value_floats") or ()
        return ctx.constant(np.array([float(f) for f in listed], np.float32), FLOAT)
    if attributes.has("value_int"):
        return ctx.constant(np.int64(attributes.integer("value_int")), INT64)
    if attributes.has("value_ints"):
        return ctx.constant(np.array(attributes.integers("value_ints"), np.int64), INT64)
    given = ", ".join(attributes.found) or "nothing"
    raise UnsupportedError(f"a constant given as {given} is not read.")


def _constant_of_shape(ctx: Context) -> Outputs:
    shape = ctx.input(0).integers("the shape")
    if min(shape, default=0) < 0 or len(shape) > 32:
        raise InputError(f"The shape {list(shape)} is out of range.")
    tensor = ctx.attributes.tensor("value")
    value = ctx.constant(np.float32(0), FLOAT) if tensor is None else ctx.decode(tensor)
    if math.prod(value.shape) != 1:
        raise InputError("The value of ConstantOfShape must be one element.")
    return value.reshape(()).broadcast(shape)


def _shape(ctx: Context) -> Outputs:
    value = ctx.input(0)
    start = ctx.attributes.integer("start", 0)
    end = ctx.attributes.integer("end", value.rank)
    start, end = (min(max(n + value.rank if n < 0 else n, 0), value.rank) for n in (start, end))
    return ctx.constant(np.array(value.shape[start:end], dtype=np.int64), INT64)


def _range(ctx: Context) -> Outputs:
    bounds: list[Fraction] = []
    for index, name in enumerate(("start", "limit", "delta")):
        array = exact_array(ctx.input(index).known(f"'{name}'"))
        if array is None or array.size != 1:
            raise InputError(f"'{name}' must be one finite number.")
        bounds.append(Fraction(array.reshape(-1)[0]))
    start, limit, delta = bounds
    if delta == 0:
        raise InputError("A range has step 0.")
    count = max(math.ceil((limit - start) / delta), 0)
    if count > MAX_RANGE:
        raise InputError(f"A range of {count} numbers is too long.")
    numbers, kind = [start + i * delta for i in range(count)], ctx.input(0).kind
    if kind.integral:
        return ctx.constant(np.array([int(n) for n in numbers], np.int64), kind)
    exact = np.empty(count, dtype=object)
    exact[:] = numbers
    return ctx.constant(narrow(exact), kind)


def _dropout(ctx: Context) -> Outputs:
    value = ctx.input(0)
    ctx.attributes.ignore("seed", "ratio")
    training = ctx.optional(2)
    if training is not None and bool(training.known("'training_mode'").reshape(-1).any()):
        ratio = ctx.optional(1)
        if ratio is None or float(ratio.known("'ratio'").reshape(-1)[0]) != 0:
            raise UnsupportedError("dropout in training mode is random.")
    return value, ctx.constant(np.int64(1), BOOL).broadcast(value.shape)


def _one_hot(ctx: Context) -> Outputs:
    indices, values = ctx.input(0), ctx.input(2)
    (depth,) = ctx.input(1).integers("'depth'")
    axis = ctx.axis(-1, indices.rank + 1)
    if not 0 < depth <= MAX_RANGE or values.shape != (2,):
        raise InputError(f"A depth of {depth} with values of shape {values.shape} is no one-hot.")
    places = [depth if i == axis else 1 for i in range(indices.rank + 1)]
    spread = indices.reshape((*indices.shape[:axis], 1, *indices.shape[axis:]))
    wrapped = spread + spread.apply(ops.LESS, 0) * depth
    hot = wrapped.apply(ops.EQUAL, ctx.constant(np.arange(depth).reshape(places)))
    off, on = values.part(0, 0), values.part(0, 1)
    return hot.select(on, off, values.kind)


def _eye_like(ctx: Context) -> Outputs:
    value = ctx.input(0)
    if value.rank != 2 or math.prod(value.shape) > MAX_RANGE:
        raise InputError(f"EyeLike takes a matrix, not shape {value.shape}.")
    offset = ctx.attributes.integer("k", 0)
    if abs(offset) > MAX_RANGE:
        raise InputError(f"There is no diagonal {offset}.")
    kind = kind_of(ctx.attributes.integer("dtype")) if ctx.attributes.has("dtype") else value.kind
    rows, columns = value.shape
    return ctx.constant(np.eye(rows, columns, offset, dtype=np.int64), kind)


CONSTANTS: Mapping[str, Lowering] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": _dropout,
    "EyeLike": _eye_like,
    "OneHot": _one_hot,
    "Range": _range,
    "Shape": _shape,
    "Size": lambda ctx: ctx.constant(np.int64(math.prod(ctx.input(0).shape)), INT64),
}

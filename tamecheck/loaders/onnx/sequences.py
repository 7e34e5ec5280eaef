"""Sequences of tensors, whose lengths are known while a model is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.kinds import BOOL, INT64
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs, TensorSequence
from tamecheck.loaders.values import Value, axis_in


def stack(values: Sequence[Value], axis: int) -> Value:
    """Tensors joined along a new axis."""
    if not values:
        raise InputError("There is no tensor to stack.")
    at = axis_in(axis, values[0].rank + 1)
    first, *others = (v.reshape((*v.shape[:at], 1, *v.shape[at:])) for v in values)
    return first.apply(ops.CONCAT, *others, axis=at) if others else first


def _position(ctx: Context, index: int, length: int, *, end: bool = False) -> int:
    """A place in a sequence; where it is left out, the last one, or behind it."""
    given = ctx.optional(index)
    if given is None:
        return length if end else length - 1
    (place,) = given.integers("the position")
    if not -length <= place < length + end:
        raise InputError(f"There is no position {place} in a sequence of {length}.")
    return place + length if place < 0 else place


def _insert(ctx: Context) -> Outputs:
    elements = ctx.sequence(0)
    place = _position(ctx, 2, len(elements), end=True)
    return TensorSequence((*elements[:place], ctx.input(1), *elements[place:]))


def _erase(ctx: Context) -> Outputs:
    elements = ctx.sequence(0)
    place = _position(ctx, 1, len(elements))
    if not elements:
        raise InputError("The sequence is empty.")
    return TensorSequence((*elements[:place], *elements[place + 1 :]))


def _at(ctx: Context) -> Outputs:
    elements = ctx.sequence(0)
    return elements[_position(ctx, 1, len(elements))]


def _empty(ctx: Context) -> Outputs:
    ctx.attributes.ignore("dtype")
    return TensorSequence(())


def _split(ctx: Context) -> Outputs:
    value, given = ctx.input(0), ctx.optional(1)
    axis = ctx.axis(0, value.rank)
    keeps = ctx.attributes.flag("keepdims", default=True)
    extent = value.shape[axis]
    if given is None:
        parts = [value.cut(axis, i, 1) for i in range(extent)]
        return TensorSequence(
            tuple(parts if keeps else [value.part(axis, i) for i in range(extent)])
        )
    sizes = given.integers("'split'")
    if given.rank == 0:
        (size,) = sizes
        if size < 1:
            raise InputError(f"There are no parts of {size} elements.")
        sizes = tuple(min(size, extent - start) for start in range(0, extent, size))
    if min(sizes, default=0) < 0 or sum(sizes) != extent:
        raise InputError(f"The parts {list(sizes)} do not make up {extent} elements.")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return TensorSequence(
        tuple(value.cut(axis, start, size) for start, size in zip(starts, sizes, strict=True))
    )


def _concat(ctx: Context) -> Outputs:
    elements, axis = ctx.sequence(0), ctx.attributes.integer("axis")
    if ctx.attributes.flag("new_axis"):
        return stack(elements, axis)
    if not elements:
        raise InputError("The sequence is empty.")
    first, *others = elements
    at = axis_in(axis, first.rank)
    return first.apply(ops.CONCAT, *others, axis=at) if others else first


def _optional(ctx: Context) -> Outputs:
    ctx.attributes.ignore("type")
    return ctx.item(0)


SEQUENCES: Mapping[str, Lowering] = {
    "ConcatFromSequence": _concat,
    "Optional": _optional,
    "OptionalGetElement": _optional,
    "OptionalHasElement": lambda ctx: ctx.constant(
        np.int64(bool(ctx.inputs) and ctx.inputs[0] is not None), BOOL
    ),
    "SequenceAt": _at,
    "SequenceConstruct": lambda ctx: TensorSequence(tuple(ctx.all_inputs())),
    "SequenceEmpty": _empty,
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": lambda ctx: ctx.constant(np.int64(len(ctx.sequence(0))), INT64),
    "SplitToSequence": _split,
}

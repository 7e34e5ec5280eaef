"""Branches that are chosen, loops that are unrolled, sequences: known before there are values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.kinds import BOOL, INT64
from tamecheck.loaders.onnx.context import Context, Item, Lowering, Outputs, TensorSequence
from tamecheck.loaders.values import Value, axis_in, concat, stack


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
    return concat(elements, axis_in(axis, elements[0].rank))


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


MAX_TRIPS = 1_024
"""A loop with more trips is not unrolled."""


def _truth(value: Value, what: str) -> bool:
    array = value.known(what)
    if array.size != 1:
        raise InputError(f"{what[0].upper()}{what[1:]} has shape {array.shape}.")
    return bool(array.reshape(-1)[0])


def _tensors(items: Sequence[Item]) -> list[Value]:
    found = [item for item in items if isinstance(item, Value)]
    if len(found) < len(items):
        raise InputError("The body gives a sequence where a tensor is needed.")
    return found


def _if(ctx: Context) -> Outputs:
    then, other = ctx.attributes.graph("then_branch"), ctx.attributes.graph("else_branch")
    chosen = _truth(ctx.input(0), "the condition")
    return tuple(ctx.run(then if chosen else other, (), "then" if chosen else "else"))


def _loop(ctx: Context) -> Outputs:
    body, state = ctx.attributes.graph("body"), [ctx.item(i) for i in range(2, len(ctx.inputs))]
    given, start = ctx.optional(0), ctx.optional(1)
    (trips,) = (None,) if given is None else given.integers("the trip count")
    alive = ctx.constant(np.int64(1), BOOL) if start is None else start
    rows: list[list[Value]] = []
    trip = 0
    while (trips is None or trip < trips) and _truth(alive, "the condition of the loop"):
        if trip >= MAX_TRIPS:
            count = "an unknown number of" if trips is None else trips
            raise UnsupportedError(f"a loop of {count} trips is too long to be unrolled.")
        found = ctx.run(body, (ctx.constant(np.int64(trip), INT64), alive, *state), str(trip))
        if len(found) <= len(state):
            raise InputError(f"The body has {len(found)} outputs for {len(state)} variables.")
        alive, row = _tensors(found[:1])[0], _tensors(found[1 + len(state) :])
        state = found[1 : 1 + len(state)]
        rows.append(row)
        trip += 1
    collected = ctx.wanted - len(state)
    if not rows and collected > 0:
        raise UnsupportedError("a loop without a trip collects nothing of a known shape.")
    return (*state, *(stack([row[i] for row in rows], 0) for i in range(collected)))


def _scan(ctx: Context) -> Outputs:
    count = ctx.attributes.integer("num_scan_inputs")
    if ctx.opset < 9:
        return _scan_batch(ctx, count)
    values = ctx.all_inputs()
    split = len(values) - count
    collected = ctx.wanted - split
    if count < 1 or split < 0 or collected < 0:
        raise InputError(f"{count} sequences do not fit {len(values)} inputs.")
    state, sequences = values[:split], values[split:]
    axes = _listed(ctx, "scan_input_axes", count)
    turned = _listed(ctx, "scan_input_directions", count)
    out_axes = _listed(ctx, "scan_output_axes", collected)
    out_turned = _listed(ctx, "scan_output_directions", collected)
    places = [axis_in(axis, v.rank) for axis, v in zip(axes, sequences, strict=True)]
    lengths = {v.shape[at] for at, v in zip(places, sequences, strict=True)}
    if len(lengths) != 1:
        raise InputError(f"The sequences have lengths {sorted(lengths)}.")
    rows, state = _trips(ctx, state, sequences, places, turned)
    outputs: list[Value] = []
    for i in range(collected):
        column = [row[i] for row in rows]
        outputs.append(stack(column[::-1] if out_turned[i] else column, out_axes[i]))
    return (*state, *outputs)


def _trips(
    ctx: Context,
    state: list[Value],
    sequences: Sequence[Value],
    axes: Sequence[int],
    turned: Sequence[int],
) -> tuple[list[list[Value]], list[Value]]:
    """What the trips over the elements of sequences collect, and the final state."""
    body = ctx.attributes.graph("body")
    length = sequences[0].shape[axes[0]]
    if not 0 < length <= MAX_TRIPS:
        raise UnsupportedError(f"a scan of {length} elements is not unrolled.")
    rows: list[list[Value]] = []
    for trip in range(length):
        parts = (
            v.part(axis, length - 1 - trip if backward else trip)
            for v, axis, backward in zip(sequences, axes, turned, strict=True)
        )
        found = ctx.run(body, (*state, *parts), str(trip))
        if len(found) < len(state):
            raise InputError(f"The body has {len(found)} outputs for {len(state)} variables.")
        rows.append(_tensors(found[len(state) :]))
        state = _tensors(found[: len(state)])
    return rows, state


def _scan_batch(ctx: Context, count: int) -> Outputs:
    """The form of operator set 8: axis 0 is a batch, and axis 1 the sequence."""
    if ctx.optional(0) is not None:
        raise UnsupportedError("lengths of sequences are not read.")
    values = [ctx.input(i) for i in range(1, len(ctx.inputs))]
    split = len(values) - count
    turned = _listed(ctx, "directions", count)
    if count < 1 or split < 0 or len({value.shape[:1] for value in values}) != 1:
        raise InputError(f"{count} sequences do not fit {len(values)} inputs.")
    results: list[list[Value]] = []
    for item in range(values[0].shape[0]):
        state, sequences = (
            [value.part(0, item) for value in part] for part in (values[:split], values[split:])
        )
        rows, final = _trips(ctx, state, sequences, [0] * count, turned)
        collected = [stack([row[i] for row in rows], 0) for i in range(ctx.wanted - split)]
        results.append([*final, *collected])
    return tuple(stack([result[i] for result in results], 0) for i in range(ctx.wanted))


def _listed(ctx: Context, name: str, count: int) -> tuple[int, ...]:
    listed = ctx.attributes.integers(name) or (0,) * count
    if len(listed) != count:
        raise InputError(f"'{name}' has {len(listed)} numbers, not {count}.")
    return listed


CONTROL: Mapping[str, Lowering] = {"If": _if, "Loop": _loop, "Scan": _scan}

"""Tensors some of whose elements are minus infinity, as the masks of attention make them.

No node of a graph has such an element.  So a tensor has beside its node a mask of the elements that
are minus infinity instead, and one of those that have no value at all, as a softmax over nothing
but minus infinities.  What an op makes of them is decided here, where it is a real number again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op, Params, Pointwise, Routing
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.folding import exact_array
from tamecheck.loaders.kinds import BOOL, FLOAT
from tamecheck.ops.shapes import axis_of

if TYPE_CHECKING:
    from tamecheck.loaders.values import Value


MAX_PATTERNS = 512
"""A softmax whose rows are masked in more ways than this is divided by its sum again."""

_Call: TypeAlias = "Callable[..., Value]"

_LIMITS: Mapping[Op, int] = {
    **dict.fromkeys((ops.EXP, ops.SIGMOID, ops.RELU, ops.SOFTPLUS), 0),
    **dict.fromkeys((ops.TANH, ops.ERF), -1),
}
"""The limits of ops at minus infinity."""


def is_extended(value: Value) -> bool:
    """Whether an element is minus infinity, or has no value."""
    if value.array is not None:
        return value.array.dtype.kind == "f" and bool(np.isneginf(value.array).any())
    return value.infinite is not None or value.undefined is not None


@dataclass(frozen=True, slots=True)
class _Arguments:
    """Arguments of an op, their real numbers, and their masks; ``call`` is the op of numbers."""

    values: Sequence[Value]
    plain: Sequence[Value]
    infinite: Sequence[Value | None]
    params: Params
    call: _Call

    @property
    def undefined(self) -> list[Value | None]:
        return [value.undefined for value in self.values]

    @property
    def one(self) -> Value:
        """The mask of the first argument, where it must be that one."""
        return self.infinite[0] or self.plain[0].emitter.constant(np.int64(0), BOOL)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of a fold."""
        found = self.params["axes"]
        return found if isinstance(found, tuple) else ()


def apply_extended(op: Op, values: Sequence[Value], params: Params, call: _Call) -> Value:
    """The value of an op; ``call`` applies it to tensors of real numbers."""
    infinite = [_infinite(value) for value in values]
    given = _Arguments(values, [_plain(value) for value in values], infinite, params, call)
    if isinstance(op.meaning, Routing) or op in (ops.GATHER, ops.GATHER_ELEMENTS):
        return _route(op, given)
    if op is ops.SELECT:
        return _select(op, given)
    if not any(infinite):
        # without infinities the op is as it is where there are values
        return call(*(value.emitter.defined(value) for value in values))
    if op not in _RULES:
        raise UnsupportedError(f"{op.name} of -inf is not read.")
    if not isinstance(op.meaning, Pointwise) and any(given.undefined):
        # what has no value in one place leaves none in another
        return apply_extended(op, [_defined(value) for value in values], params, call)
    found, below = _RULES[op](op, given)
    return _with(found, below, _either([*given.undefined, found.undefined]))


def _route(op: Op, given: _Arguments) -> Value:
    if op in (ops.GATHER, ops.GATHER_ELEMENTS) and is_extended(given.values[1]):
        raise InputError("An index is -inf.")
    result = given.call(*given.plain)
    masks = (
        _move(op, masks, given.plain, given.params, result.shape)
        for masks in (given.infinite, given.undefined)
    )
    return _with(result, *masks)


def _select(op: Op, given: _Arguments) -> Value:
    # what stands where -inf is does not matter
    condition, *both = given.plain
    left, right = (both[1 - i] if _is_whole(given.infinite[1 + i]) else both[i] for i in (0, 1))
    shape = op.shape([value.shape for value in given.values], given.params)
    same = left is right and left.array is None
    result = left.broadcast(shape) if same else given.call(condition, left, right)
    masks = (_pick(condition, masks[1:]) for masks in (given.infinite, given.undefined))
    return _with(result, *masks)


def _infinite(value: Value) -> Value | None:
    if value.array is None:
        return value.infinite
    return _mask(value, np.isneginf(value.array)) if is_extended(value) else None


def _defined(value: Value) -> Value:
    """The same as a node that has no value where the tensor has none."""
    plain = replace(value, infinite=None)
    return replace(value.emitter.defined(plain), infinite=value.infinite)


def _is_whole(mask: Value | None) -> bool:
    return mask is not None and mask.array is not None and bool(mask.array.all())


def _plain(value: Value) -> Value:
    if value.array is None:
        return replace(value, infinite=None, undefined=None)
    if not is_extended(value):
        return value
    finite = np.where(np.isneginf(value.array), np.zeros((), value.array.dtype), value.array)
    return replace(value, array=finite, name="")


def _mask(value: Value, table: Array) -> Value | None:
    """A constant mask, or None if nothing is masked."""
    return value.emitter.constant(table.astype(np.int64), BOOL) if bool(table.any()) else None


def _with(value: Value, infinite: Value | None, undefined: Value | None) -> Value:
    """The value with masks; a constant holds minus infinity itself."""
    if infinite is None and undefined is None:
        return value
    if value.array is None:
        return replace(value, infinite=infinite, undefined=undefined)
    floats = value.array.astype(np.float64)
    exact = bool((floats == value.array).all())
    if exact and undefined is None and infinite is not None and infinite.array is not None:
        return replace(value, array=np.where(infinite.array != 0, -np.inf, floats), name="")
    emitter = value.emitter
    node = replace(value, array=None, node=emitter.node(value), name="")
    return replace(node, infinite=infinite, undefined=undefined)


def _either(masks: Sequence[Value | None]) -> Value | None:
    """Where one of the masks is set; they are broadcast when they are used."""
    found: Value | None = None
    for mask in masks:
        if found is None or mask is None:
            found = found or mask
        elif found.array is not None and mask.array is not None:
            found = _mask(found, np.maximum(found.array, mask.array))
        elif found.array is not None or found.node != mask.node:
            found = found.apply(ops.MAXIMUM, mask)
    return found


def _put(mask: Value, number: Any, value: Value) -> Value:
    """A number where a mask is set."""
    if mask.array is None:
        return mask.select(Fraction(number), value, value.kind)
    # products with 0 and 1 are smooth, which a choice need not be
    kept = value.apply(ops.MUL, 1 - mask.array)
    return kept if number == 0 else kept + mask.scale(Fraction(number))


def _move(
    op: Op, masks: Sequence[Value | None], values: Sequence[Value], params: Params, shape: Shape
) -> Value | None:
    """A mask that goes where the elements go."""
    if not any(masks):
        return None
    moved: dict[str, Any] = dict(params)
    if op is ops.PAD:
        moved["value"] = Fraction(0)
    sources = [
        value if op is not ops.CONCAT and i else (mask, value)
        for i, (mask, value) in enumerate(zip(masks, values, strict=True))
    ]
    emitter = values[0].emitter
    whole: list[Value] = []
    for source in sources:
        if not isinstance(source, tuple):
            whole.append(source)
            continue
        mask, value = source
        zeros = np.broadcast_to(np.int64(0), value.shape)
        if mask is None:
            whole.append(emitter.constant(zeros, BOOL))
        elif mask.array is not None:
            whole.append(emitter.constant(np.broadcast_to(mask.array, value.shape), BOOL))
        else:
            whole.append(mask.broadcast(value.shape))
    arrays = [mask.array for mask in whole if mask.array is not None]
    if len(arrays) < len(whole):
        return emitter.apply(op, *whole, kind=BOOL, **moved)
    if isinstance(op.meaning, Routing):
        return _mask(values[0], np.asarray(op.meaning.route(arrays, moved)).reshape(shape))
    axis = axis_of(arrays[0].shape, moved)
    pick = np.take if op is ops.GATHER else np.take_along_axis
    return _mask(values[0], pick(arrays[0], arrays[1], axis=axis))


def _pick(condition: Value, masks: Sequence[Value | None]) -> Value | None:
    """The mask of what a condition chooses."""
    left, right = masks
    if left is None and right is None:
        return None
    arrays = [0 if mask is None else mask.array for mask in masks]
    if condition.array is not None and arrays[0] is not None and arrays[1] is not None:
        return _mask(condition, np.where(condition.array != 0, arrays[0], arrays[1]))
    if right is not None and left is None and right.array is None and right.node == condition.node:
        # what has no value is never chosen
        return None
    return condition.select(left or 0, right or 0, BOOL)


_Found: TypeAlias = "tuple[Value, Value | None]"
_Rule: TypeAlias = Callable[[Op, _Arguments], _Found]


def _keep(_op: Op, given: _Arguments) -> _Found:
    """-inf stays what it is, whatever the other argument."""
    return given.call(*given.plain), _either(given.infinite)


def _difference(_op: Op, given: _Arguments) -> _Found:
    left, right = given.infinite
    if right is None:
        return given.call(*given.plain), left
    if right.array is not None:
        raise UnsupportedError("a difference would be infinity.")
    # infinity is no number either
    return replace(given.call(*given.plain), undefined=right), left


def _scale(op: Op, given: _Arguments) -> _Found:
    left, right = given.infinite
    factor = given.plain[0 if left is None else 1].array
    exact = None if factor is None else exact_array(factor)
    divisor = op is ops.DIV and right is not None
    if divisor or all(given.infinite) or exact is None or not bool((exact > 0).all()):
        raise UnsupportedError("-inf is multiplied by what is not known to be positive.")
    return given.call(*given.plain), _either(given.infinite)


def _both(given: _Arguments) -> tuple[Value, Value]:
    """The masks of two arguments, of zeros where there is none."""
    nothing = given.plain[0].emitter.constant(np.int64(0), BOOL)
    return given.infinite[0] or nothing, given.infinite[1] or nothing


def _larger(_op: Op, given: _Arguments) -> _Found:
    (left, right), (one, other) = _both(given), given.plain
    best = left.select(other, right.select(one, given.call(one, other)), one.kind)
    return best, left.apply(ops.MINIMUM, right) if all(given.infinite) else None


def _compare(op: Op, given: _Arguments) -> _Found:
    left, right = _both(given)
    # -inf is below every number, and equal to itself
    below, same = 0 if op is ops.EQUAL else 1, 0 if op is ops.LESS else 1
    against = right.select(0, given.call(*given.plain), BOOL)
    return left.select(right.select(same, below, BOOL), against, BOOL), None


def _limit(op: Op, given: _Arguments) -> _Found:
    low = given.params["lo"] if op is ops.CLIP else _LIMITS[op]
    if not isinstance(low, (int, Fraction)):
        return _keep(op, given)
    return _put(given.one, low, given.call(*given.plain)), None


def _largest(_op: Op, given: _Arguments) -> _Found:
    found = given.call(_fill(given.plain[0], given.one, given.axes))
    return found, _all(given.one, given.plain[0].shape, given.params)


def _fill(value: Value, infinite: Value, axes: tuple[int, ...]) -> Value:
    """The smallest element over axes instead of minus infinity: no maximum is another for it."""
    least = value.apply(ops.REDUCE_MIN, axes=axes, keepdims=True)
    return infinite.select(least, value, value.kind)


def _all(mask: Value, shape: Shape, params: Params) -> Value | None:
    """Where all elements over axes are masked."""
    if mask.array is None:
        return mask.broadcast(shape).apply(ops.REDUCE_MIN, **dict[str, Any](params))
    axes = params["axes"] if isinstance(params["axes"], tuple) else ()
    whole = np.broadcast_to(mask.array, shape).min(axis=axes, keepdims=bool(params["keepdims"]))
    return _mask(mask, whole)


def _softmax(op: Op, given: _Arguments) -> _Found:
    """The softmax, or its logarithm, of the elements along an axis that are not -inf."""
    (value,), infinite, log = given.plain, given.one, op is ops.LOG_SOFTMAX
    axis = axis_of(value.shape, given.params)
    over = {"axes": (axis,), "keepdims": True}
    nothing, found = _all(infinite, value.shape, over), None
    if infinite.array is not None:
        found = _known_softmax(op, value, infinite.array, axis)
    if found is None:
        filled = _fill(value, infinite, (axis,))
        above = filled - filled.apply(ops.REDUCE_MAX, **over)
        weights = _put(infinite, 0, above.apply(ops.EXP))
        # the largest element weighs 1; where there is none, there is no value anyway
        total = weights.total((axis,)).clip(Fraction(1), None)
        found = above - total.apply(ops.LOG) if log else weights / total
    return replace(found, undefined=nothing), infinite if log else None


def _known_softmax(op: Op, value: Value, mask: Array, axis: int) -> Value | None:
    """The same under a constant mask; None if its rows differ too much."""
    table = np.moveaxis(np.broadcast_to(mask, value.shape), axis, -1) != 0
    rows = table.reshape(-1, table.shape[-1])
    patterns, inverse = np.unique(rows, axis=0, return_inverse=True)
    if len(patterns) > MAX_PATTERNS:
        return None
    last = [*(i for i in range(value.rank) if i != axis), axis]
    places: Array = np.arange(rows.size, dtype=np.int64).reshape(value.shape)
    places = places.transpose(last).reshape(rows.shape)
    found = _by_pattern(op, value, patterns, inverse.reshape(-1), places)
    return found.reshape(table.shape).transpose([last.index(i) for i in range(value.rank)])


def _by_pattern(op: Op, value: Value, patterns: Array, which: Array, places: Array) -> Value:
    """For each pattern the softmax of its rows without what is masked; the rows in order.

    ``places`` are the positions of the elements of each row, ``which`` is its pattern.
    """
    line = value.reshape((places.size,))
    parts, table, count = [value.emitter.constant(np.zeros(1, np.int64), FLOAT)], 0 * places, 1
    for number, pattern in enumerate(patterns):
        chosen = np.ix_(which == number, ~pattern)
        rows, columns = int((which == number).sum()), int((~pattern).sum())
        if columns == 0:
            continue
        found = line.take(places[chosen], 0).apply(op, axis=1)
        table[chosen] = count + np.arange(rows * columns).reshape(rows, columns)
        count += rows * columns
        parts.append(found.reshape((rows * columns,)))
    return parts[0].apply(ops.CONCAT, *parts[1:], axis=0).take(table, 0)


_RULES: Mapping[Op, _Rule] = {
    **dict.fromkeys((ops.ADD, ops.MINIMUM), _keep),
    **dict.fromkeys((ops.MUL, ops.DIV), _scale),
    **dict.fromkeys((ops.EQUAL, ops.LESS, ops.LESS_EQUAL), _compare),
    **dict.fromkeys((*_LIMITS, ops.CLIP), _limit),
    **dict.fromkeys((ops.SOFTMAX, ops.LOG_SOFTMAX), _softmax),
    ops.MAXIMUM: _larger,
    ops.REDUCE_MAX: _largest,
    ops.SUB: _difference,
}
"""What ops make of -inf: their values without it, which may lack some, and where they are -inf."""

"""Casts from one element type to another, and operators on the binary digits of integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.loaders.kinds import BOOL, Family, Kind, kind_of
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.onnx.quantisation import round_to
from tamecheck.loaders.values import Value

BYTE = 127
"""An integer type that ends below this has less than a byte; casting to it keeps the low bits."""


def _cast(ctx: Context) -> Outputs:
    ctx.attributes.ignore("saturate", "round_mode")
    value, notes = ctx.input(0), ctx.emitter.notes
    like = ctx.op == "CastLike"
    kind = ctx.input(1).kind if like else kind_of(ctx.attributes.integer("to"))
    source = value.kind
    if kind.family is Family.BOOLEAN:
        if source.family is Family.BOOLEAN:
            return value
        return ctx.emitter.apply(ops.SUB, 1, value.apply(ops.EQUAL, 0), kind=BOOL)
    if kind.family is Family.INTEGER and not source.integral:
        whole = value.truncate(kind)
        return _wrap_around(whole, kind) if kind.high < BYTE else whole
    if kind.family is Family.INTEGER and kind.high < BYTE:
        return value if kind == source else _wrap_around(value, kind)
    if kind.family is Family.INTEGER and not kind.low <= source.low <= source.high <= kind.high:
        notes.setdefault(f"Casting {source.name} to {kind.name} is read without wrapping around.")
    if kind.family is Family.COARSE and source != kind:
        return round_to(value, kind, saturate=ctx.attributes.flag("saturate", default=True))
    if kind.family is Family.REAL and source.family is Family.REAL and source != kind:
        notes.setdefault(
            f"Casting {source.name} to {kind.name} is read as the identity on the reals."
        )
    return replace(value, kind=kind)


def _bits(value: Value) -> Value:
    """The binary digits of integers in two's complement, along a new last axis."""
    count = _width(value)
    column = value.reshape((*value.shape, 1))
    units = (column / _place_values(value, count)).apply(ops.FLOOR)
    return units - (units / 2).apply(ops.FLOOR) * 2


def _width(value: Value) -> int:
    if value.kind.family is not Family.INTEGER:
        raise InputError(f"Tensors of type {value.kind.name} have no bits.")
    return (value.kind.high - value.kind.low).bit_length()


def _place_values(value: Value, count: int) -> Value:
    return value.emitter.constant(np.array([2**i for i in range(count)], dtype=object))


def _from_bits(bits: Value, kind: Kind) -> Value:
    """The integers of binary digits along the last axis."""
    weights = [2**i for i in range(bits.shape[-1])]
    if kind.low < 0:
        weights[-1] = -weights[-1]
    factors = bits.emitter.constant(np.array(weights, dtype=object))
    return bits.apply(ops.MUL, factors, kind=kind).total((bits.rank - 1,), keepdims=False)


def _bitwise(op: Op) -> Lowering:
    """Digit by digit: the smaller is "and", the larger "or", the distance "exclusive or"."""

    def lower(ctx: Context) -> Outputs:
        left, right = ctx.input(0), ctx.input(1)
        if left.kind != right.kind:
            raise InputError(f"{left.kind.name} and {right.kind.name} are two types.")
        found = _bits(left).apply(op, _bits(right))
        return _from_bits(found.apply(ops.ABS) if op is ops.SUB else found, left.kind)

    return lower


def _bit_not(ctx: Context) -> Outputs:
    value = ctx.input(0)
    _width(value)
    return ctx.emitter.apply(ops.SUB, value.kind.high + value.kind.low, value, kind=value.kind)


def _bit_shift(ctx: Context) -> Outputs:
    value, places = ctx.input(0), ctx.input(1)
    count, kind = _width(value), value.kind
    if places.array is None:
        factor = ctx.emitter.apply(ops.POWER, 2, places, kind=kind)
    else:
        listed = [2 ** min(max(int(n), 0), count) for n in places.array.reshape(-1).tolist()]
        factor = ctx.constant(np.array(listed, dtype=object).reshape(places.shape))
    match ctx.attributes.text("direction"):
        case "RIGHT":
            shifted = (value / factor).apply(ops.FLOOR, kind=kind)
            rest: Value | int = value.apply(ops.LESS, 0).scale(Fraction(-1)) if kind.low else 0
        case "LEFT":
            shifted, rest = _wrap_around(value * factor, kind), 0
        case other:
            raise InputError(f"direction cannot be {other!r}.")
    if kind.low == 0 or (places.array is not None and bool((places.array >= 0).all())):
        return shifted
    # by less than 0 places only the sign is left, as by too many
    return places.apply(ops.LESS, 0, kind=BOOL).select(rest, shifted, kind)


def _wrap_around(value: Value, kind: Kind) -> Value:
    """The number of an integer type that has the same lowest bits."""
    size = kind.high - kind.low + 1
    turns = ((value - kind.low) / size).apply(ops.FLOOR)
    return value.apply(ops.SUB, turns * size, kind=kind)


def _bit_cast(ctx: Context) -> Outputs:
    value, kind = ctx.input(0), kind_of(ctx.attributes.integer("to"))
    if value.kind.family is Family.BOOLEAN and kind.name in ("INT8", "UINT8"):
        return replace(value, kind=kind)
    if not value.kind.family is kind.family is Family.INTEGER:
        raise UnsupportedError(f"the bits of {value.kind.name} as {kind.name} are not read.")
    if value.kind.high - value.kind.low != kind.high - kind.low:
        raise InputError(f"{value.kind.name} and {kind.name} have different widths.")
    return value if value.kind == kind else _wrap_around(value, kind)


TYPES: Mapping[str, Lowering] = {
    "BitCast": _bit_cast,
    "BitShift": _bit_shift,
    "BitwiseAnd": _bitwise(ops.MINIMUM),
    "BitwiseNot": _bit_not,
    "BitwiseOr": _bitwise(ops.MAXIMUM),
    "BitwiseXor": _bitwise(ops.SUB),
    "Cast": _cast,
    "CastLike": _cast,
}

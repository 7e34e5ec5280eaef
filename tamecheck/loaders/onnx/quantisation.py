"""Quantisers of ONNX and QONNX; a result saturates at the range of its type."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.kinds import BOOL, FLOAT, Family, Kind, kind_of
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, exact_array

__all__ = ["DOMAINS", "QONNX", "QUANTISATION", "round_to"]

_FORMATS: Mapping[str, tuple[int, int, int]] = {
    "FLOAT4E2M1": (1, 0, 6),
    "FLOAT8E4M3FN": (3, -6, 448),
    "FLOAT8E4M3FNUZ": (3, -7, 240),
    "FLOAT8E5M2": (2, -14, 57_344),
    "FLOAT8E5M2FNUZ": (2, -15, 57_344),
}
"""Binary formats: fraction bits, exponent of the smallest normal number, largest number."""


def round_to(value: Value, kind: Kind, *, saturate: bool) -> Value:
    """The nearest number of a format, ties to an even fraction, within its finite range."""
    if kind.name not in _FORMATS:
        raise UnsupportedError(f"rounding to {kind.name} is not read.")
    if not saturate:
        raise UnsupportedError(f"rounding to {kind.name} without saturation gives NaN or infinity.")
    fraction_bits, exponent, largest = _FORMATS[kind.name]
    # clipped first, so that every rounding below has finitely many steps
    inside = value.clip(Fraction(-largest), Fraction(largest), kind=kind)
    magnitude = inside.apply(ops.ABS)
    result = _on_grid(inside, exponent - fraction_bits)
    while Fraction(2) ** (exponent + 1) <= largest:
        exponent += 1
        finer = magnitude.apply(ops.LESS, Fraction(2) ** exponent, kind=BOOL)
        result = finer.select(result, _on_grid(inside, exponent - fraction_bits), kind)
    return result


def _on_grid(value: Value, exponent: int) -> Value:
    """The nearest multiple of ``2 ** exponent``."""
    units = value.scale(Fraction(2) ** -exponent)
    return units.apply(ops.ROUND, mode="half_even").scale(Fraction(2) ** exponent)


def _spread(ctx: Context, parameter: Value, value: Value) -> Value:
    """A scale or zero point, ready to be broadcast: a scalar, one an axis, or one a block."""
    axis = ctx.axis(1, max(value.rank, 2))
    block = ctx.attributes.integer("block_size", 0)
    if parameter.shape in ((), (1,)) and block == 0:
        return parameter.reshape(())
    if axis >= value.rank:
        raise InputError(f"There is no axis {axis} in shape {value.shape}.")
    extent = value.shape[axis]
    if block == 0:
        if parameter.shape != (extent,):
            raise InputError(f"A scale of shape {parameter.shape} does not fit {value.shape}.")
        return parameter.reshape([extent if i == axis else 1 for i in range(value.rank)])
    count = parameter.shape[axis] if parameter.rank == value.rank else 0
    if block < 0 or -(-extent // block) != count:
        raise InputError(f"Blocks of {block} do not fit shape {value.shape}.")
    return parameter.take([i // block for i in range(extent)], axis)


def _quantize(ctx: Context) -> Outputs:
    value, scale, zero = ctx.input(0), ctx.input(1), ctx.optional(2)
    ctx.attributes.ignore("precision")
    saturate = ctx.attributes.flag("saturate", default=True)
    code = ctx.attributes.integer("output_dtype", 0)
    kind = zero.kind if zero is not None else kind_of(code or 2)
    units = value / _spread(ctx, scale, value)
    if kind.family is not Family.INTEGER:
        if zero is not None and bool(zero.known("the zero point").astype(np.float64).any()):
            what = f"a zero point of type {kind.name} other than 0 is not read."
            raise UnsupportedError(what)
        return round_to(units, kind, saturate=saturate)
    whole = units.apply(ops.ROUND, mode="half_even")
    if zero is not None:
        whole += _spread(ctx, zero, value)
    return whole.clip(Fraction(kind.low), Fraction(kind.high), kind=kind)


def _dequantize(ctx: Context) -> Outputs:
    value, scale, zero = ctx.input(0), ctx.input(1), ctx.optional(2)
    ctx.attributes.ignore("output_dtype")
    if zero is not None:
        value -= _spread(ctx, zero, value)
    return value.apply(ops.MUL, _spread(ctx, scale, value), kind=FLOAT)


QUANTISATION: Mapping[str, Lowering] = {
    "DequantizeLinear": _dequantize,
    "QuantizeLinear": _quantize,
}

DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
"""The domains under which the quantisers of QONNX have been published."""

_MODES: Mapping[str, str] = {
    "ROUND": "half_even",
    "HALF_EVEN": "half_even",
    "UP": "away_from_zero",
    "DOWN": "toward_zero",
    "HALF_UP": "half_away",
    "HALF_DOWN": "half_toward_zero",
}
MAX_BITS = 64


def _round(value: Value, mode: str) -> Value:
    name = mode.upper()
    if name in ("CEIL", "FLOOR"):
        return value.apply(ops.CEIL if name == "CEIL" else ops.FLOOR)
    if name not in _MODES:
        raise UnsupportedError(f"the rounding mode {mode!r} is not read.")
    return value.apply(ops.ROUND, mode=_MODES[name])


def _number(ctx: Context, index: int, what: str) -> Fraction:
    exact = exact_array(ctx.input(index).known(what))
    if exact is None or exact.size != 1:
        raise UnsupportedError(f"{what} is not one finite number.")
    return Fraction(exact.reshape(-1)[0])


def _levels(ctx: Context) -> Value:
    """The input in units of the quantiser's scale, shifted by its zero point."""
    units, zero = ctx.input(0) / ctx.input(1), ctx.input(2)
    return units if _is_zero(zero) else units + zero


def _is_zero(value: Value) -> bool:
    return value.array is not None and not bool((value.array != 0).any())


def _restore(ctx: Context, levels: Value) -> Value:
    """The numbers that levels stand for."""
    zero, scale = ctx.input(2), ctx.input(1)
    return (levels if _is_zero(zero) else levels - zero) * scale


def _quant(ctx: Context) -> Outputs:
    signed = ctx.attributes.flag("signed", default=True)
    narrow = ctx.attributes.flag("narrow", default=True)
    mode = ctx.attributes.text("rounding_mode", "ROUND")
    bits = _number(ctx, 3, "the bit width")
    levels = _levels(ctx)
    if bits == 1 and signed:
        return _restore(ctx, levels.apply(ops.SIGN, at_zero=Fraction(1)))
    if bits.denominator != 1 or not 1 <= bits <= MAX_BITS:
        raise InputError(f"A width of {bits} bits is out of range.")
    half = 2 ** (int(bits) - 1)
    low, high = (narrow - half, half - 1) if signed else (0, 2 * half - 1 - narrow)
    # QONNX clips, then rounds; with integer bounds the other order is the same function
    return _restore(ctx, _round(levels, mode).clip(Fraction(low), Fraction(high)))


def _trunc(ctx: Context) -> Outputs:
    mode = ctx.attributes.text("rounding_mode", "FLOOR")
    whole = _levels(ctx).apply(ops.ROUND, mode="half_even")
    if len(ctx.inputs) != 5:
        raise UnsupportedError("the form with an output scale is not read.")
    dropped = _number(ctx, 3, "the input bit width") - _number(ctx, 4, "the bit width")
    if dropped.denominator != 1 or abs(dropped) > MAX_BITS:
        raise InputError(f"{dropped} bits cannot be dropped.")
    return _restore(ctx, _round(whole / Fraction(2) ** int(dropped), mode))


QONNX: Mapping[str, Lowering] = {
    "BipolarQuant": lambda ctx: ctx.input(0).apply(ops.SIGN, at_zero=Fraction(1)) * ctx.input(1),
    "IntQuant": _quant,
    "Quant": _quant,
    "Trunc": _trunc,
}

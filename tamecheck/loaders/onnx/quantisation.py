"""Quantisers of ONNX and QONNX; a result saturates at the range of its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.folding import exact_array
from tamecheck.loaders.onnx.kinds import BOOL, FLOAT, Family, Kind, Value, kind_of

__all__ = ["DOMAINS", "QONNX", "QUANTISATION", "rounded_to"]


@dataclass(frozen=True, slots=True)
class Format:
    """A binary format: fraction bits, exponent of the smallest normal number, largest number."""

    fraction_bits: int
    lowest_exponent: int
    largest: int


_FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "FLOAT4E2M1": Format(1, 0, 6),
        "FLOAT8E4M3FN": Format(3, -6, 448),
        "FLOAT8E4M3FNUZ": Format(3, -7, 240),
        "FLOAT8E5M2": Format(2, -14, 57_344),
        "FLOAT8E5M2FNUZ": Format(2, -15, 57_344),
    }
)


def rounded_to(ctx: Context, value: Value, kind: Kind, *, saturate: bool) -> Value:
    """The nearest number of the format, ties to an even fraction, within its finite range."""
    form = _FORMATS.get(kind.name)
    if form is None:
        raise ctx.refuse(f"rounding to {kind.name} is not read.")
    if not saturate:
        raise ctx.refuse(f"rounding to {kind.name} without saturation gives NaN or infinity.")
    limit = Fraction(form.largest)
    # clipped first, so that every rounding below has finitely many steps
    inside = ctx.apply(ops.CLIP, value, lo=-limit, hi=limit, kind=kind)
    magnitude = ctx.apply(ops.ABS, inside)
    exponent = form.lowest_exponent
    result = _on_grid(ctx, inside, exponent - form.fraction_bits)
    while Fraction(2) ** (exponent + 1) <= form.largest:
        exponent += 1
        finer = ctx.apply(ops.LESS, magnitude, Fraction(2) ** exponent, kind=BOOL)
        coarser = _on_grid(ctx, inside, exponent - form.fraction_bits)
        result = ctx.apply(ops.SELECT, finer, result, coarser, kind=kind)
    return result


def _on_grid(ctx: Context, value: Value, exponent: int) -> Value:
    """The nearest multiple of ``2 ** exponent``."""
    units = ctx.scaled(value, Fraction(2) ** -exponent)
    whole = ctx.apply(ops.ROUND, units, mode="half_even")
    return ctx.scaled(whole, Fraction(2) ** exponent)


def _spread(ctx: Context, parameter: Value, value: Value) -> Value:
    """A scale or zero point, ready to be broadcast: a scalar, one an axis, or one a block."""
    axis = ctx.axis(1, max(value.rank, 2))
    block = ctx.attributes.integer("block_size", 0)
    if parameter.shape in ((), (1,)) and block == 0:
        return ctx.reshape(parameter, ())
    if axis >= value.rank:
        raise InputError(f"There is no axis {axis} in shape {value.shape}.")
    if block == 0:
        if parameter.shape != (value.shape[axis],):
            raise InputError(f"A scale of shape {parameter.shape} does not fit {value.shape}.")
        shape = [1] * value.rank
        shape[axis] = value.shape[axis]
        return ctx.reshape(parameter, shape)
    count = parameter.shape[axis] if parameter.rank == value.rank else 0
    if block < 0 or -(-value.shape[axis] // block) != count:
        raise InputError(f"Blocks of {block} do not fit shape {value.shape}.")
    places = [i // block for i in range(value.shape[axis])]
    return ctx.take(parameter, places, axis)


def _quantize(ctx: Context) -> Outputs:
    value, scale, zero = ctx.input(0), ctx.input(1), ctx.optional(2)
    ctx.attributes.ignore("precision")
    saturate = ctx.attributes.flag("saturate", default=True)
    code = ctx.attributes.integer("output_dtype", 0)
    kind = zero.kind if zero is not None else kind_of(code or 2)
    units = ctx.apply(ops.DIV, value, _spread(ctx, scale, value))
    if kind.family is not Family.INTEGER:
        if zero is not None and bool(ctx.known(zero, "the zero point").astype(np.float64).any()):
            raise ctx.refuse(f"a zero point of type {kind.name} other than 0 is not read.")
        return (rounded_to(ctx, units, kind, saturate=saturate),)
    whole = ctx.apply(ops.ROUND, units, mode="half_even")
    if zero is not None:
        whole = ctx.apply(ops.ADD, whole, _spread(ctx, zero, value))
    return (_saturated(ctx, whole, kind),)


def _saturated(ctx: Context, value: Value, kind: Kind) -> Value:
    low, high = Fraction(kind.low), Fraction(kind.high)
    return ctx.apply(ops.CLIP, value, kind=kind, lo=low, hi=high)


def _dequantize(ctx: Context) -> Outputs:
    value, scale, zero = ctx.input(0), ctx.input(1), ctx.optional(2)
    ctx.attributes.ignore("output_dtype")
    if zero is not None:
        value = ctx.apply(ops.SUB, value, _spread(ctx, zero, value))
    return (ctx.apply(ops.MUL, value, _spread(ctx, scale, value), kind=FLOAT),)


QUANTISATION: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {"DequantizeLinear": _dequantize, "QuantizeLinear": _quantize}
)
"""The operators of this file."""


DOMAINS = (
    "qonnx.custom_op.general",
    "finn.custom_op.general",
    "onnx.brevitas",
)

_MODES: Mapping[str, str] = MappingProxyType(
    {
        "ROUND": "half_even",
        "HALF_EVEN": "half_even",
        "CEIL": "ceil",
        "FLOOR": "floor",
        "UP": "away_from_zero",
        "DOWN": "toward_zero",
        "HALF_UP": "half_away",
        "HALF_DOWN": "half_toward_zero",
    }
)
MAX_BITS = 64


def _rounded(ctx: Context, value: Value, mode: str) -> Value:
    known = _MODES.get(mode.upper())
    if known is None:
        raise ctx.refuse(f"the rounding mode {mode!r} is not read.")
    if known == "ceil":
        return ctx.apply(ops.CEIL, value)
    if known == "floor":
        return ctx.apply(ops.FLOOR, value)
    return ctx.apply(ops.ROUND, value, mode=known)


def _number(ctx: Context, index: int, what: str) -> Fraction:
    exact = exact_array(ctx.known(ctx.input(index), what))
    if exact is None or exact.size != 1:
        raise ctx.refuse(f"{what} is not one finite number.")
    return Fraction(exact.reshape(-1)[0])


def _range(bits: Fraction, *, signed: bool, narrow: bool) -> tuple[Fraction, Fraction]:
    if bits.denominator != 1 or not 1 <= bits <= MAX_BITS:
        raise InputError(f"A width of {bits} bits is out of range.")
    width = int(bits)
    if signed:
        low = -(2 ** (width - 1)) + narrow
        return Fraction(low), Fraction(2 ** (width - 1) - 1)
    return Fraction(0), Fraction(2**width - 1 - narrow)


def _levels(ctx: Context) -> Value:
    """The input in units of the quantiser's scale, shifted by its zero point."""
    units = ctx.apply(ops.DIV, ctx.input(0), ctx.input(1))
    zero = ctx.input(2)
    return units if _is_zero(zero) else ctx.apply(ops.ADD, units, zero)


def _is_zero(value: Value) -> bool:
    return value.array is not None and not bool((value.array != 0).any())


def _quant(ctx: Context) -> Outputs:
    signed = ctx.attributes.flag("signed", default=True)
    narrow = ctx.attributes.flag("narrow", default=True)
    mode = ctx.attributes.text("rounding_mode", "ROUND")
    bits = _number(ctx, 3, "the bit width")
    levels = _levels(ctx)
    if bits == 1 and signed:
        levels = ctx.apply(ops.SIGN, levels, at_zero=Fraction(1))
    else:
        # QONNX clips, then rounds; with integer bounds the other order is the same function
        low, high = _range(bits, signed=signed, narrow=narrow)
        levels = ctx.apply(ops.CLIP, _rounded(ctx, levels, mode), lo=low, hi=high)
    return (_restored(ctx, levels, ctx.input(2), ctx.input(1)),)


def _restored(ctx: Context, levels: Value, zero: Value, scale: Value) -> Value:
    if not _is_zero(zero):
        levels = ctx.apply(ops.SUB, levels, zero)
    return ctx.apply(ops.MUL, levels, scale)


def _bipolar(ctx: Context) -> Outputs:
    sign = ctx.apply(ops.SIGN, ctx.input(0), at_zero=Fraction(1))
    return (ctx.apply(ops.MUL, sign, ctx.input(1)),)


def _trunc(ctx: Context) -> Outputs:
    mode = ctx.attributes.text("rounding_mode", "FLOOR")
    whole = ctx.apply(ops.ROUND, _levels(ctx), mode="half_even")
    zero, scale = ctx.input(2), ctx.input(1)
    if len(ctx.inputs) == 5:
        dropped = _number(ctx, 3, "the input bit width") - _number(ctx, 4, "the bit width")
        if dropped.denominator != 1 or abs(dropped) > MAX_BITS:
            raise InputError(f"{dropped} bits cannot be dropped.")
        parts = ctx.apply(ops.DIV, whole, Fraction(2) ** int(dropped))
        return (_restored(ctx, _rounded(ctx, parts, mode), zero, scale),)
    raise ctx.refuse("the form with an output scale is not read.")


QONNX: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {
        "BipolarQuant": _bipolar,
        "IntQuant": _quant,
        "Quant": _quant,
        "Trunc": _trunc,
    }
)
"""The operators of this file."""

"""Quantisers of QONNX, in each of the domains under which they have been published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.loaders.onnx.context import Context, Outputs
from tamecheck.loaders.onnx.folding import exact_array
from tamecheck.loaders.onnx.values import Value

__all__ = ["DOMAINS", "QONNX"]

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

"""Rounding to floats of 8 bits or less: a step function of finitely many steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from tamecheck import ops
from tamecheck.loaders.onnx.context import Context
from tamecheck.loaders.onnx.kinds import BOOL, Kind
from tamecheck.loaders.onnx.values import Value

__all__ = ["rounded_to"]


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

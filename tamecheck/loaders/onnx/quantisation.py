"""Element types: quantisers of ONNX and QONNX, casts, and operators on binary digits.

A result saturates at the range of its type.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.loaders.folding import exact_array
from tamecheck.loaders.kinds import BOOL, FLOAT, Family, Kind, kind_of
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value

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
    grid = _Grid(exponent, fraction_bits, Fraction(largest))
    return grid.nearest(value, "ROUND", kind)


@dataclass(frozen=True, slots=True)
class _Grid:
    """The numbers of a binary format: the exponent of its smallest normal number, and so on."""

    exponent: int
    fraction_bits: int
    largest: Fraction

    def nearest(self, value: Value, mode: str, kind: Kind) -> Value:
        """Each element rounded to the grid, in the range from ``-largest`` to ``largest``."""
        # clipped first, so that every rounding below has finitely many steps
        inside = value.clip(-self.largest, self.largest, kind=kind)
        magnitude = inside.apply(ops.ABS)
        exponent = self.exponent
        result = self._multiple(inside, exponent, mode)
        while Fraction(2) ** (exponent + 1) <= self.largest:
            exponent += 1
            finer = magnitude.apply(ops.LESS, Fraction(2) ** exponent, kind=BOOL)
            result = finer.select(result, self._multiple(inside, exponent, mode), kind)
        return result

    def _multiple(self, value: Value, exponent: int, mode: str) -> Value:
        """A multiple of the unit that numbers of an exponent have in their last place."""
        unit = Fraction(2) ** (exponent - self.fraction_bits)
        return _round(value.scale(1 / unit), mode).scale(unit)


def is_zero(value: Value) -> bool:
    """Whether a tensor is the constant 0."""
    return value.array is not None and not bool((value.array != 0).any())


def quantise(units: Value, zero: Value | None, kind: Kind) -> Value:
    """Numbers in units of a scale, rounded to integers of a type, which saturate at its ends."""
    whole = units.apply(ops.ROUND, mode="half_even")
    if zero is not None and not is_zero(zero):
        whole += zero
    return whole.clip(Fraction(kind.low), Fraction(kind.high), kind=kind)


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
    return quantise(units, None if zero is None else _spread(ctx, zero, value), kind)


def _dequantize(ctx: Context) -> Outputs:
    value, scale, zero = ctx.input(0), ctx.input(1), ctx.optional(2)
    ctx.attributes.ignore("output_dtype")
    if zero is not None:
        shift = _spread(ctx, zero, value)
        value = value if is_zero(shift) else value - shift
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
MAX_EXPONENT_BITS = 5
MAX_COMPARISONS = 2**24
_LAYOUTS: Mapping[int, str] = {2: "NC", 3: "NWC", 4: "NCHW"}
"""The axes of a tensor of each rank, where a node does not name them."""


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
    return units if is_zero(zero) else units + zero


def _restore(ctx: Context, levels: Value) -> Value:
    """The numbers that levels stand for."""
    zero, scale = ctx.input(2), ctx.input(1)
    return (levels if is_zero(zero) else levels - zero) * scale


def _quant(ctx: Context) -> Outputs:
    signed = ctx.attributes.flag("signed", default=True)
    narrow = ctx.attributes.flag("narrow", default=True)
    mode = ctx.attributes.text("rounding_mode", "ROUND")
    bits = _number(ctx, 3, "the bit width")
    levels = _levels(ctx)
    if bits == 1 and signed:
        return _restore(ctx, levels.apply(ops.SIGN, at_zero=Fraction(1)))
    low, high = _limits(bits, signed=signed, narrow=narrow)
    # QONNX clips, then rounds; with integer bounds the other order is the same function
    return _restore(ctx, _round(levels, mode).clip(low, high))


def _limits(bits: Fraction, *, signed: bool, narrow: bool) -> tuple[Fraction, Fraction]:
    """The least and the largest integer of a number of bits."""
    if bits.denominator != 1 or not 1 <= bits <= MAX_BITS:
        raise InputError(f"A width of {bits} bits is out of range.")
    half = 2 ** (int(bits) - 1)
    low, high = (narrow - half, half - 1) if signed else (0, 2 * half - 1 - narrow)
    return Fraction(low), Fraction(high)


def _trunc(ctx: Context) -> Outputs:
    mode = ctx.attributes.text("rounding_mode", "FLOOR")
    whole = _levels(ctx).apply(ops.ROUND, mode="half_even")
    if len(ctx.inputs) > 5:
        return _rescaled(ctx, whole, mode)
    dropped = _number(ctx, 3, "the input bit width") - _number(ctx, 4, "the bit width")
    if dropped.denominator != 1 or abs(dropped) > MAX_BITS:
        raise InputError(f"{dropped} bits cannot be dropped.")
    return _restore(ctx, _round(whole / Fraction(2) ** int(dropped), mode))


def _rescaled(ctx: Context, whole: Value, mode: str) -> Value:
    """The second version: the result has a scale of its own, a power of two times the first."""
    signed, narrow = ctx.attributes.flag("signed", default=True), ctx.attributes.flag("narrow")
    low, high = _limits(_number(ctx, 5, "the bit width"), signed=signed, narrow=narrow)
    ratio = ctx.input(4) / ctx.input(1)
    exact = exact_array(ratio.known("the ratio of the scales"))
    listed: list[Fraction] = [] if exact is None else exact.reshape(-1).tolist()
    if not listed or min(listed) <= 0:
        raise InputError("The scales are no positive numbers.")
    powers = [round(math.log2(number)) for number in listed]
    if max(map(abs, powers)) > MAX_BITS:
        raise InputError(f"{max(map(abs, powers))} bits cannot be dropped.")
    steps = np.array([Fraction(2) ** power for power in powers], dtype=object)
    step, zero = ctx.constant(steps.reshape(ratio.shape), FLOAT), ctx.input(2)
    levels = _round(whole / step, mode).clip(low, high)
    return (levels if is_zero(zero) else levels - zero / step) * ctx.input(4)


def _float_quant(ctx: Context) -> Outputs:
    ctx.attributes.ignore("has_inf", "has_nan", "has_subnormal", "signed")
    if not ctx.attributes.flag("saturation", default=True):
        raise UnsupportedError("rounding without saturation gives NaN or infinity.")
    width, bits = _number(ctx, 2, "the exponent's width"), _number(ctx, 3, "the mantissa's width")
    bias = _number(ctx, 4, "the exponent's bias")
    if any(n.denominator != 1 for n in (width, bits, bias)) or not 0 <= bits <= MAX_BITS:
        raise InputError("The widths and the bias of a float format must be integers.")
    if not 0 <= width <= MAX_EXPONENT_BITS or abs(bias) > MAX_BITS:
        raise UnsupportedError(f"a float format with {width} bits of exponent is not read.")
    largest = (2 - Fraction(2) ** -int(bits)) * Fraction(2) ** int(2 ** int(width) - 1 - bias)
    grid = _Grid(int(1 - bias), int(bits), largest)
    # a smaller largest number need not be on the grid
    largest = min(largest, _number(ctx, 5, "the largest number"))
    units, mode = ctx.input(0) / ctx.input(1), ctx.attributes.text("rounding_mode", "ROUND")
    return grid.nearest(units, mode, FLOAT).clip(-largest, largest) * ctx.input(1)


def _multi_threshold(ctx: Context) -> Outputs:
    """For each element the number of its channel's thresholds that it is at least."""
    value, thresholds = ctx.input(0), ctx.input(1)
    layout = ctx.attributes.text("data_layout", "") or _LAYOUTS.get(value.rank, "")
    ctx.attributes.ignore("out_dtype")
    scale, bias = ctx.attributes.real("out_scale", 1.0), ctx.attributes.real("out_bias", 0.0)
    axis = layout.index("C") if "C" in layout else 1
    if thresholds.rank != 2 or axis >= value.rank:
        raise InputError(f"Thresholds of shape {thresholds.shape} do not fit {value.shape}.")
    channels, count = thresholds.shape
    if channels not in (1, value.shape[axis]):
        raise InputError(f"Thresholds of {channels} channels do not fit shape {value.shape}.")
    shape = [channels if i == axis else 1 for i in range(value.rank)]
    if (count, scale, bias) == (1, 2, -1):
        return (value - thresholds.reshape(shape)).apply(ops.SIGN, at_zero=Fraction(1))
    if value.array is None and math.prod(value.shape) * count > MAX_COMPARISONS:
        raise UnsupportedError(f"{count} thresholds for shape {value.shape} are too many.")
    reached = thresholds.reshape((*shape, count)).apply(
        ops.LESS_EQUAL, value.reshape((*value.shape, 1)), kind=FLOAT
    )
    number = reached.total((value.rank,), keepdims=False).scale(scale)
    return number if bias == 0 else number + bias


def _agreements(ctx: Context) -> Outputs:
    """The product of matrices of bits: the number of places in which a row and a column agree."""
    left, right = (ctx.input(index).scale(Fraction(2)) - 1 for index in (0, 1))
    return (left @ right + left.shape[-1]).scale(Fraction(1, 2))


QONNX: Mapping[str, Lowering] = {
    "BipolarQuant": lambda ctx: ctx.input(0).apply(ops.SIGN, at_zero=Fraction(1)) * ctx.input(1),
    "IntQuant": _quant,
    "FloatQuant": _float_quant,
    "MultiThreshold": _multi_threshold,
    "Quant": _quant,
    "Trunc": _trunc,
    "XnorPopcountMatMul": _agreements,
}


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
    places = value.emitter.constant(np.array([2**i for i in range(count)], dtype=object))
    units = (column / places).apply(ops.FLOOR)
    return units - (units / 2).apply(ops.FLOOR) * 2


def _width(value: Value) -> int:
    if value.kind.family is not Family.INTEGER:
        raise InputError(f"Tensors of type {value.kind.name} have no bits.")
    return (value.kind.high - value.kind.low).bit_length()


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

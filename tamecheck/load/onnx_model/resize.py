"""Resizing along axes: a gather for the nearest neighbour, a sparse matrix for linear weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.load.onnx_model.context import Context, Outputs
from tamecheck.load.onnx_model.folding import exact_array, narrowed
from tamecheck.load.onnx_model.values import Value

__all__ = ["RESIZE"]

MAX_EXTENT = 2**14
HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Line:
    """Resizing along one axis: from ``before`` to ``after`` elements, by a scale."""

    before: int
    after: int
    scale: Fraction


def _coordinate(line: Line, index: int, mode: str) -> Fraction:
    """Where element ``index`` of the result lies in the input."""
    match mode:
        case "half_pixel":
            return (index + HALF) / line.scale - HALF
        case "half_pixel_symmetric":
            middle = Fraction(line.before, 2)
            offset = middle * (1 - Fraction(line.after) / (line.scale * line.before))
            return offset + (index + HALF) / line.scale - HALF
        case "pytorch_half_pixel":
            return (index + HALF) / line.scale - HALF if line.after > 1 else Fraction(0)
        case "align_corners":
            if line.after == 1:
                return Fraction(0)
            return Fraction(index * (line.before - 1), line.after - 1)
        case "asymmetric":
            return index / line.scale
        case "tf_half_pixel_for_nn":
            return (index + HALF) / line.scale
        case _:
            raise InputError(f"coordinate_transformation_mode {mode!r} is not read.")


def _nearest(position: Fraction, mode: str) -> int:
    match mode:
        case "floor":
            return math.floor(position)
        case "ceil":
            return math.ceil(position)
        case "round_prefer_floor":
            return math.ceil(position - HALF)
        case "round_prefer_ceil":
            return math.floor(position + HALF)
        case _:
            raise InputError(f"nearest_mode cannot be {mode!r}.")


def _scaled_extent(extent: int, scale: Fraction) -> int:
    # in single precision, as in the definition of the operator
    return math.floor(np.float32(extent) * np.float32(float(scale)))


def _lines(ctx: Context, value: Value) -> dict[int, Line]:
    """The axes that change, with their scales."""
    if ctx.op == "Upsample":
        scales = ctx.attributes.reals("scales") if ctx.opset < 9 else _scales(ctx, 1)
        sizes = None
    else:
        scales = _scales(ctx, 1 if ctx.opset < 11 else 2)
        sized = ctx.optional(3) if ctx.opset >= 11 else None
        sizes = None if sized is None else ctx.known_integers(sized, "'sizes'")
    listed = ctx.attributes.integers("axes") if ctx.opset >= 18 else None
    axes = tuple(range(value.rank)) if listed is None else listed
    if sizes:
        if ctx.attributes.text("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise ctx.refuse("keeping the aspect ratio is not read.")
        scales = None
    given: Sequence[Fraction | int] = sizes or scales or ()
    if len(given) != len(axes):
        raise InputError(f"{len(given)} scales or sizes do not fit {len(axes)} axes.")
    lines: dict[int, Line] = {}
    for axis, number in zip(axes, given, strict=True):
        at = ctx.positive(axis, value.rank)
        extent = value.shape[at]
        if number <= 0 or extent == 0 or number > MAX_EXTENT:
            raise InputError(f"Axis {axis} of shape {value.shape} cannot be resized by {number}.")
        after = int(number) if sizes else _scaled_extent(extent, Fraction(number))
        scale = Fraction(after, extent) if sizes else Fraction(number)
        if not 0 < after <= MAX_EXTENT:
            raise InputError(f"Axis {axis} would have {after} elements.")
        lines[at] = Line(extent, after, scale)
    return lines


def _scales(ctx: Context, index: int) -> tuple[Fraction, ...] | None:
    given = ctx.optional(index)
    if given is None or 0 in given.shape:
        return None
    exact = exact_array(ctx.known(given, "'scales'"))
    if exact is None or exact.ndim != 1 or exact.size > 32:
        raise InputError("The scales are no short list of finite numbers.")
    return tuple(Fraction(number) for number in exact.tolist())


def _resize(ctx: Context) -> Outputs:
    value = ctx.input(0)
    attributes = ctx.attributes
    attributes.ignore("cubic_coeff_a", "extrapolation_value", "exclude_outside", "nearest_mode")
    mode = attributes.text("mode", "nearest")
    old = ctx.op == "Upsample" or ctx.opset < 11
    default = "asymmetric" if old else "half_pixel"
    transform = attributes.text("coordinate_transformation_mode", default)
    rounding = attributes.text("nearest_mode", "floor" if old else "round_prefer_floor")
    lines = _lines(ctx, value)
    if attributes.flag("antialias") and any(line.after < line.before for line in lines.values()):
        raise ctx.refuse("antialiasing is not read.")
    if mode not in ("nearest", "linear", "bilinear"):
        raise ctx.refuse(f"the mode {mode!r} is not read.")
    for axis, line in lines.items():
        if line.before == line.after and line.scale == 1:
            continue
        places = [_coordinate(line, i, transform) for i in range(line.after)]
        if mode == "nearest":
            table = [min(max(_nearest(p, rounding), 0), line.before - 1) for p in places]
            value = ctx.take(value, table, axis)
        else:
            value = _interpolated(ctx, value, axis, line, places)
    return (value,)


def _interpolated(
    ctx: Context, value: Value, axis: int, line: Line, places: Sequence[Fraction]
) -> Value:
    """The tensor times the matrix of interpolation weights along one axis."""
    if line.before * line.after > 2**20:
        raise ctx.refuse(f"resizing {line.before} to {line.after} elements is not read.")
    matrix = np.zeros((line.before, line.after), dtype=object)
    for column, place in enumerate(places):
        inside = min(max(place, Fraction(0)), Fraction(line.before - 1))
        low = min(math.floor(inside), max(line.before - 2, 0))
        share = inside - low
        matrix[low, column] += 1 - share
        if share:
            matrix[low + 1, column] += share
    perm = [*(i for i in range(value.rank) if i != axis), axis]
    moved = ctx.transpose(value, perm)
    mixed = ctx.apply(ops.MATMUL, moved, ctx.constant(narrowed(matrix), value.kind))
    return ctx.transpose(mixed, [perm.index(i) for i in range(value.rank)])


RESIZE: Mapping[str, Callable[[Context], Outputs]] = MappingProxyType(
    {"Resize": _resize, "Upsample": _resize}
)
"""The operators of this file."""

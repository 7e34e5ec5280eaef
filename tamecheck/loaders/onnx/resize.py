"""Linear maps along axes: resizing, Fourier transforms, and the weights of mel filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.ir.tensor import Array
from tamecheck.loaders.folding import exact_array, narrow
from tamecheck.loaders.kinds import BOOL, FLOAT
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, axis_in

MAX_EXTENT = 2**14
HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class _Line:
    """Resizing along one axis: from ``before`` to ``after`` elements, by a scale."""

    before: int
    after: int
    scale: Fraction
    window: tuple[Fraction, Fraction] = (Fraction(0), Fraction(1))
    """The part of the input that is read, as ``tf_crop_and_resize`` has it."""


def _coordinate(line: _Line, index: int, mode: str) -> Fraction:
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
            # the length that the scale asks for, before it is rounded to a number of elements
            length = line.scale * line.before
            return Fraction(0) if length == 1 else index * (line.before - 1) / (length - 1)
        case "asymmetric":
            return index / line.scale
        case "tf_crop_and_resize":
            length, last = line.scale * line.before, line.before - 1
            start, end = (edge * last for edge in line.window)
            return (
                (end - start) / 2 + start
                if length == 1
                else (index * (end - start) / (length - 1) + start)
            )
        case "tf_half_pixel_for_nn":
            return (index + HALF) / line.scale
        case _:
            raise UnsupportedError(f"the coordinate transformation {mode!r} is not read.")


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


def _lines(ctx: Context, value: Value) -> dict[int, _Line]:
    """The axes that change, with their scales."""
    if ctx.op == "Upsample":
        scales = ctx.attributes.reals("scales") if ctx.opset < 9 else _scales(ctx, 1)
        sizes = None
    else:
        scales = _scales(ctx, 1 if ctx.opset < 11 else 2)
        sized = ctx.optional(3) if ctx.opset >= 11 else None
        sizes = None if sized is None else sized.integers("'sizes'")
    listed = ctx.attributes.integers("axes") if ctx.opset >= 18 else None
    axes = tuple(range(value.rank)) if listed is None else listed
    policy = ctx.attributes.text("keep_aspect_ratio_policy", "stretch")
    if sizes:
        scales = None
        if policy != "stretch":
            return _proportional(value, axes, sizes, policy)
    given: Sequence[Fraction | int] = sizes or scales or ()
    if len(given) != len(axes):
        raise InputError(f"{len(given)} scales or sizes do not fit {len(axes)} axes.")
    lines: dict[int, _Line] = {}
    for axis, number in zip(axes, given, strict=True):
        at = axis_in(axis, value.rank)
        extent = value.shape[at]
        if number <= 0 or extent == 0 or number > MAX_EXTENT:
            raise InputError(f"Axis {axis} of shape {value.shape} cannot be resized by {number}.")
        # in single precision, as in the definition of the operator
        scaled = math.floor(np.float32(extent) * np.float32(float(number)))
        after = int(number) if sizes else scaled
        scale = Fraction(after, extent) if sizes else Fraction(number)
        if not 0 < after <= MAX_EXTENT:
            raise InputError(f"Axis {axis} would have {after} elements.")
        lines[at] = _Line(extent, after, scale)
    return lines


def _proportional(
    value: Value, axes: Sequence[int], sizes: Sequence[int], policy: str
) -> dict[int, _Line]:
    """All axes with one scale: the largest that fits the sizes, or the smallest that fills them."""
    places = [axis_in(axis, value.rank) for axis in axes]
    extents = [value.shape[at] for at in places]
    if policy not in ("not_larger", "not_smaller") or len(sizes) != len(places):
        raise InputError(f"Sizes {list(sizes)} under policy {policy!r} do not fit.")
    if min(extents) < 1 or min(sizes) < 1 or max(sizes) > MAX_EXTENT:
        raise InputError(f"Shape {value.shape} cannot be resized to {list(sizes)}.")
    ratios = [Fraction(size, extent) for size, extent in zip(sizes, extents, strict=True)]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    afters = [math.floor(scale * extent + HALF) for extent in extents]
    if not 0 < min(afters) <= max(afters) <= MAX_EXTENT:
        raise InputError(f"Shape {value.shape} cannot be resized to {afters}.")
    return {
        at: _Line(extent, after, scale)
        for at, extent, after in zip(places, extents, afters, strict=True)
    }


def _scales(ctx: Context, index: int) -> tuple[Fraction, ...] | None:
    given = ctx.optional(index)
    if given is None or 0 in given.shape:
        return None
    exact = exact_array(given.known("'scales'"))
    if exact is None or exact.ndim != 1 or exact.size > 32:
        raise InputError("The scales are no short list of finite numbers.")
    return tuple(Fraction(number) for number in exact.tolist())


def _resize(ctx: Context) -> Outputs:
    value = ctx.input(0)
    attributes = ctx.attributes
    attributes.ignore("nearest_mode")
    outside = attributes.real("extrapolation_value", 0.0)
    cubic = attributes.real("cubic_coeff_a", -0.75)
    exclude = attributes.flag("exclude_outside")
    mode = attributes.text("mode", "nearest")
    old = ctx.op == "Upsample" or ctx.opset < 11
    default = "asymmetric" if old else "half_pixel"
    transform = attributes.text("coordinate_transformation_mode", default)
    rounding = attributes.text("nearest_mode", "floor" if old else "round_prefer_floor")
    lines = _lines(ctx, value)
    crops = transform == "tf_crop_and_resize"
    if crops:
        lines = _with_windows(ctx, lines)
    smooth = attributes.flag("antialias")
    if mode not in ("nearest", "linear", "bilinear", "cubic"):
        raise UnsupportedError(f"the mode {mode!r} is not read.")
    for axis, line in lines.items():
        if line.before == line.after and line.scale == 1 and not crops:
            continue
        places = [_coordinate(line, i, transform) for i in range(line.after)]
        if mode == "nearest":
            table = [min(max(_nearest(p, rounding), 0), line.before - 1) for p in places]
            value = value.take(table, axis)
        else:
            weight = partial(_cubic, cubic) if mode == "cubic" else _linear
            reach = 2 if mode == "cubic" else 1
            shrink = min(line.scale, Fraction(1)) if smooth else Fraction(1)
            taps = [_taps(p, weight, reach, shrink) for p in places]
            value = _interpolate(value, axis, line, taps, exclude=exclude)
        if crops:
            value = _extrapolate(value, axis, [0 <= p <= line.before - 1 for p in places], outside)
    return value


def _with_windows(ctx: Context, lines: dict[int, _Line]) -> dict[int, _Line]:
    """The lines with the parts of the input that ``roi`` names."""
    exact = exact_array(ctx.input(1).known("'roi'"))
    if exact is None or exact.shape != (2 * len(lines),):
        raise InputError(f"'roi' is no list of {2 * len(lines)} finite numbers.")
    numbers = [Fraction(number) for number in exact.tolist()]
    starts, ends = numbers[: len(lines)], numbers[len(lines) :]
    windows = zip(lines.items(), starts, ends, strict=True)
    return {axis: replace(line, window=(start, end)) for (axis, line), start, end in windows}


def _extrapolate(value: Value, axis: int, inside: Sequence[bool], outside: Fraction) -> Value:
    """The value, but a number at places outside of the input."""
    if all(inside):
        return value
    table = np.array(inside).astype(np.int64)
    shape = [len(inside) if i == axis else 1 for i in range(value.rank)]
    return value.emitter.constant(table.reshape(shape), BOOL).select(value, outside, value.kind)


Tap = tuple[int, Fraction]
"""An element of the input, and its weight."""


def _linear(x: Fraction) -> Fraction:
    return max(1 - x, Fraction(0))


def _cubic(a: Fraction, x: Fraction) -> Fraction:
    """Keys' cubic convolution with parameter a."""
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else Fraction(0)


def _taps(
    place: Fraction, weight: Callable[[Fraction], Fraction], reach: int, shrink: Fraction
) -> list[Tap]:
    """The elements around a place; shrinking makes a filter wider, so that nothing is skipped."""
    low, count = math.floor(place), math.ceil(reach / shrink)
    near = range(low - count + 1, low + count + 1)
    return [(i, weight(abs(place - i) * shrink)) for i in near]


def _interpolate(
    value: Value, axis: int, line: _Line, taps: Sequence[Sequence[Tap]], *, exclude: bool
) -> Value:
    """The tensor times the matrix of interpolation weights along one axis."""
    if line.before * line.after > 2**20:
        raise UnsupportedError(f"resizing {line.before} to {line.after} elements is not read.")
    matrix = np.zeros((line.before, line.after), dtype=object)
    for column, given in enumerate(taps):
        inside = [tap for tap in given if 0 <= tap[0] < line.before]
        used = inside if exclude else given
        total = sum((weight for _, weight in used), Fraction(0))
        if total == 0:
            raise InputError("No element of the input has a weight.")
        for index, weight in used:
            # outside the input its first or last element is repeated
            matrix[min(max(index, 0), line.before - 1), column] += weight / total
    return value.along(axis, value.emitter.constant(narrow(matrix), value.kind))


RESIZE: Mapping[str, Lowering] = {"Resize": _resize, "Upsample": _resize}


MAX_MATRIX = 2**20


def _on_circle(value: Value, op: Op, table: Array, length: int) -> Value:
    """``op(2 π k / length)`` for the integers k of a table; rational values are exact."""
    turns = np.arange(length, dtype=np.int64)
    emitter = value.emitter
    if length in (1, 2, 4):
        quarters = np.array([1, 0, -1, 0], dtype=np.int64)
        shift = 0 if op is ops.COS else -1
        row = emitter.constant(quarters[(turns * 4 // length + shift) % 4], FLOAT)
    else:
        # 2 π = 8 atan 1
        eighths = np.array([Fraction(8 * int(k), length) for k in turns], dtype=object)
        angles = emitter.constant(narrow(eighths), FLOAT) * emitter.apply(ops.ATAN, 1)
        row = angles.apply(op)
    return row.take(table % length, 0)


def _fit(value: Value, axis: int, length: int) -> Value:
    """The tensor cut off, or followed by zeros, to a length along an axis."""
    extent = value.shape[axis]
    if extent >= length:
        return value.cut(axis, 0, length)
    after = [0] * value.rank
    after[axis] = length - extent
    return value.apply(ops.PAD, before=(0,) * value.rank, after=tuple(after), value=Fraction(0))


def _transform(value: Value, axis: int, length: int, *, inverse: bool, half: bool) -> Value:
    """The discrete Fourier transform along an axis; the last axis holds real and imaginary parts.

    ``half`` keeps the frequencies that determine the others; of an inverse, the others are those
    of a real signal, which is the result.
    """
    parts = value.shape[-1]
    if parts not in (1, 2) or axis == value.rank - 1 or not 0 < length**2 <= MAX_MATRIX:
        raise InputError(f"There is no transform of length {length} of shape {value.shape}.")
    bins = length // 2 + 1
    source = _fit(value, axis, bins if inverse and half else length)
    rows = np.arange(source.shape[axis], dtype=np.int64)
    columns = np.arange(bins if half and not inverse else length, dtype=np.int64)
    table = np.outer(rows, columns)
    cosine, sine = (_on_circle(value, op, table, length) for op in (ops.COS, ops.SIN))
    if inverse and half:
        # a frequency and its mirror image count together
        weights = np.where((rows == 0) | (2 * rows == length), 1, 2).reshape(-1, 1)
        cosine, sine = (matrix * weights for matrix in (cosine, sine))
    real = source.cut(value.rank - 1, 0, 1)
    imaginary = source.cut(value.rank - 1, 1, 1) if parts == 2 else None
    sign = 1 if inverse else -1
    found = [real.along(axis, cosine), real.along(axis, sine).scale(Fraction(sign))]
    if imaginary is not None:
        found[0] += imaginary.along(axis, sine).scale(Fraction(-sign))
        found[1] += imaginary.along(axis, cosine)
    if inverse:
        found = [part.scale(Fraction(1, length)) for part in found]
    if inverse and half:
        return found[0]
    return found[0].apply(ops.CONCAT, found[1], axis=value.rank - 1)


def _dft(ctx: Context) -> Outputs:
    value, given = ctx.input(0), ctx.optional(1)
    if ctx.opset < 20:
        axis = ctx.axis(1, value.rank)
    else:
        chosen = ctx.optional(2)
        (listed,) = (-2,) if chosen is None else chosen.integers("'axis'")
        axis = axis_in(listed, value.rank)
    inverse, half = ctx.attributes.flag("inverse"), ctx.attributes.flag("onesided")
    if value.rank < 2:
        raise InputError(f"A signal of shape {value.shape} has no axis of parts.")
    default = 2 * (value.shape[axis] - 1) if inverse and half else value.shape[axis]
    (length,) = (default,) if given is None else given.integers("'dft_length'")
    if half and not inverse and value.shape[-1] != 1:
        raise InputError("Half of the frequencies determine the others only for a real signal.")
    return _transform(value, axis, length, inverse=inverse, half=half)


def _short_time(ctx: Context) -> Outputs:
    value, window, given = ctx.input(0), ctx.optional(2), ctx.optional(3)
    (step,) = ctx.input(1).integers("'frame_step'")
    half = ctx.attributes.flag("onesided", default=True)
    if value.rank == 2:
        value = value.reshape((*value.shape, 1))
    if given is not None:
        (length,) = given.integers("'frame_length'")
    elif window is not None and window.rank == 1:
        (length,) = window.shape
    else:
        raise InputError("The length of a frame is missing.")
    if value.rank != 3 or step < 1 or not 0 < length <= value.shape[1]:
        raise InputError(f"Frames of {length} do not fit a signal of shape {value.shape}.")
    if window is not None and window.shape != (length,):
        raise InputError(f"A window of shape {window.shape} does not fit frames of {length}.")
    count = 1 + (value.shape[1] - length) // step
    frames = value.take(np.arange(count)[:, None] * step + np.arange(length)[None, :], 1)
    if window is not None:
        frames *= window.reshape((length, 1))
    return _transform(frames, 2, length, inverse=False, half=half and value.shape[-1] == 1)


def _mel_weights(ctx: Context) -> Outputs:
    names = ("num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz", "upper_edge_hertz")
    given = [exact_array(ctx.input(i).known(f"'{name}'")) for i, name in enumerate(names)]
    if any(array is None or array.size != 1 for array in given):
        raise InputError("A parameter of the mel weights is not one finite number.")
    count, length, rate, low, high = (
        float(array.reshape(-1)[0]) for array in given if array is not None
    )
    bins = int(length) // 2 + 1
    if not 0 < count * bins <= MAX_MATRIX or rate <= 0 or not 0 <= low <= high:
        raise InputError("The parameters of the mel weights are out of range.")
    ctx.attributes.ignore("output_datatype")
    # in floats, as the operator is defined: only whole numbers of bins are left of them
    ends = [2595 * math.log10(1 + edge / 700) for edge in (low, high)]
    step = (ends[1] - ends[0]) / (count + 2)
    hertz = [700 * (10 ** ((ends[0] + i * step) / 2595) - 1) for i in range(int(count) + 2)]
    edges = [math.floor((int(length) + 1) * f / rate) for f in hertz]
    if edges[-1] > bins:
        raise InputError("The upper edge is above half of the sample rate.")
    weights = np.zeros((bins, int(count)), dtype=object)
    for i in range(int(count)):
        left, centre, right = edges[i : i + 3]
        for j in range(left, centre):
            weights[j, i] = Fraction(j - left, centre - left)
        if centre < bins:
            weights[centre, i] = 1
        for j in range(centre, min(right, bins)):
            weights[j, i] = Fraction(right - j, right - centre)
    return ctx.constant(narrow(weights), FLOAT)


SIGNALS: Mapping[str, Lowering] = {
    "DFT": _dft,
    "MelWeightMatrix": _mel_weights,
    "STFT": _short_time,
}

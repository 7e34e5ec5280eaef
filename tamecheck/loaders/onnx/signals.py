"""Fourier transforms as matrix products, and the weights of mel filters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.op import Op
from tamecheck.ir.tensor import Array
from tamecheck.loaders.folding import exact_array, narrow
from tamecheck.loaders.kinds import FLOAT
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, axis_in

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
        cosine, sine = (matrix * value.emitter.constant(weights) for matrix in (cosine, sine))
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

"""Values of images at computed places: a sum over the pixels, weighted by their distances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import TypeAlias

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.folding import exact_array, narrow
from tamecheck.loaders.kinds import BOOL
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, stack

HALF = Fraction(1, 2)
MAX_SAMPLES = 2**12
"""Samples of a region along one axis, at most."""

MAX_PAIRS = 2**14
"""Samples of a region whose largest is taken, at most."""

MAX_WEIGHTS = 2**22
"""A sampling with more weights than this is not read."""

_MODES: Mapping[str, str] = {
    **{mode: mode for mode in ("nearest", "linear", "cubic")},
    "bilinear": "linear",
    "bicubic": "cubic",
}
_CUBIC = Fraction(-3, 4)
"""The parameter of Keys' cubic convolution."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """How places along an axis of some extent are read: between pixels, and outside of them."""

    extent: int
    mode: str
    padding: str
    aligned: bool

    def place(self, coordinate: Value) -> Value:
        """The place in pixels of a coordinate between -1 and 1."""
        shifted = coordinate + 1
        if self.aligned:
            return shifted.scale(Fraction(self.extent - 1, 2))
        return (shifted.scale(Fraction(self.extent)) - 1).scale(HALF)

    @property
    def border(self) -> tuple[Fraction, Fraction]:
        """Where the image ends: at the middle of its outermost pixels, or at their edges."""
        edge = Fraction(0 if self.aligned else 1, 2)
        return -edge, self.extent - 1 + edge

    def inside(self, place: Value) -> Value:
        """The place that is read instead of one outside."""
        low, high = self.border
        last = Fraction(self.extent - 1)
        match self.padding:
            case "zeros":
                return place
            case "border":
                near = place.clip(Fraction(0), last)
                if self.mode != "cubic":
                    return near
                return _between(place, low, high).select(place, near, place.kind)
            case _:
                if low == high:
                    raise UnsupportedError("one pixel has no reflection about its middle.")
                period = 2 * (high - low)
                offset = place - low
                rest = offset - (offset.scale(1 / period)).apply(ops.FLOOR).scale(period)
                folded = rest.apply(ops.MINIMUM, period - rest) + low
                return folded if self.mode == "cubic" else folded.clip(Fraction(0), last)

    def weights(self, coordinate: Value) -> Value:
        """The weights of the pixels, along a new last axis."""
        place = self.place(coordinate)
        if self.mode == "nearest":
            place = place.apply(ops.ROUND, mode="half_even")
        place = self.inside(place)
        column = place.reshape((*place.shape, 1))
        # further away than these, an inside place sees no pixel
        reach = 3 if self.mode == "cubic" and self.padding != "zeros" else 0
        taps = np.arange(-reach, self.extent + reach)
        distance = column - taps
        match self.mode:
            case "nearest":
                found = distance.apply(ops.EQUAL, 0, kind=place.kind)
            case "linear":
                found = (1 - distance.apply(ops.ABS)).apply(ops.RELU)
            case _:
                found = _cubic(distance.apply(ops.ABS))
        if reach == 0:
            return found
        matrix = np.zeros((taps.size, self.extent), dtype=np.int64)
        matrix[np.arange(taps.size), [self._pixel(int(tap)) for tap in taps]] = 1
        return found @ place.emitter.constant(matrix, place.kind)

    def _pixel(self, tap: int) -> int:
        """The pixel that stands in for one outside."""
        if self.padding == "border":
            return min(max(tap, 0), self.extent - 1)
        low, high = self.border
        period = 2 * (high - low)
        rest = (tap - low) % period
        return int(min(rest, period - rest) + low)


def _between(value: Value, low: Fraction, high: Fraction) -> Value:
    above = value.emitter.apply(ops.LESS_EQUAL, low, value, kind=BOOL)
    return above.apply(ops.MINIMUM, value.apply(ops.LESS_EQUAL, high, kind=BOOL))


def _cubic(distance: Value) -> Value:
    """Keys' kernel, which is 0 from distance 2 on."""
    a = _CUBIC
    near = ((distance.scale(a + 2) - (a + 3)) * distance.square()) + 1
    far = ((distance.scale(a) - 5 * a) * distance + 8 * a) * distance - 4 * a
    outer = distance.apply(ops.LESS, 2, kind=BOOL).select(far, 0, distance.kind)
    return distance.apply(ops.LESS_EQUAL, 1, kind=BOOL).select(near, outer, distance.kind)


def _grid_sample(ctx: Context) -> Outputs:
    value, grid = ctx.input(0), ctx.input(1)
    text = ctx.attributes.text
    mode = _MODES.get(text("mode", "linear"))
    padding, aligned = text("padding_mode", "zeros"), ctx.attributes.flag("align_corners")
    rank = value.rank - 2
    if rank < 1 or grid.rank != value.rank or grid.shape[-1] != rank:
        raise InputError(f"A grid of shape {grid.shape} does not fit {value.shape}.")
    if mode is None or padding not in ("zeros", "border", "reflection"):
        raise InputError("The mode or the padding mode is none of those of GridSample.")
    if grid.shape[0] != value.shape[0]:
        raise InputError(f"A grid of shape {grid.shape} does not fit {value.shape}.")
    batch, channels, *extents = value.shape
    places = math.prod(grid.shape[1:-1])
    if batch * places * math.prod(extents) > MAX_WEIGHTS:
        raise UnsupportedError(f"{places} places in {math.prod(extents)} pixels are not read.")
    line = grid.reshape((batch, places, rank))
    # the last coordinate is about the first axis
    weights = [
        _Axis(extent, mode, padding, aligned).weights(line.part(2, rank - 1 - axis))
        for axis, extent in enumerate(extents)
    ]
    total = _joint(weights)
    flat = value.reshape((batch, channels, math.prod(extents)))
    found = flat @ total.transpose((0, 2, 1))
    return found.reshape((batch, channels, *grid.shape[1:-1]))


def _joint(weights: list[Value]) -> Value:
    """The weights of the elements of an image from those along each of its axes."""
    total = weights[0]
    for more in weights[1:]:
        left = total.reshape((*total.shape, 1))
        product = left * more.reshape((*more.shape[:-1], 1, more.shape[-1]))
        total = product.reshape((*total.shape[:-1], total.shape[-1] * more.shape[-1]))
    return total


def _deform_conv(ctx: Context) -> Outputs:
    """A convolution whose windows read the image at places with computed offsets."""
    value, weights, offset = (ctx.input(i) for i in range(3))
    bias, mask = ctx.optional(3), ctx.optional(4)
    rank, listed, number = value.rank - 2, ctx.attributes.integers, ctx.attributes.integer
    if value.rank != 4 or weights.rank != 4 or offset.rank != 4:
        raise UnsupportedError(f"images of shape {value.shape} are not read.")
    ones = (1,) * rank
    kernel = listed("kernel_shape") or weights.shape[2:]
    strides, dilations = listed("strides") or ones, listed("dilations") or ones
    pads = listed("pads") or (0,) * (2 * rank)
    groups, offset_groups = number("group", 1), number("offset_group", 1)
    batch, channels, *extents = value.shape
    filters, size, counts = weights.shape[0], math.prod(kernel), offset.shape[2:]
    count = math.prod(counts)
    lengths = len(strides), len(dilations), len(pads) // 2, len(kernel)
    if set(lengths) != {rank} or min(*strides, *dilations) < 1:
        raise InputError("The attributes of the windows do not fit 2 spatial axes.")
    expected = [
        (extent + pads[i] + pads[i + rank] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1
        for i, extent in enumerate(extents)
    ]
    fits = (
        list(counts) == expected
        and kernel == weights.shape[2:]
        and min(groups, offset_groups) > 0
        and channels == weights.shape[1] * groups
        and filters % groups == 0
        and channels % offset_groups == 0
        and offset.shape[:2] == (batch, offset_groups * size * rank)
        and (mask is None or mask.shape == (batch, offset_groups * size, *counts))
    )
    if not fits:
        raise InputError(f"Offsets {offset.shape} or weights {weights.shape} do not fit.")
    if batch * offset_groups * size * count * math.prod(extents) > MAX_WEIGHTS:
        raise UnsupportedError(f"{count} windows of {size} elements are not read.")
    moved = offset.reshape((batch, offset_groups, size, rank, *counts))
    parts: list[Value] = []
    for axis, extent in enumerate(extents):
        element = np.unravel_index(np.arange(size), kernel)[axis] * dilations[axis]
        start = np.arange(counts[axis]) * strides[axis] - pads[axis]
        shape = [counts[i] if i == axis else 1 for i in range(rank)]
        base = element.reshape(size, 1, 1) + start.reshape(1, *shape)
        place = moved.part(3, axis) + base
        column = place.reshape((batch, offset_groups, size * count, 1))
        distance = column - np.arange(extent)
        parts.append((1 - distance.apply(ops.ABS)).apply(ops.RELU))
    taps = _joint(parts)
    if mask is not None:
        taps *= mask.reshape((batch, offset_groups, size * count, 1))
    grouped = value.reshape((batch, offset_groups, channels // offset_groups, math.prod(extents)))
    columns = grouped @ taps.transpose((0, 1, 3, 2))
    columns = columns.reshape((batch, groups, channels // groups * size, count))
    product = weights.reshape((groups, filters // groups, channels // groups * size)) @ columns
    result = product.reshape((batch, filters, *counts))
    return result if bias is None else result + bias.reshape((filters, *ones))


def _affine_grid(ctx: Context) -> Outputs:
    theta, size = ctx.input(0), ctx.input(1).integers("'size'")
    aligned, rank = ctx.attributes.flag("align_corners"), len(size) - 2
    extents = size[2:]
    if rank not in (2, 3) or theta.shape != (size[0], rank, rank + 1) or min(extents) < 1:
        raise InputError(f"Maps of shape {theta.shape} do not fit an image of shape {size}.")
    if math.prod(extents) > MAX_WEIGHTS or (aligned and min(extents) == 1):
        raise UnsupportedError(f"a grid of {extents} places is not read.")
    lines = [
        [Fraction(2 * i, n - 1) - 1 if aligned else Fraction(2 * i + 1, n) - 1 for i in range(n)]
        for n in extents
    ]
    # the last axis is the first coordinate
    places = [[*place[::-1], Fraction(1)] for place in product(*lines)]
    base = ctx.constant(narrow(np.array(places, dtype=object)), theta.kind)
    return (base @ theta.transpose((0, 2, 1))).reshape((size[0], *extents, rank))


_Sample: TypeAlias = tuple[tuple[int, Fraction], tuple[int, Fraction]] | None
"""Two pixels with their weights; None outside of the image."""


def _sample(place: Fraction, extent: int) -> _Sample:
    if not -1 <= place <= extent:
        return None
    inside = max(place, Fraction(0))
    low = min(math.floor(inside), extent - 1)
    high = min(low + 1, extent - 1)
    share = inside - low if high > low else Fraction(0)
    return (low, 1 - share), (high, share)


def _bins(start: Fraction, size: Fraction, count: int, ratio: int) -> list[list[Fraction]]:
    """The places along one axis at which each bin of a region is sampled."""
    step = size / count
    number = ratio if ratio > 0 else math.ceil(step)
    if count * number > MAX_SAMPLES:
        raise UnsupportedError(f"a region of size {float(size)} is not read.")
    return [
        [start + step * (i + Fraction(2 * j + 1, 2 * number)) for j in range(number)]
        for i in range(count)
    ]


def _roi_align(ctx: Context) -> Outputs:
    value, attributes = ctx.input(0), ctx.attributes
    rois, batches = exact_array(ctx.input(1).known("'rois'")), ctx.input(2).integers("the batches")
    names = (("output_height", 1), ("output_width", 1), ("sampling_ratio", 0))
    height, width, ratio = (attributes.integer(name, default) for name, default in names)
    scale, mode = attributes.real("spatial_scale", 1.0), attributes.text("mode", "avg")
    default = "half_pixel" if ctx.opset >= 16 else "output_half_pixel"
    half = attributes.text("coordinate_transformation_mode", default) == "half_pixel"
    if rois is None or rois.shape != (len(batches), 4) or value.rank != 4 or not batches:
        raise InputError(f"The regions do not fit an image of shape {value.shape}.")
    if min(height, width) < 1 or ratio < 0 or mode not in ("avg", "max"):
        raise InputError("The sizes or the mode are none of those of RoiAlign.")
    results: list[Value] = []
    for region, batch in zip(rois.tolist(), batches, strict=True):
        if not 0 <= batch < value.shape[0]:
            raise InputError(f"There is no image {batch} among {value.shape[0]}.")
        left, top, right, bottom = (Fraction(n) * scale - half * HALF for n in region)
        spans = [(top, bottom - top, height), (left, right - left, width)]
        grid: list[list[list[_Sample]]] = []
        for (start, size, count), extent in zip(spans, value.shape[2:], strict=True):
            own = size if half else max(size, Fraction(1))
            bins = _bins(start, own, count, ratio)
            grid.append([[_sample(place, extent) for place in places] for places in bins])
        image = value.part(0, batch)
        results.append(_mean(image, *grid) if mode == "avg" else _largest(image, *grid))
    return stack(results, 0)


def _mean(image: Value, rows: list[list[_Sample]], columns: list[list[_Sample]]) -> Value:
    """The mean of the samples of each bin, which are weighted along each axis alone."""
    matrices: list[Value] = []
    for bins, extent in zip((rows, columns), image.shape[1:], strict=True):
        matrix = np.zeros((extent, len(bins)), dtype=object)
        for i, samples in enumerate(bins):
            for pixel, weight in (tap for sample in samples if sample for tap in sample):
                matrix[pixel, i] += weight / len(samples)
        matrices.append(image.emitter.constant(narrow(matrix), image.kind))
    return image.along(1, matrices[0]).along(2, matrices[1])


def _largest(image: Value, rows: list[list[_Sample]], columns: list[list[_Sample]]) -> Value:
    """The largest of the weighted pixels of each bin, as the operator is defined."""
    channels, height, width = image.shape
    samples = sum(map(len, rows)) * sum(map(len, columns))
    if samples > MAX_PAIRS:
        raise UnsupportedError(f"a region of {samples} samples is not read.")
    pairs = [list(product(row, column)) for row, column in product(rows, columns)]
    if not pairs[0]:
        zero = image.emitter.constant(np.int64(0), image.kind)
        return zero.broadcast((channels, len(rows), len(columns)))
    places = np.zeros((len(pairs), 4 * len(pairs[0])), dtype=np.int64)
    weights = np.zeros(places.shape, dtype=object)
    for i, pair in enumerate(pairs):
        for j, (row, column) in enumerate(pair):
            for k, ((y, one), (x, other)) in enumerate(product(row or (), column or ())):
                places[i, 4 * j + k], weights[i, 4 * j + k] = y * width + x, one * other
    found = image.reshape((channels, height * width)).take(places, 1)
    weighted = found * image.emitter.constant(narrow(weights), image.kind)
    best = weighted.apply(ops.REDUCE_MAX, axes=(2,), keepdims=False)
    return best.reshape((channels, len(rows), len(columns)))


SAMPLING: Mapping[str, Lowering] = {
    "AffineGrid": _affine_grid,
    "DeformConv": _deform_conv,
    "GridSample": _grid_sample,
    "RoiAlign": _roi_align,
}

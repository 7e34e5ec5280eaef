"""Planes above rectifiers of sums, over the box of what is summed.

For ``z = w y + c`` with y in a box, and 0 ≤ t ≤ 1, ``max(z, 0) ≤ (t w) y + q`` where q is the
largest of ``-(t w) y`` and of ``z - (t w) y`` on the box.  With t the same for all y it is the line
above; the others are the facets of the rectifier over the box (Anderson, Huchette, Ma,
Tjandraatmadja and Vielma, "Strong mixed-integer programming formulations for trained neural
networks", 2020).  The more elements a sum has, the better they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tamecheck.bounds.layers import Combine, Dense, Layers, Pointwise, Route
from tamecheck.bounds.propagation import State, magnitude, unit
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array

_LARGEST = 1 << 23
"""The most weights of a layer that is looked at."""
_FLOOR = 2.0**-900
_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Which elements of the layer ``base`` the arguments of some rectifiers of a layer sum.

    ``rows`` are the numbers of these rectifiers.  Where an index is negative, what is summed is a
    constant.
    """

    rows: Array
    base: int
    between: tuple[int, ...]
    """The layers from the base to the argument, which may be off by some noise."""
    index: Array
    constant: Array
    weight: Array
    offset: Array
    whole: bool
    """Whether all rows have all elements of the base, in order."""

    def only(self, chosen: Array) -> Windows:
        """The windows of some of the rectifiers, by a mask over the layer."""
        kept = chosen[self.rows]
        parts = ("rows", "index", "constant", "weight", "offset")
        return replace(self, **{name: getattr(self, name)[kept] for name in parts})

    def gather(self, x: Array) -> Array:
        """The elements of the base, one for each weight."""
        if self.whole:
            return x[:, np.newaxis, :]
        picked = x[:, np.maximum(self.index, 0)]
        return np.where(self.index >= 0, picked, self.constant)

    def scatter(self, terms: Array, size: int) -> Array:
        """The sum of what there is for each element of the base; a row a box."""
        if self.whole:
            return terms.sum(1)
        kept = self.index >= 0
        places = self.index[kept]
        return np.stack([np.bincount(places, one[kept], size) for one in terms])


def windows_of(layers: Layers) -> dict[int, Windows]:
    """The windows of rectifier layers whose arguments are a product with a matrix and an offset."""
    found: dict[int, Windows] = {}
    for index, layer in enumerate(layers.computed, start=1):
        if isinstance(layer, Pointwise) and layer.scalar.kinked:
            windows = _windows(layers, layer.args[0])
            if windows is not None:
                found[index] = windows
    return found


def _windows(layers: Layers, arg: int) -> Windows | None:
    number, offset, between = arg, np.zeros(layers.sizes[arg]), list[int]()
    layer = layers[number] if number else None
    if isinstance(layer, Combine) and layer.factors == (1.0,):
        offset = offset if layer.offset is None else layer.offset
        between.append(number)
        number = layer.args[0]
        layer = layers[number] if number else None
    if not isinstance(layer, Dense):
        return None
    between.append(number)
    number, places = layer.args[0], np.arange(layers.sizes[layer.args[0]])
    constant = np.zeros(len(places))
    before = layers[number] if number else None
    if isinstance(before, Route):
        number, places, constant = before.args[0], before.index, before.offset
    count = layer.weight.shape[-1 if layer.left else -2]
    if layer.size * count > _LARGEST:
        return None
    index, constant = (_by_sum(layer, side) for side in (places, constant))
    weight = np.swapaxes(layer.weight, -1, -2)[..., np.newaxis, :, :]
    weight = layer.weight[..., :, np.newaxis, :] if layer.left else weight
    rows = np.broadcast_to(weight, (*layer.result, count)).reshape(-1, count)
    size = layers.sizes[number]
    whole = count == size and bool((index == np.arange(size)).all())
    every = np.arange(layer.size)
    return Windows(every, number, tuple(between), index, constant, rows, offset, whole)


def _by_sum(layer: Dense, x: Array) -> Array:
    """The elements of an argument that each sum of a product has."""
    full = x.reshape(layer.shape)
    wide = (
        np.swapaxes(full, -1, -2)[..., np.newaxis, :, :]
        if layer.left
        else full[..., :, np.newaxis, :]
    )
    return np.broadcast_to(wide, (*layer.result, wide.shape[-1])).reshape(-1, wide.shape[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Envelopes:
    """Rectifiers of a layer over the boxes of what they sum; arrays (boxes, rectifiers, terms)."""

    windows: Windows
    low: Array
    high: Array
    noise: Array

    @staticmethod
    def of(state: State, windows: Windows) -> Envelopes:
        """The rectifiers on the boxes of a state."""
        box = state.bounds[windows.base]
        noises = (state.noise[k][:, windows.rows] for k in windows.between if k in state.noise)
        noise = sum(noises, np.zeros(1))
        return Envelopes(windows, windows.gather(box.lower), windows.gather(box.upper), noise)

    @property
    def first(self) -> Array:
        """The element of each interval where the sum is least."""
        return np.where(self.windows.weight >= 0, self.low, self.high)

    @property
    def reach(self) -> Array:
        """How much each element can raise its sum."""
        return np.abs(self.windows.weight) * (self.high - self.low)

    @property
    def most(self) -> Array:
        """The largest value of each sum."""
        windows = self.windows
        return (windows.weight * self.first).sum(-1) + windows.offset + self.reach.sum(-1)

    def plane(self, t: Array) -> Plane:
        """The plane for slopes t, rounded outward."""
        windows, w = self.windows, self.windows.weight
        p = t * w
        rest = w - p
        below = np.maximum(-p * self.low, -p * self.high).sum(-1)
        above = np.maximum(rest * self.low, rest * self.high).sum(-1) + windows.offset + self.noise
        size = ((np.abs(w) + np.abs(p)) * magnitude(Interval(self.low, self.high))).sum(-1)
        size = size + np.abs(windows.offset) + self.noise
        at = np.maximum(below, above) + size * unit(2 * w.shape[-1]) + _FLOOR
        return Plane(windows, p, at, size + np.abs(at))

    def start(self) -> Array:
        """The slopes of the lines above."""
        most, reach = self.most, self.reach
        total = reach.sum(-1)
        part = np.clip(most / np.where(total > 0, total, 1.0), 0, 1)
        return np.repeat(part[..., np.newaxis], reach.shape[-1], -1)

    def move(self, t: Array, values: Array, step: float) -> Array:
        """Slopes moved to where the plane is lower at values of the base, and still balanced.

        The two largest values of `plane` are equal if the reaches times t add up to `most`; the
        plane is then the sum of reaches times t, each times the part of its way that y is on.
        """
        reach, wide = self.reach, self.high - self.low
        way = (self.windows.gather(values) - self.low) / np.where(wide > 0, wide, 1.0)
        way = 1 - 2 * np.where(self.windows.weight >= 0, way, 1 - way)
        total = np.maximum(reach.sum(-1, keepdims=True), _FLOOR)
        way = way - (reach * way).sum(-1, keepdims=True) / total
        t = np.clip(t + step * way, 0, 1)
        for _ in range(_ROUNDS):
            missing = (self.most - (reach * t).sum(-1))[..., np.newaxis]
            room = np.where(missing > 0, 1 - t, -t)
            left = np.abs((reach * room).sum(-1, keepdims=True))
            t = np.clip(t + room * np.minimum(np.abs(missing) / np.maximum(left, _FLOOR), 1), 0, 1)
        return t


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """``p y + at`` above rectifiers, and the magnitudes that meet there."""

    windows: Windows
    p: Array
    at: Array
    size: Array

    @property
    def base(self) -> int:
        """The layer of what is summed."""
        return self.windows.base

    @property
    def rows(self) -> Array:
        """The numbers of the rectifiers."""
        return self.windows.rows

    def back(self, a: Array, size: int) -> tuple[Array, Array, Array]:
        """A functional of the base, a constant and the rounding, below ``a`` times rectifiers.

        ``a`` has one row a box, of numbers that are at most 0; the base has ``size`` elements.
        """
        part = self.windows.scatter(a[..., np.newaxis] * self.p, size)
        lost = (-a * self.size).sum(-1) * unit(self.p[0].size) * 2
        windows = self.windows
        known = np.where(windows.index < 0, self.p * windows.constant, 0.0).sum(-1)
        return part, (a * (self.at + known)).sum(-1), lost

    def value(self, y: Array) -> Array:
        """The value at points of the base."""
        return (self.p * self.windows.gather(y)).sum(-1) + self.at

"""Rigorous bounds of layers over a batch of boxes: intervals, then linear functionals run back.

Everything is float64.  A linear functional's coefficients are taken as exact numbers once they are
computed; what rounding loses at a layer is at most a unit times the magnitudes that meet there,
and is summed beside the bound (the standard model of floating-point dot products, any order).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from tamecheck.bounds.layers import Layers, Linear, Planes, Pointwise, Route
from tamecheck.budget import Budget
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array

_UNIT = 2.0**-52
_FLOOR = 2.0**-900
_ROUNDED = 1e-9
_SWEEPS = 2
WHOLE = 2.0**30
"""Weights of rows are integers over this."""
_ELEMENTS = 1 << 23
"""The most elements that the functionals of one pass may have."""
EACH, CALL = 64, 1 << 20
"""How many products of a sum take as long as the other operations on its value, and as a call."""


def work_at(layers: Layers, points: int) -> float:
    """The work of evaluating so many points, as `State` counts it."""
    each = (x.size * (EACH + (x.terms if isinstance(x, Linear) else 0)) for x in layers.computed)
    return float(points * sum(each) + CALL * len(layers.computed))


def unit(count: int) -> float:
    """A relative error that covers sums of ``count`` terms and constants known to 2**-44."""
    return (count + 528) * _UNIT


def magnitude(x: Interval) -> Array:
    """The largest absolute value in the interval."""
    return np.maximum(np.abs(x.lower), np.abs(x.upper))


@dataclass(slots=True, eq=False)
class State:
    """What is known of the layers on a batch of boxes: bounds, planes, and magnitudes of sums."""

    layers: Layers
    bounds: list[Interval] = field(default_factory=list[Interval])
    planes: dict[int, Planes] = field(default_factory=dict[int, Planes])
    sizes: dict[int, Array] = field(default_factory=dict[int, Array])
    noise: dict[int, Array] = field(default_factory=dict[int, Array])
    """By how much the elements of a layer may be off, where that is not 0."""
    budget: Budget = field(default_factory=Budget)
    """When it is spent, no more bounds are made tighter."""
    work: float = 0.0
    """What functionals have cost, in products: time as every machine counts it."""

    @property
    def count(self) -> int:
        """The number of boxes."""
        return len(self.bounds[0].lower)

    def pick(self, boxes: Array) -> State:
        """What is known on some of the boxes."""
        bounds = [Interval(x.lower[boxes], x.upper[boxes]) for x in self.bounds]
        linear = {k: v for k, v in self.sizes.items() if isinstance(self.layers[k], Linear)}
        sizes, noise = ({k: v[boxes] for k, v in one.items()} for one in (linear, self.noise))
        return replace(self, bounds=bounds, planes={}, sizes=sizes, noise=noise, work=0.0)

    def extend(self, known: Interval | None = None) -> Interval:
        """Bounds of the next layer from those of its arguments, cut to what is known of it."""
        index = len(self.bounds)
        layer = self.layers[index]
        args = [self.bounds[arg] for arg in layer.args]
        if isinstance(layer, Linear):
            found, self.sizes[index] = _linear_range(layer, args)
        else:
            found = layer.range(args)
        if self.layers.noise and any(lost := self.layers.noise[index - 1]):
            # float64 has the magnitudes of sums, and sums of noise, to a relative 2**-30 at least
            size = self.sizes.get(index)
            size = (magnitude(found) if size is None else size) * (1 + 2.0**-30)
            self.noise[index] = noise = (size * lost[0] + lost[1]) * (1 + 2.0**-30)
            found = Interval(found.lower - noise, found.upper + noise)
        if known is not None:
            found = meet(found, known)
        found = self.rounded(index, found)
        self.bounds.append(found)
        return found

    def rounded(self, index: int, found: Interval) -> Interval:
        """Bounds of a layer, inward to integers where its elements are integers."""
        if index not in self.layers.whole:
            return found
        return meet(found, Interval(np.ceil(found.lower), np.floor(found.upper)))

    def bend(self, index: int) -> Planes:
        """The planes of a nonlinear layer over the present bounds of its arguments."""
        if index not in self.planes:
            layer = self.layers[index]
            if isinstance(layer, Linear):
                raise TypeError("linear layers have no planes")
            args = [self.bounds[arg] for arg in layer.args]
            found = layer.planes(args, self.bounds[index])
            self.planes[index] = found
            self.sizes[index] = _bent_size(found, args)
        return self.planes[index]

    def open_decisions(self) -> Array:
        """For each box the number of elements of nonlinear layers that are not affine on it.

        Those with many values count more than once.
        """
        total = np.zeros(self.count)
        for index, layer in enumerate(self.layers.computed, start=1):
            if isinstance(layer, Linear):
                continue
            planes, own = self.bend(index), self.bounds[index]
            apart = planes.high_at - planes.low_at > _ROUNDED
            for low, high in zip(planes.low, planes.high, strict=True):
                apart = apart | (planes.sum_groups(np.abs(high - low)) > _ROUNDED)
            many = isinstance(layer, Pointwise) and layer.scalar.integral
            weight = np.log2(1 + np.maximum(own.upper - own.lower, 1)) if many else 1.0
            total += (apart * weight).sum(-1)
        return total


def meet(x: Interval, y: Interval) -> Interval:
    """The intersection; where it is empty, one end point (nothing lies there)."""
    lower, upper = np.maximum(x.lower, y.lower), np.minimum(x.upper, y.upper)
    return Interval(np.minimum(lower, upper), upper)


def _linear_range(layer: Linear, args: Sequence[Interval]) -> tuple[Interval, Array]:
    if isinstance(layer, Route):
        found = Interval(layer.apply([args[0].lower]), layer.apply([args[0].upper]))
        shift = np.where(layer.index < 0, layer.offset, 0.0)
        # an offset is a constant, known to 256 units
        slack = np.abs(shift) * 264 * _UNIT
        found = Interval(found.lower + shift - slack, found.upper + shift + slack)
        return found, magnitude(found)
    centres = [x.lower + (x.upper - x.lower) / 2 for x in args]
    radii = [
        np.maximum(x.upper - c, c - x.lower) * (1 + _UNIT) + _FLOOR
        for x, c in zip(args, centres, strict=True)
    ]
    centre, radius = layer.apply(centres), layer.absolute(radii)
    size = layer.absolute([np.abs(c) for c in centres]) + radius
    if layer.offset is not None:
        centre = centre + layer.offset
        size = size + np.abs(layer.offset)
    radius = radius + size * unit(layer.terms) + _FLOOR
    return Interval(centre - radius, centre + radius), size


def _bent_size(planes: Planes, args: Sequence[Interval]) -> Array:
    total = np.maximum(np.abs(planes.low_at), np.abs(planes.high_at))
    for low, high, arg in zip(planes.low, planes.high, args, strict=True):
        # slopes that replace the state's own, see Guide, are at most 1
        part = np.maximum(np.maximum(np.abs(low), np.abs(high)), 1.0) * magnitude(arg)
        total = total + planes.sum_groups(part)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Functional:
    """``a x + at`` bounds from below, for every row of ``a``; ``error`` is what rounding lost."""

    a: Array
    at: Array
    error: Array


class Over(Protocol):
    """Planes above the elements ``rows`` of a layer, in terms of the layer ``base``."""

    @property
    def rows(self) -> Array:
        """The elements."""
        ...

    @property
    def base(self) -> int:
        """The layer."""
        ...

    def back(self, a: Array, size: int) -> tuple[Array, Array, Array]:
        """Below ``a`` times the elements, a ≤ 0: a functional, a constant, and the rounding."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """How functionals are to run back, where not by the state's own planes.

    The ``planes`` that take their place have the same constants, and slopes at most 1 in size.  The
    functionals bound the sum with those ``added`` at some layers; those at the nonlinear layers
    that were passed go into the ``trace``.  Where a rectifier has a negative coefficient, all but a
    share of it goes along the plane ``over`` it; a functional alone is to be run back then.
    """

    planes: Mapping[int, Planes] = field(default_factory=dict[int, Planes])
    added: Mapping[int, Array] = field(default_factory=dict[int, Array])
    over: Mapping[int, tuple[Array, Over]] = field(default_factory=dict[int, "tuple[Array, Over]"])
    trace: dict[int, Array] = field(default_factory=dict[int, Array])


def back(state: State, layer: int, a: Array, guide: Guide | None = None) -> Functional:
    """Functionals of the input that bound functionals ``a`` of a layer from below.

    ``a`` has shape (boxes or 1, rows, elements); the state has bounds of all layers up to it.
    """
    guide = guide or Guide()
    pending: dict[int, Array] = {layer: a}
    shape = (state.count, a.shape[1])
    at, error = np.zeros(shape), np.zeros(shape)
    for index in range(layer, 0, -1):
        functional = pending.pop(index, None)
        if functional is None:
            continue
        if index in guide.added:
            functional = functional + guide.added[index]
        here = state.layers[index]
        if isinstance(here, Linear):
            parts, terms = here.adjoint(functional), here.terms
            state.work += len(functional) * a.shape[1] * here.size * here.terms
            if here.offset is not None and here.offset.any():
                at = at + functional @ here.offset
        else:
            guide.trace[index] = functional
            if index in guide.over:
                share, over = guide.over[index]
                beyond = np.minimum(functional[:, 0, over.rows], 0.0) * (1 - share)
                part, constant, lost = over.back(beyond, state.layers.sizes[over.base])
                at, error = at + constant[:, np.newaxis], error + lost[:, np.newaxis]
                part = part[:, np.newaxis, :]
                pending[over.base] = pending.get(over.base, 0.0) + part
                functional = functional.copy()
                functional[:, 0, over.rows] -= beyond
            own = state.bend(index)
            parts, constant = guide.planes.get(index, own).back(functional)
            at, terms = at + constant, 4
        state.work += len(functional) * a.shape[1] * here.size * EACH + CALL
        if index in state.noise:
            at = at - np.matmul(np.abs(functional), state.noise[index][..., np.newaxis])[..., 0]
        error = error + _lost(state, index, functional, terms) + np.abs(at) * _UNIT
        for arg, part in zip(here.args, parts, strict=True):
            pending[arg] = pending[arg] + part if arg in pending else part
    whole = pending.get(0)
    if whole is None:
        whole = np.zeros((1, a.shape[1], state.layers.inputs))
    return Functional(np.broadcast_to(whole, (*shape, whole.shape[-1])), at, error)


def _lost(state: State, index: int, functional: Array, terms: int) -> Array:
    """A bound of what rounding changes when a functional passes a layer, or meets another."""
    meeting = magnitude(state.bounds[index]) * (4 * _UNIT)
    weight = state.sizes[index] * unit(terms + state.layers[index].size) + meeting
    return np.matmul(np.abs(functional), weight[..., np.newaxis])[..., 0] * 1.01 + _FLOOR


def least_on(box: Interval, functional: Functional) -> Array:
    """The least value over boxes inside those that the functionals were made for, rounded down."""
    centre = box.lower + (box.upper - box.lower) / 2
    radius = np.maximum(box.upper - centre, centre - box.lower) * (1 + _UNIT)
    size = np.abs(functional.a)
    middle = np.matmul(functional.a, centre[..., np.newaxis])[..., 0]
    spread = np.matmul(size, radius[..., np.newaxis])[..., 0]
    whole = np.matmul(size, (np.abs(centre) + radius)[..., np.newaxis])[..., 0]
    total = middle - spread + functional.at
    # the error sum is itself rounded, hence the last factor
    lost = functional.error + whole * unit(functional.a.shape[-1]) + np.abs(functional.at) * _UNIT
    return total - lost * 1.01 - np.abs(total) * _UNIT


def contract(box: Interval, functional: Functional, use: Array) -> Interval:
    """The part of each box where all used functionals can be at most 0; empty if ends cross.

    Where ``a x + at`` has the least value L < 0 on a box and a_i > 0, attained at the lower end
    l_i, it is at most 0 only for ``x_i ≤ l_i - L / a_i``; and likewise for a_i < 0.
    """
    least = least_on(box, functional)
    a = functional.a
    usable = use[..., np.newaxis] & (least <= 0)[..., np.newaxis] & (a != 0)
    reach = np.where(usable, -least[..., np.newaxis] / np.where(usable, np.abs(a), 1.0), np.inf)
    reach = reach * (1 + 4 * _UNIT) + _FLOOR
    down = np.where(a > 0, reach, np.inf).min(1)
    up = np.where(a < 0, reach, np.inf).min(1)
    upper = np.minimum(box.upper, np.nextafter(box.lower + down, np.inf))
    lower = np.maximum(box.lower, np.nextafter(box.upper - up, -np.inf))
    return Interval(lower, upper)


def add_rows(box: Interval, functional: Functional, members: Array) -> tuple[Array, Functional]:
    """Weights of rows of each box, in whole units, and their sum as one row: see `best_weights`."""
    weights = np.round(best_weights(box, functional, members) * WHOLE) / WHOLE
    return weights, weigh(box, functional, weights)


def best_weights(box: Interval, functional: Functional, members: Array) -> Array:
    """Weights of rows of each box, with sum 1, for which the least value of the sum is large.

    Only ``members`` get any.  The least value of ``(1 - t) f + t g`` on a box is concave in t, with
    its bends where a coefficient is 0: rows are mixed in one after the other.
    """
    centre = box.lower + (box.upper - box.lower) / 2
    spread = np.nan_to_num(functional.a * (box.upper - centre)[:, np.newaxis, :])
    middle = np.matmul(functional.a, centre[..., np.newaxis])[..., 0] + functional.at
    members = members & np.isfinite(middle)
    middle = np.where(members, middle, 0.0)
    least = np.where(members, middle - np.abs(spread).sum(-1), -np.inf)
    at, first = np.arange(len(least)), least.argmax(-1)
    weights = np.zeros(least.shape)
    weights[at, first] = members[at, first]
    sums, total, best = spread[at, first], middle[at, first], least[at, first]
    for row in np.flatnonzero(members.any(0)).tolist() * _SWEEPS:
        change, step = spread[:, row] - sums, middle[:, row] - total
        part = np.clip(np.nan_to_num(-sums / np.where(change != 0, change, np.inf)), 0, 1)
        ends = sums[:, np.newaxis, :] + part[..., np.newaxis] * change[:, np.newaxis, :]
        values = total[:, np.newaxis] + part * step[:, np.newaxis] - np.abs(ends).sum(-1)
        chosen = values.argmax(-1)
        better = members[:, row] & (values[at, chosen] > best)
        share = np.where(better, part[at, chosen], 0.0)[:, np.newaxis]
        weights *= 1 - share
        weights[:, row] += share[:, 0]
        sums, total = sums + share * change, total + share[:, 0] * step
        best = np.where(better, values[at, chosen], best)
    return weights


def weigh(box: Interval, functional: Functional, weights: Array) -> Functional:
    """The weighted sum of the rows of each box, as one row; weights are at least 0."""
    rows = weights > 0
    a = np.where(rows[..., np.newaxis], functional.a, 0.0)
    at, error = (np.where(rows, part, 0.0) for part in (functional.at, functional.error))
    factors = weights[:, np.newaxis, :]
    sizes = (weights * np.abs(at)).sum(-1, keepdims=True)
    reach = np.matmul(factors, np.abs(a))[:, 0] * magnitude(box)
    sizes += reach.sum(-1, keepdims=True)
    lost = (weights * error).sum(-1, keepdims=True) * (1 + unit(weights.shape[-1]))
    return Functional(
        np.matmul(factors, a),
        (weights * at).sum(-1, keepdims=True),
        lost + sizes * unit(weights.shape[-1]),
    )


def run_back(state: State, index: int, rows: Array) -> Interval:
    """Bounds of a layer: of some elements by functionals run back, of others as they are.

    So are those for which there is no time left.
    """
    bounds = state.bounds[index]
    size = max(1, _ELEMENTS // (2 * max(state.layers.sizes[: index + 1]) * state.count))
    lower, upper = bounds.lower.copy(), bounds.upper.copy()
    for first in range(0, len(rows), size):
        if state.budget.is_spent:
            break
        chosen = rows[first : first + size]
        count, at = len(chosen), np.arange(len(chosen))
        a = np.zeros((1, 2 * count, bounds.lower.shape[-1]))
        a[0, at, chosen], a[0, count + at, chosen] = 1.0, -1.0
        least = least_on(state.bounds[0], back(state, index, a))
        lower[:, chosen], upper[:, chosen] = least[:, :count], -least[:, count:]
    return state.rounded(index, Interval(lower, upper))

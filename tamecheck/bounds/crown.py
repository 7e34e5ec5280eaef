"""Bounds of all layers over a batch of boxes: functionals run back, or affine bounds carried on.

Each nonlinear layer's argument is tightened by functionals run back; where the input has few
elements, affine bounds of every layer are carried forward first, which is cheaper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tamecheck.bounds.layers import Dense, Layers, Linear, Pointwise
from tamecheck.bounds.propagation import CALL, EACH, State, magnitude, meet, run_back, unit
from tamecheck.budget import Budget
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array

_FEW_INPUTS = 12

_ERROR = 2.0**-48
_FLOOR = 2.0**-900


def bound(  # noqa: PLR0913 (options, by keyword only)
    layers: Layers,
    lower: Array,
    upper: Array,
    *,
    known: Mapping[int, Interval] | None = None,
    most: float = np.inf,
    budget: Budget | None = None,
) -> State:
    """Bounds of every layer on the boxes ``lower ≤ x ≤ upper``, one a row.

    Some layers may be ``known`` to be bounded already.  Layers with more than ``most`` open
    elements get no bounds from functionals run back; if it is 0, all have those of intervals.
    Nor do those for which a ``budget`` leaves no time.
    """
    budget = budget or Budget()
    state = State(layers, [Interval(lower, upper)], budget=budget)
    given = known or {}
    with np.errstate(all="ignore"):
        if most and goes_forward(layers):
            # functionals of the whole input are far fewer than those of the widest layer; those
            # that run back are for what these leave open
            forward = _carry_forward(state, given)
            given = dict(enumerate(forward.bounds))
            state = State(layers, [Interval(lower, upper)], budget=budget, work=forward.work)
        wanted = _arguments(layers) - direct(layers) if most else frozenset[int]()
        for index in range(1, layers.output + 1):
            state.extend(given.get(index))
            if index in wanted:
                _tighten(state, index, most)
    return state


def goes_forward(layers: Layers) -> bool:
    """Whether affine bounds are carried forward first: the input has few elements."""
    return layers.inputs <= _FEW_INPUTS


def _arguments(layers: Layers) -> frozenset[int]:
    """The layers that a nonlinear layer reads."""
    bent = (layer for layer in layers.computed if not isinstance(layer, Linear))
    return frozenset(arg for layer in bent for arg in layer.args)


def direct(layers: Layers) -> frozenset[int]:
    """Layers whose interval is exact: the input passes at most one sum on its way to them."""
    sums = [0]
    for layer in layers.computed:
        if isinstance(layer, Linear):
            moved = len(layer.args) == 1 and not isinstance(layer, Dense)
            sums.append(max(sums[arg] for arg in layer.args) + (0 if moved else 1))
        else:
            sums.append(9)
    return frozenset(i for i, count in enumerate(sums) if count <= 1)


def _tighten(state: State, index: int, most: float) -> None:
    """Replace the bounds of a layer, where its sign is open, by those of functionals run back."""
    bounds, layers = state.bounds[index], state.layers
    users = [u for u in layers.computed if not isinstance(u, Linear) and index in u.args]
    if all(isinstance(user, Pointwise) and user.scalar.kinked for user in users):
        open_ = ((bounds.lower < 0) & (bounds.upper > 0)).any(axis=0)
    else:
        open_ = (bounds.lower < bounds.upper).any(axis=0)
    rows = np.flatnonzero(open_)
    if rows.size > most:
        return
    if rows.size:
        state.bounds[index] = meet(bounds, run_back(state, index, rows))


def _carry_forward(state: State, known: Mapping[int, Interval]) -> State:
    layers, box = state.layers, state.bounds[0]
    count, size = box.lower.shape
    eye, zero = np.broadcast_to(np.eye(size), (count, size, size)), np.zeros((count, size))
    affine = {0: _Affine(eye, zero, eye, zero)}
    last = {arg: index for index, layer in enumerate(layers.computed, 1) for arg in layer.args}
    for index, layer in enumerate(layers.computed, start=1):
        state.extend(known.get(index))
        if isinstance(layer, Linear):
            found = _linear(layer, [affine[arg] for arg in layer.args], magnitude(box))
            state.work += 4 * count * size * layer.size * layer.terms
            found = found.blurred(state.noise.get(index))
        elif isinstance(layer, Pointwise):
            found = _pointwise(state, index, affine[layer.args[0]], magnitude(box))
            found = found.blurred(state.noise.get(index))
        else:
            own = state.bounds[index]
            flat = np.zeros((count, size, layer.size))
            found = _Affine(flat, own.lower, flat, own.upper)
        state.work += 4 * (count * size * layer.size * EACH + CALL)
        state.bounds[index] = meet(state.bounds[index], found.range(box))
        affine[index] = found
        for arg in layer.args:
            if last[arg] == index:
                affine.pop(arg, None)
    return state


@dataclass(frozen=True, slots=True, eq=False)
class _Affine:
    """``low x + low_at ≤ layer ≤ high x + high_at``; coefficients have shape (boxes, d, n)."""

    low: Array
    low_at: Array
    high: Array
    high_at: Array

    def blurred(self, noise: Array | None) -> _Affine:
        """Bounds of elements that may be off by so much."""
        if noise is None:
            return self
        noise = noise + (np.abs(self.low_at) + np.abs(self.high_at) + noise) * _ERROR
        return _Affine(self.low, self.low_at - noise, self.high, self.high_at + noise)

    def size(self, box: Array) -> Array:
        """The magnitude of everything that is summed, given that of the inputs."""
        low = np.einsum("bd,bdn->bn", box, np.abs(self.low)) + np.abs(self.low_at)
        high = np.einsum("bd,bdn->bn", box, np.abs(self.high)) + np.abs(self.high_at)
        return np.maximum(low, high)

    def range(self, box: Interval) -> Interval:
        """Bounds over the boxes, rounded outward."""
        centre = box.lower + (box.upper - box.lower) / 2
        radius = np.maximum(box.upper - centre, centre - box.lower)
        slack = self.size(magnitude(box)) * unit(2 * centre.shape[-1]) + _FLOOR

        def at(a: Array, constant: Array, sign: float) -> Array:
            middle = np.einsum("bd,bdn->bn", centre, a)
            spread = np.einsum("bd,bdn->bn", radius, np.abs(a))
            return middle + sign * (spread + slack) + constant

        return Interval(at(self.low, self.low_at, -1.0), at(self.high, self.high_at, 1.0))


def _linear(layer: Linear, args: list[_Affine], box: Array) -> _Affine:
    """Positive weights keep the sides, negative ones swap them."""
    middle = layer.apply([(x.high + x.low) / 2 for x in args])
    half = layer.absolute([(x.high - x.low) / 2 for x in args])
    middle_at = layer.apply([(x.high_at + x.low_at) / 2 for x in args])
    half_at = layer.absolute([(x.high_at - x.low_at) / 2 for x in args])
    size = layer.absolute([x.size(box) for x in args])
    if layer.offset is not None:
        middle_at = middle_at + layer.offset
        size = size + np.abs(layer.offset)
    lost = size * (4 * unit(layer.terms)) + _FLOOR
    return _Affine(
        middle - half, middle_at - half_at - lost, middle + half, middle_at + half_at + lost
    )


def _pointwise(state: State, index: int, x: _Affine, box: Array) -> _Affine:
    planes = state.bend(index)
    low, high = planes.low[0], planes.high[0]
    up = low[:, np.newaxis, :] * np.where(low[:, np.newaxis, :] >= 0, x.low, x.high)
    down = high[:, np.newaxis, :] * np.where(high[:, np.newaxis, :] >= 0, x.high, x.low)
    up_at = low * np.where(low >= 0, x.low_at, x.high_at) + planes.low_at
    down_at = high * np.where(high >= 0, x.high_at, x.low_at) + planes.high_at
    size = np.maximum(np.abs(low), np.abs(high)) * x.size(box)
    size = size + np.maximum(np.abs(planes.low_at), np.abs(planes.high_at))
    lost = size * _ERROR + _FLOOR
    return _Affine(up, up_at - lost, down, down_at + lost)

"""Linear bounds carried forward: cheap where the input has few elements and layers are wide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck.bounds.layers import Entry
from tamecheck.bounds.linear import Combine, Dense, Linear, Route, Scale
from tamecheck.bounds.nonlinear import Largest, Pointwise, Product
from tamecheck.bounds.propagation import State, magnitude, meet, unit
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array

__all__ = ["Affine", "carried", "entry"]

_ERROR = 2.0**-48
_FLOOR = 2.0**-900


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """``low x + low_at ≤ layer ≤ high x + high_at``; coefficients have shape (boxes, d, n)."""

    low: Array
    low_at: Array
    high: Array
    high_at: Array

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


def carried(state: State, known: dict[int, Affine], index: int) -> Affine:
    """The affine bounds of a layer from those of its arguments; also cuts the state's interval."""
    layer = state.layers.layers[index]
    box = state.bounds[0]
    match layer:
        case Entry():
            raise ValueError("the input has no arguments")
        case Route() | Scale() | Combine() | Dense():
            found = _linear(layer, [known[arg] for arg in layer.args], magnitude(box))
        case Pointwise():
            found = _pointwise(state, index, known[layer.args[0]], magnitude(box))
        case Product() | Largest():
            found = _constant(state.bounds[index], box.lower.shape[-1])
    state.bounds[index] = meet(state.bounds[index], found.range(box))
    return found


def entry(box: Interval) -> Affine:
    """The input itself."""
    count, size = box.lower.shape
    eye = np.broadcast_to(np.eye(size), (count, size, size))
    zero = np.zeros((count, size))
    return Affine(eye, zero, eye, zero)


def _constant(bounds: Interval, inputs: int) -> Affine:
    flat = np.zeros((len(bounds.lower), inputs, bounds.lower.shape[-1]))
    return Affine(flat, bounds.lower, flat, bounds.upper)


def _linear(layer: Linear, args: list[Affine], box: Array) -> Affine:
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
    return Affine(
        middle - half, middle_at - half_at - lost, middle + half, middle_at + half_at + lost
    )


def _pointwise(state: State, index: int, x: Affine, box: Array) -> Affine:
    planes = state.bend(index)
    low, high = planes.low[0], planes.high[0]
    up = low[:, np.newaxis, :] * np.where(low[:, np.newaxis, :] >= 0, x.low, x.high)
    down = high[:, np.newaxis, :] * np.where(high[:, np.newaxis, :] >= 0, x.high, x.low)
    up_at = low * np.where(low >= 0, x.low_at, x.high_at) + planes.low_at
    down_at = high * np.where(high >= 0, x.high_at, x.low_at) + planes.high_at
    size = np.maximum(np.abs(low), np.abs(high)) * x.size(box)
    size = size + np.maximum(np.abs(planes.low_at), np.abs(planes.high_at))
    lost = size * _ERROR + _FLOOR
    return Affine(up, up_at - lost, down, down_at + lost)

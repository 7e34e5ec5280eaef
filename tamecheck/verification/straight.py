"""A search for a violation of a binarized network: descent by straight-through gradients.

Signs are computed as they are and differentiated as if they were steep sigmoids of their sums; in
every second step at a point that is moved at random inside the box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import numpy as np

from tamecheck.binarized.windows import WindowLayer, WindowNetwork
from tamecheck.budget import Budget
from tamecheck.ir.tensor import Array

Found = TypeVar("Found")

_STEPS = 60
_DECAY, _SQUARES = 0.8, 0.95
_RATE = 0.25
_SPREAD = 0.3
_LEAST, _TINY = 1e-6, 1e-12


class SmoothLayer:
    """A layer with its derivative."""

    def __init__(self, layer: WindowLayer, ends: Array, scale: float, before: int) -> None:
        self.layer, self.ends, self.scale, self.before = layer, ends, scale, before
        self.weights = layer.weights.astype(np.float32)
        self.places = np.where(layer.windows < 0, before, layer.windows).reshape(-1)

    def forward(self, x: Array) -> tuple[Array, Array, Array]:
        """The states, the sums that decide and where they are."""
        padded = np.append(x, np.float32(0))
        sums = padded[self.places].reshape(self.layer.windows.shape) @ self.weights.T
        grouped = (sums - self.ends)[self.layer.groups]
        chosen = grouped.argmax(axis=1)
        top = np.take_along_axis(grouped, chosen[:, None], 1)[:, 0]
        return np.where(top >= 0, np.float32(1), np.float32(-1)).reshape(-1), top, chosen

    def backward(self, slope: Array, top: Array, chosen: Array) -> Array:
        """The slope in the layer's argument, given that in its states."""
        steep = 1 / np.cosh(np.clip(top / self.scale, -20, 20)) ** 2
        moved = slope.reshape(top.shape) * steep
        sums = np.zeros((len(self.layer.windows), len(self.weights)), dtype=np.float32)
        rows = np.take_along_axis(self.layer.groups, chosen, axis=1)
        np.add.at(sums, (rows, np.arange(len(self.weights))), moved)
        found = np.bincount(
            self.places, weights=(sums @ self.weights).reshape(-1), minlength=self.before + 1
        )
        return found[: self.before].astype(np.float32)


class Rows:
    """Rows over the last states: how far a point is from unsafe, and the slope of that."""

    def __init__(self, cases: Sequence[tuple[Array, Array]]) -> None:
        self.rows = np.concatenate([values for values, _ in cases]).astype(np.float32)
        self.ends = np.concatenate([goals for _, goals in cases]).astype(np.float32)
        self.owner = np.repeat(np.arange(len(cases)), [len(goals) for _, goals in cases])
        size = float(np.abs(self.rows).sum(axis=1).mean())
        self.spread = _SPREAD * max(size, 1.0) ** 0.5
        self.count = len(cases)

    def excess(self, state: Array) -> tuple[float, Array]:
        """How much the nearest case misses, below 0 if it is unsafe; the slope of all of them."""
        found = self.rows @ state - self.ends
        # of each case the row that is farthest, and of the cases the nearest most
        depth = np.full(self.count, -np.inf, dtype=np.float32)
        np.maximum.at(depth, self.owner, found)
        near = np.exp(-(depth - depth.min()) / self.spread)
        weight = near[self.owner] * (found == depth[self.owner])
        return float(depth.min()), (weight / weight.sum()) @ self.rows


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Where to look: a box in floats, and of each case rows over the last states and their ends.

    Unsafe means that all rows of a case are below their ends.  ``aims`` are states of the first
    layer to begin with, 0 where any will do.
    """

    network: WindowNetwork
    low: Array
    high: Array
    cases: Sequence[tuple[Array, Array]]
    aims: Sequence[Array] = ()

    def find(
        self,
        confirm: Callable[[Array], Found | None],
        rng: np.random.Generator,
        budget: Budget,
        turns: int | None = None,
    ) -> Found | None:
        """The first point that looks unsafe and that is confirmed; in so many turns, or in time."""
        radius = float((self.high - self.low).mean()) / 2
        layers, rows = smooth_layers(self.network, radius), Rows(self.cases)
        low, high = self.low.astype(np.float32), self.high.astype(np.float32)
        for turn in count() if turns is None else range(turns):
            if budget.is_spent:
                break
            start = (low + high) / 2
            if turn % 2:
                # anywhere, or in a corner
                mix = rng.random(len(low), dtype=np.float32)
                start = low + (high - low) * (mix if turn % 4 == 1 else np.round(mix))
            aim = self.aims[turn // 2] if turn % 2 == 0 and turn // 2 < len(self.aims) else None
            for point in _walk(layers, rows, (low, high, start), aim, rng):
                found = None if point is None else confirm(point)
                if found is not None:
                    return found
                if budget.is_spent:
                    break
        return None


def smooth_layers(network: WindowNetwork, radius: float) -> list[SmoothLayer]:
    """The layers with derivatives, for a box whose sides have this radius on average."""
    found: list[SmoothLayer] = []
    size = network.inputs
    for number, layer in enumerate(network.layers):
        fan = float(np.abs(layer.weights).sum(axis=1).mean())
        if number:
            ends, scale = layer.thresholds - 0.5, max(fan, 1.0) ** 0.5
        else:
            ends = np.array([float(v) for v in layer.upper])
            scale = max(1.5 * fan * radius, _LEAST)
        found.append(SmoothLayer(layer, ends.astype(np.float32), scale, size))
        size = layer.size
    return found


def _walk(
    layers: Sequence[SmoothLayer],
    rows: Rows,
    box: tuple[Array, Array, Array],
    aim: Array | None,
    rng: np.random.Generator,
) -> Iterator[Array | None]:
    """Points that look unsafe; None where a step has not found any."""
    low, high, x = box
    radius = (high - low) / 2
    velocity: Array = np.zeros_like(x)
    squares: Array = np.zeros_like(x)
    for step in range(_STEPS):
        state = x
        if step % 2:
            noise = radius * rng.uniform(-1, 1, len(x)).astype(np.float32)
            state = np.clip(x + noise * (1 - step / _STEPS), low, high)
        point, kept = state, list[tuple[Array, Array]]()
        for layer in layers:
            state, top, chosen = layer.forward(state)
            kept.append((top, chosen))
        depth, slope = rows.excess(state)
        yield point if depth < 0 else None
        for number in reversed(range(len(layers))):
            if number == 0 and aim is not None and step < _STEPS // 2:
                slope = slope - aim * float(np.abs(slope).max())
            slope = layers[number].backward(slope, *kept[number])
        velocity = _DECAY * velocity + (1 - _DECAY) * slope
        squares = _SQUARES * squares + (1 - _SQUARES) * slope * slope
        rate = _RATE * (1 - 0.9 * step / _STEPS)
        x = np.clip(x - rate * radius * velocity / (np.sqrt(squares) + _TINY), low, high)

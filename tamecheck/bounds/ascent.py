"""Better linear bounds by ascent: free slopes of rectifiers, multipliers of known signs and rows.

Any slope in [0, 1] below an open rectifier is sound, and so is any non-negative multiplier of an
inequality that holds.  Floats choose them (as in alpha- and beta-CROWN, Xu et al. 2021, Wang et
al. 2021); the bound for the choice is then rigorous like every other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck.bounds.layers import Entry, Layers
from tamecheck.bounds.linear import Combine, Dense, Route, Scale
from tamecheck.bounds.nonlinear import Largest, Planes, Pointwise, Product
from tamecheck.bounds.propagation import Guide, State, back, concretised
from tamecheck.ir.tensor import Array

__all__ = ["Choice", "Outcome", "climbed", "kinks"]


_RATE = 0.25


@dataclass(slots=True, eq=False)
class Choice:
    """Slopes by rectifier layer, multipliers by argument layer, and weights of the rows."""

    slopes: dict[int, Array]
    multipliers: dict[int, Array]
    rows: Array

    def picked(self, index: Array) -> Choice:
        """The same for some of the boxes."""
        return Choice(
            {layer: value[index] for layer, value in self.slopes.items()},
            {layer: value[index] for layer, value in self.multipliers.items()},
            self.rows[index],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Bounds of the weighted rows, the choice, functionals at the rectifiers, and minimisers."""

    bound: Array
    choice: Choice
    trace: Mapping[int, Array]
    points: Array


def kinks(layers: Layers) -> tuple[tuple[int, int], ...]:
    """The rectifier layers, each with the layer that it reads."""
    return tuple(
        (index, layer.args[0])
        for index, layer in enumerate(layers.layers)
        if isinstance(layer, Pointwise) and layer.scalar.kinked
    )


def climbed(
    state: State,
    choice: Choice,
    signs: Mapping[int, Array],
    *,
    steps: int,
    members: Array,
) -> Outcome:
    """The best of some steps of ascent on each box.

    ``signs`` has the known signs of the arguments of rectifiers, 0 where open; ``members`` says
    which rows may have weight.
    """
    climber = _Climber(state, choice, signs, members)
    for step in range(steps):
        climber.evaluate()
        if step + 1 < steps:
            climber.move(_RATE * 0.9**step)
    return climber.outcome()


class _Climber:
    def __init__(
        self, state: State, choice: Choice, signs: Mapping[int, Array], members: Array
    ) -> None:
        self.state, self.choice, self.signs, self.members = state, choice, signs, members
        self.pairs = kinks(state.layers)
        self.open: dict[int, Array] = {}
        for index, arg in self.pairs:
            bounds = state.bounds[arg]
            self.open[index] = (bounds.lower < 0) & (bounds.upper > 0)
        self.best = np.full(state.count, -np.inf)
        self.kept: Outcome | None = None
        self.slope_rise: dict[int, Array] = {}
        self.mult_rise: dict[int, Array] = {}
        self.row_rise = np.zeros_like(choice.rows)
        self.moments: dict[tuple[str, int], tuple[Array, Array]] = {}
        self.time = 0

    def evaluate(self) -> None:
        """The rigorous bounds of the present choice, and the direction in which they rise."""
        state, choice = self.state, self.choice
        planes = {index: self._planes(index) for index, _ in self.pairs}
        added = {
            arg: -(choice.multipliers[arg] * self.signs[arg])[:, np.newaxis, :]
            for _, arg in self.pairs
        }
        trace: dict[int, Array] = {}
        functional = back(
            state,
            state.layers.output,
            choice.rows[:, np.newaxis, :],
            Guide(planes, added, trace),
        )
        bound = concretised(state, functional)[:, 0]
        bound = np.where(np.isnan(bound), -np.inf, bound)
        box = state.bounds[0]
        points = np.where(functional.a[:, 0] > 0, box.lower, box.upper)
        values = _along(state.layers, points, trace, state.planes | planes)
        for index, arg in self.pairs:
            pull = np.maximum(trace[index][:, 0], 0.0) if index in trace else 0.0
            self.slope_rise[index] = np.where(self.open[index], pull * values[arg], 0.0)
            self.mult_rise[arg] = -self.signs[arg] * values[arg]
        self.row_rise = values[state.layers.output]
        self._keep(bound, trace, points)

    def _planes(self, index: int) -> Planes:
        planes = self.state.bend(index)
        slope = np.where(self.open[index], self.choice.slopes[index], planes.low[0])
        return Planes((slope,), planes.low_at, planes.high, planes.high_at)

    def _keep(self, bound: Array, trace: Mapping[int, Array], points: Array) -> None:
        better = bound > self.best
        self.best = np.where(better, bound, self.best)
        now = Outcome(self.best, self.choice, dict(trace), points)
        self.kept = now if self.kept is None else _merged(better, now, self.kept)

    def outcome(self) -> Outcome:
        """The best bound of each box and what gave it."""
        if self.kept is None:
            self.evaluate()
            return self.outcome()
        return self.kept

    def move(self, rate: float) -> None:
        """One step of ascent (Adam, projected)."""
        self.time += 1
        slopes = {
            index: np.clip(value + self._step("slope", index, self.slope_rise[index], rate), 0, 1)
            for index, value in self.choice.slopes.items()
        }
        multipliers = {
            arg: np.maximum(value + self._step("sign", arg, self.mult_rise[arg], rate), 0)
            * (self.signs[arg] != 0)
            for arg, value in self.choice.multipliers.items()
        }
        rows = self.choice.rows
        if (self.members.sum(-1) > 1).any():
            rows = rows + self._step("row", 0, self.row_rise, rate)
            rows = np.where(self.members, np.maximum(rows, 0.0), 0.0)
            total = rows.sum(-1, keepdims=True)
            rows = np.where(total > 0, rows / np.where(total > 0, total, 1), self.choice.rows)
        self.choice = Choice(slopes, multipliers, rows)

    def _step(self, kind: str, key: int, rise: Array, rate: float) -> Array:
        first, second = self.moments.get((kind, key), (np.zeros_like(rise), np.zeros_like(rise)))
        first, second = 0.9 * first + 0.1 * rise, 0.98 * second + 0.02 * rise**2
        self.moments[kind, key] = first, second
        mean = first / (1 - 0.9**self.time)
        size = np.sqrt(second / (1 - 0.98**self.time))
        return rate * mean / (size + 1e-12)


def _merged(better: Array, now: Outcome, old: Outcome) -> Outcome:
    mask = better[:, np.newaxis]
    wide = better[:, np.newaxis, np.newaxis]

    def each(
        new: Mapping[int, Array], kept: Mapping[int, Array], chosen: Array
    ) -> dict[int, Array]:
        return {key: np.where(chosen, new[key], kept[key]) for key in new}

    choice = Choice(
        each(now.choice.slopes, old.choice.slopes, mask),
        each(now.choice.multipliers, old.choice.multipliers, mask),
        np.where(mask, now.choice.rows, old.choice.rows),
    )
    trace = each(now.trace, old.trace, wide)
    return Outcome(now.bound, choice, trace, np.where(mask, now.points, old.points))


def _along(
    layers: Layers, points: Array, trace: Mapping[int, Array], planes: Mapping[int, Planes]
) -> Sequence[Array]:
    """The layers at points, where each nonlinear layer is the plane that the functional chose."""
    found: list[Array] = []
    for index, layer in enumerate(layers.layers):
        args = [found[arg] for arg in layer.args]
        match layer:
            case Entry():
                found.append(points)
            case Route() | Scale() | Combine() | Dense():
                value = layer.apply(args)
                found.append(value if layer.offset is None else value + layer.offset)
            case Pointwise() | Product() | Largest():
                if index not in trace:
                    found.append(layer.apply(args))
                    continue
                found.append(_on_plane(planes[index], args, trace[index][:, 0] > 0))
    return found


def _on_plane(planes: Planes, args: Sequence[Array], low: Array) -> Array:
    total = np.where(low, planes.low_at, planes.high_at)
    wide = np.repeat(low, planes.group, -1) if planes.group > 1 else low
    for under, over, arg in zip(planes.low, planes.high, args, strict=True):
        part = np.where(wide, under, over) * arg
        if planes.group > 1:
            part = part.reshape((*part.shape[:-1], -1, planes.group)).sum(-1)
        total = total + part
    return total

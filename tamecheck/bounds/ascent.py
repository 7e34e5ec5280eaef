"""Better linear bounds by ascent: free slopes of rectifiers, multipliers of known signs and rows.

Any slope in [0, 1] below an open rectifier is sound, and so is any non-negative multiplier of an
inequality that holds.  Floats choose them (as in alpha- and beta-CROWN, Xu et al. 2021, Wang et
al. 2021); the bound for the choice is then rigorous like every other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tamecheck.bounds.layers import Layers, Planes, Pointwise
from tamecheck.bounds.propagation import Guide, State, back, least_on
from tamecheck.ir.tensor import Array

Choice: TypeAlias = Mapping[tuple[str, int], Array]
"""By box: ("slope", rectifier layer), ("multiplier", argument layer), ("rows", 0) the weights.

There are no multipliers where no sign is known.
"""

_RATE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Ascent:
    """Bounds of the weighted rows, the choice, functionals at the rectifiers, and minimisers."""

    bound: Array
    choice: Choice
    trace: Mapping[int, Array]
    points: Array


def kinks(layers: Layers) -> tuple[tuple[int, int], ...]:
    """The rectifier layers, each with the layer that it reads."""
    return tuple(
        (index, layer.args[0])
        for index, layer in enumerate(layers.computed, start=1)
        if isinstance(layer, Pointwise) and layer.scalar.kinked
    )


def raise_rows(state: State, weights: Array, members: Array, steps: int) -> Ascent:
    """Better bounds of weighted rows on boxes; the slopes at first are the state's own."""
    choice = {("rows", 0): weights}
    for index, arg in kinks(state.layers):
        bounds = state.bounds[arg]
        choice["slope", index] = (bounds.upper > -bounds.lower).astype(np.float64)
    return ascend(state, choice, {}, steps=steps, members=members)


def ascend(
    state: State, choice: Choice, signs: Mapping[int, Array], *, steps: int, members: Array
) -> Ascent:
    """The best of some steps of projected ascent (Adam) on each box.

    ``signs`` has the known signs of the arguments of rectifiers, 0 where open; ``members`` says
    which rows may have weight.
    """
    moments = {key: (np.zeros_like(value), np.zeros_like(value)) for key, value in choice.items()}
    best: Ascent | None = None
    for step in range(max(steps, 1)):
        now, rise = _evaluate(state, choice, signs)
        best = now if best is None else _better(now, best)
        if step + 1 >= steps:
            break
        moved: dict[tuple[str, int], Array] = {}
        for key, value in choice.items():
            first, second = moments[key]
            first, second = 0.9 * first + 0.1 * rise[key], 0.98 * second + 0.02 * rise[key] ** 2
            moments[key] = first, second
            mean, size = first / (1 - 0.9 ** (step + 1)), np.sqrt(second / (1 - 0.98 ** (step + 1)))
            new = value + _RATE * 0.9**step * mean / (size + 1e-12)
            match key:
                case "slope", _:
                    moved[key] = np.clip(new, 0, 1)
                case "multiplier", arg:
                    moved[key] = np.maximum(new, 0) * (signs[arg] != 0)
                case _ if (members.sum(-1) > 1).any():
                    rows = np.where(members, np.maximum(new, 0.0), 0.0)
                    total = rows.sum(-1, keepdims=True)
                    moved[key] = np.where(total > 0, rows / np.where(total > 0, total, 1), value)
                case _:
                    moved[key] = value
        choice = moved
    if best is None:
        raise ValueError("no step of ascent")
    return best


def _evaluate(
    state: State, choice: Choice, signs: Mapping[int, Array]
) -> tuple[Ascent, dict[tuple[str, int], Array]]:
    """The rigorous bounds of a choice, and the direction in which they rise."""
    pairs = kinks(state.layers)
    planes: dict[int, Planes] = {}
    open_: dict[int, Array] = {}
    for index, arg in pairs:
        own, bounds = state.bend(index), state.bounds[arg]
        open_[index] = (bounds.lower < 0) & (bounds.upper > 0)
        slope = np.where(open_[index], choice["slope", index], own.low[0])
        planes[index] = Planes((slope,), own.low_at, own.high, own.high_at)
    added = {
        arg: -(value * signs[arg])[:, np.newaxis, :]
        for (kind, arg), value in choice.items()
        if kind == "multiplier"
    }
    trace: dict[int, Array] = {}
    rows = choice["rows", 0][:, np.newaxis, :]
    functional = back(state, state.layers.output, rows, Guide(planes, added, trace))
    found = least_on(state.bounds[0], functional)[:, 0]
    box = state.bounds[0]
    points = np.where(functional.a[:, 0] > 0, box.lower, box.upper)
    # the layers there, where each nonlinear one is the plane that the functional chose
    planes = state.planes | planes
    values = [points]
    for index, layer in enumerate(state.layers.computed, start=1):
        args = [values[arg] for arg in layer.args]
        used = index in trace
        values.append(
            planes[index].evaluate(trace[index][:, 0] > 0, args) if used else layer.value(args)
        )
    rise = {("rows", 0): values[-1]}
    for index, arg in pairs:
        slope = np.maximum(trace[index][:, 0], 0.0) if index in trace else 0.0
        rise["slope", index] = np.where(open_[index], slope * values[arg], 0.0)
        if arg in signs:
            rise["multiplier", arg] = -signs[arg] * values[arg]
    bound = np.where(np.isnan(found), -np.inf, found)
    return Ascent(bound, choice, trace, points), rise


def _better(now: Ascent, old: Ascent) -> Ascent:
    """For each box the one with the better bound."""
    better = now.bound > old.bound
    mask, wide = better[:, np.newaxis], better[:, np.newaxis, np.newaxis]
    return Ascent(
        np.where(better, now.bound, old.bound),
        {key: np.where(mask, now.choice[key], old.choice[key]) for key in now.choice},
        {key: np.where(wide, now.trace[key], old.trace[key]) for key in now.trace},
        np.where(mask, now.points, old.points),
    )


def costliest(
    pairs: Sequence[tuple[int, int]],
    items: Mapping[Any, Array],
    state: State,
    outcome: Ascent,
    open_: Array,
) -> tuple[Array, Array] | None:
    """For each open part the rectifier whose relaxation costs its bound most: layer and element.

    ``items`` has the signs that are fixed and the slopes of the open parts; None if a part has no
    rectifier of an open sign.
    """
    at = np.arange(len(open_))
    best = np.full(len(open_), -np.inf)
    layer, place = np.zeros(len(open_), dtype=np.int64), np.zeros(len(open_), dtype=np.int64)
    for index, arg in pairs:
        low, high = state.bounds[arg].lower[open_], state.bounds[arg].upper[open_]
        free = (low < 0) & (high > 0) & (items["sign", arg] == 0)
        weight = outcome.trace[index][open_, 0] if index in outcome.trace else 0.0
        slope = items["slope", index]
        above = -low * high / np.where(free, high - low, 1.0)
        below = np.maximum(-low * slope, high * (1 - slope))
        gap = np.where(weight < 0, -weight * above, 0.3 * weight * np.minimum(below, above))
        score = np.where(free, gap + 1e-9 * above, -np.inf)
        chosen = score.argmax(-1)
        better = score[at, chosen] > best
        best = np.where(better, score[at, chosen], best)
        layer, place = np.where(better, index, layer), np.where(better, chosen, place)
    if not np.isfinite(best).all():
        return None
    return layer, place

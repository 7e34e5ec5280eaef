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

from tamecheck.bounds.envelope import Envelopes, Plane, Windows, windows_of
from tamecheck.bounds.layers import Layers, Planes, Pointwise
from tamecheck.bounds.propagation import Guide, State, back, least_on
from tamecheck.ir.tensor import Array

Choice: TypeAlias = Mapping[tuple[str, int], Array]
"""By box: ("slope", rectifier layer), ("multiplier", argument layer), ("rows", 0) the weights.

There are no multipliers where no sign is known.  Where there are planes above a layer, ("over",
rectifier layer) has their slopes and ("share", rectifier layer) how much the lines above keep.
"""

_RATE, _LAST = 0.25, 2.0**-6
"""The first step, and what the last one is of it where there are many."""
_FIRST_STEPS, _STEPS = 40, 12
_WORTH = 0.05
_WEIGHTS, _TIMES, _LARGEST = 1 << 16, 8, 1 << 21
"""The most weights of open rectifiers, of one box, for planes: so many, or times its elements."""


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


class SignAscent:
    """Ascent on the boxes of one tree of signs: many steps at the root, then few.

    At the root lines come first.  If planes above the rectifiers that are open there close little
    of what is missing then, they are not worth their time.
    """

    def __init__(self, root: State, *, planes: bool = True) -> None:
        self.windows: dict[int, Windows] = {}
        self.first: dict[tuple[str, int], Array] = {}
        """The choice of planes at the root, for one box."""
        self.fresh = True
        for index, windows in windows_of(root.layers).items() if planes else ():
            bounds = root.bounds[root.layers[index].args[0]]
            open_ = np.any((bounds.lower < 0) & (bounds.upper > 0), axis=0)
            if np.any(open_):
                self.windows[index] = one = windows.only(np.asarray(open_))
                self.first["over", index] = t = Envelopes.of(root, one).start()
                self.first["share", index] = np.full(t.shape[:2], 0.5 if one.base else 0.0)
        most = max(_WEIGHTS, min(_TIMES * sum(root.layers.sizes), _LARGEST))
        if self.weights > most:
            self.windows, self.first = {}, {}

    def settle(self, *, planes: bool) -> None:
        """Go on as after a first call that has, or has not, kept the planes."""
        self.fresh = False
        if not planes:
            self.windows = {}

    @property
    def weights(self) -> int:
        """The number of slopes of planes."""
        return sum(one.weight.size for one in self.windows.values())

    def ascend(
        self,
        state: State,
        choice: Choice,
        signs: Mapping[int, Array],
        members: Array,
        enough: Array | float,
    ) -> Ascent:
        """See `ascend`; until there was a first call, the choices are new."""

        def run(choice: Choice, steps: int, windows: Mapping[int, Windows]) -> Ascent:
            return ascend(
                state,
                choice,
                signs,
                steps=steps,
                members=members,
                enough=enough,
                windows=windows,
            )

        if not self.fresh:
            return run(choice, _STEPS, self.windows)
        self.fresh = False
        lines = run(choice, _FIRST_STEPS, {})
        missing = enough - lines.bound
        if not self.windows or bool((missing < 0).all()):
            return lines
        found = run({**choice, **lines.choice}, _FIRST_STEPS, self.windows)
        # a step takes about this many times as long; halving some signs would gain as much
        times = 1 + self.weights / sum(state.layers.sizes)
        worth = _WORTH * max(1.0, float(np.log2(times)))
        pays = (found.bound - lines.bound > worth * missing) & (missing >= 0)
        if bool(pays.any()):
            return found
        self.windows = {}
        return lines


def ascend(  # noqa: PLR0913 (options, by keyword only)
    state: State,
    choice: Choice,
    signs: Mapping[int, Array],
    *,
    steps: int,
    members: Array,
    enough: Array | float = np.inf,
    windows: Mapping[int, Windows] | None = None,
) -> Ascent:
    """The best of some steps of projected ascent (Adam) on each box, until bounds are ``enough``.

    ``signs`` has the known signs of the arguments of rectifiers, 0 where open; ``members`` says
    which rows may have weight.  Planes are above the rectifiers of the ``windows``.
    """
    envelopes = {k: Envelopes.of(state, one) for k, one in (windows or {}).items()}
    choice = {
        (kind, k): value
        for (kind, k), value in choice.items()
        if kind not in ("over", "share") or k in envelopes
    }
    moments = {
        key: (np.zeros_like(value), np.zeros_like(value))
        for key, value in choice.items()
        if key[0] != "over"
    }
    best: Ascent | None = None
    decay = max(0.9, _LAST ** (1 / max(steps, 1)))
    for step in range(max(steps, 1)):
        now, rise = _evaluate(state, choice, signs, envelopes)
        best = now if best is None else _better(now, best)
        if step + 1 >= steps or bool((best.bound > enough).all()):
            break
        moved: dict[tuple[str, int], Array] = {}
        for key, value in choice.items():
            if key[0] == "over":
                moved[key] = envelopes[key[1]].move(value, rise[key], _RATE * decay**step)
                continue
            first, second = moments[key]
            first, second = 0.9 * first + 0.1 * rise[key], 0.98 * second + 0.02 * rise[key] ** 2
            moments[key] = first, second
            mean, size = first / (1 - 0.9 ** (step + 1)), np.sqrt(second / (1 - 0.98 ** (step + 1)))
            new = value + _RATE * decay**step * mean / (size + 1e-12)
            match key:
                case "slope" | "share", _:
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
    state: State,
    choice: Choice,
    signs: Mapping[int, Array],
    envelopes: Mapping[int, Envelopes],
) -> tuple[Ascent, dict[tuple[str, int], Array]]:
    """The rigorous bounds of a choice, and the direction in which they rise."""
    pairs = kinks(state.layers)
    planes: dict[int, Planes] = {}
    open_: dict[int, Array] = {}
    over: dict[int, tuple[Array, Plane]] = {}
    for index, arg in pairs:
        own, bounds = state.bend(index), state.bounds[arg]
        open_[index] = (bounds.lower < 0) & (bounds.upper > 0)
        slope = np.where(open_[index], choice["slope", index], own.low[0])
        planes[index] = Planes((slope,), own.low_at, own.high, own.high_at)
        if index in envelopes:
            above = envelopes[index].plane(choice["over", index])
            over[index] = np.where(open_[index][:, above.rows], choice["share", index], 1.0), above
    added = {
        arg: -(value * signs[arg])[:, np.newaxis, :]
        for (kind, arg), value in choice.items()
        if kind == "multiplier"
    }
    trace: dict[int, Array] = {}
    rows = choice["rows", 0][:, np.newaxis, :]
    functional = back(state, state.layers.output, rows, Guide(planes, added, over, trace))
    found = least_on(state.bounds[0], functional)[:, 0]
    box = state.bounds[0]
    points = np.where(functional.a[:, 0] > 0, box.lower, box.upper)
    rise: dict[tuple[str, int], Array] = {}
    # the layers there, where each nonlinear one is the plane that the functional chose
    values = [points]
    for index, layer in enumerate(state.layers.computed, start=1):
        args = [values[arg] for arg in layer.args]
        if index not in trace:
            values.append(layer.value(args))
            continue
        below = trace[index][:, 0] > 0
        value = planes.get(index, state.planes[index]).evaluate(below, args)
        if index in over:
            share, plane = over[index]
            a, line = trace[index][:, 0, plane.rows], value[:, plane.rows]
            beyond = np.where(a > 0, line, plane.value(values[plane.base]))
            rise["share", index] = a * (line - beyond)
            value[:, plane.rows] = share * line + (1 - share) * beyond
        values.append(value)
    rise["rows", 0] = values[-1]
    for index, arg in pairs:
        slope = np.maximum(trace[index][:, 0], 0.0) if index in trace else 0.0
        rise["slope", index] = np.where(open_[index], slope * values[arg], 0.0)
        if arg in signs:
            rise["multiplier", arg] = -signs[arg] * values[arg]
        if index in over:
            rise["over", index] = values[over[index][1].base]
    bound = np.where(np.isnan(found), -np.inf, found)
    return Ascent(bound, choice, trace, points), rise


def _better(now: Ascent, old: Ascent) -> Ascent:
    """For each box the one with the better bound."""
    better = now.bound > old.bound

    def pick(new: Array, before: Array) -> Array:
        return np.where(better.reshape(-1, *(1,) * (new.ndim - 1)), new, before)

    return Ascent(
        pick(now.bound, old.bound),
        {key: pick(now.choice[key], old.choice[key]) for key in now.choice},
        {key: pick(now.trace[key], old.trace[key]) for key in now.trace},
        pick(now.points, old.points),
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

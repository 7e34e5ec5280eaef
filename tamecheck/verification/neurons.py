"""Branch and bound over the signs of rectifiers, with bounds improved by ascent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck.bounds import Choice, Layers, Outcome, State, bounded, climbed, kinks
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array
from tamecheck.verification.answer import Witness
from tamecheck.verification.problem import Region
from tamecheck.verification.search import Search

__all__ = ["Signs", "split_neurons"]

_FIRST_STEPS = 40
_STEPS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Signs:
    """The result: how many subproblems are open, how many were looked at, and a witness if any."""

    open: int
    seen: int
    witness: Witness | None = None


@dataclass(slots=True, eq=False)
class _Items:
    """Subproblems, one a row: the case, the signs fixed so far, the choice of the parent."""

    cases: Array
    signs: dict[int, Array]
    choice: Choice

    @property
    def count(self) -> int:
        return len(self.cases)

    def picked(self, index: Array) -> _Items:
        signs = {layer: value[index] for layer, value in self.signs.items()}
        return _Items(self.cases[index], signs, self.choice.picked(index))


def _joined(parts: list[_Items]) -> _Items:
    first = parts[0]
    return _Items(
        np.concatenate([part.cases for part in parts]),
        {key: np.concatenate([part.signs[key] for part in parts]) for key in first.signs},
        Choice(
            {k: np.concatenate([p.choice.slopes[k] for p in parts]) for k in first.choice.slopes},
            {
                k: np.concatenate([p.choice.multipliers[k] for p in parts])
                for k in first.choice.multipliers
            },
            np.concatenate([part.choice.rows for part in parts]),
        ),
    )


def split_neurons(search: Search, region: Region, *, limit: float) -> Signs:
    """Close every case of one box, or fix the sign of one more rectifier in it, until none is left.

    Stops with a witness, or after ``limit`` seconds.
    """
    stop = max(search.left - limit, 0.0)
    with np.errstate(all="ignore"):
        run = _Run(search, region)
        items = run.first()
        steps, seen = _FIRST_STEPS, 0
        while items.count and search.left > stop and search.kept is None:
            take = min(run.batch, items.count)
            part = items.picked(np.arange(items.count - take, items.count))
            rest = items.picked(np.arange(items.count - take))
            seen += take
            children, witness = run.step(part, steps)
            if witness is not None:
                return Signs(rest.count, seen, witness)
            if children is None:
                return Signs(rest.count + take, seen)
            items = _joined([rest, children]) if rest.count else children
            steps = _STEPS
        return Signs(items.count, seen)


class _Run:
    def __init__(self, search: Search, region: Region) -> None:
        self.search, self.region = search, region
        self.layers: Layers = search.layers
        self.root = bounded(self.layers, region.lower[np.newaxis], region.upper[np.newaxis])
        self.pairs = kinks(self.layers)
        elements = sum(layer.size for layer in self.layers.layers)
        self.batch = int(np.clip((1 << 22) // elements, 4, 256))

    def first(self) -> _Items:
        """The cases of the region that interval bounds and one pass back do not close."""
        problem = self.search.problem
        open_ = self.region.cases & ~problem.closed(self.root.bounds[-1].lower)[0]
        cases = np.flatnonzero(open_)
        count = len(cases)
        signs = {
            arg: np.zeros((count, self.layers.layers[arg].size), dtype=np.int8)
            for _, arg in self.pairs
        }
        slopes: dict[int, Array] = {}
        for index, arg in self.pairs:
            bounds = self.root.bounds[arg]
            slope = (bounds.upper > -bounds.lower).astype(np.float32)
            slopes[index] = np.repeat(slope, count, 0)
        multipliers = {arg: np.zeros(value.shape, np.float32) for arg, value in signs.items()}
        members = problem.members[cases]
        least = np.where(members, self.root.bounds[-1].lower, -np.inf)
        rows = np.eye(members.shape[1])[least.argmax(-1)] if count else np.zeros(members.shape)
        return _Items(cases, signs, Choice(slopes, multipliers, rows))

    def step(self, items: _Items, steps: int) -> tuple[_Items | None, Witness | None]:
        """Bound the subproblems; the children of those that stay open, None if one cannot split."""
        members = self.search.problem.members[items.cases]
        state = self._state(items)
        outcome = climbed(state, items.choice, items.signs, steps=steps, members=members)
        least = state.bounds[-1].lower
        closed = outcome.bound > 0
        closed |= self.search.problem.closed(least)[np.arange(items.count), items.cases]
        closed |= self._impossible
        open_ = np.flatnonzero(~closed)
        if not open_.size:
            return items.picked(open_), None
        allowed = items.cases[open_][:, np.newaxis] == np.arange(len(self.region.cases))
        points = outcome.points[open_]
        witness = self.search.confirmed(points, self.search.rows(points), allowed)
        if witness is not None:
            return None, witness
        return self._children(items, state, outcome, open_), None

    def _state(self, items: _Items) -> State:
        count = items.count
        known: dict[int, Interval] = {}
        empty = np.zeros(count, dtype=bool)
        for _, arg in self.pairs:
            bounds, sign = self.root.bounds[arg], items.signs[arg]
            low = np.where(sign > 0, np.maximum(bounds.lower, 0.0), bounds.lower)
            high = np.where(sign < 0, np.minimum(bounds.upper, 0.0), bounds.upper)
            empty |= (low > high).any(-1)
            known[arg] = Interval(low, high)
        for index, bounds in enumerate(self.root.bounds):
            if index and index not in known:
                known[index] = Interval(
                    np.repeat(bounds.lower, count, 0), np.repeat(bounds.upper, count, 0)
                )
        self._impossible = empty
        lower = np.repeat(self.region.lower[np.newaxis], count, 0)
        upper = np.repeat(self.region.upper[np.newaxis], count, 0)
        return bounded(self.layers, lower, upper, known=known, tighten=False)

    def _children(
        self, items: _Items, state: State, outcome: Outcome, open_: Array
    ) -> _Items | None:
        best = np.full(len(open_), -np.inf)
        layer = np.zeros(len(open_), dtype=np.int64)
        place = np.zeros(len(open_), dtype=np.int64)
        for index, arg in self.pairs:
            bounds = state.bounds[arg]
            low, high = bounds.lower[open_], bounds.upper[open_]
            free = (low < 0) & (high > 0) & (items.signs[arg][open_] == 0)
            pull = outcome.trace[index][open_, 0] if index in outcome.trace else 0.0
            slope = outcome.choice.slopes[index][open_]
            width = np.where(free, high - low, 1.0)
            above = -low * high / width
            below = np.maximum(-low * slope, high * (1 - slope))
            gap = np.where(pull < 0, -pull * above, 0.3 * pull * np.minimum(below, above))
            score = np.where(free, gap + 1e-9 * above, -np.inf)
            chosen = score.argmax(-1)
            value = score[np.arange(len(open_)), chosen]
            better = value > best
            best = np.where(better, value, best)
            layer, place = np.where(better, arg, layer), np.where(better, chosen, place)
        if not np.isfinite(best).all():
            return None
        kept = _Items(items.cases, items.signs, outcome.choice).picked(open_)
        return _joined([self._fixed(kept, layer, place, sign) for sign in (1, -1)])

    def _fixed(self, items: _Items, layer: Array, place: Array, sign: int) -> _Items:
        signs = {key: value.copy() for key, value in items.signs.items()}
        for key, value in signs.items():
            rows = np.flatnonzero(layer == key)
            value[rows, place[rows]] = sign
        slopes = {k: v.astype(np.float32) for k, v in items.choice.slopes.items()}
        multipliers = {k: v.astype(np.float32) for k, v in items.choice.multipliers.items()}
        return _Items(items.cases, signs, Choice(slopes, multipliers, items.choice.rows))

"""Branch and bound over the signs of rectifiers, which are fixed one after the other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial

import numpy as np

from tamecheck.bounds.ascent import Ascent, SignAscent, costliest, kinks
from tamecheck.bounds.crown import bound
from tamecheck.bounds.propagation import State
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array
from tamecheck.verification.branch import (
    Items,
    Looked,
    Remainder,
    Splitter,
    branch,
    join_items,
    pick_items,
)
from tamecheck.verification.problem import Region
from tamecheck.verification.witness import Search


def split_neurons(search: Search, region: Region, *, limit: float) -> Remainder:
    """Close every case of one box, or fix the sign of one more rectifier in it; see `branch`."""
    with np.errstate(all="ignore"):
        first = Signs(search, region=region).first()
        return branch(search, first, partial(Signs, region=region), limit=limit)


class Signs(Splitter):
    """The subproblems of one box: the case, the signs fixed so far, the parent's choice of slopes.

    The keys are ("case", 0), ("sign", argument layer), and those of `Choice`.
    """

    def __init__(self, search: Search, region: Region) -> None:
        self.search, self.region = search, region
        box, budget = (region.lower[np.newaxis], region.upper[np.newaxis]), search.budget
        self.root = bound(search.layers, *box, budget=budget)
        self.pairs = kinks(search.layers)
        self.climb = SignAscent(self.root)
        elements = sum(search.layers.sizes) + self.climb.weights
        size = int(np.clip((1 << 22) // elements, 4, 256))
        self.sizes, self.known = (size, size, size), None

    def first(self) -> Items:
        """The cases of the region that interval bounds and one pass back do not close."""
        problem, least = self.search.problem, self.root.bounds[-1].lower
        cases = np.flatnonzero(self.region.cases & ~problem.closed(least)[0])
        count, members = len(cases), problem.members[cases]
        nearest = np.where(members, least, -np.inf).argmax(-1)
        items: dict[Hashable, Array] = {("case", 0): cases}
        for index, arg in self.pairs:
            bounds = self.root.bounds[arg]
            slope = (bounds.upper > -bounds.lower).astype(np.float32)
            items["slope", index] = np.repeat(slope, count, 0)
            items["sign", arg] = np.zeros((count, bounds.lower.shape[-1]), np.int8)
            items["multiplier", arg] = np.zeros(items["sign", arg].shape, np.float32)
        items["rows", 0] = np.eye(members.shape[1])[nearest]
        return items | {key: np.repeat(value, count, 0) for key, value in self.climb.first.items()}

    def look(self, items: Items) -> Looked:
        """See `Splitter`; what is known is whether planes above rectifiers are worth their time."""
        if self.known is not None:
            self.climb.settle(planes=self.known)
        with np.errstate(all="ignore"):
            found = self._look(items)
        self.known = bool(self.climb.windows)
        return found

    def _look(self, items: Items) -> Looked:
        """Bound the subproblems; the children of those that stay open, None if one cannot split."""
        problem, cases = self.search.problem, items["case", 0]
        signs = {arg: items["sign", arg] for _, arg in self.pairs}
        choice = {key: v for key, v in items.items() if key[0] not in ("case", "sign")}
        state, empty = self._state(len(cases), signs)
        members = problem.members[cases]
        outcome = self.climb.ascend(state, choice, signs, members, 0.0)
        closed = (outcome.bound > 0) | empty
        closed |= problem.closed(state.bounds[-1].lower)[np.arange(len(cases)), cases]
        open_ = np.flatnonzero(~closed)
        if not open_.size:
            return Looked(pick_items(items, open_), None, state.work)
        allowed = cases[open_][:, np.newaxis] == np.arange(len(self.region.cases))
        points = outcome.points[open_]
        witness = self.search.confirm(points, self.search.rows(points), allowed)
        if witness is not None:
            return Looked(None, witness, state.work)
        kept = pick_items({**items, **outcome.choice}, open_)
        return Looked(self._children(kept, state, outcome, open_), None, state.work)

    def _state(self, count: int, signs: Mapping[int, Array]) -> tuple[State, Array]:
        """The bounds with the signs in them, and where these exclude each other."""
        known = {
            index: Interval(np.repeat(x.lower, count, 0), np.repeat(x.upper, count, 0))
            for index, x in enumerate(self.root.bounds)
        }
        empty = np.zeros(count, dtype=bool)
        for arg, sign in signs.items():
            low = np.where(sign > 0, np.maximum(known[arg].lower, 0.0), known[arg].lower)
            high = np.where(sign < 0, np.minimum(known[arg].upper, 0.0), known[arg].upper)
            empty |= (low > high).any(-1)
            known[arg] = Interval(low, high)
        lower = np.repeat(self.region.lower[np.newaxis], count, 0)
        upper = np.repeat(self.region.upper[np.newaxis], count, 0)
        return bound(self.search.layers, lower, upper, known=known, most=0), empty

    def _children(self, items: Items, state: State, outcome: Ascent, open_: Array) -> Items | None:
        """Both signs of the rectifier whose relaxation costs the bound most."""
        costly = costliest(self.pairs, items, state, outcome, open_)
        if costly is None:
            return None
        layer, place = costly
        narrow = {
            key: v if key[0] in ("case", "sign", "rows") else v.astype(np.float32)
            for key, v in items.items()
        }
        sides: list[Items] = []
        for sign in (1, -1):
            own = {key: v.copy() if key[0] == "sign" else v for key, v in narrow.items()}
            for index, arg in self.pairs:
                rows = np.flatnonzero(layer == index)
                own["sign", arg][rows, place[rows]] = sign
            sides.append(own)
        return join_items(*sides)

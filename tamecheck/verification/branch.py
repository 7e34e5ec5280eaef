"""Branch and bound: over the signs of rectifiers, or over boxes of inputs, for proof or optimum."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from tamecheck.bounds.ascent import Ascent, SignAscent, costliest, kinks, raise_rows
from tamecheck.bounds.crown import bound
from tamecheck.bounds.propagation import (
    Functional,
    State,
    add_rows,
    back,
    best_weights,
    contract,
    least_on,
    weigh,
)
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array
from tamecheck.verification.answer import Witness
from tamecheck.verification.effort import Effort
from tamecheck.verification.exact import Leaves
from tamecheck.verification.plain import impossible
from tamecheck.verification.problem import Region
from tamecheck.verification.witness import Search

_ROUNDS = 3
_LONG = 0.5
_TIE = 1e-9
_LOOKS = 8
_SMALL = 10_000
_LEAST = 2.0**-1000
_RAISED = 12
_ELEMENTS = 1 << 22
_FEW_OPEN = 5

Items: TypeAlias = Mapping[Any, Array]
"""Subproblems: arrays by name, with a row for each subproblem."""


@dataclass(frozen=True, slots=True, eq=False)
class Remainder:
    """What is left: how many subproblems are open, how many were looked at, a witness if any.

    Where a limit has ended the search, it can go on from the ``items``.
    """

    open: int
    seen: int
    witness: Witness | None = None
    items: Items | None = None


def count_items(items: Items) -> int:
    """How many subproblems there are."""
    return len(next(iter(items.values())))


def pick_items(items: Items, index: Any) -> Items:
    """Some of the subproblems."""
    return {key: value[index] for key, value in items.items()}


def join_items(first: Items, second: Items) -> Items:
    """Subproblems with the same keys, one after the other."""
    return {key: np.concatenate([value, second[key]]) for key, value in first.items()}


def _branch(
    search: Search,
    items: Items,
    look: Callable[[Items], tuple[Items | None, Witness | None]],
    sizes: tuple[int, int, int],
    limits: tuple[float, float],
) -> Remainder:
    """Look at subproblems until none is left, a witness is found, or the seconds or number is over.

    Depth first, so that the list of open ones stays short.  ``look`` closes some and gives the
    children of the others, or None where these cannot be split.  ``sizes`` are those of the first
    batch, of the smallest and of the largest one: batches are to be short in time, so that the
    clock is looked at often.
    """
    budget, seen = search.budget.part(limits[0]), 0
    batch, least, most = sizes
    while count_items(items) and seen < limits[1] and not budget.is_spent and search.kept is None:
        take = min(batch, count_items(items))
        part, rest = pick_items(items, slice(-take, None)), pick_items(items, slice(0, -take))
        seen += take
        before = time.thread_time()  # lest other processes change the order of the search
        children, witness = look(part)
        if witness is not None:
            return Remainder(count_items(rest), seen, witness)
        if children is None:
            return Remainder(count_items(rest) + take, seen)
        items = join_items(rest, children)
        spent = time.thread_time() - before
        batch = min(batch * 2, most) if spent < _LONG else max(batch // 2, least)
    return Remainder(count_items(items), seen, None, items)


# boxes of inputs


def split_inputs(
    search: Search,
    regions: Sequence[Region],
    *,
    limit: float,
    boxes: float = np.inf,
    items: Items | None = None,
) -> Remainder:
    """Close or halve boxes until none is left, or so many were looked at; see `_branch`.

    ``items`` are those that an earlier search of the same regions has left.
    """
    scale = _scale(search)
    leaves = Leaves(search.problem, search.budget.part(limit), search.confirm_exactly)
    effort = Effort(search.layers, scale)

    def look(items: Items) -> tuple[Items | None, Witness | None]:
        part = _Boxes(search, items, leaves, effort)
        with effort.measure(lambda: (part.lower, part.upper)) as most:
            witness = part.examine(most)
        if witness is not None or not part.count:
            return part.items, witness
        lower, upper = halve_boxes(part.lower, part.upper, part.slope, scale)
        cases = np.concatenate([part.cases, part.cases])
        return {"lower": lower, "upper": upper, "cases": cases}, None

    items = _stack(regions) if items is None else items
    return _branch(search, items, look, (8, 1, _batch_limit(search)), (limit, boxes))


def still_open(
    search: Search, regions: Sequence[Region]
) -> tuple[tuple[Region, ...], Witness | None]:
    """One look at every region: those with cases that bounds do not close, or a witness."""
    size = _batch_limit(search)
    kept: list[Region] = []
    for start in range(0, len(regions), size):
        some = regions[start : start + size]
        if search.budget.is_spent:
            kept.extend(some)
            continue
        part = _Boxes(search, _stack(some))
        found = part.examine()
        if found is not None:
            return (), found
        kept.extend(map(Region, part.lower, part.upper, part.cases))
    return tuple(kept), None


def _stack(regions: Sequence[Region]) -> Items:
    return {
        name: np.stack([getattr(region, name) for region in regions])
        for name in ("lower", "upper", "cases")
    }


def _scale(search: Search) -> Array:
    ends = _stack(search.problem.regions)
    return np.maximum(ends["upper"].max(0) - ends["lower"].min(0), _LEAST)


def _batch_limit(search: Search) -> int:
    widest = max(search.layers.sizes)
    return int(np.clip((1 << 22) // (2 * widest * min(widest, 128)), 8, 1024))


def halve_boxes(lower: Array, upper: Array, slope: Array, scale: Array) -> tuple[Array, Array]:
    """Both halves of boxes, across the input that matters most: first all of the lower ones."""
    score = np.abs(slope) * (upper - lower)
    score = np.where(np.isfinite(score), score, 0.0)
    share = score / np.maximum(score.max(-1, keepdims=True), _LEAST)
    # an input without influence on the bound may have some on the planes that made it
    axis = ((share + 0.1) * np.sqrt((upper - lower) / scale)).argmax(-1)
    at = np.arange(len(lower))
    middle = (lower[at, axis] + upper[at, axis]) / 2
    below, above = upper.copy(), lower.copy()
    below[at, axis] = above[at, axis] = middle
    return np.concatenate([lower, above]), np.concatenate([below, upper])


class _Boxes:
    """One batch of boxes, and the slopes of the functionals that are nearest to closing them."""

    def __init__(
        self,
        search: Search,
        items: Items,
        leaves: Leaves | None = None,
        effort: Effort | None = None,
    ) -> None:
        self.search, self.leaves, self.effort = search, leaves, effort
        self.lower, self.upper = items["lower"], items["upper"]
        self.cases: Array = items["cases"]
        self.slope = np.zeros_like(self.lower)

    @property
    def count(self) -> int:
        """The number of boxes."""
        return len(self.lower)

    @property
    def items(self) -> Items:
        """The boxes as subproblems."""
        return {"lower": self.lower, "upper": self.upper, "cases": self.cases}

    def examine(self, most: float = np.inf) -> Witness | None:
        """Close what can be closed; try the points where the open bounds are attained.

        ``most`` is as for `bound`.
        """
        search, problem = self.search, self.search.problem
        layers = search.layers
        with np.errstate(all="ignore"):
            state = bound(layers, self.lower, self.upper, most=most, budget=search.budget)
            functional = back(state, layers.output, np.eye(layers.sizes[-1])[np.newaxis])
            least = np.maximum(least_on(state.bounds[0], functional), state.bounds[-1].lower)
            self.cases = self.cases & ~problem.closed(least)
            least = self._shrink(functional, least)
            self._add_rows(functional)
            self._raise_rows(state, functional)
        self._settle_ties(least)
        witness = self._settle_leaves(state)
        keep = self.cases.any(-1)
        self.lower, self.upper, self.cases = self.lower[keep], self.upper[keep], self.cases[keep]
        self.slope = self.slope[keep]
        if witness is not None or not keep.any():
            return witness
        row = self._nearest(least[keep])[:, np.newaxis, np.newaxis]
        self.slope = np.take_along_axis(functional.a[keep], row, 1)[:, 0]
        corners = np.where(self.slope > 0, self.lower, self.upper)
        points = np.concatenate([corners, (self.lower + self.upper) / 2])
        allowed = np.concatenate([self.cases, self.cases])
        return search.confirm(points, search.rows(points), allowed)

    def _settle_ties(self, least: Array) -> None:
        """Look again at boxes where no more than rounding is missing, now without rounding."""
        problem = self.search.problem
        if problem.graph.parameters > _SMALL or self.search.layers.noise:
            return
        best = problem.depth(least)
        near: list[list[int]] = np.argwhere(self.cases & (best > -_TIE)).tolist()
        for box, case in near[:_LOOKS]:
            wanted = problem.spec.cases[case]
            lower, upper = (
                tuple(Fraction(v) if e is None else tighter(Fraction(v), e) for v, e in ends)
                for tighter, ends in (
                    (max, zip(self.lower[box].tolist(), wanted.lower, strict=True)),
                    (min, zip(self.upper[box].tolist(), wanted.upper, strict=True)),
                )
            )
            crossed = any(a > b for a, b in zip(lower, upper, strict=True))
            if crossed or impossible(problem.scores, wanted, lower, upper):
                self.cases[box, case] = False

    def _settle_leaves(self, state: State) -> Witness | None:
        """Follow the decisions of boxes that leave few of them open, the fewest first."""
        leaves = None if self.search.layers.noise else self.leaves  # rationals do not round
        if leaves is None or not leaves.ready or not self.cases.any():
            return None
        count = state.open_decisions()
        # a box that was halved often has as many as meet at one of its points
        width = np.maximum(self.upper - self.lower, _LEAST)
        halved = np.log2(np.maximum(_scale(self.search) / width, 1.0)).mean(-1)
        boxes = np.flatnonzero(self.cases.any(-1) & (count <= _FEW_OPEN + halved))
        for box in boxes[np.argsort(count[boxes], kind="stable")].tolist():
            for case in np.flatnonzero(self.cases[box]).tolist():
                if not leaves.ready:
                    return None
                found = leaves.decide(case, self.lower[box].tolist(), self.upper[box].tolist())
                if found.witness is not None:
                    return found.witness
                self.cases[box, case] = not found.impossible
        return None

    def _shrink(self, functional: Functional, least: Array) -> Array:
        """Cut from boxes with one open case what none of its rows allows; the new least values."""
        problem = self.search.problem
        single = self.cases.sum(-1) == 1
        if not single.any():
            return least
        use = single[:, np.newaxis] & problem.members[self.cases.argmax(-1)]
        for _ in range(_ROUNDS):
            box = contract(Interval(self.lower, self.upper), functional, use)
            empty = (box.lower > box.upper).any(-1, keepdims=True)
            self.cases = self.cases & ~empty
            self.lower = np.where(empty, self.lower, box.lower)
            self.upper = np.where(empty, self.upper, box.upper)
            least = np.maximum(least, least_on(Interval(self.lower, self.upper), functional))
            self.cases = self.cases & ~problem.closed(least)
        return least

    def _add_rows(self, functional: Functional) -> None:
        """Close cases by weighted sums of their rows, and cut boxes with one open case by them."""
        members = self.search.problem.members
        boxes, cases = (self.cases & (members.sum(-1) > 1)).nonzero()
        if not boxes.size or boxes.size * functional.a[0].size > _ELEMENTS:
            return
        box = Interval(self.lower[boxes], self.upper[boxes])
        rows = Functional(functional.a[boxes], functional.at[boxes], functional.error[boxes])
        total = add_rows(box, rows, members[cases])[1]
        closed = least_on(box, total)[:, 0] > 0
        single = (self.cases.sum(-1) == 1)[boxes] & ~closed
        self.cases[boxes[closed], cases[closed]] = False
        cut = contract(box, total, single[:, np.newaxis])
        kept = single & (cut.lower <= cut.upper).all(-1)
        self.lower[boxes[kept]], self.upper[boxes[kept]] = cut.lower[kept], cut.upper[kept]

    def _raise_rows(self, state: State, functional: Functional) -> None:
        """Close cases by functionals with other lines below rectifiers, where that may reach."""
        layers, members = self.search.layers, self.search.problem.members
        boxes, cases = (side[: _ELEMENTS // sum(layers.sizes)] for side in self.cases.nonzero())
        if not boxes.size or not kinks(layers):
            return
        box = Interval(self.lower[boxes], self.upper[boxes])
        rows = Functional(functional.a[boxes], functional.at[boxes], functional.error[boxes])
        weights = best_weights(box, rows, members[cases])
        least = least_on(box, weigh(box, rows, weights))[:, 0]
        near = np.flatnonzero(least > -self.effort.reach if self.effort else np.isfinite(least))
        if not near.size:
            return
        part = state.pick(boxes[near])
        part.bounds[0] = Interval(box.lower[near], box.upper[near])
        found = raise_rows(part, weights[near], members[cases[near]], _RAISED)
        closed = near[found.bound > 0]
        self.cases[boxes[closed], cases[closed]] = False
        if self.effort:
            self.effort.lifted(float(np.nan_to_num(found.bound - least[near]).max()))

    def _nearest(self, least: Array) -> Array:
        """For each box the row that is nearest to closing its most stubborn case."""
        problem, at = self.search.problem, np.arange(len(least))
        held = problem.held(least, fill=-np.inf)
        worst = np.where(self.cases, held.max(-1, initial=-np.inf), np.inf).argmin(-1)
        chosen = problem.places[worst, held[at, worst].argmax(-1)]
        return np.minimum(chosen, least.shape[-1] - 1)


# signs of rectifiers


def split_neurons(search: Search, region: Region, *, limit: float) -> Remainder:
    """Close every case of one box, or fix the sign of one more rectifier in it; see `_branch`."""
    with np.errstate(all="ignore"):
        signs = _Signs(search, region)
        elements = sum(search.layers.sizes) + signs.climb.weights
        size = int(np.clip((1 << 22) // elements, 4, 256))
        return _branch(search, signs.first(), signs.look, (size, size, size), (limit, np.inf))


class _Signs:
    """The subproblems of one box: the case, the signs fixed so far, the parent's choice of slopes.

    The keys are ("case", 0), ("sign", argument layer), and those of `Choice`.
    """

    def __init__(self, search: Search, region: Region) -> None:
        self.search, self.region = search, region
        box, budget = (region.lower[np.newaxis], region.upper[np.newaxis]), search.budget
        self.root = bound(search.layers, *box, budget=budget)
        self.pairs = kinks(search.layers)
        self.climb = SignAscent(self.root)

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

    def look(self, items: Items) -> tuple[Items | None, Witness | None]:
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
            return pick_items(items, open_), None
        allowed = cases[open_][:, np.newaxis] == np.arange(len(self.region.cases))
        points = outcome.points[open_]
        witness = self.search.confirm(points, self.search.rows(points), allowed)
        if witness is not None:
            return None, witness
        kept = pick_items({**items, **outcome.choice}, open_)
        return self._children(kept, state, outcome, open_), None

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

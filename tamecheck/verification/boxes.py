"""Branch and bound over boxes of inputs: they are closed, cut down, or halved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from tamecheck.bounds.ascent import kinks, raise_rows
from tamecheck.bounds.crown import bound, goes_forward
from tamecheck.bounds.propagation import (
    Functional,
    State,
    add_rows,
    back,
    best_weights,
    contract,
    least_on,
    weigh,
    work_at,
)
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array
from tamecheck.verification.answer import Witness
from tamecheck.verification.branch import (
    Items,
    Looked,
    Remainder,
    Splitter,
    branch,
    pick_items,
)
from tamecheck.verification.effort import Effort
from tamecheck.verification.exact import Leaves
from tamecheck.verification.falsify import descend
from tamecheck.verification.plain import impossible
from tamecheck.verification.problem import Region
from tamecheck.verification.witness import Search

_ROUNDS = 3
_TIE = 1e-9
_LOOKS = 8
_SMALL = 10_000
_LEAST = 2.0**-1000
_RAISED = 12
_ELEMENTS = 1 << 22
_FEW_OPEN = 5
_STARTS, _STEPS = 16, 20
_AROUND = 1.0
"""Widths of a box by which gradient steps from it may leave it."""
_CHECK = 1 << 14
"""Products, for each parameter, that take as long as exact values near one point."""


def split_inputs(
    search: Search,
    regions: Sequence[Region],
    *,
    limit: float,
    boxes: float = np.inf,
    items: Items | None = None,
) -> Remainder:
    """Close or halve boxes until none is left, or so many were looked at; see `branch`.

    ``items`` are those that an earlier search of the same regions has left.
    """
    items = _stack(regions) if items is None else items
    return branch(search, items, Boxes, limit=limit, most=boxes)


class Boxes(Splitter):
    """Boxes that are closed or halved."""

    def __init__(self, search: Search) -> None:
        self.search, self.scale = search, _scale(search)
        self.ends = _ends_of_cases(search)
        self.sizes = 8, 1, _batch_limit(search)
        self.leaves = Leaves(search.problem)
        self.known = Effort.of(goes_forward(search.layers))

    def look(self, items: Items) -> Looked:
        """See `Splitter`."""
        known: Effort = self.known
        part = _Boxes(self.search, items, self.leaves, known)
        before, (number, most) = self._volume(part), known.choose()
        witness = part.examine(most)
        self.known = part.effort.told(number, part.work, before - self._volume(part))
        if witness is None and part.count and self.known.descends:
            witness, work = part.descend(self.ends)
            self.known = replace(self.known, descended=self.known.descended + work)
        if witness is not None or not part.count:
            return Looked(part.items, witness, part.work)
        lower, upper = halve_boxes(part.lower, part.upper, part.slope, self.scale)
        cases = np.concatenate([part.cases, part.cases])
        halves = {"lower": lower, "upper": upper, "cases": cases}
        # the last ones are looked at first: those that are nearest to a violation
        order = np.argsort(-np.tile(part.depth, 2), kind="stable")
        return Looked(pick_items(halves, order), None, part.work)

    def _volume(self, part: _Boxes) -> float:
        """The volume of boxes, as a part of the region."""
        width = part.upper - part.lower
        return float(np.where(width > 0, width / self.scale, 1.0).prod(-1).sum())


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


def _ends_of_cases(search: Search) -> tuple[Array, Array]:
    """The ends of each case's box."""
    problem = search.problem
    lower, upper = np.zeros((2, len(problem.members), search.layers.inputs))
    for region in problem.regions:
        lower[region.cases], upper[region.cases] = region.lower, region.upper
    return lower, upper


def _batch_limit(search: Search) -> int:
    widest = max(search.layers.sizes)
    return int(np.clip((1 << 22) // (2 * widest * min(widest, 128)), 8, 1024))


def influence(lower: Array, upper: Array, slope: Array, scale: Array) -> Array:
    """Of each input of boxes how much it matters to a bound with this slope."""
    score = np.abs(slope) * (upper - lower)
    score = np.where(np.isfinite(score), score, 0.0)
    share = score / np.maximum(score.max(-1, keepdims=True), _LEAST)
    # an input without influence on the bound may have some on the planes that made it
    return (share + 0.1) * np.sqrt((upper - lower) / scale)


def halve_boxes(lower: Array, upper: Array, slope: Array, scale: Array) -> tuple[Array, Array]:
    """Both halves of boxes, across the input that matters most: first all of the lower ones."""
    axis = influence(lower, upper, slope, scale).argmax(-1)
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
        self.search, self.leaves, self.effort = search, leaves, effort or Effort()
        self.work = 0.0
        self.lower, self.upper = items["lower"], items["upper"]
        self.cases: Array = items["cases"]
        self.slope = np.zeros_like(self.lower)
        self.points = self.lower, np.zeros(self.cases.shape)

    @property
    def count(self) -> int:
        """The number of boxes."""
        return len(self.lower)

    @property
    def items(self) -> Items:
        """The boxes as subproblems."""
        return {"lower": self.lower, "upper": self.upper, "cases": self.cases}

    @property
    def depth(self) -> Array:
        """Of each box that is open how near to a violation its points are; at most 0 is one."""
        return self.points[1].min(-1).reshape(2, -1).min(0)

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
        self.work += state.work
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
        rows, allowed = search.rows(points), np.concatenate([self.cases, self.cases])
        depth = problem.depth(rows)
        self.points = points, np.where(allowed & ~np.isnan(depth), depth, np.inf)
        return search.confirm(points, rows, allowed)

    def descend(self, ends: tuple[Array, Array]) -> tuple[Witness | None, float]:
        """A witness by gradient steps from the points nearest to one, and the work of it.

        A corner where a bound is attained, or a centre, is near a violation where its largest row
        is low; from there steps may leave the box, within the ends of the case.
        """
        points, depth = self.points
        nearest = np.argsort(depth.min(-1), kind="stable")[:_STARTS]
        box, target = nearest % self.count, depth[nearest].argmin(-1)
        around = _AROUND * (self.upper[box] - self.lower[box])
        lower = np.maximum(self.lower[box] - around, ends[0][target])
        upper = np.minimum(self.upper[box] + around, ends[1][target])
        search, checks = self.search, self.search.checks
        found = descend(search, (lower, upper), points[nearest], target, steps=_STEPS)
        # values, gradients back from them, and exact values where floats said unsafe
        exactly = _CHECK * (search.checks - checks) * search.problem.graph.parameters
        return found, 2 * _STEPS * work_at(search.layers, len(nearest)) + exactly

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
        leaves = self.leaves
        if leaves is None or leaves.exact is None or self.search.layers.noise:
            return None  # rationals do not round
        if not self.cases.any():
            return None
        count = state.open_decisions()
        # a box that was halved often has as many as meet at one of its points
        width = np.maximum(self.upper - self.lower, _LEAST)
        halved = np.log2(np.maximum(_scale(self.search) / width, 1.0)).mean(-1)
        boxes = np.flatnonzero(self.cases.any(-1) & (count <= _FEW_OPEN + halved))
        for box in boxes[np.argsort(count[boxes], kind="stable")].tolist():
            for case in np.flatnonzero(self.cases[box]).tolist():
                if not self.effort.settles:
                    return None
                ends = self.lower[box].tolist(), self.upper[box].tolist()
                found, work = leaves.decide(self.search, case, *ends)
                self.work += work
                self.effort = replace(self.effort, settled=self.effort.settled + work)
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
        near = np.flatnonzero(least > -self.effort.reach)
        if not near.size:
            return
        part = state.pick(boxes[near])
        part.bounds[0] = Interval(box.lower[near], box.upper[near])
        found = raise_rows(part, weights[near], members[cases[near]], _RAISED)
        closed = near[found.bound > 0]
        self.cases[boxes[closed], cases[closed]] = False
        self.work += part.work
        self.effort = self.effort.lifted(float(np.nan_to_num(found.bound - least[near]).max()))

    def _nearest(self, least: Array) -> Array:
        """For each box the row that is nearest to closing its most stubborn case."""
        problem, at = self.search.problem, np.arange(len(least))
        held = problem.held(least, fill=-np.inf)
        worst = np.where(self.cases, held.max(-1, initial=-np.inf), np.inf).argmin(-1)
        chosen = problem.places[worst, held[at, worst].argmax(-1)]
        return np.minimum(chosen, least.shape[-1] - 1)

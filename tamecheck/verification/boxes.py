"""Branch and bound over the input: boxes are closed by linear bounds, or halved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck.bounds import Functional, back, bounded, concretised, contracted, least_on
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array
from tamecheck.verification.answer import Witness
from tamecheck.verification.plain import impossible
from tamecheck.verification.problem import Region
from tamecheck.verification.search import Search

__all__ = ["Boxes", "split_inputs", "still_open"]


_ROUNDS = 3
_LONG = 0.5
_TIE = 1e-9
_LOOKS = 8
_SMALL = 10_000
_LEAST = 2.0**-1000


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """What is left: boxes, one a row, with the cases that are open on each; none if all is shown.

    ``seen`` counts the boxes that were looked at.
    """

    lower: Array
    upper: Array
    cases: Array
    seen: int
    witness: Witness | None = None

    @property
    def count(self) -> int:
        """The number of boxes."""
        return len(self.lower)


def split_inputs(search: Search, regions: Sequence[Region], *, limit: float) -> Boxes:
    """Close or halve boxes until none is left, a witness is found, or ``limit`` seconds are over.

    Depth first, so that the list of open boxes stays short.
    """
    lower = np.stack([region.lower for region in regions])
    upper = np.stack([region.upper for region in regions])
    cases = np.stack([region.cases for region in regions])
    stop = max(search.left - limit, 0.0)
    batch, seen = 8, 0
    most = _batch_limit(search)
    while len(lower) and search.left > stop and search.kept is None:
        take = min(batch, len(lower))
        part = _Part(search, lower[-take:], upper[-take:], cases[-take:])
        lower, upper, cases = lower[:-take], upper[:-take], cases[:-take]
        seen += take
        before = search.left
        found = part.examine()
        if found is not None:
            return Boxes(lower, upper, cases, seen, found)
        low, high, left = part.halves()
        lower = np.concatenate([lower, low])
        upper = np.concatenate([upper, high])
        cases = np.concatenate([cases, left])
        # short batches, so that the clock is looked at often
        batch = min(batch * 2, most) if before - search.left < _LONG else max(batch // 2, 1)
    return Boxes(lower, upper, cases, seen)


def still_open(
    search: Search, regions: Sequence[Region]
) -> tuple[tuple[Region, ...], Witness | None]:
    """One look at every region: those with cases that bounds do not close, or a witness."""
    size = _batch_limit(search)
    kept: list[Region] = []
    for start in range(0, len(regions), size):
        some = regions[start : start + size]
        if search.left <= 0:
            kept.extend(some)
            continue
        lower, upper, cases = (
            np.stack([getattr(region, side) for region in some])
            for side in ("lower", "upper", "cases")
        )
        part = _Part(search, lower, upper, cases)
        found = part.examine()
        if found is not None:
            return (), found
        kept.extend(map(Region, part.lower, part.upper, part.cases))
    return tuple(kept), None


def _batch_limit(search: Search) -> int:
    widest = max(layer.size for layer in search.layers.layers)
    return int(np.clip((1 << 22) // (2 * widest * min(widest, 128)), 8, 1024))


class _Part:
    """One batch of boxes."""

    def __init__(self, search: Search, lower: Array, upper: Array, cases: Array) -> None:
        self.search = search
        self.lower, self.upper = lower, upper
        self.cases: Array = cases
        self.score = np.zeros_like(lower)
        regions = search.problem.regions
        low = np.min([region.lower for region in regions], axis=0)
        self.scale = np.maximum(np.max([region.upper for region in regions], axis=0) - low, _LEAST)

    def examine(self) -> Witness | None:
        """Close what can be closed; try the points where the open bounds are attained."""
        search, problem = self.search, self.search.problem
        layers = search.layers
        with np.errstate(all="ignore"):
            state = bounded(layers, self.lower, self.upper)
            rows = np.eye(layers.layers[layers.output].size)[np.newaxis]
            functional = back(state, layers.output, rows)
            least = np.maximum(concretised(state, functional), state.bounds[-1].lower)
            self.cases = self.cases & ~problem.closed(least)
            least = self._shrink(functional, least)
        self._settle_ties(least)
        keep = self.cases.any(-1)
        self.lower, self.upper, self.cases = self.lower[keep], self.upper[keep], self.cases[keep]
        self.score = self.score[keep]
        if not keep.any():
            return None
        row = self._nearest(least[keep])
        slope = np.take_along_axis(functional.a[keep], row[:, np.newaxis, np.newaxis], 1)[:, 0]
        self.score = np.abs(slope) * (self.upper - self.lower)
        points = np.concatenate(
            [np.where(slope > 0, self.lower, self.upper), (self.lower + self.upper) / 2]
        )
        allowed = np.concatenate([self.cases, self.cases])
        return search.confirmed(points, search.rows(points), allowed)

    def _settle_ties(self, least: Array) -> None:
        """Look again at boxes where no more than rounding is missing, now without rounding."""
        problem = self.search.problem
        if problem.graph.parameters > _SMALL:
            return
        best = np.where(problem.members, least[:, np.newaxis, :], -np.inf).max(-1)
        near = np.argwhere(self.cases & (best > -_TIE))
        for pair in near[:_LOOKS]:
            box, case = int(pair[0]), int(pair[1])
            wanted = problem.spec.cases[case]
            lower = tuple(
                Fraction(v) if end is None else max(Fraction(v), end)
                for v, end in zip(self.lower[box].tolist(), wanted.lower, strict=True)
            )
            upper = tuple(
                Fraction(v) if end is None else min(Fraction(v), end)
                for v, end in zip(self.upper[box].tolist(), wanted.upper, strict=True)
            )
            crossed = any(a > b for a, b in zip(lower, upper, strict=True))
            if crossed or impossible(problem.scores, wanted, lower, upper):
                self.cases[box, case] = False

    def _shrink(self, functional: Functional, least: Array) -> Array:
        """Cut from boxes with one open case what none of its rows allows; the new least values."""
        problem = self.search.problem
        single = self.cases.sum(-1) == 1
        if not single.any():
            return least
        use = single[:, np.newaxis] & problem.members[self.cases.argmax(-1)]
        for _ in range(_ROUNDS):
            box = contracted(Interval(self.lower, self.upper), functional, use)
            empty = np.asarray((box.lower > box.upper).any(-1))
            self.cases = self.cases & ~empty[:, np.newaxis]
            self.lower = np.where(empty[:, np.newaxis], self.lower, box.lower)
            self.upper = np.where(empty[:, np.newaxis], self.upper, box.upper)
            least = np.maximum(least, least_on(Interval(self.lower, self.upper), functional))
            self.cases = self.cases & ~problem.closed(least)
        return least

    def _nearest(self, least: Array) -> Array:
        """For each box the row that is nearest to closing its most stubborn case."""
        members = self.search.problem.members
        best = np.where(members, least[:, np.newaxis, :], -np.inf)
        value = np.where(self.cases, best.max(-1), np.inf)
        worst = value.argmin(-1)
        return best.argmax(-1)[np.arange(len(worst)), worst]

    def halves(self) -> tuple[Array, Array, Array]:
        """Both halves of every open box, across the input that matters most."""
        count = len(self.lower)
        if not count:
            return self.lower, self.upper, self.cases
        score = np.where(np.isfinite(self.score), self.score, 0.0)
        share = score / np.maximum(score.max(-1, keepdims=True), _LEAST)
        # an input without influence on the bound may have some on the planes that made it
        width = (self.upper - self.lower) / self.scale
        axis = ((share + 0.1) * np.sqrt(width)).argmax(-1)
        at = np.arange(count)
        middle = (self.lower[at, axis] + self.upper[at, axis]) / 2
        upper, lower = self.upper.copy(), self.lower.copy()
        upper[at, axis] = middle
        lower[at, axis] = middle
        return (
            np.concatenate([self.lower, lower]),
            np.concatenate([upper, self.upper]),
            np.concatenate([self.cases, self.cases]),
        )

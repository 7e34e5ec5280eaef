"""Branch and bound over the input: boxes are closed by linear bounds, or halved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck.encode import back, bounded, concretised
from tamecheck.ir.tensor import Array
from tamecheck.verify.answer import Witness
from tamecheck.verify.problem import Region
from tamecheck.verify.search import Search

__all__ = ["Boxes", "split_inputs"]


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
    while len(lower) and search.left > stop:
        take = min(batch, len(lower))
        part = _Part(search, lower[-take:], upper[-take:], cases[-take:])
        lower, upper, cases = lower[:-take], upper[:-take], cases[:-take]
        seen += take
        found = part.examine()
        if found is not None:
            return Boxes(lower, upper, cases, seen, found)
        low, high, left = part.halves()
        lower = np.concatenate([lower, low])
        upper = np.concatenate([upper, high])
        cases = np.concatenate([cases, left])
        batch = min(batch * 2, most)
    return Boxes(lower, upper, cases, seen)


def _batch_limit(search: Search) -> int:
    widest = max(layer.size for layer in search.layers.layers)
    return int(np.clip((1 << 22) // (2 * widest * widest), 8, 1024))


class _Part:
    """One batch of boxes."""

    def __init__(self, search: Search, lower: Array, upper: Array, cases: Array) -> None:
        self.search = search
        self.lower, self.upper, self.cases = lower, upper, cases
        self.score = np.zeros_like(lower)

    def examine(self) -> Witness | None:
        """Close what can be closed; try the points where the open bounds are attained."""
        search, problem = self.search, self.search.problem
        layers = search.layers
        with np.errstate(all="ignore"):
            state = bounded(layers, self.lower, self.upper)
            rows = np.eye(layers.layers[layers.output].size)[np.newaxis]
            functional = back(state, layers.output, rows)
            least = np.maximum(concretised(state, functional), state.bounds[-1].lower)
        open_ = self.cases & ~problem.closed(least)
        keep = open_.any(-1)
        if not keep.any():
            self.lower, self.upper, self.cases = self.lower[:0], self.upper[:0], self.cases[:0]
            self.score = self.score[:0]
            return None
        self.lower, self.upper, self.cases = self.lower[keep], self.upper[keep], open_[keep]
        slopes, least = functional.a[keep], least[keep]
        row = self._nearest(least)
        slope = np.take_along_axis(slopes, row[:, np.newaxis, np.newaxis], 1)[:, 0]
        self.score = np.abs(slope) * (self.upper - self.lower)
        points = np.concatenate(
            [np.where(slope > 0, self.lower, self.upper), (self.lower + self.upper) / 2]
        )
        allowed = np.concatenate([self.cases, self.cases])
        return search.confirmed(points, search.rows(points), allowed)

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
        width = self.upper - self.lower
        score = np.where(np.isfinite(self.score), self.score, width)
        # an input of no influence on the bound may still matter for the planes
        axis = (score + 1e-3 * score.max(-1, keepdims=True) * (width > 0)).argmax(-1)
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

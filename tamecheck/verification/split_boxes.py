"""Boxes of inputs that are closed, cut, or halved: the tree of a split certificate."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tamecheck.bounds.ascent import kinks, raise_rows
from tamecheck.bounds.propagation import (
    WHOLE,
    Functional,
    State,
    add_rows,
    back,
    best_weights,
    contract,
    least_on,
)
from tamecheck.budget import Budget
from tamecheck.evaluate.intervals import Interval
from tamecheck.ir.tensor import Array
from tamecheck.verification import split_search
from tamecheck.verification.boxes import influence

_GAIN = 0.5
_STEPS = 12
_ELEMENTS = 1 << 22
_LEAST = 2.0**-1000
_SLIVER = 0.25
"""What is left of a box by cuts gets bounds of its own, rather than halves, if it is as small."""
_TRIED, _EVEN = 3, 0.1
"""Inputs of which both halves are looked at; what counts beside how much of a bound they close."""
_LOOKED = 1 << 12
"""Nodes of a tree after which there is no time for such looks."""
_JUDGED, _WORTH = 128, 0.5
"""Such looks after which they go on only where what halves close is so many powers of 2 more."""
_THIN = 2.0 ** (4 - split_search.VALUES)
_PERIOD = 3
"""Below a node at each such depth its bounds are known: one inner node in seven computes some."""


class Boxes(split_search.Search):
    """Boxes of inputs that are closed, cut, or halved."""

    def find(self) -> split_search.Tree | None:
        """The tree; None if it is not found in time."""
        region, widest = self.region, max(self.layers.sizes)
        self.scale = np.maximum(region.upper - region.lower, _LEAST)
        self.boxes: dict[int, split_search.Items] = {}
        self.looked, self.gained = 0, 0.0
        self.read = split_search.arguments(self.layers)
        self.most = most = int(np.clip((1 << 22) // (2 * widest * min(widest, 128)), 8, 1024))
        first: split_search.Items = {
            ("lower", 0): region.lower[np.newaxis],
            ("upper", 0): region.upper[np.newaxis],
            ("cases", 0): region.cases[np.newaxis],
            ("node", 0): np.zeros(1, dtype=np.int64),
            ("depth", 0): np.zeros(1, dtype=np.int64),
            ("known", 0): np.full(1, None, dtype=object),
        }
        with np.errstate(all="ignore"):
            if not self.run(first, self.look, most):
                return None
        return self.tree

    def mend(self, node: int, budget: Budget) -> bool:
        """See `Search`; the box of the node is halved once more."""
        if node not in self.boxes or self.tree.children[node] is not None:
            return False
        self.budget, self.mended = budget, self.mended + 1
        self.tree.steps[node] = []
        with np.errstate(all="ignore"):
            halves = self.halve(self.boxes[node], np.zeros_like(self.boxes[node]["lower", 0]))
            return halves is not None and self.run(halves, self.look, self.most)

    def look(self, items: split_search.Items) -> split_search.Items | None:
        """Close or halve boxes."""
        lower, upper, cases, nodes = (items[key, 0] for key in ("lower", "upper", "cases", "node"))
        layers = self.layers
        for k, node in enumerate(nodes.tolist()):
            self.boxes.setdefault(node, {key: value[k : k + 1] for key, value in items.items()})
        self.bounded = set[int]()
        known = self.inherited(items["known", 0])
        state = split_search.bounds_on(layers, lower, upper, known, budget=self.budget)
        self.ties = self.near_ties(state)
        form = back(state, layers.output, np.eye(layers.sizes[-1])[np.newaxis])
        lost = form.error * self.names.slack
        least = least_on(state.bounds[0], form) - lost
        open_ = self.settle(least, cases, nodes, bounded=False)
        whole = (upper - lower).sum(-1)
        lower, upper, open_ = self.shrink(form, lost, (lower, upper), open_, nodes)
        lower, upper, open_ = self.add_rows(form, lost, (lower, upper), open_, nodes)
        open_ = self.raise_rows(state, form, lost, (lower, upper), open_, nodes)
        again = open_.any(-1) & ((upper - lower).sum(-1) < _SLIVER * whole)
        keep = open_.any(-1) & ~again
        row, least = self.nearest(least[keep], open_[keep])
        slope = np.take_along_axis(form.a[keep], row[:, np.newaxis, np.newaxis], 1)[:, 0]
        parts = ("lower", lower), ("upper", upper), ("cases", open_)
        left = {**items, **{(key, 0): value for key, value in parts}}
        left["known", 0] = self.told(state, left, np.any(open_, axis=-1))
        few = len(self.tree.steps) < _LOOKED and self.looks_gain
        kept = {key: value[keep] for key, value in left.items()}
        corners = np.where(slope > 0, lower[keep], upper[keep])
        points = np.concatenate([corners, (lower[keep] + upper[keep]) / 2])
        if len(points) and self.stops(points, np.tile(open_[keep], (2, 1))):
            return None
        halves = self.halve(kept, slope, least if few else None)
        return halves and {
            key: np.concatenate([half, left[key][again]]) for key, half in halves.items()
        }

    def inherited(self, known: Array) -> dict[int, Interval] | None:
        """What is known of arguments of nonlinear layers from the nodes above."""
        if any(one is None for one in known):
            return None
        ends = np.stack(known.tolist())
        starts = np.cumsum([0, *(self.layers.sizes[arg] for arg in self.read)]).tolist()
        return {
            arg: Interval(ends[:, 0, a:b], ends[:, 1, a:b])
            for arg, (a, b) in zip(self.read, pairwise(starts), strict=True)
        }

    def told(self, state: State, items: split_search.Items, open_: Array) -> Array:
        """What is known below each node: its own bounds, if the kernel has computed them there."""
        known = items["known", 0].copy()
        for k in np.flatnonzero(open_).tolist():
            node = int(items["node", 0][k])
            if items["depth", 0][k] % _PERIOD == 0:
                self.bound(node)
            if node in self.bounded and self.read:
                known[k] = np.concatenate(
                    [[state.bounds[arg].lower[k], state.bounds[arg].upper[k]] for arg in self.read],
                    axis=1,
                )
        return known

    def settle(self, least: Array, cases: Array, nodes: Array, *, bounded: bool) -> Array:
        """Close the cases that a row closes; what stays open."""
        positive = np.asarray(np.greater(least, 0))
        above = positive[:, np.newaxis, :] & self.problem.members & cases[:, :, np.newaxis]
        best = np.where(above, least[:, np.newaxis, :], -np.inf).argmax(-1)
        closed: Array = np.any(above, axis=-1)
        for box in np.flatnonzero(closed.any(-1)).tolist():
            node = int(nodes[box])
            if not bounded:
                self.bound(node)
            for case in np.flatnonzero(closed[box]).tolist():
                self.close(node, case, int(best[box, case]), self.ties.get(box, ()))
        return cases & ~closed

    def bound(self, node: int) -> None:
        """Have the bounds of a node computed, once a look."""
        if node not in self.bounded:
            self.bounded.add(node)
            self.tree.steps[node].append(split_search.BOUND)

    def shrink(
        self, form: Functional, lost: Array, box: tuple[Array, Array], open_: Array, nodes: Array
    ) -> tuple[Array, Array, Array]:
        """Cut off what a row of the only open case excludes, where that is much.

        Cuts have no room: other boxes than the kernel's would have other lines below.
        """
        lower, upper = box
        single = open_.sum(-1) == 1
        case = open_.argmax(-1)
        for row in np.flatnonzero(self.problem.members.any(0)).tolist():
            use = np.zeros((len(lower), form.a.shape[1]), dtype=bool)
            use[:, row] = single & self.problem.members[case, row]
            if not use.any():
                continue
            found = contract(Interval(lower, upper), form, use)
            empty = (found.lower > found.upper).any(-1)
            ratio = (found.upper - found.lower) / np.maximum(upper - lower, _LEAST)
            gain = np.where(upper > lower, ratio, 1.0).prod(-1) < _GAIN
            chosen = use[:, row] & gain & ~empty
            for i in np.flatnonzero(chosen).tolist():
                self.bound(int(nodes[i]))
                place = self.names.places[int(case[i])][row]
                self.tree.steps[int(nodes[i])].append(["cut", self.number[int(case[i])], place])
            wide = chosen[:, np.newaxis]
            lower, upper = np.where(wide, found.lower, lower), np.where(wide, found.upper, upper)
        least = least_on(Interval(lower, upper), form) - lost
        changed = single & ((lower > box[0]) | (upper < box[1])).any(-1)
        again = self.settle(least, open_ & changed[:, np.newaxis], nodes, bounded=True)
        return lower, upper, np.where(changed[:, np.newaxis], again, open_)

    def add_rows(
        self, form: Functional, lost: Array, box: tuple[Array, Array], open_: Array, nodes: Array
    ) -> tuple[Array, Array, Array]:
        """Close cases by weighted sums of rows; cut boxes with one open case by them."""
        members, lower, upper = self.problem.members, box[0].copy(), box[1].copy()
        boxes, cases = (open_ & (members.sum(-1) > 1)).nonzero()
        if not boxes.size or boxes.size * form.a[0].size > _ELEMENTS:
            return lower, upper, open_
        part = Interval(lower[boxes], upper[boxes])
        rows = Functional(form.a[boxes], form.at[boxes], form.error[boxes])
        weights, total = add_rows(part, rows, members[cases])
        closed = least_on(part, total)[:, 0] > (weights * lost[boxes]).sum(-1)
        single = (open_.sum(-1) == 1)[boxes] & ~closed
        cut = contract(part, total, single[:, np.newaxis])
        ratio = (cut.upper - cut.lower) / np.maximum(part.upper - part.lower, _LEAST)
        gain = np.where(part.upper > part.lower, ratio, 1.0).prod(-1) < _GAIN
        kept = single & (cut.lower <= cut.upper).all(-1) & gain
        left = open_.copy()
        left[boxes[closed], cases[closed]] = False
        lower[boxes[kept]], upper[boxes[kept]] = cut.lower[kept], cut.upper[kept]
        for i in np.flatnonzero(closed | kept).tolist():
            node, number = int(nodes[boxes[i]]), self.number[int(cases[i])]
            self.bound(node)
            said = self.whole(int(cases[i]), weights[i], WHOLE)[0]
            slopes = self.ties.get(int(boxes[i]), [])
            step = ["combine", number, said, [], slopes] if closed[i] else ["cut", number, said]
            self.tree.steps[node].append(step)
        return lower, upper, left

    def raise_rows(  # noqa: PLR0913, PLR0917 (a look, step by step)
        self,
        state: State,
        form: Functional,
        lost: Array,
        box: tuple[Array, Array],
        open_: Array,
        nodes: Array,
    ) -> Array:
        """Close cases by functionals with other lines below rectifiers; what stays open."""
        boxes, cases = (side[: _ELEMENTS // sum(self.layers.sizes)] for side in open_.nonzero())
        if not boxes.size or not kinks(self.layers):
            return open_
        part, members = state.pick(boxes), self.problem.members[cases]
        part.bounds[0] = Interval(box[0][boxes], box[1][boxes])
        rows = Functional(form.a[boxes], form.at[boxes], form.error[boxes])
        weights = best_weights(part.bounds[0], rows, members)
        found = raise_rows(part, weights, members, _STEPS)
        closed = found.bound > 4 * (found.choice["rows", 0] * lost[boxes]).sum(-1)
        left = open_.copy()
        left[boxes[closed], cases[closed]] = False
        for i in np.flatnonzero(closed).tolist():
            node = int(nodes[boxes[i]])
            self.bound(node)
            self.tree.steps[node].append(self.combination(i, int(cases[i]), part, found, {}))
        return left

    def nearest(self, least: Array, open_: Array) -> tuple[Array, Array]:
        """For each box the row nearest to closing its most stubborn case, and its least value."""
        held = np.where(self.problem.members, least[:, np.newaxis, :], -np.inf)
        worst = np.where(open_, held.max(-1), np.inf).argmin(-1)
        at = np.arange(len(worst))
        return held.argmax(-1)[at, worst], held.max(-1)[at, worst]

    @property
    def looks_gain(self) -> bool:
        """Whether another input than that of the largest score has been much better so far."""
        return self.looked < _JUDGED or self.gained > _WORTH * self.looked

    def better_axis(self, items: split_search.Items, score: Array, least: Array) -> Array:
        """Of the inputs of the largest score that across which both halves come nearest to closed.

        A look costs floats less than what it saves the kernel.
        """
        lower, upper, cases = (items[key, 0] for key in ("lower", "upper", "cases"))
        order = np.argsort(-score, axis=-1, kind="stable").T[:_TRIED]
        if len(order) < 2 or not len(lower):
            return score.argmax(-1)
        known, missing = self.inherited(items["known", 0]), np.minimum(least, -_LEAST)
        at, gains = np.arange(len(lower)), list[Array]()
        for axis in order:
            middle = (lower[at, axis] + upper[at, axis]) / 2
            below, above = upper.copy(), lower.copy()
            below[at, axis] = above[at, axis] = middle
            gain = np.ones(len(lower))
            for ends in ((lower, below), (above, upper)):
                state = split_search.bounds_on(self.layers, *ends, known, budget=self.budget)
                form = back(state, self.layers.output, np.eye(self.layers.sizes[-1])[np.newaxis])
                found = self.nearest(least_on(state.bounds[0], form), cases)[1]
                gain = gain * (np.clip(1 - found / missing, 0, 1) + _EVEN)
            thin = upper[at, axis] - lower[at, axis] < _THIN
            gains.append(np.where(thin, 0.0, np.nan_to_num(gain)))
        best, first = (np.maximum(one, _EVEN**2) for one in (np.max(gains, axis=0), gains[0]))
        self.looked += len(lower)
        self.gained += float(np.log2(best / first).sum())
        return order[np.argmax(gains, axis=0), at]

    def halve(
        self, items: split_search.Items, slope: Array, least: Array | None = None
    ) -> split_search.Items | None:
        """Both halves of boxes, across the input that matters most."""
        lower, upper, nodes = (items[key, 0] for key in ("lower", "upper", "node"))
        score = influence(lower, upper, slope, self.scale)
        axis = score.argmax(-1) if least is None else self.better_axis(items, score, least)
        at, unit = np.arange(len(lower)), 2.0**split_search.VALUES
        low, high = lower[at, axis], upper[at, axis]
        ends = np.round((low + high) / 2 * unit)
        middle = ends / unit
        if not ((low < middle) & (middle < high) & (np.abs(ends) < 2.0**53)).all():
            return None
        below, above = upper.copy(), lower.copy()
        below[at, axis] = above[at, axis] = middle
        pairs = [
            self.tree.split(node, ["split", 0, i, int(end), 0])
            for node, i, end in zip(nodes.tolist(), axis.tolist(), ends.tolist(), strict=True)
        ]
        children = [np.array([pair[k] for pair in pairs], dtype=np.int64) for k in (0, 1)]
        changed = {
            "lower": (lower, above),
            "upper": (below, upper),
            "node": children,
            "depth": (items["depth", 0] + 1,) * 2,
        }
        return {
            key: np.concatenate(changed.get(key[0], (value, value))) for key, value in items.items()
        }

"""Can free features change the decision?  Exact, by multipliers and by splitting neurons.

A neuron's state is a function of its sum alone, and sums are linear in the states before.  With a
multiplier ``m`` for every sum, the margin of a rival class is at most

    constant + sum over neurons of max_s (g h(s) - m s) + max_x m . s(x),

where s runs over the range of the neuron's sum, h is its jump from -1 to 1, g is what its state
adds in the layer after, and x runs over the features' codes (Lagrangian decomposition, Guignard
and Kim 1987).  Every maximum is over a single neuron or a single feature, so the bound holds
whatever the multipliers are.  They are multiples of powers of two, small enough for floats to
hold every sum exactly.  Subgradient steps lower the bound; where it stays open, a neuron is split
by its state, or at last a feature by its code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tamecheck.budget import Budget
from tamecheck.explain.completions import PRESENT, Completions
from tamecheck.explain.nodes import FREE, Nodes, Pieces, grids, joined
from tamecheck.ir.tensor import Array
from tamecheck.solvers.relaxation import deepest

__all__ = ["Multipliers"]

_ROOT_STEPS, _STEPS = 120, 25
_STALLED, _SHORTER = 4, 0.6
_AIM = 0.3
_BATCH = 1024
_ROUNDED, _ROUNDED_POINTS = 4, 64


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Whether it is shown that no completion changes the decision.

    Else perhaps ``columns``, for each free feature that of a completion that does, or `PRESENT`.
    """

    closed: bool
    columns: Array | None = None


class Multipliers:
    """A search of the completions of a partial input.

    Raises `UnsupportedError` if floats cannot hold the sums with multipliers.
    """

    def __init__(self, problem: Completions) -> None:
        self._problem = problem
        self._least, self._most = problem.reach()
        self._grids = grids(problem, self._least, self._most)
        self.nodes = 0
        root = self._root()
        self._stack = [(root, _ROOT_STEPS)] if len(root) else []
        self._rng = np.random.default_rng(0)

    def run(self, *, nodes: float = np.inf, budget: Budget | None = None) -> Outcome:
        """Search until a change is found or excluded, or for so many nodes, or until it is time.

        The next run goes on where this one ended.
        """
        limit, self.nodes = budget or Budget(), 0
        while self._stack:
            if self.nodes >= nodes or limit.is_spent:
                return Outcome(closed=False)
            part, steps = self._stack.pop()
            if len(part) > _BATCH:
                self._stack.append((part.taken(slice(_BATCH, None)), steps))
                part = part.taken(slice(_BATCH))
            self.nodes += len(part)
            settled = self._bounded(part, steps)
            if not isinstance(settled, tuple):
                self._stack.append((part, steps))
                return Outcome(closed=False, columns=settled)
            left, scores = settled
            if len(left):
                self._stack.append((self._split(left, scores), _STEPS))
        return Outcome(closed=True)

    def fix(self, feature: int) -> None:
        """Keep the present code of a free feature from now on."""
        held: list[tuple[Nodes, int]] = []
        for part, steps in self._stack:
            own = part.columns[:, feature]
            free = (own == FREE)[:, np.newaxis]
            columns = part.columns.copy()
            columns[:, feature] = PRESENT
            low = part.low - free * self._least[feature]
            high = part.high - free * self._most[feature]
            kept = (own == FREE) | (own == PRESENT)
            if kept.any():
                fixed = replace(part, columns=columns, low=low, high=high)
                held.append((fixed.taken(kept), steps))
        self._stack = held

    def _bounded(self, nodes: Nodes, steps: int) -> Array | tuple[Nodes, list[Array]]:
        """Columns of a change; else the nodes that stay open, and how uncertain all is in them."""
        found = self._descend(nodes, steps)
        return self._prune(*found) if isinstance(found, tuple) and len(found[0]) else found

    def _root(self) -> Nodes:
        """A node for each rival that can win by bounds."""
        problem = self._problem
        top = problem.margins.constant + np.abs(problem.margins.weights).sum(axis=1)
        rivals = np.flatnonzero(top > 0)
        count = len(rivals)
        widths = [len(grid.unit) for grid in self._grids]
        low, high = (problem.base + end.sum(axis=0) for end in (self._least, self._most))
        return Nodes(
            rivals,
            np.full((count, problem.features), FREE),
            np.repeat(problem.base[np.newaxis], count, axis=0),
            np.repeat(low[np.newaxis], count, axis=0),
            np.repeat(high[np.newaxis], count, axis=0),
            tuple(np.zeros((count, width), dtype=np.int8) for width in widths),
            tuple(np.zeros((count, width)) for width in widths),
        )

    def _pieces(self, nodes: Nodes) -> tuple[tuple[Pieces, ...], Array]:
        """The ranges of every layer, and which nodes they leave open."""
        low, high = nodes.low, nodes.high
        found: list[Pieces] = []
        possible = np.ones(len(nodes), dtype=np.bool_)
        for number, (grid, assumed) in enumerate(zip(self._grids, nodes.assumed, strict=True)):
            up = np.maximum(low, grid.least), high
            down = low, np.minimum(high, grid.least - grid.gap)
            may_up = (up[0] <= up[1]) & (assumed >= 0)
            may_down = (down[0] <= down[1]) & (assumed <= 0)
            possible &= (may_up | may_down).all(axis=1)
            closed = (np.where(ok, 0.0, -np.inf) for ok in (may_up, may_down))
            found.append(Pieces(up, down, *closed))
            if number < len(self._problem.layers):
                known = may_up.astype(np.float64) - may_down
                low, high = self._problem.layers[number].between(known)
        # the bound without multipliers
        gain = self._problem.margins.weights[nodes.rival]
        value = np.maximum(gain + found[-1].no_up, found[-1].no_down - gain).sum(axis=1)
        return tuple(found), possible & (value + self._problem.margins.constant[nodes.rival] > 0)

    def _descend(self, nodes: Nodes, steps: int) -> Array | tuple[Nodes, list[Array]]:
        """Columns of a change; else the nodes that stay open, and how uncertain all is in them.

        The multipliers of these nodes are the best that were found.
        """
        problem = self._problem
        pieces, open_ = self._pieces(nodes)
        left = np.flatnonzero(open_)
        nodes, pieces = nodes.taken(left), tuple(p.taken(left) for p in pieces)
        multipliers = [m.copy() for m in nodes.multipliers]
        best, kept = np.full(len(nodes), np.inf), [m.copy() for m in multipliers]
        means = [np.zeros_like(m) for m in multipliers]
        frequency = np.zeros((len(nodes), len(problem.owners)))
        aim = _AIM * float(np.abs(problem.margins.weights).max(initial=0))
        length, stalled = np.ones(len(nodes)), np.zeros(len(nodes), dtype=np.int64)
        rates = [grid.scale for grid in self._grids]
        for step in range(steps):
            value, slopes, states, sums, taken = self._bound(nodes, pieces, multipliers)
            won = np.flatnonzero(problem.won(sums))
            if won.size:
                decided = nodes.columns[won[0]]
                return np.where(decided == FREE, problem.columns(taken[won[0]]), decided)
            better = value < best
            best = np.where(better, value, best)
            for own, now in zip(kept, multipliers, strict=True):
                own[better] = now[better]
            open_ = best > 0
            if not open_.all():
                rows = np.flatnonzero(open_)
                if not rows.size:
                    return nodes.taken(rows), []
                nodes, pieces = nodes.taken(rows), tuple(p.taken(rows) for p in pieces)
                best, value, better = best[rows], value[rows], better[rows]
                length, stalled, frequency = length[rows], stalled[rows], frequency[rows]
                taken = taken[rows]
                multipliers, kept, means, slopes, states = (
                    [a[rows] for a in arrays]
                    for arrays in (multipliers, kept, means, slopes, states)
                )
            stalled = np.where(better, 0, stalled + 1)
            length = np.where(stalled >= _STALLED, _SHORTER * length, length)
            stalled[stalled >= _STALLED] = 0
            if 3 * step >= steps:
                frequency += taken
                means = [mean + state for mean, state in zip(means, states, strict=True)]
            size = sum(
                ((s * s) @ rate for s, rate in zip(slopes, rates, strict=True)),
                np.zeros(len(nodes)),
            )
            # towards a bound below 0 (Polyak)
            stride = length * (value + aim) / np.maximum(size, 1e-30)
            for k, (slope, grid) in enumerate(zip(slopes, self._grids, strict=True)):
                moved = multipliers[k] - stride[:, np.newaxis] * slope * grid.scale
                moved = np.rint(moved / grid.unit) * grid.unit
                multipliers[k] = np.clip(moved, -grid.most, grid.most)
        count = steps - -(-steps // 3)
        rounded = self._round(nodes, frequency / max(count, 1), _ROUNDED)
        if rounded is not None:
            return rounded
        gains = self._gains(nodes, kept)
        scores = [
            np.where(
                np.isinf(p.no_up) | np.isinf(p.no_down),
                -1.0,
                np.abs(gain) * (1.01 - np.abs(mean) / max(count, 1)),
            )
            for p, gain, mean in zip(pieces, gains, means, strict=True)
        ]
        return replace(nodes, multipliers=tuple(kept)), [
            *scores,
            self._mixing(frequency / max(count, 1)),
        ]

    def _round(self, nodes: Nodes, frequency: Array, times: int) -> Array | None:
        """Columns of a change among random completions with columns of given frequencies."""
        problem = self._problem
        chances = np.repeat(frequency, times, axis=0)
        free = np.repeat((nodes.columns == FREE)[:, problem.owners], times, axis=0)
        taken = problem.steepest(chances - self._rng.random(chances.shape)) & free
        won = np.flatnonzero(
            problem.won(np.repeat(nodes.base, times, axis=0) + taken @ problem.changes)
        )
        if not won.size:
            return None
        decided = nodes.columns[won[0] // times]
        return np.where(decided == FREE, problem.columns(taken[won[0]]), decided)

    def _mixing(self, frequency: Array) -> Array:
        """How far each feature changes its column, weighted with what it moves."""
        problem = self._problem
        if problem.plain:
            most = np.maximum(frequency, 1 - frequency)
        else:
            groups = problem.groups
            present = 1 - np.add.reduceat(frequency, groups, axis=1)
            most = np.maximum(np.maximum.reduceat(frequency, groups, axis=1), present)
        span = (self._most - self._least) @ np.sqrt(self._grids[0].scale)
        return np.asarray((1.001 - most) * span)

    def _gains(self, nodes: Nodes, multipliers: Sequence[Array]) -> list[Array]:
        """What the state of each neuron adds, layer by layer."""
        gains = [self._problem.margins.weights[nodes.rival]]
        for layer, own in zip(self._problem.layers[::-1], multipliers[:0:-1], strict=True):
            gains.append(own @ layer.weights)
        return gains[::-1]

    def _bound(
        self, nodes: Nodes, pieces: Sequence[Pieces], multipliers: Sequence[Array]
    ) -> tuple[Array, list[Array], list[Array], Array, Array]:
        """The bounds, their slopes, and the states, first sums and columns where they are."""
        problem = self._problem
        gains = self._gains(nodes, multipliers)
        value = problem.margins.constant[nodes.rival].copy()
        empty = np.zeros(len(nodes))
        states: list[Array] = []
        slopes: list[Array] = []
        for piece, gain, own in zip(pieces, gains, multipliers, strict=True):
            part, bare, state, at = piece.best(gain, own)
            value += part.sum(axis=1)
            # only what the last layer adds depends on the rival
            empty += (bare if piece is pieces[-1] else part).sum(axis=1)
            states.append(state)
            slopes.append(-at)
        for number, layer in enumerate(problem.layers, start=1):
            constant = multipliers[number] @ layer.constant
            value += constant
            empty += constant
            slopes[number] += layer.of(states[number - 1])
        slope = multipliers[0] @ problem.changes.T
        taken = problem.steepest(slope) & (nodes.columns == FREE)[:, problem.owners]
        reached = (multipliers[0] * nodes.base).sum(axis=1) + np.where(taken, slope, 0.0).sum(
            axis=1
        )
        value += reached
        # multiples of multipliers that show that nothing is there show any bound
        value[empty + reached < 0] = -np.inf
        sums = nodes.base + taken @ problem.changes
        slopes[0] += sums
        return value, slopes, states, sums, taken

    def _prune(self, nodes: Nodes, scores: list[Array]) -> Array | tuple[Nodes, list[Array]]:
        """Columns of a change; else the nodes without those of which a linear program shows more.

        Where all states are decided, a node is empty or not by the rows of the first layer alone.
        """
        every = np.concatenate(scores[:-1], axis=1)
        kept = np.ones(len(nodes), dtype=np.bool_)
        for row in np.flatnonzero((every < 0).all(axis=1)).tolist():
            one = nodes.taken(slice(row, row + 1))
            found = self._deepest(one)
            if found is None:
                continue
            point, multipliers = found
            pieces, _ = self._pieces(one)
            tried = (multipliers, *one.multipliers[1:])
            if self._bound(one, pieces, tried)[0][0] <= 0:
                kept[row] = False
                continue
            frequency = point[np.newaxis]
            rounded = self._round(one, frequency, _ROUNDED_POINTS)
            if rounded is not None:
                return rounded
            scores[-1][row] = self._mixing(frequency)[0]
        return nodes.taken(kept), [score[kept] for score in scores]

    def _deepest(self, node: Nodes) -> tuple[Array, Array] | None:
        """Where a node's states are most clearly what they are, in fractions of columns.

        Also the multipliers that show how clearly, on the grid.  None if no program was solved.
        """
        problem, grid = self._problem, self._grids[0]
        states = np.where(node.low >= 0, 1, np.where(node.high < 0, -1, node.assumed[0]))[0]
        least = np.where(states > 0, grid.least, grid.gap - grid.least)
        width = 1 / np.sqrt(grid.scale)
        rows = (states[:, np.newaxis] * problem.changes.T) / width[:, np.newaxis]
        free = (node.columns == FREE)[0][problem.owners].astype(np.float64)
        caps = np.zeros((0, len(free)))
        if not problem.plain:
            caps = (problem.owners == np.arange(problem.features)[:, np.newaxis]).astype(np.float64)
        solved = deepest(
            (np.zeros_like(free), free), rows, (least - states * node.base[0]) / width, caps
        )
        if solved is None:
            return None
        point, dual = solved
        multipliers = dual / width * states
        largest = np.abs(multipliers / grid.most).max(initial=0)
        if not largest:
            return None
        multipliers = np.rint(multipliers / (2 * largest) / grid.unit) * grid.unit
        return point, multipliers[np.newaxis]

    def _split(self, nodes: Nodes, scores: list[Array]) -> Nodes:
        """Every node in parts, by the most uncertain neuron, or by a feature."""
        *scores, mixed = scores
        widths = [score.shape[1] for score in scores]
        every = np.concatenate(scores, axis=1)
        place = every.argmax(axis=1)
        certain = every[np.arange(len(place)), place] < 0
        parts: list[Nodes] = []
        rows = np.flatnonzero(~certain)
        if rows.size:
            some = nodes.taken(rows)
            ends = np.asarray(np.cumsum(widths))
            layer = np.asarray(np.searchsorted(ends, np.asarray(place[rows]), side="right"))
            neuron = place[rows] - (ends - widths)[layer]
            for state in (1, -1):
                assumed = [a.copy() for a in some.assumed]
                for k, own in enumerate(assumed):
                    mine = np.flatnonzero(layer == k)
                    own[mine, neuron[mine]] = state
                parts.append(replace(some, assumed=tuple(assumed)))
        rows = np.flatnonzero(certain)
        if rows.size:
            parts += self._by_feature(nodes.taken(rows), mixed[rows])
        return joined(parts)

    def _by_feature(self, nodes: Nodes, mixed: Array) -> list[Nodes]:
        """Every node by the code of the free feature that is mixed most."""
        feature = np.where(nodes.columns == FREE, mixed, -1.0).argmax(axis=1)
        parts: list[Nodes] = []
        groups = np.append(self._problem.groups, len(self._problem.owners))
        codes = groups[feature + 1] - groups[feature]
        for code in range(-1, int(codes.max())):
            some = np.flatnonzero(code < codes)
            own = feature[some]
            part = nodes.taken(some)
            column = groups[own] + code if code >= 0 else np.full(len(some), PRESENT)
            added = self._problem.changes[column] if code >= 0 else 0.0
            columns = part.columns.copy()
            columns[np.arange(len(some)), own] = column
            parts.append(
                replace(
                    part,
                    columns=columns,
                    base=part.base + added,
                    low=part.low + added - self._least[own],
                    high=part.high + added - self._most[own],
                )
            )
        return parts

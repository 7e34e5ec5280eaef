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

from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np

from tamecheck.binarized.network import Outcome
from tamecheck.budget import Budget
from tamecheck.explain.completions import PRESENT, Completions
from tamecheck.explain.nodes import FREE, MultiplierGrid, Nodes, Pieces, multiplier_grid, stack
from tamecheck.ir.tensor import Array
from tamecheck.solvers.dense import deepest

_ROOT_STEPS, _STEPS = 120, 25
_STALLED, _SHORTER, _AIM = 4, 0.6, 0.3
_BATCH, _ROUNDED, _ROUNDED_POINTS = 1024, 4, 64


@dataclass(frozen=True, slots=True, eq=False)
class _Bound:
    """Bounds, their slopes, and the states, first sums and columns where they are."""

    value: Array
    slopes: Array
    states: Array
    sums: Array
    taken: Array

    def rows(self, rows: Array) -> _Bound:
        """These rows."""
        parts = self.value, self.slopes, self.states, self.sums, self.taken
        return _Bound(*(part[rows] for part in parts))


_Open = tuple[Nodes, Array, Array]
"""Nodes that stay open, and how uncertain each neuron and how mixed each feature is in them."""


class Multipliers:
    """A search of the completions of a partial input.

    Raises `UnsupportedError` if floats cannot hold the sums with multipliers.
    """

    def __init__(self, problem: Completions) -> None:
        self._problem = problem
        self._least, self._most = problem.reach()
        self._grid = multiplier_grid(problem, self._least, self._most)
        ends = np.cumsum([0, len(problem.base), *(len(x.constant) for x in problem.layers)])
        self._layers = [slice(a, b) for a, b in pairwise(ends.tolist())]
        self.nodes = 0
        root = self._root()
        self._stack = [(root, _ROOT_STEPS)] if len(root) else []
        self._rng = np.random.default_rng(0)

    def run(self, *, nodes: float = np.inf, budget: Budget | None = None) -> Outcome:
        """Search until a change is found or excluded, or for so many nodes, or until it is time.

        A change is told by its columns.  The next run goes on where this one ended.
        """
        limit, self.nodes = budget or Budget(), 0
        while self._stack:
            if self.nodes >= nodes or limit.is_spent:
                return Outcome()
            part, steps = self._stack.pop()
            if len(part) > _BATCH:
                self._stack.append((part.take(slice(_BATCH, None)), steps))
                part = part.take(slice(_BATCH))
            self.nodes += len(part)
            settled = self._treat(part, steps)
            if not isinstance(settled, tuple):
                self._stack.append((part, steps))
                return Outcome(point=settled)
            if len(settled[0]):
                self._stack.append((self._split(*settled), _STEPS))
        return Outcome(closed=True)

    def fix(self, feature: int) -> None:
        """Keep the present code of a free feature from now on."""
        left: list[tuple[Nodes, int]] = []
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
                left.append((fixed.take(kept), steps))
        self._stack = left

    def _treat(self, nodes: Nodes, steps: int) -> Array | _Open:
        """Columns of a change; else the nodes that stay open, and how uncertain all is in them."""
        found = self._descend(nodes, steps)
        return self._prune(*found) if isinstance(found, tuple) and len(found[0]) else found

    def _root(self) -> Nodes:
        """A node for each rival that can win by bounds."""
        problem = self._problem
        top = problem.margins.constant + np.abs(problem.margins.weights).sum(axis=1)
        rivals = np.flatnonzero(top > 0)
        count, width = len(rivals), len(self._grid.unit)
        low, high = (problem.base + end.sum(axis=0) for end in (self._least, self._most))
        base, low, high = (np.tile(row, (count, 1)) for row in (problem.base, low, high))
        columns = np.full((count, problem.features), FREE)
        assumed = np.zeros((count, width), dtype=np.int8)
        return Nodes(rivals, columns, base, low, high, assumed, np.zeros((count, width)))

    def _pieces(self, nodes: Nodes) -> tuple[Pieces, Array]:
        """The ranges of all sums, and which nodes they leave open."""
        problem, grid = self._problem, self._grid
        ends = [(nodes.low, nodes.high)]
        for layer, own in zip(problem.layers, self._layers, strict=False):
            low, high = ends[-1]
            may_up = np.maximum(low, grid.least[own]) <= high
            may_down = low <= np.minimum(high, (grid.least - grid.gap)[own])
            assumed = nodes.assumed[:, own]
            known = (may_up & (assumed >= 0)).astype(np.float64) - (may_down & (assumed <= 0))
            ends.append(layer.between(known))
        low, high = (np.concatenate(parts, axis=1) for parts in zip(*ends, strict=True))
        up = np.maximum(low, grid.least), high
        down = low, np.minimum(high, grid.least - grid.gap)
        may_up = (up[0] <= up[1]) & (nodes.assumed >= 0)
        may_down = (down[0] <= down[1]) & (nodes.assumed <= 0)
        closed = (np.where(ok, 0.0, -np.inf) for ok in (may_up, may_down))
        found = Pieces(up, down, *closed)
        # the bound without multipliers
        gain, last = problem.margins.weights[nodes.rival], self._layers[-1]
        value = np.maximum(gain + found.no_up[:, last], found.no_down[:, last] - gain).sum(axis=1)
        open_ = value + problem.margins.constant[nodes.rival] > 0
        return found, (may_up | may_down).all(axis=1) & open_

    def _descend(self, nodes: Nodes, steps: int) -> Array | _Open:
        """Columns of a change; else the nodes that stay open, and how uncertain all is in them.

        The multipliers of these nodes are the best that were found.
        """
        problem, grid = self._problem, self._grid
        pieces, open_ = self._pieces(nodes)
        left = np.flatnonzero(open_)
        nodes, pieces = nodes.take(left), pieces.take(left)
        best: Array = np.full(len(nodes), np.inf)
        kept: Array = nodes.multipliers.copy()
        mean: Array = np.zeros_like(kept)
        frequency: Array = np.zeros((len(nodes), len(problem.owners)))
        aim = _AIM * float(np.abs(problem.margins.weights).max(initial=0))
        length: Array = np.ones(len(nodes))
        stalled: Array = np.zeros(len(nodes), dtype=np.int64)
        for step in range(steps):
            at = self._bound(nodes, pieces)
            won = np.flatnonzero(problem.won(at.sums))
            if won.size:
                return self._columns(nodes.columns[won[0]], at.taken[won[0]])
            better: Array = at.value < best
            best = np.where(better, at.value, best)
            kept[better] = nodes.multipliers[better]
            open_ = best > 0
            if not open_.all():
                rows = np.flatnonzero(open_)
                if not rows.size:
                    return nodes.take(rows), np.zeros((0, 0)), np.zeros((0, 0))
                nodes, pieces, at = nodes.take(rows), pieces.take(rows), at.rows(rows)
                best, better, length, stalled, kept, mean, frequency = (
                    part[rows] for part in (best, better, length, stalled, kept, mean, frequency)
                )
            stalled = np.where(better, 0, stalled + 1)
            length = np.where(stalled >= _STALLED, _SHORTER * length, length)
            stalled[stalled >= _STALLED] = 0
            if 3 * step >= steps:
                frequency += at.taken
                mean += at.states
            size = np.zeros(len(nodes))
            for own in self._layers:
                size += at.slopes[:, own] ** 2 @ grid.scale[own]
            # towards a bound below 0 (Polyak)
            stride = length * (at.value + aim) / np.maximum(size, 1e-30)
            moved = nodes.multipliers - stride[:, np.newaxis] * at.slopes * grid.scale
            moved = np.clip(grid.rounded(moved), -grid.most, grid.most)
            nodes = replace(nodes, multipliers=moved)
        count = max(steps - -(-steps // 3), 1)
        rounded = self._round(nodes, frequency / count, _ROUNDED)
        if rounded is not None:
            return rounded
        nodes = replace(nodes, multipliers=kept)
        decided = np.isinf(pieces.no_up) | np.isinf(pieces.no_down)
        uncertain = np.abs(self._gains(nodes)) * (1.01 - np.abs(mean) / count)
        return nodes, np.where(decided, -1.0, uncertain), self._mixing(frequency / count)

    def _columns(self, decided: Array, taken: Array) -> Array:
        """The columns that a row has, decided or taken."""
        return np.where(decided == FREE, self._problem.columns(taken), decided)

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
        return self._columns(nodes.columns[won[0] // times], taken[won[0]])

    def _mixing(self, frequency: Array) -> Array:
        """How far each feature changes its column, weighted with what it moves."""
        problem = self._problem
        if problem.plain:
            most = np.maximum(frequency, 1 - frequency)
        else:
            groups = problem.groups
            present = 1 - np.add.reduceat(frequency, groups, axis=1)
            most = np.maximum(np.maximum.reduceat(frequency, groups, axis=1), present)
        span = (self._most - self._least) @ np.sqrt(self._grid.scale[self._layers[0]])
        return np.asarray((1.001 - most) * span)

    def _gains(self, nodes: Nodes) -> Array:
        """What the state of each neuron adds."""
        gains = [self._problem.margins.weights[nodes.rival]]
        for layer, own in zip(self._problem.layers[::-1], self._layers[:0:-1], strict=True):
            gains.append(nodes.multipliers[:, own] @ layer.weights)
        return np.concatenate(gains[::-1], axis=1)

    def _bound(self, nodes: Nodes, pieces: Pieces) -> _Bound:
        """The bounds by the multipliers of nodes."""
        problem, multipliers = self._problem, nodes.multipliers
        first, last = self._layers[0], self._layers[-1]
        part, bare, states, at = pieces.best(self._gains(nodes), multipliers)
        value = problem.margins.constant[nodes.rival] + part.sum(axis=1)
        # only what the last layer adds depends on the rival
        part[:, last] = bare[:, last]
        empty, slopes = part.sum(axis=1), -at
        for layer, (before, own) in zip(problem.layers, pairwise(self._layers), strict=True):
            constant = multipliers[:, own] @ layer.constant
            value += constant
            empty += constant
            slopes[:, own] += layer.of(states[:, before])
        slope = multipliers[:, first] @ problem.changes.T
        taken = problem.steepest(slope) & (nodes.columns == FREE)[:, problem.owners]
        reached = (multipliers[:, first] * nodes.base).sum(axis=1)
        reached += np.where(taken, slope, 0.0).sum(axis=1)
        value += reached
        # multiples of multipliers that show that nothing is there show any bound
        value[empty + reached < 0] = -np.inf
        sums = nodes.base + taken @ problem.changes
        slopes[:, first] += sums
        return _Bound(value, slopes, states, sums, taken)

    def _prune(self, nodes: Nodes, uncertain: Array, mixed: Array) -> Array | _Open:
        """Columns of a change; else the nodes without those of which a linear program shows more.

        Where all states are decided, a node is empty or not by the rows of the first layer alone.
        """
        kept = np.ones(len(nodes), dtype=np.bool_)
        for row in np.flatnonzero((uncertain < 0).all(axis=1)).tolist():
            one = nodes.take(slice(row, row + 1))
            found = self._deepest(one)
            if found is None:
                continue
            point, multipliers = found
            tried = one.multipliers.copy()
            tried[:, self._layers[0]] = multipliers
            pieces, _ = self._pieces(one)
            if self._bound(replace(one, multipliers=tried), pieces).value[0] <= 0:
                kept[row] = False
                continue
            frequency = point[np.newaxis]
            rounded = self._round(one, frequency, _ROUNDED_POINTS)
            if rounded is not None:
                return rounded
            mixed[row] = self._mixing(frequency)[0]
        return nodes.take(kept), uncertain[kept], mixed[kept]

    def _deepest(self, node: Nodes) -> tuple[Array, Array] | None:
        """Where a node's states are most clearly what they are, in fractions of columns.

        Also the multipliers that show how clearly, on the grid.  None if no program was solved.
        """
        problem, first = self._problem, self._layers[0]
        grid = MultiplierGrid(
            *(getattr(self._grid, field.name)[first] for field in fields(MultiplierGrid))
        )
        assumed = node.assumed[0, first]
        states = np.where(node.low >= 0, 1, np.where(node.high < 0, -1, assumed))[0]
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
        return point, grid.rounded(multipliers / (2 * largest))

    def _split(self, nodes: Nodes, uncertain: Array, mixed: Array) -> Nodes:
        """Every node in parts, by the most uncertain neuron, or by a feature."""
        neuron = uncertain.argmax(axis=1)
        certain = uncertain[np.arange(len(neuron)), neuron] < 0
        parts: list[Nodes] = []
        rows = np.flatnonzero(~certain)
        for state in (1, -1) if rows.size else ():
            some = nodes.take(rows)
            some.assumed[np.arange(len(rows)), neuron[rows]] = state
            parts.append(some)
        rows = np.flatnonzero(certain)
        if rows.size:
            parts += self._by_feature(nodes.take(rows), mixed[rows])
        return stack(parts)

    def _by_feature(self, nodes: Nodes, mixed: Array) -> list[Nodes]:
        """Every node by the code of the free feature that is mixed most."""
        feature = np.where(nodes.columns == FREE, mixed, -1.0).argmax(axis=1)
        parts: list[Nodes] = []
        groups = np.append(self._problem.groups, len(self._problem.owners))
        codes = groups[feature + 1] - groups[feature]
        for code in range(-1, int(codes.max())):
            some = np.flatnonzero(code < codes)
            own = feature[some]
            part = nodes.take(some)
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

"""Branch and bound in integers over the inputs of a Hamming ball, and over patterns of neurons."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from tamecheck.binarized.network import (
    Ball,
    Outcome,
    Propagation,
    Stage,
    ThresholdNetwork,
    kind_for,
    product,
    reachable,
)
from tamecheck.ir.tensor import Array

_CELLS = 1 << 18
_FEWEST = 256
_LEAF = -1


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Parts of the ball in which the first ``depth`` inputs are decided.

    ``sums`` (rows, neurons) of the first layer; the ``budget`` that is left; the places of the
    ``flips`` in the order (rows, radius), filled up with -1; the numbers of the ``nodes``.
    """

    depth: int
    sums: Array
    budget: Array
    flips: Array
    nodes: Array

    def take(self, rows: Array | slice) -> _Table:
        """The table of these rows."""
        parts = self.sums[rows], self.budget[rows], self.flips[rows], self.nodes[rows]
        return _Table(self.depth, *parts)


class Tree:
    """The splits of a search, to be written down."""

    def __init__(self) -> None:
        self._splits: list[tuple[int, Array, Array, Array]] = []
        self._nodes = 1

    def split(self, at: int, nodes: Array) -> tuple[Array, Array]:
        """Give numbers to the children (kept, flipped) of nodes that are split by input ``at``."""
        kept = np.arange(self._nodes, self._nodes + len(nodes))
        flipped = kept + len(nodes)
        self._nodes += 2 * len(nodes)
        self._splits.append((at, nodes, kept, flipped))
        return kept, flipped

    def preorder(self) -> list[int]:
        """The tree from its root, kept children first: the input of a split, -1 for a leaf."""
        kept = np.full(self._nodes, _LEAF)
        flipped, at = kept.copy(), kept.copy()
        for number, nodes, first, second in self._splits:
            kept[nodes], flipped[nodes], at[nodes] = first, second, number
        inputs, left, right = at.tolist(), kept.tolist(), flipped.tolist()
        order: list[int] = []
        waiting = [0]
        while waiting:
            node = waiting.pop()
            order.append(inputs[node])
            if inputs[node] != _LEAF:
                waiting += [right[node], left[node]]
        return order


class Branching:
    """A search of a ball (of radius at least 1) for a point that reaches one of the goals.

    The network is folded on the ball; a goal is a list of pairs of classes, of which the first is
    preferred to the second.  The inputs are split in one order, those first that take the most
    neurons of the first layer across their thresholds, so all rows of a table have the same inputs
    left.  At worst a row for every set of flips is made.
    """

    def __init__(
        self, folded: ThresholdNetwork, ball: Ball, goals: Sequence[Sequence[tuple[int, int]]]
    ) -> None:
        self._ball = ball
        self._goals = np.cumsum([0, *(len(goal) for goal in goals[:-1])])
        winners, losers = zip(*chain(*goals), strict=True)
        layers = [*folded.layers, folded.preferences(winners, losers)]
        first = layers[0]
        self._stages = [Stage.of(layer) for layer in layers]
        self._start = product(ball.centre[None, :], first.weights)[0]
        change = ball.changes(first.weights).T
        self._order = _order(ball, self._start, first.thresholds, change)
        reach = int(np.abs(first.weights).sum(axis=1).max(initial=0)) * 3
        self._kind = kind_for(reach + int(np.abs(first.thresholds).max(initial=0)))
        self._change = change[self._order].astype(self._kind)
        self._reaches: dict[int, tuple[Array, Array]] = {}
        self._rows = max(_FEWEST, _CELLS // max(len(self._start), 1))

    def run(
        self, *, rows: float = np.inf, deadline: float = np.inf, tree: Tree | None = None
    ) -> Outcome:
        """Search, flipped parts first, for about so many rows; splits are written into ``tree``."""
        radius = self._ball.radius
        start = self._start.astype(self._kind)[None, :]
        root = _Table(0, start, np.array([radius]), np.full((1, radius), -1), np.zeros(1, int))
        stack, seen = [root], 0
        while stack:
            if seen > rows or time.monotonic() > deadline:
                return Outcome()
            table = stack.pop()
            if len(table.sums) > self._rows:
                stack.append(table.take(slice(self._rows, None)))
                table = table.take(slice(self._rows))
            seen += len(table.sums)
            still = self._undecided(table)
            if not still.any():
                continue
            table = table.take(still)
            # where nothing can be flipped the bounds are the values
            values = (table.budget == 0) | (table.depth == len(self._order))
            if values.any():
                flips = table.flips[int(np.argmax(values))]
                return Outcome(point=self._ball.flipped(self._order[flips[flips >= 0]]))
            numbers = (table.nodes, table.nodes)
            if tree is not None:
                numbers = tree.split(int(self._order[table.depth]), table.nodes)
            stack.append(self._split(table, numbers))
        return Outcome(closed=True)

    def _split(self, table: _Table, numbers: tuple[Array, Array]) -> _Table:
        """Every row twice: with the next input flipped, and kept."""
        depth = table.depth
        flips = table.flips.copy()
        flips[np.arange(len(flips)), self._ball.radius - table.budget] = depth
        return _Table(
            depth + 1,
            np.concatenate([table.sums + self._change[depth], table.sums]),
            np.concatenate([table.budget - 1, table.budget]),
            np.concatenate([flips, table.flips]),
            np.concatenate([numbers[1], numbers[0]]),
        )

    def _undecided(self, table: _Table) -> Array:
        """Which rows may hold a point that reaches a goal."""
        depth = table.depth
        if depth not in self._reaches:
            self._reaches[depth] = self._reach(depth)
        down, up = self._reaches[depth]
        low, high = table.sums + down[table.budget], table.sums + up[table.budget]
        wins = reachable(self._stages, low, high)
        reached: Array = np.logical_and.reduceat(wins, self._goals, axis=1)
        return np.asarray(reached.any(axis=1))

    def _reach(self, depth: int) -> tuple[Array, Array]:
        """The least and the largest change by at most b flips of the rest, at [b, neuron]."""
        radius = self._ball.radius
        rest = np.sort(self._change[depth:], axis=0)
        down = np.zeros((radius + 1, rest.shape[1]), dtype=self._kind)
        up = down.copy()
        count = min(radius, len(rest))
        if count:
            down[1 : count + 1] = np.minimum(rest[:count], 0).cumsum(axis=0)
            up[1 : count + 1] = np.maximum(rest[::-1][:count], 0).cumsum(axis=0)
            down[count + 1 :], up[count + 1 :] = down[count], up[count]
        return down, up


def _order(ball: Ball, start: Array, thresholds: Array, change: Array) -> Array:
    """The free inputs, those first that bring most neurons closest to their other state."""
    above = start >= thresholds
    margin = np.where(above, start - thresholds + 1, thresholds - start)
    towards = np.maximum(np.where(above, -change, change), 0)
    influence = (towards / margin).sum(axis=1)
    free = np.array(ball.free, dtype=np.int64)
    return free[np.argsort(-influence[free], kind="stable")]


_ROUNDS = 40
_LARGEST = 1 << 20


class Patterns:
    """A search of the patterns of the first layer in a ball, for a network with a hidden layer.

    Where few neurons of the first layer can leave their state, their patterns are fewer than the
    flip sets.  A pattern is closed when bounds exclude every goal, or when no set of ``radius``
    flips reaches all the states that it assumes: multipliers L >= 0 show that, when the ``radius``
    largest sums ``sum_j L_j change_ij`` over inputs i stay below ``sum_j L_j need_j``.
    """

    def __init__(self, network: ThresholdNetwork, ball: Ball, decision: int) -> None:
        self._network, self._ball, self._decision = network, ball, decision
        first = network.layers[0]
        self._propagation = Propagation(network)
        start: Array = product(ball.centre[None, :], first.weights)[0]
        self._own = np.where(start >= first.thresholds, 1, -1)
        change = ball.changes(first.weights)[:, list(ball.free)]
        # how far each flip takes a neuron towards its other state, and how far it has to go
        self._towards = -change * self._own[:, None]
        above, below = start - first.thresholds + 1, first.thresholds - start
        self._need: Array = np.asarray(np.where(self._own > 0, above, below))
        # sums of multiples stay within 63 bits
        reach = int(np.abs(first.weights).sum()) + int(np.abs(first.thresholds).sum())
        self._largest = min(_LARGEST, (1 << 60) // max(reach, 1))
        gains: Array = -np.sort(-np.maximum(self._towards, 0), axis=1)[:, : ball.radius].sum(axis=1)
        places: Array = np.flatnonzero(gains >= self._need)
        spare: Array = gains[places] - self._need[places]
        # those first that leave the least to spare
        self._open: Array = places[np.argsort(spare, kind="stable")]
        self.nodes: list[Any] = []

    def run(self, *, nodes: int, deadline: float = np.inf) -> Outcome:
        """Search; `nodes` of the instance is the tree in preorder afterwards, if it is closed."""
        self.nodes = []
        rest = np.zeros(len(self._own), dtype=np.bool_)
        rest[self._open] = True
        # the states that are known (0: open), and the neurons that have crossed over
        stack: list[tuple[int, Array, list[int]]] = [(0, np.where(rest, 0, self._own), [])]
        while stack:
            if len(self.nodes) >= nodes or time.monotonic() > deadline:
                return Outcome()
            depth, states, crossed = stack.pop()
            last = self._propagation.last_states(states[None, :])
            if not self._propagation.may_change(last, self._decision).any():
                self.nodes.append(-1)
                continue
            reached = self._reached(crossed) if crossed else None
            if isinstance(reached, dict):
                self.nodes.append(reached)
                continue
            if reached is not None and self._network.decide(reached[None, :])[0] != self._decision:
                return Outcome(point=reached)
            if depth == len(self._open):
                return Outcome()
            neuron = int(self._open[depth])
            self.nodes.append({"neuron": neuron})
            children: list[tuple[int, Array, list[int]]] = []
            for state in (1, -1):
                known = states.copy()
                known[neuron] = state
                over = [*crossed, neuron] if state != self._own[neuron] else crossed
                children.append((depth + 1, known, over))
            stack += reversed(children)
        return Outcome(closed=True)

    def _reached(self, crossed: list[int]) -> dict[str, Any] | Array | None:
        """Multipliers that show that not all of these neurons can cross, or states where all do.

        The multipliers grow by what the best set of flips for them leaves undone.
        """
        towards: Array = self._towards[crossed]
        need: Array = self._need[crossed]
        multipliers = np.ones(len(crossed), dtype=np.int64)
        radius = min(self._ball.radius, towards.shape[1])
        for _ in range(_ROUNDS):
            gain = multipliers @ towards
            best = np.argpartition(-gain, radius - 1)[:radius]
            best = best[gain[best] > 0]
            if gain[best].sum() < multipliers @ need:
                pairs = zip(crossed, multipliers.tolist(), strict=True)
                return {"apart": [[j, m] for j, m in pairs if m]}
            missing: Array = need - towards[:, best].sum(axis=1)
            if (missing <= 0).all():
                return self._ball.flipped(np.array(self._ball.free)[best])
            multipliers = multipliers + np.maximum(missing, 0)
            if multipliers.max() > self._largest:
                return None
        return None

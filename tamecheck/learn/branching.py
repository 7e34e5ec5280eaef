"""Exact minimisers of the elastic value function of a wide last layer, by branch and bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tamecheck.learn.elastic import Problem, rest_scores
from tamecheck.learn.losses import Loss
from tamecheck.learn.network import Floats, sign

__all__ = ["Minimum", "branched"]

_AT_ONCE = 4096
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Minimum:
    """The best signs found.

    Parameters
    ----------
    u
        One row of signs for each row of pre-activations.
    proved
        For each row, whether no signs are better by more than 1e-9 (in float64 arithmetic).
    nodes
        The number of nodes of all trees.
    """

    u: Floats
    proved: npt.NDArray[np.bool_]
    nodes: int


def branched(problem: Problem, *, start: Floats | None = None, limit: int = 2000) -> Minimum:
    """The minimisers u of ``loss(u V + c, y) + pen(u, a)``, one tree for each row, all at once.

    A node is a vertex u of the cube and a set of free neurons.  The loss is convex, so it lies
    above its tangent at u; the penalty is linear in each sign.  Therefore no choice of the free
    neurons is better than the value at u plus the sum of the negative slopes of their flips.  A
    neuron whose flip costs more than it can change the loss (all losses here are 1-Lipschitz in
    the largest change of a difference of scores) is never free.

    Parameters
    ----------
    problem
        The layers behind are the readout (V, c) alone; the temperature is not used.
    start
        Signs to compare with, such as the minimisers of the last epoch.
    limit
        Nodes a row on average; the rows whose trees are then open are not proved.
    """
    search = _Search.of(problem)
    if start is not None:
        search.offer(np.arange(len(start)), start, rest_scores(start, problem.rest))
    return search.run(limit * len(problem.a))


@dataclass(slots=True, eq=False)
class _Nodes:
    """Some nodes: row, signs, free neurons, scores, and a lower bound."""

    row: Any
    u: Floats
    free: npt.NDArray[np.bool_]
    scores: Floats
    bound: Floats

    def where(self, which: Any) -> _Nodes:
        return _Nodes(
            self.row[which], self.u[which], self.free[which], self.scores[which], self.bound[which]
        )


@dataclass(slots=True, eq=False)
class _Search:
    labels: Any
    matrix: Floats
    loss: Loss
    tilt: Floats
    root: _Nodes
    best: Floats
    value: Floats
    nodes: int = 0
    open: list[_Nodes] = field(default_factory=list[_Nodes])

    @staticmethod
    def of(problem: Problem) -> _Search:
        ((matrix, offset),) = problem.rest
        labels, loss = problem.labels, problem.loss
        rows = np.arange(len(problem.a))
        u, tilt = sign(problem.a), problem.elastic.tilt(problem.a)
        # the most that flipping a neuron can take off the loss
        margins = matrix[None, :, :] - matrix.T[labels][:, :, None]
        gain = np.maximum(0, 2 * u[:, :, None] * margins).max(axis=2)
        scores = u @ matrix + offset
        bound = np.full(len(rows), -np.inf)
        root = _Nodes(rows, u, 2 * np.abs(tilt) < gain, scores, bound)
        value = loss.values(scores, labels) - (tilt * u).sum(axis=1)
        return _Search(labels, matrix, loss, tilt, root, u.copy(), value)

    def offer(self, rows: Any, u: Floats, scores: Floats) -> Floats:
        """Keep the signs where they are better; their values."""
        value = self.loss.values(scores, self.labels[rows]) - (self.tilt[rows] * u).sum(axis=1)
        # of several nodes of one row the best comes last and stays
        order = np.argsort(-value, kind="stable")
        order = order[value[order] < self.value[rows[order]]]
        self.best[rows[order]] = u[order]
        self.value[rows[order]] = value[order]
        return value

    def run(self, limit: int) -> Minimum:
        self.open = [self.root]
        while self.open and self.nodes < limit:
            part = self.open.pop()
            part = part.where(part.bound < self.value[part.row] - _TOLERANCE)
            if len(part.row) > _AT_ONCE:
                self.open.append(part.where(slice(_AT_ONCE, None)))
                part = part.where(slice(_AT_ONCE))
            if len(part.row):
                self.nodes += len(part.row)
                self.expand(part)
        proved = np.ones(len(self.value), dtype=np.bool_)
        for part in self.open:
            proved[part.row[part.bound < self.value[part.row] - _TOLERANCE]] = False
        return Minimum(self.best, proved, self.nodes)

    def expand(self, nodes: _Nodes) -> None:
        """Evaluate nodes and add those children that may hold something better.

        With the free neurons in the order of their slopes, child i keeps the first i and flips
        the next one.
        """
        value = self.offer(nodes.row, nodes.u, nodes.scores)
        slope = self.loss.slope(nodes.scores, self.labels[nodes.row])
        flip = 2 * nodes.u * (self.tilt[nodes.row] - slope @ self.matrix.T)
        flip[~nodes.free] = np.inf
        order = np.argsort(flip, axis=1)
        slopes = np.minimum(np.take_along_axis(flip, order, axis=1), 0)
        # the bound of child i: its own slope and the negative ones of those behind it
        below = value[:, None] + np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1]
        parent, place = np.nonzero(
            (below < self.value[nodes.row][:, None] - _TOLERANCE) & (slopes < 0)
        )
        if not len(parent):
            return
        neuron = order[parent, place]
        each = np.arange(len(parent))
        u = nodes.u[parent]
        scores = nodes.scores[parent] - 2 * u[each, neuron, None] * self.matrix[neuron]
        u[each, neuron] *= -1
        rank = np.argsort(order, axis=1)
        free = nodes.free[parent] & (rank[parent] > place[:, None])
        self.open.append(_Nodes(nodes.row[parent], u, free, scores, below[parent, place]))

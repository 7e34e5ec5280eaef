"""The joint variant: all parameters descend one tame, locally Lipschitz objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tamecheck.learn.cube import patterns
from tamecheck.learn.descent import Batch
from tamecheck.learn.elastic import Elastic, Problem, Weights, rest_scores, soft_enumerated
from tamecheck.learn.losses import Loss
from tamecheck.learn.network import Floats

__all__ = ["Parts", "Slopes", "at_signs", "nested", "one_layer", "soft"]


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """A conservative gradient of ``Σ share_i v(x_i)`` with respect to weights and offsets.

    Parameters
    ----------
    loss
        The value of the objective.
    weights, offsets
        One array a layer, the readout last.
    """

    loss: float
    weights: list[Floats]
    offsets: list[Floats]


Parts = tuple[float, tuple[Floats, Floats, Floats]]
"""A value, and slopes with respect to pre-activations, readout and offset."""


def at_signs(problem: Problem, share: Floats, u: Floats) -> Parts:
    """``Σ share_i v(a_i)`` and its slopes, from minimisers u of the inner problems."""
    labels, loss, elastic = problem.labels, problem.loss, problem.elastic
    scores = rest_scores(u, problem.rest)
    value = float(share @ (loss.values(scores, labels) + elastic.penalty(u, problem.a)))
    back = elastic.slope_at(u, problem.a) * share[:, None]
    out = loss.slope(scores, labels) * share[:, None]
    return value, (back, u.T @ out, out.sum(axis=0))


def soft(problem: Problem, share: Floats) -> Parts:
    """The same for v_t: means of the loss's slopes under the exact p(u | a, y)."""
    a, labels, loss, elastic = problem.a, problem.labels, problem.loss, problem.elastic
    every = patterns(problem.width)
    values, posterior = soft_enumerated(problem)
    prior = np.tanh(elastic.tilt(a) / elastic.temperature)
    back = elastic.slope_between(posterior @ every - prior, a) * share[:, None]
    scores = rest_scores(every, problem.rest)
    out = np.zeros_like(scores)
    for label in np.unique(labels):
        rows = labels == label
        mass = share[rows] @ posterior[rows]
        out += mass[:, None] * loss.slope(scores, np.full(len(every), label))
    return float(share @ values), (back, every.T @ out, out.sum(axis=0))


def one_layer(batch: Batch, parts: Parts) -> Slopes:
    """The slopes of a network with one hidden layer, from those of its pre-activations."""
    value, (back, readout, offset) = parts
    return Slopes(value, [batch.x.T @ back, readout], [back.sum(axis=0), offset])


def nested(batch: Batch, layers: Weights, loss: Loss, elastic: Elastic) -> Slopes:
    """The slopes for several hidden layers, their signs minimised together.

    The objective of a sample is the minimum over the signs of all hidden layers of the loss plus
    the penalty of each layer.  It is found by dynamic programming from the readout: the cost to go
    from the signs of a layer is a table over its 2^h patterns, shared by all rows.
    O(2^(h_k + h_(k+1))) an adjacent pair of layers.
    """
    x, labels, share = batch.x, batch.labels, batch.share
    last = len(layers) - 1
    every = [patterns(layers[k][0].shape[1]) for k in range(last)]
    table = loss.table(every[-1] @ layers[-1][0] + layers[-1][1])
    choices: list[Any] = []
    for k in range(last - 1, 0, -1):
        # rows: patterns of layer k - 1; columns: those of layer k
        a = every[k - 1] @ layers[k][0] + layers[k][1]
        paid = _penalties(a, every[k], elastic)
        best = [(paid + table[:, y]).argmin(axis=1) for y in range(table.shape[1])]
        choices.insert(0, np.column_stack(best))
        table = np.column_stack(
            [(paid + table[:, y])[np.arange(len(a)), b] for y, b in enumerate(best)]
        )
    a = x @ layers[0][0] + layers[0][1]
    total = _penalties(a, every[0], elastic) + table.T[labels]
    place = total.argmin(axis=1)
    value = float(share @ total[np.arange(len(x)), place])
    weights: list[Floats] = []
    offsets: list[Floats] = []
    signs = x
    for k in range(last):
        if k:
            place = choices[k - 1][place, labels]
        u = every[k][place]
        back = elastic.slope_at(u, signs @ layers[k][0] + layers[k][1]) * share[:, None]
        weights.append(signs.T @ back)
        offsets.append(back.sum(axis=0))
        signs = u
    out = loss.slope(signs @ layers[-1][0] + layers[-1][1], labels) * share[:, None]
    return Slopes(value, [*weights, signs.T @ out], [*offsets, out.sum(axis=0)])


def _penalties(a: Floats, every: Floats, elastic: Elastic) -> Floats:
    """The penalty of each pattern at each row of pre-activations."""
    up = elastic.rho * np.maximum(0, elastic.kappa - a)
    down = elastic.rho * np.maximum(0, elastic.kappa + a)
    return down.sum(axis=1)[:, None] + (up - down) @ ((every + 1) / 2).T

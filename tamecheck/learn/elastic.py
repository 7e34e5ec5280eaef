"""The elastic value function of a layer of signs, and its conservative gradient.

Let a be the pre-activations of a layer of h neurons and ``rest(u)`` the scores that the layers
behind it give for signs u.  With the penalty ``pen(u, a) = rho Σ_j max(0, kappa - u_j a_j)``,

    v(a) = min over u in {-1, 1}^h of loss(rest(u)) + pen(u, a)

is the value of a small integer program.  As a minimum of finitely many piecewise linear functions
it is semilinear in a, and Lipschitz with constant rho in each a_j.  Its conservative gradient is
that of the penalty at any minimiser.  At a temperature t > 0,

    v_t(a) = -t log Σ_u p(u | a) exp(-loss(rest(u)) / t),   p(u | a) ∝ exp(-pen(u, a) / t),

which tends to v(a) less its smallest penalty as t falls to 0.  For the logistic loss and t = 1 it
is the negative log-likelihood of a network of random signs.  It is definable in ℝ_exp and has the
same Lipschitz constant.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tamecheck.learn.latent import Weights
from tamecheck.learn.losses import Loss
from tamecheck.learn.network import Floats, sign

_TINY = 1e-200
"""Below this, sums of products of probabilities may have lost their terms to underflow."""


@cache
def patterns(count: int) -> Floats:
    """All vectors of signs of a length, ``(2**count, count)``; bit j of a row's number is j's."""
    numbers = np.arange(2**count, dtype=np.int64)[:, None]
    table: Floats = np.where(numbers >> np.arange(count, dtype=np.int64) & 1, 1.0, -1.0)
    table.flags.writeable = False
    return table


@dataclass(frozen=True, slots=True)
class Elastic:
    """The penalty ``rho Σ max(0, kappa - u_j a_j)``, and t; at t = 0 the minimum itself."""

    rho: float
    kappa: float
    temperature: float

    def tilt(self, a: Floats) -> Floats:
        """Half the penalty of ``u_j = -1`` less that of 1: up to a constant, pen is -u · tilt."""
        return self.rho / 2 * (np.maximum(0, self.kappa + a) - np.maximum(0, self.kappa - a))

    def penalty(self, u: Floats, a: Floats) -> Floats:
        """The penalty of each row."""
        return self.rho * np.maximum(0, self.kappa - u * a).sum(axis=-1)

    def slope_at(self, u: Floats, a: Floats) -> Floats:
        """The gradient of the penalty with respect to a, one element of it at kinks."""
        return -self.rho * u * (self.kappa > u * a)

    def slope_between(self, difference: Floats, a: Floats) -> Floats:
        """The gradient of v_t, from the mean of u under p(u | a, y) less that under p(u | a)."""
        inside = np.where(np.abs(a) < self.kappa, self.rho, self.rho / 2)
        return -difference * inside


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The inner problems of a layer for rows of pre-activations ``(rows, h)`` and their labels."""

    a: Floats
    labels: Any
    rest: Weights
    loss: Loss
    elastic: Elastic

    @property
    def width(self) -> int:
        """The number of neurons."""
        return int(self.a.shape[1])


def rest_scores(signs: Floats, rest: Weights) -> Floats:
    """The scores that the layers behind give for signs ``(..., h)``."""
    # one large matrix product is faster than many small ones
    flat = signs.reshape(-1, signs.shape[-1])
    for matrix, offset in rest[:-1]:
        flat = sign(flat @ matrix + offset)
    scores = flat @ rest[-1][0] + rest[-1][1]
    return scores.reshape(*signs.shape[:-1], scores.shape[-1])


# --- all patterns, for narrow layers ----------------------------------------------------------


def exact_minimisers(problem: Problem) -> Floats:
    """The exact minimisers u of v(a), by enumeration: O(2^h (rows + classes) h)."""
    every = patterns(problem.width)
    table = problem.loss.table(rest_scores(every, problem.rest))
    total = table.T[problem.labels] - problem.elastic.tilt(problem.a) @ every.T
    return every[total.argmin(axis=1)]


def value_and_posterior(problem: Problem) -> tuple[Floats, Floats]:
    """The value v_t and the exact probabilities p(u | a, y) of all `patterns`, in that order."""
    temperature = problem.elastic.temperature
    least, likelihood = _likelihood(problem)
    prior = _product_measure(problem.elastic.tilt(problem.a) / temperature)
    joint = np.multiply(prior, likelihood[problem.labels], out=prior)
    total = joint @ np.ones(joint.shape[1])
    if total.min(initial=1) < _TINY:
        return _posterior_in_logarithms(problem)
    value = least - temperature * np.log(total)
    joint /= total[:, None]
    return value, joint


def _posterior_in_logarithms(problem: Problem) -> tuple[Floats, Floats]:
    """The same for low temperatures, where probabilities underflow."""
    every, temperature = patterns(problem.width), problem.elastic.temperature
    tilt = problem.elastic.tilt(problem.a) / temperature
    table = problem.loss.table(rest_scores(every, problem.rest))
    exponent = tilt @ every.T - table.T[problem.labels] / temperature
    largest = exponent.max(axis=1, keepdims=True)
    joint = np.exp(exponent - largest)
    total = joint.sum(axis=1)
    normaliser = np.logaddexp(tilt, -tilt).sum(axis=1)
    value = temperature * (normaliser - largest[:, 0] - np.log(total))
    return value, joint / total[:, None]


def soft_slope(problem: Problem) -> Floats:
    """The exact gradient of v_t with respect to a.

    The mean of u under p(u | a, y) is had from the two halves of the neurons, by matrix products
    with the table of likelihoods: O(rows 2^h classes) operations, most of them in BLAS.
    """
    temperature, width = problem.elastic.temperature, problem.width
    tilt = problem.elastic.tilt(problem.a) / temperature
    half = width // 2
    low, high = _product_measure(tilt[:, :half]), _product_measure(tilt[:, half:])
    table = _likelihood(problem)[1].reshape(-1, high.shape[1], low.shape[1])
    rows = np.arange(len(low))
    by_low = _sum_over(high, table.transpose(1, 0, 2))[rows, problem.labels] * low
    by_high = _sum_over(low, table.transpose(2, 0, 1))[rows, problem.labels] * high
    total = by_low @ np.ones(low.shape[1])
    if total.min(initial=1) < _TINY:
        means = _posterior_in_logarithms(problem)[1] @ patterns(width)
    else:
        means = np.hstack([by_low @ patterns(half), by_high @ patterns(width - half)])
        means /= total[:, None]
    return problem.elastic.slope_between(means - np.tanh(tilt), problem.a)


def _sum_over(weights: Floats, table: Floats) -> Floats:
    """The sums over the first axis of a table of three, with each row of weights."""
    flat = table.reshape(len(table), -1)
    return (weights @ flat).reshape(len(weights), *table.shape[1:])


def _likelihood(problem: Problem) -> tuple[float, Floats]:
    """The smallest loss l of all patterns and labels, and exp((l - loss) / t), a row a label."""
    table = problem.loss.table(rest_scores(patterns(problem.width), problem.rest))
    least = float(table.min())
    return least, np.exp((least - table.T) / problem.elastic.temperature)


def _product_measure(tilt: Floats) -> Floats:
    """The probabilities of all `patterns` for independent signs u with odds ``exp(2 u tilt)``."""
    rows, count = tilt.shape
    if count > 6:
        # one product of two tables instead of many small ones
        low, high = _product_measure(tilt[:, : count // 2]), _product_measure(tilt[:, count // 2 :])
        return (high[:, :, None] * low[:, None, :]).reshape(rows, 2**count)
    # not 1 - up, which would lose the small ones
    up, down = _logistic(2 * tilt), _logistic(-2 * tilt)
    # a pattern a row, so that each step works on contiguous numbers
    found = np.ones((2**count, rows))
    for j in range(count):
        np.multiply(found[: 2**j], up[:, j], out=found[2**j : 2 ** (j + 1)])
        found[: 2**j] *= down[:, j]
    return found.T


# --- one flip, for wide layers -----------------------------------------------------------------


def best_flip(problem: Problem) -> Floats:
    """The best u that differs from sign(a) in at most one neuron: O(rows h classes)."""
    signs, gains = _flips(problem)
    gains += 2 * np.abs(problem.elastic.tilt(problem.a))
    rows = np.arange(len(signs))
    neuron = gains.argmin(axis=1)
    better = gains[rows, neuron] < 0
    signs[rows[better], neuron[better]] *= -1
    return signs


def soft_flips(problem: Problem) -> Floats:
    """The slope of v_t with respect to each neuron, as if the others were fixed at sign(a).

    Each component is exact for a layer of that one neuron; together they are an approximation.
    """
    signs, gains = _flips(problem)
    temperature = problem.elastic.temperature
    cost = 2 * np.abs(problem.elastic.tilt(problem.a))
    more = _logistic(-(cost + gains) / temperature) - _logistic(-cost / temperature)
    return problem.elastic.slope_between(-2 * signs * more, problem.a)


def _flips(problem: Problem) -> tuple[Floats, Floats]:
    """The signs of the pre-activations, and by how much each neuron's flip raises the loss."""
    signs, labels, loss = sign(problem.a), problem.labels, problem.loss
    matrix, offset = problem.rest[0]
    start = signs @ matrix + offset
    if len(problem.rest) == 1:
        now = loss.values(start, labels)
        return signs, loss.flip_losses(signs, start, matrix, labels) - now[:, None]
    behind = problem.rest[1:]
    now = loss.values(rest_scores(sign(start), behind), labels)
    after = sign(start[:, None, :] - 2 * signs[:, :, None] * matrix)
    return signs, loss.values(rest_scores(after, behind), labels) - now[:, None]


def _logistic(values: Floats) -> Floats:
    # the bound keeps the exponential finite; beyond it the value is 0 in double precision
    return 1 / (1 + np.exp(np.minimum(-values, 700)))


def tangent_slope(problem: Problem, slope: Floats) -> Floats:
    """The slope of v_t with respect to a, with the rest replaced by its tangent ``slope · u``.

    The minimum is then one problem a neuron, and the slope exact: O(rows h).
    """
    a, elastic, temperature = problem.a, problem.elastic, problem.elastic.temperature
    tilt = elastic.tilt(a)
    if temperature == 0:
        return elastic.slope_at(sign(tilt - slope), a)
    moved = np.tanh((tilt - slope) / temperature) - np.tanh(tilt / temperature)
    return elastic.slope_between(moved, a)


# --- branch and bound, for a wide last layer


_AT_ONCE = 4096
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Minimum:
    """The best signs found; for each row whether none are better by more than 1e-9."""

    u: Floats
    proved: npt.NDArray[np.bool_]


def branch_and_bound(
    problem: Problem, *, start: Floats | None = None, limit: int = 2000
) -> Minimum:
    """The minimisers u of ``loss(u V + c, y) + pen(u, a)``, one tree for each row, all at once.

    A node is a vertex u of the cube and a set of free neurons.  The loss is convex, so it lies
    above its tangent at u; the penalty is linear in each sign.  Therefore no choice of the free
    neurons is better than the value at u plus the sum of the negative slopes of their flips.  A
    neuron whose flip costs more than it can change the loss (all losses here are 1-Lipschitz in
    the largest change of a difference of scores) is never free.

    The layers behind are the readout (V, c) alone, and the temperature is not used.  ``start`` are
    signs to compare with.  Rows whose trees are open after ``limit`` nodes a row on average are not
    proved.
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
        return _Nodes(*(getattr(self, field.name)[which] for field in fields(self)))


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
        return Minimum(self.best, proved)

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

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

from dataclasses import dataclass
from typing import Any

import numpy as np

from tamecheck.learn.cube import flips, patterns, sums
from tamecheck.learn.losses import Loss
from tamecheck.learn.network import Floats, sign

__all__ = [
    "Elastic",
    "Problem",
    "Weights",
    "enumerated",
    "nearby",
    "rest_scores",
    "soft_enumerated",
    "soft_nearby",
]

Weights = list[tuple[Floats, Floats]]
"""The layers behind the signs: matrices and offsets, the readout last."""


@dataclass(frozen=True, slots=True)
class Elastic:
    """The penalty ``rho Σ max(0, kappa - u_j a_j)`` and the temperature.

    Parameters
    ----------
    rho
        Its slope.
    kappa
        The margin below which a neuron pays.
    temperature
        0 for the minimum, else t in the smooth form.
    """

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
    """The inner problems of a layer for some rows.

    Parameters
    ----------
    a
        Pre-activations, ``(rows, h)``.
    labels
        One label a row.
    rest
        The layers behind.
    loss
        The loss.
    elastic
        The penalty and the temperature.
    """

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


def enumerated(problem: Problem) -> Floats:
    """The exact minimisers u of v(a), by enumeration: O(2^h (rows + classes) h)."""
    every = patterns(problem.width)
    table = problem.loss.table(rest_scores(every, problem.rest))
    total = table.T[problem.labels] - problem.elastic.tilt(problem.a) @ every.T
    return every[total.argmin(axis=1)]


def soft_enumerated(problem: Problem) -> tuple[Floats, Floats]:
    """The value v_t and the exact probabilities p(u | a, y) of all `patterns`, in that order."""
    every, temperature = patterns(problem.width), problem.elastic.temperature
    table = problem.loss.table(rest_scores(every, problem.rest))
    least = table.min()
    likelihood = np.exp((least - table.T) / temperature)
    prior = _product_measure(_logistic(2 * problem.elastic.tilt(problem.a) / temperature))
    joint = np.multiply(prior, likelihood[problem.labels], out=prior)
    total = joint @ np.ones(len(every))
    value = least - temperature * np.log(total)
    joint /= total[:, None]
    return value, joint


def _product_measure(up: Floats) -> Floats:
    """The probabilities of all `patterns` for independent signs that are 1 so often."""
    rows, count = up.shape
    if count > 6:
        # one product of two tables instead of many small ones
        low, high = _product_measure(up[:, : count // 2]), _product_measure(up[:, count // 2 :])
        return (high[:, :, None] * low[:, None, :]).reshape(rows, 2**count)
    found = np.ones((rows, 2**count))
    for j in range(count):
        np.multiply(found[:, : 2**j], up[:, j, None], out=found[:, 2**j : 2 ** (j + 1)])
        found[:, : 2**j] -= found[:, 2**j : 2 ** (j + 1)]
    return found


# --- the neurons nearest to a flip, for wide layers --------------------------------------------


def nearby(problem: Problem, count: int) -> Floats:
    """The best u that differs from sign(a) in at most ``count`` cheapest neurons of each row."""
    cheap = _Cheap.of(problem, count)
    total = cheap.losses(problem) + cheap.costs @ flips(count).T
    return cheap.flipped(flips(count)[total.argmin(axis=1)])


def soft_nearby(problem: Problem, count: int) -> tuple[Floats, Floats]:
    """The value v_t of the cheapest neurons alone, the others fixed at sign(a), and its slope."""
    cheap, temperature = _Cheap.of(problem, count), problem.elastic.temperature
    losses = cheap.losses(problem)
    least = losses.min(axis=1, keepdims=True)
    odds = _logistic(-cheap.costs / temperature)
    joint = _product_measure(odds) * np.exp((least - losses) / temperature)
    total = joint @ np.ones(2**count)
    value = least[:, 0] - temperature * np.log(total)
    flipped = (joint @ flips(count)) / total[:, None]
    difference = np.zeros_like(problem.a)
    difference[cheap.rows, cheap.neurons] = -2 * cheap.chosen * (flipped - odds)
    return value, problem.elastic.slope_between(difference, problem.a)


@dataclass(frozen=True, slots=True, eq=False)
class _Cheap:
    """The neurons of each row whose flip costs least: ``(rows, count)`` arrays."""

    signs: Floats
    rows: Any
    neurons: Any
    chosen: Floats
    costs: Floats

    @staticmethod
    def of(problem: Problem, count: int) -> _Cheap:
        cost = 2 * np.abs(problem.elastic.tilt(problem.a))
        rows = np.arange(len(cost))[:, None]
        neurons = np.argpartition(cost, count - 1, axis=1)[:, :count]
        signs = sign(problem.a)
        return _Cheap(signs, rows, neurons, signs[rows, neurons], cost[rows, neurons])

    def losses(self, problem: Problem) -> Floats:
        """The loss of each set of flips, ``(rows, 2**count)``."""
        rest, labels, loss = problem.rest, problem.labels, problem.loss
        matrix, offset = rest[0]
        steps = -2 * self.chosen[:, :, None] * matrix[self.neurons]
        start = self.signs @ matrix + offset
        if len(rest) == 1:
            return loss.cube(start, steps, labels)
        return loss.values(rest_scores(sign(sums(start, steps)), rest[1:]), labels)

    def flipped(self, which: Floats) -> Floats:
        """The signs with some of the chosen neurons flipped."""
        found = np.array(self.signs)
        found[self.rows, self.neurons] = self.chosen * (1 - 2 * which)
        return found


def _logistic(values: Floats) -> Floats:
    return (1 + np.tanh(values / 2)) / 2

"""The two variants of tame backpropagation as directions of descent."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from tamecheck.learn.descent import Batch, Schedule, Step
from tamecheck.learn.effort import DataError
from tamecheck.learn.elastic import (
    Elastic,
    Problem,
    best_flip,
    branch_and_bound,
    exact_minimisers,
    patterns,
    rest_scores,
    soft_flips,
    soft_slope,
    tangent_slope,
    value_and_posterior,
)
from tamecheck.learn.estimator import Labels
from tamecheck.learn.latent import Latent, Weights, forward
from tamecheck.learn.losses import Loss
from tamecheck.learn.network import Floats, sign

_FAST = 10
"""Layers up to this width are enumerated unless another way is asked for."""

ENUMERATED = 14
"""The widest layer that is enumerated at all."""

_NESTED = 18
"""The most neurons of two neighbouring layers that dynamic programming goes through."""


@dataclass(slots=True, eq=False)
class Inner:
    """How the inner problem of each hidden layer is solved, and what came of it.

    The methods are ``"enumerate"``, ``"branch"``, ``"flips"`` and ``"tangent"``.  ``proved`` is
    whether branch and bound always ended, ``warm`` its last minimisers, by the number of the row.
    """

    methods: tuple[str, ...]
    proved: bool = True
    warm: dict[int, Floats] = field(default_factory=dict[int, Floats])

    @staticmethod
    def of(hidden: tuple[int, ...], inner: str, *, always_cold: bool, joint: bool) -> Inner:
        """The methods for layers of these widths.

        Raises
        ------
        DataError
            If an exact solution is asked for where none is known that is fast enough, or the joint
            variant where its objective cannot be descended.
        """
        last = len(hidden) - 1
        methods: list[str] = []
        for number, width in enumerate(hidden):
            if inner != "flips" and width <= (ENUMERATED if inner == "exact" else _FAST):
                methods.append("enumerate")
            elif inner != "exact":
                methods.append("tangent" if inner == "auto" and number < last else "flips")
            elif always_cold and number == last:
                methods.append("branch")
            else:
                raise DataError(
                    f"The inner problem of hidden layer {number} with {width} neurons has no exact "
                    "solution here.",
                    hint="Up to 14 neurons it has; more in the last hidden layer at temperature=0.",
                )
        if joint and last and not (always_cold and set(methods) == {"enumerate"}):
            raise DataError(
                "The joint variant of several hidden layers needs temperature=0 and exact inner "
                "problems.",
                hint="Use variant='split', or layers of up to 10 neurons.",
            )
        if joint and any(m + n > _NESTED for m, n in pairwise(hidden)):
            raise DataError(
                f"Two neighbouring layers of the joint variant have more than {_NESTED} neurons.",
                hint="Use variant='split'.",
            )
        if joint and not always_cold and methods != ["enumerate"]:
            raise DataError(
                "The joint variant at a temperature needs exact inner problems.",
                hint="Use inner='exact' (up to 14 neurons), or temperature=0.",
            )
        return Inner(tuple(methods))

    def summary(self) -> str:
        """``exact``, ``flips``, ``mixed`` or ``unproved``."""
        if not self.proved:
            return "unproved"
        if not {"flips", "tangent"} & set(self.methods):
            return "exact"
        return "flips" if set(self.methods) == {"flips"} else "mixed"

    def minimisers(self, number: int, problem: Problem, rows: Labels) -> Floats:
        """The signs of layer ``number`` that minimise its inner problems, for rows of the data."""
        match self.methods[number]:
            case "enumerate":
                return exact_minimisers(problem)
            case "branch":
                return self._branch_and_bound(problem, rows.tolist())
            case _:
                return best_flip(problem)

    def _branch_and_bound(self, problem: Problem, rows: list[int]) -> Floats:
        start = sign(problem.a)
        for place, row in enumerate(rows):
            if row in self.warm:
                start[place] = self.warm[row]
        found = branch_and_bound(problem, start=start)
        self.proved = self.proved and bool(found.proved.all())
        self.warm.update(zip(rows, found.u, strict=True))
        return found.u

    def slope(self, number: int, problem: Problem, rows: Labels) -> Floats:
        """The conservative gradient of each row's value function with respect to ``a``."""
        a, elastic = problem.a, problem.elastic
        if elastic.temperature == 0:
            return elastic.slope_at(self.minimisers(number, problem, rows), a)
        if self.methods[number] == "flips":
            return soft_flips(problem)
        return soft_slope(problem)


@dataclass(frozen=True, slots=True, eq=False)
class _Variant:
    loss: Loss
    rho: Schedule
    kappa: Schedule
    temperature: Schedule
    inner: Inner

    def elastic(self, progress: float) -> Elastic:
        """The penalty at a time of the training."""
        return Elastic(
            self.rho.at(progress), self.kappa.at(progress), self.temperature.at(progress)
        )


class Split(_Variant):
    """The split variant: each layer descends its value function, the readout its own loss."""

    def __call__(self, latent: Latent, batch: Batch, progress: float) -> Step:
        """The slopes on a batch."""
        elastic = self.elastic(progress)
        layers = latent.effective()
        inputs, sums, scores = forward(layers, batch.x)
        share = batch.share
        mean = float(share @ self.loss.values(scores, batch.labels))
        backs = [self.loss.slope(scores, batch.labels)]
        for number in reversed(range(len(sums))):
            behind = layers[number + 1 :]
            problem = Problem(sums[number], batch.labels, behind, self.loss, elastic)
            if self.inner.methods[number] == "tangent":
                back = tangent_slope(problem, backs[-1] @ behind[0][0].T)
            else:
                back = self.inner.slope(number, problem, batch.rows)
            backs.append(back)
        weighted = [back * share[:, None] for back in backs[::-1]]
        weight_slopes = [x.T @ back for x, back in zip(inputs, weighted, strict=True)]
        return Step.of(mean, weight_slopes, [back.sum(axis=0) for back in weighted])


class Joint(_Variant):
    """The joint variant: all layers descend one tame, locally Lipschitz objective."""

    def __call__(self, latent: Latent, batch: Batch, progress: float) -> Step:
        """The slopes on a batch."""
        layers, elastic = latent.effective(), self.elastic(progress)
        if len(layers) > 2:
            return nested(batch, layers, self.loss, elastic)
        a = batch.x @ layers[0][0] + layers[0][1]
        problem = Problem(a, batch.labels, layers[1:], self.loss, elastic)
        if elastic.temperature > 0:
            return one_layer(batch, soft(problem, batch.share))
        u = self.inner.minimisers(0, problem, batch.rows)
        return one_layer(batch, at_signs(problem, batch.share, u))


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
    values, posterior = value_and_posterior(problem)
    prior = np.tanh(elastic.tilt(a) / elastic.temperature)
    back = elastic.slope_between(posterior @ every - prior, a) * share[:, None]
    scores = rest_scores(every, problem.rest)
    out = np.zeros_like(scores)
    for label in np.unique(labels):
        rows = labels == label
        mass = share[rows] @ posterior[rows]
        out += mass[:, None] * loss.slope(scores, np.full(len(every), label))
    return float(share @ values), (back, every.T @ out, out.sum(axis=0))


def one_layer(batch: Batch, parts: Parts) -> Step:
    """The slopes of a network with one hidden layer, from those of its pre-activations."""
    value, (back, readout, offset) = parts
    return Step.of(value, [batch.x.T @ back, readout], [back.sum(axis=0), offset])


def nested(batch: Batch, layers: Weights, loss: Loss, elastic: Elastic) -> Step:
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
    return Step.of(value, [*weights, signs.T @ out], [*offsets, out.sum(axis=0)])


def _penalties(a: Floats, every: Floats, elastic: Elastic) -> Floats:
    """The penalty of each pattern at each row of pre-activations."""
    up = elastic.rho * np.maximum(0, elastic.kappa - a)
    down = elastic.rho * np.maximum(0, elastic.kappa + a)
    return down.sum(axis=1)[:, None] + (up - down) @ ((every + 1) / 2).T

"""Annealing over the integer weights of a small network: good starts for a MIP solver."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tamecheck.budget import Budget
from tamecheck.learn.effort import interruptible
from tamecheck.learn.mip.task import Architecture, Grid, Params, Task, grids
from tamecheck.learn.network import Floats, Layer, sign

_HALF = 0.5
"""Where offsets are no integers, halves keep integer sums away from 0."""

_HOT, _COLD = 0.5, 0.02
_SLACK = 0.05
"""How much a missing unit of margin counts beside an error."""


def anneal(  # noqa: PLR0913 (options, by keyword only)
    task: Task,
    architecture: Architecture,
    rng: np.random.Generator,
    *,
    budget: Budget,
    goal: float = 0.0,
    starts: int = 8,
    sweeps: int = 60,
) -> Params:
    """The best network that annealing from random starts finds within the budget.

    A move picks a neuron, evaluates all its one-weight and one-offset changes at once, and draws
    one by their Boltzmann weights; the energy is the weighted errors plus a small multiple of the
    missing output margin.  Real weights are searched among ±1.  There are ``sweeps`` moves a neuron
    and start; errors of ``goal`` leave nothing to search.
    """
    weight = task.table
    target = goal / float(weight.sum()) * len(task.x) + 1e-9
    scaled = weight / weight.sum() * len(task.x)
    limits = grids(task, architecture)
    best, found = np.inf, None
    for _ in range(starts):
        if found is not None and (best <= target or budget.is_spent):
            break
        errors, params = _State(task.x, scaled, architecture, limits, rng).anneal(
            sweeps, target, budget
        )
        if found is None or errors < best:
            best, found = errors, params
    if found is None:
        raise ValueError("no start was made")
    return found


class _State:
    """Weights, offsets and the values that they give on the rows."""

    def __init__(
        self,
        x: Floats,
        weight: Floats,
        architecture: Architecture,
        limits: tuple[Grid, ...],
        rng: np.random.Generator,
    ) -> None:
        self.x, self.weight, self.limits, self.rng = x, weight, limits, rng
        self.bias, self.whole = architecture.bias, bool((x == np.rint(x)).all())
        widths, self.choices = architecture.widths, architecture.choices
        self.weights = [rng.choice(self.choices, size=shape) for shape in pairwise(widths)]
        self.offsets = [
            np.full(count, _base(grid) if self.bias else 0.0)
            for count, grid in zip(widths[1:], limits, strict=True)
        ]
        if self.bias and len(x) > 0:
            # thresholds in the middle of the data
            self.offsets[0] = self._snap(-np.median(x @ self.weights[0], axis=0), limits[0])

    def _snap(self, value: Floats, grid: Grid) -> Floats:
        reach, base = float(grid.reach or 0), _base(grid)
        if not grid.step and not self.whole:
            return np.clip(value, -reach, reach)
        step = _stride(grid)
        return np.clip(np.rint((value - base) / step) * step + base, -reach, reach)

    def anneal(self, sweeps: int, target: float, budget: Budget) -> tuple[float, Params]:
        """Cool down once; the fewest errors seen and the network that makes them."""
        neurons = [(k, j) for k, w in enumerate(self.weights) for j in range(w.shape[1])]
        moves = sweeps * len(neurons)
        best, found = np.inf, self._params()
        with interruptible(budget):
            for number in range(moves):
                heat = _HOT * (_COLD / _HOT) ** (number / moves)
                layer, neuron = neurons[self.rng.integers(len(neurons))]
                errors = self._move(layer, neuron, heat)
                if errors < best:
                    best, found = errors, self._params()
                if best <= target or (number % 16 == 0 and budget.is_spent):
                    break
        return best, found

    def _params(self) -> Params:
        return tuple(Layer(w, b) for w, b in zip(self.weights, self.offsets, strict=True))

    def _move(self, layer: int, neuron: int, heat: float) -> float:
        """Draw one change of a neuron; the errors after it."""
        values = self.x
        for k in range(layer):
            values = sign(values @ self.weights[k] + self.offsets[k])
        sums = values @ self.weights[layer] + self.offsets[layer]
        column = self.weights[layer][:, neuron]
        kinds = [np.flatnonzero(column != value) for value in self.choices]
        places = np.concatenate(kinds)
        new = np.repeat(self.choices, [len(kind) for kind in kinds])
        shifts = self._shifts(layer, neuron, sums[:, neuron])
        by_weight = values.T[places] * (new - column[places])[:, None]
        by_offset = np.repeat(shifts[:, None], len(values), axis=1)
        trial = sums[:, neuron] + np.concatenate([by_weight, by_offset])
        energies, errors = self._energies(layer, neuron, sums, trial)
        odds = np.exp(-(energies - energies.min()) / heat)
        choice = int(self.rng.choice(len(odds), p=odds / odds.sum()))
        if choice < len(places):
            column[places[choice]] = new[choice]
        else:
            self.offsets[layer][neuron] += shifts[choice - len(places)]
        return float(errors[choice])

    def _step(self, layer: int, sums: Floats) -> float:
        """The least change of an offset: of the grid, or a share of the spread of real sums."""
        step = _stride(self.limits[layer])
        return step if self.whole or layer else max(float(sums.std()) / 8, 1e-9)

    def _shifts(self, layer: int, neuron: int, sums: Floats) -> Floats:
        """The changes of the offset: none, and steps within the reach."""
        if not self.bias:
            return np.zeros(1)
        grid = self.limits[layer]
        step = self._step(layer, sums)
        reach, now = float(grid.reach or 0), self.offsets[layer][neuron]
        steps = np.array([0.0, -1, 1, -2, 2, -4, 4]) * step
        return steps[np.abs(now + steps) <= reach]

    def _energies(
        self, layer: int, neuron: int, sums: Floats, trial: Floats
    ) -> tuple[Floats, Floats]:
        """Energy and errors of every trial, ``(trials,)`` each; ``trial`` is (trials, rows)."""
        if layer == len(self.weights) - 1:
            scores = np.repeat(sums[None], len(trial), axis=0)
            scores[:, :, neuron] = trial
            return self._losses(scores)
        change = sign(trial) - sign(sums[:, neuron])
        values = sign(sums)
        nxt = values @ self.weights[layer + 1] + self.offsets[layer + 1]
        after = nxt[None] + change[:, :, None] * self.weights[layer + 1][neuron]
        for k in range(layer + 2, len(self.weights)):
            after = sign(after) @ self.weights[k] + self.offsets[k]
        return self._losses(after)

    def _losses(self, scores: Floats) -> tuple[Floats, Floats]:
        weight = self.weight
        if scores.shape[2] == 1:
            output = scores[:, :, 0]
            wrong = np.where(output >= 0, weight[:, 0], weight[:, 1])
            slack = np.maximum(0, 1 - output) * weight[:, 1]
            slack = slack + np.maximum(0, 1 + output) * weight[:, 0]
            errors = wrong.sum(axis=1)
            return errors + _SLACK * slack.sum(axis=1), errors
        decided = scores.argmax(axis=2)
        total = weight.sum(axis=1)
        errors = (total - weight[np.arange(len(weight)), decided]).sum(axis=1)
        own = np.einsum("trc,rc->tr", scores, weight)
        slack = np.maximum(0, scores.max(axis=2) * total + total - own)
        return errors + _SLACK * slack.sum(axis=1), errors


def _base(grid: Grid) -> float:
    return float(grid.base) if grid.step >= 1 else _HALF


def _stride(grid: Grid) -> float:
    return max(float(grid.step), 1.0)

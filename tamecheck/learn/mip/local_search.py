"""Local search for small networks: annealing, and neuron by neuron with a MIP solver.

The second is after Kurtz and Bah (2021).  With all other neurons fixed, the errors of a network
depend on one hidden neuron through its sign on each row alone: the rows where the sign matters,
each with the sign that loses less, are a task for a single neuron.  Its program has no products of
weights and signs, so that CBC solves it where the program of the whole network is out of its
reach.  The output layer on fixed signs is a task without hidden layers.  No step makes the network
worse.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from tamecheck.budget import Budget
from tamecheck.learn.effort import Effort, interruptible, points_of
from tamecheck.learn.mip.encoding import Encoding, Objective, lift
from tamecheck.learn.mip.task import Architecture, Grid, Params, Task, best_offset, grids
from tamecheck.learn.network import BinarizedNetwork, Floats, Layer, sign

_MOST_DOUBLED = 4
_LEAST_SECONDS = 0.5


def alternate(
    task: Task, architecture: Architecture, rng: np.random.Generator, effort: Effort, budget: Budget
) -> Params:
    """A network whose errors no change of one neuron that the solver finds makes fewer.

    The first network is built from the inputs on: every hidden neuron tells the classes (or two
    random halves of them) apart, rows that the neurons before it got wrong weighing more.  Solvers
    start from rounded correlations, and are not asked where these lose nothing.  Then
    the output layer and the hidden neurons, from the last to the first, are replaced by better ones
    until none is found, the errors that no classifier avoids are reached, or the budget is spent.
    The effort's seconds do not count: all programs share the budget's.
    """
    state = _State(task, architecture, rng, effort, budget)
    with interruptible(budget):
        state.build()
        while state.errors() > state.goal and state.improve():
            pass
    return tuple(state.layers)


class _State:
    """A network that grows and improves, and what is left of the time."""

    def __init__(
        self,
        task: Task,
        architecture: Architecture,
        rng: np.random.Generator,
        effort: Effort,
        budget: Budget,
    ) -> None:
        self.architecture, self.effort, self.rng, self.budget = architecture, effort, rng, budget
        self.x, self.limits, self.weight = task.x, grids(task, architecture), task.table
        self.goal = float(task.floor) + 1e-9 * float(self.weight.sum())
        widths = architecture.widths
        self.pending = sum(widths[1:-1]) + 1
        self.layers = [
            Layer(rng.choice(architecture.choices, size=shape), self._offsets(number, shape[1]))
            for number, shape in enumerate(pairwise(widths))
        ]

    def _offsets(self, number: int, count: int) -> Floats:
        """Offsets of the grid that are next to 0 and keep whole sums away from it."""
        grid = self.limits[number]
        return np.full(count, 0.0 if grid.reach is None else float(grid.base + grid.above % 1))

    def build(self) -> None:
        """The first network, layer by layer."""
        values = self.x
        for number in range(len(self.layers) - 1):
            votes = np.zeros(len(values))
            for neuron in range(self.layers[number].weights.shape[1]):
                gain = self._half() * 2.0 ** np.clip(-votes, -_MOST_DOUBLED, _MOST_DOUBLED)
                self._replace(number, neuron, values, gain)
                votes += sign(self._neuron(number, neuron)(values)[:, 0]) * np.sign(gain)
            values = sign(self.layers[number](values))
        self._read_out(values)

    def improve(self) -> bool:
        """Replace the output layer, then neurons from the last to the first, by better ones."""
        before = self.errors()
        values = self._values()
        self._read_out(values[-1])
        for number in range(len(self.layers) - 2, -1, -1):
            for neuron in range(self.layers[number].weights.shape[1]):
                self._replace(number, neuron, values[number], self._gain(number, neuron, values))
                if self.errors() <= self.goal:
                    return True
        return self.errors() < before

    def errors(self) -> float:
        """The weighted errors of the network as it is."""
        return float(self._lost(self.layers[-1](self._values()[-1])).sum())

    def _values(self) -> list[Floats]:
        """What each layer gets."""
        return [self.x, *BinarizedNetwork(tuple(self.layers)).hidden(self.x)]

    def _lost(self, scores: Floats) -> Floats:
        """The weight that each row loses."""
        decided = (scores[:, 0] >= 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)
        return self.weight.sum(axis=1) - self.weight[np.arange(len(scores)), decided]

    def _half(self) -> Floats:
        """How much better 1 is than -1 on each row for a neuron that tells halves apart."""
        classes = self.weight.shape[1]
        second = np.array([False, True])
        if classes > 2:
            second = self.rng.permutation(classes) < classes // 2
        return self.weight[:, second].sum(axis=1) - self.weight[:, ~second].sum(axis=1)

    def _gain(self, number: int, neuron: int, values: list[Floats]) -> Floats:
        """How much less each row loses when the sign of a neuron is 1 than when it is -1."""
        lost: list[Floats] = []
        for value in (-1.0, 1.0):
            signs = values[number + 1].copy()
            signs[:, neuron] = value
            for layer in self.layers[number + 1 : -1]:
                signs = sign(layer(signs))
            lost.append(self._lost(self.layers[-1](signs)))
        return lost[0] - lost[1]

    def _replace(self, number: int, neuron: int, values: Floats, gain: Floats) -> None:
        """Put the best neuron that is found for these gains, if it is better than the old one."""

        def cost(single: Layer) -> float:
            return float(np.abs(gain[(single(values)[:, 0] >= 0) != (gain > 0)]).sum())

        old, *earlier = (self._neuron(number, k) for k in (neuron, *range(neuron)))
        if not cost(old):
            return
        # what an earlier neuron of the layer does without loss needs no solver
        best = next((single for single in earlier if not cost(single)), None)
        if best is None:
            start = min(old, self._guess(number, values, gain), key=cost)
            rows = np.flatnonzero(gain)
            weight = np.zeros((len(rows), 2))
            weight[np.arange(len(rows)), (gain[rows] > 0).astype(int)] = np.abs(gain[rows])
            asked = self._ask(number, values[rows], weight, start) if cost(start) else [start]
            best = min(asked, key=cost)
        layer = self.layers[number]
        columns, offsets = layer.weights.copy(), layer.offset.copy()
        columns[:, neuron], offsets[neuron] = best.weights[:, 0], best.offset[0]
        self.layers[number] = Layer(columns, offsets)

    def _neuron(self, number: int, neuron: int) -> Layer:
        layer = self.layers[number]
        return Layer(layer.weights[:, [neuron]], layer.offset[[neuron]])

    def _guess(self, number: int, values: Floats, gain: Floats) -> Layer:
        """The neuron whose weights are the correlations of inputs and gains, rounded."""
        slopes = gain @ values
        slopes = slopes / max(float(np.abs(slopes).max()), 1e-300)
        if self.architecture.kind == "binary":
            slopes = sign(slopes)
        elif self.architecture.kind == "ternary":
            slopes = np.clip(np.rint(2 * slopes), -1, 1)
        offset = best_offset(values @ slopes, gain, self.limits[number])
        return Layer(slopes[:, None], np.array([offset]))

    def _read_out(self, values: Floats) -> None:
        """Put the best output layer that is found for these signs, if it is better."""

        def cost(layer: Layer) -> float:
            return float(self._lost(layer(values)).sum())

        last, total = len(self.layers) - 1, self.weight.sum(axis=1)
        # a single output is 1 for the second class; of several, each is for its own
        own = [1] if self.architecture.widths[-1] == 1 else range(self.weight.shape[1])
        guesses = [self._guess(last, values, 2 * self.weight[:, c] - total) for c in own]
        guess = Layer(
            np.hstack([g.weights for g in guesses]), np.concatenate([g.offset for g in guesses])
        )
        start = min(self.layers[-1], guess, key=cost)
        if cost(start) > self.goal:
            start = min(self._ask(last, values, self.weight, start), key=cost)
        self.layers[-1] = start

    def _ask(self, number: int, values: Floats, weight: Floats, start: Layer) -> list[Layer]:
        """The neurons to start from, and what solvers make of them for these rows and weights."""
        if self.budget.is_spent:
            return [start]
        left = self.budget.seconds
        share = max(_LEAST_SECONDS, left / max(1, self.pending))
        self.pending -= 1
        architecture = replace(self.architecture, widths=start.weights.shape)
        encoding = Encoding(
            _merge(values, weight), architecture, Objective("errors"), (self.limits[number],)
        )
        effort = replace(self.effort, seconds=min(share, left))
        said = effort.claims(encoding.program, lift(encoding, (start,)))
        return [start, *(encoding.params(x)[0] for x in points_of(said))]


def _merge(values: Floats, weight: Floats) -> Task:
    """The task of these rows, equal ones merged."""
    x, place = np.unique(values, axis=0, return_inverse=True)
    total = np.zeros((len(x), weight.shape[1]))
    np.add.at(total, place.reshape(-1), weight)
    rows = tuple(
        tuple((label, Fraction(w)) for label, w in enumerate(row) if w) for row in total.tolist()
    )
    return Task(x, rows, weight.shape[1])


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
        errors, params = _Annealing(task.x, scaled, architecture, limits, rng).anneal(
            sweeps, target, budget
        )
        if found is None or errors < best:
            best, found = errors, params
    if found is None:
        raise ValueError("no start was made")
    return found


class _Annealing:
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

"""What a training program is about: distinct rows, an architecture, and its grids of values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tamecheck.learn.estimator import TrainingSet
from tamecheck.learn.network import BinarizedNetwork, Floats, Layer, WeightKind, round_layers

Params = tuple[Layer, ...]
"""Hidden layers, then the output: one neuron for two classes, else one score a class."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Distinct rows of features, each with ``(class, weight)`` of the classes it occurs with.

    There is more than one where labels contradict.
    """

    x: Floats
    weights: tuple[tuple[tuple[int, Fraction], ...], ...]
    classes: int

    @property
    def integral(self) -> bool:
        """Whether all features are integers of a size that float64 computes with exactly."""
        return bool((self.x == np.rint(self.x)).all()) and float(np.abs(self.x).max()) < 2**31

    @property
    def floor(self) -> Fraction:
        """The weighted errors that no classifier avoids: equal rows with different classes."""
        weights = ([w for _, w in row] for row in self.weights)
        return sum((sum(row, Fraction(0)) - max(row) for row in weights), Fraction(0))

    @property
    def table(self) -> Floats:
        """The weight of each class at each row, ``(rows, classes)``."""
        found = np.zeros((len(self.x), self.classes))
        for i, row in enumerate(self.weights):
            for label, weight in row:
                found[i, label] = float(weight)
        return found

    def search_values(self, architecture: Architecture) -> tuple[float, ...] | None:
        """The weights of two-class networks that can be gone through; None if they cannot be."""
        whole = all(w.denominator == 1 for row in self.weights for _, w in row)
        if self.classes != 2 or architecture.kind == "real" or not (whole and self.integral):
            return None
        return architecture.choices


def task_of(data: TrainingSet) -> Task:
    """Merge equal rows."""
    x, place = np.unique(data.x, axis=0, return_inverse=True)
    weights: list[defaultdict[int, Fraction]] = [defaultdict(Fraction) for _ in x]
    rows = zip(place.reshape(-1).tolist(), data.labels.tolist(), data.weight.tolist(), strict=True)
    for row, label, weight in rows:
        weights[row][label] += Fraction(weight)
    return Task(x, tuple(tuple(sorted(w.items())) for w in weights), data.classes)


@dataclass(frozen=True, slots=True)
class Architecture:
    """The networks that a program ranges over.

    ``widths`` are those of the features, of each hidden layer and of the output (1 for two
    classes); weights are ±1 (``"binary"``), -1, 0, 1 (``"ternary"``) or in [-1, 1] (``"real"``).
    Without offsets (``bias``), sign(0) = 1 decides ties.  ``margin`` is the least distance of a
    pre-activation from 0 where it is no integer.
    """

    widths: tuple[int, ...]
    kind: WeightKind
    bias: bool
    margin: Fraction

    @property
    def choices(self) -> tuple[float, ...]:
        """The weights that a search tries; of real ones the ends."""
        return (-1.0, 0.0, 1.0) if self.kind == "ternary" else (-1.0, 1.0)

    @property
    def strict(self) -> Fraction:
        """The least difference of two sums that are not equal."""
        return self.margin if self.kind == "real" else Fraction(1)


@dataclass(frozen=True, slots=True)
class Grid:
    """The values that a layer's pre-activations and offsets take.

    Offsets are ``step * t + base`` with an integer t (any real if ``step`` is 0), of absolute value
    at most ``reach``, which is None for neurons without offset.  A neuron is 1 where its
    pre-activation is at least ``above``, and -1 where it is at most ``below``; none lies between.
    """

    step: Fraction
    base: Fraction
    reach: Fraction | None
    above: Fraction
    below: Fraction


def grids(task: Task, architecture: Architecture) -> tuple[Grid, ...]:
    """The grid of each layer, by the parity of its sums where that is known."""
    found: list[Grid] = []
    for number, inputs in enumerate(architecture.widths[:-1]):
        x: Floats = task.x if number == 0 else np.ones((1, inputs))
        whole = task.integral or number > 0
        size = max(sum((Fraction(abs(v)) for v in row), Fraction(0)) for row in x.tolist())
        odd = whole and bool((np.abs(x) % 2 == 1).all())
        if number == len(architecture.widths) - 2 and architecture.widths[-1] > 1:
            found.append(_score_grid(size, architecture))
        elif architecture.kind == "real" or not whole:
            found.append(_real_grid(size, architecture))
        elif odd and architecture.kind == "binary":
            found.append(_odd_grid(size, inputs, bias=architecture.bias))
        elif architecture.bias:
            half = Fraction(1, 2)
            # whole offsets give larger margins, halves keep the sums away from 0
            found.append(Grid(half, Fraction(0), size + half, half, -half))
        else:
            found.append(Grid(Fraction(1), Fraction(0), None, Fraction(0), Fraction(-1)))
    return tuple(found)


def _score_grid(size: Fraction, architecture: Architecture) -> Grid:
    """Scores are compared with each other, so only their offsets have a grid."""
    step = Fraction(int(architecture.kind != "real"))
    reach = size if architecture.bias else None
    return Grid(step, Fraction(0), reach, Fraction(0), Fraction(0))


def _real_grid(size: Fraction, architecture: Architecture) -> Grid:
    half = architecture.margin / 2
    if architecture.bias:
        return Grid(Fraction(0), Fraction(0), size + 1, half, -half)
    return Grid(Fraction(0), Fraction(0), None, Fraction(0), -architecture.margin)


def _odd_grid(size: Fraction, inputs: int, *, bias: bool) -> Grid:
    """Sums of ``inputs`` odd terms have the parity of ``inputs``; offsets make them odd."""
    one, two = Fraction(1), Fraction(2)
    if bias:
        return Grid(two, Fraction((inputs + 1) % 2), size + 1, one, -one)
    odd = inputs % 2 == 1
    return Grid(two, Fraction(0), None, one if odd else Fraction(0), -one if odd else -two)


def tie_shift(architecture: Architecture) -> Fraction:
    """What the second of two classes gets for o = 0 to be its: 0 where o is never 0."""
    return Fraction(0) if architecture.bias else architecture.strict


def network_of(
    params: Sequence[Layer], architecture: Architecture, magnitude: float | None
) -> BinarizedNetwork:
    """The network with one score a class; a single output o becomes the scores -o and o.

    Without offsets, o = 0 means the second class, as sign(0) = 1.
    """
    *hidden, output = params
    if output.weights.shape[1] == 1:
        shift, tie = output.offset[0], float(tie_shift(architecture))
        weights = np.hstack([-output.weights, output.weights])
        output = Layer(weights, np.array([-shift, shift + tie]))
    layers = [*hidden, output]
    whole = all(bool((layer.weights == np.rint(layer.weights)).all()) for layer in layers)
    if whole and magnitude is not None:
        return BinarizedNetwork(tuple(layers))
    return round_layers(layers, magnitude)


# --- the offset of a neuron whose weights are known


def levels_of(sums: Floats) -> Floats:
    """The values from which on sums can be positive: each of them, and one above all."""
    values = np.unique(sums)
    return np.append(values, values[-1] + 1)


def offset_at(sums: Floats, level: float, grid: Grid, *, loose: bool = False) -> float:
    """The offset of the grid with which exactly the sums from ``level`` on are positive.

    If none is to be, the largest may come to 0, which is positive as well, if ``loose``.
    """
    if grid.reach is None:
        return 0.0
    base, reach = float(grid.base), float(grid.reach)
    below = sums[sums < level]
    if not grid.step:
        highest = float(below.max()) if len(below) else level - 1
        return float(np.clip(-(level + highest) / 2, -reach, reach))
    step = float(grid.step)
    # the least offset b on the grid with level + b > 0; levels are sums, whose parity it fits
    offset = float(np.floor((-level - base) / step) + 1) * step + base
    if len(below) == len(sums):
        # and the largest one with sums.max() + b < 0, or <= 0
        highest = (-sums.max() - base) / step
        offset = float(np.floor(highest) if loose else np.ceil(highest) - 1) * step + base
    return float(np.clip(offset, -reach, reach))


def best_offset(sums: Floats, gain: Floats, grid: Grid) -> float:
    """The offset that loses least, where 1 is better than -1 by ``gain`` on each row."""
    levels = levels_of(sums)
    order = np.argsort(sums, kind="stable")
    # what is lost below a level: gains of the rows that are -1 there
    lost = np.append(0.0, np.cumsum(gain[order]))[np.searchsorted(sums[order], levels)]
    # a guess; networks of a seed depend on it
    return offset_at(sums, float(levels[int(np.argmin(lost))]), grid, loose=True)


# --- exact losses: forward passes in integers or rationals


Exact = npt.NDArray[np.object_]


def errors_of(network: BinarizedNetwork, task: Task) -> Fraction:
    """The weight of the rows whose decision (the first largest score) is not their class."""
    scores = _forward(network, task.x)[-1]
    lost = Fraction(0)
    for row, weights in zip(scores.tolist(), task.weights, strict=True):
        decided = row.index(max(row))
        lost += sum((w for label, w in weights if label != decided), Fraction(0))
    return lost


def hinge_of(network: BinarizedNetwork, task: Task, architecture: Architecture) -> Fraction:
    """The sum of weight * max(0, 1 + largest other score - own score).

    For two classes, whose scores are o and -o, it is max(0, 1 - o) and max(0, 1 + o).
    """
    scores = _forward(network, task.x)[-1]
    lost = Fraction(0)
    for row, weights in zip(scores.tolist(), task.weights, strict=True):
        for label, weight in weights:
            other = max(score for c, score in enumerate(row) if c != label)
            difference = other - row[label]
            if task.classes == 2:
                shift = tie_shift(architecture)
                difference = (difference + (shift if label else -shift)) / Fraction(2)
            lost += weight * max(Fraction(0), 1 + difference)
    return lost


def least_margins(network: BinarizedNetwork, task: Task) -> Fraction:
    """The sum over hidden neurons of the least absolute pre-activation over the rows."""
    hidden = _forward(network, task.x)[:-1]
    return sum((Fraction(v) for a in hidden for v in np.abs(a).min(axis=0).tolist()), Fraction(0))


def weight_of(network: BinarizedNetwork) -> Fraction:
    """The sum of the absolute weights; of two opposite columns of a readout, one counts."""
    total = Fraction(0)
    for number, layer in enumerate(network.layers):
        columns = layer.weights
        if number == len(network.layers) - 1 and columns.shape[1] == 2:
            columns = columns[:, 1:]
        total += sum((Fraction(abs(v)) for v in columns.reshape(-1).tolist()), Fraction(0))
    return total


def _forward(network: BinarizedNetwork, x: Floats) -> list[Exact]:
    """The pre-activations of each layer and at last the scores, in exact arithmetic."""
    values = exact_array(x)
    found: list[Exact] = []
    for number, layer in enumerate(network.layers):
        sums = cast("Exact", values @ exact_array(layer.weights) + exact_array(layer.offset))
        found.append(sums)
        if number < len(network.layers) - 1:
            values = np.where(sums >= 0, 1, -1).astype(object)
    return found


def exact_array(values: Floats) -> Exact:
    """Integers where they are, else rationals, as objects."""
    flat: list[Any] = [
        int(v) if v.is_integer() else Fraction(v) for v in values.reshape(-1).tolist()
    ]
    made = np.empty(len(flat), dtype=object)
    made[:] = flat
    return made.reshape(values.shape)

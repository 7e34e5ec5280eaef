"""Exact losses of a network on a training task: forward passes in integers or rationals."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from tamecheck.learn.mip.task import Architecture, Task, tie_shift
from tamecheck.learn.network import BinarizedNetwork, Floats

__all__ = ["Exact", "errors_of", "exact_array", "hinge_of", "least_margins", "weight_of"]

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

"""Losses of class scores: convex, non-negative, and 1-Lipschitz in the largest score change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from tamecheck.learn.network import Floats
from tamecheck.learn.problems import DataError

__all__ = ["LOSSES", "Loss", "loss_of"]

Labels = Any


@dataclass(frozen=True, slots=True)
class Loss:
    """A convex loss of scores z and a label y.

    Parameters
    ----------
    name
        As in the estimators' parameter ``loss``.
    table
        The loss of each label: an array ``(..., classes)`` for scores ``(..., classes)``.
    slope
        A subgradient with respect to the scores: for scores ``(rows, classes)`` and labels.
    """

    name: str
    table: Callable[[Floats], Floats]
    slope: Callable[[Floats, Labels], Floats]

    def values(self, scores: Floats, labels: Labels) -> Floats:
        """The loss of each row's label; scores ``(rows, ..., classes)``, labels ``(rows,)``."""
        index = labels.reshape(len(labels), *(1,) * (scores.ndim - 1))
        return np.take_along_axis(self.table(scores), index, axis=-1)[..., 0]


def _logistic_table(scores: Floats) -> Floats:
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=-1, keepdims=True)) - shifted


def _logistic_slope(scores: Floats, labels: Labels) -> Floats:
    slope = np.exp(scores - scores.max(axis=1, keepdims=True))
    slope /= slope.sum(axis=1, keepdims=True)
    slope[np.arange(len(labels)), labels] -= 1
    return slope


def _hinge_table(scores: Floats) -> Floats:
    return np.maximum(0, 1 + _largest_other(scores) - scores)


def _largest_other(scores: Floats) -> Floats:
    """For each score the largest of the others."""
    top = scores.argmax(axis=-1)[..., None]
    largest = np.take_along_axis(scores, top, axis=-1)
    others = np.array(np.broadcast_to(largest, scores.shape))
    without = np.array(scores)
    np.put_along_axis(without, top, -np.inf, axis=-1)
    np.put_along_axis(others, top, without.max(axis=-1, keepdims=True), axis=-1)
    return others


def _hinge_slope(scores: Floats, labels: Labels) -> Floats:
    rows = np.arange(len(labels))
    without = np.array(scores)
    without[rows, labels] = -np.inf
    rival = without.argmax(axis=1)
    active = 1 + without[rows, rival] - scores[rows, labels] > 0
    slope = np.zeros_like(scores)
    slope[rows[active], rival[active]] = 1
    slope[rows[active], labels[active]] = -1
    return slope


LOSSES = MappingProxyType(
    {
        "logistic": Loss("logistic", _logistic_table, _logistic_slope),
        "hinge": Loss("hinge", _hinge_table, _hinge_slope),
    }
)
"""The logistic loss ``log Σ exp(z_k - z_y)`` and the hinge ``max(0, 1 + max_{k≠y} z_k - z_y)``."""


def loss_of(name: str) -> Loss:
    """The loss of that name.

    Raises
    ------
    DataError
        If there is none.
    """
    if name not in LOSSES:
        raise DataError(f"loss={name!r} is unknown.", hint=f"There are: {', '.join(LOSSES)}.")
    return LOSSES[name]

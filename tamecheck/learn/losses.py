"""Losses of class scores: convex, non-negative, and 1-Lipschitz in the largest score change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from tamecheck.learn.effort import DataError
from tamecheck.learn.network import Floats

__all__ = ["LOSSES", "Loss", "loss_of"]

Labels = Any

_LARGE = 600.0
"""Beyond this exponent products of exponentials could overflow."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A convex loss of scores z and a label y.

    Parameters
    ----------
    name
        As in the estimators' parameter ``loss``.
    table
        The loss of each label: an array ``(..., classes)`` for scores ``(..., classes)``.
    values
        The loss of each row's label: scores ``(rows, ..., classes)``, labels ``(rows,)``.
    slope
        A subgradient with respect to the scores: for scores ``(rows, classes)`` and labels.
    flipped
        The losses after each neuron's flip alone: for signs ``(rows, h)``, scores, a readout
        ``(h, classes)`` and labels, ``(rows, h)``.
    """

    name: str
    table: Callable[[Floats], Floats]
    values: Callable[[Floats, Labels], Floats]
    slope: Callable[[Floats, Labels], Floats]
    flipped: Callable[[Floats, Floats, Floats, Labels], Floats]


def _picked(table: Floats, labels: Labels) -> Floats:
    """The entry of each row's label along the last axis."""
    index = labels.reshape(len(labels), *(1,) * (table.ndim - 1))
    return np.take_along_axis(table, index, axis=-1)[..., 0]


def _logistic_table(scores: Floats) -> Floats:
    # one shift for all rows is faster, where no exponential can underflow by it
    narrow = scores.max(initial=0) - scores.min(initial=0) < _LARGE
    shifted = scores - scores.max(axis=None if narrow else -1, keepdims=True)
    # a product with ones is a sum along the last axis that is fast also where it is short
    return np.log(np.exp(shifted) @ np.ones(scores.shape[-1]))[..., None] - shifted


def _logistic_values(scores: Floats, labels: Labels) -> Floats:
    relative = scores - _picked(scores, labels)[..., None]
    if relative.max(initial=0) > _LARGE:
        return _picked(_logistic_table(scores), labels)
    return np.log(np.exp(relative) @ np.ones(scores.shape[-1]))


def _logistic_slope(scores: Floats, labels: Labels) -> Floats:
    slope = np.exp(scores - scores.max(axis=1, keepdims=True))
    slope /= slope.sum(axis=1, keepdims=True)
    slope[np.arange(len(labels)), labels] -= 1
    return slope


def _logistic_flipped(signs: Floats, scores: Floats, readout: Floats, labels: Labels) -> Floats:
    own = _picked(scores, labels)[:, None]
    relative = scores - own
    spread = float(np.abs(relative).max(initial=0) + 2 * np.abs(readout).max(initial=0))
    if spread > _LARGE:
        return _flipped(_logistic_values, signs, scores, readout, labels)
    # the sum over classes of products of exponentials is a matrix product
    odds = np.exp(relative)
    fewer, more = odds @ np.exp(-2 * readout).T, odds @ np.exp(2 * readout).T
    return np.log(np.where(signs > 0, fewer, more)) + 2 * signs * readout.T[labels]


def _flipped(
    values: Callable[[Floats, Labels], Floats],
    signs: Floats,
    scores: Floats,
    readout: Floats,
    labels: Labels,
) -> Floats:
    return values(scores[:, None, :] - 2 * signs[:, :, None] * readout, labels)


def _hinge_flipped(signs: Floats, scores: Floats, readout: Floats, labels: Labels) -> Floats:
    return _flipped(_hinge_values, signs, scores, readout, labels)


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


def _hinge_values(scores: Floats, labels: Labels) -> Floats:
    return _picked(_hinge_table(scores), labels)


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
        "logistic": Loss(
            "logistic", _logistic_table, _logistic_values, _logistic_slope, _logistic_flipped
        ),
        "hinge": Loss("hinge", _hinge_table, _hinge_values, _hinge_slope, _hinge_flipped),
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

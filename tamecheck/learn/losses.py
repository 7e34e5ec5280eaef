"""Losses of class scores: convex, non-negative, and 1-Lipschitz in the largest score change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import Any

import numpy as np

from tamecheck.learn.effort import check_choice
from tamecheck.learn.network import Floats

Labels = Any

_LARGE = 600.0
"""Beyond this exponent products of exponentials could overflow."""


class Loss(ABC):
    """A convex loss of scores z, whose last axis is that of the classes, and a label y a row."""

    @abstractmethod
    def table(self, scores: Floats) -> Floats:
        """The loss of each label, an array of the shape of the scores."""

    def values(self, scores: Floats, labels: Labels) -> Floats:
        """The loss of each row's label: scores ``(rows, ..., classes)``, labels ``(rows,)``."""
        return _pick(self.table(scores), labels)

    @abstractmethod
    def slope(self, scores: Floats, labels: Labels) -> Floats:
        """A subgradient with respect to the scores ``(rows, classes)``."""

    def flip_losses(self, signs: Floats, scores: Floats, readout: Floats, labels: Labels) -> Floats:
        """The losses ``(rows, h)`` after the flip of each sign alone."""
        return self.values(scores[:, None, :] - 2 * signs[:, :, None] * readout, labels)


def _pick(table: Floats, labels: Labels) -> Floats:
    """The entry of each row's label along the last axis."""
    index = labels.reshape(len(labels), *(1,) * (table.ndim - 1))
    return np.take_along_axis(table, index, axis=-1)[..., 0]


class Logistic(Loss):
    """``log Σ exp(z_k - z_y)``."""

    def table(self, scores: Floats) -> Floats:
        """The loss of each label."""
        # one shift for all rows is faster, where no exponential can underflow by it
        narrow = scores.max(initial=0) - scores.min(initial=0) < _LARGE
        shifted = scores - scores.max(axis=None if narrow else -1, keepdims=True)
        # a product with ones is a sum along the last axis that is fast also where it is short
        return np.log(np.exp(shifted) @ np.ones(scores.shape[-1]))[..., None] - shifted

    def values(self, scores: Floats, labels: Labels) -> Floats:
        """The loss of each row's label."""
        relative = scores - _pick(scores, labels)[..., None]
        if relative.max(initial=0) > _LARGE:
            return super().values(scores, labels)
        return np.log(np.exp(relative) @ np.ones(scores.shape[-1]))

    def slope(self, scores: Floats, labels: Labels) -> Floats:
        """The gradient."""
        slope = np.exp(scores - scores.max(axis=1, keepdims=True))
        slope /= slope.sum(axis=1, keepdims=True)
        slope[np.arange(len(labels)), labels] -= 1
        return slope

    def flip_losses(self, signs: Floats, scores: Floats, readout: Floats, labels: Labels) -> Floats:
        """The losses after each flip: the sum over classes of products is a matrix product."""
        relative = scores - _pick(scores, labels)[:, None]
        spread = float(np.abs(relative).max(initial=0) + 2 * np.abs(readout).max(initial=0))
        if spread > _LARGE:
            return super().flip_losses(signs, scores, readout, labels)
        odds = np.exp(relative)
        fewer, more = odds @ np.exp(-2 * readout).T, odds @ np.exp(2 * readout).T
        return np.log(np.where(signs > 0, fewer, more)) + 2 * signs * readout.T[labels]


class Hinge(Loss):
    """``max(0, 1 + max_{k≠y} z_k - z_y)``."""

    def table(self, scores: Floats) -> Floats:
        """The loss of each label."""
        top = scores.argmax(axis=-1)[..., None]
        largest = np.take_along_axis(scores, top, axis=-1)
        # for each score the largest of the others
        others, without = np.array(np.broadcast_to(largest, scores.shape)), np.array(scores)
        np.put_along_axis(without, top, -np.inf, axis=-1)
        np.put_along_axis(others, top, without.max(axis=-1, keepdims=True), axis=-1)
        return np.maximum(0, 1 + others - scores)

    def slope(self, scores: Floats, labels: Labels) -> Floats:
        """A subgradient; at a kink 0, and of several rivals the first."""
        rows = np.arange(len(labels))
        without = np.array(scores)
        without[rows, labels] = -np.inf
        rival = without.argmax(axis=1)
        active = 1 + without[rows, rival] - scores[rows, labels] > 0
        slope = np.zeros_like(scores)
        slope[rows[active], rival[active]] = 1
        slope[rows[active], labels[active]] = -1
        return slope


LOSSES = MappingProxyType({"logistic": Logistic(), "hinge": Hinge()})


def loss_of(name: str) -> Loss:
    """The loss of that name."""
    check_choice("loss", name, tuple(LOSSES))
    return LOSSES[name]

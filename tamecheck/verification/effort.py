"""How tight the bounds of a batch of boxes are to be: what closed most of the region so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import numpy as np

from tamecheck.bounds.crown import goes_forward
from tamecheck.bounds.layers import Layers
from tamecheck.ir.tensor import Array

_CHOICES = 8.0, np.inf
_PART = 0.25
_INSTANT, _TRIED, _AGAIN, _KEPT = 1e-6, 0.05, 12, 0.98


class Effort:
    """How many elements of a layer are worth functionals of their own: whatever closes most boxes.

    Of each choice it keeps the processor's seconds, and the part of the region closed in them.
    ``reach`` is how far ascent has lifted bounds of late, so that lower ones are not tried.
    """

    def __init__(self, layers: Layers, scale: Array) -> None:
        self.reach = np.inf
        self.scale = scale
        self.choices = _CHOICES if goes_forward(layers) else _CHOICES[-1:]
        self.spent, self.closed = ([0.0] * len(self.choices) for _ in "sc")
        self.turn = 0

    @contextmanager
    def measure(self, boxes: Callable[[], tuple[Array, Array]]) -> Generator[float]:
        """The choice for some boxes, whose ends are given, that are about to be looked at."""
        numbers = range(len(self.choices))
        least = min(numbers, key=self.spent.__getitem__)
        rates = [self.closed[k] / (self.spent[k] + _INSTANT) for k in numbers]
        self.turn += 1
        known = self.spent[least] > _TRIED and self.turn % _AGAIN
        chosen = max(numbers, key=rates.__getitem__) if known else least
        before, size = time.thread_time(), self._size(*boxes())
        yield self.choices[chosen]
        self.spent[chosen] = _KEPT * self.spent[chosen] + time.thread_time() - before
        self.closed[chosen] = _KEPT * self.closed[chosen] + size - self._size(*boxes())

    def lifted(self, most: float) -> None:
        """Ascent has lifted a bound by at most so much in one batch."""
        self.reach = most if self.reach == np.inf else self.reach + _PART * (most - self.reach)

    def _size(self, lower: Array, upper: Array) -> float:
        """The volume of boxes, as a part of the region."""
        share = np.where(upper > lower, (upper - lower) / self.scale, 1.0)
        return float(share.prod(-1).sum())

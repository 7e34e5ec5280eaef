"""Quantities that change during training."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from tamecheck.learn.problems import DataError

__all__ = ["Schedule", "cosine"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A quantity that goes from one value to another along a straight line.

    Parameters
    ----------
    start, end
        The values at the beginning and at the end of training.
    """

    start: float
    end: float

    @staticmethod
    def of(value: Any, name: str, *, zero: bool = False) -> Schedule:
        """The schedule of a number, which stays, or of a pair ``(start, end)``.

        Raises
        ------
        DataError
            If a value is not finite, negative, or zero where it must not be.
        """
        pair: list[Any] = [*value] if isinstance(value, tuple | list) else [value, value]
        numbers = [float(v) for v in pair if isinstance(v, Real)]
        least = 0.0 if zero else np.finfo(np.float64).tiny
        if len(numbers) != 2 or len(pair) != 2 or not all(least <= n < np.inf for n in numbers):
            kind = "non-negative" if zero else "positive"
            raise DataError(f"{name}={value!r} is neither a {kind} number nor a pair of them.")
        return Schedule(*numbers)

    def at(self, progress: float) -> float:
        """The value after a share of the training, between 0 and 1."""
        return self.start + (self.end - self.start) * progress


def cosine(rate: float, progress: float, *, last: float = 0.05) -> float:
    """A learning rate that falls from ``rate`` to ``last * rate`` along half a cosine wave."""
    return rate * (last + (1 - last) * (1 + np.cos(np.pi * progress)) / 2)

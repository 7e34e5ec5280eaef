"""Stochastic descent: Adam on the latent parameters, in epochs of mini-batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np

from tamecheck.learn.estimator import Labels
from tamecheck.learn.latent import Latent
from tamecheck.learn.network import Floats

__all__ = ["Adam", "Batch", "Callback", "Clock", "Descent", "Direction", "Progress", "Step"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of scaled features, their labels, their weights (of mean about 1), and their numbers."""

    x: Floats
    labels: Labels
    weight: Floats
    rows: Labels

    @property
    def share(self) -> Floats:
        """What each row counts for in a mean over the batch."""
        return self.weight / len(self.weight)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The mean loss of a batch, and its slope in the order of `Latent.vector`."""

    loss: float
    slope: Floats

    @staticmethod
    def of(loss: float, weights: Sequence[Floats], offsets: Sequence[Floats]) -> Step:
        """The step of slopes of each layer's weights and offset."""
        return Step(loss, np.concatenate([a.reshape(-1) for a in (*weights, *offsets)]))


class Direction(Protocol):
    """What distinguishes the methods: the slopes of the parameters on a batch."""

    def __call__(self, latent: Latent, batch: Batch, progress: float) -> Step:
        """The step; ``progress`` is the share of the training that is over."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What a callback is told after each epoch.

    Parameters
    ----------
    epoch, epochs
        The number of epochs that are over, and of all.
    loss
        The mean loss over the epoch's batches.
    validation
        The accuracy on the rows held out for early stopping, if any.
    seconds
        Since the start of the training.
    """

    epoch: int
    epochs: int
    loss: float
    validation: float | None
    seconds: float


Callback: TypeAlias = Callable[[Progress], object]
"""Called with a `Progress`; a return value that is true ends the training."""


@dataclass(slots=True, eq=False)
class Adam:
    """Kingma and Ba's optimiser (2015) for one vector, which it changes in place."""

    vector: Floats
    steps: int = 0
    mean: Floats = field(init=False)
    square: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.mean = np.zeros_like(self.vector)
        self.square = np.zeros_like(self.vector)

    def step(self, slope: Floats, rate: float) -> None:
        """One step against the slope."""
        self.steps += 1
        rate = rate * float(np.sqrt(1 - 0.999**self.steps)) / (1 - 0.9**self.steps)
        self.mean += 0.1 * (slope - self.mean)
        self.square += 0.001 * (slope * slope - self.square)
        self.vector -= rate * self.mean / (np.sqrt(self.square) + 1e-8)


def batches(whole: Batch, size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """The rows in random order, in parts of at most ``size``."""
    if len(whole.labels) <= size:
        yield whole
        return
    order = rng.permutation(len(whole.labels))
    for start in range(0, len(order), size):
        part = order[start : start + size]
        yield Batch(whole.x[part], whole.labels[part], whole.weight[part], whole.rows[part])


@dataclass(slots=True, eq=False)
class Clock:
    """The time that a training may take."""

    limit: float | None
    start: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.start

    @property
    def over(self) -> bool:
        """Whether the limit is reached."""
        return self.limit is not None and self.seconds >= self.limit


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """A training: parameters that steps along a direction change.

    Parameters
    ----------
    latent
        The parameters, changed in place.
    direction
        The method.
    optimiser
        Adam on the vector of ``latent``.
    rng, size
        The source of the rows' order, and the size of the batches.
    rates
        The learning rate at each progress.
    clock
        When it says so, an epoch ends early.
    """

    latent: Latent
    direction: Direction
    optimiser: Adam
    rng: np.random.Generator
    size: int
    rates: Callable[[float], float]
    clock: Clock

    def epoch(self, whole: Batch, start: float, end: float) -> float:
        """One pass over the rows, from one progress to another; the mean loss of its batches."""
        total = done = 0.0
        for batch in batches(whole, self.size, self.rng):
            progress = start + (end - start) * done / len(whole.labels)
            step = self.direction(self.latent, batch, progress)
            self.optimiser.step(step.slope, self.rates(progress))
            self.latent.clip()
            total += step.loss * len(batch.labels)
            done += len(batch.labels)
            if self.clock.over:
                break
        return total / done

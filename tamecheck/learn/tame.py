"""Tame backpropagation: descent on the elastic value functions of the layers of signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamecheck.learn.cube import patterns
from tamecheck.learn.descent import Batch, Callback, Direction, Step
from tamecheck.learn.elastic import (
    Elastic,
    Weights,
    enumerated,
    nearby,
    soft_enumerated,
    soft_nearby,
)
from tamecheck.learn.gradient_estimator import GradientClassifier
from tamecheck.learn.latent import Latent
from tamecheck.learn.losses import Loss, loss_of
from tamecheck.learn.network import Floats, WeightKind, sign
from tamecheck.learn.schedule import Schedule

__all__ = ["TameBinarizedClassifier"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The split variant: each layer descends its value function, the readout its own loss."""

    loss: Loss
    rho: Schedule
    kappa: Schedule
    temperature: Schedule
    widest: int
    flips: int

    def __call__(self, latent: Latent, batch: Batch, progress: float) -> Step:
        """The slopes on a batch."""
        elastic = Elastic(
            self.rho.at(progress), self.kappa.at(progress), self.temperature.at(progress)
        )
        layers = latent.effective()
        inputs, sums = [batch.x], list[Floats]()
        for weights, offset in layers[:-1]:
            sums.append(inputs[-1] @ weights + offset)
            inputs.append(sign(sums[-1]))
        scores = inputs[-1] @ layers[-1][0] + layers[-1][1]
        share = batch.weight / len(batch.weight)
        mean = float(share @ self.loss.values(scores, batch.labels))
        backs = [
            self.slope(a, batch.labels, layers[number + 1 :], elastic)
            for number, a in enumerate(sums)
        ]
        backs.append(self.loss.slope(scores, batch.labels))
        weight_slopes: list[Floats] = []
        offset_slopes: list[Floats] = []
        for layer_input, back in zip(inputs, backs, strict=True):
            weighted = back * share[:, None]
            weight_slopes.append(layer_input.T @ weighted)
            offset_slopes.append(weighted.sum(axis=0))
        return Step.of(mean, weight_slopes, offset_slopes)

    def slope(self, a: Floats, labels: Any, rest: Weights, elastic: Elastic) -> Floats:
        """The conservative gradient of each row's value function with respect to ``a``."""
        width = a.shape[1]
        narrow = width <= self.widest
        count = min(self.flips, width)
        if elastic.temperature == 0:
            u = (
                enumerated(a, labels, rest, self.loss, elastic)
                if narrow
                else nearby(a, labels, rest, self.loss, elastic, count)
            )
            return elastic.slope_at(u, a)
        if not narrow:
            return soft_nearby(a, labels, rest, self.loss, elastic, count)[1]
        _, posterior = soft_enumerated(a, labels, rest, self.loss, elastic)
        prior = np.tanh(elastic.tilt(a) / elastic.temperature)
        return elastic.slope_between(posterior @ patterns(width) - prior, a)


class TameBinarizedClassifier(GradientClassifier):
    """x"""

    def __init__(  # noqa: PLR0913  # scikit-learn wants every parameter by name
        self,
        hidden: int | tuple[int, ...] = (16,),
        *,
        weights: WeightKind = "real",
        readout: WeightKind | None = None,
        loss: str = "logistic",
        rho: float | tuple[float, float] = 0.5,
        kappa: float | tuple[float, float] = 2.0,
        temperature: float | tuple[float, float] = 1.0,
        widest: int = 10,
        flips: int = 5,
        epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 0.1,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        callbacks: Iterable[Callback] = (),
        timeout: float | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            hidden,
            weights=weights,
            readout=readout,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            callbacks=callbacks,
            timeout=timeout,
            random_state=random_state,
        )
        self.loss = loss
        self.rho = rho
        self.kappa = kappa
        self.temperature = temperature
        self.widest = widest
        self.flips = flips

    def _direction(self) -> Direction:
        return Split(
            loss_of(self.loss),
            Schedule.of(self.rho, "rho"),
            Schedule.of(self.kappa, "kappa"),
            Schedule.of(self.temperature, "temperature", zero=True),
            self.widest,
            self.flips,
        )

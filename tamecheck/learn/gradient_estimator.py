"""What the two classifiers that descend share: everything but the direction of a step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from sklearn import model_selection, utils

from tamecheck.learn.descent import Adam, Batch, Callback, Clock, Descent, Direction, Progress
from tamecheck.learn.estimator import BinarizedClassifier, TrainingSet, hidden_sizes
from tamecheck.learn.interruption import Interruption
from tamecheck.learn.latent import Latent, Scaling, initial, kind_of, scaling_of
from tamecheck.learn.network import BinarizedNetwork, Floats, WeightKind
from tamecheck.learn.problems import DataError
from tamecheck.learn.schedule import cosine

__all__ = ["GradientClassifier"]

# scikit-learn has no stubs
_SELECTION = cast("Any", model_selection)
_UTILS = cast("Any", utils)


@dataclass(slots=True, eq=False)
class State:
    """A training that can go on."""

    latent: Latent
    optimiser: Adam
    scaling: Scaling
    rng: np.random.Generator
    magnitude: float | None
    epochs: int = 0


class GradientClassifier(BinarizedClassifier):
    """A binarized network trained by stochastic descent; `_direction` says along which slopes.

    Parameters
    ----------
    hidden
        The widths of the hidden layers.
    weights
        ``"real"`` (in [-1, 1]), ``"binary"`` (±1) or ``"ternary"`` (-1, 0, 1).
    readout
        The same for the readout; as ``weights`` if None.
    epochs
        Passes over the data.
    batch_size
        Rows a step.
    learning_rate
        Adam's rate at the start; it falls along half a cosine wave.  If None, 0.1 for real weights
        and 0.02 for integer ones.
    early_stopping
        Whether to hold out rows, keep the network that was best on them, and stop when
        ``n_iter_no_change`` epochs brought nothing better.
    validation_fraction
        The share of rows that early stopping holds out.
    n_iter_no_change
        Its patience in epochs.
    callbacks
        Functions that are called with a `Progress` after each epoch; a true result ends training.
    timeout
        Seconds after which training ends with what it has.
    random_state
        Seed, or generator as in scikit-learn.
    """

    def __init__(  # noqa: PLR0913  # scikit-learn wants every parameter by name
        self,
        hidden: int | tuple[int, ...] = (16,),
        *,
        weights: WeightKind = "real",
        readout: WeightKind | None = None,
        epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        callbacks: Iterable[Callback] = (),
        timeout: float | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.weights = weights
        self.readout = readout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.timeout = timeout
        self.random_state = random_state

    @abstractmethod
    def _direction(self) -> Direction:
        """The method's slopes, after its parameters were checked."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Train from the beginning.

        Parameters
        ----------
        X : array of shape (rows, features)
            Real features.
        y : array of shape (rows,)
            Classes.
        sample_weight : array of shape (rows,), optional
            Non-negative weights.

        Raises
        ------
        DataError
            If the data or a parameter cannot be trained on.
        """
        data = self._checked(X, y, sample_weight)
        self._state = self._begun(data)
        self.loss_curve_: list[float] = []
        self._descend(data, int(self.epochs))
        return self

    def partial_fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """One more epoch on these rows, at the initial learning rate.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes
            All classes; needed at the first call unless ``y`` holds them all.
        """
        first = not hasattr(self, "_state")
        known = classes if first else self.classes_
        data = self._checked(X, y, sample_weight, classes=known, first=first)
        if first:
            self._state = self._begun(data)
            self.loss_curve_ = []
        self._descend(data, 1, partial=True)
        return self

    def _begun(self, data: TrainingSet) -> State:
        for name in ("epochs", "batch_size", "n_iter_no_change"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise DataError(f"{name}={value!r} is no positive integer.")
        if not 0 < self._rate() < np.inf:
            raise DataError(f"learning_rate={self.learning_rate!r} is no positive number.")
        seed = _UTILS.check_random_state(self.random_state).randint(2**31 - 1)
        rng = np.random.default_rng(seed)
        widths = (data.x.shape[1], *hidden_sizes(self.hidden), data.classes)
        hidden, readout = self.weights, self.readout or self.weights
        kinds = kind_of(hidden, "weights"), kind_of(readout, "readout")
        scaling = scaling_of(data.x, data.weight, kinds[0])
        share: Floats = data.weight / data.weight.sum()
        scaled = scaling(data.x)
        spread: Floats = np.sqrt(share @ (scaled - share @ scaled) ** 2)
        latent = initial(widths, kinds, spread, rng)
        return State(latent, Adam(latent.vector), scaling, rng, data.magnitude)

    def _rate(self) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        return 0.1 if self.weights == "real" else 0.02

    def _descend(self, data: TrainingSet, epochs: int, *, partial: bool = False) -> None:
        state = self._state
        if data.magnitude is None or state.magnitude is None:
            state.magnitude = None
        else:
            state.magnitude = max(state.magnitude, data.magnitude)
        held_out = self.early_stopping and not partial
        train, validation = self._split(data) if held_out else (data, None)
        whole = _batch(train, state.scaling)
        clock = Clock(self.timeout)
        descent = Descent(
            state.latent,
            self._direction(),
            state.optimiser,
            state.rng,
            int(self.batch_size),
            lambda progress: cosine(self._rate(), progress),
            clock,
        )
        best, network, waited = -1.0, None, 0
        interruption = Interruption()
        with interruption:
            for number in range(epochs):
                span = (0.0, 0.0) if partial else (number / epochs, (number + 1) / epochs)
                loss = descent.epoch(whole, *span)
                state.epochs += 1
                self.loss_curve_.append(loss)
                accuracy: float | None = None
                if validation is not None:
                    candidate = state.latent.network(state.scaling, state.magnitude)
                    accuracy = _accuracy(candidate, validation)
                    waited += 1
                    if accuracy > best:
                        best, network, waited = accuracy, candidate, 0
                report = Progress(number + 1, epochs, loss, accuracy, clock.seconds)
                stopped = [callback(report) for callback in self.callbacks]
                if any(stopped) or clock.over or waited >= self.n_iter_no_change:
                    break
        interruption.warn("the network is the best so far", stacklevel=3)
        self.interrupted_ = interruption.happened
        self.n_iter_ = state.epochs
        self.best_validation_score_ = best if validation is not None else None
        self.network_ = network or state.latent.network(state.scaling, state.magnitude)
        self._ended()

    def _ended(self) -> None:
        """Record what a method has to say about its training; nothing by default."""

    def _split(self, data: TrainingSet) -> tuple[TrainingSet, TrainingSet]:
        fraction = self.validation_fraction
        if not 0 < fraction < 1:
            raise DataError(f"validation_fraction={fraction!r} is not between 0 and 1.")
        counts = np.bincount(data.labels)
        count = int(np.ceil(fraction * len(data.labels)))
        fits = counts[counts > 0].min() > 1 and data.classes <= count < len(data.labels)
        try:
            parts: Any = _SELECTION.train_test_split(
                np.arange(len(data.labels)),
                test_size=count,
                random_state=int(self._state.rng.integers(2**31 - 1)),
                stratify=data.labels if fits else None,
            )
        except ValueError as error:
            raise DataError(
                f"There are too few rows for early stopping ({error}).",
                hint="Set early_stopping=False.",
            ) from None
        left, right = (
            TrainingSet(data.x[p], data.labels[p], data.weight[p], data.classes) for p in parts
        )
        return left, right


def _batch(data: TrainingSet, scaling: Scaling) -> Batch:
    weight: Floats = data.weight / data.weight.mean()
    return Batch(scaling(data.x), data.labels, weight, np.arange(len(weight)))


def _accuracy(network: BinarizedNetwork, data: TrainingSet) -> float:
    return float(np.average(network.decide(data.x) == data.labels, weights=data.weight))

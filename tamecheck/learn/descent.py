"""Stochastic descent: Adam on the latent parameters, in epochs of mini-batches."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol, Self, TypeAlias, cast

import numpy as np
from sklearn import model_selection, utils

from tamecheck.learn.effort import DataError, Interruption
from tamecheck.learn.estimator import BinarizedClassifier, Labels, TrainingSet, hidden_sizes
from tamecheck.learn.latent import Latent, Scaling, initial, kind_of, scaling_of
from tamecheck.learn.network import BinarizedNetwork, Floats, WeightKind

__all__ = [
    "Adam",
    "Batch",
    "Callback",
    "Clock",
    "Descent",
    "Direction",
    "GradientClassifier",
    "Progress",
    "Schedule",
    "Step",
]


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


# --- what the classifiers that descend share: all but the direction of a step


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

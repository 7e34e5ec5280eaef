"""Stochastic descent: Adam on the latent parameters, in epochs of mini-batches.

The direction is a variant of tame backpropagation or, as a baseline, the straight-through
estimator.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from numbers import Real
from typing import Any, Protocol, Self, TypeAlias, cast

import numpy as np
from sklearn import model_selection

from tamecheck.budget import Budget
from tamecheck.learn.effort import DataError, interruptible, warn_of_interrupt
from tamecheck.learn.estimator import (
    BinarizedClassifier,
    Labels,
    TrainingSet,
    hidden_sizes,
    seed_of,
)
from tamecheck.learn.latent import Latent, Scaling, forward, initial, kind_of, scaling_of
from tamecheck.learn.losses import Loss, loss_of
from tamecheck.learn.network import BinarizedNetwork, Floats, WeightKind

# scikit-learn has no stubs
_SELECTION = cast("Any", model_selection)
_LAST_RATE = 0.05
"""The share of the learning rate that is left at the end."""

_FEATURES, _AMPLE = 50, 8
"""A network is large from so many features and so many weights of the first layer a row on."""

_ERASURE, _MAX_NORM = 0.3, 0.5
"""What is erased, and how neurons are bounded, in large networks by default."""


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

    def erase(self, share: float, rng: np.random.Generator) -> Batch:
        """The rows without a share of their features, the others larger to make up for it."""
        if not share:
            return self
        kept = rng.random(self.x.shape, dtype=np.float32) >= share
        return Batch(self.x * kept / (1 - share), self.labels, self.weight, self.rows)

    def parts(self, size: int, rng: np.random.Generator) -> Iterator[Batch]:
        """The rows in random order, in parts of at most ``size``."""
        if len(self.labels) <= size:
            yield self
            return
        order = rng.permutation(len(self.labels))
        for start in range(0, len(order), size):
            part = order[start : start + size]
            yield Batch(self.x[part], self.labels[part], self.weight[part], self.rows[part])


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


@dataclass(frozen=True, slots=True)
class Schedule:
    """A quantity that goes from one value to another along a line during the training."""

    start: float
    end: float

    @staticmethod
    def of(value: Any, name: str, *, zero: bool = False) -> Schedule:
        """The schedule of a number, which stays, or of a pair ``(start, end)``."""
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


@dataclass(slots=True, eq=False)
class State:
    """A training that can go on."""

    latent: Latent
    optimiser: Adam
    scaling: Scaling
    rng: np.random.Generator
    magnitude: float | None
    erasure: float
    epochs: int = 0

    def network(self) -> BinarizedNetwork:
        """The network as it is."""
        return self.latent.network(self.scaling, self.magnitude)

    def batch(self, data: TrainingSet) -> Batch:
        """All rows as training sees them."""
        weight: Floats = data.weight / data.weight.mean()
        return Batch(self.scaling(data.x), data.labels, weight, np.arange(len(weight)))


@dataclass(eq=False, repr=False)
class GradientClassifier(BinarizedClassifier):
    """A binarized network trained by stochastic descent; `_direction` says along which slopes."""

    hidden: int | tuple[int, ...] = (16,)
    """The widths of the hidden layers."""
    _: KW_ONLY
    weights: WeightKind = "real"
    """``"real"`` (in [-1, 1]), ``"binary"`` (±1) or ``"ternary"`` (-1, 0, 1)."""
    readout: WeightKind | None = None
    """The same for the readout; as ``weights`` if None."""
    epochs: int = 100
    """Passes over the data."""
    batch_size: int = 64
    """Rows a step."""
    learning_rate: float | None = None
    """Adam's rate at the start; it falls along half a cosine wave. If None, 0.1 for real weights
    and 0.05 for integer ones."""
    erasure: float | None = 0.0
    """The share of its features that a row loses at random in each step, so that no decision hangs
    on few of them. If None, 0.3 in large networks: from 50 features on, and 8 weights of the first
    layer a row; else 0, and where `partial_fit` begins."""
    max_norm: float | None = np.inf
    """The largest Euclidean norm of the real weights of a hidden neuron, as training scales them
    (over the root of their number), with which each step ends. If None, 0.5 in large networks, as
    above, else infinite."""
    early_stopping: bool = False
    """Whether to hold out rows, keep the network that was best on them, and stop when
    ``n_iter_no_change`` epochs brought nothing better."""
    validation_fraction: float = 0.1
    """The share of rows that early stopping holds out."""
    n_iter_no_change: int = 20
    """Its patience in epochs."""
    callbacks: Iterable[Callback] = ()
    """Functions that are called with a `Progress` after each epoch; a true result ends training."""
    class_weight: Any = None
    """What rows count for: ``"balanced"`` (each class alike in all), or a mapping from classes to
    weights; times ``sample_weight``."""
    calibration_folds: int | None = None
    """How many folds `predict_proba` is fitted on, so many trainings more; None for none."""
    timeout: float | None = None
    """Seconds after which training ends with what it has."""
    random_state: Any = None
    """Seed, or generator as in scikit-learn."""

    @abstractmethod
    def _direction(self) -> Direction:
        """The method's slopes, after its parameters were checked."""

    def _train(self, data: TrainingSet) -> None:
        self._begin(data)
        self._descend(data, int(self.epochs))

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
        data = self._training_set(X, y, sample_weight, classes=known, first=first)
        if first:
            self._begin(data, partial=True)
        self._descend(data, 1, partial=True)
        return self

    def _begin(self, data: TrainingSet, *, partial: bool = False) -> None:
        """Check the parameters and draw the first latent numbers."""
        for name in ("epochs", "batch_size", "n_iter_no_change"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise DataError(f"{name}={value!r} is no positive integer.")
        if not 0 < self._rate() < np.inf:
            raise DataError(f"learning_rate={self.learning_rate!r} is no positive number.")
        if self.erasure is not None and not 0 <= self.erasure < 1:
            raise DataError(f"erasure={self.erasure!r} is no share below 1.")
        if self.max_norm is not None and not self.max_norm > 0:
            raise DataError(f"max_norm={self.max_norm!r} is no positive number.")
        rng = np.random.default_rng(seed_of(self.random_state))
        widths = (data.x.shape[1], *hidden_sizes(self.hidden), data.classes)
        kinds = kind_of(self.weights, "weights"), kind_of(self.readout or self.weights, "readout")
        scaling = scaling_of(data.x, data.weight, kinds[0])
        share: Floats = data.weight / data.weight.sum()
        scaled = scaling(data.x)
        spread: Floats = np.sqrt(share @ (scaled - share @ scaled) ** 2)
        ample = not partial and widths[0] >= _FEATURES
        large = ample and widths[0] * widths[1] >= _AMPLE * len(data.labels)
        erasure = (_ERASURE if large else 0.0) if self.erasure is None else self.erasure
        bound = (_MAX_NORM if large else np.inf) if self.max_norm is None else self.max_norm
        latent = initial(widths, kinds, spread, rng, float(bound))
        self._state = State(
            latent, Adam(latent.vector), scaling, rng, data.magnitude, float(erasure)
        )
        self.loss_curve_: list[float] = []

    def _rate(self, progress: float = 0.0) -> float:
        """The learning rate: it falls along half a cosine wave."""
        rate = 0.1 if self.weights == "real" else 0.05
        rate = rate if self.learning_rate is None else self.learning_rate
        return rate * (_LAST_RATE + (1 - _LAST_RATE) * (1 + np.cos(np.pi * progress)) / 2)

    def _descend(self, data: TrainingSet, epochs: int, *, partial: bool = False) -> None:
        state = self._state
        sizes = data.magnitude, state.magnitude
        state.magnitude = None if None in sizes else max(s for s in sizes if s is not None)
        held_out = self.early_stopping and not partial
        train, validation = self._split(data) if held_out else (data, None)
        whole, direction = state.batch(train), self._direction()
        begun, budget = time.monotonic(), Budget.of(self.timeout)
        best, network, waited = -1.0, None, 0
        with interruptible(budget):
            for number in range(epochs):
                span = (0.0, 0.0) if partial else (number / epochs, (number + 1) / epochs)
                loss = self._epoch(whole, direction, span, budget)
                state.epochs += 1
                self.loss_curve_.append(loss)
                accuracy: float | None = None
                if validation is not None:
                    candidate = state.network()
                    right = candidate.decide(validation.x) == validation.labels
                    accuracy = float(np.average(right, weights=validation.weight))
                    waited += 1
                    if accuracy > best:
                        best, network, waited = accuracy, candidate, 0
                seconds = time.monotonic() - begun
                report = Progress(number + 1, epochs, loss, accuracy, seconds)
                stopped = [callback(report) for callback in self.callbacks]
                if any(stopped) or budget.is_spent or waited >= self.n_iter_no_change:
                    break
        kept = "the network is the best so far"
        self.interrupted_ = warn_of_interrupt(budget, kept, stacklevel=3 if partial else 4)
        self.n_iter_ = state.epochs
        self.best_validation_score_ = best if validation is not None else None
        self.network_ = network or state.network()
        self._conclude()

    def _epoch(
        self, whole: Batch, direction: Direction, span: tuple[float, float], budget: Budget
    ) -> float:
        """One pass over the rows, from one progress to another; the mean loss of its batches."""
        state, (start, end) = self._state, span
        total = done = 0.0
        for batch in whole.parts(int(self.batch_size), state.rng):
            progress = start + (end - start) * done / len(whole.labels)
            step = direction(state.latent, batch.erase(state.erasure, state.rng), progress)
            state.optimiser.step(step.slope, self._rate(progress))
            state.latent.project()
            total += step.loss * len(batch.labels)
            done += len(batch.labels)
            if budget.is_spent:
                break
        return total / done

    def _conclude(self) -> None:
        """Record what a method has to say about its training; nothing by default."""

    def _split(self, data: TrainingSet) -> tuple[TrainingSet, TrainingSet]:
        """The rows to train on, and those that early stopping holds out."""
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


@dataclass(eq=False, repr=False)
class SteBinarizedClassifier(GradientClassifier):
    """A binarized network trained by the straight-through estimator (Hubara et al. 2016).

    Forward with signs, backward as if a sign were the identity on [-clip, clip].  These slopes are
    not the gradient, nor a conservative field, of any function of the weights, so the convergence
    theorem for stochastic subgradients says nothing about it.

    The parameters are those of `GradientClassifier`, and:

    Parameters
    ----------
    loss
        ``"logistic"`` or ``"hinge"``.
    clip
        Pre-activations beyond it pass nothing back.  They are those in training: of centred
        features, and divided by the root of the number of terms, so that one default fits layers
        of all widths.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    >>> SteBinarizedClassifier((4,), random_state=0).fit(X, [0, 0, 0, 1]).score(X, [0, 0, 0, 1])
    1.0
    """

    _: KW_ONLY
    loss: str = "logistic"
    clip: float = 1.0
    learning_rate: float | None = 0.05

    def _direction(self) -> Direction:
        loss = loss_of(self.loss)

        def direction(latent: Latent, batch: Batch, progress: float) -> Step:  # noqa: ARG001
            return straight_through(latent, batch, loss, self.clip)

        return direction


def straight_through(latent: Latent, batch: Batch, loss: Loss, clip: float) -> Step:
    """The slopes of the straight-through estimator on a batch."""
    layers = latent.effective()
    inputs, sums, scores = forward(layers, batch.x)
    share = batch.share
    mean = float(share @ loss.values(scores, batch.labels))
    backs = [loss.slope(scores, batch.labels) * share[:, None]]
    for (weights, _), a in zip(layers[:0:-1], sums[::-1], strict=True):
        backs.append((backs[-1] @ weights.T) * (np.abs(a) <= clip))
    weight_slopes = [x.T @ back for x, back in zip(inputs, backs[::-1], strict=True)]
    return Step.of(mean, weight_slopes, [back.sum(axis=0) for back in backs[::-1]])

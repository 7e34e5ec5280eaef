"""One-against-one ensembles of binarized neurons of largest margin, with majority votes."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import KW_ONLY, dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tamecheck.budget import Budget
from tamecheck.learn.effort import (
    DataError,
    Effort,
    effort_for,
    interruptible,
    seconds_for,
    warn_of_interrupt,
)
from tamecheck.learn.estimator import BinarizedClassifier, TrainingSet, seed_of
from tamecheck.learn.latent import kind_of
from tamecheck.learn.mip.ensemble_neuron import WideNeuron, margin_of, mean_neuron, wide_neuron
from tamecheck.learn.mip.task import errors_of, task_of
from tamecheck.learn.network import Floats, Layer, WeightKind, round_layers

_SHARE, _FEWEST = 0.3, 16


@dataclass(frozen=True, slots=True)
class Margin:
    """The exact margin of a neuron on the rows of two classes, and the proved bound on it.

    The neuron is 1 for the second class.  ``features`` is how many it sees, ``margin`` the least
    distance of a pre-activation from the wrong side, and ``bound`` what no weights in [-1, 1] of
    these features exceed.
    """

    classes: tuple[Any, Any]
    features: int
    margin: Fraction
    bound: Fraction


@dataclass(eq=False, repr=False)
class MIPBinarizedEnsemble(BinarizedClassifier):
    """Neurons for every pair of classes, each of largest margin, which vote (after BeMi).

    The training of a network for a pair of classes is decomposed by layers: every neuron is to
    tell the two classes apart on the features that it sees, with the largest margin (a linear
    program for real weights, a MIP for integer ones), and the readout counts votes.  All of it is
    one binarized network with a hidden layer of ``pairs * hidden`` neurons; the class with the
    most votes wins, the first of several.

    Parameters
    ----------
    hidden
        Neurons for each pair of classes; odd numbers avoid draws.
    weights
        Of the neurons: ``"real"`` (in [-1, 1]), ``"ternary"``, ``"binary"``.
    share
        The share of the features that a neuron sees, drawn at random.  With None, all if
        ``hidden`` is 1, and else 0.3 of them, but at least 16 if there are so many.
    solver
        ``"relaxation"``: linear programs, and for integer weights rounding and one-weight changes;
        the bounds are proved as well.  ``"cbc"``, ``"highs"`` or ``"auto"`` (both): integer weights
        are then improved by MIP solvers; for real weights, the linear program is all there is.
    timeout, max_nodes, random_state
        As in `MIPBinarizedClassifier`; the seconds are for the solvers of all neurons together.

    Attributes
    ----------
    margins_ : tuple of Margin
        Margin and bound of each neuron, both exact.
    loss_, bound_ : float
        The weighted training errors of the votes, by exact forward passes; and those that equal
        rows of different classes force on every classifier.
    checked_ : bool
        Whether the stored, rounded neurons separate what their margins say (exactly recomputed).
    interrupted_ : bool
        Whether Ctrl-C ended the training; neurons that were not reached then have the rounded
        differences of class means as weights.
    """

    hidden: int = 3
    _: KW_ONLY
    weights: WeightKind = "real"
    share: float | None = None
    solver: str = "relaxation"
    timeout: float | None = None
    max_nodes: int | None = None
    random_state: Any = None

    def _train(self, data: TrainingSet) -> None:
        kind_of(self.weights, "weights")
        effort = effort_for(self, "relaxation", 0)
        if not int(self.hidden) > 0:
            raise DataError(f"hidden={self.hidden!r} is not positive.")
        if self.share is not None and not 0 < float(self.share) <= 1:
            raise DataError(f"share={self.share!r} is not between 0 and 1.")
        rng = np.random.default_rng(seed_of(self.random_state))
        each = itertools.combinations(range(data.classes), 2)
        pairs = [pair for pair in each for _ in range(int(self.hidden))]
        budget = Budget.of(seconds_for(self.timeout, self.max_nodes))
        neurons: list[WideNeuron] = []
        for number, pair in enumerate(pairs):
            seconds = budget.seconds / (len(pairs) - number)
            neurons.append(self._neuron(data, pair, rng, effort, budget.part(seconds)))
        kept = "neurons that were not reached have the differences of class means as weights"
        self.interrupted_ = warn_of_interrupt(budget, kept, stacklevel=3)
        self._assemble(data, pairs, neurons)

    def _neuron(
        self,
        data: TrainingSet,
        pair: tuple[int, int],
        rng: np.random.Generator,
        effort: Effort,
        budget: Budget,
    ) -> WideNeuron:
        """The widest neuron for a pair on its share of the features; zeros elsewhere."""
        x, signs = _rows(data, pair)
        seen, kind = self._seen(x.shape[1], rng), self.weights
        effort = replace(effort, seconds=budget.seconds, seed=int(rng.integers(2**31 - 1)))
        neuron = None
        if not budget.cancelled.is_set():
            with interruptible(budget):
                neuron = wide_neuron(x[:, seen], signs, kind, effort)
        if neuron is None:
            neuron = mean_neuron(x[:, seen], signs, kind)
        weights = np.zeros(x.shape[1])
        weights[seen] = neuron.weights
        return replace(neuron, weights=weights)

    def _seen(self, features: int, rng: np.random.Generator) -> Any:
        """The features of a neuron; of binary weights none can be 0, so there it sees all."""
        if self.weights == "binary" or (self.share is None and int(self.hidden) == 1):
            return np.arange(features)
        if self.share is None:
            count = max(round(_SHARE * features), min(features, _FEWEST))
        else:
            count = max(1, round(float(self.share) * features))
        return np.sort(rng.permutation(features)[:count])

    def _assemble(
        self, data: TrainingSet, pairs: list[tuple[int, int]], neurons: list[WideNeuron]
    ) -> None:
        votes = np.zeros((len(neurons), data.classes))
        for number, (left, right) in enumerate(pairs):
            votes[number, left], votes[number, right] = -1, 1
        weights = np.array([n.weights for n in neurons]).T
        offsets = np.array([n.offset for n in neurons])
        layers = [Layer(weights, offsets), Layer(votes, np.zeros(data.classes))]
        self.network_ = round_layers(layers, data.magnitude)
        self.margins_ = tuple(
            self._margin(data, *both, self.network_.layers[0], number)
            for number, both in enumerate(zip(pairs, neurons, strict=True))
        )
        task = task_of(data)
        self.loss_, self.bound_ = float(errors_of(self.network_, task)), float(task.floor)
        self.optimal_ = self.loss_ == self.bound_
        self.proof_ = "data" if task.floor else "trivial"
        self.checked_ = all(
            (m.margin > 0) == (neuron.margin > 0) and m.margin <= m.bound
            for m, neuron in zip(self.margins_, neurons, strict=True)
        )
        if any(m.margin <= 0 for m in self.margins_):
            warnings.warn(
                "Some neurons do not separate their two classes on the features that they see.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _margin(
        self,
        data: TrainingSet,
        pair: tuple[int, int],
        neuron: WideNeuron,
        layer: Layer,
        number: int,
    ) -> Margin:
        """The exact margin of the neuron as it is stored."""
        margin = margin_of(*_rows(data, pair), layer.weights[:, number], layer.offset[number])
        left, right = self.classes_[list(pair)].tolist()
        return Margin((left, right), int(np.count_nonzero(neuron.weights)), margin, neuron.bound)


def _rows(data: TrainingSet, pair: tuple[int, int]) -> tuple[Floats, Floats]:
    """The rows of two classes, and 1 for those of the second, else -1."""
    rows = np.isin(data.labels, pair)
    return data.x[rows], np.where(data.labels[rows] == pair[1], 1.0, -1.0)

"""Binarized networks trained by mixed-integer programming, with proved bounds."""

from __future__ import annotations

import time
import warnings
from dataclasses import KW_ONLY, dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tamecheck.budget import Budget
from tamecheck.learn import effort as effort_of
from tamecheck.learn.estimator import BinarizedClassifier, TrainingSet, hidden_sizes, seed_of
from tamecheck.learn.latent import kind_of
from tamecheck.learn.mip.local_search import alternate, anneal
from tamecheck.learn.mip.stages import OBJECTIVES, Candidate, Run, Stage, Training
from tamecheck.learn.mip.task import Architecture, Params, errors_of, task_of
from tamecheck.learn.network import Layer, WeightKind
from tamecheck.solvers.claims import SOLVERS

_SEARCH_SHARE = 0.3


@dataclass(eq=False, repr=False)
class MIPBinarizedClassifier(BinarizedClassifier):
    """A binarized network trained to optimality, or with a proved bound, as a MIP.

    Equal rows are merged, and a search gives a start; where that attains a bound that the data
    alone prove, nothing is left to do.  Else solvers get the program of the whole network (Bah and
    Kurtz 2020; Toro Icarte et al. 2019; Bernardelli et al. 2023 for the lexicographic objective),
    from that start.  Whatever a solver returns is a network whose losses are computed anew, in
    exact arithmetic.

    For two classes the readout is one neuron: the scores are -o and o.

    Parameters
    ----------
    hidden
        The widths of the hidden layers.
    weights
        ``"binary"`` (±1), ``"ternary"`` (-1, 0, 1) or ``"real"`` (in [-1, 1]), in every layer.
    objective
        ``"errors"``, ``"hinge"``, or, after the errors, ``"max-margin"`` (of the hidden neurons),
        ``"min-weight"``, ``"robust-sparse"`` (margin, then weight).
    bias
        Whether neurons have offsets.
    margin
        The least |pre-activation| of neurons whose sums are no integers, here and in the bound.
    solver
        ``"cbc"`` or ``"highs"``: that solver does everything; it gives the start by training one
        neuron after the other (see `tamecheck.learn.mip.local_search`).
        ``"annealing"``: annealing over weight flips (and straight-through training for real
        weights), and no bounds but those of the data.
        ``"auto"``: annealing, then all networks one after the other if they are few, else CBC and
        HiGHS side by side.
    certify
        Whether to search for a certificate with exact multipliers where only solvers agree.
    starts
        The most random networks that annealing starts from.
    timeout
        Seconds.  None stands for 60, or for no limit where ``max_nodes`` is given and no
        certificate is wanted.
    max_nodes
        The most nodes of each tree of a solver: limits work instead of time, so that the same seed
        gives the same network on a machine of any speed and load.
    class_weight
        What rows count for: ``"balanced"`` (each class alike in all), or a mapping from classes to
        weights; times ``sample_weight``.
    calibration_folds
        How many folds `predict_proba` is fitted on, so many trainings more; None for none.
    random_state
        Seed, or generator as in scikit-learn.

    Attributes
    ----------
    loss_ : float
        The first measure of the objective (errors or hinge, weighted), by exact forward passes.
    bound_ : float
        A bound that no network of the architecture beats; see ``proof_``.
    proof_ : str
        What the bound rests on; see `tamecheck.learn.mip.stages.Stage`.
    optimal_ : bool
        Whether the loss attains the bound.
    stages_ : tuple of Stage
        The same for every measure of the objective, exactly.
    checked_ : bool
        True: ``loss_`` was recomputed from the stored network in exact arithmetic, and the float64
        decisions of `predict` on the training rows agree with it.
    certificate_ : dict or None
        The last certificate, for `tamecheck.recheck`.
    notes_ : tuple of str
        What solvers failed at.
    interrupted_ : bool
        Whether Ctrl-C ended the training; the network is the best until then.

    Examples
    --------
    >>> xor = MIPBinarizedClassifier((2,)).fit([[-1, -1], [-1, 1], [1, -1], [1, 1]], [0, 1, 1, 0])
    >>> xor.loss_, xor.bound_, xor.proof_
    (0.0, 0.0, 'trivial')
    """

    hidden: int | tuple[int, ...] = (4,)
    _: KW_ONLY
    weights: WeightKind = "binary"
    objective: str = "errors"
    bias: bool = True
    margin: float = 0.015625
    solver: str = "auto"
    certify: bool = False
    starts: int = 16
    timeout: float | None = None
    max_nodes: int | None = None
    class_weight: Any = None
    calibration_folds: int | None = None
    random_state: Any = None

    def _train(self, data: TrainingSet) -> None:
        begun = time.monotonic()
        measures = self._measures()
        seconds = effort_of.seconds_for(self.timeout, None if self.certify else self.max_nodes)
        effort = effort_of.effort_for(self, "annealing", seed_of(self.random_state))
        outputs = 1 if data.classes == 2 else data.classes
        architecture = Architecture(
            (data.x.shape[1], *hidden_sizes(self.hidden), outputs),
            kind_of(self.weights, "weights"),
            bool(self.bias),
            Fraction(float(self.margin)),
        )
        training = Training(task_of(data), architecture, measures, data.magnitude)
        budget = Budget(begun + seconds)
        best = self._start(data, training, budget.part(_SEARCH_SHARE * seconds), effort)
        run = Run(training, best, effort, budget, self.solver == "auto", bool(self.certify))
        with effort_of.interruptible(budget):
            for number in range(len(measures)):
                if not budget.cancelled.is_set():
                    run.improve(number, max(0.1, budget.seconds / (len(measures) - number)))
        kept = "the network is the best so far"
        self.interrupted_ = effort_of.warn_of_interrupt(budget, kept, stacklevel=3)
        self.notes_, self.certificate_ = run.notes, run.certificate
        best, stages = run.best, run.stages
        if not stages:
            # interrupted: what the data alone prove
            stages = [Stage(measures[0], best.values[0], *training.trivial_bound(measures[0]))]
        self.stages_ = tuple(
            replace(stage, value=value) for stage, value in zip(stages, best.values, strict=False)
        )
        first = self.stages_[0]
        self.network_ = best.network
        self.loss_, self.bound_ = float(first.value), float(first.bound)
        self.proof_, self.optimal_ = first.proof, first.optimal
        # the decisions in float64 have to lose exactly what the exact forward pass loses
        wrong = self.network_.decide(data.x) != data.labels
        lost = sum(map(Fraction, data.weight[wrong].tolist()), Fraction(0))
        self.checked_ = lost == errors_of(self.network_, training.task)

    def _measures(self) -> tuple[str, ...]:
        effort_of.check_choice("objective", self.objective, tuple(OBJECTIVES))
        if not 0 < float(self.margin) <= 1:
            raise effort_of.DataError(f"margin={self.margin!r} is not between 0 and 1.")
        if int(self.starts) < 1:
            raise effort_of.DataError(f"starts={self.starts!r} is not positive.")
        return OBJECTIVES[self.objective]

    def _start(
        self, data: TrainingSet, training: Training, budget: Budget, effort: effort_of.Effort
    ) -> Candidate:
        """The best network of the search."""
        rng = np.random.default_rng(effort.seed)
        task, architecture, seconds = training.task, training.architecture, budget.seconds
        if self.solver in SOLVERS:
            return training.candidate(alternate(task, architecture, rng, effort, budget))
        goal = float(task.floor)
        found = anneal(task, architecture, rng, budget=budget, goal=goal, starts=int(self.starts))
        best = training.candidate(found)
        wanted = architecture.kind == "real" and best.values[0] > task.floor and self.bias
        if wanted and not budget.cancelled.is_set():
            other = training.candidate(
                _straight_through(data, architecture, effort.seed, seconds, budget)
            )
            best = min(best, other, key=lambda candidate: candidate.values)
        return best


def _straight_through(
    data: TrainingSet, architecture: Architecture, seed: int, seconds: float, budget: Budget
) -> Params:
    """The parameters of a network that straight-through training finds."""
    from tamecheck.learn.descent import SteBinarizedClassifier

    trained = SteBinarizedClassifier(
        architecture.widths[1:-1], weights="real", timeout=seconds, random_state=seed
    )
    with warnings.catch_warnings():
        # of an interrupt, which is told once, at the end
        warnings.simplefilter("ignore", ConvergenceWarning)
        trained.fit(data.x, data.labels, data.weight)
    if trained.interrupted_:
        budget.cancelled.set()
    *hidden, output = trained.network_.layers
    if architecture.widths[-1] > 1:
        return (*hidden, output)
    # half the difference of two scores in [-1, 1] keeps the weights there
    weights = (output.weights[:, 1:] - output.weights[:, :1]) / 2
    offset = (output.offset[1:] - output.offset[:1]) / 2
    return (*hidden, Layer(weights, offset))

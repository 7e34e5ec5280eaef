"""One-against-one ensembles of binarized neurons of largest margin, with majority votes.

The margin of one neuron has an exact bound from duality.  For rows x_i with signs s_i, maximise m
subject to s_i (w.x_i + b) >= m, weights w of a given kind. For any multipliers l_i >= 0 of sum 1
whose positive and negative rows weigh 1/2 each, the margin of every w with |w_k| <= 1 is at most
sum_k |sum_i l_i s_i x_ik|: a bound that rational arithmetic checks, whatever found the
multipliers.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import KW_ONLY, dataclass, replace
from fractions import Fraction
from typing import Any, cast

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tamecheck.budget import Budget
from tamecheck.ir.answer import Optimal
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.learn.effort import (
    DataError,
    Effort,
    effort_for,
    interruptible,
    points_of,
    seconds_for,
    warn_of_interrupt,
)
from tamecheck.learn.estimator import BinarizedClassifier, TrainingSet, seed_of
from tamecheck.learn.latent import kind_of
from tamecheck.learn.mip.task import Exact, errors_of, exact_array, task_of
from tamecheck.learn.network import Floats, Layer, WeightKind, round_layers, sign
from tamecheck.solvers.relaxation import Relaxation

_ROUNDS = 200
_NO_MARGIN = 1e-9
_SCALE = 2**20
"""Real weights and multipliers are rounded to multiples of one over this."""


@dataclass(frozen=True, slots=True, eq=False)
class WideNeuron:
    """A neuron that separates two sets of rows, its exact margin, and a bound on any margin.

    A negative margin, the least s_i (w.x_i + b), means that it does not separate them; no weights
    in [-1, 1] exceed the bound.
    """

    weights: Floats
    offset: float
    margin: Fraction
    bound: Fraction


def wide_neuron(x: Floats, signs: Floats, kind: WeightKind, effort: Effort) -> WideNeuron:
    """The best neuron found: by a linear program, and for integer weights rounding and a MIP.

    Where no neuron separates the rows, the neuron is that of the least sum of hinge losses.  Both
    signs are present, and MIP solvers are asked about integer weights.
    """
    program = _program(x, signs, kind)
    relaxed = Relaxation(program).solve()
    multipliers, weights = np.ones(len(x)), None
    if isinstance(relaxed, Optimal):
        multipliers = np.abs(np.array(relaxed.certificate))
        if relaxed.point[-1] > _NO_MARGIN:
            weights = _round(_weights(np.array(relaxed.point[: x.shape[1]]), kind), kind)
    if weights is None:
        weights = _round(_soft(x, signs), kind)
    elif kind != "real":
        weights = _improve(x, signs, weights, kind)
        if effort.solvers:
            weights = _ask(program, x, signs, weights, kind, effort)
    return _measure(x, signs, weights, multipliers)


def mean_neuron(x: Floats, signs: Floats, kind: WeightKind) -> WideNeuron:
    """The neuron whose weights are the difference of the sides' means, rounded: at once."""
    weights = _round(_mean_slope(x, signs), kind)
    return _measure(x, signs, weights, np.ones(len(x)))


def _measure(x: Floats, signs: Floats, weights: Floats, multipliers: Floats) -> WideNeuron:
    """The neuron of these weights with the best offset, its margin and the bound."""
    offset = _threshold(x, signs, weights)
    margin = margin_of(x, signs, weights, offset)
    return WideNeuron(weights, offset, margin, margin_bound(x, signs, multipliers))


def _mean_slope(x: Floats, signs: Floats) -> Floats:
    """The difference of the sides' means, the largest weight ±1."""
    slope = x[signs > 0].mean(axis=0) - x[signs < 0].mean(axis=0)
    return slope / max(float(np.abs(slope).max()), 1e-300)


def margin_of(x: Floats, signs: Floats, weights: Floats, offset: float) -> Fraction:
    """The least s (w.x + b) over the rows, exactly."""
    values = np.append(weights, offset)
    whole = bool((values * _SCALE == np.rint(values * _SCALE)).all())
    exact = exact_array(values * _SCALE if whole else values)
    sums = cast("Exact", exact_array(x) @ exact[:-1] + exact[-1]) * exact_array(signs)
    return Fraction(min(sums.tolist())) / (_SCALE if whole else 1)


def margin_bound(x: Floats, signs: Floats, multipliers: Floats) -> Fraction:
    """What weak duality proves from multipliers, which are first made non-negative and balanced."""
    whole = np.rint(np.maximum(0.0, np.nan_to_num(multipliers)) * _SCALE)
    for side in (1, -1):
        if not whole[signs == side].any():
            whole[signs == side] = 1
    up, down = (int(whole[signs == side].sum()) for side in (1, -1))
    # each side weighs up * down, one half of the sum of all
    factors = exact_array(whole) * np.where(signs > 0, down, -up).astype(object)
    total = np.abs(cast("Exact", factors @ exact_array(x))).sum()
    return Fraction(total) / (2 * up * down)


def _program(x: Floats, signs: Floats, kind: WeightKind) -> Program:
    reach = Fraction(float(np.abs(x).sum(axis=1).max())) + 1
    one, integer = Fraction(1), Kind.CONTINUOUS if kind == "real" else Kind.INTEGER
    features = x.shape[1]
    binary = kind == "binary"
    lower = Fraction(0) if binary else -one
    columns = [Column(f"w{k}", lower, one, integer) for k in range(features)]
    columns.append(Column("b", -reach, reach))
    columns.append(Column("m", -2 * reach, 2 * reach, cost=one))
    rows: list[Row] = []
    scale = 2 if binary else 1
    for i, (values, s) in enumerate(zip(x.tolist(), map(int, signs.tolist()), strict=True)):
        terms = [(k, s * scale * Fraction(v)) for k, v in enumerate(values) if v]
        # binary weights are 2p - 1
        shift = s * sum(map(Fraction, values), Fraction(0)) if binary else Fraction(0)
        terms += [(features, Fraction(s)), (features + 1, -one)]
        rows.append(Row(f"row{i}", tuple(terms), lower=shift))
    return Program(tuple(columns), tuple(rows), Sense.MAXIMISE, name="widest neuron")


def _weights(values: Floats, kind: WeightKind) -> Floats:
    """Weights from the columns of the program."""
    return 2 * values - 1 if kind == "binary" else values


def _round(weights: Floats, kind: WeightKind) -> Floats:
    if kind == "binary":
        return sign(weights)
    scale = 1 if kind == "ternary" else _SCALE
    return np.clip(np.rint(weights * scale) / scale, -1, 1)


def _soft(x: Floats, signs: Floats) -> Floats:
    """Real weights of the least sum of hinge losses, at half the margin that the means allow."""
    features, one = x.shape[1], Fraction(1)
    wanted = margin_bound(x, signs, np.ones(len(x))) / 2
    columns = [Column(f"w{k}", -one, one) for k in range(features)]
    columns.append(Column("b", None, None))
    columns += [Column(f"e{i}", Fraction(0), cost=one) for i in range(len(x))]
    rows: list[Row] = []
    for i, (values, s) in enumerate(zip(x.tolist(), map(int, signs.tolist()), strict=True)):
        terms = [(k, s * Fraction(v)) for k, v in enumerate(values) if v]
        terms += [(features, Fraction(s)), (features + 1 + i, one)]
        rows.append(Row(f"row{i}", tuple(terms), lower=wanted))
    answer = Relaxation(Program(tuple(columns), tuple(rows), name="soft neuron")).solve()
    if not isinstance(answer, Optimal):
        return _mean_slope(x, signs)
    weights = np.array(answer.point[:features])
    return weights / max(float(np.abs(weights).max()), 1e-300)


def _threshold(x: Floats, signs: Floats, weights: Floats) -> float:
    """The offset in the middle between the sides; with the fewest errors if they overlap."""
    sums = x @ weights
    low, high = float(sums[signs < 0].max()), float(sums[signs > 0].min())
    if low >= high:
        order = np.argsort(sums, kind="stable")
        # errors if the first k rows are -1 and the others 1
        errors = np.append(0, np.cumsum(signs[order])) + np.count_nonzero(signs < 0)
        levels = np.concatenate([[sums.min() - 1], sums[order], [sums.max() + 1]])
        errors[1:-1][np.diff(sums[order]) <= 0] = len(sums) + 1
        place = int(np.argmin(errors))
        low, high = float(levels[place]), float(levels[place + 1])
    return -(low + high) / 2


def _improve(x: Floats, signs: Floats, weights: Floats, kind: WeightKind) -> Floats:
    """Change one weight at a time as long as the margin grows."""
    up, down = x[signs > 0], x[signs < 0]
    weights = weights.copy()
    choices = (-1.0, 1.0) if kind == "binary" else (-1.0, 0.0, 1.0)
    best = float((up @ weights).min() - (down @ weights).max())
    for _ in range(_ROUNDS):
        found = best, 0, 0.0
        for value in choices:
            change = value - weights
            gaps = ((up @ weights)[:, None] + up * change).min(axis=0)
            gaps = gaps - ((down @ weights)[:, None] + down * change).max(axis=0)
            place = int(np.argmax(gaps))
            if float(gaps[place]) > found[0]:
                found = float(gaps[place]), place, value
        if found[0] <= best:
            break
        best = found[0]
        weights[found[1]] = found[2]
    return weights


def _ask(  # noqa: PLR0913, PLR0917 (one call)
    program: Program, x: Floats, signs: Floats, weights: Floats, kind: WeightKind, effort: Effort
) -> Floats:
    """The best of these weights and of those of the solvers, which start from them."""
    offset = _threshold(x, signs, weights)
    columns = (weights + 1) / 2 if kind == "binary" else weights
    margin = margin_of(x, signs, weights, offset)
    start = (*map(Fraction, columns.tolist()), Fraction(offset), margin)
    points = points_of(effort.claims(program, start))
    found = [_weights(np.rint(np.array(point[: x.shape[1]])), kind) for point in points]
    return max([weights, *found], key=lambda w: margin_of(x, signs, w, _threshold(x, signs, w)))


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

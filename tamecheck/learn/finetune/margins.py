"""How much the right score of a row leads the others, and the rows of attacks that lower it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from tamecheck.ir.exact import rational
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.learn.effort import DataError
from tamecheck.learn.finetune.network import ReluNetwork, relu_network
from tamecheck.learn.network import Floats
from tamecheck.verification import Answer, Holds, Violated, verify

if TYPE_CHECKING:
    from tamecheck.learn.finetune.network import ReluNetwork
    from tamecheck.model import Model


Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Points ``(rows, inputs)`` and the indices of their classes."""

    x: Floats
    labels: Labels


@dataclass(frozen=True, slots=True)
class Ball:
    """Where attacks may go from a point: in the maximum norm, within bounds of the values."""

    radius: float
    bounds: tuple[float, float]


def adversarial_points(  # noqa: PLR0913 (options, by keyword only)
    model: Model | ReluNetwork,
    points: Any,
    labels: Any,
    *,
    radius: float,
    bounds: tuple[float, float] = (0.0, 1.0),
    steps: int = 40,
) -> Floats:
    """Points within ``radius`` in the maximum norm where the right score leads least.

    Projected gradient descent with signs on ``f_y - max_j f_j``, from the points themselves; the
    worst point on the way of each.

    Parameters
    ----------
    model
        As in `robust_finetune`.
    points, labels
        Rows and the indices of their classes.
    radius, bounds
        How far, and within which values, to look.
    steps
        Of length ``radius / 4``, from the middle on ``radius / 10``.

    Raises
    ------
    DataError
        If points or labels do not fit the model, or radius or bounds make no sense.
    """
    network, rows, ball = read_attack(model, points, labels, radius, bounds)
    return worst_points(network, rows, ball, steps)


def attackable_points(  # noqa: PLR0913 (options, by keyword only)
    model: Model | ReluNetwork,
    points: Any,
    labels: Any,
    *,
    radius: float,
    count: int = 50,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Labels:
    """Indices of rows that stand for the ones that are classified rightly but can be attacked.

    The same number of each class as far as there are that many, among the half where an attack wins
    by least; one after the other the row that brings the others nearest to some chosen row
    (greedy facility location).

    Parameters
    ----------
    model
        As in `robust_finetune`.
    points, labels
        Rows and the indices of their classes.
    radius, bounds
        Of the attack, `adversarial_points`.
    count
        The most rows.

    Raises
    ------
    DataError
        As `adversarial_points`, or if no row can be attacked.
    """
    network, given, ball = read_attack(model, points, labels, radius, bounds)
    y = given.labels
    worst = worst_points(network, given, ball)
    attacked = least_margins(network, Rows(worst, y))[0]
    fooled = (network.decide(given.x) == y) & (attacked < 0)
    classes = np.unique(y[fooled])
    if not len(classes):
        raise DataError(f"No row that is classified rightly was attacked within radius={radius}.")
    if count < 1:
        raise DataError(f"count={count!r} is no positive integer.")
    ranked: list[Labels] = []
    for label in classes:
        rows = np.flatnonzero(fooled & (y == label))
        rows = rows[np.argsort(-attacked[rows], kind="stable")]
        half = rows[: max(-(-count // len(classes)), len(rows) // 2)]
        ranked.append(half[_facilities(given.x[half], count)])
    longest = max(len(rows) for rows in ranked)
    turns = [int(rows[k]) for k in range(longest) for rows in ranked if k < len(rows)]
    return np.sort(np.array(turns[:count], dtype=np.int64))


def _facilities(x: Floats, count: int) -> Labels:
    """Rows, each the one that lowers the sum of distances to the nearest chosen row most."""
    distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    nearest = np.full(len(x), 2 * distances.max(initial=1.0))
    chosen: list[int] = []
    for _ in range(min(count, len(x))):
        saved = np.maximum(nearest[:, None] - distances, 0).sum(axis=0)
        saved[chosen] = -1
        chosen.append(int(saved.argmax()))
        nearest = np.minimum(nearest, distances[chosen[-1]])
    return np.array(chosen, dtype=np.int64)


def worst_points(network: ReluNetwork, rows: Rows, ball: Ball, steps: int = 40) -> Floats:
    """What `adversarial_points` says, of checked data."""
    x, radius = rows.x, ball.radius
    low, high = np.maximum(x - radius, ball.bounds[0]), np.minimum(x + radius, ball.bounds[1])
    point, worst = x.copy(), x.copy()
    least = np.full(len(x), np.inf)
    for step in range(steps + 1):
        margins, back = least_margins(network, Rows(point, rows.labels))
        better = margins < least
        least[better], worst[better] = margins[better], point[better]
        length = radius / 4 if 2 * step < steps else radius / 10
        point = np.clip(point - length * np.sign(network.input_slopes(point, back)), low, high)
    return worst


def read_attack(
    model: Model | ReluNetwork, points: Any, labels: Any, radius: float, bounds: tuple[float, float]
) -> tuple[ReluNetwork, Rows, Ball]:
    """The layers of a model, rows that fit it, and a ball."""
    network = model if isinstance(model, ReluNetwork) else relu_network(model.graph)
    rows = read_rows(network, points, labels)
    if not 0 <= radius < np.inf:
        raise DataError(f"radius={radius!r} is negative or infinite.")
    if not bounds[0] < bounds[1]:
        raise DataError(f"bounds={bounds!r} are no interval.")
    return network, rows, Ball(radius, bounds)


def read_rows(network: ReluNetwork, points: Any, labels: Any) -> Rows:
    """Rows as floats and labels as indices, that fit the network."""
    try:
        x = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"The points are no numbers: {error}.") from None
    y: Labels = np.asarray(labels)
    inputs, outputs = network.weights[0].shape[0], network.weights[-1].shape[1]
    x = x.reshape(len(x), -1) if x.ndim > 1 else x
    if x.ndim != 2 or x.shape[1] != inputs or not len(x):
        raise DataError(f"Points of shape {x.shape} do not fit a model of {inputs} inputs.")
    if not np.isfinite(x).all():
        raise DataError("Input contains NaN or infinity.")
    if y.shape != (len(x),) or not np.isin(y, range(max(2, outputs))).all():
        raise DataError(f"labels must be {len(x)} indices of classes below {max(2, outputs)}.")
    return Rows(x, y.astype(np.int64))


def _pairs(scores: Floats, labels: Labels) -> tuple[Labels, Floats]:
    """The row of each pair of its class and another one, and the factors of the scores in it."""
    rows, outputs = scores.shape
    every: Labels = np.arange(rows, dtype=np.int64)
    if outputs == 1:
        return every, cast("Floats", np.where(labels == 1, 1.0, -1.0)[:, None])
    others: Labels = (labels[:, None] + np.arange(1, outputs, dtype=np.int64)) % outputs
    row, eye = cast("Labels", np.repeat(every, outputs - 1)), np.eye(outputs)
    return row, eye[labels[row]] - eye[others.reshape(-1)]


def gains(network: ReluNetwork, rows: Rows) -> tuple[Floats, Labels, Floats]:
    """How much each right score leads each other one, row by row; their rows and factors."""
    scores = network.scores(rows.x)
    row, factors = _pairs(scores, rows.labels)
    return np.sum(factors * scores[row], axis=1), row, factors


def least_margins(network: ReluNetwork, rows: Rows) -> tuple[Floats, Floats]:
    """The least margin of each row, and the factors of the scores in it."""
    found, _, factors = gains(network, rows)
    margins = found.reshape(len(rows.x), -1)
    places = margins.argmin(axis=1) + np.arange(len(margins)) * margins.shape[1]
    return margins.min(axis=1), factors[places]


# --- robust accuracy, by proofs and exact witnesses


@dataclass(frozen=True, slots=True)
class Robustness:
    """What is known of points: in the whole ball right, wrong somewhere in it, or undecided.

    Parameters
    ----------
    answers
        One for each point: `Holds`, `Violated` with an exact witness, or `Unknown` with a reason.
    """

    answers: tuple[Answer, ...]

    @property
    def robust(self) -> int:
        """How many points are proved robust."""
        return sum(isinstance(answer, Holds) for answer in self.answers)

    @property
    def attacked(self) -> int:
        """How many points have a witness that the network classifies wrongly."""
        return sum(isinstance(answer, Violated) for answer in self.answers)

    @property
    def unknown(self) -> int:
        """How many points are undecided."""
        return len(self.answers) - self.robust - self.attacked

    def __str__(self) -> str:
        return f"{self.robust} proved robust, {self.attacked} attacked, {self.unknown} undecided"


def verified_robustness(  # noqa: PLR0913 (options, by keyword only)
    model: Model | ReluNetwork,
    points: Any,
    labels: Any,
    *,
    radius: float,
    bounds: tuple[float, float] = (0.0, 1.0),
    timeout: float | None = None,
    seed: int = 0,
) -> Robustness:
    """Whether the right score leads strictly everywhere within ``radius`` of each point.

    The ball is that of the maximum norm around the float64 numbers of the point, cut to the bounds.
    A tie counts as wrong.

    Parameters
    ----------
    model
        As in `robust_finetune`.
    points, labels
        Rows and the indices of their classes.
    radius, bounds
        The ball, and the values that inputs may take.
    timeout
        Seconds for each point; an undecided one is unknown.
    seed
        Of the search for violations.

    Raises
    ------
    DataError
        If points or labels do not fit the model, or radius or bounds make no sense.
    UnsupportedError
        If the model is no chain of dense layers and ReLUs.
    """
    network, rows, ball = read_attack(model, points, labels, radius, bounds)
    graph, outputs = network.graph(), network.weights[-1].shape[1]
    low, high = rational(bounds[0]), rational(bounds[1])
    answers: list[Answer] = []
    for x, label in zip(rows.x, rows.labels.tolist(), strict=True):
        centre, reach = list(map(Fraction, x.tolist())), rational(ball.radius)
        lower = tuple(max(low, value - reach) for value in centre)
        upper = tuple(min(high, value + reach) for value in centre)
        cases = tuple(Case(lower, upper, (), (unsafe,)) for unsafe in _unsafe(label, outputs))
        inputs, scores = TensorName("x", (len(centre),)), TensorName("scores", (outputs,))
        specification = Specification((inputs,), (scores,), cases)
        answers.append(verify(graph, specification, timeout=timeout, seed=seed))
    return Robustness(tuple(answers))


def _unsafe(label: int, outputs: int) -> list[Inequality]:
    """That some other class is at least as good."""
    one = Fraction(1)
    if outputs == 1:
        return [Inequality((), ((0, -one if label == 0 else one),), Fraction(0))]
    return [
        Inequality((), tuple(sorted(((label, one), (other, -one)))), Fraction(0))
        for other in range(outputs)
        if other != label
    ]

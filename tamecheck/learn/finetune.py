"""Constrained robust fine-tuning: the least change of weights that corrects adversarial points."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt

from tamecheck.errors import SolverError
from tamecheck.learn.finetune_network import ReluNetwork, relu_network
from tamecheck.learn.network import Floats
from tamecheck.learn.problems import DataError
from tamecheck.solve.cone import cone_solution

if TYPE_CHECKING:
    from tamecheck.model import Model

__all__ = ["FineTuning", "adversarial_points", "robust_finetune"]

Labels = npt.NDArray[np.int64]
_PRICES = (1e-9, 1e-7, 1e-5, 1e-3)
"""Ridges of the dual quadratic program: cuts that contradict each other may be violated, at a price
of one over the ridge times the squared violation."""

_ROUNDING = 1e-9
_RIVALS = 2
_PART = 0.3
"""The share of the largest missing lead that one step makes up for."""

_STEPS = (1.0, 0.5, 0.25, 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class FineTuning:
    """A network near another one, and how far it got.

    Parameters
    ----------
    network
        The fine-tuned network.
    distance
        The Euclidean norm of the change of all parameters.
    rounds
        How many quadratic programs were solved.
    wrong_before, wrong_after
        How many of the given points miss their margin, in the old and the new network; recomputed
        from the stored numbers.
    converged
        Whether none misses it, and the last quadratic program changed nothing more.
    """

    network: ReluNetwork
    distance: float
    rounds: int
    wrong_before: int
    wrong_after: int
    converged: bool

    def to_model(self) -> Model:
        """The network as a `tamecheck.Model`."""
        return self.network.to_model()

    def export_onnx(self, path: str | Path) -> None:
        """Write the network as ONNX."""
        self.network.export_onnx(path)

    def __str__(self) -> str:
        state = "converged" if self.converged else "stopped"
        return (
            f"{state} after {self.rounds} quadratic programs: {self.wrong_before} -> "
            f"{self.wrong_after} points without their margin, change {self.distance:.6g}"
        )


def robust_finetune(  # noqa: PLR0913 (options, by keyword only)
    model: Model | ReluNetwork,
    points: Any,
    labels: Any,
    *,
    margin: float = 0.0,
    precision: Literal["double", "single"] = "double",
    rounds: int = 50,
    timeout: float | None = None,
) -> FineTuning:
    """The least change of the parameters after which the points are classified rightly.

    ``min ½‖w - w0‖²`` subject to ``f_y(x; w) - f_j(x; w) >= margin`` for every point x of label y
    and every other class j (Zhao and Kronqvist 2024).  Each constraint is replaced by its cut at
    the current w, a quadratic program gives the next w, and damped steps repeat this.  For a linear
    model the first program is exact.  The program is solved in the multipliers of the cuts, so its
    size is that of the points, not of the network.

    Parameters
    ----------
    model
        A chain of dense layers and ReLUs, such as an ONNX file that `tamecheck.load` read; with one
        output, labels 0 and 1 ask for its negative or positive sign.
    points, labels
        Adversarial points ``(rows, inputs)`` and the indices of their right classes.
    margin
        How much larger the right score has to be.
    precision
        ``"single"`` rounds the result to float32.
    rounds, timeout
        The most quadratic programs, and seconds.

    Raises
    ------
    DataError
        If points or labels do not fit the model.
    UnsupportedError
        If the model is no such chain.
    """
    end = np.inf if timeout is None else time.monotonic() + timeout
    start = model if isinstance(model, ReluNetwork) else relu_network(model.graph)
    x, pairs = _checked(start, points, labels, margin)
    origin = start.vector()
    vector, best = origin, origin
    solved, converged = 0, False
    best_key = _key(start, origin, x, pairs, margin, origin)
    while solved < rounds and time.monotonic() < end:
        network = start.at(vector)
        gains, slopes = _cuts(network, x, pairs, margin)
        # the cut at the origin: gain + slope . (w - vector) >= margin, in d = w - origin
        if best_key[0] > 0 and len(start.weights) > 1:
            # on the way, only a part of what is missing: cuts are true only nearby
            missing = margin - gains
            part = np.where(missing > 0, np.minimum(missing, _PART * missing.max()), missing)
            step = _least_change(slopes, part)
        else:
            needed = margin - gains + slopes @ (vector - origin)
            step = origin + _least_change(slopes, needed) - vector
        solved += 1
        if float(np.abs(step).max(initial=0)) <= _ROUNDING * (1 + float(np.abs(vector).max())):
            converged = best_key[0] == 0
            break
        trials = [vector + t * step for t in _STEPS]
        keys = [_key(start, trial, x, pairs, margin, origin) for trial in trials]
        choice = min(range(len(trials)), key=lambda k: keys[k])
        vector = trials[choice]
        if keys[choice] < best_key:
            best_key, best = keys[choice], vector
        elif best_key[0] == 0:
            # nothing nearer was found among networks that classify all points
            break
    if precision == "single":
        best = best.astype(np.float32).astype(np.float64)
    network = start.at(best)
    return FineTuning(
        network,
        float(np.linalg.norm(best - origin)),
        solved,
        _wrong(start, x, pairs, margin),
        _wrong(network, x, pairs, margin),
        converged,
    )


def adversarial_points(  # noqa: PLR0913 (options, by keyword only)
    model: Model | ReluNetwork, points: Any, labels: Any, *, radius: float,
    bounds: tuple[float, float] = (0.0, 1.0), steps: int = 40,
) -> Floats:  # fmt: skip
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
        Of length ``radius / 10``.
    """
    network = model if isinstance(model, ReluNetwork) else relu_network(model.graph)
    origin, pairs = _checked(network, points, labels, 0.0)
    low, high = np.maximum(origin - radius, bounds[0]), np.minimum(origin + radius, bounds[1])
    x, worst = origin.copy(), origin.copy()
    least = np.full(len(x), np.inf)
    for _ in range(steps + 1):
        leads, back = _leads(network, x, pairs)
        better = leads < least
        least[better], worst[better] = leads[better], x[better]
        slope = network.gradients(x, back)[1]
        x = np.clip(x - radius / 10 * np.sign(slope), low, high)
    return worst


def _checked(
    network: ReluNetwork, points: Any, labels: Any, margin: float
) -> tuple[Floats, Labels]:
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
    if not 0 <= margin < np.inf:
        raise DataError(f"margin={margin!r} is negative or infinite.")
    return x, y.astype(np.int64)


def _pairs(scores: Floats, labels: Labels) -> tuple[Labels, Labels, Floats]:
    """Row and other class of each constraint, and the factors of the scores in each."""
    rows, outputs = scores.shape
    if outputs == 1:
        signs = cast("Floats", np.where(labels == 1, 1.0, -1.0)[:, None])
        return np.arange(rows, dtype=np.int64), labels, signs
    others: Labels = np.array([[c for c in range(outputs) if c != label] for label in labels])
    row = cast("Labels", np.repeat(np.arange(rows, dtype=np.int64), outputs - 1))
    other = others.reshape(-1)
    factors = np.zeros((len(row), outputs))
    factors[np.arange(len(row)), labels[row]] = 1
    factors[np.arange(len(row)), other] = -1
    return row, other, factors


def _gains(network: ReluNetwork, x: Floats, labels: Labels) -> Floats:
    """How much each right score leads each other one."""
    scores = network.scores(x)
    row, _, factors = _pairs(scores, labels)
    return np.sum(factors * scores[row], axis=1)


def _cuts(network: ReluNetwork, x: Floats, labels: Labels, margin: float) -> tuple[Floats, Floats]:
    """The leads over the nearest rivals, and their gradients in the parameters."""
    scores = network.scores(x)
    row, _, factors = _pairs(scores, labels)
    gains = np.sum(factors * scores[row], axis=1)
    ranks = gains.reshape(len(x), -1).argsort(axis=1).argsort(axis=1).reshape(-1)
    # rivals that are far behind get no cut; whether they stay there is checked after each step
    near = (ranks < _RIVALS) | (gains < margin)
    return gains[near], network.gradients(x[row[near]], factors[near])[0]


def _leads(network: ReluNetwork, x: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """The least lead of each row, and the factors of the scores in it."""
    scores = network.scores(x)
    row, _, factors = _pairs(scores, labels)
    gains = np.sum(factors * scores[row], axis=1).reshape(len(x), -1)
    least = gains.argmin(axis=1)
    places = least + np.arange(len(x)) * gains.shape[1]
    return gains.min(axis=1), factors[places]


def _wrong(network: ReluNetwork, x: Floats, labels: Labels, margin: float) -> int:
    gains = _gains(network, x, labels).reshape(len(x), -1)
    return int((gains.min(axis=1) < margin - _ROUNDING).sum())


def _key(  # noqa: PLR0913, PLR0917 (one call)
    shape: ReluNetwork, vector: Floats, x: Floats, labels: Labels, margin: float, origin: Floats
) -> tuple[float, float]:
    """What is still missing, then the distance: the smaller, the better."""
    missing = np.maximum(0, margin - _gains(shape.at(vector), x, labels))
    total = float(missing.sum())
    return (
        0.0 if missing.max(initial=0) <= _ROUNDING else total,
        float(np.linalg.norm(vector - origin)),
    )


def _least_change(slopes: Floats, needed: Floats) -> Floats:
    """The shortest d with ``slopes @ d >= needed``, through the multipliers of the cuts.

    It is ``S.T @ m`` where m >= 0 minimises ``½ m.(S S.T) m - needed . m`` (cuts scaled to slopes
    of norm 1).  On the cuts that are tight the equations are solved once more, to the accuracy of
    floats.
    """
    if not (needed > 0).any():
        return np.zeros(int(slopes.shape[1]), dtype=np.float64)
    sizes = np.linalg.norm(slopes, axis=1)
    # a cut without slope can be met by no change
    kept = sizes > 1e-12 * sizes.max(initial=0)
    units, wanted = slopes[kept] / sizes[kept, None], needed[kept] / sizes[kept]
    if not len(wanted):
        return np.zeros(int(slopes.shape[1]), dtype=np.float64)
    gram = units @ units.T
    multipliers = _multipliers(gram, wanted)
    tight = np.flatnonzero(multipliers > 1e-7 * multipliers.max(initial=0))
    refined = np.zeros(len(wanted))
    refined[tight] = np.linalg.lstsq(gram[np.ix_(tight, tight)], wanted[tight], rcond=None)[0]
    change = units.T @ refined
    good = bool((refined >= 0).all()) and bool((units @ change >= wanted - 1e-9).all())
    return change if good else cast("Floats", units.T @ multipliers)


def _multipliers(gram: Floats, wanted: Floats) -> Floats:
    """``min ½ m.(G + r I) m - wanted . m`` over m >= 0, with the least r that is solved."""
    count = len(wanted)
    eye = np.eye(count)
    size = float(np.abs(wanted).max())
    for price in _PRICES:
        try:
            found, _ = cone_solution(
                gram + price * eye, -wanted / size, -eye, np.zeros(count), [("nonnegative", count)]
            )
        except SolverError:
            continue
        return size * np.maximum(np.asarray(found, dtype=np.float64), 0)
    raise SolverError(
        "The quadratic program of the cuts was not solved.", hint="Try fewer points or a margin."
    )

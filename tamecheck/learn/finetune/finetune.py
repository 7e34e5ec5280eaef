"""Robust networks: a small change of weights that corrects adversarial points, and proofs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tamecheck.budget import Budget
from tamecheck.ir.exact import rational
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.learn.effort import DataError
from tamecheck.learn.finetune.network import ReluNetwork, read_attack, read_rows
from tamecheck.learn.finetune.steps import FAR, NEAR, Task, between, correct, count_missed, harden
from tamecheck.verification import Answer, Holds, Violated, verify

if TYPE_CHECKING:
    from tamecheck.model import Model


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
        How many of the given points miss their margin, in the old and the new network; with a
        radius, how many an attack within the radius makes wrong.  Recomputed from the stored
        numbers.
    converged
        Whether none misses it, and the last quadratic program changed nothing more.  With a radius,
        where the constraints move with the weights, it is False.
    interrupted
        Whether Ctrl-C ended the rounds; the network is the best until then.
    """

    network: ReluNetwork
    distance: float
    rounds: int
    wrong_before: int
    wrong_after: int
    converged: bool
    interrupted: bool = False

    def to_model(self) -> Model:
        """The network as a `tamecheck.Model`."""
        return self.network.to_model()

    def export_onnx(self, path: str | Path) -> None:
        """Write the network as ONNX."""
        self.network.export_onnx(path)

    def __str__(self) -> str:
        ended = "interrupted" if self.interrupted else "stopped"
        state = "converged" if self.converged else ended
        return (
            f"{state} after {self.rounds} quadratic programs: {self.wrong_before} -> "
            f"{self.wrong_after} points miss what is asked of them, change {self.distance:.6g}"
        )


def robust_finetune(  # noqa: PLR0913 (options, by keyword only)
    model: Model | ReluNetwork,
    points: Any,
    labels: Any,
    *,
    radius: float = 0.0,
    bounds: tuple[float, float] = (0.0, 1.0),
    clean: tuple[Any, Any] | None = None,
    validation: tuple[Any, Any] | None = None,
    margin: float | None = None,
    precision: Literal["double", "single"] = "double",
    rounds: int = 50,
    seed: int = 0,
    timeout: float | None = None,
) -> FineTuning:
    """A small change of the parameters after which points are classified rightly, and robustly.

    ``min ½‖w - w0‖²`` subject to ``f_y(x; w) - f_j(x; w) >= margin`` for every point x of label y
    and every other class j (Zhao and Kronqvist 2024).  Each constraint is replaced by its cut at
    the current w, a quadratic program gives the next w, and damped steps repeat this.

    With ``radius = 0`` the points are taken as they are.  For a linear model the first program is
    exact.

    With a positive radius they are attacked anew in each round, and beating the attacks has to
    generalise: they go two radii far, have to be beaten by a margin, and those of the last rounds
    stay constraints.  Clean rows that were classified rightly have to keep most of their lead.
    Contradicting cuts are violated at a price.  The result is the iterate that stands most attacks
    on the validation rows among those that lose at most 1 % of accuracy there.

    Give clean rows: without them, random rows between the points have to keep the class that the
    model gives them, and attacks go 1.3 radii far; that holds accuracy less well.

    The program is solved in the multipliers of the cuts, so its size is that of the points, not of
    the network.

    Parameters
    ----------
    model
        A chain of dense layers and ReLUs, such as an ONNX file that `tamecheck.load` read; with one
        output, labels 0 and 1 ask for its negative or positive sign.
    points, labels
        Points ``(rows, inputs)`` and the indices of their right classes.  `attackable_points`
        chooses some that stand for a training set.
    radius, bounds
        How far in the maximum norm, and within which values, attacks go.
    clean
        Rows and classes that must not be lost, such as the training set.  Only with a radius.
    validation
        Rows and classes by which the iterate is chosen; else the clean rows.  Only with a radius.
    margin
        How much larger the right score has to be: if not given, 0, with a radius 0.6 times the
        median lead of the clean rows.
    precision
        ``"single"`` rounds the result to float32.
    rounds, timeout
        The most quadratic programs, and seconds.
    seed
        Of the random rows.

    Raises
    ------
    DataError
        If data or options do not fit the model.
    UnsupportedError
        If the model is no such chain.
    """
    budget = Budget.of(timeout)
    start, given, ball = read_attack(model, points, labels, radius, bounds)
    if margin is not None and not 0 <= margin < np.inf:
        raise DataError(f"margin={margin!r} is negative or infinite.")
    if precision not in ("double", "single"):
        raise DataError(f"precision={precision!r} is none of double, single.")
    if radius > 0:
        kept = between(start, given, seed) if clean is None else read_rows(start, *clean)
        judges = kept if validation is None else read_rows(start, *validation)
        reach = FAR if clean is not None else NEAR
        best = harden(start, Task(given, ball, kept, judges, reach, margin), rounds, budget)
    elif clean is None and validation is None:
        best = correct(start, given, margin or 0.0, rounds, budget)
    else:
        raise DataError("Clean and validation rows are for a radius.", hint="Give radius=.")
    vector = best.vector
    if precision == "single":
        vector = vector.astype(np.float32).astype(np.float64)
    network = start.at(vector)
    wanted = 0.0 if radius > 0 else margin or 0.0
    return FineTuning(
        network,
        float(np.linalg.norm(vector - start.vector())),
        best.rounds,
        count_missed(start, given, ball, wanted),
        count_missed(network, given, ball, wanted),
        best.converged,
        budget.cancelled.is_set(),
    )


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
    model, points, labels
        As in `robust_finetune`.
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

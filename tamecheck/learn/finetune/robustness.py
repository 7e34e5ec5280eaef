"""Robust accuracy, by proofs and exact witnesses."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tamecheck.ir.exact import rational
from tamecheck.ir.spec import Case, Inequality, Specification, TensorName
from tamecheck.learn.finetune.margins import checked_ball, checked_rows, network_of
from tamecheck.verification import Answer, Holds, Violated, verify

if TYPE_CHECKING:
    from tamecheck.learn.finetune.network import ReluNetwork
    from tamecheck.model import Model

__all__ = ["Robustness", "verified_robustness"]


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
    model: Model | ReluNetwork, points: Any, labels: Any, *, radius: float,
    bounds: tuple[float, float] = (0.0, 1.0), timeout: float | None = None, seed: int = 0,
) -> Robustness:  # fmt: skip
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
    network = network_of(model)
    rows = checked_rows(network, points, labels)
    ball = checked_ball(radius, bounds)
    graph, outputs = network.graph(), network.weights[-1].shape[1]
    low, high = rational(bounds[0]), rational(bounds[1])
    answers: list[Answer] = []
    for x, label in zip(rows.x, rows.labels, strict=True):
        centre = [Fraction(float(value)) for value in x]
        reach = rational(ball.radius)
        lower = tuple(max(low, value - reach) for value in centre)
        upper = tuple(min(high, value + reach) for value in centre)
        cases = tuple(Case(lower, upper, (), (unsafe,)) for unsafe in _unsafe(int(label), outputs))
        spec = Specification(
            (TensorName("x", (len(centre),)),), (TensorName("scores", (outputs,)),), cases
        )
        answers.append(verify(graph, spec, timeout=timeout, seed=seed))
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

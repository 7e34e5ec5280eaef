"""Constrained robust fine-tuning: a small change of weights that corrects adversarial points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tamecheck.budget import Budget
from tamecheck.learn.effort import DataError
from tamecheck.learn.finetune.margins import read_attack, read_rows
from tamecheck.learn.finetune.network import ReluNetwork
from tamecheck.learn.finetune.steps import FAR, NEAR, Task, between, correct, count_missed, harden

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

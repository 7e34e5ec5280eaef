"""What a training may spend and whom it asks, and the errors of what cannot be trained on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.ir.answer import Feasible, Optimal, Unknown
from tamecheck.ir.program import Program
from tamecheck.solvers.claims import SOLVERS, Claim, claims
from tamecheck.solvers.libraries import INSTALL, is_installed

_ASKED = {"auto": SOLVERS, **{solver: (solver,) for solver in SOLVERS}}
"""Who is asked under each name; other names stand for a search that asks no solver."""

_SECONDS = 60.0
_TOLERANCE = 1e-6


class DataError(InputError, ValueError):
    """Data or parameters that cannot be trained on; a ``ValueError``, as in scikit-learn."""

    def __str__(self) -> str:
        # scikit-learn's own texts have several lines, which its tools look for
        return self.what if not self.hint else f"{self.what} {self.hint}"


@contextmanager
def data_errors() -> Generator[None]:
    """Turn the ``ValueError`` of scikit-learn's validation into a `DataError` of the same text."""
    try:
        yield
    except DataError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from None


@contextmanager
def interruptible(budget: Budget) -> Generator[None]:
    """A block that Ctrl-C ends quietly: it cancels the budget, so that no search goes on."""
    try:
        yield
    except KeyboardInterrupt:
        budget.cancelled.set()


def warn_of_interrupt(budget: Budget, kept: str, stacklevel: int) -> bool:
    """Whether Ctrl-C cancelled the budget; then say what is kept (`warnings.warn`'s level)."""
    if budget.cancelled.is_set():
        text = f"Training was interrupted; {kept}."
        warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel + 1)
    return budget.cancelled.is_set()


@dataclass(frozen=True, slots=True)
class Effort:
    """Which of the MIP solvers are asked, side by side; the limits of each, and their seed."""

    solvers: tuple[str, ...]
    seconds: float
    nodes: int | None
    seed: int

    def claims(
        self, program: Program, incumbent: Sequence[Fraction] | None = None
    ) -> tuple[Claim, ...]:
        """What each of the solvers says, from a point to begin with."""
        return claims(
            program,
            solvers=self.solvers,
            seconds=self.seconds,
            nodes=self.nodes,
            seed=self.seed,
            incumbent=incumbent,
        )


def points_of(said: Sequence[Claim]) -> list[tuple[float, ...]]:
    """The points that solvers found."""
    return [claim.point for claim in said if isinstance(claim, Optimal | Feasible)]


def failures(said: Sequence[Claim]) -> tuple[str, ...]:
    """What solvers failed at."""
    return tuple(f"{c.solver}: {c.why}." for c in said if isinstance(c, Unknown))


def unproved(said: Sequence[Claim], what: str, value: float, shift: float = 0.0) -> tuple[str, ...]:
    """What the solvers say that call a value optimal: it is no proof."""
    return tuple(
        f"{claim.solver} calls the {what} optimal, which is not proved."
        for claim in said
        if isinstance(claim, Optimal)
        and abs(claim.objective + shift - value) <= _TOLERANCE * abs(value)
    )


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise a `DataError` that lists the choices unless the value is one of them."""
    if value not in choices:
        raise DataError(f"{name}={value!r} is unknown.", hint=f"There are: {', '.join(choices)}.")


def effort_for(estimator: Any, search: str, seed: int) -> Effort:
    """Whom an estimator's options ask, nobody for its own search; without a limit of time.

    An unknown or missing solver, and limits that are no positive numbers, are refused.
    """
    solver, timeout, max_nodes = estimator.solver, estimator.timeout, estimator.max_nodes
    check_choice("solver", solver, (*_ASKED, search))
    if solver in SOLVERS and not is_installed(solver):
        raise DataError(f"solver={solver!r} is not installed.", hint=f"Try: {INSTALL}")
    if timeout is not None and not float(timeout) > 0:
        raise DataError(f"timeout={timeout!r} is no positive number.")
    if max_nodes is not None and (
        isinstance(max_nodes, bool) or not max_nodes == int(max_nodes) > 0
    ):
        raise DataError(f"max_nodes={max_nodes!r} is no positive integer.")
    return Effort(_ASKED.get(solver, ()), math.inf, max_nodes, seed)


def seconds_for(timeout: float | None, max_nodes: int | None) -> float:
    """The time limit: 60 seconds unless another limit is given."""
    if timeout is not None:
        return float(timeout)
    return _SECONDS if max_nodes is None else math.inf

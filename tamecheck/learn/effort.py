"""Whom an estimator by MIP asks, and for how long: the options that all of them share."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from tamecheck.errors import InputError
from tamecheck.ir.program import Program
from tamecheck.solvers.claims import SOLVERS, Claim, claims
from tamecheck.solvers.libraries import INSTALL, installed

__all__ = [
    "MIP_SOLVERS",
    "DataError",
    "Effort",
    "Interruption",
    "check_limits",
    "check_solver",
    "data_errors",
    "seconds_for",
]

MIP_SOLVERS = {"auto": SOLVERS, **{solver: (solver,) for solver in SOLVERS}}
"""Who is asked under each name; other names stand for a search that asks no solver."""

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Effort:
    """Which solvers are asked, and for how long each.

    Parameters
    ----------
    solvers
        Of ``"cbc"`` and ``"highs"``, side by side; maybe none.
    seconds
        The time limit.
    nodes
        The limit of each tree; None if only time limits it.
    seed
        Of the solvers.
    """

    solvers: tuple[str, ...]
    seconds: float
    nodes: int | None
    seed: int

    def claims(
        self, program: Program, incumbent: Sequence[Fraction] | None = None
    ) -> tuple[Claim, ...]:
        """What each of the solvers says, from a point to begin with."""
        return claims(
            program, solvers=self.solvers, seconds=self.seconds, nodes=self.nodes, seed=self.seed,
            incumbent=incumbent,
        )  # fmt: skip


def check_solver(value: Any, search: str) -> None:
    """Refuse what is neither a solver nor the name of the estimator's own search.

    Raises
    ------
    DataError
        If the name is unknown, or the solver is not installed.
    """
    names = (*MIP_SOLVERS, search)
    if value not in names:
        raise DataError(f"solver={value!r} is unknown.", hint=f"There are: {', '.join(names)}.")
    if value in SOLVERS and not installed(value):
        raise DataError(f"solver={value!r} is not installed.", hint=f"Try: {INSTALL}")


def check_limits(timeout: Any, max_nodes: Any) -> None:
    """Refuse limits that are no positive numbers.

    Raises
    ------
    DataError
        If one is none.
    """
    if timeout is not None and not float(timeout) > 0:
        raise DataError(f"timeout={timeout!r} is no positive number.")
    if max_nodes is not None and (
        isinstance(max_nodes, bool) or not max_nodes == int(max_nodes) > 0
    ):
        raise DataError(f"max_nodes={max_nodes!r} is no positive integer.")


def seconds_for(timeout: float | None, max_nodes: int | None) -> float:
    """The time limit: 60 seconds unless another limit is given."""
    if timeout is not None:
        return float(timeout)
    return _SECONDS if max_nodes is None else math.inf


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


@dataclass(slots=True, eq=False)
class Interruption:
    """A context that a ``KeyboardInterrupt`` ends quietly, and that remembers it.

    One object goes through all searches of a training, so that those that follow an interrupted one
    know that they are not wanted any more.

    Parameters
    ----------
    happened
        Whether a block was interrupted.
    """

    happened: bool = False

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self.happened = self.happened or interrupted
        return interrupted

    def warn(self, kept: str, stacklevel: int) -> None:
        """Say what is kept, if a block was interrupted; the level is that of `warnings.warn`."""
        if self.happened:
            text = f"Training was interrupted; {kept}."
            warnings.warn(text, ConvergenceWarning, stacklevel=stacklevel + 1)

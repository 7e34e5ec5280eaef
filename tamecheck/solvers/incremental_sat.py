"""One SAT solver with native cardinality constraints, asked many questions about one formula."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Timer
from typing import Any

from tamecheck.errors import SolverError
from tamecheck.solvers.cardinality import AtMost

__all__ = ["IncrementalSolver"]


class IncrementalSolver:
    """A python-sat solver that keeps what it learns between questions.

    Parameters
    ----------
    clauses
        Lists of literals: variables from 1, negative for negated.
    at_most
        Cardinality constraints; no literal occurs twice in one.
    solver
        ``minicard`` or ``gluecard4``.

    Raises
    ------
    SolverError
        If python-sat is not installed.
    """

    def __init__(
        self,
        clauses: Sequence[Sequence[int]],
        at_most: Sequence[AtMost],
        *,
        solver: str = "minicard",
    ) -> None:
        try:
            from pysat.solvers import Solver
        except ImportError:
            raise SolverError(
                "python-sat is not installed.", hint="pip install python-sat"
            ) from None
        found: Any = Solver
        self._solver: Any = found(name=solver, bootstrap_with=[list(c) for c in clauses])
        for literals, bound in at_most:
            self._solver.add_atmost(list(literals), bound)

    def model(self, assumptions: Sequence[int], deadline: float) -> frozenset[int] | bool | None:
        """The true literals of a solution under assumptions; False if it says there is none.

        None if the time is over.  Whoever uses a solution checks it.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        # a wait beyond a day overflows the clock of a thread
        timer = Timer(min(left, 86_400.0), self._solver.interrupt)
        timer.daemon = True
        timer.start()
        try:
            said = self._solver.solve_limited(assumptions=list(assumptions), expect_interrupt=True)
        finally:
            timer.cancel()
            self._solver.clear_interrupt()
        if said is None:
            return None
        return frozenset(self._solver.get_model()) if said else False

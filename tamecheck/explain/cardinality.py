"""The same questions for a SAT solver with native cardinality constraints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.binarized.logic import Formula
from tamecheck.binarized.network import ThresholdNetwork
from tamecheck.errors import SolverError
from tamecheck.explain.domain import Domain, Feature
from tamecheck.solvers.incremental_sat import IncrementalSolver

__all__ = ["Cardinality"]

_MOST_COPIES = 60_000


class Cardinality:
    """A formula for "some input of the domain is decided otherwise", asked under assumptions.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    decision
        The decision that is to change.
    solver
        ``minicard`` or ``gluecard4``.

    Raises
    ------
    SolverError
        If the weights need too many copies of literals, or python-sat is not installed.
    """

    def __init__(
        self, network: ThresholdNetwork, domain: Domain, decision: int, *, solver: str = "minicard"
    ) -> None:
        if _copies(network, decision) > _MOST_COPIES:
            raise SolverError("The weights are too large for an encoding in cardinalities.")
        formula = Formula()
        self._states = [formula.variable() for _ in range(network.inputs)]
        for feature in domain.features:
            self._possible(formula, feature)
        rivals = [k for k in range(network.classes) if k != decision]
        formula.decided_for(network, self._states, decision, rivals)
        self.name = solver
        self._solver = IncrementalSolver(formula.clauses, formula.at_most, solver=solver)

    def _possible(self, formula: Formula, feature: Feature) -> None:
        """That the inputs of a feature have one of its codes."""
        signed = [self._states[i] for i in feature.inputs]
        if len(feature.codes) == 2 ** len(signed):
            return
        chosen = [formula.variable() for _ in feature.codes]
        formula.clauses.append(list(chosen))
        for literal, code in zip(chosen, feature.codes.tolist(), strict=True):
            formula.clauses.extend([-literal, v * s] for v, s in zip(signed, code, strict=True))

    def other(
        self, states: Sequence[int], fixed: Sequence[int], deadline: float
    ) -> tuple[int, ...] | bool | None:
        """States of another class that agree on the ``fixed`` inputs; False if it says none.

        None if the time is over.
        """
        assumed = [self._states[i] * int(states[i]) for i in fixed]
        found = self._solver.model(assumed, deadline)
        if found is None or isinstance(found, bool):
            return found
        return tuple(1 if v in found else -1 for v in self._states)


def _copies(network: ThresholdNetwork, decision: int) -> int:
    """How many literals the constraints have together, guards counted as often as they occur."""
    leads = np.delete(network.readout - network.readout[decision], decision, axis=0)
    return sum(
        int((2 * np.abs(rows).sum(axis=1) // np.maximum(np.gcd.reduce(rows, axis=1), 1)).sum())
        for rows in (*(layer.weights for layer in network.layers), leads)
    )

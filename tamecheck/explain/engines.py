"""The same questions for other engines: SAT with native cardinality constraints, and z3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.binarized.network import ThresholdLayer, ThresholdNetwork
from tamecheck.binarized.portfolio import Formula
from tamecheck.errors import SolverError
from tamecheck.explain.domain import Domain, Feature
from tamecheck.explain.evaluator import Codes
from tamecheck.solvers.sat import IncrementalSolver, Threshold, another_class

__all__ = ["Cardinality", "second_opinion"]

_MOST_COPIES = 60_000


class Cardinality:
    """A formula for "some input of the domain is decided otherwise", asked under assumptions.

    The solver is ``minicard`` or ``gluecard4``.

    Raises `SolverError` if the weights need too many copies of literals, or python-sat is not
    installed.
    """

    def __init__(
        self, network: ThresholdNetwork, domain: Domain, decision: int, *, solver: str = "minicard"
    ) -> None:
        rivals = network.against(decision)
        if sum(map(_copies, (*network.layers, rivals))) > _MOST_COPIES:
            raise SolverError("The weights are too large for an encoding in cardinalities.")
        formula = Formula()
        self._states = [formula.variable() for _ in range(network.inputs)]
        for feature in domain.features:
            self._possible(formula, feature)
        others = [k for k in range(network.classes) if k != decision]
        formula.decided_for(network, self._states, decision, others)
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


def _copies(layer: ThresholdLayer) -> int:
    """How many literals the constraints have together, guards counted as often as they occur."""
    sizes = np.abs(layer.weights).sum(axis=1)
    return int((2 * sizes // np.maximum(np.gcd.reduce(layer.weights, axis=1), 1)).sum())


def second_opinion(
    network: ThresholdNetwork,
    domain: Domain,
    codes: Codes,
    fixed: Sequence[int],
    *,
    seconds: float = 60.0,
) -> str:
    """``"agrees"`` if z3 too finds no other class with the fixed features, or ``"no answer"``.

    Raises `SolverError` if z3 finds one.
    """
    kept = set(fixed)
    possible = [
        (f.inputs, f.codes[[codes[k]]].tolist() if k in kept else f.codes.tolist())
        for k, f in enumerate(domain.features)
    ]
    decision = int(network.decide(domain.states(codes)[np.newaxis])[0])
    *layers, leads = map(_thresholds, (*network.layers, network.against(decision)))
    found = another_class(network.inputs, possible, layers, leads, seconds=seconds)
    if found:
        raise SolverError("z3 disagrees: it finds another class with these features kept.")
    return "agrees" if found is False else "no answer"


def _thresholds(layer: ThresholdLayer) -> list[Threshold]:
    return list(zip(layer.weights.tolist(), layer.thresholds.tolist(), strict=True))

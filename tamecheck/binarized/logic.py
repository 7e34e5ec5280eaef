"""A folded network as clauses and cardinality constraints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamecheck.binarized.folding import Ball
from tamecheck.binarized.network import ThresholdNetwork
from tamecheck.errors import SolverError
from tamecheck.ir.tensor import Array
from tamecheck.solvers.cardinality import AtMost

__all__ = ["Formula", "misclassified"]

_LARGEST = 200_000


class Formula:
    """Clauses and cardinality constraints under construction; a variable is a number from 1."""

    def __init__(self) -> None:
        self.variables = 0
        self.clauses: list[list[int]] = []
        self.at_most: list[AtMost] = []

    def variable(self) -> int:
        """A new variable."""
        self.variables += 1
        if self.variables > _LARGEST:
            raise SolverError("The weights are too large for an encoding in cardinalities.")
        return self.variables

    def implies_sum(self, guard: int, literals: Sequence[int], weights: Array, least: int) -> None:
        """Add ``guard -> sum of weights * (±1 value of literal) >= least``.

        Weights are divided by their greatest common divisor; one above 1 stands for copies of its
        literal, and the guard for as many copies as the bound needs.
        """
        common = int(np.gcd.reduce(weights)) if len(weights) else 0
        if common == 0:
            if least > 0:
                self.clauses.append([-guard])
            return
        sizes = [int(abs(weight)) // common for weight in weights]
        # the sum of ±1 values reaches the bound when enough of the signed literals are true
        total = sum(sizes)
        count = -((-(-((-least) // common) + total)) // 2)
        if count <= 0:
            return
        if count > total:
            self.clauses.append([-guard])
            return
        wrong: list[int] = []
        for literal, weight, size in zip(literals, weights, sizes, strict=True):
            if size:
                false = -literal if weight > 0 else literal
                wrong.append(false)
                wrong.extend(self._copy(false) for _ in range(size - 1))
        if count == total:
            self.clauses.extend([-guard, -literal] for literal in wrong)
            return
        wrong.extend(self._copy(guard) for _ in range(count))
        self.at_most.append((wrong, total))

    def decided_for(
        self,
        network: ThresholdNetwork,
        states: Sequence[int],
        decision: int,
        targets: Sequence[int],
    ) -> None:
        """Add that at the inputs' ``states`` some target's score beats that of ``decision``."""
        for layer in network.layers:
            after: list[int] = []
            for weights, threshold in zip(layer.weights, layer.thresholds.tolist(), strict=True):
                neuron = self.variable()
                self.implies_sum(neuron, states, weights, threshold)
                self.implies_sum(-neuron, states, -weights, 1 - threshold)
                after.append(neuron)
            states = after
        chosen: list[int] = []
        for target in targets:
            guard = self.variable()
            difference = network.readout[target] - network.readout[decision]
            offset = int(network.offsets[target] - network.offsets[decision])
            least = (0 if target < decision else 1) - offset
            self.implies_sum(guard, states, difference, least)
            chosen.append(guard)
        self.clauses.append(chosen)

    def _copy(self, literal: int) -> int:
        """A new variable that is true where the literal is."""
        new = self.variable()
        self.clauses.append([-literal, new])
        return new


def misclassified(
    folded: ThresholdNetwork, ball: Ball, decision: int, targets: Sequence[int]
) -> tuple[Formula, list[int]]:
    """That some point of the ball is decided for a target over ``decision``.

    Returns
    -------
    tuple[Formula, list[int]]
        The formula, satisfiable exactly where some target's score beats that of ``decision`` in
        the ball, and the literal of each input's state (constant inputs included).
    """
    formula = Formula()
    states = [formula.variable() for _ in range(folded.inputs)]
    signs = ball.centre.tolist()
    free = set(ball.free)
    formula.clauses.extend(
        [v * s] for i, (v, s) in enumerate(zip(states, signs, strict=True)) if i not in free
    )
    formula.at_most.append(([-states[i] * signs[i] for i in ball.free], ball.radius))
    formula.decided_for(folded, states, decision, targets)
    return formula, states

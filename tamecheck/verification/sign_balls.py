"""Balls around a point for a binarized network: what all radii share is computed once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck.binarized.windows import WindowNetwork
from tamecheck.budget import Budget
from tamecheck.errors import UnsupportedError
from tamecheck.ir.spec import Case
from tamecheck.ir.tensor import Array
from tamecheck.verification.answer import Answer, Unknown, Violated, Witness
from tamecheck.verification.problem import network_of, problem_of
from tamecheck.verification.robustness import LocalRobustness
from tamecheck.verification.windows import MOVES, Prover, SignProofs
from tamecheck.verification.witness import inside

_LARGE = 1 << 10
"""Neurons of the first layer from which on no other proofs are sought."""
_SEARCHED = 0.5
"""Of the time, for a violation."""


@dataclass(frozen=True, slots=True, eq=False)
class SignBalls:
    """The question of a point, and the network that it is about."""

    question: LocalRobustness
    network: WindowNetwork

    @classmethod
    def of(cls, question: LocalRobustness) -> SignBalls | None:
        """The balls of a question; None where there is no binarized network."""
        try:
            network = network_of(problem_of(question.graph, question.property(Fraction(0))))
        except UnsupportedError:
            return None
        return None if network is None else cls(question, network)

    @property
    def is_large(self) -> bool:
        """Whether boxes of inputs and linear pieces are hopeless."""
        first = self.network.layers[0]
        return len(first.groups) * first.channels > _LARGE

    def verify(self, radius: Fraction, budget: Budget, *, seed: int, quickly: bool) -> Answer:
        """Whether every input within a radius is of the class: first a violation is looked for.

        The effort of a quick answer is counted, not timed.  No kernel has seen the certificate.
        """
        started = time.monotonic()
        cases = self.question.property(radius).cases
        proofs = SignProofs.of(self.network, cases)
        if proofs is None:
            return Unknown("The rows of the property have too many digits.", 0.0)
        for prover in proofs.provers:
            found = self._violation(prover, cases[0], budget, seed=seed, quickly=quickly)
            if found is not None:
                witness, method = found
                reason = "An exact evaluation of the witness violates the property."
                return Violated(witness, method, reason, time.monotonic() - started)
        shown = proofs.find(budget, quickly=quickly)
        spent, late = time.monotonic() - started, budget.is_spent
        if not shown:
            why = "Out of time." if late else "Bounds close not all patterns of signs."
            return Unknown(why, spent, late, proofs.facts())
        return proofs.answer(spent, {})

    def _violation(
        self, prover: Prover, case: Case, budget: Budget, *, seed: int, quickly: bool
    ) -> tuple[Witness, str] | None:
        """A violation in a ball, if possible one that a float32 run confirms, and its method."""
        kept: list[Witness] = []

        def confirm(point: Array) -> Witness | None:
            if not prover.is_unsafe(point):
                return None
            for like in dict.fromkeys(
                (inside(point.astype(np.float32), case), inside(point, case))
            ):
                witness = self.question.witness_at(like)
                if witness is not None and witness.float32 is not False:
                    return witness
                kept.extend([] if witness is None else [witness])
            return None

        part, rounds = budget.share(_SEARCHED), 1 if quickly else None
        found = prover.find_violation(confirm, np.random.default_rng(seed), part, rounds)
        return found or ((kept[0], MOVES) if kept else None)

"""Balls around a point for a binarized network: what all radii share is computed once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Literal

import numpy as np

from tamecheck.binarized.windows import WindowNetwork
from tamecheck.budget import Budget
from tamecheck.errors import UnsupportedError
from tamecheck.ir.exact import decimal_between
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
_FEW = 8
"""Open signs that a quick try splits as well."""
_CUTS = 12
_ZERO = Fraction(0)
_REASON = "An exact evaluation of the witness violates the property."


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

    def descend(
        self, radius: Fraction, budget: Budget, *, seed: int
    ) -> tuple[Fraction, Violated | None]:
        """A violation that is found by a quick search in ever smaller balls, the first of a radius.

        The radius comes with it at which none was found.  Floats search, and the last points are
        evaluated exactly.
        """
        started, points = time.monotonic(), list[Array]()
        while not budget.is_spent:
            proofs = SignProofs.of(self.network, self.question.property(radius).cases)
            if proofs is None:
                break
            prover, rng = proofs.provers[0], np.random.default_rng(seed)
            found = prover.find_violation(partial(self._cut, prover), rng, budget, 1)
            if found is None:
                break
            points.append(found[0])
            radius = decimal_between(Fraction(0), self.question.distance(_exactly(found[0])))
        for point in reversed(points):
            witness = self._witness(point, self.question.distance(_exactly(point)))
            if witness is not None:
                return radius, Violated(witness, MOVES, _REASON, time.monotonic() - started)
        return radius, None

    def verify(  # noqa: PLR0913 (what is known of the radius, by keyword only)
        self,
        radius: Fraction,
        budget: Budget,
        *,
        seed: int,
        quickly: bool,
        skipped: Literal["violation", "proof", ""] = "",
        low: Fraction = _ZERO,
    ) -> Answer:
        """Whether every input within a radius is of the class: first a violation is looked for.

        The effort of a quick answer is counted, not timed; one half of it may be skipped.  No
        violation is nearer than ``low``.  No kernel has seen the certificate.
        """
        started = time.monotonic()
        proofs = SignProofs.of(self.network, self.question.property(radius).cases)
        if proofs is None:
            return Unknown("The rows of the property have too many digits.", 0.0)
        (prover,) = proofs.provers

        def confirm(point: Array) -> Witness | None:
            cut = self._cut(prover, point, float(low))
            found = None if cut is None else self._witness(cut, radius)
            return found or (None if cut is None else self._witness(point, radius))

        if skipped != "violation":
            part, rng = budget.share(_SEARCHED), np.random.default_rng(seed)
            found = prover.find_violation(confirm, rng, part, 1 if quickly else None)
            if found is not None:
                return Violated(*found, _REASON, time.monotonic() - started)
        quickly &= int((prover.first.states == 0).sum()) > _FEW
        shown = skipped != "proof" and proofs.find(budget, quickly=quickly)
        spent, late = time.monotonic() - started, budget.is_spent
        if not shown:
            why = "Out of time." if late else "Bounds close not all patterns of signs."
            return Unknown(why, spent, late, proofs.facts())
        return proofs.answer(spent, {})

    def _cut(self, prover: Prover, point: Array, low: float = 0.0) -> Array | None:
        """A point that floats see as unsafe, its largest differences from the centre cut down.

        Its numbers are of float32 if that is unsafe too: so it is what the witness will have.
        """
        kinds = (np.float32, np.float64)
        kind = next((k for k in kinds if prover.is_unsafe(_rounded(point, k))), None)
        if kind is None:
            return None
        centre = np.array([float(v) for v in self.question.centre])
        best, high = _rounded(point, kind), float(np.abs(point - centre).max(initial=0))
        for _ in range(_CUTS):
            middle = (low + high) / 2
            cut = _rounded(np.clip(point, centre - middle, centre + middle), kind)
            if prover.is_unsafe(cut):
                best, high = cut, middle
            else:
                low = middle
        return best

    def _witness(self, point: Array, radius: Fraction) -> Witness | None:
        """The witness next to a point of a ball, if possible one that a float32 run confirms."""
        case, kept = self.question.property(radius).cases[0], None
        near = inside(point.astype(np.float32), case), inside(point, case)
        for like in dict.fromkeys(near):
            found = self.question.witness_at(like)
            if found is not None and found.float32 is not False:
                return found
            kept = kept or found
        return kept


def _rounded(point: Array, kind: type[np.floating]) -> Array:
    return point.astype(kind).astype(np.float64)


def _exactly(point: Array) -> tuple[Fraction, ...]:
    return tuple(map(Fraction, point.tolist()))

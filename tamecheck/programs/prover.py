"""Exact proofs at a node of the search, from multipliers in floating point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from tamecheck.ir.program import Program
from tamecheck.programs.basis import exact_multipliers
from tamecheck.programs.scaled import Box, Multipliers, Scaled
from tamecheck.programs.simplex import LinearInfeasible, LinearOutcome, minimum
from tamecheck.solvers.relaxation import Relaxation, RelaxedInfeasible, RelaxedOptimum

__all__ = ["Prover"]

_DENOMINATORS = (2**8, 2**20, 2**40)


class Prover:
    """Turns floating-point multipliers into exact proofs.

    Parameters
    ----------
    program
        The program.
    relaxation
        Its relaxation, whose last basis belongs to the answer that is to be proved.
    """

    def __init__(self, program: Program, relaxation: Relaxation) -> None:
        self._program = program
        self._relaxation = relaxation
        self.scaled = Scaled(program)

    def bound(
        self, answer: RelaxedOptimum, box: Box, enough: Callable[[Fraction], bool]
    ) -> tuple[Multipliers, Fraction] | None:
        """Multipliers whose bound is enough, and that bound; None if there seem to be none."""
        for multipliers in self._candidates(answer.multipliers):
            value = self.scaled.bound(multipliers, box)
            if value is not None and enough(value):
                return multipliers, value
        return None

    def contradiction(self, answer: RelaxedInfeasible, box: Box) -> Multipliers | None:
        """Multipliers, cheap to find, that prove that no point satisfies the rows in the box."""
        return next((y for y in self._rays(answer) if self._excludes(y, box)), None)

    def infeasible(self, answer: RelaxedInfeasible, box: Box) -> Multipliers | None:
        """The same, by pivots in rationals where nothing cheap is found."""
        found = self.contradiction(answer, box)
        if found is not None:
            return found
        exact = self.minimum(box)
        return self.excluding(exact, box) if isinstance(exact, LinearInfeasible) else None

    def minimum(self, box: Box, deadline: float = math.inf) -> LinearOutcome:
        """The relaxation in rationals, from the basis that the solver found."""
        basis = self._relaxation.basis()
        known = len(basis.columns) == len(self._program.columns)
        costs = [self._program.sense.sign * column.cost for column in self._program.columns]
        return minimum(self._program, costs, box, basis if known else None, deadline=deadline)

    def excluding(self, found: LinearInfeasible, box: Box) -> Multipliers | None:
        """The multipliers of an exact contradiction, if they are one: they always are."""
        multipliers = self.scaled.exact(dict(enumerate(found.multipliers)))
        return multipliers if self._excludes(multipliers, box) else None

    def _excludes(self, multipliers: Multipliers, box: Box) -> bool:
        value = self.scaled.bound(multipliers, box, costs=False)
        return value is not None and value > 0

    def _candidates(self, values: Sequence[float]) -> Iterator[Multipliers]:
        for denominator in _DENOMINATORS:
            yield self.scaled.rounded(values, denominator)
        sign = self._program.sense.sign
        costs = [sign * column.cost for column in self._program.columns]
        exact = exact_multipliers(self._program, self._relaxation.basis(), costs)
        if exact is not None:
            yield self._supported(self.scaled.exact(exact))

    def _supported(self, multipliers: Multipliers) -> Multipliers:
        """The multipliers without those that no row bound supports."""
        lower, upper = self.scaled.row_lower, self.scaled.row_upper
        kept = {
            i: n
            for i, n in multipliers.numerators.items()
            if (lower[i] if n > 0 else upper[i]) is not None
        }
        return Multipliers(kept, multipliers.denominator)

    def _rays(self, answer: RelaxedInfeasible) -> Iterator[Multipliers]:
        largest = max((abs(value) for value in answer.ray or ()), default=0.0)
        if answer.ray and 0 < largest < float("inf"):
            for denominator in _DENOMINATORS:
                for sign in (1, -1):
                    scaled = [sign * value / largest for value in answer.ray]
                    yield self.scaled.rounded(scaled, denominator)
        for i in range(len(self._program.rows)):
            for sign in (1, -1):
                yield self._supported(Multipliers({i: sign}, 1))

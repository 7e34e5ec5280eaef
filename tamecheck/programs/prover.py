"""Exact proofs at a node of the search, from multipliers in floating point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.ir.program import Column, Program, Row
from tamecheck.programs.basis import exact_multipliers
from tamecheck.programs.scaled import Box, Multipliers, Scaled
from tamecheck.solve.relaxation import Relaxation, RelaxedInfeasible, RelaxedOptimum

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
        self._elastic: tuple[Relaxation, Sequence[Fraction], Program] | None = None
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

    def infeasible(self, answer: RelaxedInfeasible, box: Box) -> Multipliers | None:
        """Multipliers that prove that no point satisfies the rows within the bounds."""
        for multipliers in self._rays(answer, box):
            value = self.scaled.bound(multipliers, box, costs=False)
            if value is not None and value > 0:
                return multipliers
        return None

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

    def _rays(self, answer: RelaxedInfeasible, box: Box) -> Iterator[Multipliers]:
        largest = max((abs(value) for value in answer.ray or ()), default=0.0)
        if answer.ray and 0 < largest < float("inf"):
            for denominator in _DENOMINATORS:
                for sign in (1, -1):
                    scaled = [sign * value / largest for value in answer.ray]
                    yield self.scaled.rounded(scaled, denominator)
        for i in range(len(self._program.rows)):
            for sign in (1, -1):
                yield self._supported(Multipliers({i: sign}, 1))
        exact = self._elastic_multipliers(box)
        if exact is not None:
            yield self._supported(self.scaled.exact(exact))

    def _elastic_multipliers(self, box: Box) -> dict[int, Fraction] | None:
        """Optimal multipliers of the program that minimises the total violation of the rows."""
        if self._elastic is None:
            elastic = _elastic(self._program)
            costs = [column.cost for column in elastic.columns]
            self._elastic = Relaxation(elastic), costs, elastic
        relaxation, costs, elastic = self._elastic
        for j, (low, high) in enumerate(zip(box.lower, box.upper, strict=True)):
            relaxation.set_bounds(
                j, None if low is None else Fraction(low), None if high is None else Fraction(high)
            )
        if not isinstance(relaxation.solve(), RelaxedOptimum):
            return None
        exact = exact_multipliers(elastic, relaxation.basis(), costs)
        return None if exact is None else dict(exact)


def _elastic(program: Program) -> Program:
    """The program with a column for the shortage and one for the excess of each row."""
    columns = [replace(column, cost=Fraction(0)) for column in program.columns]
    rows: list[Row] = []
    for row in program.rows:
        extra: list[tuple[int, Fraction]] = []
        for sign, side in ((1, row.lower), (-1, row.upper)):
            if side is not None:
                extra.append((len(columns), Fraction(sign)))
                columns.append(Column(f"{len(columns)}", cost=Fraction(1)))
        rows.append(replace(row, terms=(*row.terms, *extra)))
    named = [replace(column, name=f"{j}") for j, column in enumerate(columns)]
    return Program(tuple(named), tuple(rows))

"""Linear programs of which floats find a basis and rationals prove it optimal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from flint import fmpq_mat

from tamecheck.dual import InfeasibleProgramError, normalise
from tamecheck.dual.linear import LinearInfeasible, LinearUnbounded, minimise
from tamecheck.evaluate.reals import as_fraction, as_number
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.layers.pivoting import improved_basis
from tamecheck.layers.polyhedron import Point
from tamecheck.programs.basis import exact_multipliers, exact_point
from tamecheck.programs.prover import Prover
from tamecheck.programs.scaled import Box, simple
from tamecheck.solve.relaxation import (
    Basis,
    Relaxation,
    RelaxedInfeasible,
    RelaxedOptimum,
    nearest,
)

__all__ = ["Best", "Endless", "Linear", "NoPoint", "Outcome", "reduced_costs"]


@dataclass(frozen=True, slots=True)
class Best:
    """A basic optimal point, and row multipliers that prove it optimal.

    ``value`` is the minimised form ``Σ cost x`` without a constant.
    """

    value: Fraction
    point: Point
    multipliers: Point


@dataclass(frozen=True, slots=True)
class NoPoint:
    """The rows and bounds contradict each other, which was proved."""


@dataclass(frozen=True, slots=True)
class Endless:
    """The form decreases without end, which was proved."""


Outcome: TypeAlias = Best | NoPoint | Endless


class Linear:
    """The polyhedron of a program's rows and bounds, over which forms are minimised exactly.

    Parameters
    ----------
    program
        Its kinds, costs and sense do not count.

    Notes
    -----
    HiGHS proposes a basis, which is solved and checked in rationals.  Where that is not exactly
    optimal, as at ties below its tolerances, exact pivots go on from it; if that fails the simplex
    method runs in rationals from the start.
    """

    def __init__(self, program: Program) -> None:
        columns = tuple(
            replace(column, kind=Kind.CONTINUOUS, cost=Fraction(0)) for column in program.columns
        )
        self._program = Program(columns, program.rows)
        self._relaxation = Relaxation(self._program)
        self._matrix = _matrix(self._program)

    def minimum(self, costs: Sequence[Fraction]) -> Outcome:
        """The minimum of ``Σ costs x``, with its proof."""
        self._relaxation.set_costs([nearest(cost) for cost in costs])
        answer = self._relaxation.solve()
        if isinstance(answer, RelaxedOptimum):
            basis = self._relaxation.basis()
            best = self._at(basis, costs)
            if best is None:
                improved = improved_basis(self._program, costs, basis)
                best = None if improved is None else self._at(improved, costs)
            if best is not None:
                return best
        if isinstance(answer, RelaxedInfeasible) and self._contradictory(answer):
            return NoPoint()
        return self._from_the_start(costs)

    def _at(self, basis: Basis, costs: Sequence[Fraction]) -> Best | None:
        program = self._program
        ends = [(column.lower, column.upper) for column in program.columns]
        point = exact_point(program, basis, [low for low, _ in ends], [high for _, high in ends])
        found = exact_multipliers(program, basis, costs)
        if point is None or found is None:
            return None
        multipliers = [found.get(i, Fraction(0)) for i in range(len(program.rows))]
        forms = _entries(self._matrix * _column(point))
        prices = _entries(self._matrix.transpose() * _column(multipliers))
        reduced = [c - price for c, price in zip(costs, prices, strict=True)]
        rows = zip(program.rows, forms, multipliers, strict=True)
        columns = zip(program.columns, point, reduced, strict=True)
        if not all(_held(limits, value, rate) for limits, value, rate in (*rows, *columns)):
            return None
        value = sum((c * x for c, x in zip(costs, point, strict=True) if c), Fraction(0))
        return Best(value, tuple(point), tuple(multipliers))

    def _contradictory(self, answer: RelaxedInfeasible) -> bool:
        columns = self._program.columns
        box = Box([simple(c.lower) for c in columns], [simple(c.upper) for c in columns])
        return Prover(self._program, self._relaxation).infeasible(answer, box) is not None

    def _from_the_start(self, costs: Sequence[Fraction]) -> Outcome:
        columns = tuple(
            replace(column, cost=cost)
            for column, cost in zip(self._program.columns, costs, strict=True)
        )
        try:
            form = normalise(Program(columns, self._program.rows, Sense.MINIMISE))
        except InfeasibleProgramError:
            return NoPoint()
        outcome = minimise(form.columns, form.constraints, form.right)
        if isinstance(outcome, LinearInfeasible):
            return NoPoint()
        if isinstance(outcome, LinearUnbounded):
            return Endless()
        multipliers = [Fraction(0)] * len(self._program.rows)
        for constraint, y in zip(form.constraints, outcome.multipliers, strict=True):
            if constraint.row is not None:
                multipliers[constraint.row] += y
        return Best(form.outward(outcome.value), form.point(outcome.point), tuple(multipliers))


def reduced_costs(
    program: Program, costs: Sequence[Fraction], multipliers: Sequence[Fraction]
) -> list[Fraction]:
    """``c - Aᵀ y``."""
    reduced = list(costs)
    for row, y in zip(program.rows, multipliers, strict=True):
        if y:
            for j, a in row.terms:
                reduced[j] -= y * a
    return reduced


def _held(limits: Row | Column, value: Fraction, multiplier: Fraction) -> bool:
    """Whether a value is within the bounds, and at the one that its multiplier presses against."""
    if multiplier > 0:
        return value == limits.lower and limits.admits(value)
    if multiplier < 0:
        return value == limits.upper and limits.admits(value)
    return limits.admits(value)


def _matrix(program: Program) -> fmpq_mat:
    matrix = fmpq_mat(len(program.rows), len(program.columns))
    for i, row in enumerate(program.rows):
        for j, a in row.terms:
            matrix[i, j] = as_number(a)
    return matrix


def _column(values: Sequence[Fraction]) -> fmpq_mat:
    return fmpq_mat(len(values), 1, [as_number(value) for value in values])


def _entries(vector: fmpq_mat) -> list[Fraction]:
    return [as_fraction(value) for value in vector.entries()]

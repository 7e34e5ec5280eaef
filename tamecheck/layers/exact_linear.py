"""Linear programs of which floats find a basis and rationals prove it optimal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from tamecheck.errors import SolverError
from tamecheck.exact.hull import Point
from tamecheck.exact.linear import linear_box, minimum
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.solvers.relaxation import Relaxation, nearest

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
    optimal, as at ties below its tolerances, exact pivots go on from it.
    """

    def __init__(self, program: Program) -> None:
        columns = tuple(
            replace(column, kind=Kind.CONTINUOUS, cost=Fraction(0)) for column in program.columns
        )
        self._program = Program(columns, program.rows)
        self._relaxation = Relaxation(self._program)

    def minimum(self, costs: Sequence[Fraction]) -> Outcome:
        """The minimum of ``Σ costs x``, with its proof.

        Raises
        ------
        SolverError
            If the basis that HiGHS finds is not optimal, and the program too large for pivots.
        """
        self._relaxation.set_costs([nearest(cost) for cost in costs])
        self._relaxation.solve()
        basis = self._relaxation.basis()
        known = len(basis.columns) == len(costs)
        if any(_crossed(limited) for limited in (*self._program.columns, *self._program.rows)):
            return NoPoint()
        box = linear_box(self._program)
        match minimum(self._program, costs, box, basis if known else None):
            case Optimal(point, value, proof):
                return Best(value, point, proof.multipliers)
            case Infeasible():
                return NoPoint()
            case Unbounded():
                return Endless()
            case _:
                raise SolverError(
                    f"A linear program of {len(self._program.rows)} rows and {len(costs)} columns"
                    " is too large to be solved in rationals."
                )


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


def _crossed(limits: Row | Column) -> bool:
    return limits.lower is not None and limits.upper is not None and limits.lower > limits.upper

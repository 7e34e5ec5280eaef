"""From the integer part of a floating-point solution to an exactly feasible point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from tamecheck.ir.box import Bound
from tamecheck.ir.program import Column, Kind, Program
from tamecheck.programs.scaled import Box, domain, hull, simple
from tamecheck.programs.simplex import LinearOptimum, minimum
from tamecheck.solvers.relaxation import Relaxation, RelaxedOptimum

__all__ = ["Completion", "is_settled"]

_TOLERANCE = 1e-5


class Completion:
    """Fixes what is discrete, and solves the remaining linear program exactly.

    Parameters
    ----------
    program
        The program; one instance serves many points.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._continuous = any(not column.kind.integral for column in program.columns)
        self._relaxation = Relaxation(program) if self._continuous else None

    def point(self, x: Sequence[float], deadline: float = math.inf) -> tuple[Fraction, ...] | None:
        """A feasible point with the discrete part of ``x``, best for that part; None if none.

        Nothing about ``x`` is believed: every row, bound and kind is checked exactly.
        """
        columns = self._program.columns
        fixed = [_fixed(column, value) for column, value in zip(columns, x, strict=True)]
        if self._relaxation is None:
            point = tuple(low for low, _ in fixed if low is not None)
        else:
            for j, (low, high) in enumerate(fixed):
                self._relaxation.set_bounds(j, low, high)
            if not isinstance(self._relaxation.solve(), RelaxedOptimum):
                return None
            box = Box([simple(low) for low, _ in fixed], [simple(high) for _, high in fixed])
            sign = self._program.sense.sign
            found = minimum(
                self._program,
                [sign * column.cost for column in columns],
                box,
                self._relaxation.basis(),
                deadline=deadline,
            )
            point = found.point if isinstance(found, LinearOptimum) else ()
        if len(point) != len(fixed) or self._program.violations(point):
            return None
        return point


def is_settled(column: Column, value: float) -> bool:
    """Whether a floating-point value is, up to rounding, one that the column's kind admits."""
    if column.kind.integral and abs(value - round(value)) > _TOLERANCE:
        return False
    if not column.kind.semi or abs(value) <= _TOLERANCE:
        return True
    low, high = domain(column)
    return (low is None or value >= low - _TOLERANCE) and (
        high is None or value <= high + _TOLERANCE
    )


def _fixed(column: Column, value: float) -> tuple[Bound, Bound]:
    """The bounds that remain when the discrete part of a value is kept."""
    if column.kind.integral:
        return Fraction(round(value)), Fraction(round(value))
    if column.kind is Kind.SEMICONTINUOUS:
        if abs(value) <= _TOLERANCE:
            return Fraction(0), Fraction(0)
        return domain(column)
    return hull(column)

"""Steps between the values that an objective can take, which sharpen every bound on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck.ir.program import Program, Row

__all__ = ["Granularity", "granularity"]


@dataclass(frozen=True, slots=True)
class Granularity:
    """All feasible objective values differ by multiples of ``step``.

    Subtracting the equations ``rows`` with these multipliers from the minimised objective leaves
    only integer variables in it, whose coefficients are multiples of ``step``.
    """

    step: Fraction
    rows: Mapping[int, Fraction]


def granularity(program: Program) -> Granularity | None:
    """The granularity of the program's objective, if it can be seen from single equations."""
    sign = program.sense.sign
    costs = [sign * column.cost for column in program.columns]
    integral = [column.kind.integral for column in program.columns]
    rows: dict[int, Fraction] = {}
    for j, column in enumerate(program.columns):
        if integral[j] or not column.cost:
            continue
        i = next((i for i, row in enumerate(program.rows) if _defines(row, j, integral)), None)
        if i is None:
            return None
        rows[i] = sign * column.cost / dict(program.rows[i].terms)[j]
        for k, a in program.rows[i].terms:
            costs[k] -= rows[i] * a
    step = _gcd([cost for cost in costs if cost])
    return Granularity(step, rows) if step else None


def _defines(row: Row, j: int, integral: Sequence[bool]) -> bool:
    """Whether the row is an equation for column ``j`` in terms of integer columns."""
    equation = row.lower is not None and row.lower == row.upper
    return equation and [k for k, _ in row.terms if not integral[k]] == [j]


def _gcd(values: Sequence[Fraction]) -> Fraction:
    numerators = math.gcd(*(value.numerator for value in values))
    return Fraction(numerators, math.lcm(*(value.denominator for value in values)))

"""Integrality: rows that no integers satisfy, and steps between the values of an objective."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Any

from flint import fmpz_mat

from tamecheck.exact.linear import Box
from tamecheck.ir.exact import ZERO
from tamecheck.ir.program import Program, Row
from tamecheck.programs.scaled import Multipliers, Scaled, minimised_costs

_MOST_ENTRIES = 20_000
"""The Hermite normal form of larger equations takes long."""

Terms = Mapping[int, Fraction]


def gap(program: Program, scaled: Scaled, box: Box) -> Multipliers | None:
    """Multipliers of rows whose combination has no integer where it must have one.

    Its terms of integer columns with integer coefficients add up to an integer at every point; the
    bounds of the rows and of its other columns leave no integer for that sum.  Such multipliers of
    equations exist if and only if these have no solution with integers in the integer columns
    (Schrijver 1986, corollary 4.1a, after the others are eliminated).
    """
    fixed = {
        j: Fraction(low)
        for j, (low, high) in enumerate(zip(box.lower, box.upper, strict=True))
        if low is not None and low == high
    }
    free = {j for j, column in enumerate(program.columns) if not column.kind.integral} - set(fixed)
    candidates: list[Mapping[int, Fraction]] = []
    equations: list[int] = []
    for i, row in enumerate(program.rows):
        if row.lower is None or row.upper is None:
            continue
        own = [a for j, a in row.terms if j not in fixed and j not in free]
        if own:
            # one row alone: between its bounds there may be no multiple of the greatest divisor
            candidates.append({i: 1 / _gcd(own)})
        if row.lower == row.upper:
            equations.append(i)
    rows = [{j: a for j, a in program.rows[i].terms if j not in fixed} for i in equations]
    side = [
        (program.rows[i].lower or ZERO)
        - sum((a * fixed[j] for j, a in program.rows[i].terms if j in fixed), ZERO)
        for i in equations
    ]
    found = contradiction(rows, free, side)
    if found is not None:
        candidates.append(dict(zip(equations, found, strict=True)))
    shown = (Multipliers.of(candidate) for candidate in candidates)
    return next((y for y in shown if scaled.skips(y, box, program)), None)


def contradiction(
    rows: Sequence[Terms], continuous: Collection[int], side: Sequence[Fraction]
) -> list[Fraction] | None:
    """Multipliers ``y`` with ``yA`` integral, 0 at the continuous columns, and ``y·b`` no integer.

    None if the equations ``Ax = b`` have a solution that is integral in the other columns, or none
    at all even in rationals, or too many entries.
    """
    columns = sorted({j for row in rows for j in row})
    if not rows or not columns or len(rows) * len(columns) > _MOST_ENTRIES:
        return None
    place = {j: k for k, j in enumerate(columns)}
    scale = [math.lcm(*(a.denominator for a in row.values())) for row in rows]
    whole: Any = fmpz_mat(len(columns), len(rows))
    for i, (row, s) in enumerate(zip(rows, scale, strict=True)):
        for j, a in row.items():
            whole[place[j], i] = (a * s).numerator
    kept = [place[j] for j in columns if j not in continuous]
    gone = [place[j] for j in columns if j in continuous]
    combined = _combinations(whole, gone, len(rows))
    if not kept or not combined.ncols():
        return None
    integral = _rows(whole, kept) * combined
    lattice = [[int(a) for a in line] for line in integral.hnf().tolist()]
    combinations = [[int(a) for a in line] for line in combined.transpose().tolist()]
    scaled = [b * s for b, s in zip(side, scale, strict=True)]
    right = [sum(map(mul, line, scaled), ZERO) for line in combinations]
    found = _functional([line for line in lattice if any(line)], right)
    if found is None:
        return None
    columns_of = zip(*combinations, strict=True)
    return [s * sum(map(mul, found, own), ZERO) for s, own in zip(scale, columns_of, strict=True)]


def _combinations(whole: Any, gone: Sequence[int], size: int) -> Any:
    """Columns that span the integer combinations of equations without the columns ``gone``."""
    identity: Any = fmpz_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
    if not gone:
        return identity
    basis, nullity = _rows(whole, gone).nullspace()
    return fmpz_mat(size, nullity, [basis[i, k] for i in range(size) for k in range(nullity)])


def _rows(matrix: Any, chosen: Sequence[int]) -> Any:
    width = matrix.ncols()
    return fmpz_mat(len(chosen), width, [matrix[i, k] for i in chosen for k in range(width)])


def _functional(basis: Sequence[Sequence[int]], side: Sequence[Fraction]) -> list[Fraction] | None:
    """Numbers whose products with an echelon basis are integers, that with ``side`` not."""
    rest = list(side)
    pivots: list[int] = []
    for k, line in enumerate(basis):
        pivot = next(p for p, a in enumerate(line) if a)
        pivots.append(pivot)
        factor = rest[pivot] / line[pivot]
        if factor.denominator > 1:
            # 1 on this line, 0 on those before; those after are 0 at these pivots
            y = [ZERO] * len(side)
            for j in range(k, -1, -1):
                known = sum((y[p] * basis[j][p] for p in pivots[j + 1 :]), ZERO)
                y[pivots[j]] = (int(j == k) - known) / basis[j][pivots[j]]
            return y
        rest = [r - factor * a for r, a in zip(rest, line, strict=True)]
    return None


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
    costs = minimised_costs(program)
    integral = [column.kind.integral for column in program.columns]
    rows: dict[int, Fraction] = {}
    for j, column in enumerate(program.columns):
        if integral[j] or not column.cost:
            continue
        i = next((i for i, row in enumerate(program.rows) if _defines(row, j, integral)), None)
        if i is None:
            return None
        rows[i] = program.sense.sign * column.cost / dict(program.rows[i].terms)[j]
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

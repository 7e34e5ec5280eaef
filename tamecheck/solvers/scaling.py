"""Programs scaled exactly by powers of two, for solvers whose tolerances are absolute.

With ``x_j = 2^c_j x'_j``, row i times ``2^r_i`` and the objective times ``2^o``, the scaled program
has the same points, bases and optima up to these factors.  Integer columns keep their unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tamecheck.ir.box import Bound
from tamecheck.ir.program import Program

_Array: TypeAlias = npt.NDArray[Any]
_ROUNDS = 4
_FINE, _MOST = 6, 900
"""Exponents up to the first are left alone, as what is well scaled stays as it was written; beyond
the second they would leave the range of floats."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The exponents ``c``, ``r`` and ``o``."""

    columns: tuple[int, ...]
    rows: tuple[int, ...]
    objective: int

    def inward(self, point: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """A point of the program as one of the scaled program."""
        return tuple(x * power(-c) for x, c in zip(point, self.columns, strict=True))

    def outward(self, point: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """A point of the scaled program as one of the program."""
        return tuple(x * power(c) for x, c in zip(point, self.columns, strict=True))


def scaling(program: Program) -> Scaling:
    """Exponents that bring the sizes of coefficients near 1, in each row, column and the costs.

    Rows and columns are divided in turn by the geometric mean of their smallest and largest
    coefficient (Curtis and Reid 1972 minimise the sum of squares instead).
    """
    width, height = len(program.columns), len(program.rows)
    columns: _Array = np.zeros(width, np.int64)
    rows: _Array = np.zeros(height, np.int64)
    sizes: _Array = np.array(program.map_coefficients(_size), np.int64)
    if len(sizes):
        lengths = [len(row.terms) for row in program.rows]
        of_rows: _Array = np.repeat(np.arange(height), lengths)
        of_columns: _Array = np.array([j for row in program.rows for j, _ in row.terms])
        order: _Array = np.argsort(of_columns, kind="stable")
        fixed: _Array = np.array([column.kind.integral for column in program.columns])
        for _ in range(_ROUNDS):
            rows = -_middles(sizes + columns[of_columns], of_rows, height)
            columns = -_middles((sizes + rows[of_rows])[order], of_columns[order], width)
            columns[fixed] = 0
    if max(int(np.abs(own).max(initial=0)) for own in (columns, rows)) <= _FINE:
        columns, rows = np.zeros_like(columns), np.zeros_like(rows)
    exponents = columns.tolist()
    costs = [
        _size(column.cost) + c
        for column, c in zip(program.columns, exponents, strict=True)
        if column.cost
    ]
    objective = -max(-_MOST, min(_MOST, (min(costs) + max(costs)) // 2)) if costs else 0
    if abs(objective) <= _FINE:
        objective = 0
    return Scaling(tuple(exponents), tuple(rows.tolist()), objective)


def _middles(sizes: _Array, of: _Array, count: int) -> _Array:
    """Half way between the smallest and the largest of each, in this order; 0 of those without."""
    starts: _Array = np.flatnonzero(np.diff(of, prepend=-1))
    ends = np.minimum.reduceat(sizes, starts) + np.maximum.reduceat(sizes, starts)
    found: _Array = np.zeros(count, np.int64)
    found[of[starts]] = np.clip(ends // 2, -_MOST, _MOST)
    return found


def scale_program(program: Program, by: Scaling) -> Program:
    """The program in the scaled variables, rows and objective."""
    if not any((*by.columns, *by.rows, by.objective)):
        return program
    columns = tuple(
        replace(
            column,
            lower=_end(column.lower, -c),
            upper=_end(column.upper, -c),
            cost=_times(column.cost, c + by.objective),
        )
        for column, c in zip(program.columns, by.columns, strict=True)
    )
    rows = tuple(
        replace(
            row,
            terms=tuple((j, _times(a, r + by.columns[j])) for j, a in row.terms),
            lower=_end(row.lower, r),
            upper=_end(row.upper, r),
        )
        for row, r in zip(program.rows, by.rows, strict=True)
    )
    constant = _times(program.constant, by.objective)
    return replace(program, columns=columns, rows=rows, constant=constant)


@cache
def power(exponent: int) -> Fraction:
    """``2^exponent``."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def shift(value: float, exponent: int) -> float:
    """``2^exponent`` times a float, infinite where that is beyond the floats."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def _times(value: Fraction, exponent: int) -> Fraction:
    """A number times ``2^exponent``, which is mostly the number itself."""
    return value * power(exponent) if value and exponent else value


def _end(bound: Bound, exponent: int) -> Bound:
    return None if bound is None else _times(bound, exponent)


def _size(value: Fraction) -> int:
    """The binary logarithm, up to 1."""
    top, low = value.as_integer_ratio()
    return top.bit_length() - low.bit_length()

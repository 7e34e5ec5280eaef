"""The polynomial of a leaf that fits its points with the least sum of absolute errors, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tamecheck.ir.program import Column, Program, Row
from tamecheck.solvers.relaxation import Relaxation, RelaxedOptimum

__all__ = ["absolute_error", "leaf_polynomial"]

_SIMPLE = (1, 12, 1000)
"""Denominators to which coefficients are rounded, if that fits no worse."""


def leaf_polynomial(
    rows: Sequence[Sequence[Fraction]], y: Sequence[Fraction]
) -> tuple[Fraction, ...]:
    """Coefficients of the monomials whose values at the points are ``rows``.

    A linear program finds them in floating point; the polynomial through the points that it meets,
    solved in rationals, and nearby simple numbers compete with them by their exact error.
    """
    count = len(rows[0])
    if not y:
        return (Fraction(0),) * count
    floats = _least_absolute(rows, y)
    candidates = [tuple(Fraction(v) for v in floats)]
    candidates += [tuple(Fraction(v).limit_denominator(d) for v in floats) for d in _SIMPLE]
    through = _through(rows, y, floats)
    if through is not None:
        candidates.append(through)
    return min(candidates, key=lambda c: absolute_error(rows, y, c))


def absolute_error(
    rows: Sequence[Sequence[Fraction]], y: Sequence[Fraction], coefficients: Sequence[Fraction]
) -> Fraction:
    """The sum of the absolute residuals."""
    total = Fraction(0)
    for row, value in zip(rows, y, strict=True):
        fit = sum((a * c for a, c in zip(row, coefficients, strict=True)), Fraction(0))
        total += abs(value - fit)
    return total


def _least_absolute(rows: Sequence[Sequence[Fraction]], y: Sequence[Fraction]) -> list[float]:
    count = len(rows[0])
    columns = [Column(f"c{k}", None, None) for k in range(count)]
    columns += [Column(f"e{i}", cost=Fraction(1)) for i in range(len(y))]
    made: list[Row] = []
    for i, (row, value) in enumerate(zip(rows, y, strict=True)):
        terms = [(k, a) for k, a in enumerate(row) if a]
        made.append(Row(f"u{i}", (*terms, (count + i, Fraction(1))), lower=value))
        made.append(Row(f"l{i}", (*terms, (count + i, Fraction(-1))), upper=value))
    answer = Relaxation(Program(tuple(columns), tuple(made))).solve()
    if isinstance(answer, RelaxedOptimum):
        return list(answer.x[:count])
    # no answer: least squares
    matrix = np.array([[float(a) for a in row] for row in rows])
    return np.linalg.lstsq(matrix, np.array([float(v) for v in y]), rcond=None)[0].tolist()


def _through(
    rows: Sequence[Sequence[Fraction]], y: Sequence[Fraction], floats: Sequence[float]
) -> tuple[Fraction, ...] | None:
    """The polynomial through the independent points with the least residuals; None if too few."""
    residuals = [
        abs(float(v) - sum(float(a) * c for a, c in zip(row, floats, strict=True)))
        for row, v in zip(rows, y, strict=True)
    ]
    count = len(rows[0])
    reduced: list[tuple[int, list[Fraction]]] = []
    for i in sorted(range(len(y)), key=lambda i: residuals[i]):
        row = [*rows[i], y[i]]
        for pivot, other in reduced:
            if row[pivot]:
                factor = row[pivot]
                row = [a - factor * b for a, b in zip(row, other, strict=True)]
        lead = next((k for k in range(count) if row[k]), None)
        if lead is None:
            continue
        row = [a / row[lead] for a in row]
        reduced = [
            (pivot, [a - other[lead] * b for a, b in zip(other, row, strict=True)])
            for pivot, other in reduced
        ]
        reduced.append((lead, row))
        if len(reduced) == count:
            break
    if len(reduced) < count:
        return None
    solution = {pivot: row[count] for pivot, row in reduced}
    return tuple(solution[k] for k in range(count))

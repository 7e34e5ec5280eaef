"""Equations that have no integer point: a multiple of them with integers left, none right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from flint import fmpz_mat

from tamecheck.dual.form import Form, InfeasibleProgramError, Vector
from tamecheck.ir.exact import rational_text

__all__ = ["integer_contradiction", "require_integer_solution"]

_ZERO = Fraction(0)
_MOST_ENTRIES = 20_000
"""The Hermite normal form of larger equations takes long."""


def integer_contradiction(form: Form, d: Sequence[Fraction]) -> Vector | None:
    """Multipliers ``y`` of equations with ``y·a_j`` an integer for all columns, ``y·d`` none.

    Such multipliers exist if and only if the equations of integer columns have a rational
    solution but no integer one (the integer Farkas lemma: Schrijver 1986, corollary 4.1a).
    None if there are none, or so many entries that a search decides sooner; the signs of the
    variables play no part.

    Parameters
    ----------
    form
        The program; equations that contain a continuous column are left out.
    d
        Its right-hand side.

    The cost is that of a Hermite normal form of the equations.
    """
    mixed = {i for c in form.columns if not c.integral for i, _ in c.entries}
    rows = [i for i, c in enumerate(form.constraints) if c.sense == "=" and i not in mixed]
    chosen = set(rows)
    columns = [c for c in form.columns if any(i in chosen for i, _ in c.entries)]
    if not rows or not columns or len(rows) * len(columns) > _MOST_ENTRIES:
        return None
    dense = [dict(c.entries) for c in columns]
    scale = [math.lcm(*(own.get(i, _ZERO).denominator for own in dense)) for i in rows]
    lattice: Any = fmpz_mat(
        [[int(own.get(i, _ZERO) * s) for i, s in zip(rows, scale, strict=True)] for own in dense]
    ).hnf()
    basis = [[int(a) for a in line] for line in lattice.tolist()]
    side = [d[i] * s for i, s in zip(rows, scale, strict=True)]
    found = _functional([line for line in basis if any(line)], side)
    if found is None:
        return None
    y = [_ZERO] * form.size
    for i, s, value in zip(rows, scale, found, strict=True):
        y[i] = value * s
    return tuple(y)


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
            y = [_ZERO] * len(side)
            for j in range(k, -1, -1):
                known = sum((y[p] * basis[j][p] for p in pivots[j + 1 :]), _ZERO)
                y[pivots[j]] = (int(j == k) - known) / basis[j][pivots[j]]
            return y
        rest = [r - factor * a for r, a in zip(rest, line, strict=True)]
    return None


def require_integer_solution(form: Form) -> None:
    """Refuse a program whose equations have no integer solution.

    Raises
    ------
    InfeasibleProgramError
        If there is none: it names the equation that says so.
    """
    y = integer_contradiction(form, form.right)
    if y is None:
        return
    parts = [f"{rational_text(a)}*{n}" for a, n in zip(y, form.names, strict=True) if a]
    side = sum((a * b for a, b in zip(y, form.right, strict=True)), _ZERO)
    raise InfeasibleProgramError(
        f"The program is infeasible: the equation {' + '.join(parts)} has integer coefficients"
        f" and the right-hand side {rational_text(side)}, which is no integer."
    )

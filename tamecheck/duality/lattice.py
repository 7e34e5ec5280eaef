"""Equations of a form that have no integer point, at any right-hand side."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tamecheck.duality.form import Form, InfeasibleProgramError, Vector
from tamecheck.ir.exact import rational_text
from tamecheck.programs.lattice import contradiction, gap
from tamecheck.programs.scaled import Box, Scaled, hull, simple

__all__ = ["integer_contradiction", "require_integer_solution"]

_ZERO = Fraction(0)


def integer_contradiction(form: Form, d: Sequence[Fraction]) -> Vector | None:
    """Multipliers ``y`` of equations with ``y·a_j`` an integer for all columns, ``y·d`` none.

    At continuous columns ``y·a_j`` is 0.  None if there are none; the signs of the variables play
    no part.

    Parameters
    ----------
    form
        The program.
    d
        Its right-hand side.
    """
    rows = [i for i, c in enumerate(form.constraints) if c.sense == "="]
    place = {i: k for k, i in enumerate(rows)}
    terms: list[dict[int, Fraction]] = [{} for _ in rows]
    for j, column in enumerate(form.columns):
        for i, a in column.entries:
            if i in place:
                terms[place[i]][j] = a
    continuous = {j for j, column in enumerate(form.columns) if not column.integral}
    found = contradiction(terms, continuous, [d[i] for i in rows])
    if found is None:
        return None
    y = [_ZERO] * form.size
    for i, value in zip(rows, found, strict=True):
        y[i] = value
    return tuple(y)


def require_integer_solution(form: Form) -> None:
    """Refuse a program with rows that no integers satisfy.

    Raises
    ------
    InfeasibleProgramError
        If there are some: it names the combination of rows that says so.
    """
    program = form.program
    scaled = Scaled(program)
    hulls = [hull(column) for column in program.columns]
    box = Box([simple(low) for low, _ in hulls], [simple(high) for _, high in hulls])
    found = gap(program, scaled, box)
    ends = None if found is None else scaled.integer_range(found, box, program)
    if found is None or ends is None:
        return
    weights = {i: Fraction(n, found.denominator) for i, n in sorted(found.numerators.items())}
    row = " + ".join(f"{rational_text(y)}*{program.rows[i].name}" for i, y in weights.items())
    low, high = map(rational_text, ends)
    value = low if low == high else f"between {low} and {high}, where there is none"
    raise InfeasibleProgramError(
        f"The program is infeasible: the terms for which the row {row} has integer coefficients"
        f" add up to an integer, which would have to be {value}."
    )

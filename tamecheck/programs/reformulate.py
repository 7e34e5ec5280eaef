"""Programs that are made of a program: without semi variables or objective, and its directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from tamecheck.ir.box import Bound
from tamecheck.ir.program import Column, Kind, Program, Row, Sense
from tamecheck.programs.scaled import domain, minimised_costs


def without_semi(program: Program) -> Program | None:
    """The program with a binary switch for each semi variable; None if one is unbounded.

    The program's own columns come first and keep their order.
    """
    columns, rows = list(program.columns), list(program.rows)
    for j, column in enumerate(program.columns):
        if not column.kind.semi:
            continue
        low, high = domain(column)
        if low is None or high is None:
            return None
        kind = Kind.INTEGER if column.kind.integral else Kind.CONTINUOUS
        zero = Fraction(0)
        columns[j] = replace(column, lower=min(low, zero), upper=max(high, zero), kind=kind)
        switch = len(columns)
        columns.append(Column(f"switch {j} {column.name}", upper=Fraction(1), kind=Kind.INTEGER))
        for side, end in (("lower", low), ("upper", high)):
            terms = ((j, Fraction(1)), *([(switch, -end)] if end else []))
            limits = {side: zero}
            rows.append(Row(f"{side} {j} {column.name}", terms, **limits))
    return replace(program, columns=tuple(columns), rows=tuple(rows))


def without_objective(program: Program) -> Program:
    """The program that only asks for a feasible point."""
    columns = (replace(column, cost=Fraction(0)) for column in program.columns)
    return replace(program, columns=tuple(columns), constant=Fraction(0))


def recession(program: Program) -> Program:
    """The linear program whose points are directions, of at most unit length, without end.

    Semi variables stay.  Its optimum is negative just if the relaxation, where feasible, is
    unbounded in the others.
    """

    def still(end: Bound) -> Bound:
        return None if end is None else Fraction(0)

    columns: list[Column] = []
    for column, cost in zip(program.columns, minimised_costs(program), strict=True):
        low = Fraction(0 if column.lower is not None or column.kind.semi else -1)
        high = Fraction(0 if column.upper is not None or column.kind.semi else 1)
        columns.append(Column(column.name, low, high, Kind.CONTINUOUS, cost))
    rows = (replace(r, lower=still(r.lower), upper=still(r.upper)) for r in program.rows)
    return Program(tuple(columns), tuple(rows), Sense.MINIMISE)


def scale_ray(program: Program, ray: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The ray times the smallest natural number that makes its integer columns integral."""
    factor = Fraction(1)
    for column, value in zip(program.columns, ray, strict=True):
        if column.kind.integral:
            factor *= (value * factor).denominator
    return tuple(value * factor for value in ray)

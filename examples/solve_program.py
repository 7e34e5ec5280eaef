"""A small production plan: solved, checked exactly, certified, and the certificate confirmed."""

from __future__ import annotations

from fractions import Fraction

import tamecheck.programs as tp
from tamecheck.certificates import recheck
from tamecheck.ir.program import Column, Kind, Program, Row, Sense


def workshop() -> Program:
    """A plan for chairs and tables, with wood and hours that are limited."""
    columns = (
        Column("chairs", upper=Fraction(40), kind=Kind.INTEGER, cost=Fraction(45)),
        Column("tables", upper=Fraction(20), kind=Kind.INTEGER, cost=Fraction(80)),
        Column("overtime", upper=Fraction(15), cost=Fraction(-25)),
    )
    wood = Row("wood", ((0, Fraction(5)), (1, Fraction(20))), upper=Fraction(400))
    hours = ((0, Fraction(10)), (1, Fraction(15)), (2, Fraction(-1)))
    rows = (wood, Row("hours", hours, upper=Fraction(450)))
    return Program(columns, rows, Sense.MAXIMISE, name="workshop")


def main() -> None:
    """Solve the plan and print what is proved about it."""
    program = workshop()
    solved = tp.solve(program, certify=True)
    match solved.answer:
        case tp.Optimal(point, objective, evidence, certificate):
            for column, value in zip(program.columns, point, strict=True):
                print(f"{column.name:10} {value}")
            print(f"profit     {objective}  ({evidence.value})")
            if certificate is not None:
                print(f"checker    {recheck(certificate).verdict}")
        case other:
            print(other)


if __name__ == "__main__":
    main()

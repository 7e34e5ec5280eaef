"""A small production plan: solved, checked exactly, certified, and the certificate confirmed."""

from __future__ import annotations

from fractions import Fraction

import tamecheck.programs as tp
from tamecheck.certificates import recheck
from tamecheck.ir.program import Column, Kind, Program, Row, Sense

chairs = Column("chairs", Fraction(0), Fraction(40), Kind.INTEGER, cost=Fraction(45))
tables = Column("tables", Fraction(0), Fraction(20), Kind.INTEGER, cost=Fraction(80))
overtime = Column("overtime", Fraction(0), Fraction(15), cost=Fraction(-25))
wood = Row("wood", ((0, Fraction(5)), (1, Fraction(20))), upper=Fraction(400))
hours = Row("hours", ((0, Fraction(10)), (1, Fraction(15)), (2, Fraction(-1))), upper=Fraction(450))
plan = Program((chairs, tables, overtime), (wood, hours), Sense.MAXIMISE, name="workshop")

solved = tp.solve(plan, certify=True)
match solved.answer:
    case tp.Optimal(point, objective, evidence, certificate):
        for column, value in zip(plan.columns, point, strict=True):
            print(f"{column.name:10} {value}")
        print(f"profit     {objective}  ({evidence.value})")
        if certificate is not None:
            print(f"checker    {recheck(certificate).verdict}")
    case other:
        print(other)

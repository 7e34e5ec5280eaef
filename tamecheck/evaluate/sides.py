"""Comparisons as two sides, and the constants of terms folded."""

from __future__ import annotations

from fractions import Fraction

from tamecheck.ir.formula import Add, Compare, Const, Mul, Relation, Term

__all__ = ["constant", "sides", "subtracted"]

_ZERO = Const(Fraction(0))


def constant(term: Term) -> Fraction | None:
    """The value of a term without variables that is made of constants, sums and products."""
    match term:
        case Const(value):
            return value
        case Add(left, right):
            a, b = constant(left), constant(right)
            return None if a is None or b is None else a + b
        case Mul(left, right):
            a, b = constant(left), constant(right)
            return None if a is None or b is None else a * b
        case _:
            return None


def subtracted(term: Term) -> Term | None:
    """The term ``b`` when ``term`` is written ``-b``, else None."""
    match term:
        case Mul(Const(value), right) if value == -1:
            return right
        case _:
            return None


def sides(condition: Compare) -> tuple[Term, Relation, Term]:
    """The comparison as ``left relation right``: a difference with zero is taken apart."""
    match condition.term:
        case Add(left, right) if (other := subtracted(right)) is not None:
            value = constant(other)
            return left, condition.relation, other if value is None else Const(value)
        case term:
            return term, condition.relation, _ZERO

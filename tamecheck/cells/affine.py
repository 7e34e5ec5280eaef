"""Terms of affine forms, and conditions on the signs of the terms that they compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TypeVar, assert_never

import numpy as np

from tamecheck.cells.forms import Forms, NonlinearError
from tamecheck.ir.formula import (
    Add,
    And,
    Call,
    Compare,
    Condition,
    Const,
    Div,
    Floor,
    Mul,
    Or,
    Piece,
    Pow,
    Relation,
    Term,
    Var,
)
from tamecheck.ir.tensor import Array

__all__ = ["affine", "compared_terms", "holds"]

F = TypeVar("F", bound=Forms)


def affine(term: Term, args: Sequence[F]) -> F:
    """The form of a term whose variables are forms.

    Raises
    ------
    NonlinearError
        If the term is not affine in what depends on the inputs.
    """
    match term:
        case Var(index):
            return args[index]
        case Const(value):
            return args[0].constant(value)
        case Add(left, right):
            return affine(left, args).plus(affine(right, args))
        case Mul(Const(factor), right):
            return affine(right, args).scaled(factor)
        case Mul(left, right):
            return affine(left, args).times(affine(right, args))
        case Div(numerator, denominator):
            return affine(numerator, args).over(affine(denominator, args))
        case Pow(base, Const(exponent)) if exponent == 1:
            return affine(base, args)
        case Pow(_, Const(exponent)) if exponent == 0:
            return args[0].constant(Fraction(1))
        case Pow() | Floor() | Call():
            raise NonlinearError
        case _:
            assert_never(term)


def _opposite(term: Term) -> Term | None:
    match term:
        case Mul(Const(factor), rest) if factor == -1:
            return rest
        case Add(left, Mul(Const(factor), right)) if factor == -1 and isinstance(left, Var | Const):
            return Add(right, Mul(Const(Fraction(-1)), left))
        case _:
            return None


def _comparisons(condition: Condition) -> Iterator[Compare]:
    match condition:
        case Compare():
            yield condition
        case And(parts) | Or(parts):
            for part in parts:
                yield from _comparisons(part)
        case _:
            assert_never(condition)


def compared_terms(pieces: Sequence[Piece]) -> tuple[Term, ...]:
    """The terms that the pieces' conditions compare with zero, each once up to its sign."""
    found: list[Term] = []
    for piece in pieces:
        for comparison in _comparisons(piece.condition):
            term = comparison.term
            if term not in found and _opposite(term) not in found:
                found.append(term)
    return tuple(found)


def holds(condition: Condition, terms: Sequence[Term], signs: Sequence[Array]) -> Array:
    """Where a condition holds, given the signs of the compared terms."""
    match condition:
        case Compare(term, relation):
            if term in terms:
                return _related(relation, signs[terms.index(term)])
            opposite = _opposite(term)
            if opposite is None:
                raise NonlinearError
            return _related(relation, -signs[terms.index(opposite)])
        case And(parts):
            result = np.ones(signs[0].shape if signs else (), dtype=bool)
            for part in parts:
                result = result & holds(part, terms, signs)
            return result
        case Or(parts):
            result = np.zeros(signs[0].shape if signs else (), dtype=bool)
            for part in parts:
                result = result | holds(part, terms, signs)
            return result
        case _:
            assert_never(condition)


def _related(relation: Relation, signs: Array) -> Array:
    match relation:
        case Relation.LT:
            return np.asarray(signs < 0)
        case Relation.LE:
            return np.asarray(signs <= 0)
        case Relation.EQ:
            return np.asarray(signs == 0)
        case Relation.NE:
            return np.asarray(signs != 0)
        case Relation.GE:
            return np.asarray(signs >= 0)
        case Relation.GT:
            return np.asarray(signs > 0)
        case _:
            assert_never(relation)

"""The graph of a pointwise op, read exactly: at one point, or at many rational points at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import numpy as np
from flint import fmpq

from tamecheck.evaluate.float_terms import compared, where
from tamecheck.exact.reals import (
    ZERO,
    Number,
    UndecidedError,
    add,
    as_number,
    call,
    divide,
    floor_candidates,
    hull,
    multiply,
    power,
    relates,
)
from tamecheck.ir import formula
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.formula import Condition, Piece, Term
from tamecheck.ir.tensor import Array

_Floors = Mapping[Term, fmpq]


class _ForkError(Exception):
    """The floor of a term is one of two integers; ``candidates`` lists them."""

    def __init__(self, term: Term, candidates: list[fmpq]) -> None:
        super().__init__()
        self.term = term
        self.candidates = candidates


def holds(condition: Condition, args: Sequence[Number]) -> bool | None:
    """Whether a condition holds at a point; None when balls leave it open."""
    try:
        return _holds(condition, args, {})
    except (_ForkError, UndecidedError):
        return None


def piece_values(pieces: Sequence[Piece], args: Sequence[Number]) -> list[Number]:
    """The value of every piece that may hold at a point.

    The graph is single-valued, so a piece that surely holds settles the value, and is then the only
    one listed. Raises `UndecidedError` if a value is not known at the precision in use.
    """
    return _piece_values(pieces, args, {})


def value_at(pieces: Sequence[Piece], args: Sequence[Number], *, continuous: bool) -> Number:
    """The value of a pointwise op at a point of its domain.

    Where several pieces may hold, the value is in the hull of theirs.  For a continuous op that
    ball is about as small as the argument's; for another one it may span a jump.

    Raises `UndecidedError` if no piece is known to hold, and the pieces that may hold differ.
    """
    values = piece_values(pieces, args)
    if not values:
        raise UndecidedError
    found = hull(values)
    if isinstance(found, fmpq) or len(values) == 1 or continuous:
        return found
    raise UndecidedError


def is_rational(pieces: Sequence[Piece], domain: Condition) -> bool:
    """Whether only field operations, floors and natural powers occur, so that rationals suffice."""
    roots: list[Term | Condition] = [domain]
    for piece in pieces:
        roots += [piece.condition, piece.term]
    return all(_algebraic(term) for root in roots for term in formula.subterms(root))


def _algebraic(term: Term) -> bool:
    match term:
        case formula.Call():
            return False
        case formula.Pow(_, formula.Const(exponent)):
            return exponent.denominator == 1 and 0 <= exponent <= 64
        case formula.Pow():
            return False
        case _:
            return True


def rational_where(condition: Condition, args: Sequence[Array]) -> Array:
    """Where a condition holds, on object arrays of rationals of one shape."""
    zero = np.full((), ZERO, dtype=object)

    def held(compare: formula.Compare) -> Array:
        return compared(compare.relation, _RATIONALS.value(compare.term, args), zero)

    return np.broadcast_to(where(condition, held), args[0].shape)


def rational_pieces(pieces: Sequence[Piece], args: Sequence[Array]) -> Array:
    """The value of a pointwise op on flat object arrays of rationals, each term only where needed.

    Raises `UndecidedError` if no piece holds at some element.
    """
    result = np.empty(args[0].shape, dtype=object)
    open_ = np.arange(args[0].size)
    for piece in pieces:
        rest = [arg[open_] for arg in args]
        held = rational_where(piece.condition, rest).astype(bool)
        chosen = [arg[held] for arg in rest]
        result[open_[held]] = _RATIONALS.value(piece.term, chosen)
        open_ = open_[~held]
        if not open_.size:
            return result
    if open_.size:
        raise UndecidedError
    return result


_RATIONALS: Arithmetic[Any] = Arithmetic(
    constant=lambda value: np.full((), as_number(value), dtype=object),
    power=lambda base, exponent: base ** int(exponent),
    floor=np.frompyfunc(lambda value: fmpq(value.floor()), 1, 1),
)


def _piece_values(pieces: Sequence[Piece], args: Sequence[Number], floors: _Floors) -> list[Number]:
    try:
        possible: list[Number] = []
        for piece in pieces:
            held = _holds(piece.condition, args, floors)
            if held is True:
                return [_value(piece.term, args, floors)]
            if held is None:
                possible.append(_value(piece.term, args, floors))
    except _ForkError as fork:
        # the floor is one of the candidates, so the value is that under one of them
        branches = [{**floors, fork.term: candidate} for candidate in fork.candidates]
        return [value for branch in branches for value in _piece_values(pieces, args, branch)]
    return possible


def _holds(condition: Condition, args: Sequence[Number], floors: _Floors) -> bool | None:
    def decide(comparison: formula.Compare) -> bool | None:
        match comparison:
            case formula.Compare(
                formula.Add(left, formula.Mul(formula.Const(factor), right)), relation
            ) if factor == -1:
                return relates(relation, _value(left, args, floors), _value(right, args, floors))
            case formula.Compare(term, relation):
                return relates(relation, _value(term, args, floors), ZERO)

    return formula.truth(condition, decide)


def _value(term: Term, args: Sequence[Number], floors: _Floors) -> Number:  # noqa: C901 one case a term
    match term:
        case formula.Var(index):
            return args[index]
        case formula.Const(value):
            return as_number(value)
        case formula.Add(left, right):
            return add(_value(left, args, floors), _value(right, args, floors))
        case formula.Mul(left, right):
            return multiply(_value(left, args, floors), _value(right, args, floors))
        case formula.Div(numerator, denominator):
            return divide(_value(numerator, args, floors), _value(denominator, args, floors))
        case formula.Pow(base, exponent):
            return power(_value(base, args, floors), _value(exponent, args, floors))
        case formula.Floor(argument):
            if term in floors:
                return floors[term]
            candidates = floor_candidates(_value(argument, args, floors))
            if len(candidates) > 1:
                raise _ForkError(term, candidates)
            return candidates[0]
        case formula.Call(function, argument):
            return call(function, _value(argument, args, floors))
        case _:
            assert_never(term)

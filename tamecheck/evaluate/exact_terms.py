"""The graph of a pointwise op, read exactly: at one point, or at many rational points at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, assert_never

import numpy as np
from flint import fmpq

from tamecheck.evaluate.float_terms import compared, where
from tamecheck.exact import reals
from tamecheck.ir import formula
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.formula import Condition, Piece, Term
from tamecheck.ir.tensor import Array

_Floors = Mapping[Term, fmpq]
_Value: TypeAlias = Callable[[Sequence[reals.Number], _Floors], reals.Number]
_Truth: TypeAlias = Callable[[Sequence[reals.Number], _Floors], "bool | None"]


class _ForkError(Exception):
    """The floor of a term is one of two integers; ``candidates`` lists them."""

    def __init__(self, term: Term, candidates: list[fmpq]) -> None:
        super().__init__()
        self.term = term
        self.candidates = candidates


def holds(condition: Condition, args: Sequence[reals.Number]) -> bool | None:
    """Whether a condition holds at a point; None when balls leave it open."""
    return condition_function(condition)(args)


def condition_function(condition: Condition) -> Callable[[Sequence[reals.Number]], bool | None]:
    """Whether a condition holds, as a function of the point; None when balls leave it open."""
    truth = _truth(condition)

    def held(args: Sequence[reals.Number]) -> bool | None:
        try:
            return truth(args, {})
        except (_ForkError, reals.UndecidedError):
            return None

    return held


def piece_values(pieces: Sequence[Piece], args: Sequence[reals.Number]) -> list[reals.Number]:
    """The value of every piece that may hold at a point.

    The graph is single-valued, so a piece that surely holds settles the value, and is then the only
    one listed. Raises `UndecidedError` if a value is not known at the precision in use.
    """
    return _piece_values(_parts(pieces), args, {})


def value_at(
    pieces: Sequence[Piece], args: Sequence[reals.Number], *, continuous: bool
) -> reals.Number:
    """The value of a pointwise op at a point of its domain; see `value_function`."""
    return value_function(pieces, continuous=continuous)(args)


def value_function(
    pieces: Sequence[Piece], *, continuous: bool
) -> Callable[[Sequence[reals.Number]], reals.Number]:
    """The value of a pointwise op as a function of the point, which is in its domain.

    Where several pieces may hold, the value is in the hull of theirs; see `piece_values`.  For a
    continuous op that ball is about as small as the argument's; for another one it may span a jump.

    The function raises `UndecidedError` if no piece is known to hold, and the pieces that may hold
    differ, or if a value is not known at the precision in use.
    """
    parts = _parts(pieces)

    def value(args: Sequence[reals.Number]) -> reals.Number:
        values = _piece_values(parts, args, {})
        if not values:
            raise reals.UndecidedError
        found = reals.hull(values)
        if isinstance(found, fmpq) or len(values) == 1 or continuous:
            return found
        raise reals.UndecidedError

    return value


def is_rational(pieces: Sequence[Piece], domain: Condition) -> bool:
    """Whether only field operations, floors and natural powers occur, so that rationals suffice."""
    parts = [part for piece in pieces for part in (piece.condition, piece.term)]
    return all(map(_all_algebraic, [domain, *parts]))


@formula.remembered
def _all_algebraic(root: Term | Condition) -> bool:
    return all(map(_algebraic, formula.subterms(root)))


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
    zero = np.full((), reals.ZERO, dtype=object)

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
        raise reals.UndecidedError
    return result


_RATIONALS: Arithmetic[Any] = Arithmetic(
    constant=lambda value: np.full((), reals.as_number(value), dtype=object),
    power=lambda base, exponent: base ** int(exponent),
    floor=np.frompyfunc(lambda value: fmpq(value.floor()), 1, 1),
)


def _parts(pieces: Sequence[Piece]) -> list[tuple[_Truth, _Value]]:
    return [(_truth(piece.condition), _function(piece.term)) for piece in pieces]


def _piece_values(
    parts: Sequence[tuple[_Truth, _Value]], args: Sequence[reals.Number], floors: _Floors
) -> list[reals.Number]:
    """The value of every piece that may hold at a point; of one that surely holds, its alone."""
    try:
        possible: list[reals.Number] = []
        for truth, value in parts:
            held = truth(args, floors)
            if held is True:
                return [value(args, floors)]
            if held is None:
                possible.append(value(args, floors))
    except _ForkError as fork:
        # the floor is one of the candidates, so the value is that under one of them
        branches = [{**floors, fork.term: candidate} for candidate in fork.candidates]
        return [value for branch in branches for value in _piece_values(parts, args, branch)]
    return possible


@formula.remembered
def _truth(condition: Condition) -> _Truth:
    match condition:
        case formula.Compare(
            formula.Add(left, formula.Mul(formula.Const(factor), right)), relation
        ) if factor == -1:
            one, other = _function(left), _function(right)
            return lambda args, floors: reals.relates(
                relation, one(args, floors), other(args, floors)
            )
        case formula.Compare(term, relation):
            value = _function(term)
            return lambda args, floors: reals.relates(relation, value(args, floors), reals.ZERO)
        case formula.And(parts) | formula.Or(parts):
            truths = list(map(_truth, parts))
            decisive = isinstance(condition, formula.Or)

            return lambda args, floors: formula.kleene(
                (truth(args, floors) for truth in truths), decisive=decisive
            )


@formula.remembered
def _function(term: Term) -> _Value:  # noqa: C901 one case a term
    match term:
        case formula.Var(index):
            return lambda args, _floors: args[index]
        case formula.Const(value):
            number = reals.as_number(value)
            return lambda _args, _floors: number
        case formula.Add(left, right):
            return _composed(reals.add, left, right)
        case formula.Mul(left, right):
            return _composed(reals.multiply, left, right)
        case formula.Div(numerator, denominator):
            return _composed(reals.divide, numerator, denominator)
        case formula.Pow(base, exponent):
            return _composed(reals.power, base, exponent)
        case formula.Floor(argument):
            inner = _function(argument)

            def floor(args: Sequence[reals.Number], floors: _Floors) -> reals.Number:
                if term in floors:
                    return floors[term]
                candidates = reals.floor_candidates(inner(args, floors))
                if len(candidates) > 1:
                    raise _ForkError(term, candidates)
                return candidates[0]

            return floor
        case formula.Call(function, argument):
            inner = _function(argument)
            return lambda args, floors: reals.call(function, inner(args, floors))
        case _:
            assert_never(term)


def _composed(
    operation: Callable[[reals.Number, reals.Number], reals.Number], left: Term, right: Term
) -> _Value:
    one, other = _function(left), _function(right)
    return lambda args, floors: operation(one(args, floors), other(args, floors))

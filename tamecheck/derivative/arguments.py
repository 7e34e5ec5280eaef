"""One element of a pointwise op near a point: on which of its arguments it depends there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from flint import arb, fmpq

from tamecheck.evaluate.exact_terms import holds, value_at
from tamecheck.exact.reals import Number, UndecidedError, compare
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
    Term,
    Var,
    everywhere,
)

__all__ = ["Arguments", "definite_sign"]

_NONE = frozenset[int]()


@dataclass(frozen=True, slots=True)
class Arguments:
    """One element's arguments: values, which are constant nearby, which are continuous."""

    point: tuple[Number, ...]
    still: tuple[bool, ...]
    continuous: tuple[bool, ...]

    def of(self, pieces: Sequence[Piece], *, total: bool) -> tuple[frozenset[int], bool]:
        """The arguments that the value depends on, and whether it is continuous.

        ``total`` says that the op is continuous everywhere.
        """
        possible: list[Piece] = []
        for piece in pieces:
            held = self.held(piece.condition)
            if held is not False:
                possible.append(piece)
            if held:
                break
        found = [self.used(piece.term) for piece in possible]
        if len(possible) == 1:
            return found[0]
        # a comparison that is open, or a piece that a condition may choose
        terms = [self.used(t) for p in possible for t in _terms(p.condition)]
        used = _NONE.union(*(part for part, _ in (*found, *terms)))
        return used, total and all(self.continuous[k] for k in used)

    def held(self, condition: Condition) -> bool | None:
        """Whether a condition holds in a neighbourhood, fails in one, or neither is known."""
        match condition:
            case Compare(term, relation):
                used, continuous = self.used(term)
                if not used:
                    return holds(condition, self.point)
                sign = definite_sign(self._value(term)) if continuous else None
                return None if sign is None else sign in relation.signs
            case And(parts):
                results = [self.held(part) for part in parts]
                return False if False in results else None if None in results else True
            case Or(parts):
                results = [self.held(part) for part in parts]
                return True if True in results else None if None in results else False
            case _:
                assert_never(condition)

    def used(self, term: Term) -> tuple[frozenset[int], bool]:  # noqa: C901 (a case a constructor)
        """The arguments that a term depends on, and whether it is continuous."""
        match term:
            case Var(index):
                return _NONE if self.still[index] else frozenset({index}), self.continuous[index]
            case Const():
                return _NONE, True
            case Pow(_, Const(exponent)) if exponent == 0:
                return _NONE, True
            case Mul(left, right):
                return self._joined(left, right, vanishing=(left, right))
            case Div(left, right):
                return self._joined(left, right, vanishing=(left,))
            case Add(left, right):
                return self._joined(left, right)
            case Pow(base, exponent):
                used, continuous = self._joined(base, exponent)
                fixed = not self.used(exponent)[0]
                return used, continuous and (fixed or definite_sign(self._value(base)) == 1)
            case Floor(argument):
                used, continuous = self.used(argument)
                if not used or (continuous and _between(self._value(argument))):
                    return _NONE, True
                return used, False
            case Call(_, argument):
                return self.used(argument)
            case _:
                assert_never(term)

    def _joined(
        self, left: Term, right: Term, vanishing: Sequence[Term] = ()
    ) -> tuple[frozenset[int], bool]:
        for factor in vanishing:
            if not self.used(factor)[0] and self._value(factor) == fmpq(0):
                return _NONE, True
        first, second = self.used(left), self.used(right)
        return first[0] | second[0], first[1] and second[1]

    def _value(self, term: Term) -> Number:
        """The value at the point; a ball about everything where it is not known."""
        try:
            return value_at(everywhere(term), self.point, continuous=True)
        except UndecidedError:
            return arb(0, float("inf"))


def _terms(condition: Condition) -> list[Term]:
    match condition:
        case Compare(term, _):
            return [term]
        case And(parts) | Or(parts):
            return [term for part in parts for term in _terms(part)]


def definite_sign(value: Number) -> int | None:
    """The sign of a number that is certainly not 0."""
    signs = compare(value, fmpq(0))
    return None if 0 in signs or len(signs) > 1 else next(iter(signs))


def _between(value: Number) -> bool:
    """Whether a number is certainly no integer."""
    if isinstance(value, fmpq):
        return value.q != 1
    return bool(value.is_finite()) and not value.contains_integer()

"""A graph written out as formulas near one point: every kink is decided as it is there."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from flint import arb, fmpq

from tamecheck.cells.formulas.expressions import Expression, Key, Space, value_at
from tamecheck.exact.reals import Number, UndecidedError, working_precision
from tamecheck.ir.formula import Elementary, Relation

__all__ = ["Decision", "Guide", "OnBoundaryError", "OutsideDomainError", "sign_at", "sign_on"]

Decision = tuple[Expression, int]
"""An expression, and its sign: 1 or -1."""

_BITS = 512


class OnBoundaryError(Exception):
    """The point is on a boundary, or too near to one to be told from it."""


class OutsideDomainError(Exception):
    """The function has no value at the point."""


def _sign(value: Number) -> int | None:
    if isinstance(value, fmpq):
        return (value > 0) - (value < 0)
    return 1 if value > 0 else -1 if value < 0 else None


def sign_at(expression: Expression, point: Sequence[fmpq]) -> int | None:
    """The sign at a rational point, by balls of 512 bits; None if those do not tell."""
    with working_precision(_BITS):
        try:
            return _sign(value_at(expression, point, {}))
        except UndecidedError:
            return None


def sign_on(expression: Expression, box: Sequence[Number], known: dict[int, Number]) -> int | None:
    """The sign that the expression has on a whole box of balls; None if that is not proved."""
    try:
        return _sign(value_at(expression, box, known)) or None
    except UndecidedError:
        return None


class Guide:
    """The language of formulas near a point, for `tamecheck.encode.unrolled`.

    Parameters
    ----------
    space
        Where expressions are made.
    point
        A rational point.
    box
        The domain, as balls: what has one sign on it is no decision.
    decided
        Decisions that hold at the point; the first ones of the trail.
    fixed
        The signs on the domain that are known so far; it grows.
    """

    def __init__(
        self,
        space: Space,
        point: Sequence[fmpq],
        box: Sequence[Number],
        decided: Sequence[Decision],
        fixed: dict[Key, int | None],
    ) -> None:
        self._space = space
        self._point = point
        self._box = box
        self._fixed = fixed
        self._signs: dict[Key, int] = {}
        self.trail: list[Decision] = []
        for expression, sign in decided:
            self._decide(expression, sign)

    def number(self, value: Fraction) -> Expression:
        """See `tamecheck.encode.smt.scalars.Algebra`, as for all of these."""
        return self._space.constant(value)

    def add(self, parts: Sequence[Expression]) -> Expression:
        """The sum."""
        return self._space.total(parts)

    def multiply(self, left: Expression, right: Expression) -> Expression:
        """The product."""
        return self._space.product(left, right)

    def divide(self, left: Expression, right: Expression) -> Expression:
        """The quotient."""
        return self._space.quotient(left, right)

    def power(self, base: Expression, exponent: Fraction) -> Expression:
        """A rational power."""
        return self._space.power(base, exponent)

    def call(self, function: Elementary, value: Expression) -> Expression:
        """A transcendental function."""
        return self._space.call(function, value)

    def floor(self, value: Expression) -> Expression:
        """The integer at the point; that the value is between it and the next is decided."""
        with working_precision(_BITS):
            try:
                here = value_at(value, self._point, {})
            except UndecidedError:
                raise OnBoundaryError from None
        low = int(arb(here).lower().floor().fmpz())
        if self.sign(value.shifted(fmpq(-low))) < 0 or self.sign(value.shifted(fmpq(-low - 1))) > 0:
            raise OnBoundaryError
        return self._space.constant(Fraction(low))

    def compare(self, value: Expression, relation: Relation) -> bool:
        """Whether the value has such a sign at the point."""
        return self.sign(value) in relation.signs

    def both(self, parts: Sequence[bool]) -> bool:
        """All of the conditions."""
        return all(parts)

    def either(self, parts: Sequence[bool]) -> bool:
        """One of the conditions at least."""
        return any(parts)

    def choose(self, condition: bool, value: Any, other: Any) -> Any:  # noqa: FBT001
        """The value of the branch that holds."""
        return value if condition else other

    def require(self, condition: bool) -> None:  # noqa: FBT001
        """Stop where the function has no value."""
        if not condition:
            raise OutsideDomainError

    def sign(self, value: Expression) -> int:
        """The sign at the point; a new one is a decision, unless it is that on the whole box."""
        if not value.moving:
            found = sign_at(value, self._point)
            if found is None:
                raise OnBoundaryError
            return found
        key = value.key
        if key not in self._fixed:
            self._fixed[key] = sign_on(value, self._box, {})
        found = self._fixed[key] or self._signs.get(key)
        if found is None:
            found = sign_at(value, self._point)
            if not found:
                raise OnBoundaryError
            self._decide(value, found)
        return found

    def _decide(self, value: Expression, sign: int) -> None:
        self._signs[value.key], self._signs[value.times(fmpq(-1)).key] = sign, -sign
        self.trail.append((value, sign))

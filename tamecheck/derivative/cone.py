"""Open polyhedral cones of directions, each with a rational direction inside as its proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flint import arb, fmpq, fmpq_mat

from tamecheck.derivative.farkas import Alternative, Vector, nonnegative_solution, null_basis
from tamecheck.evaluate.reals import Number, UndecidedError

__all__ = ["Cone", "Row", "inner_direction", "is_zero", "product"]

Row = tuple[Number, ...]
"""A linear functional of directions."""

_ZERO, _ONE = fmpq(0), fmpq(1)


def product(row: Row, direction: Sequence[fmpq]) -> Number:
    """The value of a functional at a direction."""
    total: Number = _ZERO
    for a, x in zip(row, direction, strict=True):
        if x != 0:
            total = total + a * x
    return total


def is_zero(row: Row) -> bool:
    """Whether a functional vanishes identically; rows of balls count as other than zero."""
    return all(isinstance(a, fmpq) and a == 0 for a in row)


@dataclass(frozen=True, slots=True)
class Cone:
    """The directions ``v`` with ``row · v > 0`` for the strict rows and ``= 0`` for the equal ones.

    Parameters
    ----------
    size
        The dimension of the space.
    strict, equal
        The functionals.
    direction
        A direction in the cone.
    """

    size: int
    strict: tuple[Row, ...] = ()
    equal: tuple[Row, ...] = ()
    direction: Vector = field(default=())

    def meet(self, row: Row, sign: int) -> Cone | None:
        """The part on which a functional has a sign; None if there is none.

        Raises
        ------
        UndecidedError
            If the functionals are balls, and those do not decide it.
        """
        if sign == 0:
            return self._solved(self.strict, (*self.equal, row))
        signed = row if sign > 0 else tuple(-a for a in row)
        strict = (*self.strict, signed)
        if self.direction and product(signed, self.direction) > 0:
            return Cone(self.size, strict, self.equal, self.direction)
        return self._solved(strict, self.equal)

    def _solved(self, strict: tuple[Row, ...], equal: tuple[Row, ...]) -> Cone | None:
        direction = inner_direction(self.size, strict, equal)
        return None if direction is None else Cone(self.size, strict, equal, direction)

    def closure_contains(self, direction: Sequence[fmpq]) -> bool:
        """Whether a direction is in the closed cone."""
        return all(product(row, direction) >= 0 for row in self.strict) and all(
            product(row, direction) == 0 for row in self.equal
        )

    @property
    def full(self) -> bool:
        """Whether the cone has inner points."""
        return not self.equal


def inner_direction(
    size: int, strict: Sequence[Row], equal: Sequence[Row], weak: Sequence[Row] = ()
) -> Vector | None:
    """A direction with ``strict > 0``, ``equal = 0`` and ``weak >= 0``, or None.

    By Motzkin's theorem there is none exactly if ``Σ λ strict + Σ μ weak`` vanishes on the
    equations' solutions for some ``λ, μ >= 0`` with ``Σ λ = 1``.

    Raises
    ------
    UndecidedError
        If balls do not decide it.
    """
    if any(isinstance(a, arb) for row in (*strict, *equal, *weak) for a in row):
        return _ball_direction(size, strict, equal, weak)
    basis = null_basis([_exact(row) for row in equal], size)
    if not strict:
        return tuple(_ZERO for _ in range(size)) if not basis else basis[0]
    columns: list[Vector] = []
    for row, last in [*((r, _ONE) for r in strict), *((r, _ZERO) for r in weak)]:
        exact = _exact(row)
        columns.append((*(_dot(exact, vector) for vector in basis), last))
    target = (*(_ZERO for _ in basis), _ONE)
    found = nonnegative_solution(columns, target)
    if not isinstance(found, Alternative):
        return None
    # y · column <= 0 and y · target > 0: so -y, mapped back, is positive on the strict rows
    return tuple(
        -sum((y * vector[axis] for y, vector in zip(found.values, basis, strict=False)), _ZERO)
        for axis in range(size)
    )


def _exact(row: Row) -> Vector:
    return tuple(a for a in row if isinstance(a, fmpq))


def _dot(left: Vector, right: Vector) -> fmpq:
    return sum((a * b for a, b in zip(left, right, strict=True) if a != 0 and b != 0), _ZERO)


def _ball_direction(
    size: int, strict: Sequence[Row], equal: Sequence[Row], weak: Sequence[Row]
) -> Vector | None:
    """A direction from the centres of the balls, checked on the balls."""
    if equal or weak:
        raise UndecidedError
    centres = [tuple(_centre(a) for a in row) for row in strict]
    rank = fmpq_mat([list(row) for row in centres]).rank()
    if rank < len(centres):
        raise UndecidedError
    found = inner_direction(size, centres, ())
    if found is None or not all(product(row, found) > 0 for row in strict):
        raise UndecidedError
    return found


def _centre(value: Number) -> fmpq:
    return value if isinstance(value, fmpq) else value.mid().fmpq()

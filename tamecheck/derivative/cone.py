"""Open polyhedral cones of directions, each with a rational direction inside as its proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flint import arb, arb_mat, fmpq, fmpq_mat

from tamecheck.exact.feasibility import Alternative, Vector, nonnegative_solution, null_basis
from tamecheck.exact.hull import (
    dot,
    rational,
)
from tamecheck.exact.reals import ONE, ZERO, Number, UndecidedError

Row = tuple[Number, ...]
"""A linear functional of directions."""


def product(row: Row, direction: Sequence[fmpq]) -> Number:
    """The value of a functional at a direction."""
    total: Number = ZERO
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

    The rows are derivatives of functions that vanish at a point, and the cone stands for the set
    near that point where the functions have these signs.
    """

    size: int
    strict: tuple[Row, ...] = ()
    equal: tuple[Row, ...] = ()
    direction: Vector = ()
    """A direction in the cone; empty if none is known."""
    affine: tuple[tuple[Row, ...], tuple[Row, ...]] = ((), ())
    """The rows among the strict ones, and among the equal ones, whose functions are not curved."""
    settled: bool = True
    """Whether there are such points near; otherwise first derivatives do not tell."""

    @property
    def full(self) -> bool:
        """Whether the cone has inner points."""
        return not self.equal

    def meet(self, row: Row, sign: int, *, curved: bool = False) -> Cone | None:
        """The part on which a functional has a sign; None if no points near are there.

        It is not settled if that depends on the curvature of functions.  Raises `UndecidedError` if
        the functionals are balls, and those do not decide it.
        """
        signed = row if sign >= 0 else tuple(-a for a in row)
        part = self._with(signed, sign, curved=curved)
        if sign and self.direction and product(signed, self.direction) > 0:
            return replace(part, direction=self.direction)
        return part.settle()

    def unsettled(self, row: Row, sign: int) -> Cone:
        """The part on which a function has a sign whose derivative vanishes."""
        return replace(self._with(row, sign, curved=True), settled=False)

    def _with(self, row: Row, sign: int, *, curved: bool) -> Cone:
        kept = () if curved else (row,)
        strict, equal = self.affine
        if sign:
            affine = (*strict, *kept), equal
            return replace(self, strict=(*self.strict, row), affine=affine, direction=())
        affine = strict, (*equal, *kept)
        return replace(self, equal=(*self.equal, row), affine=affine, direction=())

    def settle(self) -> Cone | None:
        """The cone with a direction, if derivatives decide; None if no points near are in it."""
        bent = len(self.affine[1]) < len(self.equal)
        curved = bent or len(self.affine[0]) < len(self.strict)
        open_ = replace(self, settled=False)
        rows = (*self.strict, *self.equal)
        if curved and rational(rows) is None:
            if not _independent(rows):
                return open_
            if self.equal:
                # a submersion takes all signs near the point
                return replace(self, settled=True)
        found = inner_direction(self.size, self.strict, self.equal) if self.settled else None
        if found is not None:
            clear = not bent or _independent(self.equal)
            return replace(self, direction=found) if clear else open_
        return open_ if curved and not self._empty() else None

    def _empty(self) -> bool:
        """Whether no points near have these signs, although functions may be curved.

        Either the affine functions among them exclude each other, or no direction other than 0 is a
        limit of directions to such points.
        """
        if inner_direction(self.size, *self.affine) is None:
            return True
        strict = _exact(self.strict)
        if not strict or null_basis([*strict, *_exact(self.equal)], self.size):
            return False
        total = tuple(sum(column, ZERO) for column in zip(*strict, strict=True))
        return inner_direction(self.size, [total], self.equal, strict) is None


def _independent(rows: Sequence[Row]) -> bool:
    """Whether functionals are certainly linearly independent."""
    if not rows:
        return True
    exact = rational(tuple(rows))
    if exact is not None:
        return bool(fmpq_mat([list(row) for row in exact]).rank() == len(rows))
    # the Gram determinant
    balls = arb_mat([[arb(a) for a in row] for row in rows])
    return bool((balls * balls.transpose()).det() > 0)


def inner_direction(
    size: int, strict: Sequence[Row], equal: Sequence[Row], weak: Sequence[Row] = ()
) -> Vector | None:
    """A direction with ``strict > 0``, ``equal = 0`` and ``weak >= 0``, or None.

    By Motzkin's theorem there is none exactly if ``Σ λ strict + Σ μ weak`` vanishes on the
    equations' solutions for some ``λ, μ >= 0`` with ``Σ λ = 1``.  Raises `UndecidedError` if balls
    do not decide it.
    """
    if rational((*strict, *equal, *weak)) is None:
        if equal or weak:
            raise UndecidedError
        return _direction_by_centres(size, strict)
    basis = null_basis(_exact(equal), size)
    if not strict:
        return basis[0] if basis else (ZERO,) * size
    columns: list[Vector] = []
    for rows, last in ((strict, ONE), (weak, ZERO)):
        columns += [(*(dot(row, vector) for vector in basis), last) for row in _exact(rows)]
    found = nonnegative_solution(columns, (*(ZERO for _ in basis), ONE))
    if not isinstance(found, Alternative):
        return None
    # y · column <= 0 and y · target > 0: so -y, mapped back, is positive on the strict rows
    return tuple(
        -sum((y * vector[axis] for y, vector in zip(found.values, basis, strict=False)), ZERO)
        for axis in range(size)
    )


def _exact(rows: Sequence[Row]) -> list[Vector]:
    return [tuple(a for a in row if isinstance(a, fmpq)) for row in rows]


def _direction_by_centres(size: int, strict: Sequence[Row]) -> Vector | None:
    """A direction from the centres of the balls, checked on the balls."""
    centres = [tuple(a if isinstance(a, fmpq) else a.mid().fmpq() for a in row) for row in strict]
    if fmpq_mat([list(row) for row in centres]).rank() < len(centres):
        raise UndecidedError
    found = inner_direction(size, centres, ())
    if found is None or not all(product(row, found) > 0 for row in strict):
        raise UndecidedError
    return found

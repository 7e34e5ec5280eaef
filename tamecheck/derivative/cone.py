"""Open polyhedral cones of directions, each with a rational direction inside as its proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flint import arb, arb_mat, fmpq, fmpq_mat

from tamecheck.exact.feasibility import Alternative, Vector, nonnegative_solution, null_basis
from tamecheck.exact.reals import Number, UndecidedError

__all__ = ["Cone", "Row", "independent", "inner_direction", "is_zero", "product"]

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

    The rows are derivatives of functions that vanish at a point, and the cone stands for the set
    near that point where the functions have these signs.

    Parameters
    ----------
    size
        The dimension of the space.
    strict, equal
        The functionals.
    direction
        A direction in the cone; empty if none is known.
    bent
        For each strict row, whether its function may be curved; then for each equal one.
    settled
        Whether there are such points near; otherwise first derivatives do not tell.
    """

    size: int
    strict: tuple[Row, ...] = ()
    equal: tuple[Row, ...] = ()
    direction: Vector = field(default=())
    bent: tuple[tuple[bool, ...], tuple[bool, ...]] = ((), ())
    settled: bool = True

    def meet(self, row: Row, sign: int, *, curved: bool = False) -> Cone | None:
        """The part on which a functional has a sign; None if no points near are there.

        It is not settled if that depends on the curvature of functions.

        Raises
        ------
        UndecidedError
            If the functionals are balls, and those do not decide it.
        """
        bent = self.bent
        if sign == 0:
            bent = (bent[0], (*bent[1], curved))
            return self._solved(self.strict, (*self.equal, row), bent)
        signed = row if sign > 0 else tuple(-a for a in row)
        strict, bent = (*self.strict, signed), ((*bent[0], curved), bent[1])
        if self.direction and product(signed, self.direction) > 0:
            return Cone(self.size, strict, self.equal, self.direction, bent)
        return self._solved(strict, self.equal, bent)

    def _solved(
        self,
        strict: tuple[Row, ...],
        equal: tuple[Row, ...],
        bent: tuple[tuple[bool, ...], tuple[bool, ...]],
    ) -> Cone | None:
        curved = any(bent[0]) or any(bent[1])
        balls = _has_balls(strict, equal)
        open_ = Cone(self.size, strict, equal, (), bent, settled=False)
        if curved and balls and not independent((*strict, *equal)):
            return open_
        if curved and balls and equal:
            # a submersion takes all signs near the point
            return Cone(self.size, strict, equal, (), bent)
        direction = inner_direction(self.size, strict, equal) if self.settled else None
        if direction is not None:
            clear = not any(bent[1]) or independent(equal)
            return Cone(self.size, strict, equal, direction, bent) if clear else open_
        if curved and not _empty(self.size, strict, equal, bent):
            return open_
        return None

    def unsettled(self, row: Row, sign: int) -> Cone:
        """The part on which a function has a sign whose derivative vanishes."""
        strict, equal = (*self.strict, row), (*self.equal, row)
        if sign == 0:
            bent = (self.bent[0], (*self.bent[1], True))
            return Cone(self.size, self.strict, equal, (), bent, settled=False)
        bent = ((*self.bent[0], True), self.bent[1])
        return Cone(self.size, strict, self.equal, (), bent, settled=False)

    def closure_contains(self, direction: Sequence[fmpq]) -> bool:
        """Whether a direction is in the closed cone."""
        return all(product(row, direction) >= 0 for row in self.strict) and all(
            product(row, direction) == 0 for row in self.equal
        )

    @property
    def full(self) -> bool:
        """Whether the cone has inner points."""
        return not self.equal


def _has_balls(*tables: Sequence[Row]) -> bool:
    return any(isinstance(a, arb) for rows in tables for row in rows for a in row)


def _empty(
    size: int,
    strict: Sequence[Row],
    equal: Sequence[Row],
    bent: tuple[Sequence[bool], Sequence[bool]],
) -> bool:
    """Whether no points near have these signs, although functions may be curved.

    Either the affine functions among them exclude each other, or no direction other than 0 is a
    limit of directions to such points.
    """
    straight = [
        [row for row, curved in zip(rows, flags, strict=True) if not curved]
        for rows, flags in zip((strict, equal), bent, strict=True)
    ]
    if inner_direction(size, straight[0], straight[1]) is None:
        return True
    rows = [_exact(row) for row in (*strict, *equal)]
    if not strict or null_basis(rows, size):
        return False
    total = tuple(sum(column, _ZERO) for column in zip(*map(_exact, strict), strict=True))
    return inner_direction(size, [total], equal, strict) is None


def independent(rows: Sequence[Row]) -> bool:
    """Whether functionals are certainly linearly independent."""
    if not rows:
        return True
    if _has_balls(rows):
        # the Gram determinant
        balls = arb_mat([[arb(a) for a in row] for row in rows])
        return bool((balls * balls.transpose()).det() > 0)
    return bool(fmpq_mat([list(_exact(row)) for row in rows]).rank() == len(rows))


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

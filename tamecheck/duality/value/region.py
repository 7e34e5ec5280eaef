"""The value function on a box of one to three right-hand sides, as a complex of polytopes.

For an integer part x the program has the value ``phi_x(t) = c·x + v(d(t) - A x)``, v that of the
continuous columns: convex, and affine on finitely many closed polytopes.  The value function z is
the least of these, so that it is lower semicontinuous, and z(t) is the least number that a cell
with t has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from tamecheck.duality.answer import to_sympy
from tamecheck.duality.form import Vector
from tamecheck.duality.tree import affine_text
from tamecheck.duality.value.polytope import AffineFunction, Polytope
from tamecheck.errors import DomainError, InputError


@dataclass(frozen=True, slots=True)
class ValueCell:
    """A closed polytope of right-hand sides, and an affine function that is z inside it.

    ``value`` is None where the program is infeasible.
    """

    polytope: Polytope
    value: AffineFunction | None

    @property
    def vertices(self) -> tuple[Vector, ...]:
        """The corners."""
        return self.polytope.vertices

    @property
    def dimension(self) -> int:
        """That of the polytope."""
        return self.polytope.dimension

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        value = self.value
        return {
            "dimension": self.dimension,
            "vertices": [[str(x) for x in vertex] for vertex in self.vertices],
            "rows": [[*map(str, row.slope), str(row.constant)] for row in self.polytope.rows],
            "slope": None if value is None else list(map(str, value.slope)),
            "intercept": None if value is None else str(value.constant),
        }


@dataclass(frozen=True)
class ValueRegion:
    """The value function on a box: at a point it has the best number of the cells with the point.

    ``sign`` is 1 for a minimised objective, -1 for a maximised one.
    """

    names: tuple[str, ...]
    """The right-hand sides that vary."""
    lower: Vector
    upper: Vector
    cells: tuple[ValueCell, ...]
    """Cells with a value: of full dimension first, then those where z is better than around."""
    empty: tuple[ValueCell, ...]
    """Cells of full dimension in whose interior the program is infeasible."""
    sign: int = 1

    def __call__(self, t: Sequence[Fraction | int]) -> Fraction | None:
        """The value; None where the program is infeasible."""
        point = self._inside(t)
        values = [cell.value(point) for cell in self._at(point) if cell.value is not None]
        return self.sign * min(self.sign * value for value in values) if values else None

    def _inside(self, t: Sequence[Fraction | int]) -> Vector:
        point = tuple(map(Fraction, t))
        if len(point) != len(self.names):
            raise InputError(f"The box has {len(self.names)} right-hand sides, not {len(point)}.")
        for name, low, x, high in zip(self.names, self.lower, point, self.upper, strict=True):
            if not low <= x <= high:
                raise InputError(f"{name} = {x} is not between {low} and {high}.")
        return point

    def _at(self, point: Vector) -> list[ValueCell]:
        return [cell for cell in self.cells if cell.polytope.contains(point)]

    @cached_property
    def slopes(self) -> tuple[Vector, ...]:
        """The slopes of cells of full dimension, each once."""
        size = len(self.names)
        full = (c.value.slope for c in self.cells if c.value and c.dimension == size)
        return tuple(sorted(set(full)))

    def gradient(self, t: Sequence[Fraction | int]) -> tuple[Vector, ...]:
        """The slopes of the cells around an inner point where z is continuous nearby.

        Raises
        ------
        DomainError
            If the point is at the boundary, or z jumps or is infinite at or beside it.
        """
        point = self._inside(t)
        size = len(self.names)
        where = ", ".join(f"{name} = {x}" for name, x in zip(self.names, point, strict=True))
        if any(x in ends for x, *ends in zip(point, self.lower, self.upper, strict=True)):
            raise DomainError(f"{where} is at the boundary of the box.")
        around = self._at(point)
        if self(point) is None:
            raise DomainError(f"The program is infeasible at {where}.")
        if any(cell.polytope.contains(point) for cell in self.empty):
            raise DomainError(
                f"The value function jumps at {where}: beside it the program is infeasible."
            )
        if any(cell.dimension < size for cell in around):
            raise DomainError(
                f"The value function jumps at {where}: it is better there than around it."
            )
        for i, one in enumerate(around):
            if any(_jump(one, other) for other in around[:i]):
                raise DomainError(
                    f"The value function jumps at {where} or beside it: two cells that meet there"
                    " have different values."
                )
        found = (cell.value.slope for cell in around if cell.value is not None)
        return tuple(dict.fromkeys(found))

    @property
    def formula(self) -> str:
        """The affine functions, each with the corners of its cell."""
        texts = (
            f"{_text(cell.value, self.names)} on {_corners(cell)}"
            for cell in self.cells
            if cell.value is not None
        )
        return "; ".join(texts) or "infeasible"

    def to_sympy(self) -> Any:
        """The best of piecewise expressions, infinite outside of their cells."""
        import sympy

        sp: Any = sympy
        symbols = [sp.Symbol(name, real=True) for name in self.names]

        def linear(own: AffineFunction) -> Any:
            pairs = zip(own.slope, symbols, strict=True)
            return sp.Add(to_sympy(own.constant), *(to_sympy(a) * t for a, t in pairs))

        def piece(cell: ValueCell, value: AffineFunction) -> Any:
            inside = sp.And(*(linear(row) >= 0 for row in cell.polytope.rows))
            return sp.Piecewise((linear(value), inside), (sp.oo * self.sign, True))

        pieces = [piece(cell, cell.value) for cell in self.cells if cell.value is not None]
        best = sp.Min if self.sign > 0 else sp.Max
        return best(*pieces, evaluate=False) if pieces else sp.oo * self.sign

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "rows": list(self.names),
            "box": [[str(a), str(b)] for a, b in zip(self.lower, self.upper, strict=True)],
            "cells": [cell.to_json() for cell in self.cells],
            "empty": [cell.to_json() for cell in self.empty],
        }


def _text(value: AffineFunction, names: Sequence[str]) -> str:
    return affine_text(zip(names, value.slope, strict=True), value.constant)


def _corners(cell: ValueCell) -> str:
    return ", ".join(f"({', '.join(map(str, v))})" for v in cell.vertices)


def _jump(one: ValueCell, other: ValueCell) -> bool:
    """Whether two cells differ where they meet."""
    shared = one.polytope.meet(other.polytope.rows)
    first, second = one.value, other.value
    if shared is None or first is None or second is None:
        return False
    return any(first(v) != second(v) for v in shared.vertices)

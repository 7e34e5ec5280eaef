"""The value function on a box of one to three right-hand sides, as a complex of polytopes.

For an integer part x the program has the value ``phi_x(t) = c·x + v(d(t) - A x)``, v that of the
continuous columns: convex, and affine on finitely many closed polytopes.  The value function z is
the least of these, so that it is lower semicontinuous, and z(t) is the least number that a cell
with t has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, product
from typing import Any, TypeAlias

from tamecheck.budget import Budget
from tamecheck.duality.answer import to_sympy
from tamecheck.duality.form import Form, Vector, dot
from tamecheck.duality.leaves import affine_text
from tamecheck.duality.optimum import minimise
from tamecheck.duality.tree import tree_dual
from tamecheck.errors import DomainError, InputError
from tamecheck.ir.answer import Optimal
from tamecheck.ir.exact import ZERO


@dataclass(frozen=True, slots=True)
class AffineFunction:
    """``slope · t + constant``."""

    slope: Vector
    constant: Fraction

    def __call__(self, t: Sequence[Fraction]) -> Fraction:
        """The value."""
        return dot(self.slope, t) + self.constant

    def minus(self, other: AffineFunction) -> AffineFunction:
        """The difference."""
        slope = (a - b for a, b in zip(self.slope, other.slope, strict=True))
        return AffineFunction(tuple(slope), self.constant - other.constant)

    def times(self, factor: int) -> AffineFunction:
        """The multiple."""
        return AffineFunction(tuple(factor * a for a in self.slope), factor * self.constant)


Parts: TypeAlias = "tuple[Polytope | None, Polytope | None, Polytope | None]"


@dataclass(frozen=True)
class Polytope:
    """The points where all rows are ``>= 0``, with its vertices; those tight at each are numbered.

    Lower-dimensional ones have rows that are tight at all vertices.
    """

    rows: tuple[AffineFunction, ...]
    vertices: tuple[Vector, ...]
    tight: tuple[frozenset[int], ...]

    @classmethod
    def box(cls, lower: Sequence[Fraction], upper: Sequence[Fraction]) -> Polytope:
        """A box; intervals may be points."""
        rows: list[AffineFunction] = []
        for k, (low, high) in enumerate(zip(lower, upper, strict=True)):
            unit = tuple(Fraction(int(i == k)) for i in range(len(lower)))
            rows.append(AffineFunction(unit, -low))
            rows.append(AffineFunction(unit, -high).times(-1))
        ends = (dict.fromkeys(pair) for pair in zip(lower, upper, strict=True))
        return cls._of(rows, list(product(*ends)))

    @classmethod
    def _of(cls, rows: Sequence[AffineFunction], vertices: Sequence[Vector]) -> Polytope:
        """With the rows that some vertex makes tight; at least one vertex is there."""
        tight = [frozenset(i for i, row in enumerate(rows) if not row(v)) for v in vertices]
        used = sorted(frozenset[int]().union(*tight))
        place = {old: new for new, old in enumerate(used)}
        return cls(
            tuple(rows[i] for i in used),
            tuple(vertices),
            tuple(frozenset(place[i] for i in own) for own in tight),
        )

    @cached_property
    def dimension(self) -> int:
        """The dimension of the hull of the vertices."""
        from tamecheck.exact.feasibility import pivots
        from tamecheck.exact.reals import as_number

        first, *others = self.vertices
        moves = [tuple(as_number(b - a) for a, b in zip(first, v, strict=True)) for v in others]
        return len(pivots(moves)) if moves else 0

    @cached_property
    def center(self) -> Vector:
        """The mean of the vertices, a point of the relative interior."""
        count = len(self.vertices)
        return tuple(sum(own, ZERO) / count for own in zip(*self.vertices, strict=True))

    def contains(self, point: Sequence[Fraction]) -> bool:
        """Whether a point belongs to it, the boundary included."""
        return all(row(point) >= 0 for row in self.rows)

    def includes(self, other: Polytope) -> bool:
        """Whether another polytope is a part of it."""
        return all(map(self.contains, other.vertices))

    def split(self, form: AffineFunction) -> Parts:
        """The closed parts whose relative interiors have the form below, at and above 0.

        None where there is no such part.
        """
        values = [form(v) for v in self.vertices]
        below = [i for i, a in enumerate(values) if a < 0]
        above = [i for i, a in enumerate(values) if a > 0]
        if not below and not above:
            return None, self, None
        if not below:
            return None, None, self
        if not above:
            return self, None, None
        on = [v for v, a in zip(self.vertices, values, strict=True) if not a]
        on += [self._between(i, j, values) for i in below for j in above if self._adjacent(i, j)]
        rows, opposite = (*self.rows, form), (*self.rows, form.times(-1))
        return (
            self._of(opposite, [*(self.vertices[i] for i in below), *on]),
            self._of((*rows, form.times(-1)), on),
            self._of(rows, [*(self.vertices[i] for i in above), *on]),
        )

    def _adjacent(self, i: int, j: int) -> bool:
        """Whether two vertices are the ends of an edge: no third one is on all of their rows."""
        shared = self.tight[i] & self.tight[j]
        return not any(shared <= own for k, own in enumerate(self.tight) if k not in {i, j})

    def _between(self, i: int, j: int, values: Sequence[Fraction]) -> Vector:
        part = values[i] / (values[i] - values[j])
        ends = zip(self.vertices[i], self.vertices[j], strict=True)
        return tuple(a + part * (b - a) for a, b in ends)

    def meet(self, rows: Iterable[AffineFunction]) -> Polytope | None:
        """The part where the rows are not below 0 either; None if it is empty."""
        own: Polytope | None = self
        for row in rows:
            below, on, above = own.split(row)
            own = above or on or (below and below.face(row))
            if own is None:
                return None
        return own

    def face(self, row: AffineFunction) -> Polytope | None:
        """The part where a form is 0 that is nowhere above 0 (or nowhere below)."""
        on = [v for v in self.vertices if not row(v)]
        return self._of((*self.rows, row, row.times(-1)), on) if on else None

    def faces(self) -> list[Polytope]:
        """All faces of each dimension, this polytope first."""
        found: dict[frozenset[Vector], Polytope] = {frozenset(self.vertices): self}
        waiting: list[Polytope] = [self]
        while waiting:
            own = waiting.pop()
            for row in own.rows:
                side = own.face(row)
                if side is not None and frozenset(side.vertices) not in found:
                    found[frozenset(side.vertices)] = side
                    waiting.append(side)
        return list(found.values())

    def joined(self, other: Polytope) -> Polytope | None:
        """The union with a polytope that shares no inner point, if it is convex; else None."""
        shared = frozenset(self.vertices) & frozenset(other.vertices)
        if not shared or self.dimension != other.dimension:
            return None
        hyperplane = next(
            (
                row
                for row in self.rows
                if any(row(v) for v in self.vertices)
                and all(row(v) <= 0 for v in other.vertices)
                and sum(not row(v) for v in self.vertices) >= self.dimension
            ),
            None,
        )
        if hyperplane is None:
            return None
        rows = [r for r in self.rows if all(r(v) >= 0 for v in other.vertices)]
        rows += [r for r in other.rows if all(r(v) >= 0 for v in self.vertices)]
        # the vertices of the hull are among those of the two
        corners = {*self.vertices, *other.vertices}
        low = tuple(min(own) for own in zip(*corners, strict=True))
        high = tuple(max(own) for own in zip(*corners, strict=True))
        hull = Polytope.box(low, high).meet(rows)
        if hull is None:
            return None
        below, _, above = hull.split(hyperplane)
        if below is None or above is None:
            return None
        same = set(above.vertices) == set(self.vertices) and set(below.vertices) == set(
            other.vertices
        )
        return hull if same else None


def join_all(polytopes: Sequence[Polytope]) -> list[Polytope]:
    """Fewer polytopes with the same union, pairs of which are joined while that is convex."""
    own = list(polytopes)
    while True:
        for i, j in combinations(range(len(own)), 2):
            whole = own[i].joined(own[j])
            if whole is not None:
                own = [p for k, p in enumerate(own) if k not in {i, j}] + [whole]
                break
        else:
            return own


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


_STEPS = (Fraction(1, 8), Fraction(1, 512), Fraction(1, 2**20))


def local_slope(form: Form, point: Vector, rows: Sequence[int], budget: Budget) -> Vector | None:
    """The slope at the form's right-hand side in these rows, None where it is not proved.

    From below, the tree dual touches the value function there; if all of its pieces that are active
    have one slope, it is affine nearby.  From above, the value is at most the convex function of
    the linear program with the integer part of an optimal point; if that takes the values of the
    affine function at the corners of a small cross-polytope, it is at most that inside.
    """
    below = tree_dual(form.program, seconds=budget.seconds, nodes=budget.nodes)
    found = {tuple(own[i] for i in rows) for own in below.slopes(form.right)}
    if not below.strong or len(found) != 1:
        return None
    (slope,) = found
    side, cost = list(form.right), Fraction(0)
    for column, x in zip(form.columns, point, strict=True):
        cost += column.cost * x
        if column.integral and x:
            for i, a in column.entries:
                side[i] -= a * x
    rest = [column for column in form.columns if not column.integral]
    spent = [c.cost * x for c, x in zip(form.columns, point, strict=True) if c.integral]
    left = cost - sum(spent, Fraction(0))

    def is_affine(step: Fraction) -> bool:
        for i, rate in zip(rows, slope, strict=True):
            for move in (step, -step):
                moved = [d + move if k == i else d for k, d in enumerate(side)]
                outcome = minimise(rest, form.constraints, moved)
                if not isinstance(outcome, Optimal) or outcome.objective != left + move * rate:
                    return False
        return True

    return slope if any(map(is_affine, _STEPS)) else None

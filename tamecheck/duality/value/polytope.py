"""Rational polytopes of few dimensions, by rows and vertices, and how a hyperplane divides them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, product
from typing import TypeAlias

from tamecheck.duality.form import Vector, dot

_ZERO, _ONE = Fraction(0), Fraction(1)


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
        return tuple(sum(own, _ZERO) / count for own in zip(*self.vertices, strict=True))

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

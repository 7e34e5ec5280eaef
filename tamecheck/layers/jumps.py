"""Where a minimum of convex functions on cones jumps.

Near a right-hand side b the value of a program is ``v(b) + min_k f_k(g)`` for a small change g,
over the optimal integer parts k, where ``f_k(g)`` is the largest ``u·g`` over the multipliers u of
the part: finite on the cone ``C_k = {g : r·g <= 0 for all rays r}``, and infinite elsewhere.  So
v is locally Lipschitz exactly if

* every g is in some ``C_k``; and
* no g on the boundary of a cone ``C_l`` has ``f_l(g) < f_k(g)`` for all other k.

Both fail exactly if one of finitely many systems of linear inequalities has a solution: one for
each choice of a ray of every part in the first case; in the second of a ray of l, and of a vertex
or a ray of every other part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, product

from tamecheck.exact.hull import Point
from tamecheck.ir.box import Bound
from tamecheck.ir.program import Column, Program, Row
from tamecheck.layers.optimal_set import Linear

__all__ = ["Continuous", "Jump", "Piece", "Undecided", "find_jump"]

_MOST_CHOICES = 512

_Condition = tuple[Point, Bound, Bound]
"""A linear form with its bounds."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The multipliers of a part: the hull of the vertices, and the rays."""

    vertices: tuple[Point, ...]
    rays: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Jump:
    """At ``b + t towards`` the part becomes infeasible along ``outward``, for every small t.

    ``towards`` is zero where the jump is at b itself; then every part becomes infeasible.
    """

    part: int
    towards: Point
    outward: Point


@dataclass(frozen=True, slots=True)
class Continuous:
    """There is no jump near b: all choices were refuted."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """There were too many choices."""


def find_jump(pieces: Sequence[Piece]) -> Jump | Continuous | Undecided:
    """Whether the minimum of the pieces jumps arbitrarily near, of a minimised program.

    At most 512 linear programs in as many variables as there are right-hand sides.
    """
    size = next((len(p) for piece in pieces for p in (*piece.vertices, *piece.rays)), 0)
    tried = 0
    for part, outward, conditions in islice(_systems(pieces), _MOST_CHOICES):
        tried += 1
        found = _solution(size, conditions)
        if found is not None:
            if outward is None:
                return Jump(part, (Fraction(0),) * size, found)
            return Jump(part, found, outward)
    return Undecided() if tried == _MOST_CHOICES else Continuous()


def _systems(pieces: Sequence[Piece]) -> Iterator[tuple[int, Point | None, list[_Condition]]]:
    one, zero = Fraction(1), Fraction(0)
    for rays in product(*(piece.rays for piece in pieces)):
        yield 0, None, [(ray, one, None) for ray in rays]
    for part, piece in enumerate(pieces):
        others = [other for k, other in enumerate(pieces) if k != part]
        for ray in piece.rays:
            inside: list[_Condition] = [(ray, zero, zero)]
            inside += [(other, None, zero) for other in piece.rays if other != ray]
            for choice in product(*(tuple(_marked(other)) for other in others)):
                worse = (_above(point, is_ray, piece) for point, is_ray in choice)
                yield part, ray, [*inside, *chain.from_iterable(worse)]


def _marked(piece: Piece) -> Iterator[tuple[Point, bool]]:
    yield from ((vertex, False) for vertex in piece.vertices)
    yield from ((ray, True) for ray in piece.rays)


def _above(point: Point, is_ray: bool, piece: Piece) -> Iterator[_Condition]:  # noqa: FBT001
    """That another part is worse than the piece: infinite along a ray, or by its vertex."""
    if is_ray:
        yield point, Fraction(1), None
        return
    for vertex in piece.vertices:
        difference = tuple(a - b for a, b in zip(point, vertex, strict=True))
        yield difference, Fraction(1), None


def _solution(size: int, conditions: Sequence[_Condition]) -> Point | None:
    """A point of least 1-norm that satisfies the conditions, None if there is none."""
    columns = tuple(Column(f"{sign}{i}") for sign in "+-" for i in range(size))
    rows = tuple(
        Row(
            str(k),
            tuple((i, a) for i, a in enumerate((*form, *(-a for a in form))) if a),
            lower,
            upper,
        )
        for k, (form, lower, upper) in enumerate(conditions)
    )
    found = Linear(Program(columns, rows)).optimum([Fraction(1)] * (2 * size))
    if found is None:
        return None
    return tuple(found.point[i] - found.point[size + i] for i in range(size))

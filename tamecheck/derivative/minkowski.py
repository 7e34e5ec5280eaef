"""Minkowski sums of simplices: convex sets of matrices that are kept by generators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import comb, prod

from flint import fmpq

from tamecheck.derivative.cone import Cone
from tamecheck.exact.feasibility import Multipliers, Vector, nonnegative_solution, pivots
from tamecheck.exact.hull import Exact, Separator, extreme, fractions_of, in_rows, inner
from tamecheck.exact.reals import ONE, ZERO, as_fraction


@dataclass(frozen=True, slots=True)
class Shares:
    """The matrix is ``base + Σ values[k][i] groups[k][i]``, by shares ``>= 0`` of sum ``<= 1``."""

    values: tuple[tuple[Fraction, ...], ...]

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class MinkowskiSum:
    """``base + Σ_k Σ_i d_ki groups[k][i]`` for all ``d >= 0`` with ``Σ_i d_ki <= 1`` for each k.

    A zonotope where every group has one generator.
    """

    base: Exact
    groups: tuple[tuple[Exact, ...], ...]
    """The generators: matrices other than 0, of which no two that are alone are parallel."""

    @property
    def generators(self) -> int:
        """The number of generators in all groups."""
        return sum(len(group) for group in self.groups)

    def support(self, functional: Exact) -> fmpq:
        """The largest value of ``<functional, M>`` over all elements M; O(generators · entries)."""
        value = inner(functional, self.base)
        for group in self.groups:
            value += max(ZERO, *(inner(functional, generator) for generator in group))
        return value

    def membership(self, matrix: Exact) -> Shares | Separator:
        """Whether a matrix is an element: shares that give it, or a functional that separates it.

        A linear program with a variable for each generator and each group.
        """
        count = len(self.groups)
        columns: list[Vector] = []
        for k, group in enumerate(self.groups):
            unit = tuple(ONE if k == j else ZERO for j in range(count))
            columns += [(*_flat(generator), *unit) for generator in group]
            # what is left of the shares' sum
            columns.append((*(ZERO for _ in _flat(self.base)), *unit))
        gap = [a - b for a, b in zip(_flat(matrix), _flat(self.base), strict=True)]
        found = nonnegative_solution(columns, (*gap, *(ONE for _ in range(count))))
        if isinstance(found, Multipliers):
            shares = iter(found.values)
            parts = [tuple(islice(shares, len(group) + 1))[:-1] for group in self.groups]
            return Shares(fractions_of(parts))
        functional = in_rows(found.values[: len(gap)], len(matrix[0]))
        return Separator(fractions_of(functional), as_fraction(self.support(functional)))

    @property
    def most_vertices(self) -> int:
        """A bound on the number of vertices; it is met where all generators are independent.

        The normal cones of vertices are cells of the arrangement of the hyperplanes on which two
        vertices of one group have equal values; h of them in r dimensions have at most
        ``2 Σ_{i<r} C(h-1, i)`` cells (Zaslavsky 1975).
        """
        choices = prod(len(group) + 1 for group in self.groups)
        rank = len(self._pivots())
        if rank == self.generators:
            return choices
        planes = sum(comb(len(group) + 1, 2) for group in self.groups)
        return min(choices, 2 * sum(comb(planes - 1, i) for i in range(rank)))

    def vertices(self) -> Iterator[Exact]:
        """The vertices, each once: first those with the first generators.

        A vertex is the one element where some functional is largest, so it takes one generator or
        none of each group, and an open cone of functionals prefers those.
        """
        pivots = self._pivots()

        def after(cone: Cone, groups: Sequence[tuple[Exact, ...]], sum_: Vector) -> Iterator[Exact]:
            if not groups:
                yield in_rows(sum_, len(self.base[0]))
                return
            choices = [*(_flat(generator) for generator in groups[0]), (ZERO,) * len(sum_)]
            for choice in choices:
                met: Cone | None = cone
                for other in choices:
                    if other is not choice and met is not None:
                        met = met.meet(tuple(choice[j] - other[j] for j in pivots), 1)
                if met is not None:
                    yield from after(met, groups[1:], _plus(sum_, choice))

        yield from after(Cone(len(pivots)), self.groups, _flat(self.base))

    def _pivots(self) -> list[int]:
        """Entries that tell apart all matrices in the span of the generators."""
        flat = [_flat(generator) for group in self.groups for generator in group]
        return pivots(flat) if flat else []


def minkowski_sum(base: Exact, groups: Sequence[Sequence[Exact]]) -> MinkowskiSum:
    """``base`` plus the hull of 0 and some matrices, for each group of them.

    Segments along one line are merged: ``[0, G] + [0, s G]`` is ``[0, (1 + s) G]`` for ``s > 0``,
    and ``s G + [0, (1 - s) G]`` for ``s < 0``.  Matrices within the hull of their group are left
    out.
    """
    total = _flat(base)
    width = len(base[0]) if base else 0
    lines: dict[Vector, int] = {}
    kept: list[list[Vector]] = []
    for group in groups:
        corners = _corners([_flat(matrix) for matrix in group])
        if len(corners) != 1:
            kept += [corners] if corners else []
            continue
        leading = next(a for a in corners[0] if a != 0)
        line = tuple(a / leading for a in corners[0])
        if line not in lines:
            lines[line] = len(kept)
            kept.append(corners)
            continue
        first = kept[lines[line]][0]
        scale = leading / next(a for a in first if a != 0)
        if scale < 0:
            total = _plus(total, corners[0])
        # the first one's own scale may exceed 1 by now, so lengths are added as they are
        kept[lines[line]] = [tuple(a * (1 + abs(scale)) for a in first)]
    shaped = tuple(tuple(in_rows(flat, width) for flat in group) for group in kept)
    return MinkowskiSum(in_rows(total, width), shaped)


def _plus(left: Vector, right: Vector) -> Vector:
    return tuple(a + b for a, b in zip(left, right, strict=True))


def _corners(group: Sequence[Vector]) -> list[Vector]:
    """The vectors, each once, that are vertices of the hull of 0 and all of them."""
    different = list(dict.fromkeys(flat for flat in group if any(a != 0 for a in flat)))
    if not different:
        return []
    zero = (ZERO,) * len(different[0])
    kept = extreme([(flat,) for flat in (*different, zero)])
    return [different[number] for number in kept if number < len(different)]


def _flat(matrix: Exact) -> Vector:
    return tuple(a for row in matrix for a in row)

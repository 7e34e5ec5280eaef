"""Polytopes of full dimension cut by the hyperplanes of a whole layer: `decisions`, specialised.

One hyperplane of each polytope at a time cuts all its parts, in arrays; where these grow large, one
half of the parts comes first.  A vertex that a cut makes divides an edge, and so do the values of
all forms there: no linear system is solved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tamecheck.cells.forms import EPSILON
from tamecheck.cells.parts import (
    DOUBTFUL,
    Frame,
    Parts,
    Vertices,
    basis,
    begin,
    bit_of,
    cardinality,
    finish,
    halve,
    ranges,
    sign,
    unpack,
)
from tamecheck.cells.polytope import Polytope, Table, dot, float_values
from tamecheck.ir.tensor import Array

_PAIRS = 1 << 19
"""So many pairs of vertices are looked at in one go."""

_NUMBERS = 1 << 18
"""About so many values at vertices are kept in one array."""

_TOGETHER = 1 << 20
"""About so many pairs of vertices in the same part are looked at in one step."""


def is_solid(polytope: Polytope) -> bool:
    """Whether a polytope has full dimension, and is not a point."""
    return polytope.dim == polytope.space >= 1


def cut_all(
    polytopes: Sequence[Polytope], tables: Sequence[Table]
) -> Iterator[list[tuple[int, Polytope, Array]]]:
    """The parts of polytopes on which all forms of their tables have constant signs.

    Comes after every step with the parts that are finished, often none, so that the caller may
    stop: the number of the polytope, the part, and the signs of the forms.
    """
    for some in _batches(polytopes, tables):
        numbers: list[int] = some.tolist()
        frame, vertices, parts = begin(
            [polytopes[k] for k in numbers], [tables[k] for k in numbers]
        )
        stack = [(vertices, parts, 0)]
        while stack:
            vertices, parts, slot = stack.pop()
            if slot == frame.slots:
                yield [
                    (numbers[owner], part, signs)
                    for owner, part, signs in finish(frame, vertices, parts)
                ]
                continue
            vertices, parts = _cut(frame, vertices, parts, slot)
            large = vertices.values.size > _NUMBERS or np.square(parts.size).sum() > _TOGETHER
            if large and len(parts.owner) > 1:
                stack += [(*half, slot + 1) for half in halve(vertices, parts)]
            else:
                stack.append((vertices, parts, slot + 1))
            yield []


def _batches(polytopes: Sequence[Polytope], tables: Sequence[Table]) -> list[Array]:
    """Numbers of polytopes, as many together as make arrays of a good size."""
    columns = max(1, tables[0].value.shape[1])
    ends = np.cumsum([len(polytope.rows) * columns for polytope in polytopes])
    limits = np.arange(_NUMBERS, int(ends[-1]), _NUMBERS)
    found = np.split(np.arange(len(polytopes)), np.unique(np.searchsorted(ends, limits)))
    return [numbers for numbers in found if numbers.size]


class _Crossed(NamedTuple):
    """Vertices of the parts that are cut, in order of the parts, and how many each part has."""

    rows: Array
    counts: Array

    @property
    def first(self) -> Array:
        """Where the vertices of each part start."""
        return np.cumsum(self.counts) - self.counts

    def of(self, parts: Array) -> _Crossed:
        """The vertices of some parts."""
        counts = self.counts[parts]
        return _Crossed(self.rows[ranges(self.first[parts], counts)], counts)


def _cut(frame: Frame, vertices: Vertices, parts: Parts, slot: int) -> tuple[Vertices, Parts]:
    """The parts on both sides of the hyperplanes in one slot, and their vertices.

    Takes time in the number of pairs of vertices on two sides of a hyperplane.
    """
    word, bit = bit_of(slot)
    known = ((parts.above[:, word] | parts.below[:, word]) & bit) != 0
    open_ = np.flatnonzero(~known & (frame.columns[parts.owner, slot] >= 0))
    if not open_.size:
        return vertices, parts
    rows, starts = parts.choose(open_).vertices()
    signs, on = _signs(frame, vertices, rows, slot)
    own = signs[rows]
    up = np.maximum.reduceat(own, starts) > 0
    down = np.minimum.reduceat(own, starts) < 0
    parts.above[open_[up & ~down], word] |= bit
    parts.below[open_[down & ~up], word] |= bit
    crossed = open_[up & down]
    if not crossed.size:
        return vertices, parts
    _add(frame, vertices, np.unique(parts.owner[crossed]), on, slot)
    old = parts.choose(crossed)
    rows, starts = old.vertices()
    upper, flat, lower = _by_sign(rows, starts, signs)
    starts, ends, of = _edges(frame, vertices, old, upper, lower)
    # an edge may belong to many parts
    edges, fresh = np.unique(starts * len(signs) + ends, return_inverse=True)
    added = _divide(frame, vertices, *np.divmod(edges, len(signs)), slot)
    new = _Crossed(len(signs) + fresh, np.bincount(of, minlength=len(crossed)))
    vertices = vertices.join(added)
    left = np.ones(len(parts.owner), dtype=bool)
    left[crossed] = False
    kept = parts.choose(np.flatnonzero(left))
    for side, mine in ((1, upper), (-1, lower)):
        kept = kept.join(_halves(vertices, old, (mine, flat, new), slot, side))
    return vertices, kept


def _signs(frame: Frame, vertices: Vertices, rows: Array, slot: int) -> tuple[Array, Array]:
    """The exact signs at some vertices, for the others 0; and on which of them it is exactly 0."""
    word, bit = bit_of(slot)
    positive = (vertices.positive[:, word] & bit) != 0
    negative = (vertices.negative[:, word] & bit) != 0
    signs = np.subtract(positive, negative, dtype=np.int8)
    open_ = np.unique(rows[signs[rows] == 0])
    for vertex in open_.tolist():
        owner = int(vertices.owner[vertex])
        row = frame.exact_row(owner, slot)
        if any(row):
            places = np.flatnonzero(
                unpack(vertices.tight[vertex : vertex + 1], frame.facets + frame.slots)[0]
            )
            exact = dot(row, frame.planes.exact_point(basis(frame, owner, places)))
            signs[vertex] = (exact > 0) - (exact < 0)
    return signs, open_[signs[open_] == 0]


def _add(frame: Frame, vertices: Vertices, owners: Array, on: Array, slot: int) -> None:
    """Give the hyperplanes that cut a number, and note which vertices lie on them."""
    place = frame.facets + slot
    # other parts of the same polytopes may have been cut already
    for owner in owners[frame.numbers[owners, place] < 0].tolist():
        frame.numbers[owner, place] = frame.planes.add(
            frame.forms[owner, :, slot],
            frame.errors[owner, :, slot],
            lambda owner=owner: frame.exact_row(owner, slot),
        )
    word, bit = bit_of(place)
    vertices.tight[on[frame.numbers[vertices.owner[on], place] >= 0], word] |= bit


def _by_sign(rows: Array, starts: Array, signs: Array) -> tuple[_Crossed, _Crossed, _Crossed]:
    """The vertices where a form is positive, zero, and negative."""
    own = signs[rows]

    def where(mask: Array) -> _Crossed:
        return _Crossed(rows[mask], np.add.reduceat(mask, starts, dtype=np.int64))

    return where(own > 0), where(own == 0), where(own < 0)


def _edges(
    frame: Frame, vertices: Vertices, parts: Parts, upper: _Crossed, lower: _Crossed
) -> tuple[Array, Array, Array]:
    """The edges from an upper to a lower vertex: their ends, and of which part."""
    rows, starts = parts.vertices()
    simple = np.maximum.reduceat(cardinality(vertices.tight)[rows], starts) == frame.dim
    ends = np.cumsum(upper.counts * lower.counts)
    found: list[tuple[Array, Array, Array]] = []
    for some in np.split(np.arange(len(parts.owner)), _limits(ends)):
        if not some.size:
            continue
        above, below = upper.of(some), lower.of(some)
        width = np.repeat(below.counts, above.counts)
        start = np.repeat(above.rows, width)
        end = below.rows[ranges(np.repeat(below.first, above.counts), width)]
        shared = vertices.tight[start] & vertices.tight[end]
        near = np.flatnonzero(cardinality(shared) >= frame.dim - 1)
        of = np.searchsorted(np.cumsum(above.counts * below.counts), near, side="right")
        start, end, of = start[near], end[near], some[of]
        doubtful = np.flatnonzero(~simple[of])
        if doubtful.size:
            good = np.ones(len(of), dtype=bool)
            good[doubtful] = _span_edges(vertices, parts, shared[near[doubtful]], of[doubtful])
            start, end, of = start[good], end[good], of[good]
        found.append((start, end, of))
    first, second, third = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return first, second, third


def _limits(ends: Array) -> Array:
    """Where to divide a list into pieces of about so much work, given the sums of the work."""
    pieces = np.arange(_PAIRS, int(ends[-1]), _PAIRS)
    return np.unique(np.searchsorted(ends, pieces))


def _span_edges(vertices: Vertices, parts: Parts, shared: Array, of: Array) -> Array:
    """Whether no more than two vertices of a part lie on all the hyperplanes of a set."""
    size = parts.size[of]
    found = np.empty(len(of), dtype=bool)
    for some in np.split(np.arange(len(of)), _limits(np.cumsum(size))):
        if not some.size:
            continue
        counts = size[some]
        third = vertices.tight[parts.members[ranges(parts.first[of[some]], counts)]]
        wanted = np.repeat(shared[some], counts, axis=0)
        inside = ((third & wanted) == wanted).all(axis=1)
        found[some] = np.add.reduceat(inside, np.cumsum(counts) - counts, dtype=np.int64) == 2
    return found


def _divide(frame: Frame, vertices: Vertices, start: Array, end: Array, slot: int) -> Vertices:
    """The points where edges cross the hyperplanes in a slot.

    If ``f(p) > 0 > f(q)``, the point is at the share ``f(p) / (f(p) - f(q))`` of the way from p
    to q, and there every affine form has this share of its own way.  With errors e(p) and e(q) of
    the values, the computed share is off by at most
    ``(e(p) (1 - share) + e(q) share) / (f(p) - f(q) - e(p) - e(q))``.
    """
    values, far = vertices.values[start], vertices.values[end]
    errors, far_errors = vertices.errors[start], vertices.errors[end]
    owner, own = vertices.owner[start], frame.dim + slot
    at, to, at_error, to_error = values[:, own], far[:, own], errors[:, own], far_errors[:, own]
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = at - to
        share = at / whole
        # the errors of the two values move the point along the edge by so large a share
        room = whole * (1 - 8 * EPSILON) - at_error - to_error
        moved = at_error * (1 - share) + to_error * share + 8 * EPSILON * (at_error + to_error)
        moved = (moved / room + 8 * EPSILON)[:, None]
        step = far - values
        found = values + share[:, None] * step
        bound = np.maximum(errors, far_errors) + moved * (np.abs(step) + errors + far_errors)
        bound += 16 * EPSILON * (np.abs(values) + np.abs(far) + bound)
        sharp = (bound <= DOUBTFUL * frame.extent[owner]).all(axis=1)
        bad = np.flatnonzero(~((room > 0) & sharp))
    place = frame.facets + slot
    tight = vertices.tight[start] & vertices.tight[end]
    word, bit = bit_of(place)
    tight[:, word] |= bit
    if bad.size:
        found[bad], bound[bad] = _solve(frame, owner[bad], tight[bad])
    fresh = sign(owner, tight, found, bound, frame.dim)
    word, bit = bit_of(slot)
    fresh.positive[:, word] &= ~bit
    fresh.negative[:, word] &= ~bit
    return fresh


def _solve(frame: Frame, owner: Array, tight: Array) -> tuple[Array, Array]:
    """The values at the common points of hyperplanes, and their errors."""
    places = unpack(tight, frame.facets + frame.slots)
    through = [
        basis(frame, number, np.flatnonzero(row))
        for number, row in zip(owner.tolist(), places, strict=True)
    ]
    points, doubt = frame.planes.points(np.array(through))
    with np.errstate(invalid="ignore"):
        values, errors = float_values(
            frame.forms[owner], frame.errors[owner], points[:, None], doubt[:, None]
        )
    return (
        np.concatenate((points, values[:, 0]), axis=1),
        np.concatenate((doubt, errors[:, 0]), axis=1),
    )


def _halves(
    vertices: Vertices, parts: Parts, groups: tuple[_Crossed, ...], slot: int, side: int
) -> Parts:
    """The parts on one side of a cut, whose vertices are in some groups."""
    size = np.sum([group.counts for group in groups], axis=0)
    first = np.cumsum(size) - size
    members = np.empty(int(size.sum()), dtype=np.int64)
    place = first
    for group in groups:
        members[ranges(place, group.counts)] = group.rows
        place = place + group.counts
    above = parts.above | np.bitwise_and.reduceat(vertices.positive[members], first, axis=0)
    below = parts.below | np.bitwise_and.reduceat(vertices.negative[members], first, axis=0)
    cuts = parts.cuts.copy()
    word, bit = bit_of(slot)
    (above if side > 0 else below)[:, word] |= bit
    cuts[:, word] |= bit
    return Parts(members, first, size, parts.owner, above, below, cuts)

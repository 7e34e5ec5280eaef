"""Many polytopes of full dimension at once, and their parts while hyperplanes cut them.

The parts of one polytope share its vertices: a part is a list of numbers of vertices.  Which
hyperplanes a vertex lies on is a set of *places*: first those of the facets that its polytope began
with, then one for each form that may cut it, called *slots*.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tamecheck.cells.polytope import (
    Corners,
    ExactRow,
    Hyperplanes,
    Polytope,
    Question,
    Table,
    facet_columns,
    float_values,
)
from tamecheck.ir.tensor import Array

_WORD = np.dtype("<u8")

DOUBTFUL = 2.0**-20
"""A vertex with larger errors than this is computed anew from its hyperplanes.

The errors are measured by how much coordinates and forms vary on the polytope.
"""


class Frame(NamedTuple):
    """What the parts of some polytopes have in common; an *owner* is the number of a polytope.

    ``signs`` (owners, columns) are those of the forms that do not cut their polytope; ``columns``
    (owners, slots) says which form is in each slot, or -1; ``forms`` and ``errors`` (owners, dim +
    1, slots) are their coefficients; ``extent`` is how much the coordinates and these forms vary on
    each polytope, infinite where that is not known to a few digits.  ``numbers`` has the hyperplane
    in each place, -1 for none yet; ``sides`` and ``open_`` say for each facet at the start on which
    side of it the polytope lies, 0 if there is no such facet, and whether it is left out.
    """

    dim: int
    planes: Hyperplanes
    tables: Sequence[Table]
    signs: Array
    columns: Array
    forms: Array
    errors: Array
    extent: Array
    numbers: Array
    sides: Array
    open_: Array

    @property
    def facets(self) -> int:
        """The number of places for facets at the start: where the slots' places begin."""
        return self.sides.shape[1]

    @property
    def slots(self) -> int:
        """The number of slots."""
        return self.columns.shape[1]

    def exact_row(self, owner: int, slot: int) -> ExactRow:
        """The exact coefficients of a form."""
        return self.tables[owner].exact_row(Question(int(self.columns[owner, slot])))


class Vertices(NamedTuple):
    """Vertices of parts, a row each: of which polytope, and the places whose hyperplanes hold it.

    ``values`` are the coordinates and then the values of the forms in all slots, ``errors`` bounds
    on their errors; ``positive`` and ``negative`` the slots where the floats settle the sign.
    """

    owner: Array
    tight: Array
    values: Array
    errors: Array
    positive: Array
    negative: Array

    def choose(self, rows: Array) -> Vertices:
        """Some of the vertices."""
        return Vertices(*(array[rows] for array in self))

    def join(self, other: Vertices) -> Vertices:
        """These vertices, and then others."""
        return Vertices(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


class Parts(NamedTuple):
    """Parts of polytopes: of part k the vertices are ``members[first[k] : first[k] + size[k]]``.

    ``above`` and ``below`` are the slots whose forms are known to be positive, and negative, inside
    the part; ``cuts`` those whose hyperplanes made it.
    """

    members: Array
    first: Array
    size: Array
    owner: Array
    above: Array
    below: Array
    cuts: Array

    def choose(self, rows: Array) -> Parts:
        """Some of the parts."""
        return Parts(self.members, *(array[rows] for array in self[1:]))

    def join(self, other: Parts) -> Parts:
        """These parts, and then others."""
        moved = other._replace(first=other.first + len(self.members))
        return Parts(*(np.concatenate(pair) for pair in zip(self, moved, strict=True)))

    def vertices(self) -> tuple[Array, Array]:
        """The vertices of part after part, and where each part starts among them."""
        return self.members[ranges(self.first, self.size)], np.cumsum(self.size) - self.size


def sign(owner: Array, tight: Array, values: Array, errors: Array, dim: int) -> Vertices:
    """Vertices, with the signs that the floats settle."""
    own, doubt = values[:, dim:], errors[:, dim:]
    return Vertices(owner, tight, values, errors, pack(own > doubt), pack(own < -doubt))


def begin(polytopes: Sequence[Polytope], tables: Sequence[Table]) -> tuple[Frame, Vertices, Parts]:
    """Each polytope as a part of itself, and the forms that may cut it in slots."""
    dim, planes, count = polytopes[0].dim, tables[0].planes, len(polytopes)
    sizes = np.array([len(polytope.rows) for polytope in polytopes])
    starts = np.cumsum(sizes) - sizes
    points = np.concatenate([polytope.points for polytope in polytopes])
    doubt = np.concatenate([polytope.doubt for polytope in polytopes])
    forms = np.stack([table.value for table in tables])
    form_errors = np.stack([table.error for table in tables])
    # as many rows for each polytope: the first vertex fills them up
    steps = np.arange(int(sizes.max()))
    padded = starts[:, None] + np.where(steps < sizes[:, None], steps, 0)
    values, errors = float_values(forms, form_errors, points[padded], doubt[padded])
    above, below = (values > errors).all(axis=1), (values < -errors).all(axis=1)
    vanish = ~(forms.any(axis=1) | form_errors.any(axis=1))
    cutting = ~(above | below | vanish)
    slots = int(cutting.sum(axis=1).max(initial=0))
    columns = np.argsort(~cutting, axis=1, kind="stable")[:, :slots]
    taken = columns[:, None, :]
    kept = steps < sizes[:, None]
    values = np.take_along_axis(values, taken, axis=2)
    errors = np.take_along_axis(errors, taken, axis=2)
    columns = np.where(np.take_along_axis(cutting, columns, axis=1), columns, -1)
    extent = np.concatenate((np.ptp(points[padded], axis=1), np.ptp(values, axis=1)), axis=1)
    # a form that varies no more than by its errors has no digits to lose
    doubts = np.concatenate((doubt[padded].max(axis=1), errors.max(axis=1)), axis=1)
    extent[extent * DOUBTFUL < 2 * doubts] = np.inf
    extent[:, dim:][columns < 0] = np.inf
    values, errors = values[kept], errors[kept]

    facets = max(len(polytope.facets) for polytope in polytopes)
    tight = np.zeros((len(points), facets + slots), dtype=bool)
    numbers = np.full((count, facets + slots), -1, dtype=np.int32)
    sides, open_ = np.zeros((count, facets), dtype=np.int8), np.zeros((count, facets), dtype=bool)
    for k, (polytope, start, size) in enumerate(zip(polytopes, starts, sizes, strict=True)):
        width = len(polytope.facets)
        tight[start : start + size, :width] = polytope.tight
        numbers[k, :width] = polytope.facets
        sides[k, :width] = polytope.sides
        open_[k, :width] = polytope.open_
    frame = Frame(
        dim,
        planes,
        tables,
        np.subtract(above, below, dtype=np.int8),
        columns,
        np.take_along_axis(forms, taken, axis=2),
        np.take_along_axis(form_errors, taken, axis=2),
        extent,
        numbers,
        sides,
        open_,
    )
    vertices = sign(
        np.repeat(np.arange(count), sizes),
        pack(tight),
        np.concatenate((points, values), axis=1),
        np.concatenate((doubt, errors), axis=1),
        dim,
    )
    none = np.zeros((count, words_of(slots)), dtype=np.uint64)
    members = np.arange(len(points))
    parts = Parts(members, starts, sizes, np.arange(count), none, none.copy(), none.copy())
    return frame, vertices, parts


def halve(vertices: Vertices, parts: Parts) -> Iterator[tuple[Vertices, Parts]]:
    """The first and the second half of the parts, each with its own vertices only."""
    for rows in np.array_split(np.arange(len(parts.owner)), 2):
        chosen = parts.choose(rows)
        all_, first = chosen.vertices()
        used, members = np.unique(all_, return_inverse=True)
        yield vertices.choose(used), chosen._replace(members=members, first=first)


def basis(frame: Frame, owner: int, places: Array) -> tuple[int, ...]:
    """Independent hyperplanes through the point that lies on all those in some places."""
    through: list[int] = frame.numbers[owner, places].tolist()
    if len(through) == frame.dim:
        return tuple(through)
    return frame.planes.independent(through, frame.dim)


def _bases(frame: Frame, vertices: Vertices) -> Array:
    """Independent hyperplanes through every vertex."""
    found = np.empty((len(vertices.owner), frame.dim), dtype=np.int32)
    size = cardinality(vertices.tight)
    tight = unpack(vertices.tight, frame.facets + frame.slots)
    simple = size == frame.dim
    places = np.nonzero(tight[simple])[1].reshape(-1, frame.dim)
    found[simple] = frame.numbers[vertices.owner[simple][:, None], places]
    for row in np.flatnonzero(~simple).tolist():
        found[row] = basis(frame, int(vertices.owner[row]), np.flatnonzero(tight[row]))
    return found


def finish(frame: Frame, vertices: Vertices, parts: Parts) -> Iterator[tuple[int, Polytope, Array]]:
    """The owner, the polytope, and the signs of all forms, of each part."""
    dim, width, owner = frame.dim, frame.facets + frame.slots, parts.owner
    rows, starts = parts.vertices()
    ends = (starts + parts.size).tolist()
    inside = unpack(parts.above, frame.slots).view(np.int8)
    inside = inside - unpack(parts.below, frame.slots).view(np.int8)
    signs = np.concatenate((frame.signs[owner], np.zeros((len(owner), 1), np.int8)), axis=1)
    # what has no column goes to one more, which is left out then
    np.put_along_axis(signs, frame.columns[owner], inside, axis=1)
    signs = signs[:, :-1]

    tight = unpack(vertices.tight, width)
    met = np.add.reduceat(tight[rows], starts, axis=0, dtype=np.int64)
    cuts = unpack(parts.cuts, frame.slots).view(bool)
    real = np.concatenate((frame.sides[owner] != 0, cuts), axis=1) & (met >= dim)
    sides = np.concatenate((frame.sides[owner], inside), axis=1)
    open_ = np.concatenate((frame.open_[owner], np.zeros_like(cuts)), axis=1)
    points, doubt = vertices.values[:, :dim].copy(), vertices.errors[:, :dim].copy()
    corners = Corners(points, doubt, _bases(frame, vertices))
    tight, rows = tight.view(bool)[rows], rows.astype(np.int32)
    numbers = frame.numbers[owner]
    simple = np.maximum.reduceat(cardinality(vertices.tight)[rows], starts) == dim
    for k, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
        columns = real[k].nonzero()[0]
        on = tight[start:end].take(columns, axis=1)
        if not simple[k]:
            maximal = facet_columns(on)
            columns, on = columns[maximal], on[:, maximal]
        yield (
            int(owner[k]),
            Polytope(
                dim=dim,
                corners=corners,
                rows=rows[start:end],
                tight=on,
                facets=numbers[k].take(columns),
                sides=sides[k].take(columns),
                open_=open_[k].take(columns),
            ),
            signs[k],
        )


# sets of small numbers as rows of 64-bit words, and runs of numbers one after the other


def words_of(count: int) -> int:
    """How many words hold a set of numbers below ``count``; one at least."""
    return max(1, -(-count // 64))


def bit_of(number: int) -> tuple[int, np.uint64]:
    """The word of a number, and the mask of its bit there."""
    word, bit = divmod(number, 64)
    return word, np.uint64(1 << bit)


def pack(members: Array) -> Array:
    """Rows of truth values, shape ``(n, count)``, as words of shape ``(n, words_of(count))``."""
    count = members.shape[1]
    bytes_ = np.zeros((len(members), 8 * words_of(count)), dtype=np.uint8)
    bytes_[:, : (count + 7) // 8] = np.packbits(members, axis=1, bitorder="little")
    return bytes_.view(_WORD)


def unpack(words: Array, count: int) -> Array:
    """The inverse of `packed`: an array of 0 and 1, shape ``(n, count)``."""
    bytes_ = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(bytes_, axis=1, count=count, bitorder="little")


def cardinality(words: Array) -> Array:
    """The number of elements of each set."""
    if words.shape[1] == 1:
        return np.bitwise_count(words[:, 0])
    return np.bitwise_count(words).sum(axis=1, dtype=np.int64)


def ranges(starts: Array, counts: Array) -> Array:
    """``starts[0], starts[0] + 1, …``, ``counts[0]`` of them, and so on for each entry."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - counts), counts) + np.arange(total)

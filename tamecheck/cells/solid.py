"""Polytopes of full dimension cut by the hyperplanes of a whole layer: `decisions`, specialised.

All parts of many polytopes are cut by one hyperplane each at a time, in arrays; where these grow
large, one half of the parts comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tamecheck.cells.cut import cut
from tamecheck.cells.parts import begun, finished, halved
from tamecheck.cells.polytope import Polytope, Table
from tamecheck.ir.tensor import Array

__all__ = ["is_solid", "solids"]

_NUMBERS = 1 << 18
"""About so many values at vertices are kept in one array."""

_PAIRS = 1 << 20
"""About so many pairs of vertices in the same part are looked at in one step."""


def is_solid(polytope: Polytope) -> bool:
    """Whether a polytope has full dimension, and is not a point."""
    return polytope.dim == polytope.space >= 1


def solids(
    polytopes: Sequence[Polytope], tables: Sequence[Table]
) -> Iterator[list[tuple[int, Polytope, Array]]]:
    """The parts of polytopes on which all forms of their tables have constant signs.

    Comes after every step with the parts that are finished, often none, so that the caller may
    stop: the number of the polytope, the part, and the signs of the forms.
    """
    for some in _batches(polytopes, tables):
        numbers: list[int] = some.tolist()
        frame, vertices, parts = begun(
            [polytopes[k] for k in numbers], [tables[k] for k in numbers]
        )
        stack = [(vertices, parts, 0)]
        while stack:
            vertices, parts, slot = stack.pop()
            if slot == frame.slots:
                yield [
                    (numbers[owner], part, signs)
                    for owner, part, signs in finished(frame, vertices, parts)
                ]
                continue
            vertices, parts = cut(frame, vertices, parts, slot)
            large = vertices.values.size > _NUMBERS or np.square(parts.size).sum() > _PAIRS
            if large and len(parts.owner) > 1:
                stack += [(*half, slot + 1) for half in halved(vertices, parts)]
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

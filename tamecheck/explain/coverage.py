"""Exact sizes of unions of cubes in domains of any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

__all__ = ["SparseCube", "Union", "cube_size", "union_of"]

SparseCube: TypeAlias = Mapping[int, int]
"""For each axis that is not free, its codes as the bits of an integer."""


@dataclass(frozen=True, slots=True)
class Union:
    """How many cells the union of cubes has.

    Parameters
    ----------
    size
        The number of cells that are counted.
    exact
        Whether they are all; else ``size`` is a lower bound.
    """

    size: int
    exact: bool


def cube_size(cube: SparseCube, sizes: Sequence[int]) -> int:
    """The number of cells of a cube, given the number of codes of each axis."""
    return prod(cube[axis].bit_count() if axis in cube else size for axis, size in enumerate(sizes))


def union_of(cubes: Iterable[SparseCube], sizes: Sequence[int], *, most: int = 20_000) -> Union:
    """The number of cells of a union, as the sum over disjoint cubes.

    Each cube is taken apart into what the cubes before it leave over.  A cube that would need too
    many parts is left out, and the count is a lower bound then.

    Parameters
    ----------
    cubes
        The cubes.
    sizes
        The number of codes of each axis.
    most
        The most disjoint parts.
    """
    apart: list[SparseCube] = []
    exact = True
    for cube in cubes:
        parts: list[SparseCube] | None = [cube]
        for other in apart:
            parts = [rest for part in parts for rest in _without(part, other, sizes)]
            if len(parts) + len(apart) > most:
                parts, exact = None, False
                break
        apart += parts or []
    return Union(sum(cube_size(part, sizes) for part in apart), exact)


def _without(cube: SparseCube, other: SparseCube, sizes: Sequence[int]) -> Iterator[SparseCube]:
    """Disjoint cubes whose union is the cube less another one."""
    for axis, mask in other.items():
        if not cube.get(axis, mask) & mask:
            yield cube
            return
    inner = dict(cube)
    for axis, mask in other.items():
        codes = inner.get(axis, (1 << sizes[axis]) - 1)
        outside = codes & ~mask
        if outside:
            yield {**inner, axis: outside}
        inner[axis] = codes & mask

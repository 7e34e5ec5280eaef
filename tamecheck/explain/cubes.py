"""Covers of a class by prime cubes, and exact sizes of unions of cubes in domains of any size.

A cube is a product of sets of codes; it is prime if no code can be added to any of its sets without
leaving the class.  A cover is irredundant if no cube of it can be left out.  Finding a smallest
cover is hard already for two codes a feature.  Here it is found axis by axis (Minato 1992, for sets
of codes), and for a small class greedily among primes of many orders too; the shorter one counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np

from tamecheck.explain.tables import alike
from tamecheck.ir.tensor import Array

SparseCube: TypeAlias = Mapping[int, int]
"""For each axis that is not free, its codes as the bits of an integer."""

Cube: TypeAlias = tuple[tuple[int, ...], ...]
"""The codes of each axis, ascending."""

_SEEDS, _ORDERS = 6, 6
_SMALL = 1 << 11
"""Classes of more cells are covered axis by axis only."""


@dataclass(frozen=True, slots=True)
class Union:
    """How many cells the union of cubes has; a lower bound unless it is exact."""

    size: int
    exact: bool


def cube_size(cube: SparseCube, sizes: Sequence[int]) -> int:
    """The number of cells of a cube, given the number of codes of each axis."""
    return prod(cube[axis].bit_count() if axis in cube else size for axis, size in enumerate(sizes))


def union_of(cubes: Iterable[SparseCube], sizes: Sequence[int], *, most: int = 20_000) -> Union:
    """The number of cells of a union, as the sum over at most so many disjoint cubes.

    Each cube is taken apart into what the cubes before it leave over.  A cube that would need too
    many parts is left out, and the count is a lower bound then.
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


@dataclass(frozen=True, slots=True)
class Cover:
    """Prime cubes inside a class, the largest first; irredundant if complete.

    ``covered`` is the number of cells in their union, and ``complete`` whether that is the class.
    """

    cubes: tuple[Cube, ...]
    covered: int
    complete: bool


def prime(inside: Array, cube: Cube, order: Sequence[int], ordered: Sequence[bool]) -> Cube:
    """A prime cube around a cube: the axes are extended in turn, each as far as it goes.

    ``inside`` is the class, ``ordered`` whether an axis keeps to intervals of codes.  A code that
    was refused stays refused when other axes are extended, so one pass makes the cube prime.  The
    work is the number of cells of the cube and its neighbours.
    """
    codes = [np.array(chosen) for chosen in cube]
    for axis in order:
        if len(codes[axis]) == inside.shape[axis]:
            continue
        tried = list(codes)
        tried[axis] = np.arange(inside.shape[axis])
        part = inside[np.ix_(*tried)]
        fits = np.asarray(part.all(axis=tuple(k for k in range(inside.ndim) if k != axis)))
        start = int(codes[axis][0])
        codes[axis] = _run(fits, start) if ordered[axis] else np.flatnonzero(fits)
    return tuple(tuple(found.tolist()) for found in codes)


def _run(fits: Array, code: int) -> Array:
    """The interval of codes that fit around one of them."""
    out = np.flatnonzero(~fits)
    low = int(out[out < code].max(initial=-1)) + 1
    high = int(out[out > code].min(initial=len(fits)))
    return np.arange(low, high)


def cover(  # noqa: PLR0913  # the limits are the caller's
    inside: Array,
    ordered: Sequence[bool],
    *,
    free: Array | None = None,
    seed: int = 0,
    most: int = 20_000,
    deadline: float = float("inf"),
) -> Cover:
    """An irredundant cover of a class, a boolean array, by at most so many prime cubes.

    Cells that are ``free`` may be in the cubes, and need not.
    It is returned as far as it goes at a ``deadline`` of `time.monotonic`.
    """
    if inside.ndim == 0:
        full = bool(inside)
        return Cover(((),) if full else (), int(full), complete=True)
    rng = np.random.default_rng(seed)
    cells = int(np.count_nonzero(inside))
    allowed = inside if free is None else inside | free
    order = _influence(inside)
    begun = time.monotonic()
    # the cubes that are found have to be made prime in time, too
    divided = _Division([ordered[axis] for axis in order], begun + (deadline - begun) / 2, most)
    needed, room = (np.ascontiguousarray(x.transpose(order)) for x in (inside, allowed))
    found = divided.cubes(needed, room)
    back: list[int] = np.argsort(order).tolist()
    cubes: list[Cube] = []
    late = False
    for rough in found:
        late = time.monotonic() > deadline
        if late:
            break
        cubes.append(
            prime(allowed, tuple(rough[axis] for axis in back), _any(rng, inside), ordered)
        )
    if divided.stopped or late:
        covered = int(np.count_nonzero(_times(cubes, inside.shape) * inside))
        return Cover(_sorted(cubes), covered, complete=covered == cells)
    kept = _irredundant(cubes, inside)
    if cells <= _SMALL and time.monotonic() < deadline:
        greedy = _greedy(inside, allowed, ordered, rng, len(kept))
        if greedy is not None and len(greedy) < len(kept):
            kept = greedy
    return Cover(_sorted(kept), cells, complete=True)


def _sorted(cubes: Sequence[Cube]) -> tuple[Cube, ...]:
    return tuple(sorted(set(cubes), key=lambda cube: (-prod(map(len, cube)), cube)))


def _any(rng: np.random.Generator, inside: Array) -> list[int]:
    """The axes in a random order."""
    return rng.permutation(inside.ndim).tolist()


def _influence(inside: Array) -> list[int]:
    """The axes, those first along which the class changes most often."""
    changes: list[float] = []
    for axis in range(inside.ndim):
        slices = np.moveaxis(inside, axis, 0)
        differing: Array = np.not_equal(slices[1:], slices[:-1])
        changes.append(int(np.count_nonzero(differing)) / max(differing.size, 1))
    order: list[int] = np.argsort(-np.array(changes), kind="stable").tolist()
    return order


class _Division:
    """A cover axis by axis: cubes with a code of the first axis, then cubes free in it.

    What only one code's slice allows is covered there; all that is left over is covered in the
    intersection of the slices.
    """

    def __init__(self, ordered: Sequence[bool], deadline: float, most: int) -> None:
        self.ordered, self.deadline, self.most = ordered, deadline, most
        self.stopped = False
        self.made = 0

    def cubes(self, needed: Array, allowed: Array) -> list[Cube]:
        """Cubes of what is allowed that cover what is needed, or part of it if ``stopped``."""
        return self._between(needed, allowed, 0)[0]

    def _between(self, needed: Array, allowed: Array, axis: int) -> tuple[list[Cube], Array]:
        """Cubes that cover ``needed`` inside ``allowed``, and their union."""
        if self.stopped or not needed.any():
            return [], np.zeros(needed.shape, dtype=np.bool_)
        if allowed.all():
            self.made += 1
            self.stopped = self.made >= self.most or time.monotonic() > self.deadline
            return [tuple(tuple(range(size)) for size in allowed.shape)], np.ones_like(allowed)
        common = np.asarray(allowed.all(axis=0))
        union = np.zeros(needed.shape, dtype=np.bool_)
        cubes: list[Cube] = []
        own = needed & ~common
        for codes in alike([own, allowed], ordered=self.ordered[axis]):
            found, part = self._between(own[codes[0]], allowed[codes[0]], axis + 1)
            union[list(codes)] = part
            cubes += [(codes, *cube) for cube in found]
        rest = np.asarray((needed & ~union).any(axis=0))
        found, part = self._between(rest, common, axis + 1)
        every = tuple(range(len(needed)))
        return cubes + [(every, *cube) for cube in found], union | part


def _greedy(
    inside: Array, allowed: Array, ordered: Sequence[bool], rng: np.random.Generator, most: int
) -> list[Cube] | None:
    """An irredundant cover by the best of some primes each; None if it gets no shorter."""
    left = inside.copy()
    flat = left.reshape(-1)
    cubes: list[Cube] = []
    while len(cubes) < most + most // 4 + 2:
        open_ = np.flatnonzero(flat)
        if not open_.size:
            return _irredundant(cubes, inside)
        best: tuple[int, int] = (-1, 0)
        chosen: Cube = ()
        for place in rng.permutation(open_)[:_SEEDS].tolist():
            cell = cell_of(place, inside.shape)
            orders = [_by_share(allowed, cell), *(_any(rng, inside) for _ in range(_ORDERS))]
            found = widest_prime(allowed, left, cell, orders, ordered)
            if found[0] > best:
                best, chosen = found
        left[np.ix_(*chosen)] = False
        cubes.append(chosen)
    return None


def cell_of(place: int, shape: Sequence[int]) -> Cube:
    """An element by its number in C order."""
    codes: list[int] = [int(code) for code in np.unravel_index(place, tuple(shape))]
    return tuple((code,) for code in codes)


def widest_prime(
    inside: Array,
    left: Array,
    cell: Cube,
    orders: Iterable[Sequence[int]],
    ordered: Sequence[bool],
) -> tuple[tuple[int, int], Cube]:
    """The first prime around a cell with most cells of what is left, and then most cells."""
    cubes = (prime(inside, cell, order, ordered) for order in orders)
    rated = [
        ((int(np.count_nonzero(left[np.ix_(*cube)])), prod(map(len, cube))), cube) for cube in cubes
    ]
    return max(rated, key=lambda pair: pair[0])


def _by_share(inside: Array, cell: Cube) -> list[int]:
    """The axes, those first along which most of the cell's line lies in the class."""
    shares: list[float] = []
    for axis in range(inside.ndim):
        line = inside[tuple(slice(None) if k == axis else c[0] for k, c in enumerate(cell))]
        shares.append(float(line.mean()))
    return np.argsort(-np.array(shares), kind="stable").tolist()


def _times(cubes: Sequence[Cube], shape: tuple[int, ...]) -> Array:
    """In how many cubes each cell is."""
    times = np.zeros(shape, dtype=np.int32)
    for cube in cubes:
        times[np.ix_(*cube) if cube else ()] += 1
    return times


def _irredundant(cubes: Sequence[Cube], inside: Array) -> list[Cube]:
    """The cubes without those whose part of a class the others cover, the smallest first."""
    times = _times(cubes, inside.shape)
    # what is free need not be covered
    times[~inside] = len(cubes) + 1
    kept: list[Cube] = []
    for cube in sorted(cubes, key=lambda cube: (prod(map(len, cube)), cube)):
        where = np.ix_(*cube)
        if times[where].min() > 1:
            times[where] -= 1
        else:
            kept.append(cube)
    return kept


def is_cover(cubes: Sequence[Cube], inside: Array, free: Array | None = None) -> bool:
    """Whether the union of the cubes is the class, cell by cell, but for free cells."""
    covered = _times(cubes, inside.shape) > 0
    return bool(((covered == inside) | (False if free is None else free)).all())

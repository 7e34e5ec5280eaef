"""Covers of a class by prime cubes, and exact sizes of unions of cubes in domains of any size."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np

from tamecheck.ir.tensor import Array

__all__ = [
    "Cover",
    "Cube",
    "SparseCube",
    "Union",
    "cover",
    "cube_size",
    "is_cover",
    "prime",
    "union_of",
]

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


Cube: TypeAlias = tuple[tuple[int, ...], ...]
"""The codes of each axis, ascending."""

_SEEDS, _ORDERS = 6, 6
_SMALL = 1 << 11
"""Classes of more cells are covered axis by axis only."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Cubes inside a class, the largest first.

    Parameters
    ----------
    cubes
        Each prime; irredundant if ``complete``.
    covered
        The number of cells in their union.
    complete
        Whether that is all of the class.
    """

    cubes: tuple[Cube, ...]
    covered: int
    complete: bool


def prime(inside: Array, cube: Cube, order: Sequence[int], ordered: Sequence[bool]) -> Cube:
    """A prime cube around a cube: the axes are extended in turn, each as far as it goes.

    Parameters
    ----------
    inside
        The class, a boolean array that holds the cube.
    cube
        The codes on each axis to begin with.
    order
        The axes in the order in which they are extended.
    ordered
        Whether an axis keeps to intervals of codes.

    Notes
    -----
    A code that was refused stays refused when other axes are extended, so one pass makes the cube
    prime.  The work is the number of cells of the cube and its neighbours.
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


def cover(
    inside: Array,
    ordered: Sequence[bool],
    *,
    seed: int = 0,
    most: int = 20_000,
    deadline: float = float("inf"),
) -> Cover:
    """An irredundant cover of a class by prime cubes.

    Parameters
    ----------
    inside
        The class, a boolean array.
    ordered
        Whether an axis keeps to intervals of codes.
    seed
        Of the cells and orders that are tried.
    most
        The most cubes.
    deadline
        A value of `time.monotonic` after which the cover is returned as far as it goes.
    """
    if inside.ndim == 0:
        full = bool(inside)
        return Cover(((),) if full else (), int(full), complete=True)
    rng = np.random.default_rng(seed)
    cells = int(np.count_nonzero(inside))
    order: list[int] = _influence(inside)
    shares = [ordered[axis] for axis in order]
    begun = time.monotonic()
    # the cubes that are found have to be made prime in time, too
    divided = _Division(shares, begun + (deadline - begun) / 2, most)
    turned = np.ascontiguousarray(inside.transpose(order))
    found = divided.cubes(turned)
    back: list[int] = np.argsort(order).tolist()
    cubes: list[Cube] = []
    late = False
    for rough in found:
        late = time.monotonic() > deadline
        if late:
            break
        turned_back: Cube = tuple(rough[axis] for axis in back)
        cubes.append(prime(inside, turned_back, _random(rng, inside), ordered))
    if divided.stopped or late:
        reached = np.zeros(inside.shape, dtype=np.bool_)
        for cube in cubes:
            reached[np.ix_(*cube)] = True
        covered = int(np.count_nonzero(reached))
        return Cover(_sorted(cubes), covered, complete=covered == cells)
    kept = _irredundant(cubes, inside.shape)
    if cells <= _SMALL and time.monotonic() < deadline:
        greedy = _greedy(inside, ordered, rng, len(kept))
        if greedy is not None and len(greedy) < len(kept):
            kept = greedy
    return Cover(_sorted(kept), cells, complete=True)


def _sorted(cubes: Sequence[Cube]) -> tuple[Cube, ...]:
    return tuple(sorted(set(cubes), key=_rank))


def _rank(cube: Cube) -> tuple[int, Cube]:
    return -prod(map(len, cube)), cube


def _random(rng: np.random.Generator, inside: Array) -> list[int]:
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

    def cubes(self, inside: Array) -> list[Cube]:
        """Cubes whose union is the class, or part of it if ``stopped``."""
        return self._between(inside, inside, 0)[0]

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
        for codes in self._groups(own, allowed, axis):
            found, part = self._between(own[codes[0]], allowed[codes[0]], axis + 1)
            union[list(codes)] = part
            cubes += [(codes, *cube) for cube in found]
        rest = np.asarray((needed & ~union).any(axis=0))
        found, part = self._between(rest, common, axis + 1)
        union |= part
        every = tuple(range(len(needed)))
        return cubes + [(every, *cube) for cube in found], union

    def _groups(self, own: Array, allowed: Array, axis: int) -> list[tuple[int, ...]]:
        """The codes in groups with equal slices; neighbours only, if the axis is ordered."""
        groups: list[list[int]] = []
        for code in range(len(own)):
            seen = groups[-1:] if self.ordered[axis] else groups
            for group in seen:
                if np.array_equal(own[group[0]], own[code]) and np.array_equal(
                    allowed[group[0]], allowed[code]
                ):
                    group.append(code)
                    break
            else:
                groups.append([code])
        return [tuple(group) for group in groups]


def _greedy(
    inside: Array, ordered: Sequence[bool], rng: np.random.Generator, most: int
) -> list[Cube] | None:
    """An irredundant cover by the best of some primes each; None if it gets no shorter."""
    left = inside.copy()
    flat = left.reshape(-1)
    cubes: list[Cube] = []
    while len(cubes) < most + most // 4 + 2:
        open_ = np.flatnonzero(flat)
        if not open_.size:
            return _irredundant(cubes, inside.shape)
        seeds = rng.permutation(open_)[:_SEEDS].tolist()
        chosen = _best(inside, left, seeds, ordered, rng)
        left[np.ix_(*chosen)] = False
        cubes.append(chosen)
    return None


def _best(
    inside: Array,
    left: Array,
    seeds: Sequence[int],
    ordered: Sequence[bool],
    rng: np.random.Generator,
) -> Cube:
    """The prime around one of the seeds that covers most of what is left."""
    best: tuple[int, int] = (0, 0)
    found: Cube = ()
    for place in seeds:
        cell = tuple((int(code),) for code in np.unravel_index(place, inside.shape))
        for order in (_widest(inside, cell), *(_random(rng, inside) for _ in range(_ORDERS))):
            cube = prime(inside, cell, order, ordered)
            worth = (int(np.count_nonzero(left[np.ix_(*cube)])), prod(map(len, cube)))
            if worth > best:
                best, found = worth, cube
    return found


def _widest(inside: Array, cell: Cube) -> list[int]:
    """The axes, those first along which most of the cell's line lies in the class."""
    shares: list[float] = []
    for axis in range(inside.ndim):
        line = inside[tuple(slice(None) if k == axis else c[0] for k, c in enumerate(cell))]
        shares.append(float(line.mean()))
    return np.argsort(-np.array(shares), kind="stable").tolist()


def _irredundant(cubes: Sequence[Cube], shape: tuple[int, ...]) -> list[Cube]:
    """The cubes without those that the others cover, the smallest given up first."""
    times = np.zeros(shape, dtype=np.int32)
    for cube in cubes:
        times[np.ix_(*cube)] += 1
    kept: list[Cube] = []
    for cube in sorted(cubes, key=lambda cube: (prod(map(len, cube)), cube)):
        where = np.ix_(*cube)
        if times[where].min() > 1:
            times[where] -= 1
        else:
            kept.append(cube)
    return kept


def is_cover(cubes: Sequence[Cube], inside: Array) -> bool:
    """Whether the union of the cubes is the class, cell by cell."""
    found = np.zeros(inside.shape, dtype=np.bool_)
    for cube in cubes:
        found[np.ix_(*cube) if cube else ()] = True
    return bool(np.array_equal(found, inside))

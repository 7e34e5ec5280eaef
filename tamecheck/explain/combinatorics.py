"""Hitting sets and unions of cubes, by plain enumeration: no solver's word is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from math import prod

__all__ = ["are_minimal_hitting_sets", "has_hitting_set", "points_in_union"]

_MOST_SETS, _MOST_NODES, _MOST_CUBES = 2**11, 2**16, 2**22


def are_minimal_hitting_sets(
    sets: Sequence[Collection[int]], family: Sequence[Collection[int]]
) -> bool | None:
    """Whether these are all the minimal sets that meet every set of the family.

    None if there are too many on the way.  By the algorithm of Berge (1989), set after set.
    """
    met: set[frozenset[int]] = {frozenset()}
    for one in family:
        hit = {s for s in met if s.intersection(one)}
        grown = {s | {k} for s in met - hit for k in one}
        met = hit | {s for s in grown if not any(h <= s for h in hit)}
        if len(met) > _MOST_SETS:
            return None
        met = {s for s in met if not any(h < s for h in met)}
    return met == set(map(frozenset, sets))


def has_hitting_set(family: Sequence[Collection[int]], size: int) -> bool | None:
    """Whether at most ``size`` elements meet every set of the family; None after too many nodes."""
    waiting: list[tuple[list[frozenset[int]], int]] = [([frozenset(s) for s in family], size)]
    for _ in range(_MOST_NODES):
        if not waiting:
            return False
        left, most = waiting.pop()
        if not left and most >= 0:
            return True
        apart: list[frozenset[int]] = []
        for one in sorted(left, key=len):
            if all(one.isdisjoint(other) for other in apart):
                apart.append(one)
        # sets without common elements need an element each
        if len(apart) > most or not left:
            continue
        waiting += [([s for s in left if k not in s], most - 1) for k in sorted(apart[0])]
    return None


def points_in_union(
    cubes: Sequence[Mapping[int, Collection[int]]], sizes: Sequence[int]
) -> int | None:
    """How many points lie in some cube; None if the cubes overlap in too many ways.

    Parameters
    ----------
    cubes
        For each restricted coordinate the values that it may have.
    sizes
        The number of values of each coordinate.

    Notes
    -----
    The points are divided by the coordinate that most cubes restrict.
    """
    waiting: list[tuple[list[Mapping[int, Collection[int]]], int]] = [(list(cubes), prod(sizes))]
    total = seen = 0
    while waiting:
        left, points = waiting.pop()
        seen += len(left)
        if seen > _MOST_CUBES:
            return None
        if not all(left):
            total += points
        elif left:
            often = Counter(k for cube in left for k in cube)
            k = max(often, key=lambda k: (often[k], -k))
            for value in range(sizes[k]):
                # what is left of the cubes in this slice no longer restricts the coordinate
                slices: list[Mapping[int, Collection[int]]] = [
                    {j: values for j, values in cube.items() if j != k}
                    for cube in left
                    if k not in cube or value in cube[k]
                ]
                waiting.append((slices, points // sizes[k]))
    return total

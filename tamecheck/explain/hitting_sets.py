"""Hitting sets of a few small sets, by plain enumeration: what is recomputed rests on no solver."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["are_minimal_hitting_sets", "has_hitting_set"]

_MOST_SETS, _MOST_NODES = 2**11, 2**16


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

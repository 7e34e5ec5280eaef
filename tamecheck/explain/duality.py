"""Smallest reasons, and all reasons, by hitting sets.

Abductive and contrastive explanations are each other's minimal hitting sets (Reiter 1987;
Ignatiev, Narodytska, Asher, Marques-Silva 2020).  So a smallest set that hits all contrastive
explanations found so far is a smallest reason if it is sufficient, and otherwise shows a
contrastive explanation that it misses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tamecheck.explain.abductive import changeable, contrastive_within, is_sufficient
from tamecheck.explain.search import Codes, Search
from tamecheck.solvers.hitting import HittingSets

__all__ = ["Found", "enumerated", "smallest_sufficient"]


@dataclass(frozen=True, slots=True)
class Found:
    """One explanation of an enumeration: its features, and whether it is an abductive one."""

    features: tuple[int, ...]
    abductive: bool


def enumerated(search: Search, codes: Codes) -> Iterator[Found]:
    """Every abductive and every contrastive explanation, the abductive ones by growing size.

    Raises
    ------
    OutOfTimeError
        If the time is over; what was yielded before stays right.

    Notes
    -----
    There may be exponentially many of either kind.
    """
    sets = HittingSets()
    everything = changeable(search)
    try:
        while True:
            candidate = sets.smallest()
            if candidate is None:
                return
            other = is_sufficient(search, codes, candidate)
            if other is None:
                # smaller than or equal to every hitting set of what is known, so minimal
                yield Found(candidate, abductive=True)
                sets.block(candidate)
                continue
            changed = [k for k in everything if other[k] != codes[k]]
            contrast = contrastive_within(search, codes, changed)
            yield Found(contrast, abductive=False)
            sets.hit(contrast)
    finally:
        sets.close()


def smallest_sufficient(
    search: Search, codes: Codes
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """A sufficient set with the fewest features, and contrasts that no smaller set hits.

    Raises
    ------
    OutOfTimeError
        If the time is over.
    """
    contrasts: list[tuple[int, ...]] = []
    for found in enumerated(search, codes):
        if found.abductive:
            return found.features, contrasts
        contrasts.append(found.features)
    raise AssertionError("all features together are sufficient")

"""The nearest input of another class, by looking at changes of growing size."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np

from tamecheck.explain.search import Codes, OutOfTimeError, Search
from tamecheck.ir.tensor import Array

__all__ = ["Move", "Nearest", "nearest"]

_CHUNK = 1 << 15


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed change: the feature gets another code, at a cost of at least 1."""

    feature: int
    code: int
    cost: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """Codes of another class, and their cost, which is the least of all."""

    codes: Codes
    cost: int


def nearest(
    search: Search, codes: Codes, moves: Sequence[Move], *, target: int | None = None
) -> Nearest | None:
    """The cheapest combination of moves of different features that changes the decision.

    Parameters
    ----------
    search, codes
        The input.
    moves
        The changes that are allowed.
    target
        The class that is wanted; any other class if None.

    Returns
    -------
    Nearest or None
        None if no combination of allowed moves changes the decision as wanted.

    Raises
    ------
    OutOfTimeError
        If the time is over before the cheapest is known.

    Notes
    -----
    All combinations of at most d moves are evaluated, where d is the least cost over the cost of
    the cheapest move: C(moves, d) at worst.
    """
    decision = search.decide(codes)
    base = search.sums(codes)
    changes = (
        np.stack([search.change_of(m.feature, codes[m.feature], m.code) for m in moves])
        if moves
        else base
    )
    costs = np.array([m.cost for m in moves], dtype=np.int64)
    owners = np.array([m.feature for m in moves], dtype=np.int64)
    least = int(costs.min(initial=1))
    best: tuple[int, tuple[int, ...]] | None = None
    for count in range(1, len(set(owners.tolist())) + 1):
        if best is not None and count * least >= best[0]:
            break
        for rows in _combinations(len(moves), count):
            if time.monotonic() > search.deadline:
                raise OutOfTimeError
            picked = owners[rows]
            apart = np.ones(len(rows), dtype=bool)
            for a, b in combinations(range(count), 2):
                apart &= picked[:, a] != picked[:, b]
            total = costs[rows].sum(axis=1)
            if best is not None:
                apart &= total < best[0]
            rows, total = rows[apart], total[apart]
            if not len(rows):
                continue
            found = search.classes_of(base + changes[rows].sum(axis=1))
            hits = found == target if target is not None else found != decision
            if hits.any():
                at = int(np.argmin(np.where(hits, total, np.iinfo(np.int64).max)))
                best = int(total[at]), tuple(rows[at].tolist())
    if best is None:
        return None
    changed = list(codes)
    for number in best[1]:
        changed[moves[number].feature] = moves[number].code
    return Nearest(tuple(changed), best[0])


def _combinations(count: int, size: int) -> Iterator[Array]:
    """All ``size``-subsets of ``range(count)``, in rows of arrays of limited length."""
    every = combinations(range(count), size)
    while True:
        part = list(islice(every, _CHUNK))
        if not part:
            return
        yield np.array(part, dtype=np.int64)

"""The nearest input of another class, by looking at changes of growing size."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np

from tamecheck.binarized import minimum_distance
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
    """Codes of another class, and their cost, which is the least of all.

    ``rests_on`` names what shows that: ``"search"`` for integers alone, else solvers.
    """

    codes: Codes
    cost: int
    rests_on: str = "search"


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
    if not moves:
        return None
    if _every_flip(search, moves):
        return _flipped(search, codes, target)
    changes = np.stack([search.change_of(m.feature, codes[m.feature], m.code) for m in moves])
    costs = np.array([m.cost for m in moves], dtype=np.int64)
    owners = np.array([m.feature for m in moves], dtype=np.int64)
    base, decision = search.sums(codes), search.decide(codes)
    bound, best = np.iinfo(np.int64).max, np.zeros(0, dtype=np.int64)
    for count in range(1, len(set(owners.tolist())) + 1):
        if count * int(costs.min()) >= bound:
            break
        for every in _combinations(len(moves), count):
            if time.monotonic() > search.deadline:
                raise OutOfTimeError
            rows = every[_apart(owners[every]) & (costs[every].sum(axis=1) < bound)]
            found = search.classes_of(base + changes[rows].sum(axis=1))
            hits = rows[found != decision if target is None else found == target]
            if len(hits):
                total = costs[hits].sum(axis=1)
                best = hits[int(np.argmin(total))]
                bound = int(total.min())
    if not len(best):
        return None
    changed = list(codes)
    for number in map(int, best):
        changed[moves[number].feature] = moves[number].code
    return Nearest(tuple(changed), int(bound))


def _every_flip(search: Search, moves: Sequence[Move]) -> bool:
    """Whether the moves are those of a Hamming distance: every input may flip, at cost 1."""
    free = len(search.network.free)
    return free == len(moves) == sum(len(f.codes) == 2 for f in search.domain.features) and all(
        m.cost == 1 and len(search.domain.features[m.feature].inputs) == 1 for m in moves
    )


def _flipped(search: Search, codes: Codes, target: int | None) -> Nearest | None:
    left = search.deadline - time.monotonic()
    if left <= 0:
        raise OutOfTimeError
    states = search.domain.states(codes)
    timeout = None if math.isinf(left) else left
    found = minimum_distance(search.network, states, target=target, timeout=timeout)
    if found.witness is None:
        if found.why:
            raise OutOfTimeError
        return None
    if not found.exact:
        raise OutOfTimeError
    rests = "search" if found.checked == "enumeration" else found.method
    witness = search.domain.codes(np.array(found.witness, dtype=np.int8))
    return Nearest(witness, found.lower, rests)


def _apart(owners: Array) -> Array:
    """Whether the entries of each row are different."""
    ordered = np.sort(owners, axis=1)
    return np.asarray((ordered[:, 1:] != ordered[:, :-1]).all(axis=1))


def _combinations(count: int, size: int) -> Iterator[Array]:
    """All ``size``-subsets of ``range(count)``, in rows of arrays of limited length."""
    every = combinations(range(count), size)
    while True:
        part = list(islice(every, _CHUNK))
        if not part:
            return
        yield np.array(part, dtype=np.int64)

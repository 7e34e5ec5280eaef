"""The nearest input of another class, by looking at changes of growing size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np

from tamecheck.binarized import minimum_distance
from tamecheck.errors import SolverError, TimeLimitError
from tamecheck.explain.check import RECOMPUTED, Recomputation, confirm
from tamecheck.explain.domain import Domain
from tamecheck.explain.facade import Limits
from tamecheck.explain.search import Codes, Search
from tamecheck.ir.tensor import Array

_CHUNK = 1 << 15


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed change: the feature gets another code, at a cost of at least 1."""

    feature: int
    code: int
    cost: int


def moves_of(domain: Domain, codes: Codes, limits: Limits) -> list[Move]:
    """Every allowed change of one feature of a point, with its cost."""
    stay, up, down = limits.stay, limits.up, limits.down
    moves: list[Move] = []
    for k, feature in enumerate(domain.features):
        for code in range(len(feature.codes)):
            barred = k in stay or (k in up and code < codes[k]) or (k in down and code > codes[k])
            if code != codes[k] and not barred:
                flipped = int((feature.codes[code] != feature.codes[codes[k]]).sum())
                cost = {"features": 1, "inputs": flipped, "steps": abs(code - codes[k])}[
                    limits.metric
                ]
                moves.append(Move(k, code, cost))
    return moves


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

    All combinations of at most d moves are evaluated, where d is the least cost over the cost of
    the cheapest move: C(moves, d) at worst.  None if no combination changes the decision (to the
    target, if there is one).

    Raises `TimeLimitError` if the time is over before the cheapest is known.
    """
    if not moves:
        return None
    if _is_hamming(search, moves):
        return _nearest_flips(search, codes, target)
    changes = np.stack([search.change_of(m.feature, codes[m.feature], m.code) for m in moves])
    costs = np.array([m.cost for m in moves], dtype=np.int64)
    owners = np.array([m.feature for m in moves], dtype=np.int64)
    base, decision = search.sums(codes), search.decide(codes)
    bound, best = np.iinfo(np.int64).max, np.zeros(0, dtype=np.int64)
    for count in range(1, len(set(owners.tolist())) + 1):
        if count * int(costs.min()) >= bound:
            break
        for every in _subsets(len(moves), count):
            search.budget.check()
            rows = every[_are_apart(owners[every]) & (costs[every].sum(axis=1) < bound)]
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


def _is_hamming(search: Search, moves: Sequence[Move]) -> bool:
    """Whether the moves are those of a Hamming distance: every input may flip, at cost 1."""
    free = len(search.network.free)
    return free == len(moves) == sum(len(f.codes) == 2 for f in search.domain.features) and all(
        m.cost == 1 and len(search.domain.features[m.feature].inputs) == 1 for m in moves
    )


def _nearest_flips(search: Search, codes: Codes, target: int | None) -> Nearest | None:
    search.budget.check()
    states, left = search.domain.states(codes), search.budget.seconds
    timeout = None if math.isinf(left) else left
    found = minimum_distance(search.network, states, target=target, timeout=timeout)
    if found.witness is None and not found.why:
        return None
    if found.witness is None or not found.exact:
        raise TimeLimitError("the nearest change is not known in time")
    rests = "search" if found.checked == "enumeration" else found.method
    witness = search.domain.codes(np.array(found.witness, dtype=np.int8))
    return Nearest(witness, found.lower, rests)


def _are_apart(owners: Array) -> Array:
    """Whether the entries of each row are different."""
    ordered = np.sort(owners, axis=1)
    return np.asarray((ordered[:, 1:] != ordered[:, :-1]).all(axis=1))


def _subsets(count: int, size: int) -> Iterator[Array]:
    """All ``size``-subsets of ``range(count)``, in rows of arrays of limited length."""
    every = combinations(range(count), size)
    while part := list(islice(every, _CHUNK)):
        yield np.array(part, dtype=np.int64)


def is_nearest(
    recomputation: Recomputation,
    codes: Codes,
    moves: Sequence[Move],
    found: Nearest,
    target: int | None = None,
) -> bool | None:
    """Whether what was found has another class, or the target's, and nothing nearer has."""
    network, domain = recomputation.network, recomputation.domain
    allowed, cost = _reach(codes, moves)
    before, after = (int(network.decide(domain.states(c)[None])[0]) for c in (codes, found.codes))
    turned = after != before if target is None else after == target
    if not turned or found.cost != sum(cost(k, code) for k, code in enumerate(found.codes)):
        return False
    within = (cost, found.cost - 1)
    return recomputation.is_out_of_reach(codes, allowed, within=within, target=target)


def confirm_out_of_reach(
    recomputation: Recomputation, codes: Codes, moves: Sequence[Move], target: int | None = None
) -> None:
    """Confirm that no allowed move changes the class.

    Raises `SolverError` if that takes too long to be shown a second time.
    """
    allowed, _ = _reach(codes, moves)
    holds = recomputation.is_out_of_reach(codes, allowed, target=target)
    if confirm(holds, "that nothing changes this decision", "") != RECOMPUTED:
        raise SolverError(
            "A search finds no allowed change of this decision, but there are too many points"
            " to show a second time that there is none.",
            hint="Hold some features.",
        )


def _reach(
    codes: Codes, moves: Sequence[Move]
) -> tuple[list[list[int]], Callable[[int, int], int]]:
    """The codes that moves reach, each feature by itself, and what each of them costs."""
    costs = [{code: 0} for code in codes]
    for move in moves:
        costs[move.feature][move.code] = move.cost
    return [list(one) for one in costs], lambda k, code: costs[k][code]

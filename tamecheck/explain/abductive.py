"""Abductive and contrastive explanations: smallest reasons for a decision, and ways to change it.

A set of features is an abductive explanation (a prime implicant) if every possible input that
agrees with the given one on it has the same decision, and no proper subset is; it is contrastive
if changing only its features can change the decision, and no proper subset is (Ignatiev et al.
2020).  Each family consists of the minimal hitting sets of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tamecheck.explain.search import Codes, OutOfTimeError, Search

__all__ = [
    "Sufficient",
    "changeable",
    "contrastive_within",
    "is_sufficient",
    "necessary",
    "sufficient",
]


_BRIEFLY, _PATIENTLY = 0.2, 5.0
"""Seconds of a question about several features, and about one."""


def changeable(search: Search) -> tuple[int, ...]:
    """The features that have more than one code."""
    return tuple(k for k, f in enumerate(search.domain.features) if len(f.codes) > 1)


def is_sufficient(search: Search, codes: Codes, fixed: Sequence[int]) -> Codes | None:
    """None if keeping the ``fixed`` features keeps the decision, else codes of another class."""
    kept = set(fixed)
    return search.change(codes, [k for k in changeable(search) if k not in kept])


@dataclass(frozen=True, slots=True)
class Sufficient:
    """A sufficient set, and those of its features that are not known to be needed."""

    features: tuple[int, ...]
    doubtful: tuple[int, ...]


def sufficient(
    search: Search, codes: Codes, *, start: Sequence[int] | None = None, keep: Sequence[int] = ()
) -> Sufficient:
    """A subset-minimal sufficient set inside ``start`` (all features if None).

    Features are given up in turn, those first that ``keep`` does not list and that matter least,
    several at once while that succeeds.  One that was needed stays needed when more are free.  A
    question that takes too long leaves its feature in the set, as a doubtful one.
    """
    whole = list(changeable(search)) if start is None else list(start)
    free = [k for k in changeable(search) if k not in set(whole)]
    ranked = {feature: rank for rank, feature in enumerate(keep)}
    order = sorted(whole, key=lambda k: (-ranked.get(k, len(ranked)), search.weight(k)))
    needed: list[int] = []
    doubtful: list[int] = []
    at, step = 0, 1
    while at < len(order):
        part = order[at : at + step]
        go = _may_go(search, codes, free, part)
        if go:
            free += part
            at, step = at + len(part), 2 * step
        elif len(part) == 1:
            needed += part
            doubtful += part if go is None else []
            at += 1
        else:
            step = 1
    return Sufficient(tuple(sorted(needed)), tuple(sorted(doubtful)))


def _may_go(search: Search, codes: Codes, free: Sequence[int], part: Sequence[int]) -> bool | None:
    """Whether the decision stays when ``part`` is free too, where it does while ``part`` stays.

    None if that takes too long to tell.
    """
    try:
        if len(part) > 1:
            return search.change(codes, [*free, *part], seconds=_BRIEFLY) is None
        feature = part[0]
        count = len(search.domain.features[feature].codes)
        return all(
            search.change(codes, free, but=[(feature, code)], seconds=_PATIENTLY) is None
            for code in range(count)
            if code != codes[feature]
        )
    except OutOfTimeError:
        return None


def contrastive_within(search: Search, codes: Codes, changed: Sequence[int]) -> tuple[int, ...]:
    """A subset-minimal set inside ``changed`` whose features can change the decision.

    Raises
    ------
    OutOfTimeError
        If the time is over before the set is known to be minimal.
    """
    left = list(changed)
    for feature in list(changed):
        without = [k for k in left if k != feature]
        found = search.change(codes, without)
        if found is not None:
            left = [k for k in without if found[k] != codes[k]]
    return tuple(sorted(left))


def necessary(search: Search, codes: Codes) -> Iterator[int]:
    """The necessary features: each can change the decision alone, so every reason has it."""
    for feature in changeable(search):
        if search.change(codes, [feature]) is not None:
            yield feature

"""Abductive and contrastive explanations: smallest reasons for a decision, and ways to change it.

A set of features is an abductive explanation (a prime implicant) if every possible input that
agrees with the given one on it has the same decision, and no proper subset is; it is contrastive
if changing only its features can change the decision, and no proper subset is (Ignatiev et al.
2020).  Each family consists of the minimal hitting sets of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tamecheck.explain.search import Codes, Search

__all__ = [
    "changeable",
    "contrastive_within",
    "is_sufficient",
    "necessary",
]


def changeable(search: Search) -> tuple[int, ...]:
    """The features that have more than one code."""
    return tuple(k for k, f in enumerate(search.domain.features) if len(f.codes) > 1)


def is_sufficient(search: Search, codes: Codes, fixed: Sequence[int]) -> Codes | None:
    """None if keeping the ``fixed`` features keeps the decision, else codes of another class."""
    kept = set(fixed)
    return search.change(codes, [k for k in changeable(search) if k not in kept])


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

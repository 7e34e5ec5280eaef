"""A subset-minimal reason: features are given up while the decision stays.

Most features are settled without a proof: a completion of another class that changes a single
feature beyond the free ones shows that this feature is needed, and stays a witness while the free
ones grow; from one such completion others follow by changing another feature in its place.  Where
a limited search finds neither a witness nor a proof, the feature is given up in hope, and one
proof at the end is for all of these at once.  A witness that turns up there takes the last of them
back.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tamecheck.explain.abductive import changeable
from tamecheck.explain.search import Codes, OutOfTimeError, Search

__all__ = ["Sufficient", "sufficient"]

_QUICK, _BRIEF, _PATIENT = 200, 20, 50_000
"""Nodes of a question about features, and of the proof at the end."""


@dataclass(frozen=True, slots=True)
class Sufficient:
    """A sufficient set, and those of its features that are not known to be needed."""

    features: tuple[int, ...]
    doubtful: tuple[int, ...]


def sufficient(
    search: Search, codes: Codes, *, start: Sequence[int] | None = None, keep: Sequence[int] = ()
) -> Sufficient:
    """A subset-minimal sufficient set inside ``start`` (all features if None).

    Features are given up in turn, those first that ``keep`` does not list and that pull least
    towards another class.  What cannot be settled leaves features in the set, as doubtful ones.
    """
    whole = list(changeable(search)) if start is None else list(start)
    free = [k for k in changeable(search) if k not in set(whole)]
    ranked = {feature: rank for rank, feature in enumerate(keep)}
    order = sorted(search.by_pull(codes, whole), key=lambda k: -ranked.get(k, len(ranked)))
    return _Deletion(search, codes, free).run(order)


class _Deletion:
    """The state: features that are free for sure, those in hope, and why others are needed."""

    def __init__(self, search: Search, codes: Codes, free: list[int]) -> None:
        self._search, self._codes = search, codes
        self._free, self._hoped = free, list[int]()
        self._witnesses: dict[int, frozenset[int]] = {}
        self._doubtful: list[int] = []

    def run(self, order: Sequence[int]) -> Sufficient:
        with suppress(OutOfTimeError):
            self._hopefully(self._surely(order))
        needed = set(order) - set(self._free)
        return Sufficient(tuple(sorted(needed)), tuple(sorted(needed - set(self._witnesses))))

    def _surely(self, order: Sequence[int]) -> Sequence[int]:
        """Give up features that a quick proof allows, several at once; what is left after that."""
        at, step = 0, 1
        while at < len(order):
            part = [k for k in order[at : at + step] if k not in self._witnesses]
            if not part:
                at += step
                continue
            found = self._search.look(self._codes, [*self._free, *part], nodes=_QUICK)
            if found.closed:
                self._free += part
                at, step = at + step, 2 * step
                continue
            if found.codes is not None:
                self._swapped(found.codes)
                step = max(1, step // 4)
            elif step > 1:
                step = max(1, step // 4)
            else:
                return order[at:]
        return ()

    def _hopefully(self, order: Sequence[int]) -> None:
        """Give up features for which there is neither a witness nor a proof, and prove them later.

        Those first that pull most: after few of them all others have witnesses.
        """
        most = 1
        for feature in order[::-1]:
            if feature not in self._witnesses and feature not in {*self._free, *self._hoped}:
                self._one(feature)
            if len(self._hoped) >= most:
                most = 2 * most if self._settled() else 1
        self._settled()

    def _one(self, feature: int) -> None:
        """Give up one feature, for sure or in hope, unless a witness is found."""
        sure = not self._hoped
        for code in range(len(self._search.domain.features[feature].codes)):
            if code == self._codes[feature]:
                continue
            found = self._search.look(
                self._codes, [*self._free, *self._hoped], but=[(feature, code)], nodes=_BRIEF
            )
            if found.codes is not None:
                self._swapped(found.codes)
                return
            sure = sure and found.closed
        (self._free if sure else self._hoped).append(feature)

    def _swapped(self, other: Codes) -> None:
        """Note the witnesses that a change gives, with each other feature in place of its own."""
        free = {*self._free, *self._hoped}
        changed = [k for k in range(len(other)) if other[k] != self._codes[k]]
        beyond = [k for k in changed if k not in free]
        inside = frozenset(changed) & free
        if len(beyond) == 1:
            self._witnesses[beyond[0]] = inside
        others = [k for k in changeable(self._search) if k not in free and k not in self._witnesses]
        base = list(other)
        for k in beyond:
            base[k] = self._codes[k]
        near = self._search.swaps(self._codes, tuple(base), sorted(free), others)
        for k, found in near.items():
            self._witnesses[k] = frozenset(i for i in free if found[i] != self._codes[i])

    def _settled(self) -> bool:
        """Prove what is hoped, or take some of it back; whether nothing was taken back."""
        right = True
        while self._hoped:
            found = self._search.look(self._codes, [*self._free, *self._hoped], nodes=_PATIENT)
            if found.closed:
                self._free += self._hoped
                self._hoped = []
                return right
            right = False
            if found.codes is None:
                # neither: half of them stay in the set, doubtful
                self._hoped = self._hoped[: len(self._hoped) // 2]
                continue
            back = [k for k in self._hoped if found.codes[k] != self._codes[k]][-1]
            self._hoped.remove(back)
            reopened = [k for k, inside in self._witnesses.items() if back in inside]
            for k in reopened:
                del self._witnesses[k]
            self._swapped(found.codes)
            for k in reopened:
                if k not in self._witnesses:
                    self._one(k)
        return right

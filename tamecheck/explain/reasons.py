"""Reasons and contrasts: minimal unsatisfiable subsets, correction sets, and their hitting sets.

That a feature keeps its code is one clause; together with "another class" all of them cannot be
satisfied.  A minimal unsatisfiable subset (MUS) is an abductive explanation (a prime implicant):
every possible input that agrees with the given one on it has the same decision, and no proper
subset says as much.  A minimal correction set (MCS) is a contrastive one: changing its features
can change the decision, and changing no proper subset can.  Each family consists of the minimal
hitting sets of the other (Reiter 1987; Ignatiev, Narodytska, Asher, Marques-Silva 2020).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from operator import mul
from typing import Any, Protocol, TypeVar

from tamecheck.errors import TimeLimitError, UnsupportedError
from tamecheck.explain.answers import Involvement, Relevancy, called
from tamecheck.explain.check import Recomputation, confirm
from tamecheck.explain.completions import Boundary, Witnesses
from tamecheck.explain.search import Codes, Look, Search
from tamecheck.solvers.libraries import one_thread
from tamecheck.solvers.sat import HittingSets

_SHORT = 512
"""Bits of completions of the features that are freed for short reasons, times all features."""
_QUICK, _BRIEF, _PATIENT = 50, 1_000, 100_000
"""Nodes of a proof for short reasons, of the other proofs, and of one for tentative deletion."""
_FEW, _WALKED, _TOGETHER = 2**12, 32, 8
"""Completions that are visited sooner than walked about; features walked from, and proved at once.
"""


T = TypeVar("T", bound=tuple[Any, ...])


class Changes(Protocol[T]):
    """What finds changes of a decision, of features' codes or of any values that they have."""

    @property
    def changeable(self) -> tuple[int, ...]:
        """The features that can have more than one value."""
        ...

    def change(self, codes: T, features: Sequence[int], /) -> T | None:
        """The same but for some features, with another decision; None if there is none."""
        ...

    def decide(self, codes: T, /) -> int:
        """The class."""
        ...


def changeable(search: Search) -> tuple[int, ...]:
    """The features that have more than one code."""
    return search.changeable


def necessary(search: Changes[T], codes: T) -> Iterator[int]:
    """The features that can change the decision alone, so every reason has them."""
    return (k for k in search.changeable if search.change(codes, [k]) is not None)


def shrink_contrast(search: Changes[T], codes: T, changed: Sequence[int]) -> tuple[int, ...]:
    """A minimal correction set inside ``changed``."""
    left = list(changed)
    for feature in changed:
        without = [k for k in left if k != feature]
        found = search.change(codes, without)
        if found is not None:
            left = [k for k in without if found[k] != codes[k]]
    return tuple(sorted(left))


@dataclass(frozen=True, slots=True)
class Found:
    """One explanation of an enumeration: its features, and whether it is an abductive one."""

    features: tuple[int, ...]
    abductive: bool


def enumerate_all(search: Changes[T], codes: T) -> Iterator[Found]:
    """Every abductive and every contrastive explanation, the abductive ones by growing size.

    A smallest set that hits all contrasts found so far is a reason if it is sufficient, and else
    shows a contrast that it misses (MARCO).  There may be exponentially many of either kind.
    """
    sets = HittingSets()
    everything = search.changeable
    try:
        while (candidate := sets.smallest()) is not None:
            kept = set(candidate)
            other = search.change(codes, [k for k in everything if k not in kept])
            if other is None:
                # smaller than or equal to every hitting set of what is known, so minimal
                yield Found(candidate, abductive=True)
                sets.block(candidate)
                continue
            changed = [k for k in everything if other[k] != codes[k]]
            contrast = shrink_contrast(search, codes, changed)
            yield Found(contrast, abductive=False)
            sets.hit(contrast)
    finally:
        sets.close()


def smallest_sufficient(
    search: Changes[T], codes: T
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """A sufficient set with the fewest features, and contrasts that no smaller set hits."""
    contrasts: list[tuple[int, ...]] = []
    for found in enumerate_all(search, codes):
        if found.abductive:
            return found.features, contrasts
        contrasts.append(found.features)
    raise AssertionError("all features together are sufficient")


@dataclass(frozen=True, slots=True)
class Sufficient:
    """A sufficient set, and those of its features that are not known to be needed."""

    features: tuple[int, ...]
    doubtful: tuple[int, ...]


def sufficient(search: Search, codes: Codes, *, keep: Sequence[int] = ()) -> Sufficient:
    """A minimal unsatisfiable subset, by deletion: features are freed while the decision stays.

    A feature is freed once it is proved that the decision stays whatever its code; it is needed
    once a completion of the free features and another code of its own change the decision, which
    stays so while the free features grow.  The features of the least slopes are freed first, as
    long as the completions are few: that makes reasons short.  Then those are that lead nearest to
    another class: after few of them nearly all the others are needed, and the proofs stay small.
    Those to ``keep`` come after all others, the first of them last.  What cannot be settled until
    the time is over stays in the set, as doubtful.
    """
    others = [k for k in changeable(search) if k not in set(keep)]
    if not search.network.layers:
        return _one_by_one(search, codes, [*search.by_slope(codes, others), *reversed(keep)])
    deletion = _Deletion(search, codes)
    with suppress(TimeLimitError), one_thread():
        deletion.free_weakest(others)
        for features in (others, *([k] for k in reversed(keep))):
            deletion.settle(features)
    return deletion.result()


def _one_by_one(search: Search, codes: Codes, order: Sequence[int]) -> Sufficient:
    """Without a hidden layer, where every question is settled at once."""
    free, needed = list[int](), list[int]()
    for feature in order:
        closed = search.look(codes, [*free, feature]).closed
        (free if closed else needed).append(feature)
    return Sufficient(tuple(sorted(needed)), ())


class _Deletion:
    """The state: the features that are free, and those of which nothing is known yet."""

    def __init__(self, search: Search, codes: Codes) -> None:
        self._search, self._codes = search, codes
        self._free = list[int]()
        self._needed, self._open = set[int](), set(changeable(search))
        self._boundary = search.boundary(codes)

    def result(self) -> Sufficient:
        """What is known by now."""
        return Sufficient(tuple(sorted(self._needed | self._open)), tuple(sorted(self._open)))

    def free_weakest(self, features: Sequence[int]) -> None:
        """Free the features of the least slopes, as long as completions are few."""
        order = self._search.by_slope(self._codes, features)
        most = 2 ** (_SHORT // len(order)) if order else 1
        counts = accumulate(map(self._codes_of, order), mul)
        part = [k for k, count in zip(order, counts, strict=True) if count <= most]
        while part:
            if self._search.look(self._codes, part, nodes=_QUICK).closed:
                self._release(part)
                return
            part = part[: len(part) // 2]

    def settle(self, features: Sequence[int]) -> None:
        """Settle all of the features, those first that lead nearest to another class."""
        together = 1
        while self._open.intersection(features):
            found, near = self._boundary.needed(self._open)
            self._need(found)
            order = sorted(self._open.intersection(features), key=lambda k: (-near[k], k))
            if prod(map(self._codes_of, self._free)) > _FEW:
                found = self._boundary.search(order[:_WALKED])
                self._need(found)
                order = [k for k in order if k not in found]
            if not order:
                continue
            part = order[:together]
            seen = self._proof(part, _BRIEF)
            together = min(2 * together, _TOGETHER) if seen.closed else max(1, len(part) // 4)
            if seen.closed:
                self._release(part)
            elif seen.codes is not None:
                self._note(seen.codes)
            elif len(part) == 1:
                self._delete_tentatively(order)

    def _delete_tentatively(self, order: Sequence[int]) -> None:
        """Settle features by one proof of all that are not shown to be needed."""
        tentative = _TentativeDeletion(self._boundary)
        tentative.start(order)
        try:
            proof = self._search.proof(self._codes, [*self._free, *tentative.features])
        except UnsupportedError:
            for feature in tuple(tentative.features):
                tentative.undo(feature)
            if self._proof(order[:1], float("inf")).closed:
                self._release(order[:1])
            else:
                self._need(order[:1])
            return
        while not (seen := proof.run(_PATIENT)).closed:
            if seen.codes is not None:
                proof.fix(tentative.refute(self._changed(seen.codes)))
            else:
                # fewer are proved sooner; one alone takes as long as it takes
                for feature in tentative.features[(len(tentative.features) + 1) // 2 :]:
                    tentative.undo(feature)
                    proof.fix(feature)
        self._free += tentative.features
        self._open -= set(tentative.features)
        self._need(tentative.needed)

    def _proof(self, part: Sequence[int], nodes: float) -> Look:
        """Whether the decision stays if these are free as well."""
        if len(part) > 1:
            return self._search.look(self._codes, [*self._free, *part], nodes=nodes)
        feature, seen = part[0], Look(closed=True)
        for code in range(self._codes_of(feature)):
            if code != self._codes[feature] and seen.closed:
                other = [(feature, code)]
                seen = self._search.look(self._codes, self._free, but=other, nodes=nodes)
        return seen

    def _note(self, other: Codes) -> None:
        """Note codes of another class."""
        beyond = self._changed(other) & self._open
        if len(beyond) == 1:
            self._need(beyond)
        self._boundary.prefer(other)

    def _changed(self, other: Codes) -> frozenset[int]:
        return frozenset(k for k, code in enumerate(other) if code != self._codes[k])

    def _need(self, features: Iterable[int]) -> None:
        self._needed.update(features)
        self._open.difference_update(features)

    def _release(self, features: Sequence[int]) -> None:
        self._free += features
        self._open -= set(features)
        self._boundary.free(features)

    def _codes_of(self, feature: int) -> int:
        """How many codes a feature has."""
        return len(self._search.domain.features[feature].codes)


class _TentativeDeletion:
    """Features that are free without a proof, and why others are needed beside them.

    One proof is for all of them at the end.  In the boundary they are free, too.
    """

    def __init__(self, boundary: Boundary) -> None:
        self._boundary = boundary
        self._why: Witnesses = {}
        self.features = list[int]()

    @property
    def needed(self) -> set[int]:
        """The features that are needed if all that are deleted tentatively are free."""
        return set(self._why)

    def start(self, order: Sequence[int]) -> None:
        """Free, in order, all for which quick searches do not show that they are needed."""
        for feature in order:
            if feature in self._why:
                continue
            self._boundary.free([feature])
            self.features.append(feature)
            while (changed := self._boundary.winner()) is not None:
                self.refute(changed)
            rest = [k for k in order if k not in self._why and k not in self.features]
            found, _ = self._boundary.needed(rest)
            found |= self._boundary.search([k for k in rest if k not in found])
            for k, changed in found.items():
                self._why[k] = changed.intersection(self.features)

    def refute(self, changed: frozenset[int]) -> int:
        """Take back the last of the features that change the decision together, and name it."""
        last = [k for k in self.features if k in changed][-1]
        self.undo(last)
        self._why[last] = changed.intersection(self.features)
        return last

    def undo(self, feature: int) -> None:
        """Keep a feature; those that are needed only beside it are open again."""
        self.features.remove(feature)
        self._boundary.fix(feature)
        self._why = {k: beside for k, beside in self._why.items() if feature not in beside}


@dataclass(frozen=True, slots=True)
class Reasons:
    """The minimal reasons and contrasts of a decision that were found in time.

    ``needed`` are the features that every reason has.
    """

    reasons: tuple[tuple[int, ...], ...]
    contrasts: tuple[tuple[int, ...], ...]
    needed: tuple[int, ...]
    complete: bool
    rests_on: str

    @classmethod
    def of(
        cls, found: Sequence[Found], needed: Sequence[int], rests_on: str, *, complete: bool
    ) -> Reasons:
        """The two kinds apart."""
        reasons = tuple(one.features for one in found if one.abductive)
        contrasts = tuple(one.features for one in found if not one.abductive)
        return cls(reasons, contrasts, tuple(needed), complete, rests_on)


def reasons_of(search: Search, codes: Codes, recomputation: Recomputation) -> Reasons:
    """The reasons and contrasts that are found in time, and once more from the definition."""
    needed: tuple[int, ...] = ()
    every: list[Found] = []
    complete = False
    with suppress(TimeLimitError):
        needed = tuple(necessary(search, codes))
        every.extend(enumerate_all(search, codes))
        complete = True
    found = Reasons.of(every, needed, search.rests_on, complete=complete)
    if not complete:
        return found
    holds = recomputation.is_enumeration(codes, found.reasons, found.contrasts)
    if set(needed) != set(changeable(search)).intersection(*found.reasons):
        holds = False
    return replace(found, rests_on=confirm(holds, "these reasons", search.rests_on))


def relevancy_of(
    decision: int,
    classes: Sequence[str],
    names: Sequence[str],
    everything: Sequence[int],
    found: Reasons,
) -> Relevancy:
    """Which features are in every reason, in some reason, and in none; what is known in time."""
    # a feature is in some reason exactly where it is in some contrast
    used = set[int]().union(*found.reasons, *found.contrasts)
    times = Counter(k for reason in found.reasons for k in reason)
    return Relevancy(
        decision,
        tuple(names[k] for k in found.needed),
        tuple(names[k] for k in everything if k in used),
        tuple(names[k] for k in everything if k not in used) if found.complete else (),
        found.complete,
        len(found.reasons),
        {names[k]: times[k] for k in everything},
        called(decision, classes),
        found.rests_on,
    )


def involvement(
    search: Search,
    codes: Codes,
    recomputation: Recomputation,
    classes: Sequence[str],
    attributes: Sequence[int],
) -> Involvement:
    """The reasons and contrasts of a decision that contain one of the attributes."""
    found, names = reasons_of(search, codes, recomputation), search.domain.features
    kept = [
        tuple(
            tuple(names[k].name for k in one) for one in sets if not set(attributes).isdisjoint(one)
        )
        for sets in (found.reasons, found.contrasts)
    ]
    decision = search.decide(codes)
    return Involvement(
        decision,
        tuple(names[k].name for k in attributes),
        kept[0],
        kept[1],
        len(found.reasons),
        len(found.contrasts),
        found.complete,
        called(decision, classes),
        found.rests_on,
    )

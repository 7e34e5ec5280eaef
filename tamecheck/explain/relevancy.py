"""In which reasons of a decision features are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tamecheck.errors import TimeLimitError
from tamecheck.explain.answers import Involvement, Relevancy, called
from tamecheck.explain.check import Recomputation, confirm
from tamecheck.explain.reasons import Found, changeable, enumerate_all, necessary
from tamecheck.explain.search import Codes, Search


@dataclass(frozen=True, slots=True)
class _Reasons:
    """The minimal reasons and contrasts of a decision that were found in time."""

    reasons: tuple[tuple[int, ...], ...]
    contrasts: tuple[tuple[int, ...], ...]
    needed: tuple[int, ...]
    complete: bool
    rests_on: str


def _reasons_of(search: Search, codes: Codes, recomputation: Recomputation) -> _Reasons:
    needed: tuple[int, ...] = ()
    found: list[Found] = []
    complete = False
    with suppress(TimeLimitError):
        needed = tuple(necessary(search, codes))
        found.extend(enumerate_all(search, codes))
        complete = True
    reasons = tuple(one.features for one in found if one.abductive)
    contrasts = tuple(one.features for one in found if not one.abductive)
    holds = recomputation.is_enumeration(codes, reasons, contrasts) if complete else None
    if complete and set(needed) != set(changeable(search)).intersection(*reasons):
        holds = False
    rests_on = confirm(holds, "these reasons", search.rests_on)
    return _Reasons(reasons, contrasts, needed, complete, rests_on)


def relevancy(
    search: Search, codes: Codes, recomputation: Recomputation, classes: Sequence[str]
) -> Relevancy:
    """Which features are in every reason, in some reason, and in none; what is known in time."""
    found, everything = _reasons_of(search, codes, recomputation), changeable(search)
    # a feature is in some reason exactly where it is in some contrast
    used = set[int]().union(*found.reasons, *found.contrasts)
    times = Counter(k for reason in found.reasons for k in reason)
    names = [feature.name for feature in search.domain.features]
    decision = search.decide(codes)
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
    found, names = _reasons_of(search, codes, recomputation), search.domain.features
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

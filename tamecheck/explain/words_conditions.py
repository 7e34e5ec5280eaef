"""Conditions that a user writes: ``x3=1, colour=red, age ≥ 37``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import InputError
from tamecheck.explain.domain import Domain, Feature
from tamecheck.ir.exact import parse_rational

__all__ = ["read_conditions"]

_Meaning: TypeAlias = tuple[int, frozenset[int]]
"""A feature, and those of its codes that meet a condition."""


def read_conditions(
    text: str,
    network: ThresholdNetwork,
    domain: Domain,
    names: Sequence[str] | None = None,
) -> list[tuple[int, ...]]:
    """The codes of each feature that meet all conditions of a text.

    Parameters
    ----------
    text
        Conditions between commas: an input by number or name with one of its levels (``x3=1``,
        ``sunny=-1``), a feature with a value (``colour=red``), or a statement in the domain's
        own words (``age ≥ 37``, also ``age >= 37``).  What is written exactly as in the domain's
        words, commas included, is meant so; else blanks do not count.
    network, domain
        The network, and what can occur.
    names
        The inputs' names.

    Raises
    ------
    InputError
        If a condition is none of these, or two at once.
    """
    allowed = [tuple(range(len(f.codes))) for f in domain.features]
    parts = text.split(",")
    while parts:
        # names and values may hold commas: the longest text that is in the domain's words
        counts = range(len(parts), 0, -1)
        count = next((n for n in counts if _said(",".join(parts[:n]), domain)), 1)
        feature, codes = _meaning(",".join(parts[:count]), network, domain, names)
        allowed[feature] = tuple(c for c in allowed[feature] if c in codes)
        del parts[:count]
    return allowed


def _meaning(
    part: str, network: ThresholdNetwork, domain: Domain, names: Sequence[str] | None
) -> _Meaning:
    found = _said(part, domain)
    if len(found) > 1:
        several = " and ".join(repr(domain.features[k].name) for k, _ in sorted(found, key=_number))
        raise InputError(
            f"Condition {part.strip()!r} can be about {several}.",
            where="--if",
            hint="Say it by an input's number and its level: x3=1.",
        )
    return found.pop() if found else _by_level(part, network, domain, names)


def _number(meaning: _Meaning) -> int:
    return meaning[0]


def _said(part: str, domain: Domain) -> set[_Meaning]:
    """What a text means in the domain's words: as they are, or else without their blanks."""
    for reading in (str.strip, _plain):
        found = {
            (number, frozenset(codes))
            for number, feature in enumerate(domain.features)
            for codes in _by_words(feature, reading(part), reading)
        }
        if found:
            return found
    return set()


def _by_words(feature: Feature, said: str, reading: Callable[[str], str]) -> list[set[int]]:
    """The codes for which the feature's words say so, in each way that they do."""
    found: list[set[int]] = []
    every = range(len(feature.codes))
    for place, (low, high) in enumerate(feature.words):
        # the first k statements of a thermometer hold for code k
        found += [set(range(place + 1, len(every)))] if said == reading(high) else []
        found += [set(range(place + 1))] if said == reading(low) else []
    found += [{code} for code in every if said == reading(feature.values[code])]
    found += [
        set(every) - {code}
        for code, value in enumerate(feature.plain)
        if said == reading(f"{feature.name} ≠ {value}")
    ]
    return found


def _by_level(
    part: str, network: ThresholdNetwork, domain: Domain, names: Sequence[str] | None
) -> _Meaning:
    """An input by number or name with one of its levels."""
    key, _, value = (text.strip() for text in part.rpartition("="))
    i = _input(key, network, names)
    if i is None or not value:
        raise InputError(
            f"Condition {part.strip()!r} is not understood.",
            where="--if",
            hint=_known(part, domain),
        )
    level = parse_rational(value)
    if level not in (network.low[i], network.high[i]):
        raise InputError(
            f"Input {i} is never {level}: its levels are {network.low[i]} and {network.high[i]}.",
            where="--if",
        )
    # a constant input has both levels at once, and state 1
    state = 1 if level == network.high[i] else -1
    number, feature = next((k, f) for k, f in enumerate(domain.features) if i in f.inputs)
    column = feature.codes[:, feature.inputs.index(i)]
    return number, frozenset(code for code, own in enumerate(column.tolist()) if own == state)


def _known(part: str, domain: Domain) -> str:
    """What can be said of the feature with whose name a text begins."""
    named = [f for f in domain.features if part.strip().startswith(f.name)]
    if named:
        return f"Known are: {'; '.join(max(named, key=lambda f: len(f.name)).values)}."
    return "Give an input and its level, x3=1, or a feature and its value."


def _plain(text: str) -> str:
    return "".join(text.replace(">=", "≥").replace("!=", "≠").split())


def _input(key: str, network: ThresholdNetwork, names: Sequence[str] | None) -> int | None:
    """An input by its name, or by its number: 3, x3, x[3]."""
    if names is not None and key in names:
        return list(names).index(key)
    digits = key.removeprefix("x").removeprefix("[").removesuffix("]")
    known = digits.isascii() and digits.isdigit() and len(digits) < 10
    return int(digits) if known and int(digits) < network.inputs else None

"""Conditions that a user writes: ``x3=1, colour=red, age ≥ 37``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tamecheck.binarized import BinarizedNetwork
from tamecheck.errors import InputError
from tamecheck.explain.domain import Domain, Feature
from tamecheck.ir.exact import parse_rational

__all__ = ["read_conditions"]


def read_conditions(
    text: str,
    network: BinarizedNetwork,
    domain: Domain,
    names: Sequence[str] | None = None,
) -> list[tuple[int, ...]]:
    """The codes of each feature that meet all conditions of a text.

    Parameters
    ----------
    text
        Conditions between commas: an input by number or name with one of its levels (``x3=1``,
        ``sunny=-1``), a feature with a value (``colour=red``), or a statement in the domain's
        own words (``age ≥ 37``, also ``age >= 37``).
    network, domain
        The network, and what can occur.
    names
        The inputs' names.

    Raises
    ------
    InputError
        If a condition is none of these.
    """
    allowed = [tuple(range(len(f.codes))) for f in domain.features]
    for part in text.split(","):
        feature, codes = _codes(part, network, domain, names)
        allowed[feature] = tuple(c for c in allowed[feature] if c in codes)
    return allowed


def _codes(
    part: str, network: BinarizedNetwork, domain: Domain, names: Sequence[str] | None
) -> tuple[int, set[int]]:
    said = _plain(part)
    for number, feature in enumerate(domain.features):
        found = _by_words(feature, said)
        if found is not None:
            return number, found
    key, _, value = part.partition("=")
    i = _input(key.strip(), network, names)
    if i is None or not value.strip():
        raise InputError(
            f"Condition {part.strip()!r} is not understood.",
            where="--if",
            hint=_known(key.strip(), domain),
        )
    level = parse_rational(value.strip())
    if level not in (network.low[i], network.high[i]):
        raise InputError(
            f"Input {i} is never {level}: its levels are {network.low[i]} and {network.high[i]}.",
            where="--if",
        )
    # a constant input has both levels at once, and state 1
    state = 1 if level == network.high[i] else -1
    number, feature = next((k, f) for k, f in enumerate(domain.features) if i in f.inputs)
    column = feature.codes[:, feature.inputs.index(i)]
    return number, {code for code, own in enumerate(column.tolist()) if own == state}


def _known(key: str, domain: Domain) -> str:
    """What can be said of the feature of this name."""
    named = [feature for feature in domain.features if feature.name == key]
    if named:
        return f"Known are: {'; '.join(named[0].values)}."
    return "Give an input and its level, x3=1, or a feature and its value."


def _plain(text: str) -> str:
    return re.sub(r"\s", "", text.replace(">=", "≥").replace("!=", "≠"))


def _by_words(feature: Feature, said: str) -> set[int] | None:
    """The codes for which the feature's words say so."""
    for place, (low, high) in enumerate(feature.words):
        # the first k statements of a thermometer hold for code k
        if said == _plain(high):
            return set(range(place + 1, len(feature.codes)))
        if said == _plain(low):
            return set(range(place + 1))
    values = [_plain(value) for value in feature.values]
    if said in values:
        return {values.index(said)}
    return None


def _input(key: str, network: BinarizedNetwork, names: Sequence[str] | None) -> int | None:
    if names is not None and key in names:
        return list(names).index(key)
    found = re.fullmatch(r"x?\[?(\d+)\]?", key)
    return int(found[1]) if found and int(found[1]) < network.inputs else None

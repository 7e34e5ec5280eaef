"""Constraints on what can occur: as a user writes them, and as a table suggests them.

``a implies b`` forbids the points with ``a`` and without ``b``, ``a excludes b`` those with both.
Either side is conditions in the words of the domain, all joined by ``and``, or all by ``or``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, product
from math import prod

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import InputError
from tamecheck.explain.domain import Constraint, Cube, Domain
from tamecheck.explain.words import Language, Meaning, condition, conjunction
from tamecheck.ir.tensor import Array

_WHERE = "--constraint"
_LEARNED, _EXPECTED, _COMBINATIONS = 16, 8.0, 2**10
"""The most constraints that a table suggests; how many rows would be expected to break one; and
how many combinations features that are tied together may have."""

Sets = dict[int, tuple[int, ...]]
"""For some features the codes that are meant."""


def constrain(
    domain: Domain,
    texts: Iterable[str],
    network: ThresholdNetwork,
    names: Sequence[str] | None = None,
) -> Domain:
    """The domain without what constraints forbid; they are added to those that it has.

    Raises `InputError` if a constraint is not understood, or nothing is left.
    """
    language = Language(network, domain, names, _WHERE)
    read = (read_constraint(text, language) for text in texts)
    made = replace(domain, constraints=(*domain.constraints, *read))
    if not made.size:
        raise InputError("The constraints leave nothing that can occur.", where=_WHERE)
    return made


def read_constraint(text: str, language: Language) -> Constraint:
    """A constraint ``a implies b`` or ``a excludes b``.

    Raises `InputError` if it is none, or a side is not understood.
    """
    sides = re.split(r"\s+(implies|excludes)\s+", text.strip())
    if len(sides) != 3:
        raise InputError(
            f"Constraint {text!r} is not understood.",
            where=_WHERE,
            hint="Write 'a implies b' or 'a excludes b', with conditions in the domain's words.",
        )
    left, right = (_side(side, language) for side in (sides[0], sides[2]))
    if sides[1] == "implies":
        right = _negate(right, language.domain)
    cubes = (_meet(one, other) for one, other in product(left, right))
    forbidden = tuple(tuple(sorted(cube.items())) for cube in cubes if cube is not None)
    return Constraint(text.strip(), tuple(dict.fromkeys(forbidden)))


def _side(text: str, language: Language) -> list[Sets]:
    """The cubes of conditions that are joined by ``and``, or by ``or``."""
    for word in ("or", "and"):
        parts = _conditions(re.split(rf"\s+{word}\s+", text), word, language)
        if parts is not None:
            meant = [{k: tuple(sorted(codes))} for k, codes in parts]
            if word == "or":
                return meant
            found: Sets | None = {}
            for one in meant:
                found = None if found is None else _meet(found, one)
            return [] if found is None else [found]
    # the error of the text as a whole
    feature, codes = language.condition(text)
    return [{feature: tuple(sorted(codes))}]


def _conditions(words: Sequence[str], joint: str, language: Language) -> list[Meaning] | None:
    """What texts mean, the longest joined again that have a meaning; None if one has none."""
    found: list[Meaning] = []
    left = list(words)
    while left:
        for count in range(len(left), 0, -1):
            part = f" {joint} ".join(left[:count])
            try:
                found.append(language.condition(part))
            except InputError:
                continue
            del left[:count]
            break
        else:
            return None
    return found


def _negate(cubes: Sequence[Sets], domain: Domain) -> list[Sets]:
    """The cubes of the points that are in none of some cubes."""
    found: list[Sets] = [{}]
    for cube in cubes:
        outside: list[Sets] = []
        for k, codes in cube.items():
            rest = tuple(c for c in range(len(domain.features[k].codes)) if c not in codes)
            if rest:
                outside.append({k: rest})
        met = (_meet(one, other) for one, other in product(found, outside))
        found = [cube for cube in met if cube is not None]
    return found


def _meet(one: Sets, other: Sets) -> Sets | None:
    """The intersection of two cubes; None if it is empty."""
    found = dict(one)
    for k, codes in other.items():
        found[k] = tuple(c for c in found.get(k, codes) if c in codes)
        if not found[k]:
            return None
    return found


def suggest(domain: Domain, rows: Array) -> tuple[Constraint, ...]:
    """Pairs of values of two features that no row has together, though several would be expected.

    ``rows`` are codes of the features.  Pairs are taken in the order of how many rows would have
    both if the features were independent, as long as features tied together have few combinations.
    """
    sizes = [len(feature.codes) for feature in domain.features]
    held = [[np.bincount(rows[:, k], minlength=size)] for k, size in enumerate(sizes)]
    found: list[tuple[float, Cube]] = []
    for one, other in combinations(range(len(sizes)), 2):
        together = np.zeros((sizes[one], sizes[other]), dtype=np.int64)
        np.add.at(together, (rows[:, one], rows[:, other]), 1)
        expected = np.outer(held[one][0], held[other][0]) / max(len(rows), 1)
        for code in range(sizes[one]):
            never = np.flatnonzero((together[code] == 0) & (held[other][0] > 0)).tolist()
            total = float(expected[code, never].sum())
            if never and total >= _EXPECTED:
                found.append((total, ((one, (code,)), (other, tuple(never)))))
    found.sort(key=lambda pair: (-pair[0], pair[1]))
    kept: list[Cube] = []
    tied = list(range(len(sizes)))
    for _, cube in found:
        parts = {tied[k] for k, _ in cube}
        after = [min(parts) if k in parts else k for k in tied]
        joined = [size for size, own in zip(sizes, after, strict=True) if own == min(parts)]
        if prod(joined) <= _COMBINATIONS and len(kept) < _LEARNED:
            kept.append(cube)
            tied = after
    return tuple(Constraint(_said(domain, cube), (cube,)) for cube in kept)


def _said(domain: Domain, cube: Cube) -> str:
    (first, codes), (second, others) = cube
    one = condition(first, domain.features[first], codes)
    other = condition(second, domain.features[second], others)
    return f"{conjunction([one])} excludes {conjunction([other])}"

"""Points of a domain with constraints that a change of some features decides otherwise.

The domain is no product then, and what is reached by one feature after the other may be impossible
on the way: all of its points are looked at, as a table with an axis for each feature.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.binarized.copies import Relation
from tamecheck.explain.domain import Domain
from tamecheck.explain.search import Codes
from tamecheck.explain.tables import decision_table, forbidden_table
from tamecheck.ir.tensor import Array

_NONE = -1


def said_table(network: ThresholdNetwork, domain: Domain) -> Array:
    """The class of every point, -1 where constraints forbid it; an axis for each feature.

    Raises `InputError` if there are too many points.
    """
    sizes = [len(feature.codes) for feature in domain.features]
    table = decision_table(network, domain).astype(np.int64)
    forbidden = forbidden_table(domain)
    if forbidden is not None:
        table[forbidden] = _NONE
    return table.reshape(sizes)


def turned(said: Array, relations: Mapping[int, Relation]) -> Array:
    """The points at which a class is said although another point asks for an other one.

    The other point differs in the features with a relation only.  It is said more of it, and its
    codes are not later where the relation rises, nor earlier where it falls; or, if all relations
    are equality, anything else is said of it.
    """
    axes = tuple(relations)
    if "equal" in relations.values():
        least = np.where(said < 0, np.iinfo(np.int64).max, said).min(axis=axes, keepdims=True)
        most = said.max(axis=axes, keepdims=True)
        return np.asarray((said >= 0) & (least < most))
    before = said
    for axis, relation in relations.items():
        before = _running(before, axis, falls=relation == "falls")
    return np.asarray((said >= 0) & (before > said))


def _running(values: Array, axis: int, *, falls: bool) -> Array:
    """The largest value at this place of an axis or before it; after it, if so."""
    if falls:
        return np.flip(np.maximum.accumulate(np.flip(values, axis), axis=axis), axis)
    return np.asarray(np.maximum.accumulate(values, axis=axis))


def partner(said: Array, relations: Mapping[int, Relation], codes: Codes) -> Codes:
    """For a point that is turned, another that turns it, with the fewest features changed."""
    found: list[tuple[int, Codes]] = []
    own = said[codes]
    equal = "equal" in relations.values()
    ranges: list[range] = [range(code, code + 1) for code in codes]
    for k, relation in relations.items():
        start = codes[k] if relation == "falls" else 0
        ranges[k] = range(start, codes[k] + 1 if relation == "rises" else said.shape[k])
    part = said[np.ix_(*ranges)]
    for place in np.argwhere((part >= 0) & ((part != own) if equal else (part > own))).tolist():
        other = tuple(one[at] for one, at in zip(ranges, place, strict=True))
        found.append((sum(a != b for a, b in zip(other, codes, strict=True)), other))
    return min(found)[1]

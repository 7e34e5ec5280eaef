"""The decisions of a network over its whole domain as a table, and grids of what matters in it.

Where constraints make the domain no product, what is reached by one feature after the other may be
impossible on the way; whether a change of some features decides otherwise is read off the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.binarized.copies import Relation
from tamecheck.errors import InputError
from tamecheck.explain.domain import Domain, Feature
from tamecheck.explain.search import Codes
from tamecheck.explain.words import Condition, condition
from tamecheck.ir.tensor import Array

MAX_POINTS = 2**24
"""A domain with more points than this is not visited point by point."""

_BLOCK = 1 << 13
_EXACT_DOUBLE = 2**53


def sums_of(
    network: ThresholdNetwork, domain: Domain, allowed: Sequence[Sequence[int]]
) -> list[Array]:
    """What allowed codes add to the sums of the first layer, ``(codes, sums)`` for each feature.

    Features that constraints tie together are one, whose codes are the combinations that can occur.
    """
    first = network.layers[0].weights if network.layers else network.readout
    if int(np.abs(first).sum(axis=1).max(initial=0)) >= _EXACT_DOUBLE:
        raise ValueError("sums exceed 53 bits")
    adds = [
        feature.codes.astype(np.int64) @ first[:, list(feature.inputs)].T
        for feature in domain.features
    ]
    found: list[Array] = []
    for group in domain.groups:
        if not domain.constraints:
            found.append(adds[group.features[0]][list(allowed[group.features[0]])])
            continue
        codes = group.within(allowed)
        columns = zip(codes.T, group.features, strict=True)
        found.append(np.sum([adds[k][column] for column, k in columns], axis=0))
    return found


def score_blocks(
    network: ThresholdNetwork,
    domain: Domain,
    allowed: Sequence[Sequence[int]],
    limit: int = MAX_POINTS,
) -> Iterator[Array]:
    """Scores ``(points, classes)`` over allowed codes of each feature, in their order, in blocks.

    Raises `InputError` if there are more points than ``limit``.
    """
    points = domain.points_in(allowed)
    if points > limit:
        raise InputError(
            f"The domain has {points} points; at most {limit} are visited one by one.",
            hint="Hold some features, or give one-hot and thermometer groups.",
        )
    parts = sums_of(network, domain, allowed)
    width = len(network.layers[0].weights) if network.layers else network.classes
    at, size = len(parts), 1
    while at and size * len(parts[at - 1]) <= _BLOCK:
        at -= 1
        size *= len(parts[at])
    inner, outer = _combine(parts[at:], width), _combine(parts[:at], width)
    for row in outer:
        yield network.scores_after(inner + row)


def _combine(parts: Sequence[Array], width: int) -> Array:
    """The sums of all combinations of codes, the last feature moving fastest."""
    total = np.zeros((1, width), dtype=np.int64)
    for part in parts:
        total = (total[:, np.newaxis, :] + part).reshape(-1, width)
    return total


def decision_table(network: ThresholdNetwork, domain: Domain, limit: int = MAX_POINTS) -> Array:
    """The class of every point, decided in integers, with an axis a feature of several codes.

    Raises `InputError` if there are more points than ``limit``, or more than 256 classes.
    """
    if network.classes > 256:
        raise InputError(f"{network.classes} classes; a decision table holds at most 256.")
    sizes = [len(feature.codes) for feature in domain.features]
    blocks = score_blocks(network, domain.product, list(map(range, sizes)), limit)
    decided = [np.argmax(scores, axis=1).astype(np.uint8) for scores in blocks]
    return np.concatenate(decided).reshape([size for size in sizes if size > 1])


def forbidden_table(domain: Domain) -> Array | None:
    """Which points constraints forbid, in the shape of `decision_table`; None if there are none."""
    if not domain.constraints:
        return None
    sizes = [len(feature.codes) for feature in domain.features]
    shape = [size for size in sizes if size > 1]
    kept = [k for k, size in enumerate(sizes) if size > 1]
    found = np.zeros(shape, dtype=np.bool_)
    for cube in (cube for constraint in domain.constraints for cube in constraint.forbidden):
        chosen: list[Array] = [np.arange(size) for size in shape]
        for k, codes in cube:
            if k in kept:
                chosen[kept.index(k)] = np.array(codes)
        found[np.ix_(*chosen)] = True
    return found


Groups = tuple[tuple[int, ...], ...]
"""Codes that are always decided alike, in the order of their first; of an order, intervals."""


def reduce_table(table: Array, ordered: Sequence[bool]) -> tuple[Array, dict[int, Groups]]:
    """The table with codes merged where they are decided alike in every context, and its axes.

    A feature whose codes are all merged has no axis.  Of an ordered one only neighbours are merged.
    """
    kept: dict[int, Groups] = {}
    for axis in range(table.ndim):
        groups = alike([np.moveaxis(table, axis, 0)], ordered=ordered[axis])
        table = table.take([group[0] for group in groups], axis=axis)
        if len(groups) > 1:
            kept[axis] = groups
    return table.reshape([len(groups) for groups in kept.values()]), kept


def alike(arrays: Sequence[Array], *, ordered: bool) -> Groups:
    """Places on the first axis in groups with equal slices; neighbours only, if it is ordered."""
    groups: list[list[int]] = []
    for place in range(len(arrays[0])):
        for group in groups[-1:] if ordered else groups:
            if all(np.array_equal(array[group[0]], array[place]) for array in arrays):
                group.append(place)
                break
        else:
            groups.append([place])
    return tuple(map(tuple, groups))


@dataclass(frozen=True, slots=True)
class Axis:
    """One feature that matters, by its number, with its codes in groups.

    Codes of a group are decided alike wherever the grid is about; groups are in the order of
    their first code.  Codes that the grid is not about are in none.  ``ordered`` groups are
    intervals.
    """

    feature: int
    groups: Groups
    ordered: bool


@dataclass(frozen=True, eq=False)
class Grid:
    """Decisions over groups of codes: an axis for each feature that matters.

    ``free`` stands in the table for what cannot occur; it may be decided in any way.
    """

    domain: Domain
    axes: tuple[Axis, ...]
    table: Array
    free: int | None = None

    @property
    def possible(self) -> Array:
        """Where the table is about what can occur."""
        if self.free is None:
            return np.ones(self.table.shape, dtype=np.bool_)
        return np.asarray(self.table != self.free)

    @property
    def ordered(self) -> list[bool]:
        """Whether each axis has an order."""
        return [axis.ordered for axis in self.axes]

    def condition(self, place: int, chosen: Sequence[int]) -> Condition:
        """That the feature of an axis has a code of some groups, in words.

        Codes that the grid is not about are counted in, or out, as makes the words shorter.
        """
        axis = self.axes[place]
        inside = {code for k in chosen for code in axis.groups[k]}
        outside = {code for group in axis.groups for code in group} - inside
        return between(axis.feature, self.domain.features[axis.feature], inside, outside)

    def part(self, place: int, chosen: Sequence[int]) -> Grid:
        """The grid of some groups of one axis, without what does not matter there."""
        axis = self.axes[place]
        kept = Axis(axis.feature, tuple(axis.groups[k] for k in chosen), axis.ordered)
        axes = (*self.axes[:place], kept, *self.axes[place + 1 :])
        table = self.table.take(list(chosen), axis=place)
        return _grid(self.domain, axes, table, self.free)

    def cube(self, cube: Sequence[Sequence[int]]) -> dict[int, tuple[int, ...]]:
        """The codes of each feature that a product of groups restricts."""
        return {
            axis.feature: tuple(sorted(c for k in chosen for c in axis.groups[k]))
            for axis, chosen in zip(self.axes, cube, strict=True)
            if len(chosen) < len(axis.groups)
        }

    def index(self, codes: Mapping[int, int]) -> tuple[int, ...]:
        """The place of a combination of codes in the table."""
        return tuple(
            next(k for k, group in enumerate(axis.groups) if codes[axis.feature] in group)
            for axis in self.axes
        )


def between(
    number: int, feature: Feature, inside: Collection[int], outside: Collection[int]
) -> Condition:
    """The shortest condition that codes inside meet, and codes outside do not."""
    apart = set(outside)
    narrow, wide = sorted(inside), [c for c in range(len(feature.codes)) if c not in apart]
    if feature.ordered:
        # an interval that ends where the codes do needs no bound there
        wide = _stretch(narrow, apart, len(feature.codes))
    texts = [condition(number, feature, found) for found in (narrow, wide)]
    return min(texts, key=lambda found: len(found.text))


def _stretch(codes: Sequence[int], outside: set[int], count: int) -> list[int]:
    """An interval of codes, as long as it can be without codes outside; no interval stays."""
    low, high = codes[0], codes[-1]
    if any(low < code < high for code in outside):
        return list(codes)
    below = (code + 1 for code in range(low - 1, -1, -1) if code in outside)
    above = (code for code in range(high + 1, count) if code in outside)
    return list(range(next(below, 0), next(above, count)))


def _grid(domain: Domain, axes: Sequence[Axis], table: Array, free: int | None = None) -> Grid:
    """The grid with groups merged that are decided alike, and without axes of one group."""
    small, merged = reduce_table(table, [axis.ordered for axis in axes])
    kept: list[Axis] = []
    for place, parts in merged.items():
        axis = axes[place]
        groups = (tuple(c for k in part for c in axis.groups[k]) for part in parts)
        kept.append(Axis(axis.feature, tuple(groups), axis.ordered))
    return Grid(domain, tuple(kept), small, free)


def grid_of(domain: Domain, table: Array) -> Grid:
    """The grid of a decision table with an axis for each feature of several codes.

    What constraints of the domain forbid is free in it.
    """
    forbidden, free = forbidden_table(domain), None
    if forbidden is not None:
        free = int(table.max(initial=0)) + 1
        table = np.where(forbidden, free, table.astype(np.int16))
    axes = [
        Axis(k, tuple((code,) for code in range(len(feature.codes))), feature.ordered)
        for k, feature in enumerate(domain.features)
        if len(feature.codes) > 1
    ]
    return _grid(domain, axes, np.asarray(table), free)


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

"""A table of decisions whose axes are what matters of the features, and its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck.explain.domain import Domain
from tamecheck.explain.tables import reduced
from tamecheck.explain.words import Condition, condition
from tamecheck.ir.tensor import Array

__all__ = ["Axis", "Grid", "grid_of"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One feature that matters.

    Parameters
    ----------
    feature
        Its number in the domain.
    groups
        Its codes, in groups that are decided alike wherever the grid is about; in the order of
        their first code.  Codes that the grid is not about are in none.
    ordered
        Whether groups are intervals.
    """

    feature: int
    groups: tuple[tuple[int, ...], ...]
    ordered: bool


@dataclass(frozen=True, eq=False)
class Grid:
    """Decisions over groups of codes: an axis for each feature that matters.

    Parameters
    ----------
    domain
        What can occur.
    axes, table
        The axes, and the class of each of their combinations.
    """

    domain: Domain
    axes: tuple[Axis, ...]
    table: Array

    @property
    def ordered(self) -> list[bool]:
        """Whether each axis has an order."""
        return [axis.ordered for axis in self.axes]

    def condition(self, place: int, chosen: Sequence[int]) -> Condition:
        """That the feature of an axis has a code of some groups, in words.

        Codes that the grid is not about are counted in, or out, as makes the words shorter.
        """
        axis = self.axes[place]
        feature = self.domain.features[axis.feature]
        inside = {code for k in chosen for code in axis.groups[k]}
        outside = {code for group in axis.groups for code in group} - inside
        codes = range(len(feature.codes))
        narrow, wide = sorted(inside), [code for code in codes if code not in outside]
        if axis.ordered:
            # an interval that ends where the grid does needs no bound there
            wide = _stretched(narrow, outside, len(codes))
        texts = [condition(axis.feature, feature, found) for found in (narrow, wide)]
        return min(texts, key=lambda found: len(found.text))

    def part(self, place: int, chosen: Sequence[int]) -> Grid:
        """The grid of some groups of one axis, without what does not matter there."""
        axis = self.axes[place]
        kept = Axis(axis.feature, tuple(axis.groups[k] for k in chosen), axis.ordered)
        axes = (*self.axes[:place], kept, *self.axes[place + 1 :])
        return _settled(self.domain, axes, self.table.take(list(chosen), axis=place))

    def cube(self, cube: Sequence[Sequence[int]]) -> dict[int, tuple[int, ...]]:
        """The codes of each feature that a product of groups restricts."""
        found: dict[int, tuple[int, ...]] = {}
        for axis, chosen in zip(self.axes, cube, strict=True):
            if len(chosen) < len(axis.groups):
                found[axis.feature] = tuple(sorted(c for k in chosen for c in axis.groups[k]))
        return found

    def index(self, codes: Mapping[int, int]) -> tuple[int, ...]:
        """The place of a combination of codes in the table."""
        return tuple(
            next(k for k, group in enumerate(axis.groups) if codes[axis.feature] in group)
            for axis in self.axes
        )


def _stretched(codes: Sequence[int], outside: set[int], count: int) -> list[int]:
    """An interval of codes, as long as it can be without codes outside; no interval stays."""
    low, high = codes[0], codes[-1]
    if any(low < code < high for code in outside):
        return list(codes)
    while low > 0 and low - 1 not in outside:
        low -= 1
    while high < count - 1 and high + 1 not in outside:
        high += 1
    return list(range(low, high + 1))


def _settled(domain: Domain, axes: Sequence[Axis], table: Array) -> Grid:
    """The grid with groups merged that are decided alike, and without axes of one group."""
    small = reduced(table, [axis.ordered for axis in axes])
    kept = tuple(
        Axis(
            axes[place].feature,
            tuple(tuple(c for k in group for c in axes[place].groups[k]) for group in groups),
            axes[place].ordered,
        )
        for place, groups in zip(small.features, small.groups, strict=True)
    )
    return Grid(domain, kept, small.table)


def grid_of(domain: Domain, table: Array) -> Grid:
    """The grid of a decision table with an axis for each feature of several codes."""
    axes = [
        Axis(k, tuple((code,) for code in range(len(feature.codes))), feature.ordered)
        for k, feature in enumerate(domain.features)
        if len(feature.codes) > 1
    ]
    return _settled(domain, axes, np.asarray(table))

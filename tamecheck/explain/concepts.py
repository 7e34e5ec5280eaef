"""Decisions that depend on how many literals hold, or on whether two features are equal.

A function of two-valued variables is symmetric if it depends on their number only.  Exchanging two
variables must not change it, or exchanging one with the negation of the other, which tells whether
they count with the same sign.  What is found so is then compared with all decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tamecheck.explain.tables import Grid
from tamecheck.explain.words import Condition, join
from tamecheck.ir.tensor import Array


@dataclass(frozen=True, slots=True)
class Always:
    """One class."""

    decision: int

    def decisions(self, codes: Mapping[int, Array]) -> Array:  # noqa: ARG002  # as of all concepts
        """The class, whatever the codes of the features are."""
        return np.array(self.decision)

    def cases(self) -> list[tuple[str, int]]:
        """Statements with their classes, in order; the last one is what else holds."""
        return [("", self.decision)]


@dataclass(frozen=True, slots=True)
class Counting:
    """The class depends on how many of some literals, each about another feature, hold.

    ``by_count`` has the class for each number from 0 to all.
    """

    literals: tuple[Condition, ...]
    by_count: tuple[int, ...]

    def decisions(self, codes: Mapping[int, Array]) -> Array:
        """The class for each combination of codes, which are broadcast."""
        held = sum(
            (np.isin(codes[x.feature], x.codes).astype(np.int64) for x in self.literals),
            start=np.array(0),
        )
        return np.asarray(np.array(self.by_count)[held])

    def cases(self) -> list[tuple[str, int]]:
        """Statements with their classes, in order; the last one is what else holds."""
        return [(text, decision) for _, text, decision in self._said()]

    @property
    def effort(self) -> tuple[int, int, int]:
        """What reads best first: simple statements, about the last classes, of few values."""
        said = self._said()
        hardest = max(rank for rank, *_ in said)
        return hardest, -said[0][2], sum(len(x.codes) for x in self.literals)

    def _said(self) -> list[tuple[int, str, int]]:
        """For each class how hard to read, the words and the class."""
        classes = sorted(set(self.by_count))
        counts = {c: [k for k, found in enumerate(self.by_count) if found == c] for c in classes}
        said = {c: _counted(self.literals, counts[c]) for c in classes}
        # the class that is hardest to describe is what else holds; of several the first
        rest = max(classes, key=lambda c: (said[c][0], -c))
        return [*((*said[c], c) for c in classes if c != rest), (0, "", rest)]


@dataclass(frozen=True, slots=True)
class Valued:
    """The class depends on the value of one feature: the codes of each class, in words."""

    values: tuple[tuple[Condition, int], ...]

    def decisions(self, codes: Mapping[int, Array]) -> Array:
        """The class for each combination of codes, which are broadcast."""
        own = codes[self.values[0][0].feature]
        found = np.full(own.shape, self.values[-1][1])
        for said, decision in self.values[:-1]:
            found[np.isin(own, said.codes)] = decision
        return found

    def cases(self) -> list[tuple[str, int]]:
        """Statements with their classes, in order; the last one is what else holds."""
        said = [(x.text, decision) for x, decision in self.values]
        rest = max(said, key=lambda case: (" or " in case[0], len(case[0]), -case[1]))
        return [*(case for case in said if case != rest), ("", rest[1])]


@dataclass(frozen=True, slots=True)
class Equality:
    """The class, ``equal`` or ``other``, depends on whether two features have the same value.

    ``pairs`` are, for each value that both can have, its code of the first and of the second.
    """

    features: tuple[int, int]
    pairs: tuple[tuple[int, int], ...]
    text: str
    equal: int
    other: int

    def decisions(self, codes: Mapping[int, Array]) -> Array:
        """The class for each combination of codes, which are broadcast."""
        first, second = (codes[feature] for feature in self.features)
        same = np.zeros(np.broadcast_shapes(first.shape, second.shape), dtype=np.bool_)
        for one, other in self.pairs:
            same |= (first == one) & (second == other)
        return np.where(same, self.equal, self.other)

    def cases(self) -> list[tuple[str, int]]:
        """Statements with their classes, in order; the last one is what else holds."""
        return [(self.text, self.equal), ("", self.other)]


Concept: TypeAlias = Always | Counting | Equality | Valued


def always(grid: Grid) -> Always | None:
    """The class of a grid in which all have the same one."""
    if not grid.axes:
        return Always(0 if grid.table == grid.free else int(grid.table))
    if grid.free is None:
        return None
    found = np.unique(grid.table[grid.possible])
    return Always(int(found.max(initial=0))) if len(found) < 2 else None


def concept_of(grid: Grid) -> Concept | None:
    """The concept that decides as a grid does everywhere; None if none of these does."""
    found = always(grid)
    if found is not None or not grid.possible.all():
        return found
    return _valued(grid) or _counting(grid) or _equality(grid)


def _valued(grid: Grid) -> Valued | None:
    if len(grid.axes) != 1:
        return None
    classes: list[int] = np.unique(grid.table).tolist()
    places = {c: np.flatnonzero(grid.table == c).tolist() for c in classes}
    return Valued(tuple((grid.condition(0, places[c]), c) for c in classes))


def _counting(grid: Grid) -> Counting | None:
    if any(len(axis.groups) != 2 for axis in grid.axes):
        return None
    table, high = grid.table, [1]
    for place in range(1, table.ndim):
        moved = np.moveaxis(table, (0, place), (0, 1))
        if np.array_equal(moved[0, 1], moved[1, 0]):
            high.append(1)
        elif np.array_equal(moved[0, 0], moved[1, 1]):
            high.append(0)
        else:
            return None
    by_count = _by_count(table, high)
    if by_count is None:
        return None
    low = [1 - side for side in high]
    ways = [
        Counting(tuple(grid.condition(k, [side]) for k, side in enumerate(sides)), classes)
        for sides, classes in ((high, by_count), (low, by_count[::-1]))
    ]
    return min(ways, key=lambda found: found.effort)


def _by_count(table: Array, high: Sequence[int]) -> tuple[int, ...] | None:
    """The class for each number of axes on their high side, if it is one; every cell is compared.

    The axes of the table have two places each.
    """
    held = np.zeros((), dtype=np.int64)
    for place, side in zip(np.indices(table.shape, sparse=True), high, strict=True):
        held = held + (place == side)
    classes: list[int] = []
    for count in range(len(high) + 1):
        found = np.unique(table[held == count])
        if len(found) != 1:
            return None
        classes.append(int(found[0]))
    return tuple(classes)


def _counted(literals: Sequence[Condition], counts: Sequence[int]) -> tuple[int, str]:
    """That one of some numbers of literals hold: how hard to read, and the words."""
    texts, total = [x.text for x in literals], len(literals)
    low, high = counts[0], counts[-1]
    listed = f"{{{'; '.join(texts)}}}"
    if list(counts) != list(range(low, high + 1)):
        parity = [count for count in range(total + 1) if count % 2 == low % 2]
        if len(counts) > 2 and list(counts) == parity:
            return 4, f"an {'odd' if low % 2 else 'even'} number of {listed}"
        said = ", ".join(map(str, counts[:-1]))
        return 3 + len(counts), f"{said} or {high} of {listed}"
    match low == 0, high == total:
        case False, True if low == total:
            return 0, join("and", texts)
        case False, True if low == 1:
            return 0, join("or", texts)
        case True, False if high == 0:
            return 2, f"none of {listed}"
        case False, True:
            return 1, f"at least {low} of {listed}"
        case True, False:
            return 2, f"at most {high} of {listed}"
        case _ if low == high:
            return 1, f"exactly {low} of {listed}"
        case _:
            return 3, f"{low} to {high} of {listed}"


def _equality(grid: Grid) -> Equality | None:
    if len(grid.axes) != 2:
        return None
    features = [grid.domain.features[axis.feature] for axis in grid.axes]
    # each group is one value by its name, and both features have the same ones
    if any(len(group) > 1 for axis in grid.axes for group in axis.groups):
        return None
    if not all(feature.plain for feature in features):
        return None
    one, two = (
        {feature.plain[group[0]]: k for k, group in enumerate(axis.groups)}
        for feature, axis in zip(features, grid.axes, strict=True)
    )
    if set(one) != set(two) or len(one) != len(grid.axes[0].groups):
        return None
    table = grid.table[np.ix_(list(one.values()), [two[value] for value in one])]
    equal, other = int(table[0, 0]), int(table[0, -1])
    if not np.array_equal(table, np.where(np.eye(len(one), dtype=np.bool_), equal, other)):
        return None
    first, second = grid.axes
    pairs = tuple(
        (first.groups[place][0], second.groups[two[value]][0]) for value, place in one.items()
    )
    text = f"{features[0].name} = {features[1].name}"
    return Equality((first.feature, second.feature), pairs, text, equal, other)

"""Decision lists of a grid: rules of which the first that holds decides; exact."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tamecheck.errors import SolverError, visible
from tamecheck.explain.cubes import Cube, prime
from tamecheck.explain.grids import Grid
from tamecheck.explain.words import Condition, condition, conjunction
from tamecheck.ir.tensor import Array

__all__ = ["MAX_CELLS", "DecisionList", "ListedRule", "decision_list"]

MAX_CELLS = 2**16
"""Grids of more cells get no list."""

_SEEDS, _ORDERS = 8, 4


@dataclass(frozen=True, slots=True)
class ListedRule:
    """Conditions that all hold, and the class then."""

    conditions: tuple[Condition, ...]
    then: int

    def holds(self, codes: Mapping[int, int]) -> bool:
        """Whether all conditions hold for the codes of the features."""
        return all(codes[part.feature] in part.codes for part in self.conditions)


@dataclass(frozen=True, slots=True)
class DecisionList:
    """A decision list; it decides every point of the domain as the network does.

    Parameters
    ----------
    rules
        The first that holds decides.
    default
        The class if none holds.
    classes
        What the classes are called.
    """

    rules: tuple[ListedRule, ...]
    default: int
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rules) + 1

    def decide(self, codes: Mapping[int, int]) -> int:
        """The class for the codes of the features."""
        return next((rule.then for rule in self.rules if rule.holds(codes)), self.default)

    @property
    def text(self) -> str:
        """One rule a line."""
        lines: list[str] = []
        for rule in self.rules:
            start = "else if" if lines else "if"
            lines.append(f"{start} {conjunction(rule.conditions)} then {self.classes[rule.then]}")
        lines.append(f"{'else ' if lines else ''}{self.classes[self.default]}")
        return visible("\n".join(lines))

    def __str__(self) -> str:
        return self.text


def decision_list(
    grid: Grid,
    classes: Sequence[str],
    *,
    seed: int = 0,
    most: int = 4096,
    deadline: float = float("inf"),
) -> DecisionList | None:
    """A short decision list of a grid: each rule is the widest that is found, given those before.

    A rule may be wrong where an earlier one holds, so lists are shorter than rules without order.
    The list is compared with the grid cell by cell.

    Parameters
    ----------
    grid
        The decisions.
    classes
        What the classes are called.
    seed
        Of the places where rules are looked for.
    most
        The most rules.
    deadline
        A value of `time.monotonic`.

    Returns
    -------
    DecisionList or None
        None if the grid has more than `MAX_CELLS` cells, there are more rules, or time is over.
    """
    if grid.table.size > MAX_CELLS:
        return None
    rng = np.random.default_rng(seed)
    left = np.ones(grid.table.shape, dtype=np.bool_)
    cubes: list[tuple[Cube, int]] = []
    while True:
        open_ = grid.table[left]
        if (open_ == open_[0]).all():
            break
        if len(cubes) >= most or time.monotonic() > deadline:
            return None
        cube, decision = _widest(grid, left, rng)
        cubes.append((cube, decision))
        left[np.ix_(*cube)] = False
    default = int(open_[0])
    _compare(grid, cubes, default)
    listed = (ListedRule(_said(grid, cube), decision) for cube, decision in cubes)
    return DecisionList(tuple(listed), default, tuple(classes))


def _widest(grid: Grid, left: Array, rng: np.random.Generator) -> tuple[Cube, int]:
    """The cube around one of some cells that are left that covers most of them."""
    places = np.flatnonzero(left.reshape(-1))
    seeds = rng.choice(places, min(_SEEDS, len(places)), replace=False).tolist()
    best, found = (-1, 0), None
    for place in seeds:
        cell: Cube = tuple((k,) for k in _place(place, left.shape))
        decision = int(grid.table.reshape(-1)[place])
        allowed = np.asarray((grid.table == decision) | ~left)
        for _ in range(_ORDERS):
            order: list[int] = rng.permutation(left.ndim).tolist()
            cube = prime(allowed, cell, order, grid.ordered)
            worth = (int(np.count_nonzero(left[np.ix_(*cube)])), prod(map(len, cube)))
            if worth > best:
                best, found = worth, (cube, decision)
    if found is None:
        raise AssertionError("some cell is left")
    return found


def _place(number: int, shape: Sequence[int]) -> tuple[int, ...]:
    """The indices of an element by its number in C order."""
    found: list[int] = []
    for size in reversed(shape):
        number, k = divmod(number, size)
        found.append(k)
    return tuple(reversed(found))


def _compare(grid: Grid, cubes: Sequence[tuple[Cube, int]], default: int) -> None:
    said = np.full(grid.table.shape, default)
    for cube, decision in reversed(cubes):
        said[np.ix_(*cube)] = decision
    if not np.array_equal(said, grid.table):
        raise SolverError("A decision list is not its decisions.", hint="Please report it.")


def _said(grid: Grid, cube: Cube) -> tuple[Condition, ...]:
    features = grid.domain.features
    return tuple(condition(k, features[k], codes) for k, codes in grid.cube(cube).items())

"""Decision lists and trees of a grid, exact."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np

from tamecheck.errors import SolverError, visible
from tamecheck.explain.concepts import Always, Concept
from tamecheck.explain.cubes import Cube, prime
from tamecheck.explain.tables import Grid
from tamecheck.explain.words import Condition, condition, conjunction
from tamecheck.ir.tensor import Array

__all__ = [
    "MAX_CELLS",
    "MAX_LIST_CELLS",
    "DecisionList",
    "DecisionTree",
    "ListedRule",
    "Split",
    "decision_list",
    "grown",
]

MAX_LIST_CELLS = 2**16
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
        None if the grid has too many cells, there are more rules, or time is over.
    """
    if grid.table.size > MAX_LIST_CELLS:
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


MAX_CELLS = 2**18
"""Grids of more cells get no tree."""

_LEAVES = 4096
_WIDE = 60
"""Characters of questions that are joined by ``or``."""


@dataclass(frozen=True, slots=True)
class Split:
    """A question, its negation in words, and what follows after yes and after no."""

    question: Condition
    negation: str
    yes: Node
    no: Node


Node: TypeAlias = Split | Concept


@dataclass(frozen=True, slots=True)
class DecisionTree:
    """A decision tree; it decides every point of the domain as the network does.

    Parameters
    ----------
    root
        Its first question, or a concept that says all.
    classes
        What the classes are called.
    """

    root: Node
    classes: tuple[str, ...]

    def decide(self, codes: Mapping[int, int]) -> int:
        """The class for the codes of the features."""
        node = self.root
        while isinstance(node, Split):
            node = node.yes if codes[node.question.feature] in node.question.codes else node.no
        return int(node.decisions({k: np.array(code) for k, code in codes.items()}))

    @property
    def leaves(self) -> int:
        """The number of ends."""
        return sum(1 for node in _nodes(self.root) if not isinstance(node, Split))

    @property
    def text(self) -> str:
        """The tree as nested ``if`` and ``else``; a branch that ends is written on one line."""
        return visible("\n".join(self._lines(self.root)))

    def __str__(self) -> str:
        return self.text

    def _lines(self, node: Node) -> list[str]:
        """The lines of a branch, each end on a line with what leads to it."""
        branches: list[tuple[str, list[str]]] = []
        while isinstance(node, Split):
            yes, no, question = node.yes, node.no, node.question.text
            if _rank(no) < _rank(yes):
                yes, no, question = no, yes, node.negation
            branches.append((question, self._lines(yes)))
            node = no
        *cases, (_, rest) = node.cases()
        branches += [(text, [self.classes[decision]]) for text, decision in cases]
        lines: list[str] = []
        start = ""
        for question, inner in _joined(branches):
            if len(inner) == 1 and not inner[0].startswith("if "):
                lines.append(f"{start}if {question} then {inner[0]}")
            else:
                lines += [f"{start}if {question}:", *(f"    {line}" for line in inner)]
            start = "else "
        return [*lines, f"{start}{self.classes[rest]}"]


def _joined(branches: Sequence[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """The branches; short ones after each other that end alike are one, by ``or``."""
    found: list[tuple[list[str], list[str]]] = []
    for question, inner in branches:
        if found and found[-1][1] == inner and len(inner) == 1:
            texts = [*found[-1][0], question]
            if sum(map(len, texts)) <= _WIDE:
                found[-1] = (texts, inner)
                continue
        found.append(([question], inner))
    return [(_either(texts), inner) for texts, inner in found]


def _either(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    return " or ".join(f"({text})" if " and " in text else text for text in texts)


def _rank(node: Node) -> int:
    """What reads best first: a class, then a concept."""
    return 0 if isinstance(node, Always) else 2 if isinstance(node, Split) else 1


def _nodes(root: Node) -> Iterator[Node]:
    left = [root]
    while left:
        node = left.pop()
        yield node
        if isinstance(node, Split):
            left += [node.yes, node.no]


def grown(
    grid: Grid,
    end: Callable[[Grid], Concept | None],
    *,
    most: int = _LEAVES,
    deadline: float = float("inf"),
) -> Node | None:
    """The tree of a grid, by the question that says most about the class at each place.

    The work is the number of cells times axes for each level.

    Parameters
    ----------
    grid
        The decisions.
    end
        What a branch may end with: it decides as the grid that it is given, or is None.
    most
        The most ends.
    deadline
        A value of `time.monotonic`.

    Returns
    -------
    Split or Concept or None
        None if the grid has more than `MAX_CELLS` cells, or the tree would have more ends.
    """
    if grid.table.size > MAX_CELLS:
        return None
    budget = [most]

    def grow(part: Grid) -> Node | None:
        found = end(part)
        if found is not None:
            budget[0] -= 1
            return found if budget[0] >= 0 else None
        if budget[0] <= 0 or time.monotonic() > deadline:
            return None
        place, chosen = _question(part)
        rest = [k for k in range(len(part.axes[place].groups)) if k not in chosen]
        yes = grow(part.part(place, chosen))
        no = None if yes is None else grow(part.part(place, rest))
        if yes is None or no is None:
            return None
        question, negation = part.condition(place, chosen), part.condition(place, rest)
        return Split(question, negation.text, yes, no)

    root = grow(grid)
    everywhere: list[Array] = [np.arange(size) for size in grid.table.shape]
    if root is not None and not _agrees(root, grid, everywhere):
        raise SolverError("A tree is not its decisions.", hint="Please report it.")
    return root


def _agrees(node: Node, grid: Grid, chosen: Sequence[Array]) -> bool:
    """Whether a node decides as some groups of each axis of the grid, all of them compared."""
    if isinstance(node, Split):
        place = next(k for k, a in enumerate(grid.axes) if a.feature == node.question.feature)
        holds = np.isin(_codes(grid, place, chosen[place]), node.question.codes)
        return all(
            _agrees(branch, grid, [*chosen[:place], chosen[place][kept], *chosen[place + 1 :]])
            for branch, kept in ((node.yes, holds), (node.no, ~holds))
        )
    codes = {
        axis.feature: _codes(grid, place, groups).reshape(
            [-1 if k == place else 1 for k in range(len(chosen))]
        )
        for place, (axis, groups) in enumerate(zip(grid.axes, chosen, strict=True))
    }
    return bool((grid.table[np.ix_(*chosen)] == node.decisions(codes)).all())


def _codes(grid: Grid, place: int, groups: Array) -> Array:
    """A code of each of some groups of an axis; the others are decided alike."""
    return np.array([grid.axes[place].groups[k][0] for k in groups.tolist()], dtype=np.int64)


def _question(grid: Grid) -> tuple[int, list[int]]:
    """The axis and its groups that leave the least entropy; thresholds of ordered axes."""
    best, found = np.inf, (0, [0])
    hot = np.stack([grid.table == c for c in np.unique(grid.table)])
    weights = _sizes(grid)
    for place, axis in enumerate(grid.axes):
        others = tuple(k + 1 for k in range(len(grid.axes)) if k != place)
        counts = (hot * weights).sum(axis=others)
        total, groups = counts.sum(axis=1), len(axis.groups)
        ways = (
            [list(range(k, groups)) for k in range(1, groups)]
            if axis.ordered
            else [[k] for k in range(groups)]
        )
        for chosen in ways:
            inside = counts[:, chosen].sum(axis=1)
            left = _entropy(inside) + _entropy(total - inside)
            if left < best - 1e-9:
                best, found = left, (place, chosen)
    place, chosen = found
    if len(grid.axes[place].groups) == 2 and not grid.axes[place].ordered:
        chosen = [1]
    return place, chosen


def _sizes(grid: Grid) -> Array:
    """How many points each cell stands for."""
    sizes: Array = np.ones(())
    for axis in grid.axes:
        sizes = np.multiply.outer(sizes, np.array([len(group) for group in axis.groups]))
    return sizes


def _entropy(counts: Array) -> float:
    """The number of points times the entropy of their classes."""
    some = counts[counts > 0]
    return float((some * np.log(some.sum() / some)).sum())

"""Decision lists and trees of a grid, exact, and outlines: trees that end in concepts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tamecheck.errors import SolverError, visible
from tamecheck.explain.concepts import Always, Concept, Counting, Equality, Valued
from tamecheck.explain.cubes import Cube, cell_of, widest_prime
from tamecheck.explain.tables import Grid
from tamecheck.explain.words import Condition, Written, condition, conjunction, join
from tamecheck.ir.tensor import Array

_MOST_LISTED, _MOST_GROWN = 2**16, 2**18
"""Grids of more cells get no list, or no tree."""

_SEEDS, _ORDERS = 8, 4
_LEAVES = 4096
_WIDE = 60
"""Characters of questions that are joined by ``or``."""


@dataclass(frozen=True, slots=True)
class ListedRule:
    """Conditions that all hold, and the class then."""

    conditions: tuple[Condition, ...]
    then: int

    def holds(self, codes: Mapping[int, int]) -> bool:
        """Whether all conditions hold for the codes of the features."""
        return all(codes[part.feature] in part.codes for part in self.conditions)


@dataclass(frozen=True, slots=True)
class DecisionList(Written):
    """A decision list; it decides every point of the domain as the network does."""

    rules: tuple[ListedRule, ...]
    """The first that holds decides."""
    default: int
    """The class if none holds."""
    classes: tuple[str, ...]
    """What the classes are called."""

    def __len__(self) -> int:
        return len(self.rules) + 1

    def decide(self, codes: Mapping[int, int]) -> int:
        """The class for the codes of the features."""
        return next((rule.then for rule in self.rules if rule.holds(codes)), self.default)

    def decisions(self, codes: Array) -> Array:
        """The class of rows of codes."""
        said = np.full(len(codes), self.default)
        for rule in reversed(self.rules):
            said[meeting(rule.conditions, codes)] = rule.then
        return said

    @property
    def conditions(self) -> int:
        """The number of conditions in the rules."""
        return sum(len(rule.conditions) for rule in self.rules)

    @property
    def text(self) -> str:
        """One rule a line."""
        lines: list[str] = []
        for rule in self.rules:
            start = "else if" if lines else "if"
            lines.append(f"{start} {conjunction(rule.conditions)} then {self.classes[rule.then]}")
        lines.append(f"{'else ' if lines else ''}{self.classes[self.default]}")
        return visible("\n".join(lines))


def meeting(conditions: Sequence[Condition], codes: Array) -> Array:
    """Which rows of codes meet all conditions."""
    holds = np.ones(len(codes), dtype=np.bool_)
    for part in conditions:
        holds &= np.isin(codes[:, part.feature], part.codes)
    return holds


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
    The list is compared with the grid cell by cell.  None if the grid has too many cells, there
    are more than ``most`` rules, or it is later than ``deadline`` of `time.monotonic`.
    """
    if grid.table.size > _MOST_LISTED:
        return None
    rng = np.random.default_rng(seed)
    left = grid.possible.copy()
    cubes: list[tuple[Cube, int]] = []
    while True:
        open_ = grid.table[left]
        if not open_.size or (open_ == open_[0]).all():
            break
        if len(cubes) >= most or time.monotonic() > deadline:
            return None
        cubes.append(_widest(grid, left, rng))
        left[np.ix_(*cubes[-1][0])] = False
    # what else can occur, if anything can
    default = int(open_[0]) if open_.size else cubes[-1][1]
    said = np.full(grid.table.shape, default)
    for cube, decision in reversed(cubes):
        said[np.ix_(*cube)] = decision
    if not np.array_equal(said[grid.possible], grid.table[grid.possible]):
        raise SolverError("A decision list is not its decisions.", hint="Please report it.")
    features = grid.domain.features
    listed = (
        ListedRule(tuple(condition(k, features[k], c) for k, c in grid.cube(cube).items()), then)
        for cube, then in cubes
    )
    return DecisionList(tuple(listed), default, tuple(classes))


def _widest(grid: Grid, left: Array, rng: np.random.Generator) -> tuple[Cube, int]:
    """The cube around one of some cells that are left that covers most of them."""
    places = np.flatnonzero(left.reshape(-1))
    seeds = rng.choice(places, min(_SEEDS, len(places)), replace=False).tolist()
    best: tuple[int, int] = (-1, 0)
    cube: Cube = ()
    then = 0
    for place in seeds:
        cell = cell_of(place, left.shape)
        decision = int(grid.table.reshape(-1)[place])
        allowed = np.asarray((grid.table == decision) | ~left)
        orders = [rng.permutation(left.ndim).tolist() for _ in range(_ORDERS)]
        worth, found = widest_prime(allowed, left, cell, orders, grid.ordered)
        if worth > best:
            best, cube, then = worth, found, decision
    return cube, then


@dataclass(frozen=True, slots=True)
class Split:
    """A question, its negation in words, and what follows after yes and after no."""

    question: Condition
    negation: str
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Mostly(Always):
    """One class, which is right at some of the points only."""

    doubt: str = ""
    """How often it is right, in words."""


Node: TypeAlias = Split | Concept


@dataclass(frozen=True, slots=True)
class DecisionTree(Written):
    """A decision tree; it decides every point of the domain as the network does."""

    root: Node
    """Its first question, or a concept that says all."""
    classes: tuple[str, ...]
    """What the classes are called."""

    def decide(self, codes: Mapping[int, int]) -> int:
        """The class for the codes of the features."""
        node = self.root
        while isinstance(node, Split):
            node = node.yes if codes[node.question.feature] in node.question.codes else node.no
        return int(node.decisions({k: np.array(code) for k, code in codes.items()}))

    def decisions(self, codes: Array) -> Array:
        """The class of rows of codes."""
        said = np.empty(len(codes), dtype=np.int64)

        def decide(node: Node, rows: Array) -> None:
            if isinstance(node, Split):
                holds = meeting([node.question], codes[rows])
                decide(node.yes, rows[holds])
                decide(node.no, rows[~holds])
            else:
                said[rows] = node.decisions(dict(enumerate(codes[rows].T)))

        decide(self.root, np.arange(len(codes)))
        return said

    @property
    def leaves(self) -> int:
        """The number of ends."""
        return _leaves(self.root)

    @property
    def conditions(self) -> int:
        """The number of questions, and of literals that the ends name."""
        return _questions(self.root)

    @property
    def text(self) -> str:
        """The tree as nested ``if`` and ``else``; a branch that ends is written on one line."""
        return visible("\n".join(self._lines(self.root)))

    def _lines(self, node: Node) -> list[str]:
        """The lines of a branch, each end on a line with the questions before it."""
        branches: list[tuple[str, list[str]]] = []
        while isinstance(node, Split):
            yes, no, question = node.yes, node.no, node.question.text
            if _rank(no) < _rank(yes):
                yes, no, question = no, yes, node.negation
            branches.append((question, self._lines(yes)))
            node = no
        *cases, (_, rest) = node.cases()
        doubt = node.doubt if isinstance(node, Mostly) else ""
        branches += [(text, [self.classes[decision]]) for text, decision in cases]
        lines: list[str] = []
        start = ""
        for question, inner in _merge(branches):
            if len(inner) == 1 and not inner[0].startswith("if "):
                lines.append(f"{start}if {question} then {inner[0]}")
            else:
                lines += [f"{start}if {question}:", *(f"    {line}" for line in inner)]
            start = "else "
        return [*lines, f"{start}{self.classes[rest]}{doubt}"]


def _merge(branches: Sequence[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """The branches; short ones after each other that end alike are one, by ``or``."""
    found: list[tuple[list[str], list[str]]] = []
    for question, inner in branches:
        if found and found[-1][1] == inner and len(inner) == 1:
            texts = [*found[-1][0], question]
            if sum(map(len, texts)) <= _WIDE:
                found[-1] = (texts, inner)
                continue
        found.append(([question], inner))
    return [(t[0] if len(t) == 1 else join("or", t), inner) for t, inner in found]


def _rank(node: Node) -> int:
    """What reads best first: a class, then a concept."""
    return 0 if isinstance(node, Always) else 2 if isinstance(node, Split) else 1


def _leaves(node: Node) -> int:
    return _leaves(node.yes) + _leaves(node.no) if isinstance(node, Split) else 1


def _questions(node: Node) -> int:
    if isinstance(node, Split):
        return 1 + _questions(node.yes) + _questions(node.no)
    match node:
        case Counting():
            return len(node.literals)
        case Valued():
            return len(node.values) - 1
        case Equality():
            return 1
        case _:
            return 0


def decision_tree(
    grid: Grid,
    end: Callable[[Grid], Concept | None],
    *,
    most: int = _LEAVES,
    deadline: float = float("inf"),
) -> Node | None:
    """The tree of a grid, by the question that says most about the class at each place.

    A branch may end with what ``end`` gives: it decides as the grid that it is given, or is None.
    The work is the number of cells times axes for each level.  None if the grid has too many
    cells, there are more than ``most`` ends, or it is later than ``deadline`` of `time.monotonic`.
    """
    if grid.table.size > _MOST_GROWN:
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
    each = [_codes(grid, place, groups) for place, groups in enumerate(chosen)]
    features = (axis.feature for axis in grid.axes)
    codes = dict(zip(features, np.meshgrid(*each, indexing="ij", sparse=True), strict=True))
    own, decided = grid.table[np.ix_(*chosen)], node.decisions(codes)
    return bool(((own == decided) | ~grid.possible[np.ix_(*chosen)]).all())


def _codes(grid: Grid, place: int, groups: Array) -> Array:
    """A code of each of some groups of an axis; the others are decided alike."""
    return np.array([grid.axes[place].groups[k][0] for k in groups.tolist()], dtype=np.int64)


def _question(grid: Grid) -> tuple[int, list[int]]:
    """The axis and its groups that leave the least entropy; thresholds of ordered axes."""
    best, found = np.inf, (0, [0])
    hot = np.stack([grid.table == c for c in np.unique(grid.table[grid.possible])])
    # how many points each cell stands for
    weights: Array = np.ones(())
    for axis in grid.axes:
        weights = np.multiply.outer(weights, np.array([len(group) for group in axis.groups]))
    for place, axis in enumerate(grid.axes):
        others = tuple(k + 1 for k in range(len(grid.axes)) if k != place)
        counts = (hot * weights).sum(axis=others)
        total, groups = counts.sum(axis=1), len(axis.groups)
        ways = [[k] for k in range(groups)]
        if axis.ordered:
            ways = [list(range(k, groups)) for k in range(1, groups)]
        for chosen in ways:
            inside = counts[:, chosen].sum(axis=1)
            left = entropy(inside) + entropy(total - inside)
            if left < best - 1e-9:
                best, found = left, (place, chosen)
    place, chosen = found
    if len(grid.axes[place].groups) == 2 and not grid.axes[place].ordered:
        chosen = [1]
    return place, chosen


def entropy(counts: Array) -> float:
    """The number of points times the entropy of their classes."""
    some = counts[counts > 0]
    return float((some * np.log(some.sum() / some)).sum())

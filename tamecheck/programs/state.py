"""Where a search is: open nodes, tasks and what they lead to, and what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

from tamecheck.programs.branching import Ends, Lesson, Pseudocosts
from tamecheck.programs.certificate import Node
from tamecheck.programs.scaled import Multipliers
from tamecheck.solvers.executors import Planned

Point: TypeAlias = tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """A node that is not explored: its changed bounds, and the multipliers of its parent.

    ``origin`` says what the branching teaches: column, side, distance, and the value before;
    ``basis`` is the parent's, ``known`` the leaf that the node is said to be.
    """

    index: int
    changes: Mapping[int, Ends]
    inherited: Multipliers | None = None
    origin: tuple[int, int, float, float] | None = None
    depth: int = 0
    basis: Any = None
    known: Node | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """Nodes to explore, the first one first, with those below them, and what is known.

    ``value`` is the best point's, ``nodes`` the most to be explored: there are more leaves that are
    known to be closed.
    """

    open: tuple[Open, ...]
    value: Fraction | None
    costs: Pseudocosts
    nodes: int


@dataclass(slots=True)
class Explored:
    """What a task has led to.

    The nodes of the task have the numbers from 0 on here, and their children those after them, in
    the order of the branchings among ``nodes``.  ``open`` are left, the last one is the next.
    """

    nodes: list[tuple[int, Node]] = field(default_factory=list[tuple[int, Node]])
    open: list[Open] = field(default_factory=list[Open])
    points: list[Point] = field(default_factory=list[Point])
    lessons: list[Lesson] = field(default_factory=list[Lesson])
    explored: int = 0
    iterations: int = 0
    """Of the simplex method."""
    ray: Point | None = None
    """Of the relaxation, along which the objective decreases without end."""
    anywhere: Multipliers | None = None
    """Of the root, which prove a bound at every node."""
    stuck: bool = False
    """Whether the next open node can neither be closed nor branched."""
    long: bool = False
    """Whether a point has numbers that no certificate holds."""


class Stack(NamedTuple):
    """Open nodes, of which the top one is the next."""

    top: Open
    rest: Stack | None


@dataclass(frozen=True, slots=True)
class State:
    """Where a search is: one assignment leads to the next state, so no interrupt leaves half of it.

    Of the search's list of closed and branched nodes the first ``written`` count; ``numbered``
    nodes have a number.
    """

    open: Stack | None
    planned: tuple[Planned[Task], ...] = ()
    numbered: int = 1
    written: int = 0
    point: Point | None = None
    value: Fraction | None = None
    explored: int = 0
    iterations: int = 0
    ray: Point | None = None
    anywhere: Multipliers | None = None
    """Multipliers of the root, which prove a bound at every node."""
    begun: bool = False


def push(stack: Stack | None, nodes: Sequence[Open]) -> Stack | None:
    """The stack with nodes on top of it, the last one uppermost."""
    for node in nodes:
        stack = Stack(node, stack)
    return stack

"""Where a search is: the nodes that are open, the tasks that are planned, and what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from tamecheck.programs.explore import Open, Point, Task
from tamecheck.programs.scaled import Multipliers
from tamecheck.solvers.executors import Planned


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

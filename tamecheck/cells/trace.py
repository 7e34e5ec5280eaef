"""Exact forms on one cell, computed only when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tamecheck.cells.decisions import Deciding, combined
from tamecheck.cells.exact_forms import ExactForms
from tamecheck.cells.hyperplanes import ExactRow
from tamecheck.cells.steps import (
    Extreme,
    Order,
    Pick,
    Pieces,
    Round,
    Step,
    args_of,
    linear,
    questions,
)
from tamecheck.ir.tensor import Array

__all__ = ["Branch", "Trace", "deciding"]


def deciding(step: Step) -> Deciding | None:
    """The step, if it divides cells."""
    match step:
        case Pieces(terms=terms):
            return step if terms else None
        case Extreme() | Round() | Order() | Pick():
            return step
        case _:
            return None


@dataclass(slots=True, eq=False)
class Branch:
    """The decisions at one node, after those of its parent at earlier nodes."""

    node: int
    decided: Array | None
    parent: Branch | None
    values: dict[int, ExactForms] = field(default_factory=dict[int, ExactForms])

    def before(self, node: int) -> Branch:
        """The last decisions at nodes up to this one."""
        found = self
        while found.node > node and found.parent is not None:
            found = found.parent
        return found

    def chain(self) -> list[Branch]:
        """All decisions from the first on."""
        found: list[Branch] = []
        branch: Branch | None = self
        while branch is not None:
            found.append(branch)
            branch = branch.parent
        return found[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Exact forms of nodes, given decisions.

    Parameters
    ----------
    steps
        The steps of the graph.
    entries
        The exact forms of all inputs in one row.
    """

    steps: Mapping[int, Step]
    entries: ExactForms

    def forms(self, branch: Branch, node: int) -> ExactForms:
        """The forms of a node on a cell."""
        pending = [node]
        while pending:
            current = pending[-1]
            home = branch.before(current)
            if current in home.values:
                pending.pop()
                continue
            step = self.steps[current]
            missing = [arg for arg in args_of(step) if arg not in branch.before(arg).values]
            if missing:
                pending += missing
                continue
            args = [branch.before(arg).values[arg] for arg in args_of(step)]
            home.values[current] = self._value(step, args, home)
            pending.pop()
        return branch.before(node).values[node]

    def _value(self, step: Step, args: list[ExactForms], home: Branch) -> ExactForms:
        match step:
            case Pieces(terms=()):
                return combined(step, args, np.zeros((1, 0), dtype=np.int8))
            case Pieces() | Extreme() | Round() | Order() | Pick():
                decided = home.decided
                return combined(step, args, np.zeros((1, 0)) if decided is None else decided[None])
            case _:
                return linear(step, args, self.entries)

    def question(self, branch: Branch, node: int, column: int) -> ExactRow:
        """The form on which a node's decision number ``column`` depends.

        Parameters
        ----------
        branch
            The decisions at earlier nodes.
        """
        key = -1 - node
        rows = branch.values.get(key)
        if rows is None:
            step = deciding(self.steps[node])
            if step is None:
                return ()
            args = [self.forms(branch, arg) for arg in args_of(step)]
            rows = questions(step, args)
            branch.values[key] = rows
        return tuple(rows.value[0, :, column].tolist())

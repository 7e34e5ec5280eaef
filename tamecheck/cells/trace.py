"""Exact forms on one cell, computed only when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tamecheck.cells.forms import Forms
from tamecheck.cells.polytope import ExactRow
from tamecheck.cells.steps import INPUTS, NONE, Step, deciding
from tamecheck.ir.tensor import Array

_QUESTIONS = -2
"""The questions of node k are kept with the forms, under this number less k."""


@dataclass(slots=True, eq=False)
class Branch:
    """The decisions at one node, after those of its parent at earlier nodes."""

    node: int
    decided: Array | None
    parent: Branch | None
    values: dict[int, Forms] = field(default_factory=dict[int, Forms])

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
    """Exact forms of nodes, given decisions: those of the steps, from those of all inputs."""

    steps: Mapping[int, Step]
    entries: Forms

    def _found(self, branch: Branch, node: int) -> Forms | None:
        return self.entries if node == INPUTS else branch.before(node).values.get(node)

    def forms(self, branch: Branch, node: int) -> Forms:
        """The forms of a node on a cell."""
        pending = [node]
        while True:
            current = pending[-1]
            found = self._found(branch, current)
            if found is not None:
                pending.pop()
                if not pending:
                    return found
                continue
            step, home = self.steps[current], branch.before(current)
            args = [self._found(branch, arg) for arg in step.args]
            ready = [arg for arg in args if arg is not None]
            if len(ready) < len(args):
                pending += [a for a, form in zip(step.args, args, strict=True) if form is None]
                continue
            mine = home.decided if deciding(step) is not None else None
            decided = NONE if mine is None else mine[None]
            home.values[current] = step.value(ready, decided)

    def question(self, branch: Branch, node: int, column: int) -> ExactRow:
        """The form of decision ``column`` at a node, given the decisions at earlier nodes."""
        key = _QUESTIONS - node
        rows = branch.values.get(key)
        if rows is None:
            step = deciding(self.steps[node])
            if step is None:
                return ()
            rows = step.questions([self.forms(branch, arg) for arg in step.args])
            branch.values[key] = rows
        return tuple(rows.value[0, :, column].tolist())

"""Decision trees as nested selections, all of them together, a level at a time from the leaves up.

A node's numbers are those of its first child where its test holds, else those of its second.  So
the graph has a few nodes a level, and stays semilinear where the tests are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError
from tamecheck.ir.tensor import Array, Shape
from tamecheck.loaders.folding import narrow
from tamecheck.loaders.kinds import FLOAT
from tamecheck.loaders.values import Emitter, Value, concat


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Binary trees, whose inner nodes are numbered; a negative place is leaf ``-1 - place``."""

    roots: Sequence[int]
    children: Mapping[int, tuple[int, int]]
    """Where an inner node goes if its test holds, and where if not."""
    leaves: Array
    """A row of numbers a leaf."""

    def evaluate(
        self, emitter: Emitter, tests: Callable[[Sequence[int]], Value], rows: Shape = ()
    ) -> Value:
        """The numbers of each tree, ``(*rows, trees, numbers)``.

        Parameters
        ----------
        emitter
            The graph being built.
        tests
            Whether each of some inner nodes goes to its first child, ``(*rows, nodes)``.
        rows
            The axes of what is tested, in front.

        Raises
        ------
        InputError
            If these are no trees.
        """
        axis, below = len(rows), None
        for level in reversed(self._levels()):
            inner = [place for place in level if place >= 0]
            leaves = [-1 - place for place in level if place < 0]
            parts: list[Value] = []
            if inner and below is not None:
                left, right = (below.take(np.arange(len(inner)) * 2 + i, axis) for i in (0, 1))
                holds = tests(inner)
                column = holds.reshape((*holds.shape, 1))
                parts.append(column.apply(ops.SELECT, left, right, label="branch", kind=FLOAT))
            if leaves:
                if max(leaves) >= len(self.leaves):
                    raise InputError("A leaf of a tree is missing.")
                chosen = self.leaves[leaves]
                exact = narrow(chosen) if chosen.dtype == object else chosen
                constant = emitter.constant(exact, FLOAT)
                parts.append(constant.broadcast((*rows, *constant.shape)))
            joined = concat(parts, axis)
            # inner nodes stand before leaves there
            order = np.argsort(np.argsort([place < 0 for place in level], kind="stable"))
            moved = bool((order != np.arange(len(order))).any())
            below = joined.take(order, axis) if moved else joined
        if below is None:
            raise InputError("There is no tree.")
        return below

    def _levels(self) -> list[list[int]]:
        """The places at each depth; each inner node has one parent at most."""
        levels, current, seen = [list(self.roots)], list(self.roots), set[int]()
        while any(place >= 0 for place in current):
            inner = [place for place in current if place >= 0]
            if seen.intersection(inner) or len(set(inner)) < len(inner):
                raise InputError("A node of a tree has two parents.")
            seen.update(inner)
            missing = [place for place in inner if place not in self.children]
            if missing:
                raise InputError(f"There is no node {missing[0]} in the trees.")
            current = [child for place in inner for child in self.children[place]]
            levels.append(current)
        if len(seen) < len(self.children):
            raise InputError("A node of a tree cannot be reached from its root.")
        return levels

"""The search for all cells: cell by cell through the graph, in batches."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tamecheck.cells.decisions import Deciding, combined, divided
from tamecheck.cells.forms import FloatForms, NonlinearError
from tamecheck.cells.hyperplanes import ExactRow, Hyperplanes
from tamecheck.cells.polytope import Polytope, Table
from tamecheck.cells.solid import is_solid, solids
from tamecheck.cells.steps import (
    Entry,
    Fixed,
    Move,
    Pieces,
    Product,
    Step,
    Total,
    args_of,
    linear,
    questions,
)
from tamecheck.cells.trace import Branch, Trace, deciding
from tamecheck.cells.work import Work
from tamecheck.errors import UnsupportedError
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array

__all__ = ["Search", "TimeUpError"]

_BATCH = 512
"""So many cells at most go through the graph together."""

_PAIRS = 1 << 20
"""And so many pairs of vertices of these cells: in high dimension a few are work enough."""


class TimeUpError(Exception):
    """The deadline has come before the end of the search."""


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Cells that have come equally far: their polytopes, decisions, and the forms still needed."""

    polytopes: list[Polytope]
    branches: list[Branch]
    forms: dict[int, FloatForms]


@dataclass(frozen=True, slots=True, eq=False)
class _Fork:
    """A batch before a deciding step."""

    step: Deciding
    node: int
    args: list[FloatForms]
    forms: dict[int, FloatForms]
    batch: _Batch


_Part: TypeAlias = tuple[int, Polytope, Array]
"""The number of a cell in its batch, a part of it, and the decisions there."""


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """The steps of a graph, and the records that the search fills.

    Parameters
    ----------
    graph, steps
        The graph, and its steps.
    trace
        Exact forms.
    planes
        The hyperplanes found so far.
    entries
        The float forms of all inputs in one row.
    lower
        Whether cells of lower dimension count, where the function jumps.
    least
        Parts of a smaller dimension are left out.
    deadline
        When to stop, on the clock of `time.monotonic`.
    """

    graph: Graph
    steps: Mapping[int, Step]
    trace: Trace
    planes: Hyperplanes
    entries: FloatForms
    lower: bool
    least: int = 0
    deadline: float = math.inf

    def run(self, start: Polytope) -> Iterator[tuple[Polytope, Branch]]:
        """All cells in a polytope, one after the other.

        Raises
        ------
        TimeUpError
            At the deadline.
        """
        root = Branch(-1, None, None)
        order = list(self.steps)
        yield from self._through(order, _Batch([start], [root], {}))

    def _through(self, order: Sequence[int], batch: _Batch) -> Iterator[tuple[Polytope, Branch]]:
        forms = dict(batch.forms)
        for position, node in enumerate(order):
            step = self.steps[node]
            args = [forms[arg] for arg in args_of(step)]
            try:
                decides = deciding(step)
                if decides is None:
                    forms[node] = self._undivided(step, args)
                    self._dropped(forms, order[position + 1 :], args_of(step))
                    continue
                rest = order[position + 1 :]
                fork = _Fork(decides, node, args, forms, batch)
                yield from self._onward(fork, rest, self._divided(fork))
            except NonlinearError:
                raise self._unsupported(node) from None
            return
        yield from zip(batch.polytopes, batch.branches, strict=True)

    def _undivided(self, step: Step, args: list[FloatForms]) -> FloatForms:
        match step:
            case Pieces():
                return combined(step, args, np.zeros((1, 0), dtype=np.int8))
            case Entry() | Fixed() | Move() | Product() | Total():
                return linear(step, args, self.entries)
            case _:
                raise NonlinearError

    def _dropped(
        self, forms: dict[int, FloatForms], rest: Sequence[int], used: Sequence[int]
    ) -> None:
        """Forget forms that no later step reads."""
        for arg in set(used):
            if not any(arg in args_of(self.steps[later]) for later in rest):
                del forms[arg]

    def _divided(self, at: _Fork) -> Iterator[_Part]:
        batch = at.batch
        asked = questions(at.step, at.args).spread(len(batch.polytopes))
        tables = [
            self._table(at.node, branch, asked, number)
            for number, branch in enumerate(batch.branches)
        ]
        for some in self._parts(at.step, batch.polytopes, tables):
            if time.monotonic() > self.deadline:
                raise TimeUpError
            yield from (found for found in some if found[1].dim >= self.least)

    def _parts(
        self, step: Deciding, polytopes: Sequence[Polytope], tables: Sequence[Table]
    ) -> Iterator[Sequence[_Part]]:
        """The parts of all polytopes, some at a time; there may be none in a long time."""
        by_signs = isinstance(step, Pieces) and not (step.jump and self.lower)
        solid = [by_signs and is_solid(polytope) for polytope in polytopes]
        numbers = [number for number, is_ in enumerate(solid) if is_]
        if numbers:
            cut = solids([polytopes[k] for k in numbers], [tables[k] for k in numbers])
            for some in cut:
                yield [(numbers[k], part, decided) for k, part, decided in some]
        for number, (polytope, table) in enumerate(zip(polytopes, tables, strict=True)):
            if not solid[number]:
                found = divided(step, Work.start(polytope, table), lower=self.lower)
                yield from ([(number, part.polytope, decided)] for part, decided in found)

    def _table(self, node: int, branch: Branch, asked: FloatForms, number: int) -> Table:
        def exact(column: int) -> ExactRow:
            return self.trace.question(branch, node, column)

        return Table(self.planes, asked.value[number], asked.error[number], exact)

    def _onward(
        self, at: _Fork, rest: Sequence[int], leaves: Iterator[_Part]
    ) -> Iterator[tuple[Polytope, Branch]]:
        """The cells in the parts that a step makes, a batch of parts at a time."""
        found: list[_Part] = []
        pairs = 0
        for leaf in leaves:
            found.append(leaf)
            pairs += len(leaf[1].rows) ** 2
            if len(found) == _BATCH or pairs > _PAIRS:
                yield from self._through(rest, self._next(at, rest, found))
                found, pairs = [], 0
        if found:
            yield from self._through(rest, self._next(at, rest, found))

    def _next(self, at: _Fork, rest: Sequence[int], found: Sequence[_Part]) -> _Batch:
        needed = {arg for later in rest for arg in args_of(self.steps[later])}
        parents = np.array([number for number, _, _ in found], dtype=np.int64)
        forms = {arg: _selected(f, parents) for arg, f in at.forms.items() if arg in needed}
        if at.node in needed:
            own = [_selected(arg, parents) for arg in at.args]
            forms[at.node] = combined(at.step, own, np.array([d for _, _, d in found]))
        branches = [Branch(at.node, d, at.batch.branches[number]) for number, _, d in found]
        return _Batch([polytope for _, polytope, _ in found], branches, forms)

    def _unsupported(self, node: int) -> UnsupportedError:
        name = self.graph.name_of(node)
        return UnsupportedError(
            "Cells are computed for piecewise linear models only.",
            nodes=[(name, "is not affine on some cell")],
        )


def _selected(forms: FloatForms, parents: Array) -> FloatForms:
    """The forms of the cells' parents; what is the same for all cells stays one row."""
    return forms if forms.value.shape[0] == 1 else forms.rows(parents)

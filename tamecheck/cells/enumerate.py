"""The search for all cells: cell by cell through the graph, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tamecheck.budget import Budget
from tamecheck.cells.cut import cut_all, is_solid
from tamecheck.cells.decisions import divide
from tamecheck.cells.forms import FloatForms, NonlinearError
from tamecheck.cells.polytope import ExactRow, Hyperplanes, Polytope, Table
from tamecheck.cells.steps import INPUTS, NONE, Deciding, Pieces, Step, deciding
from tamecheck.cells.trace import Branch, Trace
from tamecheck.cells.work import Work
from tamecheck.errors import UnsupportedError
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array

__all__ = ["Search"]

_BATCH = 512
"""So many cells at most go through the graph together."""

_PAIRS = 1 << 20
"""And so many pairs of vertices of these cells: in high dimension a few are work enough."""


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

    With ``lower`` cells of lower dimension count, where the function jumps; parts of a smaller
    dimension than ``least`` are left out.
    """

    graph: Graph
    steps: Mapping[int, Step]
    trace: Trace
    planes: Hyperplanes
    entries: FloatForms
    lower: bool
    budget: Budget
    least: int = 0

    def run(self, start: Polytope) -> Iterator[tuple[Polytope, Branch]]:
        """All cells in a polytope, one after the other; `TimeLimitError` once time is up."""
        forms = {INPUTS: self.entries}
        yield from self._through(list(self.steps), _Batch([start], [Branch(-1, None, None)], forms))

    def _through(self, order: Sequence[int], batch: _Batch) -> Iterator[tuple[Polytope, Branch]]:
        forms = dict(batch.forms)
        for position, node in enumerate(order):
            step, rest = self.steps[node], order[position + 1 :]
            args = [forms[arg] for arg in step.args]
            try:
                decides = deciding(step)
                if decides is None:
                    forms[node] = step.value(args, NONE)
                    needed = self._needed(rest)
                    forms = {arg: form for arg, form in forms.items() if arg in needed}
                    continue
                fork = _Fork(decides, node, args, forms, batch)
                yield from self._onward(fork, rest, self._divided(fork))
            except NonlinearError:
                raise UnsupportedError(
                    "Cells are computed for piecewise linear models only.",
                    nodes=[(self.graph.name_of(node), "is not affine on some cell")],
                ) from None
            return
        yield from zip(batch.polytopes, batch.branches, strict=True)

    def _needed(self, rest: Sequence[int]) -> set[int]:
        return {arg for later in rest for arg in self.steps[later].args}

    def _divided(self, at: _Fork) -> Iterator[_Part]:
        batch = at.batch
        asked = at.step.questions(at.args).spread(len(batch.polytopes))
        tables = [
            self._table(at.node, branch, asked, number)
            for number, branch in enumerate(batch.branches)
        ]
        for some in self._parts(at.step, batch.polytopes, tables):
            self.budget.check()
            yield from (found for found in some if found[1].dim >= self.least)

    def _parts(
        self, step: Deciding, polytopes: Sequence[Polytope], tables: Sequence[Table]
    ) -> Iterator[Sequence[_Part]]:
        """The parts of all polytopes, some at a time; there may be none in a long time."""
        by_signs = isinstance(step, Pieces) and not (step.jump and self.lower)
        solid = [by_signs and is_solid(polytope) for polytope in polytopes]
        numbers = [number for number, is_ in enumerate(solid) if is_]
        if numbers:
            cut = cut_all([polytopes[k] for k in numbers], [tables[k] for k in numbers])
            for some in cut:
                yield [(numbers[k], part, decided) for k, part, decided in some]
        for number, (polytope, table) in enumerate(zip(polytopes, tables, strict=True)):
            if not solid[number]:
                found = divide(step, Work.start(polytope, table), lower=self.lower)
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
        needed = self._needed(rest)
        parents = np.array([number for number, _, _ in found], dtype=np.int64)
        forms = {arg: _selected(f, parents) for arg, f in at.forms.items() if arg in needed}
        if at.node in needed:
            own = [_selected(arg, parents) for arg in at.args]
            forms[at.node] = at.step.value(own, np.array([d for _, _, d in found]))
        branches = [Branch(at.node, d, at.batch.branches[number]) for number, _, d in found]
        return _Batch([polytope for _, polytope, _ in found], branches, forms)


def _selected(forms: FloatForms, parents: Array) -> FloatForms:
    """The forms of the cells' parents; what is the same for all cells stays one row."""
    return forms if forms.value.shape[0] == 1 else forms.rows(parents)

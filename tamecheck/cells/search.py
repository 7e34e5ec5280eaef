"""`cells`: from a graph and a box to its complex, cell by cell through the graph, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from tamecheck.budget import Budget
from tamecheck.cells.complex import Cell, Complex
from tamecheck.cells.cut import cut_all, is_solid
from tamecheck.cells.decisions import divide
from tamecheck.cells.forms import Forms, NonlinearError
from tamecheck.cells.polytope import ExactRow, Hyperplanes, Polytope, Table, box_polytope
from tamecheck.cells.reading import steps_of
from tamecheck.cells.slices import Slice, slice_of_box
from tamecheck.cells.steps import INPUTS, NONE, Deciding, Pieces, Round, Step, deciding
from tamecheck.cells.trace import Branch, Trace
from tamecheck.cells.work import Work
from tamecheck.errors import InputError, TimeLimitError, UnsupportedError
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.tensor import Array

DEFAULT_LIMIT = 200_000
"""Cells after which the search stops, unless another limit is given."""

_MAX_DIMENSION = 10


def cells(  # noqa: PLR0913 the last three have defaults that suit most
    graph: Graph,
    box: Box | None = None,
    *,
    slice_: Slice | None = None,
    limit: int = DEFAULT_LIMIT,
    lower: bool = True,
    timeout: float | None = None,
) -> Complex:
    """The cells of a piecewise linear function on a box: exact, and all of them.

    Every cell of full dimension is the closure of the points with one activation pattern.  Where
    an op jumps, the points on the jump are cells of lower dimension with a value of their own.

    Parameters
    ----------
    graph
        The function.
    box
        A bounded box; inputs that it fixes are no coordinates.
    slice_
        An affine slice instead of a box.
    limit
        Stop after so many cells, with `Complex.complete` false.  Cells of full dimension come
        first: those of lower dimension have what is left of the limit.
    lower
        Whether to look for cells of lower dimension.
    timeout
        Stop after so many seconds, with `Complex.complete` false.

    Raises
    ------
    UnsupportedError
        Listing every node that is not piecewise linear.
    InputError
        If the box is unbounded, or has more than 10 sides of positive width.

    Examples
    --------
    >>> from tamecheck.loaders.text.expression import parse_expression
    >>> from tamecheck.ir.box import Box
    >>> graph = parse_expression("abs(x) + abs(y)").graph
    >>> found = cells(graph, Box.uniform(["x", "y"], Fraction(-1), Fraction(1)))
    >>> found.count, found.volume
    (4, Fraction(4, 1))
    """
    chart = slice_ if slice_ is not None else slice_of_box(graph.inputs, box or Box.everything())
    size = len(chart.bounds)
    if size > _MAX_DIMENSION:
        raise InputError(
            f"The box has {size} sides of positive width; cells are computed for at most "
            f"{_MAX_DIMENSION}.",
            hint="Fix some inputs in --box (x[3]=1/2), or cut a plane with --slice.",
        )
    steps = steps_of(graph)
    exact = chart.forms()
    trace = Trace(steps, exact)
    planes = Hyperplanes(size)
    lower = lower and any(_jumps(step) for step in steps.values())
    whole = Budget.of(timeout)
    # a second search, for the cells of full dimension, needs time too
    budget = whole.part(whole.seconds / 2) if lower else whole
    floats = Forms.near(exact)
    search = Search(graph, steps, trace, planes, floats, lower=lower, budget=budget)
    start = box_polytope(planes, chart.bounds)

    def found_by(search: Search) -> tuple[list[Cell], list[Cell], bool]:
        made = (
            Cell(shape, branch, planes, trace, graph.output_nodes)
            for shape, branch in search.run(start)
        )
        return _collect(made, size, limit)

    full, thin, complete = found_by(search)
    if not complete and thin and len(full) < limit:
        # cells of full dimension come first; the others have what they leave of the limit
        more, _, _ = found_by(replace(search, least=size, budget=whole))
        full = max(more, full, key=len)
        thin = thin[: limit - len(full)]
    outputs = {name: graph.nodes[node].shape for name, node in graph.outputs}
    return Complex(tuple(full), outputs, chart, tuple(thin), complete)


def _collect(cells: Iterator[Cell], size: int, limit: int) -> tuple[list[Cell], list[Cell], bool]:
    """The cells of dimension ``size``, the others, and whether these are all: up to a limit."""
    full: list[Cell] = []
    thin: dict[frozenset[tuple[str, ...]], Cell] = {}
    try:
        for cell in cells:
            if len(full) + len(thin) >= limit:
                return full, list(thin.values()), False
            if cell.dimension == size:
                full.append(cell)
            else:
                # two closed cells may both meet the same face of a jump
                key = frozenset(tuple(map(str, point)) for point in cell.exact_vertices)
                thin.setdefault(key, cell)
    except TimeLimitError:
        return full, list(thin.values()), False
    return full, list(thin.values()), True


def _jumps(step: Step) -> bool:
    return isinstance(step, Round) or (isinstance(step, Pieces) and step.jump)


_BATCH = 512
"""So many cells at most go through the graph together."""

_PAIRS = 1 << 20
"""And so many pairs of vertices of these cells: in high dimension a few are work enough."""


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Cells that have come equally far: their polytopes, decisions, and the forms still needed."""

    polytopes: list[Polytope]
    branches: list[Branch]
    forms: dict[int, Forms]


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
    entries: Forms
    lower: bool
    budget: Budget
    least: int = 0

    def run(self, start: Polytope) -> Iterator[tuple[Polytope, Branch]]:
        """All cells in a polytope, one after the other; `TimeLimitError` once time is up."""
        forms = {INPUTS: self.entries}
        yield from self._through(list(self.steps), _Batch([start], [Branch(-1, None, None)], forms))

    def _through(self, order: Sequence[int], batch: _Batch) -> Iterator[tuple[Polytope, Branch]]:
        forms = dict(batch.forms)
        last = {arg: node for node in order for arg in self.steps[node].args}
        for position, node in enumerate(order):
            step = self.steps[node]
            args = [forms[arg] for arg in step.args]
            try:
                decides = deciding(step)
                if decides is not None:
                    kept = {arg: form for arg, form in forms.items() if last.get(arg, node) > node}
                    for some in _together(self._divide(decides, node, args, batch)):
                        parents = np.array([number for number, _, _ in some], dtype=np.int64)
                        own = {arg: _select(form, parents) for arg, form in kept.items()}
                        if node in last:
                            chosen = [_select(arg, parents) for arg in args]
                            own[node] = decides.value(chosen, np.array([d for _, _, d in some]))
                        branches = [Branch(node, d, batch.branches[k]) for k, _, d in some]
                        polytopes = [polytope for _, polytope, _ in some]
                        following = _Batch(polytopes, branches, own)
                        yield from self._through(order[position + 1 :], following)
                    return
                forms[node] = step.value(args, NONE)
            except NonlinearError:
                raise UnsupportedError(
                    "Cells are computed for piecewise linear models only.",
                    nodes=[(self.graph.name_of(node), "is not affine on some cell")],
                ) from None
            for arg in set(step.args):
                if last[arg] == node:
                    del forms[arg]
        yield from zip(batch.polytopes, batch.branches, strict=True)

    def _divide(
        self, step: Deciding, node: int, args: list[Forms], batch: _Batch
    ) -> Iterator[_Part]:
        value, error = step.questions(args).spread(len(batch.polytopes)).arrays
        tables = [
            self._table(node, branch, value[k], error[k]) for k, branch in enumerate(batch.branches)
        ]
        for some in self._parts(step, batch.polytopes, tables):
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

    def _table(self, node: int, branch: Branch, value: Array, error: Array) -> Table:
        def exact(column: int) -> ExactRow:
            return self.trace.question(branch, node, column)

        return Table(self.planes, value, error, exact)


def _together(parts: Iterator[_Part]) -> Iterator[list[_Part]]:
    """As many parts as go through the graph together."""
    found: list[_Part] = []
    pairs = 0
    for part in parts:
        found.append(part)
        pairs += len(part[1].rows) ** 2
        if len(found) == _BATCH or pairs > _PAIRS:
            yield found
            found, pairs = [], 0
    if found:
        yield found


def _select(forms: Forms, parents: Array) -> Forms:
    """The forms of the cells' parents; what is the same for all cells stays one row."""
    return forms if forms.value.shape[0] == 1 else forms.rows(parents)

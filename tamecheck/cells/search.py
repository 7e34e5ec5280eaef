"""`cells`: from a graph and a box to its complex."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tamecheck.budget import Budget
from tamecheck.cells.complex import Cell, Complex
from tamecheck.cells.enumerate import Search
from tamecheck.cells.forms import Forms
from tamecheck.cells.polytope import Hyperplanes, box_polytope
from tamecheck.cells.reading import steps_of
from tamecheck.cells.slices import Slice, slice_of_box
from tamecheck.cells.steps import Pieces, Round, Step
from tamecheck.cells.trace import Trace
from tamecheck.errors import InputError, TimeLimitError
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph

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

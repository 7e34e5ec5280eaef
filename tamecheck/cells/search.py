"""`cells`: from a graph and a box to its complex."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
from flint import fmpq

from tamecheck.cells.complex import Cell, Complex
from tamecheck.cells.enumerate import Search, TimeUpError
from tamecheck.cells.exact_forms import ExactForms
from tamecheck.cells.forms import EPSILON, FloatForms
from tamecheck.cells.hyperplanes import Hyperplanes
from tamecheck.cells.polytope import box_polytope
from tamecheck.cells.slices import Slice, slice_of_box
from tamecheck.cells.steps import Pieces, Round, Step, steps_of
from tamecheck.cells.trace import Trace
from tamecheck.errors import InputError
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.exact.reals import as_number
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Graph

__all__ = ["DEFAULT_LIMIT", "cells"]

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
    exact, floats = _entries(chart)
    trace = Trace(steps, exact)
    planes = Hyperplanes(size)
    jumps = any(_jumps(step) for step in steps.values())
    begun = time.monotonic()
    deadline = math.inf if timeout is None else begun + timeout
    # a second search, for the cells of full dimension, needs time too
    half = begun + (deadline - begun) / 2 if jumps and lower else deadline
    search = Search(graph, steps, trace, planes, floats, lower=lower and jumps, deadline=half)
    outputs = tuple(node for _, node in graph.outputs)
    start = box_polytope(planes, chart.bounds)

    def found_by(search: Search) -> tuple[list[Cell], list[Cell], bool]:
        made = (Cell(shape, branch, planes, trace, outputs) for shape, branch in search.run(start))
        return _collected(made, size, limit)

    full, thin, complete = found_by(search)
    if not complete and thin and len(full) < limit:
        # cells of full dimension come first; the others have what they leave of the limit
        more, _, _ = found_by(replace(search, least=size, deadline=deadline))
        full = max(more, full, key=len)
        thin = thin[: limit - len(full)]
    return Complex(
        tuple(full),
        tuple(thin),
        complete,
        size,
        chart.names,
        {name: graph.nodes[node].shape for name, node in graph.outputs},
        chart,
    )


def _collected(cells: Iterator[Cell], size: int, limit: int) -> tuple[list[Cell], list[Cell], bool]:
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
    except TimeUpError:
        return full, list(thin.values()), False
    return full, list(thin.values()), True


def _jumps(step: Step) -> bool:
    return isinstance(step, Round) or (isinstance(step, Pieces) and step.jump)


def _entries(chart: Slice) -> tuple[ExactForms, FloatForms]:
    """The forms of all input elements in the coordinates of a slice."""
    size, count = len(chart.bounds), len(chart.origin)
    exact = np.full((1, size + 1, count), fmpq(0), dtype=object)
    value = np.zeros((1, size + 1, count))
    error = np.zeros_like(value)
    for index, (row, last) in enumerate(zip(chart.matrix, chart.origin, strict=True)):
        for axis, entry in enumerate((*row, last)):
            near = nearest_float(entry)
            if math.isinf(near):
                raise InputError("The box has a bound beyond float64.", hint="Give a smaller box.")
            exact[0, axis, index] = as_number(entry)
            value[0, axis, index] = near
            if Fraction(near) != entry:
                error[0, axis, index] = abs(near) * EPSILON + 1e-300
    return ExactForms(exact), FloatForms(value, error)

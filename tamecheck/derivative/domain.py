"""Rows of a float batch at which an op has no value, or floats give no derivative."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from flint import arb

from tamecheck.derivative.chainrule import chain_rule
from tamecheck.derivative.explore import NotLipschitzAt
from tamecheck.derivative.jacobian import exact_point, known_values
from tamecheck.derivative.reverse import output_matrix
from tamecheck.errors import DomainError, TamecheckError
from tamecheck.evaluate.float_terms import condition_floats
from tamecheck.evaluate.floats import outside
from tamecheck.evaluate.walk import site_of
from tamecheck.exact.arrays import pad_rank
from tamecheck.exact.reals import UndecidedError, working_precision
from tamecheck.ir.formula import TRUE
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Pointwise
from tamecheck.ir.tensor import Array

__all__ = ["exact_row", "first_outside", "outside_rows"]

_BITS = 128


def outside_rows(graph: Graph, values: Mapping[int, Array], count: int) -> Array:
    """Whether each of the rows is outside the domain of an op.

    Parameters
    ----------
    graph
        A graph without compound ops.
    values
        For each node an array of shape ``(rows, 1, *shape)``, or ``(1, 1, *shape)``.
    count
        The number of rows.
    """
    found = np.zeros(count, dtype=bool)
    for index in graph.ancestors([node for _, node in graph.outputs]):
        inside = _inside(graph, index, values)
        if inside is not None:
            found |= ~inside.reshape((len(inside), -1)).all(axis=1)
    return found


def first_outside(graph: Graph, values: Mapping[int, Array], row: int) -> DomainError:
    """The error that names the first op without a value at a row."""
    for index in graph.ancestors([node for _, node in graph.outputs]):
        inside, node = _inside(graph, index, values), graph.nodes[index]
        if inside is None or not isinstance(node, Apply):
            continue
        here = inside[min(row, len(inside) - 1), 0]
        if not here.all():
            args = [values[arg][min(row, len(values[arg]) - 1), 0] for arg in node.args]
            at = int(np.argmin(np.broadcast_to(here, node.shape)))
            error = outside(site_of(graph, index, node), args, at)
            return DomainError(f"Row {row}: {error.what}", where=error.where)
    return DomainError(f"There is no value at row {row}.")


def _inside(graph: Graph, index: int, values: Mapping[int, Array]) -> Array | None:
    """Whether the arguments of a node are in its domain; None for an op without one."""
    node = graph.nodes[index]
    if not isinstance(node, Apply) or not isinstance(node.op.meaning, Pointwise):
        return None
    domain = node.op.meaning.domain(node.params)
    if domain == TRUE:
        return None
    wide = [pad_rank(values[arg], len(node.shape)) for arg in node.args]
    with np.errstate(all="ignore"):
        return np.asarray(condition_floats(domain, wide))


def exact_row(graph: Graph, row: Array, number: int) -> Array:
    """One row's Jacobian by exact numbers, where floats have infinities that cancel.

    Raises
    ------
    DomainError
        If there is none.
    """
    why = "it is too large, or hinges on a number that is 0 up to rounding"
    try:
        with working_precision(_BITS):
            point = exact_point(graph, row.tolist())
            rule = chain_rule(graph, known_values(graph, point))
            matrix = output_matrix(graph, rule.conventional())
            found = np.array([[float(arb(a)) for a in line] for line in matrix])
    except NotLipschitzAt as sharp:
        why = f"the last op of {sharp.where} is not Lipschitz at what it is given"
    except (UndecidedError, TamecheckError, OverflowError):
        pass
    else:
        if np.isfinite(found).all():
            return found
    raise DomainError(f"The derivative at row {number} is no finite number: {why}.")

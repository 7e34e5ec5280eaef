"""Values and Jacobians over a box of balls, kinks inside the box included.

Where a ball does not tell on which side of a kink of a continuous op it lies, the derivative is a
ball about those of all pieces.  The matrix then contains the Clarke Jacobian of every point of the
box, and by Lebourg's mean value theorem ``F(x) - F(m)`` is in it times ``x - m``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tamecheck.derivative.explore import points_of
from tamecheck.derivative.jacobian import known_values
from tamecheck.derivative.kinks import (
    NotLipschitzError,
    Site,
    partials_over,
    pointwise_alternatives,
)
from tamecheck.derivative.reverse import (
    Local,
    Moved,
    linear_local,
    output_matrix,
    scaled,
    tied_groups,
)
from tamecheck.errors import TamecheckError
from tamecheck.evaluate.exact import op_exact
from tamecheck.evaluate.walk import site_of
from tamecheck.exact.arrays import objects
from tamecheck.exact.hull import Matrix
from tamecheck.exact.reals import Number, UndecidedError, hull
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Fold, Pointwise
from tamecheck.ir.tensor import Array

__all__ = ["enclosed"]


def enclosed(graph: Graph, point: Mapping[str, Array]) -> tuple[tuple[Number, ...], Matrix] | None:
    """The outputs and the Jacobian of a lowered graph over a box, or None where they are open.

    Parameters
    ----------
    point
        For each input an array of ``fmpq`` and ``arb``.
    """
    values = known_values(graph, point)
    locals_: dict[int, Local] = {}
    roots = [node for _, node in graph.outputs]
    try:
        for index in graph.ancestors(roots):
            node = graph.nodes[index]
            if isinstance(node, Apply):
                args = [values[arg] for arg in node.args]
                values[index] = objects(op_exact(site_of(graph, index, node), args))
                locals_[index] = _local(graph, node, args)
    except (UndecidedError, NotLipschitzError, TamecheckError):
        return None
    outputs = [v for node in roots for v in objects(values[node]).reshape(-1).tolist()]
    return tuple(outputs), output_matrix(graph, locals_)


def _local(graph: Graph, node: Apply, args: Sequence[Array]) -> Local:
    match node.op.meaning:
        case Pointwise() as meaning:
            moving = [not graph.input_free[arg] for arg in node.args]
            slopes = [_partials(node, meaning, at, moving) for at in points_of(args, node)]
            return scaled(slopes, node.shape, moving)
        case Fold(name) if name in ("maximum", "minimum"):
            groups = tied_groups(node, args[0])
            if any(len(group.tied) > 1 for group in groups):
                raise UndecidedError
            return Moved(np.array([g.tied[0] for g in groups], np.int64).reshape(node.shape))
        case _:
            return linear_local(graph, node, args)


def _partials(
    node: Apply, meaning: Pointwise, point: Sequence[Number], moving: Sequence[bool]
) -> tuple[Number, ...]:
    try:
        found = pointwise_alternatives(node, meaning, point, moving)
    except UndecidedError:
        return partials_over(node, meaning, point, moving)
    if not isinstance(found, Site):
        return found
    if found.jump:
        raise UndecidedError
    options = zip(*(option.partials for option in found.alternatives), strict=True)
    return tuple(hull(list(parts)) for parts in options)

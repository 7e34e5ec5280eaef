"""One element of the conservative Jacobian at every row of a batch, in floats.

Values and cotangents carry the batch, and one more axis, in front of the tensor's own axes; at a
kink the first piece that holds is taken, so that each row is an element of the chain rule's set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
from flint import arb

from tamecheck import ops
from tamecheck.derivative import reverse
from tamecheck.derivative.chainrule import NotLipschitzAt, chain_rule
from tamecheck.derivative.jacobian import exact_point
from tamecheck.derivative.kinks import derivative
from tamecheck.derivative.lowering import lowered
from tamecheck.errors import DomainError, InputError, TamecheckError, UnsupportedError
from tamecheck.evaluate.exact import outside
from tamecheck.evaluate.float_terms import choose_floats, condition_floats
from tamecheck.evaluate.selection import compared_groups, gather_index, route_index
from tamecheck.evaluate.walk import site_of
from tamecheck.exact.arrays import pad_rank, take_flat
from tamecheck.exact.reals import BITS, UndecidedError, working_precision
from tamecheck.ir.arguments import float_array
from tamecheck.ir.formula import TRUE, Const, Piece, Term
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.facets import chooses_indices, extremum
from tamecheck.ops.shapes import axes_of

Precision: TypeAlias = Literal["float64", "float32"]


def gradient(
    graph: Graph, points: Any, *, dtype: Precision = "float64", partial: bool = False
) -> Array:
    """One conservative Jacobian a row: an array ``(rows, outputs, inputs)``.

    For a model with a single output element the middle axis is left out.

    Parameters
    ----------
    graph
        The function; output and input elements are counted in C order.
    points
        One point a row, its elements those of all inputs in order.
    dtype
        The float type to compute in.
    partial
        Whether rows without a value or a derivative are NaN, instead of an error.

    Raises
    ------
    InputError
        If the rows do not fit the inputs, or hold NaN or infinity.
    UnsupportedError
        If the function has an op without a batched derivative.
    DomainError
        If a row is outside the domain of an op, or the derivative there is no finite number.

    Examples
    --------
    >>> from tamecheck.loaders.text.expression import parse_expression
    >>> gradient(parse_expression("max(x,0) * y").graph, [[1.0, 5.0], [-1.0, 5.0]]).tolist()
    [[5.0, 1.0], [0.0, 0.0]]
    """
    rows = float_array(points, what="array of points").astype(dtype)
    total = sum(size_of(shape) for shape in graph.inputs.values())
    if rows.ndim == 1 and total == 1:
        rows = rows[:, None]
    if rows.ndim < 2 or (len(rows) and rows[0].size != total):
        raise InputError(f"Give an array of rows with {total} numbers, not of shape {rows.shape}.")
    rows = rows.reshape((len(rows), total))
    if not np.isfinite(rows).all():
        raise InputError("A point holds NaN or infinity.", hint="Give real numbers.")
    simple = lowered(graph)
    with np.errstate(all="ignore"):
        values, locals_ = _forward(simple, rows)
        found = _jacobian(simple, locals_, rows)
    without = outside_rows(simple, values, len(rows))
    lost = ~np.isfinite(found).all(axis=tuple(range(1, found.ndim)))
    if partial:
        found = np.where((without | lost)[:, None, None], np.nan, found)
    elif without.any():
        raise _first_outside(simple, values, int(np.argmax(without)))
    elif lost.any():
        found = np.array(found)
        for row in np.flatnonzero(lost).tolist():
            found[row] = _exact_row(simple, rows[row], row)
    return found[:, 0] if found.shape[1] == 1 else found


def node_values(graph: Graph, points: Array) -> tuple[Graph, dict[int, Array]]:
    """The graph with compound ops written out, and the float64 value of each of its nodes.

    At points of shape ``(rows, inputs)``: arrays of shape ``(rows, 1, *shape)``, or
    ``(1, 1, *shape)`` where the value is the same for all rows.
    """
    simple = lowered(graph)
    with np.errstate(all="ignore"):
        return simple, _forward(simple, points, slopes=False)[0]


def _jacobian(graph: Graph, locals_: Mapping[int, reverse.Local], rows: Array) -> Array:
    """One reverse pass for all outputs."""
    count = sum(size_of(graph.nodes[node].shape) for _, node in graph.outputs)
    seeds: dict[int, Array] = {}
    start = 0
    for _, node in graph.outputs:
        shape = graph.nodes[node].shape
        seed = np.zeros((1, count, size_of(shape)), dtype=rows.dtype)
        seed[0, start : start + size_of(shape)] = np.eye(size_of(shape))
        start += size_of(shape)
        part = seed.reshape((1, count, *shape))
        seeds[node] = seeds[node] + part if node in seeds else part
    found = reverse.pull_back(graph, locals_, seeds, lead=2)
    return reverse.join_inputs(graph, found, (len(rows), count), rows.dtype)


def _forward(
    graph: Graph, rows: Array, *, slopes: bool = True
) -> tuple[dict[int, Array], dict[int, reverse.Local]]:
    """The values of all nodes, and their derivatives by their arguments, unless without slopes."""
    values: dict[int, Array] = {}
    locals_: dict[int, reverse.Local] = {}
    start = 0
    for index, node in enumerate(graph.nodes):
        match node:
            case Input(_, shape, _):
                block = rows[:, start : start + size_of(shape)]
                values[index] = block.reshape((len(rows), 1, *shape))
                start += size_of(shape)
            case Constant(tensor, _):
                values[index] = tensor.array.astype(rows.dtype)[None, None]
            case Apply():
                args = [values[arg] for arg in node.args]
                values[index], locals_[index] = _apply(graph, index, node, args, slopes=slopes)
    return values, locals_


def _apply(
    graph: Graph, index: int, node: Apply, args: list[Array], *, slopes: bool
) -> tuple[Array, reverse.Local]:
    shapes = [graph.nodes[arg].shape for arg in node.args]
    moving = [not graph.input_free[arg] for arg in node.args]
    match node.op.meaning:
        case Pointwise() as meaning:
            sloped = [slopes and moves for moves in moving]
            return _pointwise(meaning.pieces(node.params), args, node.shape, sloped)
        case Routing():
            places = route_index(node, shapes)
            return _moved(places, node, args), reverse.Moved(places)
        case Contraction():
            left, right = args
            row, column = len(shapes[0]) == 1, len(shapes[1]) == 1
            value = reverse.multiply(
                left[..., None, :] if row else left, right[..., None] if column else right
            )
            value = value.reshape((*value.shape[:2], *node.shape))
            return value, reverse.Multiplied(
                left if moving[1] else None, right if moving[0] else None
            )
        case Fold(ops.ADD):
            axes = axes_of(shapes[0], node.params)
            keepdims = bool(node.params["keepdims"])
            value = args[0].sum(axis=tuple(a + 2 for a in axes), keepdims=keepdims)
            return value, reverse.Summed(axes)
        case _ if extremum(node.op):
            return _extreme(node, args[0], shapes[0], slopes=slopes)
        case Selection() if not chooses_indices(node.op) and not moving[1]:
            places = gather_index(site_of(graph, index, node), shapes[0], args[1][0, 0])
            return _moved(places, node, args[:1]), reverse.Moved(places)
        case _:
            raise UnsupportedError(
                "There is no batched derivative for this op.",
                nodes=[(node.label or node.op.name, node.op.name)],
                hint="Ask for the Jacobian at single points.",
            )


def _pointwise(
    pieces: Sequence[Piece], args: list[Array], shape: Shape, moving: Sequence[bool]
) -> tuple[Array, reverse.Local]:
    wide = [pad_rank(arg, len(shape)) for arg in args]
    bodies = [piece.term for piece in pieces]
    masks = [condition_floats(piece.condition, wide) for piece in pieces[:-1]]
    value = choose_floats(masks, bodies, wide).astype(args[0].dtype, copy=False)
    partials = [
        _partial(masks, [derivative(body, variable) for body in bodies], wide) if moves else None
        for variable, moves in enumerate(moving)
    ]
    return value, reverse.Scaled(tuple(partials))


def _partial(masks: Sequence[Array], terms: Sequence[Term], args: list[Array]) -> Array:
    """A partial derivative; a zero-one mask where that is all it is."""
    constants = [float(t.value) if isinstance(t, Const) else None for t in terms]
    if all(c == 1 for c in constants):
        return reverse.UNIT
    if constants == [0.0, 1.0]:
        return (~masks[0]).astype(args[0].dtype)
    return choose_floats(masks, terms, args).astype(args[0].dtype, copy=False)


def _moved(places: Array, node: Apply, args: Sequence[Array]) -> Array:
    batch = max(map(len, args))
    flat = [np.broadcast_to(a.reshape((len(a), 1, -1)), (batch, 1, a[0].size)) for a in args]
    if len(flat) > 1 or (places.size and int(places.max()) >= flat[0].shape[2]):
        filler = node.params.get("value")
        fill = float(filler) if isinstance(filler, Fraction) else 0.0
        flat = [np.concatenate([*flat, np.full((batch, 1, 1), fill, args[0].dtype)], axis=2)]
    return take_flat(flat[0], places)


def _extreme(
    node: Apply, data: Array, shape: Shape, *, slopes: bool
) -> tuple[Array, reverse.Local]:
    groups = compared_groups(node, shape)
    flat = data.reshape((len(data), -1))[:, groups]
    last = bool(node.params.get("last"))
    seen = flat[:, :, ::-1] if last else flat
    best = np.argmax(seen, axis=2) if extremum(node.op) > 0 else np.argmin(seen, axis=2)
    if last:
        best = groups.shape[1] - 1 - best
    if chooses_indices(node.op):
        return best.reshape((len(data), 1, *node.shape)).astype(data.dtype), reverse.Scaled((None,))
    value = np.take_along_axis(flat, best[:, :, None], axis=2)
    places = groups[np.arange(len(groups)), best][:, None, :]
    distinct = slopes and len(np.unique(groups)) == groups.size
    return value.reshape((len(data), 1, *node.shape)), reverse.Picked(places, distinct)


def outside_rows(graph: Graph, values: Mapping[int, Array], count: int) -> Array:
    """Whether each of so many rows is outside the domain of an op, from `node_values`."""
    found = np.zeros(count, dtype=bool)
    for _, _, inside in _domains(graph, values):
        found |= ~inside.reshape((len(inside), -1)).all(axis=1)
    return found


def _first_outside(graph: Graph, values: Mapping[int, Array], row: int) -> DomainError:
    """The error that names the first op without a value at a row."""
    for index, node, inside in _domains(graph, values):
        here = inside[min(row, len(inside) - 1), 0]
        if not here.all():
            args = [values[arg][min(row, len(values[arg]) - 1), 0] for arg in node.args]
            at = int(np.argmin(np.broadcast_to(here, node.shape)))
            error = outside(site_of(graph, index, node), args, at)
            return DomainError(f"Row {row}: {error.what}", where=error.where)
    return DomainError(f"There is no value at row {row}.")


def _domains(graph: Graph, values: Mapping[int, Array]) -> Iterator[tuple[int, Apply, Array]]:
    """The nodes whose ops have a domain, and whether their arguments are in it."""
    for index, node in graph.applied():
        if not isinstance(node.op.meaning, Pointwise):
            continue
        domain = node.op.meaning.domain(node.params)
        if domain != TRUE:
            wide = [pad_rank(values[arg], len(node.shape)) for arg in node.args]
            with np.errstate(all="ignore"):
                yield index, node, np.asarray(condition_floats(domain, wide))


def _exact_row(graph: Graph, row: Array, number: int) -> Array:
    """One row's Jacobian by exact numbers, where floats have infinities that cancel.

    Raises `DomainError` if there is none.
    """
    why = "it is too large, or hinges on a number that is 0 up to rounding"
    try:
        with working_precision(BITS):
            point = exact_point(graph, row.tolist())
            rule = chain_rule(graph, point)
            matrix = reverse.output_matrix(graph, rule.conventional())
            found = np.array([[float(arb(a)) for a in line] for line in matrix])
    except NotLipschitzAt as sharp:
        why = f"the last op of {sharp.where} is not Lipschitz at what it is given"
    except (UndecidedError, TamecheckError, OverflowError):
        pass
    else:
        if np.isfinite(found).all():
            return found
    raise DomainError(f"The derivative at row {number} is no finite number: {why}.")

"""One element of the conservative Jacobian at every row of a batch, in floats.

Values and cotangents carry the batch, and one more axis, in front of the tensor's own axes; at a
kink the first piece that holds is taken, so that each row is an element of the chain rule's set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np

from tamecheck.derivative.domain import exact_row, first_outside, outside_rows
from tamecheck.derivative.lowering import lowered
from tamecheck.derivative.reverse import routed
from tamecheck.derivative.terms import derivative
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.evaluate.float_terms import condition_floats, term_floats
from tamecheck.evaluate.walk import axis_last, folded_first
from tamecheck.exact.arrays import pad_rank, take_flat
from tamecheck.ir.arguments import float_array
from tamecheck.ir.formula import Const, Piece, Term
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.shapes import axes_of

__all__ = ["gradient", "node_values"]

Pull: TypeAlias = Callable[[Array], list[Array | None]]
"""From the cotangent of a node to those of its arguments."""

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
        found, values = _Tape(simple, rows).jacobian()
    outside = outside_rows(simple, values, len(rows))
    lost = ~np.isfinite(found).all(axis=tuple(range(1, found.ndim)))
    if partial:
        found = np.where((outside | lost)[:, None, None], np.nan, found)
    elif outside.any():
        raise first_outside(simple, values, int(np.argmax(outside)))
    elif lost.any():
        found = np.array(found)
        for row in np.flatnonzero(lost).tolist():
            found[row] = exact_row(simple, rows[row], row)
    return found[:, 0] if found.shape[1] == 1 else found


def node_values(graph: Graph, points: Array) -> tuple[Graph, dict[int, Array]]:
    """The float64 value of every node at every row of points, of ``shape (rows, inputs)``.

    Returns
    -------
    tuple
        The graph with compound ops written out, and for each of its nodes an array of shape
        ``(rows, 1, *shape)``, or ``(1, 1, *shape)`` where the value is the same for all rows.
    """
    simple = lowered(graph)
    with np.errstate(all="ignore"):
        values, _ = _Tape(simple, points).forward()
    return simple, values


@dataclass(frozen=True, slots=True, eq=False)
class _Tape:
    graph: Graph
    rows: Array

    def jacobian(self) -> tuple[Array, dict[int, Array]]:
        """The forward pass, and one reverse pass for all outputs; also the nodes' values."""
        values, pulls = self.forward()
        count = sum(size_of(self.graph.nodes[node].shape) for _, node in self.graph.outputs)
        pending: dict[int, Array] = {}
        start = 0
        for _, node in self.graph.outputs:
            shape = self.graph.nodes[node].shape
            seed = np.zeros((1, count, size_of(shape)), dtype=self.rows.dtype)
            seed[0, start : start + size_of(shape)] = np.eye(size_of(shape))
            start += size_of(shape)
            _accumulate(pending, node, seed.reshape((1, count, *shape)))
        found: dict[int, Array] = {}
        for index in range(len(self.graph.nodes) - 1, -1, -1):
            if index not in pending:
                continue
            cotangent = pending.pop(index)
            node = self.graph.nodes[index]
            if isinstance(node, Input):
                found[index] = cotangent
            elif index in pulls and isinstance(node, Apply):
                for arg, part in zip(node.args, pulls[index](cotangent), strict=True):
                    if part is not None and not self.graph.input_free[arg]:
                        _accumulate(pending, arg, part)
        return self._joined(found, len(self.rows), count), values

    def _joined(self, found: Mapping[int, Array], batch: int, count: int) -> Array:
        blocks: list[Array] = []
        for index, node in enumerate(self.graph.nodes):
            if isinstance(node, Input):
                size = size_of(node.shape)
                block = found.get(index, np.zeros((1, count, size), dtype=self.rows.dtype))
                flat = block.reshape((block.shape[0], count, size))
                blocks.append(np.broadcast_to(flat, (batch, count, size)))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=2)

    def forward(self) -> tuple[dict[int, Array], dict[int, Pull]]:
        """The values of all nodes, and how cotangents are pulled back."""
        values: dict[int, Array] = {}
        pulls: dict[int, Pull] = {}
        start = 0
        for index, node in enumerate(self.graph.nodes):
            match node:
                case Input(_, shape, _):
                    stop = start + size_of(shape)
                    block = self.rows[:, start:stop]
                    values[index] = block.reshape((len(self.rows), 1, *shape))
                    start = stop
                case Constant(tensor, _):
                    values[index] = tensor.array.astype(self.rows.dtype)[None, None]
                case Apply(_, args, _, _, _):
                    operands = [values[arg] for arg in args]
                    values[index], pull = self._apply(node, operands)
                    if pull is not None:
                        pulls[index] = pull
        return values, pulls

    def _apply(self, node: Apply, args: list[Array]) -> tuple[Array, Pull | None]:
        shapes = [self.graph.nodes[arg].shape for arg in node.args]
        moving = [not self.graph.input_free[arg] for arg in node.args]
        match node.op.meaning:
            case Pointwise() as meaning:
                pieces = meaning.pieces(node.params)
                return _pointwise(pieces, args, shapes, node.shape, moving)
            case Routing():
                return _moved(routed(node, shapes), node, args, shapes)
            case Contraction():
                return _product(args, shapes, moving)
            case Fold("add"):
                return _summed(node, args[0], shapes[0])
            case Fold(_):
                return _extreme(node, args[0], shapes[0], index=False)
            case Selection() if node.op.name in ("argmax", "argmin"):
                return _extreme(node, args[0], shapes[0], index=True)
            case Selection() if node.op.name == "gather" and not moving[1]:
                numbers = np.arange(size_of(shapes[0])).reshape(shapes[0])
                axis = node.params["axis"]
                chosen = args[1][0, 0].astype(np.int64)
                index = np.take(numbers, chosen, axis=axis if isinstance(axis, int) else 0)
                return _moved(index, node, args[:1], shapes)
            case _:
                raise UnsupportedError(
                    "There is no batched derivative for this op.",
                    nodes=[(node.label or node.op.name, node.op.name)],
                    hint="Ask for the Jacobian at single points.",
                )


def _accumulate(pending: dict[int, Array], node: int, part: Array) -> None:
    pending[node] = pending[node] + part if node in pending else part


def _summed_to(array: Array, shape: Shape) -> Array:
    """The sum over the axes along which an argument was repeated."""
    extra = array.ndim - 2 - len(shape)
    if extra:
        array = np.asarray(array.sum(axis=tuple(range(2, 2 + extra))))
    axes = tuple(a + 2 for a, n in enumerate(shape) if n == 1 and array.shape[a + 2] != 1)
    return np.asarray(array.sum(axis=axes, keepdims=True)) if axes else array


def _pointwise(
    pieces: Sequence[Piece],
    args: list[Array],
    shapes: Sequence[Shape],
    shape: Shape,
    moving: Sequence[bool],
) -> tuple[Array, Pull]:
    wide = [pad_rank(arg, len(shape)) for arg in args]
    bodies = [piece.term for piece in pieces]
    terms = [[derivative(body, variable) for body in bodies] for variable in range(len(args))]
    masks = [condition_floats(piece.condition, wide) for piece in pieces[:-1]]
    dtype = args[0].dtype
    value = _chosen(masks, bodies, wide).astype(dtype, copy=False)
    partials = [
        _partial(masks, parts, wide) if moves else None
        for parts, moves in zip(terms, moving, strict=True)
    ]

    def pull(cotangent: Array) -> list[Array | None]:
        found: list[Array | None] = []
        for partial, own in zip(partials, shapes, strict=True):
            if partial is None:
                found.append(None)
                continue
            part = cotangent if partial is _ONE else cotangent * partial
            found.append(_summed_to(part, own))
        return found

    return value, pull


_ONE = np.asarray(1.0)


def _partial(masks: Sequence[Array], terms: Sequence[Term], args: list[Array]) -> Array:
    """A partial derivative; a zero-one mask where that is all it is."""
    constants = [float(t.value) if isinstance(t, Const) else None for t in terms]
    if all(c == 1 for c in constants):
        return _ONE
    if constants == [0.0, 1.0]:
        return (~masks[0]).astype(args[0].dtype)
    return _chosen(masks, terms, args).astype(args[0].dtype, copy=False)


def _chosen(masks: Sequence[Array], terms: Sequence[Term], args: list[Array]) -> Array:
    """The term of the first piece that holds; the last piece has no mask."""
    value = term_floats(terms[-1], args)
    for mask, term in zip(reversed(masks), list(reversed(terms))[1:], strict=True):
        value = np.where(mask, term_floats(term, args), value)
    return value


def _moved(
    index: Array, node: Apply, args: Sequence[Array], shapes: Sequence[Shape]
) -> tuple[Array, Pull]:
    batch, dtype = max(map(len, args)), args[0].dtype
    flat = [np.broadcast_to(a.reshape((len(a), 1, -1)), (batch, 1, a[0].size)) for a in args]
    filler = node.params.get("value")
    fill = float(filler) if isinstance(filler, Fraction) else 0.0
    extra = np.full((batch, 1, 1), fill, dtype)
    value = (
        take_flat(np.concatenate([*flat, extra], axis=2), index)
        if len(flat) > 1 or (index.size and int(index.max()) >= flat[0].shape[2])
        else take_flat(flat[0], index)
    )
    sizes = [a[0].size for a in args]
    places = index.reshape(-1)

    def pull(cotangent: Array) -> list[Array | None]:
        source = cotangent.reshape((*cotangent.shape[:2], -1))
        spread = np.zeros((*cotangent.shape[:2], sum(sizes) + 1), dtype=cotangent.dtype)
        if len(np.unique(places)) == places.size:
            spread[:, :, places] = source
        else:
            _add_at(spread, places, source)
        found: list[Array | None] = [None] * len(shapes)
        start = 0
        for number, size in enumerate(sizes):
            block = spread[:, :, start : start + size]
            found[number] = block.reshape((*cotangent.shape[:2], *shapes[number]))
            start += size
        return found

    return value, pull


def _add_at(spread: Array, places: Array, source: Array) -> None:
    """Add columns to the columns at places, some of which may be the same."""
    for column, place in enumerate(places.tolist()):
        spread[:, :, place] += source[:, :, column]


def _product(
    args: list[Array], shapes: Sequence[Shape], moving: Sequence[bool]
) -> tuple[Array, Pull]:
    left, right = args
    lift_left, lift_right = len(shapes[0]) == 1, len(shapes[1]) == 1
    wide_left = left[..., None, :] if lift_left else left
    wide_right = right[..., None] if lift_right else right
    value = _matmul(wide_left, wide_right)
    if lift_right:
        value = value[..., 0]
    if lift_left:
        value = value[..., 0] if lift_right else value[..., 0, :]

    def pull(cotangent: Array) -> list[Array | None]:
        wide = cotangent
        if lift_left and lift_right:
            wide = cotangent[..., None, None]
        elif lift_left:
            wide = cotangent[..., None, :]
        elif lift_right:
            wide = cotangent[..., None]
        first = second = None
        if moving[0]:
            first = _matmul(wide, np.swapaxes(wide_right, -1, -2))
            first = _summed_to(first[..., 0, :] if lift_left else first, shapes[0])
        if moving[1]:
            second = _matmul(np.swapaxes(wide_left, -1, -2), wide)
            second = _summed_to(second[..., 0] if lift_right else second, shapes[1])
        return [first, second]

    return value, pull


def _matmul(left: Array, right: Array) -> Array:
    """The product; one large one where the right factor is the same matrix for all."""
    if right.ndim == 4 and right.shape[:2] == (1, 1):
        matrix = right[0, 0]
        flat = np.ascontiguousarray(left.reshape((-1, left.shape[-1]))) @ matrix
        return flat.reshape((*left.shape[:-1], matrix.shape[-1]))
    rank = max(left.ndim, right.ndim) - 2
    # without contiguous rows NumPy multiplies in a loop of its own, many times slower than BLAS
    return np.matmul(
        np.ascontiguousarray(pad_rank(left, rank)), np.ascontiguousarray(pad_rank(right, rank))
    )


def _summed(node: Apply, data: Array, shape: Shape) -> tuple[Array, Pull]:
    axes = axes_of(shape, node.params)
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    value = data.sum(axis=tuple(a + 2 for a in axes), keepdims=bool(node.params["keepdims"]))

    def pull(cotangent: Array) -> list[Array | None]:
        head = cotangent.shape[:2]
        return [np.broadcast_to(cotangent.reshape((*head, *kept)), (*head, *shape))]

    return value, pull


def _extreme(node: Apply, data: Array, shape: Shape, *, index: bool) -> tuple[Array, Pull | None]:
    numbers = np.arange(size_of(shape)).reshape(shape)
    groups = axis_last(numbers, node.params) if index else folded_first(numbers, node.params)
    rows = groups if index else groups.reshape(len(groups), -1).T
    flat = data.reshape((len(data), -1))[:, rows]
    largest = node.op.name in ("argmax", "reduce_max")
    seen = flat[:, :, ::-1] if node.params.get("last") else flat
    best = np.argmax(seen, axis=2) if largest else np.argmin(seen, axis=2)
    if node.params.get("last"):
        best = rows.shape[1] - 1 - best
    if index:
        return best.reshape((len(data), 1, *node.shape)).astype(data.dtype), None
    value = np.take_along_axis(flat, best[:, :, None], axis=2)
    places = rows[np.arange(len(rows)), best][:, None, :]

    def pull(cotangent: Array) -> list[Array | None]:
        batch = max(len(cotangent), len(places))
        outputs = cotangent.shape[1]
        wide = np.broadcast_to(cotangent, (batch, *cotangent.shape[1:]))
        spread = np.zeros((batch, outputs, size_of(shape)), dtype=cotangent.dtype)
        source = wide.reshape((batch, outputs, -1))
        if len(np.unique(rows)) == rows.size:
            where = np.broadcast_to(places, (batch, outputs, places.shape[2]))
            np.put_along_axis(spread, where, source, axis=2)
        else:
            cell, row = np.ogrid[:batch, :outputs]
            np.add.at(
                spread,
                (cell[:, :, None], row[:, :, None], np.broadcast_to(places, source.shape)),
                source,
            )
        return [spread.reshape((batch, outputs, *shape))]

    return value.reshape((len(data), 1, *node.shape)), pull

"""Matrix products, sums of products in index notation, and reductions along axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from tamecheck import ops
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.op import Op
from tamecheck.loaders.kinds import INT64, Family
from tamecheck.loaders.onnx.context import Context, Lowering, Outputs
from tamecheck.loaders.values import Value, axes_in, axis_in

# labels of the axes that an ellipsis stands for: no letters, so that none is taken
_DOTS = "0123456789"
MAX_DETERMINANT = 8


def _parse(equation: str, values: list[Value]) -> tuple[list[str], str]:
    """The labels of each operand and of the result, with ellipses spelled out."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(values):
        raise InputError(f"The equation {equation!r} does not fit {len(values)} operands.")
    labels: list[str] = []
    depth = 0
    for term, value in zip(terms, values, strict=True):
        named = term.replace("...", "")
        missing = value.rank - len(named)
        if missing < 0 or missing > len(_DOTS) or (missing and "..." not in term):
            raise InputError(f"The term {term!r} does not fit shape {value.shape}.")
        depth = max(depth, missing if "..." in term else 0)
        # ellipses are aligned at their ends, as in broadcasting
        labels.append(term.replace("...", _DOTS[len(_DOTS) - missing :]))
    if not arrow:
        counts = "".join(term.replace("...", "") for term in terms)
        right = "..." + "".join(sorted(c for c in set(counts) if counts.count(c) == 1))
    result = right.replace("...", _DOTS[len(_DOTS) - depth :])
    known = set("".join(labels))
    letters = set((left + right).replace("...", "").replace(",", ""))
    if not all(c.isascii() and c.isalpha() for c in letters) or len(set(result)) < len(result):
        raise InputError(f"The equation {equation!r} is malformed.")
    if not set(result) <= known:
        raise InputError(f"The equation {equation!r} has a new index in its result.")
    return labels, result


def _diagonal(value: Value, labels: str) -> tuple[Value, str]:
    """The operand on the diagonal of axes with the same label."""
    for label in labels:
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            extent = value.shape[first]
            if value.shape[second] != extent:
                raise InputError(f"The index {label!r} has two extents.")
            rest = [i for i in range(value.rank) if i not in (first, second)]
            moved = value.transpose((first, second, *rest))
            flat = moved.reshape((extent * extent, *moved.shape[2:]))
            value = flat.take(np.arange(extent, dtype=np.int64) * (extent + 1), 0)
            labels = label + "".join(labels[i] for i in rest)
    return value, labels


def _sum_over(value: Value, labels: str, kept: set[str]) -> tuple[Value, str]:
    """The operand summed over the labels that nothing else needs."""
    axes = tuple(i for i, label in enumerate(labels) if label not in kept)
    if not axes:
        return value, labels
    return value.total(axes, keepdims=False), "".join(c for c in labels if c in kept)


def _arrange(value: Value, labels: str, order: str) -> Value:
    """The operand with its axes in the given order, extent 1 where it has none."""
    present = [label for label in order if label in labels]
    moved = value.transpose([labels.index(label) for label in present])
    extents = dict(zip(present, moved.shape, strict=True))
    return moved.reshape([extents.get(label, 1) for label in order])


def _product(
    left: tuple[Value, str], right: tuple[Value, str], kept: set[str]
) -> tuple[Value, str]:
    """The product of two operands, summed over the labels that nothing else needs."""
    left, right = (
        _sum_over(*side, kept | set(other)) for side, other in ((left, right[1]), (right, left[1]))
    )
    shared = [c for c in left[1] if c in right[1]]
    extents = {c: (_extent(left, c), _extent(right, c)) for c in shared}
    if any(n != m and 1 not in (n, m) for n, m in extents.values()):
        raise InputError("An index has two extents.")
    uneven = [c for c in shared if extents[c][0] != extents[c][1] and c not in kept]
    if uneven:
        raise UnsupportedError("a sum over broadcast axes is not read.")
    batch = "".join(c for c in shared if c in kept)
    inner = "".join(c for c in shared if c not in kept)
    rows = "".join(c for c in left[1] if c not in right[1])
    columns = "".join(c for c in right[1] if c not in left[1])
    one = _arrange(*left, batch + rows + inner)
    two = _arrange(*right, batch + inner + columns)
    depth = math.prod(extents[c][0] for c in inner)
    height = math.prod(_extent(left, c) for c in rows)
    width = math.prod(_extent(right, c) for c in columns)
    one = one.reshape((*one.shape[: len(batch)], height, depth))
    two = two.reshape((*two.shape[: len(batch)], depth, width))
    found = one @ two
    tail = [_extent(left, c) for c in rows] + [_extent(right, c) for c in columns]
    return found.reshape((*found.shape[: len(batch)], *tail)), batch + rows + columns


def _extent(operand: tuple[Value, str], label: str) -> int:
    return operand[0].shape[operand[1].index(label)]


def _einsum(ctx: Context) -> Outputs:
    values = ctx.all_inputs()
    labels, result = _parse(ctx.attributes.text("equation"), values)
    operands = [_diagonal(value, term) for value, term in zip(values, labels, strict=True)]
    current = operands[0]
    for index, operand in enumerate(operands[1:], start=1):
        later = set(result).union(*(term for _, term in operands[index + 1 :]))
        current = _product(current, operand, later)
    value, term = _sum_over(*current, set(result))
    return _arrange(value, term, result)


def _gemm(ctx: Context) -> Outputs:
    left, right, bias = ctx.input(0), ctx.input(1), ctx.optional(2)
    if left.rank != 2 or right.rank != 2:
        raise InputError(f"Gemm takes matrices, not shapes {left.shape} and {right.shape}.")
    if ctx.attributes.flag("transA"):
        left = left.transpose((1, 0))
    if ctx.attributes.flag("transB"):
        right = right.transpose((1, 0))
    alpha, beta = ctx.attributes.real("alpha", 1.0), ctx.attributes.real("beta", 1.0)
    product = (left @ right).scale(alpha)
    total = product if bias is None else product + bias.scale(beta)
    if bias is not None and total.shape != product.shape:
        raise InputError(f"A bias of shape {bias.shape} does not fit {product.shape}.")
    return total


def _determinant(ctx: Context) -> Outputs:
    """Laplace's expansion, each minor once."""
    value = ctx.input(0)
    size = value.shape[-1] if value.rank else 0
    if value.rank < 2 or value.shape[-2] != size or size == 0:
        raise InputError(f"There is no determinant of shape {value.shape}.")
    if size > MAX_DETERMINANT:
        raise UnsupportedError(f"a determinant of {size} rows is not read.")
    rows = [value.part(value.rank - 2, i) for i in range(size)]
    entries = [[row.part(row.rank - 1, j) for j in range(size)] for row in rows]
    # the determinants of the last rows, by the columns that they use
    minors: dict[tuple[int, ...], Value] = {(j,): entries[-1][j] for j in range(size)}
    for row in reversed(range(size - 1)):
        new: dict[tuple[int, ...], Value] = {}
        for columns in combinations(range(size), size - row):
            terms = [
                entries[row][column] * minors[columns[:i] + columns[i + 1 :]]
                for i, column in enumerate(columns)
            ]
            total = terms[0]
            for i, term in enumerate(terms[1:], start=1):
                total = total - term if i % 2 else total + term
            new[columns] = total
        minors = new
    return minors[tuple(range(size))]


PRODUCTS: Mapping[str, Lowering] = {
    "Det": _determinant,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": lambda ctx: ctx.input(0) @ ctx.input(1),
}


MAX_CUMULATIVE = 4_096


@dataclass(frozen=True, slots=True)
class _Over:
    """The axes to reduce over, and whether they stay with extent 1."""

    axes: tuple[int, ...]
    keepdims: bool

    def total(self, value: Value) -> Value:
        return value.total(self.axes, keepdims=self.keepdims)


_Reducer = Callable[[Value, _Over], Value]


def _reduction(reducer: _Reducer) -> Lowering:
    def lower(ctx: Context) -> Outputs:
        value = ctx.input(0)
        keepdims = ctx.attributes.flag("keepdims", default=True)
        noop = ctx.attributes.flag("noop_with_empty_axes")
        listed = ctx.integers_from("axes", 1)
        every = () if noop else tuple(range(value.rank))
        return reducer(value, _Over(axes_in(listed, value.rank) if listed else every, keepdims))

    return lower


def _fold(op: Op) -> Lowering:
    return _reduction(lambda value, o: value.apply(op, axes=o.axes, keepdims=o.keepdims))


def _extreme(op: Op) -> Lowering:
    def reducer(value: Value, over: _Over) -> Value:
        if 0 not in [value.shape[axis] for axis in over.axes]:
            return value.apply(op, axes=over.axes, keepdims=over.keepdims)
        if not value.kind.integral:
            raise InputError("The largest of no floats is -inf, which is no real number.")
        kept = [1 if i in over.axes else n for i, n in enumerate(value.shape)]
        shape = tuple(n for i, n in enumerate(kept) if over.keepdims or i not in over.axes)
        bound = value.kind.low if op is ops.REDUCE_MAX else value.kind.high
        return value.emitter.constant(np.int64(bound), value.kind).broadcast(shape)

    return _reduction(reducer)


def _whole(value: Value) -> Value:
    """The value as one of its type: integers are rounded toward zero."""
    return value.truncate(value.kind) if value.kind.family is Family.INTEGER else value


def _cumulative(ctx: Context) -> Outputs:
    """Sums or products of the elements up to each, or behind it."""
    value = ctx.input(0)
    exclusive, backward = ctx.attributes.flag("exclusive"), ctx.attributes.flag("reverse")
    (listed,) = ctx.input(1).integers("'axis'")
    axis = axis_in(listed, value.rank)
    extent = value.shape[axis]
    if extent > MAX_CUMULATIVE:
        raise UnsupportedError(f"the {ctx.op} of {extent} elements is not read.")
    # column j of the matrix marks the elements that make up result j
    matrix = np.triu(np.ones((extent, extent), dtype=np.int64), 1 if exclusive else 0)
    matrix = matrix.T if backward else matrix
    if ctx.op == "CumSum":
        return value.along(axis, ctx.constant(matrix, value.kind))
    # a 1 behind the last element stands for those that are left out
    after = tuple(int(i == axis) for i in range(value.rank))
    padded = value.apply(ops.PAD, before=(0,) * value.rank, after=after, value=Fraction(1))
    table = np.where(matrix.T > 0, np.arange(extent)[None, :], extent)
    return padded.take(table, axis).apply(ops.PROD, axes=(axis + 1,), keepdims=False)


REDUCTIONS: Mapping[str, Lowering] = {
    "CumProd": _cumulative,
    "CumSum": _cumulative,
    "ReduceL1": _reduction(lambda value, over: over.total(value.apply(ops.ABS))),
    "ReduceL2": _reduction(lambda value, over: _whole(over.total(value.square()).apply(ops.SQRT))),
    "ReduceLogSum": _reduction(lambda value, over: over.total(value).apply(ops.LOG)),
    "ReduceLogSumExp": _fold(ops.LOGSUMEXP),
    "ReduceMax": _extreme(ops.REDUCE_MAX),
    "ReduceMean": _reduction(
        lambda value, over: _whole(value.mean(over.axes, keepdims=over.keepdims))
    ),
    "ReduceMin": _extreme(ops.REDUCE_MIN),
    "ReduceProd": _fold(ops.PROD),
    "ReduceSum": _fold(ops.SUM),
    "ReduceSumSquare": _reduction(lambda value, over: over.total(value.square())),
}


def _along(act: Callable[[Value, int], Value]) -> Lowering:
    """Act along ``axis``; before opset 13, along that axis and all behind it, joined."""

    def lower(ctx: Context) -> Outputs:
        value = ctx.input(0)
        if ctx.opset >= 13:
            return act(value, ctx.axis(-1, value.rank))
        axis = ctx.axis(1, value.rank, end=True)
        flat = value.reshape((math.prod(value.shape[:axis]), math.prod(value.shape[axis:])))
        return act(flat, 1).reshape(value.shape)

    return lower


def _hardmax(value: Value, axis: int) -> Value:
    best = value.apply(ops.ARGMAX, axis=axis, keepdims=True, last=False)
    extent = [1] * value.rank
    extent[axis] = value.shape[axis]
    places = np.arange(value.shape[axis]).reshape(extent)
    return best.apply(ops.EQUAL, places)


def _choice(op: Op) -> Lowering:
    def lower(ctx: Context) -> Outputs:
        value = ctx.input(0)
        keepdims = ctx.attributes.flag("keepdims", default=True)
        last = ctx.attributes.flag("select_last_index")
        axis = ctx.axis(0, value.rank)
        return value.apply(op, axis=axis, keepdims=keepdims, last=last, kind=INT64)

    return lower


def _top_k(ctx: Context) -> Outputs:
    value = ctx.input(0)
    axis = ctx.axis(-1, value.rank)
    ctx.attributes.ignore("sorted")
    largest = ctx.attributes.flag("largest", default=True)
    if ctx.opset < 10:
        count = ctx.attributes.integer("k")
    else:
        (count,) = ctx.input(1).integers("'k'")
    if not 0 <= count <= value.shape[axis]:
        raise InputError(f"There are no {count} elements along axis {axis} of {value.shape}.")
    order = value.apply(ops.ARGSORT, axis=axis, descending=largest, kind=INT64)
    chosen = order.cut(axis, 0, count)
    return value.apply(ops.GATHER_ELEMENTS, chosen, axis=axis), chosen


SELECTION: Mapping[str, Lowering] = {
    "ArgMax": _choice(ops.ARGMAX),
    "ArgMin": _choice(ops.ARGMIN),
    "Hardmax": _along(_hardmax),
    "LogSoftmax": _along(lambda value, axis: value.apply(ops.LOG_SOFTMAX, axis=axis)),
    "Softmax": _along(lambda value, axis: value.apply(ops.SOFTMAX, axis=axis)),
    "TopK": _top_k,
}

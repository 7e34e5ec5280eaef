"""A graph evaluated on the germ of a ray: series in δ for whole tensors, exactly.

The ray is ``base + δ^ramification * direction``, so that a square root of something that vanishes
at the base has a series too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key
from typing import Any, cast

import numpy as np
from flint import fmpq

from tamecheck import ops
from tamecheck.ir.formula import Const, Pow, subterms
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Expansion, Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, Shape, Tensor, size_of
from tamecheck.ops.shapes import axes_of, axis_of
from tamecheck.tame.refute_rays import Ray
from tamecheck.tame.series import Number, OpenError, Series, number_of, pieces_at, shortened

__all__ = ["Jet", "JetRunner", "cost_of", "ramification_of"]

_ZERO = fmpq(0)
_MAX_RAMIFICATION = 6


@dataclass(frozen=True, slots=True)
class Jet:
    """A tensor of series: one object array for each power of δ, all of the same shape."""

    coefficients: tuple[Array, ...]
    order: int
    exact: bool = True

    @property
    def shape(self) -> Shape:
        """The shape of the tensor."""
        return tuple(int(n) for n in self.coefficients[0].shape)

    def elements(self) -> list[Series]:
        """The series of each element, in C order."""
        columns = [c.reshape(-1).tolist() for c in self.coefficients]
        return [Series(tuple(row), self.order, self.exact) for row in zip(*columns, strict=True)]

    def mapped(self, function: Callable[[Array], Array]) -> Jet:
        """The same linear map of every coefficient."""
        return Jet(tuple(_object(function(c)) for c in self.coefficients), self.order, self.exact)


def ramification_of(graph: Graph, roots: Sequence[int]) -> int:
    """The product of the denominators of fractional powers, else their least common multiple.

    It is 1 when both exceed a limit; then germs at branch points stay undecided.
    """
    found = [
        term.exponent.value.denominator
        for index in graph.ancestors(roots)
        if isinstance(node := graph.nodes[index], Apply) and isinstance(node.op.meaning, Pointwise)
        for piece in node.op.meaning.pieces(node.params)
        for term in subterms(piece.term)
        if isinstance(term, Pow) and isinstance(term.exponent, Const)
    ]
    choices = (math.prod(found), math.lcm(*found), 1)
    return next(choice for choice in choices if choice <= _MAX_RAMIFICATION)


def cost_of(graph: Graph, roots: Sequence[int]) -> int:
    """About how many scalar operations one evaluation takes."""
    total = 0
    for index in graph.ancestors(roots):
        node = graph.nodes[index]
        size = size_of(node.shape)
        if not isinstance(node, Apply):
            total += size
        elif node.op is ops.MATMUL:
            total += size * max(graph.nodes[node.args[0]].shape[-1], 1)
        elif node.op in (ops.ADD, ops.SUB, ops.NEG) or isinstance(node.op.meaning, Routing):
            total += size
        else:
            # element by element, in Python
            total += 20 * max(size, *(size_of(graph.nodes[arg].shape) for arg in node.args))
    return total


class JetRunner:
    """Evaluates one graph on germs of rays, with its constants converted once.

    Parameters
    ----------
    graph
        The graph.
    roots
        The nodes that are asked for.
    """

    def __init__(self, graph: Graph, roots: Sequence[int]) -> None:
        self._graph = graph
        self._order = list(graph.ancestors(roots))
        self._roots = frozenset(roots)
        self._constants: dict[int, Array] = {}
        self.ramification = ramification_of(graph, roots)

    def run(self, ray: Ray, *, order: int) -> dict[int, Jet]:
        """The roots on the germ of a ray, up to ``δ^(order * ramification)``.

        Raises
        ------
        OpenError
            If some sign or limit on the way is not decided.
        """
        size = order * self.ramification
        last = self._last_use()
        values: dict[int, Jet] = {}
        for index in self._order:
            node = self._graph.nodes[index]
            match node:
                case Input(name=name, shape=shape):
                    values[index] = self._input(ray.base[name], ray.direction[name], shape, size)
                case Constant(tensor=tensor):
                    values[index] = Jet((self._constant(index, tensor),), size)
                case Apply(args=args):
                    found = _apply(node, [values[arg] for arg in args], size)
                    values[index] = found.mapped(_shortened)
                    for arg in set(args):
                        if last[arg] == index and arg not in self._roots:
                            del values[arg]
        return {root: values[root] for root in self._roots}

    def _last_use(self) -> dict[int, int]:
        last: dict[int, int] = {}
        for index in self._order:
            node = self._graph.nodes[index]
            if isinstance(node, Apply):
                last.update(dict.fromkeys(node.args, index))
        return last

    def _input(
        self, base: Sequence[Fraction], slope: Sequence[Fraction], shape: Shape, order: int
    ) -> Jet:
        start = _filled(shape, [number_of(v) for v in base])
        if not any(slope) or order < self.ramification:
            return Jet((start,), order)
        gap = [np.full(shape, _ZERO, dtype=object) for _ in range(self.ramification - 1)]
        return Jet((start, *gap, _filled(shape, [number_of(v) for v in slope])), order)

    def _constant(self, index: int, tensor: Tensor) -> Array:
        if index not in self._constants:
            flat = [number_of(v) for v in tensor.array.reshape(-1).tolist()]
            self._constants[index] = _filled(tensor.shape, flat)
        return self._constants[index]


def _apply(node: Apply, args: Sequence[Jet], order: int) -> Jet:
    match node.op.meaning:
        case Pointwise():
            return _pointwise(node, node.op.meaning, args)
        case Routing(route=route):
            return _routed(node, args, route)
        case Contraction():
            return _convolved(args[0], args[1], np.matmul)
        case Fold(op=name):
            return _folded(node, args[0], name)
        case Selection():
            return _selected(node, args)
        case Expansion(expand=expand):
            return _expanded(node, args[0], expand, order)


def _together(args: Sequence[Jet]) -> tuple[list[tuple[Array, ...]], int, bool]:
    """Coefficient lists of one length, their order, and whether all are exact."""
    order = min(arg.order for arg in args)
    size = min(max(len(arg.coefficients) for arg in args), order + 1)
    exact = all(arg.exact and len(arg.coefficients) <= order + 1 for arg in args)
    padded: list[tuple[Array, ...]] = []
    for arg in args:
        missing = size - len(arg.coefficients)
        zeros = [np.full(arg.shape, _ZERO, dtype=object) for _ in range(missing)]
        padded.append((*arg.coefficients[:size], *zeros))
    return padded, order, exact


def _pointwise(node: Apply, meaning: Pointwise, args: Sequence[Jet]) -> Jet:
    match node.op.name:
        case "add" | "sub":
            (left, right), order, exact = _together(args)
            sign = 1 if node.op is ops.ADD else -1
            pairs = zip(left, right, strict=True)
            sums = tuple(_object(a + b if sign > 0 else a - b) for a, b in pairs)
            return Jet(sums, order, exact)
        case "neg":
            return args[0].mapped(lambda c: -c)
        case "mul":
            return _convolved(args[0], args[1], np.multiply)
        case _:
            pieces = meaning.pieces(node.params)
            spread = [arg.mapped(lambda c: np.broadcast_to(c, node.shape)) for arg in args]
            rows = zip(*(arg.elements() for arg in spread), strict=True)
            return _gathered(node.shape, [pieces_at(pieces, row) for row in rows], args)


def _convolved(left: Jet, right: Jet, product: Callable[[Array, Array], Any]) -> Jet:
    order = min(left.order, right.order)
    size = len(left.coefficients) + len(right.coefficients) - 1
    terms: list[Any] = [None] * min(size, order + 1)
    for i, a in enumerate(left.coefficients):
        for j, b in enumerate(right.coefficients[: max(0, len(terms) - i)]):
            term = product(a, b)
            terms[i + j] = term if terms[i + j] is None else terms[i + j] + term
    exact = left.exact and right.exact and size <= order + 1
    return Jet(tuple(_object(term) for term in terms), order, exact)


def _routed(node: Apply, args: Sequence[Jet], route: Callable[..., Array]) -> Jet:
    lists, order, exact = _together(args)
    moved: list[Array] = []
    for index, arrays in enumerate(zip(*lists, strict=True)):
        # padding is part of the constant coefficient only
        params = {
            key: Fraction(0) if index and isinstance(value, Fraction) else value
            for key, value in node.params.items()
        }
        moved.append(_numbers(route(arrays, params)))
    return Jet(tuple(moved), order, exact)


def _numbers(array: Array) -> Array:
    flat = [number_of(v) if isinstance(v, Fraction) else v for v in array.reshape(-1).tolist()]
    return _filled(tuple(array.shape), flat)


def _folded(node: Apply, data: Jet, name: str) -> Jet:
    axes = axes_of(data.shape, node.params)
    if name == "add":
        return data.mapped(lambda c: _summed(c, axes, node.shape))
    rest = [axis for axis in range(len(data.shape)) if axis not in axes]
    lanes = data.mapped(lambda c: c.transpose((*rest, *axes)).reshape((size_of(node.shape), -1)))
    width = lanes.shape[1]
    elements = lanes.elements()
    results = [
        _fold_lane(name, elements[i * width : (i + 1) * width], data.order)
        for i in range(size_of(node.shape))
    ]
    return _gathered(node.shape, results, [data])


def _summed(array: Array, axes: tuple[int, ...], shape: Shape) -> Array:
    if size_of(array.shape) == 0:
        return np.full(shape, _ZERO, dtype=object)
    total: Any = array
    for axis in sorted(axes, reverse=True):
        total = np.add.reduce(total, axis=axis)
    return _object(total).reshape(shape)


def _fold_lane(name: str, lane: Sequence[Series], order: int) -> Series:
    meaning = ops.BY_NAME[name].meaning
    total = lane[0] if lane else Series.constant(fmpq(1), order)
    for series in lane[1:]:
        if isinstance(meaning, Pointwise):
            total = pieces_at(meaning.pieces({}), [total, series])
    return total


def _selected(node: Apply, args: Sequence[Jet]) -> Jet:
    if node.op in (ops.GATHER, ops.GATHER_ELEMENTS):
        return _picked(node, args[0], _indices(args[1]))
    axis = axis_of(args[0].shape, node.params)
    width = args[0].shape[axis]
    lanes = args[0].mapped(lambda c: np.moveaxis(c, axis, -1).reshape((-1, width))).elements()
    rows = [lanes[i : i + width] for i in range(0, len(lanes), width)]
    if node.op is ops.ARGSORT:
        flat = [
            place for row in rows for place in _sorted(row, down=bool(node.params["descending"]))
        ]
        rest = tuple(n for i, n in enumerate(args[0].shape) if i != axis)
        found = np.moveaxis(_filled((*rest, width), [fmpq(i) for i in flat]), -1, axis)
        return Jet((found,), args[0].order)
    largest, last = node.op is ops.ARGMAX, bool(node.params["last"])
    chosen = [fmpq(_extreme(row, largest=largest, last=last)) for row in rows]
    return Jet((_filled(node.shape, chosen),), args[0].order)


def _picked(node: Apply, data: Jet, indices: Array) -> Jet:
    axis = axis_of(data.shape, node.params)
    if indices.size and not (
        -data.shape[axis] <= indices.min() <= indices.max() < data.shape[axis]
    ):
        raise OpenError
    if node.op is ops.GATHER:
        return data.mapped(lambda c: np.take(c, indices, axis=axis))
    window = tuple(slice(None) if i == axis else slice(0, n) for i, n in enumerate(indices.shape))
    return data.mapped(lambda c: np.take_along_axis(c[window], indices, axis=axis))


def _indices(jet: Jet) -> Array:
    whole: list[int] = []
    for series in jet.elements():
        value = series[0]
        if not isinstance(value, fmpq) or value.q != 1 or (series + _minus(value, series)).sign():
            raise OpenError
        whole.append(int(value.p))
    return np.array(whole, dtype=np.int64).reshape(jet.shape)


def _minus(value: fmpq, like: Series) -> Series:
    return Series.constant(-value, like.order)


def _extreme(row: Sequence[Series], *, largest: bool, last: bool) -> int:
    best = 0
    for index in range(1, len(row)):
        sign = (row[index] + row[best].scaled(fmpq(-1))).sign()
        if (sign if largest else -sign) > 0 or (last and sign == 0):
            best = index
    return best


def _sorted(row: Sequence[Series], *, down: bool) -> list[int]:
    def order(i: int, j: int) -> int:
        sign = (row[i] + row[j].scaled(fmpq(-1))).sign()
        return -sign if down else sign

    return sorted(range(len(row)), key=cmp_to_key(order))


def _expanded(node: Apply, argument: Jet, expand: Callable[..., int], order: int) -> Jet:
    """The value of an op that is defined by other ops: its expression, evaluated as it is built."""
    values = [argument]

    def apply(name: str, args: Sequence[int], **parameters: Any) -> int:
        op = ops.BY_NAME[name]
        operands = [values[arg] for arg in args]
        params = op.checked(parameters)
        shape = op.shape([operand.shape for operand in operands], params)
        values.append(_apply(Apply(op, tuple(args), params, shape), operands, order))
        return len(values) - 1

    return values[expand(apply, 0, argument.shape, node.params)]


def _gathered(shape: Shape, elements: Sequence[Series], args: Sequence[Jet]) -> Jet:
    order = min([*(e.order for e in elements), *(arg.order for arg in args)])
    size = min(max((len(e.coefficients) for e in elements), default=1), order + 1)
    coefficients = tuple(_filled(shape, [e[i] for e in elements]) for i in range(size))
    exact = all(e.exact and len(e.coefficients) <= order + 1 for e in elements)
    return Jet(coefficients, order, exact)


_shortened = np.frompyfunc(shortened, 1, 1)


def _object(value: Any) -> Array:
    """What NumPy gives for a rank-0 result may be the bare element."""
    if not isinstance(value, np.ndarray):
        return _filled((), [value])
    return cast("Array", value)


def _filled(shape: Shape, values: Sequence[Number]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)

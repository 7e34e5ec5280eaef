"""A graph evaluated on the germ of a ray: series in δ for whole tensors, exactly.

The ray is ``base + δ^ramification * direction``, so that a square root of something that vanishes
at the base has a series too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from flint import fmpq

from tamecheck import ops
from tamecheck.errors import DomainError
from tamecheck.evaluate.selection import pick, select
from tamecheck.evaluate.walk import Site, evaluate_expansion, folded_first, run
from tamecheck.exact.arrays import from_list, from_values, objects
from tamecheck.exact.reals import ZERO, UndecidedError, as_number
from tamecheck.ir.arithmetic import Arithmetic
from tamecheck.ir.formula import Add, Const, Mul, Pow, Var, subterms
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import (
    Contraction,
    Expansion,
    Fold,
    Meaning,
    Op,
    Params,
    Pointwise,
    Routing,
    Selection,
)
from tamecheck.ir.tensor import Array, Shape, Tensor, size_of
from tamecheck.ops.facets import chooses_indices, term_of
from tamecheck.ops.shapes import axes_of
from tamecheck.tame.refute_rays import Ray
from tamecheck.tame.series import Series, pieces_at, shorten

_MAX_RAMIFICATION = 6
_EXACT = 1 << 30
"""An order beyond that of every germ that is followed."""


@dataclass(frozen=True, slots=True)
class Germ:
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

    def mapped(self, function: Callable[[Array], Array]) -> Germ:
        """The same linear map of every coefficient."""
        return Germ(tuple(_object(function(c)) for c in self.coefficients), self.order, self.exact)


def ramification_of(graph: Graph, roots: Sequence[int]) -> int:
    """The product of the denominators of fractional powers, else their least common multiple.

    It is 1 when both exceed a limit; then germs at branch points stay undecided.
    """
    found = [
        denominator
        for index in graph.ancestors(roots)
        if isinstance(node := graph.nodes[index], Apply)
        for denominator in _denominators(node.op, node.params)
    ]
    choices = (math.prod(found), math.lcm(*found), 1)
    return next(choice for choice in choices if choice <= _MAX_RAMIFICATION)


def _denominators(op: Op, params: Params) -> list[int]:
    """Those of the constant exponents in a pointwise op."""
    if not isinstance(op.meaning, Pointwise):
        return []
    terms = [term for piece in op.meaning.pieces(params) for term in subterms(piece.term)]
    powers = [term.exponent for term in terms if isinstance(term, Pow)]
    return [power.value.denominator for power in powers if isinstance(power, Const)]


def has_fractional_power(op: Op, params: Params) -> bool:
    """Whether the op has a branch point, as a square root has at 0."""
    return max(_denominators(op, params), default=1) > 1


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


class GermRunner:
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
        self._roots = tuple(roots)
        self._constants: dict[int, Array] = {}
        self.ramification = ramification_of(graph, roots)

    def run(self, ray: Ray, *, order: int) -> dict[int, Germ]:
        """The roots on the germ of a ray, up to ``δ^(order * ramification)``.

        Raises
        ------
        UndecidedError
            If some sign or limit on the way is not decided.
        """
        size = order * self.ramification

        def leaf(index: int, node: Input | Constant) -> Germ:
            if isinstance(node, Constant):
                return Germ((self._constant(index, node.tensor),), size)
            return self._input(ray.base[node.name], ray.direction[node.name], node.shape, size)

        def apply(_: int, node: Apply, args: Sequence[Germ]) -> Germ:
            return _apply(node, args, size).mapped(_shortened)

        return run(self._graph, self._roots, leaf, apply)

    def _input(
        self, base: Sequence[Fraction], slope: Sequence[Fraction], shape: Shape, order: int
    ) -> Germ:
        start = from_list(shape, [as_number(v) for v in base])
        if not any(slope) or order < self.ramification:
            return Germ((start,), order)
        gap = [np.full(shape, ZERO, dtype=object) for _ in range(self.ramification - 1)]
        return Germ((start, *gap, from_list(shape, [as_number(v) for v in slope])), order)

    def _constant(self, index: int, tensor: Tensor) -> Array:
        if index not in self._constants:
            self._constants[index] = objects(from_values(tensor.array))
        return self._constants[index]


def _apply(node: Apply, args: Sequence[Germ], order: int) -> Germ:
    match node.op.meaning:
        case Pointwise():
            return _pointwise(node, node.op.meaning, args)
        case Routing(route=route):
            return _routed(node, args, route)
        case Contraction():
            return _convolved(args[0], args[1], np.matmul)
        case Fold(folded):
            return _folded(node, args[0], folded)
        case Selection():
            return _selected(node, args)
        case Expansion(expand=expand):
            return _expanded(node, args[0], expand, order)


def _together(args: Sequence[Germ]) -> tuple[list[tuple[Array, ...]], int, bool]:
    """Coefficient lists of one length, their order, and whether all are exact."""
    order = min(arg.order for arg in args)
    size = min(max(len(arg.coefficients) for arg in args), order + 1)
    exact = all(arg.exact and len(arg.coefficients) <= order + 1 for arg in args)
    padded: list[tuple[Array, ...]] = []
    for arg in args:
        missing = size - len(arg.coefficients)
        zeros = [np.full(arg.shape, ZERO, dtype=object) for _ in range(missing)]
        padded.append((*arg.coefficients[:size], *zeros))
    return padded, order, exact


def _pointwise(node: Apply, meaning: Pointwise, args: Sequence[Germ]) -> Germ:
    term = term_of(node.op, node.params)
    if term is not None and all(isinstance(t, Var | Const | Add | Mul) for t in subterms(term)):
        return _RING.value(term, args)
    pieces = meaning.pieces(node.params)
    spread = [arg.mapped(lambda c: np.broadcast_to(c, node.shape)) for arg in args]
    rows = zip(*(arg.elements() for arg in spread), strict=True)
    return _gathered(node.shape, [pieces_at(pieces, row) for row in rows], args)


def _sum(first: Germ, second: Germ) -> Germ:
    (left, right), order, exact = _together([first, second])
    sums = tuple(_object(a + b) for a, b in zip(left, right, strict=True))
    return Germ(sums, order, exact)


_RING: Arithmetic[Germ] = Arithmetic(
    constant=lambda value: Germ((np.full((), as_number(value), dtype=object),), _EXACT),
    add=_sum,
    multiply=lambda left, right: _convolved(left, right, np.multiply),
    scale=lambda germ, factor: germ.mapped(lambda c: as_number(factor) * c),
)


def _convolved(left: Germ, right: Germ, product: Callable[[Array, Array], Any]) -> Germ:
    order = min(left.order, right.order)
    size = len(left.coefficients) + len(right.coefficients) - 1
    terms: list[Any] = [None] * min(size, order + 1)
    for i, a in enumerate(left.coefficients):
        for j, b in enumerate(right.coefficients[: max(0, len(terms) - i)]):
            term = product(a, b)
            terms[i + j] = term if terms[i + j] is None else terms[i + j] + term
    exact = left.exact and right.exact and size <= order + 1
    return Germ(tuple(_object(term) for term in terms), order, exact)


def _routed(node: Apply, args: Sequence[Germ], route: Callable[..., Array]) -> Germ:
    lists, order, exact = _together(args)
    moved: list[Array] = []
    for index, arrays in enumerate(zip(*lists, strict=True)):
        # padding is part of the constant coefficient only
        params = {
            key: Fraction(0) if index and isinstance(value, Fraction) else value
            for key, value in node.params.items()
        }
        moved.append(_numbers(route(arrays, params)))
    return Germ(tuple(moved), order, exact)


def _numbers(array: Array) -> Array:
    flat = [as_number(v) if isinstance(v, Fraction) else v for v in array.reshape(-1).tolist()]
    return from_list(tuple(array.shape), flat)


def _folded(node: Apply, data: Germ, op: Op) -> Germ:
    if op is ops.ADD:
        axes = axes_of(data.shape, node.params)
        return data.mapped(lambda c: _summed(c, axes, node.shape))
    lanes = data.mapped(lambda c: folded_first(c, node.params)).elements()
    count = size_of(node.shape)
    results = [_fold_lane(op.meaning, lanes[i::count], data.order) for i in range(count)]
    return _gathered(node.shape, results, [data])


def _summed(array: Array, axes: tuple[int, ...], shape: Shape) -> Array:
    if size_of(array.shape) == 0:
        return np.full(shape, ZERO, dtype=object)
    total: Any = array
    for axis in sorted(axes, reverse=True):
        total = np.add.reduce(total, axis=axis)
    return _object(total).reshape(shape)


def _fold_lane(meaning: Meaning, lane: Sequence[Series], order: int) -> Series:
    total = lane[0] if lane else Series.constant(fmpq(1), order)
    for series in lane[1:]:
        if isinstance(meaning, Pointwise):
            total = pieces_at(meaning.pieces({}), [total, series])
    return total


def _selected(node: Apply, args: Sequence[Germ]) -> Germ:
    site = Site(node.op, node.params, node.shape)
    if not chooses_indices(node.op):
        indices = _indices(args[1])
        try:
            return args[0].mapped(lambda c: pick(site, c, indices))
        except DomainError:
            raise UndecidedError from None
    data = from_list(args[0].shape, args[0].elements())
    chosen = [fmpq(index) for index in select(site, [data], _order).reshape(-1).tolist()]
    return Germ((from_list(node.shape, chosen),), args[0].order)


def _order(left: Series, right: Series) -> int:
    return (left + right.scaled(fmpq(-1))).sign()


def _indices(germ: Germ) -> Array:
    whole: list[int] = []
    for series in germ.elements():
        value = series[0]
        if not isinstance(value, fmpq) or value.q != 1 or (series + _minus(value, series)).sign():
            raise UndecidedError
        whole.append(int(value.p))
    return np.array(whole, dtype=np.int64).reshape(germ.shape)


def _minus(value: fmpq, like: Series) -> Series:
    return Series.constant(-value, like.order)


def _expanded(node: Apply, argument: Germ, expand: Callable[..., int], order: int) -> Germ:
    def apply(site: Site, args: Sequence[Germ]) -> Germ:
        return _apply(Apply(site.op, node.args, site.params, site.shape), args, order)

    return evaluate_expansion(expand, Site(node.op, node.params, node.shape), argument, apply)


def _gathered(shape: Shape, elements: Sequence[Series], args: Sequence[Germ]) -> Germ:
    order = min([*(e.order for e in elements), *(arg.order for arg in args)])
    size = min(max((len(e.coefficients) for e in elements), default=1), order + 1)
    coefficients = tuple(from_list(shape, [e[i] for e in elements]) for i in range(size))
    exact = all(e.exact and len(e.coefficients) <= order + 1 for e in elements)
    return Germ(coefficients, order, exact)


_shortened = np.frompyfunc(shorten, 1, 1)


def _object(value: Any) -> Array:
    """What NumPy gives for a rank-0 result may be the bare element."""
    if not isinstance(value, np.ndarray):
        return from_list((), [value])
    return cast("Array", value)

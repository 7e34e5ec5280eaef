"""A graph as layers over flat vectors: constants folded, elements moved by one index a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck.bounds.layers import (
    Combine,
    Dense,
    Largest,
    Layers,
    Linear,
    Nonlinear,
    Pointwise,
    Product,
    Route,
)
from tamecheck.bounds.scalar import jump, reciprocal, scalar_of
from tamecheck.bounds.whole import integers
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate import enclose, fold_constant
from tamecheck.evaluate.enclosure import of_tensor
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import folded_first, site_of
from tamecheck.ir import op as meanings
from tamecheck.ir.box import Box
from tamecheck.ir.formula import Add, Const, Div, Mul, Term, Var, subterms
from tamecheck.ir.graph import Apply, Constant, Graph, Input, Node
from tamecheck.ir.op import Op, Params
from tamecheck.ir.tensor import Array, Shape, Tensor, size_of
from tamecheck.ops import ADD, EXP, MAXIMUM, MINIMUM, MUL, SELECT, SOFTMAX
from tamecheck.ops.facets import comparisons, extremum, sign_values
from tamecheck.ops.shapes import axis_of

_ERROR = 2.0**-44
"""The relative error that the bounds allow for in a constant."""

_EXACT_ELEMENTS = 4096
_NOT_ZERO = Fraction(1), Fraction(0), Fraction(1)


@dataclass(frozen=True, slots=True, eq=False)
class _Symbol:
    """A node: a constant array, or the elements of a layer."""

    shape: Shape
    layer: int = -1
    constant: Array | None = None


def layers_of(graph: Graph) -> Layers:
    """The layers of a graph, all outputs one after the other.

    An `UnsupportedError` lists every node without linear bounds.
    """
    return _Builder(graph).run()


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.sizes = [sum(size_of(shape) for shape in graph.inputs.values())]
        self.layers: list[Linear | Nonlinear] = []
        self.symbols: dict[int, _Symbol] = {}
        self.missing: list[tuple[str, str]] = []

    def run(self) -> Layers:
        """The layers, once every node has been read."""
        start = 0
        for index, node in enumerate(self.graph.nodes):
            if isinstance(node, Input):
                self.symbols[index] = self._input(node, start)
                start += size_of(node.shape)
        constants, sharp = _constants(self.graph)
        for index in self.graph.ancestors([node for _, node in self.graph.outputs]):
            node = self.graph.nodes[index]
            if self.graph.input_free[index]:
                value = constants.get(index)
                if value is None:
                    self.missing.append((self.graph.name_of(index), "a constant not known well"))
                else:
                    self.symbols[index] = _Symbol(node.shape, constant=value)
            elif isinstance(node, Apply) and all(arg in self.symbols for arg in node.args):
                found = self._node(index, node, [self.symbols[arg] for arg in node.args])
                if found is None:
                    self.missing.append((self.graph.name_of(index), node.op.name))
                else:
                    self.symbols[index] = _Symbol(node.shape, found)
        if self.missing:
            raise UnsupportedError("No linear bounds are known for:", nodes=self.missing)
        last = self._join([self.symbols[node] for _, node in self.graph.outputs])
        if last != len(self.layers) or not last:
            # the output layer is the last one
            self._add(Combine.of((last,), (1.0,), None, self.sizes[last]))
        whole = integers(self.layers) if sharp else frozenset[int]()
        return Layers(self.sizes[0], tuple(self.layers), sharp, whole=whole)

    def _add(self, layer: Linear | Nonlinear) -> int:
        self.layers.append(layer)
        self.sizes.append(layer.size)
        return len(self.layers)

    def _input(self, node: Input, start: int) -> _Symbol:
        size = size_of(node.shape)
        if size == self.sizes[0]:
            return _Symbol(node.shape, 0)
        route = Route.of(0, start + np.arange(size), np.zeros(size), self.sizes[0])
        return _Symbol(node.shape, self._add(route))

    def _node(self, index: int, node: Apply, args: Sequence[_Symbol]) -> int | None:
        match node.op.meaning:
            case meanings.Routing(route):
                return self._move(node, args, route)
            case meanings.Selection() if len(args) == 2 and args[1].constant is not None:
                places = np.arange(size_of(args[0].shape)).reshape(args[0].shape)
                site, chosen = site_of(self.graph, index, node), args[1].constant.astype(np.int64)
                return self._index(args[0].layer, pick(site, places, chosen))
            case meanings.Contraction():
                return self._matmul(node, args)
            case meanings.Fold(op) if op is not MUL:
                return self._fold(op, node, args[0])
            case meanings.Pointwise() as meaning:
                return self._pointwise(meaning, node, args)
            case meanings.Expansion() if node.op is SOFTMAX:
                return self._softmax(node, args[0])
            case _:
                return None

    def _softmax(self, node: Apply, arg: _Symbol) -> int | None:
        """``1 / (1 + Σ exp(x_i - x_j))`` over the others of a line: differences do not grow."""
        places = np.arange(size_of(arg.shape)).reshape(arg.shape)
        lines = np.moveaxis(places, axis_of(arg.shape, node.params), -1)
        count, exp = lines.shape[-1], scalar_of(EXP, {})
        if exp is None or count < 2:
            return None
        turned = np.array([[(j + k) % count for k in range(1, count)] for j in range(count)])
        others = lines[..., turned]
        own = np.broadcast_to(lines[..., np.newaxis], others.shape)
        pair = self._index(arg.layer, others), self._index(arg.layer, own)
        apart = self._add(Combine.of(pair, (1.0, -1.0), None, others.size))
        grown = self._totals(
            self._add(Pointwise((apart,), others.size, exp)), lines.size, count - 1
        )
        total = self._add(Combine.of((grown,), (1.0,), np.ones(lines.size), lines.size))
        found = self._add(Pointwise((total,), lines.size, reciprocal()))
        back = np.empty(lines.size, dtype=np.int64)
        back[lines.reshape(-1)] = np.arange(lines.size)
        return self._index(found, back)

    def _pointwise(
        self, meaning: meanings.Pointwise, node: Apply, args: Sequence[_Symbol]
    ) -> int | None:
        """Sums and products as their term says, maxima, comparisons, functions of one argument."""
        pieces = meaning.pieces(node.params)
        for op, sign in ((MAXIMUM, 1.0), (MINIMUM, -1.0)):
            if isinstance(op.meaning, meanings.Pointwise) and pieces == op.meaning.pieces({}):
                count = size_of(node.shape)
                wide = [_Symbol((count,), self._spread(arg, node.shape)) for arg in args]
                pairs = np.arange(2 * count).reshape(2, count).T
                return self._largest(self._index(self._join(wide), pairs), 2, sign)
        if node.op is SELECT:
            return self._chosen(args, node.shape)
        found = self._term(pieces[0].term, args, node.shape) if len(pieces) == 1 else None
        if found is not None:
            return self._spread(found, node.shape)
        if len(args) == 1:
            scalar = scalar_of(node.op, node.params)
            return scalar and self._add(Pointwise((args[0].layer,), size_of(node.shape), scalar))
        values = sign_values(node.op, node.params)
        if values is None or len(set(values)) == 1:
            return None
        # a comparison is a jump of the term that it compares with 0
        (term,) = comparisons(node.op, node.params)
        found = self._term(term, args, node.shape)
        if found is None:
            return None
        compared = self._spread(found, node.shape)
        return self._add(Pointwise((compared,), size_of(node.shape), jump(values)))

    def _chosen(self, args: Sequence[_Symbol], shape: Shape) -> int | None:
        """``z + c (y - z)``, where c is 1 if the first argument is not 0, and else 0."""
        test, known = self._spread(args[0], shape), all(a.constant is not None for a in args[1:])
        chosen = self._add(Pointwise((test,), size_of(shape), jump(_NOT_ZERO)))
        c, y, z = map(Var, range(3))
        # a difference of constants would lose what they are known to
        term = z + c * y - c * z if known else z + c * (y - z)
        found = self._term(term, (_Symbol(shape, chosen), *args[1:]), shape)
        return None if found is None else self._spread(found, shape)

    def _term(self, term: Term, args: Sequence[_Symbol], shape: Shape) -> _Symbol | None:
        match term:
            case Var(index):
                return args[index]
            case Const(value):
                return _Symbol((), constant=np.asarray(nearest_float(value)))
            case Add(left, Mul(Const(factor), right)) if factor == -1:
                return self._sum((left, right), -1.0, args, shape)
            case Add(left, right):
                return self._sum((left, right), 1.0, args, shape)
            case Mul(left, right) | Div(left, right):
                parts = self._term(left, args, shape), self._term(right, args, shape)
                if parts[0] is None or parts[1] is None:
                    return None
                return self._product(parts[0], parts[1], shape, divided=isinstance(term, Div))
            case _:
                return None

    def _index(self, arg: int, index: Array, offset: Array | None = None) -> int:
        """The layer of the given elements of a layer, and of constants where negative."""
        flat = index.reshape(-1)
        constants = np.zeros(len(flat)) if offset is None else offset.reshape(-1)
        for _ in range(2):
            source = self.sizes[arg]
            if len(flat) == source and bool((flat == np.arange(source)).all()):
                return arg
            layer = self.layers[arg - 1] if arg else None
            if not isinstance(layer, Route):
                break
            constants = np.where(flat >= 0, layer.offset[np.maximum(flat, 0)], constants)
            flat = np.where(flat >= 0, layer.index[np.maximum(flat, 0)], -1)
            arg = layer.args[0]
        return self._add(Route.of(arg, flat, constants, self.sizes[arg]))

    def _move(
        self,
        node: Apply,
        args: Sequence[_Symbol],
        route: Callable[[Sequence[Array], Params], Array],
    ) -> int:
        """Elements of the joined arguments, wherever the op's own routing takes them."""
        joined = self._join(args) if len(args) > 1 else args[0].layer
        ends = np.cumsum([size_of(arg.shape) for arg in args])
        rows: list[Array] = np.split(np.arange(int(ends[-1])), ends[:-1])
        places = [row.reshape(arg.shape) for row, arg in zip(rows, args, strict=True)]
        # a number among the parameters is what fills the places that come from nowhere
        filled = {k: v for k, v in node.params.items() if isinstance(v, Fraction)}
        index = route(places, {**node.params, **dict.fromkeys(filled, Fraction(-1))})
        fill = nearest_float(next(iter(filled.values()), Fraction(0)))
        return self._index(joined, index, np.where(index < 0, fill, 0.0))

    def _join(self, args: Sequence[_Symbol]) -> int:
        """One layer that holds the elements of all arguments, one after the other."""
        # an empty one, as of a slice without elements, adds nothing
        args = [arg for arg in args if size_of(arg.shape)] or args[:1]
        if len(args) == 1 and args[0].constant is None:
            return args[0].layer
        total = sum(size_of(arg.shape) for arg in args)
        parts: dict[int, Array] = {}
        offset = np.zeros(total)
        start = 0
        for arg in args:
            stop = start + size_of(arg.shape)
            if arg.constant is not None:
                offset[start:stop] = arg.constant.reshape(-1)
            else:
                index = parts.setdefault(arg.layer, np.full(total, -1))
                index[start:stop] = np.arange(stop - start)
            start = stop
        layers = tuple(self._index(layer, index) for layer, index in parts.items())
        if not layers:
            return self._index(0, np.full(total, -1), offset)
        if len(layers) == 1 and not offset.any():
            return layers[0]
        return self._add(Combine.of(layers, (1.0,) * len(layers), offset, total))

    def _spread(self, arg: _Symbol, shape: Shape) -> int:
        """The argument broadcast to a shape, as a layer."""
        layer = self._join([arg])
        places = np.arange(size_of(arg.shape)).reshape(arg.shape)
        return self._index(layer, np.broadcast_to(places, shape))

    def _sum(
        self, terms: tuple[Term, Term], sign: float, args: Sequence[_Symbol], shape: Shape
    ) -> _Symbol | None:
        layers: list[int] = []
        factors: list[float] = []
        offset: Array | None = None
        for term, factor in zip(terms, (1.0, sign), strict=True):
            part = self._term(term, args, shape)
            if part is None:
                return None
            if part.constant is None:
                layers.append(self._spread(part, shape))
                factors.append(factor)
            else:
                offset = factor * np.broadcast_to(part.constant, shape).reshape(-1)
        if not layers:
            return None
        return _Symbol(shape, self._add(Combine.of(layers, factors, offset, size_of(shape))))

    def _scale(self, arg: int, factor: Array | float) -> int:
        return self._add(Combine.of((arg,), (factor,), None, self.sizes[arg]))

    def _product(
        self, left: _Symbol, right: _Symbol, shape: Shape, *, divided: bool
    ) -> _Symbol | None:
        if divided and right.constant is None:
            inverse = Pointwise((right.layer,), size_of(right.shape), reciprocal())
            return self._product(
                left, _Symbol(right.shape, self._add(inverse)), shape, divided=False
            )
        for factor, other in ((right, left), (left, right)):
            if factor.constant is not None:
                values = np.broadcast_to(factor.constant, shape).reshape(-1)
                if divided and not values.all():
                    return None
                values = 1 / values if divided else values
                if other.constant is not None:
                    return None
                same = bool(values.size) and bool((values == values[0]).all())
                scale = float(values[0]) if same else values
                return _Symbol(shape, self._scale(self._spread(other, shape), scale))
        pair = self._spread(left, shape), self._spread(right, shape)
        return _Symbol(shape, self._add(Product(pair, size_of(shape))))

    def _matmul(self, node: Apply, args: Sequence[_Symbol]) -> int | None:
        left, right = args
        if len(left.shape) < 2 and right.constant is None:
            return None
        for known, arg, on_left in ((right.constant, left, False), (left.constant, right, True)):
            if known is None:
                continue
            weight = known if known.ndim > 1 else known[:, np.newaxis]
            one = (1,) * (2 - len(arg.shape))
            shape = (*arg.shape, *one) if on_left else (*one, *arg.shape)
            batch = np.broadcast_shapes(shape[:-2], weight.shape[:-2])
            full = (*batch, *shape[-2:])
            ends = (weight.shape[-2], shape[-1]) if on_left else (shape[-2], weight.shape[-1])
            wide = self._spread(_Symbol(shape, arg.layer), full)
            return self._add(Dense.of(wide, weight, full, (*batch, *ends), left=on_left))
        return self._bilinear(node, left, right)

    def _bilinear(self, node: Apply, left: _Symbol, right: _Symbol) -> int | None:
        """A product of two computed matrices: all products of elements, then sums."""
        if len(left.shape) < 2 or len(right.shape) < 2:
            return None
        batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        rows, inner, columns = *left.shape[-2:], right.shape[-1]
        whole = (*batch, rows, columns, inner)
        a = np.arange(size_of(left.shape)).reshape(left.shape)[..., :, np.newaxis, :]
        b = np.swapaxes(np.arange(size_of(right.shape)).reshape(right.shape), -1, -2)
        first = self._index(left.layer, np.broadcast_to(a, whole))
        second = self._index(right.layer, np.broadcast_to(b[..., np.newaxis, :, :], whole))
        product = self._add(Product((first, second), size_of(whole)))
        return self._totals(product, size_of(node.shape), inner)

    def _totals(self, arg: int, outputs: int, count: int) -> int:
        """The sums of groups of ``count`` elements."""
        ones = np.ones((count, 1))
        return self._add(Dense.of(arg, ones, (outputs, count), (outputs, 1), left=False))

    def _fold(self, op: Op, node: Apply, arg: _Symbol) -> int:
        places = np.arange(size_of(arg.shape)).reshape(arg.shape)
        places = np.moveaxis(folded_first(places, node.params), 0, -1)
        ordered, count = self._index(arg.layer, places), places.shape[-1]
        if op is ADD:
            return self._totals(ordered, size_of(node.shape), count)
        return self._largest(ordered, count, float(extremum(node.op)))

    def _largest(self, arg: int, group: int, sign: float) -> int:
        """The largest of each group, or the smallest as the negative of the largest negative."""
        size = self.sizes[arg] // group
        if sign > 0:
            return self._add(Largest((arg,), size, group))
        turned = self._scale(arg, -1.0)
        return self._scale(self._add(Largest((turned,), size, group)), -1.0)


def _constants(graph: Graph) -> tuple[dict[int, Array], bool]:
    """The input-free nodes in float64, those that are known to a relative 2**-44.

    They are folded by intervals, and exactly where these are too wide.  The second result is
    whether all are exact, and no op divides or has a constant of its own.
    """
    needed = graph.ancestors([node for _, node in graph.outputs])
    free = [index for index in needed if graph.input_free[index]]
    exact: dict[int, Tensor | None] = {}

    def fold(index: int) -> Tensor | None:
        """The rational value, None if there is none or it is too large."""
        if index not in exact:
            node = graph.nodes[index]
            exact[index] = node.tensor if isinstance(node, Constant) else None
            if isinstance(node, Apply) and size_of(node.shape) <= _EXACT_ELEMENTS:
                args = [fold(arg) for arg in node.args]
                known = [arg for arg in args if arg is not None]
                if len(known) == len(args):
                    exact[index] = fold_constant(node.op, known, node.params)
        return exact[index]

    values: dict[int, Array] = {}
    sharp = all(_keeps_constants(graph.nodes[index]) for index in needed)
    for index, enclosed in enclose(graph, Box.everything(), hull_above=2**28, nodes=free).items():
        found = enclosed
        if not _sharp(found.lower, found.upper):
            # rounded intervals lose what cancels; rational arithmetic does not
            tensor = fold(index)
            found = found if tensor is None else of_tensor(tensor)
        if _sharp(found.lower, found.upper):
            # not ascontiguousarray, which turns a scalar into a vector
            values[index] = np.asarray(found.lower, order="C")
            sharp = sharp and bool((found.lower == found.upper).all())
    return values, sharp


def _keeps_constants(node: Node) -> bool:
    """Whether layers have no rounded numbers because of a node: it is none that computes some."""
    if not isinstance(node, Apply) or not isinstance(node.op.meaning, meanings.Pointwise):
        return True
    pieces = node.op.meaning.pieces(node.params)
    return not any(
        isinstance(term, Div) or (isinstance(term, Const) and term.value.denominator != 1)
        for piece in pieces
        for term in subterms(piece.term)
    )


def _sharp(low: Array, high: Array) -> bool:
    if low is high:
        return bool(np.isfinite(low).all())
    size = np.maximum(np.abs(low), np.abs(high))
    return bool((high - low <= size * _ERROR).all())

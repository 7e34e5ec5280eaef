"""A graph as layers over flat vectors: constants folded, elements moved by one index a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tamecheck.bounds.constants import Constants
from tamecheck.bounds.functions import reciprocal, scalar_of
from tamecheck.bounds.layers import Entry, Layer, Layers
from tamecheck.bounds.linear import Combine, Dense, Route, Scale
from tamecheck.bounds.nonlinear import Largest, Pointwise, Product
from tamecheck.errors import UnsupportedError
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Routing
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.shapes import axes_of, axis_of

__all__ = ["layers_of"]


@dataclass(frozen=True, slots=True, eq=False)
class _Symbol:
    """A node: a constant array, or the elements ``index`` of a layer (with constants at -1)."""

    shape: Shape
    layer: int = -1
    constant: Array | None = None


def layers_of(graph: Graph) -> Layers:
    """The layers of a graph, all outputs one after the other.

    Raises
    ------
    UnsupportedError
        If a node has no linear bounds here; every such node is listed.
    """
    return _Builder(graph).run()


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        sizes = [size_of(shape) for shape in graph.inputs.values()]
        self.layers: list[Layer] = [Entry(sum(sizes))]
        self.symbols: dict[int, _Symbol] = {}
        self.missing: list[tuple[str, str]] = []
        self.constants = Constants(graph)

    def run(self) -> Layers:
        """The layers, once every node has been read."""
        nodes = self.graph.nodes
        start = 0
        for index, node in enumerate(nodes):
            if isinstance(node, Input):
                self.symbols[index] = self._input(node, start)
                start += size_of(node.shape)
        for index in self.graph.ancestors([node for _, node in self.graph.outputs]):
            self._read(index)
        if self.missing:
            raise UnsupportedError("No linear bounds are known for:", nodes=self.missing)
        last = self._joined([self.symbols[node] for _, node in self.graph.outputs])
        if last != len(self.layers) - 1:
            # the output layer is the last one
            self._add(Combine((last,), (1.0,), None, self.layers[last].size))
        return Layers(tuple(self.layers))

    def _read(self, index: int) -> None:
        node = self.graph.nodes[index]
        if self.graph.input_free[index]:
            value = self.constants.value(index)
            if value is None:
                self.missing.append((self.graph.name_of(index), "a constant not known well"))
            else:
                self.symbols[index] = _Symbol(node.shape, constant=value)
        elif isinstance(node, Apply):
            self._apply(index, node)

    def _add(self, layer: Layer) -> int:
        self.layers.append(layer)
        return len(self.layers) - 1

    def _input(self, node: Input, start: int) -> _Symbol:
        size = size_of(node.shape)
        if size == self.layers[0].size:
            return _Symbol(node.shape, 0)
        route = Route.of(0, start + np.arange(size), np.zeros(size), self.layers[0].size)
        return _Symbol(node.shape, self._add(route))

    def _apply(self, index: int, node: Apply) -> None:
        if any(arg not in self.symbols for arg in node.args):
            return
        found = self._node(node, [self.symbols[arg] for arg in node.args])
        if found is None:
            self.missing.append((self.graph.name_of(index), node.op.name))
        else:
            self.symbols[index] = _Symbol(node.shape, found)

    def _node(self, node: Apply, args: Sequence[_Symbol]) -> int | None:
        name = node.op.name
        if isinstance(node.op.meaning, Routing) or (
            name in ("gather", "gather_elements") and args[1].constant is not None
        ):
            return self._routed(node, args)
        match name:
            case "add" | "sub":
                return self._sum(args, -1.0 if name == "sub" else 1.0, node.shape)
            case "neg":
                return self._scaled(args[0].layer, -1.0)
            case "mul" | "div":
                return self._product(name, args, node.shape)
            case "matmul":
                return self._matmul(node, args)
            case "sum" | "reduce_max" | "reduce_min":
                return self._folded(name, node, args[0])
            case "maximum" | "minimum":
                sign = 1.0 if name == "maximum" else -1.0
                layers = [self._spread(arg, node.shape) for arg in args]
                return self._largest(self._interleaved(layers), 2, sign)
            case _:
                scalar = scalar_of(name, node.params) if len(args) == 1 else None
                if scalar is None:
                    return None
                return self._add(Pointwise((args[0].layer,), scalar, size_of(node.shape)))

    def _index(self, arg: int, index: Array, offset: Array | None = None) -> int:
        """The layer of the given elements of a layer, and of constants where negative."""
        source = self.layers[arg].size
        flat = index.reshape(-1)
        if len(flat) == source and bool((flat == np.arange(source)).all()):
            return arg
        layer = self.layers[arg]
        constants = np.zeros(len(flat)) if offset is None else offset.reshape(-1)
        if isinstance(layer, Route):
            inner = np.where(flat >= 0, layer.index[np.maximum(flat, 0)], -1)
            shifted = layer.offset[np.maximum(flat, 0)]
            constants = np.where(flat >= 0, shifted, constants)
            flat, arg, source = inner, layer.args[0], layer.source
            if len(flat) == source and bool((flat == np.arange(source)).all()):
                return arg
        return self._add(Route.of(arg, flat, constants, source))

    def _routed(self, node: Apply, args: Sequence[_Symbol]) -> int:
        if node.op.name in ("gather", "gather_elements"):
            data, chosen = args
            if data.constant is not None or chosen.constant is None:
                return self._index(data.layer, np.zeros(0, dtype=np.int64))
            axis = axis_of(data.shape, node.params)
            places = np.arange(size_of(data.shape)).reshape(data.shape)
            picked = chosen.constant.astype(np.int64)
            picked = np.where(picked < 0, picked + data.shape[axis], picked)
            if node.op.name == "gather":
                return self._index(data.layer, np.take(places, picked, axis))
            return self._index(data.layer, np.take_along_axis(places, picked, axis))
        return self._moved(node, args)

    def _moved(self, node: Apply, args: Sequence[_Symbol]) -> int:
        """Elements of the joined arguments, wherever the op's own routing takes them."""
        assert_routing = node.op.meaning
        joined = self._joined(args) if len(args) > 1 else args[0].layer
        places: list[Array] = []
        start = 0
        for arg in args:
            size = size_of(arg.shape)
            places.append(np.arange(start, start + size).reshape(arg.shape))
            start += size
        fill = node.params.get("value") if node.op.name == "pad" else None
        params = {**node.params, "value": Fraction(-1)} if fill is not None else node.params
        if not isinstance(assert_routing, Routing):
            raise TypeError(node.op.name)
        index = assert_routing.route(places, params)
        offset = None
        if isinstance(fill, Fraction):
            offset = np.where(index < 0, float(fill), 0.0)
        return self._index(joined, index, offset)

    def _joined(self, args: Sequence[_Symbol]) -> int:
        """One layer that holds the elements of all arguments, one after the other."""
        if len(args) == 1:
            if args[0].constant is not None:
                size = size_of(args[0].shape)
                nowhere = np.full(size, -1)
                return self._index(0, nowhere, args[0].constant)
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
        return self._add(Combine(layers, (1.0,) * len(layers), offset, total))

    def _spread(self, arg: _Symbol, shape: Shape) -> int:
        """The argument broadcast to a shape, as a layer."""
        layer = self._joined([arg])
        places = np.arange(size_of(arg.shape)).reshape(arg.shape)
        return self._index(layer, np.broadcast_to(places, shape))

    def _sum(self, args: Sequence[_Symbol], sign: float, shape: Shape) -> int:
        signs = (1.0, sign)
        variable = [(s, a) for s, a in zip(signs, args, strict=True) if a.constant is None]
        offset: Array | None = None
        for s, arg in zip(signs, args, strict=True):
            if arg.constant is not None:
                offset = s * np.broadcast_to(arg.constant, shape).reshape(-1)
        layers = tuple(self._spread(arg, shape) for _, arg in variable)
        kept = tuple(s for s, _ in variable)
        return self._add(Combine(layers, kept, offset, size_of(shape)))

    def _scaled(self, arg: int, factor: float) -> int:
        return self._add(Scale((arg,), np.full(self.layers[arg].size, factor)))

    def _product(self, name: str, args: Sequence[_Symbol], shape: Shape) -> int | None:
        left, right = args
        if name == "div" and right.constant is None:
            inverse = Pointwise((right.layer,), reciprocal(), size_of(right.shape))
            return self._product("mul", [left, _Symbol(right.shape, self._add(inverse))], shape)
        for factor, other in ((right, left), (left, right)):
            if factor.constant is not None:
                values = np.broadcast_to(factor.constant, shape).reshape(-1)
                if name == "div" and not values.all():
                    return None
                values = 1 / values if name == "div" else values
                return self._add(Scale((self._spread(other, shape),), values))
        return self._add(
            Product((self._spread(left, shape), self._spread(right, shape)), size_of(shape))
        )

    def _matmul(self, node: Apply, args: Sequence[_Symbol]) -> int | None:
        left, right = args
        if len(left.shape) < 2 and right.constant is None:
            return None
        if right.constant is not None:
            weight = right.constant if right.constant.ndim > 1 else right.constant[:, np.newaxis]
            shape = left.shape if len(left.shape) > 1 else (1, *left.shape)
            batch = np.broadcast_shapes(shape[:-2], weight.shape[:-2])
            arg = self._batched(left, shape, batch)
            full = (*batch, *shape[-2:])
            result = (*batch, shape[-2], weight.shape[-1])
            return self._add(Dense.of(arg, weight, full, result, left=False))
        if left.constant is not None:
            weight = left.constant
            shape = right.shape if len(right.shape) > 1 else (*right.shape, 1)
            batch = np.broadcast_shapes(shape[:-2], weight.shape[:-2])
            arg = self._batched(right, shape, batch)
            full = (*batch, *shape[-2:])
            result = (*batch, weight.shape[-2], shape[-1])
            return self._add(Dense.of(arg, weight, full, result, left=True))
        return self._bilinear(node, left, right)

    def _batched(self, arg: _Symbol, shape: Shape, batch: Shape) -> int:
        return self._spread(_Symbol(shape, arg.layer), (*batch, *shape[-2:]))

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
        ones = np.ones((inner, 1))
        return self._add(
            Dense.of(
                product, ones, (size_of(node.shape), inner), (size_of(node.shape), 1), left=False
            )
        )

    def _folded(self, name: str, node: Apply, arg: _Symbol) -> int:
        axes = axes_of(arg.shape, node.params)
        rest = [axis for axis in range(len(arg.shape)) if axis not in axes]
        places = np.arange(size_of(arg.shape)).reshape(arg.shape).transpose((*rest, *axes))
        count = size_of(tuple(arg.shape[axis] for axis in axes))
        ordered = self._index(arg.layer, places)
        outputs = size_of(node.shape)
        if name == "sum":
            return self._add(
                Dense.of(ordered, np.ones((count, 1)), (outputs, count), (outputs, 1), left=False)
            )
        return self._largest(ordered, count, 1.0 if name == "reduce_max" else -1.0)

    def _interleaved(self, layers: Sequence[int]) -> int:
        size = self.layers[layers[0]].size
        joined = self._joined([_Symbol((size,), layer) for layer in layers])
        places = np.arange(size * len(layers)).reshape(len(layers), size).T
        return self._index(joined, places)

    def _largest(self, arg: int, group: int, sign: float) -> int:
        """The largest of each group, or the smallest as the negative of the largest negative."""
        size = self.layers[arg].size // group
        if sign > 0:
            return self._add(Largest((arg,), size, group))
        turned = self._scaled(arg, -1.0)
        return self._scaled(self._add(Largest((turned,), size, group)), -1.0)

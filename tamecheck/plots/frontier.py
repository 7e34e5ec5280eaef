"""Models that are constant on pieces, sampled by the decisions of their first steps.

If every way from the inputs to the outputs passes a step (a sign, a rounding), the first steps on
the ways decide the value.  In a plane few of them change, their arguments are mostly affine
functions of two coordinates, and the rest of the model need be evaluated once for each of their
patterns and not at every point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck.derivative.gradient import node_values
from tamecheck.derivative.lowering import lowered
from tamecheck.derivative.reverse import route_index
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.float_terms import condition_floats, term_floats
from tamecheck.evaluate.walk import folded_first
from tamecheck.exact.arrays import pad_rank
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, size_of

__all__ = ["Frontier", "frontier_of"]

_LINEAR = frozenset({"add", "sub", "neg"})
_SCALINGS = frozenset({"mul", "div"})

_Kind = str
_FREE, _BEFORE, _FIRST, _AFTER = "free", "before", "first", "after"


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """The first steps of a model, as functions of the coordinates of a plane.

    Parameters
    ----------
    graph
        The model with compound ops written out.
    low, width
        The corner of the plane at which affine nodes are known, and its sides.
    base, slopes
        For affine and constant nodes the value at the corner, flat, and its changes along the
        sides, ``(coordinates, elements)``.
    wanted
        For each first step its elements that are not the same in the whole plane.
    before
        The nodes before the steps, whose decisions say nothing more.
    """

    graph: Graph
    low: Array
    width: Array
    base: dict[int, Array]
    slopes: dict[int, Array]
    wanted: dict[int, Array]
    before: frozenset[int]

    @property
    def size(self) -> int:
        """About how many elements are computed at each point."""
        return sum(self._size(node, chosen) for node, chosen in self.wanted.items())

    def _size(self, index: int, chosen: Array) -> int:
        if index in self.base:
            return len(chosen)
        return len(chosen) + sum(self._size(*part) for part in self._parts(index, chosen))

    def decisions(self, points: Array) -> list[tuple[int, Array]]:
        """For each first step the values of its changing elements, one row a point."""
        steps = (points - self.low) / self.width
        return [
            (node, np.nan_to_num(self._at(node, chosen, steps)).astype(np.int64))
            for node, chosen in self.wanted.items()
        ]

    def _parts(self, index: int, chosen: Array) -> list[tuple[int, Array]]:
        """The elements of the arguments from which elements of a node are computed."""
        node = _apply(self.graph, index)
        return list(zip(node.args, _sources(self.graph, node, chosen, self.base), strict=False))

    def _at(self, index: int, chosen: Array, steps: Array) -> Array:
        if index in self.base:
            if index not in self.slopes:
                return self.base[index][chosen][None]
            return self.base[index][chosen] + steps @ self.slopes[index][:, chosen]
        node = _apply(self.graph, index)
        args = [self._at(arg, places, steps) for arg, places in self._parts(index, chosen)]
        match node.op.meaning:
            case Pointwise() as meaning:
                pieces = meaning.pieces(node.params)
                value = term_floats(pieces[-1].term, args)
                for piece in reversed(pieces[:-1]):
                    mask = condition_floats(piece.condition, args)
                    value = np.where(mask, term_floats(piece.term, args), value)
                return np.asarray(value)
            case Fold(name):
                wide = args[0].reshape((len(args[0]), len(chosen), -1))
                return wide.max(axis=2) if name == "maximum" else wide.min(axis=2)
            case _:
                (one,) = args
                return one


def frontier_of(graph: Graph, low: Array, high: Array, steps: frozenset[str]) -> Frontier | None:
    """The first steps of a model on a plane; None where they do not decide its value.

    Parameters
    ----------
    graph
        The model, of as many input elements as the plane has coordinates.
    low, high
        The plane's corners.
    steps
        The names of ops that are constant on pieces.
    """
    simple = lowered(graph)
    kinds = _kinds(simple, steps)
    if kinds is None:
        return None
    width = high - low
    corners = np.concatenate([low[None], low + np.diag(width)])
    last = max((i for i, kind in enumerate(kinds) if kind == _FIRST), default=0)
    _, values = node_values(Graph(simple.nodes[: last + 1], (("last", last),)), corners)
    base: dict[int, Array] = {}
    slopes: dict[int, Array] = {}
    varies: dict[int, Array] = {}
    first: dict[int, Array] = {}
    for index, kind in enumerate(kinds):
        node = simple.nodes[index]
        if kind == _AFTER or index > last:
            continue
        size = size_of(node.shape)
        if kind == _FREE:
            base[index] = np.broadcast_to(values[index], (1, 1, *node.shape)).reshape(-1)
            varies[index] = np.zeros(size, dtype=bool)
            continue
        if _affine(simple, index, slopes):
            flat = values[index].reshape((len(corners), -1))
            base[index], slopes[index] = flat[0], flat[1:] - flat[0]
            varies[index] = (slopes[index] != 0).any(axis=0)
            continue
        node = _apply(simple, index)
        if not _computable(simple, node):
            return None
        found = np.zeros(size, dtype=bool)
        every = np.arange(size)
        for arg, places in zip(node.args, _sources(simple, node, every, base), strict=False):
            found |= varies[arg][places].reshape((size, -1)).any(axis=1)
        varies[index] = found
        if kind == _FIRST:
            first[index] = np.flatnonzero(found & _crossed(node, base, slopes))
    before = frozenset(index for index, kind in enumerate(kinds) if kind == _BEFORE)
    return Frontier(simple, low, width, base, slopes, first, before)


def _kinds(graph: Graph, steps: frozenset[str]) -> list[_Kind] | None:
    """Where each node is: before the first steps, one of them, after them; None if both."""
    kinds: list[_Kind] = []
    for index, node in enumerate(graph.nodes):
        if graph.input_free[index]:
            kinds.append(_FREE)
        elif isinstance(node, Input):
            kinds.append(_BEFORE)
        elif isinstance(node, Apply):
            sides = {kinds[arg] == _BEFORE for arg in node.args if kinds[arg] != _FREE}
            if len(sides) > 1:
                return None
            if sides == {False}:
                kinds.append(_AFTER)
            else:
                kinds.append(_FIRST if node.op.name in steps else _BEFORE)
    if any(kinds[node] == _BEFORE for _, node in graph.outputs):
        return None
    return kinds


def _affine(graph: Graph, index: int, slopes: dict[int, Array]) -> bool:
    node = graph.nodes[index]
    if not isinstance(node, Apply):
        return True
    moving = [arg for arg in node.args if not graph.input_free[arg]]
    if not all(arg in slopes for arg in moving):
        return False
    meaning = node.op.meaning
    if isinstance(meaning, Routing) or meaning == Fold("add") or node.op.name in _LINEAR:
        return True
    if node.op.name == "gather":
        return moving == [node.args[0]]
    if isinstance(meaning, Contraction) or node.op.name in _SCALINGS:
        return len(moving) == 1 and (node.op.name != "div" or moving == [node.args[0]])
    return False


def _apply(graph: Graph, index: int) -> Apply:
    node = graph.nodes[index]
    if isinstance(node, Apply):
        return node
    raise UnsupportedError(f"Node {index} is no application of an op.")


def _computable(graph: Graph, node: Apply) -> bool:
    match node.op.meaning:
        case Pointwise() | Fold("maximum" | "minimum"):
            return True
        case Routing():
            return len(node.args) == 1 and node.op.name != "pad"
        case _:
            return _picks(graph, node)


def _picks(graph: Graph, node: Apply) -> bool:
    return node.op.name == "gather" and graph.input_free[node.args[1]]


def _sources(graph: Graph, node: Apply, chosen: Array, base: dict[int, Array]) -> list[Array]:
    """For each moving argument the flat places that elements are computed from."""
    shapes = [graph.nodes[arg].shape for arg in node.args]
    match node.op.meaning:
        case Fold(_):
            numbers = np.arange(size_of(shapes[0])).reshape(shapes[0])
            groups = folded_first(numbers, node.params)
            return [groups.reshape(len(groups), -1).T[chosen].reshape(-1)]
        case Routing():
            return [np.asarray(route_index(node, shapes)).reshape(-1)[chosen]]
        case Selection():
            numbers = np.arange(size_of(shapes[0])).reshape(shapes[0])
            axis = node.params["axis"]
            picked = base[node.args[1]].astype(np.int64).reshape(shapes[1])
            index = np.take(numbers, picked, axis=axis if isinstance(axis, int) else 0)
            return [index.reshape(-1)[chosen]]
        case _:
            found: list[Array] = []
            for shape in shapes:
                numbers = np.arange(size_of(shape)).reshape(shape)
                wide = pad_rank(numbers[None, None], len(node.shape))[0, 0]
                found.append(np.broadcast_to(wide, node.shape).reshape(-1)[chosen])
            return found


def _crossed(node: Apply, base: dict[int, Array], slopes: dict[int, Array]) -> Array:
    """Where a sign of an affine argument may change in the plane; everywhere for other steps."""
    size, arg = size_of(node.shape), node.args[0]
    if node.op.name not in ("sign", "step") or arg not in slopes:
        return np.ones(size, dtype=bool)
    low = base[arg] + np.minimum(slopes[arg], 0).sum(axis=0)
    high = base[arg] + np.maximum(slopes[arg], 0).sum(axis=0)
    slack = 1e-9 * (np.abs(low) + np.abs(high))
    return (low <= slack) & (high >= -slack)

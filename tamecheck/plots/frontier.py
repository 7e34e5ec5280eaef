"""Models that are constant on pieces, sampled by the decisions of their first steps.

If every way from the inputs to the outputs passes a step (a sign, a rounding), the first steps on
the ways decide the value.  In a plane few of them change, their arguments are mostly affine
functions of two coordinates, and the rest of the model need be evaluated once for each of their
patterns and not at every point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamecheck import ops
from tamecheck.derivative.gradient import node_values
from tamecheck.derivative.lowering import lowered
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.float_terms import choose_floats, condition_floats
from tamecheck.evaluate.selection import pick, route_index
from tamecheck.evaluate.walk import Site, folded_first
from tamecheck.exact.arrays import pad_rank
from tamecheck.ir.formula import Var
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import chooses_indices, comparisons, degree, extremum, sign_values, steps

_FREE, _BEFORE, _FIRST, _AFTER = "free", "before", "first", "after"


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """The first steps of a model with compound ops written out, as functions of a plane.

    ``base`` is the value of affine and constant nodes at the corner ``low``, flat, and ``slopes``
    their changes along the sides, ``(coordinates, elements)``; ``wanted`` are the elements of each
    first step that are not the same in the whole plane.  Decisions ``before`` the steps say nothing
    more.
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
                masks = [condition_floats(piece.condition, args) for piece in pieces[:-1]]
                return np.asarray(choose_floats(masks, [piece.term for piece in pieces], args))
            case Fold(floats=floats):
                wide = args[0].reshape((len(args[0]), len(chosen), -1))
                return floats.reduce(wide, axis=2)
            case _:
                (one,) = args
                return one


def frontier_of(graph: Graph, low: Array, high: Array) -> Frontier | None:
    """The first steps of a model between two corners; None where they do not decide its value."""
    simple = lowered(graph)
    kinds = _kinds(simple)
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
    for index, kind in enumerate(kinds[: last + 1]):
        node = simple.nodes[index]
        if kind == _AFTER:
            continue
        size = size_of(node.shape)
        if kind == _FREE:
            base[index] = np.broadcast_to(values[index], (1, 1, *node.shape)).reshape(-1)
            varies[index] = np.zeros(size, dtype=bool)
        elif _is_affine(simple, index, slopes):
            flat = values[index].reshape((len(corners), -1))
            base[index], slopes[index] = flat[0], flat[1:] - flat[0]
            varies[index] = (slopes[index] != 0).any(axis=0)
        else:
            node = _apply(simple, index)
            if not _is_computable(simple, node):
                return None
            found = np.zeros(size, dtype=bool)
            parts = _sources(simple, node, np.arange(size), base)
            for arg, places in zip(node.args, parts, strict=False):
                found |= varies[arg][places].reshape((size, -1)).any(axis=1)
            varies[index] = found
            if kind == _FIRST:
                first[index] = np.flatnonzero(found & _crossed(node, base, slopes))
    before = frozenset(index for index, kind in enumerate(kinds) if kind == _BEFORE)
    return Frontier(simple, low, width, base, slopes, first, before)


def _kinds(graph: Graph) -> list[str] | None:
    """Where each node is: before the first steps, one of them, after them; None if both."""
    kinds: list[str] = []
    for index, node in enumerate(graph.nodes):
        if graph.input_free[index]:
            kinds.append(_FREE)
        elif isinstance(node, Input):
            kinds.append(_BEFORE)
        elif isinstance(node, Apply):
            sides = {kinds[arg] == _BEFORE for arg in node.args if kinds[arg] != _FREE}
            if len(sides) > 1:
                return None
            step = _FIRST if steps(node.op, node.params) else _BEFORE
            kinds.append(_AFTER if sides == {False} else step)
    if any(kinds[node] == _BEFORE for _, node in graph.outputs):
        return None
    return kinds


def _is_affine(graph: Graph, index: int, slopes: dict[int, Array]) -> bool:
    """Whether a node is one affine map of the inputs, where those in ``slopes`` are."""
    node = graph.nodes[index]
    if not isinstance(node, Apply):
        return True
    free = [graph.input_free[arg] for arg in node.args]
    if not all(known or arg in slopes for arg, known in zip(node.args, free, strict=True)):
        return False
    meaning = node.op.meaning
    if isinstance(meaning, Pointwise) and len(meaning.pieces(node.params)) > 1:
        return False
    if isinstance(meaning, Fold) and meaning.op is not ops.ADD:
        return False
    bound = degree(node.op, node.params, [0 if known else 1 for known in free])
    return bound is not None and bound <= 1 and not chooses_indices(node.op)


def _apply(graph: Graph, index: int) -> Apply:
    node = graph.nodes[index]
    if isinstance(node, Apply):
        return node
    raise UnsupportedError(f"Node {index} is no application of an op.")


def _is_computable(graph: Graph, node: Apply) -> bool:
    """Whether elements of a node are computed from few elements of its arguments."""
    match node.op.meaning:
        case Pointwise():
            return True
        case Fold():
            return bool(extremum(node.op))
        case Routing():
            return len(node.args) == 1 and "value" not in node.params
        case Selection():
            return not chooses_indices(node.op) and graph.input_free[node.args[1]]
        case _:
            return False


def _sources(graph: Graph, node: Apply, chosen: Array, base: dict[int, Array]) -> list[Array]:
    """For each moving argument the flat places that elements are computed from."""
    shapes = [graph.nodes[arg].shape for arg in node.args]
    numbers = [np.arange(size_of(shape)).reshape(shape) for shape in shapes]
    match node.op.meaning:
        case Fold(_):
            groups = folded_first(numbers[0], node.params)
            return [groups.reshape(len(groups), -1).T[chosen].reshape(-1)]
        case Routing():
            return [np.asarray(route_index(node, shapes)).reshape(-1)[chosen]]
        case Selection():
            picked = base[node.args[1]].astype(np.int64).reshape(shapes[1])
            site = Site(node.op, node.params, node.shape, node.label)
            return [pick(site, numbers[0], picked).reshape(-1)[chosen]]
        case _:
            wide = (pad_rank(n[None, None], len(node.shape))[0, 0] for n in numbers)
            return [np.broadcast_to(n, node.shape).reshape(-1)[chosen] for n in wide]


def _crossed(node: Apply, base: dict[int, Array], slopes: dict[int, Array]) -> Array:
    """Where a sign of an affine argument may change in the plane; everywhere for other steps."""
    arg = node.args[0]
    is_sign = comparisons(node.op, node.params) == (Var(0),) and sign_values(node.op, node.params)
    if not is_sign or arg not in slopes:
        return np.ones(size_of(node.shape), dtype=bool)
    low = base[arg] + np.minimum(slopes[arg], 0).sum(axis=0)
    high = base[arg] + np.maximum(slopes[arg], 0).sum(axis=0)
    slack = 1e-9 * (np.abs(low) + np.abs(high))
    return (low <= slack) & (high >= -slack)

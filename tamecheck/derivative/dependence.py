"""On which elements the outputs depend near a point: branches that nothing selects are left out.

Whatever is decided strictly at a point, by continuous arguments, is decided alike nearby.  An
element that is constant nearby decides as at the point, also where it is 0; and what it multiplies
is without influence if it is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from flint import fmpq

from tamecheck.derivative.arguments import Arguments, definite_sign
from tamecheck.derivative.kinks import at_edge
from tamecheck.derivative.reverse import Values, compared_groups, routed
from tamecheck.evaluate.enclose import enclose
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Site, axis_last
from tamecheck.exact.arrays import native, objects
from tamecheck.exact.reals import as_fraction
from tamecheck.ir.box import Box, Side
from tamecheck.ir.formula import TRUE
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.shapes import axes_of, axis_of

__all__ = ["Dependence", "dependence", "edges"]

Pull: TypeAlias = Callable[[Array], list[Array]]
"""From the elements of a node that matter to those of its arguments."""


_NEAR = Fraction(1, 2**20)
"""The half width of a box on which an op may be shown to have values."""


@dataclass(frozen=True, slots=True, eq=False)
class Dependence:
    """What matters near a point.

    Parameters
    ----------
    still
        For each node, which elements are constant near the point.
    needed
        For each node, on which elements the outputs may depend near the point.
    """

    still: Mapping[int, Array]
    needed: Mapping[int, Array]

    @staticmethod
    def whole(graph: Graph) -> Dependence:
        """Everything that depends on an input, as if every branch could be selected."""
        nodes = list(enumerate(graph.nodes))
        return Dependence(
            {index: np.full(node.shape, graph.input_free[index]) for index, node in nodes},
            {index: np.full(node.shape, not graph.input_free[index]) for index, node in nodes},
        )

    def needs(self, index: int) -> list[bool]:
        """Whether each element of a node matters, in a flat row."""
        return self.needed[index].reshape(-1).tolist()

    def moving(self, node: Apply) -> list[tuple[bool, ...]]:
        """For each element of a pointwise node, which of its arguments move."""
        spread = [np.broadcast_to(~self.still[arg], node.shape).reshape(-1) for arg in node.args]
        return [tuple(row) for row in np.stack(spread, axis=1).tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """An argument: its values, where it is constant, and where it is continuous."""

    values: Array
    still: Array
    continuous: Array

    @property
    def dead(self) -> Array:
        """Where it is 0 near the point."""
        if native(self.values):
            return self.still & (self.values == 0)
        zero = [isinstance(v, fmpq) and v == 0 for v in self.values.reshape(-1).tolist()]
        return self.still & np.array(zero, dtype=bool).reshape(self.values.shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Flow:
    """A node: where it is constant, where it is continuous, and on what it depends."""

    still: Array
    continuous: Array
    pull: Pull


def dependence(graph: Graph, values: Values) -> Dependence:
    """What the outputs of a lowered graph depend on, from the values of all nodes at the point."""
    roots = [node for _, node in graph.outputs]
    order = list(graph.ancestors(roots))
    known: dict[int, _Known] = {}
    pulls: dict[int, Pull] = {}
    for index in order:
        node = graph.nodes[index]
        value = values[index]
        if not isinstance(node, Apply) or graph.input_free[index]:
            still = np.full(node.shape, graph.input_free[index])
            known[index] = _Known(value, still, np.ones(node.shape, dtype=bool))
            continue
        flow = _flow(node, [known[arg] for arg in node.args])
        known[index] = _Known(value, flow.still, flow.continuous | flow.still)
        pulls[index] = flow.pull
    needed = {index: np.zeros(graph.nodes[index].shape, dtype=bool) for index in order}
    for index in roots:
        needed[index][...] = True
    for index in reversed(order):
        needed[index] &= ~known[index].still
        node = graph.nodes[index]
        if index in pulls and isinstance(node, Apply):
            for arg, part in zip(node.args, pulls[index](needed[index]), strict=True):
                needed[arg] |= part
    return Dependence({index: fact.still for index, fact in known.items()}, needed)


def edges(
    graph: Graph, values: Values, depends: Dependence, point: Mapping[str, Array]
) -> list[str]:
    """The names of nodes that are not shown to have values all around the point.

    They are at the edge of their domain, and their arguments move and are not shown to stay inside,
    as those of a square root of an absolute value do.
    """
    found: list[int] = []
    for index in graph.ancestors([node for _, node in graph.outputs]):
        node = graph.nodes[index]
        if not isinstance(node, Apply) or not isinstance(node.op.meaning, Pointwise):
            continue
        if node.op.meaning.domain(node.params) != TRUE:
            rows = [
                np.broadcast_to(objects(values[arg]), node.shape).reshape(-1).tolist()
                for arg in node.args
            ]
            places = zip(zip(*rows, strict=True), depends.moving(node), strict=True)
            if any(at_edge(node, at, moving) for at, moving in places):
                found.append(index)
    if not found:
        return []
    inside = enclose(graph, _near(point), nodes=found)
    return [graph.name_of(index) for index in found if index not in inside]


def _near(point: Mapping[str, Array]) -> Box:
    """A small box around a point, of which balls enclose the coordinates."""
    sides: dict[str, Side] = {}
    for name, array in point.items():
        centres = [
            as_fraction(v if isinstance(v, fmpq) else v.mid().fmpq())
            for v in objects(array).reshape(-1).tolist()
        ]
        sides[name] = Side(tuple(v - _NEAR for v in centres), tuple(v + _NEAR for v in centres))
    return Box(sides)


def _flow(node: Apply, args: Sequence[_Known]) -> _Flow:
    match node.op.meaning:
        case Pointwise() as meaning:
            return _pointwise(node, meaning, args)
        case Routing():
            return _moved(node, args, routed(node, [arg.still.shape for arg in args]))
        case Contraction():
            return _product(args[0], args[1])
        case Fold("maximum" | "minimum"):
            return _extreme(node, args[0], index=False)
        case Selection() if node.op.name in ("argmax", "argmin"):
            return _extreme(node, args[0], index=True)
        case Selection() if node.op.name in ("gather", "gather_elements"):
            return _gathered(node, args[0], args[1])
        case Selection():
            return _sorted(node, args[0])
        case Fold():
            return _summed(node, args[0])
        case _:
            whole = all(bool(arg.still.all()) for arg in args)
            shapes = [arg.still.shape for arg in args]

            def pull(need: Array) -> list[Array]:
                return [np.full(shape, bool(need.any())) for shape in shapes]

            return _Flow(np.full(node.shape, whole), np.zeros(node.shape, dtype=bool), pull)


def _pointwise(node: Apply, meaning: Pointwise, args: Sequence[_Known]) -> _Flow:
    pieces = meaning.pieces(node.params)
    shapes = [arg.still.shape for arg in args]
    size = size_of(node.shape)
    spread = [
        tuple(
            np.broadcast_to(part, node.shape).reshape(-1).tolist()
            for part in (objects(arg.values), arg.still, arg.continuous)
        )
        for arg in args
    ]
    uses = np.zeros((len(args), size), dtype=bool)
    continuous = np.zeros(size, dtype=bool)
    for element in range(size):
        known = Arguments(
            tuple(values[element] for values, _, _ in spread),
            tuple(still[element] for _, still, _ in spread),
            tuple(even[element] for _, _, even in spread),
        )
        used, continuous[element] = known.of(pieces, total=node.op.regularity.continuous)
        uses[list(used), element] = True
    wide = uses.reshape((len(args), *node.shape))

    def pull(need: Array) -> list[Array]:
        return [_any_to(need & used, shape) for used, shape in zip(wide, shapes, strict=True)]

    return _Flow(np.asarray(~wide.any(axis=0)), continuous.reshape(node.shape), pull)


def _any_to(array: Array, shape: Shape) -> Array:
    """Whether any of the copies of an element, of an argument that was broadcast."""
    extra = array.ndim - len(shape)
    found = _any(array, tuple(range(extra)))
    axes = tuple(axis for axis, n in enumerate(shape) if n == 1 and found.shape[axis] != 1)
    return _any(found, axes).reshape(shape)


def _any(array: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(np.logical_or.reduce(array, axis=axes)) if axes else array


def _moved(node: Apply, args: Sequence[_Known], index: Array) -> _Flow:
    """Elements that come from places of the arguments in one row; beyond them, constants."""
    shapes = [arg.still.shape for arg in args]
    ends = np.cumsum([0, *(size_of(shape) for shape in shapes)])

    def taken(parts: Sequence[Array]) -> Array:
        row = np.concatenate([*(part.reshape(-1) for part in parts), [True]])
        return row[index].reshape(node.shape)

    def pull(need: Array) -> list[Array]:
        row = np.zeros(int(ends[-1]) + 1, dtype=bool)
        row[index.reshape(-1)[need.reshape(-1)]] = True
        return [
            row[start:stop].reshape(shape)
            for start, stop, shape in zip(ends[:-1], ends[1:], shapes, strict=True)
        ]

    return _Flow(taken([arg.still for arg in args]), taken([arg.continuous for arg in args]), pull)


def _product(left: _Known, right: _Known) -> _Flow:
    first, second = (~left.dead).astype(float), (~right.dead).astype(float)
    alive = np.matmul(first, second)
    fixed = np.matmul(first * left.still, second * right.still)
    rough = np.matmul(first * ~left.continuous, second) + np.matmul(
        first, second * ~right.continuous
    )

    def pull(need: Array) -> list[Array]:
        wide = need.astype(float)
        if first.ndim == 1:
            wide = wide[..., None, :] if second.ndim > 1 else wide[..., None]
        if second.ndim == 1:
            wide = wide[..., None]
        rows = first[None, :] if first.ndim == 1 else first
        columns = second[:, None] if second.ndim == 1 else second
        by_left = np.matmul(wide, np.swapaxes(columns, -1, -2)) > 0
        by_right = np.matmul(np.swapaxes(rows, -1, -2), wide) > 0
        by_left = by_left[..., 0, :] if first.ndim == 1 else by_left
        by_right = by_right[..., 0] if second.ndim == 1 else by_right
        return [_any_to(by_left, left.still.shape), _any_to(by_right, right.still.shape)]

    return _Flow(np.asarray(alive == fixed), np.asarray(rough == 0), pull)


def _summed(node: Apply, data: _Known) -> _Flow:
    shape = data.still.shape
    axes = axes_of(shape, node.params)
    kept = tuple(1 if axis in axes else n for axis, n in enumerate(shape))

    def pull(need: Array) -> list[Array]:
        return [np.broadcast_to(need.reshape(kept), shape)]

    still = _all(data.still, axes).reshape(node.shape)
    continuous = _all(data.continuous, axes).reshape(node.shape)
    return _Flow(still, continuous, pull)


def _all(array: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(np.logical_and.reduce(array, axis=axes)) if axes else array


def _extreme(node: Apply, data: _Known, *, index: bool) -> _Flow:
    """A fold or choice of the largest or smallest: it depends on those that may be the best."""
    flat, still, continuous = (
        part.reshape(-1).tolist() for part in (objects(data.values), data.still, data.continuous)
    )
    sign = 1 if node.op.name in ("reduce_max", "argmax") else -1
    groups: list[list[int]] = []
    for group in compared_groups(node, data.still.shape).tolist():
        best = next((place for place in group if continuous[place]), group[0])
        for place in group:
            if continuous[place] and definite_sign(flat[place] - flat[best]) == sign:
                best = place
        groups.append(
            [
                place
                for place in group
                if not (continuous[place] and continuous[best])
                or definite_sign(flat[best] - flat[place]) != sign
            ]
        )
    fixed = [all(still[place] for place in group) for group in groups]
    if index:
        fixed = [known or len(group) == 1 for known, group in zip(fixed, groups, strict=True)]
    even = [not index and all(continuous[place] for place in group) for group in groups]

    def pull(need: Array) -> list[Array]:
        row = np.zeros(len(flat), dtype=bool)
        for group, wanted in zip(groups, need.reshape(-1).tolist(), strict=True):
            if wanted:
                row[group] = True
        return [row.reshape(data.still.shape)]

    return _Flow(np.array(fixed).reshape(node.shape), np.array(even).reshape(node.shape), pull)


def _sorted(node: Apply, data: _Known) -> _Flow:
    """The places of a sort, constant where no two elements of a lane may change their order."""
    shape = data.still.shape
    numbers = np.arange(size_of(shape)).reshape(shape)
    flat, still, continuous = (
        part.reshape(-1).tolist() for part in (objects(data.values), data.still, data.continuous)
    )

    def settled(a: int, b: int) -> bool:
        apart = continuous[a] and continuous[b] and definite_sign(flat[a] - flat[b]) is not None
        return apart or (still[a] and still[b])

    lanes: list[list[int]] = axis_last(numbers, node.params).tolist()
    fixed = np.zeros(size_of(shape), dtype=bool)
    for lane in lanes:
        fixed[lane] = all(settled(a, b) for k, a in enumerate(lane) for b in lane[k + 1 :])

    def pull(need: Array) -> list[Array]:
        row, wanted = np.zeros(size_of(shape), dtype=bool), need.reshape(-1)
        for lane in lanes:
            row[lane] = bool(wanted[lane].any())
        return [row.reshape(shape)]

    return _Flow(fixed.reshape(shape), np.zeros(shape, dtype=bool), pull)


def _gathered(node: Apply, data: _Known, places: _Known) -> _Flow:
    shape, chooser = data.still.shape, places.still.shape
    site = Site(node.op, node.params, node.shape, node.label or node.op.name)
    chosen = np.array([int(v) for v in objects(places.values).reshape(-1).tolist()], dtype=np.int64)
    index = pick(site, np.arange(size_of(shape)).reshape(shape), chosen.reshape(chooser))
    moved = _moved(node, [data], index)
    # which element of the indices chose each element
    numbers = np.arange(size_of(chooser)).reshape(chooser)
    if node.op.name == "gather":
        axis = axis_of(shape, node.params)
        numbers = numbers.reshape((1,) * axis + chooser + (1,) * (len(shape) - axis - 1))
    source = np.broadcast_to(numbers, node.shape)
    fixed = places.still.reshape(-1)[source].reshape(node.shape)

    def pull(need: Array) -> list[Array]:
        row = np.zeros(size_of(chooser), dtype=bool)
        row[source[need & ~fixed]] = True
        (by_data,) = moved.pull(need & fixed)
        return [by_data | bool((need & ~fixed).any()), row.reshape(chooser)]

    return _Flow(moved.still & fixed, moved.continuous & fixed, pull)

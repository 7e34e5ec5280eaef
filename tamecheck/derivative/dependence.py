"""On which elements the outputs depend near a point: branches that nothing selects are left out.

Whatever is decided strictly at a point, by continuous arguments, is decided alike nearby.  An
element that is constant nearby decides as at the point, also where it is 0; and what it multiplies
is without influence if it is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

import numpy as np
from flint import arb, fmpq

from tamecheck import ops
from tamecheck.derivative import reverse
from tamecheck.derivative.kinks import at_edge, pieces_of
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.enclose import enclose
from tamecheck.evaluate.exact_terms import holds, value_at
from tamecheck.evaluate.selection import compared_groups, gather_index, pick, route_index
from tamecheck.evaluate.walk import Site, site_of
from tamecheck.exact.arrays import native, objects
from tamecheck.exact.reals import Number, UndecidedError, as_fraction, compare
from tamecheck.ir import formula
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction, Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import chooses_indices, compared, extremum
from tamecheck.ops.shapes import axes_of, axis_of

_NEAR = Fraction(1, 2**20)
"""The half width of a box on which an op may be shown to have values."""

_NONE = frozenset[int]()


@dataclass(frozen=True, slots=True, eq=False)
class Dependence:
    """What matters near a point.

    For each node, which elements are constant near the point (``still``), and on which elements
    the outputs may depend there (``needed``).
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
    """A node: its values, where it is constant, where continuous, and on what it depends.

    ``local`` has a derivative other than 0 for each argument's element that matters.
    """

    values: Array
    still: Array
    continuous: Array
    local: reverse.Local | None = None

    @property
    def alive(self) -> Array:
        """1 unless it is 0 near the point."""
        if native(self.values):
            return np.asarray(~(self.still & (self.values == 0))).astype(float)
        zero = [isinstance(v, fmpq) and v == 0 for v in self.values.reshape(-1).tolist()]
        return (~(self.still & np.array(zero, bool).reshape(self.values.shape))).astype(float)


def dependence(graph: Graph, values: reverse.Values) -> Dependence:
    """What the outputs of a lowered graph depend on, from the values of all nodes at the point."""
    order = list(graph.ancestors(graph.output_nodes))
    known: dict[int, _Known] = {}
    for index in order:
        node = graph.nodes[index]
        if not isinstance(node, Apply) or graph.input_free[index]:
            still = np.full(node.shape, graph.input_free[index])
            known[index] = _Known(values[index], still, np.ones(node.shape, dtype=bool))
            continue
        args = [known[arg] for arg in node.args]
        still, continuous, local = _flow(graph, index, node, args)
        known[index] = _Known(values[index], still, continuous | still, local)
    needed = {index: np.zeros(graph.nodes[index].shape, dtype=bool) for index in order}
    for index in graph.output_nodes:
        needed[index][...] = True
    for index in reversed(order):
        needed[index] &= ~known[index].still
        node, local = graph.nodes[index], known[index].local
        if isinstance(node, Apply) and local is not None and needed[index].any():
            shapes = [graph.nodes[arg].shape for arg in node.args]
            parts = reverse.pull(local, needed[index].astype(float)[None, None], shapes, lead=2)
            for arg, part in zip(node.args, parts, strict=True):
                if part is not None:
                    needed[arg] |= part[0, 0] > 0
    return Dependence({index: fact.still for index, fact in known.items()}, needed)


def edges(
    graph: Graph, values: reverse.Values, depends: Dependence, point: Mapping[str, Array]
) -> list[str]:
    """The names of nodes that are not shown to have values all around the point.

    They are at the edge of their domain, and their arguments move and are not shown to stay inside,
    as those of a square root of an absolute value do.
    """
    found: list[int] = []
    for index, node in graph.applied():
        if (
            isinstance(node.op.meaning, Pointwise)
            and node.op.meaning.domain(node.params) != formula.TRUE
        ):
            points = reverse.points_of([values[arg] for arg in node.args], node)
            places = zip(points, depends.moving(node), strict=True)
            if any(at_edge(node, at, moving) for at, moving in places):
                found.append(index)
    inside = enclose(graph, _near(point), nodes=found) if found else {}
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


_Flow = tuple[Array, Array, reverse.Local]
"""Where a node is constant, where it is continuous, and on what it depends."""


def _flow(graph: Graph, index: int, node: Apply, args: Sequence[_Known]) -> _Flow:
    shapes = [arg.still.shape for arg in args]
    match node.op.meaning:
        case Pointwise():
            return _pointwise(node, args)
        case Routing():
            return _moved(args, route_index(node, shapes))
        case Contraction():
            return _product(args[0], args[1])
        case _ if extremum(node.op):
            return _extreme(node, args[0])
        case Selection() if chooses_indices(node.op):
            return _sorted(node, args[0])
        case Selection():
            return _gathered(site_of(graph, index, node), args[0], args[1])
        case Fold(ops.ADD):
            axes = axes_of(shapes[0], node.params)
            still, continuous = (
                np.asarray(np.logical_and.reduce(part, axis=axes)).reshape(node.shape)
                for part in (args[0].still, args[0].continuous)
            )
            return still, continuous, reverse.Summed(axes)
        case _:
            raise UnsupportedError(
                "There is no derivative for this op.", nodes=[(node.label, node.op.name)]
            )


def _pointwise(node: Apply, args: Sequence[_Known]) -> _Flow:
    pieces = pieces_of(node)
    spread = [
        [
            np.broadcast_to(part, node.shape).reshape(-1).tolist()
            for part in (objects(arg.values), arg.still, arg.continuous)
        ]
        for arg in args
    ]
    size = size_of(node.shape)
    uses = np.zeros((len(args), size), dtype=bool)
    continuous = np.zeros(size, dtype=bool)
    for element, facts in enumerate(
        zip(*(zip(*rows, strict=True) for rows in spread), strict=True)
    ):
        known = _Arguments(*zip(*facts, strict=True))
        used, continuous[element] = known.of(pieces, total=node.op.regularity.continuous)
        uses[list(used), element] = True
    wide = uses.reshape((len(args), *node.shape))
    still = np.asarray(~wide.any(axis=0))
    return still, continuous.reshape(node.shape), reverse.Scaled(tuple(wide.astype(float)))


def _moved(args: Sequence[_Known], index: Array) -> _Flow:
    """Elements that come from places of the arguments in one row; beyond them, constants."""

    def take(parts: Sequence[Array]) -> Array:
        return np.concatenate([*(part.reshape(-1) for part in parts), [True]])[index]

    return (
        take([arg.still for arg in args]),
        take([arg.continuous for arg in args]),
        reverse.Moved(index),
    )


def _product(left: _Known, right: _Known) -> _Flow:
    first, second = left.alive, right.alive
    alive = np.matmul(first, second)
    fixed = np.matmul(first * left.still, second * right.still)
    rough = np.matmul(first * ~left.continuous, second)
    rough = rough + np.matmul(first, second * ~right.continuous)
    batched = reverse.Multiplied(first[None, None], second[None, None])
    return np.asarray(alive == fixed), np.asarray(rough == 0), batched


def _extreme(node: Apply, data: _Known) -> _Flow:
    """A fold or choice of the largest or smallest: it depends on those that may be the best."""
    flat, still, continuous = (
        part.reshape(-1).tolist() for part in (objects(data.values), data.still, data.continuous)
    )
    sign, index = extremum(node.op), chooses_indices(node.op)
    groups: list[list[int]] = []
    for group in compared_groups(node, data.still.shape).tolist():
        best = next((place for place in group if continuous[place]), group[0])
        for place in group:
            if continuous[place] and _definite_sign(flat[place] - flat[best]) == sign:
                best = place
        groups.append(
            [
                place
                for place in group
                if not (continuous[place] and continuous[best])
                or _definite_sign(flat[best] - flat[place]) != sign
            ]
        )
    fixed = [all(still[place] for place in g) or (index and len(g) == 1) for g in groups]
    even = [not index and all(continuous[place] for place in group) for group in groups]
    shape = node.shape
    return np.array(fixed).reshape(shape), np.array(even).reshape(shape), reverse.Averaged(groups)


def _sorted(node: Apply, data: _Known) -> _Flow:
    """The places of a sort, constant where no two elements of a lane may change their order."""
    shape = data.still.shape
    flat, still, continuous = (
        part.reshape(-1).tolist() for part in (objects(data.values), data.still, data.continuous)
    )

    def settled(a: int, b: int) -> bool:
        apart = continuous[a] and continuous[b] and _definite_sign(flat[a] - flat[b]) is not None
        return apart or (still[a] and still[b])

    fixed = np.zeros(size_of(shape), dtype=bool)
    groups: list[list[int]] = [[]] * size_of(shape)
    for lane in compared_groups(node, shape).tolist():
        fixed[lane] = all(settled(a, b) for k, a in enumerate(lane) for b in lane[k + 1 :])
        for place in lane:
            groups[place] = lane
    return fixed.reshape(shape), np.zeros(shape, dtype=bool), reverse.Averaged(groups)


def _gathered(site: Site, data: _Known, places: _Known) -> _Flow:
    shape, chooser = data.still.shape, places.still.shape
    index = gather_index(site, shape, places.values)
    still, continuous, moved = _moved([data], index)
    # which element of the indices chose each element: they gather their own numbers
    axis, count = axis_of(shape, site.params), size_of(chooser)
    line = np.arange(count).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    numbers = np.broadcast_to(line, [count if k == axis else n for k, n in enumerate(shape)])
    source = pick(site, numbers, np.arange(count).reshape(chooser)).reshape(-1)
    fixed = places.still.reshape(-1)[source]
    if fixed.all():
        return still, continuous, moved
    whole = list(range(size_of(shape)))
    groups = [
        [place] if known else [*whole, len(whole) + chosen]
        for place, known, chosen in zip(index.reshape(-1), fixed, source, strict=True)
    ]
    fixed = fixed.reshape(site.shape)
    return still & fixed, continuous & fixed, reverse.Averaged(groups)


@dataclass(frozen=True, slots=True)
class _Arguments:
    """One element's arguments: values, which are constant nearby, which are continuous."""

    point: tuple[Number, ...]
    still: tuple[bool, ...]
    continuous: tuple[bool, ...]

    def of(self, pieces: Sequence[formula.Piece], *, total: bool) -> tuple[frozenset[int], bool]:
        """The arguments that the value depends on, and whether it is continuous.

        ``total`` says that the op is continuous everywhere.
        """
        possible: list[formula.Piece] = []
        for piece in pieces:
            held = self.held(piece.condition)
            if held is not False:
                possible.append(piece)
            if held:
                break
        found = [self.used(piece.term) for piece in possible]
        if len(possible) == 1:
            return found[0]
        # a comparison that is open, or a piece that a condition may choose
        terms = [self.used(term) for piece in possible for term in compared(piece.condition)]
        used = _NONE.union(*(part for part, _ in (*found, *terms)))
        return used, total and all(self.continuous[k] for k in used)

    def held(self, condition: formula.Condition) -> bool | None:
        """Whether a condition holds in a neighbourhood, fails in one, or neither is known."""
        return formula.truth(condition, self._held)

    def _held(self, comparison: formula.Compare) -> bool | None:
        used, continuous = self.used(comparison.term)
        if not used:
            return holds(comparison, self.point)
        sign = _definite_sign(self._value(comparison.term)) if continuous else None
        return None if sign is None else sign in comparison.relation.signs

    def used(self, term: formula.Term) -> tuple[frozenset[int], bool]:  # noqa: C901 (a case a constructor)
        """The arguments that a term depends on, and whether it is continuous."""
        match term:
            case formula.Var(index):
                return _NONE if self.still[index] else frozenset({index}), self.continuous[index]
            case formula.Const():
                return _NONE, True
            case formula.Pow(_, formula.Const(exponent)) if exponent == 0:
                return _NONE, True
            case formula.Mul(left, right):
                return self._joined(left, right, vanishing=(left, right))
            case formula.Div(left, right):
                return self._joined(left, right, vanishing=(left,))
            case formula.Add(left, right):
                return self._joined(left, right)
            case formula.Pow(base, exponent):
                used, continuous = self._joined(base, exponent)
                fixed = not self.used(exponent)[0]
                return used, continuous and (fixed or _definite_sign(self._value(base)) == 1)
            case formula.Floor(argument):
                used, continuous = self.used(argument)
                if not used or (continuous and _between(self._value(argument))):
                    return _NONE, True
                return used, False
            case formula.Call(_, argument):
                return self.used(argument)
            case _:
                assert_never(term)

    def _joined(
        self, left: formula.Term, right: formula.Term, vanishing: Sequence[formula.Term] = ()
    ) -> tuple[frozenset[int], bool]:
        for factor in vanishing:
            if not self.used(factor)[0] and self._value(factor) == fmpq(0):
                return _NONE, True
        first, second = self.used(left), self.used(right)
        return first[0] | second[0], first[1] and second[1]

    def _value(self, term: formula.Term) -> Number:
        """The value at the point; a ball about everything where it is not known."""
        try:
            return value_at(formula.everywhere(term), self.point, continuous=True)
        except UndecidedError:
            return arb(0, float("inf"))


def _definite_sign(value: Number) -> int | None:
    """The sign of a number that is certainly not 0."""
    signs = compare(value, fmpq(0))
    return None if 0 in signs or len(signs) > 1 else next(iter(signs))


def _between(value: Number) -> bool:
    """Whether a number is certainly no integer."""
    if isinstance(value, fmpq):
        return value.q != 1
    return bool(value.is_finite()) and not value.contains_integer()

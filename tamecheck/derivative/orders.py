"""Orders near a point as continuous functions: sorts, and what stands at the place of the largest.

What is gathered by an order is a maximum of minima of what is tied; what is gathered at the place
of the largest is chosen by comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tamecheck import ops
from tamecheck.derivative.choices import Choices
from tamecheck.derivative.forms import UnreadFormError
from tamecheck.derivative.readings import by, extremes, same
from tamecheck.errors import DomainError
from tamecheck.evaluate.selection import compared_groups, pick, route_index
from tamecheck.evaluate.walk import Site
from tamecheck.exact.reals import Number, UndecidedError
from tamecheck.ir.graph import Apply
from tamecheck.ir.op import Routing, Selection
from tamecheck.ir.tensor import Array, positions, size_of
from tamecheck.ops.facets import chooses_indices, extremum


@dataclass(frozen=True, slots=True)
class Orders(Choices):
    """Orders and choices of a graph that is built."""

    def gathered(self, node: int) -> int | None:
        """Elements that an order or a place chooses, by maxima, minima and comparisons."""
        found = self.builder.node(node)
        if not isinstance(found, Apply) or not isinstance(found.op.meaning, Selection):
            return None
        if chooses_indices(found.op):
            return None
        data, indices = found.args
        origin = self._origin(indices)
        if origin is None:
            return None
        chooser, elements = origin
        made = self.builder.node(chooser)
        if not isinstance(made, Apply):
            return None
        try:
            if made.op is ops.ARGSORT and made.args[0] == data and found.op is ops.GATHER_ELEMENTS:
                return self._ordered(found, made, elements)
            if extremum(made.op):
                return self._placed(found, made, elements)
        except (UnreadFormError, UndecidedError, DomainError):
            return None
        return None

    def _origin(self, node: int) -> tuple[int, list[int]] | None:
        """The node that chooses indices, and which of its elements each index is a copy of."""
        elements = list(range(size_of(self.builder.shape(node))))
        while True:
            found = self.builder.node(node)
            if not isinstance(found, Apply):
                return None
            if chooses_indices(found.op):
                return node, elements
            if not isinstance(found.op.meaning, Routing) or len(found.args) != 1:
                return None
            places = route_index(found, [self.builder.shape(found.args[0])]).reshape(-1)
            elements = [int(places[k]) for k in elements]
            node = found.args[0]
            if any(k >= size_of(self.builder.shape(node)) for k in elements):
                return None

    def _element(self, node: int, place: int) -> int:
        """One element as a scalar."""
        size = size_of(self.builder.shape(node))
        flat = self.builder.apply(ops.RESHAPE, [node], shape=(size,))
        one = self.builder.apply(ops.SLICE, [flat], starts=(place,), steps=(1,), sizes=(1,))
        return self.builder.apply(ops.RESHAPE, [one], shape=())

    def _joined(self, scalars: Sequence[int], shape: Sequence[int]) -> int:
        rows = [self.builder.apply(ops.RESHAPE, [s], shape=(1,)) for s in scalars]
        flat = self.builder.apply(ops.CONCAT, rows, axis=0)
        return self.builder.apply(ops.RESHAPE, [flat], shape=tuple(shape))

    def _ordered(self, found: Apply, order: Apply, elements: Sequence[int]) -> int | None:
        """Order statistics of tied elements; other elements are moved."""
        data = order.args[0]
        values: list[Number] = self.value(data).reshape(-1).tolist()
        shape = self.builder.shape(data)
        sign = -1 if order.params["descending"] else 1
        lanes: list[list[int]] = compared_groups(order, shape).tolist()
        lane_of = {k: lane for lane in lanes for k in lane}
        scalars: list[int] = []
        for element in elements:
            lane = lane_of[element]
            rank = lane.index(element)
            ranked = sorted(lane, key=by(lambda k: sign * values[k]))
            tied = [k for k in lane if same(values[k], values[ranked[rank]])]
            first = next(n for n, k in enumerate(ranked) if k in tied)
            nodes = [self._element(data, k) for k in tied]
            place = rank - first if sign > 0 else len(tied) - 1 - (rank - first)
            scalars.append(self._statistic(nodes)[place])
        return self._joined(scalars, found.shape)

    def _statistic(self, nodes: Sequence[int]) -> list[int]:
        """The elements in ascending order, by insertion."""
        done: list[int] = []
        for node in nodes:
            rest = node
            for k, other in enumerate(done):
                low = self.builder.apply(ops.MINIMUM, [other, rest])
                rest = self.builder.apply(ops.MAXIMUM, [other, rest])
                done[k] = low
            done.append(rest)
        return done

    def _placed(self, found: Apply, place: Apply, elements: Sequence[int]) -> int | None:
        """What stands at the place of the largest: a choice between what is tied for it."""
        data, (compared_node,) = found.args[0], place.args
        values: list[Number] = self.value(compared_node).reshape(-1).tolist()
        sign, last = extremum(place.op), bool(place.params["last"])
        groups: list[list[int]] = compared_groups(place, self.builder.shape(compared_node)).tolist()
        ways: list[list[int]] = []
        tests: list[list[int]] = []
        for element in elements:
            group = groups[element]
            own = [values[place] for place in group]
            tied = extremes(own, sign)
            ways.append(tied)
            tests.append([self._element(compared_node, group[k]) for k in tied])
        if all(len(tied) == 1 for tied in ways):
            return None
        site = Site(found.op, found.params, found.shape)
        numbers = positions(self.builder.shape(data))

        def source(chosen: Sequence[int]) -> Array:
            indices = np.array(chosen, np.int64).reshape(self.builder.shape(found.args[1]))
            return np.asarray(pick(site, numbers, indices)).reshape(-1)

        first = [tied[0] for tied in ways]
        where = [source([*first[:k], tied[-1] + 0, *first[k + 1 :]]) for k, tied in enumerate(ways)]
        base = source(first)
        scalars: list[int] = []
        for target in range(base.size):
            own = [k for k, moved in enumerate(where) if moved[target] != base[target]]
            if len(own) > 1:
                return None
            chosen = self._element(data, int(base[target]))
            if own:
                k = own[0]
                best = tests[k][0]
                for test, way in zip(tests[k][1:], ways[k][1:], strict=True):
                    moved = source([*first[:k], way, *first[k + 1 :]])
                    other = self._element(data, int(moved[target]))
                    sides = [best, test] if sign > 0 else [test, best]
                    op = ops.LESS_EQUAL if last else ops.LESS
                    ahead = self.builder.apply(op, sides)
                    select = self.builder.apply(ops.SELECT, [ahead, other, chosen])
                    settled = self.switched(select)
                    chosen = select if settled is None else settled
                    fold = ops.MAXIMUM if sign > 0 else ops.MINIMUM
                    best = self.builder.apply(fold, [best, test])
            scalars.append(chosen)
        return self._joined(scalars, found.shape)

"""All the ways in which a function is differentiable near a point, cone by cone of directions.

At a point, an op decides by the sign of a term that vanishes there; nearby, that sign is the sign
of the term's derivative in the direction in which one leaves the point.  The search follows the
graph, splits the cone of directions at every such decision, and ends with a cover of almost all
directions by open cones, each with the Jacobian that holds near the point inside the cone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import numpy as np
from flint import fmpq

from tamecheck.derivative import reverse
from tamecheck.derivative.chainrule import element_derivatives
from tamecheck.derivative.cone import Cone, Row, is_zero
from tamecheck.derivative.dependence import Dependence
from tamecheck.derivative.kinks import Affinity, Alternative, Site
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.exact import exact_node
from tamecheck.exact.reals import Number
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Pointwise
from tamecheck.ir.tensor import Array, Shape, positions
from tamecheck.ops.facets import chooses_indices, extremum

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A cone of directions, and what holds near the point inside it.

    The limits of all nodes' values, and their derivatives; the nodes where a jump was decided.
    """

    cone: Cone
    values: reverse.Values
    locals_: Mapping[int, reverse.Local]
    jumped: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Explorer:
    """The search for the cones of a graph without expansions at a point.

    ``size`` is the number of input elements; after ``limit`` cones the search is over.
    """

    graph: Graph
    affinity: Affinity
    depends: Dependence
    size: int
    limit: int

    def leaves(self, values: reverse.Values) -> list[Leaf]:
        """The cones, from the values of the inputs and constants.

        Raises `UnsupportedError` if there are more cones than the limit. Raises `NotLipschitzAt` if
        an op is not Lipschitz near the point.
        """
        order = [index for index, _ in self.graph.applied()]
        found: list[Leaf] = []
        for leaf in self._from(order, Leaf(Cone(self.size), values, {})):
            found.append(leaf)
            if len(found) > self.limit:
                raise UnsupportedError(
                    f"More than {self.limit} cones of directions meet at this point.",
                    hint="Move the point a little, or ask for the conservative set.",
                )
        return found

    def _from(self, order: Sequence[int], leaf: Leaf) -> Iterator[Leaf]:
        for position, index in enumerate(order):
            followers = self._node(index, leaf)
            first, second = next(followers, None), next(followers, None)
            if first is None:
                return
            if second is not None:
                # recursion only where cones split: a graph may have more nodes than frames
                for after in chain((first, second), followers):
                    yield from self._from(order[position + 1 :], after)
                return
            leaf = first
        yield leaf

    def _node(self, index: int, leaf: Leaf) -> Iterator[Leaf]:
        node = self.graph.nodes[index]
        assert isinstance(node, Apply)  # noqa: S101 (inputs and constants are known)
        if isinstance(node.op.meaning, Pointwise):
            yield from self._pointwise(index, node, leaf)
        elif extremum(node.op):
            yield from self._extreme(index, node, leaf)
        else:
            args = [leaf.values[arg] for arg in node.args]
            local = reverse.linear_local(self.graph, index, args, self.depends.needed[index])
            yield _with(leaf, index, exact_node(self.graph, index, node, args), local)

    def _pointwise(self, index: int, node: Apply, leaf: Leaf) -> Iterator[Leaf]:
        args = [leaf.values[arg] for arg in node.args]
        value = exact_node(self.graph, index, node, args)
        moving = [not self.graph.input_free[arg] for arg in node.args]
        # what is piecewise constant is constant inside the cone
        varying = [not self.affinity.flat[arg] for arg in node.args]
        moves = [
            [a and b for a, b in zip(row, varying, strict=True)]
            for row in self.depends.moving(node)
        ]
        slopes, sites = element_derivatives(
            self.graph, index, node, args, self.depends.needs(index), moves
        )
        tests = {element: self._tests(node, leaf, element, sites[element]) for element in sites}

        def narrow(cone: Cone, element: int) -> Iterator[tuple[Cone, Alternative]]:
            for alternative in sites[element].alternatives:
                jump = sites[element].jump
                met = self._narrowed(index, cone, tests[element], alternative, jump=jump)
                if met is not None:
                    yield met, alternative

        jumps = {index} if any(site.jump for site in sites.values()) else set[int]()
        for cone, chosen in _choose(leaf.cone, list(sites), narrow):
            here, partials = value.copy(), list(slopes)
            for element, alternative in zip(sites, chosen, strict=True):
                here.reshape(-1)[element] = alternative.value
                partials[element] = alternative.partials
            local = reverse.scaled(partials, node.shape, moving)
            inside = replace(leaf, cone=cone, jumped=leaf.jumped | jumps)
            yield _with(inside, index, here, local)

    def _tests(self, node: Apply, leaf: Leaf, element: int, site: Site) -> list[Row]:
        """The functionals of directions whose signs decide."""
        rows = argument_rows(self.graph, node, leaf.locals_, element)
        return [combination(test, rows, self.size) for test in site.tests]

    def _narrowed(
        self, index: int, cone: Cone, tests: Sequence[Row], alternative: Alternative, *, jump: bool
    ) -> Cone | None:
        current: Cone | None = cone
        curved = not self.affinity.affine_args(index)
        for row, sign in zip(tests, alternative.signs, strict=True):
            if current is None:
                return None
            if is_zero(row):
                if jump and curved:
                    current = current.unsettled(row, sign)
                elif sign != 0:
                    return None
            elif sign == 0 and not jump:
                # a set of directions without inner points, on which a continuous op changes nothing
                return None
            else:
                current = current.meet(row, sign, curved=curved)
        return current

    def _extreme(self, index: int, node: Apply, leaf: Leaf) -> Iterator[Leaf]:
        data = leaf.values[node.args[0]]
        groups = reverse.tied_groups(node, data)
        picks = np.array([group.tied[0] for group in groups], dtype=np.int64)
        needs = self.depends.needs(index)
        tied = [n for n, group in enumerate(groups) if len(group.tied) > 1 and needs[n]]
        jump = chooses_indices(node.op)
        rows = {
            n: reverse.input_rows(self.graph, leaf.locals_, node.args[0], groups[n].tied)
            for n in tied
        }

        def narrow(cone: Cone, n: int) -> Iterator[tuple[Cone, int]]:
            for winner in range(len(rows[n])):
                met = self._won(index, node, cone, rows[n], winner)
                if met is not None:
                    yield met, groups[n].tied[winner]

        for cone, winners in _choose(leaf.cone, tied, narrow):
            chosen = picks.copy()
            chosen[tied] = winners
            if jump:
                value = reverse.zeros((len(groups),))
                places = zip(groups, chosen.tolist(), strict=True)
                value[:] = [fmpq(group.group.index(place)) for group, place in places]
                local: reverse.Local = reverse.Scaled((None,))
            else:
                value, local = data.reshape(-1)[chosen], reverse.Moved(chosen.reshape(node.shape))
            jumped = leaf.jumped | {index} if jump and tied else leaf.jumped
            inside = replace(leaf, cone=cone, jumped=jumped)
            yield _with(inside, index, value.reshape(node.shape), local)

    def _won(
        self, index: int, node: Apply, cone: Cone, rows: Sequence[Row], winner: int
    ) -> Cone | None:
        """The part of a cone in which one of some tied elements is the best one."""
        last = bool(node.params.get("last", False))
        curved = not self.affinity.affine_args(index)
        met: Cone | None = cone
        for other, row in enumerate(rows):
            if other == winner or met is None:
                continue
            ahead = tuple(a - b for a, b in zip(rows[winner], row, strict=True))
            if not is_zero(ahead):
                met = met.meet(ahead, extremum(node.op), curved=curved)
            elif chooses_indices(node.op) and curved:
                met = met.unsettled(ahead, 1)
            elif (other > winner) == last:
                met = None
        return met


def _choose(
    cone: Cone, places: Sequence[int], narrow: Callable[[Cone, int], Iterator[tuple[Cone, T]]]
) -> Iterator[tuple[Cone, list[T]]]:
    """The cones in which all places have chosen, with the choices."""

    def after(number: int, cone: Cone, chosen: list[T]) -> Iterator[tuple[Cone, list[T]]]:
        if number == len(places):
            yield cone, chosen
            return
        for met, choice in narrow(cone, places[number]):
            yield from after(number + 1, met, [*chosen, choice])

    return after(0, cone, [])


def _with(leaf: Leaf, index: int, value: Array, local: reverse.Local) -> Leaf:
    values, locals_ = {**leaf.values, index: value}, {**leaf.locals_, index: local}
    return replace(leaf, values=values, locals_=locals_)


def source_of(shape: Shape, target: Shape, element: int) -> int:
    """The flat position that a broadcast to a shape copies to an element."""
    return int(np.broadcast_to(positions(shape), target).reshape(-1)[element])


def argument_rows(
    graph: Graph, node: Apply, locals_: Mapping[int, reverse.Local], element: int
) -> list[Row]:
    """The derivative of each argument of an element of a pointwise node by all input elements."""
    places = [source_of(graph.nodes[arg].shape, node.shape, element) for arg in node.args]
    return [
        reverse.input_rows(graph, locals_, arg, [place])[0]
        for arg, place in zip(node.args, places, strict=True)
    ]


def combination(weights: Sequence[Number], rows: Sequence[Row], size: int) -> Row:
    """``Σ weight row``."""
    total: list[Number] = [fmpq(0)] * size
    for weight, row in zip(weights, rows, strict=True):
        if not (isinstance(weight, fmpq) and weight == 0):
            total = [a + weight * b for a, b in zip(total, row, strict=True)]
    return tuple(total)

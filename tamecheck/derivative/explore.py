"""All the ways in which a function is differentiable near a point, cone by cone of directions.

At a point, an op decides by the sign of a term that vanishes there; nearby, that sign is the sign
of the term's derivative in the direction in which one leaves the point.  The search follows the
graph, splits the cone of directions at every such decision, and ends with a cover of almost all
directions by open cones, each with the Jacobian that holds near the point inside the cone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from flint import fmpq

from tamecheck.derivative.cone import Cone, Row, is_zero
from tamecheck.derivative.dependence import Dependence
from tamecheck.derivative.kinks import (
    Affinity,
    Alternative,
    NotLipschitzError,
    Site,
    pointwise_alternatives,
)
from tamecheck.derivative.reverse import (
    Local,
    Moved,
    Scaled,
    Values,
    input_rows,
    linear_local,
    scaled,
    tied_groups,
    zeros,
)
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.exact import op_exact
from tamecheck.evaluate.walk import site_of
from tamecheck.exact.arrays import objects
from tamecheck.exact.reals import Number
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Fold, Pointwise, Selection
from tamecheck.ir.tensor import Array, Shape, size_of

__all__ = ["Explorer", "Leaf", "NotLipschitzAt", "points_of", "source_of"]


class NotLipschitzAt(Exception):  # noqa: N818 (a finding, not a failure)
    """Some op is not Lipschitz near the point."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A cone of directions, and what holds near the point inside it.

    Parameters
    ----------
    cone
        The directions.
    values, locals_
        The limits of all nodes' values, and their derivatives.
    jumped
        The nodes where a jump was decided.
    """

    cone: Cone
    values: Values
    locals_: Mapping[int, Local]
    jumped: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Explorer:
    """The search for the cones of a graph at a point.

    Parameters
    ----------
    graph
        A graph without expansions.
    depends
        What matters near the point.
    size
        The number of input elements.
    limit
        The number of cones after which the search gives up.
    """

    graph: Graph
    affinity: Affinity
    depends: Dependence
    size: int
    limit: int

    def leaves(self, values: Values) -> list[Leaf]:
        """The cones, from the values of the inputs and constants.

        Raises
        ------
        UnsupportedError
            If there are more cones than the limit.
        NotLipschitzAt
            If an op is not Lipschitz near the point.
        """
        roots = [node for _, node in self.graph.outputs]
        order = [
            index
            for index in self.graph.ancestors(roots)
            if isinstance(self.graph.nodes[index], Apply) and index not in values
        ]
        found: list[Leaf] = []
        for leaf in self._from(order, Leaf(Cone(self.size), values, {}, frozenset())):
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
        if not isinstance(node, Apply):
            yield leaf
            return
        match node.op.meaning:
            case Pointwise() as meaning:
                yield from self._pointwise(index, node, meaning, leaf)
            case Fold(name) if name in ("maximum", "minimum"):
                yield from self._extreme(index, node, leaf)
            case Selection() if node.op.name in ("argmax", "argmin"):
                yield from self._extreme(index, node, leaf)
            case _:
                args = [leaf.values[arg] for arg in node.args]
                value = objects(op_exact(site_of(self.graph, index, node), args))
                local = linear_local(self.graph, node, args, self.depends.needed[index])
                yield _with(leaf, index, value, local)

    def _pointwise(self, index: int, node: Apply, meaning: Pointwise, leaf: Leaf) -> Iterator[Leaf]:
        args = [leaf.values[arg] for arg in node.args]
        value = objects(op_exact(site_of(self.graph, index, node), args))
        moving = [not self.graph.input_free[arg] for arg in node.args]
        # what is piecewise constant is constant inside the cone
        varying = [not self.affinity.flat[arg] for arg in node.args]
        needs, moves = self.depends.needs(index), self.depends.moving(node)
        nothing = tuple(fmpq(0) for _ in args)
        partials: list[Sequence[Number]] = []
        sites: list[tuple[int, Site]] = []
        try:
            for element, point in enumerate(points_of(args, node)):
                if not needs[element]:
                    partials.append(nothing)
                    continue
                moves_here = [a and b for a, b in zip(moves[element], varying, strict=True)]
                found = pointwise_alternatives(node, meaning, point, moves_here)
                if isinstance(found, Site):
                    sites.append((element, found))
                    partials.append(found.alternatives[0].partials)
                else:
                    partials.append(found)
        except NotLipschitzError:
            raise NotLipschitzAt(self.graph.name_of(index)) from None
        for cone, chosen, jumped in self._decided(index, node, leaf, sites):
            here, slopes = value.copy(), list(partials)
            for (element, _), alternative in zip(sites, chosen, strict=True):
                here.reshape(-1)[element] = alternative.value
                slopes[element] = alternative.partials
            local = scaled(slopes, node.shape, moving)
            after = Leaf(cone, leaf.values, leaf.locals_, leaf.jumped | jumped)
            yield _with(after, index, here, local)

    def _decided(
        self, index: int, node: Apply, leaf: Leaf, sites: Sequence[tuple[int, Site]]
    ) -> Iterator[tuple[Cone, list[Alternative], frozenset[int]]]:
        """The cones in which all the sites of a node have chosen."""
        if not sites:
            yield leaf.cone, [], frozenset()
            return
        tests = [self._tests(node, leaf, element, site) for element, site in sites]

        def choose(
            number: int, cone: Cone, chosen: list[Alternative]
        ) -> Iterator[tuple[Cone, list[Alternative]]]:
            if number == len(sites):
                yield cone, chosen
                return
            site = sites[number][1]
            for alternative in site.alternatives:
                narrowed = self._narrowed(index, cone, tests[number], alternative, jump=site.jump)
                if narrowed is not None:
                    yield from choose(number + 1, narrowed, [*chosen, alternative])

        jumped = frozenset({index}) if any(site.jump for _, site in sites) else frozenset[int]()
        for cone, chosen in choose(0, leaf.cone, []):
            yield cone, chosen, jumped

    def _tests(self, node: Apply, leaf: Leaf, element: int, site: Site) -> list[Row]:
        """The functionals of directions whose signs decide."""
        shapes = [self.graph.nodes[arg].shape for arg in node.args]
        places = [source_of(shape, node.shape, element) for shape in shapes]
        rows = [
            input_rows(self.graph, leaf.locals_, arg, [place])[0]
            for arg, place in zip(node.args, places, strict=True)
        ]
        return [combination(test, rows, self.size) for test in site.tests]

    def _narrowed(
        self, index: int, cone: Cone, tests: Sequence[Row], alternative: Alternative, *, jump: bool
    ) -> Cone | None:
        current: Cone | None = cone
        for row, sign in zip(tests, alternative.signs, strict=True):
            if current is None:
                return None
            if is_zero(row):
                if jump and not self.affinity.affine_args(index):
                    current = current.unsettled(row, sign)
                elif sign != 0:
                    return None
            elif sign == 0 and not jump:
                # a set of directions without inner points, on which a continuous op changes nothing
                return None
            else:
                curved = not self.affinity.affine_args(index)
                current = current.meet(row, sign, curved=curved)
        return current

    def _extreme(self, index: int, node: Apply, leaf: Leaf) -> Iterator[Leaf]:
        arg = node.args[0]
        data = leaf.values[arg]
        needs = self.depends.needs(index)
        groups = tied_groups(node, data)
        flat = data.reshape(-1)
        picks = np.array([group.tied[0] for group in groups], dtype=np.int64)
        tied = [n for n, group in enumerate(groups) if len(group.tied) > 1 and needs[n]]
        jump = isinstance(node.op.meaning, Selection)
        for cone, winners in self._won(index, leaf, arg, [groups[n].tied for n in tied], node):
            chosen = picks.copy()
            chosen[tied] = winners
            if jump:
                value = zeros((len(groups),))
                value[:] = [fmpq(g.place(int(c))) for g, c in zip(groups, chosen, strict=True)]
                local: Local = Scaled((None,))
            else:
                value, local = flat[chosen], Moved(chosen.reshape(node.shape))
            jumped = leaf.jumped | {index} if jump and tied else leaf.jumped
            after = Leaf(cone, leaf.values, leaf.locals_, jumped)
            yield _with(after, index, value.reshape(node.shape), local)

    def _won(
        self, index: int, leaf: Leaf, arg: int, ties: Sequence[Sequence[int]], node: Apply
    ) -> Iterator[tuple[Cone, list[int]]]:
        """The cones in which each group of tied elements has one winner."""
        largest = node.op.name in ("argmax", "reduce_max")
        last = bool(node.params.get("last", False))
        rows = [input_rows(self.graph, leaf.locals_, arg, tie) for tie in ties]
        curved = not self.affinity.affine_args(index)
        jump = isinstance(node.op.meaning, Selection)

        def choose(number: int, cone: Cone, won: list[int]) -> Iterator[tuple[Cone, list[int]]]:
            if number == len(ties):
                yield cone, won
                return
            tie = ties[number]
            for winner in range(len(tie)):
                narrowed: Cone | None = cone
                for other in range(len(tie)):
                    if other == winner or narrowed is None:
                        continue
                    ahead = _minus(rows[number][winner], rows[number][other])
                    if is_zero(ahead) and jump and curved:
                        narrowed = narrowed.unsettled(ahead, 1)
                    elif is_zero(ahead):
                        if (other > winner) if last else (other < winner):
                            narrowed = None
                    else:
                        narrowed = narrowed.meet(ahead, 1 if largest else -1, curved=curved)
                if narrowed is not None:
                    yield from choose(number + 1, narrowed, [*won, tie[winner]])

        yield from choose(0, leaf.cone, [])


def _with(leaf: Leaf, index: int, value: Array, local: Local) -> Leaf:
    return Leaf(
        leaf.cone, {**leaf.values, index: value}, {**leaf.locals_, index: local}, leaf.jumped
    )


def source_of(shape: Shape, target: Shape, element: int) -> int:
    """The flat position that a broadcast to a shape copies to an element."""
    numbers = np.arange(size_of(shape)).reshape(shape)
    return int(np.broadcast_to(numbers, target).reshape(-1)[element])


def points_of(args: Sequence[Array], node: Apply) -> Iterator[tuple[Number, ...]]:
    """The arguments of each element of a pointwise op."""
    spread = [np.broadcast_to(objects(arg), node.shape).reshape(-1).tolist() for arg in args]
    return zip(*spread, strict=True)


def _minus(left: Row, right: Row) -> Row:
    return tuple(a - b for a, b in zip(left, right, strict=True))


def combination(weights: Sequence[Number], rows: Sequence[Row], size: int) -> Row:
    """``Σ weight row``."""
    total: list[Number] = [fmpq(0)] * size
    for weight, row in zip(weights, rows, strict=True):
        if not (isinstance(weight, fmpq) and weight == 0):
            total = [a + weight * b for a, b in zip(total, row, strict=True)]
    return tuple(total)

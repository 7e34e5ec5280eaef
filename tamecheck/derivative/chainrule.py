"""Derivatives by the chain rule at a point: one by convention, or all choices at the kinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from flint import fmpq

from tamecheck.derivative import kinks, reverse
from tamecheck.derivative.cone import Cone
from tamecheck.derivative.dependence import Dependence, dependence
from tamecheck.errors import TamecheckError, UnsupportedError
from tamecheck.evaluate.exact import exact_leaves, exact_node, exact_nodes
from tamecheck.evaluate.exact_terms import value_at
from tamecheck.exact.arrays import objects
from tamecheck.exact.hull import Matrix
from tamecheck.exact.reals import Number, UndecidedError, hull
from tamecheck.ir.formula import everywhere
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Framework, Pointwise, Selection, Ties
from tamecheck.ir.tensor import Array
from tamecheck.ops.facets import chooses_indices, extremum

Place = tuple[int, int]
"""A node, and an element of it, or a group of tied elements."""


class NotLipschitzAt(Exception):  # noqa: N818 (a finding, not a failure)
    """Some op is not Lipschitz near the point."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


def element_derivatives(  # noqa: PLR0913, PLR0917 (a node, its arguments and what matters)
    graph: Graph,
    index: int,
    node: Apply,
    args: Sequence[Array],
    needs: Sequence[bool],
    moves: Sequence[Sequence[bool]],
) -> tuple[list[kinks.Partials], dict[int, kinks.Site]]:
    """The partial derivatives of the elements of a pointwise node, zero where nothing needs them.

    Elements with alternatives have those of the first one, and are listed.  Raises `NotLipschitzAt`
    if the op is not Lipschitz near the point.
    """
    slopes: list[kinks.Partials] = []
    sites: dict[int, kinks.Site] = {}
    for element, point in enumerate(reverse.points_of(args, node)):
        found: kinks.Site | kinks.Partials = tuple(fmpq(0) for _ in args)
        if needs[element]:
            try:
                found = kinks.pointwise_alternatives(node, point, moves[element])
            except kinks.NotLipschitzError:
                raise NotLipschitzAt(graph.name_of(index)) from None
        if isinstance(found, kinks.Site):
            sites[element] = found
            found = found.alternatives[0].partials
        slopes.append(found)
    return slopes, sites


@dataclass(frozen=True, slots=True, eq=False)
class _Kinked:
    """A pointwise node with partial derivatives, of which some elements have several.

    ``tests`` has the elements with one functional of the arguments' changes that decides, where
    the first option holds if it is positive and the second if it is negative.  ``unknown`` says why
    PyTorch's derivatives are not known; ``infinite`` that some are where nothing depends on them.
    """

    slopes: list[kinks.Partials]
    options: dict[int, tuple[kinks.Partials, ...]]
    tests: dict[int, kinks.Partials]
    usual: Mapping[Framework, Mapping[int, kinks.Partials]]
    moving: list[bool]
    jump: bool
    unknown: str
    infinite: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Tied:
    """A fold or choice, with the tied elements of each group."""

    ties: tuple[tuple[int, ...], ...]
    index: bool
    ways: Mapping[str, Ties]


@dataclass(frozen=True, slots=True, eq=False)
class ChainRule:
    """The local derivatives at a point, with the choices left open.

    ``fixed`` has those of the nodes that leave no choice, ``kinked`` and ``tied`` the others.
    """

    graph: Graph
    values: reverse.Values
    depends: Dependence
    fixed: Mapping[int, reverse.Local]
    kinked: Mapping[int, _Kinked]
    tied: Mapping[int, _Tied]
    ordered: Mapping[int, reverse.Local]
    """For nodes that take tied elements by their order, the shares of all of these."""

    def conventional(self, framework: Framework = "PyTorch") -> dict[int, reverse.Local]:
        """The choice of a framework's automatic differentiation.

        At kinks it is what the ops declare, and 0 at jumps.  Where that depends on what is not
        known, it is one of the possible choices, and `unknown` says so.
        """

        def shared(index: int, tied: _Tied) -> reverse.Local:
            if tied.index:
                return reverse.Scaled((None,))
            first = framework == "PyTorch" and set(tied.ways.values()) == {"first"}
            return (
                self._moved(index, [t[0] for t in tied.ties])
                if first
                else reverse.Averaged(tied.ties)
            )

        found = self._locals(lambda place, k: k.usual[framework][place[1]], shared)
        for index, even in self.ordered.items() if framework == "PyTorch" else ():
            if self._ties(index) == "even":
                found[index] = even
        return found

    def _ties(self, index: int) -> Ties | None:
        node = self.graph.nodes[index]
        return node.op.ties.get(node.function) if isinstance(node, Apply) else None

    def unknown(self, framework: Framework) -> str:  # noqa: C901 (a reason after the other)
        """Why it is not known what a framework's automatic differentiation gives; or nothing."""
        name = self.graph.name_of
        for index, kinked in self.kinked.items():
            if kinked.infinite:
                return (
                    f"{framework} multiplies the infinite derivative of {name(index)} by 0, which "
                    "may leave NaN"
                )
            if kinked.unknown and framework == "PyTorch":
                return f"{name(index)} is at a kink, where {kinked.unknown}"
        for index, tied in self.tied.items():
            if tied.index or all(len(tie) == 1 for tie in tied.ties):
                continue
            if framework == "JAX" and "max_pool" in tied.ways and len(tied.ways) == 1:
                return f"{name(index)} has tied elements, for which nothing is known of JAX"
            if framework == "PyTorch" and len(set(tied.ways.values())) > 1:
                return f"{name(index)} has tied elements, where {_several(tied.ways)}"
        loose = [index for index in self.ordered if self._ties(index) is None]
        if framework == "PyTorch" and loose:
            return f"{name(loose[0])} has tied elements, and their order is not specified"
        gradient = self.graph.gradient
        if framework == "PyTorch" and gradient.lost:
            return gradient.lost
        if framework == "PyTorch" and gradient.unknown and self.places:
            listed = ", ".join(gradient.unknown)
            return f"the program uses {listed}, whose conventions at kinks are not known here"
        return ""

    def jump(self) -> str | None:
        """The name of a node that jumps at the point, if there is one."""
        jumps = [index for index, kinked in self.kinked.items() if kinked.jump and kinked.options]
        jumps += [i for i, t in self.tied.items() if t.index and any(len(k) > 1 for k in t.ties)]
        return self.graph.name_of(jumps[0]) if jumps else None

    @property
    def places(self) -> dict[Place, int]:
        """The number of derivatives to choose from, where there are several."""
        options = [(i, k, len(o)) for i, n in self.kinked.items() for k, o in n.options.items()]
        options += [(i, k, len(t)) for i, n in self.tied.items() for k, t in enumerate(n.ties)]
        return {(index, element): count for index, element, count in options if count > 1}

    @property
    def combinations(self) -> int:
        """The number of ways to choose an extreme derivative at every kink."""
        return prod(self.places.values())

    def choices(self, limit: int) -> Iterator[dict[int, reverse.Local]]:
        """All ways to choose an extreme derivative at every kink, where no op jumps.

        Raises `UnsupportedError` if there are more than ``limit``.
        """
        if self.combinations > limit:
            raise UnsupportedError(
                f"The kinks at this point combine in {self.combinations} ways, more than {limit}.",
                hint="Move the point, or ask for one element: model.gradient.",
            )
        places = self.places
        for picked in product(*(range(count) for count in places.values())):
            yield self.chosen(dict(zip(places, picked, strict=True)))

    @property
    def clusters(self) -> list[list[Place]]:
        """The places in parts such that no kink of one part feeds a kink of another.

        A path from an input to an output meets the kinks of one part only, so that the Jacobian is
        a sum of terms, each of which depends on the choices of one part.
        """
        places = self.places
        nodes = {index for index, _ in places}
        part = {index: frozenset([index]) for index in nodes}
        for index in nodes:
            feeding = nodes & set(self.graph.ancestors([index])) - {index}
            merged = frozenset[int]().union(*(part[node] for node in (index, *feeding)))
            part |= dict.fromkeys(merged, merged)
        found: dict[frozenset[int] | Place, list[Place]] = {}
        for place in places:
            joined = part[place[0]]
            found.setdefault(joined if len(joined) > 1 else place, []).append(place)
        return list(found.values())

    def enclosing(self) -> dict[int, reverse.Local] | None:
        """Local derivatives as balls that contain every choice; None if tied elements leave one."""
        if any(len(tie) > 1 for tied in self.tied.values() for tie in tied.ties):
            return None
        return self._locals(
            lambda place, kinked: _hulls(kinked.options[place[1]]),
            lambda index, tied: self._moved(index, [tie[0] for tie in tied.ties]),
        )

    def chosen(self, picked: Mapping[Place, int]) -> dict[int, reverse.Local]:
        """The local derivatives with numbered choices, the first where none is given."""
        return self._locals(
            lambda place, kinked: kinked.options[place[1]][picked.get(place, 0)],
            lambda index, tied: self._moved(
                index, [tie[picked.get((index, k), 0)] for k, tie in enumerate(tied.ties)]
            ),
        )

    def _locals(
        self,
        partials: Callable[[Place, _Kinked], kinks.Partials],
        local: Callable[[int, _Tied], reverse.Local],
    ) -> dict[int, reverse.Local]:
        """All local derivatives, by a choice at each kink and for each node with ties."""
        found = dict(self.fixed)
        for index, kinked in self.kinked.items():
            slopes = list(kinked.slopes)
            for element in kinked.options:
                slopes[element] = partials((index, element), kinked)
            found[index] = reverse.scaled(slopes, self.graph.nodes[index].shape, kinked.moving)
        return found | {index: local(index, tied) for index, tied in self.tied.items()}

    def _moved(self, index: int, winners: Sequence[int]) -> reverse.Local:
        return reverse.Moved(
            np.array(winners, dtype=np.int64).reshape(self.graph.nodes[index].shape)
        )


def chain_rule(
    graph: Graph, point: Mapping[str, Array], *, whole: bool = False, choosing: bool = True
) -> ChainRule:
    """The local derivatives of all nodes at a point, given by exact arrays.

    Elements on which the outputs do not depend near the point have derivative 0, unless the
    derivatives of the ``whole`` graph are asked for.  Without ``choosing`` tied elements have the
    order that a sort gives them.  Raises `NotLipschitzAt` if an op on which the
    outputs depend is not Lipschitz near the point.
    """
    known = exact_nodes(graph, point)
    depends = Dependence.whole(graph) if whole else dependence(graph, known)
    fixed: dict[int, reverse.Local] = {}
    kinked: dict[int, _Kinked] = {}
    tied: dict[int, _Tied] = {}
    ordered: dict[int, reverse.Local] = {}
    for index, node in graph.applied():
        args = [known[arg] for arg in node.args]
        if isinstance(node.op.meaning, Pointwise):
            kinked[index] = _kinked(graph, index, node, args, depends)
        elif extremum(node.op):
            # one of the tied elements where nothing depends on the group
            groups = zip(reverse.tied_groups(node, args[0]), depends.needs(index), strict=True)
            ties = tuple(group.tied if need else group.tied[:1] for group, need in groups)
            tied[index] = _Tied(ties, chooses_indices(node.op), _ways(node))
        else:
            needed = depends.needed[index]
            sorted_ = needed if choosing else np.zeros_like(needed)
            fixed[index] = reverse.linear_local(graph, index, args, sorted_)
            even = reverse.even_ties(node, args[0], fixed[index]) if node.function else None
            if even is not None:
                ordered[index] = even
    return ChainRule(graph, known, depends, fixed, kinked, tied, ordered)


def _ways(node: Apply) -> Mapping[str, Ties]:
    """What PyTorch's functions that the fold may be take where elements are tied."""
    ways = node.op.ties
    return {node.function: ways[node.function]} if node.function in ways else ways


def _several(functions: Iterable[str]) -> str:
    return f"PyTorch's {' and '.join(functions)} differ, and the graph does not tell which it is"


def _kinked(
    graph: Graph, index: int, node: Apply, args: Sequence[Array], depends: Dependence
) -> _Kinked:
    moving, needs = [not graph.input_free[arg] for arg in node.args], depends.needs(index)
    slopes, sites = element_derivatives(graph, index, node, args, needs, depends.moving(node))
    infinite, unknown = False, ""
    usual: dict[Framework, dict[int, kinks.Partials]] = {"PyTorch": {}, "JAX": {}}
    points = [] if all(needs) and not sites else list(reverse.points_of(args, node))
    for element, point in enumerate(points):
        infinite = infinite or not (needs[element] or kinks.bounded(node, point, moving))
        for framework, elements in usual.items() if element in sites else ():
            chosen = _usual(node, sites[element], point, framework)
            elements[element] = next(iter(chosen.values()))
            if len(set(map(str, chosen.values()))) > 1:
                unknown = _several(chosen)
    options = {element: _options(site) for element, site in sites.items()}
    tests = {
        element: site.tests[0]
        for element, site in sites.items()
        if len(site.tests) == 1 and len(options[element]) == 2
    }
    jump = not node.op.regularity.continuous
    return _Kinked(slopes, options, tests, usual, moving, jump, unknown, infinite)


def _options(site: kinks.Site) -> tuple[kinks.Partials, ...]:
    """The derivatives of the pieces that meet at the element's arguments with an interior."""
    found: list[kinks.Partials] = []
    for alternative in site.alternatives:
        cone: Cone | None = Cone(len(site.tests[0]))
        for test, sign in zip(site.tests, alternative.signs, strict=True):
            cone = None if cone is None or sign == 0 else cone.meet(test, sign)
        if cone is not None and alternative.partials not in found:
            found.append(alternative.partials)
    return tuple(found) if found else (site.alternatives[0].partials,)


def _usual(
    node: Apply, site: kinks.Site, point: Sequence[Number], framework: Framework
) -> dict[str, kinks.Partials]:
    """What a framework's functions that the op may be take at a kink or jump."""
    if node.op.kinks is None:
        still = [a for a in site.alternatives if not any(a.signs)]
        return {"": (still or site.alternatives)[0].partials}
    return {
        function: tuple(
            value_at(everywhere(term), point, continuous=True) for term in declared(node.params)
        )
        for function, declared in node.op.kinks.by(framework, node.function).items()
    }


def _hulls(options: Iterable[kinks.Partials]) -> kinks.Partials:
    return tuple(hull(list(parts)) for parts in zip(*options, strict=True))


def enclose_jacobian(
    graph: Graph, point: Mapping[str, Array]
) -> tuple[tuple[Number, ...], Matrix] | None:
    """The outputs and the Jacobian of a lowered graph over a box of balls, or None if open.

    Where a ball does not tell on which side of a kink of a continuous op it lies, the derivative is
    a ball about those of all pieces.  The matrix then contains the Clarke Jacobian of every point
    of the box, and by Lebourg's mean value theorem ``F(x) - F(m)`` is in it times ``x - m``.
    """
    values = exact_leaves(graph, point)
    locals_: dict[int, reverse.Local] = {}
    try:
        for index, node in graph.applied():
            args = [values[arg] for arg in node.args]
            values[index] = exact_node(graph, index, node, args)
            locals_[index] = _enclosing_local(graph, index, node, args)
    except (UndecidedError, kinks.NotLipschitzError, TamecheckError):
        return None
    outputs = [v for k in graph.output_nodes for v in objects(values[k]).reshape(-1).tolist()]
    return tuple(outputs), reverse.output_matrix(graph, locals_)


def _enclosing_local(graph: Graph, index: int, node: Apply, args: Sequence[Array]) -> reverse.Local:
    if isinstance(node.op.meaning, Pointwise):
        moving = [not graph.input_free[arg] for arg in node.args]
        slopes = [_enclosing_partials(node, at, moving) for at in reverse.points_of(args, node)]
        return reverse.scaled(slopes, node.shape, moving)
    if isinstance(node.op.meaning, Selection) or not extremum(node.op):
        return reverse.linear_local(graph, index, args)
    groups = reverse.tied_groups(node, args[0])
    if any(len(group.tied) > 1 for group in groups):
        raise UndecidedError
    return reverse.Moved(np.array([g.tied[0] for g in groups], np.int64).reshape(node.shape))


def _enclosing_partials(
    node: Apply, point: Sequence[Number], moving: Sequence[bool]
) -> kinks.Partials:
    try:
        found = kinks.pointwise_alternatives(node, point, moving)
    except UndecidedError:
        return kinks.partials_over(node, point, moving)
    if not isinstance(found, kinks.Site):
        return found
    if found.jump:
        raise UndecidedError
    return _hulls(option.partials for option in found.alternatives)

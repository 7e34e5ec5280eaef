"""Derivatives by the chain rule at a point: one by convention, or all choices at the kinks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from flint import fmpq

from tamecheck.derivative.cone import Cone
from tamecheck.derivative.dependence import Dependence, dependence
from tamecheck.derivative.explore import NotLipschitzAt, points_of
from tamecheck.derivative.kinks import (
    NotLipschitzError,
    Site,
    bounded,
    pointwise_alternatives,
)
from tamecheck.derivative.reverse import (
    Averaged,
    Local,
    Moved,
    Scaled,
    Values,
    linear_local,
    scaled,
    tied_groups,
)
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.exact import op_exact
from tamecheck.evaluate.exact_terms import value_at
from tamecheck.evaluate.walk import site_of
from tamecheck.exact.arrays import objects
from tamecheck.exact.reals import Number, hull
from tamecheck.ir.formula import everywhere
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Fold, Framework, Pointwise, Selection, Ties
from tamecheck.ir.tensor import Array, Shape

__all__ = ["ChainRule", "Place", "chain_rule"]

Partials = tuple[Number, ...]

Place = tuple[int, int]
"""A node, and an element of it, or a group of tied elements."""


@dataclass(frozen=True, slots=True, eq=False)
class _Kinked:
    """A pointwise node with partial derivatives, of which some elements have several.

    ``tests`` has the elements with one functional of the arguments' changes that decides, where
    the first option holds if it is positive and the second if it is negative.  ``unknown`` says why
    PyTorch's derivatives are not known; ``infinite`` that some are where nothing depends on them.
    """

    slopes: list[Partials]
    options: dict[int, tuple[Partials, ...]]
    tests: dict[int, Partials]
    usual: Mapping[Framework, Mapping[int, Partials]]
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

    Parameters
    ----------
    graph, values
        The graph, and the nodes' values.
    depends
        What matters near the point.
    fixed
        The derivatives of the nodes that leave no choice.
    kinked, tied
        The nodes that do.
    """

    graph: Graph
    values: Values
    depends: Dependence
    fixed: Mapping[int, Local]
    kinked: Mapping[int, _Kinked]
    tied: Mapping[int, _Tied]

    def conventional(self, framework: Framework = "PyTorch") -> dict[int, Local]:
        """The choice of a framework's automatic differentiation.

        At kinks it is what the ops declare, and 0 at jumps.  Where that depends on what is not
        known, it is one of the possible choices, and `unknown` says so.
        """
        chosen = dict(self.fixed)
        for index, kinked in self.kinked.items():
            slopes = list(kinked.slopes)
            for element, usual in kinked.usual[framework].items():
                slopes[element] = usual
            chosen[index] = self._scaled(index, slopes, kinked)
        for index, tied in self.tied.items():
            first = framework == "PyTorch" and set(tied.ways.values()) == {"first"}
            shape = self.graph.nodes[index].shape
            chosen[index] = (
                Scaled((None,))
                if tied.index
                else Moved(_shaped([tie[0] for tie in tied.ties], shape))
                if first
                else Averaged(tied.ties)
            )
        return chosen

    def unknown(self, framework: Framework) -> str:
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
                why = _several(tied.ways)
                return f"{name(index)} has tied elements, where {why}"
        gradient = self.graph.gradient
        if framework == "PyTorch" and gradient.lost:
            return gradient.lost
        if framework == "PyTorch" and gradient.unknown and self.places:
            listed = ", ".join(gradient.unknown)
            return f"the program uses {listed}, whose conventions at kinks are not known here"
        return ""

    def _scaled(self, index: int, slopes: Sequence[Partials], kinked: _Kinked) -> Local:
        return scaled(slopes, self.graph.nodes[index].shape, kinked.moving)

    def jump(self) -> str | None:
        """The name of a node that jumps at the point, if there is one."""
        for index, kinked in self.kinked.items():
            if kinked.jump and kinked.options:
                return self.graph.name_of(index)
        for index, tied in self.tied.items():
            if tied.index and any(len(tie) > 1 for tie in tied.ties):
                return self.graph.name_of(index)
        return None

    @property
    def combinations(self) -> int:
        """The number of ways to choose an extreme derivative at every kink."""
        kinks = [len(o) for k in self.kinked.values() for o in k.options.values()]
        return prod(kinks) * prod(len(tie) for t in self.tied.values() for tie in t.ties)

    def choices(self, limit: int) -> Iterator[dict[int, Local]]:
        """All ways to choose an extreme derivative at every kink, where no op jumps.

        Raises
        ------
        UnsupportedError
            If there are more than ``limit``.
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
            feeding = nodes & set(self.graph.ancestors(self._args(index)))
            merged = frozenset[int]().union(*(part[node] for node in (index, *feeding)))
            part |= dict.fromkeys(merged, merged)
        found: dict[frozenset[int] | Place, list[Place]] = {}
        for place in places:
            joined = part[place[0]]
            found.setdefault(joined if len(joined) > 1 else place, []).append(place)
        return list(found.values())

    def _args(self, index: int) -> Sequence[int]:
        node = self.graph.nodes[index]
        return node.args if isinstance(node, Apply) else ()

    @property
    def places(self) -> dict[Place, int]:
        """The number of derivatives to choose from, where there are several."""
        found: dict[Place, int] = {}
        for index, kinked in self.kinked.items():
            for element, options in kinked.options.items():
                if len(options) > 1:
                    found[index, element] = len(options)
        for index, tied in self.tied.items():
            for group, tie in enumerate(tied.ties):
                if len(tie) > 1:
                    found[index, group] = len(tie)
        return found

    def enclosing(self) -> dict[int, Local] | None:
        """Local derivatives as balls that contain every choice; None if tied elements leave one."""
        if any(len(tie) > 1 for tied in self.tied.values() for tie in tied.ties):
            return None
        locals_ = self.chosen({})
        for index, kinked in self.kinked.items():
            if kinked.options:
                slopes = list(kinked.slopes)
                for element, options in kinked.options.items():
                    slopes[element] = tuple(
                        hull(list(parts)) for parts in zip(*options, strict=True)
                    )
                locals_[index] = self._scaled(index, slopes, kinked)
        return locals_

    def chosen(self, picked: Mapping[Place, int]) -> dict[int, Local]:
        """The local derivatives with numbered choices, the first where none is given."""
        locals_ = dict(self.fixed)
        for index, kinked in self.kinked.items():
            slopes = list(kinked.slopes)
            for element, options in kinked.options.items():
                slopes[element] = options[picked.get((index, element), 0)]
            locals_[index] = self._scaled(index, slopes, kinked)
        for index, tied in self.tied.items():
            winners = [tie[picked.get((index, k), 0)] for k, tie in enumerate(tied.ties)]
            locals_[index] = Moved(_shaped(winners, self.graph.nodes[index].shape))
        return locals_


def _shaped(winners: Sequence[int], shape: Shape) -> Array:
    return np.array(winners, dtype=np.int64).reshape(shape)


def chain_rule(graph: Graph, values: Values, *, whole: bool = False) -> ChainRule:
    """The local derivatives of all nodes at a point, from the values of inputs and constants.

    Elements on which the outputs do not depend near the point have derivative 0, unless the
    derivatives of the ``whole`` graph are asked for.

    Raises
    ------
    NotLipschitzAt
        If an op on which the outputs depend is not Lipschitz near the point.
    """
    known = dict(values)
    nodes = {
        index: node
        for index in graph.ancestors([node for _, node in graph.outputs])
        if isinstance(node := graph.nodes[index], Apply)
    }
    for index, node in nodes.items():
        args = [known[arg] for arg in node.args]
        known[index] = objects(op_exact(site_of(graph, index, node), args))
    depends = Dependence.whole(graph) if whole else dependence(graph, known)
    fixed: dict[int, Local] = {}
    kinked: dict[int, _Kinked] = {}
    tied: dict[int, _Tied] = {}
    for index, node in nodes.items():
        args = [known[arg] for arg in node.args]
        match node.op.meaning:
            case Pointwise() as meaning:
                try:
                    kinked[index] = _kinked(graph, index, node, meaning, args, depends)
                except NotLipschitzError:
                    raise NotLipschitzAt(graph.name_of(index)) from None
            case Fold(name) if name in ("maximum", "minimum"):
                ties = _ties(node, args[0], depends.needs(index))
                tied[index] = _Tied(ties, index=False, ways=_ways(node))
            case Selection() if node.op.name in ("argmax", "argmin"):
                ties = _ties(node, args[0], depends.needs(index))
                tied[index] = _Tied(ties, index=True, ways={})
            case _:
                fixed[index] = linear_local(graph, node, args, depends.needed[index])
    return ChainRule(graph, known, depends, fixed, kinked, tied)


def _ways(node: Apply) -> Mapping[str, Ties]:
    """What PyTorch's functions that the fold may be take where elements are tied."""
    ways = node.op.ties
    return {node.function: ways[node.function]} if node.function in ways else ways


def _several(functions: Iterable[str]) -> str:
    return f"PyTorch's {' and '.join(functions)} differ, and the graph does not tell which it is"


def _ties(node: Apply, data: Array, needs: Sequence[bool]) -> tuple[tuple[int, ...], ...]:
    """The tied elements of each group; one of them where nothing depends on the group."""
    groups = tied_groups(node, data)
    return tuple(
        tie.tied if need else tie.tied[:1] for tie, need in zip(groups, needs, strict=True)
    )


def _kinked(  # noqa: PLR0913, PLR0917 (a node, with its arguments and what matters)
    graph: Graph,
    index: int,
    node: Apply,
    meaning: Pointwise,
    args: Sequence[Array],
    depends: Dependence,
) -> _Kinked:
    nothing = tuple(fmpq(0) for _ in args)
    slopes: list[Partials] = []
    options: dict[int, tuple[Partials, ...]] = {}
    usual: dict[Framework, dict[int, Partials]] = {"PyTorch": {}, "JAX": {}}
    tests: dict[int, Partials] = {}
    unknown, infinite = "", False
    moving = [not graph.input_free[arg] for arg in node.args]
    needs, moves = depends.needs(index), depends.moving(node)
    for element, point in enumerate(points_of(args, node)):
        if not needs[element]:
            infinite = infinite or not bounded(node, point, moving)
            slopes.append(nothing)
            continue
        found = pointwise_alternatives(node, meaning, point, moves[element])
        if not isinstance(found, Site):
            slopes.append(found)
            continue
        slopes.append(found.alternatives[0].partials)
        for framework, elements in usual.items():
            chosen = _usual(node, found, point, framework)
            elements[element] = next(iter(chosen.values()))
            if len(set(map(str, chosen.values()))) > 1:
                unknown = _several(chosen)
        options[element] = _options(found)
        if len(found.tests) == 1 and len(options[element]) == 2:
            tests[element] = found.tests[0]
    jump = not node.op.regularity.continuous
    return _Kinked(slopes, options, tests, usual, moving, jump, unknown, infinite)


def _options(site: Site) -> tuple[Partials, ...]:
    """The derivatives of the pieces that meet at the element's arguments with an interior."""
    found: list[Partials] = []
    size = len(site.tests[0])
    for alternative in site.alternatives:
        if 0 in alternative.signs and not site.jump:
            continue
        cone: Cone | None = Cone(size)
        for test, sign in zip(site.tests, alternative.signs, strict=True):
            cone = None if cone is None or (sign == 0) else cone.meet(test, sign)
        if cone is not None and alternative.partials not in found:
            found.append(alternative.partials)
    return tuple(found) if found else (site.alternatives[0].partials,)


def _usual(
    node: Apply, site: Site, point: Sequence[Number], framework: Framework
) -> dict[str, Partials]:
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

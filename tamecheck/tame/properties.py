"""Regularity of a graph on a box, derived node by node; each fact is a certificate step.

Meant for a graph that has been shown to be defined, and definable in a (locally) o-minimal
structure, on the whole box.  *Piecewise linear* means finitely many polyhedra (locally finitely
many where the structure is only locally o-minimal) with an affine map on each; *piecewise
constant* the same with constants on definable pieces.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq

from tamecheck import ops
from tamecheck.errors import TamecheckError
from tamecheck.evaluate import exact_values
from tamecheck.exact.reals import working_precision
from tamecheck.ir.box import Bound, Box
from tamecheck.ir.graph import Apply, Constant, Graph, Node
from tamecheck.ir.op import Selection
from tamecheck.ir.structure import Structure
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import chooses_indices, rounds, steps
from tamecheck.tame.definable import Situation, domain_at, structures_of
from tamecheck.tame.domains import Domains
from tamecheck.tame.steps import ProofSteps, locally_bounded
from tamecheck.tame.verdict import Properties

CERTIFIED = ("continuous", "locally_lipschitz", "piecewise_linear", "piecewise_constant")
"""The properties that certificates can claim."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Why a node is bounded on bounded sets; by no steps if all ops below it keep bounds.

    ``continuous`` says that the steps show it total, and that it is continuous besides.
    """

    steps: tuple[int, ...] = ()
    continuous: bool = False


def positive_properties(graph: Graph, *, proof: ProofSteps, domains: Domains) -> Properties:
    """The properties that all outputs are shown to have: true, or None.

    Parameters
    ----------
    graph
        Definable on the domain, where it is defined.
    proof
        Takes the certificate steps of the properties that hold.
    domains
        Where the nodes are defined.

    Notes
    -----
    A locally Lipschitz function that is definable in an o-minimal structure is path-differentiable
    (Bolte, Pauwels 2021; Davis, Drusvyatskiy, Kakade, Lee 2020).  The property is local, and on
    bounded sets (ℝ, <, +, ℤ) defines semilinear functions only, so local o-minimality suffices.
    """
    roots = [node for _, node in graph.outputs]
    search = _Search(graph, proof, domains)
    held = {name: search.holds(name, roots) for name in CERTIFIED}
    for name in CERTIFIED:
        if held[name]:
            for root in roots:
                search.emit(name, root)
    total = all(domains.total(root) is not None for root in roots)
    return Properties(
        piecewise_linear=held["piecewise_linear"] or None,
        piecewise_constant=held["piecewise_constant"] or None,
        continuous=held["continuous"] or None,
        locally_lipschitz=held["locally_lipschitz"] or None,
        path_differentiable=(held["locally_lipschitz"] and total) or None,
    )


def merge(derived: Properties, refuted: Properties) -> Properties:
    """What is derived, else what is refuted."""

    def either(name: str) -> bool | None:
        first: bool | None = getattr(derived, name)
        second: bool | None = getattr(refuted, name)
        return second if first is None else first

    return Properties(
        piecewise_linear=either("piecewise_linear"),
        piecewise_constant=either("piecewise_constant"),
        continuous=either("continuous"),
        locally_lipschitz=either("locally_lipschitz"),
        path_differentiable=either("path_differentiable"),
    )


@dataclass(slots=True)
class _Search:
    """For each property and node: whether it holds, and which steps it needs."""

    graph: Graph
    proof: ProofSteps
    domains: Domains
    tight: dict[int, bool] = field(default_factory=dict[int, bool])
    spreads: dict[int, Spread | None] = field(default_factory=dict[int, "Spread | None"])
    emitted: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    known: dict[tuple[str, int], bool] = field(default_factory=dict[tuple[str, int], bool])
    enclosures: dict[tuple[str, int], Sequence[int]] = field(
        default_factory=dict[tuple[str, int], Sequence[int]]
    )

    def holds(self, name: str, roots: Sequence[int]) -> bool:
        for index in self.graph.ancestors(roots):
            if (name, index) not in self.known:
                self.known[name, index] = self._node(name, index)
        return all(self.known[name, root] for root in roots)

    def _node(self, name: str, index: int) -> bool:
        node = self.graph.nodes[index]
        if name.startswith("piecewise") and not self._keeps_finiteness(node, index):
            return False
        if self._is_leaf(name, index):
            return True
        if not isinstance(node, Apply):
            return name != "piecewise_constant"
        if not all(self.known[name, arg] for arg in node.args):
            return False
        match name:
            case "piecewise_constant":
                return True
            case "piecewise_linear":
                fixed = tuple(self.graph.input_free[arg] for arg in node.args)
                situation = Situation(fixed=fixed, bounded=True, inside=True)
                own = structures_of(node.op, node.params, situation)
                return own == (Structure.RATIONAL_SEMILINEAR,)
            case "continuous":
                return self._continuous(node)
            case _:
                return self._continuous(node) and self._lipschitz(index, node)

    def _is_leaf(self, name: str, index: int) -> bool:
        """Whether the property needs no property of the arguments."""
        node = self.graph.nodes[index]
        discrete = isinstance(node, Apply) and steps(node.op, node.params)
        return self.graph.input_free[index] or (name == "piecewise_constant" and discrete)

    def _continuous(self, node: Apply) -> bool:
        if isinstance(node.op.meaning, Selection) and not chooses_indices(node.op):
            return isinstance(self.graph.nodes[node.args[1]], Constant)
        # a power that is defined on the whole box has a positive base or is a natural power
        return node.op.regularity.continuous or node.op is ops.POWER

    def _lipschitz(self, index: int, node: Apply) -> bool:
        regularity = node.op.regularity
        if regularity.lipschitz or node.op is ops.POWER or isinstance(node.op.meaning, Selection):
            # a selection that is continuous moves elements
            return True
        if regularity.lipschitz_inside is None:
            return False
        condition = regularity.lipschitz_inside(node.params)
        if condition == domain_at(self.graph, index):
            return True
        steps = self.proof.shown(condition, node.args)
        if steps is not None:
            self.enclosures["locally_lipschitz", index] = steps
        return steps is not None

    def _keeps_finiteness(self, node: Node, index: int) -> bool:
        """Whether a rounding has an argument that is bounded on bounded sets."""
        if not isinstance(node, Apply) or self.graph.input_free[index]:
            return True
        return not rounds(node.op, node.params) or self._spread(node.args[0]) is not None

    def _spread(self, node: int) -> Spread | None:
        """Why a node is bounded on bounded sets: of itself, or by these steps."""
        if node not in self.spreads:
            self.spreads[node] = self._find_spread(node)
        return self.spreads[node]

    def _find_spread(self, node: int) -> Spread | None:
        if self._is_tight(node):
            return Spread()
        bounded = self.proof.bounded(node)
        if bounded is not None:
            return Spread((bounded,))
        total = self.domains.total(node)
        if total is not None and self.holds("continuous", [node]):
            return Spread(tuple(total), continuous=True)
        return None

    def _is_tight(self, root: int) -> bool:
        for index in self.graph.ancestors([root]):
            if index not in self.tight:
                node = self.graph.nodes[index]
                self.tight[index] = (
                    not isinstance(node, Apply)
                    or self.graph.input_free[index]
                    or self.proof.has_bounded_range(node.op, node.params)
                    or (self._keeps_bounds(node) and all(self.tight[arg] for arg in node.args))
                )
        return self.tight[root]

    def _keeps_bounds(self, node: Apply) -> bool:
        fixed = node.op is ops.DIV and self.graph.input_free[node.args[1]]
        return fixed or locally_bounded(node.op, node.params)

    def emit(self, name: str, root: int) -> None:
        """Add the steps for a node and all that it rests on."""
        for index in self._support(name, root):
            if (name, index) in self.emitted:
                continue
            node = self.graph.nodes[index]
            rests = not self._is_leaf(name, index)
            args = node.args if isinstance(node, Apply) and rests else ()
            step: dict[str, Any] = {
                "rule": "property",
                "node": index,
                "property": name,
                "args": [self.emitted[name, arg] for arg in args],
                "enclosures": list(self.enclosures.get((name, index), ())),
            }
            bounded = self._cited_spread(name, node, index)
            if bounded:
                step["bounded"] = bounded
            self.emitted[name, index] = self.proof.add(step)

    def _cited_spread(self, name: str, node: Node, index: int) -> list[int]:
        if not isinstance(node, Apply) or not rounds(node.op, node.params):
            return []
        spread = self._spread(node.args[0]) if name.startswith("piecewise") else None
        if spread is None or self.graph.input_free[index]:
            return []
        if not spread.continuous:
            return list(spread.steps)
        self.emit("continuous", node.args[0])
        return [*spread.steps, self.emitted["continuous", node.args[0]]]

    def _support(self, name: str, root: int) -> list[int]:
        needed = {root}
        for index in range(root, -1, -1):
            node = self.graph.nodes[index]
            if index in needed and isinstance(node, Apply) and not self._is_leaf(name, index):
                needed.update(node.args)
        return sorted(needed)


_POINTS = 3


def refuted_by_values(
    graph: Graph, box: Box, known: Properties, source: random.Random
) -> Properties:
    """What follows if some output differs between random points: false, or None.

    Parameters
    ----------
    graph, box
        The function, defined on the whole box.
    known
        Only a property that is refuted by another one that is known to hold can be refuted here.
    source
        Of the points.
    """
    jumps = known.piecewise_constant and known.continuous is None
    moves = known.continuous and known.piecewise_constant is None
    if not (jumps or moves):
        return Properties()
    first: Mapping[str, Array] | None = None
    for scale in range(1, _POINTS + 1):
        try:
            values = exact_values(graph, _point(graph, box, source, scale))
        except TamecheckError:
            return Properties()
        if first is not None and any(_differ(first[name], values[name]) for name in values):
            if moves:
                return Properties(piecewise_constant=False)
            return Properties(continuous=False, locally_lipschitz=False, path_differentiable=False)
        first = values
    return Properties()


def random_number(pair: tuple[Bound, Bound], source: random.Random, scale: int) -> Fraction:
    """A number inside an interval; about as large as ``scale`` where it is unbounded."""
    low, high = pair
    step = Fraction(source.randint(1, 63), 64)
    if low is not None and high is not None:
        return low + (high - low) * step
    if low is not None:
        return low + 4 * scale * step
    return high - 4 * scale * step if high is not None else scale * (6 * step - 3)


def _point(graph: Graph, box: Box, source: random.Random, scale: int) -> dict[str, Array]:
    point: dict[str, Array] = {}
    for name, shape in graph.inputs.items():
        pairs = box.side(name).elements(size_of(shape))
        values = [_as_float(random_number(pair, source, scale), pair) for pair in pairs]
        point[name] = np.array(values).reshape(shape)
    return point


def _as_float(value: Fraction, pair: tuple[Bound, Bound]) -> float | Fraction:
    """The nearest float where it is inside the interval, since floats are evaluated faster."""
    near = float(value)
    low, high = pair
    inside = (low is None or low <= near) and (high is None or near <= high)
    return near if inside else value


@working_precision(64)
def _differ(left: Array, right: Array) -> bool:
    pairs = zip(left.reshape(-1).tolist(), right.reshape(-1).tolist(), strict=True)
    return any(not arb(_number(a)).overlaps(arb(_number(b))) for a, b in pairs)


def _number(value: Any) -> Any:
    return fmpq(*value.as_integer_ratio()) if isinstance(value, Fraction) else value

"""Regularity of a graph on a box, derived node by node; each fact is a certificate step.

Meant for a graph that has been shown to be defined, and definable in a (locally) o-minimal
structure, on the whole box.  *Piecewise linear* means finitely many polyhedra (locally finitely
many where the structure is only locally o-minimal) with an affine map on each; *piecewise
constant* the same with constants on definable pieces.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
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
from tamecheck.ir.formula import Condition
from tamecheck.ir.graph import Apply, Constant, Graph
from tamecheck.ir.op import Selection
from tamecheck.ir.structure import Structure
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import chooses_indices, steps
from tamecheck.tame.definable import Situation, structures_of
from tamecheck.tame.verdict import Properties

__all__ = ["CERTIFIED", "merge", "positive_properties", "random_number", "refuted_by_values"]

CERTIFIED = ("continuous", "locally_lipschitz", "piecewise_linear", "piecewise_constant")
"""The properties that certificates can claim."""

Shown = Callable[[Condition, Sequence[int]], "Sequence[int] | None"]
"""Enclosure steps of some nodes that show a condition on them, or None."""


def positive_properties(
    graph: Graph, *, shown: Shown, add: Callable[[Mapping[str, Any]], int]
) -> Properties:
    """The properties that all outputs are shown to have: true, or None.

    Parameters
    ----------
    graph
        Defined and definable on the domain.
    shown
        Decides a condition on nodes by enclosures; `ProofSteps.shown`.
    add
        Takes the certificate steps of the properties that hold; `ProofSteps.add`.

    Notes
    -----
    A locally Lipschitz function that is definable in an o-minimal structure is path-differentiable
    (Bolte, Pauwels 2021; Davis, Drusvyatskiy, Kakade, Lee 2020).  The property is local, and on
    bounded sets (ℝ, <, +, ℤ) defines semilinear functions only, so local o-minimality suffices.
    """
    proof = _Proof(graph, shown)
    held = {name: proof.holds(name, [node for _, node in graph.outputs]) for name in CERTIFIED}
    emitted: dict[tuple[str, int], int] = {}
    for name in CERTIFIED:
        if held[name]:
            for _, node in graph.outputs:
                proof.emit(name, node, add, emitted)
    return Properties(
        piecewise_linear=held["piecewise_linear"] or None,
        piecewise_constant=held["piecewise_constant"] or None,
        continuous=held["continuous"] or None,
        locally_lipschitz=held["locally_lipschitz"] or None,
        path_differentiable=held["locally_lipschitz"] or None,
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
class _Proof:
    """For each property and node: whether it holds, and which enclosures it needs."""

    graph: Graph
    shown: Shown
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
        steps = self.shown(regularity.lipschitz_inside(node.params), node.args)
        if steps is not None:
            self.enclosures["locally_lipschitz", index] = steps
        return steps is not None

    def emit(
        self,
        name: str,
        root: int,
        add: Callable[[Mapping[str, Any]], int],
        emitted: dict[tuple[str, int], int],
    ) -> None:
        """Add the steps for a node and all that it rests on."""
        for index in self._support(name, root):
            if (name, index) in emitted:
                continue
            node = self.graph.nodes[index]
            rests = not self._is_leaf(name, index)
            args = node.args if isinstance(node, Apply) and rests else ()
            step = {
                "rule": "property",
                "node": index,
                "property": name,
                "args": [emitted[name, arg] for arg in args],
                "enclosures": list(self.enclosures.get((name, index), ())),
            }
            emitted[name, index] = add(step)

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

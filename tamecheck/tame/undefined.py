"""Points at which a model is not defined, and models that are nowhere defined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tamecheck import ops
from tamecheck.evaluate.ranges import Range
from tamecheck.ir.box import Box, Side
from tamecheck.ir.exact import rational_text
from tamecheck.ir.formula import TRUE
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Selection
from tamecheck.ir.tensor import Tensor, size_of
from tamecheck.ops.facets import chooses_indices
from tamecheck.tame.definable import domain_at
from tamecheck.tame.hulls import Hulls, Steps
from tamecheck.tame.verdict import Step

_SAMPLES = tuple(Fraction(n, d) for n, d in ((0, 1), (-1, 1), (1, 1), (-2, 1), (2, 1), (1, 2)))
_MOST_NODES = 400
_MOST_POINTS = 40


@dataclass(slots=True)
class _Collected:
    """The steps about one point."""

    tensors: dict[str, Tensor]
    steps: list[Step] = field(default_factory=list[Step])

    def add(self, step: Step) -> int:
        """Append a step; its number."""
        self.steps.append(step)
        return len(self.steps) - 1


def nowhere_step(hulls: Hulls, proof: Steps, root: int, *, deep: bool = True) -> int | None:
    """A step that shows some element of a node to be defined nowhere, or None.

    It is looked for in the op of the node and, with ``deep``, in those below.
    """
    chain = _chain(hulls, root, root if not deep else 0)
    if not chain:
        return None
    args = hulls.graph.args(chain[0])
    cited = [hulls.step(arg) for arg in dict.fromkeys(args)]
    step = proof.add({"rule": "nowhere", "node": chain[0], "enclosures": cited})
    for index in chain[1:]:
        step = proof.add({"rule": "nowhere", "node": index, "step": step})
    return step


def _chain(hulls: Hulls, root: int, lowest: int) -> list[int]:
    """From a partial op outside its domain up to the root; nothing if there is none.

    It is the lowest one: what is above it has no values that could be enclosed.
    """
    graph = hulls.graph
    above: dict[int, int | None] = {root: None}
    here: int | None = None
    for index in range(root, lowest - 1, -1):
        if index not in above:
            continue
        if _partial(graph, index) and hulls.nowhere(index):
            here = index
        for arg in needed_arguments(graph, index):
            above.setdefault(arg, index)
    found: list[int] = []
    while here is not None:
        found.append(here)
        here = above[here]
    return found


def _partial(graph: Graph, index: int) -> bool:
    node = graph.nodes[index]
    if not isinstance(node, Apply) or domain_at(graph, index) == TRUE:
        return False
    # a fixed exponent may be a natural number
    return node.op is not ops.POWER or not graph.input_free[node.args[1]]


def needed_arguments(graph: Graph, index: int) -> tuple[int, ...]:
    """The arguments without all of whose elements a node is not defined."""
    node = graph.nodes[index]
    if not isinstance(node, Apply) or node.op is ops.SLICE:
        return ()
    if node.op is ops.SELECT:
        return node.args[:1]
    if isinstance(node.op.meaning, Selection) and not chooses_indices(node.op):
        return node.args[1:]
    return node.args


def undefined_step(
    graph: Graph, box: Box, roots: Sequence[int], tensors: dict[str, Tensor]
) -> tuple[dict[str, Any], Mapping[str, tuple[Fraction, ...]]] | None:
    """A step that shows a node to be undefined at a point of the box, and the point; or None."""
    if len(graph.nodes) > _MOST_NODES:
        return None
    known: dict[tuple[int, tuple[Range, ...]], Range | None] = {}
    for count, point in enumerate(_points(graph, box)):
        if count == _MOST_POINTS:
            return None
        there = Box({name: Side(values, values) for name, values in point.items()})
        ranges: dict[int, Range | None] = {}
        for root in roots:
            collected = _Collected(tensors)
            hulls = Hulls(graph, there, collected, {}, ranges, {}, known)
            if nowhere_step(hulls, collected, root) is not None:
                texts = {name: [rational_text(v) for v in vs] for name, vs in point.items()}
                step = {"rule": "undefined-at", "node": root, "point": texts}
                return {**step, "steps": collected.steps}, point
    return None


def _points(graph: Graph, box: Box) -> Iterator[dict[str, tuple[Fraction, ...]]]:
    """Points of the box with equal elements in each input, then with one input at an end."""
    for sample in _SAMPLES:
        yield {name: _at(box.side(name), shape, sample) for name, shape in graph.inputs.items()}
    for moved in graph.inputs:
        for sample in _SAMPLES:
            yield {
                name: _at(box.side(name), shape, sample if name == moved else Fraction(1))
                for name, shape in graph.inputs.items()
            }


def _at(side: Side, shape: tuple[int, ...], sample: Fraction) -> tuple[Fraction, ...]:
    """The numbers nearest to a sample in the sides of an input."""
    found: list[Fraction] = []
    for low, high in side.elements(size_of(shape)):
        value = sample if low is None else max(sample, low)
        found.append(value if high is None else min(value, high))
    return tuple(found)

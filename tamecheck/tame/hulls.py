"""One range for all elements of a node, where it is defined, and the enclosure steps for it.

These see what the closed floats of `tamecheck.evaluate.enclose` do not: open ends, and nodes on
their natural domain.  They are cheap, and wide for tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

from tamecheck import ops
from tamecheck.evaluate.ranges import (
    REAL,
    Range,
    holds,
    hull,
    log_count,
    point_range,
    pointwise_range,
)
from tamecheck.ir.box import Bound, Box
from tamecheck.ir.exact import rational, rational_text
from tamecheck.ir.formula import Condition
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Contraction, Expansion, Fold, Pointwise, Routing, Selection
from tamecheck.ir.tensor import Tensor, size_of
from tamecheck.ops.facets import choices, chooses_indices
from tamecheck.ops.shapes import axis_of
from tamecheck.tame.definable import domain_at
from tamecheck.tame.verdict import Step

_MOST_DATA = 4096
"""Constants with more elements may be any numbers, so that certificates stay small."""
_MOST_FACTORS = 64


class Steps(Protocol):
    """Where certificate steps and the tensors that they need go."""

    tensors: dict[str, Tensor]

    def add(self, step: Step) -> int:
        """Append a step; its number."""
        ...


@dataclass(slots=True)
class Hulls:
    """The ranges of the nodes of a graph on a box; some nodes may be known to be narrower."""

    graph: Graph
    box: Box
    proof: Steps
    given: Mapping[int, tuple[Range, int]] = field(default_factory=dict[int, "tuple[Range, int]"])
    """Ranges that hold in this case, with the steps for them."""
    _ranges: dict[int, Range | None] = field(default_factory=dict[int, "Range | None"])
    _steps: dict[int, int] = field(default_factory=dict[int, int])
    _pointwise: dict[tuple[int, tuple[Range, ...]], Range | None] = field(
        default_factory=dict[tuple[int, tuple[Range, ...]], "Range | None"]
    )
    """Ranges of pointwise ops by the node and the ranges of its arguments, of all cases."""

    def case(self, proof: Steps, on: int, where: Range, step: int) -> Hulls:
        """The ranges in a case in which a node is in a range, by a step."""
        above = {on}
        for index in range(on + 1, len(self.graph.nodes)):
            if above.intersection(self._args(index)):
                above.add(index)
        ranges = {k: found for k, found in self._ranges.items() if k not in above}
        steps = {k: at for k, at in self._steps.items() if k not in above and at < step}
        given = {**self.given, on: (where, step)}
        return Hulls(self.graph, self.box, proof, given, ranges, steps, self._pointwise)

    def range(self, root: int) -> Range:
        """The range of a node where it is defined."""
        for index in self._missing(root, self._ranges, through=lambda _: True):
            self._ranges[index] = self._find(index)
        found = self._ranges[root]
        return REAL if found is None else found

    def finite_step(self, root: int) -> int | None:
        """The enclosure step for a node whose range has two finite ends; else None."""
        found = self.range(root)
        return None if found.low is None or found.high is None else self.step(root)

    def nowhere(self, root: int) -> bool:
        """Whether the ranges of the arguments are outside the domain of a node."""
        self.range(root)
        return self._ranges[root] is None

    def holds(self, condition: Condition, args: Sequence[int], *, closed: bool = False) -> bool:
        """Whether a condition on nodes holds, or even on the closure of their ranges."""
        ranges = [self.range(arg) for arg in args]
        return holds(condition, [x.closure for x in ranges] if closed else ranges)

    def chosen(self, index: int) -> int | None:
        """Which argument a choice is equal to, by its place; None if that is not decided."""
        node = self.graph.nodes[index]
        if not isinstance(node, Apply):
            return None
        found = choices(node.op, node.params)
        return next((place for place, where in found if self.holds(where, node.args)), None)

    def step(self, root: int) -> int:
        """The enclosure step for the range of a node."""
        self.range(root)
        for index in self._missing(root, self._steps, through=self._says_something):
            self._steps[index] = self._emit(index)
        return self._steps[root]

    def _says_something(self, index: int) -> bool:
        return self._ranges[index] not in (None, REAL)

    def _missing(
        self, root: int, known: Mapping[int, object], *, through: Callable[[int], bool]
    ) -> list[int]:
        """The nodes at and below one that are not known, arguments first."""
        waiting, found = [root], set[int]()
        while waiting:
            index = waiting.pop()
            if index not in known and index not in found:
                found.add(index)
                waiting.extend(self._args(index) if through(index) else ())
        return sorted(found)

    def _args(self, index: int) -> tuple[int, ...]:
        node = self.graph.nodes[index]
        return node.args if isinstance(node, Apply) and index not in self.given else ()

    def _find(self, index: int) -> Range | None:
        if index in self.given:
            return self.given[index][0]
        node = self.graph.nodes[index]
        match node:
            case Input(name=name):
                side = self.box.side(name)
                low, high = _known(side.lower), _known(side.upper)
                return Range(min(low) if low else None, max(high) if high else None)
            case Constant(tensor=tensor):
                if not 0 < size_of(tensor.shape) <= _MOST_DATA:
                    return REAL
                return Range(*tensor.extremes())
            case Apply():
                return self._apply(index, node)

    def _apply(self, index: int, node: Apply) -> Range | None:
        args = [self._ranges[arg] or REAL for arg in node.args]
        first = self.graph.nodes[node.args[0]].shape
        count = size_of(first) // max(size_of(node.shape), 1)
        match node.op.meaning:
            case Pointwise():
                return self._elementwise(index, node, args)
            case Routing():
                values = [v for v in node.params.values() if isinstance(v, Fraction)]
                return hull([*args, *map(point_range, values)])
            case Contraction():
                product = args[0] * args[1] * point_range(first[-1])
                return Range(product.low, product.high)
            case Fold(ops.ADD):
                return args[0] * point_range(count)
            case Fold(ops.MUL):
                factors = [args[0]] * count if count <= _MOST_FACTORS else [REAL, REAL]
                product = point_range(1)
                for factor in factors:
                    product = product * factor
                return product
            case Selection() if chooses_indices(node.op):
                return Range(Fraction(0), Fraction(first[axis_of(first, node.params)] - 1))
            case Fold() | Selection():
                return args[0]
            case Expansion():
                return self._expanded(node, args[0], first)

    def _elementwise(self, index: int, node: Apply, args: Sequence[Range]) -> Range | None:
        key = index, tuple(args)
        if key not in self._pointwise:
            domain = domain_at(self.graph, index)
            self._pointwise[key] = pointwise_range(node.op, node.params, args, domain)
        return self._pointwise[key]

    def _expanded(self, node: Apply, x: Range, shape: tuple[int, ...]) -> Range:
        match node.op:
            case ops.SOFTMAX:
                several = shape[axis_of(shape, node.params)] > 1
                return Range(Fraction(0), Fraction(1), low_open=True, high_open=several)
            case ops.LOGSUMEXP:
                return x + log_count(size_of(shape) // size_of(node.shape))
            case ops.LOG_SOFTMAX:
                extent = shape[axis_of(shape, node.params)]
                below = Range(None, Fraction(0), high_open=extent > 1)
                return (x + -(x + log_count(extent))) & below
            case _:
                return REAL

    def _emit(self, index: int) -> int:
        if index in self.given:
            return self.given[index][1]
        found = self._ranges[index] or REAL
        node = self.graph.nodes[index]
        sources: list[int] = []
        if self._says_something(index):
            sources = [self._steps[arg] for arg in self._args(index)]
            if isinstance(node, Constant):
                self.proof.tensors[node.tensor.digest] = node.tensor
        return self.proof.add(enclosure_step(index, found, sources))


def enclosure_step(node: int, found: Range, sources: Sequence[int]) -> dict[str, Any]:
    """The step that says in which range a node is; an open end is a list."""
    return {
        "rule": "enclosure",
        "node": node,
        "lower": [_end(found.low, is_open=found.low_open)],
        "upper": [_end(found.high, is_open=found.high_open)],
        "from": list(sources),
    }


def _known(ends: Sequence[Bound]) -> list[Fraction]:
    """All of some ends, or none where one is infinite."""
    finite = [end for end in ends if end is not None]
    return finite if len(finite) == len(ends) else []


def _end(value: Bound, *, is_open: bool) -> str | list[str] | None:
    if value is None:
        return None
    text = rational_text(rational(value))
    return [text] if is_open else text

"""Piecewise linear graphs with no other nonlinear op than the rectifier and jumps.

``|x| = 2 max(x, 0) - x``, ``max(x, y) = y + max(x - y, 0)`` and so on: the form in which split
certificates name the elements that they split, see docs/certificates.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tamecheck import ops
from tamecheck.ir.graph import Apply, Constant, Graph, GraphBuilder, Input
from tamecheck.ir.op import Fold
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import extremum, larger, line_of
from tamecheck.ops.shapes import axes_of

BENT = frozenset((ops.RELU, ops.SIGN, ops.STEP, ops.FLOOR, ops.CEIL, ops.ROUND))
_LINEAR = frozenset(
    (
        *(ops.ADD, ops.SUB, ops.NEG, ops.MUL, ops.DIV, ops.MATMUL, ops.SUM),
        *(ops.RESHAPE, ops.TRANSPOSE, ops.SLICE, ops.GATHER, ops.GATHER_ELEMENTS),
        *(ops.CONCAT, ops.PAD, ops.BROADCAST),
    )
)


@dataclass(frozen=True, slots=True)
class Rectified:
    """The graph; for each group of rectifiers or jumps, in the order of the original, its place.

    Groups that are equal have the same place among the nonlinear nodes of the graph.
    """

    graph: Graph
    groups: tuple[int, ...]


def rectify(graph: Graph) -> Rectified | None:
    """The same function by rectifiers; None if it is not known to be piecewise linear."""
    builder, groups, number = GraphBuilder(), list[int](), dict[int, int]()
    needed = set(graph.ancestors([node for _, node in graph.outputs]))
    for index, node in enumerate(graph.nodes):
        match node:
            case Input(name, shape, label):
                number[index] = builder.input(name, shape, label)
            case Constant(tensor, label) if index in needed:
                number[index] = builder.constant(tensor, label)
            case Apply() if index in needed:
                if graph.input_free[index] and node.op not in _LINEAR:
                    return None
                found = _Rewriter(builder, groups).apply(node, [number[a] for a in node.args])
                if found is None:
                    return None
                number[index] = found
            case _:
                pass
    built = builder.build([(name, number[node]) for name, node in graph.outputs])
    place = {node: k for k, node in enumerate(sorted(set(groups)))}
    return Rectified(built, tuple(place[node] for node in groups))


def bent_elements(graph: Graph) -> int:
    """The number of elements of nodes that are not linear."""
    nodes = (node for node in graph.nodes if isinstance(node, Apply))
    return sum(size_of(node.shape) for node in nodes if node.op not in _LINEAR)


@dataclass(frozen=True, slots=True)
class _Rewriter:
    builder: GraphBuilder
    groups: list[int]

    def apply(self, node: Apply, args: Sequence[int]) -> int | None:
        """The node by rectifiers."""
        op, build = node.op, self.builder.apply
        x = args[0]
        if op is ops.ROUND and node.params["mode"] != "half_even":
            return None
        if op in _LINEAR or op in BENT:
            found = build(op, args, node.label, node.function, **node.params)
            if op in BENT:
                self.groups.append(found)
            return found
        line = line_of(op, node.params)
        if line is not None and line.is_continuous and line.breaks == line.at == (0,):
            below, above = line.slopes
            parts = [
                build(ops.MUL, [part, self.builder.constant(factor)])
                for part, factor in ((x, below), (self._relu(x), above - below))
            ]
            return build(ops.ADD, parts)
        if op is ops.CLIP:
            for key, is_lower in (("lo", True), ("hi", False)):
                end = node.params[key]
                if end is not None:
                    x = self._larger(x, self.builder.constant(end), larger=is_lower)
            return x
        if side := larger(op):
            return self._larger(x, args[1], larger=side > 0)
        if isinstance(op.meaning, Fold) and (side := extremum(op)):
            return self._largest(node, x, larger=side > 0)
        return None

    def _relu(self, x: int) -> int:
        found = self.builder.apply(ops.RELU, [x])
        self.groups.append(found)
        return found

    def _larger(self, x: int, y: int, *, larger: bool) -> int:
        build = self.builder.apply
        beyond = self._relu(build(ops.SUB, [x, y] if larger else [y, x]))
        return build(ops.ADD if larger else ops.SUB, [y, beyond])

    def _largest(self, node: Apply, x: int, *, larger: bool) -> int:
        """Pairs along the folded axes, then pairs of these."""
        build, shape = self.builder.apply, self.builder.shape(x)
        axes = axes_of(shape, node.params)
        rest = [a for a in range(len(shape)) if a not in axes]
        moved = build(ops.TRANSPOSE, [x], perm=(*rest, *axes))
        count, size = size_of(tuple(shape[a] for a in axes)), size_of(node.shape)
        flat = build(ops.RESHAPE, [moved], shape=(size, count))
        parts = [
            build(ops.SLICE, [flat], starts=(0, i), steps=(1, 1), sizes=(size, 1))
            for i in range(count)
        ]
        while len(parts) > 1:
            pairs = list(zip_longest(parts[::2], parts[1::2]))
            parts = [a if b is None else self._larger(a, b, larger=larger) for a, b in pairs]
        return build(ops.RESHAPE, [parts[0]], shape=node.shape)

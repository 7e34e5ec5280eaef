"""Piecewise linear graphs with no other nonlinear op than the rectifier and jumps.

``|x| = 2 max(x, 0) - x``, ``max(x, y) = y + max(x - y, 0)`` and so on: the form in which split
certificates name the elements that they split, see docs/certificates.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import zip_longest

import numpy as np

from tamecheck import ops
from tamecheck.ir.graph import Apply, Constant, Graph, GraphBuilder, Input
from tamecheck.ir.op import Fold, Op, Value
from tamecheck.ir.tensor import size_of
from tamecheck.ops.facets import extremum, larger, line_of
from tamecheck.ops.shapes import axes_of

BENT = frozenset((ops.RELU, ops.SIGN, ops.STEP, ops.FLOOR, ops.CEIL, ops.ROUND))
_ZERO = Fraction(0)
_ROUNDING = frozenset((ops.FLOOR, ops.CEIL, ops.ROUND))
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
    builder, number = GraphBuilder(), dict[int, int]()
    rewriter = _Rewriter(builder)
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
                found = rewriter.apply(node, [number[a] for a in node.args])
                if found is None:
                    return None
                number[index] = found
            case _:
                pass
    built = builder.build([(name, number[node]) for name, node in graph.outputs])
    place = {node: k for k, node in enumerate(sorted(set(rewriter.groups)))}
    return Rectified(built, tuple(place[node] for node in rewriter.groups))


def bent_elements(graph: Graph) -> int:
    """The number of elements of nodes that are not linear."""
    nodes = (node for node in graph.nodes if isinstance(node, Apply))
    return sum(size_of(node.shape) for node in nodes if node.op not in _LINEAR)


@dataclass(frozen=True, slots=True)
class _Rewriter:
    """``tests`` has u and v of what says whether u < v, or u <= v; ``whole`` what is an integer."""

    builder: GraphBuilder
    groups: list[int] = field(default_factory=list[int])
    tests: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    whole: set[int] = field(default_factory=set[int])

    def build(self, op: Op, args: Sequence[int], *names: str, **params: Value) -> int:
        """A linear op, a rectifier or a jump."""
        if op in _ROUNDING and args[0] in self.whole:
            return args[0]
        found = self.builder.apply(op, args, *names, **params)
        if op in BENT:
            self.groups.append(found)
        jumps = op in BENT and op is not ops.RELU
        whole = jumps or (op is not ops.DIV and all(map(self._is_whole, args)))
        numbers = (v for v in params.values() if isinstance(v, Fraction))
        if whole and all(v.denominator == 1 for v in numbers):
            self.whole.add(found)
        return found

    def _is_whole(self, node: int) -> bool:
        found = self.builder.node(node)
        if node in self.whole or not isinstance(found, Constant):
            return node in self.whole
        if not np.any(found.tensor.array * 1 % 1):
            self.whole.add(node)
        return node in self.whole

    def apply(self, node: Apply, args: Sequence[int]) -> int | None:
        """The node by rectifiers."""
        op, build = node.op, self.build
        x = args[0]
        if op is ops.ROUND and node.params["mode"] != "half_even":
            return self._truncated(x) if node.params["mode"] == "toward_zero" else None
        if op in _LINEAR or op in BENT:
            return build(op, args, node.label, node.function, **node.params)
        if op in (ops.LESS, ops.LESS_EQUAL, ops.EQUAL, ops.SELECT):
            return self._chosen(*args) if op is ops.SELECT else self._test(op, args)
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
        return self.build(ops.RELU, [x])

    def _truncated(self, x: int) -> int:
        """``floor(max(x, 0)) - floor(max(-x, 0))``."""
        sides = x, self.build(ops.NEG, [x])
        return self.build(ops.SUB, [self.build(ops.FLOOR, [self._relu(z)]) for z in sides])

    def _test(self, op: Op, args: Sequence[int]) -> int:
        apart = self.build(ops.SUB, args[::-1])
        found = self.build(ops.STEP, [apart], at_zero=Fraction(op is not ops.LESS))
        if op is ops.EQUAL:
            return self.build(ops.SUB, [found, self.build(ops.STEP, [apart], at_zero=_ZERO)])
        self.tests[found] = args[0], args[1]
        return found

    def _chosen(self, test: int, x: int, y: int) -> int | None:
        """One of two where a test u < v holds, and else the other, if x - y is m (v - u) + k.

        That is y + m max(v - u, 0), and k where the test holds; m is 0, 1 or -1.
        """
        if test not in self.tests:
            return None
        build, (u, v) = self.build, self.tests[test]
        chosen, beyond = (
            tuple(None if isinstance(self.builder.node(i), Constant) else i for i in pair)
            for pair in ((x, y), (v, u))
        )
        slope = 0 if chosen == (None, None) else 1 if chosen == beyond else -1
        if slope and chosen not in (beyond, beyond[::-1]):
            return None
        rest = self.builder.constant(_ZERO)
        # v - u, or u - v, is what x - y has of variables
        ends = (x, y) if not slope else (x, y, v, u) if slope < 0 else (x, y, u, v)
        for place, end in enumerate(ends):
            if isinstance(self.builder.node(end), Constant):
                rest = build(ops.SUB if place % 2 else ops.ADD, [rest, end])
        found = build(ops.ADD, [y, build(ops.MUL, [test, rest])])
        if not slope:
            return found
        bent = self._relu(build(ops.SUB, [v, u]))
        return build(ops.ADD if slope > 0 else ops.SUB, [found, bent])

    def _larger(self, x: int, y: int, *, larger: bool) -> int:
        build = self.build
        beyond = self._relu(build(ops.SUB, [x, y] if larger else [y, x]))
        return build(ops.ADD if larger else ops.SUB, [y, beyond])

    def _largest(self, node: Apply, x: int, *, larger: bool) -> int:
        """Pairs along the folded axes, then pairs of these."""
        build, shape = self.build, self.builder.shape(x)
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

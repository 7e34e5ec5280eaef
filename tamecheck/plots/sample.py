"""Values, gradients and activation patterns at many points of a plane, in floats and in chunks.

How finely a plane is sampled depends on the size of the model and on nothing that changes from
run to run, so equal models give equal figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamecheck.derivative.gradient import gradient, node_values, outside_rows
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.evaluate.float_terms import condition_floats, term_floats
from tamecheck.evaluate.walk import folded_first
from tamecheck.exact.arrays import pad_rank
from tamecheck.ir.graph import Apply, Graph, Input
from tamecheck.ir.op import Contraction, Fold, Pointwise
from tamecheck.ir.tensor import Array, size_of
from tamecheck.ops.facets import chooses_indices, compared, extremum, steps
from tamecheck.plots.frontier import Frontier, frontier_of
from tamecheck.solvers.libraries import one_thread

_BUDGET = 1.1e9
"""Elementary operations that a sampled grid may take."""

_LARGE = 1e6
_FEW = 2e4
"""Operations up to which a model is evaluated everywhere at once."""

_CHUNK = 2**23
"""Elements of all tensors together that are held at once."""

_MIX = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Sample:
    """The model at many points, one a row: the output elements, NaN where there is no value.

    ``patterns`` are 64-bit digests of all decisions (signs, winners, roundings), ``jumps`` those of
    the decisions of ops that jump, ``domains`` those of the signs that the ops' domains are made
    of; 0 for a model without any.  All points outside of the domain have one pattern.
    """

    values: Array
    patterns: Array
    jumps: Array
    domains: Array

    @property
    def outside(self) -> Array:
        """Which points have no value."""
        return np.asarray(np.isnan(self.values).any(axis=1))


def cost(graph: Graph) -> float:
    """About how many elementary operations one evaluation takes."""
    total = 0.0
    for node in graph.nodes:
        if isinstance(node, Apply):
            width = 8.0
            if isinstance(node.op.meaning, Contraction):
                width = 0.5 * graph.nodes[node.args[0]].shape[-1]
            total += width * size_of(node.shape)
    return max(total, 1.0)


def affordable(graph: Graph, *, least: int, most: int) -> int:
    """The points per axis of a square grid that the budget allows, within limits."""
    work = cost(graph)
    # the tensors of a large model do not stay in the cache
    budget = _BUDGET if work < _LARGE else _BUDGET / 2.5
    return int(min(most, max(least, (budget / work) ** 0.5)))


def stepwise(graph: Graph) -> bool:
    """Whether every way from an input to an output passes an op that is constant on pieces."""
    moving: list[bool] = []
    for node in graph.nodes:
        if isinstance(node, Apply):
            moves = any(moving[arg] for arg in node.args)
            moving.append(moves and not steps(node.op, node.params))
        else:
            moving.append(isinstance(node, Input))
    return not any(moving[node] for _, node in graph.outputs)


def _chunks(graph: Graph, points: Array, factor: int = 1) -> Iterator[Array]:
    width = sum(size_of(node.shape) for node in graph.nodes if isinstance(node, Apply)) * factor
    step = max(1, _CHUNK // max(width, 1))
    for start in range(0, len(points), step):
        yield points[start : start + step]


def _supported(function: Callable[[], Any]) -> Any:
    try:
        with one_thread():
            return function()
    except UnsupportedError as error:
        raise UnsupportedError(
            "The model has an op that is not evaluated in batches, as figures need it.",
            nodes=error.nodes,
        ) from None


def sample(graph: Graph, points: Array) -> Sample:
    """Values and activation patterns at points, one a row."""
    # of no points the shapes are those of one
    some = points if len(points) else np.zeros((1, points.shape[1]))
    found = [_supported(lambda c=chunk: _sample(graph, c)) for chunk in _chunks(graph, some)]
    return Sample(*(np.concatenate(parts)[: len(points)] for parts in zip(*found, strict=True)))


def values(graph: Graph, points: Array) -> Array:
    """The output elements at points, one row each; NaN where there is no value."""
    return sample(graph, points).values


def blank_notes(values: Array) -> tuple[str, ...]:
    """What a reader should know of the points without a value, which are left blank."""
    share = float(np.isnan(values).any(axis=-1).mean()) if values.size else 0.0
    if share == 0:
        return ()
    return (f"the model has no value on {share:.0%} of the figure, which is left blank",)


@dataclass(frozen=True, slots=True, eq=False)
class Sampler:
    """A model that is sampled again and again on one plane.

    ``frontier`` are its first steps, if they decide its value; ``known`` is what was seen so far
    for each of their patterns.
    """

    graph: Graph
    frontier: Frontier | None
    known: dict[int, tuple[Array, Any, Any, Any]]

    def __call__(self, points: Array) -> Sample:
        """Values and activation patterns at points, one a row."""
        if self.frontier is None:
            return sample(self.graph, points)
        keys = self._keys(self.frontier, points)
        distinct, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        pairs = zip(first, distinct.tolist(), strict=True)
        new = [row for row, key in pairs if key not in self.known]
        for rows in np.array_split(np.array(new, dtype=np.int64), max(1, len(new) // 16)):
            if len(rows):
                found = _supported(
                    lambda r=rows, f=self.frontier: _sample(self.graph, points[r], f.before)
                )
                self.known.update(zip(keys[rows].tolist(), zip(*found, strict=True), strict=True))
        seen = [self.known[key] for key in distinct.tolist()]
        values, *kinds = zip(*seen, strict=True)
        back = np.asarray(inverse).reshape(-1)
        digests = (np.array(part, dtype=np.uint64)[back] for part in kinds)
        return Sample(np.array(values)[back], *digests)

    def _keys(self, frontier: Frontier, points: Array) -> Array:
        """The pattern of the first steps at each point, as a digest."""
        keys = np.zeros(len(points), dtype=np.uint64)
        step = max(1, _CHUNK // max(frontier.size, 1))
        for start in range(0, len(points), step):
            part = slice(start, start + step)
            for node, decided in frontier.decisions(points[part]):
                # packed by what is there: if need be the same pattern is evaluated twice
                low, high = (int(end(initial=0)) for end in (decided.min, decided.max))
                keys[part] += _digest(decided, node, bits=low >= 0 and high <= 1)
        return keys

    def affordable(self, grid: Callable[[int], Array], *, least: int, most: int) -> int:
        """The points per axis of a square grid that the budget allows, within limits."""
        if self.frontier is None:
            return affordable(self.graph, least=least, most=most)
        side = int(min(most, max(least, (_BUDGET / (16 * self.frontier.size + 64)) ** 0.5)))
        patterns = max(24, int(2 * _BUDGET / cost(self.graph)))
        while side > least and len(np.unique(self._keys(self.frontier, grid(side)))) > patterns:
            side = max(least, side * 2 // 3)
        return side

    @property
    def repeated(self) -> bool:
        """Whether more points cost little."""
        return self.frontier is not None


def sampler_of(graph: Graph, low: Array, high: Array) -> Sampler:
    """What samples a model on the plane between two corners."""
    frontier = None
    if cost(graph) > _FEW and stepwise(graph) and (low < high).all():
        frontier = _supported(lambda: frontier_of(graph, low, high))
    return Sampler(graph, frontier, {})


def _sample(
    graph: Graph, points: Array, left_out: frozenset[int] = frozenset()
) -> tuple[Array, Array, Array, Array]:
    simple, nodes = node_values(graph, points)
    count = len(points)
    outputs = [
        np.broadcast_to(nodes[node], (count, 1, *simple.nodes[node].shape)).reshape(count, -1)
        for _, node in simple.outputs
    ]
    value = np.concatenate(outputs, axis=1).astype(np.float64)
    value = np.where(np.isfinite(value), value, np.nan)
    outside = outside_rows(simple, nodes, count)
    value[outside] = np.nan
    patterns, jumps, domains = np.zeros((3, count), dtype=np.uint64)
    with np.errstate(all="ignore"):
        for index, node in enumerate(simple.nodes):
            if not isinstance(node, Apply) or simple.input_free[index] or index in left_out:
                continue
            for signs in _domain_signs(node, nodes):
                domains += _digest(np.broadcast_to(signs, (count, signs.shape[1])), index)
            decided = _decisions(simple, index, node, nodes)
            if decided is not None:
                wide = np.broadcast_to(decided, (count, decided.shape[1]))
                digest = _digest(wide, index, bits=_is_two_way(node))
                patterns += digest
                if not node.op.regularity.continuous:
                    jumps += digest
    patterns += domains
    patterns[outside] = 0
    return value, patterns, jumps, domains


def _domain_signs(node: Apply, nodes: dict[int, Array]) -> Iterator[Array]:
    """The signs of what the domain of an op compares with 0, one row a point."""
    if isinstance(node.op.meaning, Pointwise):
        args = [pad_rank(nodes[arg], len(node.shape)) for arg in node.args]
        for term in compared(node.op.meaning.domain(node.params)):
            value = term_floats(term, args)
            if value.ndim:
                signs = np.nan_to_num(np.sign(value)).astype(np.int64)
                yield signs.reshape((len(signs), -1))


def _decisions(graph: Graph, index: int, node: Apply, nodes: dict[int, Array]) -> Array | None:
    """The decision of every element, one row a point; None for an op that decides nothing."""
    op, args = node.op, [nodes[arg] for arg in node.args]
    pieces = op.meaning.pieces(node.params) if isinstance(op.meaning, Pointwise) else ()
    if chooses_indices(op) or (len(pieces) == 1 and not op.regularity.continuous):
        # the decision is the value: a position, or the integer of a rounding
        value = nodes[index]
        return np.nan_to_num(value).reshape((len(value), -1)).astype(np.int64)
    if len(pieces) > 1 and (op.regularity.lipschitz or not op.regularity.continuous):
        wide = [pad_rank(arg, len(node.shape)) for arg in args]
        masks = [condition_floats(piece.condition, wide) for piece in pieces[:-1]]
        found = np.full(np.broadcast_shapes(*(mask.shape for mask in masks)), len(masks))
        for number in range(len(masks) - 1, -1, -1):
            found = np.where(masks[number], number, found)
        return found.reshape((len(found), -1))
    if isinstance(op.meaning, Fold) and extremum(op):
        shape = graph.nodes[node.args[0]].shape
        groups = folded_first(np.arange(size_of(shape)).reshape(shape), node.params)
        lanes = args[0].reshape((len(args[0]), -1))[:, groups.reshape(len(groups), -1).T]
        winner = np.argmax if extremum(op) > 0 else np.argmin
        return winner(lanes, axis=2)
    # the indices of a gather were decided by an earlier op
    return None


def _is_two_way(node: Apply) -> bool:
    """Whether the decisions of an op are bits."""
    meaning = node.op.meaning
    return isinstance(meaning, Pointwise) and len(meaning.pieces(node.params)) == 2


def _digest(decided: Array, node: int, *, bits: bool = False) -> Array:
    """A 64-bit number for each row, by fixed odd weights; bits are packed first."""
    count, width = decided.shape
    if width and bits:
        packed = np.packbits(decided.astype(bool), axis=1)
        wide = np.zeros((count, -(-width // 64) * 8), dtype=np.uint8)
        wide[:, : packed.shape[1]] = packed
        words = wide.view("<u8").astype(np.uint64)
    else:
        words = decided.astype(np.uint64)
    keys = np.arange(words.shape[1], dtype=np.uint64)
    with np.errstate(over="ignore"):
        weights = _mixed(keys + np.uint64(node) * np.uint64(_MIX))
        return _mixed(words + weights[None]).sum(axis=1, dtype=np.uint64)


def _mixed(numbers: Array) -> Array:
    """Bits spread over a 64-bit number (the finaliser of splitmix64)."""
    z = numbers * np.uint64(_MIX) + np.uint64(0x632BE59BD9B4E019)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def gradients(graph: Graph, points: Array) -> Array:
    """The gradient of the one output element at points, one row each; NaN where there is none."""
    count = sum(size_of(graph.nodes[node].shape) for _, node in graph.outputs)
    if count != 1:
        raise InputError(f"A gradient field belongs to one output element, not to {count}.")
    if stepwise(graph):
        return np.zeros(points.shape)
    rows: list[Array] = [
        _supported(lambda c=chunk: gradient(graph, c, partial=True))
        for chunk in _chunks(graph, points, factor=3)
    ]
    return np.concatenate(rows) if rows else np.zeros((0, points.shape[1]))

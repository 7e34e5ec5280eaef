"""The layers of a graph: which ops bend, in what order, and along how many hypersurfaces.

A *bend* is an op that is affine (or constant) on either side of finitely many level sets of its
arguments: a rectifier, a sign, a maximum.  Its level is one more than the largest level among its
arguments; inputs have level 0, and all other ops the largest level of their arguments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tamecheck.ir.box import Box
from tamecheck.ir.graph import Apply, Constant, Graph
from tamecheck.ir.op import Fold, Pointwise, Selection
from tamecheck.ir.tensor import Shape, size_of
from tamecheck.ops.facets import (
    RECTIFIER,
    chooses_indices,
    comparisons,
    degree,
    extremum,
    line_of,
    sign_values,
    term_degree,
)
from tamecheck.ops.shapes import axes_of, axis_of


@dataclass(frozen=True, slots=True)
class Layers:
    """The bends of a graph."""

    widths: tuple[int, ...]
    """For each level from 1, the number of hypersurfaces along which its ops bend."""
    degrees: tuple[int, ...]
    """For each level from 1, a bound on the degree of the polynomials that define them, on each
    piece of the levels below."""
    output_degree: int
    """The same for the outputs."""
    rectifiers_only: bool
    """Whether all bends are ReLUs and every level reads nothing but the level below it."""


def free_inputs(graph: Graph, box: Box) -> int:
    """The number of input elements that the box does not fix."""
    return sum(
        low is None or low != high
        for name, shape in graph.inputs.items()
        for low, high in box.side(name).elements(size_of(shape))
    )


def layers_of(graph: Graph) -> Layers | None:
    """The layers; None if some op is neither a polynomial nor a bend."""
    level: dict[int, int] = {}
    degree_of: dict[int, int] = {}
    reads: dict[int, frozenset[int]] = {}
    widths: dict[int, int] = {}
    degrees: dict[int, int] = {}
    rectifiers = True
    roots = [node for _, node in graph.outputs]
    for index in graph.ancestors(roots):
        node = graph.nodes[index]
        if graph.input_free[index]:
            level[index], degree_of[index], reads[index] = 0, 0, frozenset()
            continue
        if not isinstance(node, Apply):
            level[index], degree_of[index], reads[index] = 0, 1, frozenset({0})
            continue
        below = max(level[arg] for arg in node.args)
        given = [degree_of[arg] for arg in node.args]
        smooth = degree(node.op, node.params, given)
        if smooth is None:
            return None
        read = frozenset[int]().union(*(reads[arg] for arg in node.args))
        level[index], degree_of[index], reads[index] = below, smooth, read
        bends = _bends(node, [graph.nodes[arg].shape for arg in node.args], given)
        if bends:
            here = below + 1
            level[index], reads[index] = here, frozenset({here})
            widths[here] = widths.get(here, 0) + bends
            degrees[here] = max(degrees.get(here, 0), *given)
            rectifier = line_of(node.op, node.params) == RECTIFIER
            rectifiers = rectifiers and rectifier and read == frozenset({below})
    top = max(widths, default=0)
    chained = all(reads[root] <= frozenset({top}) for root in roots)
    levels = range(1, top + 1)
    return Layers(
        tuple(widths[k] for k in levels),
        tuple(degrees[k] for k in levels),
        max(degree_of[root] for root in roots),
        rectifiers and chained and top > 0,
    )


def weight_layers(graph: Graph) -> tuple[Layers, int] | None:
    """The layers as functions of the weights at a fixed point of the inputs; and how many weights.

    On each piece of the levels below, what decides a level is a polynomial in the weights. These
    are the constants, but for indices, and what is computed from constants by other functions than
    polynomials.
    """
    level: dict[int, int] = {}
    degree_of: dict[int, int] = {}
    widths: dict[int, int] = {}
    degrees: dict[int, int] = {}
    weights = 0
    roots = [node for _, node in graph.outputs]
    reached = tuple(graph.ancestors(roots))
    indices = _indices(graph, reached)
    for index in reached:
        node = graph.nodes[index]
        if not isinstance(node, Apply):
            varies = isinstance(node, Constant) and index not in indices
            level[index], degree_of[index] = 0, int(varies)
            weights += varies * size_of(node.shape)
            continue
        given = [degree_of[arg] for arg in node.args]
        smooth = degree(node.op, node.params, given)
        if smooth is None and graph.input_free[index]:
            level[index], degree_of[index] = 0, 1
            weights += size_of(node.shape)
            continue
        if smooth is None:
            return None
        level[index], degree_of[index] = max(level[arg] for arg in node.args), smooth
        bends = _bends(node, [graph.nodes[arg].shape for arg in node.args], given)
        if bends:
            here = level[index] = level[index] + 1
            widths[here] = widths.get(here, 0) + bends
            degrees[here] = max(degrees.get(here, 0), *given)
    levels = range(1, max(widths, default=0) + 1)
    layers = Layers(
        tuple(widths[k] for k in levels),
        tuple(degrees[k] for k in levels),
        max(degree_of[root] for root in roots),
        rectifiers_only=False,
    )
    return layers, weights


def _indices(graph: Graph, reached: Sequence[int]) -> frozenset[int]:
    """The constants that are only read as the indices of elements."""
    uses = [
        (arg, place == 1 and isinstance(node.op.meaning, Selection))
        for node in map(graph.nodes.__getitem__, reached)
        if isinstance(node, Apply)
        for place, arg in enumerate(node.args)
    ]
    others = {arg for arg, is_index in uses if not is_index}
    return frozenset(arg for arg, _ in uses if arg not in others)


def affine_nodes(graph: Graph) -> frozenset[int]:
    """The nodes that are affine functions of the inputs, by affine ops alone."""
    degree_of: dict[int, int] = {}
    for index, node in enumerate(graph.nodes):
        if graph.input_free[index]:
            degree_of[index] = 0
        elif not isinstance(node, Apply):
            degree_of[index] = 1
        elif all(arg in degree_of for arg in node.args):
            given = [degree_of[arg] for arg in node.args]
            smooth = degree(node.op, node.params, given)
            bends = _bends(node, [graph.nodes[arg].shape for arg in node.args], given)
            if smooth is not None and smooth <= 1 and not bends:
                degree_of[index] = smooth
    return frozenset(degree_of)


def _bends(node: Apply, shapes: Sequence[Shape], degrees: Sequence[int]) -> int:
    """Along how many level sets the op bends, where its arguments have these degrees."""
    if not any(degrees):
        # arguments that are constant on a piece choose one side on all of it
        return 0
    match node.op.meaning:
        case Pointwise():
            # a compared term that is constant on a piece chooses one side on all of it
            deciding = (term_degree(term, degrees) for term in comparisons(node.op, node.params))
            return size_of(node.shape) * sum(found != 0 for found in deciding)
        case Fold() if extremum(node.op):
            width = math.prod(shapes[0][axis] for axis in axes_of(shapes[0], node.params))
            return size_of(node.shape) * math.comb(width, 2)
        case Selection() if chooses_indices(node.op):
            width = shapes[0][axis_of(shapes[0], node.params)]
            return size_of(shapes[0]) // width * math.comb(width, 2)
        case _:
            return 0


@dataclass(frozen=True, slots=True)
class Threshold:
    """An op with finitely many values an element, found by comparisons with zero."""

    values: int
    """The number of values that one element takes."""
    comparisons: int | None
    """How many conditions ``g > 0`` or ``g ≥ 0``, with ``g`` linear in the arguments, decide it;
    None where it is no such function."""


def threshold_of(graph: Graph, index: int) -> Threshold | None:
    """What an op of few values takes an element, or None for any other op."""
    node = graph.nodes[index]
    if not isinstance(node, Apply):
        return None
    if chooses_indices(node.op):
        shape = graph.nodes[node.args[0]].shape
        return Threshold(shape[axis_of(shape, node.params)], None)
    values = sign_values(node.op, node.params)
    if values is None:
        return None
    below, at_zero, above = values
    one = below != above and at_zero in (below, above)
    return Threshold(len(set(values)), 1 if one else 2)

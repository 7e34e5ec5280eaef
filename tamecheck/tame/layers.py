"""The layers of a graph: which ops bend, in what order, and along how many hypersurfaces.

A *bend* is an op that is affine (or constant) on either side of finitely many level sets of its
arguments: a rectifier, a sign, a maximum.  Its level is one more than the largest level among its
arguments; inputs have level 0, and all other ops the largest level of their arguments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tamecheck import ops
from tamecheck.ir.box import Box
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction, Params, Routing
from tamecheck.ir.tensor import Shape, size_of
from tamecheck.ops.shapes import axes_of, axis_of

__all__ = [
    "Layers",
    "Threshold",
    "affine_nodes",
    "free_inputs",
    "layers_of",
    "threshold_of",
]

_RECTIFIERS = (ops.RELU, ops.LEAKY_RELU, ops.ABS, ops.CLIP, ops.MAXIMUM, ops.MINIMUM)
_FOLDS = (ops.REDUCE_MAX, ops.REDUCE_MIN)
_JUMPS = (ops.SIGN, ops.STEP, ops.EQUAL, ops.LESS, ops.LESS_EQUAL)
_CHOICES = (ops.ARGMAX, ops.ARGMIN, ops.ARGSORT)
_ADDITIVE = (ops.ADD, ops.SUB, ops.NEG, ops.SUM)


@dataclass(frozen=True, slots=True)
class Layers:
    """The bends of a graph.

    Parameters
    ----------
    widths
        For each level from 1, the number of hypersurfaces along which its ops bend.
    degrees
        For each level from 1, a bound on the degree of the polynomials that define them, on each
        piece of the levels below.
    output_degree
        The same for the outputs.
    rectifiers_only
        Whether all bends are ReLUs and every level reads nothing but the level below it.
    """

    widths: tuple[int, ...]
    degrees: tuple[int, ...]
    output_degree: int
    rectifiers_only: bool


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
    degree: dict[int, int] = {}
    reads: dict[int, frozenset[int]] = {}
    widths: dict[int, int] = {}
    degrees: dict[int, int] = {}
    rectifiers = True
    roots = [node for _, node in graph.outputs]
    for index in graph.ancestors(roots):
        node = graph.nodes[index]
        if graph.input_free[index]:
            level[index], degree[index], reads[index] = 0, 0, frozenset()
            continue
        if not isinstance(node, Apply):
            level[index], degree[index], reads[index] = 0, 1, frozenset({0})
            continue
        below = max(level[arg] for arg in node.args)
        given = [degree[arg] for arg in node.args]
        smooth = _degree(node, given)
        if smooth is None:
            return None
        read = frozenset[int]().union(*(reads[arg] for arg in node.args))
        level[index], degree[index], reads[index] = below, smooth, read
        bends = _bends(node, [graph.nodes[arg].shape for arg in node.args], given)
        if bends:
            here = below + 1
            level[index], reads[index] = here, frozenset({here})
            widths[here] = widths.get(here, 0) + bends
            degrees[here] = max(degrees.get(here, 0), *given)
            rectifiers = rectifiers and node.op is ops.RELU and read == frozenset({below})
    top = max(widths, default=0)
    chained = all(reads[root] <= frozenset({top}) for root in roots)
    levels = range(1, top + 1)
    return Layers(
        tuple(widths[k] for k in levels),
        tuple(degrees[k] for k in levels),
        max(degree[root] for root in roots),
        rectifiers and chained and top > 0,
    )


def affine_nodes(graph: Graph) -> frozenset[int]:
    """The nodes that are affine functions of the inputs, by affine ops alone."""
    degree: dict[int, int] = {}
    for index, node in enumerate(graph.nodes):
        if graph.input_free[index]:
            degree[index] = 0
        elif not isinstance(node, Apply):
            degree[index] = 1
        elif all(arg in degree for arg in node.args):
            given = [degree[arg] for arg in node.args]
            smooth = _degree(node, given)
            bends = _bends(node, [graph.nodes[arg].shape for arg in node.args], given)
            if smooth is not None and smooth <= 1 and not bends:
                degree[index] = smooth
    return frozenset(degree)


def _bends(node: Apply, shapes: Sequence[Shape], degrees: Sequence[int]) -> int:
    """Along how many level sets the op bends, where its arguments have these degrees."""
    size, op = size_of(node.shape), node.op
    deciding = degrees[:1] if op in (ops.SELECT, ops.PRELU) else degrees
    if max(deciding) == 0:
        # arguments that are constant on a piece choose one side on all of it
        return 0
    if op is ops.CLIP:
        return size * sum(node.params[name] is not None for name in ("lo", "hi"))
    if op in (*_RECTIFIERS, *_JUMPS, ops.SELECT, ops.PRELU):
        return size
    if op in _FOLDS:
        return size * math.comb(_folded(shapes[0], node.params), 2)
    if op in _CHOICES:
        width = shapes[0][axis_of(shapes[0], node.params)]
        return size_of(shapes[0]) // width * math.comb(width, 2)
    return 0


def _folded(shape: Shape, params: Params) -> int:
    return size_of(tuple(shape[axis] for axis in axes_of(shape, params)))


def _degree(node: Apply, degrees: Sequence[int]) -> int | None:
    """A bound on the degree on each piece, from those of the arguments; None if no polynomial."""
    op = node.op
    if op in (*_JUMPS, *_CHOICES):
        return 0
    if op in (*_ADDITIVE, *_RECTIFIERS, *_FOLDS) or isinstance(op.meaning, Routing):
        return max(degrees)
    if op is ops.SELECT:
        return max(degrees[1:])
    if op in (ops.MUL, ops.PRELU) or isinstance(op.meaning, Contraction):
        return sum(degrees)
    if op in (ops.DIV, ops.GATHER, ops.GATHER_ELEMENTS):
        return degrees[0] if degrees[1] == 0 else None
    return _power_degree(node, degrees[0]) if op is ops.POW else None


def _power_degree(node: Apply, degree: int) -> int | None:
    exponent = node.params["exponent"]
    if not isinstance(exponent, Fraction) or exponent.denominator != 1 or exponent < 0:
        return None
    return degree * int(exponent)


@dataclass(frozen=True, slots=True)
class Threshold:
    """An op with finitely many values an element, found by comparisons with zero.

    Parameters
    ----------
    values
        The number of values that one element takes.
    comparisons
        How many conditions ``g > 0`` or ``g ≥ 0``, with ``g`` linear in the arguments, decide it;
        None where it is no such function.
    """

    values: int
    comparisons: int | None


def threshold_of(graph: Graph, index: int) -> Threshold | None:
    """What an op of few values takes an element, or None for any other op."""
    node = graph.nodes[index]
    if not isinstance(node, Apply):
        return None
    match node.op.name:
        case "sign" | "step":
            low = -1 if node.op is ops.SIGN else 0
            at_zero = node.params["at_zero"]
            return Threshold(2, 1) if at_zero in (low, 1) else Threshold(3, 2)
        case "less" | "less_equal":
            return Threshold(2, 1)
        case "equal":
            return Threshold(2, 2)
        case "argmax" | "argmin":
            shape = graph.nodes[node.args[0]].shape
            return Threshold(shape[axis_of(shape, node.params)], None)
        case _:
            return None

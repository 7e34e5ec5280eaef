"""Local derivatives of ops that decide nothing, and the ties of those that choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from flint import arb, fmpq

from tamecheck.derivative.kinks import sign_of
from tamecheck.derivative.sweep import Local, Moved, Multiplied, Scaled, Summed, zeros
from tamecheck.errors import UnsupportedError
from tamecheck.evaluate.folding import axis_last, folded_first
from tamecheck.evaluate.selection import pick
from tamecheck.evaluate.walk import Site as Place
from tamecheck.exact.arrays import objects
from tamecheck.exact.reals import Number, UndecidedError
from tamecheck.ir.graph import Apply, Graph
from tamecheck.ir.op import Contraction, Fold, Routing, Selection
from tamecheck.ir.tensor import Array, Shape, size_of
from tamecheck.ops.shapes import axes_of

__all__ = [
    "Tie",
    "Values",
    "compared_groups",
    "linear_local",
    "routed",
    "scaled",
    "tied_groups",
]

Values: TypeAlias = Mapping[int, Array]
"""The exact value of each node so far."""


def scaled(slopes: Sequence[Sequence[Number]], shape: Shape, moving: Sequence[bool]) -> Scaled:
    """The derivative of a pointwise op from that of every element."""
    partials: list[Array | None] = []
    for arg, moves in enumerate(moving):
        if not moves:
            partials.append(None)
            continue
        column = zeros((len(slopes),))
        column[:] = [slope[arg] for slope in slopes]
        partials.append(column.reshape(shape))
    return Scaled(tuple(partials))


def linear_local(
    graph: Graph, node: Apply, args: Sequence[Array], needed: Array | None = None
) -> Local:
    """The derivative of an op that is smooth everywhere.

    Raises
    ------
    UnsupportedError
        For a sort of tied elements, of which one that matters.
    """
    shapes = [graph.nodes[arg].shape for arg in node.args]
    match node.op.meaning:
        case Routing():
            return Moved(routed(node, shapes))
        case Contraction():
            moving = [not graph.input_free[arg] for arg in node.args]
            return Multiplied(args[0] if moving[1] else None, args[1] if moving[0] else None)
        case Fold("add"):
            return Summed(axes_of(shapes[0], node.params))
        case Selection() if node.op.name in ("gather", "gather_elements"):
            numbers = np.arange(size_of(shapes[0])).reshape(shapes[0])
            whole = np.array([int(_whole(v)) for v in objects(args[1]).reshape(-1).tolist()])
            place = Place(node.op, node.params, node.shape, node.label or node.op.name)
            return Moved(
                np.asarray(pick(place, numbers, whole.reshape(shapes[1]).astype(np.int64)))
            )
        case Selection():
            _check_distinct(node, args[0], needed)
            return Scaled((None,))
        case _:
            raise UnsupportedError(
                "There is no derivative for this op.", nodes=[(node.label, node.op.name)]
            )


def _whole(value: Number) -> fmpq:
    if isinstance(value, arb):
        raise UndecidedError
    return value


def _check_distinct(node: Apply, data: Array, needed: Array | None) -> None:
    wanted = np.ones(data.shape, dtype=bool) if needed is None else needed
    lanes = axis_last(objects(data), node.params)
    for lane in lanes[axis_last(wanted, node.params).any(axis=1)].tolist():
        for i, left in enumerate(lane):
            if any(sign_of(left - right) == 0 for right in lane[i + 1 :]):
                raise UnsupportedError(
                    "Sorted elements are tied at this point.",
                    nodes=[(node.label or node.op.name, "tied")],
                    hint="Move the point.",
                )


def routed(node: Apply, shapes: Sequence[Shape]) -> Array:
    """Where each element of a routing op comes from, in the arguments' elements in one row."""
    meaning = node.op.meaning
    start, numbers = 0, list[Array]()
    for shape in shapes:
        numbers.append(np.arange(start, start + size_of(shape)).reshape(shape))
        start += size_of(shape)
    params = dict(node.params)
    if isinstance(params.get("value"), Fraction):
        params["value"] = Fraction(start)
    if not isinstance(meaning, Routing):
        raise UnsupportedError("This op moves no elements.", nodes=[(node.label, node.op.name)])
    return np.asarray(meaning.route(numbers, params)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Tie:
    """A group of flat positions to choose from, and those that are tied for the best."""

    group: tuple[int, ...]
    tied: tuple[int, ...]

    def place(self, element: int) -> int:
        """The number of an element in its group."""
        return self.group.index(element)


def compared_groups(node: Apply, shape: Shape) -> Array:
    """The flat positions that a fold or choice compares, one row for each output element."""
    numbers = np.arange(size_of(shape)).reshape(shape)
    if isinstance(node.op.meaning, Fold):
        first = folded_first(numbers, node.params)
        return first.reshape(len(first), -1).T
    return axis_last(numbers, node.params)


def tied_groups(node: Apply, data: Array) -> list[Tie]:
    """The groups of a fold or choice, in the order of the output elements."""
    sign = 1 if node.op.name in ("reduce_max", "argmax") else -1
    last = bool(node.params.get("last", False))
    flat = objects(data).reshape(-1).tolist()
    ties: list[Tie] = []
    for row in compared_groups(node, data.shape).tolist():
        best: list[int] = []
        for element in row:
            order = sign * sign_of(flat[element] - flat[best[0]]) if best else 1
            if order > 0:
                best = [element]
            elif order == 0:
                best.append(element)
        ties.append(Tie(tuple(row), tuple(best[::-1] if last else best)))
    return ties

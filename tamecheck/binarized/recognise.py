"""A graph of ops read as a binarized network, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import lcm
from typing import Any

import numpy as np

from tamecheck.binarized.affine import (
    LIMIT,
    Affine,
    Fixed,
    UnfitError,
    arithmetic,
    folded_sum,
    matmul,
    objects,
    rational_only,
    routed,
)
from tamecheck.binarized.network import BinarizedNetwork, ThresholdLayer
from tamecheck.binarized.surd import Number, Surd, ceiling, root, sign
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Routing
from tamecheck.ir.tensor import Array, size_of

__all__ = ["recognise"]

_MONOTONE_HEADS = ("softmax", "log_softmax")


def recognise(graph: Graph, levels: Sequence[tuple[Any, Any]]) -> BinarizedNetwork:
    """The graph as layers of integer threshold neurons, when it is one on two-level inputs.

    Parameters
    ----------
    graph
        One output; linear maps by constants, sums, products with constants, paddings,
        square roots of constants, reshaping, sign and step; a softmax at the end changes no
        decision and is left out.
    levels
        ``(low, high)`` of every input element; both equal for a constant one.

    Returns
    -------
    BinarizedNetwork
        Equal to the model on every combination of levels: batch normalisation is folded into
        thresholds exactly, its square roots included, and a sign that can be 0 becomes two
        neurons.

    Raises
    ------
    UnsupportedError
        Naming the nodes that do not fit.
    InputError
        If the levels do not fit the input.
    """
    reader = _Reader(graph, [(Fraction(low), Fraction(high)) for low, high in levels])
    return reader.network()


class _Reader:
    def __init__(self, graph: Graph, levels: list[tuple[Fraction, Fraction]]) -> None:
        self.graph, self.levels = graph, levels
        self.layers: list[ThresholdLayer] = []
        if len(graph.outputs) != 1:
            raise UnsupportedError("A binarized network has one output.")
        size = sum(map(size_of, graph.inputs.values()))
        if size != len(levels):
            raise InputError(f"Levels for {len(levels)} inputs; the model has {size}.")
        if any(low > high for low, high in levels):
            raise InputError("A low level is above its high level.")

        starts = accumulate(map(size_of, graph.inputs.values()), initial=0)
        self.starts = dict(zip(graph.inputs, starts, strict=False))
        self.states = np.eye(size, dtype=np.int64)

    def network(self) -> BinarizedNetwork:
        values: dict[int, Fixed | Affine] = {}
        last = self.graph.outputs[0][1]
        for index in self.graph.ancestors([last]):
            values[index] = self._value(index, values)
        head = values[last]
        if isinstance(head, Fixed):
            raise UnsupportedError("The output does not depend on the input.")
        scores, offsets = self._readout(head, last)
        low, high = zip(*self.levels, strict=True)
        return BinarizedNetwork(low, high, tuple(self.layers), scores, offsets)

    def _refuse(self, index: int, why: str) -> UnsupportedError:
        return UnsupportedError(
            "This is no binarized network:", nodes=[(self.graph.name_of(index), why)]
        )

    def _value(self, index: int, values: dict[int, Fixed | Affine]) -> Fixed | Affine:
        node = self.graph.nodes[index]
        match node:
            case Input(name=name, shape=shape):
                return self._entry(self.starts[name], shape)
            case Constant(tensor=tensor):
                return Fixed(objects(tensor.fractions(), tensor.shape))
            case Apply(args=args):
                try:
                    found = self._apply(index, node, [values[arg] for arg in args])
                except (ValueError, ZeroDivisionError) as error:
                    raise self._refuse(index, str(error)) from None
                if found is None:
                    raise self._refuse(index, f"op {node.op.name} is not one of its parts here")
                return found

    def _entry(self, start: int, shape: tuple[int, ...]) -> Affine:
        levels = self.levels[start : start + size_of(shape)]
        scale = objects([(high - low) / 2 for low, high in levels], shape)
        offset = objects([(high + low) / 2 for low, high in levels], shape)
        row = np.arange(start, start + len(levels)).reshape(shape)
        return Affine(0, self.states, row, scale, offset)

    def _apply(self, index: int, node: Apply, args: list[Fixed | Affine]) -> Fixed | Affine | None:
        name = node.op.name
        if name == "sqrt" and isinstance(args[0], Fixed):
            flat = [root(rational_only(value)) for value in args[0].values.reshape(-1)]
            return Fixed(objects(flat, node.shape))
        if name in ("sign", "step") and isinstance(args[0], Fixed):
            jumps = (Fraction(-1 if name == "sign" else 0), _zero(node), Fraction(1))
            flat = [jumps[sign(value) + 1] for value in args[0].values.reshape(-1)]
            return Fixed(objects(flat, node.shape))
        if isinstance(node.op.meaning, Routing):
            return routed(node.op.meaning, node, args)
        if name == "sum":
            return folded_sum(args[0], _axes(node), node.shape)
        if name == "matmul":
            return matmul(args[0], args[1], node.shape)
        if name in ("sign", "step") and isinstance(args[0], Affine):
            low = Fraction(-1 if name == "sign" else 0)
            return self._signs(args[0], (low, _zero(node), Fraction(1)))
        if name in _MONOTONE_HEADS and index == self.graph.outputs[0][1]:
            return args[0]
        return arithmetic(name, args, node.shape)

    def _signs(self, value: Affine, jumps: tuple[Fraction, Fraction, Fraction]) -> Affine:
        rows = value.weights[value.row.reshape(-1)]
        scales, offsets = value.scale.reshape(-1), value.offset.reshape(-1)
        if bool(((rows != 0).sum(axis=1) <= 1).all()):
            return _relevelled(value, rows, jumps)
        weights: list[Array] = []
        thresholds: list[int] = []
        parts: list[list[tuple[int, Fraction]]] = []
        low, middle, high = jumps
        for row, scale, offset in zip(rows, scales, offsets, strict=True):
            parts.append([])
            for step, strict in ((middle - low, False), (high - middle, True)):
                if step:
                    neuron = _neuron(row, scale, offset, strict=strict)
                    parts[-1].append((len(weights), step))
                    weights.append(neuron[0])
                    thresholds.append(neuron[1])
            if len(parts[-1]) == 2 and not _reaches_zero(row, scale, offset):
                del weights[-1], thresholds[-1]
                parts[-1] = [(parts[-1][0][0], high - low)]
        limits = np.array(thresholds, dtype=np.int64)
        self.layers.append(ThresholdLayer(np.array(weights, dtype=np.int64), limits))
        combined = np.zeros((len(parts), len(weights)), dtype=np.int64)
        unit = Fraction(1, 2 * lcm(*(step.denominator for part in parts for _, step in part)))
        for number, part in enumerate(parts):
            for neuron, step in part:
                combined[number, neuron] = int(step / 2 / unit)
        shape = value.row.shape
        numbers = np.arange(len(parts)).reshape(shape)
        centre = objects([(low + high) / 2] * len(parts), shape)
        scale = objects([unit] * len(parts), shape)
        return Affine(len(self.layers), combined, numbers, scale, centre)

    def _readout(self, head: Affine, index: int) -> tuple[Array, Array]:
        rows = head.weights[head.row.reshape(-1)]
        if len(rows) == 1:
            weights, least = _neuron(rows[0], head.scale.flat[0], head.offset.flat[0], strict=True)
            offsets = np.array([0, 1 - least], dtype=np.int64)
            return np.stack([np.zeros_like(weights), weights]), offsets
        try:
            scales, offsets = _comparable(head)
        except ValueError as error:
            raise self._refuse(index, str(error)) from None
        unit = lcm(*(value.denominator for value in (*scales, *offsets)))
        factors = [int(scale * unit) for scale in scales]
        reach = np.abs(rows).sum(axis=1).tolist()
        ends = [abs(o * unit) for o in offsets]
        if max(abs(f) * r + e for f, r, e in zip(factors, reach, ends, strict=True)) >= LIMIT:
            raise self._refuse(index, "its scores need integers of more than 52 bits")
        scaled = rows * np.array(factors, dtype=np.int64)[:, None]
        return scaled, np.array([int(o * unit) for o in offsets], dtype=np.int64)


def _axes(node: Apply) -> tuple[int, ...]:
    axes = node.params["axes"]
    return tuple(axes) if isinstance(axes, tuple) else ()


def _zero(node: Apply) -> Fraction:
    value = node.params["at_zero"]
    if not isinstance(value, Fraction):
        raise UnfitError("at_zero is not a number")
    return value


def _comparable(head: Affine) -> tuple[list[Fraction], list[Fraction]]:
    """Scales and offsets of scores in the same order as the head's, free of square roots.

    A common positive factor and a common summand decide nothing.
    """
    scales, offsets = head.scale.reshape(-1).tolist(), head.offset.reshape(-1).tolist()
    if not any(isinstance(value, Surd) for value in (*scales, *offsets)):
        return scales, offsets
    unit = scales[0] * Fraction(sign(scales[0]))
    moved = [rational_only((offset - offsets[0]) / unit) for offset in offsets]
    return [rational_only(scale / unit) for scale in scales], moved


def _neuron(row: Array, scale: Number, offset: Number, *, strict: bool) -> tuple[Array, int]:
    """Integer weights and the threshold of ``scale * (row @ s) + offset >= 0`` (``> 0``)."""
    direction = sign(scale)
    if not direction:
        held = sign(offset) > 0 or (sign(offset) == 0 and not strict)
        return np.zeros_like(row), 0 if held else 1
    bound = ((-offset) / scale) * Fraction(direction)
    least = ceiling(bound)
    if strict and sign(Fraction(least) - bound) == 0:
        least += 1
    reach = int(np.abs(row).sum())
    return row * direction, min(max(least, -reach), reach + 1)


def _reaches_zero(row: Array, scale: Number, offset: Number) -> bool:
    """Whether ``scale * (row @ s) + offset`` may be 0 for states; parity and range decide."""
    if not sign(scale):
        return sign(offset) == 0
    at = (-offset) / scale
    if isinstance(at, Surd) or at.denominator != 1:
        return False
    reach, place = int(np.abs(row).sum()), int(at)
    return abs(place) <= reach and (reach - place) % 2 == 0


def _relevelled(value: Affine, rows: Array, jumps: tuple[Fraction, Fraction, Fraction]) -> Affine:
    """The sign of elements that depend on one state each: affine in that state again."""
    scales: list[Number] = []
    offsets: list[Number] = []
    pairs = zip(rows, value.scale.reshape(-1), value.offset.reshape(-1), strict=True)
    for row, scale, offset in pairs:
        weight = Fraction(int(row.sum()))
        up = jumps[sign(scale * weight + offset) + 1]
        down = jumps[sign(-(scale * weight) + offset) + 1]
        # the row's weight stays, so it is divided out
        scales.append((up - down) / 2 / (weight or 1))
        offsets.append((up + down) / 2)
    shape = value.row.shape
    return Affine(
        value.level, value.weights, value.row, objects(scales, shape), objects(offsets, shape)
    )

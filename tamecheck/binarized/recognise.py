"""A graph of ops read as a binarized network, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from tamecheck.binarized.network import BinarizedNetwork, ThresholdLayer
from tamecheck.binarized.surd import Number, Surd, ceiling, root, sign
from tamecheck.errors import InputError, UnsupportedError
from tamecheck.ir.graph import Apply, Constant, Graph, Input
from tamecheck.ir.op import Routing
from tamecheck.ir.tensor import Array

__all__ = ["recognise"]

_MONOTONE_HEADS = ("softmax", "log_softmax")
_LIMIT = 2**52


class _UnfitError(ValueError):
    """A number that has no place in a binarized network."""


@dataclass(frozen=True, slots=True, eq=False)
class _Fixed:
    """Constants: an object array of numbers."""

    values: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Affine:
    """Elements ``scale * (weights[row] @ states) + offset``; ``row`` has the tensor's shape.

    ``weights`` are integers over the states of layer ``level`` (0 for the inputs).
    """

    level: int
    weights: Array
    row: Array
    scale: Array
    offset: Array


def recognise(graph: Graph, levels: Sequence[tuple[Any, Any]]) -> BinarizedNetwork:
    """The graph as layers of integer threshold neurons, when it is one on two-level inputs.

    Parameters
    ----------
    graph
        One input tensor, one output; linear maps by constants, sums and products with constants,
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
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise UnsupportedError("A binarized network has one input and one output.")
        size = int(np.prod(next(iter(graph.inputs.values())), dtype=np.int64))
        if size != len(levels):
            raise InputError(f"Levels for {len(levels)} inputs; the model has {size}.")
        if any(low > high for low, high in levels):
            raise InputError("A low level is above its high level.")

    def network(self) -> BinarizedNetwork:
        values: dict[int, _Fixed | _Affine] = {}
        last = self.graph.outputs[0][1]
        for index in self.graph.ancestors([last]):
            values[index] = self._value(index, values)
        head = values[last]
        if isinstance(head, _Fixed):
            raise UnsupportedError("The output does not depend on the input.")
        scores, offsets = self._readout(head, last)
        low, high = zip(*self.levels, strict=True)
        return BinarizedNetwork(low, high, tuple(self.layers), scores, offsets)

    def _refuse(self, index: int, why: str) -> UnsupportedError:
        return UnsupportedError(
            "This is no binarized network:", nodes=[(self.graph.name_of(index), why)]
        )

    def _value(self, index: int, values: dict[int, _Fixed | _Affine]) -> _Fixed | _Affine:
        node = self.graph.nodes[index]
        match node:
            case Input(shape=shape):
                return self._entry(shape)
            case Constant(tensor=tensor):
                return _Fixed(_objects(tensor.fractions(), tensor.shape))
            case Apply(args=args):
                try:
                    found = self._apply(index, node, [values[arg] for arg in args])
                except (ValueError, ZeroDivisionError) as error:
                    raise self._refuse(index, str(error)) from None
                if found is None:
                    raise self._refuse(index, f"op {node.op.name} is not one of its parts here")
                return found

    def _entry(self, shape: tuple[int, ...]) -> _Affine:
        size = len(self.levels)
        scale = _objects([(high - low) / 2 for low, high in self.levels], shape)
        offset = _objects([(high + low) / 2 for low, high in self.levels], shape)
        row = np.arange(size).reshape(shape)
        return _Affine(0, np.eye(size, dtype=np.int64), row, scale, offset)

    def _apply(
        self, index: int, node: Apply, args: list[_Fixed | _Affine]
    ) -> _Fixed | _Affine | None:
        name = node.op.name
        if name == "sqrt" and isinstance(args[0], _Fixed):
            flat = [root(_rational(value)) for value in args[0].values.reshape(-1)]
            return _Fixed(_objects(flat, node.shape))
        if name in ("sign", "step") and isinstance(args[0], _Fixed):
            jumps = (Fraction(-1 if name == "sign" else 0), _zero(node), Fraction(1))
            flat = [jumps[sign(value) + 1] for value in args[0].values.reshape(-1)]
            return _Fixed(_objects(flat, node.shape))
        if isinstance(node.op.meaning, Routing) and len(args) == 1:
            return _routed(node.op.meaning, node, args[0])
        if name == "matmul":
            return _matmul(args[0], args[1], node.shape)
        if name in ("sign", "step") and isinstance(args[0], _Affine):
            low = Fraction(-1 if name == "sign" else 0)
            return self._signs(args[0], (low, _zero(node), Fraction(1)))
        if name in _MONOTONE_HEADS and index == self.graph.outputs[0][1]:
            return args[0]
        return _arithmetic(name, args, node.shape)

    def _signs(self, value: _Affine, jumps: tuple[Fraction, Fraction, Fraction]) -> _Affine:
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
        centre = _objects([(low + high) / 2] * len(parts), shape)
        scale = _objects([unit] * len(parts), shape)
        return _Affine(len(self.layers), combined, numbers, scale, centre)

    def _readout(self, head: _Affine, index: int) -> tuple[Array, Array]:
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
        if max(abs(f) * r + e for f, r, e in zip(factors, reach, ends, strict=True)) >= _LIMIT:
            raise self._refuse(index, "its scores need integers of more than 52 bits")
        scaled = rows * np.array(factors, dtype=np.int64)[:, None]
        return scaled, np.array([int(o * unit) for o in offsets], dtype=np.int64)


def _zero(node: Apply) -> Fraction:
    value = node.params["at_zero"]
    if not isinstance(value, Fraction):
        raise _UnfitError("at_zero is not a number")
    return value


def _objects(values: Sequence[Number], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)


def _rational(value: Number) -> Fraction:
    if isinstance(value, Surd):
        raise _UnfitError("an irrational factor stands where a rational one is needed")
    return value


def _comparable(head: _Affine) -> tuple[list[Fraction], list[Fraction]]:
    """Scales and offsets of scores in the same order as the head's, free of square roots.

    A common positive factor and a common summand decide nothing.
    """
    scales, offsets = head.scale.reshape(-1).tolist(), head.offset.reshape(-1).tolist()
    if not any(isinstance(value, Surd) for value in (*scales, *offsets)):
        return scales, offsets
    unit = scales[0] * Fraction(sign(scales[0]))
    moved = [_rational((offset - offsets[0]) / unit) for offset in offsets]
    return [_rational(scale / unit) for scale in scales], moved


def _routed(meaning: Routing, node: Apply, arg: _Fixed | _Affine) -> _Fixed | _Affine | None:
    size = arg.values.size if isinstance(arg, _Fixed) else arg.row.size
    shape = arg.values.shape if isinstance(arg, _Fixed) else arg.row.shape
    # element 0 is left free, to see constants that the op inserts
    taken = meaning.route([np.arange(1, size + 1).reshape(shape)], node.params)
    if node.op.name == "pad" or bool((taken < 1).any()):
        return None
    taken = taken - 1
    if isinstance(arg, _Fixed):
        return _Fixed(arg.values.reshape(-1)[taken])
    parts = [part.reshape(-1)[taken] for part in (arg.row, arg.scale, arg.offset)]
    return _Affine(arg.level, arg.weights, *parts)


def _arithmetic(
    name: str, args: list[_Fixed | _Affine], shape: tuple[int, ...]
) -> _Fixed | _Affine | None:
    if name == "neg":
        return _arithmetic("mul", [args[0], _Fixed(_objects([Fraction(-1)], (1,)))], shape)
    if name not in ("add", "sub", "mul", "div"):
        return None
    left, right = args
    if isinstance(left, _Fixed) and isinstance(right, _Fixed):
        a, b = left.values, right.values
        found = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide}
        return _Fixed(np.asarray(found[name](a, b), dtype=object).reshape(shape))
    if isinstance(left, _Affine) and isinstance(right, _Affine):
        return None
    if isinstance(right, _Fixed):
        return _with_constant(name, left, right, shape)
    if name == "div":
        return None
    if name == "sub":
        minus = _arithmetic("neg", [right], right.row.shape)
        return None if minus is None else _arithmetic("add", [minus, left], shape)
    return _arithmetic(name, [right, left], shape)


def _with_constant(
    name: str, left: _Fixed | _Affine, right: _Fixed, shape: tuple[int, ...]
) -> _Affine | None:
    if isinstance(left, _Fixed):
        return None
    row, scale, offset, c = (
        np.broadcast_to(part, shape) for part in (left.row, left.scale, left.offset, right.values)
    )
    if name in ("add", "sub"):
        moved = offset + c if name == "add" else offset - c
        return _Affine(left.level, left.weights, row, scale, moved)
    if name == "mul":
        return _Affine(left.level, left.weights, row, scale * c, offset * c)
    return _Affine(left.level, left.weights, row, scale / c, offset / c)


def _matmul(
    left: _Fixed | _Affine, right: _Fixed | _Affine, shape: tuple[int, ...]
) -> _Affine | None:
    if isinstance(left, _Affine) and isinstance(right, _Fixed) and right.values.ndim == 2:
        if left.row.size != right.values.shape[0]:
            return None
        return _linear(left, right.values.T, shape)
    if isinstance(left, _Fixed) and isinstance(right, _Affine) and left.values.ndim == 2:
        if right.row.size != left.values.shape[1]:
            return None
        return _linear(right, left.values, shape)
    return None


def _linear(value: _Affine, matrix: Array, shape: tuple[int, ...]) -> _Affine:
    """``matrix @ value`` with every row scaled to integers."""
    scales = [_rational(v) for v in value.scale.reshape(-1)]
    offsets = [_rational(v) for v in value.offset.reshape(-1)]
    rows = value.weights[value.row.reshape(-1)]
    single = [np.flatnonzero(row) for row in rows]
    weights = np.zeros((len(matrix), rows.shape[1]), dtype=np.int64)
    units: list[Fraction] = []
    moved: list[Fraction] = []
    for number, line in enumerate(matrix):
        factors = [_rational(a) * s for a, s in zip(line, scales, strict=True)]
        unit = Fraction(1, lcm(*(f.denominator for f in factors)))
        total = [0] * rows.shape[1]
        for factor, row, places in zip(factors, rows, single, strict=True):
            if factor:
                whole = int(factor / unit)
                for place in places.tolist():
                    total[place] += whole * int(row[place])
        if sum(map(abs, total)) >= _LIMIT:
            raise ValueError("its weights need integers of more than 52 bits")
        common = int(np.gcd.reduce(total)) or 1
        weights[number] = [t // common for t in total]
        units.append(unit * common)
        moved.append(sum((a * o for a, o in zip(line, offsets, strict=True)), Fraction(0)))
    numbers = np.arange(len(matrix)).reshape(shape)
    return _Affine(value.level, weights, numbers, _objects(units, shape), _objects(moved, shape))


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


def _relevelled(value: _Affine, rows: Array, jumps: tuple[Fraction, Fraction, Fraction]) -> _Affine:
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
    return _Affine(
        value.level, value.weights, value.row, _objects(scales, shape), _objects(offsets, shape)
    )

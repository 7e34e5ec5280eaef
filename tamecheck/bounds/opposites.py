"""Rectifiers of opposite arguments, put together: ``max(u, 0) - max(-u, 0)`` is u.

Networks that compute maxima and minima by rectifiers, as ``(a + b + |a - b|) / 2``, consist of such
pairs.  Bounds of a pair are better than those of its parts, whose errors do not cancel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tamecheck.bounds.layers import Combine, Dense, Layers, Linear, Nonlinear, Pointwise
from tamecheck.bounds.scalar import scalar_of
from tamecheck.ir.tensor import Array
from tamecheck.ops import ABS


def join_opposites(layers: Layers) -> Layers:
    """The same function, with rectifiers of opposite arguments as absolute values and sums.

    ``v max(u, 0) + w max(-u, 0)`` is ``(v - w)/2 u + (v + w)/2 |u|``.  The constants have to be
    exact, and so are the new ones.
    """
    if not layers.sharp:
        return layers
    users = [0] * (layers.output + 1)
    for layer in layers.computed:
        for arg in layer.args:
            users[arg] += 1
    build = _Build([], {0: 0})
    for index, layer in enumerate(layers.computed, start=1):
        pairs = _pairs_before(layers, layer) if users[layer.args[0]] == 1 else None
        build.number[index] = build.copy(layer) if pairs is None else build.parts(pairs)
    if len(build.made) == layers.output:
        return layers
    return build.needed(layers)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """A layer ``W x + b``, rectified, and linear again: in three parts."""

    source: int
    rectified: Pointwise
    weight: Array
    offset: Array
    out: Array
    alone: Array
    """The numbers of the elements without an opposite one."""
    first: Array
    """Of each pair the number of one element."""
    linear: Array
    bent: Array
    """The coefficients of u and of its absolute value, a row for each pair."""


def _pairs_before(layers: Layers, after: Linear | Nonlinear) -> _Pairs | None:
    if not isinstance(after, Dense) or not after.args[0] or not _is_one_row(after):
        return None
    rectified = layers[after.args[0]]
    if not isinstance(rectified, Pointwise) or not rectified.scalar.kinked:
        return None
    number, offset = rectified.args[0], np.zeros(rectified.size)
    before = layers[number] if number else None
    if isinstance(before, Combine) and before.factors == (1.0,):
        offset = offset if before.offset is None else before.offset
        number = before.args[0]
        before = layers[number] if number else None
    if not isinstance(before, Dense) or not _is_one_row(before):
        return None
    columns = np.concatenate([before.weight, offset[np.newaxis]]).T
    out = after.weight
    waiting: dict[bytes, int] = {}
    pairs: list[tuple[int, int]] = []
    for k, at, values in _entries(columns):
        other = waiting.pop(at + (-values).tobytes(), None)
        if other is not None and _is_exact(out[other], out[k]):
            pairs.append((other, k))
        else:
            waiting[at + values.tobytes()] = k
    if not pairs:
        return None
    first, second = np.array(pairs).T
    alone = np.setdiff1d(np.arange(len(columns)), np.array(pairs))
    linear, bent = (out[first] - out[second]) / 2, (out[first] + out[second]) / 2
    return _Pairs(before.args[0], rectified, before.weight, offset, out, alone, first, linear, bent)


def _entries(rows: Array) -> Iterator[tuple[int, bytes, Array]]:
    """Of each row where it is not 0, and what it has there."""
    number, at = rows.nonzero()
    ends = np.searchsorted(number, np.arange(len(rows) + 1)).tolist()
    for k, (start, end) in enumerate(pairwise(ends)):
        part = at[start:end]
        yield k, part.tobytes(), rows[k, part]


def _is_one_row(layer: Dense) -> bool:
    """Whether it is the product of one row with a matrix."""
    weight = layer.weight
    return not layer.left and weight.ndim == 2 and layer.size == weight.shape[1]


def _is_exact(v: Array, w: Array) -> bool:
    """Whether sum, difference and their halves are exact: a float is what rounding loses."""
    for other in (w, -w):
        total = v + other
        part = total - v
        if ((v - (total - part)) + (other - part)).any():
            return False
    size = np.abs(np.concatenate([v, w]))
    return bool((size[size > 0] > _TINY).all())


_TINY = 2.0**-900


@dataclass(slots=True, eq=False)
class _Build:
    made: list[Linear | Nonlinear]
    number: dict[int, int]
    """The new number of every old layer."""

    def add(self, layer: Linear | Nonlinear) -> int:
        self.made.append(layer)
        return len(self.made)

    def copy(self, layer: Linear | Nonlinear) -> int:
        return self.add(replace(layer, args=tuple(self.number[arg] for arg in layer.args)))

    def parts(self, pairs: _Pairs) -> int:
        """The three parts, as far as they have elements, and their sum."""
        ends: list[int] = []
        size = scalar_of(ABS, {})
        for chosen, out, scalar in (
            (pairs.alone, pairs.out[pairs.alone], pairs.rectified.scalar),
            (pairs.first, pairs.bent, size),
            (pairs.first, pairs.linear, None),
        ):
            used = np.flatnonzero(out.any(axis=1))
            if not used.size:
                continue
            last = self._dense(self.number[pairs.source], pairs.weight[:, chosen[used]])
            shift = pairs.offset[chosen[used]]
            if shift.any():
                last = self.add(Combine.of((last,), (1.0,), shift, len(used)))
            if scalar is not None:
                last = self.add(Pointwise((last,), len(used), scalar))
            ends.append(self._dense(last, out[used]))
        if not ends:
            # nothing is left of it
            ends = [
                self._dense(
                    self.number[pairs.source], np.zeros((len(pairs.weight), pairs.out.shape[1]))
                )
            ]
        return self.add(Combine.of(ends, (1.0,) * len(ends), None, pairs.out.shape[1]))

    def _dense(self, arg: int, weight: Array) -> int:
        rows, columns = weight.shape
        return self.add(Dense.of(arg, weight, (1, rows), (1, columns), left=False))

    def needed(self, old: Layers) -> Layers:
        """The layers on which the output depends."""
        last = self.number[old.output]
        used = {last}
        for index in range(last, 0, -1):
            if index in used:
                used.update(self.made[index - 1].args)
        kept = sorted(used | {0})
        place = {index: k for k, index in enumerate(kept)}
        layers = [
            replace(
                self.made[index - 1], args=tuple(place[arg] for arg in self.made[index - 1].args)
            )
            for index in kept[1:]
        ]
        return replace(old, computed=tuple(layers), whole=frozenset())

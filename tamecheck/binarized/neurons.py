"""Jumps of affine values as threshold neurons, and integer scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from math import ceil, floor, lcm

import numpy as np

from tamecheck.binarized.affine import LIMIT, Affine, UnfitError, rational_only, zeros
from tamecheck.binarized.network import ThresholdLayer
from tamecheck.exact.arrays import from_list
from tamecheck.exact.quadratic import (
    PRECISION,
    Number,
    QuadraticNumber,
    ceiling,
    rational_near,
    sign,
)
from tamecheck.ir.tensor import Array

MOST = 36
"""The most varying states of a sum all of whose values are looked at, by halves."""

_CELLS = 2**22


def sum_comes_near(row: Array, low: Fraction, high: Fraction) -> bool | None:
    """Whether ``low <= row @ s <= high`` for some states ``s``; None if there are too many.

    ``row`` are integers with a sum of absolute values below 2**53.  All sums of the first and of
    the second half of the states are listed; 2**(n/2) log for n weights that are not 0.
    """
    first, last = ceil(low), floor(high)
    reach = int(np.abs(row).sum())
    first, last = max(first, -reach), min(last, reach)
    if first > last:
        return False
    weights = row[row != 0]
    if len(weights) > MOST:
        return None
    middle = len(weights) // 2
    left, right = _sums(weights[:middle]), np.sort(_sums(weights[middle:]))
    start = np.searchsorted(right, first - left, side="left")
    stop = np.searchsorted(right, last - left, side="right")
    return bool((stop > start).any())


def grid_comes_near(
    factors: tuple[int, int], reaches: tuple[int, int], low: Fraction, high: Fraction
) -> bool | None:
    """Whether ``low <= a u - b v <= high`` for sums u, v of a reach each; None if there are many.

    The sums are all integers up to the reach with its parity, which is more than there may be.
    """
    a, b = factors
    if (reaches[0] + 1) * (reaches[1] + 1) > _CELLS:
        return None
    one, two = (np.arange(-reach, reach + 1, 2, dtype=np.int64) for reach in reaches)
    found = a * one[:, None] - b * two
    return bool(((found >= ceil(low)) & (found <= floor(high))).any())


def _sums(weights: Array) -> Array:
    """``weights @ s`` for all states."""
    sums = np.zeros(1, dtype=np.int64)
    for weight in weights.tolist():
        sums = np.concatenate([sums - weight, sums + weight])
    return sums


class Layers:
    """The layers so far; states of level 0 are the inputs', those of level k are of layer k.

    Neurons may be added to any layer, so that branches which begin at one level are side by side,
    and a neuron may repeat a state of the level before, so that branches of different depth meet.
    """

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._rows: list[list[Array]] = []
        self._thresholds: list[list[int]] = []
        self._repeated: dict[tuple[int, int], int] = {}

    def width(self, level: int) -> int:
        """The number of states of a level."""
        return len(self._thresholds[level - 1]) if level else self._inputs

    def add(self, level: int, rows: Sequence[Array], thresholds: Sequence[int]) -> int:
        """Put neurons over the states of a level into the next one; the place of the first."""
        if level == len(self._rows):
            self._rows.append([])
            self._thresholds.append([])
        start = len(self._rows[level])
        self._rows[level] += rows
        self._thresholds[level] += thresholds
        return start

    def lift(self, value: Affine, level: int) -> Affine:
        """The same elements over all states of a level that is not below their own."""
        while value.level < level:
            rows = value.weights[np.unique(value.row)]
            used: list[int] = np.flatnonzero(rows.any(axis=0)).tolist()
            places = [self._repeat(value.level, place) for place in used]
            weights = np.zeros((len(value.weights), self.width(value.level + 1)), dtype=np.int64)
            weights[:, places] = value.weights[:, used]
            value = replace(value, level=value.level + 1, weights=weights)
        width = self.width(level)
        if value.weights.shape[1] == width:
            return value
        return replace(value, weights=_widen(value.weights, width))

    def build(self, level: int) -> tuple[ThresholdLayer, ...]:
        """The layers up to a level."""
        return tuple(
            ThresholdLayer(
                np.stack([_widen(row, self.width(k)) for row in self._rows[k]]),
                np.array(self._thresholds[k], dtype=np.int64),
            )
            for k in range(level)
        )

    def _repeat(self, level: int, place: int) -> int:
        """The neuron that has the state at a place of a level."""
        if (level, place) not in self._repeated:
            row = np.zeros(self.width(level), dtype=np.int64)
            row[place] = 1
            self._repeated[level, place] = self.add(level, [row], [0])
        return self._repeated[level, place]


def _widen(weights: Array, width: int) -> Array:
    """The weights, and 0 for neurons that were added since."""
    missing = width - weights.shape[-1]
    return np.pad(weights, [(0, 0)] * (weights.ndim - 1) + [(0, missing)])


Jumps = tuple[Fraction, Fraction, Fraction]
"""What a function is at negative numbers, at 0, and at positive ones."""


def jump(value: Affine, jumps: Jumps, layers: Layers) -> Affine:
    """A function of the signs of elements, by neurons that are put into the layers.

    Raises `UnfitError` if an element that is in doubt comes too near to 0.
    """
    rows = value.weights[value.row.reshape(-1)]
    elements = list(zip(rows, value.scale.flat, value.offset.flat, value.doubt.flat, strict=True))
    for row, scale, offset, doubt in elements:
        if doubt:
            check_far(row, scale, offset, doubt)
    if _depend_on_one(rows):
        # what is in doubt is far from 0
        ends = [(jumps[sign(a) + 1], jumps[sign(b) + 1]) for a, b in _both_values(value, rows)]
        return _between(value, rows, ends)
    weights: list[Array] = []
    thresholds: list[int] = []
    parts: list[list[tuple[int, Fraction]]] = []
    low, middle, high = jumps
    for row, scale, offset, doubt in elements:
        steps = [(s, strict) for s, strict in ((middle - low, False), (high - middle, True)) if s]
        if len(steps) == 2 and (doubt or not _reaches_zero(row, scale, offset)):
            steps = [(high - low, False)]
        parts.append([])
        for step, strict in steps:
            neuron = threshold_neuron(row, scale, offset, strict=strict)
            parts[-1].append((len(weights), step))
            weights.append(neuron[0])
            thresholds.append(neuron[1])
    start = layers.add(value.level, weights, thresholds)
    combined = np.zeros((len(parts), layers.width(value.level + 1)), dtype=np.int64)
    unit = Fraction(1, 2 * lcm(*(step.denominator for part in parts for _, step in part)))
    for number, part in enumerate(parts):
        for neuron, step in part:
            combined[number, start + neuron] = int(step / 2 / unit)
    return _of_neurons(value.level + 1, combined, unit, (low + high) / 2, value.row.shape)


def _of_neurons(
    level: int, weights: Array, scale: Fraction, offset: Fraction, shape: tuple[int, ...]
) -> Affine:
    """An element for each row of weights, all with one scale and offset."""
    count = len(weights)
    ends = (from_list(shape, [number] * count) for number in (scale, offset, Fraction(0)))
    return Affine(level, weights, np.arange(count).reshape(shape), *ends)


def check_far(row: Array, scale: Number, offset: Number, doubt: Fraction) -> None:
    """Make sure that the element is never as small as its doubt."""
    factor = rational_near(scale)
    slack = doubt + PRECISION * (int(np.abs(row).sum()) + 1)
    middle = -rational_near(offset) / factor
    width = slack / abs(factor)
    near = sum_comes_near(row, middle - width, middle + width)
    if near is None:
        raise UnfitError(
            f"its sum of different square roots has more than {MOST} terms; fold the "
            "normalisation after a sign into the next weights"
        )
    if near:
        raise UnfitError("its sum of different square roots comes too near to 0")


def threshold_neuron(
    row: Array, scale: Number, offset: Number, *, strict: bool
) -> tuple[Array, int]:
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
    if isinstance(at, QuadraticNumber) or at.denominator != 1:
        return False
    reach, place = int(np.abs(row).sum()), int(at)
    return abs(place) <= reach and (reach - place) % 2 == 0


def pointwise(value: Affine, function: Callable[[Number], Fraction]) -> Affine | None:
    """A function of elements that depend on one state each: affine in that state again.

    None if an element depends on more states, or is in doubt.
    """
    rows = value.weights[value.row.reshape(-1)]
    if not _depend_on_one(rows) or any(value.doubt.flat):
        return None
    return _between(value, rows, [(function(a), function(b)) for a, b in _both_values(value, rows)])


def _depend_on_one(rows: Array) -> bool:
    """Whether each element depends on one state, or on none."""
    return bool(((rows != 0).sum(axis=1) <= 1).all())


def _both_values(value: Affine, rows: Array) -> list[tuple[Number, Number]]:
    """The values of elements that depend on one state each: where it is -1, and where it is 1."""
    found: list[tuple[Number, Number]] = []
    for row, scale, offset in zip(rows, value.scale.flat, value.offset.flat, strict=True):
        weight = Fraction(int(row.sum()))
        found.append((offset - scale * weight, offset + scale * weight))
    return found


def _between(value: Affine, rows: Array, ends: list[tuple[Fraction, Fraction]]) -> Affine:
    """Elements that depend on one state each, with other values at -1 and 1."""
    # the row's weight stays, so it is divided out
    scales = [
        (up - down) / 2 / (Fraction(int(row.sum())) or 1)
        for row, (down, up) in zip(rows, ends, strict=True)
    ]
    offsets = [(up + down) / 2 for down, up in ends]
    shape = value.row.shape
    scale, offset = from_list(shape, scales), from_list(shape, offsets)
    return Affine(value.level, value.weights, value.row, scale, offset, zeros(shape))


def largest(value: Affine, groups: Array, shape: tuple[int, ...], layers: Layers) -> Affine | None:
    """The largest of each group of elements (rows of flat places), all with the same two levels.

    None if the elements are others, or depend on more than one state each.
    """
    rows = value.weights[value.row.reshape(-1)]
    if not _depend_on_one(rows) or any(value.doubt.flat):
        return None
    values = _both_values(value, rows)
    levels = {level for pair in values for level in pair}
    rational = sorted(level for level in levels if not isinstance(level, QuadraticNumber))
    if len(levels) != 2 or len(rational) != 2:
        return None
    low, high = rational
    weights: list[Array] = []
    thresholds: list[int] = []
    for group in groups.tolist():
        row, reach = np.zeros(rows.shape[1], dtype=np.int64), 0
        places: list[int] = group
        for place in places:
            down, up = values[place]
            # the state with the sign that is high; a constant that is high adds nothing
            row += np.abs(np.sign(rows[place])) * sign(up - down)
            reach += 1 if down != up else 2 if up == high else 0
        weights.append(row)
        thresholds.append(max(1 - reach, -int(np.abs(row).sum())))
    start = layers.add(value.level, weights, thresholds)
    combined = np.zeros((len(groups), layers.width(value.level + 1)), dtype=np.int64)
    combined[np.arange(len(groups)), start + np.arange(len(groups))] = 1
    return _of_neurons(value.level + 1, combined, (high - low) / 2, (low + high) / 2, shape)


_KEPT = 50
"""Bits of scores that have to be rounded."""


def readout(head: Affine) -> tuple[Array, Array]:
    """Integer weights and offsets of the scores; of a single output, of two classes.

    Raises `UnfitError` if the scores need too many bits, or rounded ones come too near to each
    other.
    """
    rows = head.weights[head.row.reshape(-1)]
    if len(rows) == 1:
        scale, offset, doubt = head.scale.flat[0], head.offset.flat[0], head.doubt.flat[0]
        if doubt:
            check_far(rows[0], scale, offset, doubt)
        weights, least = threshold_neuron(rows[0], scale, offset, strict=True)
        offsets = np.array([0, 1 - least], dtype=np.int64)
        return np.stack([np.zeros_like(weights), weights]), offsets
    comparable = _comparable(head)
    if comparable is None:
        return _round_scores(head, rows)
    scales, offsets = comparable
    unit = lcm(*(value.denominator for value in (*scales, *offsets)))
    factors = [int(scale * unit) for scale in scales]
    reach = np.abs(rows).sum(axis=1).tolist()
    ends = [abs(o * unit) for o in offsets]
    if max(abs(f) * r + e for f, r, e in zip(factors, reach, ends, strict=True)) >= LIMIT:
        return _round_scores(head, rows)
    scaled = rows * np.array(factors, dtype=np.int64)[:, None]
    return scaled, np.array([int(o * unit) for o in offsets], dtype=np.int64)


def _comparable(head: Affine) -> tuple[list[Fraction], list[Fraction]] | None:
    """Scales and offsets of scores in the same order as the head's, free of square roots.

    A common positive factor and a common summand decide nothing.  None if there is none that makes
    all of them rational.
    """
    scales, offsets = head.scale.reshape(-1).tolist(), head.offset.reshape(-1).tolist()
    if any(head.doubt.flat):
        return None
    if not any(isinstance(value, QuadraticNumber) for value in (*scales, *offsets)):
        return scales, offsets
    unit = scales[0] * Fraction(sign(scales[0]) or 1)
    try:
        moved = [rational_only((offset - offsets[0]) / unit) for offset in offsets]
        return [rational_only(scale / unit) for scale in scales], moved
    except (ValueError, ZeroDivisionError):
        return None


def _round_scores(head: Affine, rows: Array) -> tuple[Array, Array]:
    """Rounded scores, if all sums of the states show that this leaves their order as it is."""
    scales = [rational_near(scale) for scale in head.scale.flat]
    offsets = [rational_near(offset) for offset in head.offset.flat]
    offsets = [offset - offsets[0] for offset in offsets]
    reach: list[int] = np.abs(rows).sum(axis=1).tolist()
    ends = [abs(s) * r + abs(o) for s, r, o in zip(scales, reach, offsets, strict=True)]
    unit = Fraction(2) ** (int(max(ends)).bit_length() - _KEPT)
    factors = [round(scale / unit) for scale in scales]
    moved = [round(offset / unit) for offset in offsets]
    off = [
        (abs(s - f * unit) * r + abs(o - m * unit) + d + PRECISION * (r + 2)) / unit
        for s, f, r, o, m, d in zip(
            scales, factors, reach, offsets, moved, head.doubt.flat, strict=True
        )
    ]
    for i, j in combinations(range(len(rows)), 2):
        middle, width = moved[j] - moved[i], off[i] + off[j]
        near = grid_comes_near(
            (factors[i], factors[j]), (reach[i], reach[j]), middle - width, middle + width
        )
        if near is not False:
            row = rows[i] * factors[i] - rows[j] * factors[j]
            near = sum_comes_near(row, middle - width, middle + width)
        if near is not False:
            why = "cannot be compared exactly" if near is None else "come too near to each other"
            raise UnfitError(
                f"its scores {i} and {j} need rounding and {why}; fold the normalisation of the "
                "scores into their weights"
            )
    scaled = rows * np.array(factors, dtype=np.int64)[:, None]
    return scaled, np.array(moved, dtype=np.int64)

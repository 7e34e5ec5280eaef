"""Jumps of affine values as threshold neurons, and affine values of their states again."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import lcm

import numpy as np

from tamecheck.binarized.affine import Affine, UnfitError, objects, zeros
from tamecheck.binarized.layering import Layers
from tamecheck.binarized.nearness import MOST, PRECISION, rational_near, sum_comes_near
from tamecheck.exact.quadratic import Number, QuadraticNumber, ceiling, sign
from tamecheck.ir.tensor import Array

__all__ = ["Jumps", "check_far", "jumped", "largest", "pointwise", "threshold_neuron"]

Jumps = tuple[Fraction, Fraction, Fraction]
"""What a function is at negative numbers, at 0, and at positive ones."""


def jumped(value: Affine, jumps: Jumps, layers: Layers) -> Affine:
    """A function of the signs of elements, by neurons that are put into the layers.

    Raises
    ------
    UnfitError
        If an element that is in doubt comes too near to 0.
    """
    rows = value.weights[value.row.reshape(-1)]
    elements = list(zip(rows, value.scale.flat, value.offset.flat, value.doubt.flat, strict=True))
    for row, scale, offset, doubt in elements:
        if doubt:
            check_far(row, scale, offset, doubt)
    if bool(((rows != 0).sum(axis=1) <= 1).all()):
        # what is in doubt is far from 0
        ends = [(jumps[sign(a) + 1], jumps[sign(b) + 1]) for a, b in _both_values(value, rows)]
        return _between(value, rows, ends)
    weights: list[Array] = []
    thresholds: list[int] = []
    parts: list[list[tuple[int, Fraction]]] = []
    low, middle, high = jumps
    for row, scale, offset, doubt in elements:
        parts.append([])
        for step, strict in ((middle - low, False), (high - middle, True)):
            if step:
                neuron = threshold_neuron(row, scale, offset, strict=strict)
                parts[-1].append((len(weights), step))
                weights.append(neuron[0])
                thresholds.append(neuron[1])
        if len(parts[-1]) == 2 and (doubt or not _reaches_zero(row, scale, offset)):
            del weights[-1], thresholds[-1]
            parts[-1] = [(parts[-1][0][0], high - low)]
    start = layers.added(value.level, weights, thresholds)
    combined = np.zeros((len(parts), layers.width(value.level + 1)), dtype=np.int64)
    unit = Fraction(1, 2 * lcm(*(step.denominator for part in parts for _, step in part)))
    for number, part in enumerate(parts):
        for neuron, step in part:
            combined[number, start + neuron] = int(step / 2 / unit)
    shape = value.row.shape
    numbers = np.arange(len(parts)).reshape(shape)
    centre = objects([(low + high) / 2] * len(parts), shape)
    scale = objects([unit] * len(parts), shape)
    return Affine(value.level + 1, combined, numbers, scale, centre, zeros(shape))


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
    if bool(((rows != 0).sum(axis=1) > 1).any()) or any(value.doubt.flat):
        return None
    return _between(value, rows, [(function(a), function(b)) for a, b in _both_values(value, rows)])


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
    scale, offset = objects(scales, shape), objects(offsets, shape)
    return Affine(value.level, value.weights, value.row, scale, offset, zeros(shape))


def largest(value: Affine, groups: Array, shape: tuple[int, ...], layers: Layers) -> Affine | None:
    """The largest of each group of elements, all of which have the same two levels.

    Parameters
    ----------
    value
        Elements that depend on one state each, or on none.
    groups
        Flat places of elements, a row for each result.

    Returns
    -------
    Affine or None
        None if the elements are others.
    """
    rows = value.weights[value.row.reshape(-1)]
    if bool(((rows != 0).sum(axis=1) > 1).any()) or any(value.doubt.flat):
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
    start = layers.added(value.level, weights, thresholds)
    combined = np.zeros((len(groups), layers.width(value.level + 1)), dtype=np.int64)
    combined[np.arange(len(groups)), start + np.arange(len(groups))] = 1
    middle, half = (low + high) / 2, (high - low) / 2
    count = len(groups)
    ends = (objects([number] * count, shape) for number in (half, middle, Fraction(0)))
    return Affine(value.level + 1, combined, np.arange(count).reshape(shape), *ends)

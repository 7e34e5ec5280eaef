"""A folded network as a mixed-integer program."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tamecheck.binarized.folding import Ball
from tamecheck.binarized.network import ThresholdNetwork
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.ir.tensor import Array

__all__ = ["misclassified_program"]


def misclassified_program(
    folded: ThresholdNetwork, ball: Ball, decision: int, targets: Sequence[int]
) -> Program:
    """A program whose points are those of the ball that are decided for a target.

    Every state is a column 0 (-1) or 1.  The sum of a neuron's signed literals l, ``weights`` as
    multiplicities, reaches k exactly where the neuron is +1, hence for its column y

        sum l >= k y,    sum l <= k - 1 + (total - k + 1) y.

    The first ``folded.inputs`` columns are the inputs.
    """
    writer = _Writer()
    free, states = set(ball.free), (ball.centre > 0).tolist()
    before = [writer.column(None if i in free else int(s)) for i, s in enumerate(states)]
    # the flips: 1 - x where the centre is 1, x where it is 0
    signs = np.array([-1 if states[i] else 1 for i in ball.free], dtype=np.int64)
    ones = int((signs < 0).sum())
    writer.row([before[i] for i in ball.free], signs, None, ball.radius - ones)
    for layer in folded.layers:
        pairs = zip(layer.weights, layer.thresholds.tolist(), strict=True)
        before = [writer.neuron(before, weights, threshold) for weights, threshold in pairs]
    guards: list[int] = []
    for target in targets:
        difference = folded.readout[target] - folded.readout[decision]
        offset = int(folded.offsets[target] - folded.offsets[decision])
        guard = writer.column(None)
        writer.implied(guard, before, difference, (0 if target < decision else 1) - offset)
        guards.append(guard)
    writer.row(guards, np.ones(len(guards), dtype=np.int64), 1, None)
    return Program(tuple(writer.columns), tuple(writer.rows))


class _Writer:
    """Columns and rows under construction."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.rows: list[Row] = []

    def column(self, fixed: int | None) -> int:
        """A new column of 0 and 1."""
        low, high = (0, 1) if fixed is None else (fixed, fixed)
        name = f"x{len(self.columns)}"
        self.columns.append(Column(name, Fraction(low), Fraction(high), Kind.INTEGER))
        return len(self.columns) - 1

    def row(self, places: Sequence[int], weights: Array, low: int | None, high: int | None) -> None:
        """Add ``low <= weights @ columns <= high``; the places increase."""
        pairs = zip(places, weights.tolist(), strict=True)
        terms = tuple((place, Fraction(weight)) for place, weight in pairs if weight)
        ends = (None if end is None else Fraction(end) for end in (low, high))
        self.rows.append(Row(f"r{len(self.rows)}", terms, *ends))

    def neuron(self, before: Sequence[int], weights: Array, threshold: int) -> int:
        """A column that is 1 exactly where the states before, weighted, reach the threshold."""
        found = self.column(None)
        self.implied(found, before, weights, threshold)
        count, total, sizes, negative = _counted(weights, threshold)
        # sum l - (total - k + 1) y <= k - 1, with negated literals moved over
        slope = np.append(sizes, -(total - count + 1))
        self.row([*before, found], slope, None, count - 1 - negative)
        return found

    def implied(self, guard: int, before: Sequence[int], weights: Array, least: int) -> None:
        """Where the guard is 1, the states before, weighted, are at least ``least``."""
        count, _, sizes, negative = _counted(weights, least)
        # sum l - k y >= 0, with negated literals moved over
        self.row([*before, guard], np.append(sizes, -count), -negative, None)


def _counted(weights: Array, least: int) -> tuple[int, int, Array, int]:
    """``weights @ s >= least`` over literals: how many are needed, and of how many in all.

    Also the coefficients of the columns, and what the negated literals add to them.
    """
    common = int(np.gcd.reduce(weights)) if len(weights) else 0
    sizes = weights // common if common else weights
    total = int(np.abs(sizes).sum())
    bound = -((-least) // common) if common else min(max(least, 0), 1)
    count = -((-(bound + total)) // 2) if common else bound
    return min(max(count, 0), total + 1), total, sizes, int(-np.minimum(sizes, 0).sum())

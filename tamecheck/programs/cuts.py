"""Cuts in floating point: aggregated rows that a point of the relaxation violates once rounded.

Source: Marchand, Wolsey 2001, Aggregation and mixed integer rounding to solve MIPs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from tamecheck.ir.program import Program
from tamecheck.programs.rounding import Guess, Indices, Rounder, Vector

_AGGREGATED, _TOGETHER = 6, 64
"""Rows that are added at most, and the first ones that are looked at together."""
_TIGHT, _NOISE, _PAIR = 1e-6, 1e-9, 2

_Path: TypeAlias = tuple[dict[int, float], Vector]
"""Multipliers of rows, and the form that they make."""


class Separator(Rounder):
    """Combinations of rows that may lead to cuts."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.of_column: list[list[int]] = [[] for _ in program.columns]
        for i, row in enumerate(program.rows):
            for j, _ in row.terms:
                self.of_column[j].append(i)
        self.pairs = [
            (i, int(j), float(a))
            for i, (columns, values) in enumerate(zip(self.indices, self.values, strict=True))
            if len(columns) == _PAIR and self.low[i] != self.high[i]
            for j, other, a in zip(columns, columns[::-1], values, strict=True)
            if not self.integral[j] and self.integral[other]
        ]
        """Bounds of continuous columns that an integer one moves: row, column, coefficient."""
        self._bounding = {i for i, _, _ in self.pairs}

    def aggregated(self, x: Vector) -> Iterator[Guess]:
        """Cuts from each row, with others added that eliminate continuous variables."""
        at = self.activities(x)
        slack = np.minimum(at - self.low, self.high - at)
        room = np.minimum(x - self.lower, self.upper - x)
        near, reach = self._variable_bounds(slack, room)
        between = np.flatnonzero(self.integral & (room > _TIGHT))
        rows = [i for i, own in enumerate(self.indices) if len(own) and slack[i] < math.inf]
        for k in range(0, len(rows), _TOGETHER):
            paths = [({i: 1.0}, self.form_of({i: 1.0})) for i in rows[k : k + _TOGETHER]]
            for _ in range(_AGGREGATED):
                steps = list[tuple[_Path, Indices, list[_Path]]]()
                for weights, form in paths:
                    inside = np.abs(form) > _NOISE
                    inside = np.flatnonzero(inside & ~self.integral & (room > _TIGHT))
                    bounded = self._substitute(weights, form, inside, near)
                    tries = [(bounded, self.form_of(bounded))]
                    if len(bounded) == len(weights):
                        tries.clear()
                    # nothing can be rounded where no integer is between its bounds
                    if form[between].any():
                        tries.append((weights, form))
                    steps.append(((weights, form), inside, tries))
                far = iter(self.violated([own for _, _, tries in steps for own in tries], x, at))
                paths = list[_Path]()
                for (weights, form), inside, tries in steps:
                    seen = [own for own, _ in tries if next(far) > 0]
                    rounded = (self.round_row(own, x, at) for own in seen)
                    found = next((guess for guess in rounded if guess is not None), None)
                    if found is not None:
                        yield found
                        continue
                    order = inside[np.lexsort((-room[inside], -reach[inside]))]
                    if self._aggregate(weights, form, order, slack):
                        paths.append((weights, self.form_of(weights)))

    def _variable_bounds(self, slack: Vector, room: Vector) -> tuple[Indices, Vector]:
        """For each column the row that bounds it nearest by an integer, or -1, and how near."""
        near, reach = np.full(self.width, -1), room.copy()
        for i, j, a in self.pairs:
            distance = slack[i] / abs(a)
            if distance < reach[j]:
                near[j], reach[j] = i, distance
        return near, reach

    def _substitute(
        self, weights: dict[int, float], form: Vector, inside: Indices, near: Indices
    ) -> dict[int, float]:
        """The combination with variable bounds in place of variables that are near them."""
        chosen = dict(weights)
        for j in inside[near[inside] >= 0]:
            i = int(near[j])
            if i not in chosen:
                chosen[i] = -float(form[j]) / self.coefficient(i, int(j))
        return chosen

    def _aggregate(
        self, weights: dict[int, float], form: Vector, order: Indices, slack: Vector
    ) -> bool:
        """Add a tight row, so that a continuous variable between its bounds is eliminated."""
        for j in map(int, order):
            tight = [i for i in self.of_column[j] if i not in weights and slack[i] < _TIGHT]
            if tight:
                i = min(tight, key=self._order)
                weights[i] = -float(form[j]) / self.coefficient(i, j)
                return True
        return False

    def coefficient(self, i: int, j: int) -> float:
        """That of a column in a row."""
        return float(self.values[i][self.indices[i] == j][0])

    def _order(self, i: int) -> tuple[bool, bool, int]:
        """Equations first, then short rows; bounds by an integer last."""
        size = len(self.indices[i])
        return i in self._bounding, bool(self.low[i] != self.high[i]), size

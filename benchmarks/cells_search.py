"""Depth-first search for the regions of a ReLU network by incremental linear programs (HiGHS).

The peer of `cells` in 3 and more dimensions: one program that gains a row for each decision and
loses it again, floats throughout, no guarantee.
"""

import highspy
import numpy as np

from tamecheck.ir.tensor import Array

Weights = list[tuple[Array, Array]]

_INTERIOR = 1e-9


class _Program:
    """The largest t with ``row · x + offset >= t |row|`` for all rows, and x in [-1, 1]^d."""

    def __init__(self, dimension: int) -> None:
        self._highs = highspy.Highs()
        self._highs.setOptionValue("output_flag", False)  # noqa: FBT003 HiGHS takes no keywords
        self._highs.setOptionValue("presolve", "off")
        for _ in range(dimension):
            self._highs.addVar(-1.0, 1.0)
        self._highs.addVar(-1.0, 1.0)
        self._highs.changeColCost(dimension, -1.0)
        self._columns = np.arange(dimension + 1, dtype=np.int32)
        self._rows = 0

    def push(self, row: Array, offset: float) -> None:
        norm = float(np.linalg.norm(row)) or 1.0
        entries = np.concatenate((row / norm, [-1.0]))
        self._highs.addRow(-offset / norm, highspy.kHighsInf, len(entries), self._columns, entries)
        self._rows += 1

    def pop(self) -> None:
        self._rows -= 1
        self._highs.deleteRows(1, np.array([self._rows], dtype=np.int32))

    def interior(self) -> Array | None:
        self._highs.run()
        x = np.array(self._highs.getSolution().col_value)
        return x[:-1] if x[-1] > _INTERIOR else None


def depth_first(weights: Weights) -> int:
    """The number of regions; each known interior point saves one of a node's two programs."""
    dimension = weights[0][0].shape[0]
    program = _Program(dimension)

    def layer(number: int, matrix: Array, shift: Array, point: Array) -> int:
        if number == len(weights) - 1:
            return 1
        w, b = weights[number]
        forms, offsets = matrix @ w, shift @ w + b

        def unit(signs: list[int], point: Array) -> int:
            if len(signs) == len(offsets):
                active = np.array(signs) > 0
                return layer(number + 1, forms * active, offsets * active, point)
            form, offset = forms[:, len(signs)], float(offsets[len(signs)])
            value = float(form @ point) + offset
            total = 0
            for sign in (1, -1):
                program.push(sign * form, sign * offset)
                # the sign at the last point needs no program unless the point is near the plane
                found = point if sign * value > _INTERIOR else program.interior()
                if found is not None:
                    total += unit([*signs, sign], found)
                program.pop()
            return total

        return unit([], point)

    return layer(0, np.eye(dimension), np.zeros(dimension), np.zeros(dimension))

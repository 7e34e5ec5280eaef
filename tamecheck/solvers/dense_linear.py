"""Dense linear programs in floating point, by HiGHS; the answers are only guesses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tamecheck.solvers.contexts import highs
from tamecheck.solvers.installed import highspy as highspy_module

__all__ = ["deepest", "largest_in"]

_Array = npt.NDArray[Any]


def largest_in(
    costs: _Array, box: tuple[_Array, _Array], rows: _Array, ends: tuple[_Array, _Array]
) -> _Array | None:
    """Where ``costs · x`` is largest in a box with ``ends[0] <= rows x <= ends[1]``.

    None if HiGHS finds no optimum.  ``rows`` has shape (rows, variables).
    """
    solved = _solved(costs, box, rows, ends)
    return None if solved is None else solved[0]


def deepest(
    box: tuple[_Array, _Array], rows: _Array, least: _Array, caps: _Array
) -> tuple[_Array, _Array] | None:
    """A point of a box where every row is furthest above its least value, and multipliers.

    The rows' excesses over ``least`` are compared; those of ``caps`` are at most 1 in any case.
    The multipliers of the rows are not negative; where no point has ``rows x >= least`` their sum
    shows it.  None if HiGHS finds no optimum.
    """
    count, width = rows.shape
    body = np.zeros((count + len(caps), width + 1))
    body[:count, :width], body[:count, width] = rows, -1.0
    body[count:, :width] = caps
    low = np.concatenate([least, np.full(len(caps), -np.inf)])
    high = np.concatenate([np.full(count, np.inf), np.ones(len(caps))])
    free = np.append(box[0], -np.inf), np.append(box[1], np.inf)
    solved = _solved(np.append(np.zeros(width), 1.0), free, body, (low, high))
    if solved is None:
        return None
    return solved[0][:width], np.maximum(solved[1][:count], 0.0)


def _solved(
    costs: _Array, box: tuple[_Array, _Array], rows: _Array, ends: tuple[_Array, _Array]
) -> tuple[_Array, _Array] | None:
    """The optimum and the dual values of the rows, for the smallest negative costs."""
    highspy: Any = highspy_module()
    solver = highs()
    solver.setOptionValue("presolve", "off")
    model: Any = highspy.HighsLp()
    model.num_row_, model.num_col_ = rows.shape
    model.col_cost_ = -costs
    model.col_lower_, model.col_upper_ = box
    model.row_lower_, model.row_upper_ = ends
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    row, column = np.nonzero(rows)
    model.a_matrix_.start_ = np.searchsorted(row, np.arange(len(rows) + 1)).astype(np.int32)
    model.a_matrix_.index_ = column.astype(np.int32)
    model.a_matrix_.value_ = rows[row, column]
    if solver.passModel(model) == highspy.HighsStatus.kError:
        return None
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = solver.getSolution()
    return np.array(solution.col_value, dtype=float), np.array(solution.row_dual, dtype=float)

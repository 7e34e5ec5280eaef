"""Linear programs that are given as arrays, in floating point, by HiGHS; nothing is believed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tamecheck.solvers.libraries import highs
from tamecheck.solvers.libraries import highspy as highspy_module

_Array: TypeAlias = npt.NDArray[Any]
_Ends: TypeAlias = tuple[_Array, _Array]


def linear_program(  # noqa: PLR0913, PLR0917 (all that HiGHS asks for)
    costs: _Array, box: _Ends, ends: _Ends, starts: _Array, columns: _Array, values: _Array
) -> Any:
    """The model of HiGHS: costs, bounds of columns and rows, and the matrix row by row."""
    highspy = highspy_module()
    model: Any = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(costs), len(ends[0])
    model.col_cost_ = costs
    model.col_lower_, model.col_upper_ = box
    model.row_lower_, model.row_upper_ = ends
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = starts.astype(np.int32)
    model.a_matrix_.index_ = columns.astype(np.int32)
    model.a_matrix_.value_ = values
    return model


def largest_in(costs: _Array, box: _Ends, rows: _Array, ends: _Ends) -> _Array | None:
    """Where ``costs · x`` is largest in a box with ``ends[0] <= rows x <= ends[1]``.

    None if HiGHS finds no optimum.  ``rows`` has shape (rows, variables).
    """
    solved = _solve(costs, box, rows, ends)
    return None if solved is None else solved[0]


def deepest(
    box: _Ends, rows: _Array, least: _Array, caps: _Array, compared: _Array | None = None
) -> _Ends | None:
    """A point of a box where every row is furthest above its least value, and multipliers.

    The rows' excesses over ``least`` are compared; those of ``caps`` are at most 1 in any case.
    Where some only are ``compared``, by a mask, the excesses of the others are at least 0.
    The multipliers of the rows are not negative; where no point has ``rows x >= least`` their sum
    shows it, and where none has it strictly in those that are compared.  None if HiGHS finds no
    optimum.
    """
    count, width = rows.shape
    body = np.zeros((count + len(caps), width + 1))
    body[:count, :width], body[:count, width] = rows, -1.0
    if compared is not None:
        body[:count, width] = -np.asarray(compared, float)
    body[count:, :width] = caps
    low = np.concatenate([least, np.full(len(caps), -np.inf)])
    high = np.concatenate([np.full(count, np.inf), np.ones(len(caps))])
    free = np.append(box[0], -np.inf), np.append(box[1], np.inf)
    solved = _solve(np.append(np.zeros(width), 1.0), free, body, (low, high))
    if solved is None:
        return None
    return solved[0][:width], np.maximum(solved[1][:count], 0.0)


def _solve(costs: _Array, box: _Ends, rows: _Array, ends: _Ends) -> _Ends | None:
    """The optimum and the dual values of the rows, for the smallest negative costs."""
    highspy: Any = highspy_module()
    solver = highs()
    solver.setOptionValue("presolve", "off")
    row, column = np.nonzero(rows)
    starts = np.searchsorted(row, np.arange(len(rows) + 1))
    model = linear_program(-costs, box, ends, starts, column, rows[row, column])
    if solver.passModel(model) == highspy.HighsStatus.kError:
        return None
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = solver.getSolution()
    return np.array(solution.col_value, dtype=float), np.array(solution.row_dual, dtype=float)

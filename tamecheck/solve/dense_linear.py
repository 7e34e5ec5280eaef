"""Dense linear programs in floating point, by HiGHS; the answers are only guesses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tamecheck.solve.installed import highspy as highspy_module
from tamecheck.solve.silence import silence

__all__ = ["largest_in"]

_Array = npt.NDArray[Any]


def largest_in(
    costs: _Array, box: tuple[_Array, _Array], rows: _Array, ends: tuple[_Array, _Array]
) -> _Array | None:
    """Where ``costs · x`` is largest in a box with ``ends[0] <= rows x <= ends[1]``.

    None if HiGHS finds no optimum.  ``rows`` has shape (rows, variables).
    """
    highspy: Any = highspy_module()
    with silence():
        solver: Any = highspy.Highs()
    for option, value in (("output_flag", False), ("threads", 1), ("presolve", "off")):
        solver.setOptionValue(option, value)
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
    return np.array(solver.getSolution().col_value, dtype=float)

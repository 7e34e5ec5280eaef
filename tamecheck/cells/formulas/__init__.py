"""Cells with formulas: where all kinks and jumps of a function are decided, also a curved one."""

from tamecheck.cells.formulas.result import FormulaCell, FormulaCells, SignCondition
from tamecheck.cells.formulas.search import FORMULA_LIMIT, formula_cells

__all__ = ["FORMULA_LIMIT", "FormulaCell", "FormulaCells", "SignCondition", "formula_cells"]

"""Cells with formulas: where all kinks and jumps of a function are decided, also a curved one."""

from tamecheck.pieces.result import FormulaCell, FormulaCells, SignCondition
from tamecheck.pieces.search import FORMULA_LIMIT, formula_cells

__all__ = ["FORMULA_LIMIT", "FormulaCell", "FormulaCells", "SignCondition", "formula_cells"]

"""Dual functions of mixed-integer programs: bounds as functions of the right-hand side."""

from tamecheck.dual.answer import DualFunction, Gradient
from tamecheck.dual.check import CheckItem
from tamecheck.dual.definability import Definability
from tamecheck.dual.form import Form, InfeasibleProgramError, normalise
from tamecheck.dual.methods import METHODS, dual

__all__ = [
    "METHODS",
    "CheckItem",
    "Definability",
    "DualFunction",
    "Form",
    "Gradient",
    "InfeasibleProgramError",
    "dual",
    "normalise",
]

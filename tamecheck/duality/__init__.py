"""Dual functions of mixed-integer programs: bounds as functions of the right-hand side."""

from tamecheck.duality.answer import Definability, DualFunction, Gradient
from tamecheck.duality.check import CheckItem
from tamecheck.duality.form import Form, InfeasibleProgramError, normalise
from tamecheck.duality.methods import METHODS, dual

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

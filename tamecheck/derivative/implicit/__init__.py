"""The nonsmooth implicit function theorem, with every hypothesis checked."""

from tamecheck.derivative.implicit.check import all_invertible, ground
from tamecheck.derivative.implicit.invertible import Invertibility, decide_invertible
from tamecheck.derivative.implicit.result import Hypothesis, Implicit, Status
from tamecheck.derivative.implicit.singular import Singular
from tamecheck.derivative.implicit.theorem import implicit

__all__ = [
    "Hypothesis",
    "Implicit",
    "Invertibility",
    "Singular",
    "Status",
    "all_invertible",
    "decide_invertible",
    "ground",
    "implicit",
]

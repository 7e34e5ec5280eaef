"""Mixed-integer programs: read exactly, solved with claims that are checked, certified."""

from tamecheck.ir.answer import Evidence, Feasible, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.programs.files import read, read_file, write
from tamecheck.programs.solved import Answer, Solved
from tamecheck.programs.solving import solve
from tamecheck.programs.tameness import ProgramCheck, check

__all__ = [
    "Answer",
    "Evidence",
    "Feasible",
    "Infeasible",
    "Optimal",
    "ProgramCheck",
    "Solved",
    "Unbounded",
    "Unknown",
    "check",
    "read",
    "read_file",
    "solve",
    "write",
]

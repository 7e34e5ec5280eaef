"""A child process that runs a SAT solver with native cardinality constraints.

A JSON question on stdin, a JSON answer on stdout:
``python -m tamecheck.solvers.cardinality_worker``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tamecheck.solvers.answering import answer_once

__all__ = ["main"]


def main() -> None:
    """Answer the question on stdin."""
    answer_once(_solved)


def _solved(question: dict[str, Any]) -> dict[str, Any]:
    # python-sat has no type information
    solvers: Any = import_module("pysat.solvers")
    solver = solvers.Solver(name=question["solver"], bootstrap_with=question["clauses"])
    for literals, bound in question["at_most"]:
        solver.add_atmost(literals, bound)
    if solver.solve():
        return {"status": "sat", "model": solver.get_model()}
    return {"status": "unsat"}


if __name__ == "__main__":
    main()

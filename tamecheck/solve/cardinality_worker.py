"""A child process that runs a SAT solver with native cardinality constraints.

A JSON question on stdin, a JSON answer on stdout; ``python -m tamecheck.solve.cardinality_worker``.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Answer the question on stdin."""
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    question = json.load(sys.stdin)
    try:
        answer = _solved(question)
    except MemoryError:
        answer = {"status": "unknown", "why": "out of memory"}
    except Exception as error:  # noqa: BLE001 (whatever happens in a solver is an unknown)
        answer = {"status": "unknown", "why": f"{type(error).__name__}: {error}"}
    answer_to.write(json.dumps(answer))
    answer_to.close()
    os._exit(0)


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

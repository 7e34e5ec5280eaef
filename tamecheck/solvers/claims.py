"""Claims about a program by CBC and HiGHS, each in a child process with limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from tamecheck.ir.answer import Answer, Feasible, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.box import Bound
from tamecheck.ir.program import Kind, Program
from tamecheck.solvers.libraries import INSTALL, is_installed
from tamecheck.solvers.processes import Document, ask_all
from tamecheck.solvers.relaxation import nearest
from tamecheck.solvers.scaling import Scaling, scale_program, scaling, shift

SOLVERS = ("cbc", "highs")

Claim: TypeAlias = Answer[float, None]

_MEMORY = 16 * 2**30
_GRACE = 2.0
_SECOND_OPINION, _ALONE = 10.0, 1.0
"""Seconds that others have at least once one is done, and where one is enough."""
_LONGEST = 1e7


def claims(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    solvers: Sequence[str] = SOLVERS,
    seconds: float = math.inf,
    nodes: int | None = None,
    seed: int = 0,
    memory: int = _MEMORY,
    incumbent: Sequence[Fraction] | None = None,
    alone: bool = False,
) -> tuple[Claim, ...]:
    """What each solver says about the program, run side by side.

    CBC (through python-mip) and HiGHS are asked about the scaled program, without semi variables,
    which CBC does not know; what they say is about the program itself.  When one is done, the
    others have as long again as it took, and at least ten seconds, or where one ``alone`` is enough
    a second; unless there is a limit in nodes, so that answers do not depend on the machine's load.
    ``memory`` is in bytes of address space; the solvers may begin with the ``incumbent``, one
    number a column.
    """
    if any(column.kind.semi for column in program.columns):
        raise ValueError("semi variables have no place in a solver's question")
    by = scaling(program)
    question = _question(scale_program(program, by), min(seconds, _LONGEST), seed, memory)
    if nodes is not None:
        question["nodes"] = nodes
    if incumbent is not None:
        question["start"] = [nearest(value) for value in by.inward(incumbent)]
    asked = [solver for solver in solvers if is_installed(solver)]

    def patience(took: float) -> float:
        if nodes is not None:
            # it is there to be reached at any speed
            return math.inf
        return _ALONE if alone else max(took, _SECOND_OPINION)

    answers = ask_all(
        [{**question, "solver": solver} for solver in asked],
        seconds=seconds + _GRACE,
        patience=patience,
    )
    said = dict(zip(asked, answers, strict=True))
    return tuple(
        _claim(solver, said[solver], by)
        if solver in said
        else Unknown(f"not installed ({INSTALL})", solver=solver)
        for solver in solvers
    )


def _claim(solver: str, answer: Document, by: Scaling) -> Claim:
    """An answer about the scaled program as a claim about the program."""
    match answer:
        case {"status": "optimal" | "feasible" as status, "point": x, "objective": objective}:
            point = tuple(map(shift, x, by.columns))
            value = shift(objective, -by.objective)
            if status == "optimal":
                return Optimal(point, value, None, solver)
            return Feasible(point, value, solver=solver)
        case {"status": "infeasible"}:
            return Infeasible(None, solver)
        case {"status": "unbounded"}:
            return Unbounded((), (), None, solver)
        case _:
            return Unknown(str(answer.get("why", "no answer")), solver=solver)


def _question(program: Program, seconds: float, seed: int, memory: int) -> dict[str, Any]:
    sign = program.sense.sign
    return {
        "seconds": seconds,
        "seed": seed,
        "memory": memory,
        "columns": [
            {
                "lower": _end(column.lower),
                "upper": _end(column.upper),
                "cost": nearest(sign * column.cost),
                "integral": column.kind is Kind.INTEGER,
            }
            for column in program.columns
        ],
        "rows": [
            {
                "lower": _end(row.lower),
                "upper": _end(row.upper),
                "terms": [[j, nearest(a)] for j, a in row.terms],
            }
            for row in program.rows
        ],
    }


def _end(bound: Bound) -> float | None:
    return None if bound is None else nearest(bound)

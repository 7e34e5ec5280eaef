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
from tamecheck.solvers.scaling import Scaling, scaling, shift

SOLVERS = ("cbc", _ENOUGH := "highs")

Claim: TypeAlias = Answer[float, None]

_MEMORY = 16 * 2**30
_GRACE = 2.0
_SECOND_OPINION, _SLOWER = 10.0, 2.0
"""Seconds that others have at least once one is done; so many times what CBC took HiGHS has left,
where its answer is enough."""
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
    others have as long again as it took, and at least ten seconds.  Where one ``alone`` is enough,
    that of HiGHS ends the others, and after another one it has twice as long again: so the same one
    is taken whatever else the machine does.  A limit in nodes is waited for.
    ``memory`` is in bytes of address space; the solvers may begin with the ``incumbent``, one
    number a column.
    """
    if any(column.kind.semi for column in program.columns):
        raise ValueError("semi variables have no place in a solver's question")
    by = scaling(program)
    question = _question(program, by, min(seconds, _LONGEST), seed, memory)
    if nodes is not None:
        question["nodes"] = nodes
    if incumbent is not None:
        question["start"] = [nearest(value) for value in by.inward(incumbent)]
    asked = [solver for solver in solvers if is_installed(solver)]

    def patience(k: int, took: float) -> float:
        if nodes is not None:
            # it is there to be reached at any speed
            return math.inf
        if alone and asked[k] == _ENOUGH:
            return 0.0
        return max(took * (_SLOWER if alone else 1.0), _SECOND_OPINION)

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


def _question(
    program: Program, by: Scaling, seconds: float, seed: int, memory: int
) -> dict[str, Any]:
    """The scaled program in floats."""
    sign, units = program.sense.sign, by.columns
    return {
        "seconds": seconds,
        "seed": seed,
        "memory": memory,
        "columns": [
            {
                "lower": _end(column.lower, -c),
                "upper": _end(column.upper, -c),
                "cost": nearest(sign * column.cost, c + by.objective),
                "integral": column.kind is Kind.INTEGER,
            }
            for column, c in zip(program.columns, units, strict=True)
        ],
        "rows": [
            {
                "lower": _end(row.lower, r),
                "upper": _end(row.upper, r),
                "terms": [[j, nearest(a, r + units[j])] for j, a in row.terms],
            }
            for row, r in zip(program.rows, by.rows, strict=True)
        ],
    }


def _end(bound: Bound, exponent: int) -> float | None:
    return None if bound is None else nearest(bound, exponent)

"""Claims about a program by CBC and HiGHS, each in a child process with limits."""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from typing import Any

from tamecheck.ir.box import Bound
from tamecheck.ir.program import Kind, Program
from tamecheck.solvers.claims import (
    Claim,
    FeasibleClaim,
    InfeasibleClaim,
    OptimalClaim,
    UnboundedClaim,
    UnknownClaim,
)
from tamecheck.solvers.exchange import child
from tamecheck.solvers.installed import INSTALL, installed
from tamecheck.solvers.relaxation import nearest
from tamecheck.solvers.scaling import Scaling, scaled_program, scaling, shifted

__all__ = ["SOLVERS", "claims"]

SOLVERS = ("cbc", "highs")

_MEMORY = 16 * 2**30
_GRACE = 2.0
_SECOND_OPINION = 10.0
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
) -> tuple[Claim, ...]:
    """What each solver says about the program, run side by side.

    They are asked about the scaled program; what they say is about the program itself.

    When one is done, the others have as long again as it took, and at least ten seconds; unless
    there is a limit in nodes, so that answers do not depend on the machine's load.

    Parameters
    ----------
    program
        Without semi variables, which CBC does not know.
    solvers
        ``cbc`` (through python-mip), ``highs``.
    seconds, memory
        Limits of each process; memory in bytes of address space.
    nodes
        The most nodes of a solver's tree: a limit that does not depend on the machine's load.
    seed
        The seed of the solvers' random choices.
    incumbent
        A point, one number a column, that the solvers may begin with.

    Raises
    ------
    ValueError
        If the program has semi variables.
    """
    if any(column.kind.semi for column in program.columns):
        raise ValueError("semi variables have no place in a solver's question")
    by = scaling(program)
    question = _question(scaled_program(program, by), min(seconds, _LONGEST), seed, memory)
    if nodes is not None:
        question["nodes"] = nodes
    if incumbent is not None:
        question["start"] = [nearest(value) for value in by.inward(incumbent)]
    start = time.monotonic()
    children: dict[str, subprocess.Popen[str]] = {}
    with ExitStack() as stack:
        for solver in filter(installed, solvers):
            children[solver] = stack.enter_context(child("tamecheck.solvers.worker"))
            _ask(children[solver], {**question, "solver": solver})
        # a limit in nodes is there to be reached at any speed
        patience = _SECOND_OPINION if nodes is None else math.inf
        answers = _collect(children, start, seconds + _GRACE, patience)
        said = {claim.solver: claim for claim in answers}
    return tuple(
        _unscaled(said[solver], by)
        if solver in said
        else UnknownClaim(solver, f"not installed ({INSTALL})")
        for solver in solvers
    )


def _unscaled(claim: Claim, by: Scaling) -> Claim:
    """A claim about the scaled program as one about the program."""
    if not isinstance(claim, OptimalClaim | FeasibleClaim):
        return claim
    x = tuple(map(shifted, claim.x, by.columns))
    return replace(claim, x=x, objective=shifted(claim.objective, -by.objective))


def _ask(process: subprocess.Popen[str], question: dict[str, Any]) -> None:
    if process.stdin is not None:
        try:
            json.dump(question, process.stdin)
            process.stdin.close()
        except BrokenPipeError:
            # it ended before it read the question: its exit status will say why
            pass
        process.stdin = None


def _collect(
    children: dict[str, subprocess.Popen[str]], start: float, seconds: float, patience: float
) -> tuple[Claim, ...]:
    answers: dict[str, Claim] = {}
    limit = seconds
    while len(answers) < len(children):
        elapsed = time.monotonic() - start
        for solver, process in children.items():
            if solver in answers:
                continue
            if elapsed > limit:
                answers[solver] = UnknownClaim(solver, "out of time")
            elif (text := _finished(process)) is not None:
                answers[solver] = _claim(solver, process, text)
                if isinstance(answers[solver], OptimalClaim | InfeasibleClaim):
                    limit = min(limit, elapsed + max(elapsed, patience))
    return tuple(answers[solver] for solver in children)


def _finished(process: subprocess.Popen[str]) -> str | None:
    """The answer if it is there, waiting a moment for it."""
    try:
        return process.communicate(timeout=0.02)[0]
    except subprocess.TimeoutExpired:
        return None


def _claim(solver: str, process: subprocess.Popen[str], text: str) -> Claim:
    try:
        answer = json.loads(text)
    except ValueError:
        return UnknownClaim(solver, f"its process ended with status {process.returncode}")
    match answer:
        case {"status": "optimal", "x": x, "objective": objective}:
            return OptimalClaim(solver, tuple(x), objective)
        case {"status": "feasible", "x": x, "objective": objective}:
            return FeasibleClaim(solver, tuple(x), objective)
        case {"status": "infeasible"}:
            return InfeasibleClaim(solver)
        case {"status": "unbounded"}:
            return UnboundedClaim(solver)
        case _:
            return UnknownClaim(solver, str(answer.get("why", "no answer")))


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

"""Programs without discrete columns: one basis decides, and its multipliers are the certificate."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from tamecheck.budget import Budget
from tamecheck.exact.linear import LinearProgram, LinearProof, linear_box
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.exact import decimal_text
from tamecheck.ir.program import Program
from tamecheck.programs.certificate import (
    TOO_LONG,
    Bounded,
    Crossed,
    CrossedRow,
    Excluded,
    certificate,
    is_long,
)
from tamecheck.programs.scaled import Multipliers, minimised_costs
from tamecheck.solvers.relaxation import Relaxation

Document: TypeAlias = Mapping[str, Any]


Definite: TypeAlias = (
    Optimal[Fraction, Document] | Infeasible[Document] | Unbounded[Fraction, Document]
)


def decide(program: Program, budget: Budget) -> Definite | Unknown[Fraction, Document] | None:
    """The answer about a linear program, with its certificate; None if time or memory ends first.

    A solver's basis is the begin; the simplex method in rationals concludes.  It is unknown if the
    numbers of its proof are too long for a certificate.
    """
    crossed = _crossed(program)
    if crossed is not None:
        return Infeasible(certificate(program, "infeasible", (crossed,)))
    relaxation, box = Relaxation(program, presolve=True), linear_box(program)
    relaxation.solve(seconds=budget.seconds)
    basis = relaxation.basis()
    found = LinearProgram.of(program).minimum(
        minimised_costs(program),
        box,
        basis if len(basis.columns) == len(program.columns) else None,
        budget=budget,
        guide=relaxation.guide(box),
    )
    match found:
        case Optimal(point, least, proof):
            value = program.sense.sign * least + program.constant
            leaf = Bounded(_multipliers(proof), least)
            if is_long([leaf], (), (value,), point):
                return _unknown(f"The optimum, about {decimal_text(value)},")
            return Optimal(
                point, value, certificate(program, "optimal", (leaf,), x=point, value=value)
            )
        case Infeasible(proof):
            leaf = Excluded(_multipliers(proof))
            if is_long([leaf]):
                return _unknown("The contradiction of the rows")
            return Infeasible(certificate(program, "infeasible", (leaf,)))
        case Unbounded(point, ray):
            if is_long((), (), point, ray):
                return _unknown("The ray")
            document = certificate(program, "unbounded", x=point, ray=ray)
            return Unbounded(point, ray, document)
        case _:
            return None


def _unknown(what: str) -> Unknown[Fraction, Document]:
    return Unknown(f"{what} {TOO_LONG}.")


def _multipliers(proof: LinearProof) -> Multipliers:
    return Multipliers.of(dict(enumerate(proof.multipliers)))


def _crossed(program: Program) -> Crossed | CrossedRow | None:
    """A column or a row whose bounds are crossed."""
    for j, column in enumerate(program.columns):
        if column.lower is not None and column.upper is not None and column.lower > column.upper:
            return Crossed(j)
    for i, row in enumerate(program.rows):
        if row.lower is not None and row.upper is not None and row.lower > row.upper:
            return CrossedRow(i)
    return None

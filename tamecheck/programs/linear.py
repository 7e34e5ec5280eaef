"""Programs without discrete columns: one basis decides, and its multipliers are the certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from tamecheck.budget import Budget
from tamecheck.exact.linear import (
    Box,
    LinearOutcome,
    LinearProgram,
    LinearProof,
    linear_box,
    minimum,
)
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.box import is_crossed
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
from tamecheck.programs.prover import exact_rays, rounded_rays
from tamecheck.programs.scaled import Multipliers, Scaled, minimised_costs
from tamecheck.solvers.relaxation import Relaxation

Document: TypeAlias = Mapping[str, Any]


Definite: TypeAlias = (
    Optimal[Fraction, Document] | Infeasible[Document] | Unbounded[Fraction, Document]
)


_TINY = 20
"""Of so few rows and columns pivots from the start take less time than a solver's model."""


def decide(program: Program, budget: Budget) -> Definite | Unknown[Fraction, Document] | None:
    """The answer about a linear program, with its certificate; None if time or memory ends first.

    A solver's basis is the begin; the simplex method in rationals concludes.  It is unknown if the
    numbers of its proof are too long for a certificate.
    """
    none = _crossed(program)
    if none is not None:
        return Infeasible(certificate(program, "infeasible", (none,)))
    box, costs = linear_box(program), minimised_costs(program)
    if len(program.rows) + len(program.columns) <= _TINY:
        return _concluded(program, minimum(program, costs, box, budget=budget))
    relaxation = Relaxation(program, presolve=True)
    proof = _beyond(program, relaxation.impossible_rows())
    if proof is None:
        said = relaxation.solve(seconds=budget.seconds)
        if isinstance(said, Infeasible):
            proof = _contradiction(program, said.certificate, relaxation, box)
    if proof is not None:
        return Infeasible(certificate(program, "infeasible", (proof,)))
    basis = relaxation.basis()
    found = LinearProgram.of(program).minimum(
        costs,
        box,
        basis if len(basis.columns) == len(program.columns) else None,
        budget=budget,
        guide=relaxation.guide(box),
    )
    return _concluded(program, found)


def _concluded(
    program: Program, found: LinearOutcome
) -> Definite | Unknown[Fraction, Document] | None:
    """The answer with its certificate; None if there is none."""
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


def _contradiction(
    program: Program, ray: Sequence[float], relaxation: Relaxation, box: Box
) -> Excluded | None:
    """The proof that a solver's dual ray becomes by rounding, or by solving for it exactly."""
    scaled = Scaled(program)
    for multipliers in _rays(program, scaled, ray, relaxation, box):
        value = scaled.bound(multipliers, box, costs=False)
        if value is not None and value > 0:
            return Excluded(multipliers)
    return None


def _rays(
    program: Program, scaled: Scaled, ray: Sequence[float], relaxation: Relaxation, box: Box
) -> Iterator[Multipliers]:
    yield from rounded_rays(scaled, ray)
    yield from exact_rays(scaled, LinearProgram.of(program), relaxation, box)


def _beyond(program: Program, rows: Sequence[int]) -> Excluded | None:
    """One of these rows of which no value within the columns' bounds is admitted."""
    for i in rows:
        row = program.rows[i]
        for sign, side in ((1, row.lower), (-1, row.upper)):
            ends = [
                (a, columns.upper if (a > 0) is (sign > 0) else columns.lower)
                for a, columns in ((a, program.columns[j]) for j, a in row.terms)
            ]
            if side is None or any(end is None for _, end in ends):
                continue
            most = sum((a * end for a, end in ends if end is not None), Fraction(0))
            if sign * most < sign * side:
                return Excluded(Multipliers({i: sign}, 1))
    return None


def _crossed(program: Program) -> Crossed | CrossedRow | None:
    """A column or a row whose bounds are crossed."""
    for j, column in enumerate(program.columns):
        if is_crossed(column.lower, column.upper):
            return Crossed(j)
    for i, row in enumerate(program.rows):
        if is_crossed(row.lower, row.upper):
            return CrossedRow(i)
    return None

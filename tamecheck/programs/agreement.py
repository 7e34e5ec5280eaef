"""What solvers claim: the points that it leads to, and where it is what was proved, or wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.ir.answer import Feasible, Infeasible, Optimal, Unbounded
from tamecheck.ir.program import Program
from tamecheck.programs.certificate import TOO_LONG, is_long
from tamecheck.programs.prover import Completion
from tamecheck.programs.state import Point
from tamecheck.solvers.claims import Claim
from tamecheck.solvers.relaxation import nearest

_TOLERANCE = 1e-6


def is_cutoff(program: Program, point: Point) -> bool:
    """Whether a point is one of the program whose value a certificate can hold, with the point."""
    return not (program.violations(point) or is_long((), (), (program.objective(point),), point))


def best_point(
    program: Program, said: Sequence[Claim], known: Point | None, budget: Budget
) -> tuple[Point | None, list[str]]:
    """The best of the exact points that the claimed ones lead to, and notes on those without.

    Of equal ones it is that of the last solver, the one that is waited for.

    One that no certificate can hold does not count: what rests on its value could not be shown.
    """
    completion = Completion(program)
    points, notes = [] if known is None else [known], list[str]()
    for claim in reversed(said):
        if not isinstance(claim, Optimal | Feasible):
            continue
        point = completion.point(claim.point[: len(program.columns)], budget)
        if point is None:
            notes.append(f"The point of {claim.solver} has no exact counterpart.")
        elif not is_cutoff(program, point):
            notes.append(f"The point of {claim.solver} {TOO_LONG}.")
        else:
            points.append(point)
    sign = program.sense.sign
    return min(points, key=lambda x: sign * program.objective(x), default=None), notes


def agreeing(program: Program, said: Sequence[Claim], point: Point | None) -> list[str]:
    """The solvers whose claim is what we found: an optimal point, or none."""
    if point is None:
        return [claim.solver for claim in said if isinstance(claim, Infeasible)]
    terms = [c.cost * x for c, x in zip(program.columns, point, strict=True)]
    found = nearest(Fraction(program.sense.sign * sum(terms)))
    # relative to what is added up: tiny objectives are no smaller than others
    tolerance = _TOLERANCE * nearest(Fraction(sum(map(abs, terms))))
    return [
        claim.solver
        for claim in said
        if isinstance(claim, Optimal) and abs(claim.objective - found) <= tolerance
    ]


def refuted(program: Program, said: Sequence[Claim], point: Point | None) -> Iterator[str]:
    """Notes on the claims that the proof of an optimal point, or of none, refutes."""
    right = agreeing(program, said, point)
    for claim in said:
        if isinstance(claim, Unbounded) and point is not None:
            # some solvers do not tell unbounded programs from infeasible ones
            yield f"{claim.solver} calls the program unbounded; it is not."
        elif isinstance(claim, Infeasible) and point is not None:
            yield f"{claim.solver} calls the program infeasible; it is not."
        elif isinstance(claim, Optimal) and claim.solver not in right:
            value = program.sense.sign * claim.objective + nearest(program.constant)
            yield f"{claim.solver} claims an optimum of {value:.9g}, which is not the optimum."

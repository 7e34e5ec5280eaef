"""Solving a program: floating-point solvers search, rational arithmetic concludes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tamecheck.ir.program import Program
from tamecheck.programs.answer import (
    Answer,
    Evidence,
    Feasible,
    Infeasible,
    Optimal,
    Solved,
    Unbounded,
    Unknown,
)
from tamecheck.programs.certificate import (
    bound_claim,
    certificate,
    infeasible_claim,
    optimal_claim,
    unbounded_claim,
)
from tamecheck.programs.completion import Completion
from tamecheck.programs.rewriting import (
    recession,
    scaled_ray,
    without_objective,
    without_semi,
)
from tamecheck.programs.tree import Point, Search, Tree
from tamecheck.solve.children import SOLVERS, claims
from tamecheck.solve.claims import (
    Claim,
    FeasibleClaim,
    InfeasibleClaim,
    OptimalClaim,
    UnboundedClaim,
    UnknownClaim,
)
from tamecheck.solve.relaxation import nearest

__all__ = ["solve"]

_DOUBT = 60.0
"""Seconds for our own search where solvers leave a doubt, unless the user says how long."""

_TOLERANCE = 1e-6
Progress = Callable[[int, int], None]


def solve(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    certify: bool = False,
    seconds: float | None = None,
    seed: int = 0,
    solvers: Sequence[str] = SOLVERS,
    progress: Progress | None = None,
    incumbent: Point | None = None,
) -> Solved:
    """The optimum of a program, checked exactly.

    CBC and HiGHS search; the discrete part of their best point is completed to an exact point
    that satisfies every row.  Optimality and infeasibility are proved by a tree of our own whose
    leaves carry exact multipliers, or rest on the agreement of the solvers: the answer says which.

    Parameters
    ----------
    program
        The program.
    certify
        Whether to search for a proof as long as ``seconds`` allow; else only the root is tried,
        and doubts between the solvers are settled.
    seconds
        How long; None is as long as it takes.
    seed
        Of the solvers' random choices.
    solvers
        Which to ask.
    progress
        Called now and then with the numbers of explored and of open nodes.
    incumbent
        An exact point to begin with, one number a column; one that is not feasible is ignored.
    """
    limit = math.inf if seconds is None else seconds
    if incumbent is not None and program.violations(incumbent):
        incumbent = None
    return _Solving(program, certify, limit, seed, tuple(solvers), progress, incumbent).run()


@dataclass(slots=True)
class _Solving:
    program: Program
    certify: bool
    seconds: float
    seed: int
    solvers: tuple[str, ...]
    progress: Progress | None
    incumbent: Point | None = None
    start: float = field(default_factory=time.monotonic)
    notes: list[str] = field(default_factory=list[str])
    nodes: int = 0
    best: Point | None = None
    interrupted: bool = False

    def run(self) -> Solved:
        """The answer, with the time that it took."""
        self.best = self.incumbent
        try:
            answer = self._answer()
        except KeyboardInterrupt:
            self.interrupted = True
            answer = self._so_far()
        spent = time.monotonic() - self.start
        return Solved(answer, tuple(self.notes), self.nodes, spent, self.interrupted)

    def _so_far(self) -> Answer:
        """The best point that is known; no claim is made about better ones."""
        if self.best is None:
            return Unknown("interrupted", None, None)
        return Feasible(self.best, self.program.objective(self.best), None, None)

    def _answer(self) -> Answer:
        root = self._search(self.incumbent, most_nodes=1)
        if root.closed:
            return self._concluded(root)
        self.best = root.point
        if self.interrupted:
            return self._believed(root, ())
        if root.unbounded:
            return self._unbounded()
        said = self._claims(self.program)
        point = self._best_point(said, root.point)
        self.best = point
        agreeing = self._agreeing(said, point)
        self._compare(said, point)
        settled = len(agreeing) >= min(2, len(self.solvers))
        if self.certify or not settled:
            rest = self._left() if self.certify else min(self._left(), _DOUBT)
            tree = self._search(point, seconds=rest)
        else:
            tree = self._search(point, most_nodes=1)
        if tree.closed:
            return self._concluded(tree)
        if self.certify:
            self.notes.append("The search for a certificate did not finish.")
        return self._believed(tree, said)

    def _left(self) -> float:
        return self.start + self.seconds - time.monotonic()

    def _search(
        self, point: Point | None, *, most_nodes: int = 10**9, seconds: float | None = None
    ) -> Tree:
        limit = self._left() if seconds is None else seconds
        search = Search(
            self.program,
            point=point,
            seconds=limit,
            most_nodes=most_nodes,
            progress=self.progress,
        )
        tree = search.run()
        self.interrupted |= search.interrupted
        self.nodes += tree.explored
        return tree

    def _claims(self, program: Program) -> tuple[Claim, ...]:
        question = without_semi(program)
        if question is None:
            self.notes.append("A semi variable without bounds: no solver was asked.")
            return ()
        # with a limit, some of the time is kept for the proof
        share = 0.4 if self.certify else 0.8
        said = claims(
            question,
            solvers=self.solvers,
            seconds=share * self._left(),
            seed=self.seed,
            incumbent=self.incumbent if len(question.columns) == len(program.columns) else None,
        )
        for claim in said:
            if isinstance(claim, UnknownClaim):
                self.notes.append(f"{claim.solver}: {claim.why}.")
        return said

    def _best_point(self, said: Sequence[Claim], known: Point | None) -> Point | None:
        """The best of the exact points that the claimed ones lead to."""
        completion = Completion(self.program)
        points = [] if known is None else [known]
        for claim in said:
            if isinstance(claim, OptimalClaim | FeasibleClaim):
                point = completion.point(claim.x[: len(self.program.columns)])
                if point is None:
                    self.notes.append(f"The point of {claim.solver} has no exact counterpart.")
                else:
                    points.append(point)
        sign = self.program.sense.sign
        return min(points, key=lambda x: sign * self.program.objective(x), default=None)

    def _agreeing(self, said: Sequence[Claim], point: Point | None) -> list[str]:
        """The solvers whose claim is what we found: an optimal point, or none."""
        if point is None:
            return [claim.solver for claim in said if isinstance(claim, InfeasibleClaim)]
        found = self._minimised(point)
        return [
            claim.solver
            for claim in said
            if isinstance(claim, OptimalClaim)
            and abs(claim.objective - found) <= _TOLERANCE * max(1.0, abs(found))
        ]

    def _minimised(self, point: Point) -> float:
        """What a solver would call the objective at a point."""
        value = self.program.objective(point) - self.program.constant
        return nearest(self.program.sense.sign * value)

    def _compare(self, said: Sequence[Claim], point: Point | None) -> None:
        """Note the claims that are not what we found."""
        agreeing = self._agreeing(said, point)
        for claim in said:
            if isinstance(claim, UnboundedClaim):
                self.notes.append(f"{claim.solver} calls the program unbounded; it is not.")
            elif point is not None and isinstance(claim, InfeasibleClaim):
                self.notes.append(f"{claim.solver} calls the program infeasible; it is not.")
            elif isinstance(claim, OptimalClaim) and claim.solver not in agreeing:
                self.notes.append(
                    f"{claim.solver} claims an optimum of {claim.objective:.9g} (minimised),"
                    " which no exact point that was found has."
                )

    def _concluded(self, tree: Tree) -> Answer:
        """The answer that a closed tree proves."""
        nodes = tree.nodes or ()
        if tree.point is None:
            document = certificate(self.program, infeasible_claim(), nodes)
            return Infeasible(Evidence.CERTIFICATE, document)
        claim = optimal_claim(self.program, tree.point)
        document = certificate(self.program, claim, nodes, tree.granularity)
        value = self.program.objective(tree.point)
        return Optimal(tree.point, value, Evidence.CERTIFICATE, document)

    def _believed(self, tree: Tree, said: Sequence[Claim]) -> Answer:
        """The answer that rests on the solvers, or only on what a tree proves so far."""
        bound, document = None, None
        if tree.bound is not None:
            bound = self.program.sense.sign * tree.bound + self.program.constant
            if tree.nodes is not None:
                document = certificate(self.program, bound_claim(bound), tree.nodes)
        agreeing = self._agreeing(said, tree.point)
        evidence = Evidence.TWO_SOLVERS if len(agreeing) > 1 else Evidence.ONE_SOLVER
        if tree.point is not None:
            value = self.program.objective(tree.point)
            if agreeing:
                return Optimal(tree.point, value, evidence, None)
            return Feasible(tree.point, value, bound, document)
        if agreeing:
            return Infeasible(evidence, None)
        return Unknown("Neither a point nor a proof was found in time.", bound, document)

    def _unbounded(self) -> Answer:
        """The answer when the relaxation seems to be unbounded."""
        direction = Search(recession(self.program), seconds=self._left()).run()
        sign = self.program.sense.sign
        if direction.point is None or not direction.closed:
            return Unknown("The relaxation is unbounded, but no exact ray was found.", None, None)
        ray = scaled_ray(self.program, direction.point)
        if sign * sum((c.cost * r for c, r in zip(self.program.columns, ray, strict=True))) >= 0:
            return Unknown("The relaxation is unbounded, but no exact ray was found.", None, None)
        anywhere = without_objective(self.program)
        point = Search(anywhere, seconds=self._left(), most_nodes=1).run().point
        if point is None:
            point = self._best_point(self._claims(anywhere), None)
        if point is None:
            tree = Search(anywhere, seconds=min(self._left(), _DOUBT)).run()
            self.nodes += tree.explored
            if tree.closed and tree.point is None:
                document = certificate(self.program, infeasible_claim(), tree.nodes or ())
                return Infeasible(Evidence.CERTIFICATE, document)
            point = tree.point
        if point is None:
            return Unknown("The relaxation is unbounded; no point was found.", None, None)
        document = certificate(self.program, unbounded_claim(point, ray))
        return Unbounded(point, ray, document)

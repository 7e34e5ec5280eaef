"""Solving a program: floating-point solvers search, rational arithmetic concludes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.ir import arguments
from tamecheck.ir.answer import Evidence, Feasible, Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.arguments import instance, natural
from tamecheck.ir.exact import rational_of_text
from tamecheck.ir.program import Program
from tamecheck.programs.agreement import agreeing, best_point, is_cutoff, refuted
from tamecheck.programs.certificate import (
    TOO_LONG,
    Bounded,
    Derived,
    certificate,
    derived_of,
    derived_record,
    is_long,
    nodes_of,
    rows_of,
)
from tamecheck.programs.confirm import confirm, seconds_to_confirm
from tamecheck.programs.linear import decide
from tamecheck.programs.pruning import collapse, prune
from tamecheck.programs.reformulate import (
    recession,
    scale_ray,
    without_objective,
    without_semi,
)
from tamecheck.programs.solved import Answer, Document, Solved
from tamecheck.programs.strengthen import Strengthened, strengthen, strengthen_by
from tamecheck.programs.tree import Keep, Point, Progress, Search, Tree
from tamecheck.solvers.claims import SOLVERS, Claim, claims
from tamecheck.solvers.executors import executor_of
from tamecheck.solvers.processes import NOT_NEEDED

_PATIENCE = 60.0
"""Seconds for the solvers, and for our search after them, unless the user says how long."""

_FIRST, _OFTEN, _SHARE = 5.0, 60.0, 5.0
"""Seconds until what is proved is first written down, then between; how much dearer search is."""

_ROOT, _PART, _STEPS, _MOST = 30.0, 0.3, 1e6, 0.6
"""Seconds for presolve and cuts, or more if this part of the limit is more, in so many counted
steps; and the most of the time that is left, however slow the machine is."""

_ALONE, _FEW, _TERMS = 2e7, 400, 100_000
"""Of our search before solvers are asked for a good point: iterations of the simplex method, times
rows and columns, and nodes, as a clock would make the answer depend on what else is computed; and
terms of rows, beyond which these are a few nodes that take long."""

_GRACE = 2.0
"""Seconds beyond the limit in which a kernel may end a check."""

_ENDLESS = "a semi variable, which no certificate can say"

_AHEAD = 8
"""Tasks of a search that are planned at a time, of which as many processes have a use."""


def solve(  # noqa: PLR0913 (options, by keyword only)
    program: Program,
    *,
    certify: bool = False,
    seconds: float | None = None,
    seed: int = 0,
    solvers: Sequence[str] = SOLVERS,
    progress: Progress | None = None,
    incumbent: Point | None = None,
    cutoff: bool = True,
    resume: Document | None = None,
    journal: Keep | None = None,
    workers: int = 1,
) -> Solved:
    """The optimum of a program, checked exactly.

    Optimality and infeasibility are proved by a search tree of our own whose leaves carry exact
    multipliers; the kernel accepts it before it is an answer.  Where it does not close at once,
    CBC and HiGHS search for a good point, the discrete part of which is completed to an exact one.
    What they say is never an answer.

    Parameters
    ----------
    program
        The program.
    certify
        Whether to search for a proof as long as ``seconds`` allow; else for a minute at most.
    seconds
        How long; None is as long as it takes.
    seed
        Of the solvers' random choices.
    solvers
        Which to ask.
    progress
        Called now and then with the `Status` of the search.
    incumbent
        An exact point to begin with, one number a column; one that is not feasible is
        ignored, and so is one that is too long for a certificate.
    cutoff
        Whether bounds may be narrowed for points that are better than the best one known, which
        the format of VIPR has no statement for.
    resume
        A certificate about the program, of an unfinished search, that the kernel accepts, or what a
        journal says (`certificate.unfinished`): its tree is gone on with.
    journal
        Called with each step, point and node as it is found, from which a search that was killed
        can go on.
    workers
        How many processes share the tree, once it needs more than a moment.  The answer and its
        certificate do not depend on their number.

    Raises
    ------
    InputError
        If the certificate to resume is about another program, or was changed.
    CertificateError
        If the kernel refuses the certificate of a definite answer: a defect of tamecheck.
    """
    instance(program, Program, what="program", hint="Read it by tc.load_program.")
    limit = arguments.seconds(seconds, what="limit")
    budget, seed = Budget.of(limit), natural(seed, what="seed")
    if incumbent is not None and not is_cutoff(program, incumbent):
        incumbent = None
    if workers < 1:
        raise InputError(f"{workers} workers are none.")
    own = _Solving(program, certify, budget, seed, tuple(solvers), progress, incumbent, cutoff)
    own.journal, own.workers = journal, workers
    own.limit = math.inf if limit is None else limit
    if resume is not None:
        own.resume(resume)
    return confirm(own.run())


@dataclass(slots=True)
class _Solving:
    program: Program
    certify: bool
    budget: Budget
    seed: int
    solvers: tuple[str, ...]
    progress: Progress | None
    incumbent: Point | None = None
    cutoff: bool = True
    start: float = field(default_factory=time.monotonic)
    notes: list[str] = field(default_factory=list[str])
    nodes: int = 0
    best: Point | None = None
    interrupted: bool = False
    strengthened: Strengthened | None = None
    journal: Keep | None = None
    limit: float = math.inf
    """The seconds that were given, whatever time has passed."""
    workers: int = 1
    stack: ExitStack = field(default_factory=ExitStack)
    resumed: Search | None = None
    so_far: Tree | None = None

    def resume(self, document: Document) -> None:
        """Take over the tree of a certificate, and its point if it has one."""
        if document["program"] not in (self.program.sha256, self.program.document()):
            raise InputError("The certificate to resume is about another program.")
        claim, derived = document["claim"], derived_of(document)
        if "x" in claim:
            point = tuple(map(rational_of_text, claim["x"]))
            if is_cutoff(self.program, point):
                self.incumbent = point
        nodes = nodes_of(document)
        if not (derived or any(nodes)):
            # it was ended before there was a tree
            return
        value = self._minimised(self.incumbent)
        if value is None and any(len(self.program.rows) in rows_of(step) for step in derived):
            raise InputError("The certificate to resume rests on a point that it does not have.")
        self.strengthened = strengthen_by(self.program, value, derived)
        program = self.strengthened.program if "derived" in document else self.program
        self.resumed = self._search(program, self.incumbent)
        self.resumed.resume(nodes)

    def _search_strengthened(self, own: Strengthened, point: Point | None) -> Search:
        """The search of a strengthened program, which begins the journal.

        Its point is written before the steps, which may rest on it.
        """
        search = self._search(own.program, point)
        if self.journal is not None:
            for step in own.derived:
                self.journal(derived_record(step))
        return search

    def _search(self, program: Program, point: Point | None) -> Search:
        """A search that keeps a journal, and may be shared among processes."""
        return Search(
            program,
            point=point,
            progress=self.progress,
            keep=self.journal,
            ahead=_AHEAD,
            start=None if self.workers == 1 else self._executor,
        )

    def _executor(self) -> Any:
        """Processes that end with the search."""
        return self.stack.enter_context(executor_of(None, self.workers))

    def run(self) -> Solved:
        """The answer, with the time that it took."""
        self.best = self.incumbent
        with self.stack:
            try:
                answer = self._answer()
            except KeyboardInterrupt:
                self.interrupted = True
                answer = self._so_far()
        spent = time.monotonic() - self.start
        return Solved(answer, tuple(self.notes), self.nodes, spent, self.interrupted)

    def _so_far(self) -> Answer:
        """What was proved before the interrupt, or the best point without a claim about others."""
        if self.so_far is not None:
            return self._open(self.so_far, ())
        if self.best is None:
            return Unknown("interrupted")
        return Feasible(self.best, self.program.objective(self.best))

    def _answer(self) -> Answer:
        if self.resumed is not None:
            return self._ended(self._run(self.resumed, self.budget))
        if not self.program.integral:
            budget = self.budget if self.certify else self.budget.part(_PATIENCE)
            if answer := decide(self.program, budget):
                self.nodes = 1
                return answer
        if sum(len(row.terms) for row in self.program.rows) <= _TERMS:
            search = Search(self.program, point=self.incumbent, progress=self.progress)
            tree = self._run_shortly(search)
            if tree.closed or tree.ray is not None or self.interrupted or not tree.limited:
                return self._ended(tree)
        said = self._claims(self.program)
        point = self.best = self._best_point(said, self.best)
        budget = self.budget if self.certify else self.budget.part(_PATIENCE)
        value = self._minimised(point) if self.cutoff else None
        steps = max(_ROOT, _PART * self.limit) if self.certify else _ROOT
        left = budget.share(_MOST)
        self.strengthened = strengthen(self.program, value, left, self._closes, steps * _STEPS)
        search = self._search_strengthened(self.strengthened, point)
        return self._ended(self._run(search, budget), said)

    def _ended(self, tree: Tree, said: Sequence[Claim] = ()) -> Answer:
        """The answer of a search that is over, whatever has ended it."""
        if tree.closed:
            self.notes += refuted(self.program, said, tree.point)
            return self._conclude(tree)
        if tree.ray is not None:
            return self._conclude_unbounded(tree.ray)
        return self._open(tree, said)

    def _closes(self, own: Strengthened, nodes: int, iterations: int) -> bool:
        """Whether the tree of a strengthened program closes within so little."""
        search = Search(own.program, point=self.best)
        tree = search.run(replace(self.budget, nodes=nodes), iterations=iterations)
        if search.interrupted:
            raise KeyboardInterrupt
        return tree.closed

    def _minimised(self, point: Point | None) -> Fraction | None:
        """The minimised objective of a point, without the constant."""
        if point is None:
            return None
        return self.program.sense.sign * (self.program.objective(point) - self.program.constant)

    def _run_shortly(self, search: Search) -> Tree:
        """A few nodes of a search."""
        size = 1 + len(self.program.rows) + len(self.program.columns)
        budget = replace(self.budget, nodes=_FEW).part(_PATIENCE)
        tree = search.run(budget, iterations=_ALONE / size)
        self.nodes += search.explored
        self.best = tree.point
        self.interrupted |= search.interrupted
        return tree

    def _run(self, search: Search, budget: Budget, *, kept: bool = True) -> Tree:
        """Search in slices, and leave time for the kernel; what they prove is ``kept``."""
        self.nodes -= search.explored
        before, pause, check, spent = self.nodes, _FIRST, 0.0, 0.0
        while True:
            left = budget.seconds
            # what is found meanwhile must be checked, too
            part = (left - _SHARE * search.writing - check) / (1 + (check / spent if spent else 0))
            start = time.monotonic()
            tree = search.run(budget.part(max(part, left / 2)), pause)
            spent += time.monotonic() - start
            self.nodes = before + search.explored
            self.best = tree.point
            if tree.closed or tree.ray is not None or not tree.limited or search.interrupted:
                break
            check = self._checking(tree)
            last = budget.nodes is not None and search.explored >= budget.nodes
            if last or budget.seconds <= _SHARE * search.writing + check or budget.is_spent:
                break
            self.so_far = tree if kept else self.so_far
            # most of the time is for the search
            pause = max(min(2 * pause, _OFTEN), _SHARE * search.writing)
        self.interrupted |= search.interrupted
        self.notes += search.notes
        return tree

    def _checking(self, tree: Tree) -> float:
        """How many seconds the kernel would take over a tree, about; 0 without a limit."""
        if math.isinf(self.budget.deadline):
            return 0.0
        own = self.strengthened
        whole = self.program if own is None else own.program
        return seconds_to_confirm(whole, tree.nodes or (), len(self._derived or ()))

    def _claims(self, program: Program) -> tuple[Claim, ...]:
        question = without_semi(program)
        if question is None:
            self.notes.append("A semi variable without bounds: no solver was asked.")
            return ()
        # some of the time is kept for the proof
        left = self.budget.seconds
        said = claims(
            question,
            solvers=self.solvers,
            seconds=_PATIENCE if math.isinf(left) else 0.2 * left,
            seed=self.seed,
            incumbent=self.incumbent if len(question.columns) == len(program.columns) else None,
            alone=self.certify,
        )
        silent = [c for c in said if isinstance(c, Unknown) and c.why != NOT_NEEDED]
        self.notes += [f"{c.solver}: {c.why}." for c in silent]
        return said

    def _best_point(self, said: Sequence[Claim], known: Point | None) -> Point | None:
        """The best of the exact points that the claimed ones lead to."""
        point, notes = best_point(self.program, said, known, self.budget.part(_PATIENCE))
        self.notes += notes
        return point

    def _conclude(self, tree: Tree) -> Answer:
        """The answer that a closed tree proves."""
        check = self._checking(tree)
        if check > self.budget.seconds + _GRACE and tree.nodes:
            late = f"The tree is closed; to check it would take {check:.0f} s more."
            if tree.point is None or tree.bound is None:
                # there is no bound that a certificate could hold, only the journal
                return Unknown(f"There seems to be no point. {late}")
            # its certificate says so much, and can be gone on with
            self.notes.append(late)
            shown = [node.bound for node in tree.nodes if isinstance(node, Bounded)]
            return self._open(replace(tree, bound=min((tree.bound, *shown))), ())
        nodes, derived = tree.nodes or (), self._derived
        full = self.program if self.strengthened is None else self.strengthened.program
        # what nothing rests on is left out
        nodes = collapse(full, nodes, tree.bound, tree.granularity, self.budget)
        if derived is not None:
            derived, nodes = prune(self.program, full, derived, nodes, self.budget)
            derived = derived or None
        if tree.point is None:
            if is_long(nodes, derived or ()):
                return Unknown(f"The contradiction of the rows {TOO_LONG}.")
            document = certificate(self.program, "infeasible", nodes, derived=derived)
            return Infeasible(document)
        x, value, steps = tree.point, self.program.objective(tree.point), tree.granularity
        if is_long(nodes, derived or (), (value,), x):
            self.notes.append(f"The proof that no point is better {TOO_LONG}.")
            return Feasible(x, value, None, None)
        document = certificate(self.program, "optimal", nodes, steps, derived, x=x, value=value)
        return Optimal(x, value, document)

    @property
    def _derived(self) -> tuple[Derived, ...] | None:
        """What was derived before the tree, None if nothing was."""
        return None if self.strengthened is None else self.strengthened.derived or None

    def _outward(self, least: Fraction) -> Fraction:
        """The bound that is proved of the objective, from that of the tree."""
        own = self.strengthened
        if own is not None and own.derived and own.cutoff is not None:
            # of points beyond the cutoff nothing was derived
            least = min(least, own.cutoff)
        return self.program.sense.sign * least + self.program.constant

    def _so_far_document(self, tree: Tree) -> Document | None:
        """The certificate of the bound that an unfinished tree proves, with the best point."""
        if tree.bound is None or tree.nodes is None:
            return None
        bound, derived = self._outward(tree.bound), self._derived or ()
        x = {} if tree.point is None else {"x": tree.point}
        if is_long(tree.nodes, derived, (bound,), *x.values()):
            return None
        return certificate(self.program, "bound", tree.nodes, None, derived, bound=bound, **x)

    def _open(self, tree: Tree, said: Sequence[Claim]) -> Answer:
        """The answer of a tree that is not closed: what it proves so far, and what solvers say."""
        bound = None if tree.bound is None else self._outward(tree.bound)
        document = self._so_far_document(tree)
        found = agreeing(self.program, said, tree.point)
        word = (None, Evidence.ONE_SOLVER, Evidence.TWO_SOLVERS)[min(len(found), 2)]
        if tree.limited:
            self.notes.append(f"The search for a proof did not finish: {self.nodes} nodes.")
        elif tree.obstacle is not None:
            self.notes.append(f"The search for a proof ended: {tree.obstacle}.")
        if tree.point is not None:
            value = self.program.objective(tree.point)
            return Feasible(tree.point, value, bound, document, word)
        why = " in time" if tree.obstacle is None else f": {tree.obstacle}"
        return Unknown(f"Neither a point nor a proof was found{why}.", bound, document, word)

    def _conclude_unbounded(self, ray: Point) -> Answer:
        """The answer when the relaxation decreases without end along a ray."""
        moved = [
            c.name for c, v in zip(self.program.columns, ray, strict=True) if c.kind.semi and v
        ]
        if moved:
            found = decide(recession(self.program), self.budget)
            if isinstance(found, Optimal) and found.objective < 0:
                ray, moved = found.point, []
        ray = scale_ray(self.program, ray)
        search = Search(without_objective(self.program))
        tree = self._run_shortly(search)
        if tree.point is None and not tree.closed:
            point = self._best_point(self._claims(without_objective(self.program)), None)
            if point is not None:
                search.offer(point)
            tree = self._run(search, self.budget.part(_PATIENCE), kept=False)
        if tree.point is not None and moved:
            # so far along the ray all of them are within their bounds, and so it goes on
            return Unknown(f"It is unbounded, along {moved[0]}, {_ENDLESS}.")
        if tree.point is not None:
            if is_long((), (), tree.point, ray):
                return Unknown(f"The ray {TOO_LONG}.")
            document = certificate(self.program, "unbounded", x=tree.point, ray=ray)
            return Unbounded(tree.point, ray, document)
        if tree.closed:
            return self._conclude(tree)
        return Unknown("The relaxation is unbounded; no point was found.")

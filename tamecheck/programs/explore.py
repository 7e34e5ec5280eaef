"""Exploring a part of a search tree: one task of a search, in whatever process it is done.

What is found depends on the program and the task only, so that a tree is the same whoever has
worked on it, and when.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from tamecheck.budget import Budget
from tamecheck.exact.linear import Box
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded, Unknown
from tamecheck.ir.box import is_crossed
from tamecheck.ir.program import Kind, Program
from tamecheck.programs.branching import (
    Branch,
    Brancher,
    Ends,
    Split,
    any_branch,
    bounded_branch,
    children,
    exact_branch,
)
from tamecheck.programs.certificate import (
    Bounded,
    Branched,
    Crossed,
    CrossedRow,
    Excluded,
    Gap,
    Node,
    is_long,
    scale,
    unscale,
)
from tamecheck.programs.lattice import gap
from tamecheck.programs.prover import Completion, Prover, is_settled
from tamecheck.programs.scaled import Multipliers, hull_box, minimised
from tamecheck.programs.state import Explored, Open, Point, Task
from tamecheck.solvers.executors import Shared
from tamecheck.solvers.relaxation import LinearAnswer, Relaxation, Relaxed, nearest, packed
from tamecheck.solvers.scaling import power, scale_program, scaling

_SELDOM, _RARELY, _FINE = 8, 32, 1e-9
_ITERATIONS = 5_000
"""Of the simplex method, after which a task ends whatever nodes it may explore."""


Question: TypeAlias = Shared[tuple[Program, bool, Fraction | None]]
"""The program, whether its tree is granular, and the step between values of its objective."""


def explore(question: Question, task: Task, seconds: float | None) -> Explored:
    """The answer to a task in a process that keeps what it knows of the last program."""
    return _explorer(question).explore(task, Budget.of(seconds))


@lru_cache(maxsize=1)
def _explorer(question: Question) -> Explorer:
    program, granular, step = question.value()
    return Explorer(program, granular=granular, step=step)


class Explorer:
    """What explores nodes of a program's tree, depth first.

    A node is closed by multipliers that a solver's are rounded to, where these prove enough; else
    its relaxation is solved in rationals, so that every node ends in a proof or in a branching.  If
    it is ``granular``, a leaf may be closed by a bound that only excludes the next possible
    objective, of those that differ by a ``step``, or by a combination of rows that is no integer.
    """

    def __init__(self, program: Program, *, granular: bool, step: Fraction | None = None) -> None:
        self.scaling = scaling(program)
        self._program = program = scale_program(program, self.scaling)
        self._granular = granular
        self._step = None if step is None else step * power(self.scaling.objective)
        self._relaxation = Relaxation(program, tolerance=_FINE)
        self._prover = Prover(program, self._relaxation)
        self._brancher = Brancher(program, self._relaxation)
        self._completion = Completion(program, self._prover.linear)
        kinds = enumerate(program.columns)
        self._discrete = [(j, c) for j, c in kinds if c.kind is not Kind.CONTINUOUS]
        self._root = hull_box(program)
        ends = list(zip(program.columns, self._root.lower, self._root.upper, strict=True))
        self._endless = any(c.kind.integral and None in (low, high) for c, low, high in ends)
        for j, (_, low, high) in enumerate(ends):
            self._relaxation.set_bounds(j, low, high)
        self._current: Mapping[int, Ends] = {}
        self._budget = Budget()
        self._value: Fraction | None = None
        self._solving = False
        self._count = 0
        self._children: list[Open] = []
        self._found = Explored()

    @property
    def program(self) -> Program:
        """The scaled program."""
        return self._program

    def leaf(self, node: Open, anywhere: Multipliers | None) -> Node | None:
        """The leaf that proves what is known of an open node, None if nothing is."""
        box, known = self.box(node), None if node.known is None else scale(node.known, self.scaling)
        given = known.multipliers if isinstance(known, Bounded) else None
        if known is not None and given is None and self._still(known, box) is not None:
            return node.known
        for multipliers in (given, node.inherited, anywhere, Multipliers({}, 1)):
            if multipliers is None:
                continue
            bound = self._prover.scaled.bound(multipliers, box)
            if bound is not None:
                return unscale(Bounded(multipliers, bound), self.scaling)
        return None

    def box(self, node: Open) -> Box:
        """The bounds of a node."""
        box = Box(list(self._root.lower), list(self._root.upper))
        for j, (low, high) in node.changes.items():
            box.lower[j], box.upper[j] = low, high
        return box

    def explore(self, task: Task, budget: Budget) -> Explored:
        """What the nodes of a task lead to; less of it if the budget is spent."""
        self._budget, self._value, self._solving = budget, task.value, False
        self._found = found = Explored()
        self._brancher.start(task.costs.copy())
        self._relaxation.iterations = 0
        self._count = len(task.open)
        stack = [replace(node, index=k) for k, node in enumerate(task.open)][::-1]
        while stack and found.ray is None and not budget.is_spent:
            if found.explored >= task.nodes or self._relaxation.iterations >= _ITERATIONS:
                break
            node = stack.pop()
            leaf = None
            if node.known is not None:
                leaf = self._still(scale(node.known, self.scaling), self.box(node))
            if leaf is None:
                found.explored += 1
                leaf = self._explore(node)
            if leaf is not None:
                leaf = unscale(leaf, self.scaling)
                if is_long((leaf,)):
                    found.long, leaf = True, None
            if leaf is None:
                # it stays open, with what its parent proved
                stack.append(node)
                found.stuck = not budget.is_spent
                break
            found.nodes.append((node.index, leaf))
            if isinstance(leaf, Branched):
                self._count += 2
                stack += self._children
        found.open, found.lessons = _sent(stack), self._brancher.lessons
        found.iterations = self._relaxation.iterations
        return found

    def _still(self, node: Node | None, box: Box) -> Node | None:
        """A leaf, if it proves enough."""
        scaled = self._prover.scaled
        match node:
            case Bounded(multipliers):
                bound = scaled.bound(multipliers, box)
                closed = bound is not None and self._enough(bound)
                return Bounded(multipliers, bound) if bound is not None and closed else None
            case Excluded(multipliers):
                return node if self._prover.excludes(multipliers, box) else None
            case Gap(multipliers):
                return node if scaled.skips(multipliers, box, self._program) else None
            case Crossed(j):
                return node if is_crossed(box.lower[j], box.upper[j]) else None
            case CrossedRow(i):
                row = self._program.rows[i]
                return node if is_crossed(row.lower, row.upper) else None
            case _:
                return node

    def _explore(self, node: Open) -> Node | None:
        """The node closed or branched; None if neither is possible."""
        box = self._enter(node)
        found = self._find_crossed(node, box)
        if found is None and self._granular:
            found = self._skip(node, box)
        if found is not None:
            return found
        answer = self._relaxation.solve(seconds=self._budget.seconds)
        if self._budget.is_spent:
            return None
        if isinstance(answer, Infeasible):
            proof = self._prover.contradiction(answer.certificate, box)
            if proof is not None:
                return Excluded(proof)
        if isinstance(answer, Optimal) and self._discrete:
            bounded = self._close(node, answer, box)
            if bounded is not None:
                return bounded
            by = self._brancher.choose(answer.point, answer.objective, box)
            # now and then rationals decide, lest tolerances lead on without end
            if by is not None and node.depth % _RARELY != _RARELY - 1:
                return self._branch(node, by, answer, box)
        return self._decide(node, answer, box)

    def _skip(self, node: Open, box: Box) -> Gap | Branched | None:
        """Close a node by a combination of rows that is no integer, or prepare for one.

        Beside unbounded integer columns, branching on a fractional value may go on without end
        where there is no point; once all bounded ones are fixed, their equations show it.
        """
        if node.depth and not (self._endless and node.depth % _SELDOM == 0):
            return None
        skipped = gap(self._program, self._prover.scaled, box)
        if skipped is not None:
            return Gap(skipped)
        by = bounded_branch(self._program, box) if node.depth % _RARELY == 0 < node.depth else None
        return None if by is None else self._branch(node, by, Unknown("not asked"), box)

    def _decide(self, node: Open, answer: LinearAnswer, box: Box) -> Node | None:
        """Close or branch a node by its relaxation in rationals."""
        exact = self._prover.minimum(box, self._budget)
        match exact:
            case Infeasible():
                proof = self._prover.exclude(exact.certificate.multipliers, box)
                return None if proof is None else Excluded(proof)
            case Unbounded(ray=ray):
                self._found.ray = self.scaling.outward(ray)
                return None
            case Optimal(point=point):
                proof = Multipliers.of(dict(enumerate(exact.certificate.multipliers)))
                by = exact_branch(self._program, point)
                if by is None:
                    self._improve(point)
                bound = self._prover.scaled.bound(proof, box)
                if bound is not None and self._enough(bound):
                    return Bounded(proof, bound)
            case _:
                by = any_branch(self._program, answer, box)
        return None if by is None else self._branch(node, by, answer, box)

    def _find_crossed(self, node: Open, box: Box) -> Crossed | CrossedRow | None:
        """A column or a row whose bounds are crossed, if there is one."""
        for j in node.changes if node.depth else range(len(box.lower)):
            if is_crossed(box.lower[j], box.upper[j]):
                return Crossed(j)
        if node.depth:
            return None
        for i, row in enumerate(self._program.rows):
            if is_crossed(row.lower, row.upper):
                return CrossedRow(i)
        return None

    def _enter(self, node: Open) -> Box:
        """Give the relaxation the node's bounds, and return them."""
        box, before = self.box(node), self._current
        self._current = node.changes
        for j in before.keys() | self._current.keys():
            self._relaxation.set_bounds(j, box.lower[j], box.upper[j])
        if not self._solving:
            self._relaxation.restart(node.basis)
            self._completion.restart()
            self._solving = True
        return box

    def _close(self, node: Open, answer: Relaxed, box: Box) -> Bounded | None:
        """The node closed, if its bound excludes points that are better than the best."""
        if node.origin is not None:
            j, side, distance, before = node.origin
            self._brancher.learn(j, side, distance, answer.objective - before)
        bounded = self._bound(answer, box)
        if bounded is not None or not all(
            is_settled(c, answer.point[j]) for j, c in self._discrete
        ):
            return bounded
        # the completion has a relaxation of its own: the basis of this one is still the node's
        found = self._completion.point(answer.point, self._budget, self._value)
        improved = self._improve(found)
        return self._bound(answer, box) if improved else None

    def _bound(self, answer: Relaxed, box: Box) -> Bounded | None:
        if self._value is None:
            return None
        limit = nearest(self._value - (self._step or 0))
        if answer.objective < limit - 1e-6 * max(1.0, abs(limit)):
            return None
        proof = self._prover.bound(answer.certificate, box, self._enough)
        return None if proof is None else Bounded(*proof)

    def _enough(self, bound: Fraction) -> bool:
        """Whether a bound shows that nothing is better than the best point."""
        if self._value is None:
            return False
        if self._step is None:
            return bound >= self._value
        return bound > self._value - self._step

    def _improve(self, point: Point | None) -> bool:
        """Keep a point if it is better than the best."""
        if point is None:
            return False
        value = minimised(self._program, point)
        if self._value is not None and value >= self._value:
            return False
        outward, unit = self.scaling.outward(point), power(-self.scaling.objective)
        if is_long((), (), (value * unit,), outward):
            # nothing is closed on account of it
            self._found.long = True
            return False
        self._value = value
        self._found.points.append(outward)
        return True

    def _branch(self, node: Open, by: Branch | Split, answer: LinearAnswer, box: Box) -> Branched:
        """The node with two children, which are opened behind it."""
        index = self._count
        j, inherited, before, distances = by.column, node.inherited, math.inf, (0.0, 0.0)
        basis = node.basis
        if isinstance(answer, Optimal):
            inherited = self._prover.scaled.round(answer.certificate, 2**20)
            if not node.depth:
                proof = self._prover.bound(answer.certificate, box, lambda _: True)
                self._found.anywhere = None if proof is None else proof[0]
            before = answer.objective
            if isinstance(by, Branch):
                distances = (answer.point[j] - by.at, by.at + 1 - answer.point[j])
            basis = self._relaxation.mark()
        sides = children(self._program, by, box.lower[j], box.upper[j])
        opened = [
            Open(
                index + side,
                {**node.changes, j: ends},
                inherited,
                (j, side, distances[side], before),
                node.depth + 1,
                basis,
            )
            for side, ends in enumerate(sides)
        ]
        # the nearer child is explored first
        self._children = opened[::-1] if distances[0] <= distances[1] else opened
        return Branched(by, (index, index + 1))


def _sent(nodes: list[Open]) -> list[Open]:
    """Open nodes as they are sent to another process; siblings share a basis."""
    known: dict[int, bytes] = {}
    found: list[Open] = []
    for node in nodes:
        basis = node.basis
        if basis is not None and not isinstance(basis, bytes):
            if id(basis) not in known:
                known[id(basis)] = packed(basis)
            basis = known[id(basis)]
        found.append(replace(node, basis=basis))
    return found

"""Branch and bound in which floating point searches and every leaf is proved exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from tamecheck.budget import Budget
from tamecheck.exact.linear import Box
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded, Unknown
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
    node_record,
    point_record,
    scale,
    unscale,
)
from tamecheck.programs.lattice import Granularity, gap, granularity
from tamecheck.programs.prover import Completion, Prover, is_settled
from tamecheck.programs.scaled import Multipliers, hull_box
from tamecheck.solvers.relaxation import LinearAnswer, Relaxation, Relaxed, nearest
from tamecheck.solvers.scaling import power, scale_program, scaling, shift

Point: TypeAlias = tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """How far a search is: nodes, and minimised values in floats, None where there is none.

    ``bound`` is what relaxations say of the open nodes, which need not be proved yet.
    """

    explored: int
    open: int
    value: float | None
    bound: float | None


Progress: TypeAlias = Callable[[Status], None]
Keep: TypeAlias = Callable[[Mapping[str, Any]], None]
"""What takes the records of a journal: see `tamecheck.programs.certificate`."""
_SELDOM, _RARELY, _FINE = 8, 32, 1e-9


@dataclass(frozen=True, slots=True)
class Tree:
    """What a search found: the best point, the nodes, and the bound that all leaves prove.

    ``bound`` is on the minimised objective without its constant, None if a leaf proves none.  A
    tree that is ``closed`` without a point proves that there is none.  ``ray`` is one of the
    relaxation along which the objective decreases without end: the search stops where it finds one.
    """

    point: Point | None
    nodes: tuple[Node, ...] | None
    bound: Fraction | None
    granularity: Granularity | None
    closed: bool
    ray: Point | None = None
    limited: bool = False
    """Whether a limit of time or of nodes ended the search."""

    @property
    def unbounded(self) -> bool:
        """Whether the relaxation is unbounded."""
        return self.ray is not None


@dataclass(slots=True)
class _Open:
    """A node that is not explored: its changed bounds, and the multipliers of its parent.

    ``origin`` says what the branching teaches: column, side, distance, and the value before.
    """

    index: int
    changes: dict[int, Ends]
    inherited: Multipliers | None = None
    origin: tuple[int, int, float, float] | None = None
    depth: int = 0


class Search:
    """Depth-first branch and bound.

    The program is scaled exactly by powers of two before any solver is asked.  A node is closed by
    multipliers that a solver's are rounded to, where these prove enough; else its relaxation is
    solved in rationals, so that every node ends in a proof or in a branching.

    The search may begin with a feasible point.  If it is ``granular``, a leaf may be closed by a
    bound that only excludes the next possible objective, or by a combination of rows that is no
    integer; else the multipliers of every leaf prove the value of the best point, or that there is
    none.  ``progress`` is called now and then with the `Status`, ``keep`` with each point and node.
    """

    def __init__(
        self,
        program: Program,
        *,
        point: Point | None = None,
        progress: Progress | None = None,
        granular: bool = True,
        keep: Keep | None = None,
    ) -> None:
        self._scaling = scaling(program)
        self._program = scale_program(program, self._scaling)
        program = self._program
        self._budget = Budget()
        self._progress = progress
        self._keep = keep
        self._point: Point | None = None
        self._value: Fraction | None = None
        self._granular = granular
        self._step = granularity(program) if granular else None
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
        self._nodes: list[Node | None] = [None]
        self._open = [_Open(0, {})]
        self._children: list[_Open] = []
        self._current: dict[int, Ends] = {}
        self._ray: Point | None = None
        self._anywhere: Multipliers | None = None
        """Those of the root, which prove a bound at every node."""
        self.explored = 0
        self._limited = False
        self.interrupted = False
        self.writing = 0.0
        """Seconds that it took to write down what the last run proved."""
        if point is not None:
            self.offer(point)

    def offer(self, point: Point) -> None:
        """Use a feasible point of the program if it is better than the best one known."""
        self._improve(self._scaling.inward(point))

    def run(self, budget: Budget | None = None) -> Tree:
        """Search until the tree is closed or the budget is spent; Ctrl-C spends it, too.

        An unfinished tree still proves a bound, and the search may go on with another budget.
        """
        self._budget = budget or Budget()
        last = math.inf if self._budget.nodes is None else self.explored + self._budget.nodes
        self._limited = False
        while self._open and self._ray is None:
            if self.explored >= last or self._budget.is_spent:
                self._limited = True
                break
            node = self._open.pop()
            self.explored += 1
            found = None
            try:
                if self._progress and self.explored % 50 == 0:
                    self._progress(self._status(node))
                self._nodes[node.index] = found = self._explore(node)
                if found is not None and self._keep is not None:
                    self._keep(node_record(node.index, unscale(found, self._scaling)))
            except KeyboardInterrupt:
                self.interrupted = True
            if found is None:
                # it stays open, with what its parent proved
                self._open.append(node)
                self._limited = self._budget.is_spent or self.interrupted
                break
            if isinstance(found, Branched):
                self._nodes += [None, None]
                self._open += self._children
            if self.interrupted:
                self._limited = True
                break
        start = time.monotonic()
        tree = self._tree()
        self.writing = time.monotonic() - start
        return tree

    def _status(self, node: _Open) -> Status:
        """The numbers that the progress shows."""
        said = [own.origin[3] for own in (*self._open, node) if own.origin is not None]
        bound = min(said, default=-math.inf)
        unit = -self._scaling.objective
        return Status(
            self.explored,
            len(self._open) + 1,
            None if self._value is None else shift(nearest(self._value), unit),
            shift(bound, unit) if math.isfinite(bound) else None,
        )

    def resume(self, nodes: Sequence[Node | None]) -> None:
        """Go on with a tree of the same program: its leaves that prove enough stay closed."""
        own = [None if node is None else scale(node, self._scaling) for node in nodes]
        self._nodes = list[Node | None]([None] * len(own))
        self._open = list[_Open]()
        stack = [_Open(0, {})] if own else []
        while stack:
            node = stack.pop()
            found, box = own[node.index], self._box(node)
            if isinstance(found, Branched):
                j = found.by.column
                sides = children(self._program, found.by, box.lower[j], box.upper[j])
                for index, ends in zip(found.children, sides, strict=True):
                    stack.append(_Open(index, {**node.changes, j: ends}, depth=node.depth + 1))
                self._nodes[node.index] = found
            elif (closed := self._still(found, box)) is not None:
                self._nodes[node.index] = closed
            else:
                if isinstance(found, Bounded):
                    node.inherited = found.multipliers
                self._open.append(node)

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
            case _:
                return node

    def _explore(self, node: _Open) -> Node | None:
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

    def _skip(self, node: _Open, box: Box) -> Gap | Branched | None:
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

    def _decide(self, node: _Open, answer: LinearAnswer, box: Box) -> Node | None:
        """Close or branch a node by its relaxation in rationals."""
        exact = self._prover.minimum(box, self._budget)
        match exact:
            case Infeasible():
                proof = self._prover.exclude(exact.certificate.multipliers, box)
                return None if proof is None else Excluded(proof)
            case Unbounded(ray=ray):
                self._ray = ray
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

    def _find_crossed(self, node: _Open, box: Box) -> Crossed | CrossedRow | None:
        """A column or a row whose bounds are crossed, if there is one."""
        for j in node.changes if node.depth else range(len(box.lower)):
            low, high = box.lower[j], box.upper[j]
            if low is not None and high is not None and low > high:
                return Crossed(j)
        if node.depth:
            return None
        for i, row in enumerate(self._program.rows):
            if row.lower is not None and row.upper is not None and row.lower > row.upper:
                return CrossedRow(i)
        return None

    def _enter(self, node: _Open) -> Box:
        """Give the relaxation the node's bounds, and return them."""
        box = self._box(node)
        before = self._current
        for j in before.keys() | node.changes.keys():
            if before.get(j) is not node.changes.get(j):
                self._relaxation.set_bounds(j, box.lower[j], box.upper[j])
        self._current = node.changes
        return box

    def _box(self, node: _Open) -> Box:
        box = Box(list(self._root.lower), list(self._root.upper))
        for j, (low, high) in node.changes.items():
            box.lower[j], box.upper[j] = low, high
        return box

    def _close(self, node: _Open, answer: Relaxed, box: Box) -> Bounded | None:
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
        limit = nearest(self._value - (self._step.step if self._step else 0))
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
        return bound > self._value - self._step.step

    def _improve(self, point: Point | None) -> bool:
        """Keep a point if it is better than the best."""
        if point is None:
            return False
        program = self._program
        # minimised, without the constant
        value = program.sense.sign * (program.objective(point) - program.constant)
        if self._value is not None and value >= self._value:
            return False
        self._point, self._value = point, value
        if self._keep is not None:
            self._keep(point_record(self._scaling.outward(point)))
        return True

    def _branch(self, node: _Open, by: Branch | Split, answer: LinearAnswer, box: Box) -> Branched:
        """The node with two children, which are opened behind it."""
        index = len(self._nodes)
        j, inherited, before, distances = by.column, node.inherited, math.inf, (0.0, 0.0)
        if isinstance(answer, Optimal):
            inherited = self._prover.scaled.round(answer.certificate, 2**20)
            if not node.depth:
                proof = self._prover.bound(answer.certificate, box, lambda _: True)
                self._anywhere = None if proof is None else proof[0]
            before = answer.objective
            if isinstance(by, Branch):
                distances = (answer.point[j] - by.at, by.at + 1 - answer.point[j])
        sides = children(self._program, by, box.lower[j], box.upper[j])
        opened = [
            _Open(
                index + side,
                {**node.changes, j: ends},
                inherited,
                (j, side, distances[side], before),
                node.depth + 1,
            )
            for side, ends in enumerate(sides)
        ]
        # the nearer child is explored first
        self._children = opened[::-1] if distances[0] <= distances[1] else opened
        return Branched(by, (index, index + 1))

    def _tree(self) -> Tree:
        """The result, in which open nodes become leaves with their parents' multipliers."""
        closed = not self._open
        found, proved = list(self._nodes), True
        for node in self._open:
            box = self._box(node)
            for multipliers in (node.inherited, self._anywhere, Multipliers({}, 1)):
                if multipliers is None:
                    continue
                bound = self._prover.scaled.bound(multipliers, box)
                if bound is not None:
                    found[node.index] = Bounded(multipliers, bound)
                    break
            else:
                proved = False
        by, unit = self._scaling, power(-self._scaling.objective)
        nodes = [unscale(node, by) for node in found if node is not None]
        bounds = [node.bound for node in nodes if isinstance(node, Bounded)]
        lowest = min(bounds) if proved and bounds else None
        steps = None
        if self._step is not None:
            rows = {i: y * unit * power(by.rows[i]) for i, y in self._step.rows.items()}
            steps = Granularity(self._step.step * unit, rows)
        return Tree(
            point=None if self._point is None else by.outward(self._point),
            nodes=tuple(nodes) if proved else None,
            bound=self._value * unit if closed and self._value is not None else lowest,
            granularity=steps,
            closed=closed,
            ray=None if self._ray is None else by.outward(self._ray),
            limited=self._limited,
        )

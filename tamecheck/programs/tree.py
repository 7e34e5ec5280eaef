"""Branch and bound in which floating point searches and every leaf is proved exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tamecheck.ir.program import Kind, Program
from tamecheck.programs.branching import Branch, Brancher, Split
from tamecheck.programs.completion import Completion, is_settled
from tamecheck.programs.granularity import Granularity, granularity
from tamecheck.programs.nodes import Bounded, Branched, Crossed, CrossedRow, Excluded, Node
from tamecheck.programs.prover import Prover
from tamecheck.programs.scaled import Box, Multipliers, Number, domain, hull, simple
from tamecheck.solve.relaxation import (
    LinearAnswer,
    Relaxation,
    RelaxedInfeasible,
    RelaxedOptimum,
    RelaxedUnbounded,
    nearest,
)

__all__ = ["Point", "Search", "Tree"]

Point: TypeAlias = tuple[Fraction, ...]
_Ends: TypeAlias = tuple[Number | None, Number | None]


@dataclass(frozen=True, slots=True)
class Tree:
    """What a search found: the best point, the nodes, and the bound that all leaves prove.

    ``bound`` is on the minimised objective without its constant, None if a leaf proves none.  A
    tree that is ``closed`` without a point proves that there is none.
    """

    point: Point | None
    nodes: tuple[Node, ...] | None
    bound: Fraction | None
    granularity: Granularity | None
    closed: bool
    explored: int
    unbounded: bool = False


@dataclass(slots=True)
class _Open:
    """A node that is not explored: its changed bounds, and the multipliers of its parent.

    ``origin`` says what the branching teaches: column, side, distance, and the value before.
    """

    index: int
    changes: dict[int, _Ends]
    inherited: Multipliers | None = None
    origin: tuple[int, int, float, float] | None = None


class Search:
    """Depth-first branch and bound.

    Parameters
    ----------
    program
        The program.
    point
        A feasible point to begin with, if one is known.
    seconds, most_nodes
        Limits; an unfinished tree still proves a bound.
    progress
        Called now and then with the numbers of explored and of open nodes.
    granular
        Whether a leaf may be closed by a bound that only excludes the next possible objective;
        if not, the bound of every leaf reaches the value of the best point.
    """

    def __init__(  # noqa: PLR0913 (options, by keyword only)
        self,
        program: Program,
        *,
        point: Point | None = None,
        seconds: float = math.inf,
        most_nodes: int = 10**9,
        progress: Callable[[int, int], None] | None = None,
        granular: bool = True,
    ) -> None:
        self._program = program
        self._end = time.monotonic() + seconds
        self._most_nodes = most_nodes
        self._progress = progress
        self._point = point
        self._value = None if point is None else self._cost(point)
        self._step = granularity(program) if granular else None
        self._relaxation = Relaxation(program)
        self._prover = Prover(program, self._relaxation)
        self._brancher = Brancher(program, self._relaxation)
        self._completion = Completion(program)
        ends = [hull(column) for column in program.columns]
        self._root = Box([simple(low) for low, _ in ends], [simple(high) for _, high in ends])
        for j, (low, high) in enumerate(ends):
            self._relaxation.set_bounds(j, low, high)
        self._nodes: list[Node | None] = [None]
        self._open = [_Open(0, {})]
        self._current: dict[int, _Ends] = {}
        self._unbounded = False
        self.interrupted = False

    def run(self) -> Tree:
        """Search until the tree is closed or a limit is reached; Ctrl-C is such a limit."""
        explored = 0
        while self._open and explored < self._most_nodes and time.monotonic() < self._end:
            node = self._open.pop()
            explored += 1
            try:
                if self._progress and explored % 50 == 0:
                    self._progress(explored, len(self._open))
                done = self._explore(node)
            except KeyboardInterrupt:
                done, self.interrupted = False, True
            if not done:
                if self._nodes[node.index] is None:
                    # it stays open, with what its parent proved
                    self._open.append(node)
                break
        return self._tree(explored)

    def _explore(self, node: _Open) -> bool:
        """Close or branch a node; false if neither is possible."""
        box = self._enter(node)
        crossed = self._crossed(box)
        if crossed is not None:
            self._nodes[node.index] = crossed
            return True
        answer = self._relaxation.solve(seconds=self._end - time.monotonic())
        self._unbounded |= isinstance(answer, RelaxedUnbounded)
        if self._unbounded or time.monotonic() >= self._end:
            return False
        if isinstance(answer, RelaxedInfeasible):
            proof = self._prover.infeasible(answer, box)
            if proof is not None:
                self._nodes[node.index] = Excluded(proof)
                return True
        by = None
        if isinstance(answer, RelaxedOptimum):
            if self._closes(node, answer, box):
                return True
            by = self._brancher.choose(answer.x, answer.objective, box)
        by = by or self._any_branch(answer, box)
        if by is None:
            # a point within tolerances that is none: one row may say so
            proof = self._prover.infeasible(RelaxedInfeasible(None), box)
            if proof is not None:
                self._nodes[node.index] = Excluded(proof)
            return proof is not None
        self._branch(node, by, answer, box)
        return True

    def _crossed(self, box: Box) -> Crossed | CrossedRow | None:
        """A column or a row whose bounds are crossed, if there is one."""
        for j, (low, high) in enumerate(zip(box.lower, box.upper, strict=True)):
            if low is not None and high is not None and low > high:
                return Crossed(j)
        for i, row in enumerate(self._program.rows):
            if row.lower is not None and row.upper is not None and row.lower > row.upper:
                return CrossedRow(i)
        return None

    def _enter(self, node: _Open) -> Box:
        """Give the relaxation the node's bounds, and return them."""
        box = self._box(node)
        for j in self._current.keys() | node.changes.keys():
            self._relaxation.set_bounds(j, _fraction(box.lower[j]), _fraction(box.upper[j]))
        self._current = node.changes
        return box

    def _box(self, node: _Open) -> Box:
        box = Box(list(self._root.lower), list(self._root.upper))
        for j, (low, high) in node.changes.items():
            box.lower[j], box.upper[j] = low, high
        return box

    def _closes(self, node: _Open, answer: RelaxedOptimum, box: Box) -> bool:
        """Close the node if its bound excludes points that are better than the best."""
        if node.origin is not None:
            j, side, distance, before = node.origin
            self._brancher.learn(j, side, distance, answer.objective - before)
        if self._proves(node, answer, box):
            return True
        columns = zip(self._program.columns, answer.x, strict=True)
        if not all(is_settled(column, x) for column, x in columns):
            return False
        # the completion has a relaxation of its own: the basis of this one is still the node's
        improved = self._improve(self._completion.point(answer.x))
        return improved and self._proves(node, answer, box)

    def _proves(self, node: _Open, answer: RelaxedOptimum, box: Box) -> bool:
        if self._value is None:
            return False
        limit = nearest(self._value - (self._step.step if self._step else 0))
        if answer.objective < limit - 1e-6 * max(1.0, abs(limit)):
            return False
        proof = self._prover.bound(answer, box, self._enough)
        if proof is None:
            return False
        self._nodes[node.index] = Bounded(*proof)
        return True

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
        value = self._cost(point)
        if self._value is not None and value >= self._value:
            return False
        self._point, self._value = point, value
        return True

    def _cost(self, point: Point) -> Fraction:
        """The minimised objective without its constant."""
        program = self._program
        return program.sense.sign * (program.objective(point) - program.constant)

    def _any_branch(self, answer: LinearAnswer, box: Box) -> Branch | Split | None:
        """A branching when the relaxation suggests none: on a variable that is not fixed."""
        for j, column in enumerate(self._program.columns):
            low, high = box.lower[j], box.upper[j]
            if low is not None and low == high:
                continue
            if column.kind is Kind.SEMICONTINUOUS:
                if (low, high) != tuple(simple(end) for end in domain(column)):
                    return Split(j)
            elif column.kind.integral:
                x = answer.x[j] if isinstance(answer, RelaxedOptimum) else None
                return Branch(j, _middle(x, low, high))
        return None

    def _branch(self, node: _Open, by: Branch | Split, answer: LinearAnswer, box: Box) -> None:
        """Replace a node by its two children."""
        index = len(self._nodes)
        self._nodes[node.index] = Branched(by, (index, index + 1))
        self._nodes += [None, None]
        j, inherited, before, distances = by.column, node.inherited, math.inf, (0.0, 0.0)
        if isinstance(answer, RelaxedOptimum):
            inherited = self._prover.scaled.rounded(answer.multipliers, 2**20)
            before = answer.objective
            if isinstance(by, Branch):
                distances = (answer.x[j] - by.at, by.at + 1 - answer.x[j])
        sides = _children(self._program, by, box.lower[j], box.upper[j])
        children = [
            _Open(
                index + side,
                {**node.changes, j: ends},
                inherited,
                (j, side, distances[side], before),
            )
            for side, ends in enumerate(sides)
        ]
        # the nearer child is explored first
        self._open += children[::-1] if distances[0] <= distances[1] else children

    def _tree(self, explored: int) -> Tree:
        """The result, in which open nodes become leaves with their parents' multipliers."""
        closed = not self._open
        proved = True
        for node in self._open:
            multipliers = node.inherited or Multipliers({}, 1)
            bound = self._prover.scaled.bound(multipliers, self._box(node))
            if bound is None:
                proved = False
            else:
                self._nodes[node.index] = Bounded(multipliers, bound)
        nodes = [node for node in self._nodes if node is not None]
        bounds = [node.bound for node in nodes if isinstance(node, Bounded)]
        lowest = min(bounds) if proved and bounds else None
        return Tree(
            point=self._point,
            nodes=tuple(nodes) if proved else None,
            bound=self._value if closed else lowest,
            granularity=self._step,
            closed=closed,
            explored=explored,
            unbounded=self._unbounded,
        )


def _middle(x: float | None, low: Number | None, high: Number | None) -> int:
    """Where to split an interval of integers, at a value if there is one."""
    if x is not None:
        at = round(x)
    elif low is not None and high is not None:
        at = math.floor((low + high) / 2)
    else:
        at = 0
    if high is not None:
        at = min(at, math.ceil(high) - 1)
    return at if low is None else max(at, math.floor(low))


def _children(
    program: Program, by: Branch | Split, low: Number | None, high: Number | None
) -> tuple[_Ends, _Ends]:
    """The bounds of the column in the two children."""
    match by:
        case Branch(_, at):
            return (low, _least(high, at)), (_greatest(low, at + 1), high)
        case Split(j):
            first, last = (simple(end) for end in domain(program.columns[j]))
            zero = (_greatest(low, 0), _least(high, 0))
            return zero, (_greatest(low, first), _least(high, last))


def _least(first: Number | None, second: Number | None) -> Number | None:
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


def _greatest(first: Number | None, second: Number | None) -> Number | None:
    if first is None or second is None:
        return second if first is None else first
    return max(first, second)


def _fraction(number: Number | None) -> Fraction | None:
    return None if number is None else Fraction(number)

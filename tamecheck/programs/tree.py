"""Branch and bound in which floating point searches and every leaf is proved exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any, TypeAlias

from tamecheck.budget import Budget
from tamecheck.errors import EndedError
from tamecheck.ir.program import Program
from tamecheck.programs.branching import Pseudocosts, children
from tamecheck.programs.certificate import (
    TOO_LONG,
    Bounded,
    Branched,
    Node,
    is_long,
    node_record,
    point_record,
)
from tamecheck.programs.condense import condense
from tamecheck.programs.explore import Explorer, explore
from tamecheck.programs.lattice import Granularity, granularity
from tamecheck.programs.scaled import minimised
from tamecheck.programs.state import Explored, Open, Point, Stack, State, Task, push
from tamecheck.solvers.executors import Planned, Turns, share
from tamecheck.solvers.relaxation import nearest
from tamecheck.solvers.scaling import power, shift


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
_NODES, _LEAVES = 50, 200
"""Of a task: the most that are explored, and that are taken over from an earlier search."""
_LARGE = "the program is too large for exact arithmetic"
_LONG = f"a point or a proof {TOO_LONG}"
_AGAIN = 0.5
"""Of the time for the journal, of which users of `writing` take a multiple."""


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
    obstacle: str | None = None
    """What ended it, if no limit did."""

    @property
    def unbounded(self) -> bool:
        """Whether the relaxation is unbounded."""
        return self.ray is not None


class Search:
    """Depth-first branch and bound.

    The program is condensed, and scaled exactly by powers of two, before any solver is asked.  The
    open nodes, the best point and the journal are here; tasks explore nodes with what is below them
    (`Explorer`).  As many tasks as ``ahead`` says are planned at a time, and their answers are
    taken over in turn.  So the tree does not depend on who works on them: this process, or once
    ``start`` is set and the first task was not enough, the executor that it gives.

    The search may begin with a feasible point.  If it is ``granular``, a leaf may be closed by a
    bound that only excludes the next possible objective, or by a combination of rows that is no
    integer; else the multipliers of every leaf prove the value of the best point, or that there is
    none.  ``progress`` is called now and then with the `Status`, ``keep`` with each point and node.
    """

    def __init__(  # noqa: PLR0913 (options, by keyword only)
        self,
        program: Program,
        *,
        point: Point | None = None,
        progress: Progress | None = None,
        granular: bool = True,
        keep: Keep | None = None,
        ahead: int = 1,
        start: Callable[[], Any] | None = None,
    ) -> None:
        self._program = program
        self._granular = granular
        self._granularity = granularity(program) if granular else None
        self._begin(())
        self._progress, self._keep = progress, keep
        self._costs = Pseudocosts()
        self._state = State(Stack(Open(0, {}), None))
        self._nodes: list[tuple[int, Node]] = []
        self._ahead, self._start = ahead, start
        self._leaves: dict[int, Node | None] = {}
        """What is known of open nodes, as far as it was asked."""
        self.obstacle: str | None = None
        """What keeps the search from its end, beside limits."""
        self.notes: list[str] = []
        self._turns = Turns[Task, Explored](self._explore, notes=self.notes)
        self.interrupted = False
        self.writing = 0.0
        """Seconds that it takes to write down what the last run proved, about."""
        self._keeping, self._kept = 0.0, 0
        """Seconds for the records of nodes in the journal, and their number."""
        if point is not None:
            self.offer(point)

    def _begin(self, kept: Collection[int]) -> None:
        """Condense the program, but for columns that are kept."""
        self._own = condense(self._program, kept)
        step = None if self._granularity is None else self._granularity.step
        self._question = self._own.program, self._granular, step
        self._here = Explorer(self._own.program, granular=self._granular, step=step)

    @property
    def explored(self) -> int:
        """How many nodes were explored."""
        return self._state.explored

    def offer(self, point: Point) -> None:
        """Use a feasible point of the program if it is better than the best one known."""
        value = self._better(point, self._state.value)
        if value is None:
            return
        self._state = replace(self._state, point=point, value=value)
        if self._keep is not None:
            self._keep(point_record(point))

    def _better(self, point: Point, than: Fraction | None) -> Fraction | None:
        """The value of a point that is better than another value; None if it is not.

        One that no certificate can hold is not: nothing is closed on account of it.
        """
        whole = minimised(self._program, point)
        value = (whole - self._own.shift) * power(self._here.scaling.objective)
        if than is not None and value >= than:
            return None
        long = is_long((), (), (whole,), point)
        return None if long else value

    def run(
        self,
        budget: Budget | None = None,
        pause: float = math.inf,
        *,
        iterations: float = math.inf,
    ) -> Tree:
        """Search until the tree is closed or the budget is spent; Ctrl-C spends it, too.

        An unfinished tree still proves a bound, and the search may go on with another budget.
        After ``pause`` seconds, or so many ``iterations`` of the simplex method, it ends as soon as
        a task does.
        """
        budget = budget or Budget()
        slice_ = budget.part(pause)
        last = math.inf if budget.nodes is None else self.explored + budget.nodes
        most = self._state.iterations + iterations
        self.obstacle, limited = None, False
        while self._is_open and self._state.ray is None and not limited:
            if slice_.is_spent or self._state.iterations >= most:
                limited = True
                break
            try:
                limited = not self._step(last, budget)
            except KeyboardInterrupt:
                self.interrupted = True
            if self.obstacle is not None:
                limited = False
                break
            limited |= self.interrupted
        start = time.monotonic()
        tree = self._tree(limited=limited)
        self.writing = time.monotonic() - start
        if self._kept:
            # as long as the journal takes the document will take again
            self.writing += _AGAIN * self._keeping / self._kept * self._state.numbered
        return tree

    def resume(self, nodes: Sequence[Node | None]) -> None:
        """Go on with a tree of the same program.

        Its leaves are tried again before anything else, as a part of the search.
        """
        self._begin({node.by.column for node in nodes if isinstance(node, Branched)})
        point = self._state.point
        value = None if point is None else self._better(point, None)
        inward = self._own.inward(nodes)
        opened, known, stack = list[Open](), list[Open](), [Open(0, {})] if nodes else []
        while stack:
            node = stack.pop()
            found = inward[node.index]
            if isinstance(found, Branched):
                j = found.by.column
                box = self._here.box(node)
                sides = children(self._here.program, found.by, box.lower[j], box.upper[j])
                for index, ends in zip(found.children, sides, strict=True):
                    stack.append(Open(index, {**node.changes, j: ends}, depth=node.depth + 1))
                self._nodes.append((node.index, self._own.outward(found)))
            elif found is None:
                opened.append(node)
            else:
                known.append(replace(node, known=found))
        self._state = replace(
            self._state,
            open=push(None, opened + known[::-1]),
            value=value,
            numbered=len(nodes),
            written=len(self._nodes),
        )

    # -- tasks ------------------------------------------------------------------------------------

    def _step(self, last: float, budget: Budget) -> bool:
        """Plan tasks and take over what the first one leads to; False if a limit is reached."""
        self._plan(last)
        if not self._state.planned:
            return False
        if self._start is not None and self._state.begun:
            self._turns.begin(self._start(), partial(explore, share(self._question)))
            self._start = None
        try:
            found = self._turns.answer(self._state.planned, budget)
        except EndedError as error:
            self.obstacle = f"processes ended over the same task (status {error.status})"
            return False
        if found is None:
            return False
        self._take_over(found)
        if self._progress is not None:
            self._progress(self._status())
        return not (found.open and budget.is_spent)

    def _explore(self, task: Task, budget: Budget) -> Explored:
        """The answer to a task in this process, for whatever program it is now."""
        return self._here.explore(task, budget)

    def _plan(self, last: float) -> None:
        """Plan tasks for the next open nodes."""
        stack, planned = self._state.open, list(self._state.planned)
        left = last - self._state.explored - sum(one.task.nodes for one in planned)
        while stack and len(planned) < self._ahead and left > 0:
            taken, stack = [stack.top], stack.rest
            while stack and len(taken) < _LEAVES and taken[-1].known and stack.top.known:
                taken.append(stack.top)
                stack = stack.rest
            nodes = int(min(left, _NODES))
            task = Task(tuple(taken), self._state.value, self._costs.copy(), nodes)
            planned.append(Planned(task))
            left -= nodes
        self._state = replace(self._state, open=stack, planned=tuple(planned))

    def _take_over(self, found: Explored) -> None:
        """Take over what the first of the planned tasks has led to, and write it down."""
        if self._is_long(found):
            # a point that does not count may close what it leads to: it stays open
            self.obstacle = _LONG
            return
        before = self._state
        numbers, numbered = [node.index for node in before.planned[0].task.open], before.numbered
        records = list[Mapping[str, Any]]()
        point, value = before.point, before.value
        for inner in found.points:
            given = self._own.outward_point(inner)
            better = self._better(given, value)
            if better is not None:
                point, value = given, better
                records.append(point_record(given))
        # an interrupt may have left some behind those that count
        del self._nodes[before.written :]
        for own, given in found.nodes:
            node = given
            if isinstance(node, Branched):
                children = numbered, numbered + 1
                numbers += children
                numbered += 2
                node = Branched(node.by, children)
            node = self._own.outward(node)
            self._nodes.append((numbers[own], node))
            records.append(node_record(numbers[own], node))
        opened = [replace(node, index=numbers[node.index]) for node in found.open]
        self._state = State(
            push(before.open, opened),
            before.planned[1:],
            numbered,
            len(self._nodes),
            point,
            value,
            before.explored + found.explored,
            before.iterations + found.iterations,
            None if found.ray is None else self._own.outward_ray(found.ray),
            found.anywhere or before.anywhere,
            begun=True,
        )
        if found.stuck and found.ray is None:
            self.obstacle = _LONG if found.long else _LARGE
        for lesson in found.lessons:
            self._costs.learn(*lesson)
        self._write(records)

    def _is_long(self, found: Explored) -> bool:
        """Whether a point is too long for a certificate only as one of the whole program."""
        if len(self._own.columns) == len(self._own.point):
            return False
        points = map(self._own.outward_point, found.points)
        return any(is_long((), (), (minimised(self._program, x),), x) for x in points)

    def _write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add records to the journal, all of them if there is an interrupt."""
        if self._keep is None:
            return
        start = time.monotonic()
        for record in records:
            try:
                self._keep(record)
            except KeyboardInterrupt:
                self.interrupted = True
                # it may not be written: once more, which says nothing else
                with suppress(KeyboardInterrupt):
                    self._keep(record)
        self._keeping += time.monotonic() - start
        self._kept += len(records)

    # -- what is known ----------------------------------------------------------------------------

    def _all_open(self) -> Iterator[Open]:
        """The nodes that are not explored, planned or not."""
        stack = self._state.open
        while stack:
            yield stack.top
            stack = stack.rest
        for planned in self._state.planned:
            yield from planned.task.open

    @property
    def _is_open(self) -> bool:
        """Whether there is a node that is not explored."""
        return self._state.open is not None or bool(self._state.planned)

    def _status(self) -> Status:
        """The numbers that the progress shows."""
        nodes = list(self._all_open())
        said = [node.origin[3] for node in nodes if node.origin is not None]
        bound = min(said, default=-math.inf)
        unit, known, value = (
            -self._here.scaling.objective,
            nearest(self._own.shift),
            self._state.value,
        )
        return Status(
            self._state.explored,
            len(nodes),
            None if value is None else shift(nearest(value), unit) + known,
            shift(bound, unit) + known if math.isfinite(bound) else None,
        )

    def _tree(self, *, limited: bool) -> Tree:
        """The result, in which open nodes become leaves with what is known of them."""
        closed, value = not self._is_open, self._state.value
        found: list[Node | None] = [None] * self._state.numbered
        for index, node in self._nodes[: self._state.written]:
            found[index] = node
        for node in self._all_open():
            if node.index not in self._leaves:
                leaf = self._here.leaf(node, self._state.anywhere)
                self._leaves[node.index] = None if leaf is None else self._own.outward(leaf)
            found[node.index] = self._leaves[node.index]
        # an interrupt may have lost some
        proved = None not in found
        closed &= proved
        unit = power(-self._here.scaling.objective)
        nodes = [node for node in found if node is not None]
        bounds = [node.bound for node in nodes if isinstance(node, Bounded)]
        lowest = min(bounds) if proved and bounds else None
        return Tree(
            point=self._state.point,
            nodes=tuple(nodes) if proved else None,
            bound=value * unit + self._own.shift if closed and value is not None else lowest,
            granularity=self._granularity,
            closed=closed,
            ray=self._state.ray,
            limited=limited,
            obstacle=self.obstacle,
        )

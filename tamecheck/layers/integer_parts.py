"""All optimal integer parts of a mixed-integer program, by a search whose every cut is proved."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count

from tamecheck.budget import Budget
from tamecheck.errors import InputError, SolverError, UnsupportedError
from tamecheck.exact.hull import Point
from tamecheck.exact.linear import Box, Number, simple
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.box import is_crossed
from tamecheck.ir.program import Kind, Program, Row
from tamecheck.layers.optimal_set import Linear, Vertex
from tamecheck.programs.prover import Prover
from tamecheck.programs.scaled import domain
from tamecheck.programs.tree import Search
from tamecheck.solvers.relaxation import LinearAnswer, Relaxation, nearest

_NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class FixedPart:
    """An integer part, the linear program that it leaves, and its optimum (to be minimised)."""

    integers: Point
    program: Program
    best: Vertex


def optimal_parts(program: Program, budget: Budget, most_parts: int) -> tuple[FixedPart, ...]:
    """Every integer part with which the program has its optimal value.

    Branch and bound where a node is closed only by a proof, exact multipliers, that it is
    infeasible or worse than the best point; so that nodes with ties are followed to their ends.
    A semicontinuous or unbounded integer column, more parts than ``most_parts``, and a spent budget
    are errors.
    """
    for column in program.columns:
        if column.kind.semi:
            raise UnsupportedError(
                f"Column {column.name!r} is semicontinuous.", hint="Model it with a binary column."
            )
    start = Search(program).run(budget.part(budget.seconds / 2))
    if start.closed and start.point is None:
        raise InputError("The program is infeasible.")
    return _Parts(_bound(program, start.point), start.point, budget, most_parts).run()


def _bound(program: Program, point: Point | None) -> Program:
    """The program with finite bounds of its integer columns, which keep all optima."""
    columns, rows, sign = list(program.columns), program.rows, program.sense.sign
    loose = [j for j, c in enumerate(columns) if c.kind.integral and None in domain(c)]
    if not loose:
        return program
    if point is not None:
        limit = sign * (program.objective(point) - program.constant)
        terms = tuple((j, sign * c.cost) for j, c in enumerate(columns) if c.cost)
        names = {row.name for row in rows}
        unused = next(n for n in ("value" + "'" * k for k in count()) if n not in names)
        rows = (*rows, Row(unused, terms, None, limit))
    linear = Linear(Program(program.columns, rows))
    for j in loose:
        found: list[Fraction] = []
        for sign in (1, -1):
            best = linear.optimum([Fraction(sign * (k == j)) for k in range(len(columns))])
            if best is None:
                raise UnsupportedError(
                    f"Integer column {columns[j].name!r} is unbounded among near-optimal points.",
                    hint="Give it bounds.",
                )
            found.append(sign * best.objective)
        columns[j] = replace(
            columns[j], lower=Fraction(math.ceil(found[0])), upper=Fraction(math.floor(found[1]))
        )
    return replace(program, columns=tuple(columns))


class _Parts:
    """The search: integer boxes that may hold optimal parts."""

    def __init__(
        self, program: Program, point: Point | None, budget: Budget, most_parts: int
    ) -> None:
        self._program, self._budget, self._most_parts = program, budget, most_parts
        self._most_nodes = math.inf if budget.nodes is None else budget.nodes
        self._integers = [j for j, c in enumerate(program.columns) if c.kind.integral]
        sign = program.sense.sign
        self._costs = [sign * column.cost for column in program.columns]
        self._value: Fraction | None = None
        if point is not None:
            self._value = sign * (program.objective(point) - program.constant)
        self._relaxation = Relaxation(program)
        self._prover = Prover(program, self._relaxation)
        self._found: dict[Point, FixedPart] = {}

    def run(self) -> tuple[FixedPart, ...]:
        ends = [domain(column) for column in self._program.columns]
        todo = [Box([simple(low) for low, _ in ends], [simple(high) for _, high in ends])]
        nodes = 0
        while todo:
            nodes += 1
            if nodes > self._most_nodes or self._budget.is_spent:
                raise SolverError(
                    f"The search for all optimal integer parts did not end: {nodes} nodes, "
                    f"{len(self._found)} parts with the best value so far.",
                    hint="Give more seconds or nodes, or fix some integer columns.",
                )
            todo.extend(self._explore(todo.pop()))
        if not self._found:
            raise InputError("The program is infeasible.")
        return tuple(self._found.values())

    def _explore(self, box: Box) -> Iterator[Box]:
        """The parts of a box that are left to explore: none if it is closed."""
        ends = list(zip(box.lower, box.upper, strict=True))
        if any(is_crossed(*own) for own in ends):
            return
        if all(box.lower[j] == box.upper[j] for j in self._integers):
            self._leaf(tuple(Fraction(box.lower[j] or 0) for j in self._integers))
            return
        for j, (low, high) in enumerate(ends):
            self._relaxation.set_bounds(j, _exact(low), _exact(high))
        answer = self._relaxation.solve(seconds=self._budget.seconds)
        if not self._closes(answer, box):
            yield from self._children(answer, box)

    def _closes(self, answer: LinearAnswer, box: Box) -> bool:
        if isinstance(answer, Infeasible):
            return self._prover.infeasible(answer.certificate, box) is not None
        if not isinstance(answer, Optimal) or self._value is None:
            return False
        value = self._value
        if answer.objective < nearest(value) - _NEAR * (1 + abs(nearest(value))):
            return False
        return self._prover.bound(answer.certificate, box, lambda bound: bound > value) is not None

    def _children(self, answer: LinearAnswer, box: Box) -> Iterator[Box]:
        """Three boxes about the relaxed value of the most fractional column, the middle last."""
        free = [j for j in self._integers if box.lower[j] != box.upper[j]]
        x = answer.point if isinstance(answer, Optimal) else None
        if x is None:
            j = free[0]
            at = math.floor(((box.lower[j] or 0) + (box.upper[j] or 0)) / 2)
        else:
            j = max(free, key=lambda k: abs(x[k] - round(x[k])))
            at = round(x[j])
        low, high = box.lower[j], box.upper[j]
        at = at if low is None else max(at, math.ceil(low))
        at = at if high is None else min(at, math.floor(high))
        yield _with(box, j, low, at - 1)
        yield _with(box, j, at + 1, high)
        yield _with(box, j, at, at)

    def _leaf(self, values: Point) -> None:
        columns = list(self._program.columns)
        for j, value in zip(self._integers, values, strict=True):
            columns[j] = replace(columns[j], lower=value, upper=value, kind=Kind.CONTINUOUS)
        fixed = replace(self._program, columns=tuple(columns))
        best = Linear(fixed).minimum(self._costs)
        if isinstance(best, Unbounded):
            raise InputError("The program is unbounded.")
        if not isinstance(best, Optimal):
            return
        value = best.objective
        if self._value is not None and value > self._value:
            return
        if self._value is None or value < self._value:
            self._value, self._found = value, {}
        self._found[values] = FixedPart(values, fixed, best)
        if len(self._found) > self._most_parts:
            raise UnsupportedError(
                f"There are more than {self._most_parts} integer parts with the best value that "
                f"was found, so the hull over all of them was not built.",
                hint="Raise most_parts, or fix integer columns that do not matter.",
            )


def _with(box: Box, j: int, low: Number | None, high: Number | None) -> Box:
    lower, upper = list(box.lower), list(box.upper)
    lower[j], upper[j] = low, high
    return Box(lower, upper)


def _exact(number: Number | None) -> Fraction | None:
    return None if number is None else Fraction(number)

"""All optimal integer parts of a mixed-integer program, by a search whose every cut is proved."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tamecheck.budget import Budget
from tamecheck.errors import InputError, SolverError, UnsupportedError
from tamecheck.exact.hull import Point
from tamecheck.exact.linear import Box, Number, simple
from tamecheck.ir.answer import Infeasible, Optimal, Unbounded
from tamecheck.ir.program import Kind, Program, Row
from tamecheck.layers.optimal_set import Linear, Vertex
from tamecheck.programs.prover import Prover
from tamecheck.programs.scaled import domain
from tamecheck.programs.tree import Search
from tamecheck.solvers.relaxation import LinearAnswer, Relaxation, nearest

__all__ = ["FixedPart", "fixed_program", "optimal_parts"]

_NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class FixedPart:
    """An integer part, the linear program that it leaves, and its optimum (to be minimised)."""

    integers: Point
    program: Program
    best: Vertex


def fixed_program(program: Program, integers: Sequence[int], values: Point) -> Program:
    """The linear program in which the integer columns have these values."""
    columns = list(program.columns)
    for j, value in zip(integers, values, strict=True):
        columns[j] = replace(columns[j], lower=value, upper=value, kind=Kind.CONTINUOUS)
    return replace(program, columns=tuple(columns))


def optimal_parts(
    program: Program, *, seconds: float, most_nodes: int, most_parts: int
) -> tuple[FixedPart, ...]:
    """Every integer part with which the program has its optimal value.

    Branch and bound where a node is closed only by a proof, exact multipliers, that it is
    infeasible or worse than the best point; so that nodes with ties are followed to their ends.

    Raises
    ------
    InputError
        If the program is infeasible or unbounded.
    UnsupportedError
        If a column is semicontinuous, or an integer column is unbounded among near-optimal
        points, or there are more than ``most_parts`` optimal integer parts.
    SolverError
        If a limit is reached first.
    """
    for column in program.columns:
        if column.kind.semi:
            raise UnsupportedError(
                f"Column {column.name!r} is semicontinuous.", hint="Model it with a binary column."
            )
    end = time.monotonic() + seconds
    start = Search(program).run(Budget.of(seconds / 2, most_nodes))
    if start.closed and start.point is None:
        raise InputError("The program is infeasible.")
    search = _Parts(_bounded(program, start.point), start.point, end, most_nodes, most_parts)
    return search.run()


def _bounded(program: Program, point: Point | None) -> Program:
    """The program with finite bounds of its integer columns, which keep all optima."""
    ends = [domain(column) for column in program.columns]
    loose = [
        j for j, column in enumerate(program.columns) if column.kind.integral and None in ends[j]
    ]
    if not loose:
        return program
    rows = program.rows
    if point is not None:
        limit = program.sense.sign * (program.objective(point) - program.constant)
        terms = tuple(
            (j, program.sense.sign * c.cost) for j, c in enumerate(program.columns) if c.cost
        )
        rows = (*rows, Row(_unused(program), terms, None, limit))
    linear = Linear(Program(program.columns, rows))
    columns = list(program.columns)
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


def _unused(program: Program) -> str:
    name = "value"
    while any(row.name == name for row in program.rows):
        name += "'"
    return name


class _Parts:
    """The search: integer boxes that may hold optimal parts."""

    def __init__(
        self, program: Program, point: Point | None, end: float, most_nodes: int, most_parts: int
    ) -> None:
        self._program = program
        self._integers = [j for j, c in enumerate(program.columns) if c.kind.integral]
        sign = program.sense.sign
        self._costs = [sign * column.cost for column in program.columns]
        self._value = (
            None if point is None else sign * (program.objective(point) - program.constant)
        )
        self._end, self._most_nodes, self._most_parts = end, most_nodes, most_parts
        self._relaxation = Relaxation(program)
        self._prover = Prover(program, self._relaxation)
        self._found: dict[Point, FixedPart] = {}

    def run(self) -> tuple[FixedPart, ...]:
        ends = [domain(column) for column in self._program.columns]
        todo = [Box([simple(low) for low, _ in ends], [simple(high) for _, high in ends])]
        nodes = 0
        while todo:
            nodes += 1
            if nodes > self._most_nodes or time.monotonic() > self._end:
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
        if any(low is not None and high is not None and low > high for low, high in ends):
            return
        if all(box.lower[j] == box.upper[j] for j in self._integers):
            self._leaf(tuple(Fraction(box.lower[j] or 0) for j in self._integers))
            return
        for j, (low, high) in enumerate(ends):
            self._relaxation.set_bounds(j, _exact(low), _exact(high))
        answer = self._relaxation.solve(seconds=self._end - time.monotonic())
        if not self._closed(answer, box):
            yield from self._children(answer, box)

    def _closed(self, answer: LinearAnswer, box: Box) -> bool:
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
        fixed = fixed_program(self._program, self._integers, values)
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

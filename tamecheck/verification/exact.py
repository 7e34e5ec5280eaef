"""Piecewise linear networks decided in rationals: every linear piece is a system of inequalities.

The network is followed through its steps as exact affine forms on a polyhedron.  Where a step
decides (the sign of a form, the largest of several, an integer part), the polyhedron is divided by
the forms that decide, and a part is dropped when it is empty by multipliers (Motzkin's
transposition theorem) that are multiplied out again.  On a part without open decisions the outputs
are affine, and each case of the property is one more system.  Strict inequalities, equations and
unbounded regions need no tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import isfinite
from typing import TypeAlias

import numpy as np
from flint import fmpq

from tamecheck.budget import Budget
from tamecheck.cells.forms import Forms, NonlinearError
from tamecheck.cells.reading import steps_of
from tamecheck.cells.steps import (
    INPUTS,
    NONE,
    Deciding,
    Extreme,
    Order,
    Pick,
    Pieces,
    Round,
    Step,
    deciding,
)
from tamecheck.errors import InputError, TimeLimitError, UnsupportedError
from tamecheck.exact.feasibility import Inequality as Row
from tamecheck.exact.feasibility import Polyhedron, Vector, minus, opposite
from tamecheck.exact.reals import as_fraction, as_number
from tamecheck.ir.box import Bound
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Case, Inequality
from tamecheck.ir.tensor import Array, size_of
from tamecheck.verification.answer import Witness
from tamecheck.verification.problem import Problem, input_row, polyhedron_of
from tamecheck.verification.witness import Search

_LARGE = 200_000
_MANY_INPUTS = 64
_MANY_VALUES, _FEW_VALUES = 10_000, 8
_LARGEST = 1 << 62
"""Of roundings, which are integers of 64 bits."""
_SMALL = 30_000
_CUT, _SECOND, _LEAF_LONG = 2.0**17, 2.0**34, 2.0
"""The work of a cut, by input, and in a second; the seconds that a box is worth."""

NOT_REACHED = (TimeLimitError, NonlinearError, InputError, ZeroDivisionError)
"""No time, or an op that is not affine on some piece or has no value there."""

Confirm: TypeAlias = Callable[[int, tuple[Fraction, ...]], "Witness | None"]
"""The witness of a case at an input, if the exact outputs there satisfy it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an exact search ended with: the cases that no input satisfies, a witness of another one.

    ``parts`` counts the linear pieces that were reached, ``cuts`` how often a part was divided.
    """

    impossible: frozenset[int]
    witness: Witness | None
    parts: int
    cuts: int = 0


@dataclass(frozen=True, slots=True)
class Exact:
    """A network as exact steps, with the nodes of its outputs and the number of input elements."""

    steps: dict[int, Step]
    outputs: tuple[int, ...]
    inputs: int

    @property
    def decisions(self) -> int:
        """How many forms the steps decide about."""
        return sum(_count_forms(step) for step in self.steps.values())

    def cuts_in(self, seconds: float) -> int:
        """How many cuts of a part take about so many seconds."""
        return int(seconds * _SECOND / (_CUT * (self.inputs + 3)))

    def search(self, cases: Sequence[Case], budget: Budget, confirm: Confirm) -> Outcome:
        """Decide cases, in order, until one has a witness or the budget is spent."""
        groups: dict[object, list[int]] = {}
        for number, case in enumerate(cases):
            groups.setdefault((case.lower, case.upper, case.region), []).append(number)
        impossible: set[int] = set()
        parts = cuts = 0
        for numbers in groups.values():
            # where a point fails that the closed pieces give, their faces are told apart
            for faces in (False, True):
                left = budget.nodes and replace(budget, nodes=max(budget.nodes - cuts, 1))
                wanted = [(n, cases[n].outputs) for n in numbers]
                run = _Descent(self, wanted, left or budget, faces)
                found = run.through(cases[numbers[0]])
                parts, cuts = parts + run.parts, cuts + run.cuts
                witness = None if found is None else confirm(*found)
                if witness is not None:
                    return Outcome(frozenset(impossible), witness, parts, cuts)
                if found is None:
                    break
            if run.complete and found is None:
                impossible.update(numbers)
        return Outcome(frozenset(impossible), None, parts, cuts)

    def pieces(self, case: Case, budget: Budget) -> Iterator[tuple[Polyhedron, Array]]:
        """The parts of a case's region where the outputs are affine, with a column of each output.

        A `TimeLimitError` says that the budget is spent, or that there are too many.
        """
        run = _Descent(self, (), budget, faces=False)
        yield from run.leaves(case)
        if not run.complete:
            raise TimeLimitError("some pieces were not reached")


class Leaves:
    """Boxes with few open decisions, which are followed to their end."""

    def __init__(self, problem: Problem) -> None:
        small = problem.graph.parameters <= _SMALL
        self.exact = exact_of(problem.scores) if small else None

    def decide(
        self, search: Search, number: int, lower: Sequence[float], upper: Sequence[float]
    ) -> tuple[Outcome, float]:
        """Decide a case on a part of its box, which `Outcome` counts as case 0; the work, too."""
        wanted = search.problem.spec.cases[number]
        if self.exact is None:
            return Outcome(frozenset(), None, 0), 0.0
        low = tuple(_inner(v, end, max) for v, end in zip(lower, wanted.lower, strict=True))
        high = tuple(_inner(v, end, min) for v, end in zip(upper, wanted.upper, strict=True))
        part = replace(wanted, lower=low, upper=high)
        cut = _CUT * (self.exact.inputs + 3)
        found = self.exact.search(
            [part],
            replace(search.budget, nodes=self.exact.cuts_in(_LEAF_LONG)),
            lambda _, point: search.confirm_exactly(number, point),
        )
        return found, (found.cuts + 1) * cut


def _inner(value: float, end: Bound, choose: Callable[[Fraction, Fraction], Fraction]) -> Bound:
    return (
        end
        if not isfinite(value)
        else Fraction(value)
        if end is None
        else choose(Fraction(value), end)
    )


def exact_of(graph: Graph) -> Exact | None:
    """The network as exact steps; None if it is large or not piecewise linear."""
    inputs = sum(map(size_of, graph.inputs.values()))
    if graph.parameters > _LARGE or inputs > _MANY_INPUTS:
        return None
    try:
        steps = steps_of(graph)
    except (UnsupportedError, InputError):
        return None
    return Exact(steps, tuple(node for _, node in graph.outputs), inputs)


def point_of(case: Case) -> tuple[Fraction, ...] | None:
    """An input in the region of a case; None if there is none."""
    found = polyhedron_of(case)
    return None if found is None else tuple(map(as_fraction, found.point))


Option: TypeAlias = tuple[int | None, tuple[Row, ...]]
"""A decision, and the inequalities of the points where it is taken; None for all others."""


class _Descent:
    """Depth first through the decisions of one region, for the cases that have it."""

    def __init__(
        self,
        exact: Exact,
        cases: Sequence[tuple[int, tuple[Inequality, ...]]],
        budget: Budget,
        faces: bool,  # noqa: FBT001 (given by name of the loop that passes it)
    ) -> None:
        self.exact, self.cases, self.budget, self.faces = exact, cases, budget, faces
        self.parts, self.cuts, self.complete = 0, 0, True
        self.order = list(exact.steps)
        eye = [
            [Fraction(int(i == j)) for j in range(exact.inputs + 1)] for i in range(exact.inputs)
        ]
        self.entries = Forms.of_rows(exact.inputs, eye)

    def through(self, case: Case) -> tuple[int, tuple[Fraction, ...]] | None:
        """The first case that has a point, with the point; not ``complete`` if it was stopped."""
        try:
            hits = (self._hit(part, outputs) for part, outputs in self.leaves(case))
            return next(filter(None, hits), None)
        except NOT_REACHED:
            self.complete = False
            return None

    def leaves(self, case: Case) -> Iterator[tuple[Polyhedron, Array]]:
        """The parts where the outputs are affine, with a column of coefficients of each output."""
        start = polyhedron_of(case)
        stack = [] if start is None else [self._walk(start, 0, {INPUTS: self.entries})]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
                continue
            part, position, forms = found
            if position < len(self.order):
                stack.append(self._walk(part, position, forms))
                continue
            self.parts += 1
            columns = [
                forms[node].value[0].reshape(self.exact.inputs + 1, -1)
                for node in self.exact.outputs
            ]
            yield part, np.concatenate(columns, axis=1)

    def _walk(
        self, part: Polyhedron, position: int, forms: dict[int, Forms]
    ) -> Iterator[tuple[Polyhedron, int, dict[int, Forms]]]:
        """The parts after the next deciding step, each with the forms of the nodes so far."""
        forms = dict(forms)
        for number in range(position, len(self.order)):
            self.budget.check()
            node = self.order[number]
            step = self.exact.steps[node]
            args = [forms[arg] for arg in step.args]
            decides = deciding(step)
            if decides is not None:
                yield from self._divide(part, decides, args, (node, number + 1, forms))
                return
            forms[node] = step.value(args, NONE)
        yield part, len(self.order), forms

    def _divide(
        self,
        part: Polyhedron,
        step: Deciding,
        args: Sequence[Forms],
        at: tuple[int, int, dict[int, Forms]],
    ) -> Iterator[tuple[Polyhedron, int, dict[int, Forms]]]:
        node, position, forms = at
        asked = step.questions(args).value[0]
        count = _decisions(step, asked)
        stack: list[tuple[Polyhedron, list[int]]] = [(part, [])]
        while stack:
            self.budget.check()
            here, decided = stack.pop()
            if len(decided) == count:
                value = step.value(args, np.array([decided], dtype=np.int64))
                yield here, position, {**forms, node: value}
                continue
            for choice, rows in _options(step, asked, len(decided), here, faces=self.faces):
                self.cuts += 1
                if self.budget.nodes is not None and self.cuts > self.budget.nodes:
                    raise TimeLimitError("the number of cuts is reached")
                if choice is None:
                    self.complete = False
                elif (child := here.cut(rows)) is not None:
                    stack.append((child, [*decided, choice]))

    def _hit(self, part: Polyhedron, outputs: Array) -> tuple[int, tuple[Fraction, ...]] | None:
        """A case that has a point in a part where the outputs are affine."""
        size = self.exact.inputs
        for number, wanted in self.cases:
            self.budget.check()
            found = part.cut([_output_row(one, outputs, size) for one in wanted])
            if found is not None:
                return number, tuple(map(as_fraction, found.point))
        return None


def _output_row(one: Inequality, outputs: Array, size: int) -> Row:
    form, strict = input_row(one, size)
    row = list(form)
    for index, coefficient in one.outputs:
        factor = as_number(coefficient)
        row = [a - factor * c for a, c in zip(row, outputs[:, index].tolist(), strict=True)]
    return tuple(row), strict


def _count_forms(step: Step) -> int:
    match step:
        case Pieces(terms=terms, shape=shape):
            return len(terms) * size_of(shape)
        case Extreme(groups=groups):
            return int(groups.size)
        case Order(groups=groups, pairs=pairs):
            return len(groups) * len(pairs)
        case Round() | Pick():
            # one entry of its own at the least; how many elements is known by the argument
            return 1
        case _:
            return 0


def _decisions(step: Deciding, asked: Array) -> int:
    match step:
        case Extreme(groups=groups):
            return len(groups)
        case Order(groups=groups, pairs=pairs):
            return len(groups) * len(pairs)
        case _:
            return int(asked.shape[1])


def _column(asked: Array, column: int) -> Vector:
    return tuple(asked[:, column].tolist())


def _options(
    step: Deciding, asked: Array, number: int, part: Polyhedron, *, faces: bool
) -> Iterator[Option]:
    """The ways in which decision ``number`` of a step can fall, likely or not."""
    match step:
        case Pieces(jump=jump):
            row = _column(asked, number)
            # without a jump both sides have the same value between them
            strict = jump or faces
            joined = step.zero_joins(number) if strict else None
            yield 1, ((row, strict and joined != 1),)
            yield -1, ((opposite(row), strict and joined != -1),)
            if strict and joined is None:
                yield 0, ((row, False), (opposite(row), False))
        case Extreme():
            yield from _winners(step, asked, number)
        case Round():
            yield from _round(step, _column(asked, number), part)
        case Order(groups=groups, pairs=pairs, descending=descending):
            row, pair = divmod(number, len(pairs))
            i, j = (row * groups.shape[1] + k for k in pairs[pair])
            ahead = minus(_column(asked, i), _column(asked, j))
            later = opposite(ahead) if descending else ahead
            sign = -1 if descending else 1
            yield sign, ((later, True),)
            yield 0, ((opposite(later), False),)
        case Pick():
            form = _column(asked, number)
            value = as_fraction(form[-1])
            if any(form[:-1]) or value.denominator != 1:
                raise NonlinearError
            yield int(value), ()


def _winners(step: Extreme, asked: Array, number: int) -> Iterator[Option]:
    count = int(step.groups.shape[1])
    forms = [_column(asked, number * count + k) for k in range(count)]
    for winner in range(count):
        rows: list[Row] = []
        for rival in range(count):
            if rival != winner:
                ahead = minus(forms[winner], forms[rival])
                # of equal ones the index is that of the first, or of the last
                strict = step.index and ((rival < winner) != step.last)
                rows.append((ahead if step.largest else opposite(ahead), strict))
        yield winner, tuple(rows)


def _round(step: Round, row: Vector, part: Polyhedron) -> Iterator[Option]:
    low, high = part.range(row)
    offset, half = as_number(step.offset), fmpq(1, 2)
    if low is None or high is None or high - low > _FEW_VALUES:
        high, least = part.most(row), part.most(opposite(row))
        low = None if least is None else -least
    value = sum((a * x for a, x in zip(row, part.point, strict=False)), row[-1])
    if low is None or high is None or high - low > _MANY_VALUES:
        # where the values do not end, some around that of the point
        low, high = value - _FEW_VALUES, value + _FEW_VALUES
        yield None, ()
    first, last = int((low - offset).floor()), int((high - offset).ceil())
    if max(-first, last) >= _LARGEST:
        yield None, ()
        return
    numbers = sorted(range(first, last + 1), key=lambda k: abs(k - value), reverse=True)
    for jump in (offset + number for number in numbers):
        at = (*row[:-1], row[-1] - jump)
        after = (*row[:-1], row[-1] - jump - 1)
        before, between = step.integer_at(jump), step.integer_at(jump + half)
        if before == between:
            yield before, ((at, False), (opposite(after), True))
        else:
            yield step.integer_at(jump), ((at, False), (opposite(at), False))
            yield step.integer_at(jump + half), ((at, True), (opposite(after), True))

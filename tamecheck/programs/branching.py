"""Which variable to branch on: pseudocosts, begun by looking at both children for a moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tamecheck.exact.linear import Box, Number, simple
from tamecheck.ir.answer import Optimal
from tamecheck.ir.box import is_within
from tamecheck.ir.program import Kind, Program
from tamecheck.programs.prover import is_inside
from tamecheck.programs.scaled import domain
from tamecheck.solvers.relaxation import LinearAnswer, Relaxation

Ends: TypeAlias = tuple[Number | None, Number | None]

_RELIABLE, _CANDIDATES, _WORSE, _ITERATIONS = 8, 100, 8, 100
"""How often a column is looked at; how many at a node, and how many in a row that are no better;
iterations of the simplex method in each child."""
_LEAST = 1e-9
"""Growth that is taken for more."""
_FAR, _TOLERANCES = 1e-6, (1e-6, 2e-9)
"""Of floats that are 0 or within bounds; of those that are integers: the finer where none differs
by more than the other."""
_LARGEST = 2.0**40
"""The fractional part of a larger float says little."""


@dataclass(frozen=True, slots=True)
class Branch:
    """``x_j <= at`` or ``x_j >= at + 1``."""

    column: int
    at: int


@dataclass(frozen=True, slots=True)
class Split:
    """``x_j = 0`` or ``x_j`` within the bounds of the semi variable."""

    column: int


class Pseudocosts:
    """Observed growth of the objective for a unit of change of columns, downward and upward."""

    def __init__(self) -> None:
        self._total: dict[tuple[int, int], float] = {}
        self._count: dict[tuple[int, int], int] = {}
        self._all = [1e-6, 1e-6]
        self._of_all = [1, 1]

    def copy(self) -> Pseudocosts:
        """The same, which learns on its own."""
        other = Pseudocosts()
        other._total, other._count = dict(self._total), dict(self._count)
        other._all, other._of_all = list(self._all), list(self._of_all)
        return other

    def learn(self, column: int, side: int, unit: float) -> None:
        """Record the growth for a unit, down (0) or up (1)."""
        key = column, side
        self._total[key] = self._total.get(key, 0.0) + unit
        self._count[key] = self._count.get(key, 0) + 1
        self._all[side] += unit
        self._of_all[side] += 1

    def count(self, column: int) -> int:
        """How often both sides were seen at least."""
        return min(self._count.get((column, side), 0) for side in (0, 1))

    def mean(self, column: int, side: int) -> float:
        """The mean growth on a side, of all columns where that of this one was never seen."""
        key = column, side
        if key in self._count:
            return self._total[key] / self._count[key]
        return self._all[side] / self._of_all[side]


Lesson: TypeAlias = tuple[int, int, float]
"""A column, a side, and the growth of the objective for a unit of change."""


class Brancher:
    """Learns from each branching how much the relaxation's value grows.

    The relaxation holds the node's bounds when `choose` is called.
    """

    def __init__(self, program: Program, relaxation: Relaxation) -> None:
        self._program = program
        self._relaxation = relaxation
        self._integral = [j for j, c in enumerate(program.columns) if c.kind.integral]
        self._semi = [j for j, c in enumerate(program.columns) if c.kind.semi]
        self._costs = Pseudocosts()
        self.lessons: list[Lesson] = []
        """What was learned since the last start."""

    def start(self, costs: Pseudocosts) -> None:
        """Begin with what is known."""
        self._costs, self.lessons = costs, []

    def learn(self, column: int, side: int, distance: float, growth: float) -> None:
        """Record that moving a column by ``distance`` down (0) or up (1) raised the objective."""
        if distance <= 1e-9 or not math.isfinite(growth):
            return
        unit = max(growth, 0.0) / distance
        self._costs.learn(column, side, unit)
        self.lessons.append((column, side, unit))

    def choose(self, x: Sequence[float], objective: float, box: Box) -> Branch | Split | None:
        """The most promising branching at a node, None if every variable is settled."""
        for j in self._semi:
            if abs(x[j]) > _FAR and not is_inside(self._program.columns[j], x[j], _FAR):
                return Split(j)
        for tolerance in _TOLERANCES:
            candidates = [
                (self._score(j, x[j]), j)
                for j in self._integral
                if abs(x[j] - round(x[j])) > tolerance
                and abs(x[j]) < _LARGEST
                and (box.lower[j] is None or box.lower[j] != box.upper[j])
            ]
            if candidates:
                break
        else:
            return None
        candidates.sort(reverse=True)
        scores = {j: score for score, j in candidates}
        unknown = [j for _, j in candidates if self._costs.count(j) < _RELIABLE]
        best = max((scores[j] for j in scores.keys() - set(unknown)), default=0.0)
        worse = 0
        for j in unknown[:_CANDIDATES]:
            scores[j] = self._look(j, x[j], objective, box)
            worse = 0 if scores[j] > best else worse + 1
            best = max(best, scores[j])
            if worse >= _WORSE:
                break
        chosen = max(scores, key=lambda j: scores[j])
        return Branch(chosen, math.floor(x[chosen]))

    def _look(self, j: int, value: float, objective: float, box: Box) -> float:
        """Learn from a few iterations in both children, and score what they say."""
        at = math.floor(value)
        down = self._relaxation.probe(j, box.lower[j], at, _ITERATIONS)
        up = self._relaxation.probe(j, at + 1, box.upper[j], _ITERATIONS)
        scale = max(abs(objective), 1.0)
        growths = min(down - objective, scale), min(up - objective, scale)
        self.learn(j, 0, value - at, growths[0])
        self.learn(j, 1, at + 1 - value, growths[1])
        return max(growths[0], _LEAST) * max(growths[1], _LEAST)

    def _score(self, j: int, value: float) -> float:
        part = value - math.floor(value)
        down, up = (self._costs.mean(j, side) for side in (0, 1))
        return max(down * part, _LEAST) * max(up * (1 - part), _LEAST)


def any_branch(program: Program, answer: LinearAnswer, box: Box) -> Branch | Split | None:
    """A branching when the relaxation suggests none: on a variable that is not fixed."""
    for j, column in enumerate(program.columns):
        low, high = box.lower[j], box.upper[j]
        if low is not None and low == high:
            continue
        if column.kind is Kind.SEMICONTINUOUS:
            if (low, high) != tuple(simple(end) for end in domain(column)):
                return Split(j)
        elif column.kind.integral:
            x = answer.point[j] if isinstance(answer, Optimal) else None
            return Branch(j, middle(x, low, high))
    return None


def bounded_branch(program: Program, box: Box) -> Branch | None:
    """A branching on a bounded integer column that is not fixed."""
    widths = [
        (high - low, j)
        for j, (low, high) in enumerate(zip(box.lower, box.upper, strict=True))
        if program.columns[j].kind is Kind.INTEGER
        and low is not None
        and high is not None
        and low < high
    ]
    if not widths:
        return None
    _, j = min(widths)
    return Branch(j, middle(None, box.lower[j], box.upper[j]))


def exact_branch(program: Program, point: Sequence[Fraction]) -> Branch | Split | None:
    """A branching on the column that is farthest from what its kind admits, None if all are."""
    chosen, farthest = None, Fraction(0)
    for j, (column, x) in enumerate(zip(program.columns, point, strict=True)):
        if column.admits(x):
            continue
        if column.kind.semi and x != 0 and not is_within(x, *domain(column)):
            return Split(j)
        distance = min(x - math.floor(x), math.ceil(x) - x)
        if distance > farthest:
            chosen, farthest = Branch(j, math.floor(x)), distance
    return chosen


def middle(x: float | None, low: Number | None, high: Number | None) -> int:
    """Where to split an interval of integers, at a value if there is one."""
    if x is not None:
        at = round(x)
    elif low is not None and high is not None:
        # numbers may be beyond the floats
        at = math.floor((low + high) // 2)
    else:
        at = 0
    if high is not None:
        at = min(at, math.ceil(high) - 1)
    return at if low is None else max(at, math.floor(low))


def children(
    program: Program, by: Branch | Split, low: Number | None, high: Number | None
) -> tuple[Ends, Ends]:
    """The bounds of the column in the two children."""
    match by:
        case Branch(_, at):
            return (low, _least(high, at)), (_greatest(low, at + 1), high)
        case Split(j):
            first, last = (simple(end) for end in domain(program.columns[j]))
            zero = (_greatest(low, 0), _least(high, 0))
            return zero, (_greatest(low, first), _least(high, last))


def _least(*ends: Number | None) -> Number | None:
    return min((end for end in ends if end is not None), default=None)


def _greatest(*ends: Number | None) -> Number | None:
    return max((end for end in ends if end is not None), default=None)

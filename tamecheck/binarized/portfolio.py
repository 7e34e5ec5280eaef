"""A solver portfolio for a ball: the network as cardinalities and as a program, and the answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tamecheck.binarized.network import Ball, Outcome, ThresholdNetwork
from tamecheck.errors import SolverError
from tamecheck.ir.answer import Feasible, Infeasible, Optimal
from tamecheck.ir.program import Column, Kind, Program, Row
from tamecheck.ir.tensor import Array
from tamecheck.solvers.claims import claims
from tamecheck.solvers.sat import AtMost, satisfiable

_LARGEST, _SECOND = 200_000, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Whether a point of the ball is decided for one of the targets over the decision."""

    folded: ThresholdNetwork
    ball: Ball
    decision: int
    targets: Sequence[int]


def ask(question: Question, seconds: float, deadline: float) -> Outcome:
    """Ask one solver after the other, each for about so long, until a value of the clock.

    A solver that says "none" is followed by the other, which has as long again and at least ten
    seconds to say so too.  A point ends the questions; whoever uses it evaluates it.
    """
    whys: list[str] = []
    order = tuple(_SOLVERS)
    for number, solver in enumerate(order):
        started = time.monotonic()
        if started >= deadline:
            return Outcome(why="Out of time.")
        said = _SOLVERS[solver](question, min(seconds, deadline - started))
        if said.why:
            whys.append(said.why)
            continue
        if said.point is not None or number + 1 == len(order):
            return said
        now = time.monotonic()
        again, other = max(_SECOND, now - started), order[number + 1]
        second = _SOLVERS[other](question, min(again, deadline - now))
        if second.why:
            return said
        return second if second.point is not None else replace(said, solvers=(solver, other))
    return Outcome(why=" ".join(whys))


def _minicard(question: Question, seconds: float) -> Outcome:
    parts = question.folded, question.ball, question.decision, question.targets
    try:
        formula, inputs = misclassified(*parts)
    except SolverError as error:
        return Outcome(why=error.message)
    claim = satisfiable(formula.clauses, formula.at_most, seconds=seconds)
    if isinstance(claim, Infeasible):
        return Outcome(closed=True, solvers=("minicard",))
    if not isinstance(claim, Feasible):
        return Outcome(why=f"minicard: {claim.why}.")
    true = set(claim.point)
    states = np.array([1 if v in true else -1 for v in inputs], dtype=np.int8)
    return Outcome(point=states, solvers=("minicard",))


def _highs(question: Question, seconds: float) -> Outcome:
    parts = question.folded, question.ball, question.decision, question.targets
    if not seconds > 0 or not math.isfinite(seconds):
        return Outcome(why="highs: out of time.")
    (claim,) = claims(misclassified_program(*parts), solvers=("highs",), seconds=seconds)
    if isinstance(claim, Infeasible):
        return Outcome(closed=True, solvers=("highs",))
    if isinstance(claim, Optimal | Feasible):
        values = np.array(claim.point[: question.folded.inputs])
        states = np.where(values > 1 / 2, np.int8(1), np.int8(-1))
        return Outcome(point=states, solvers=("highs",))
    return Outcome(why=f"highs: {getattr(claim, 'why', 'unbounded')}.")


_SOLVERS: dict[str, Callable[[Question, float], Outcome]] = {
    "minicard": _minicard,
    "highs": _highs,
}


def _counted(weights: Array, least: int) -> tuple[int, int, Array]:
    """``weights @ s >= least`` over literals: how many are needed, of how many, and their copies.

    Weights are divided by their greatest common divisor; one above 1 stands for copies of its
    literal, a negative one for those of its negation.
    """
    common = int(np.gcd.reduce(weights)) if len(weights) else 0
    if not common:
        return int(least > 0), 0, weights
    copies = weights // common
    total = int(np.abs(copies).sum())
    # the sum of ±1 values reaches the bound when enough of the signed literals are true
    count = -((-(-((-least) // common) + total)) // 2)
    return min(max(count, 0), total + 1), total, copies


class Formula:
    """Clauses and cardinality constraints under construction; a variable is a number from 1."""

    def __init__(self) -> None:
        self.variables = 0
        self.clauses: list[list[int]] = []
        self.at_most: list[AtMost] = []

    def variable(self) -> int:
        """A new variable."""
        self.variables += 1
        if self.variables > _LARGEST:
            raise SolverError("The weights are too large for an encoding in cardinalities.")
        return self.variables

    def implies_sum(self, guard: int, literals: Sequence[int], weights: Array, least: int) -> None:
        """Add ``guard -> sum of weights * (±1 value of literal) >= least``.

        The guard stands for as many copies as the bound needs.
        """
        count, total, copies = _counted(weights, least)
        if count == 0:
            return
        if count > total:
            self.clauses.append([-guard])
            return
        wrong: list[int] = []
        for literal, size in zip(literals, copies.tolist(), strict=True):
            if size:
                false = -literal if size > 0 else literal
                wrong.append(false)
                wrong.extend(self._copy(false) for _ in range(abs(size) - 1))
        if count == total:
            self.clauses.extend([-guard, -literal] for literal in wrong)
            return
        wrong.extend(self._copy(guard) for _ in range(count))
        self.at_most.append((wrong, total))

    def decided_for(
        self,
        network: ThresholdNetwork,
        states: Sequence[int],
        decision: int,
        targets: Sequence[int],
    ) -> None:
        """Add that at the inputs' ``states`` some target's score beats that of ``decision``."""
        for layer in network.layers:
            after: list[int] = []
            for weights, threshold in zip(layer.weights, layer.thresholds.tolist(), strict=True):
                neuron = self.variable()
                self.implies_sum(neuron, states, weights, threshold)
                self.implies_sum(-neuron, states, -weights, 1 - threshold)
                after.append(neuron)
            states = after
        chosen: list[int] = []
        wins = network.against(decision, targets)
        for weights, least in zip(wins.weights, wins.thresholds.tolist(), strict=True):
            guard = self.variable()
            self.implies_sum(guard, states, weights, least)
            chosen.append(guard)
        self.clauses.append(chosen)

    def _copy(self, literal: int) -> int:
        """A new variable that is true where the literal is."""
        new = self.variable()
        self.clauses.append([-literal, new])
        return new


def misclassified(
    folded: ThresholdNetwork, ball: Ball, decision: int, targets: Sequence[int]
) -> tuple[Formula, list[int]]:
    """That some target's score beats that of ``decision`` in the ball, and the inputs' literals."""
    formula = Formula()
    states = [formula.variable() for _ in range(folded.inputs)]
    signs = ball.centre.tolist()
    free = set(ball.free)
    formula.clauses.extend(
        [v * s] for i, (v, s) in enumerate(zip(states, signs, strict=True)) if i not in free
    )
    formula.at_most.append(([-states[i] * signs[i] for i in ball.free], ball.radius))
    formula.decided_for(folded, states, decision, targets)
    return formula, states


def misclassified_program(
    folded: ThresholdNetwork, ball: Ball, decision: int, targets: Sequence[int]
) -> Program:
    """A program whose points are those of the ball that are decided for a target.

    Every state is a column 0 (-1) or 1.  The sum of a neuron's signed literals l, ``weights`` as
    multiplicities, reaches k exactly where the neuron is +1, hence for its column y

        sum l >= k y,    sum l <= k - 1 + (total - k + 1) y.

    The first ``folded.inputs`` columns are the inputs.
    """
    writer = _Writer()
    free, states = set(ball.free), (ball.centre > 0).tolist()
    before = [writer.column(None if i in free else int(s)) for i, s in enumerate(states)]
    # the flips: 1 - x where the centre is 1, x where it is 0
    signs = np.array([-1 if states[i] else 1 for i in ball.free], dtype=np.int64)
    ones = int((signs < 0).sum())
    writer.row([before[i] for i in ball.free], signs, None, ball.radius - ones)
    for layer in folded.layers:
        pairs = zip(layer.weights, layer.thresholds.tolist(), strict=True)
        before = [writer.neuron(before, weights, threshold) for weights, threshold in pairs]
    guards: list[int] = []
    wins = folded.against(decision, targets)
    for weights, least in zip(wins.weights, wins.thresholds.tolist(), strict=True):
        guards.append(writer.column(None))
        writer.implied(guards[-1], before, weights, least)
    writer.row(guards, np.ones(len(guards), dtype=np.int64), 1, None)
    return Program(tuple(writer.columns), tuple(writer.rows))


class _Writer:
    """Columns and rows under construction."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.rows: list[Row] = []

    def column(self, fixed: int | None) -> int:
        """A new column of 0 and 1."""
        low, high = (0, 1) if fixed is None else (fixed, fixed)
        name = f"x{len(self.columns)}"
        self.columns.append(Column(name, Fraction(low), Fraction(high), Kind.INTEGER))
        return len(self.columns) - 1

    def row(self, places: Sequence[int], weights: Array, low: int | None, high: int | None) -> None:
        """Add ``low <= weights @ columns <= high``; the places increase."""
        pairs = zip(places, weights.tolist(), strict=True)
        terms = tuple((place, Fraction(weight)) for place, weight in pairs if weight)
        ends = (None if end is None else Fraction(end) for end in (low, high))
        self.rows.append(Row(f"r{len(self.rows)}", terms, *ends))

    def neuron(self, before: Sequence[int], weights: Array, threshold: int) -> int:
        """A column that is 1 exactly where the states before, weighted, reach the threshold."""
        found = self.column(None)
        self.implied(found, before, weights, threshold)
        count, total, copies = _counted(weights, threshold)
        # sum l - (total - k + 1) y <= k - 1, with negated literals moved over
        negated = -int(np.minimum(copies, 0).sum())
        slope = np.append(copies, -(total - count + 1))
        self.row([*before, found], slope, None, count - 1 - negated)
        return found

    def implied(self, guard: int, before: Sequence[int], weights: Array, least: int) -> None:
        """Where the guard is 1, the states before, weighted, are at least ``least``."""
        count, _, copies = _counted(weights, least)
        # sum l - k y >= 0, with negated literals moved over
        self.row(
            [*before, guard], np.append(copies, -count), int(np.minimum(copies, 0).sum()), None
        )

"""Samples and interval arithmetic, for models in which some node has no linear bounds."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import TamecheckError
from tamecheck.evaluate import enclose, float_values
from tamecheck.evaluate.enclosure import float_down
from tamecheck.evaluate.float_terms import nearest_float
from tamecheck.ir.box import Bound, Box
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Case, Inequality
from tamecheck.ir.tensor import Array
from tamecheck.verification.answer import Witness
from tamecheck.verification.problem import Problem
from tamecheck.verification.witness import Replay, witness_near

_SAMPLES = 400
_CAP = 1e3


def sample_plainly(
    problem: Problem, rng: np.random.Generator, replay: Replay | None, budget: Budget
) -> Witness | None:
    """A witness among corners and random points, evaluated one by one."""
    graph, spec = problem.scores, problem.spec
    share = budget.part(max(1.0, budget.seconds / 4))
    for number in range(_SAMPLES):
        for region in problem.regions:
            if share.is_spent:
                return None
            lower = np.where(np.isfinite(region.lower), region.lower, -_CAP)
            upper = np.where(np.isfinite(region.upper), region.upper, _CAP)
            mix = rng.random(len(lower))
            x = lower + (upper - lower) * (np.round(mix) if number % 3 == 0 else mix)
            outputs = _floats(graph, x)
            if outputs is None:
                continue
            for case in np.flatnonzero(region.cases):
                if not all(_seems(row, x, outputs) for row in spec.cases[case].outputs):
                    continue
                found = witness_near(problem, int(case), x, replay)
                if found is not None:
                    return found
    return None


def _seems(row: Inequality, x: Array, y: Array) -> bool:
    with np.errstate(all="ignore"):
        total = sum((nearest_float(c) * x[i] for i, c in row.inputs), 0.0)
        total += sum((nearest_float(c) * y[j] for j, c in row.outputs), 0.0)
        # what is no number may be anything
        return not total > nearest_float(row.bound)


def _floats(graph: Graph, x: Array) -> Array | None:
    try:
        found = float_values(graph, graph.split(x))
    except TamecheckError:
        return None
    return np.concatenate([found[name].reshape(-1) for name, _ in graph.outputs])


def bound_plainly(problem: Problem, cases: Sequence[Case], budget: Budget) -> tuple[bool, int]:
    """Whether interval bounds close some cases, halving the widest side; and the boxes seen.

    A side that a box leaves unbounded is not halved.
    """
    seen = 0
    for case in cases:
        heap: list[tuple[float, int, tuple[Bound, ...], tuple[Bound, ...]]]
        heap = [(0.0, 0, case.lower, case.upper)]
        while heap:
            if budget.is_spent:
                return False, seen
            _, _, lower, upper = heapq.heappop(heap)
            seen += 1
            if impossible(problem.scores, case, lower, upper):
                continue
            halves = _halve(lower, upper)
            if halves is None:
                return False, seen
            for turn, (low, high) in enumerate(halves):
                heapq.heappush(heap, (-_width(low, high), 2 * seen + turn, low, high))
    return True, seen


def _width(lower: Sequence[Bound], upper: Sequence[Bound]) -> float:
    pairs = zip(lower, upper, strict=True)
    sides = (b - a for a, b in pairs if a is not None and b is not None)
    return max(map(nearest_float, sides), default=0.0)


def _halve(
    lower: tuple[Bound, ...], upper: tuple[Bound, ...]
) -> list[tuple[tuple[Bound, ...], tuple[Bound, ...]]] | None:
    widths = [
        Fraction(-1) if a is None or b is None else b - a for a, b in zip(lower, upper, strict=True)
    ]
    axis = max(range(len(widths)), key=widths.__getitem__)
    low, high = lower[axis], upper[axis]
    if low is None or high is None or widths[axis] <= Fraction(1, 2**40):
        return None
    middle = Fraction(float_down((low + high) / 2))
    left = (*upper[:axis], middle, *upper[axis + 1 :])
    right = (*lower[:axis], middle, *lower[axis + 1 :])
    return [(lower, left), (right, upper)] if low < middle < high else None


def impossible(
    graph: Graph,
    case: Case,
    lower: tuple[Bound, ...],
    upper: tuple[Bound, ...],
) -> bool:
    """Whether intervals show that no input of the box is unsafe.

    These widen a sum only where float64 does not hold it, so they also settle ties.
    """
    nodes = [node for _, node in graph.outputs]
    box = Box.of_elements(graph.inputs, lower, upper)
    found = enclose(graph, box, hull_above=2**20, nodes=nodes)
    if any(node not in found for node in nodes):
        return False
    low = [v for node in nodes for v in found[node].lower.reshape(-1).tolist()]
    high = [v for node in nodes for v in found[node].upper.reshape(-1).tolist()]
    rows = (*case.region, *case.outputs)
    return any(_above(row, (lower, upper), (low, high)) for row in rows)


def _above(
    row: Inequality,
    x: tuple[Sequence[Bound], Sequence[Bound]],
    y: tuple[Sequence[float], Sequence[float]],
) -> bool:
    """Whether the least left side, in rational arithmetic, exceeds the bound."""
    total = Fraction(0)
    for index, coefficient in row.inputs:
        end = x[0 if coefficient > 0 else 1][index]
        if end is None:
            return False
        total += coefficient * end
    for index, coefficient in row.outputs:
        value = y[0 if coefficient > 0 else 1][index]
        if not np.isfinite(value):
            return False
        total += coefficient * Fraction(value)
    return total >= row.bound if row.strict else total > row.bound

"""Inputs that are declared to be integers: few are counted, of more a box is halved.

A search over real numbers shows that a part holds, or its witness says where to divide the part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import ceil, floor, inf, prod

from flint import arb

from tamecheck.budget import Budget
from tamecheck.ir.box import Bound
from tamecheck.ir.graph import Graph
from tamecheck.ir.spec import Case, Specification
from tamecheck.verification.answer import (
    RECOMPUTATION,
    ROUNDING,
    Answer,
    Holds,
    Unknown,
    Violated,
    Witness,
)
from tamecheck.verification.witness import Replay, exact_outputs, holds_at, replayed

Ask = Callable[[Specification, Budget], Answer]

_COUNTED, _PRODUCTS = 1024, 1 << 18
"""Inputs of a part that are looked at one by one, and the products that this takes."""
_FEW, _LOOK, _WEIGHT = 1 << 20, 2e-4, 1e-6
"""Inputs of a part that is halved; the seconds of a look at one, and more for each parameter."""
_MANY = 1 << 60
_PART, _SHARE, _LONG = 1.0, 0.25, 1e3
"""The seconds that a part has at least, the share of what is left that it has at most."""
_METHOD = "parts between integers"
_NOTE = "No certificate: boxes are divided between integers, and few of these are counted."
_ZERO = Fraction(0)


def branch(
    ask: Ask, graph: Graph, spec: Specification, budget: Budget, replay: Replay | None
) -> Answer:
    """The answer about inputs of which some are integers.

    Parameters
    ----------
    ask
        The answer about real inputs, within a budget.
    graph, spec, replay
        The model, the property, a float32 run.
    budget
        The time for all parts together.
    """
    started, whole = time.monotonic(), spec.whole()
    stack = [whole]
    held, open_ = list[Holds](), list[Unknown]()
    counted, note, few = 0, "", min(_COUNTED, _PRODUCTS // max(graph.parameters, 1) + 1)
    while stack and not (open_ and budget.is_spent):
        part = stack.pop()
        number = sum(_count(case, spec.integral) for case in part.cases)
        is_few = part.cases and number <= few
        looked = _counted(graph, part, budget, replay) if is_few else None
        if isinstance(looked, Witness):
            reason = "An exact evaluation of the witness violates the property."
            return Violated(looked, _METHOD, reason, time.monotonic() - started)
        if looked is not None:
            counted += looked
            continue
        # as long as a look at each input would take
        looks = min(number, _MANY) * (_LOOK + _WEIGHT * graph.parameters)
        limit = budget.part(max(_PART, min(looks, _SHARE * min(budget.seconds, _LONG))))
        answer = ask(part, limit if _widest(part) else budget)
        if isinstance(answer, Holds):
            if part is whole:
                return replace(answer, seconds=time.monotonic() - started)
            held.append(answer)
            continue
        if isinstance(answer, Violated):
            note = _NOTE
            if _broken(answer.witness.inputs, spec.integral) is None:
                return replace(answer, seconds=time.monotonic() - started)
        # what is not divided is open, whatever becomes of the rest
        halves = [] if budget.is_spent else _divided(part, answer, number)
        if not halves:
            open_.append(_as_unknown(answer, budget))
        stack += halves
    spent = time.monotonic() - started
    if open_:
        return replace(open_[-1], seconds=spent)
    exact = all(one.rests_on == RECOMPUTATION for one in held)
    reason = f"None of {counted} inputs is unsafe, and none of {len(held)} parts with the others."
    facts = {"parts": len(held), "integer inputs": counted}
    rests_on = RECOMPUTATION if exact else ROUNDING
    return Holds(_METHOD, reason, spent, facts, rests_on, note=note)


def _as_unknown(answer: Answer, budget: Budget) -> Unknown:
    if budget.cancelled.is_set():
        return Unknown("interrupted", answer.seconds)
    if isinstance(answer, Unknown):
        return replace(answer, out_of_time=budget.is_spent)
    why = "Out of time." if budget.is_spent else "Only inputs that are no integers were found."
    return Unknown(why, answer.seconds, budget.is_spent)


def _count(case: Case, integral: Sequence[bool]) -> float:
    """How many inputs a box has; infinitely many if one is not an integer, or not bounded."""
    sizes: list[int] = []
    for low, high, is_integer in zip(case.lower, case.upper, integral, strict=True):
        if low is None or high is None or (low != high and not is_integer):
            return inf
        sizes.append(int(high - low) + 1)
    return prod(sizes)


def _counted(
    graph: Graph, spec: Specification, budget: Budget, replay: Replay | None
) -> Witness | int | None:
    """A witness among the inputs of all cases, or how many there are; None: not known."""
    known: dict[tuple[Fraction, ...], list[Fraction | arb]] = {}
    for case in spec.cases:
        ends = zip(case.lower, case.upper, strict=True)
        for point in product(*(_values(low, high) for low, high in ends)):
            if budget.is_spent:
                return None
            if not case.contains(point):
                continue
            if point not in known:
                outputs = exact_outputs(graph, point)
                if outputs is None or any(isinstance(value, arb) for value in outputs):
                    return None
                known[point] = outputs
            outputs = known[point]
            if all(holds_at(row, point, outputs) for row in case.outputs):
                return Witness.of(point, outputs, float32=replayed(case, point, replay))
    return len(known)


def _values(low: Bound, high: Bound) -> Sequence[Fraction]:
    """The integers between two ends, which are known; or the end, if both are one."""
    if low is None or high is None or low == high:
        return () if low is None else (low,)
    return [Fraction(value) for value in range(ceil(low), floor(high) + 1)]


def _broken(point: Sequence[Fraction], integral: Sequence[bool]) -> int | None:
    """The place of the value farthest from an integer that is to be one; None if all are."""
    away = [abs(x - round(x)) if one else _ZERO for x, one in zip(point, integral, strict=True)]
    place = max(range(len(away)), key=away.__getitem__)
    return place if away[place] else None


def _widest(spec: Specification) -> tuple[int, int] | None:
    """The place of the integer with most values, and its middle; None if all are known."""
    integral = spec.integral
    sides = (
        (high - low, place, floor((low + high) / 2))
        for case in spec.cases
        for place, (low, high) in enumerate(zip(case.lower, case.upper, strict=True))
        if integral[place] and low is not None and high is not None
    )
    width, place, middle = max(sides, default=(_ZERO, 0, 0))
    return (place, middle) if width >= 1 else None


def _divided(spec: Specification, answer: Answer, number: float) -> list[Specification]:
    """The property beside the value of a witness that is no integer; in halves where few are left.

    Halves are counted soon, what is cut off beside a value may be thin.
    """
    if isinstance(answer, Violated) and number > _FEW:
        x = answer.witness.inputs
        place = _broken(x, spec.integral)
        return [] if place is None else _halves(spec, place, floor(x[place]))
    found = _widest(spec)
    return [] if found is None else _halves(spec, *found)


def _halves(spec: Specification, place: int, last: int) -> list[Specification]:
    """The property where the input at a place is greater than an integer, and where it is not."""
    cases: tuple[list[Case], list[Case]] = [], []
    for case in spec.cases:
        low, high = case.lower[place], case.upper[place]
        if low is None or low <= last:
            end = Fraction(last) if high is None else min(high, Fraction(last))
            upper = (*case.upper[:place], end, *case.upper[place + 1 :])
            cases[1].append(replace(case, upper=upper))
        if high is None or high > last:
            end = Fraction(last + 1) if low is None else max(low, Fraction(last + 1))
            lower = (*case.lower[:place], end, *case.lower[place + 1 :])
            cases[0].append(replace(case, lower=lower))
    return [replace(spec, cases=tuple(part)) for part in cases if part]

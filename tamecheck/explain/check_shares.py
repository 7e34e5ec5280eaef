"""A second look at how much of a domain each class of a sum of trees has.

The parts are divided again as the search says that it did; on each the other classes are shown to
be impossible by `LeadCheck`, in exact intervals from the graph, and the sizes are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import TypeAlias

import numpy as np

from tamecheck.budget import Budget
from tamecheck.explain.check_trees import LeadCheck
from tamecheck.explain.thresholds import Division
from tamecheck.ir.tensor import Array

Leaf: TypeAlias = "int | None"
"""The class of an undivided part; None where nothing is said of it."""

_PATIENCE = 20.0


def confirms(  # noqa: PLR0913, PLR0917  # what was done, and what was said
    check: LeadCheck,
    division: Division,
    leaves: Sequence[Leaf],
    sizes: Sequence[Sequence[Fraction]],
    said: Sequence[Fraction],
    budget: Budget,
) -> bool | None:
    """Whether the parts have the classes and the sizes that are said; None if it is not shown."""
    if not check.is_domain():
        return None
    budget = budget.part(_PATIENCE) if budget.seconds > _PATIENCE else budget
    found = [Fraction(0)] * check.decision.classes
    stack = [[np.ones(len(codes.points), dtype=np.bool_) for codes in check.codes]]
    ends = iter(leaves)
    for step in division:
        if not stack:
            return None
        part = stack.pop()
        if step is not None:
            inside, outside = list(part), list(part)
            inside[step.feature] = part[step.feature] & step.inside
            outside[step.feature] = part[step.feature] & ~step.inside
            stack += [outside, inside]
            continue
        number = next(ends)
        if number is None:
            continue
        for rows in check.decision.others(number):
            if check.holds(part, rows, [None], budget) is not True:
                return None
        found[number] += _size(part, sizes)
    return None if stack else found == list(said)


def _size(part: Sequence[Array], sizes: Sequence[Sequence[Fraction]]) -> Fraction:
    lengths = (
        sum((size for size, there in zip(own, mask.tolist(), strict=True) if there), Fraction(0))
        for own, mask in zip(sizes, part, strict=True)
    )
    return prod(lengths, start=Fraction(1))

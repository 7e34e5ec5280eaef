"""Fewer rules of linear inequalities that decide the same points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tamecheck.explain.cell_rules_result import CellRule
from tamecheck.explain.inequalities import Plane, Side, side_of

__all__ = ["merged"]

_MOST_PAIRS = 2_000
"""With more rules those that others contain are not looked for."""


def merged(rules: Sequence[CellRule]) -> list[CellRule]:
    """The rules with two joined wherever they differ in the side of one hyperplane only.

    Of such two rules of one class the union is what their other inequalities say, if the
    hyperplane itself belongs to one of them; so exactly the same points are decided, alike.  A rule
    whose inequalities are among those of another contains it, and the other one is left out.
    """
    left = [rule for rule in rules if all(any(h.normal) for h in rule.inequalities)]
    plain = [rule for rule in rules if not all(any(h.normal) for h in rule.inequalities)]
    while True:
        after = _once(left)
        if len(after) == len(left):
            return [*plain, *_outermost(after)]
        left = after


def _once(rules: Sequence[CellRule]) -> list[CellRule]:
    """One pass: every rule is joined with at most one other."""
    waiting: dict[tuple[int, frozenset[Side], Plane, bool], int] = {}
    found: dict[int, CellRule] = {}
    for number, rule in enumerate(rules):
        partner = None
        for rest, side in _without_one(rule):
            key = (rule.then, rest, side.plane, not side.above)
            other = waiting.get(key)
            if other is not None and other in found and not _both_strict(found[other], side):
                partner = other, side
                break
        if partner is None:
            found[number] = rule
            for rest, side in _without_one(rule):
                waiting[(rule.then, rest, side.plane, side.above)] = number
            continue
        other, side = partner
        found[number] = _joined(rule, found.pop(other), side)
    return list(found.values())


def _without_one(rule: CellRule) -> Iterator[tuple[frozenset[Side], Side]]:
    """Each side of a rule, with the others."""
    sides = _sides(rule)
    for side in sides:
        yield sides - {side}, side


def _sides(rule: CellRule) -> frozenset[Side]:
    return frozenset(side for half in rule.inequalities if (side := side_of(half)) is not None)


def _both_strict(rule: CellRule, side: Side) -> bool:
    return side.strict and Side(side.plane, not side.above, strict=True) in _sides(rule)


def _joined(rule: CellRule, other: CellRule, side: Side) -> CellRule:
    kept = tuple(half for half in rule.inequalities if side_of(half) != side)
    if rule.coverage is None or other.coverage is None:
        return CellRule(kept, rule.then, None)
    return CellRule(kept, rule.then, rule.coverage + other.coverage)


def _outermost(rules: Sequence[CellRule]) -> list[CellRule]:
    """The rules that no other one of the class contains by its inequalities."""
    if len(rules) > _MOST_PAIRS:
        return list(rules)
    kept: list[tuple[CellRule, frozenset[Side]]] = []
    for rule in sorted(rules, key=lambda rule: len(rule.inequalities)):
        sides = _sides(rule)
        if not any(other.then == rule.then and wide <= sides for other, wide in kept):
            kept.append((rule, sides))
    return [rule for rule, _ in kept]

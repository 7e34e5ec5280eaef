"""Linear inequalities, exact and in words, and fewer rules of them that decide the same points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tamecheck.cells.complex import Halfspace
from tamecheck.loaders.tables.schema import display_names

Plane: TypeAlias = tuple[tuple[Fraction, ...], Fraction]
"""Coefficients, of which the largest is 1, and the bound."""

_FEW = 3


@dataclass(frozen=True, slots=True)
class Inequality(Halfspace):
    """``normal · x + offset ≥ 0``, or ``> 0`` if strict; exact."""

    def met(self, value: Fraction) -> bool:
        """Whether a value of the left side is large enough."""
        return value > 0 if self.strict else value >= 0

    def range(self, bounds: Sequence[tuple[Fraction, Fraction]]) -> tuple[Fraction, Fraction]:
        """The least and the largest left side on a box."""
        low = high = self.offset
        for a, (lower, upper) in zip(self.normal, bounds, strict=True):
            low += a * (lower if a > 0 else upper)
            high += a * (upper if a > 0 else lower)
        return low, high

    def lifted(self, forms: Sequence[Inequality]) -> Inequality:
        """The same in the inputs, if the variables are left sides in them."""
        rows = zip(*(form.normal for form in forms), strict=True)
        normal = tuple(
            sum((a * b for a, b in zip(self.normal, row, strict=True)), Fraction(0)) for row in rows
        )
        constants = [form.offset for form in forms]
        return Inequality(normal, self.at(constants), self.strict)

    def negated(self) -> Inequality:
        """The complement."""
        return Inequality(tuple(-a for a in self.normal), -self.offset, not self.strict)

    def less(self, other: Inequality, *, strict: bool) -> Inequality:
        """That this left side exceeds the other's."""
        normal = tuple(a - b for a, b in zip(self.normal, other.normal, strict=True))
        return Inequality(normal, self.offset - other.offset, strict)

    def text(self, names: Sequence[str]) -> str:
        """The inequality with 4 digits of each number, its largest coefficient scaled to 1."""
        side = side_of(self)
        if side is None:
            return f"{float(self.offset):.4g} {'>' if self.strict else '≥'} 0"
        normal, bound = side.plane
        used = [i for i, a in enumerate(normal) if a]
        if len(used) > 1:
            return f"{sum_text(normal, names)} {side.sign} {float(bound):.4g}"
        name, unit = display_names(names)[used[0]]
        return f"{name} {side.sign} {float(bound):.4g} {unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a hyperplane ``normal · x = bound``: at least the bound, or at most.

    If it is strict, the hyperplane itself is left out.
    """

    plane: Plane
    above: bool
    strict: bool

    @property
    def sign(self) -> str:
        """How ``normal · x`` compares with the bound."""
        if self.above:
            return ">" if self.strict else "≥"
        return "<" if self.strict else "≤"


def side_of(half: Inequality) -> Side | None:
    """An inequality as a side of a hyperplane; None if it has no variable."""
    largest = max(half.normal, key=abs, default=Fraction(0))
    if not largest:
        return None
    normal = tuple(a / largest for a in half.normal)
    return Side((normal, -half.offset / largest), largest > 0, half.strict)


def tightest(halves: Sequence[Inequality]) -> tuple[Inequality, ...] | None:
    """The same without bounds that others on the same sum imply; None if two exclude each other."""
    kept: dict[tuple[tuple[Fraction, ...], bool], tuple[Side, Inequality]] = {}
    constant: list[Inequality] = []
    for half in halves:
        side = side_of(half)
        if side is None:
            constant.append(half)
            continue
        normal, bound = side.plane
        known = kept.get((normal, side.above))
        further = known is None or (bound - known[0].plane[1]) * (1 if side.above else -1) > 0
        if known is None or further or (bound == known[0].plane[1] and side.strict):
            kept[normal, side.above] = side, half
    for (normal, above), (lower, _) in kept.items():
        upper = kept.get((normal, False))
        if above and upper is not None:
            room = upper[0].plane[1] - lower.plane[1]
            if room < 0 or (room == 0 and (lower.strict or upper[0].strict)):
                return None
    left = {id(half) for _, half in kept.values()} | {id(half) for half in constant}
    return tuple(half for half in halves if id(half) in left)


@dataclass(frozen=True, slots=True)
class Wording:
    """Conjunctions of inequalities in words, and what the names of sums in them stand for."""

    definitions: tuple[str, ...]
    conditions: tuple[str, ...]


def wording(rules: Sequence[Sequence[Inequality]], names: Sequence[str]) -> Wording:
    """Conjunctions in words; sums of three variables or more are named, numbers have 4 digits."""
    sums: dict[tuple[Fraction, ...], str] = {}
    conditions = tuple(
        " and ".join(_name_sums(half, names, sums) for half in halves) or "true" for halves in rules
    )
    definitions = tuple(f"{name} = {sum_text(normal, names)}" for normal, name in sums.items())
    return Wording(definitions, conditions)


def _name_sums(
    half: Inequality, names: Sequence[str], sums: dict[tuple[Fraction, ...], str]
) -> str:
    side = side_of(half)
    if side is None or sum(1 for a in side.plane[0] if a) < _FEW:
        return half.text(names)
    name = sums.setdefault(side.plane[0], f"s{len(sums) + 1}")
    return f"{name} {side.sign} {float(side.plane[1]):.4g}"


def sum_text(normal: Sequence[Fraction], names: Sequence[str]) -> str:
    """A sum in words, its largest terms first."""
    order = sorted((i for i, a in enumerate(normal) if a), key=lambda i: (-abs(normal[i]), i))
    text = ""
    for i in order:
        sign = "-" if normal[i] < 0 else "+"
        size = "" if abs(normal[i]) == 1 else f"{float(abs(normal[i])):.4g}·"
        text += f" {sign} {size}{names[i]}"
    return text.removeprefix(" + ").replace(" - ", "-", 1) if text.startswith(" - ") else text[3:]


@dataclass(frozen=True, slots=True)
class CellRule:
    """If all inequalities over the input elements hold, the network decides for one class.

    ``coverage`` is the exact share of the box's volume; None where it is not computed.
    """

    inequalities: tuple[Inequality, ...]
    then: int
    coverage: Fraction | None

    def text(self, names: Sequence[str]) -> str:
        """The condition in words; its coefficients are rounded."""
        return " and ".join(half.text(names) for half in self.inequalities) or "true"


_MOST_PAIRS = 2_000
"""With more rules those that others contain are not looked for."""


def merge_rules(rules: Sequence[CellRule]) -> list[CellRule]:
    """The rules with two joined wherever they differ in the side of one hyperplane only.

    Of such two rules of one class the union is what their other inequalities say, if the
    hyperplane itself belongs to one of them; so exactly the same points are decided, alike.  A rule
    whose inequalities are among those of another contains it, and the other one is left out.
    """
    left = [rule for rule in rules if all(any(h.normal) for h in rule.inequalities)]
    plain = [rule for rule in rules if not all(any(h.normal) for h in rule.inequalities)]
    while True:
        after = _merge_once(left)
        if len(after) == len(left):
            return [*plain, *_outermost(after)]
        left = after


def _merge_once(rules: Sequence[CellRule]) -> list[CellRule]:
    """One pass: every rule is joined with at most one other."""
    waiting: dict[tuple[int, frozenset[Side], Plane, bool], int] = {}
    found: dict[int, CellRule] = {}
    for number, rule in enumerate(rules):
        sides = _sides(rule)
        for side in sides:
            other = waiting.get((rule.then, sides - {side}, side.plane, not side.above))
            if other is not None and other in found and not _both_strict(found[other], side):
                found[number] = _join(rule, found.pop(other), side)
                break
        else:
            found[number] = rule
            for side in sides:
                waiting[rule.then, sides - {side}, side.plane, side.above] = number
    return list(found.values())


def _sides(rule: CellRule) -> frozenset[Side]:
    return frozenset(side for half in rule.inequalities if (side := side_of(half)) is not None)


def _both_strict(rule: CellRule, side: Side) -> bool:
    return side.strict and Side(side.plane, not side.above, strict=True) in _sides(rule)


def _join(rule: CellRule, other: CellRule, side: Side) -> CellRule:
    kept = tuple(half for half in rule.inequalities if side_of(half) != side)
    parts = rule.coverage, other.coverage
    covered = None if None in parts else sum((x for x in parts if x is not None), Fraction(0))
    return CellRule(kept, rule.then, covered)


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

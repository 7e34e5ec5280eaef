"""Rules of linear inequalities as a value, and their exact decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape
from typing import Any

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.exact import rational, rational_text
from tamecheck.ir.tensor import Array
from tamecheck.visible import visible

__all__ = ["CellRule", "CellRules", "Inequality"]

_ROUNDING = 2.0**-52


@dataclass(frozen=True, slots=True)
class Inequality:
    """``normal · x + offset ≥ 0``, or ``> 0`` if strict; exact."""

    normal: tuple[Fraction, ...]
    offset: Fraction
    strict: bool = False

    def value(self, point: Sequence[Fraction]) -> Fraction:
        """The left side at a point."""
        return sum((a * x for a, x in zip(self.normal, point, strict=True)), self.offset)

    def met(self, value: Fraction) -> bool:
        """Whether a value of the left side is large enough."""
        return value > 0 if self.strict else value >= 0

    def everywhere(self, bounds: Sequence[tuple[Fraction, Fraction]]) -> bool:
        """Whether it holds on all of a box."""
        low = self.offset
        for a, (lower, upper) in zip(self.normal, bounds, strict=True):
            low += a * (lower if a > 0 else upper)
        return self.met(low)

    def negated(self) -> Inequality:
        """The complement."""
        return Inequality(tuple(-a for a in self.normal), -self.offset, not self.strict)

    def less(self, other: Inequality, *, strict: bool) -> Inequality:
        """That this left side exceeds the other's."""
        normal = tuple(a - b for a, b in zip(self.normal, other.normal, strict=True))
        return Inequality(normal, self.offset - other.offset, strict)

    def text(self, names: Sequence[str]) -> str:
        """The inequality with 4 digits of each coefficient, the largest one scaled to 1."""
        largest = max((abs(a) for a in self.normal), default=Fraction(0))
        sign = ">" if self.strict else "≥"
        if not largest:
            return f"{float(self.offset):.4g} {sign} 0"
        terms = [
            f"{float(a / largest):.4g}·{name}"
            for a, name in zip(self.normal, names, strict=True)
            if a
        ]
        left = " + ".join(terms).replace("+ -", "- ")
        return f"{left} {sign} {float(-self.offset / largest):.4g}"


@dataclass(frozen=True, slots=True)
class CellRule:
    """If all inequalities hold, the network decides for one class.

    Parameters
    ----------
    inequalities
        Over all input elements.
    then
        The class.
    coverage
        The exact share of the box's volume; None where it is not computed.
    """

    inequalities: tuple[Inequality, ...]
    then: int
    coverage: Fraction | None

    def text(self, names: Sequence[str]) -> str:
        """The condition in words; its coefficients are rounded."""
        return " and ".join(half.text(names) for half in self.inequalities) or "true"


@dataclass(frozen=True, eq=False)
class CellRules:
    """Rules that decide every point of a box as the network does; the order does not matter.

    Parameters
    ----------
    rules
        By class.
    names
        Of the input elements.
    classes
        What the classes are called.
    bounds
        The box.
    """

    rules: tuple[CellRule, ...]
    names: tuple[str, ...] = field(repr=False)
    classes: tuple[str, ...]
    bounds: tuple[tuple[Fraction, Fraction], ...] = field(repr=False)

    @property
    def faithful(self) -> str:
        """``"exact"``: at every point of the box the rules that hold name the network's class."""
        return "exact"

    def __len__(self) -> int:
        return len(self.rules)

    def __iter__(self) -> Iterator[CellRule]:
        return iter(self.rules)

    def decide(self, points: Any) -> Array:
        """The class of each row of points, by the rules alone; exact.

        A float evaluation with a bound on its rounding decides what is clear, and rationals
        decide the rest.

        Raises
        ------
        InputError
            If a point is outside the box, or is no row of numbers.
        """
        rows = np.atleast_2d(np.asarray(points))
        if rows.ndim != 2 or rows.shape[1] != len(self.bounds):
            raise InputError(f"Points of shape {rows.shape} for {len(self.bounds)} inputs.")
        exact = rows.dtype == object
        near = np.array([[float(v) for v in row] for row in rows]) if exact else rows.astype(float)
        for i, (low, high) in enumerate(self.bounds):
            column = rows[:, i].tolist()
            if any(not low <= rational(v) <= high for v in (min(column), max(column))):
                raise InputError(f"A point is outside the box: {self.names[i]}.")
        said = np.full(len(rows), -1, dtype=np.int64)
        for rule in self.rules:
            open_ = np.flatnonzero(said < 0)
            for half in rule.inequalities:
                open_ = open_[_met(half, near[open_], rows[open_])]
            said[open_] = rule.then
        if bool((said < 0).any()):
            raise InputError("A point is in no rule.", hint="Please report it.")
        return said

    @property
    def text(self) -> str:
        """The rules, one a line."""
        lines = [f"if {r.text(self.names)} then {self.classes[r.then]}" for r in self.rules]
        return visible("\n".join([*lines, self.summary]))

    @property
    def summary(self) -> str:
        """What is proved, in a sentence."""
        return (
            f"Exact: {len(self.rules)} rules decide every point of the box as the network does. "
            "Coefficients are shown rounded."
        )

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{escape(r.text(self.names))}</td><td>{escape(self.classes[r.then])}</td></tr>"
            for r in self.rules
        ]
        head = "<tr><th>if</th><th>then</th></tr>"
        return f"<table>{head}{''.join(rows)}</table><p>{escape(self.summary)}</p>"

    def document(self) -> dict[str, Any]:
        """The rules as JSON; numbers are exact."""
        return {
            "rules": [self._rule(rule) for rule in self.rules],
            "faithful": self.faithful,
            "text": self.text,
            "classes": list(self.classes),
            "names": list(self.names),
        }

    def _rule(self, rule: CellRule) -> dict[str, Any]:
        return {
            "if": rule.text(self.names),
            "then": rule.then,
            "label": self.classes[rule.then],
            "coverage": None if rule.coverage is None else rational_text(rule.coverage),
            "exact": True,
            "inequalities": [
                {
                    "normal": [rational_text(a) for a in half.normal],
                    "offset": rational_text(half.offset),
                    "strict": half.strict,
                }
                for half in rule.inequalities
            ],
        }


def _met(half: Inequality, near: Array, rows: Array) -> Array:
    """Whether an inequality holds at each row, exactly."""
    normal = np.array([float(a) for a in half.normal])
    offset = float(half.offset)
    value = near @ normal + offset
    # each product and sum, and the rounding of each number, is off by half a unit at most
    size = np.abs(near) @ np.abs(normal) + abs(offset)
    doubt = size * (len(normal) + 6) * _ROUNDING + 1e-300
    found = np.asarray(value > doubt)
    for k in np.flatnonzero(~(np.abs(value) > doubt)).tolist():
        found[k] = half.met(half.value([rational(v) for v in rows[k].tolist()]))
    return found

"""Rules of linear inequalities as a value, and their exact decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape
from typing import Any

import numpy as np

from tamecheck.errors import InputError, visible
from tamecheck.explain.inequalities import Inequality, wording
from tamecheck.ir.exact import rational, rational_text
from tamecheck.ir.tensor import Array

__all__ = ["CellRule", "CellRules"]

_ROUNDING = 2.0**-52


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
        """The rules, one a line, after the sums that occur in them."""
        said = wording([rule.inequalities for rule in self.rules], self.names)
        lines = [f"with {text}" for text in said.definitions]
        lines += [
            f"if {text} then {self.classes[rule.then]}"
            for text, rule in zip(said.conditions, self.rules, strict=True)
        ]
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
        said = wording([rule.inequalities for rule in self.rules], self.names)
        rows = [
            f"<tr><td>{escape(text)}</td><td>{escape(self.classes[rule.then])}</td></tr>"
            for text, rule in zip(said.conditions, self.rules, strict=True)
        ]
        sums = "".join(f"<p>{escape(text)}</p>" for text in said.definitions)
        head = "<tr><th>if</th><th>then</th></tr>"
        return f"{sums}<table>{head}{''.join(rows)}</table><p>{escape(self.summary)}</p>"

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

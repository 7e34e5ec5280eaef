"""Rules as a value: text, Markdown, a frame, HTML and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape
from importlib import import_module
from typing import Any

import numpy as np

from tamecheck.explain.domain import Domain
from tamecheck.explain.words import Condition
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Array
from tamecheck.visible import visible

__all__ = ["DecisionRules", "Rule", "holding"]


@dataclass(frozen=True, slots=True)
class Rule:
    """If a condition holds, the network decides for one class.

    Parameters
    ----------
    if_
        The condition in words.
    then
        The class.
    coverage
        The share of the domain in which the condition holds, exactly.
    exact
        Whether the network decides so at every point where it holds.
    conditions
        The condition feature by feature; all hold.
    label
        What the class is called.
    """

    if_: str
    then: int
    coverage: Fraction
    exact: bool
    conditions: tuple[Condition, ...] = field(default=(), repr=False)
    label: str = ""

    def __str__(self) -> str:
        return f"if {self.if_} then {self.label or self.then}"


@dataclass(frozen=True, eq=False)
class DecisionRules:
    """A list of rules in which the order does not matter.

    Parameters
    ----------
    rules
        By class, those of the largest coverage first.  Rules of different classes do not overlap.
    domain
        What can occur.
    classes
        What the classes are called.
    covered
        The share of the domain in some rule; a proved lower bound on it if the domain is large.
    default
        The class that is guessed where no rule holds; None if there is no such point.
    fidelity
        The share of the given data on which the rules, and else the guess, are the network's
        decisions; None without data.
    """

    rules: tuple[Rule, ...]
    domain: Domain = field(repr=False)
    classes: tuple[str, ...]
    covered: Fraction
    default: int | None
    fidelity: float | None

    @property
    def faithful(self) -> str | Fraction:
        """``"exact"``, or a proved lower bound on the share of the domain that is decided alike."""
        return "exact" if self.covered == 1 else self.covered

    def __len__(self) -> int:
        return len(self.rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def decide(self, states: Array) -> Array:
        """What the rules say about rows of states: a class, or the guess (-1 if there is none)."""
        said = np.full(len(states), -1 if self.default is None else self.default, dtype=np.int64)
        for rule in self.rules:
            said[holding(rule, self.domain, states)] = rule.then
        return said

    @property
    def text(self) -> str:
        """The rules, one a line, class by class, and what is proved about them."""
        lines = [f"{rule}  [{_percent(rule.coverage)}]" for rule in self.rules]
        if self.default is not None:
            lines.append(f"otherwise probably {self.classes[self.default]}")
        return visible("\n".join([*lines, self.summary]))

    @property
    def summary(self) -> str:
        """What is proved, and what is measured, in a sentence each."""
        count = self.domain.size
        if self.covered == 1:
            said = f"Exact: the rules decide all {count} points of the domain as the network does."
        else:
            share = _percent(self.covered)
            said = f"Proved: the rules decide at least {share} of {count} points as the network."
        if self.fidelity is not None:
            said += f" Measured: {self.fidelity:.4f} of the data."
        return said

    def __str__(self) -> str:
        return self.text

    def to_markdown(self) -> str:
        """A Markdown table of the rules."""
        rows = ["| if | then | coverage |", "|---|---|---|"]
        for rule in self.rules:
            cells = (rule.if_, rule.label, _percent(rule.coverage))
            rows.append("| " + " | ".join(map(_markdown, cells)) + " |")
        if self.default is not None:
            rest = _percent(1 - self.covered)
            rows.append(
                f"| otherwise | probably {_markdown(self.classes[self.default])} | {rest} |"
            )
        return "\n".join([*rows, "", self.summary, ""])

    def to_dataframe(self) -> Any:
        """The rules as a pandas frame with columns ``if``, ``then``, ``coverage``, ``exact``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_module("pandas")
        columns = ("if", "then", "coverage", "exact")
        rows = [(r.if_, r.label, float(r.coverage), r.exact) for r in self.rules]
        return pandas.DataFrame(rows, columns=list(columns))

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{escape(r.if_)}</td><td>{escape(r.label)}</td>"
            f"<td>{_percent(r.coverage)}</td></tr>"
            for r in self.rules
        ]
        if self.default is not None:
            label = escape(self.classes[self.default])
            rest = _percent(1 - self.covered)
            rows.append(f"<tr><td>otherwise</td><td>probably {label}</td><td>{rest}</td></tr>")
        head = "<tr><th>if</th><th>then</th><th>coverage</th></tr>"
        return f"<table>{head}{''.join(rows)}</table><p>{escape(self.summary)}</p>"

    def document(self) -> dict[str, Any]:
        """The rules as JSON."""
        covered = self.faithful
        return {
            "rules": [self._rule(rule) for rule in self.rules],
            "faithful": covered if isinstance(covered, str) else rational_text(covered),
            "text": self.text,
            "default": self.default,
            "fidelity": self.fidelity,
            "domain": {"points": self.domain.size, "features": len(self.domain.features)},
            "classes": list(self.classes),
        }

    def _rule(self, rule: Rule) -> dict[str, Any]:
        return {
            "if": rule.if_,
            "then": rule.then,
            "label": rule.label,
            "coverage": rational_text(rule.coverage),
            "exact": rule.exact,
            "conditions": [self._condition(part) for part in rule.conditions],
        }

    def _condition(self, part: Condition) -> dict[str, Any]:
        feature = self.domain.features[part.feature]
        return {
            "feature": feature.name,
            "values": [feature.values[code] for code in part.codes],
            "inputs": list(feature.inputs),
            "states": feature.codes[list(part.codes)].tolist(),
        }


def _percent(share: Fraction) -> str:
    """A share, rounded down, so that what is said is true."""
    if share in (0, 1):
        return f"{int(share) * 100} %"
    if share < Fraction(1, 1000):
        return f"{float(share) * (1 - 1e-3):.2g}"
    return f"{int(share * 10000) / 100:g} %"


def _markdown(text: str) -> str:
    """Text in a cell: no characters that Markdown or HTML would read."""
    shown = visible(text).replace("\n", " ")
    for mark in "\\`*_[]|<>#":
        shown = shown.replace(mark, f"&#{ord(mark)};" if mark in "<>" else f"\\{mark}")
    return shown


def holding(rule: Rule, domain: Domain, states: Array) -> Array:
    """For which rows of states the rule's condition holds."""
    holds = np.ones(len(states), dtype=np.bool_)
    for part in rule.conditions:
        feature = domain.features[part.feature]
        own = states[:, np.newaxis, list(feature.inputs)]
        holds &= (own == feature.codes[list(part.codes)]).all(axis=2).any(axis=1)
    return holds

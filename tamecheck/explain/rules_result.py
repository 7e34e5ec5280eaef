"""Rules as a value: text, Markdown, a frame, HTML and JSON."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np

from tamecheck.budget import Budget
from tamecheck.errors import InputError, visible
from tamecheck.explain.concepts import Concept, always, concept_of
from tamecheck.explain.domain import Domain
from tamecheck.explain.tables import Grid
from tamecheck.explain.trees import (
    DecisionList,
    DecisionTree,
    ListedRule,
    decision_list,
    decision_tree,
    meeting,
)
from tamecheck.explain.words import Condition, Written, condition, html_table, join
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Array
from tamecheck.loaders.samples import Sample

_DOUBT, _FIRST = 1e-6, 3
"""Rows of a table that are told of each rule."""


@dataclass(frozen=True, slots=True)
class Rule:
    """If a condition holds, the network decides for one class."""

    if_: str
    """The condition in words."""
    then: int
    """The class."""
    coverage: Fraction
    """The share of the domain in which the condition holds, exactly."""
    exact: bool
    """Whether the network decides so at every point where it holds."""
    conditions: tuple[Condition, ...] = field(default=(), repr=False)
    """The condition feature by feature; all hold."""
    label: str = ""
    """What the class is called."""

    def __str__(self) -> str:
        return f"if {self.if_} then {self.label or self.then}"


@dataclass(frozen=True, eq=False)
class DecisionRules(Written):
    """A list of rules in which the order does not matter."""

    rules: tuple[Rule, ...]
    """By class, those of the largest coverage first.  Rules of different classes do not overlap."""
    domain: Domain = field(repr=False)
    """What can occur."""
    classes: tuple[str, ...]
    """What the classes are called."""
    covered: Fraction
    """The share of the domain in some rule; a proved lower bound on it if the domain is large."""
    default: int | None
    """The class that is guessed where no rule holds; None if there is no such point."""
    fidelity: float | None
    """The share of the data where the rules, and else the guess, say what the network does."""
    grid: Grid | None = field(default=None, repr=False)
    """The decisions of all points, without what does not matter; None if there are too many."""
    seed: int = field(default=0, repr=False)
    """Of the search for a decision list."""
    rests_on: str = "search"
    """``"recomputation"`` if rules and share were shown a second time, else ``"search"``."""

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

    def outline(self, *, most: int = 12, timeout: float | None = None) -> DecisionTree | None:
        """The decisions in few words: a tree that ends in concepts such as "exactly 2 of {...}".

        It decides every point of the domain as the network does.  None if it would have more than
        ``most`` ends, out of time, or if the domain is too large.
        """
        return self._grown(concept_of, most, timeout)

    def tree(self, *, most: int = 4096, timeout: float | None = None) -> DecisionTree | None:
        """A decision tree that decides every point as the network does, with a class at each end.

        None if it would have more than ``most`` ends, out of time, or if the domain is too large.
        """
        return self._grown(always, most, timeout)

    def _grown(
        self, end: Callable[[Grid], Concept | None], most: int, timeout: float | None
    ) -> DecisionTree | None:
        if self.grid is None:
            return None
        root = decision_tree(self.grid, end, most=most, deadline=Budget.of(timeout).deadline)
        return None if root is None else DecisionTree(root, self.classes)

    def decision_list(
        self, *, most: int = 4096, timeout: float | None = None
    ) -> DecisionList | None:
        """Rules of which the first that holds decides; as the network does at every point.

        None if there are more than ``most``, out of time, or if the domain is too large.
        """
        if self.grid is None:
            return None
        found = decision_list(
            self.grid, self.classes, seed=self.seed, most=most, deadline=Budget.of(timeout).deadline
        )
        plain = self._but_one() if self.covered == 1 else None
        lists = [x for x in (found, plain) if x is not None and len(x) <= most]
        return min(lists, key=len, default=None)

    def _but_one(self) -> DecisionList:
        """The rules of all classes but the one that has most of them, which is what else holds."""
        counts = Counter(rule.then for rule in self.rules)
        rest = max(counts, key=lambda decision: counts[decision])
        kept = [r for r in self.rules if r.then != rest]
        return DecisionList(
            tuple(ListedRule(r.conditions, r.then) for r in kept), rest, self.classes
        )

    def clauses(self, decision: int) -> tuple[str, ...]:
        """A class in conjunctive normal form: it is decided for where all these clauses hold.

        They are the negations of the rules of the other classes.

        Raises
        ------
        InputError
            If the rules are not exact, so that their negations are not.
        """
        if self.covered != 1:
            raise InputError(
                "The rules do not decide every point, so there are no clauses of them."
            )
        others = [rule for rule in self.rules if rule.then != decision]
        return tuple(_clause(rule, self.domain) for rule in others)

    @property
    def normal_forms(self) -> tuple[int, str]:
        """The number of clauses, and as text those of each class, of two classes of the last."""
        lines: list[str] = []
        count = 0
        for decision in range(len(self.classes)) if len(self.classes) != 2 else (1,):
            clauses = self.clauses(decision)
            count += len(clauses)
            lines += [f"{self.classes[decision]} if all of", *(f"  {clause}" for clause in clauses)]
        return count, visible("\n".join(lines))

    @property
    def text(self) -> str:
        """The rules, one a line, class by class, and what is proved about them."""
        return self._listed(len(self.rules))

    def brief(self, most: int = 20) -> str:
        """The decisions in few words if there are such, and the first rules of each class."""
        short = self.outline(timeout=5)
        listed = self._listed(most)
        return listed if short is None else f"In short:\n{short}\n\n{listed}"

    def _listed(self, most: int) -> str:
        lines: list[str] = []
        for decision, label in enumerate(self.classes):
            own = [rule for rule in self.rules if rule.then == decision]
            lines += [f"{rule}  [{about(rule.coverage)}]" for rule in own[:most]]
            if len(own) > most:
                lines.append(f"... {len(own) - most} more rules for {label}")
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
            share = percent(self.covered)
            said = f"Proved: the rules decide at least {share} of {count} points as the network."
        if self.fidelity is not None:
            said += f" Measured: they decide {self.fidelity:.2%} of the rows of the data so."
        return said

    def to_markdown(self) -> str:
        """A Markdown table of the rules."""
        rows = ["| if | then | coverage |", "|---|---|---|"]
        rows += ["| " + " | ".join(map(_markdown, cells)) + " |" for cells in self._rows()]
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
        return html_table(("if", "then", "coverage"), self._rows(), self.summary)

    def _rows(self) -> list[tuple[str, str, str]]:
        """The rules and the guess, with what they cover."""
        rows = [(rule.if_, rule.label, about(rule.coverage)) for rule in self.rules]
        if self.default is None:
            return rows
        guess = f"probably {self.classes[self.default]}"
        return [*rows, ("otherwise", guess, percent(1 - self.covered))]

    def measures(
        self, sample: Sample | None, states: Array | None, deadline: float = float("inf")
    ) -> dict[str, Any]:
        """The share of the domain, and of a table's rows, that is in some rule; which are in which.

        ``states`` are the rows of the table as states of the inputs.  After the ``deadline``, of
        `time.monotonic`, nothing is said of the table.
        """
        covers: dict[str, Any] = {"domain": rational_text(self.covered), "table": None}
        if sample is None or states is None:
            return {"covers": covers}
        codes = self.domain.code_rows(states)
        held: list[list[int]] = []
        for rule in self.rules:
            if time.monotonic() > deadline:
                return {"covers": covers, "table": None}
            held.append(np.flatnonzero(meeting(rule.conditions, codes)).tolist())
        share = Fraction(len({k for rows in held for k in rows}), len(states))
        covers["table"] = rational_text(share)
        table = {
            "rows": len(sample.origins),
            "left_out": [row.to_json() for row in sample.table.left_out],
            "held": [
                {"count": len(rows), "first": [sample.about(k) for k in rows[:_FIRST]]}
                for rows in held
            ],
        }
        return {"table": table, "covers": covers}

    def to_json(self) -> dict[str, Any]:
        """The rules as JSON."""
        covered = self.faithful
        return {
            "rules": [self._rule(rule) for rule in self.rules],
            "faithful": covered if isinstance(covered, str) else rational_text(covered),
            "text": self.text,
            "default": self.default,
            "fidelity": self.fidelity,
            "domain": self.domain.to_json(),
            "classes": list(self.classes),
            "rests_on": self.rests_on,
        }

    def _rule(self, rule: Rule) -> dict[str, Any]:
        return {
            "if": rule.if_,
            "then": rule.then,
            "label": rule.label,
            "coverage": rational_text(rule.coverage),
            "exact": rule.exact,
            "conditions": [
                {
                    "feature": feature.name,
                    "values": [feature.values[code] for code in part.codes],
                    "inputs": list(feature.inputs),
                    "states": feature.codes[list(part.codes)].tolist(),
                }
                for part in rule.conditions
                for feature in [self.domain.features[part.feature]]
            ],
        }


def _clause(rule: Rule, domain: Domain) -> str:
    """The negation of a rule: that some feature has a code that it does not allow."""
    parts: list[str] = []
    for part in rule.conditions:
        feature = domain.features[part.feature]
        rest = [code for code in range(len(feature.codes)) if code not in part.codes]
        parts.append(condition(part.feature, feature, rest).text)
    return join("or", parts) or "false"


def about(share: Fraction) -> str:
    """A share, rounded to the nearest; neither nothing nor all if it is not."""
    nearest = round(share * 10_000)
    if share in (0, 1) or not 10 <= nearest < 10_000:
        return percent(share)
    return f"{nearest / 100:g} %"


def hoeffding(tried: int, right: int) -> str:
    """What random points of which so many are right say of all, but for a chance of 10^-6."""
    doubt = math.sqrt(math.log(1 / _DOUBT) / (2 * tried))
    likely = max(right / tried - doubt, 0)
    return (
        f"right at {right} of {tried} random points, so for at least "
        f"{100 * likely:.1f} % but for a chance of one in a million (Hoeffding 1963)."
    )


def percent(share: Fraction) -> str:
    """A share, rounded down, so that what is said is true."""
    if share in (0, 1):
        return f"{int(share) * 100} %"
    if share < Fraction(1, 1000):
        return f"{float(share) * (1 - 1e-3):.2g}"
    return f"{int(share * 10000) / 100:g} %"


def shares(counts: Sequence[int]) -> list[str]:
    """What share of all each count is, in hundredths of a percent that add up to 100.00%.

    They are rounded down, but for those of the largest remainders; what is neither nothing nor all
    is not written as if it were.
    """
    total = sum(counts)
    if not total:
        return ["" for _ in counts]
    units = [10_000 * count // total for count in counts]
    order = sorted(range(len(counts)), key=lambda k: (-(10_000 * counts[k] % total), k))
    for k in order[: 10_000 - sum(units)]:
        units[k] += 1
    return [_hundredths(unit, count, total) for unit, count in zip(units, counts, strict=True)]


def _hundredths(unit: int, count: int, total: int) -> str:
    if unit == 0 and count > 0:
        return "<0.01%"
    if unit == 10_000 and count < total:
        return ">99.99%"
    return f"{unit // 100}.{unit % 100:02}%"


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
        holds &= domain.features[part.feature].coded(states)[:, list(part.codes)].any(axis=1)
    return holds

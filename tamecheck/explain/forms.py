"""Short forms of decisions: scores, lists, trees, neurons; and how often they are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from tamecheck.errors import visible
from tamecheck.explain.concepts import Always
from tamecheck.explain.domain import Domain
from tamecheck.explain.neurons import NetworkLogic, Term
from tamecheck.explain.rules_result import hoeffding, percent
from tamecheck.explain.scores import PointScore, score_of
from tamecheck.explain.trees import DecisionList, DecisionTree, Mostly, Node, Split
from tamecheck.explain.words import Condition, Written, condition, conditions_of, conjunction
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Array

Body: TypeAlias = PointScore | DecisionList | DecisionTree | NetworkLogic


@dataclass(frozen=True, eq=False)
class Form(Written):
    """A short form of the decisions, and the share of points at which it is right."""

    kind: str
    """``score``, ``neurons``, ``list``, ``tree``, ``m-of-n`` or ``class``."""
    body: Body
    conditions: int
    """How many conditions are written."""
    domain: Domain = field(repr=False)
    classes: tuple[str, ...]
    right: Fraction
    """The share of the domain that is decided as by the network: at least this."""
    counted: bool
    """Whether that is the share."""
    table: Fraction | None
    """The share of the rows of the table; None without a table."""
    rests_on: str
    """``"recomputation"`` if the share was computed twice, else ``"enumeration"`` or
    ``"search"``."""
    tried: tuple[int, int] | None = None
    """Where it was not counted: random points, and at how many of them it is right."""

    @property
    def faithful(self) -> str | Fraction:
        """``"exact"``, or a proved lower bound on the share of the domain that is decided alike."""
        return "exact" if self.right == 1 else self.right

    def decisions(self, codes: Array) -> Array:
        """What the form says about rows of codes of the features."""
        return decisions_of(self.body, codes)

    @property
    def lines(self) -> str:
        """The form itself."""
        if isinstance(self.body, PointScore):
            return visible(self.body.text(self.classes))
        return self.body.text

    @property
    def summary(self) -> str:
        """How often the form is right, in a sentence each for domain and table."""
        count, share = self.domain.size, percent(self.right)
        if self.right == 1:
            said = f"Exact: it decides all {count} points of the domain as the network does."
        else:
            least = "" if self.counted else "at least "
            said = f"Proved: it is right for {least}{share} of {count} points of the domain."
        if self.tried is not None:
            said += f" Estimated: {hoeffding(*self.tried)}"
        if self.table is not None:
            said += f" It is right for {percent(self.table)} of the rows of the table."
        return said

    @property
    def text(self) -> str:
        """The form, and how often it is right."""
        return f"{self.lines}\n{self.summary}"

    def as_rules(self) -> dict[str, Any]:
        """The form as rules, as the JSON of `DecisionRules` has them; what else holds is last.

        ``coverage`` is null where it is not counted.
        """
        rules: list[dict[str, Any]] = []
        exact = self.right == 1
        if isinstance(self.body, PointScore):
            least = f"at least {self.body.least} points"
            ends = ((least, self.body.yes), (f"not {least}", self.body.no))
            rules = [{"if": text, "then": then, "coverage": None} for text, then in ends]
        elif not isinstance(self.body, NetworkLogic) and _ends_in_classes(self.body):
            for allowed, then in leaves_of(self.body, self.domain):
                parts = conditions_of(self.domain, allowed)
                share = Fraction(self.domain.points_in(allowed), self.domain.size)
                rules.append(
                    {"if": conjunction(parts), "then": then, "coverage": rational_text(share)}
                )
        labels = self.classes
        return {
            "rules": [
                {**rule, "label": labels[rule["then"]], "exact": exact, "conditions": []}
                for rule in rules
            ],
            "faithful": "exact" if exact else rational_text(self.right),
            "default": None,
            "fidelity": None if self.table is None else float(self.table),
            "domain": self.domain.to_json(),
            "classes": list(labels),
            "rests_on": self.rests_on,
            "covers": self.to_json()["covers"],
        }

    def to_json(self) -> dict[str, Any]:
        """The form as JSON; shares are exact."""
        table = None if self.table is None else rational_text(self.table)
        made = {
            "kind": self.kind,
            "size": self.conditions,
            "conditions": self.conditions,
            "text": self.lines,
            "faithful": "exact" if self.right == 1 else rational_text(self.right),
            "counted": self.counted,
            "covers": {"domain": rational_text(self.right), "table": table},
            "rests_on": self.rests_on,
            "tried": None if self.tried is None else list(self.tried),
        }
        if isinstance(self.body, PointScore):
            made["score"] = self.body.to_json()
        return made


def decisions_of(body: Body, codes: Array) -> Array:
    """What a form says about rows of codes of the features."""
    if isinstance(body, NetworkLogic):
        return np.array([body.decide(row) for row in codes.tolist()], dtype=np.int64)
    return body.decisions(codes)


def _ends_in_classes(body: DecisionList | DecisionTree) -> bool:
    return isinstance(body, DecisionList) or all_classes(body.root)


def all_classes(node: Node) -> bool:
    """Whether every end of a tree is a class."""
    if isinstance(node, Split):
        return all_classes(node.yes) and all_classes(node.no)
    return isinstance(node, Always)


def size_of(body: Body) -> int:
    """The number of conditions that are written."""
    if not isinstance(body, NetworkLogic):
        return body.conditions
    used = [neuron for layer in body.layers for neuron in layer if neuron.used]
    last = (
        [score.terms for score in body.scores] if body.decision is None else [body.decision.terms]
    )
    terms = sum(len(neuron.rule.terms) for neuron in used)
    return terms + sum(map(len, last)) if len(used) > 1 else terms


def kind_of(body: Body) -> str:
    """What a form is called."""
    match body:
        case PointScore():
            return "score"
        case DecisionList():
            return "list"
        case _:
            return "tree"


def doubt_of(right: Fraction, exact: bool) -> str:  # noqa: FBT001
    """At how many of its points the class of a leaf is right, in words."""
    least = "" if exact else "at least "
    return "" if right == 1 else f" (right for {least}{percent(right)})"


def with_doubts(node: Node, doubts: Iterator[str]) -> Node:
    """The tree with what is said at each end, in the order of `leaves_of`."""
    if not isinstance(node, Split):
        if not isinstance(node, Always):
            raise TypeError("an end of the tree is no class")
        return Mostly(node.decision, next(doubts))
    yes = with_doubts(node.yes, doubts)
    return replace(node, yes=yes, no=with_doubts(node.no, doubts))


Allowed: TypeAlias = tuple[tuple[int, ...], ...]


def leaves_of(body: DecisionTree | DecisionList, domain: Domain) -> Iterator[tuple[Allowed, int]]:
    """Disjoint products of codes that make up the domain, each with the class that is said there.

    Of a tree whose ends are classes, or a list of rules.
    """
    everything = tuple(tuple(range(len(f.codes))) for f in domain.features)
    if isinstance(body, DecisionTree):
        yield from _leaves(body.root, everything)
        return
    open_ = [everything]
    for rule in body.rules:
        after: list[Allowed] = []
        for allowed in open_:
            inside = allowed
            for question in rule.conditions:
                inside, outside = _divide(inside, question)
                if all(outside):
                    after.append(outside)
            if all(inside):
                yield inside, rule.then
        open_ = after
    for allowed in open_:
        yield allowed, body.default


def _leaves(node: Node, allowed: Allowed) -> Iterator[tuple[Allowed, int]]:
    if isinstance(node, Split):
        inside, outside = _divide(allowed, node.question)
        yield from _leaves(node.yes, inside)
        yield from _leaves(node.no, outside)
    elif isinstance(node, Always):
        yield allowed, node.decision
    else:
        raise TypeError("an end of the tree is no class")


def _divide(allowed: Allowed, question: Condition) -> tuple[Allowed, Allowed]:
    k = question.feature
    inside = tuple(code for code in allowed[k] if code in question.codes)
    outside = tuple(code for code in allowed[k] if code not in question.codes)
    return (*allowed[:k], inside, *allowed[k + 1 :]), (*allowed[:k], outside, *allowed[k + 1 :])


def score_of_logic(logic: NetworkLogic, domain: Domain) -> PointScore | None:
    """The network as one points score, if all depends on one neuron of the first layer."""
    if not logic.layers:
        rule = logic.decision
        if rule is None or rule.constant is not None:
            return None
        return _signed(rule.terms, rule.threshold, domain, 1, 0)
    used = [[n for n in layer if n.used] for layer in logic.layers]
    if any(len(layer) != 1 for layer in used):
        return None
    rule = used[0][0].rule
    # what is decided where the neuron is not 1, and where it is
    ends = [_end(logic, value) for value in (0, 1)]
    if rule.constant is not None or ends[0] == ends[1]:
        return None
    return _signed(rule.terms, rule.threshold, domain, ends[1], ends[0])


def _end(logic: NetworkLogic, value: int) -> int:
    """The class where all neurons of the first layer that matter have a value."""
    values = dict.fromkeys(range(len(logic.layers[0])), value)
    for layer in logic.layers[1:]:
        values = {k: int(neuron.rule.holds(values)) for k, neuron in enumerate(layer)}
    return logic.decide_last(values)


def _signed(terms: Sequence[Term], least: int, domain: Domain, yes: int, no: int) -> PointScore:
    weights = [
        (t.weight, condition(t.variable, domain.features[t.variable], t.codes)) for t in terms
    ]
    score = score_of(domain, weights, least, yes, no)
    return score if yes > no else score.negate(domain)

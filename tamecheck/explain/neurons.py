"""A binarized network as logic: every neuron as "at least m of n" over named literals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import gcd
from typing import Any

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import visible
from tamecheck.explain.domain import Domain, Feature
from tamecheck.explain.words import Written, condition, join
from tamecheck.ir.tensor import Array

_LARGEST = 2**20
"""Weights with a larger total are not searched for terms that do not matter."""


@dataclass(frozen=True, slots=True)
class Term:
    """A literal with a positive weight, which it adds when it holds.

    ``variable`` is the number of the feature, or of the neuron in the layer before; ``codes`` are
    those of the feature for which the literal holds; of a neuron, 0 for no and 1 for yes.
    """

    variable: int
    codes: tuple[int, ...]
    text: str
    weight: int


@dataclass(frozen=True, slots=True)
class ThresholdRule(Written):
    """That the weights of the literals which hold reach a threshold."""

    terms: tuple[Term, ...]
    """Every one matters: for each there is a case in which it decides."""
    threshold: int
    """At most 0 for what is always true; above the sum of the weights for what is never true."""
    reduced: bool = True
    """Whether literals that do not matter were searched for; not for huge weights."""

    @property
    def constant(self) -> bool | None:
        """The value, if it is always the same; None if it is not."""
        if self.threshold <= 0:
            return True
        return False if self.threshold > sum(t.weight for t in self.terms) else None

    @property
    def counting(self) -> tuple[int, int] | None:
        """``(m, n)`` if this is "at least m of the n literals", else None."""
        weights = sorted(term.weight for term in self.terms)
        for m in range(1, len(weights) + 1):
            # m literals always suffice, and m - 1 never do
            least, most = sum(weights[:m]), sum(weights[len(weights) - m + 1 :])
            if most < self.threshold <= least:
                return m, len(weights)
        return None

    def holds(self, codes: Mapping[int, int]) -> bool:
        """Whether it is true for codes of the variables."""
        total = sum(t.weight for t in self.terms if codes[t.variable] in t.codes)
        return total >= self.threshold

    @property
    def text(self) -> str:
        """The rule in words."""
        constant = self.constant
        if constant is not None:
            return "always" if constant else "never"
        texts = [term.text for term in self.terms]
        counted = self.counting
        if counted is None:
            return f"{' + '.join(_weigh(self.terms))} ≥ {self.threshold}"
        m, n = counted
        if n == 1:
            return texts[0]
        if m in (1, n):
            return join("and" if m == n else "or", texts)
        return f"at least {m} of {{{'; '.join(texts)}}}"

    def to_json(self) -> dict[str, Any]:
        """The rule as JSON."""
        counted = self.counting
        return {
            "text": self.text,
            "threshold": self.threshold,
            "terms": _documents(self.terms),
            "at_least": None if counted is None else list(counted),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """What a sum depends on: a feature or a neuron, by its number, and what its codes add."""

    number: int
    feature: Feature
    adds: tuple[int, ...]


def threshold_rule(variables: Sequence[Variable], least: int) -> ThresholdRule:
    """The rule that a sum over variables reaches ``least``, without what never matters.

    Two codes of a variable are alike if no reachable sum of the others lies between what they
    need; they are merged, and a variable whose codes are all alike vanishes.  The reachable sums
    are the bits of an integer, so the work grows with the square of the number of variables.
    """
    adds = {v.number: [a - min(v.adds) for a in v.adds] for v in variables}
    least -= sum(min(v.adds) for v in variables)
    largest = sum(map(max, adds.values()))
    small = largest <= _LARGEST
    if not 0 < least <= largest:
        return ThresholdRule((), 0 if least <= 0 else 1)
    if small and len({a for values in adds.values() for a in values if a}) > 1:
        _merge(adds, least)
    terms = [t for v in variables for t in _terms(replace(v, adds=tuple(adds[v.number])))]
    common = gcd(*(t.weight for t in terms))
    return ThresholdRule(_divide(terms, common), -((-least) // common), reduced=small)


def _merge(adds: dict[int, list[int]], least: int) -> None:
    """Give codes that are never told apart the smaller of their values."""
    for number, values in adds.items():
        others = 1
        for other, steps in adds.items():
            if other != number:
                reached = 0
                for step in set(steps):
                    reached |= others << step
                # sums that reach the threshold alone need nothing more
                others = reached & ((1 << least) - 1)
        kept = 0
        for level in sorted(set(values))[1:]:
            low, high = max(least - level, 0), least - kept
            if high > low and others >> low & ((1 << (high - low)) - 1):
                kept = level
            else:
                values[:] = [kept if a == level else a for a in values]


def _terms(variable: Variable) -> list[Term]:
    """The literals "at least this level", with the steps between levels as weights."""
    levels = sorted(set(variable.adds))
    terms: list[Term] = []
    for below, level in pairwise(levels):
        codes = tuple(code for code, add in enumerate(variable.adds) if add >= level)
        text = condition(variable.number, variable.feature, codes).text
        terms.append(Term(variable.number, codes, text, level - below))
    return terms


def _weigh(terms: Sequence[Term]) -> list[str]:
    return [f"{term.weight}·[{term.text}]" for term in terms]


@dataclass(frozen=True, slots=True)
class Neuron:
    """A neuron, its rule, and whether anything depends on it."""

    name: str
    rule: ThresholdRule
    used: bool


@dataclass(frozen=True, slots=True)
class Score:
    """A class and its score: a constant, and the weights of the literals that hold."""

    label: str
    constant: int
    terms: tuple[Term, ...]

    @property
    def text(self) -> str:
        """The score as a sum."""
        parts = _weigh(self.terms)
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


@dataclass(frozen=True, eq=False)
class NetworkLogic(Written):
    """A network as a hierarchy of rules, equal to it on every point of the domain."""

    domain: Domain = field(repr=False)
    """What can occur."""
    layers: tuple[tuple[Neuron, ...], ...]
    """The neurons, layer by layer."""
    decision: ThresholdRule | None
    """The rule for class 1, of two classes; None if there are more or fewer."""
    scores: tuple[Score, ...]
    """Of the classes, if there is no such rule: the largest decides, the first of several."""
    classes: tuple[str, ...]

    def decide(self, codes: Sequence[int]) -> int:
        """The class, by the rules."""
        values = dict(enumerate(codes))
        for layer in self.layers:
            values = {k: int(neuron.rule.holds(values)) for k, neuron in enumerate(layer)}
        return self.decide_last(values)

    def decide_last(self, values: Mapping[int, int]) -> int:
        """The class for the values of the last neurons (of the features, if there are none)."""
        if self.decision is not None:
            return int(self.decision.holds(values))
        totals = [
            score.constant + sum(t.weight for t in score.terms if values[t.variable] in t.codes)
            for score in self.scores
        ]
        return totals.index(max(totals))

    @property
    def text(self) -> str:
        """The rules, one a line; those of neurons on which nothing depends are left out."""
        lines = [
            f"{neuron.name}: {neuron.rule.text}"
            for layer in self.layers
            for neuron in layer
            if neuron.used
        ]
        if self.decision is not None:
            lines.append(f"{self.classes[1]} if {self.decision.text}; else {self.classes[0]}")
        lines += [f"score of {score.label}: {score.text}" for score in self.scores]
        if self.scores:
            lines.append("The largest score decides, the first of several.")
        return visible("\n".join(lines))

    def to_json(self) -> dict[str, Any]:
        """The rules as JSON."""
        return {
            "layers": [
                [{"name": n.name, "rule": n.rule.to_json(), "used": n.used} for n in layer]
                for layer in self.layers
            ],
            "decision": None if self.decision is None else self.decision.to_json(),
            "scores": [
                {"label": s.label, "constant": s.constant, "terms": _documents(s.terms)}
                for s in self.scores
            ],
            "text": self.text,
        }


def _documents(terms: Sequence[Term]) -> list[dict[str, Any]]:
    return [{"literal": t.text, "weight": t.weight} for t in terms]


def network_logic(
    network: ThresholdNetwork, domain: Domain, classes: Sequence[str] | None = None
) -> NetworkLogic:
    """Every neuron of a network as a rule over the features or the neurons before.

    Parameters
    ----------
    network, domain, classes
        The network, what can occur, and what the classes are called.
    """
    labels = tuple(map(str, range(network.classes) if classes is None else classes))
    before = [
        _Sources(feature, feature.inputs, np.asarray(feature.codes, dtype=np.int64))
        for feature in domain.features
    ]
    layers: list[list[tuple[str, ThresholdRule]]] = []
    for depth, layer in enumerate(network.layers, start=1):
        rules = [
            (f"n{depth}.{k + 1}", threshold_rule(_variables(before, weights), least))
            for k, (weights, least) in enumerate(
                zip(layer.weights, layer.thresholds.tolist(), strict=True)
            )
        ]
        layers.append(rules)
        before = [_neuron(k, name, rule) for k, (name, rule) in enumerate(rules)]
    decision, scores = None, ()
    if network.classes == 2:
        wins = network.preferences([1], [0])
        decision = threshold_rule(_variables(before, wins.weights[0]), int(wins.thresholds[0]))
    else:
        scores = _scores(before, network, labels)
    return NetworkLogic(domain, _mark_used(layers, decision, scores), decision, scores, labels)


@dataclass(frozen=True, slots=True, eq=False)
class _Sources:
    """A feature or a neuron, the inputs of the next layer that code it, and their codes."""

    feature: Feature
    inputs: Sequence[int]
    codes: Array


def _variables(before: Sequence[_Sources], weights: Array) -> list[Variable]:
    return [
        Variable(number, one.feature, tuple((one.codes @ weights[list(one.inputs)]).tolist()))
        for number, one in enumerate(before)
    ]


def _neuron(number: int, name: str, rule: ThresholdRule) -> _Sources:
    """A neuron as a feature with codes -1 and 1; a constant one has its one value twice."""
    codes = np.array([[-1], [1]], dtype=np.int8)
    feature = Feature(name, (number,), codes, (f"not {name}", name))
    if rule.constant is not None:
        codes = np.full((2, 1), 1 if rule.constant else -1)
    return _Sources(feature, (number,), codes.astype(np.int64))


def _scores(
    before: Sequence[_Sources], network: ThresholdNetwork, labels: Sequence[str]
) -> tuple[Score, ...]:
    # what adds the same to every class decides nothing
    relative = network.readout - network.readout.min(axis=0)
    made: list[tuple[int, list[Term]]] = []
    for row, offset in zip(relative, network.offsets.tolist(), strict=True):
        variables = _variables(before, row)
        constant = int(offset) + sum(min(v.adds) for v in variables)
        made.append((constant, [t for v in variables for t in _terms(v)]))
    lowest = min(constant for constant, _ in made)
    common = gcd(*(c - lowest for c, _ in made), *(t.weight for _, terms in made for t in terms))
    scale = max(common, 1)
    return tuple(
        Score(label, (constant - lowest) // scale, _divide(terms, scale))
        for label, (constant, terms) in zip(labels, made, strict=True)
    )


def _divide(terms: Sequence[Term], by: int) -> tuple[Term, ...]:
    return tuple(replace(term, weight=term.weight // by) for term in terms)


def _mark_used(
    layers: Sequence[Sequence[tuple[str, ThresholdRule]]],
    decision: ThresholdRule | None,
    scores: Sequence[Score],
) -> tuple[tuple[Neuron, ...], ...]:
    """The neurons, each with whether a rule after it names it."""
    last = [t for score in scores for t in score.terms]
    named = {t.variable for t in (last if decision is None else decision.terms)}
    found: list[tuple[Neuron, ...]] = []
    for layer in reversed(layers):
        marked = tuple(Neuron(name, rule, k in named) for k, (name, rule) in enumerate(layer))
        named = {t.variable for neuron in marked if neuron.used for t in neuron.rule.terms}
        found.append(marked)
    return tuple(reversed(found))

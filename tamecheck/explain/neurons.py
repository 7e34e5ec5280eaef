"""A binarized network as logic: every neuron as "at least m of n" over named literals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Any

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import visible
from tamecheck.explain.domain import Domain, Feature
from tamecheck.explain.words import condition
from tamecheck.ir.tensor import Array

__all__ = [
    "NetworkLogic",
    "Neuron",
    "Score",
    "Term",
    "ThresholdRule",
    "Variable",
    "network_logic",
    "threshold_rule",
]

_LARGEST = 2**20
"""Weights with a larger total are not searched for terms that do not matter."""


@dataclass(frozen=True, slots=True)
class Term:
    """A literal with a positive weight.

    Parameters
    ----------
    variable
        The number of the feature, or of the neuron in the layer before.
    codes
        The codes of the feature for which the literal holds; of a neuron, 0 for no and 1 for yes.
    text
        The literal in words.
    weight
        What it adds when it holds.
    """

    variable: int
    codes: tuple[int, ...]
    text: str
    weight: int


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """That the weights of the literals which hold reach a threshold.

    Parameters
    ----------
    terms
        Every one matters: for each there is a case in which it decides.
    threshold
        At most 0 for what is always true; above the sum of the weights for what is never true.
    reduced
        Whether literals that do not matter were searched for; not for huge weights.
    """

    terms: tuple[Term, ...]
    threshold: int
    reduced: bool = True

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
            parts = [f"{t.weight}·[{t.text}]" for t in self.terms]
            return f"{' + '.join(parts)} ≥ {self.threshold}"
        m, n = counted
        if n == 1:
            return texts[0]
        if m == n:
            return " and ".join(f"({t})" if " or " in t else t for t in texts)
        if m == 1:
            return " or ".join(f"({t})" if " and " in t else t for t in texts)
        return f"at least {m} of {{{'; '.join(texts)}}}"

    def __str__(self) -> str:
        return self.text


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
    terms = [t for v in variables for t in _terms(v.number, v.feature, adds[v.number])]
    common = gcd(*(t.weight for t in terms))
    scaled = [Term(t.variable, t.codes, t.text, t.weight // common) for t in terms]
    return ThresholdRule(tuple(scaled), -((-least) // common), reduced=small)


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


def _terms(number: int, feature: Feature, adds: Sequence[int]) -> list[Term]:
    """The literals "at least this level", with the steps between levels as weights."""
    terms: list[Term] = []
    below = 0
    for level in sorted(set(adds) - {0}):
        codes = tuple(code for code, add in enumerate(adds) if add >= level)
        terms.append(Term(number, codes, condition(number, feature, codes).text, level - below))
        below = level
    return terms


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
        parts = [f"{t.weight}·[{t.text}]" for t in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


@dataclass(frozen=True, eq=False)
class NetworkLogic:
    """A network as a hierarchy of rules, equal to it on every point of the domain.

    Parameters
    ----------
    domain
        What can occur.
    layers
        The neurons, layer by layer.
    decision
        The rule for class 1, of two classes; None if there are more or fewer.
    scores
        Of the classes, if there is no such rule: the largest decides, the first of several.
    """

    domain: Domain = field(repr=False)
    layers: tuple[tuple[Neuron, ...], ...]
    decision: ThresholdRule | None
    scores: tuple[Score, ...]
    classes: tuple[str, ...]

    def decide(self, codes: Sequence[int]) -> int:
        """The class, by the rules."""
        values = dict(enumerate(codes))
        for layer in self.layers:
            values = {k: int(neuron.rule.holds(values)) for k, neuron in enumerate(layer)}
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

    def __str__(self) -> str:
        return self.text

    def document(self) -> dict[str, Any]:
        """The rules as JSON."""
        return {
            "layers": [
                [{"name": n.name, "rule": _document(n.rule), "used": n.used} for n in layer]
                for layer in self.layers
            ],
            "decision": None if self.decision is None else _document(self.decision),
            "scores": [
                {"label": s.label, "constant": s.constant, "terms": _documents(s.terms)}
                for s in self.scores
            ],
            "text": self.text,
        }


def _documents(terms: Sequence[Term]) -> list[dict[str, Any]]:
    return [{"literal": t.text, "weight": t.weight} for t in terms]


def _document(rule: ThresholdRule) -> dict[str, Any]:
    counted = rule.counting
    return {
        "text": rule.text,
        "threshold": rule.threshold,
        "terms": _documents(rule.terms),
        "at_least": None if counted is None else list(counted),
    }


def network_logic(
    network: ThresholdNetwork, domain: Domain, classes: Sequence[str] | None = None
) -> NetworkLogic:
    """Every neuron of a network as a rule over the features or the neurons before.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    classes
        What the classes are called.
    """
    labels = tuple(map(str, range(network.classes))) if classes is None else tuple(classes)
    before: list[tuple[int, Feature, Array]] = [
        (k, f, np.asarray(f.codes, dtype=np.int64)) for k, f in enumerate(domain.features)
    ]
    columns = [list(f.inputs) for f in domain.features]
    layers: list[list[tuple[str, ThresholdRule]]] = []
    for depth, layer in enumerate(network.layers, start=1):
        rules: list[tuple[str, ThresholdRule]] = []
        for k, (weights, least) in enumerate(
            zip(layer.weights, layer.thresholds.tolist(), strict=True)
        ):
            variables = _variables(before, columns, weights)
            rules.append((f"n{depth}.{k + 1}", threshold_rule(variables, least)))
        layers.append(rules)
        before = [_neuron_feature(k, name, rule) for k, (name, rule) in enumerate(rules)]
        columns = [[k] for k in range(len(rules))]
    readout, offsets = network.readout, network.offsets
    decision, scores = None, ()
    if network.classes == 2:
        variables = _variables(before, columns, readout[1] - readout[0])
        # the first of equal scores wins
        decision = threshold_rule(variables, 1 - int(offsets[1] - offsets[0]))
    else:
        scores = _scores(before, columns, readout, offsets, labels)
    return NetworkLogic(domain, _marked(layers, decision, scores), decision, scores, labels)


def _variables(
    before: Sequence[tuple[int, Feature, Array]], columns: Sequence[list[int]], weights: Array
) -> list[Variable]:
    return [
        Variable(number, feature, tuple((codes @ weights[own]).tolist()))
        for (number, feature, codes), own in zip(before, columns, strict=True)
    ]


def _neuron_feature(number: int, name: str, rule: ThresholdRule) -> tuple[int, Feature, Array]:
    """A neuron as a feature with codes -1 and 1; a constant one has its one value twice."""
    codes = np.array([[-1], [1]], dtype=np.int8)
    feature = Feature(name, (number,), codes, (f"not {name}", name))
    constant = rule.constant
    own = codes if constant is None else np.full((2, 1), 1 if constant else -1)
    return number, feature, own.astype(np.int64)


def _scores(
    before: Sequence[tuple[int, Feature, Array]],
    columns: Sequence[list[int]],
    readout: Array,
    offsets: Array,
    labels: Sequence[str],
) -> tuple[Score, ...]:
    # what adds the same to every class decides nothing
    relative = readout - readout.min(axis=0)
    made: list[tuple[int, list[Term]]] = []
    for row, offset in zip(relative, offsets.tolist(), strict=True):
        constant, terms = int(offset), list[Term]()
        for variable in _variables(before, columns, row):
            low = min(variable.adds)
            constant += low
            terms += _terms(variable.number, variable.feature, [a - low for a in variable.adds])
        made.append((constant, terms))
    lowest = min(constant for constant, _ in made)
    common = gcd(*(c - lowest for c, _ in made), *(t.weight for _, terms in made for t in terms))
    scale = max(common, 1)
    return tuple(
        Score(
            label,
            (constant - lowest) // scale,
            tuple(Term(t.variable, t.codes, t.text, t.weight // scale) for t in terms),
        )
        for label, (constant, terms) in zip(labels, made, strict=True)
    )


def _marked(
    layers: Sequence[Sequence[tuple[str, ThresholdRule]]],
    decision: ThresholdRule | None,
    scores: Sequence[Score],
) -> tuple[tuple[Neuron, ...], ...]:
    """The neurons, each with whether a rule after it names it."""
    named = {t.variable for score in scores for t in score.terms}
    named |= {t.variable for t in (decision.terms if decision is not None else ())}
    found: list[tuple[Neuron, ...]] = []
    for layer in reversed(layers):
        marked = tuple(Neuron(name, rule, k in named) for k, (name, rule) in enumerate(layer))
        named = {t.variable for neuron in marked if neuron.used for t in neuron.rule.terms}
        found.append(marked)
    return tuple(reversed(found))

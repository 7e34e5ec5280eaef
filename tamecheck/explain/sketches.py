"""A few rules that are right for most of a domain, with a proved bound on how many points.

A small decision tree is fitted to the decisions at random points of the domain.  What is said
about it does not rest on them: the points of each leaf are counted class by class, and where that
takes too long, bounds of the counts bound the share of points on which the tree is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.errors import InputError, visible
from tamecheck.explain.counts import count_within
from tamecheck.explain.domain import Domain
from tamecheck.explain.evaluator import Evaluator
from tamecheck.explain.rules_result import about, hoeffding, percent
from tamecheck.explain.tables import between
from tamecheck.explain.trees import Mostly, Node, Split, entropy, meeting
from tamecheck.explain.words import Condition, Written, conditions_of, conjunction, html_table
from tamecheck.ir.exact import rational_text
from tamecheck.ir.tensor import Array

_FITTED, _SAMPLED = 1 << 14, 100_000

Allowed = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class SketchRule:
    """If some conditions hold, the network mostly decides for one class."""

    conditions: tuple[Condition, ...]
    """They all hold; no point meets those of two rules."""
    then: int
    """The class."""
    coverage: Fraction
    """The share of the domain in which they hold, exactly."""
    right: Fraction
    """The share of those points that have the class: at least this, and exactly if ``exact``."""
    exact: bool
    """Whether all points of the rule were counted."""

    @property
    def if_(self) -> str:
        """The conditions in words."""
        return conjunction(self.conditions)


@dataclass(frozen=True, eq=False)
class Sketch(Written):
    """Rules that tell every point of a domain apart, and how often they are right."""

    rules: tuple[SketchRule, ...]
    """Every point meets the conditions of just one; the widest first."""
    domain: Domain = field(repr=False)
    classes: tuple[str, ...]
    """What can occur, and what the classes are called."""
    sampled: tuple[int, int]
    """How many random points the rules were tried at, and at how many they were right."""
    fidelity: float | None
    """The share of the given data on which they are right; None without data."""

    @property
    def proved(self) -> Fraction:
        """A proved lower bound on the share of the domain that is decided as by the network."""
        return sum((rule.coverage * rule.right for rule in self.rules), Fraction(0))

    @property
    def exact(self) -> bool:
        """Whether `proved` is that share."""
        return all(rule.exact for rule in self.rules)

    def decide(self, codes: Array) -> Array:
        """The class for rows of codes."""
        found = np.full(len(codes), -1, dtype=np.int64)
        for rule in self.rules:
            found[meeting(rule.conditions, codes)] = rule.then
        return found

    @property
    def text(self) -> str:
        """The rules, one a line, and what is known of them."""
        lines = [
            f"if {rule.if_} then {self.classes[rule.then]}"
            f"  [{about(rule.coverage)}; right for {'' if rule.exact else 'at least '}"
            f"{percent(rule.right)} of that]"
            for rule in self.rules
        ]
        return visible("\n".join([*lines, self.summary]))

    @property
    def summary(self) -> str:
        """What is proved and what is measured, in a sentence each."""
        count, share = self.domain.size, percent(self.proved)
        least = "" if self.exact else "at least "
        said = f"Proved: right for {least}{share} of {count} points."
        if not self.exact:
            tried, right = self.sampled
            said += f" Estimated: {hoeffding(tried, right)}"
        if self.fidelity is not None:
            said += f" Measured: right for {self.fidelity:.2%} of the rows of the data."
        return said

    def _repr_html_(self) -> str:
        rows = [
            (rule.if_, self.classes[rule.then], about(rule.coverage), percent(rule.right))
            for rule in self.rules
        ]
        return html_table(("if", "then", "coverage", "right"), rows, self.summary)

    def to_json(self) -> dict[str, Any]:
        """The JSON form; shares are exact."""
        proved = "exact" if self.proved == 1 else rational_text(self.proved)
        return {
            "rules": [
                {
                    "if": rule.if_,
                    "then": rule.then,
                    "label": self.classes[rule.then],
                    "coverage": rational_text(rule.coverage),
                    "right": rational_text(rule.right),
                    "exact": rule.right == 1,
                }
                for rule in self.rules
            ],
            "faithful": proved,
            "counted": self.exact,
            "classes": list(self.classes),
            "sampled": list(self.sampled),
            "fidelity": self.fidelity,
            "text": self.text,
        }


def sketch(  # noqa: PLR0913  # the limits are the caller's
    network: ThresholdNetwork,
    domain: Domain,
    classes: Sequence[str] | None = None,
    *,
    leaves: int = 8,
    states: Array | None = None,
    seconds: float = 20.0,
    seed: int = 0,
) -> Sketch:
    """A decision tree of few leaves for a network, with a proved bound on where it is right.

    Parameters
    ----------
    network, domain, classes
        The network, what can occur, and what the classes are called.
    leaves
        The most rules.
    states
        Data on which the rules are measured, in rows of -1 and 1.
    seconds
        For the counts, as far as they are no visit of all points; see `count_within`.
    seed
        Of the random points.

    Raises
    ------
    InputError
        If there is to be no leaf.
    """
    if leaves < 1:
        raise InputError(f"A sketch has at least one rule, not {leaves}.")
    evaluator, rng = Evaluator(network, domain, seed=seed), np.random.default_rng(seed)
    codes = random_codes(domain, _FITTED, rng)
    tree = grow(domain, codes, evaluator.classes(codes), leaves, network.classes)
    found = _join(tree.leaves())
    budget = Budget.of(seconds)
    rules: list[SketchRule] = []
    for place, leaf in enumerate(found):
        left = max(budget.seconds, 0.05) / (len(found) - place)
        rules.append(_count(network, domain, leaf, left))
    rules.sort(key=lambda rule: -rule.coverage)
    labels = tuple(map(str, range(network.classes) if classes is None else classes))
    made = Sketch(tuple(rules), domain, labels, (0, 0), None)
    tried = random_codes(domain, _SAMPLED, rng)
    right = int(np.count_nonzero(made.decide(tried) == evaluator.classes(tried)))
    fidelity = None
    if states is not None:
        rows = domain.code_rows(states)
        fidelity = float((made.decide(rows) == evaluator.classes(rows)).mean())
    return replace(made, sampled=(_SAMPLED, right), fidelity=fidelity)


def random_codes(domain: Domain, count: int, rng: np.random.Generator) -> Array:
    """Random points of the domain, each as likely, in rows of codes."""
    if not domain.constraints:
        sizes = [len(f.codes) for f in domain.features]
        return rng.integers(sizes, size=(count, len(sizes)))
    found = np.empty((count, len(domain.features)), dtype=np.int64)
    for group in domain.groups:
        chosen = rng.integers(len(group.codes), size=count)
        found[:, list(group.features)] = group.codes[chosen]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A part of the domain, the random points in it, and their classes."""

    allowed: Allowed
    codes: Array
    decided: Array

    @property
    def likely(self) -> int:
        """The most frequent class at the random points; the first one if there are none."""
        return int(np.bincount(self.decided, minlength=1).argmax())

    def part(self, feature: int, codes: Sequence[int]) -> Leaf:
        """The part where a feature has one of some codes."""
        rows = np.isin(self.codes[:, feature], codes)
        allowed = (*self.allowed[:feature], tuple(codes), *self.allowed[feature + 1 :])
        return Leaf(allowed, self.codes[rows], self.decided[rows])


@dataclass(slots=True, eq=False)
class Branch:
    """A leaf while a tree grows: the question that says most there, and what follows it."""

    leaf: Leaf
    gain: float
    feature: int
    codes: list[int]
    after: tuple[Branch, Branch] | None = None

    @classmethod
    def of(cls, leaf: Leaf, domain: Domain, classes: int) -> Branch:
        """A leaf with its question."""
        return cls(leaf, *_question(leaf, domain, classes))

    def leaves(self) -> list[Leaf]:
        """The ends."""
        if self.after is None:
            return [self.leaf]
        return [leaf for branch in self.after for leaf in branch.leaves()]

    def node(self, domain: Domain, end: Callable[[Leaf], Mostly]) -> Node:
        """The tree; ``end`` says what stands at its ends."""
        if self.after is None:
            return end(self.leaf)
        rest = [code for code in self.leaf.allowed[self.feature] if code not in self.codes]
        feature = domain.features[self.feature]
        yes, no = (branch.node(domain, end) for branch in self.after)
        if isinstance(yes, Mostly) and isinstance(no, Mostly) and yes.decision == no.decision:
            return yes
        question = between(self.feature, feature, self.codes, rest)
        negation = between(self.feature, feature, rest, self.codes)
        return Split(question, negation.text, yes, no)


def grow(domain: Domain, codes: Array, decided: Array, most: int, classes: int) -> Branch:
    """A tree over rows of codes, each time divided where most is gained, as long as any is."""
    everything = tuple(tuple(range(len(f.codes))) for f in domain.features)
    root = Branch.of(Leaf(everything, codes, decided), domain, classes)
    left = [root]
    for _ in range(most - 1):
        best = max(left, key=lambda branch: branch.gain)
        if best.gain <= 0:
            break
        rest = [code for code in best.leaf.allowed[best.feature] if code not in best.codes]
        yes, no = (
            Branch.of(best.leaf.part(best.feature, part), domain, classes)
            for part in (best.codes, rest)
        )
        best.after = yes, no
        left = [branch for branch in left if branch is not best] + [yes, no]
    return root


def _join(leaves: Sequence[Leaf]) -> list[Leaf]:
    """Leaves of one class that differ in one feature only, as one."""
    for one, other in combinations(leaves, 2):
        pairs = enumerate(zip(one.allowed, other.allowed, strict=True))
        apart = [k for k, (codes, others) in pairs if codes != others]
        if len(apart) == 1 and one.likely == other.likely:
            place = apart[0]
            codes = tuple(sorted((*one.allowed[place], *other.allowed[place])))
            joined = Leaf(
                (*one.allowed[:place], codes, *one.allowed[place + 1 :]),
                np.concatenate([one.codes, other.codes]),
                np.concatenate([one.decided, other.decided]),
            )
            return _join([*(leaf for leaf in leaves if leaf not in (one, other)), joined])
    return list(leaves)


def _question(leaf: Leaf, domain: Domain, classes: int) -> tuple[float, int, list[int]]:
    """The entropy that the best question takes away, its feature, and the codes of a yes."""
    best: tuple[float, int, list[int]] = (0.0, 0, [])
    total = np.bincount(leaf.decided, minlength=classes)
    whole = entropy(total)
    if not whole:
        return best
    for feature, codes in enumerate(leaf.allowed):
        places = leaf.codes[:, feature] * classes + leaf.decided
        size = len(domain.features[feature].codes) * classes
        table = np.bincount(places, minlength=size).reshape(-1, classes)
        ordered = domain.features[feature].ordered
        ways = [codes[k:] for k in range(1, len(codes))] if ordered else [(c,) for c in codes[1:]]
        if not ordered and len(codes) > 2:
            ways.append(codes[:1])
        for way in ways:
            inside = table[list(way)].sum(axis=0)
            gain = whole - entropy(inside) - entropy(total - inside)
            if gain > best[0] + 1e-9:
                best = (gain, feature, list(way))
    return best


def _count(network: ThresholdNetwork, domain: Domain, leaf: Leaf, seconds: float) -> SketchRule:
    """The rule of a leaf: its most frequent class, and how often that is right, counted."""
    points = domain.points_in(leaf.allowed)
    found = count_within(network, domain, leaf.allowed, seconds=seconds)
    then = int(np.argmax(found.lower)) if found.exact else leaf.likely
    conditions = tuple(conditions_of(domain, leaf.allowed))
    right = Fraction(found.lower[then], points) if points else Fraction(1)
    return SketchRule(conditions, then, Fraction(points, domain.size), right, found.exact)

"""The decisions of a network in few words: a score, a list or a tree, and how often it is right.

Forms that decide every point as the network does are looked for first; if none of them is short,
the best short form that is right at most points.  Short forms are fitted at random points and at
the rows of a table.  What is said about them does not rest on those: the points of the domain where
form and network agree are counted, and counted again by code that shares nothing with that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.errors import InputError, TimeLimitError
from tamecheck.explain import forms, trees
from tamecheck.explain.check import Recomputation, confirm
from tamecheck.explain.concepts import Always, always, concept_of
from tamecheck.explain.counts import CountBounds, count_within
from tamecheck.explain.domain import Domain
from tamecheck.explain.evaluator import Evaluator
from tamecheck.explain.joint import in_pairs
from tamecheck.explain.neurons import NetworkLogic, network_logic
from tamecheck.explain.scores import PointScore, fit_scores
from tamecheck.explain.sketches import Leaf, grow, random_codes
from tamecheck.explain.tables import Grid, decision_table, grid_of
from tamecheck.ir.tensor import Array

MOST = 12
"""The most conditions, and the most rules, of a form, unless it is said otherwise."""

_SAMPLED, _TRIED, _FEW = 1 << 13, 1 << 15, 1 << 20
_TOLD = 500
"""Weights of a first layer that is told neuron by neuron."""

_TABLE, _CELLS_A_SECOND = 1 << 22, 1 << 21
_RECOUNTED, _VISITS_A_SECOND = 1 << 16, 1 << 25
_WORTH = 0.003
"""The share of points for which one more condition is accepted."""


def tell(  # noqa: PLR0913  # the limits are the caller's
    network: ThresholdNetwork,
    domain: Domain,
    classes: Sequence[str] | None = None,
    *,
    states: Array | None = None,
    most_conditions: int = MOST,
    most_rules: int = MOST,
    budget: Budget | None = None,
    seed: int = 0,
    watch: Callable[[forms.Form], None] = lambda _: None,
) -> forms.Form:
    """The decisions of a network in few words, as often right as is found in the time.

    Parameters
    ----------
    network, domain, classes
        The network, what can occur, and what the classes are called.
    states
        Rows of a table, at which the form is measured, and to which it is fitted too.
    most_conditions, most_rules
        How long it may be.
    budget
        The time; a form is given whatever it is.
    seed
        Of the random points.
    watch
        Is told of each form that is better than those before, for callers who may be interrupted.

    Raises
    ------
    InputError
        If there is to be no rule, or a negative number of conditions.
    """
    if most_rules < 1 or most_conditions < 0:
        raise InputError("A form has at least one rule, and no negative number of conditions.")
    limits = most_conditions, most_rules, budget or Budget(), seed, watch
    return _Teller(network, domain, _labels(network, classes), states, *limits).tell()


def exact_score(
    network: ThresholdNetwork,
    domain: Domain,
    classes: Sequence[str] | None = None,
    *,
    states: Array | None = None,
) -> forms.Form | None:
    """The network as one points score, if all depends on one sum; of any length."""
    if network.layers and _is_wide(network):
        return None
    limits = MOST, MOST, Budget.of(2.0)
    return _Teller(network, domain, _labels(network, classes), states, *limits).exact_score()


def _labels(network: ThresholdNetwork, classes: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(map(str, range(network.classes) if classes is None else classes))


def _is_wide(network: ThresholdNetwork) -> bool:
    """Whether the first layer has too many neurons to be told neuron by neuron."""
    first = network.layers[0].weights
    return len(first) > 1 and int(np.count_nonzero(first)) > _TOLD


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Points at which forms are fitted and compared: random ones, then the rows of the table."""

    codes: Array
    decided: Array
    random: int
    rows: int

    def right(self, said: Array) -> float:
        """The share of points that are right, half of it for the table if there is one."""
        hits = said == self.decided
        shares = [hits[: self.random].mean()]
        if self.rows:
            shares.append(hits[self.random :].mean())
        return float(np.mean(shares))

    @property
    def balanced(self) -> tuple[Array, Array]:
        """The points with the rows repeated until they are about as many as the others."""
        if not self.rows:
            return self.codes, self.decided
        extra = np.arange(self.random) % self.rows + self.random
        chosen = np.concatenate([np.arange(self.random), extra])
        return self.codes[chosen], self.decided[chosen]


@dataclass(eq=False)
class _Teller:
    """One search for a form."""

    network: ThresholdNetwork
    domain: Domain
    classes: tuple[str, ...]
    states: Array | None
    most: int
    most_rules: int
    budget: Budget
    seed: int = 0
    watch: Callable[[forms.Form], None] = lambda _: None

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(self.network, self.domain, seed=self.seed)
        self.rows = np.zeros((0, len(self.domain.features)), dtype=np.int64)
        if self.states is not None and len(self.states):
            self.rows = self.domain.code_rows(self.states)
        random = random_codes(self.domain, _SAMPLED, np.random.default_rng(self.seed))
        codes = np.concatenate([random, self.rows])
        decided = self.evaluator.classes(codes)
        self.sample = _Sample(codes, decided, len(random), len(self.rows))
        self.whole = min(self.budget.seconds, 1e6)
        self.recomputation = Recomputation(self.network, self.domain)

    def tell(self) -> forms.Form:
        best = self._single()
        self.watch(best)
        try:
            return self._tell(best)
        except TimeLimitError:
            return best

    def _tell(self, best: forms.Form) -> forms.Form:
        exact = list(self._by_logic())
        grid = self._grid()
        if grid is not None:
            exact += self._by_grid(grid)
        short = [form for form in exact if form.conditions <= self.most]
        if short:
            found = min(short, key=lambda form: form.conditions)
            self.watch(found)
            return self._recompute(found)
        for form in self._fitted():
            self.watch(form)
            best = form
        return self._recompute(best)

    # --- forms that are always right

    def _single(self) -> forms.Form:
        """The class that is decided most often; at one point at least it is right."""
        codes, decided = self.sample.balanced
        del codes
        likely = int(np.bincount(decided).argmax())
        body = trees.DecisionTree(Always(likely), self.classes)
        return self._form("class", body, Fraction(1, self.domain.size), counted=False)

    def _form(self, kind: str, body: forms.Body, right: Fraction, *, counted: bool) -> forms.Form:
        table = None
        if len(self.rows):
            hits = forms.decisions_of(body, self.rows) == self.sample.decided[self.sample.random :]
            table = Fraction(int(np.count_nonzero(hits)), len(self.rows))
        size = forms.size_of(body)
        return forms.Form(
            kind, body, size, self.domain, self.classes, right, counted, table, "search"
        )

    def exact_score(self) -> forms.Form | None:
        """The network as a score, with what that rests on."""
        found = next((form for form in self._by_logic() if form.kind == "score"), None)
        return None if found is None else self._recompute(found)

    def _by_logic(self) -> Iterator[forms.Form]:
        """The network itself: a score if all depends on one sum, else neuron by neuron."""
        if self.network.layers and _is_wide(self.network):
            return
        logic = network_logic(self.network, self.domain, self.classes)
        score = forms.score_of_logic(logic, self.domain)
        if score is not None:
            yield self._form("score", score, Fraction(1), counted=True)
        elif forms.size_of(logic) <= self.most:
            yield self._form("neurons", logic, Fraction(1), counted=True)

    def _grid(self) -> Grid | None:
        """The decisions of all points, if that is soon done."""
        size = self.domain.product.size
        if size > _TABLE or size > self.whole / 4 * _CELLS_A_SECOND or self.network.classes > 256:
            return None
        return grid_of(self.domain, decision_table(self.network, self.domain, _TABLE))

    def _by_grid(self, grid: Grid) -> Iterator[forms.Form]:
        """Outline, tree and list, as far as they are short."""
        for kind, end in (("m-of-n", concept_of), ("tree", always)):
            part = self.budget.part(self.whole / 10)
            root = trees.decision_tree(grid, end, most=self.most + 1, deadline=part.deadline)
            if root is not None:
                body = trees.DecisionTree(root, self.classes)
                known = "tree" if isinstance(root, trees.Split) else kind
                yield self._form(known, body, Fraction(1), counted=True)
        most = min(self.most, self.most_rules) + 1
        part = self.budget.part(self.whole / 10)
        listed = trees.decision_list(
            grid, self.classes, seed=self.seed, most=most, deadline=part.deadline
        )
        if listed is not None:
            yield self._form("list", listed, Fraction(1), counted=True)

    # --- forms that are right at most points

    def _fitted(self) -> Iterator[forms.Form]:
        """The best short forms of the sample, each counted; better ones later."""
        bodies = [*self._trees(), *self._scores()]
        if not bodies:
            yield self._counted(self._single())
            return
        worth = [
            (self.sample.right(forms.decisions_of(body, self.sample.codes)) - _WORTH * size, k)
            for k, (body, size) in enumerate(bodies)
        ]
        _, place = max(worth)
        body, _ = bodies[place]
        form = self._form(forms.kind_of(body), body, Fraction(1, self.domain.size), counted=False)
        yield replace(form, right=Fraction(0))
        yield self._counted(form)

    def _trees(self) -> Iterator[tuple[forms.Body, int]]:
        codes, decided = self.sample.balanced
        most = min(self.most + 1, self.most_rules)
        for leaves in sorted({*range(2, min(most, 6) + 1), most * 2 // 3, most} - {0, 1}):
            if leaves <= most and not self.budget.is_spent:
                branch = grow(self.domain, codes, decided, leaves, self.network.classes)
                tree = trees.DecisionTree(branch.node(self.domain, _likely), self.classes)
                yield tree, tree.conditions

    def _scores(self) -> Iterator[tuple[forms.Body, int]]:
        codes, decided = self.sample.balanced
        present = np.unique(decided).tolist()
        if len(present) != 2 or self.most < 1:
            return
        no, yes = present
        sizes = sorted({self.most, self.most * 2 // 3, self.most // 3, 1} - {0})
        part = self.budget.part(self.whole / 4)
        for score in fit_scores(
            self.domain, codes, decided == yes, sizes, yes=yes, no=no, budget=part
        ):
            if score.conditions:
                yield score, score.conditions

    # --- how often they are right

    def _counted(self, form: forms.Form) -> forms.Form:
        """The form with the share of points where it is right, or a bound on that."""
        # small domains are counted in next to no time, and then exactly
        least = 4.0 if self.domain.size <= _FEW else 0.05
        seconds = max(self.budget.seconds / 2, least)
        if isinstance(form.body, PointScore):
            both = in_pairs(self.network, form.body.neuron(self.domain))
            found = count_within(both, self.domain, seconds=seconds)
            right = _agreeing(found.lower, form.body)
            share = Fraction(right, self.domain.size)
            return replace(form, right=share, counted=found.exact, rests_on=found.rests_on)
        if isinstance(form.body, NetworkLogic):
            raise TypeError("the network itself is not counted")
        leaves = list(forms.leaves_of(form.body, self.domain))
        until, found = Budget.of(seconds), list[CountBounds]()
        for place, (allowed, _) in enumerate(leaves):
            share = max(until.seconds, 0.02) / (len(leaves) - place)
            found.append(count_within(self.network, self.domain, allowed, seconds=share))
        sizes = [max(self.domain.points_in(allowed), 1) for allowed, _ in leaves]
        rights = [one.lower[then] for one, (_, then) in zip(found, leaves, strict=True)]
        body = form.body
        if isinstance(body, trees.DecisionTree):
            doubts = (
                forms.doubt_of(Fraction(right, size), one.exact)
                for right, size, one in zip(rights, sizes, found, strict=True)
            )
            body = trees.DecisionTree(forms.with_doubts(body.root, doubts), self.classes)
        visits = {one.rests_on for one in found} == {"enumeration"}
        return replace(
            form,
            body=body,
            right=Fraction(sum(rights), self.domain.size),
            counted=all(one.exact for one in found),
            rests_on="enumeration" if visits else "search",
        )

    def _recompute(self, form: forms.Form) -> forms.Form:
        """The form with what its share rests on, once more from its definition.

        Where it could not be counted, at further random points what share of them is right.
        """
        if not form.counted:
            return replace(form, tried=self._tried(form))
        right = int(form.right * self.domain.size)
        again = self._recounted(form)
        holds = None if again is None else again == right
        return replace(form, rests_on=confirm(holds, "this form", form.rests_on))

    def _tried(self, form: forms.Form) -> tuple[int, int]:
        """How many further random points were tried, and at how many the form is right."""
        codes = random_codes(self.domain, _TRIED, np.random.default_rng([self.seed, 1]))
        right = np.count_nonzero(form.decisions(codes) == self.evaluator.classes(codes))
        return _TRIED, int(right)

    def _recounted(self, form: forms.Form) -> int | None:
        size = self.domain.product.size
        if size <= min(_TABLE, self.budget.seconds / 2 * _CELLS_A_SECOND / 4):
            return self.recomputation.agreement(form.decisions, self.budget.deadline)
        seconds = max(self.budget.seconds, 0.1)
        most, visits = (
            int(min(_RECOUNTED * seconds / 4, 1 << 20)),
            int(_VISITS_A_SECOND * seconds / 2),
        )
        if isinstance(form.body, PointScore):
            both = in_pairs(self.network, form.body.neuron(self.domain))
            found = Recomputation(both, self.domain, most=most, visits=visits).counts()
            return None if found is None else _agreeing(found, form.body)
        if isinstance(form.body, NetworkLogic):
            return None
        right = 0
        for allowed, then in forms.leaves_of(form.body, self.domain):
            one = Recomputation(self.network, self.domain, most=most, visits=visits).counts(allowed)
            if one is None or self.budget.is_spent:
                return None
            right += one[then]
        return right


def _likely(leaf: Leaf) -> trees.Mostly:
    return trees.Mostly(leaf.likely)


def _agreeing(counts: Sequence[int], score: PointScore) -> int:
    """How many points network and score decide alike, of counts of both in pairs."""
    return counts[2 * score.yes + 1] + counts[2 * score.no]

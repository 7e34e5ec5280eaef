"""Orders that a binarized network keeps over its domain: rising with a feature, or blind to it.

Two inputs of the domain agree on all features but those in question.  What the network says of the
second may not be less than of the first if its codes are later in the order of each feature (or,
for a falling order, earlier); if the network is blind to the features, it is the same.  In a
product of features it is enough to look at one feature at a time, and at neighbouring codes: every
pair is joined by such steps.  So there is one network, of a copy for each code of each feature, of
which a search looks for a point; that there is none is shown by a certificate about this network,
and once more from the definition.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from flint import arb

from tamecheck.binarized import ThresholdNetwork, ball_certificate
from tamecheck.binarized.copies import Chain, Of, Relation, copies, over_all_states
from tamecheck.budget import Budget
from tamecheck.errors import InputError, SolverError, TimeLimitError, UnsupportedError
from tamecheck.explain.check import RECOMPUTED, Recomputation, confirm
from tamecheck.explain.check_visits import is_kept
from tamecheck.explain.domain import Domain
from tamecheck.explain.search import Codes, Search
from tamecheck.explain.tables import partner, said_table, turned
from tamecheck.ir.graph import Graph
from tamecheck.loaders.tables.schema import Schema
from tamecheck.verification.answer import INTEGERS, output_texts
from tamecheck.verification.pair_answers import PairAnswer, PairWitness, said_of, said_text
from tamecheck.verification.witness import exact_outputs

_BRIEF, _LONG = 5.0, 60.0
_FEW, _MANY = 2**14, 2**20

Orders: TypeAlias = Mapping[int, Relation]
"""What the network does along the codes of features, by their numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Whether a network keeps orders over a domain, and the network of copies that breaks them."""

    network: ThresholdNetwork
    domain: Domain
    orders: Orders
    of: Of
    copies: ThresholdNetwork

    @classmethod
    def of_orders(
        cls, network: ThresholdNetwork, domain: Domain, orders: Orders, of: Of
    ) -> Question:
        """The question; an `InputError` if it has too many copies, or there is no single score."""
        if "equal" in orders.values() and set(orders.values()) != {"equal"}:
            raise InputError("A property of pairs is about an order, or about what is not seen.")
        chains = [_chain(domain, k, relation) for k, relation in orders.items()]
        return cls(network, domain, orders, of, copies(network, chains, of))

    def say(self, codes: Codes) -> int:
        """The class, or the score, at a point."""
        scores = self.network.scores(self.domain.states(codes)[np.newaxis])[0]
        return int(scores[1] if self.of == "score" else np.argmax(scores))

    def pair(self, codes: Codes) -> tuple[Codes, Codes]:
        """Two points that break an order where the copies do, which differ in one feature.

        Raises `SolverError` if there are none.
        """
        for k, relation in self.orders.items():
            count = len(self.domain.features[k].codes)
            points = [(*codes[:k], code, *codes[k + 1 :]) for code in range(count)]
            said = [self.say(point) for point in points]
            for first, other in _chain(self.domain, k, relation).pairs:
                if said[first] > said[other]:
                    return points[first], points[other]
        raise SolverError("A search gave an input at which no order is broken.")

    def over_all_states(self) -> ThresholdNetwork:
        """The copies over all states of the inputs: 0 where these cannot occur.

        Whatever a feature's own inputs are makes no difference if it is the only one in question.
        Raises `UnsupportedError` if a feature has other codes than one-hot ones or a thermometer's.
        """
        kept = [
            (feature.inputs, feature.codes)
            for k, feature in enumerate(self.domain.features)
            if len(feature.codes) > 1 and list(self.orders) != [k]
        ]
        return over_all_states(self.copies, kept)

    def certificate(self, budget: Budget) -> dict[str, Any] | None:
        """A proof for the kernel that no order is broken; None if none is found in time."""
        try:
            network = self.over_all_states()
        except UnsupportedError:
            return None
        centre = self.domain.states([0] * len(self.domain.features))
        return ball_certificate(network, centre, len(network.free), deadline=budget.deadline)


def _chain(domain: Domain, feature: int, relation: Relation) -> Chain:
    found = domain.features[feature]
    return Chain(found.inputs, found.codes, relation)


def verify_orders(  # noqa: PLR0913 (keywords, all of them optional)
    network: ThresholdNetwork,
    domain: Domain,
    orders: Orders,
    *,
    of: Of = "decision",
    graph: Graph | None = None,
    timeout: float | None = None,
    seed: int = 0,
) -> PairAnswer:
    """Whether a network keeps orders wherever two inputs differ in some features only.

    Parameters
    ----------
    network, domain
        The network, and what can occur.
    orders
        For the number of each feature whether what is said ``"rises"`` with its codes, ``"falls"``,
        or is ``"equal"`` at all.
    of
        ``"decision"``, the number of the class, or ``"score"``, the single output.
    graph
        The model of the network: witnesses are evaluated by it too, and must show the same.
    timeout
        Seconds; when they are over the answer is unknown.
    seed
        Of the search.
    """
    question = Question.of_orders(network, domain, orders, of)
    return answer_of(question, graph=graph, timeout=timeout, seed=seed)


def answer_of(
    question: Question,
    *,
    graph: Graph | None = None,
    timeout: float | None = None,
    seed: int = 0,
) -> PairAnswer:
    """The answer to a question, as `verify_orders` gives it."""
    started, budget = time.monotonic(), Budget.of(timeout)
    domain, of = question.domain, question.of
    if domain.constraints:
        return _by_table(question, graph, started)
    search = Search(question.copies, domain, budget=budget, seed=seed)
    start = (0,) * len(domain.features)
    codes: Codes | None = start if search.decide(start) else None
    certificate = None
    closed = False
    if codes is None:
        codes, closed = _look(search, start, budget.part(min(_BRIEF, budget.seconds / 4)))
    if codes is None:
        certificate = question.certificate(budget.part(min(_LONG, budget.seconds / 2)))
    if codes is None and certificate is None and not closed:
        codes, closed = _look(search, start, budget)
    if codes is not None:
        witness = _witness(question, graph, *question.pair(codes))
        reason, seconds = "An exact evaluation of both inputs shows it.", time.monotonic() - started
        return PairAnswer("violated", reason, seconds, of, witness, "search", "replay")
    most = _FEW if certificate is not None else _MANY
    holds = _recomputed(question, budget, most) if closed or certificate is not None else None
    shown = confirm(holds, "that this holds", search.rests_on)
    seconds = time.monotonic() - started
    method = "bounds over patterns of signs" if certificate is not None else search.rests_on
    if shown == RECOMPUTED:
        reason = "No pair of possible inputs shows otherwise: all were counted, by definition."
        return PairAnswer(
            "holds", reason, seconds, of, None, method, shown, shown, certificate=certificate
        )
    if certificate is not None:
        reason = "No pair of possible inputs shows otherwise, by bounds in integers."
        return PairAnswer(
            "holds", reason, seconds, of, None, method, INTEGERS, certificate=certificate
        )
    reason = "Out of time."
    if closed:
        reason = f"Only {search.rests_on} says that no pair shows it: there are too many to count."
    return PairAnswer("unknown", reason, seconds, of)


def _by_table(question: Question, graph: Graph | None, started: float) -> PairAnswer:
    """The answer in a domain with constraints, of which all points are looked at."""
    network, domain, of = question.network, question.domain, question.of
    if of == "score":
        domain.require_product("A property of scores")
    said = said_table(network, domain)
    found = np.argwhere(turned(said, question.orders))
    if len(found):
        codes = tuple(found[0].tolist())
        witness = _witness(question, graph, partner(said, question.orders, codes), codes)
        reason, seconds = "An exact evaluation of both inputs shows it.", time.monotonic() - started
        return PairAnswer("violated", reason, seconds, of, witness, "enumeration", "replay")
    signs = [{"rises": 1, "falls": -1, "equal": 0}[r] for r in question.orders.values()]
    holds = is_kept(network, domain, list(question.orders), signs)
    shown = confirm(holds, "that this holds", "enumeration")
    reason, seconds = "No pair of possible inputs shows otherwise.", time.monotonic() - started
    return PairAnswer("holds", reason, seconds, of, None, "enumeration", shown, shown)


def _look(search: Search, start: Codes, budget: Budget) -> tuple[Codes | None, bool]:
    """A point where an order is broken, and whether it is shown that there is none."""
    search.budget = budget
    free = [k for k, feature in enumerate(search.domain.features) if len(feature.codes) > 1]
    try:
        found = search.change(start, free)
    except TimeLimitError:
        return None, False
    return found, found is None


def _recomputed(question: Question, budget: Budget, most: int) -> bool | None:
    """Whether there is no pair, from the definition; None if that takes too long."""
    recomputation = Recomputation(question.network, question.domain, most)
    known = True
    for k, relation in question.orders.items():
        chain = _chain(question.domain, k, relation)
        values = [(code,) for code in range(len(chain.states))]
        score = question.of == "score"
        found = (
            None
            if budget.is_spent
            else recomputation.count_breaches([k], values, chain.pairs, score=score)
        )
        if found:
            return False
        known = known and found is not None
    return True if known else None


def _witness(question: Question, graph: Graph | None, first: Codes, other: Codes) -> PairWitness:
    network, domain = question.network, question.domain
    points = [network.point(domain.states(codes)) for codes in (first, other)]
    outputs: list[list[Fraction | arb]] = []
    for codes, point in zip((first, other), points, strict=True):
        scores = network.scores(domain.states(codes)[np.newaxis])[0].tolist()
        scores = scores[1:] if question.of == "score" else scores
        own = None if graph is None else exact_outputs(graph, point)
        outputs.append([Fraction(v) for v in scores] if own is None else own)
    said = [said_of(one, question.of) for one in outputs]
    equal = "equal" in question.orders.values()
    if graph is not None and None not in said and not _breaks(said[0], said[1], equal=equal):
        raise SolverError(
            "The model contradicts its reading as a binarized network at the witness.",
            hint="Please report it, with the model.",
        )
    pairs = zip(domain.features, first, other, strict=True)
    changes = tuple((f.name, f.values[a], f.values[b]) for f, a, b in pairs if a != b)
    texts = [said_text(one, question.of) for one in outputs]
    return PairWitness(
        points[0],
        points[1],
        output_texts(outputs[0]),
        output_texts(outputs[1]),
        (texts[0], texts[1]),
        changes,
    )


def _breaks(first: Fraction | None, other: Fraction | None, *, equal: bool) -> bool:
    if first is None or other is None:
        return True
    return first != other if equal else first > other


def ordered_features(domain: Domain, schema: Schema | None) -> set[int]:
    """The features whose codes have an order: thermometers, two levels, intervals of numbers."""
    columns = () if schema is None else schema.columns
    known = {column.said for column in columns if column.categories is None}
    return {
        k
        for k, feature in enumerate(domain.features)
        if feature.ordered or len(feature.inputs) == 1 or feature.name in known
    }

"""Explanations of a binarized network's decisions; the nearest change, by growing size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, islice
from typing import Any, Self, cast

import numpy as np

from tamecheck.binarized import ThresholdNetwork, minimum_distance
from tamecheck.budget import Budget
from tamecheck.errors import SolverError, TimeLimitError
from tamecheck.explain import networks as recognised
from tamecheck.explain.answers import Involvement, Shapley
from tamecheck.explain.check import RECOMPUTED, Recomputation, confirm
from tamecheck.explain.constraints import constrain
from tamecheck.explain.domain import Domain, domain_of
from tamecheck.explain.facade import Limits, RowExplainer
from tamecheck.explain.joint import deciding_for
from tamecheck.explain.protected import Protected, Table, features_named, protected
from tamecheck.explain.reasons import Reasons, Sufficient, involvement, reasons_of, sufficient
from tamecheck.explain.row_reader import RowReader
from tamecheck.explain.search import Codes, Search, second_opinion
from tamecheck.explain.shapley import shapley
from tamecheck.explain.words import Vocabulary
from tamecheck.ir.arguments import seconds
from tamecheck.ir.tensor import Array

_CHUNK = 1 << 15


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed change: the feature gets another code, at a cost of at least 1."""

    feature: int
    code: int
    cost: int


def moves_of(domain: Domain, codes: Codes, limits: Limits) -> list[Move]:
    """Every allowed change of one feature of a point, with its cost."""
    stay, up, down = limits.stay, limits.up, limits.down
    moves: list[Move] = []
    for k, feature in enumerate(domain.features):
        for code in range(len(feature.codes)):
            barred = k in stay or (k in up and code < codes[k]) or (k in down and code > codes[k])
            if code != codes[k] and not barred:
                flipped = int((feature.codes[code] != feature.codes[codes[k]]).sum())
                cost = {"features": 1, "inputs": flipped, "steps": abs(code - codes[k])}[
                    limits.metric
                ]
                moves.append(Move(k, code, cost))
    return moves


@dataclass(frozen=True, slots=True)
class Nearest:
    """Codes of another class, and their cost, which is the least of all.

    ``rests_on`` names what shows that: ``"search"`` for integers alone, else solvers.
    """

    codes: Codes
    cost: int
    rests_on: str = "search"


def nearest(
    search: Search, codes: Codes, moves: Sequence[Move], *, target: int | None = None
) -> Nearest | None:
    """The cheapest combination of moves of different features that changes the decision.

    All combinations of at most d moves are evaluated, where d is the least cost over the cost of
    the cheapest move: C(moves, d) at worst.  None if no combination changes the decision (to the
    target, if there is one).

    Raises `TimeLimitError` if the time is over before the cheapest is known.
    """
    if not moves:
        return None
    if _is_hamming(search, moves):
        return _nearest_flips(search, codes, target)
    changes = np.stack([search.change_of(m.feature, codes[m.feature], m.code) for m in moves])
    costs = np.array([m.cost for m in moves], dtype=np.int64)
    owners = np.array([m.feature for m in moves], dtype=np.int64)
    base, decision = search.sums(codes), search.decide(codes)
    bound, best = np.iinfo(np.int64).max, np.zeros(0, dtype=np.int64)
    for count in range(1, len(set(owners.tolist())) + 1):
        if count * int(costs.min()) >= bound:
            break
        for every in _subsets(len(moves), count):
            search.budget.check()
            rows = every[_are_apart(owners[every]) & (costs[every].sum(axis=1) < bound)]
            found = search.classes_of(base + changes[rows].sum(axis=1))
            hits = rows[found != decision if target is None else found == target]
            if len(hits):
                total = costs[hits].sum(axis=1)
                best = hits[int(np.argmin(total))]
                bound = int(total.min())
    if not len(best):
        return None
    changed = list(codes)
    for number in map(int, best):
        changed[moves[number].feature] = moves[number].code
    return Nearest(tuple(changed), int(bound))


def _is_hamming(search: Search, moves: Sequence[Move]) -> bool:
    """Whether the moves are those of a Hamming distance: every input may flip, at cost 1."""
    free = len(search.network.free)
    return free == len(moves) == sum(len(f.codes) == 2 for f in search.domain.features) and all(
        m.cost == 1 and len(search.domain.features[m.feature].inputs) == 1 for m in moves
    )


def _nearest_flips(search: Search, codes: Codes, target: int | None) -> Nearest | None:
    search.budget.check()
    states, timeout = search.domain.states(codes), search.budget.timeout
    found = minimum_distance(search.network, states, target=target, timeout=timeout)
    if found.witness is None and not found.why:
        return None
    if found.witness is None or not found.exact:
        raise TimeLimitError("the nearest change is not known in time")
    rests = "search" if found.checked == "enumeration" else found.method
    witness = search.domain.codes(np.array(found.witness, dtype=np.int8))
    return Nearest(witness, found.lower, rests)


def _are_apart(owners: Array) -> Array:
    """Whether the entries of each row are different."""
    ordered = np.sort(owners, axis=1)
    return np.asarray((ordered[:, 1:] != ordered[:, :-1]).all(axis=1))


def _subsets(count: int, size: int) -> Iterator[Array]:
    """All ``size``-subsets of ``range(count)``, in rows of arrays of limited length."""
    every = combinations(range(count), size)
    while part := list(islice(every, _CHUNK)):
        yield np.array(part, dtype=np.int64)


def is_nearest(
    recomputation: Recomputation,
    codes: Codes,
    moves: Sequence[Move],
    found: Nearest,
    target: int | None = None,
) -> bool | None:
    """Whether what was found has another class, or the target's, and nothing nearer has."""
    network, domain = recomputation.network, recomputation.domain
    allowed, cost = _reach(codes, moves)
    before, after = (int(network.decide(domain.states(c)[None])[0]) for c in (codes, found.codes))
    turned = after != before if target is None else after == target
    if not turned or found.cost != sum(cost(k, code) for k, code in enumerate(found.codes)):
        return False
    within = (cost, found.cost - 1)
    return recomputation.is_out_of_reach(codes, allowed, within=within, target=target)


def confirm_out_of_reach(
    recomputation: Recomputation, codes: Codes, moves: Sequence[Move], target: int | None = None
) -> None:
    """Confirm that no allowed move changes the class.

    Raises `SolverError` if that takes too long to be shown a second time.
    """
    allowed, _ = _reach(codes, moves)
    holds = recomputation.is_out_of_reach(codes, allowed, target=target)
    if confirm(holds, "that nothing changes this decision", "") != RECOMPUTED:
        raise SolverError(
            "A search finds no allowed change of this decision, but there are too many points"
            " to show a second time that there is none.",
            hint="Hold some features.",
        )


def _reach(
    codes: Codes, moves: Sequence[Move]
) -> tuple[list[list[int]], Callable[[int, int], int]]:
    """The codes that moves reach, each feature by itself, and what each of them costs."""
    costs = [{code: 0} for code in codes]
    for move in moves:
        costs[move.feature][move.code] = move.cost
    return [list(one) for one in costs], lambda k, code: costs[k][code]


class Explainer(RowExplainer[Domain, Codes, Search]):
    """Explains the decisions of a binarized network over a stated domain.

    Of any other classifier, and where inputs take other values than two levels, this makes a
    `tamecheck.explain.ModelExplainer`, which answers the same questions.

    Parameters
    ----------
    model
        A model, graph or `ThresholdNetwork`; a fitted estimator of `tamecheck.learn` or of
        scikit-learn; a pipeline of a `Binariser` and one of ours, or of scikit-learn.
    domain
        The two levels ``(low, high)`` that every input takes, or one such pair an input.  It may be
        left out where it is known: of a model that ``tamecheck train`` saved, of an estimator that
        was trained on two values, of a pipeline, and of a model that only reads signs.
    names
        A name for each input.
    one_hot, thermometer, words
        Groups of inputs that code one feature, and words for the levels; see
        `tamecheck.explain.domain_of`.  If any of these is given, what is known of the inputs'
        names and groups is not used.
    classes
        What the classes are called; they have numbers if there is none and it is not known.
    constraints
        What cannot occur, such as ``"a implies b"``, in the domain's words; see `constrain`.
    seed
        Of the searches for other decisions; explanations with one seed are the same.
    box, integers, values
        Of other classifiers: the interval of each input, as in `Model.check` or by the names of the
        features; which inputs take integers only; and the numbers of those that take no others.
        With any of these the model is explained as it is, binarized or not.

    Notes
    -----
    A row is given as the model takes it, in the inputs' own levels.  A row with names, a mapping or
    a line of a pandas frame, is one of the table that the model was trained on, and so is any row
    for a pipeline: its columns are found by name and read as they were in training.

    Raises
    ------
    UnsupportedError
        If the model is no binarized network, naming the nodes, and nothing is said of its domain.
    InputError
        If the domain is neither given nor known, or is another than the one that is known.
    """

    def __new__(cls, *given: Any, **options: Any) -> Self:
        """An explainer of two levels an input, or a `ModelExplainer` where there are others."""
        other = recognised.classifier_of(*given, **options) if given or options else None
        return super().__new__(cls) if other is None else cast("Self", other)

    def __init__(  # noqa: PLR0913  # what can occur has many sides
        self,
        model: Any,
        domain: Sequence[Any] | None = None,
        *,
        names: Sequence[str] | None = None,
        one_hot: Mapping[str, Sequence[int]] | None = None,
        thermometer: Mapping[str, Sequence[int]] | None = None,
        words: Mapping[int, tuple[str, str]] | None = None,
        classes: Sequence[Any] = (),
        constraints: Sequence[str] = (),
        seed: int = 0,
        box: Any = None,
        integers: Collection[str | int] = (),
        values: Mapping[str | int, Sequence[Any]] | None = None,
    ) -> None:
        # what takes other values than two levels has an explainer of its own
        del box, integers, values
        about = recognised.describe(model)
        self.network = recognised.occurring_network(about, domain)
        told = any(given is not None for given in (names, one_hot, thermometer, words))
        if about.schema is not None and not told:
            self.domain = Vocabulary.of(about.schema).domain(self.network)
        else:
            self.domain = domain_of(
                self.network, names=names, one_hot=one_hot, thermometer=thermometer, words=words
            )
        self.domain = constrain(self.domain, constraints, self.network, names)
        self.classes = recognised.labels_of(
            self.network, classes if len(classes) else about.classes
        )
        self.seed, self.shape = seed, recognised.image_shape(about.model)
        self.count = self.network.classes
        self.reader = RowReader(
            about.schema, None if names is None else tuple(names), about.encoded
        )

    @classmethod
    def over(
        cls,
        network: ThresholdNetwork,
        domain: Domain,
        *,
        classes: Sequence[Any] = (),
        shape: tuple[int, ...] = (),
        seed: int = 0,
    ) -> Explainer:
        """An explainer of a network over a domain that is already made."""
        made = cls.__new__(cls)
        made.network, made.domain, made.seed, made.shape = network, domain, seed, shape
        made.classes, made.count = recognised.labels_of(network, classes), network.classes
        made.reader = RowReader()
        return made

    def of_points(self) -> Explainer:
        """The same explainer of inputs in the model's own levels, whatever rows this one takes."""
        return Explainer.over(
            self.network, self.domain, classes=self.classes, shape=self.shape, seed=self.seed
        )

    def decide(self, x: Any) -> int:
        """The class of an input; raises `InputError` if it cannot occur in the domain."""
        return self._decide(self._codes(x))

    def shapley(
        self,
        x: Any,
        *,
        target: int | None = None,
        rows: Any = None,
        timeout: float | None = None,
    ) -> Shapley:
        """The exact Shapley value of each feature for having a class, beside its relevancy.

        Parameters
        ----------
        x
            The input.
        target
            The class in question; that of the input if None.
        rows
            Rows of which the other features' codes are; all codes of the domain if None.
        timeout
            Seconds, after which `TimeLimitError` is raised.
        """
        codes, search = self._codes(x), self._search(timeout)
        drawn = None if rows is None else self._codes_of(rows)
        return shapley(search, codes, self._recomputation, self.classes, target, drawn)

    def protected(
        self,
        attributes: Sequence[str],
        *,
        rows: Any = None,
        labels: Sequence[Any] | None = None,
        held_out: Sequence[bool] | None = None,
        timeout: float | None = None,
    ) -> Protected:
        """Whether a change of protected attributes alone can change a decision.

        Parameters
        ----------
        attributes
            Names of features.
        rows, labels, held_out
            Rows of a table; the class of each, by name or number, None if it is not known; and
            whether it was held out of the training.
        timeout
            Seconds; when they are over, ``flips`` has bounds.
        """
        about = labels, held_out, self.classes
        table = None if rows is None else Table.of(self._codes_of(rows), *about)
        search = self._search(timeout)
        return protected(search, self._recomputation, attributes, table, self.classes)

    def involvement(
        self, x: Any, attributes: Sequence[str], *, timeout: float | None = None
    ) -> Involvement:
        """Which reasons of a decision contain one of some attributes; what is found in time."""
        codes, search = self._question(x, timeout)
        features = features_named(self.domain, attributes)
        return involvement(search, codes, self._recomputation, self.classes, features)

    def _question(self, x: Any, timeout: float | None) -> tuple[Codes, Search]:
        """A row, and the search for points of another class than its own that can occur."""
        codes, budget = self._codes(x), Budget.of(seconds(timeout))
        network = deciding_for(self.network, self.domain, self._decide(codes))
        return codes, Search(network, self.domain.product, budget=budget, seed=self.seed)

    def _search(self, timeout: float | None) -> Search:
        budget = Budget.of(seconds(timeout))
        return Search(self.network, self.domain.product, budget=budget, seed=self.seed)

    def _decide(self, codes: Codes) -> int:
        return int(self.network.decide(self.domain.states(codes)[np.newaxis])[0])

    def _codes(self, x: Any) -> Codes:
        return self.domain.codes(self.network.states(self.reader.point(x))[0])

    def _codes_of(self, rows: Any) -> list[Codes]:
        return [self.domain.codes(s) for s in self.network.states(self.reader.points(rows))]

    def _flat(self, point: Codes) -> Sequence[Fraction]:
        return self.network.point(self.domain.states(point))

    def _sufficient(self, engine: Search, point: Codes, keep: Sequence[int]) -> Sufficient:
        return sufficient(engine, point, keep=keep)

    def _second(self, engine: Search, point: Codes, features: Sequence[int]) -> str:
        return second_opinion(engine.network, engine.domain, point, features)

    def _fewest(self, engine: Search, point: Codes) -> tuple[Sequence[int], Codes, str] | None:
        moves = moves_of(self.domain, point, Limits())
        near = nearest(engine, point, moves)
        if near is None:
            return confirm_out_of_reach(self._recomputation, point, moves)
        engine.trusted |= {near.rests_on} - {"search"}
        features = [k for k in range(len(point)) if near.codes[k] != point[k]]
        holds = is_nearest(self._recomputation, point, moves, near)
        return features, near.codes, confirm(holds, "this contrast", engine.rests_on)

    def _nearest(
        self, engine: Search, point: Codes, limits: Limits
    ) -> tuple[Codes, int, str] | None:
        moves = moves_of(self.domain, point, limits)
        found = nearest(engine, point, moves, target=limits.target)
        if found is None:
            return confirm_out_of_reach(self._recomputation, point, moves, limits.target)
        holds = is_nearest(self._recomputation, point, moves, found, limits.target)
        return found.codes, found.cost, confirm(holds, "this change", found.rests_on)

    def _reasons(self, engine: Search, point: Codes) -> Reasons:
        return reasons_of(engine, point, self._recomputation)

    def _show_smallest(
        self,
        engine: Search,
        point: Codes,
        features: Sequence[int],
        contrasts: Sequence[Sequence[int]],
    ) -> str:
        holds = self._recomputation.is_smallest_reason(point, features, contrasts)
        return confirm(holds, "this reason", engine.rests_on)

    def _show_reason(
        self, engine: Search, point: Codes, features: Sequence[int], *, minimal: bool = True
    ) -> str:
        holds = self._recomputation.is_reason(point, features, minimal=minimal)
        return confirm(holds, "this reason", engine.rests_on)

    def _show_contrast(self, engine: Search, point: Codes, features: Sequence[int]) -> str:
        holds = self._recomputation.is_contrast(point, features)
        return confirm(holds, "this contrast", engine.rests_on)

    def _show_constant(self, engine: Search, point: Codes) -> None:
        del engine
        confirm_out_of_reach(self._recomputation, point, moves_of(self.domain, point, Limits()))

    @cached_property
    def _recomputation(self) -> Recomputation:
        return Recomputation(self.network, self.domain)

"""Explanations of a binarized network's decisions, one input at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

from tamecheck.binarized import ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.errors import InputError, SolverError, TimeLimitError
from tamecheck.explain.answers import Abductive, Contrastive, Counterfactual, Relevancy, called
from tamecheck.explain.check import RECOMPUTED, Recomputation, confirm
from tamecheck.explain.domain import Domain, domain_of
from tamecheck.explain.nearest import Metric, Move, Nearest, moves_of, nearest
from tamecheck.explain.networks import describe, image_shape, occurring_network
from tamecheck.explain.reasons import (
    Found,
    changeable,
    enumerate_all,
    necessary,
    shrink_contrast,
    smallest_sufficient,
    sufficient,
)
from tamecheck.explain.row_reader import RowReader
from tamecheck.explain.search import Codes, Search, second_opinion
from tamecheck.explain.words import Vocabulary
from tamecheck.ir.arguments import seconds
from tamecheck.ir.exact import rational_text

Kind: TypeAlias = Literal["abductive", "contrastive", "counterfactual", "relevancy"]


class Explainer:
    """Explains the decisions of a binarized network over a stated domain.

    Parameters
    ----------
    model
        A model, graph or `ThresholdNetwork`, an estimator of `tamecheck.learn`, or a pipeline of a
        `Binariser` and one.
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
    seed
        Of the searches for other decisions; explanations with one seed are the same.

    Notes
    -----
    A row is given as the model takes it, in the inputs' own levels.  A row with names, a mapping or
    a line of a pandas frame, is one of the table that the model was trained on, and so is any row
    for a pipeline: its columns are found by name and read as they were in training.

    Raises
    ------
    UnsupportedError
        If the model is no binarized network on this domain, naming the nodes.
    InputError
        If the domain is neither given nor known, or is another than the one that is known.
    """

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
        seed: int = 0,
    ) -> None:
        about = describe(model)
        self.network = occurring_network(about, domain)
        told = any(given is not None for given in (names, one_hot, thermometer, words))
        if about.schema is not None and not told:
            self.domain: Domain = Vocabulary.of(about.schema).domain(self.network)
        else:
            self.domain = domain_of(
                self.network, names=names, one_hot=one_hot, thermometer=thermometer, words=words
            )
        self.classes = _labels(self.network, classes if len(classes) else about.classes)
        self.seed, self.shape = seed, image_shape(about.model)
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
        made.network, made.domain, made.seed = network, domain, seed
        made.classes, made.shape = _labels(network, classes), shape
        made.reader = RowReader()
        return made

    def of_points(self) -> Explainer:
        """The same explainer of inputs in the model's own levels, whatever rows this one takes."""
        return Explainer.over(
            self.network, self.domain, classes=self.classes, shape=self.shape, seed=self.seed
        )

    def decide(self, x: Any) -> int:
        """The class of an input.

        Raises
        ------
        InputError
            If the input cannot occur in the domain.
        """
        return self._search(None).decide(self._codes(x))

    def abductive(
        self,
        x: Any,
        *,
        smallest: bool = False,
        prefer: Sequence[int] = (),
        timeout: float | None = None,
        second: bool = False,
    ) -> Abductive:
        """A minimal set of features that, kept as they are, keep the decision.

        Parameters
        ----------
        x
            The input, in the model's own levels.
        smallest
            Whether it has to be one with the fewest features.
        prefer
            Inputs whose features should be kept rather than others, the most wanted first.
        timeout
            Seconds; when they are over the set is still sufficient, but perhaps not minimal.
        second
            Whether z3 is to check that the set is sufficient.

        Raises
        ------
        InputError
            If the input cannot occur in the domain.
        TimeLimitError
            If ``smallest`` is asked for and the time is over.
        """
        codes, search = self._codes(x), self._search(timeout)
        if smallest:
            (features, contrasts), minimal = smallest_sufficient(search, codes), True
            holds = self._recomputation.is_smallest_reason(codes, features, contrasts)
        else:
            wanted = list(dict.fromkeys(k for i in prefer for k in self.domain.covering([i])))
            found = sufficient(search, codes, keep=wanted)
            features, minimal = found.features, not found.doubtful
            holds = self._recomputation.is_reason(codes, features, minimal=minimal)
        opinion = second_opinion(self.network, self.domain, codes, features) if second else None
        rests_on = confirm(holds, "this reason", _rests_on(search))
        return Abductive(
            **self._parts(search, codes, features, rests_on, minimal=minimal, second=opinion)
        )

    def contrastive(
        self, x: Any, *, smallest: bool = True, timeout: float | None = None
    ) -> Contrastive | None:
        """A minimal set of features whose change can change the decision; None if nothing can.

        Parameters
        ----------
        x
            The input.
        smallest
            Whether it has to be one with the fewest features.
        timeout
            Seconds, after which `TimeLimitError` is raised.
        """
        codes, search = self._codes(x), self._search(timeout)
        moves = moves_of(self.domain, codes, "features")
        if not smallest:
            changed = search.change(codes, changeable(search))
            if changed is None:
                return self._unchangeable(codes, moves)
            start = [k for k in range(len(codes)) if changed[k] != codes[k]]
            return self._contrastive(search, codes, shrink_contrast(search, codes, start))
        near = nearest(search, codes, moves)
        if near is None:
            return self._unchangeable(codes, moves)
        search.trusted |= {near.rests_on} - {"search"}
        features = [k for k in range(len(codes)) if near.codes[k] != codes[k]]
        holds = self._is_nearest(codes, moves, near)
        rests_on = confirm(holds, "this contrast", _rests_on(search))
        return self._contrast(search, codes, features, near.codes, rests_on)

    def counterfactual(  # noqa: PLR0913  # each limit has its name
        self,
        x: Any,
        *,
        target: int | None = None,
        metric: Metric = "features",
        immutable: Sequence[int] = (),
        increasing: Sequence[int] = (),
        decreasing: Sequence[int] = (),
        timeout: float | None = None,
    ) -> Counterfactual | None:
        """The nearest possible input of another class; None if no allowed change reaches one.

        Parameters
        ----------
        x
            The input.
        target
            The class that is wanted; any other if None.
        metric
            ``"features"`` counts the features that change, ``"inputs"`` the inputs, ``"steps"``
            the codes that an ordered feature passes.
        immutable
            Inputs whose features must stay.
        increasing, decreasing
            Inputs whose features may only move up, or down, in the order of their codes.
        timeout
            Seconds.

        Raises
        ------
        InputError
            If the input has the wanted class already, or there is no such class.
        TimeLimitError
            If the time is over before the nearest is known.
        """
        codes, search = self._codes(x), self._search(timeout)
        if target is not None and not 0 <= target < self.network.classes:
            raise InputError(f"There is no class {target}; there are {self.network.classes}.")
        if target == search.decide(codes):
            raise InputError("The input has the wanted class already.", where="target")
        stay, up, down = (set(self.domain.covering(g)) for g in (immutable, increasing, decreasing))
        moves = [
            move
            for move in moves_of(self.domain, codes, metric)
            if move.feature not in stay
            and (move.feature not in up or move.code > codes[move.feature])
            and (move.feature not in down or move.code < codes[move.feature])
        ]
        found = nearest(search, codes, moves, target=target)
        if found is None:
            return self._unchangeable(codes, moves, target)
        holds = self._is_nearest(codes, moves, found, target)
        features = [k for k in range(len(codes)) if found.codes[k] != codes[k]]
        parts = self._parts(search, codes, features, confirm(holds, "this change", found.rests_on))
        parts["literals"] = self._values(features, found.codes)
        return Counterfactual(
            **parts,
            witness=self._point(found.codes),
            other=search.decide(found.codes),
            before=self._values(features, codes),
            distance=found.cost,
            metric=metric,
        )

    def enumerate(
        self, x: Any, *, timeout: float | None = None
    ) -> Iterator[Abductive | Contrastive]:
        """Every abductive and contrastive explanation; ends early, with an error, out of time.

        Raises
        ------
        TimeLimitError
            If the time is over.
        """
        codes, search = self._codes(x), self._search(timeout)
        for found in enumerate_all(search, codes):
            explain = self._abductive if found.abductive else self._contrastive
            yield explain(search, codes, found.features)

    def relevancy(self, x: Any, *, timeout: float | None = None) -> Relevancy:
        """Which features are in every reason, in some reason, and in none."""
        codes, search = self._codes(x), self._search(timeout)
        everything = changeable(search)
        needed: tuple[int, ...] = ()
        found: list[Found] = []
        complete = False
        with suppress(TimeLimitError):
            needed = tuple(necessary(search, codes))
            found.extend(enumerate_all(search, codes))
            complete = True
        reasons = [one.features for one in found if one.abductive]
        contrasts = [one.features for one in found if not one.abductive]
        # a feature is in some reason exactly where it is in some contrast
        used = set[int]().union(*reasons, *contrasts)
        times = Counter(k for reason in reasons for k in reason)
        holds = self._recomputation.is_enumeration(codes, reasons, contrasts) if complete else None
        if complete and set(needed) != set(everything).intersection(*reasons):
            holds = False
        names = [feature.name for feature in self.domain.features]
        decision = search.decide(codes)
        return Relevancy(
            decision,
            tuple(names[k] for k in needed),
            tuple(names[k] for k in everything if k in used),
            tuple(names[k] for k in everything if k not in used) if complete else (),
            complete,
            len(reasons),
            {names[k]: times[k] for k in everything},
            called(decision, self.classes),
            confirm(holds, "these reasons", _rests_on(search)),
        )

    def explain(self, x: Any, kind: Kind = "abductive", **options: Any) -> Any:
        """An explanation of a kind; options are those of the method of that name."""
        if kind not in get_args(Kind):
            hint = ", ".join(get_args(Kind))
            raise InputError(f"There is no explanation of kind {kind!r}.", hint=hint)
        return getattr(self, kind)(x, **options)

    def _search(self, timeout: float | None) -> Search:
        budget = Budget.of(seconds(timeout))
        return Search(self.network, self.domain, budget=budget, seed=self.seed)

    def _codes(self, x: Any) -> Codes:
        return self.domain.codes(self.network.states(self.reader.point(x))[0])

    def _parts(  # noqa: PLR0913  # each by its name
        self,
        search: Search,
        codes: Codes,
        features: Sequence[int],
        rests_on: str,
        *,
        minimal: bool = True,
        second: str | None = None,
    ) -> dict[str, Any]:
        """What every explanation of an input says of the features concerned."""
        chosen = [self.domain.features[k] for k in features]
        return {
            "decision": search.decide(codes),
            "features": tuple(sorted(i for feature in chosen for i in feature.inputs)),
            "names": tuple(feature.name for feature in chosen),
            "literals": self._values(features, codes),
            "minimal": minimal,
            "rests_on": rests_on,
            "second": second,
            "classes": self.classes,
            "point": self._point(codes),
            "shape": self.shape,
        }

    def _values(self, features: Sequence[int], codes: Codes) -> tuple[str, ...]:
        return tuple(self.domain.features[k].values[codes[k]] for k in features)

    def _point(self, codes: Codes) -> tuple[str, ...]:
        return tuple(map(rational_text, self.network.point(self.domain.states(codes))))

    def _abductive(self, search: Search, codes: Codes, features: Sequence[int]) -> Abductive:
        """A minimal reason."""
        holds = self._recomputation.is_reason(codes, features, minimal=True)
        rests_on = confirm(holds, "this reason", _rests_on(search))
        return Abductive(**self._parts(search, codes, features, rests_on))

    def _contrastive(self, search: Search, codes: Codes, features: Sequence[int]) -> Contrastive:
        """A minimal contrast, with what shows that it is one."""
        other = search.change(codes, features)
        if other is None:
            raise AssertionError("a contrastive set has a witness")
        holds = self._recomputation.is_contrast(codes, features)
        rests_on = confirm(holds, "this contrast", _rests_on(search))
        return self._contrast(search, codes, features, other, rests_on)

    def _contrast(
        self, search: Search, codes: Codes, features: Sequence[int], other: Codes, rests_on: str
    ) -> Contrastive:
        return Contrastive(
            **self._parts(search, codes, features, rests_on),
            witness=self._point(other),
            other=search.decide(other),
        )

    @cached_property
    def _recomputation(self) -> Recomputation:
        return Recomputation(self.network, self.domain)

    def _is_nearest(
        self, codes: Codes, moves: Sequence[Move], found: Nearest, target: int | None = None
    ) -> bool | None:
        """Whether what was found has another class, or the target's, and nothing nearer has."""
        allowed, cost = _reach(codes, moves)
        before, after = (
            int(self.network.decide(self.domain.states(c)[None])[0]) for c in (codes, found.codes)
        )
        turned = after != before if target is None else after == target
        if not turned or found.cost != sum(cost(k, code) for k, code in enumerate(found.codes)):
            return False
        within = (cost, found.cost - 1)
        return self._recomputation.is_out_of_reach(codes, allowed, within=within, target=target)

    def _unchangeable(self, codes: Codes, moves: Sequence[Move], target: int | None = None) -> None:
        """Confirm that no allowed move changes the class.

        Raises `SolverError` if that takes too long to be shown a second time.
        """
        allowed, _ = _reach(codes, moves)
        holds = self._recomputation.is_out_of_reach(codes, allowed, target=target)
        if confirm(holds, "that nothing changes this decision", "") != RECOMPUTED:
            raise SolverError(
                "A search finds no allowed change of this decision, but there are too many points"
                " to show a second time that there is none.",
                hint="Hold some features.",
            )


def _labels(network: ThresholdNetwork, classes: Sequence[Any]) -> tuple[str, ...]:
    if len(classes) not in (0, network.classes):
        raise InputError(f"{len(classes)} labels for {network.classes} classes.")
    return tuple(map(str, classes))


def _rests_on(search: Search) -> str:
    return ", ".join(sorted(search.trusted)) or "search"


def _reach(
    codes: Codes, moves: Sequence[Move]
) -> tuple[list[list[int]], Callable[[int, int], int]]:
    """The codes that moves reach, each feature by itself, and what each of them costs."""
    costs = [{code: 0} for code in codes]
    for move in moves:
        costs[move.feature][move.code] = move.cost
    return [list(one) for one in costs], lambda k, code: costs[k][code]

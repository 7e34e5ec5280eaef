"""Explanations of a binarized network's decisions, one input at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Self, cast, get_args

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.errors import InputError
from tamecheck.explain.answers import (
    Abductive,
    Contrastive,
    Counterfactual,
    Involvement,
    Kind,
    Relevancy,
    Shapley,
)
from tamecheck.explain.check import Recomputation, confirm
from tamecheck.explain.classifiers import classifier_of
from tamecheck.explain.constraints import constrain
from tamecheck.explain.domain import Domain, domain_of
from tamecheck.explain.joint import deciding_for
from tamecheck.explain.nearest import Metric, confirm_out_of_reach, is_nearest, moves_of, nearest
from tamecheck.explain.networks import describe, image_shape, labels_of, occurring_network
from tamecheck.explain.protected import Protected, Table, features_named, protected
from tamecheck.explain.reasons import (
    changeable,
    enumerate_all,
    involvement,
    relevancy,
    shrink_contrast,
    smallest_sufficient,
    sufficient,
)
from tamecheck.explain.row_reader import RowReader
from tamecheck.explain.search import Codes, Search, second_opinion
from tamecheck.explain.shapley import shapley
from tamecheck.explain.words import Vocabulary
from tamecheck.ir.arguments import seconds
from tamecheck.ir.exact import rational_text


class Explainer:
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
        other = classifier_of(*given, **options) if given or options else None
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
        about = describe(model)
        self.network = occurring_network(about, domain)
        told = any(given is not None for given in (names, one_hot, thermometer, words))
        if about.schema is not None and not told:
            self.domain: Domain = Vocabulary.of(about.schema).domain(self.network)
        else:
            self.domain = domain_of(
                self.network, names=names, one_hot=one_hot, thermometer=thermometer, words=words
            )
        self.domain = constrain(self.domain, constraints, self.network, names)
        self.classes = labels_of(self.network, classes if len(classes) else about.classes)
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
        made.network, made.domain, made.seed, made.shape = network, domain, seed, shape
        made.classes, made.reader = labels_of(network, classes), RowReader()
        return made

    def of_points(self) -> Explainer:
        """The same explainer of inputs in the model's own levels, whatever rows this one takes."""
        return Explainer.over(
            self.network, self.domain, classes=self.classes, shape=self.shape, seed=self.seed
        )

    def decide(self, x: Any) -> int:
        """The class of an input; raises `InputError` if it cannot occur in the domain."""
        return self._decide(self._codes(x))

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
        codes, search = self._question(x, timeout)
        if smallest:
            (features, contrasts), minimal = smallest_sufficient(search, codes), True
            holds = self._recomputation.is_smallest_reason(codes, features, contrasts)
        else:
            wanted = list(dict.fromkeys(k for i in prefer for k in self.domain.covering([i])))
            found = sufficient(search, codes, keep=wanted)
            features, minimal = found.features, not found.doubtful
            holds = self._recomputation.is_reason(codes, features, minimal=minimal)
        opinion = second_opinion(search.network, search.domain, codes, features) if second else None
        rests_on = confirm(holds, "this reason", search.rests_on)
        more = {"minimal": minimal, "second": opinion}
        return Abductive(**self._parts(search, codes, features, rests_on, **more))

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
        codes, search = self._question(x, timeout)
        moves = moves_of(self.domain, codes, "features")
        if not smallest:
            changed = search.change(codes, changeable(search))
            if changed is None:
                return confirm_out_of_reach(self._recomputation, codes, moves)
            start = [k for k in range(len(codes)) if changed[k] != codes[k]]
            return self._contrastive(search, codes, shrink_contrast(search, codes, start))
        near = nearest(search, codes, moves)
        if near is None:
            return confirm_out_of_reach(self._recomputation, codes, moves)
        search.trusted |= {near.rests_on} - {"search"}
        features = [k for k in range(len(codes)) if near.codes[k] != codes[k]]
        holds = is_nearest(self._recomputation, codes, moves, near)
        rests_on = confirm(holds, "this contrast", search.rests_on)
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
        codes, search = self._question(x, timeout)
        if target is not None and not 0 <= target < self.network.classes:
            raise InputError(f"There is no class {target}; there are {self.network.classes}.")
        if target == search.decide(codes):
            raise InputError("The input has the wanted class already.", where="target")
        stay, up, down = (self.domain.covering(g) for g in (immutable, increasing, decreasing))
        moves = moves_of(self.domain, codes, metric, stay, up, down)
        found = nearest(search, codes, moves, target=target)
        if found is None:
            return confirm_out_of_reach(self._recomputation, codes, moves, target)
        holds = is_nearest(self._recomputation, codes, moves, found, target)
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
        codes, search = self._question(x, timeout)
        for found in enumerate_all(search, codes):
            explain = self._abductive if found.abductive else self._contrastive
            yield explain(search, codes, found.features)

    def relevancy(self, x: Any, *, timeout: float | None = None) -> Relevancy:
        """Which features are in every reason, in some reason, and in none."""
        codes, search = self._question(x, timeout)
        return relevancy(search, codes, self._recomputation, self.classes)

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

    def explain(self, x: Any, kind: Kind = "abductive", **options: Any) -> Any:
        """An explanation of a kind; options are those of the method of that name."""
        if kind not in get_args(Kind):
            hint = ", ".join(get_args(Kind))
            raise InputError(f"There is no explanation of kind {kind!r}.", hint=hint)
        return getattr(self, kind)(x, **options)

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

    def _parts(
        self, search: Search, codes: Codes, features: Sequence[int], rests_on: str, **more: Any
    ) -> dict[str, Any]:
        """What every explanation of an input says of the features concerned."""
        own = [self.domain.features[k] for k in features]
        return {
            "decision": search.decide(codes),
            "features": tuple(sorted(i for feature in own for i in feature.inputs)),
            "names": tuple(feature.name for feature in own),
            "literals": self._values(features, codes),
            "rests_on": rests_on,
            "classes": self.classes,
            "point": self._point(codes),
            "shape": self.shape,
            "minimal": True,
            "second": None,
            **more,
        }

    def _values(self, features: Sequence[int], codes: Codes) -> tuple[str, ...]:
        return tuple(self.domain.features[k].values[codes[k]] for k in features)

    def _point(self, codes: Codes) -> tuple[str, ...]:
        return tuple(map(rational_text, self.network.point(self.domain.states(codes))))

    def _abductive(self, search: Search, codes: Codes, features: Sequence[int]) -> Abductive:
        """A minimal reason."""
        holds = self._recomputation.is_reason(codes, features, minimal=True)
        rests_on = confirm(holds, "this reason", search.rests_on)
        return Abductive(**self._parts(search, codes, features, rests_on))

    def _contrastive(self, search: Search, codes: Codes, features: Sequence[int]) -> Contrastive:
        """A minimal contrast, with what shows that it is one."""
        other = search.change(codes, features)
        if other is None:
            raise AssertionError("a contrastive set has a witness")
        holds = self._recomputation.is_contrast(codes, features)
        rests_on = confirm(holds, "this contrast", search.rests_on)
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

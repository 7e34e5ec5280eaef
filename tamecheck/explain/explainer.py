"""Explanations of a binarized network's decisions, one input at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Self, cast

import numpy as np

from tamecheck.binarized import ThresholdNetwork
from tamecheck.budget import Budget
from tamecheck.explain.answers import Involvement, Shapley
from tamecheck.explain.check import Recomputation, confirm
from tamecheck.explain.constraints import constrain
from tamecheck.explain.domain import Domain, domain_of
from tamecheck.explain.facade import Limits, RowExplainer
from tamecheck.explain.joint import deciding_for
from tamecheck.explain.nearest import confirm_out_of_reach, is_nearest, moves_of, nearest
from tamecheck.explain.networks import (
    classifier_of,
    describe,
    image_shape,
    labels_of,
    occurring_network,
)
from tamecheck.explain.protected import Protected, Table, features_named, protected
from tamecheck.explain.reasons import Reasons, Sufficient, involvement, reasons_of, sufficient
from tamecheck.explain.row_reader import RowReader
from tamecheck.explain.search import Codes, Search, second_opinion
from tamecheck.explain.shapley import shapley
from tamecheck.explain.words import Vocabulary
from tamecheck.ir.arguments import seconds


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
            self.domain = Vocabulary.of(about.schema).domain(self.network)
        else:
            self.domain = domain_of(
                self.network, names=names, one_hot=one_hot, thermometer=thermometer, words=words
            )
        self.domain = constrain(self.domain, constraints, self.network, names)
        self.classes = labels_of(self.network, classes if len(classes) else about.classes)
        self.seed, self.shape = seed, image_shape(about.model)
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
        made.classes, made.count = labels_of(network, classes), network.classes
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

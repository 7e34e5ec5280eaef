"""Explanations of the decisions of any classifier, over intervals, integers and listed values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, get_args

from tamecheck.budget import Budget
from tamecheck.errors import InputError, TimeLimitError
from tamecheck.explain.answers import (
    Abductive,
    Contrastive,
    Counterfactual,
    Kind,
    Relevancy,
    called,
)
from tamecheck.explain.attributes import Attributes, Interval, Listed, Point, Range, Values
from tamecheck.explain.decisions import Decision
from tamecheck.explain.model_reasons import fewest, hitting, sufficient, weakest, within_reach
from tamecheck.explain.nearest import Metric
from tamecheck.explain.oracles import Oracle, Question, oracle_of
from tamecheck.explain.reasons import (
    enumerate_all,
    necessary,
    shrink_contrast,
    smallest_sufficient,
)
from tamecheck.explain.row_reader import RowReader
from tamecheck.explain.thresholds import short_between, shorter
from tamecheck.ir.arguments import seconds
from tamecheck.ir.exact import rational, rational_text

_HALVINGS = 10
_MOST_HITTING = 100_000


class ModelExplainer:
    """Explains the decisions of a classifier that is no binarized network.

    Features are numbers of an interval, integers, listed values, or groups of inputs; explanations
    are about all of that domain.  What decides whether another class is possible is a search in
    exact arithmetic for sums of trees, and `tamecheck.verify` for every other model.

    Parameters
    ----------
    decision, domain
        The scores and how they decide; the features and what they can be.
    classes
        What the classes are called; they have numbers if there is none.
    names
        The columns that a row with names has; those of the inputs if None.
    seed
        Of the searches.
    """

    def __init__(
        self,
        decision: Decision,
        domain: Attributes,
        *,
        classes: Sequence[Any] = (),
        names: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.decision, self.domain, self.seed = decision, domain, seed
        given = tuple(map(str, classes)) or decision.names
        if len(given) not in (0, decision.classes):
            raise InputError(f"{len(given)} labels for {decision.classes} classes.")
        self.classes = given
        self.reader = RowReader(names=None if names is None else tuple(names))
        self.oracle = oracle_of(decision, domain, seed)
        self.shape: tuple[int, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        # what the oracle knows is found again; its budget belongs to one process
        return {key: value for key, value in vars(self).items() if key != "oracle"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.oracle = oracle_of(self.decision, self.domain, self.seed)

    @property
    def ground(self) -> str:
        """What all proofs so far rest on together."""
        return weakest(list(self.oracle.proofs.values()))

    def decide(self, x: Any) -> int:
        """The class of an input.

        Raises `InputError` if the input cannot occur in the domain.
        """
        return self.oracle.class_of(self.point(x))

    def point(self, x: Any) -> Point:
        """The values of each feature at an input."""
        flat = [rational(value) for value in self.reader.point(x).reshape(-1).tolist()]
        if len(flat) != self.domain.inputs:
            raise InputError(f"{len(flat)} numbers for {self.domain.inputs} inputs.")
        return self.domain.point(flat)

    def abductive(
        self,
        x: Any,
        *,
        smallest: bool = False,
        prefer: Sequence[int] = (),
        timeout: float | None = None,
    ) -> Abductive:
        """A minimal set of features that, kept as they are, keep the decision.

        Parameters
        ----------
        x
            The input: a row of numbers, or one with names.
        smallest
            Whether it has to be one with the fewest features.
        prefer
            Inputs whose features should be kept rather than others, the most wanted first.
        timeout
            Seconds; when they are over the set is still sufficient, but perhaps not minimal.

        Raises
        ------
        InputError
            If the input cannot occur in the domain.
        TimeLimitError
            If ``smallest`` is asked for and the time is over.
        """
        point, oracle = self.point(x), self._within(timeout)
        everything = oracle.changeable
        if smallest:
            features, contrasts = smallest_sufficient(oracle, point)
            free = tuple(k for k in everything if k not in features)
            rests_on = oracle.ground(Question(point, free))
            rests_on = weakest([rests_on, *hitting(contrasts, len(features))])
            return Abductive(**self._parts(point, features, rests_on))
        wanted = list(dict.fromkeys(k for i in prefer for k in self.domain.covering([i])))
        found = sufficient(oracle, Question(point, everything), wanted)
        features = found.features
        free = tuple(k for k in everything if k not in features)
        rests_on = oracle.ground(Question(point, free))
        minimal = not found.doubtful
        return Abductive(**self._parts(point, features, rests_on, minimal=minimal))

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
        point, oracle = self.point(x), self._within(timeout)
        question = Question(point, oracle.changeable)
        if smallest:
            found = fewest(oracle, question)
            if found is None:
                return None
            features, other, rests_on = found
        else:
            changed = oracle.ask(question)
            if changed is None:
                oracle.ground(question)
                return None
            start = [k for k in question.free if changed[k] != point[k]]
            features = shrink_contrast(oracle, point, start)
            other = oracle.change(point, features)
            rests_on = self._contrast_ground(oracle, point, features)
        if other is None:
            raise AssertionError("a contrast has a witness")
        return self._contrast(point, features, other, rests_on)

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
        """A possible input of another class with the fewest changed features; None if none is.

        The values of the features that change are moved towards those of the input as long as the
        class is the other one, which is a search; ``minimal`` is about their number.

        Parameters
        ----------
        x
            The input.
        target
            The class that is wanted; any other if None.
        metric
            ``"features"``.
        immutable
            Inputs whose features must stay.
        increasing, decreasing
            Inputs whose features may only rise, or fall.
        timeout
            Seconds.

        Raises
        ------
        InputError
            If the input has the wanted class already, or there is no such class.
        TimeLimitError
            If the time is over before the fewest are known.
        """
        point, oracle = self.point(x), self._within(timeout)
        decision = oracle.class_of(point)
        if target is not None and not 0 <= target < self.decision.classes:
            raise InputError(f"There is no class {target}; there are {self.decision.classes}.")
        if target == decision:
            raise InputError("The input has the wanted class already.", where="target")
        if metric != "features":
            raise InputError(
                f"The metric {metric!r} is for inputs of two levels.", hint="Use 'features'."
            )
        stay, up, down = (
            frozenset(self.domain.covering(inputs))
            for inputs in (immutable, increasing, decreasing)
        )
        for k in up | down:
            if not self.domain.items[k].ordered:
                name = self.domain.items[k].name
                raise InputError(f"Feature {name!r} has no order, so it cannot rise or fall.")
        free = tuple(k for k in oracle.changeable if k not in stay)
        found = fewest(oracle, Question(point, free, target, up, down))
        if found is None:
            return None
        features, other, rests_on = found
        other = within_reach(oracle, Question(point, features, target, up, down), other)
        other = self._nearer(point, features, other, target)
        parts = self._parts(point, features, rests_on)
        parts["literals"] = self._values(features, other)
        return Counterfactual(
            **parts,
            witness=self._texts(other),
            other=self.oracle.class_of(other),
            before=self._values(features, point),
            distance=len(features),
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
        yield from self._enumerate(self._within(timeout), self.point(x))

    def _enumerate(self, oracle: Oracle, point: Point) -> Iterator[Abductive | Contrastive]:
        for found in enumerate_all(oracle, point):
            if found.abductive:
                free = tuple(k for k in oracle.changeable if k not in found.features)
                rests_on = oracle.ground(Question(point, free))
                yield Abductive(**self._parts(point, found.features, rests_on))
                continue
            other = oracle.change(point, found.features)
            if other is None:
                raise AssertionError("a contrast has a witness")
            rests_on = self._contrast_ground(oracle, point, found.features)
            yield self._contrast(point, found.features, other, rests_on)

    def relevancy(self, x: Any, *, timeout: float | None = None) -> Relevancy:
        """Which features are in every reason, in some reason, and in none."""
        point, oracle = self.point(x), self._within(timeout)
        found: list[Abductive | Contrastive] = []
        needed: list[int] = []
        complete = False
        with suppress(TimeLimitError):
            needed.extend(necessary(oracle, point))
            found.extend(self._enumerate(oracle, point))
            complete = True
        names = self.domain.names
        reasons = [one.names for one in found if isinstance(one, Abductive)]
        used = set[str]().union(*(one.names for one in found))
        times = Counter(name for reason in reasons for name in reason)
        everything = [names[k] for k in oracle.changeable]
        decision = oracle.class_of(point)
        return Relevancy(
            decision,
            tuple(names[k] for k in needed),
            tuple(name for name in everything if name in used),
            tuple(name for name in everything if name not in used) if complete else (),
            complete,
            len(reasons),
            {name: times[name] for name in everything},
            called(decision, self.classes),
            weakest([one.rests_on for one in found]),
        )

    def explain(self, x: Any, kind: Kind = "abductive", **options: Any) -> Any:
        """An explanation of a kind; options are those of the method of that name."""
        if kind not in get_args(Kind):
            hint = ", ".join(get_args(Kind))
            raise InputError(f"There is no explanation of kind {kind!r}.", hint=hint)
        if not hasattr(self, kind):
            what = f"Explanations of kind {kind!r} are about inputs of two levels."
            raise InputError(what, hint="Give the two levels: domain=(0, 1), --domain 0,1.")
        return getattr(self, kind)(x, **options)

    def of_points(self) -> ModelExplainer:
        """The same explainer; rows without names are the model's inputs in order."""
        return self

    # --- the searches ---------------------------------------------------------------------------

    def _within(self, timeout: float | None) -> Oracle:
        return self.oracle.within(Budget.of(seconds(timeout)))

    def _contrast_ground(self, oracle: Oracle, point: Point, features: Sequence[int]) -> str:
        """What it rests on that no proper subset of features changes the decision."""
        grounds: list[str] = []
        for feature in features:
            fewer = Question(point, tuple(k for k in features if k != feature))
            if oracle.ask(fewer) is not None:
                raise AssertionError("a contrast is minimal")
            grounds.append(oracle.ground(fewer))
        return weakest(grounds)

    def _nearer(
        self, point: Point, features: Sequence[int], other: Point, target: int | None
    ) -> Point:
        """A point of the same changes and the other class, with values nearer to the input's."""
        before = self.oracle.class_of(point)

        def turns(candidate: Point) -> bool:
            found = self.decision.class_at(self.domain.flat(candidate))
            return found is not None and (found != before if target is None else found == target)

        for k in features:
            range_, near = self.domain.items[k].range, point[k]
            for _ in range(_HALVINGS):
                middle = tuple((a + b) / 2 for a, b in zip(near, other[k], strict=True))
                values = _rounded(range_, middle, near, other[k])
                if values in (near, other[k]):
                    break
                candidate = (*other[:k], values, *other[k + 1 :])
                if turns(candidate):
                    other = candidate
                else:
                    near = values
            for value in shorter(other[k][0], point[k][0]) if _is_number(range_) else ():
                candidate = (*other[:k], (value,), *other[k + 1 :])
                if range_.holds((value,)) and turns(candidate):
                    other = candidate
                    break
        return other

    # --- what is said ---------------------------------------------------------------------------

    def _parts(
        self, point: Point, features: Sequence[int], rests_on: str, *, minimal: bool = True
    ) -> dict[str, Any]:
        """What every explanation of an input says of the features concerned."""
        chosen = [self.domain.items[k] for k in features]
        return {
            "decision": self.oracle.class_of(point),
            "features": tuple(sorted(i for one in chosen for i in one.inputs)),
            "names": tuple(one.name for one in chosen),
            "literals": self._values(features, point),
            "minimal": minimal,
            "rests_on": rests_on,
            "second": None,
            "classes": self.classes,
            "point": self._texts(point),
        }

    def _contrast(
        self, point: Point, features: Sequence[int], other: Point, rests_on: str
    ) -> Contrastive:
        parts = self._parts(point, features, rests_on)
        found = self.oracle.class_of(other)
        return Contrastive(**parts, witness=self._texts(other), other=found)

    def _values(self, features: Sequence[int], point: Point) -> tuple[str, ...]:
        return tuple(self.domain.items[k].text(point[k]) for k in features)

    def _texts(self, point: Point) -> tuple[str, ...]:
        return tuple(map(rational_text, self.domain.flat(point)))


def _is_number(range_: Range) -> bool:
    return isinstance(range_, Interval) and not range_.integral


def _rounded(range_: Range, middle: Values, near: Values, far: Values) -> Values:
    """Values that can occur, of few digits, between two others."""
    if isinstance(range_, Listed) or range_.integral:
        return range_.nearest(middle)
    return (short_between(near[0], far[0]),)

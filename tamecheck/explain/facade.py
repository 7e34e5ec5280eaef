"""The questions that an explainer of any kind answers about one row, and about many."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args

from tamecheck.errors import InputError
from tamecheck.explain import reasons
from tamecheck.explain.answers import Abductive, Contrastive, Counterfactual, Kind, Relevancy
from tamecheck.explain.attributes import Attributes
from tamecheck.explain.domain import Domain
from tamecheck.explain.row_reader import RowReader
from tamecheck.ir.exact import rational_text

Metric: TypeAlias = Literal["features", "inputs", "steps"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The class that is wanted (any other if None), and how changes are measured.

    Some features have to stay, and some may only go up, or down, in the order of their values.
    """

    target: int | None = None
    metric: Metric = "features"
    stay: frozenset[int] = frozenset()
    up: frozenset[int] = frozenset()
    down: frozenset[int] = frozenset()


D = TypeVar("D", bound=Domain | Attributes)
P = TypeVar("P", bound=tuple[Any, ...])
E = TypeVar("E", bound=reasons.Changes[Any])


class RowExplainer(ABC, Generic[D, P, E]):
    """Explains decisions over a domain D, at a point P of it, by an engine E that finds others.

    What a kind of explainer adds is how its engine settles a question, and what shows the answer.
    """

    domain: D
    classes: tuple[str, ...]
    count: int
    reader: RowReader
    seed: int
    shape: tuple[int, ...]

    # --- the questions --------------------------------------------------------------------------

    @abstractmethod
    def decide(self, x: Any) -> int:
        """The class of an input; raises `InputError` if it cannot occur in the domain."""

    @abstractmethod
    def of_points(self) -> RowExplainer[D, P, E]:
        """The same explainer of inputs in the model's own levels, whatever rows this one takes."""

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
            The input: a row of numbers, in the model's own levels, or one with names.
        smallest
            Whether it has to be one with the fewest features.
        prefer
            Inputs whose features should be kept rather than others, the most wanted first.
        timeout
            Seconds; when they are over the set is still sufficient, but perhaps not minimal.
        second
            Whether z3 is to check that the set is sufficient, where inputs take two levels.

        Raises
        ------
        InputError
            If the input cannot occur in the domain.
        TimeLimitError
            If ``smallest`` is asked for and the time is over.
        """
        point, engine = self._question(x, timeout)
        if smallest:
            (features, contrasts), minimal = reasons.smallest_sufficient(engine, point), True
            rests_on = self._show_smallest(engine, point, features, contrasts)
        else:
            wanted = list(dict.fromkeys(k for i in prefer for k in self.domain.covering([i])))
            found = self._sufficient(engine, point, wanted)
            features, minimal = found.features, not found.doubtful
            rests_on = self._show_reason(engine, point, features, minimal=minimal)
        opinion = self._second(engine, point, features) if second else None
        more = {"minimal": minimal, "second": opinion}
        return Abductive(**self._parts(engine, point, features, rests_on, **more))

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
        point, engine = self._question(x, timeout)
        if smallest:
            near = self._fewest(engine, point)
            return None if near is None else self._contrast(engine, point, *near)
        changed = engine.change(point, engine.changeable)
        if changed is None:
            return self._show_constant(engine, point)
        start = [k for k in engine.changeable if changed[k] != point[k]]
        return self._contrastive(engine, point, reasons.shrink_contrast(engine, point, start))

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

        Where inputs take more than two levels, the fewest features change, and their values are
        moved towards those of the input as long as the class is the other one, which is a search;
        ``minimal`` is about the number of features then.

        Parameters
        ----------
        x
            The input.
        target
            The class that is wanted; any other if None.
        metric
            ``"features"`` counts the features that change; where inputs take two levels,
            ``"inputs"`` counts these, ``"steps"`` the codes that an ordered feature passes.
        immutable
            Inputs whose features must stay.
        increasing, decreasing
            Inputs whose features may only move up, or down, in the order of their codes or values.
        timeout
            Seconds.

        Raises
        ------
        InputError
            If the input has the wanted class already, or there is no such class.
        TimeLimitError
            If the time is over before the nearest is known.
        """
        point, engine = self._question(x, timeout)
        if target is not None and not 0 <= target < self.count:
            raise InputError(f"There is no class {target}; there are {self.count}.")
        if target == engine.decide(point):
            raise InputError("The input has the wanted class already.", where="target")
        kept = (self.domain.covering(g) for g in (immutable, increasing, decreasing))
        found = self._nearest(engine, point, Limits(target, metric, *map(frozenset, kept)))
        if found is None:
            return None
        other, distance, rests_on = found
        features = [k for k in range(len(point)) if other[k] != point[k]]
        parts = self._parts(engine, point, features, rests_on)
        parts["literals"] = self._values(features, other)
        return Counterfactual(
            **parts,
            witness=self._texts(other),
            other=engine.decide(other),
            before=self._values(features, point),
            distance=distance,
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
        point, engine = self._question(x, timeout)
        for found in reasons.enumerate_all(engine, point):
            yield self._explained(engine, point, found)

    def relevancy(self, x: Any, *, timeout: float | None = None) -> Relevancy:
        """Which features are in every reason, in some reason, and in none."""
        point, engine = self._question(x, timeout)
        names = [feature.name for feature in self.domain.features]
        decision, found = engine.decide(point), self._reasons(engine, point)
        return reasons.relevancy_of(decision, self.classes, names, engine.changeable, found)

    def explain(self, x: Any, kind: Kind = "abductive", **options: Any) -> Any:
        """An explanation of a kind; options are those of the method of that name."""
        if kind not in get_args(Kind):
            hint = ", ".join(get_args(Kind))
            raise InputError(f"There is no explanation of kind {kind!r}.", hint=hint)
        if not hasattr(self, kind):
            what = f"Explanations of kind {kind!r} are about inputs of two levels."
            raise InputError(what, hint="Give the two levels: domain=(0, 1), --domain 0,1.")
        return getattr(self, kind)(x, **options)

    # --- what a kind of explainer adds ----------------------------------------------------------

    @abstractmethod
    def _question(self, x: Any, timeout: float | None) -> tuple[P, E]:
        """A row as a point, and the engine for points of another class than its own."""

    @abstractmethod
    def _flat(self, point: P) -> Sequence[Fraction]:
        """The inputs at a point, in the model's own levels."""

    @abstractmethod
    def _sufficient(self, engine: E, point: P, keep: Sequence[int]) -> reasons.Sufficient:
        """A minimal sufficient set, of which some features are kept rather than others."""

    def _second(self, engine: E, point: P, features: Sequence[int]) -> str:
        """What z3 says of a sufficient set."""
        del engine, point, features
        raise InputError("z3 is asked about inputs of two levels only.", where="second")

    @abstractmethod
    def _fewest(self, engine: E, point: P) -> tuple[Sequence[int], P, str] | None:
        """The fewest features whose change changes the decision, a point, what that rests on."""

    @abstractmethod
    def _nearest(self, engine: E, point: P, limits: Limits) -> tuple[P, int, str] | None:
        """The nearest point of another class or the target, how far it is, what that rests on."""

    @abstractmethod
    def _reasons(self, engine: E, point: P) -> reasons.Reasons:
        """The minimal reasons and contrasts that are found in time."""

    @abstractmethod
    def _show_smallest(
        self, engine: E, point: P, features: Sequence[int], contrasts: Sequence[Sequence[int]]
    ) -> str:
        """What it rests on that a set is sufficient and that no smaller one hits the contrasts."""

    @abstractmethod
    def _show_reason(
        self, engine: E, point: P, features: Sequence[int], *, minimal: bool = True
    ) -> str:
        """What it rests on that a set is sufficient, and minimal."""

    @abstractmethod
    def _show_contrast(self, engine: E, point: P, features: Sequence[int]) -> str:
        """What it rests on that no proper subset of features changes the decision."""

    @abstractmethod
    def _show_constant(self, engine: E, point: P) -> None:
        """Show again that no change of any feature changes the decision."""

    # --- what is said ---------------------------------------------------------------------------

    def _explained(self, engine: E, point: P, found: reasons.Found) -> Abductive | Contrastive:
        """A minimal reason or contrast, with what shows that it is one."""
        if not found.abductive:
            return self._contrastive(engine, point, found.features)
        rests_on = self._show_reason(engine, point, found.features)
        return Abductive(**self._parts(engine, point, found.features, rests_on))

    def _contrastive(self, engine: E, point: P, features: Sequence[int]) -> Contrastive:
        other = engine.change(point, features)
        if other is None:
            raise AssertionError("a contrastive set has a witness")
        rests_on = self._show_contrast(engine, point, features)
        return self._contrast(engine, point, features, other, rests_on)

    def _contrast(
        self, engine: E, point: P, features: Sequence[int], other: P, rests_on: str
    ) -> Contrastive:
        parts = self._parts(engine, point, features, rests_on)
        return Contrastive(**parts, witness=self._texts(other), other=engine.decide(other))

    def _parts(
        self, engine: E, point: P, features: Sequence[int], rests_on: str, **more: Any
    ) -> dict[str, Any]:
        """What every explanation of an input says of the features concerned."""
        own = [self.domain.features[k] for k in features]
        return {
            "decision": engine.decide(point),
            "features": tuple(sorted(i for feature in own for i in feature.inputs)),
            "names": tuple(feature.name for feature in own),
            "literals": self._values(features, point),
            "rests_on": rests_on,
            "classes": self.classes,
            "point": self._texts(point),
            "shape": self.shape,
            "minimal": True,
            "second": None,
            **more,
        }

    def _values(self, features: Sequence[int], point: P) -> tuple[str, ...]:
        return tuple(self.domain.features[k].text(point[k]) for k in features)

    def _texts(self, point: P) -> tuple[str, ...]:
        return tuple(map(rational_text, self._flat(point)))

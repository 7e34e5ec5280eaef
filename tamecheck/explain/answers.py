"""What an explanation says, in words and as JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape
from typing import Any, Literal, TypeAlias, cast

from tamecheck.errors import visible
from tamecheck.explain.check import RECOMPUTED
from tamecheck.explain.words import join
from tamecheck.ir.exact import rational_text
from tamecheck.verification.answer import ROUNDING

Kind: TypeAlias = Literal["abductive", "contrastive", "counterfactual", "relevancy", "shapley"]


_SHOWN = "rule", "checked", "rests_on"
"""What every answer says of how it was shown, at its end."""


def called(number: int, classes: Sequence[str]) -> str:
    """A class by its name, if there are names; as ``class 1`` if that is a number."""
    label = classes[number] if classes else str(number)
    return f"class {label}" if label.isdigit() else label


class Answer(ABC):
    """What says itself in a sentence, and may have been shown a second time."""

    __slots__ = ()
    rests_on: str

    @property
    @abstractmethod
    def rule(self) -> str:
        """The answer as a sentence."""

    @property
    def checked(self) -> bool:
        """Whether it was shown a second time, from its definition, or by proofs of `verify`."""
        return self.rests_on in (RECOMPUTED, ROUNDING)

    def document(self, *names: str) -> dict[str, Any]:
        """What has these names as JSON: lists for tuples, exact texts for rationals."""
        return {name: _json(getattr(self, name)) for name in names}

    def __str__(self) -> str:
        return visible(self.rule)

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def _json(value: Any) -> Any:
    match value:
        case Fraction():
            return rational_text(value)
        case tuple():
            return [_json(one) for one in cast("tuple[Any, ...]", value)]
        case Mapping():
            return {key: _json(one) for key, one in cast("Mapping[Any, Any]", value).items()}
        case _:
            return value


@dataclass(frozen=True, slots=True)
class _Reason(Answer):
    """The parts that all explanations of one decision share."""

    decision: int
    """The class of the input."""
    features: tuple[int, ...]
    """Indices of the inputs concerned."""
    names: tuple[str, ...]
    """The names of the features concerned; a feature may have several inputs."""
    literals: tuple[str, ...]
    """For each feature, its value in words."""
    minimal: bool
    """Whether no proper subset explains as well; of a smallest one, whether none is smaller."""
    rests_on: str
    """``"recomputation"``, ``"search"`` for a search in integers alone, or solvers by name.

    The first says that it was shown a second time, from its definition; see
    `tamecheck.explain.check`.  ``"outward rounding"`` are bounds of `tamecheck.verify`.
    """
    second: str | None
    """What a second engine said, if it was asked: ``"agrees"`` or ``"no answer"``."""
    classes: tuple[str, ...] = field(default=(), kw_only=True, repr=False)
    """What the classes are called; empty if they have numbers only."""
    point: tuple[str, ...] = field(default=(), kw_only=True, repr=False)
    """The input that is explained, in the model's own levels, as exact texts."""
    shape: tuple[int, ...] = field(default=(), kw_only=True, repr=False)
    """Rows and columns, if the input is an image."""

    @property
    def size(self) -> int:
        """The number of features."""
        return len(self.names)

    @property
    def rule(self) -> str:
        """The explanation as a sentence."""
        return f"{self.called(self.decision)}: {', '.join(self.literals)}"

    def called(self, number: int) -> str:
        """A class by its name; as ``class 1`` if that is a number."""
        return called(number, self.classes)

    def plot(self, ax: Any = None, *, shape: Sequence[int] | None = None) -> Any:
        """Draw the explanation on the image that is explained, by matplotlib; the axes.

        Parameters
        ----------
        ax
            Axes to draw on; new ones if None.
        shape
            Rows and columns; those of the model's input if None.

        Raises
        ------
        InputError
            If the input is no image.
        """
        import tamecheck

        found: Any = self
        return tamecheck.plots.draw_explanation(found, ax, shape=shape).axes

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        label, said = self.called(self.decision), ("features", "names", "literals", "minimal")
        return {
            "decision": self.decision,
            "label": label,
            "class": label,
            **self.document(*said, "checked", "size", "rule", "rests_on"),
            "second_engine": self.second,
        }


@dataclass(frozen=True, slots=True)
class Abductive(_Reason):
    """A reason: whatever the other features are, the decision is the same."""

    @property
    def rule(self) -> str:
        """``if ... then class c``."""
        if not self.literals:
            return f"always {self.called(self.decision)}"
        return f"if {join('and', self.literals)} then {self.called(self.decision)}"


@dataclass(frozen=True, slots=True)
class _Turn(_Reason):
    """An input of another class: ``witness`` in the model's own levels, ``other`` its class."""

    witness: tuple[str, ...]
    other: int

    @property
    def turn(self) -> str:
        """Which class becomes which."""
        other = self.classes[self.other] if self.classes else str(self.other)
        return f"{self.called(self.decision)} becomes {other}"

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            **_Reason.to_json(self),
            **self.document("witness", "other"),
            "other_label": self.called(self.other),
        }


@dataclass(frozen=True, slots=True)
class Contrastive(_Turn):
    """Features that can change the decision, all others staying; ``witness`` shows it.

    ``witness`` is an input in the model's own levels, as exact texts, and ``other`` its class.
    """

    @property
    def rule(self) -> str:
        """Which features would have to change."""
        change = "changes" if self.size == 1 else "change"
        return f"{self.turn} when only {', '.join(self.names)} {change}"


@dataclass(frozen=True, slots=True)
class Counterfactual(_Turn):
    """The nearest possible input of another class.

    ``before`` and ``literals`` are the changed features' values in words; ``distance`` is the
    cost in the stated ``metric``, and ``minimal`` says that none is nearer.
    """

    before: tuple[str, ...]
    distance: int
    metric: str

    @property
    def rule(self) -> str:
        """What would have to be different."""
        changes = [f"{a} → {b}" for a, b in zip(self.before, self.literals, strict=True)]
        return f"{self.turn} with {'; '.join(changes)}"

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {**_Turn.to_json(self), **self.document("before", "distance", "metric")}


@dataclass(frozen=True, slots=True)
class Relevancy(Answer):
    """Which features are in every reason, in some reason, and in none."""

    decision: int
    """The class of the input."""
    necessary: tuple[str, ...]
    relevant: tuple[str, ...]
    irrelevant: tuple[str, ...]
    """The names of the features.

    ``relevant`` and ``irrelevant`` are complete only if ``complete``; a feature that is in neither
    is open then.
    """
    complete: bool
    """Whether all reasons were found in time."""
    reasons: int
    """The number of minimal reasons that were found."""
    counts: Mapping[str, int]
    """For each feature that can vary, how many of them it is in."""
    label: str
    """What the class is called."""
    rests_on: str
    """As for a reason."""

    @property
    def rule(self) -> str:
        """What is known, in a sentence."""
        sizes = [f"{len(self.necessary)} features are in every reason"]
        if self.necessary:
            sizes[0] += f" ({', '.join(self.necessary)})"
        sizes.append(f"{len(self.relevant)} in some")
        sizes.append(f"{len(self.irrelevant)} in none" if self.complete else "others are open")
        least = "" if self.complete else "at least "
        return f"{self.label}: {least}{self.reasons} reasons; {', '.join(sizes)}"

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        kinds = "necessary", "relevant", "irrelevant", "complete", "reasons", "counts"
        return {
            "decision": self.decision,
            "label": self.label,
            "class": self.label,
            **self.document(*kinds, *_SHOWN),
        }

    def plot(self, ax: Any = None) -> Any:
        """Draw in what share of the reasons each feature is, by matplotlib, on axes or new ones.

        Raises
        ------
        InputError
            If no reason was found.
        """
        import tamecheck

        return tamecheck.plots.draw_relevancy(self, ax).axes


@dataclass(frozen=True, slots=True)
class Involvement(Answer):
    """The reasons of a decision that contain one of some attributes, and the contrasts.

    All reasons contain one exactly where a change of the attributes alone changes the decision.
    """

    decision: int
    """The class of the input."""
    attributes: tuple[str, ...]
    reasons: tuple[tuple[str, ...], ...]
    contrasts: tuple[tuple[str, ...], ...]
    """The names of the features of each that contains an attribute."""
    all_reasons: int
    all_contrasts: int
    """The number of all reasons and contrasts that were found."""
    complete: bool
    """Whether all were found in time."""
    label: str
    """What the class is called."""
    rests_on: str
    """As for a reason."""

    @property
    def rule(self) -> str:
        """How many contain one, in a sentence."""
        who, least = " or ".join(self.attributes), "" if self.complete else "at least "
        return (
            f"{self.label}: {who} is in {least}{len(self.reasons)} of {self.all_reasons} reasons "
            f"and {len(self.contrasts)} of {self.all_contrasts} contrasts"
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "decision": self.decision,
            "label": self.label,
            "class": self.label,
            "protected": list(self.attributes),
            **self.document("reasons", "contrasts", "all_reasons", "all_contrasts", "complete"),
            **self.document(*_SHOWN),
        }


@dataclass(frozen=True, slots=True)
class Shapley(Answer):
    """The exact Shapley value of each feature for having a class, beside its relevancy.

    They sum to ``value - base``, which was computed apart and compared.
    """

    decision: int
    """The class of the input."""
    target: int
    """The class in question: what is shared out is 1 where it is decided and 0 elsewhere."""
    values: Mapping[str, Fraction]
    """The value of each feature."""
    value: int
    """1 if the input has the class, else 0."""
    base: Fraction
    """The share of the class in the points that the other features' codes are drawn from."""
    over: str
    """``domain``: all codes, independently and equally often; ``table``: the rows of a table."""
    points: int
    """How many points, or rows, these are."""
    relevancy: Relevancy
    """In which reasons of the decision the features are."""
    asked: str
    """What the class in question is called."""
    rests_on: str
    """As for a reason."""

    @property
    def sum(self) -> Fraction:
        """The sum of the values."""
        return sum(self.values.values(), Fraction(0))

    def is_relevant(self, feature: str) -> bool | None:
        """Whether a feature is in some abductive explanation; None if that is open."""
        known = feature in self.relevancy.relevant
        return known if known or self.relevancy.complete else None

    @property
    def rule(self) -> str:
        """The values that are not 0, the largest first, and their sum."""
        order = sorted(self.values.items(), key=lambda item: (-abs(item[1]), item[0]))
        said = [f"{name} {'+' if v > 0 else ''}{rational_text(v)}" for name, v in order if v]
        ends = f"{self.value} - {rational_text(self.base)} = {rational_text(self.sum)}"
        return f"{self.asked}: {', '.join(said) or 'every feature 0'}; sum {ends}"

    def to_json(self) -> dict[str, Any]:
        """The JSON form; exact numbers are strings."""
        return {
            "decision": self.decision,
            "label": self.relevancy.label,
            "class": self.relevancy.label,
            "target": self.target,
            "target_label": self.asked,
            **self.document("values", "value", "base", "sum"),
            "adds_up": self.sum == self.value - self.base,
            **self.document("over", "points"),
            "relevant": {name: self.is_relevant(name) for name in self.values},
            "necessary": list(self.relevancy.necessary),
            **self.document(*_SHOWN),
        }

"""What codes of features mean, in the user's words, and conditions that a user writes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TypeAlias

from tamecheck.binarized import ThresholdNetwork
from tamecheck.errors import InputError
from tamecheck.explain.check_cells import runs
from tamecheck.explain.domain import Domain, Feature, domain_of
from tamecheck.ir.exact import parse_rational
from tamecheck.loaders.tables.schema import Schema

_LISTED = 3


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words and groups of a network's inputs, as `tamecheck.explain.domain.domain_of` takes."""

    words: Mapping[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    """For an input, what it says when it is low and when it is high."""
    one_hot: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    thermometer: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    """The inputs of each feature that is coded so."""
    names: Mapping[int, str] = field(default_factory=dict[int, str])
    """The feature that an input says something about, if no other input does."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The values of features that thresholds tell apart, if they have no others, in order."""
    plain: Mapping[int, tuple[str | None, str | None]] = field(
        default_factory=dict[int, tuple[str | None, str | None]]
    )
    """What comes after ``name = `` in an input's words; None where they have another form."""

    def labels(self, given: Sequence[str]) -> list[str]:
        """A name for each input: that of the feature that it codes alone, else the given one."""
        return [self.names.get(i, name) for i, name in enumerate(given)]

    def domain(
        self,
        network: ThresholdNetwork,
        given: Sequence[str] | None = None,
        *,
        one_hot: Mapping[str, Sequence[int]] | None = None,
        thermometer: Mapping[str, Sequence[int]] | None = None,
    ) -> Domain:
        """The domain of a network in these words, and with more groups; see `domain_of`.

        ``given`` are names of inputs about whose features nothing is known.
        """
        labels = [f"x{i}" for i in range(network.inputs)] if given is None else given
        # a feature of two values is a thermometer of one input
        given_groups = (*(one_hot or {}).values(), *(thermometer or {}).values())
        taken = {i for group in given_groups for i in group}
        pairs = {
            name: (i,)
            for i, name in self.names.items()
            if len(self.values.get(name, ())) == 2 and i not in taken
        }
        return domain_of(
            network,
            names=self.labels(labels),
            one_hot={**self.one_hot, **(one_hot or {})},
            thermometer={**self.thermometer, **pairs, **(thermometer or {})},
            words=self.words,
            values=self.values,
            plain=self.plain,
        )

    def without(self, inputs: Collection[int]) -> Vocabulary:
        """The same without what is said of the groups of some inputs."""
        taken = set(inputs)
        one_hot, thermometer = (
            {name: group for name, group in found.items() if not taken & set(group)}
            for found in (self.one_hot, self.thermometer)
        )
        return replace(self, one_hot=one_hot, thermometer=thermometer)

    @classmethod
    def of(cls, schema: Schema) -> Vocabulary:
        """The vocabulary of what inputs are made of."""
        bits, groups = schema.bits, schema.groups
        one_hot, thermometer = (
            {group.feature: group.outputs for group in groups if group.kind == kind}
            for kind in ("one-hot", "thermometer")
        )
        return cls(
            {i: (bit.text(holds=False), bit.text()) for i, bit in enumerate(bits)},
            one_hot,
            thermometer,
            {group.outputs[0]: group.feature for group in groups if len(group.outputs) == 1},
            schema.values(),
            {i: (bit.plain(holds=False), bit.plain()) for i, bit in enumerate(bits)},
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """That a feature, by its number in the domain, has one of some codes (ascending; not all)."""

    feature: int
    codes: tuple[int, ...]
    text: str


def condition(number: int, feature: Feature, codes: Sequence[int]) -> Condition:
    """The condition that a feature has one of some codes, in words."""
    chosen = tuple(sorted(set(codes)))
    if not chosen or chosen[0] < 0 or chosen[-1] >= len(feature.codes):
        raise InputError(f"Feature {feature.name!r} has no such codes: {list(codes)}.")
    return Condition(number, chosen, _said(feature, chosen))


def conditions_of(domain: Domain, allowed: Sequence[Sequence[int]]) -> list[Condition]:
    """That each feature has one of its allowed codes, where these are not all."""
    pairs = enumerate(zip(domain.features, allowed, strict=True))
    return [condition(k, f, codes) for k, (f, codes) in pairs if len(codes) < len(f.codes)]


def _said(feature: Feature, codes: tuple[int, ...]) -> str:
    values = [feature.values[code] for code in codes]
    named = bool(feature.plain)
    if named and len(values) == 1:
        return values[0]
    if feature.ordered and not (named and _scattered(codes, len(feature.values))):
        return " or ".join(_interval(feature, low, high) for low, high in runs(codes))
    if not named:
        return " or ".join(values)
    rest = [v for code, v in enumerate(feature.plain) if code not in codes]
    if len(rest) == 1:
        return f"{feature.name} ≠ {rest[0]}"
    return f"{feature.name} in {{{', '.join(feature.plain[code] for code in codes)}}}"


def _scattered(codes: Sequence[int], count: int) -> bool:
    """Whether a list of values is easier to read than bounds."""
    one_sided = codes[0] == 0 or codes[-1] == count - 1
    return len(runs(codes)) > 1 or (not one_sided and len(codes) <= _LISTED)


def _interval(feature: Feature, low: int, high: int) -> str:
    """Code k of a thermometer says that the first k statements hold and no other."""
    parts = [feature.words[low - 1][1]] if low > 0 else []
    parts += [feature.words[high][0]] if high < len(feature.words) else []
    return " and ".join(parts) if parts else "true"


def join(word: str, texts: Iterable[str]) -> str:
    """The texts joined by ``and`` or ``or``; those with the other word are put in parentheses."""
    other = " or " if word == "and" else " and "
    return f" {word} ".join(f"({text})" if other in text else text for text in texts)


def conjunction(conditions: Sequence[Condition]) -> str:
    """The conditions joined by ``and``; those that are alternatives are put in parentheses."""
    if len(conditions) == 1:
        return conditions[0].text
    return join("and", (c.text for c in conditions)) or "true"


class Written:
    """What has a text, which is also how it is printed."""

    __slots__ = ()

    @property
    @abstractmethod
    def text(self) -> str:
        """What is said."""

    def __str__(self) -> str:
        return self.text


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]], summary: str) -> str:
    """Lines of text as an HTML table, and a sentence below it."""
    lines = [
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
        for tag, cells in (("th", head), *(("td", row) for row in rows))
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table>{body}</table><p>{escape(summary)}</p>"


Meaning: TypeAlias = tuple[int, frozenset[int]]
"""A feature, and those of its codes that meet a condition."""


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """What a user may write of a domain: its own words, or an input and its level.

    ``names`` are those of the inputs, and ``where`` is where it is written.
    """

    network: ThresholdNetwork
    domain: Domain
    names: Sequence[str] | None = None
    where: str = "--if"

    def conditions(self, text: str) -> list[tuple[int, ...]]:
        """The codes of each feature that meet all conditions of a text.

        There are commas between conditions: an input by number or name with one of its levels
        (``x3=1``, ``sunny=-1``), a feature with a value (``colour=red``), or a statement in the
        domain's own words (``age ≥ 37``, also ``age >= 37``).  What is written exactly as in the
        domain's words, commas included, is meant so; else blanks do not count.

        Raises `InputError` if a condition is none of these, or two at once.
        """
        allowed = [tuple(range(len(f.codes))) for f in self.domain.features]
        parts = text.split(",")
        while parts:
            # names and values may hold commas: the longest text that is in the domain's words
            counts = range(len(parts), 0, -1)
            count = next((n for n in counts if _meanings(",".join(parts[:n]), self.domain)), 1)
            feature, codes = self.condition(",".join(parts[:count]))
            allowed[feature] = tuple(c for c in allowed[feature] if c in codes)
            del parts[:count]
        return allowed

    def condition(self, part: str) -> Meaning:
        """The feature and the codes that a condition means, in words or by an input and its level.

        Raises `InputError` if it means nothing, or two things.
        """
        found = _meanings(part, self.domain)
        if len(found) > 1:
            named = (self.domain.features[k].name for k in sorted(k for k, _ in found))
            raise InputError(
                f"Condition {part.strip()!r} can be about {' and '.join(map(repr, named))}.",
                where=self.where,
                hint="Say it by an input's number and its level: x3=1.",
            )
        return found.pop() if found else self._by_level(part)

    def _by_level(self, part: str) -> Meaning:
        """An input by number or name with one of its levels."""
        key, _, value = (text.strip() for text in part.rpartition("="))
        i = self._input(key)
        if i is None or not value:
            what = f"Condition {part.strip()!r} is not understood."
            raise InputError(what, where=self.where, hint=_known(part, self.domain))
        level, low, high = parse_rational(value), self.network.low[i], self.network.high[i]
        if level not in (low, high):
            what = f"Input {i} is never {level}: its levels are {low} and {high}."
            raise InputError(what, where=self.where)
        # a constant input has both levels at once, and state 1
        state = 1 if level == high else -1
        number, feature = next((k, f) for k, f in enumerate(self.domain.features) if i in f.inputs)
        column = feature.codes[:, feature.inputs.index(i)]
        return number, frozenset(code for code, own in enumerate(column.tolist()) if own == state)

    def _input(self, key: str) -> int | None:
        """An input by its name, or by its number: 3, x3, x[3]."""
        if self.names is not None and key in self.names:
            return list(self.names).index(key)
        digits = key.removeprefix("x").removeprefix("[").removesuffix("]")
        known = digits.isascii() and digits.isdigit() and len(digits) < 10
        return int(digits) if known and int(digits) < self.network.inputs else None


def _meanings(part: str, domain: Domain) -> set[Meaning]:
    """What a text means in the domain's words: as they are, or else without their blanks."""
    for reading in (str.strip, _plain):
        found = {
            (number, frozenset(codes))
            for number, feature in enumerate(domain.features)
            for codes in _by_words(feature, reading(part), reading)
        }
        if found:
            return found
    return set()


def _by_words(feature: Feature, said: str, reading: Callable[[str], str]) -> list[set[int]]:
    """The codes for which the feature's words say so, in each way that they do."""
    found: list[set[int]] = []
    every = range(len(feature.codes))
    for place, (low, high) in enumerate(feature.words):
        # the first k statements of a thermometer hold for code k
        found += [set(range(place + 1, len(every)))] if said == reading(high) else []
        found += [set(range(place + 1))] if said == reading(low) else []
    found += [{code} for code in every if said == reading(feature.values[code])]
    found += [
        set(every) - {code}
        for code, value in enumerate(feature.plain)
        if said == reading(f"{feature.name} ≠ {value}")
    ]
    return found


def _known(part: str, domain: Domain) -> str:
    """What can be said of the feature with whose name a text begins."""
    named = [f for f in domain.features if part.strip().startswith(f.name)]
    if named:
        return f"Known are: {'; '.join(max(named, key=lambda f: len(f.name)).values)}."
    return "Give an input and its level, x3=1, or a feature and its value."


def _plain(text: str) -> str:
    return "".join(text.replace(">=", "≥").replace("!=", "≠").split())

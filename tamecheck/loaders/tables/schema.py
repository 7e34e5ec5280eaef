"""What the inputs of a model say about the columns of a table, as data: sentences are made of it.

A trained network's inputs are statements about columns (``age ≥ 37 years``, ``colour = red``) or
the columns' numbers themselves.  Which column, which bound or category, and which inputs belong
together is kept as data, beside a model in ``MODEL.features.json`` and in the metadata of an ONNX
file.  Sentences are printed from it; none is ever read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tamecheck.loaders.tables.forms import Decimal, is_days, said

GroupKind: TypeAlias = Literal["free", "thermometer", "one-hot"]
BitKind: TypeAlias = Literal["threshold", "interval", "category", "boolean", "number"]

_BRACKETS = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; its name is as in the file, or its number.

    ``categories`` are the values of a column of texts, sorted (in the order of the file, if the
    file lists them), None for a column of numbers; ``index`` is its place in the file, from 0.  In
    sentences it is called ``feature``, with a ``unit`` or an empty text.  ``values`` are the
    numbers that it takes, ascending, if it takes no others.  ``form`` is how its numbers are
    written, if they are percentages, money or days; see `tamecheck.loaders.tables.forms`.
    """

    name: str
    categories: tuple[str, ...] | None = None
    index: int = 0
    feature: str = ""
    unit: str = ""
    values: tuple[float, ...] = ()
    form: str = ""

    @property
    def kind(self) -> Literal["number", "day", "categories"]:
        """What its values are."""
        if self.categories is not None:
            return "categories"
        return "day" if is_days(self.form) else "number"

    @property
    def said(self) -> str:
        """What it is called in sentences."""
        return self.feature or self.name


@dataclass(frozen=True, slots=True)
class Bit:
    """One input of a model: a statement about a column, or the column's number itself.

    ``column`` is the column's number among those of the model, called ``feature``.  For a column of
    numbers the statement is ``lower ≤ x < upper``, where None is no bound; for one of texts
    ``x = category``, and ``other`` is the one other category, if there are just two.  ``levels``
    are the two numbers that the column takes, if the input is the column itself.
    """

    column: int
    feature: str
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    category: str | None = None
    other: str | None = None
    levels: tuple[float, float] | None = None
    form: str = ""

    @property
    def kind(self) -> BitKind:
        """What kind of statement it is."""
        if self.levels is not None:
            return "number"
        if self.category is not None:
            return "category" if self.other is None else "boolean"
        return "threshold" if self.upper is None else "interval"

    def text(self, *, holds: bool = True) -> str:
        """The statement, or its negation, in words: ``age ≥ 37 years``."""
        if self.levels is not None:
            return f"{self.feature} = {self._said(self.levels[holds])}"
        if self.category is not None:
            if not holds and self.other is not None:
                return f"{self.feature} = {shown(self.other)}"
            return f"{self.feature} {'=' if holds else '≠'} {shown(self.category)}"
        if self.lower is not None and self.upper is not None:
            inside = "in" if holds else "not in"
            ends = f"[{said(self.lower, self.form)}, {said(self.upper, self.form)})"
            return f"{self.feature} {inside} {ends} {self.unit}".strip()
        if self.lower is not None:
            return f"{self.feature} {'≥' if holds else '<'} {self._said(self.lower)}"
        bound = self.upper if self.upper is not None else math.inf
        return f"{self.feature} {'<' if holds else '≥'} {self._said(bound)}"

    def _said(self, value: float) -> str:
        return said(value, self.form, self.unit)

    def plain(self, *, holds: bool = True) -> str | None:
        """What comes after ``feature = `` in the words; None if they have another form."""
        if self.levels is not None:
            return self._said(self.levels[holds])
        named = self.category if holds else self.other
        return None if named is None else shown(named)

    @property
    def name(self) -> str:
        """A name for the column of a table: ``age>=37``."""
        text = replace(self, unit="").text()
        if self.category is not None or self.levels is not None:
            return text.replace(" = ", "=")
        return text.replace(" ≥ ", ">=").replace(" < ", "<")

    def holds(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Whether the statement holds for values of the column; of a number, whether it is high."""
        if self.category is not None:
            return np.array([str(value) == self.category for value in values], dtype=np.bool_)
        numbers = values.astype(np.float64)
        if self.levels is not None:
            return np.asarray(numbers == self.levels[1])
        found = np.ones(len(numbers), dtype=np.bool_)
        if self.lower is not None:
            found &= numbers >= self.lower
        if self.upper is not None:
            found &= numbers < self.upper
        return found


@dataclass(frozen=True, slots=True)
class Group:
    """Inputs that belong to one column, and what holds among them.

    ``kind`` is ``"free"`` (one input alone), ``"thermometer"`` (input k + 1 implies input k) or
    ``"one-hot"`` (exactly one holds).
    """

    kind: GroupKind
    feature: str
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """The column of the labels: its name and place, and whether labels are numbers."""

    name: str
    index: int
    numbers: bool = False


Missing: TypeAlias = Literal["error", "drop", "level", "level,drop"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How the text of a table is read; None where the text itself says it.

    ``header``: whether the first line of a CSV file has the names; ``sep``: what is between its
    cells; ``decimal``: the decimal mark.  ``missing``: whether missing values are refused, their
    rows left out, or are categories of columns of texts (and of other columns refused, or left
    out).  ``ignore``: columns that are left out.
    """

    header: bool | None = None
    sep: str | None = None
    decimal: Decimal | None = None
    missing: Missing | None = None
    ignore: tuple[str, ...] = ()

    def over(self, other: Reading) -> Reading:
        """What this says, and where it says nothing what the other does."""
        own = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        own["ignore"] = tuple(dict.fromkeys((*self.ignore, *other.ignore)))
        return replace(other, **own)


AS_IT_SAYS = Reading()
"""A table is read as its text says."""


@dataclass(frozen=True, slots=True)
class Training:
    """Which table a model was trained on: the hash of its text, and how many rows it has.

    Rows that were left out count; those ``held_out`` were kept for a test.  ``reading`` is how
    the table was read, ``record`` what came of the training, as JSON.
    """

    sha256: str
    rows: int
    held_out: tuple[int, ...] = ()
    table: str = ""
    left_out: tuple[int, ...] = ()
    reading: Reading = AS_IT_SAYS
    record: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


@dataclass(frozen=True, slots=True)
class Schema:
    """What the inputs of a model are made of: columns of a table, and a bit for each input.

    ``groups`` are a partition of the inputs: those about one column are one group.  ``classes`` is
    empty if their names are not known; ``levels`` are what an input is where its statement fails,
    and where it holds; ``model`` is the SHA-256 of the model's graph, or empty.
    """

    columns: tuple[Column, ...]
    bits: tuple[Bit, ...]
    groups: tuple[Group, ...]
    classes: tuple[str, ...] = ()
    target: Target | None = None
    levels: tuple[int, int] = (-1, 1)
    model: str = ""
    training: Training | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """What each input says when it is high; the column's name of an input that is a number."""
        return tuple(b.feature if b.levels is not None else b.text() for b in self.bits)

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """The two levels of each input."""
        return tuple(self.levels if bit.levels is None else bit.levels for bit in self.bits)

    def literal(self, output: int, *, holds: bool = True) -> str:
        """What an input says when it is high, or when it is low."""
        return self.bits[output].text(holds=holds)

    def values(self) -> dict[str, tuple[str, ...]]:
        """The values of columns of numbers that take no others, in order, in words."""
        return {
            c.said: tuple(said(v, c.form, c.unit) for v in c.values)
            for c in self.columns
            if c.values
        }

    def encode(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """The inputs of rows of the columns, ``(rows, inputs)``."""
        found = np.empty((len(rows), len(self.bits)))
        for number, (bit, (low, high)) in enumerate(zip(self.bits, self.pairs, strict=True)):
            found[:, number] = np.where(bit.holds(rows[:, bit.column]), high, low)
        return found


def shown(category: str) -> str:
    """A category in a sentence; an empty one as a pair of quotes."""
    return category or '""'


def display_names(names: Sequence[str]) -> list[tuple[str, str]]:
    """What columns are called in sentences, and their units: ``age [years]`` is age, in years.

    A column keeps its whole name where without the unit it would be called as another one is.
    """
    split = [_without_unit(name) for name in names]
    taken = Counter(
        [base for base, _ in split] + [n for n, s in zip(names, split, strict=True) if s[1]]
    )
    return [s if taken[s[0]] == 1 else (n, "") for n, s in zip(names, split, strict=True)]


def _without_unit(name: str) -> tuple[str, str]:
    opening = _BRACKETS.get(name[-1:])
    base, found, unit = name[:-1].rpartition(opening) if opening is not None else ("", "", "")
    inner = {*_BRACKETS, *_BRACKETS.values()} & set(unit)
    # x[0] and f(x) have no units
    if not found or inner or not unit.strip() or not base[:-1].strip() or not base[-1].isspace():
        return name, ""
    return base.strip(), unit.strip()

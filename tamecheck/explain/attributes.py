"""What can occur at the inputs of any model: intervals, integers, and listed values.

A feature has one input, or several that only take some combinations of values together, as those
of a one-hot code do.  All features together may take any combination of their values. Ranges are
gone through value by value or at random, and divided in two.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import inf, prod
from typing import Any, TypeAlias

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound, Box
from tamecheck.ir.exact import decimal_text, rational, rational_text
from tamecheck.ir.tensor import Shape
from tamecheck.loaders.tables.forms import short

Values: TypeAlias = tuple[Fraction, ...]
"""The values of a feature's inputs."""

Point: TypeAlias = tuple[Values, ...]
"""The values of each feature."""


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers from ``low`` to ``high``; None is no bound.  Integers only, if so."""

    low: Fraction | None
    high: Fraction | None
    integral: bool = False

    def __str__(self) -> str:
        ends = (
            ("-inf" if self.low is None else number_text(self.low)),
            ("inf" if self.high is None else number_text(self.high)),
        )
        return f"{'integers' if self.integral else 'numbers'} from {ends[0]} to {ends[1]}"

    def holds(self, values: Values) -> bool:
        """Whether a number can occur."""
        (value,) = values
        above = self.low is None or self.low <= value
        below = self.high is None or value <= self.high
        return above and below and not (self.integral and value.denominator != 1)

    def integers(self) -> Interval:
        """The integers among the numbers."""
        low = None if self.low is None else Fraction(math.ceil(self.low))
        high = None if self.high is None else Fraction(math.floor(self.high))
        return Interval(low, high, integral=True)

    @property
    def empty(self) -> bool:
        """Whether there is no number."""
        return self.low is not None and self.high is not None and self.low > self.high

    @property
    def fixed(self) -> bool:
        """Whether there is one number only."""
        return self.low is not None and self.low == self.high

    def nearest(self, values: Values) -> Values:
        """The number that can occur next to a given one."""
        (value,) = values
        value = Fraction(round(value)) if self.integral else value
        value = value if self.low is None else max(value, self.low)
        return (value if self.high is None else min(value, self.high),)


@dataclass(frozen=True, slots=True)
class Listed:
    """Combinations of values of one input, or of several, in order."""

    rows: tuple[Values, ...]

    def __str__(self) -> str:
        said = [" ".join(map(number_text, row)) for row in self.rows]
        return ", ".join(said)

    def holds(self, values: Values) -> bool:
        """Whether the values can occur."""
        return values in self.rows

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not self.rows

    @property
    def fixed(self) -> bool:
        """Whether there is one combination only."""
        return len(self.rows) == 1

    def nearest(self, values: Values) -> Values:
        """The values that can occur next to given ones."""
        return min(
            self.rows, key=lambda row: sum(abs(a - b) for a, b in zip(row, values, strict=True))
        )


Range: TypeAlias = Interval | Listed


@dataclass(frozen=True, slots=True)
class Attribute:
    """One feature: its name, its inputs, what they can be, and words for listed values."""

    name: str
    inputs: tuple[int, ...]
    range: Range
    words: Mapping[Values, str] = field(default_factory=dict[Values, str], hash=False)
    ordered: bool = True
    """Whether its values have an order, as numbers have."""

    def text(self, values: Values) -> str:
        """That the feature has these values, in words."""
        said = self.words.get(values)
        if said is None and len(values) == 1:
            said = number_text(values[0])
        if said is None:
            said = f"({', '.join(map(number_text, values))})"
        return f"{self.name} = {said}"

    def only(self, range_: Range) -> Attribute:
        """The feature where it can be less."""
        return Attribute(self.name, self.inputs, range_, self.words, self.ordered)


def number_text(value: Fraction) -> str:
    """A number in few digits where these are the number or a float, else as a fraction."""
    try:
        nearest = float(value)
    except OverflowError:
        return decimal_text(value)
    if Fraction(short(nearest)) == value:
        return short(nearest)
    return repr(nearest) if Fraction(nearest) == value else rational_text(value)


@dataclass(frozen=True)
class Attributes:
    """The features of a model; the product of their ranges is the domain."""

    items: tuple[Attribute, ...]

    @property
    def features(self) -> tuple[Attribute, ...]:
        """The features, as those of a domain of two levels are called."""
        return self.items

    @cached_property
    def inputs(self) -> int:
        """The number of inputs."""
        return sum(len(one.inputs) for one in self.items)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the features are called."""
        return tuple(one.name for one in self.items)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the features: their names, inputs and ranges."""
        document = [[one.name, list(one.inputs), str(one.range)] for one in self.items]
        return hashlib.sha256(json.dumps(document).encode()).hexdigest()

    def point(self, flat: Sequence[Fraction], where: str = "") -> Point:
        """The values of each feature at an input.

        Raises `InputError`, naming the feature, if they cannot occur.
        """
        found = tuple(tuple(flat[i] for i in one.inputs) for one in self.items)
        for one, values in zip(self.items, found, strict=True):
            if not one.range.holds(values):
                raise InputError(
                    f"{one.text(values)} is outside of the domain.",
                    where=where,
                    hint=f"It takes {one.range}.",
                )
        return found

    def flat(self, point: Point) -> tuple[Fraction, ...]:
        """The input with these values of the features."""
        found = [Fraction(0)] * self.inputs
        for one, values in zip(self.items, point, strict=True):
            for i, value in zip(one.inputs, values, strict=True):
                found[i] = value
        return tuple(found)

    def covering(self, inputs: Sequence[int]) -> tuple[int, ...]:
        """The features that any of the inputs belongs to."""
        wanted = set(inputs)
        return tuple(k for k, one in enumerate(self.items) if wanted & set(one.inputs))


def attributes_of(  # noqa: C901  # what can occur has many sides
    bounds: Sequence[tuple[Bound, Bound]],
    *,
    names: Sequence[str] | None = None,
    integers: Collection[str | int] = (),
    values: Mapping[str | int, Sequence[Any]] | None = None,
    one_hot: Mapping[str, Sequence[int]] | None = None,
) -> Attributes:
    """The features of a model's inputs.

    Parameters
    ----------
    bounds
        The interval of each input; None is no bound.
    names
        A name for each input; ``x0``, ``x1``, ... if None.
    integers
        The inputs, by name or number, that take integers only.
    values
        The numbers that some inputs take, if these are the only ones.
    one_hot
        For each feature that is coded so, its inputs: exactly one of them is 1, the others are 0.

    Raises
    ------
    InputError
        If a name is not known or stands twice, a group has an input of another one, or a feature
        can be nothing.
    """
    count = len(bounds)
    labels = [f"x{i}" for i in range(count)] if names is None else list(names)
    if len(labels) != count:
        raise InputError(f"{len(labels)} names for {count} inputs.")
    whole = {_number(key, labels) for key in integers}
    listed = {
        _number(key, labels): tuple(sorted({rational(v) for v in found}))
        for key, found in (values or {}).items()
    }
    made: dict[int, Attribute] = {}
    taken: set[int] = set()
    for name, group in (one_hot or {}).items():
        if not group or not all(0 <= i < count and i not in taken for i in group):
            raise InputError(f"An input of group {name!r} does not exist, or is in two groups.")
        taken.update(group)
        unit = [tuple(Fraction(i == j) for j in group) for i in group]
        rows = tuple(row for row in unit if _inside(row, [bounds[i] for i in group]))
        said = {row: labels[i] for row, i in zip(unit, group, strict=True)}
        made[min(group)] = Attribute(name, tuple(group), Listed(rows), said, ordered=False)
    for i, (name, (low, high)) in enumerate(zip(labels, bounds, strict=True)):
        if i in taken:
            continue
        range_: Range = Interval(low, high)
        if i in listed:
            range_ = Listed(tuple((v,) for v in listed[i] if _inside((v,), [(low, high)])))
        elif i in whole:
            range_ = range_.integers()
        made[i] = Attribute(name, (i,), range_)
    items = tuple(made[i] for i in sorted(made))
    for one in items:
        if one.range.empty:
            raise InputError(f"Feature {one.name!r} can have no value.", where="domain")
    found = Attributes(items)
    if len(set(found.names)) < len(items):
        twice = next(name for name in found.names if found.names.count(name) > 1)
        raise InputError(f"Two features are called {twice!r}.", hint="Names must differ.")
    return found


def _inside(values: Values, bounds: Sequence[tuple[Bound, Bound]]) -> bool:
    pairs = zip(values, bounds, strict=True)
    return all((lo is None or lo <= v) and (hi is None or v <= hi) for v, (lo, hi) in pairs)


def _number(key: str | int, labels: Sequence[str]) -> int:
    """The number of an input that is named, or numbered."""
    if isinstance(key, str) and key in labels:
        return labels.index(key)
    text = str(key).strip()
    if text.isascii() and text.isdigit() and int(text) < len(labels):
        return int(text)
    raise InputError(f"There is no input {key!r}.", hint=f"Inputs: {', '.join(labels[:12])}.")


_MOST_COMBINATIONS, _MANY = 512, 1 << 20


def ends_of(
    known: Attributes, ranges: Sequence[Range]
) -> tuple[tuple[Bound, ...], tuple[Bound, ...]]:
    """The smallest and the largest value of each input where the features have some ranges."""
    lower: list[Bound] = [None] * known.inputs
    upper: list[Bound] = [None] * known.inputs
    for one, range_ in zip(known.items, ranges, strict=True):
        if isinstance(range_, Interval):
            lower[one.inputs[0]], upper[one.inputs[0]] = range_.low, range_.high
            continue
        for k, column in zip(one.inputs, zip(*range_.rows, strict=True), strict=True):
            lower[k], upper[k] = min(column), max(column)
    return tuple(lower), tuple(upper)


def bounds_of_attributes(known: Attributes, inputs: Mapping[str, Shape]) -> Box:
    """The smallest box of a model's inputs that holds the domain."""
    return Box.of_elements(inputs, *ends_of(known, [one.range for one in known.items]))


def alternatives(
    known: Attributes, asked: Collection[int]
) -> tuple[list[list[dict[int, tuple[Bound, Bound]]]], list[int]]:
    """For each feature of listed values its values; and the inputs that are integers besides.

    Integers are listed too, those that are asked about and those with few values first, while
    there are not too many combinations.
    """
    listed: dict[int, tuple[Values, ...]] = {}
    few: list[tuple[bool, int, int]] = []
    integral: list[int] = []
    for place, one in enumerate(known.items):
        if isinstance(one.range, Listed):
            listed[place] = one.range.rows
        elif one.range.integral:
            low, high = one.range.low, one.range.high
            size = _MANY if low is None or high is None else int(high - low) + 1
            few.append((one.inputs[0] not in asked, min(size, _MANY), place))
    combinations = math.prod(map(len, listed.values()))
    for _, size, place in sorted(few):
        one = known.items[place]
        low = one.range.low if isinstance(one.range, Interval) else None
        # a value of a feature that is asked about is combined with each other one
        combinations *= size**2 if one.inputs[0] in asked else size
        if low is None or combinations > _MOST_COMBINATIONS:
            integral.append(one.inputs[0])
        else:
            listed[place] = tuple((low + v,) for v in range(size))
    groups: list[list[dict[int, tuple[Bound, Bound]]]] = [
        [{k: (v, v) for k, v in zip(known.items[place].inputs, row, strict=True)} for row in rows]
        for place, rows in sorted(listed.items())
    ]
    return groups, integral


_REACH = 8
"""How far from an input an unbounded feature is sampled."""


def drawn(range_: Range, own: Values, rng: np.random.Generator) -> Values:
    """Values of a range, at random."""
    if isinstance(range_, Listed):
        return range_.rows[int(rng.integers(len(range_.rows)))]
    reach = max(Fraction(_REACH), abs(own[0]))
    low = own[0] - reach if range_.low is None else range_.low
    high = own[0] + reach if range_.high is None else range_.high
    share = Fraction(int(rng.integers(257)), 256)
    return range_.nearest((low + (high - low) * share,))


def divide(ranges: Sequence[Range], values: Sequence[Values] | None) -> list[list[Range]] | None:
    """The part in two, by a feature that takes single values; where a witness has none of them."""
    open_ = [k for k, one in enumerate(ranges) if not one.fixed and not _is_dense(one)]
    if not open_:
        return None
    if values is None:
        k = open_[0]
    else:
        off = {j: _distance(ranges[j], values[j]) for j in open_}
        k = max(open_, key=lambda j: (off[j], -j))
        if not off[k]:
            # the witness is in the domain, but has no class
            k = open_[0]
    parts = halves(ranges[k], None if values is None else values[k])
    return [[*ranges[:k], half, *ranges[k + 1 :]] for half in parts]


def count_points(ranges: Sequence[Range]) -> float:
    """How many points there are."""
    return prod(_size(range_) for range_ in ranges)


def _size(range_: Range) -> float:
    if isinstance(range_, Listed):
        return len(range_.rows)
    if range_.low is None or range_.high is None:
        return inf
    if range_.fixed:
        return 1
    return float(range_.high - range_.low + 1) if range_.integral else inf


def values_of(range_: Range) -> Sequence[Values]:
    """All values of a range that has few."""
    if isinstance(range_, Listed):
        return range_.rows
    low = range_.low if range_.low is not None else Fraction(0)
    return [(low + k,) for k in range(int(_size(range_)))]


def _is_dense(range_: Range) -> bool:
    return isinstance(range_, Interval) and not range_.integral


def _distance(range_: Range, values: Values) -> Fraction:
    near = range_.nearest(values)
    return sum((abs(a - b) for a, b in zip(near, values, strict=True)), Fraction(0))


def halves(range_: Range, at: Values | None = None) -> Iterator[Range]:
    """A range in two: numbers in their middle, single values in theirs or where a witness is."""
    if isinstance(range_, Listed):
        rows = range_.rows
        if at is None or len(range_.rows[0]) == 1:
            middle = len(rows) // 2
            if at is not None:
                below = sum(row[0] <= at[0] for row in rows)
                middle = min(max(below, 1), len(rows) - 1)
            yield Listed(rows[:middle])
            yield Listed(rows[middle:])
            return
        near = range_.nearest(at)
        yield Listed((near,))
        yield Listed(tuple(row for row in rows if row != near))
        return
    low, high = range_.low, range_.high
    middle = Fraction(0) if low is None or high is None else (low + high) / 2
    if not range_.integral:
        yield Interval(low, middle)
        yield Interval(middle, high)
        return
    middle = Fraction(middle.__floor__())
    if at is not None:
        middle = Fraction(at[0].__floor__())
    middle = middle if low is None else max(middle, low)
    middle = middle if high is None else min(middle, high - 1)
    yield Interval(low, middle, integral=True)
    yield Interval(middle + 1, high, integral=True)

"""Boxes and points: ``x=-1:1,y=0:inf`` on the command line, mappings and pairs in Python."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any, cast

import numpy as np

from tamecheck.errors import InputError
from tamecheck.ir.arguments import instance, mapping
from tamecheck.ir.box import Bound, Box, Side
from tamecheck.ir.exact import parse_rational, rational, shown
from tamecheck.ir.tensor import Array, Shape, size_of

MAX_LENGTH = 10_000_000
_INFINITE = re.compile(r"(?P<sign>[+-]?)inf(?:inity)?", re.IGNORECASE)
_TARGET = re.compile(r"(?P<name>[^\[\]]*?)\s*(?:\[(?P<index>[^\[\]]*)\])?", re.DOTALL)
_FORMS = "Give x=-1:1 as text, {'x': (-1, 1)}, or one pair (low, high) an input."


@dataclass(frozen=True, slots=True)
class _Entry:
    """One ``target=value`` of the text: a whole input, or the elements at flat positions."""

    name: str
    elements: tuple[int, ...] | None
    value: str
    where: str


@dataclass(frozen=True, slots=True)
class _Source:
    """What errors say about a text: where it stands, what it is, and how to write it."""

    where: str
    noun: str
    hint: str

    def at(self, part: str) -> str:
        """The place of a part of the text."""
        return f"{self.where}, {_short(part)!r}"

    def entries(self, text: str, inputs: Mapping[str, Shape]) -> dict[str, list[_Entry]] | str:
        """The entries for each input; or the value for all of them, if that is all."""
        if len(text) > MAX_LENGTH:
            what = f"The {self.noun} has more than {MAX_LENGTH} characters."
            raise InputError(what, where=self.where)
        parts = self._split(text)
        if len(parts) == 1 and "=" not in parts[0]:
            return parts[0]
        found: dict[str, list[_Entry]] = {}
        for part in parts:
            entry = self._entry(part, inputs)
            found.setdefault(entry.name, []).append(entry)
        return found

    def _split(self, text: str) -> list[str]:
        """The entries between commas that are outside of brackets."""
        parts, depth, start = list[str](), 0, 0
        for place, sign in enumerate(text):
            depth += (sign == "[") - (sign == "]")
            if sign == "," and depth == 0:
                parts.append(text[start:place])
                start = place + 1
        parts.append(text[start:])
        if not all(part.strip() for part in parts):
            subject = f"An entry of the {self.noun}" if text.strip() else f"The {self.noun}"
            raise InputError(f"{subject} is empty.", where=self.where, hint=self.hint)
        return [part.strip() for part in parts]

    def _entry(self, part: str, inputs: Mapping[str, Shape]) -> _Entry:
        target, equals, value = part.rpartition("=")
        match = _TARGET.fullmatch(target.strip())
        where = self.at(part)
        if not equals:
            raise InputError("The entry names no input.", where=where, hint=self.hint)
        # a name may itself contain brackets
        if match is None or target.strip() in inputs:
            name, index = target.strip(), None
        else:
            name, index = str(match["name"]).strip(), match["index"]
        if name not in inputs:
            close = difflib.get_close_matches(name[:60], inputs, n=1)
            guess = f" Did you mean {close[0]!r}?" if close else ""
            hint = f"Inputs: {', '.join(list(inputs)[:20]) or 'none'}.{guess}"
            raise InputError(f"{_short(name)!r} is no input of the model.", where=where, hint=hint)
        elements = None if index is None else _elements(index, inputs[name], where)
        return _Entry(name, elements, value, where)


_BOX = _Source("box", "box", "Write a box as x=-1:1,y=0:inf, or -1:1 for every input.")


def parse_box(text: str, inputs: Mapping[str, Shape]) -> Box:
    """The box that a text describes for a model's inputs; what it does not name is unbounded.

    ``low:high`` alone holds for every input, ``name=low:high`` for all elements of one,
    ``name[i,j]=…`` for one element, where ``i`` may be a range ``i:k`` (without ``k``) or ``:``.
    A single number is the interval that holds only it.  Numbers are exact: ``0.1`` is 1/10.

    Raises
    ------
    InputError
        On an unknown input, an element given twice, ``low > high``, or what is no number.

    Examples
    --------
    >>> parse_box("x=-1:1, y=0:inf", {"x": (), "y": ()}).side("y").upper
    (None,)
    """
    entries = _BOX.entries(text, inputs)
    if isinstance(entries, str):
        low, high = _interval(entries, _BOX.at(entries))
        return Box.uniform(list(inputs), low, high)
    sides: dict[str, Side] = {}
    for name, given in entries.items():
        if len(given) == 1 and given[0].elements is None:
            low, high = _interval(given[0].value, given[0].where)
            sides[name] = Side((low,), (high,))
            continue
        places = _by_element(name, given, size_of(inputs[name]))
        found = {entry: _interval(entry.value, entry.where) for entry in given}
        bounds = [(None, None) if entry is None else found[entry] for entry in places]
        sides[name] = Side(tuple(low for low, _ in bounds), tuple(high for _, high in bounds))
    return Box(sides)


def parse_point(
    text: str, inputs: Mapping[str, Shape], *, where: str = "point"
) -> dict[str, tuple[Fraction | None, ...]]:
    """The value of each element of each input that a text gives; None for what it does not name.

    Written as a box with single numbers; a number alone is the value of every input.

    Parameters
    ----------
    text, inputs
        The text, and the inputs' shapes.
    where
        What errors call the text: the option.

    Raises
    ------
    InputError
        On an unknown input, an element given twice, or what is no number.

    Examples
    --------
    >>> parse_point("x=1/3", {"x": (), "y": (2,)})
    {'x': (Fraction(1, 3),), 'y': (None, None)}
    """
    source = _Source(where, "point", "Write a point as x=0,y=1/3, or 0 for every input.")
    entries = source.entries(text, inputs)
    if isinstance(entries, str):
        value = _number(entries, source.at(entries), source.hint)
        return {name: (value,) * size_of(shape) for name, shape in inputs.items()}
    point: dict[str, tuple[Fraction | None, ...]] = {}
    for name, shape in inputs.items():
        given = entries.get(name, [])
        numbers = {entry: _number(entry.value, entry.where, source.hint) for entry in given}
        places = _by_element(name, given, size_of(shape))
        point[name] = tuple(None if entry is None else numbers[entry] for entry in places)
    return point


def _interval(text: str, where: str) -> tuple[Bound, Bound]:
    """The ends of ``low:high``, or of a single number twice; infinite ends are None."""
    parts = text.split(":")
    if len(parts) > 2 or not all(part.strip() for part in parts):
        raise InputError("This is no interval.", where=where, hint=_BOX.hint)
    low, high = _bound(parts[0], -1, where), _bound(parts[-1], 1, where)
    if low is not None and high is not None and low > high:
        raise InputError(f"The interval is empty: {low} > {high}.", where=where)
    return low, high


def _number(text: str, where: str, hint: str = "") -> Fraction:
    try:
        return parse_rational(text.strip())
    except InputError as error:
        hint = hint if hint and ":" in text else error.hint
        raise InputError(error.what, where=where, hint=hint) from None


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _bound(text: str, side: int, where: str) -> Bound:
    """The number, or None where it is infinite on the ``side`` (-1 lower, 1 upper)."""
    word = text.strip()
    infinite = _INFINITE.fullmatch(word)
    if infinite is not None:
        if (infinite["sign"] == "-") != (side < 0):
            what = f"{word!r} leaves no real number in the interval."
            raise InputError(what, where=where, hint=_BOX.hint)
        return None
    if word.lower() in ("nan", "+nan", "-nan"):
        raise InputError("NaN bounds nothing.", where=where, hint="Use inf for no bound.")
    return _number(word, where)


def _elements(index: str, shape: Shape, where: str) -> tuple[int, ...]:
    """The flat positions in C order that an index like ``0,2:4`` selects."""
    axes = [axis.strip() for axis in index.split(",")]
    # one index into a tensor of several axes counts its elements in C order
    extents = (size_of(shape),) if len(axes) == 1 and len(shape) != 1 else shape
    if len(axes) != len(extents):
        what = f"{len(axes)} indices were given for an input of shape {shape}."
        raise InputError(what, where=where)
    chosen = [_positions(axis, n, where) for axis, n in zip(axes, extents, strict=True)]
    strides = [size_of(extents[axis + 1 :]) for axis in range(len(extents))]
    places = product(*chosen)
    return tuple(sum(i * s for i, s in zip(place, strides, strict=True)) for place in places)


def _positions(axis: str, extent: int, where: str) -> Sequence[int]:
    words = [word.strip() for word in axis.split(":")]
    if len(words) > 2 or not all(re.fullmatch(r"[0-9]{0,12}", word) for word in words):
        hint = "Write x[3], x[0,2:4] or x[:,1]."
        raise InputError(f"{axis!r} is no index.", where=where, hint=hint)
    if len(words) == 1:
        first = int(words[0]) if words[0] else extent
        last = first + 1
    else:
        first, last = int(words[0] or 0), int(words[1] or extent)
    if not 0 <= first < last <= extent:
        raise InputError(f"The index {axis!r} is outside of 0:{extent}.", where=where)
    return range(first, last)


def _by_element(name: str, entries: Sequence[_Entry], size: int) -> list[_Entry | None]:
    """The entry that gives each element."""
    given: dict[int, _Entry] = {}
    for entry in entries:
        for element in range(size) if entry.elements is None else entry.elements:
            if element in given:
                raise InputError(
                    f"Input {name!r} is given twice (element {element}).",
                    where=entry.where,
                    hint="Name each element once.",
                )
            given[element] = entry
    return [given.get(element) for element in range(size)]


def box_of_value(given: Any, inputs: Mapping[str, Shape]) -> Box:
    """The box that a caller gives in whatever form.

    A `Box`; a text as in ``--box``; a mapping as of `box_of_mapping`; pairs ``(lower, upper)``, one
    an input or one an element of all inputs; or None for all of the input space.
    """
    match given:
        case None:
            return Box.everything()
        case Box():
            for side in mapping(given.sides, what="box").values():
                instance(side, Side, what="side of the box")
            return given.checked(inputs)
        case str():
            return parse_box(given, inputs)
        case Mapping():
            return box_of_mapping(mapping(given, what="box"), inputs)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return _box_of_pairs(given, inputs)


def _box_of_pairs(given: Any, inputs: Mapping[str, Shape]) -> Box:
    pairs = _items(given)
    if pairs is None:
        raise InputError(f"The box is {shown(given)}, which is no box.", hint=_FORMS)
    sizes = [size_of(shape) for shape in inputs.values()]
    if len(pairs) not in (len(sizes), sum(sizes)):
        what = f"The box has {len(pairs)} pairs; the inputs have {sum(sizes)} elements."
        raise InputError(what, hint=_FORMS)
    if len(pairs) == len(sizes):
        return box_of_mapping(dict(zip(inputs, pairs, strict=True)), inputs)
    ends = {name: [_pair(name, p) for p in part] for name, part in _parts(pairs, inputs)}
    sides = {name: ([low for low, _ in e], [high for _, high in e]) for name, e in ends.items()}
    return box_of_mapping(sides, inputs)


def _parts(items: Sequence[Any], inputs: Mapping[str, Shape]) -> Iterable[tuple[str, list[Any]]]:
    """The items of each input, of which there is one an element."""
    start = 0
    for name, shape in inputs.items():
        yield name, list(items[start : start + size_of(shape)])
        start += size_of(shape)


def _items(given: Any) -> list[Any] | None:
    """The entries of a sequence or an array; None if it is none."""
    if isinstance(given, str | bytes | Mapping | AbstractSet) or not isinstance(given, Iterable):
        return None
    try:
        return list(cast("Iterable[Any]", given))
    except TypeError:
        # an array of no axes
        return None


def _pair(name: str, pair: Any) -> tuple[Any, Any]:
    ends = _items(pair)
    if ends is None or len(ends) != 2:
        raise InputError(f"The box gives {shown(pair)} for {name!r}.", hint="Give (low, high).")
    return ends[0], ends[1]


def box_of_mapping(bounds: Mapping[str, Any], inputs: Mapping[str, Shape]) -> Box:
    """The box of ``{"x": (lower, upper)}``; each bound is a number or one number an element.

    A number may be an int, a float (infinite for no bound), a fraction, a decimal, a NumPy scalar,
    a literal such as ``"1/3"``, or None for no bound.
    """
    sides: dict[str, Side] = {}
    for name, pair in bounds.items():
        lower, upper = _pair(name, pair)
        size = size_of(inputs[name]) if name in inputs else 1
        low, high = _ends(lower, "-inf"), _ends(upper, "inf")
        if len(low) != len(high):
            longest = max(len(low), len(high), size)
            low, high = (side * longest if len(side) == 1 else side for side in (low, high))
        sides[name] = Side(low, high)
    return Box(sides).checked(inputs)


def box_of_rows(rows: Array, inputs: Mapping[str, Shape]) -> Box:
    """The smallest box that holds some points, whose columns are all input elements in order."""
    low, high = (_parts(end.tolist(), inputs) for end in (rows.min(axis=0), rows.max(axis=0)))
    bounds = {name: (lows, highs) for (name, lows), (_, highs) in zip(low, high, strict=True)}
    return box_of_mapping(bounds, inputs)


def _ends(values: Any, unbounded: str) -> tuple[Bound, ...]:
    try:
        flat: list[Any] = np.asarray(values, dtype=object).reshape(-1).tolist()
    except ValueError:
        raise InputError(f"The box holds {shown(values)}, which is no row of numbers.") from None
    return tuple(_end_of(value, unbounded) for value in flat)


def _end_of(value: Any, unbounded: str) -> Bound:
    match value:
        case None:
            return None
        case str():
            endless = value.strip().lower().lstrip("+") == unbounded
            return None if endless else parse_rational(value)
        case float() | Decimal() | np.floating() if math.isinf(cast("float", value)):
            return None if (value > 0) == (unbounded == "inf") else rational(value)
        case _:
            return rational(value)

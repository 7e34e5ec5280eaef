"""Boxes and points on the command line: ``x=-1:1,y=0:inf``, ``-1:1``, ``x[0,2:4]=1/2``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound, Box, Side
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.tensor import Shape, size_of

__all__ = ["parse_box", "parse_point"]

MAX_LENGTH = 10_000_000
_INFINITE = re.compile(r"(?P<sign>[+-]?)inf(?:inity)?", re.IGNORECASE)
_TARGET = re.compile(r"(?P<name>[^\[\]]*?)\s*(?:\[(?P<index>[^\[\]]*)\])?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Source:
    """What errors say about a text: where it stands, what it is, and how to write it."""

    where: str
    noun: str
    hint: str

    def at(self, part: str) -> str:
        """The place of a part of the text."""
        return f"{self.where}, {_short(part)!r}"


_BOX = _Source("box", "box", "Write a box as x=-1:1,y=0:inf, or -1:1 for every input.")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One ``target=value`` of the text: a whole input, or the elements at flat positions."""

    name: str
    elements: tuple[int, ...] | None
    value: str
    where: str


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
    entries = _entries(text, inputs, _BOX)
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
    entries = _entries(text, inputs, source)
    if isinstance(entries, str):
        value = _number(entries, source, source.at(entries))
        return {name: (value,) * size_of(shape) for name, shape in inputs.items()}
    point: dict[str, tuple[Fraction | None, ...]] = {}
    for name, shape in inputs.items():
        given = entries.get(name, [])
        numbers = {entry: _number(entry.value, source, entry.where) for entry in given}
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


def _number(text: str, source: _Source, where: str) -> Fraction:
    try:
        return parse_rational(text.strip())
    except InputError as error:
        hint = source.hint if ":" in text else error.hint
        raise InputError(error.what, where=where, hint=hint) from None


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _bound(text: str, side: int, where: str) -> Bound:
    """The number, or None where it is infinite on the ``side`` (-1 lower, 1 upper)."""
    word = text.strip()
    infinite = _INFINITE.fullmatch(word)
    if infinite is not None:
        if (infinite["sign"] == "-") != (side < 0):
            raise InputError(
                f"{word!r} leaves no real number in the interval.", where=where, hint=_BOX.hint
            )
        return None
    if word.lower() in ("nan", "+nan", "-nan"):
        raise InputError("NaN bounds nothing.", where=where, hint="Use inf for no bound.")
    try:
        return parse_rational(word)
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None


def _entries(
    text: str, inputs: Mapping[str, Shape], source: _Source
) -> dict[str, list[_Entry]] | str:
    """The entries for each input; or the value for all of them, if that is all."""
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"The {source.noun} has more than {MAX_LENGTH} characters.", where=source.where
        )
    parts = _split(text, source)
    if len(parts) == 1 and "=" not in parts[0]:
        return parts[0]
    found: dict[str, list[_Entry]] = {}
    for part in parts:
        entry = _entry(part, inputs, source)
        found.setdefault(entry.name, []).append(entry)
    return found


def _split(text: str, source: _Source) -> list[str]:
    """The entries between commas that are outside of brackets."""
    parts, depth, start = list[str](), 0, 0
    for place, sign in enumerate(text):
        if sign == "[":
            depth += 1
        elif sign == "]":
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    if not all(part.strip() for part in parts):
        subject = f"An entry of the {source.noun}" if text.strip() else f"The {source.noun}"
        raise InputError(f"{subject} is empty.", where=source.where, hint=source.hint)
    return [part.strip() for part in parts]


def _entry(part: str, inputs: Mapping[str, Shape], source: _Source) -> _Entry:
    target, equals, value = part.rpartition("=")
    match = _TARGET.fullmatch(target.strip())
    where = source.at(part)
    if not equals:
        raise InputError("The entry names no input.", where=where, hint=source.hint)
    # a name may itself contain brackets
    if match is None or target.strip() in inputs:
        name, index = target.strip(), None
    else:
        name, index = str(match["name"]).strip(), match["index"]
    if name not in inputs:
        close = difflib.get_close_matches(name[:60], inputs, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        known = ", ".join(list(inputs)[:20]) or "none"
        raise InputError(
            f"{_short(name)!r} is no input of the model.",
            where=where,
            hint=f"Inputs: {known}.{guess}",
        )
    elements = None if index is None else _elements(index, inputs[name], where)
    return _Entry(name, elements, value, where)


def _elements(index: str, shape: Shape, where: str) -> tuple[int, ...]:
    """The flat positions in C order that an index like ``0,2:4`` selects."""
    axes = [axis.strip() for axis in index.split(",")]
    # one index into a tensor of several axes counts its elements in C order
    extents = (size_of(shape),) if len(axes) == 1 and len(shape) != 1 else shape
    if len(axes) != len(extents):
        raise InputError(
            f"{len(axes)} indices were given for an input of shape {shape}.", where=where
        )
    chosen = [_positions(axis, n, where) for axis, n in zip(axes, extents, strict=True)]
    strides = [size_of(extents[axis + 1 :]) for axis in range(len(extents))]
    return tuple(
        sum(i * s for i, s in zip(place, strides, strict=True)) for place in product(*chosen)
    )


def _positions(axis: str, extent: int, where: str) -> Sequence[int]:
    words = [word.strip() for word in axis.split(":")]
    if len(words) > 2 or not all(re.fullmatch(r"[0-9]{0,12}", word) for word in words):
        raise InputError(
            f"{axis!r} is no index.", where=where, hint="Write x[3], x[0,2:4] or x[:,1]."
        )
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
        elements = range(size) if entry.elements is None else entry.elements
        for element in elements:
            if element in given:
                raise InputError(
                    f"Input {name!r} is given twice (element {element}).",
                    where=entry.where,
                    hint="Name each element once.",
                )
            given[element] = entry
    return [given.get(element) for element in range(size)]

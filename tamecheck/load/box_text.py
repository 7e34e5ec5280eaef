"""Boxes written on the command line: ``x=-1:1,y=0:inf``, ``-1:1``, ``x[0,2:4]=1/2``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tamecheck.errors import InputError
from tamecheck.ir.box import Bound, Box, Side
from tamecheck.ir.exact import parse_rational
from tamecheck.ir.tensor import Shape, size_of

__all__ = ["parse_box", "parse_interval"]

MAX_LENGTH = 10_000_000
_INFINITE = re.compile(r"(?P<sign>[+-]?)inf(?:inity)?", re.IGNORECASE)
_TARGET = re.compile(r"(?P<name>[^\[\]]*?)\s*(?:\[(?P<index>[^\[\]]*)\])?", re.DOTALL)
_HINT = "Write a box as x=-1:1,y=0:inf, or -1:1 for every input."


@dataclass(frozen=True, slots=True)
class _Entry:
    """One ``target=interval`` of the text: a whole input, or the elements at flat positions."""

    text: str
    name: str
    elements: tuple[int, ...] | None
    interval: tuple[Bound, Bound]


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
    if len(text) > MAX_LENGTH:
        raise InputError(f"The box has more than {MAX_LENGTH} characters.", where="box")
    parts = _split(text)
    if len(parts) == 1 and "=" not in parts[0]:
        low, high = parse_interval(parts[0])
        return Box.uniform(list(inputs), low, high)
    found: dict[str, list[_Entry]] = {}
    for part in parts:
        entry = _entry(part, inputs)
        found.setdefault(entry.name, []).append(entry)
    return Box({name: _side(name, found[name], inputs[name]) for name in inputs if name in found})


def parse_interval(text: str) -> tuple[Bound, Bound]:
    """The ends of ``low:high``, or of a single number twice; infinite ends are None.

    Raises
    ------
    InputError
        If an end is no number, or the interval is empty.
    """
    where, parts = f"box, {_short(text)!r}", text.split(":")
    if len(parts) > 2 or not all(part.strip() for part in parts):
        raise InputError("This is no interval.", where=where, hint=_HINT)
    low, high = _bound(parts[0], -1, where), _bound(parts[-1], 1, where)
    if low is not None and high is not None and low > high:
        raise InputError(f"The interval is empty: {low} > {high}.", where=where)
    return low, high


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _bound(text: str, side: int, where: str) -> Bound:
    """The number, or None where it is infinite on the ``side`` (-1 lower, 1 upper)."""
    word = text.strip()
    infinite = _INFINITE.fullmatch(word)
    if infinite is not None:
        if (infinite["sign"] == "-") != (side < 0):
            raise InputError(
                f"{word!r} leaves no real number in the interval.", where=where, hint=_HINT
            )
        return None
    if word.lower() in ("nan", "+nan", "-nan"):
        raise InputError("NaN bounds nothing.", where=where, hint="Use inf for no bound.")
    try:
        return parse_rational(word)
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None


def _split(text: str) -> list[str]:
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
        what = "The box is empty." if not text.strip() else "An entry of the box is empty."
        raise InputError(what, where="box", hint=_HINT)
    return [part.strip() for part in parts]


def _entry(part: str, inputs: Mapping[str, Shape]) -> _Entry:
    target, equals, interval = part.rpartition("=")
    match = _TARGET.fullmatch(target.strip())
    where = f"box, {_short(part)!r}"
    if not equals:
        raise InputError("The entry names no input.", where=where, hint=_HINT)
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
    elements = None if index is None else _elements(index, inputs[name], part)
    return _Entry(part, name, elements, parse_interval(interval))


def _elements(index: str, shape: Shape, part: str) -> tuple[int, ...]:
    """The flat positions in C order that an index like ``0,2:4`` selects."""
    where = f"box, {_short(part)!r}"
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


def _side(name: str, entries: Sequence[_Entry], shape: Shape) -> Side:
    if len(entries) == 1 and entries[0].elements is None:
        low, high = entries[0].interval
        return Side((low,), (high,))
    size = size_of(shape)
    given: dict[int, tuple[Bound, Bound]] = {}
    for entry in entries:
        elements = range(size) if entry.elements is None else entry.elements
        for element in elements:
            if element in given:
                raise InputError(
                    f"Input {name!r} is bounded twice (element {element}).",
                    where=f"box, {_short(entry.text)!r}",
                    hint="Name each element once.",
                )
            given[element] = entry.interval
    bounds = [given.get(element, (None, None)) for element in range(size)]
    return Side(tuple(low for low, _ in bounds), tuple(high for _, high in bounds))

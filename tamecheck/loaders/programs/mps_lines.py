"""Lines of an MPS file as headers and fields, in its free and in its fixed-column layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tamecheck.errors import InputError
from tamecheck.loaders.files import BLANKS, lines_of

__all__ = ["Line", "Splitter", "fixed_fields", "free_fields", "lines"]

Splitter = Callable[[str], tuple[str, ...]]

_BLANK = re.compile(f"[{BLANKS}]+")
_FIXED = ((1, 3), (4, 12), (14, 22), (24, 36), (39, 47), (49, 61))


@dataclass(frozen=True, slots=True)
class Line:
    """A line that says something: a section header, or the fields of a data line."""

    number: int
    header: str
    fields: tuple[str, ...]
    text: str


def lines(text: str, split: Splitter) -> Iterator[Line]:
    """The lines of the file without comments and blank lines."""
    for number, raw in enumerate(lines_of(text), start=1):
        line = raw.rstrip(BLANKS)
        if not line or line.startswith("*"):
            continue
        if line[0] in BLANKS:
            try:
                fields = split(line)
            except InputError as error:
                raise InputError(error.what, where=str(number), hint=error.hint) from None
            if fields:
                yield Line(number, "", fields, line)
        else:
            header, *rest = _BLANK.split(line, maxsplit=1)
            yield Line(number, header.upper(), tuple(rest), line)


def free_fields(line: str) -> tuple[str, ...]:
    """The fields of a free-format line: separated by blanks."""
    return tuple(_BLANK.split(line.strip(BLANKS)))


def fixed_fields(line: str) -> tuple[str, ...]:
    """The fields of a fixed-format line: names may contain blanks; trailing fields may lack."""
    wide = line.expandtabs().ljust(61)
    gaps = [wide[end:start] for (_, end), (start, _) in pairwise(_FIXED)]
    if any(gap.strip() for gap in (wide[0], *gaps, wide[61:])):
        raise InputError("This is not in the columns of fixed-format MPS.")
    fields = [wide[start:end].strip() for start, end in _FIXED]
    while fields and not fields[-1]:
        fields.pop()
    # in fixed format a comment starts with $ in the third or the fifth field
    for position in (4, 2):
        if len(fields) > position and fields[position].startswith("$"):
            fields = fields[:position]
    return tuple(fields)

"""The lines of MPS files: section headers, and fields in free or fixed columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import pairwise

from tamecheck.errors import InputError
from tamecheck.loaders.files import BLANKS, lines_of

Splitter = Callable[[str], list[str]]

_BLANK = re.compile(f"[{BLANKS}]+")
_FIXED = ((1, 3), (4, 12), (14, 22), (24, 36), (39, 47), (49, 61))


def split_lines(text: str, split: Splitter) -> Iterator[tuple[int, str, list[str]]]:
    """The lines that say something: number, section header or nothing, and the fields."""
    for at, raw in enumerate(lines_of(text), start=1):
        line = raw.rstrip(BLANKS)
        if not line or line.startswith("*"):
            continue
        if line[0] not in BLANKS:
            header, *rest = _BLANK.split(line, maxsplit=1)
            yield at, header.upper(), rest
            continue
        try:
            fields = split(line)
        except InputError as error:
            raise InputError(error.what, where=str(at), hint=error.hint) from None
        if fields:
            yield at, "", fields


def free_fields(line: str) -> list[str]:
    """The fields of a free-format line: separated by blanks."""
    return _BLANK.split(line.strip(BLANKS))


def fixed_fields(line: str) -> list[str]:
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
    return fields


def drop_comment(fields: Sequence[str], start: int, names: Container[str] = ()) -> Sequence[str]:
    """The fields before a trailing comment, which starts with ``$`` or ``*`` and is no name."""
    for position in range(start, len(fields)):
        if fields[position].startswith(("$", "*")) and fields[position] not in names:
            return fields[:position]
    return fields


def pairs_of(fields: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of fields that follow each other."""
    return list(zip(fields[::2], fields[1::2], strict=True))

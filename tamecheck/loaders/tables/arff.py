"""The ARFF format of Weka, and KEEL's variant of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tamecheck.errors import InputError

__all__ = ["Arff", "arff_rows", "is_arff"]

_ATTRIBUTE = re.compile(
    r"""@attribute\s+(?P<name>'[^']*'|"[^"]*"|[^\s{]+)\s*(?P<kind>\{.*\}|\S.*)$""", re.IGNORECASE
)
_NUMERIC = re.compile(r"(real|numeric|integer)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Arff:
    """The attributes and rows of a file.

    Parameters
    ----------
    names
        The attributes' names.
    categories
        The listed values of a nominal attribute; None for a numeric one, and for a text.
    rows, lines
        The cells as text, and the line that each row stands on.
    """

    names: tuple[str, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]


def is_arff(text: str) -> bool:
    """Whether the first line that is no comment is a declaration of ARFF."""
    for line in text.split("\n", 1000)[:1000]:
        if line.strip() and not line.lstrip().startswith("%"):
            return line.lstrip().lower().startswith(("@relation", "@attribute"))
    return False


def arff_rows(text: str, where: str) -> Arff:
    """Read a dense ARFF or KEEL file."""
    names: list[str] = []
    categories: list[tuple[str, ...] | None] = []
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    in_data = False
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        place = f"{where}:{number}"
        if not line or line.startswith("%"):
            continue
        if in_data:
            if line.startswith("{"):
                raise InputError("Sparse ARFF is not read.", where=place)
            rows.append(_cells(line, place))
            lines.append(number)
        elif line.lower().startswith("@attribute"):
            name, values = _attribute(line, place)
            names.append(name)
            categories.append(values)
        elif line.lower().startswith("@data"):
            in_data = True
        elif not line.startswith("@"):
            raise InputError("A declaration starts with @.", where=place)
    if not in_data:
        raise InputError("There is no @data.", where=where)
    return Arff(tuple(names), tuple(categories), tuple(rows), tuple(lines))


def _attribute(line: str, place: str) -> tuple[str, tuple[str, ...] | None]:
    found = _ATTRIBUTE.match(line)
    if found is None:
        raise InputError("This is no attribute.", where=place, hint="As in: @attribute age numeric")
    kind = found["kind"].strip()
    given = found["name"]
    name = given[1:-1] if given[0] in "'\"" else given
    if not kind.startswith("{"):
        # KEEL adds bounds: real [0, 1]
        if not _NUMERIC.match(kind) and not kind.lower().startswith(("string", "date")):
            raise InputError(f"{kind!r} is no type of ARFF.", where=place)
        return name, None
    return name, _cells(kind[1:-1], place)


def _cells(line: str, place: str) -> tuple[str, ...]:
    """The values between commas; one in quotes may hold commas, and quotes after a backslash."""
    found: list[str] = []
    at = 0
    while True:
        while line[at : at + 1].isspace():
            at += 1
        quote = line[at : at + 1]
        value = ""
        if quote and quote in "'\"":
            at += 1
            while at < len(line) and line[at] != quote:
                at += line[at] == "\\"
                value += line[at : at + 1]
                at += 1
            end = line.find(",", at)
            rest = line[at + 1 : end if end >= 0 else None]
            if at >= len(line) or rest.strip():
                raise InputError("This row cannot be read.", where=place)
        else:
            end = line.find(",", at)
            value = line[at : end if end >= 0 else None]
        found.append(value.strip())
        if end < 0:
            return tuple(found)
        at = end + 1

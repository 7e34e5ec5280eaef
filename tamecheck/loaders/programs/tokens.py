"""The words of CPLEX LP and the fields of MPS lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.files import BLANKS, lines_of

_SECTIONS = {
    "minimize": "minimise",
    "minimise": "minimise",
    "minimum": "minimise",
    "min": "minimise",
    "maximize": "maximise",
    "maximise": "maximise",
    "maximum": "maximise",
    "max": "maximise",
    "subject to": "rows",
    "such that": "rows",
    "st": "rows",
    "s.t.": "rows",
    "st.": "rows",
    "bounds": "bounds",
    "bound": "bounds",
    "generals": "integer",
    "general": "integer",
    "gen": "integer",
    "integers": "integer",
    "integer": "integer",
    "int": "int",
    "binaries": "binary",
    "binary": "binary",
    "bin": "binary",
    "semi-continuous": "semi",
    "semis": "semi",
    "semi": "semi",
    "end": "end",
    "sos": "sos",
    "sos1": "sos1",
    "sos2": "sos2",
    "lazy constraints": "lazy",
    "user cuts": "cuts",
    "general constraints": "general constraints",
    "pwlobj": "pwlobj",
}
_FIRST_WORDS = {words.split()[0] for words in _SECTIONS}
_UNSUPPORTED = {
    "int": "a section 'int', which some readers take for a name",
    **dict.fromkeys(("sos1", "sos2"), "special ordered sets outside of a section 'SOS'"),
    "general constraints": "general constraints",
    "pwlobj": "a piecewise linear objective",
}
_KEYWORD = re.compile(
    rf"[{BLANKS}]*("
    + "|".join(
        re.escape(word).replace(r"\ ", rf"[{BLANKS}]+")
        for word in sorted(_SECTIONS, key=len, reverse=True)
    )
    + rf")(?![^{BLANKS}:+\-<>=])[{BLANKS}]*(.*)",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\\\s*Problem name\s*:\s*(.*)", re.IGNORECASE)
_PART = r"[^\s:+\-*^<>=\[\]\\]"
_NAME = rf"(?:[^\W\d]|[!\"#$%&(),;?@_'`{{}}~|]){_PART}*(?:\[{_PART}+\]{_PART}*)*"
_PORTABLE = re.compile(
    r"(?![eE]\d)(?:[^\W\d]|[!\"#$%&(),;?@_'`{}~|])[\w!\"#$%&(),;?@_'`{}~|.]*", re.ASCII
)
LOWER_END = "@lower"
"""Ends the name of a row that states the lower end of the row before, with the same terms.

Some readers know rows with one bound only.
"""
LONGEST_NAME = 100 - len(LOWER_END)
"""CBC forgets all names where one has more than 100 characters."""
_TOKEN = re.compile(
    r"(?P<number>\d+/\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<equivalence><->)|(?P<arrow>->)|(?P<relation><=|=<|>=|=>|<|>|=)|(?P<sign>[+-])"
    rf"|(?P<colon>:)|(?P<name>{_NAME})|(?P<quadratic>[\[\]*^/])|(?P<other>[^{BLANKS}])"
)
_NO_NAMES = {"nan", "inf", "infinity"}


def is_portable(name: str) -> bool:
    """Whether HiGHS, CBC and this reader all take a text before a colon for a name."""
    return len(name) <= LONGEST_NAME and _PORTABLE.fullmatch(name) is not None


def is_keyword(name: str) -> bool:
    """Whether one of them takes a text for more than a name where no colon follows."""
    return name.lower() in {"free", "inf", "infinity", "nan", *_SECTIONS, *_FIRST_WORDS}


def title_of(text: str) -> str:
    """The problem's name, which a comment may give."""
    found = (_TITLE.match(line.strip(BLANKS)) for line in lines_of(text) if "\\" in line)
    return next((title[1].strip(BLANKS) for title in found if title), "")


class Token(NamedTuple):
    """A section keyword, number, infinity, name, mark of quadratic terms or other sign, or the end.

    ``line`` is where it stands.
    """

    kind: str
    text: str
    line: int


def tokens(text: str) -> Iterator[list[Token]]:
    """The tokens of each line of an LP text, with section keywords told apart from names."""
    line = 0
    for line, raw in enumerate(lines_of(text), start=1):
        content = raw.split("\\", 1)[0]
        found = _KEYWORD.fullmatch(content)
        if found and not found[2].startswith((":", "+", "-", "<", ">", "=")):
            section = _SECTIONS[" ".join(found[1].lower().split())]
            if section in _UNSUPPORTED:
                raise unread(_UNSUPPORTED[section], line)
            yield [Token("section", section, line)]
            content = found[2]
        yield _plain(content, line)
    yield [Token("end", "", line)]


def _plain(content: str, line: int) -> list[Token]:
    own: list[Token] = []
    for found in _TOKEN.finditer(content):
        kind, text = str(found.lastgroup), found[0]
        if kind == "name" and text.lower() in _NO_NAMES:
            labels = content[found.end() :].lstrip(BLANKS).startswith(":")
            if text.lower() != "nan":
                kind = "infinity"
            elif not labels:
                raise InputError(f"{text!r} is no number.", where=str(line))
        elif kind == "equivalence":
            raise unread("an equivalence (<->)", line)
        elif kind == "other":
            raise InputError(f"What is {text!r}?", where=str(line))
        own.append(Token(kind, text, line))
    return own


def unread(what: str, line: int) -> UnsupportedError:
    """The error that names what a linear program has no place for."""
    return UnsupportedError(f"The file has {what}, which is not read.", where=str(line))


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


def free_splitter(text: str) -> Splitter:
    """What gives the fields of a free-format line of this text: they are separated by blanks."""
    if text.isascii() and not re.search("[\x1c-\x1f]", text):
        # there are no other blanks to Python than those of C
        return str.split
    return lambda line: _BLANK.split(line.strip(BLANKS))


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
    for position, field in enumerate(fields[start:], start):
        if field[:1] in {"$", "*"} and field not in names:
            return fields[:position]
    return fields

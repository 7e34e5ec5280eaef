"""Tokens of an LP file, with section keywords told apart from names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from tamecheck.errors import InputError, UnsupportedError
from tamecheck.loaders.files import BLANKS, lines_of

__all__ = ["Kind", "Token", "is_keyword", "is_name", "title", "tokens"]


class Kind(Enum):
    """What a token is."""

    SECTION = "a section keyword"
    NUMBER = "a number"
    INFINITY = "infinity"
    NAME = "a name"
    SIGN = "a sign"
    RELATION = "a relation"
    COLON = "a colon"
    END = "the end of the file"


@dataclass(frozen=True, slots=True)
class Token:
    """A token and the line on which it stands."""

    kind: Kind
    text: str
    line: int


_SECTIONS = {
    "minimize": "minimise", "minimise": "minimise", "minimum": "minimise", "min": "minimise",
    "maximize": "maximise", "maximise": "maximise", "maximum": "maximise", "max": "maximise",
    "subject to": "rows", "such that": "rows", "st": "rows", "s.t.": "rows", "st.": "rows",
    "bounds": "bounds", "bound": "bounds",
    "generals": "integer", "general": "integer", "gen": "integer", "integers": "integer",
    "integer": "integer", "int": "int",
    "binaries": "binary", "binary": "binary", "bin": "binary",
    "semi-continuous": "semi", "semis": "semi", "semi": "semi",
    "end": "end",
    "sos": "sos", "sos1": "sos", "sos2": "sos",
    "lazy constraints": "lazy constraints", "user cuts": "user cuts",
    "general constraints": "general constraints", "pwlobj": "pwlobj",
}  # fmt: skip
_UNSUPPORTED = {
    "int": "a section 'int', which some readers take for a name",
    "sos": "special ordered sets",
    "lazy constraints": "lazy constraints",
    "user cuts": "user cuts",
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
_TOKEN = re.compile(
    r"(?P<NUMBER>\d+/\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<RELATION><=|=<|>=|=>|<|>|=)|(?P<SIGN>[+-])|(?P<COLON>:)"
    rf"|(?P<NAME>{_NAME})|(?P<QUADRATIC>[\[\]*^])"
)


def is_name(text: str) -> bool:
    """Whether a text followed by a colon is read as one name."""
    # after a number, other readers would take such a name for an exponent
    return bool(re.fullmatch(_NAME, text)) and not re.fullmatch(r"[eE]\d.*", text)


def is_keyword(text: str) -> bool:
    """Whether a text may be read as more than a name where no colon follows."""
    return text.lower() in {"free", "inf", "infinity", "nan", *_SECTIONS}


def title(text: str) -> str:
    """The problem's name, which a comment may give."""
    for line in lines_of(text):
        found = _TITLE.match(line.strip(BLANKS))
        if found:
            return found[1].strip(BLANKS)
    return ""


def tokens(text: str) -> Iterator[Token]:
    """The tokens of an LP text, ending with an `END` token."""
    line = 0
    for line, raw in enumerate(lines_of(text), start=1):
        content = raw.split("\\", 1)[0]
        found = _KEYWORD.fullmatch(content)
        if found and not found[2].startswith((":", "+", "-", "<", ">", "=")):
            section = _SECTIONS[" ".join(found[1].lower().split())]
            if section in _UNSUPPORTED:
                _refuse(_UNSUPPORTED[section], line)
            yield Token(Kind.SECTION, section, line)
            content = found[2]
        yield from _plain(content, line)
    yield Token(Kind.END, "", line)


def _plain(content: str, line: int) -> Iterator[Token]:
    position = 0
    while position < len(content):
        if content[position] in BLANKS:
            position += 1
            continue
        if content.startswith("->", position):
            _refuse("an indicator constraint", line)
        found = _TOKEN.match(content, position)
        if found is None:
            raise InputError(f"What is {content[position]!r}?", where=str(line))
        position = found.end()
        if found.lastgroup == "QUADRATIC":
            _refuse("a quadratic term", line)
        kind = Kind[found.lastgroup or "NAME"]
        if kind is Kind.NAME and found[0].lower() == "nan" and not _labels(content, position):
            raise InputError(f"{found[0]!r} is no number.", where=str(line))
        infinite = kind is Kind.NAME and found[0].lower() in {"inf", "infinity"}
        yield Token(Kind.INFINITY if infinite else kind, found[0], line)


def _labels(content: str, position: int) -> bool:
    """Whether the name that ends here is the label of a row."""
    return content[position:].lstrip(BLANKS).startswith(":")


def _refuse(what: str, line: int) -> None:
    raise UnsupportedError(f"The file has {what}, which is not read.", where=str(line))

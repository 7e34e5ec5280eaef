"""The words of an expression: numbers, names and signs, each with its column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from tamecheck.errors import InputError

__all__ = ["Kind", "Token", "error_at", "tokens"]

MAX_LENGTH = 2_000_000
_SPACE = re.compile(r"\s*")
_WORD = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>\*\*|[-+*/^(),;])"
)
_AROUND = 24
_HINTS = {
    "=": "An expression has no equations; write only the right-hand side.",
    "<": "There are no comparisons; step(y - x) is 1 where x ≤ y.",
    ">": "There are no comparisons; step(x - y) is 1 where x ≥ y.",
    "[": "Inputs are scalars; write x1, x2 instead of x[1], x[2].",
    "|": "Write abs(x) for |x|.",
    "%": "Write x - y*floor(x/y) for x mod y.",
    "−": "Use the plain minus sign '-'.",
    "·": "Write x*y.",
    "×": "Write x*y.",
}


class Kind(Enum):
    """What a token is."""

    NUMBER = "a number"
    NAME = "a name"
    SIGN = "a sign"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the text, from ``start`` up to ``end``."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def shown(self) -> str:
        """The token as an error message quotes it."""
        if self.kind is Kind.END:
            return "the end"
        return repr(self.text if len(self.text) <= _AROUND else self.text[:_AROUND] + "…")


def error_at(text: str, start: int, end: int, what: str, hint: str = "") -> InputError:
    """The error for a place in an expression: its column, and the text around it."""
    stop = min(max(end, start + 1), start + _AROUND)
    before = ("…" if start > _AROUND else "") + text[max(0, start - _AROUND) : start]
    after = text[stop : stop + _AROUND] + ("…" if len(text) > stop + _AROUND else "")
    place = f"Here: {before}»{text[start:stop]}«{after}"
    return InputError(
        what, where=f"expression, column {start + 1}", hint=f"{hint} {place}" if hint else place
    )


def tokens(text: str) -> Iterator[Token]:
    """The tokens of an expression, the last one being the end."""
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"The expression has {len(text)} characters; at most {MAX_LENGTH} are read.",
            where="expression",
        )
    position = 0
    while True:
        gap = _SPACE.match(text, position)
        position = gap.end() if gap else position
        if position == len(text):
            yield Token(Kind.END, "", position, position)
            return
        word = _WORD.match(text, position)
        if word is None:
            sign = text[position]
            raise error_at(
                text, position, position + 1, f"Unexpected {sign!r}.", _HINTS.get(sign, "")
            )
        kind = Kind[(word.lastgroup or "sign").upper()]
        yield Token(kind, word.group(), position, word.end())
        position = word.end()

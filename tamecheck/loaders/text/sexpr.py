"""S-expressions, folded from the inside out as they are read: no recursion, no tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from tamecheck.errors import InputError

Value = TypeVar("Value")

GAP = re.compile(r"(?:\s+|;[^\n\r]*)*")
"""White space and comments."""

_TOKEN = re.compile(
    r'(?P<open>\()|(?P<close>\))|(?P<string>"(?:[^"\\]|\\.)*")|(?P<quoted>\|[^|\\]*\|)'
    r'|(?P<word>[^\s()\[\],"|;]+)|(?P<index>\[[-0-9,\s]*\])'
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
MAX_DEPTH = 10_000


@dataclass(frozen=True, slots=True)
class Atom:
    """A word, with the indices in brackets that follow it, if any; or a quoted string."""

    text: str
    indices: tuple[int, ...] | None = None
    string: bool = False


Fold: TypeAlias = Callable[[list["Atom | Value"]], Value]


@dataclass(frozen=True, slots=True)
class _Reader(Generic[Value]):
    text: str
    where: str
    fold: Fold[Value]

    def place(self, position: int) -> str:
        return f"{self.where}, line {line_of(self.text, position)}"

    def fail(self, position: int, what: str) -> InputError:
        return InputError(what, where=self.place(position))

    def read(self, start: int) -> tuple[Value, int]:
        stack: list[tuple[int, list[Atom | Value]]] = []
        position = start
        while True:
            gap = GAP.match(self.text, position)
            position = gap.end() if gap else position
            token = _TOKEN.match(self.text, position)
            if token is None:
                raise self._unexpected(position, stack)
            kind, word, position = token.lastgroup, token.group(), token.end()
            if kind == "open":
                if len(stack) >= MAX_DEPTH:
                    raise self.fail(token.start(), f"Nested deeper than {MAX_DEPTH}.")
                stack.append((token.start(), []))
                continue
            if not stack:
                raise self.fail(token.start(), f"'(' was expected, but {word[:40]!r} was found.")
            if kind != "close":
                self._add(stack[-1][1], kind, word, token.start())
                continue
            opened, items = stack.pop()
            try:
                value = self.fold(items)
            except InputError as error:
                place = error.where or self.place(opened)
                raise InputError(error.what, where=place, hint=error.hint) from None
            if not stack:
                return value, position
            stack[-1][1].append(value)

    def _add(self, items: list[Atom | Value], kind: str | None, word: str, start: int) -> None:
        if kind != "index":
            stripped = word[1:-1] if kind in ("string", "quoted") else word
            if kind == "string" and "\\" in stripped:
                stripped = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), stripped)
            items.append(Atom(stripped, string=kind == "string"))
            return
        last = items[-1] if items else None
        if not isinstance(last, Atom) or last.indices is not None or last.string:
            raise self.fail(start, f"The index {word[:40]!r} follows no name.")
        parts = [part.strip() for part in word[1:-1].split(",")]
        if parts == [""]:
            parts = []
        if not all(0 < len(part) <= 12 and part.isdigit() for part in parts):
            raise self.fail(start, f"{word[:40]!r} is no list of indices.")
        items[-1] = Atom(last.text, tuple(int(part) for part in parts))

    def _unexpected(self, position: int, stack: list[tuple[int, list[Atom | Value]]]) -> InputError:
        if position < len(self.text):
            return self.fail(position, f"Unexpected {self.text[position]!r}.")
        opened = stack[-1][0] if stack else position
        return self.fail(opened, "'(' is not closed before the end of the file.")


def read_form(text: str, start: int, where: str, fold: Fold[Value]) -> tuple[Value, int]:
    """The value of the form that starts at a position, and the position after it.

    ``fold`` gets the items of each list, inner lists already folded, and gives its value.
    """
    return _Reader(text, where, fold).read(start)


def line_of(text: str, position: int) -> int:
    """The line number of a position, from 1."""
    return text.count("\n", 0, position) + 1

"""Printing that fits its stream, and the parts that answers on a terminal are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from tamecheck.errors import visible

_ASCII = str.maketrans(
    {
        "ℝ": "R",
        "ℚ": "Q",
        "ℤ": "Z",
        "∈": " in ",
        "λ": "lambda",
        "·": "*",
        "✓": "+",
        "✗": "x",
        "•": "*",
        "←": "<-",
        "→": "->",
        "…": "...",
        "≥": ">=",
        "≤": "<=",
        "≠": "!=",
        "²": "^2",
        "±": "+-",
        "×": "x",
        "–": "-",
        "§": "par. ",
    }
)


def speakable(text: str, encoding: str) -> str:
    """The text in characters that a stream of this encoding can write."""
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        plain = text.translate(_ASCII)
        return plain.encode("ascii", "replace").decode()
    return text


@dataclass(frozen=True, slots=True)
class _Visible:
    """A part whose text cannot steer the terminal; its own colours stay."""

    part: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.part, options):
            text = segment.text if segment.control else visible(segment.text)
            yield Segment(text, segment.style, segment.control)


@dataclass(frozen=True, slots=True)
class Framed:
    """A panel on a terminal; the bare content in a pipe."""

    content: RenderableType
    colour: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal:
            yield Panel(self.content, border_style=self.colour, expand=False)
        else:
            yield self.content


def print_to(file: IO[str], *parts: RenderableType, width: int | None = None) -> None:
    """Print on a stream: coloured on a terminal, else plain; no markup, no guessed highlights."""
    console = Console(file=file, width=width, highlight=False, markup=False)
    with console.capture() as captured:
        for part in parts:
            console.print(_Visible(part))
    text = captured.get()
    if not console.is_terminal:
        # rich pads lines to the full width
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    file.write(speakable(text, console.encoding))


def print_sections(file: IO[str], sections: Mapping[str, Iterable[tuple[str, ...]]]) -> None:
    """Print each heading with its rows of cells below it; a heading without rows is left out."""
    tables = ((heading, plain_table(rows)) for heading, rows in sections.items())
    found = (part for heading, table in tables if table.row_count for part in _body(heading, table))
    print_to(file, *found)


def section(title: str, *body: RenderableType) -> Iterator[RenderableType]:
    """A heading after an empty line, and the body below it."""
    yield Text("")
    yield from _body(title, *body)


def _body(title: str, *body: RenderableType) -> Iterator[RenderableType]:
    yield Text(title, style="bold underline")
    yield from (Padding(part, (0, 0, 0, 2)) for part in body)


def plain_table(rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table without lines: columns two spaces apart."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def bulleted(items: Iterable[Sequence[Text]]) -> Table:
    """A list with hanging indents: each item a text, and further texts below it."""
    table = Table.grid(padding=(0, 1))
    for first, *rest in items:
        table.add_row("•", first)
        for text in rest:
            table.add_row("", text)
    return table

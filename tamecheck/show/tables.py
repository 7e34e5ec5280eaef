"""Small plain tables: named rows under headings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import IO

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tamecheck.show.console import print_to

__all__ = ["bulleted", "plain_table", "print_sections"]


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


def print_sections(file: IO[str], sections: Mapping[str, Iterable[tuple[str, ...]]]) -> None:
    """Print each heading with its rows of cells below it; a heading without rows is left out."""
    parts: list[RenderableType] = []
    for heading, rows in sections.items():
        table = plain_table(rows)
        if table.row_count:
            parts += [Text(heading, style="bold underline"), Padding(table, (0, 0, 0, 2))]
    print_to(file, *parts)

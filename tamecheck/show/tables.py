"""Small plain tables: named rows under headings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tamecheck.show.console import print_to

__all__ = ["print_sections"]


def print_sections(file: IO[str], sections: Mapping[str, Iterable[tuple[str, ...]]]) -> None:
    """Print each heading with its rows of cells below it; a heading without rows is left out."""
    parts: list[RenderableType] = []
    for heading, rows in sections.items():
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        if table.row_count:
            parts += [Text(heading, style="bold underline"), Padding(table, (0, 0, 0, 2))]
    print_to(file, *parts)

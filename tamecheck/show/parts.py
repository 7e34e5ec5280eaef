"""The parts that answers on a terminal are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tamecheck.ir.verdict import Consequence, Open, Properties, Verdict
from tamecheck.show.tables import plain_table
from tamecheck.show.wording import PROPERTY_NAMES, property_values

__all__ = ["COLOURS", "Framed", "consequence_texts", "open_texts", "properties_table", "section"]

COLOURS = {
    Verdict.TAME: "green",
    Verdict.LOCALLY_TAME: "cyan",
    Verdict.NOT_TAME: "red",
    Verdict.UNKNOWN: "yellow",
}
"""The colour of each verdict on a terminal."""


class Framed:
    """A panel on a terminal; the bare content in a pipe."""

    def __init__(self, content: RenderableType, colour: str) -> None:
        self._content = content
        self._colour = colour

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if console.is_terminal:
            yield Panel(self._content, border_style=self._colour, expand=False)
        else:
            yield self._content


def section(title: str, body: Sequence[RenderableType]) -> Iterable[RenderableType]:
    """A heading after an empty line, and the body below it."""
    yield Text("")
    yield Text(title, style="bold underline")
    for part in body:
        yield Padding(part, (0, 0, 0, 2))


def open_texts(gap: Open) -> list[Text]:
    """Where something is open and why, and below it what settles it."""
    return [
        Text.assemble((gap.node, "bold yellow"), f": {gap.why}"),
        Text(f"To settle it: {gap.settles}"),
    ]


def properties_table(properties: Properties) -> Table:
    """Each property with yes, no or not proved."""
    words = {True: ("yes", "green"), False: ("no", "red"), None: ("not proved", "dim")}
    values = property_values(properties)
    return plain_table((name, Text(*words[values[key]])) for key, name in PROPERTY_NAMES)


def consequence_texts(consequence: Consequence) -> list[Text]:
    """A theorem, and below it each hypothesis with a tick."""
    name, colon, statement = consequence.theorem.partition(":")
    source = (f" ({consequence.source})", "dim")
    return [
        Text.assemble((name, "bold"), f"{colon}{statement}", source),
        *(Text.assemble(("✓ ", "green"), text) for text in consequence.hypotheses),
    ]

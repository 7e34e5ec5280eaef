"""Printing that fits its stream: a terminal, a pipe, or one that cannot encode Unicode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

from tamecheck.errors import visible

__all__ = ["print_to", "speakable"]

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

"""Printing that fits its stream: a terminal, a pipe, or one that cannot encode Unicode."""

from __future__ import annotations

from typing import IO

from rich.console import Console, RenderableType

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


def print_to(file: IO[str], *parts: RenderableType, width: int | None = None) -> None:
    """Print on a stream: coloured on a terminal, else plain; no markup, no guessed highlights."""
    console = Console(file=file, width=width, highlight=False, markup=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    text = captured.get()
    if not console.is_terminal:
        # rich pads lines to the full width
        text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    file.write(speakable(text, console.encoding))

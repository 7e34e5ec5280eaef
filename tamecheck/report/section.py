"""What a section is, and why one is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tamecheck.report.markup import Markup

__all__ = ["Download", "NotMadeError", "Part", "Section", "State"]

State = Literal["made", "partly", "not-made"]


@dataclass(frozen=True, slots=True)
class Download:
    """A file that the report carries.

    Parameters
    ----------
    name
        The name of the file.
    says
        What the file shows, in a sentence.
    data
        Its bytes: JSON.
    """

    name: str
    says: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """The contents of a section.

    Parameters
    ----------
    body
        The markup.
    missing
        What is not in it, and why; empty if all is there.
    downloads
        Files that belong to it.
    """

    body: Markup
    missing: str = ""
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page: its contents, or why there are none.

    Parameters
    ----------
    key
        The section's name in JSON and in links.
    title
        Its heading.
    state
        ``made``, ``partly`` or ``not-made``.
    body
        Its markup; empty if it was not made.
    why
        Why it is not made, or not all of it.
    seconds
        How long it took.
    downloads
        Files that belong to it.
    """

    key: str
    title: str
    state: State
    body: Markup
    why: str = ""
    seconds: float = 0.0
    downloads: tuple[Download, ...] = ()

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.key,
            "title": self.title,
            "state": self.state,
            "why": self.why,
            "seconds": round(self.seconds, 2),
        }


class NotMadeError(Exception):
    """A section has nothing to show for this model; the message says why."""

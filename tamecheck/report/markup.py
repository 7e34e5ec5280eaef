"""Markup from text: whatever is not markup already is escaped, so no name can become a tag."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from tamecheck.errors import visible

__all__ = ["Markup", "bullets", "code", "element", "facts", "fold", "joined", "note", "table"]

_VOID = frozenset({"meta", "br", "img"})


class Markup(str):
    """Text that is markup; every other text is escaped where it enters a page."""

    __slots__ = ()


def _safe(content: str) -> str:
    return content if isinstance(content, Markup) else escape(visible(content), quote=True)


def joined(*contents: str) -> Markup:
    """The contents one after the other, escaped unless they are markup.

    >>> joined("<b>", Markup("<br>"))
    '&lt;b&gt;<br>'
    """
    return Markup("".join(map(_safe, contents)))


def element(name: str, /, *contents: str, **attributes: str) -> Markup:
    """An element; an attribute's name is written with ``_`` for ``-`` and may end in ``_``.

    >>> element("a", "x & y", href="#top", class_="link")
    '<a href="#top" class="link">x &amp; y</a>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_safe(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(*contents)}</{name}>")


def code(text: str) -> Markup:
    """Text in the typeface of code."""
    return element("code", text)


def note(*contents: str, kind: str = "note") -> Markup:
    """A paragraph in a box."""
    return element("p", *contents, class_=kind)


def bullets(items: Iterable[str], *, class_: str = "plain") -> Markup:
    """A list."""
    return element("ul", *(element("li", item) for item in items), class_=class_)


def facts(rows: Iterable[tuple[str, str]]) -> Markup:
    """Terms with what is known of them."""
    pairs = (joined(element("dt", term), element("dd", said)) for term, said in rows)
    return element("dl", *pairs)


def table(caption: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> Markup:
    """A table that scrolls by itself where it is too wide; the first column names the rows."""
    top = element("tr", *(element("th", cell, scope="col") for cell in head))
    body: list[str] = []
    for row in rows:
        first, *rest = row
        cells = [element("th", first, scope="row"), *(element("td", cell) for cell in rest)]
        body.append(element("tr", *cells))
    whole = element(
        "table",
        element("caption", caption),
        element("thead", top),
        element("tbody", *body),
    )
    # what scrolls must be reachable by keyboard
    return element("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


def fold(summary: str, *contents: str, opened: bool = False) -> Markup:
    """Contents that are unfolded on demand."""
    head = element("summary", summary)
    if opened:
        return element("details", head, *contents, open="")
    return element("details", head, *contents)

"""Markup from text: whatever is not markup already is escaped, so no name can become a tag.

Figures become elements too, with a caption and what a reader should know.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape
from xml.etree import ElementTree as ET

from tamecheck.errors import visible
from tamecheck.plots import Picture
from tamecheck.plots.canvas import rendered

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
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    given = "".join(f' {key}="{_safe(value)}"' for key, value in pairs)
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(*contents)}</{name}>")


def paragraph(*contents: str, **attributes: str) -> Markup:
    """A paragraph."""
    return element("p", *contents, **attributes)


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
    parts = (element("caption", caption), element("thead", top), element("tbody", *body))
    whole = element("table", *parts)
    # what scrolls must be reachable by keyboard
    return element("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


def fold(summary: str, *contents: str, opened: bool = False) -> Markup:
    """Contents that are unfolded on demand."""
    attributes = {"open": ""} if opened else {}
    return element("details", element("summary", summary), *contents, **attributes)


_MOST_BYTES = 500_000
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def figure(picture: Picture, key: str, caption: str) -> Markup:
    """A picture with a caption and what a reader should know; large drawings become pixels."""
    svg = rendered(picture.axes.figure, ".svg")
    if len(svg) <= _MOST_BYTES:
        drawing = _svg(svg.decode(), key, caption)
    else:
        data = base64.b64encode(rendered(picture.axes.figure, ".png")).decode()
        drawing = element("img", src=f"data:image/png;base64,{data}", alt=caption)
    said = "Exact geometry" if picture.exact else "Sampled on a grid, not exact"
    said += f": {picture.counted}." if picture.counted else "."
    said += "".join(f" {note[:1].upper()}{note[1:]}." for note in picture.notes)
    words = (element("span", caption), element("span", f" {said}"))
    shown = element("div", drawing, class_="picture")
    return element("figure", shown, element("figcaption", *words))


def _svg(text: str, key: str, label: str) -> Markup:
    """An SVG document as an element of an HTML page, its names made unique by a key."""
    # the document is our own figure, written a moment ago
    root = ET.fromstring(text)  # noqa: S314
    _plain(root, key)
    for metadata in root.findall("metadata"):
        root.remove(metadata)
    for extent in ("width", "height"):
        root.attrib.pop(extent, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return joined(Markup(ET.tostring(root, encoding="unicode")))


def _plain(node: ET.Element, key: str) -> None:
    """Names without namespaces, which HTML knows by itself, and ids that no other figure has."""
    node.tag = _local(node.tag)
    given = list(node.attrib.items())
    node.attrib.clear()
    for name, value in given:
        local = _local(name)
        node.set(local, _renamed(local, value, key))
    children: Sequence[ET.Element] = list(node)
    for child in children:
        _plain(child, key)


def _renamed(name: str, value: str, key: str) -> str:
    if name == "id":
        return f"{key}-{value}"
    if name == "href" and value.startswith("#"):
        return f"#{key}-{value[1:]}"
    return _REFERENCE.sub(rf"url(#{key}-\1)", value)


def _local(name: str) -> str:
    return name.rpartition("}")[2]

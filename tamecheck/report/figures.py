"""Figures as elements of the page."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from tamecheck.plots import Picture
from tamecheck.plots.canvas import rendered
from tamecheck.report.markup import Markup, element, joined

__all__ = ["figure", "svg_markup"]

_MOST_BYTES = 500_000
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def figure(picture: Picture, key: str, caption: str) -> Markup:
    """A picture with a caption and what a reader should know; large drawings become pixels."""
    svg = rendered(picture.axes.figure, ".svg")
    if len(svg) <= _MOST_BYTES:
        drawing = svg_markup(svg.decode(), key, caption)
    else:
        data = base64.b64encode(rendered(picture.axes.figure, ".png")).decode()
        drawing = element("img", src=f"data:image/png;base64,{data}", alt=caption)
    words = [element("span", caption)]
    words.append(element("span", f" {_precision(picture)}"))
    return element(
        "figure", element("div", drawing, class_="picture"), element("figcaption", *words)
    )


def _precision(picture: Picture) -> str:
    said = "Exact geometry" if picture.exact else "Sampled on a grid, not exact"
    counts = [
        f"{count} {name.replace('_', ' ')}" for name, count in picture.counts.items() if count
    ]
    notes = "".join(f" {note[:1].upper()}{note[1:]}." for note in picture.notes)
    return f"{said}: {', '.join(counts)}.{notes}" if counts else f"{said}.{notes}"


def svg_markup(text: str, key: str, label: str) -> Markup:
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

"""The page, its sections and commands: no script, no request, and a policy that forbids both.

Whatever is not markup already is escaped, so no name can become a tag.  Figures become elements
too, with a caption and what a reader should know.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal
from xml.etree import ElementTree as ET

from tamecheck.errors import TamecheckError, visible
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


State = Literal["made", "partly", "not-made"]


@dataclass(frozen=True, slots=True)
class Download:
    """A JSON file that the report carries: its name, what it shows in a sentence, its bytes."""

    name: str
    says: str
    data: bytes

    @classmethod
    def of(cls, name: str, says: str, document: Mapping[str, Any]) -> Download:
        """A document without spaces."""
        data = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
        return cls(name, says, data)


@dataclass(frozen=True, slots=True)
class Part:
    """The contents of a section; what is missing and why, empty if all is there; its files."""

    body: Markup
    missing: str = ""
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page: its contents, or why there are none or not all.

    ``key`` is its name in JSON and in links; ``seconds`` is how long it took.
    """

    key: str
    title: str
    state: State
    body: Markup
    why: str = ""
    seconds: float = 0.0
    downloads: tuple[Download, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.key,
            "title": self.title,
            "state": self.state,
            "why": self.why,
            "seconds": round(self.seconds, 2),
        }


@dataclass(frozen=True, slots=True)
class Chapter:
    """Some sections under a heading: its name in links, its title, how many they are."""

    key: str
    title: str
    count: int


class NotMadeError(TamecheckError):
    """A section has nothing to show for this model; the message says why."""


_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def page(
    title: str,
    summary: Markup,
    sections: Sequence[Section],
    footer: Markup,
    chapters: Sequence[Chapter],
) -> str:
    """The HTML document: the title as text, a summary, the sections by chapter, and a footer."""
    parts, start = list[tuple[Chapter, Sequence[Section]]](), 0
    for chapter in chapters:
        parts.append((chapter, sections[start : start + chapter.count]))
        start += chapter.count
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content="tamecheck"),
        # no request for an icon
        Markup('<link rel="icon" href="data:,">'),
        element("title", title),
        Markup(f"<style>{_STYLE}</style>"),
    )
    body = element(
        "body",
        element("a", "Skip to the sections", href="#sections", class_="skip"),
        element(
            "div",
            element("header", element("h1", title), summary),
            element("main", *(_chapter(*part) for part in parts), id="sections", tabindex="-1"),
            _contents(parts),
            element("footer", footer),
            class_="page",
        ),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'


def _chapter(chapter: Chapter, sections: Sequence[Section]) -> Markup:
    heading = element("h2", chapter.title, class_="chapter") if chapter.title else Markup()
    return element("div", heading, *map(_section, sections), id=chapter.key, class_="part")


def _contents(parts: Sequence[tuple[Chapter, Sequence[Section]]]) -> Markup:
    lists: list[Markup] = []
    for chapter, sections in parts:
        links = (
            element("li", element("a", section.title, href=f"#{section.key}"), _mark(section))
            for section in sections
        )
        title = element("h3", element("a", chapter.title or "Page one", href=f"#{chapter.key}"))
        lists += [title, element("ol", *links)]
    head = element("h2", "Contents", id="contents")
    return element("nav", head, *lists, aria_labelledby="contents")


def _mark(section: Section) -> str:
    if section.state == "made":
        return ""
    word = " (in part)" if section.state == "partly" else " (not made)"
    return element("span", word, class_="soft")


def _section(section: Section) -> Markup:
    heading = f"{section.key}-heading"
    body = section.body
    if section.state == "not-made":
        body = note(element("strong", "Not made. "), section.why, kind="absent")
    elif section.state == "partly":
        body = joined(body, note(element("strong", "Made in part. "), section.why, kind="absent"))
    head = element("h2", section.title, id=heading)
    return element("section", head, body, id=section.key, aria_labelledby=heading)


_STYLE = """\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#ffffff;--card:#f6f8fa;
--line:#d0d7de;--link:#0550ae;--good:#116329;--bad:#a40e26;--open:#7d4e00;--focus:#0969da}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--paper:#0d1117;
--card:#161b22;--line:#3d444d;--link:#79c0ff;--good:#56d364;--bad:#ff9492;--open:#e3b341;
--focus:#79c0ff}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth;scroll-padding-top:1rem}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
.skip{position:absolute;left:-100vw;top:0;background:var(--paper);padding:.6rem 1rem;z-index:2}
.skip:focus{left:0}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px;border-radius:3px}
.page{max-width:76rem;margin:0 auto;padding:0 1rem 4rem}
header{padding:1.6rem 0 .6rem;border-bottom:1px solid var(--line)}
h1{font-size:1.55rem;line-height:1.25;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;line-height:1.3;margin:0 0 .7rem}
h3{font-size:1.02rem;margin:1.4rem 0 .4rem;overflow-wrap:anywhere}
p{margin:.5rem 0;max-width:72ch;overflow-wrap:anywhere}
.verdict{font-size:1.15rem;margin:.8rem 0}
.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}
.soft,figcaption,caption{color:var(--soft);font-size:.9rem}
nav{padding:.8rem 0}
nav h2{font-size:1rem;margin:0 0 .3rem}
nav ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.15rem .9rem}
nav li{max-width:100%}
nav a{display:inline-block;padding:.3rem 0}
section{border-top:1px solid var(--line);padding:1.5rem 0 1rem}
main>section:first-child{border-top:0}
.note,.absent{border-left:4px solid var(--line);background:var(--card);padding:.6rem .9rem;
max-width:76ch}
.absent{border-color:var(--open)}
dl{display:grid;grid-template-columns:minmax(7rem,auto) 1fr;gap:.25rem 1.2rem;margin:.6rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
code,kbd,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
font-size:.88em;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;
overflow-x:auto;white-space:pre-wrap}
.wide{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;font-size:.93rem;min-width:min(100%,24rem)}
caption{text-align:left;padding:0 0 .35rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .9rem .35rem 0;
border-bottom:1px solid var(--line)}
thead th{border-bottom:2px solid var(--line)}
tbody th{font-weight:600;overflow-wrap:break-word;min-width:5rem}
figure{margin:1rem 0;max-width:40rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem}
.figures figure{margin:.4rem 0}
.picture{background:#fff;border:1px solid var(--line);border-radius:8px;padding:.5rem}
.picture svg,.picture img{display:block;width:100%;height:auto}
.picture text{font-family:"DejaVu Sans",system-ui,sans-serif!important}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;padding:.1rem .8rem;
background:var(--card)}
details details{background:var(--paper)}
summary{cursor:pointer;padding:.45rem 0;font-weight:600;overflow-wrap:anywhere}
details[open]>summary{border-bottom:1px solid var(--line);margin-bottom:.5rem}
ul.plain{padding-left:1.2rem;margin:.4rem 0}
ul.tree{list-style:none;padding-left:.9rem;border-left:2px solid var(--line);margin:.3rem 0}
ul.tree li{padding:.15rem 0;overflow-wrap:anywhere}
ul.ticks{list-style:none;padding:0;margin:.3rem 0}
ul.ticks li{padding-left:1.5rem;text-indent:-1.5rem;margin:.15rem 0}
.op{color:var(--soft)}
.chapter{border-top:3px solid var(--line);font-size:1.4rem;margin:1.5rem 0 0;padding-top:1.2rem}
.part{min-width:0}
.again{font-size:.9rem;color:var(--soft);border-left:3px solid var(--line);padding-left:.7rem}
.cards{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr))}
.card{border:1px solid var(--line);border-radius:8px;background:var(--card);padding:.6rem .9rem;
min-width:0;overflow-wrap:anywhere}
.card dl{grid-template-columns:minmax(4rem,auto) 1fr}
.card details{background:var(--paper)}
h4{font-size:1rem;margin:.1rem 0 .4rem;overflow-wrap:anywhere}
nav h3{font-size:.95rem;margin:.6rem 0 .1rem}
footer{border-top:1px solid var(--line);padding-top:1rem;color:var(--soft);font-size:.9rem}
@media (max-width:30rem){.page{padding:0 .9rem 3rem}h1{font-size:1.3rem}
dl,.card dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .5rem}
details{padding:.1rem .6rem}ul.tree{padding-left:.6rem}}
@media print{@page{margin:16mm}:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;
--card:#fff;--line:#aaa;--link:#000;--good:#000;--bad:#000;--open:#000}
nav,.skip{display:none}body{font-size:10.5pt}section{break-inside:auto}
#details,#appendix{break-before:page}.card{break-inside:avoid}
figure,tr,.note,.absent{break-inside:avoid}h2,h3{break-after:avoid}.wide{overflow:visible}
details::details-content{content-visibility:visible;display:block;height:auto}}
"""


@dataclass(frozen=True, slots=True)
class Commands:
    """What a command line names, quoted for a shell: the model, the table, what can occur."""

    model: str = "MODEL"
    table: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    box: tuple[str, ...] = ()

    def line(
        self,
        verb: str,
        *options: str,
        table: bool = True,
        domain: bool = True,
        box: bool = False,
    ) -> str:
        """A command about the model, with the options that say which table and which domain."""
        words = [
            *(self.table if table else ()),
            *(self.box if box else self.domain if domain else ()),
            *options,
        ]
        return " ".join(["tamecheck", verb, self.model, *map(shlex.quote, words)])


def again(*lines: str) -> Markup:
    """How to check a claim again: commands, one a line."""
    return _again(code(line) for line in lines)


def _again(lines: Iterable[Markup]) -> Markup:
    separated = (
        joined(Markup("<br>") if number else Markup(), line) for number, line in enumerate(lines)
    )
    return element(
        "p", element("span", "Check it again: ", class_="soft"), *separated, class_="again"
    )

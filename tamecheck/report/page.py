"""The page around the sections: no script, no request, and a policy that forbids both."""

from __future__ import annotations

from collections.abc import Sequence

from tamecheck.report.markup import Markup, element, joined, note
from tamecheck.report.section import Section
from tamecheck.report.style import STYLE

__all__ = ["page"]

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def page(title: str, summary: Markup, sections: Sequence[Section], footer: Markup) -> str:
    """The HTML document.

    Parameters
    ----------
    title
        Text.
    summary
        What stands under the title.
    sections
        In the order in which they appear.
    footer
        What stands at the end.
    """
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
        Markup(f"<style>{STYLE}</style>"),
    )
    body = element(
        "body",
        element("a", "Skip to the sections", href="#sections", class_="skip"),
        element(
            "div",
            element("header", element("h1", title), summary),
            _contents(sections),
            element("main", *map(_section, sections), id="sections", tabindex="-1"),
            element("footer", footer),
            class_="page",
        ),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'


def _contents(sections: Sequence[Section]) -> Markup:
    links = (
        element("li", element("a", section.title, href=f"#{section.key}"), _mark(section))
        for section in sections
    )
    return element(
        "nav",
        element("h2", "Contents", id="contents"),
        element("ol", *links),
        aria_labelledby="contents",
    )


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
    return element(
        "section",
        element("h2", section.title, id=heading),
        body,
        id=section.key,
        aria_labelledby=heading,
    )

"""No text becomes markup: escaping holds for every text, wherever it enters a page."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamecheck.report.page import (
    Markup,
    bullets,
    code,
    element,
    facts,
    fold,
    joined,
    note,
    table,
)

MAKERS = {
    "code": code,
    "note": note,
    "element": lambda text: element("p", text),
    "attribute": lambda text: element("p", title=text),
    "bullets": lambda text: bullets([text]),
    "facts": lambda text: facts([(text, text)]),
    "fold": lambda text: fold(text, text),
    "table": lambda text: table(text, [text], [[text, text]]),
}


class Tags(HTMLParser):
    """The tags of a page and the names of their attributes, in order."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("maker", MAKERS)
@given(text=st.text())
def test_no_text_changes_the_tags_of_a_page(maker, text):
    make = MAKERS[maker]
    assert Tags(make(text)).found == Tags(make("x")).found


@given(text=st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_text_is_shown_as_it_is(text):
    assert "".join(Tags(element("p", text)).text) == text


def test_control_characters_are_written_out():
    assert element("p", "a\x1b[31m\u202eb") == "<p>a\\x1b[31m\\u202eb</p>"


def test_markup_is_kept_and_text_is_not():
    assert joined("<b>", element("b", "<")) == "&lt;b&gt;<b>&lt;</b>"
    assert isinstance(joined(), Markup)


def test_names_of_attributes():
    made = element("p", class_="a", aria_label='"')
    assert made == '<p class="a" aria-label="&quot;"></p>'

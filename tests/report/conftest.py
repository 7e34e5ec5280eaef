"""Three small models whose reports can be checked by hand, and a page to look into."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser

import pytest

import tamecheck as tc
from tamecheck.loaders.samples import sample_of
from tamecheck.loaders.tables.table import read_table
from tamecheck.report import make_report, subject_of

VOID = {"meta", "link", "br", "img"}
CLOSING = {"path", "use", "rect", "stop", "image", "circle"}


class Page(HTMLParser):
    """A page: its elements by id, its links, and whether every tag is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.ids, self.links, self.tags, self.data = [], [], [], [], []
        self.wrong = []
        self.feed(text)
        self.close()
        self.wrong += self.stack

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[key] for key in ("href", "src", "xlink:href") if key in given]
        if any(key.startswith("on") for key in given):
            self.wrong.append(given)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data):
        self.data.append(data)

    @property
    def text(self):
        return " ".join("".join(self.data).split())


def majority(tmp_path):
    """The majority of three signs, with the table of all its eight inputs."""
    rows = list(itertools.product((-1, 1), repeat=3))
    lines = [f"{a},{b},{c},{'yes' if a + b + c > 0 else 'no'}" for a, b, c in rows]
    path = tmp_path / "votes.csv"
    path.write_text("\n".join(["<script>alert(1)</script>,b & c,\u202ec,label", *lines]) + "\n")
    return path


def subject_from(model, box=None, *, table=None, title="model", **options):
    sample = None
    if table is not None:
        sample = sample_of(table, len(model.inputs), 1, None, where="table")
    return subject_of(model, model.check(box), title=title, sample=sample, **options)


def report_of(*args, **options):
    return make_report(subject_from(*args, **options), argument="model", seconds=30.0)


@pytest.fixture(scope="session")
def votes(tmp_path_factory):
    table = read_table(majority(tmp_path_factory.mktemp("votes")), target="label")
    return report_of(tc.expression("sign(a + b + c)"), table=table, title="</title><script>")


@pytest.fixture(scope="session")
def relu():
    text = "max(a - b, 0) + max(c - d, 0) - max(e - 1/2, 0)"
    return report_of(tc.expression(text), "-1:1")


@pytest.fixture(scope="session")
def sine():
    return report_of(tc.expression("sin(3*x)"))

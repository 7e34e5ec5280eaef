"""The site builds without warnings, all pages are reached, the way to one's own file is short."""

import re
import subprocess
import sys
from collections import deque
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_BYTES = 2_000_000
MOST_WORDS = 2_500

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*line, "-d", str(folder / "doctrees"), str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.found.append(given["href"])


def links_of(page, *, body):
    text = page.read_text(encoding="utf-8")
    if body:
        text = re.search(r"<article.*?</article>", text, re.DOTALL)[0]
    parser = _Links()
    parser.feed(text)
    for href in parser.found:
        target = href.partition("#")[0]
        if target.endswith(".html") and "://" not in target:
            yield (page.parent / target).resolve()


def clicks_from(start, *, body):
    clicks, queue = {start: 0}, deque([start])
    while queue:
        page = queue.popleft()
        for target in links_of(page, body=body):
            if target not in clicks and target.is_file():
                clicks[target] = clicks[page] + 1
                queue.append(target)
    return clicks


def test_the_way_to_ones_own_file_is_short(site):
    clicks = clicks_from((site / "index.html").resolve(), body=True)
    for page, line in (
        ("start-network.html", "yours.onnx"),
        ("start-table.html", "tamecheck train"),
        ("start-program.html", "tc.load_program"),
        ("onnx.html", "ONNX"),
        ("sklearn.html", "scikit-learn"),
        ("programs.html", "MPS"),
    ):
        found = (site / page).resolve()
        assert clicks[found] <= 3, page
        words = re.sub(r"<[^>]+>", "", found.read_text(encoding="utf-8"))
        assert line in words, page


def test_every_page_is_reached_and_no_page_is_large(site):
    clicks = clicks_from((site / "index.html").resolve(), body=False)
    for page in site.rglob("*.html"):
        assert page.stat().st_size <= MOST_BYTES, page
        # the search is reached by its form, the index of names by the search
        assert page.name in {"search.html", "genindex.html"} or page.resolve() in clicks


def test_every_option_of_every_verb_is_on_its_page(site):
    from tamecheck.cli.entry import _parser

    _, verbs = _parser()
    for name, parser in verbs.items():
        page = (site / "reference" / "verbs" / f"{name}.html").read_text(encoding="utf-8")
        assert [o for o in parser.option_names() if o not in page] == [], name


def test_the_search_needs_no_network(site):
    assert (site / "searchindex.js").is_file()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(script|link)[^>]*(src|href)="(https?:)?//', text), page


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_a_page_is_read_in_one_sitting(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    # tables are looked up, not read
    words = sum(len(line.split()) for line in lines if not line.startswith("|"))
    assert words <= MOST_WORDS

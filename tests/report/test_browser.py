"""Reports in a real browser: no complaint, no request, nothing wider than a phone, keys work."""

from itertools import pairwise

import pytest

from tamecheck.report import SECTIONS
from tests.report.chromium import Browser, executable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(executable() is None, reason="there is no Chromium"),
]
MODELS = ("votes", "relu", "sine")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(params=MODELS)
def path(request, tmp_path):
    report = request.getfixturevalue(request.param)
    found = tmp_path / "report.html"
    found.write_text(report.html, encoding="utf-8")
    return found


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1280, True)])
def test_a_report_opens_without_complaint_or_request(browser, path, width, dark):
    browser.open(path, width=width, height=844, dark=dark)
    assert browser.complaints() == []
    outside = [r for r in browser.requests() if not r.startswith(("data:", path.as_uri()))]
    assert outside == []
    for key in SECTIONS:
        assert browser.ask(f"document.getElementById('{key}').offsetHeight") > 20
    # wide tables scroll by themselves, the page does not
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask("[...document.querySelectorAll('.picture svg')].length") >= 1
    assert browser.ask("document.scripts.length") == 0


def test_names_run_no_script(browser, votes, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(votes.html, encoding="utf-8")
    browser.open(path, width=1280, height=900)
    assert "<script>alert(1)</script>" in browser.ask("document.body.innerText")
    assert "</title><script>" in browser.ask("document.title")
    assert browser.complaints() == []


def test_the_keyboard_reaches_what_there_is(browser, path):
    browser.open(path, width=1280, height=900)
    browser.key("Tab", 9)
    assert browser.ask("document.activeElement.className") == "skip"
    assert browser.ask("document.activeElement.getBoundingClientRect().left") >= 0
    reached = set()
    for _ in range(80):
        browser.key("Tab", 9)
        reached.add(browser.ask("document.activeElement.tagName"))
    assert {"A", "DIV"} <= reached
    # headings go down level by level
    levels = browser.ask(
        "[...document.querySelectorAll('main h1,main h2,main h3,main h4')]"
        ".map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 2
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert browser.ask("document.querySelectorAll('h1').length") == 1


def test_what_is_folded_unfolds(browser, votes, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(votes.html, encoding="utf-8")
    browser.open(path, width=390, height=844)
    browser.ask("document.querySelector('#rules details summary').focus()")
    before = browser.ask("document.querySelector('#rules').offsetHeight")
    browser.key("Enter", 13)
    browser.call("Input.dispatchKeyEvent", type="char", text="\r")
    assert browser.ask("document.querySelector('#rules details').open") is True
    assert browser.ask("document.querySelector('#rules').offsetHeight") > before


def test_text_stands_out_from_its_background(browser, path):
    """Contrast of at least 4.5 to 1, as WCAG 2 asks at level AA."""
    for dark in (False, True):
        browser.open(path, width=1280, height=900, dark=dark)
        assert browser.ask(_CONTRAST) >= 4.5


def test_it_prints_with_what_is_folded(browser, path):
    browser.open(path, width=1280, height=900)
    assert browser.printed().startswith(b"%PDF")


_CONTRAST = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const light = colour => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const part = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const behind = node => {
    const colour = getComputedStyle(node).backgroundColor;
    return colour !== 'rgba(0, 0, 0, 0)' || !node.parentElement
      ? colour : behind(node.parentElement);
  };
  let least = 21;
  for (const node of document.querySelectorAll('h1,h2,h3,p,a,th,td,dt,dd,li,summary,span,strong')) {
    if (node.closest('svg') || !node.textContent.trim()) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
    least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return least;
})()
"""

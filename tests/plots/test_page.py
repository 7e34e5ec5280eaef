"""Interactive pages: what they say is exact, only our script runs, sizes are bounded."""

import json
import re

import pytest

from tamecheck.cli import main
from tamecheck.plots.page import affine
from tests.report.chromium import Browser, executable

KINKED = ("--expr", "max(min(x,-y), y-x)", "--box", "-1:1")


def page(tmp_path, kind, *arguments, code=0):
    path = tmp_path / "page.html"
    assert main(["plot", kind, "--html", *arguments, "-q", "-o", str(path)]) == code
    return path


def data(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_cells_say_their_maps_and_points_their_sets(tmp_path):
    shapes = data(page(tmp_path, "cells", *KINKED, "--at", "x=1/2,y=1/4"))["shapes"]
    maps = {s["lines"][0].partition(" = ")[2] for s in shapes if s["title"].startswith("Cell")}
    assert maps == {"x", "-y", "-x + y"}
    (corner,) = [s for s in shapes if s["title"] == "At x = 0, y = 0"]
    assert corner["lines"][0] == "Clarke set of (d/dx, d/dy): the hull of 3 vertices"
    assert sorted(corner["hull"]) == [[-1, 1], [0, -1], [1, 0]]
    assert "0 is in it: a Clarke-critical point" in corner["lines"]
    (asked,) = [s for s in shapes if s["title"] == "At x = 1/2, y = 1/4"]
    assert sorted(asked["hull"]) == [[-1, 1], [0, -1]]
    edges = [s for s in shapes if s["title"].startswith("On a boundary")]
    assert len(edges) == 3


def test_a_page_of_one_input_and_one_without_cells(tmp_path):
    line = ("--expr", "abs(x)+floor(2*x)", "--box", "x=-1:1")
    shapes = data(page(tmp_path, "field", *line))["shapes"]
    assert [s["title"] for s in shapes[:2]] == ["Cell 1", "Cell 2"]
    assert shapes[0]["lines"][0] == "y = -x - 2"
    jump = next(s for s in shapes if s["title"] == "At x = 0")
    assert "no Clarke set" in jump["lines"][0]
    found = data(page(tmp_path, "field", "--expr", "exp(x)*abs(y)/x", "--box", "-1:1"))
    assert found["grid"]["side"] ** 2 == len(found["grid"]["rows"])
    assert found["shapes"] == []
    line = data(page(tmp_path, "field", "--expr", "exp(x)", "--box", "x=-1:1"))
    left, top, right, bottom = line["grid"]["box"]
    assert left < right
    assert top < bottom


@pytest.mark.slow
def test_names_stay_text_and_sizes_are_bounded(tmp_path):
    title = "</script><script>alert(1)</script>&"
    path = page(tmp_path, "cells", *KINKED, "--title", title, "--names", "<b>x,$y$")
    text = path.read_text(encoding="utf-8")
    assert text.count("<script") == 2
    assert "<b>" not in text
    assert len(text) < 200_000
    many = ("--expr", "floor(30*x)+floor(30*y)", "--box", "-1:1", "--limit", "4000")
    assert page(tmp_path, "cells", *many).stat().st_size < 3_000_000


def test_an_affine_form_is_written_like_one():
    from fractions import Fraction as Q

    assert affine((Q(0), Q(0)), Q(0), ("x", "y")) == "0"
    assert affine((Q(1), Q(-1, 3)), Q(0), ("x", "y")) == "x - 1/3 y"
    assert affine((Q(2**200), Q(0)), Q(-1), ("x", "y")) == "≈ 1.60693804e+60 x - 1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("surface", *KINKED, "--html", "-o", "a.html"), "no page of a surface"),
        (("value", "p.lp", "-o", "a.html"), "no page of a value"),
        (("cells", *KINKED, "--html", "-o", "a.svg"), "page is an .html file"),
        (("cells", *KINKED, "-o", "no/a.html"), "folder"),
    ],
)
def test_what_has_no_page_is_refused(capsys, arguments, words):
    assert main(["plot", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.slow
def test_a_page_replaces_only_a_page(tmp_path):
    path = page(tmp_path, "cells", *KINKED)
    page(tmp_path, "cells", *KINKED)
    path.write_text("mine")
    page(tmp_path, "cells", *KINKED, code=2)
    assert path.read_text() == "mine"


# --- in a browser --------------------------------------------------------------------------------

in_browser = [
    pytest.mark.slow,
    pytest.mark.skipif(executable() is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


def point_at(browser, selector, kind="mouseMoved"):
    """Move the pointer to the middle of an element; what is under it there, and what is said."""
    x, y = browser.ask(
        f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
        "return [b.left + b.width / 2, b.top + b.height / 2] })()"
    )
    browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    return browser.ask("document.getElementById('panel').innerText")


class TestInBrowser:
    pytestmark = in_browser

    @pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
    def test_pointing_shows_maps_and_sets(self, browser, tmp_path, width, dark):
        path = page(tmp_path, "cells", *KINKED, "--title", "<b>a</b>")
        browser.open(path, width=width, height=1400, dark=dark)
        assert "Point at the figure" in browser.ask("document.getElementById('panel').innerText")
        # the middle of the triangle at the right
        said = point_at(browser, "polygon.cell[data-n='0']")
        assert re.match(r"Cell \d\s+\S+ y? ?= ", said) or said.startswith("Cell")
        assert "corners:" in said
        said = point_at(browser, "circle.point")
        assert "Clarke set of" in said
        assert browser.ask("document.querySelectorAll('#panel svg polygon').length") == 1
        assert browser.ask("document.documentElement.scrollWidth") <= width
        assert browser.complaints() == []
        assert [r for r in browser.requests() if not r.startswith(("data:", path.as_uri()))] == []
        assert browser.ask("document.querySelector('h1').innerText") == "<b>a</b>"

    def test_the_shapes_lie_on_the_figure(self, browser, tmp_path):
        path = page(tmp_path, "cells", "--expr", "abs(x-1/2)+0*y", "--box", "x=0:1,y=0:1")
        browser.open(path, width=1280, height=900)
        cells = browser.ask(
            "[...document.querySelectorAll('polygon.cell')].map(p => p.getBoundingClientRect())"
            ".map(b => [b.left, b.right, b.top, b.bottom])"
        )
        frame = browser.ask(
            "(() => { const b = document.querySelector('.stage img').getBoundingClientRect();"
            "return [b.left, b.right, b.top, b.bottom] })()"
        )
        (a, b) = sorted(cells)
        assert a[1] == pytest.approx(b[0], abs=0.6)
        assert frame[0] < a[0] < b[1] < frame[1]
        assert frame[2] < a[2] < a[3] < frame[3]

    def test_a_click_keeps_and_the_keyboard_reaches_points(self, browser, tmp_path):
        browser.open(page(tmp_path, "descent", *KINKED), width=1280, height=900)
        point_at(browser, "circle.point")
        for kind in ("mousePressed", "mouseReleased"):
            kept = point_at(browser, "circle.point", kind)
        assert point_at(browser, "polygon.cell[data-n='2']") == kept
        assert browser.ask("document.getElementById('panel').className") == "kept"
        browser.open(page(tmp_path, "field", *KINKED), width=1280, height=900)
        browser.key("Tab", 9)
        assert browser.ask("document.activeElement.tagName") == "circle"
        assert "Clarke set" in browser.ask("document.getElementById('panel').innerText")

    def test_a_grid_tells_values_where_there_are_no_cells(self, browser, tmp_path):
        path = page(tmp_path, "field", "--expr", "exp(x)*y", "--box", "-1:1")
        browser.open(path, width=1280, height=900)
        said = point_at(browser, "#over")
        assert "gradient: (" in said
        assert browser.complaints() == []

"""Answers in all forms: complete, escaped, plain in a pipe, and fit for any encoding."""

import io
import json
from fractions import Fraction

import pytest
from flint import arb, ctx

from tamecheck import show
from tamecheck.exact.reals import exact_text
from tamecheck.ir.box import Box, Side
from tamecheck.ir.graph import GraphBuilder
from tamecheck.ir.structure import Structure
from tamecheck.ops import BY_NAME
from tamecheck.show.console import speakable
from tamecheck.show.wording import domain_text, headline
from tamecheck.tame import verdict as verdicts

BUILDER = GraphBuilder()
X = BUILDER.input("<x>", ())
GRAPH = BUILDER.build({"[bold]y": BUILDER.apply(BY_NAME["sin"], [X], "wave")})


def answer(verdict, **facts):
    structures = {0: (Structure.RATIONAL_SEMILINEAR,), 1: facts.get("structures", ())}
    lines = (
        verdicts.Line(0, "<x>", "input", structures[0], "a real number", ()),
        verdicts.Line(1, "wave", "sin", structures[1], "", (0,)),
    )
    box = Box({"<x>": Side((Fraction(-1, 3),), (None,))})
    return verdicts.Check(graph=GRAPH, box=box, verdict=verdict, derivation=lines, **facts)


ANSWERS = {
    "tame": answer(
        verdicts.Verdict.TAME,
        structures=(Structure.AN, Structure.EXP),
        properties=verdicts.Properties(continuous=True, piecewise_linear=False),
        consequences=(verdicts.Consequence("<theorem>", "a source", ("a hypothesis",)),),
        trusted=("z3: a bound",),
    ),
    "locally-tame": answer(verdicts.Verdict.LOCALLY_TAME, structures=(Structure.LOCAL,)),
    "not-tame": answer(
        verdicts.Verdict.NOT_TAME,
        witness=verdicts.Witness("o-minimal", "it oscillates", {"rule": "line"}),
    ),
    "unknown": answer(verdicts.Verdict.UNKNOWN, open=(verdicts.Open("wave", "it waves", "a box"),)),
}


def printed(check, **options):
    file = io.StringIO()
    show.print_check(check, file=file, **options)
    return file.getvalue()


@pytest.mark.parametrize("check", ANSWERS.values(), ids=ANSWERS)
def test_text_names_verdict_domain_and_nodes(check):
    text = show.check_text(check, verbose=True)
    assert check.verdict.value.upper().replace("-", " ") in text
    assert "<x> in [-1/3, inf)" in text
    assert "[bold]y" in text
    assert "wave" in text


@pytest.mark.parametrize("check", ANSWERS.values(), ids=ANSWERS)
def test_text_in_a_pipe_is_plain_and_narrow(check, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = printed(check, title="model.onnx")
    assert "\x1b" not in text
    assert all(len(line) <= 40 and line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("check", ANSWERS.values(), ids=ANSWERS)
def test_html_is_escaped(check):
    html = show.check_html(check)
    assert "<x>" not in html
    assert "<theorem>" not in html
    assert "&lt;x&gt;" in html


@pytest.mark.parametrize("check", ANSWERS.values(), ids=ANSWERS)
def test_json_has_the_keys_that_scripts_rely_on(check):
    document = json.loads(json.dumps(show.check_json(check, certificate="c.json")))
    assert document["verdict"] == check.verdict.value
    assert document["certificate"] == "c.json"
    assert document["model"]["sha256"] == GRAPH.sha256
    assert document.keys() >= {"structure", "also", "consequences", "witness", "open"}
    assert document["properties"].keys() == {
        "piecewise_linear",
        "piecewise_constant",
        "continuous",
        "locally_lipschitz",
        "path_differentiable",
    }


def test_json_holds_the_facts():
    tame = show.check_json(ANSWERS["tame"], derivation=True)
    assert (tame["structure"], tame["also"]) == ("an", ["exp"])
    assert tame["properties"]["continuous"] is True
    assert tame["properties"]["piecewise_linear"] is False
    assert tame["properties"]["locally_lipschitz"] is None
    assert tame["consequences"] == [
        {"theorem": "<theorem>", "source": "a source", "hypotheses": ["a hypothesis"]}
    ]
    assert tame["domain"] == {"<x>": {"lower": ["-1/3"], "upper": [None]}}
    assert [line["op"] for line in tame["derivation"]] == ["input", "sin"]
    assert show.check_json(ANSWERS["locally-tame"])["structure"] is None
    assert show.check_json(ANSWERS["not-tame"])["witness"]["rule"] == "line"
    assert show.check_json(ANSWERS["unknown"])["open"] == [
        {"node": "wave", "why": "it waves", "settles": "a box"}
    ]


@pytest.mark.parametrize("name", ["not-tame", "unknown"])
def test_the_first_obstacle_is_marked(name):
    assert "first obstacle" in show.check_text(ANSWERS[name])


def test_a_positive_answer_marks_no_obstacle():
    assert "first obstacle" not in show.check_text(ANSWERS["tame"])


@pytest.mark.parametrize("check", ANSWERS.values(), ids=ANSWERS)
def test_text_fits_a_stream_that_is_not_unicode(check):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    show.print_check(check, file=file)
    file.flush()
    assert raw.getvalue()


def test_symbols_are_spelt_out_where_they_cannot_be_written():
    assert speakable("ℝ_an, x ≥ 0 ✓", "ascii") == "R_an, x >= 0 +"
    assert speakable("ℝ_an", "utf-8") == "ℝ_an"


def test_headlines_claim_no_more_than_the_verdict():
    assert "o-minimal structure" in headline(ANSWERS["tame"])
    assert "not o-minimal" in headline(ANSWERS["locally-tame"])
    assert "No o-minimal expansion of the real field" in headline(ANSWERS["not-tame"])
    assert "Neither" in headline(ANSWERS["unknown"])


def test_domains_are_put_into_words():
    inputs = {"x": (2, 3), "y": ()}
    box = Box({"x": Side((Fraction(0),), (Fraction(1, 2),))})
    assert domain_text(box, inputs) == "x in [0, 1/2]^6, all other inputs"
    assert domain_text(Box.everything(), inputs) == "all inputs"
    long = Box({"y": Side((Fraction(0.1),), (None,))})
    assert domain_text(long, {"y": ()}) == "y in [0.1, inf)"


def test_exact_numbers_lose_nothing():
    assert exact_text(Fraction(-6, 4)) == "-3/2"
    assert exact_text(arb("0.75")) == "3/4"
    assert exact_text(arb(0, 1)) == "[0 +/- 1.01]"
    precision = ctx.prec
    try:
        ctx.prec = 128
        assert exact_text(arb(2).sqrt()).startswith("[1.41421356237309504880168")
    finally:
        ctx.prec = precision


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_frame_and_colours(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    file = Terminal()
    show.print_check(ANSWERS["not-tame"], file=file, title="model.onnx")
    assert "╭" in file.getvalue()
    assert "\x1b[" in file.getvalue()

"""What is said of refuted functions: what the witness shows, and what holds on bounded boxes."""

from __future__ import annotations

import pytest
from corpus import theorem_pages

import tamecheck as tc
from tamecheck.kernel.rules import RULES
from tamecheck.tame.failures import FAILURES
from tamecheck.tame.verdict import Verdict

SOMEWHERE = "On every bounded box"


def said(text: str, box: str | None = None) -> dict[str, str]:
    answer = tc.expression(text).check(box)
    assert answer.verdict is Verdict.NOT_TAME
    assert all(c.source and c.hypotheses for c in answer.consequences)
    return {c.theorem.split(":")[0]: c.hypotheses[0] for c in answer.consequences}


SHOWN = {
    "x+sin(x)": {"Infinitely many components", SOMEWHERE},
    "floor(x)*y": {"A dense set with dense complement", SOMEWHERE},
    "sqrt(sin(x))": {"A domain of infinitely many components", SOMEWHERE},
    "floor(exp(x))": {"No monotonicity", SOMEWHERE},
    "cosh(x)+sin(x)": {"No Hardy field", SOMEWHERE},
    "sin(1/x)": {"No monotonicity"},
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.items())
def test_what_the_witness_shows(text, shown):
    found = said(text)
    assert set(found) == shown
    (why,) = (found[name] for name in shown - {SOMEWHERE})
    assert why.startswith("refuted: ")


def test_on_a_bounded_box_nothing_is_said_of_bounded_boxes():
    assert SOMEWHERE not in said("x*sin(1/x)", "x=-1:1")


def test_every_rule_that_refutes_is_explained():
    refuting = {"staircase", "germ", "components", "exp-trig", "periodic"}
    assert refuting <= set(RULES)
    assert refuting == set(FAILURES)


@pytest.mark.parametrize("name", [*(c.theorem.split(":")[0] for c in FAILURES.values()), SOMEWHERE])
def test_every_line_is_documented(name):
    text = theorem_pages()
    section = text.split(f"\n### {name}\n")[1].split("\n### ")[0]
    for consequence in FAILURES.values():
        if consequence.theorem.startswith(name):
            for source in consequence.source.split(";"):
                assert source.split(",")[0].strip().split(" ")[0] in section

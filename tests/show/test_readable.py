"""Every result is one line as `repr` and escaped HTML in a notebook; a model has its methods."""

import pytest

import tamecheck as tc

PROPERTY = """
(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real)
(assert (<= -1 X_0)) (assert (<= X_0 1)) (assert (<= -1 X_1)) (assert (<= X_1 1))
(assert (>= Y_0 {}))
"""
PROGRAM = "max\n p: 2 x + y\nst\n c: 3 x + 2 y <= 7\nbounds\n x <= 4\ngen\n x\nend\n"
MODEL = tc.expression("max(x, 0) - abs(y)")
SIGNS = tc.expression("sign(x + y + z - 1)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readable")
    (folder / "holds.vnnlib").write_text(PROPERTY.format(2))
    (folder / "violated.vnnlib").write_text(PROPERTY.format(0.5))
    (folder / "p.lp").write_text(PROGRAM)
    return folder


RESULTS = {
    "model": (lambda _: MODEL, "<Model: max(x, 0) - abs(y): x[], y[] -> y[], "),
    "check": (lambda _: MODEL.check(), "<Check: tame in (ℝ, <, +, (λ·) for λ∈ℚ)>"),
    "unknown check": (
        lambda _: tc.expression("abs(sin(1/x))*abs(cos(1/x^2))").check("-1:1"),
        "<Check: unknown>",
    ),
    "jacobian": (lambda _: MODEL.jacobian([0, 0]), "<JacobianSet: "),
    "cells": (lambda _: MODEL.cells("-1:1"), "<Complex: 4 cells"),
    "formula cells": (lambda _: tc.expression("abs(x*x-y)").cells("-1:1"), "<FormulaCells: 2 "),
    "holds": (lambda d: MODEL.verify(d / "holds.vnnlib"), "Holds("),
    "violated": (lambda d: MODEL.verify(d / "violated.vnnlib"), "Violated("),
    "maximise": (lambda _: MODEL.maximise("-1:1"), "Optimum('optimal', value=1, bound=1)"),
    "minimise": (lambda _: MODEL.minimise("-1:1"), "Optimum('optimal', value=-1, bound=-1)"),
    "explain": (lambda _: SIGNS.explain((1, 1, 0), domain=(0, 1)), "Abductive("),
    "rules": (lambda _: SIGNS.rules((0, 1)), "DecisionRules("),
    "distance": (
        lambda _: tc.hamming_distance(SIGNS, (1, 1, 1), domain=(0, 1)),
        "<Distance: class 1 changes with 2 flips, and with no fewer>",
    ),
    "program": (
        lambda d: tc.load_program(d / "p.lp"),
        "<Program: maximise over 2 variables, 1 of them integer, with 1 rows>",
    ),
    "solve": (lambda d: tc.solve(tc.load_program(d / "p.lp")), "<Solved: optimal: objective 9/2>"),
    "dual": (lambda d: tc.dual(tc.load_program(d / "p.lp")), "<tree dual: F(b) = 9/2, z(b) = 9/2>"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_a_line_and_html(name, folder):
    ask, begins = RESULTS[name]
    found = ask(folder)
    assert repr(found).startswith(begins)
    assert "\n" not in repr(found)
    assert len(repr(found)) < 1000
    assert found._repr_html_().startswith("<")
    assert "object at 0x" not in str(found)


def test_options_go_to_the_explainer_and_to_its_method():
    found = SIGNS.explain(
        (1, 1, 0), "counterfactual", (0, 1), names=("a", "b", "c"), classes=("no", "yes"), target=0
    )
    assert set(found.names) <= {"a", "b", "c"}
    assert "no" in str(found)


@pytest.mark.slow
def test_a_report_is_written(tmp_path):
    MODEL.report(tmp_path / "r.html", "-1:1", timeout=20)
    assert "<html" in (tmp_path / "r.html").read_text(encoding="utf-8")
